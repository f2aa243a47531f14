/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_PORT_MAP_CLAIM_H
#define FL_ENGINE_PORT_MAP_CLAIM_H

/* Makes elements of a port map table an attachment's own, or says whose they are. */

#include "domain/port_map/port_map.h"
#include "engine/context.h"
#include "sys/nft/element.h"

/*
 * Adds elements, all of one owner. The table is made if it is missing. What is there already and belongs to the same
 * owner, or is on its way out, or leads to where it should lead, is taken over. Return: 0, or negative as
 * flannel_port_map_ensure(). *ret_added is set if elements may have been added, whatever the result, and never unset.
 */
int fl_port_map_claim(struct flannel_context *context, struct fl_rtnl *netfilter, const struct fl_port_map_table *table,
		      const struct fl_nft_element *elements, size_t n_elements, bool *ret_added,
		      struct flannel_error **ret_error);

#endif
