/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_RESOLV_CONF_H
#define CNI_RESOLV_CONF_H

/* resolv.conf(5) as the dns part of a result. */

#include <json-c/json_object.h>

#include "error.h"

/* nameservers, domain, search and options as far as the file has them; *ret_dns is NULL if it has none */
int cni_resolv_conf_read(const char *path, struct json_object **ret_dns, struct cni_error *error);

#endif
