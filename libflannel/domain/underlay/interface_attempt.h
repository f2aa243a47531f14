/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_UNDERLAY_INTERFACE_ATTEMPT_H
#define FL_DOMAIN_UNDERLAY_INTERFACE_ATTEMPT_H

/* One try at an interface between nodes: what the ways to name one have in common. For domain/underlay/interface*.c only. */

#include "domain/underlay/interface.h"

/* a message lists what was tried and what there is; a node with thousands of links must not make it endless */
#define FL_ATTEMPT_LIST_SIZE 512

/* text that grows until it is full; then it ends in "..." */
struct fl_attempt_list {
	char text[FL_ATTEMPT_LIST_SIZE];
	size_t len;
	bool full;
};

/* one try: the request and facts, what was asked for in words, and the outcome */
struct fl_attempt {
	const struct fl_interface_request *request;
	const struct fl_interface_facts *facts;
	const struct fl_underlay *before; /* addresses in use, which stay if they can; NULL at the start */
	struct fl_attempt_list problem;   /* why it failed */
};

/* appends one item with a separator, or "..." if it does not fit */
void fl_attempt_list_add(struct fl_attempt_list *list, const char *separator, const char *format, ...) FL_PRINTF(3, 4);

/* writes down why the attempt failed; -ENODEV */
int fl_attempt_fail(struct fl_attempt *attempt, const char *format, ...) FL_PRINTF(2, 3);

/* is it 0.0.0.0 or :: */
bool fl_attempt_is_unspecified(const struct flannel_prefix *address);

/* less is better: global before link-local, then permanent before not, then not temporary before temporary */
int fl_attempt_rank(const struct fl_interface_address *address);

/* can an address be used that nobody named */
bool fl_attempt_is_usable(const struct fl_interface_address *address);

/* a link by index; NULL if there is none */
const struct fl_interface_link *fl_attempt_find_link(const struct fl_interface_facts *facts, uint32_t ifindex);

/* a link by name; NULL if there is none */
const struct fl_interface_link *fl_attempt_find_link_by_name(const struct fl_interface_facts *facts, const char *name);

/* an address on a link, whatever its flags; ifindex 0 means any link, the lowest index first; NULL if there is none */
const struct fl_interface_address *fl_attempt_find_address(const struct fl_interface_facts *facts, uint32_t ifindex,
							   const struct flannel_prefix *wanted);

/* reads an address without a length; -EINVAL */
int fl_attempt_parse_address(const char *text, struct flannel_prefix *ret_address);

/* fills in the underlay from a link and at most one address per family that must be used; 0 or -ENODEV */
int fl_attempt_use_link(struct fl_attempt *attempt, const struct fl_interface_link *link,
			const struct flannel_prefix *wanted, const struct flannel_prefix *wanted6,
			struct fl_underlay *underlay);

/* uses the link that has an address; a family whose address was not named takes the link's best */
int fl_attempt_use_address(struct fl_attempt *attempt, const struct flannel_prefix *address,
			   struct fl_underlay *underlay);

/* tries --iface-regex: the first address that matches, else the first name */
int fl_attempt_regex(struct fl_attempt *attempt, const char *pattern, struct fl_underlay *underlay);

/* tries --iface-can-reach: the interface by which the kernel would send there */
int fl_attempt_can_reach(struct fl_attempt *attempt, const char *address, struct fl_underlay *underlay);

#endif
