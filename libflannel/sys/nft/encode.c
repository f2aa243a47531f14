/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/encode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "domain/firewall/nft_command.h"

/* the kernel's own limit for errno values */
#define ERRNO_MAX 4095

/* the packet's address that a match looks at */
static struct json_object *address_field(const struct fl_nft_match *match)
{
	return fl_nft_payload(match->prefix.family == AF_INET6 ? "ip6" : "ip",
			      match->type == FL_NFT_SADDR ? "saddr" : "daddr");
}

/* the packet's mark, of which only the bits of the mask count */
static struct json_object *masked_mark(uint32_t mask)
{
	return fl_nft_keyed("&", FL_NFT_ARRAY(fl_nft_meta("mark"), fl_json_int(mask)));
}

/* one match expression */
static struct json_object *match_expression(const struct fl_nft_match *match)
{
	bool mark = match->type == FL_NFT_MARK;

	return fl_nft_match(match->negated ? "!=" : "==", mark ? masked_mark(match->mask) : address_field(match),
			    mark ? fl_json_int(match->mark) : fl_nft_prefix(&match->prefix));
}

/* the statement that ends a rule */
static struct json_object *verdict_statement(enum fl_nft_verdict verdict)
{
	switch (verdict) {
	case FL_NFT_RETURN:
		return fl_nft_keyed_null("return");
	case FL_NFT_ACCEPT:
		return fl_nft_keyed_null("accept");
	case FL_NFT_MASQUERADE:
		return fl_nft_keyed_null("masquerade");
	case FL_NFT_MASQUERADE_FULLY_RANDOM:
		return fl_nft_keyed("masquerade", fl_nft_keyed("flags", fl_json_string("fully-random")));
	}
	return NULL;
}

/* matches and verdict of a rule */
static struct json_object *rule_expressions(const struct fl_nft_rule *rule)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *list = fl_json_array();

	if (!list)
		return NULL;
	for (size_t i = 0; i < rule->n_matches; i++)
		if (fl_json_append(list, match_expression(&rule->matches[i])) < 0)
			return NULL;
	if (fl_json_append(list, verdict_statement(rule->verdict)) < 0)
		return NULL;
	return FL_TAKE(list);
}

/* the command "add rule" */
static struct json_object *add_rule(const struct fl_nft_table *table, const struct fl_nft_chain *chain,
				    const struct fl_nft_rule *rule)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = fl_json_object();

	if (!value || fl_json_add(value, "family", fl_json_string(table->family)) < 0 ||
	    fl_json_add(value, "table", fl_json_string(table->name)) < 0 ||
	    fl_json_add(value, "chain", fl_json_string(chain->name)) < 0 ||
	    fl_json_add(value, "expr", rule_expressions(rule)) < 0)
		return NULL;
	return fl_nft_keyed("add", fl_nft_keyed("rule", FL_TAKE(value)));
}

/* the command "add chain", of a base chain that accepts what no rule decides */
static struct json_object *add_chain(const struct fl_nft_table *table, const struct fl_nft_chain *chain)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = fl_json_object();

	if (!value || fl_json_add(value, "family", fl_json_string(table->family)) < 0 ||
	    fl_json_add(value, "table", fl_json_string(table->name)) < 0 ||
	    fl_json_add(value, "name", fl_json_string(chain->name)) < 0 ||
	    fl_json_add(value, "type", fl_json_string(chain->type)) < 0 ||
	    fl_json_add(value, "hook", fl_json_string(chain->hook)) < 0 ||
	    fl_json_add(value, "prio", fl_json_int(chain->priority)) < 0 ||
	    fl_json_add(value, "policy", fl_json_string("accept")) < 0 ||
	    (chain->comment && fl_json_add(value, "comment", fl_json_string(chain->comment)) < 0))
		return NULL;
	return fl_nft_keyed("add", fl_nft_keyed("chain", FL_TAKE(value)));
}

