/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_MAC_GUARD_H
#define FL_DOMAIN_FIREWALL_MAC_GUARD_H

/*
 * The guard against foreign source MAC addresses, as values: one table for all ports, with a set of guarded ports and a set of
 * what each of them may send. Frames from a port in the first set whose source is not in the second are dropped. The
 * table's name has a number for its layout: another layout is another table.
 */

#include <flannel/link.h>

#include "base/json.h"
#include "domain/firewall/nft_element.h"
#include "domain/plan/object.h"

#define FL_MAC_GUARD_FAMILY "bridge"
#define FL_MAC_GUARD_TABLE "cni-macspoof-1"
#define FL_MAC_GUARD_PORTS "ports"
#define FL_MAC_GUARD_ALLOWED "allowed"
#define FL_MAC_GUARD_CHAIN "prerouting"

/* the commands that make the table, for fl_nft_run_sync(); only_rule: just the rule, for a table whose rules were flushed. NULL
 * without memory. */
struct json_object *fl_mac_guard_commands(bool only_rule);

/* what guards a port: first what it may send, then that it is guarded, so that one without the other hurts nobody */
#define FL_MAC_GUARD_ELEMENTS 2
void fl_mac_guard_elements(const char *port, const uint8_t mac[FL_MAC_LEN], const char *owner,
			   struct fl_nft_element ret_elements[FL_MAC_GUARD_ELEMENTS]);

#endif
