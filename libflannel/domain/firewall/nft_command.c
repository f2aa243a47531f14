/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/nft_command.h"

#include <stdbool.h>

struct json_object *fl_nft_keyed(const char *key, struct json_object *value)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();

	if (!object) {
		fl_json_unref(value);
		return NULL;
	}
	return fl_json_add(object, key, value) < 0 ? NULL : FL_TAKE(object);
}

struct json_object *fl_nft_keyed_null(const char *key)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();

	return !object || fl_json_add_null(object, key) < 0 ? NULL : FL_TAKE(object);
}

struct json_object *fl_nft_keyed_string(const char *key, const char *text)
{
	return fl_nft_keyed(key, fl_json_string(text));
}

struct json_object *fl_nft_keyed_int(const char *key, int64_t number)
{
	return fl_nft_keyed(key, fl_json_int(number));
}

struct json_object *fl_nft_array(struct json_object *const values[8], size_t n)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *array = fl_json_array();
	bool complete = array != NULL;

	for (size_t i = 0; i < n; i++) {
		if (complete)
			complete = fl_json_append(array, values[i]) >= 0;
		else
			fl_json_unref(values[i]);
	}
	return complete ? FL_TAKE(array) : NULL;
}

/* adds a value to an object that may be NULL, which it then becomes; takes over both */
static struct json_object *with(struct json_object *object, const char *key, struct json_object *value)
{
	if (!object) {
		fl_json_unref(value);
		return NULL;
	}
	if (fl_json_add(object, key, value) < 0)
		return fl_json_unref(object);
	return object;
}

/* the same for a text */
static struct json_object *with_string(struct json_object *object, const char *key, const char *text)
{
	return with(object, key, fl_json_string(text));
}

struct json_object *fl_nft_payload(const char *protocol, const char *field)
{
	return fl_nft_keyed("payload", with_string(fl_nft_keyed_string("protocol", protocol), "field", field));
}

struct json_object *fl_nft_meta(const char *key)
{
	return fl_nft_keyed("meta", fl_nft_keyed_string("key", key));
}

struct json_object *fl_nft_ct(const char *key)
{
	return fl_nft_keyed("ct", fl_nft_keyed_string("key", key));
}

struct json_object *fl_nft_mark_with(const char *op, int64_t number)
{
	return fl_nft_keyed(op, FL_NFT_ARRAY(fl_nft_meta("mark"), fl_json_int(number)));
}

struct json_object *fl_nft_fib(const char *result, struct json_object *flags)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *fib = fl_nft_keyed_string("result", result);

	if (!fib) {
		fl_json_unref(flags);
		return NULL;
	}
	return fl_json_add(fib, "flags", flags) < 0 ? NULL : fl_nft_keyed("fib", FL_TAKE(fib));
}

struct json_object *fl_nft_set_mark(struct json_object *value)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *mangle = fl_nft_keyed("key", fl_nft_meta("mark"));

	if (!mangle) {
		fl_json_unref(value);
		return NULL;
	}
	return fl_json_add(mangle, "value", value) < 0 ? NULL : fl_nft_keyed("mangle", FL_TAKE(mangle));
}

struct json_object *fl_nft_prefix(const struct flannel_prefix *prefix)
{
	char text[FLANNEL_PREFIX_STRLEN];

	flannel_prefix_format_address(prefix, text, sizeof(text));
	return fl_nft_keyed("prefix", with(fl_nft_keyed_string("addr", text), "len", fl_json_int(prefix->plen)));
}

struct json_object *fl_nft_concat(struct json_object *fields)
{
	return fl_nft_keyed("concat", fields);
}

struct json_object *fl_nft_match(const char *op, struct json_object *left, struct json_object *right)
{
	struct json_object *match = with(with(fl_nft_keyed_string("op", op), "left", left), "right", right);

	return fl_nft_keyed("match", match);
}

struct json_object *fl_nft_jump(const char *chain)
{
	return fl_nft_keyed("jump", fl_nft_keyed_string("target", chain));
}