/* the command "add table" or "delete table" */
static struct json_object *table_command(const char *verb, const struct fl_nft_table *table)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = fl_json_object();

	/* libnftables 1.0.6 takes comments of tables and chains in JSON and drops them; later ones set them */
	if (!value || fl_json_add(value, "family", fl_json_string(table->family)) < 0 ||
	    fl_json_add(value, "name", fl_json_string(table->name)) < 0 ||
	    (table->comment && fl_json_add(value, "comment", fl_json_string(table->comment)) < 0))
		return NULL;
	return fl_nft_keyed(verb, fl_nft_keyed("table", FL_TAKE(value)));
}

/* appends a chain and its rules to the commands: 0 or -ENOMEM */
static int append_chain(struct json_object *commands, const struct fl_nft_table *table,
			const struct fl_nft_chain *chain)
{
	int r = fl_json_append(commands, add_chain(table, chain));

	for (size_t i = 0; r >= 0 && i < chain->n_rules; i++)
		r = fl_json_append(commands, add_rule(table, chain, &chain->rules[i]));
	return r;
}

/* appends what replaces a table; "add" comes first because deleting one that is not there would fail: 0 or -ENOMEM */
static int append_table(struct json_object *commands, const struct fl_nft_table *table)
{
	int r = fl_json_append(commands, table_command("add", table));

	if (r >= 0)
		r = fl_json_append(commands, table_command("delete", table));
	if (r >= 0 && table->n_chains > 0)
		r = fl_json_append(commands, table_command("add", table));
	for (size_t i = 0; r >= 0 && i < table->n_chains; i++)
		r = append_chain(commands, table, &table->chains[i]);
	return r;
}

int fl_nft_encode(const struct fl_nft_table *tables, size_t n_tables, char **ret_text, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *commands = fl_json_array();

	if (!commands)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n_tables; i++)
		if (append_table(commands, &tables[i]) < 0)
			return fl_error_oom(ret_error);
	return fl_nft_encode_commands(FL_TAKE(commands), ret_text, ret_error);
}

int fl_nft_encode_commands(struct json_object *commands, char **ret_text, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *request = fl_nft_keyed("nftables", commands);
	FL_CLEANUP(fl_freep) char *text = request ? fl_json_format(request) : NULL;

	if (!text)
		return fl_error_oom(ret_error);
	if (strlen(text) > FL_NFT_REQUEST_MAX)
		return fl_error_set(ret_error, -EMSGSIZE, "nft", NULL, "send %zu bytes to the nft helper",
				    strlen(text));
	*ret_text = FL_TAKE(text);
	return 0;
}

/* may the same transaction succeed later */
static bool is_transient(int code)
{
	return code == -EAGAIN || code == -EBUSY || code == -EINTR || code == -ENOBUFS || code == -ENOMEM;
}

/* what an answer says: errno's number, and libnftables' words or NULL, borrowed from it */
static int read_answer(struct json_object *answer, uint64_t *ret_number, const char **ret_detail,
		       struct flannel_error **ret_error)
{
	const char *path = "answer";
	int r;

	r = fl_json_get_uint(answer, path, "errno", ERRNO_MAX, ret_number, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return fl_error_set(ret_error, -EINVAL, "nft", "errno is missing", "%s", path);
	return fl_json_get_string(answer, path, "error", ret_detail, ret_error);
}

int fl_nft_decode(const char *text, size_t len, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *answer = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *detail = NULL;
	uint64_t number = 0;
	int r;

	r = fl_json_parse(text, len, "answer", &answer, &error);
	if (r >= 0)
		r = read_answer(answer, &number, &detail, &error);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0)
		return fl_error_set(ret_error, -EPROTO, "nft", flannel_error_get_message(error),
				    "understand the nft helper");
	if (number == 0)
		return 0;
	r = -(int)number;
	if (is_transient(r))
		return fl_error_set_retryable(ret_error, r, "nft", detail, "change nft rules");
	return fl_error_set(ret_error, r, "nft", detail, "change nft rules");
}
