/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PORT_MAP_PORT_CONDITION_H
#define FL_DOMAIN_PORT_MAP_PORT_CONDITION_H

/* Conditions of port mappings: what words in the languages of nft and iptables say, as far as we know them. */

#include <stdbool.h>

#include <flannel/link.h>
#include <flannel/prefix.h>

#include "base/error.h"
#include "base/json.h"

#define FL_PORT_CONDITION_MAX 8

enum fl_port_condition_type { FL_PORT_CONDITION_SADDR, FL_PORT_CONDITION_DADDR, FL_PORT_CONDITION_IIFNAME };

struct fl_port_condition {
	enum fl_port_condition_type type;
	bool negated;
	struct flannel_prefix prefix;   /* SADDR, DADDR: without host bits */
	char link[FLANNEL_IFNAME_SIZE]; /* IIFNAME */
};

/* conditions that all have to be met */
struct fl_port_conditions {
	struct fl_port_condition items[FL_PORT_CONDITION_MAX];
	size_t n;
};

/*
 * Reads the words of one family; see flannel_port_map_options. key names them in messages. -EOPNOTSUPP for what we do not know,
 * -EINVAL for a value that is none.
 */
int fl_port_conditions_parse(const char *const *words, size_t n_words, int family, const char *key,
			     struct fl_port_conditions *ret_conditions, struct flannel_error **ret_error);

/* continues a hash (domain/hash.h) with the meaning of conditions */
uint64_t fl_port_conditions_hash(uint64_t hash, const struct fl_port_conditions *conditions);

/* appends a match for each condition to the statements of a rule: 0 or -ENOMEM */
int fl_port_conditions_append(const struct fl_port_conditions *conditions, struct json_object *statements);

#endif
