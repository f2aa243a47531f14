/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_FIREWALL_NFT_COMMAND_H
#define FL_DOMAIN_FIREWALL_NFT_COMMAND_H

/*
 * Builds what libnftables-json(5) describes: commands and expressions as JSON values, never text. Calls nest: all take over the
 * values in their arguments, a NULL among those (no memory) makes the result NULL, and the result is the caller's.
 */

#include <flannel/prefix.h>

#include "base/json.h"

/* the table that commands are about */
struct fl_nft_table_name {
	const char *family; /* "ip", "ip6", "inet", "bridge" */
	const char *name;
};

/* {key: value}; {key: null}; {key: text}; {key: number} */
struct json_object *fl_nft_keyed(const char *key, struct json_object *value);
struct json_object *fl_nft_keyed_null(const char *key);
struct json_object *fl_nft_keyed_string(const char *key, const char *text);
struct json_object *fl_nft_keyed_int(const char *key, int64_t number);

/* an array of up to eight values; the list ends with the first one left out */
struct json_object *fl_nft_array(struct json_object *const values[8], size_t n);
#define FL_NFT_ARRAY(...)                                                                                              \
	fl_nft_array((struct json_object *const[8]){__VA_ARGS__},                                                      \
		     sizeof((struct json_object *const[]){__VA_ARGS__}) / sizeof(struct json_object *))

/* operands: a header's field, {"meta": {"key": key}}, {"ct": {"key": key}}, a prefix, fields side by side */
struct json_object *fl_nft_payload(const char *protocol, const char *field);
struct json_object *fl_nft_meta(const char *key);
struct json_object *fl_nft_ct(const char *key);
struct json_object *fl_nft_prefix(const struct flannel_prefix *prefix);
struct json_object *fl_nft_concat(struct json_object *fields);

/* the packet's mark "op" a number; what the routes say of fields of the packet (json array of strings) */
struct json_object *fl_nft_mark_with(const char *op, int64_t number);
struct json_object *fl_nft_fib(const char *result, struct json_object *flags);

/* statements: "left op right", a jump, a new value for the packet's mark */
struct json_object *fl_nft_match(const char *op, struct json_object *left, struct json_object *right);
struct json_object *fl_nft_jump(const char *chain);
struct json_object *fl_nft_counter(void); /* which iptables expects in all of its rules */
struct json_object *fl_nft_set_mark(struct json_object *value);

/*
 * Commands. "create" fails with -EEXIST if the table is there; the others make what is missing (a rule is added
 * always).
 */
struct json_object *fl_nft_create_table(const struct fl_nft_table_name *table);

/* a set with the flag "timeout" whose keys have up to three fields ("ipv4_addr"; NULL for none); data: that of a map, or NULL */
struct json_object *fl_nft_add_set(const struct fl_nft_table_name *table, const char *name, const char *const fields[3],
				   const char *data);

/* a chain that others jump to; a base chain that accepts what no rule decides */
struct json_object *fl_nft_add_chain(const struct fl_nft_table_name *table, const char *name);
struct json_object *fl_nft_add_base_chain(const struct fl_nft_table_name *table, const char *name, const char *type,
					  const char *hook, int priority);

struct json_object *fl_nft_add_rule(const struct fl_nft_table_name *table, const char *chain,
				    struct json_object *statements);

/* a rule with a comment: the last of its chain, or the first */
struct json_object *fl_nft_add_commented_rule(const struct fl_nft_table_name *table, const char *chain,
					      struct json_object *statements, const char *comment);
struct json_object *fl_nft_insert_rule(const struct fl_nft_table_name *table, const char *chain,
				       struct json_object *statements, const char *comment);

/* deletes a rule by its handle; empties a chain; deletes an empty chain that nothing jumps to */
struct json_object *fl_nft_delete_rule(const struct fl_nft_table_name *table, const char *chain, uint64_t handle);
struct json_object *fl_nft_flush_chain(const struct fl_nft_table_name *table, const char *name);
struct json_object *fl_nft_delete_chain(const struct fl_nft_table_name *table, const char *name);

#endif
