/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_CHECK_H
#define CNI_CHECK_H

/*
 * What CHECK of the plugins that make an interface have in common: is what prevResult says still there? The functions return 0, or
 * -1 with what is missing or different.
 */

#include <flannel/context.h>
#include <flannel/link.h>

#include "plugin.h"
#include "result.h"

/* prevResult, which must be there */
int cni_check_previous(const struct cni_request *request, struct cni_result *ret_previous, struct cni_error *error);

/* the interface of that name and sandbox ("" is the node) among those of a result; NULL if there is none */
const struct cni_interface *cni_check_find(const struct cni_result *previous, const char *name, const char *sandbox);

/* The link of a result's interface as it is now: it must exist, be of that kind (NULL: any) and have the MAC address that the result
 * gives, if it gives one and is_fixed. */
int cni_check_link(struct flannel_context *context, const struct cni_interface *interface, const char *kind,
		   bool is_fixed, struct flannel_link_status *ret_status, struct cni_error *error);

/* Every address of the result must be on the link, with a route to its network, and every route of the result in its table: with the
 * gateway that it names, except for default routes, which chained plugins may bend. */
int cni_check_addresses(struct flannel_context *context, const struct cni_result *previous, const char *ifname,
			struct cni_error *error);
int cni_check_routes(struct flannel_context *context, const struct cni_result *previous, struct cni_error *error);

#endif