/* where an object is: the beginning of each command about one */
static struct json_object *place(const struct fl_nft_table_name *table)
{
	return with_string(fl_nft_keyed_string("family", table->family), "table", table->name);
}

struct json_object *fl_nft_create_table(const struct fl_nft_table_name *table)
{
	struct json_object *value = with_string(fl_nft_keyed_string("family", table->family), "name", table->name);

	return fl_nft_keyed("create", fl_nft_keyed("table", value));
}

/* the type of a key: the name of one field, or an array of names */
static struct json_object *key_type(const char *const fields[3])
{
	struct json_object *types = NULL;

	if (!fields[1])
		return fl_json_string(fields[0]);
	types = FL_NFT_ARRAY(fl_json_string(fields[0]), fl_json_string(fields[1]));
	if (types && fields[2] && fl_json_append(types, fl_json_string(fields[2])) < 0)
		return fl_json_unref(types);
	return types;
}

struct json_object *fl_nft_add_set(const struct fl_nft_table_name *table, const char *name, const char *const fields[3],
				   const char *data)
{
	struct json_object *set = with(with_string(place(table), "name", name), "type", key_type(fields));

	set = with(set, "flags", FL_NFT_ARRAY(fl_json_string("timeout")));
	if (data)
		set = with_string(set, "map", data);
	return fl_nft_keyed("add", fl_nft_keyed(data ? "map" : "set", set));
}

struct json_object *fl_nft_counter(void)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *zero = fl_nft_keyed_int("packets", 0);

	if (!zero || fl_json_add(zero, "bytes", fl_json_int(0)) < 0)
		return NULL;
	return fl_nft_keyed("counter", FL_TAKE(zero));
}

struct json_object *fl_nft_add_chain(const struct fl_nft_table_name *table, const char *name)
{
	return fl_nft_keyed("add", fl_nft_keyed("chain", with_string(place(table), "name", name)));
}

struct json_object *fl_nft_add_base_chain(const struct fl_nft_table_name *table, const char *name, const char *type,
					  const char *hook, int priority)
{
	struct json_object *chain = with_string(with_string(place(table), "name", name), "type", type);

	chain = with(with_string(chain, "hook", hook), "prio", fl_json_int(priority));
	return fl_nft_keyed("add", fl_nft_keyed("chain", with_string(chain, "policy", "accept")));
}

struct json_object *fl_nft_add_rule(const struct fl_nft_table_name *table, const char *chain,
				    struct json_object *statements)
{
	struct json_object *rule = with(with_string(place(table), "chain", chain), "expr", statements);

	return fl_nft_keyed("add", fl_nft_keyed("rule", rule));
}

struct json_object *fl_nft_add_commented_rule(const struct fl_nft_table_name *table, const char *chain,
					      struct json_object *statements, const char *comment)
{
	struct json_object *rule = with(with_string(place(table), "chain", chain), "expr", statements);

	return fl_nft_keyed("add", fl_nft_keyed("rule", with_string(rule, "comment", comment)));
}

struct json_object *fl_nft_insert_rule(const struct fl_nft_table_name *table, const char *chain,
				       struct json_object *statements, const char *comment)
{
	struct json_object *rule = with(with_string(place(table), "chain", chain), "expr", statements);

	return fl_nft_keyed("insert", fl_nft_keyed("rule", with_string(rule, "comment", comment)));
}

struct json_object *fl_nft_delete_rule(const struct fl_nft_table_name *table, const char *chain, uint64_t handle)
{
	struct json_object *rule =
		with(with_string(place(table), "chain", chain), "handle", fl_json_int((int64_t)handle));

	return fl_nft_keyed("delete", fl_nft_keyed("rule", rule));
}

struct json_object *fl_nft_flush_chain(const struct fl_nft_table_name *table, const char *name)
{
	return fl_nft_keyed("flush", fl_nft_keyed("chain", with_string(place(table), "name", name)));
}

struct json_object *fl_nft_delete_chain(const struct fl_nft_table_name *table, const char *name)
{
	return fl_nft_keyed("delete", fl_nft_keyed("chain", with_string(place(table), "name", name)));
}
