/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PREVIOUS_H
#define CNI_PREVIOUS_H

/* prevResult: what the plugins before this one in a chain have made. */

#include "plugin.h"
#include "result.h"

/* Reads it: 1, 0 if there is none, -1. */
int cni_previous_read(const struct cni_request *request, struct cni_result *ret_result, struct cni_error *error);

/* The same for plugins that only work in a chain: 0, or -1 if there is none. */
int cni_previous_require(const struct cni_request *request, struct cni_result *ret_result, struct cni_error *error);

#endif
