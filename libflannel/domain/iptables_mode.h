/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_IPTABLES_MODE_H
#define FL_DOMAIN_IPTABLES_MODE_H

/* What flannel's iptables mode leaves in the tables of an iptables that works through nftables, and what of it is still of use. */

#include "domain/nft_command.h"

/* a chain with the comment that its rules and the jumps to it bear */
struct fl_iptables_chain {
	const char *table;
	const char *name;
	const char *hooked; /* the chain of iptables that jumps to it */
	const char *comment;
};

extern const struct fl_iptables_chain fl_iptables_masquerade;
extern const struct fl_iptables_chain fl_iptables_forward;

/*
 * Appends the commands that give the forward chain the two rules of a network, and make it, or the jump to it (has_jump: there
 * is one), if it is missing. In a table whose FORWARD drops what nobody accepts an acceptance counts in that table only. -ENOMEM.
 */
int fl_iptables_accept(struct json_object *commands, const struct flannel_prefix *network, bool has_jump);

#endif
