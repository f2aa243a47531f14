/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PORT_MAP_PORT_MAP_H
#define FL_DOMAIN_PORT_MAP_PORT_MAP_H

/*
 * Port mappings as values: the table with its static rules, and the elements that a container's mappings are. For each
 * family there are two maps for ports of all addresses of the node, two for ports of one address (to what address, and to
 * what port: libnftables 1.0.6 takes no map to both by JSON), and two sets of those who get the node's address as their
 * source. The table's name has a number for its layout: another layout is another table.
 */

#include <stdbool.h>
#include <stddef.h>

#include <flannel/port_map.h>

#include "base/error.h"
#include "base/json.h"
#include "domain/firewall/element_owner.h"
#include "domain/firewall/nft_element.h"
#include "domain/port_map/port_condition.h"

#define FL_PORT_MAP_FAMILY "inet"
#define FL_PORT_MAP_TABLE "cni-portmap-1"

/* with "-", 16 digits for conditions, and the final zero */
#define FL_PORT_MAP_TABLE_SIZE (sizeof(FL_PORT_MAP_TABLE) + 17)

/* chains that have rules as long as nobody flushes the table */
#define FL_PORT_MAP_HOOK "prerouting"
#define FL_PORT_MAP_CHAIN "ports"

/* names of the maps and sets of a table, ended by NULL */
extern const char *const fl_port_map_sets[];

struct fl_port_map_table {
	char name[FL_PORT_MAP_TABLE_SIZE];
	struct fl_port_conditions ipv4;
	struct fl_port_conditions ipv6;
};

/* checks everything but the conditions: 0, -EINVAL */
int fl_port_map_check_options(const struct flannel_port_map_options *options, struct flannel_error **ret_error);

/* the same for the name of a network */
int fl_port_map_check_network(const char *network, struct flannel_error **ret_error);

/* the table that mappings with these conditions are in: 0, -EINVAL, -EOPNOTSUPP */
int fl_port_map_choose_table(const struct flannel_port_map_options *options, struct fl_port_map_table *ret_table,
			     struct flannel_error **ret_error);

/* the commands that make a table, for fl_nft_run_sync(); NULL without memory */
struct json_object *fl_port_map_commands(const struct fl_port_map_table *table);

/* The elements that should be. *ret_elements is malloc()ed. -EINVAL for a port that is mapped in two ways. */
int fl_port_map_want(const struct flannel_port_map_options *options, struct fl_nft_element **ret_elements,
		     size_t *ret_n, struct flannel_error **ret_error);

/*
 * The keys under which the mappings may be found in the maps to addresses, one or two for each; (*ret_index)[i] says which mapping
 * element i is of. Both are malloc()ed.
 */
int fl_port_map_keys(const struct flannel_port_map_options *options, struct fl_nft_element **ret_elements,
		     size_t **ret_index, size_t *ret_n, struct flannel_error **ret_error);

/* is this element in a map to addresses */
bool fl_port_map_is_address(const struct fl_nft_element *element);

/* The keys of what may be there because a given element is in a map to addresses: its port, and masquerading. Their number. */
#define FL_PORT_MAP_COMPANIONS_MAX 4
size_t fl_port_map_companions(const struct fl_nft_element *element,
			      struct fl_nft_element ret_companions[FL_PORT_MAP_COMPANIONS_MAX]);

/* what an element is about, for messages: "host port tcp 8080"; returns buf */
#define FL_PORT_MAP_TEXT_SIZE 160
const char *fl_port_map_format(const struct fl_nft_element *element, char buf[FL_PORT_MAP_TEXT_SIZE]);

/* an element's address or port as text: where it leads to; returns buf */
const char *fl_port_map_format_data(const struct fl_nft_element *element, char buf[FLANNEL_PREFIX_STRLEN]);

/* container and interface, the part of a comment (see element_owner.h) that is for people; "" if there is none */
const char *fl_port_map_owner_text(const char *comment);

#endif
