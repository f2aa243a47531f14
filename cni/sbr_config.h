/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_SBR_CONFIG_H
#define CNI_SBR_CONFIG_H

/* The configuration of the plugin sbr. */

#include <flannel/source_route.h>

#include "plugin.h"
#include "result.h"

struct cni_sbr_config {
	uint32_t table;                /* 0: a table for each address */
	unsigned int flags;            /* enum flannel_source_route_flags */
	struct flannel_prefix gateway; /* in the place of the addresses' own; AF_UNSPEC for none */
	struct flannel_prefix gateway6;
};

int cni_sbr_config_read(const struct cni_request *request, struct cni_sbr_config *ret_config, struct cni_error *error);

/*
 * The addresses that a result says the interface has, with their gateways: those whose interface has its name, and in the
 * form of versions that know no interfaces all. *ret_addresses is malloc()ed.
 */
int cni_sbr_find_addresses(const struct cni_request *request, const struct cni_result *result,
			   const struct cni_sbr_config *config, struct flannel_address **ret_addresses, size_t *ret_n,
			   struct cni_error *error);

#endif
