/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes back what the CNI project's portmap plugin left: it knows neither our table nor we its state but by names. */

#include <errno.h>
#include <flannel/port_map.h>

#include "engine/firewall/former.h"

/* the table of its nftables backend, and that of iptables-nft, in both families */
#define OWN_TABLE "cni_hostport"
#define NAT_TABLE "nat"

/* marks what there is in one family */
static int take_family(struct fl_former *former, const char *family, const char *comment, const char *const *chains,
		       size_t n_chains, struct flannel_error **ret_error)
{
	const struct fl_nft_table_name own = {.family = family, .name = OWN_TABLE};
	const struct fl_nft_table_name nat = {.family = family, .name = NAT_TABLE};
	int r = fl_former_take_rules_of(former, &own, comment, ret_error);

	for (size_t i = 0; i < n_chains && r >= 0; i++)
		r = fl_former_take_chain(former, &nat, chains[i], ret_error);
	return r;
}

int flannel_port_map_remove_former(struct flannel_context *context, const char *comment, const char *const *chains,
				   size_t n_chains, struct flannel_error **ret_error)
{
	const char *const families[] = {"ip", "ip6"};
	struct fl_former former;
	int r;

	if (!context || !comment || comment[0] == '\0' || (!chains && n_chains > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, a comment and names are needed",
				    "remove former port mappings");
	r = fl_former_begin(&former, context, ret_error);
	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++)
		r = take_family(&former, families[i], comment, chains, n_chains, ret_error);
	if (r >= 0)
		r = fl_former_remove(&former, ret_error);
	fl_former_end(&former);
	return r < 0 ? fl_error_wrap(ret_error, r, "remove former port mappings of %s", comment) : r;
}
