/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_MAC_H
#define CNI_MAC_H

/* MAC addresses as configurations have them. */

#include <flannel/link.h>

#include "error.h"

/* Reads six bytes in any of the forms 02:00:00:00:00:01, 02-00-00-00-00-01 and 0200.0000.0001 into the first of them, lower
 * case. key is for messages. */
int cni_mac_parse(const char *text, const char *key, char ret_mac[FLANNEL_MAC_STRLEN], struct cni_error *error);

#endif
