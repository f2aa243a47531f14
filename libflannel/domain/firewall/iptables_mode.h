/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_IPTABLES_MODE_H
#define FL_DOMAIN_FIREWALL_IPTABLES_MODE_H

/* What flannel's iptables mode leaves in the tables of an iptables that works through nftables, and what of it is still of use. */

#include "domain/firewall/nft_command.h"

/* a chain with the comment that its rules and the jumps to it bear */
struct fl_iptables_chain {
	const char *table;
	const char *hooked; /* the chain of iptables that jumps to it */
	char name[29];      /* all that iptables takes */
	char comment[48];
};

/* flannel's own; an instance that has a name has a forward chain of its own, and leaves flannel's to the one that has none */
struct fl_iptables_chain fl_iptables_masquerade(void);
struct fl_iptables_chain fl_iptables_forward(const char *instance);

/*
 * Appends the commands that give the forward chain the two rules of a network, and make it, or the jump to it (has_jump: there
 * is one), if it is missing. In a table whose FORWARD drops what nobody accepts an acceptance counts in that table only. -ENOMEM.
 */
int fl_iptables_accept(struct json_object *commands, const struct fl_iptables_chain *chain,
		       const struct flannel_prefix *network, bool has_jump);

#endif
