/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_IPAM_H
#define CNI_IPAM_H

/* How plugins that make an interface use an IPAM plugin. type is its name, the key ipam.type; "" is none, and nothing is done. */

#include "delegate.h"
#include "plugin.h"
#include "result.h"

/* runs the verb of the request, which is none that has a result */
int cni_ipam_run(const struct cni_request *request, const char *type, struct cni_error *error);

/*
 * Asks for addresses. What the answer says of interfaces is left out; its addresses are those of the interface with the index. If the
 * answer is no good they are given back. *ret_ipam is for cni_ipam_release(), to be cleared by the caller.
 */
int cni_ipam_add(const struct cni_request *request, const char *type, int index, struct cni_delegate *ret_ipam,
		 struct cni_result *ret_result, struct cni_error *error);

/* gives back what an ADD got that fails otherwise; the reason why is told already */
void cni_ipam_release(const struct cni_request *request, const char *type, const struct cni_delegate *ipam);

#endif
