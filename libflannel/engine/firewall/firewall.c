/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/firewall/firewall.h"

#include <errno.h>
#include <string.h>

#include "domain/firewall/element_owner.h"
#include "sys/nft/rule.h"

#define AREA "firewall"

enum {
	/* for the helper to answer; a transaction takes milliseconds */
	HELPER_TIMEOUT_MS = 5000,

	/* a table that is missing, an address that is just being retired, and room for somebody else's work in between */
	ATTEMPTS = 6,
};

const struct fl_nft_place fl_firewall_place = {.family = FL_FIREWALL_FAMILY, .table = FL_FIREWALL_TABLE};

static const char *const families[] = {"ip", "ip6"};

int fl_firewall_begin(struct flannel_context *context, const struct flannel_firewall_options *options,
		      const char *operation, struct fl_firewall *ret_firewall, struct flannel_error **ret_error)
{
	struct fl_firewall firewall = {.context = context};
	int r;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "context and options are needed", "%s", operation);
	r = fl_options_copy(&firewall.options, sizeof(firewall.options), sizeof(firewall.options), options,
			    "flannel_firewall_options", ret_error);
	if (r >= 0)
		r = fl_element_owner_check(firewall.options.network, firewall.options.attachment, operation, ret_error);
	if (r >= 0)
		r = fl_firewall_check_options(&firewall.options, ret_error);
	if (r >= 0)
		r = fl_context_get_netfilter(context, &firewall.netfilter, ret_error);
	if (r < 0)
		return r;
	fl_element_owner_format(firewall.options.network, firewall.options.attachment, firewall.owner);
	*ret_firewall = firewall;
	return 0;
}

/* has the helper carry out commands, which are taken over; -EEXIST is the caller's to judge */
static int run_commands(const struct fl_firewall *firewall, struct json_object *commands,
			struct flannel_error **ret_error)
{
	struct fl_nft *nft;
	int r = fl_context_get_nft(firewall->context, &nft, ret_error);

	if (r < 0) {
		fl_json_unref(commands);
		return r;
	}
	return fl_nft_run_sync(nft, commands, HELPER_TIMEOUT_MS, ret_error);
}

/* makes our table; somebody else may do so at the same moment */
static int make_table(const struct fl_firewall *firewall, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = run_commands(firewall, fl_firewall_table(), &error);

	if (r >= 0 || r == -EEXIST)
		return 0;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return fl_error_wrap(ret_error, r, "make nft table %s %s", FL_FIREWALL_FAMILY, FL_FIREWALL_TABLE);
}

/* does a chain have a rule that jumps to another one, or has a comment: one of the two is NULL */
static bool has_rule(const struct fl_nft_found_rule *rules, size_t n, const char *target, const char *comment)
{
	for (size_t i = 0; i < n; i++) {
		if (target ? strcmp(rules[i].target, target) == 0 : strcmp(rules[i].comment, comment) == 0)
			return true;
	}
	return false;
}

/* looks at chain CNI-FORWARD, which is there */
static int look_at_chain(const struct fl_firewall *firewall, const struct fl_nft_place *filter,
			 struct fl_firewall_found *found, struct flannel_error **ret_error)
{
	const char *admin = firewall->options.admin_chain ? firewall->options.admin_chain : FL_FIREWALL_ADMIN;
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n = 0;
	int r = fl_nft_rule_list(firewall->netfilter, filter, FL_FIREWALL_CHAIN, &rules, &n, ret_error);

	if (r < 0)
		return r;
	found->has_admin_jump = has_rule(rules, n, admin, NULL);
	found->has_accept = has_rule(rules, n, NULL, FL_FIREWALL_COMMENT);
	return 0;
}

int fl_firewall_look(const struct fl_firewall *firewall, const char *family, struct fl_firewall_found *ret_found,
		     struct flannel_error **ret_error)
{
	const struct fl_nft_place filter = {.family = family, .table = FL_FIREWALL_FILTER};
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	struct fl_firewall_found found = {.has_forward = false};
	size_t n = 0;
	int r = fl_nft_has_chain(firewall->netfilter, &filter, FL_FIREWALL_FORWARD, ret_error);

	if (r > 0) {
		found.has_forward = true;
		r = fl_nft_rule_list(firewall->netfilter, &filter, FL_FIREWALL_FORWARD, &rules, &n, ret_error);
		found.has_jump = r >= 0 && has_rule(rules, n, FL_FIREWALL_CHAIN, NULL);
	}
	if (r >= 0 && found.has_forward) {
		r = fl_nft_has_chain(firewall->netfilter, &filter, FL_FIREWALL_CHAIN, ret_error);
		found.has_chain = r > 0;
	}
	if (r >= 0 && found.has_chain)
		r = look_at_chain(firewall, &filter, &found, ret_error);
	if (r < 0)
		return r;
	*ret_found = found;
	return 0;
}

/* completes the tables of iptables where there are any, in one transaction */
static int open_iptables(const struct fl_firewall *firewall, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *commands = fl_json_array();
	bool is_needed = false;
	int r = commands ? 0 : fl_error_oom(ret_error);

	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++) {
		struct fl_firewall_found found;

		r = fl_firewall_look(firewall, families[i], &found, ret_error);
		if (r < 0 || !fl_firewall_missing(&found))
			continue;
		is_needed = true;
		if (fl_firewall_complete(commands, families[i], &found, firewall->options.admin_chain) < 0)
			r = fl_error_oom(ret_error);
	}
	if (r < 0 || !is_needed)
		return r;
	r = run_commands(firewall, FL_TAKE(commands), ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "complete chain " FL_FIREWALL_FORWARD " of iptables") : 0;
}

int fl_firewall_retire_own(const struct fl_firewall *firewall, struct fl_nft_element *elements, size_t n_elements,
			   struct flannel_error **ret_error)
{
	bool found[FL_FIREWALL_ELEMENTS_MAX] = {false};
	size_t n = 0;
	int r = fl_nft_element_find(firewall->netfilter, &fl_firewall_place, elements, n_elements, found, ret_error);

	for (size_t i = 0; i < n_elements && r >= 0; i++) {
		if (found[i] && !fl_nft_element_is_retired(&elements[i]) &&
		    fl_element_owner_equal(elements[i].comment, firewall->owner))
			elements[n++] = elements[i];
	}
	if (r >= 0)
		r = fl_nft_element_retire(firewall->netfilter, &fl_firewall_place, elements, n, ret_error);
	return r < 0 ? r : (int)n;
}

/* is what was found under an element's key as it should be; comments of elements that serve many do not matter */
static bool is_settled(const struct fl_nft_element *wanted, const struct fl_nft_element *found)
{
	return !fl_nft_element_is_retired(found) &&
	       (wanted->comment[0] == '\0' || fl_element_owner_equal(found->comment, wanted->comment));
}

/* Looks at what is there: 1 if all of it is as wanted, 0 if something was replaced or is missing, negative. */
static int settle(const struct fl_firewall *firewall, const struct fl_nft_element *wanted, size_t n,
		  struct flannel_error **ret_error)
{
	struct fl_nft_element elements[FL_FIREWALL_ELEMENTS_MAX];
	bool found[FL_FIREWALL_ELEMENTS_MAX] = {false};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t n_missing = 0, n_replaced = 0;
	int r;

	memcpy(elements, wanted, n * sizeof(*elements));
	r = fl_nft_element_find(firewall->netfilter, &fl_firewall_place, elements, n, found, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		n_missing += !found[i];
		if (found[i] && !is_settled(&wanted[i], &elements[i]))
			elements[n_replaced++] = wanted[i];
	}
	if (n_replaced == 0)
		return n_missing == 0;
	/* an address has one owner: whoever had it before is no more */
	r = fl_nft_element_replace(firewall->netfilter, &fl_firewall_place, elements, n_replaced, &error);
	if (r >= 0 || r == -ENOENT || r == -EEXIST || r == -EBUSY)
		return 0;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* adds elements, makes the table, and sorts out what is in the way, until all is there and ours */
static int persist(const struct fl_firewall *firewall, const struct fl_nft_element *wanted, size_t n,
		   struct flannel_error **ret_error)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_nft_element_add(firewall->netfilter, &fl_firewall_place, wanted, n, NULL, &error);

		if (r == -ENOENT) {
			r = make_table(firewall, ret_error);
			if (r < 0)
				return r;
			continue;
		}
		if (r < 0 && r != -EEXIST && r != -EBUSY) {
			if (ret_error)
				*ret_error = FL_TAKE(error);
			return r;
		}
		r = settle(firewall, wanted, n, ret_error);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return fl_error_set_retryable(ret_error, -EBUSY, AREA, "somebody else changes it all the time",
				      "add to nft table %s %s", FL_FIREWALL_FAMILY, FL_FIREWALL_TABLE);
}

/* takes away what contradicts the bridge's policy */
static int drop_unwanted(const struct fl_firewall *firewall, struct flannel_error **ret_error)
{
	struct fl_nft_element element;
	bool found = false;
	int r;

	if (!fl_firewall_unwanted(&firewall->options, &element))
		return 0;
	r = fl_nft_element_find(firewall->netfilter, &fl_firewall_place, &element, 1, &found, ret_error);
	if (r <= 0 || fl_nft_element_is_retired(&element))
		return r < 0 ? r : 0;
	r = fl_nft_element_retire(firewall->netfilter, &fl_firewall_place, &element, 1, ret_error);
	return r < 0 ? r : 0;
}

int flannel_firewall_ensure(struct flannel_context *context, const struct flannel_firewall_options *options,
			    struct flannel_error **ret_error)
{
	struct fl_nft_element elements[FL_FIREWALL_ELEMENTS_MAX];
	struct fl_firewall firewall;
	size_t n, n_addresses;
	int r = fl_firewall_begin(context, options, "set the firewall of an attachment", &firewall, ret_error);

	if (r < 0)
		return r;
	n_addresses = fl_firewall_addresses(&firewall.options, firewall.owner, elements);
	n = n_addresses + fl_firewall_bridge(&firewall.options, elements + n_addresses);
	if (n == 0)
		return 0;
	r = open_iptables(&firewall, ret_error);
	if (r >= 0)
		r = persist(&firewall, elements, n, ret_error);
	if (r >= 0)
		r = drop_unwanted(&firewall, ret_error);
	if (r >= 0)
		return 0;
	(void)fl_firewall_retire_own(&firewall, elements, n_addresses, NULL);
	return fl_error_wrap(ret_error, r, "set the firewall of %s", firewall.options.attachment->container_id);
}

/* the text of an element's key, for a message */
static const char *format_key(const struct fl_nft_element *element, char buf[FLANNEL_PREFIX_STRLEN])
{
	struct flannel_prefix address = {.family = element->key.len == 4 ? AF_INET : AF_INET6};

	memcpy(address.addr, element->key.bytes, element->key.len);
	return flannel_prefix_format_address(&address, buf, FLANNEL_PREFIX_STRLEN);
}

/* compares one address with what is there */
static int check_address(const struct fl_nft_element *wanted, const struct fl_nft_element *found, bool is_found,
			 struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	if (!is_found || fl_nft_element_is_retired(found))
		return fl_error_set(ret_error, -ENOENT, AREA, "it is missing in nft table inet " FL_FIREWALL_TABLE,
				    "check address %s", format_key(wanted, text));
	if (fl_element_owner_equal(found->comment, wanted->comment))
		return 0;
	return fl_error_set(ret_error, -EADDRINUSE, AREA, fl_element_owner_text(found->comment),
			    "check address %s, which is let through for another attachment", format_key(wanted, text));
}

/* compares all elements with what is there */
static int check_elements(const struct fl_firewall *firewall, struct flannel_error **ret_error)
{
	struct fl_nft_element wanted[FL_FIREWALL_ELEMENTS_MAX], elements[FL_FIREWALL_ELEMENTS_MAX];
	bool found[FL_FIREWALL_ELEMENTS_MAX] = {false};
	size_t n_addresses = fl_firewall_addresses(&firewall->options, firewall->owner, wanted);
	size_t n = n_addresses + fl_firewall_bridge(&firewall->options, wanted + n_addresses);
	int r;

	memcpy(elements, wanted, n * sizeof(*elements));
	r = fl_nft_element_find(firewall->netfilter, &fl_firewall_place, elements, n, found, ret_error);
	for (size_t i = 0; i < n_addresses && r >= 0; i++)
		r = check_address(&wanted[i], &elements[i], found[i], ret_error);
	for (size_t i = n_addresses; i < n && r >= 0; i++) {
		if (!found[i] || fl_nft_element_is_retired(&elements[i]))
			r = fl_error_set(ret_error, -ENOENT, AREA, "it is missing in nft table inet " FL_FIREWALL_TABLE,
					 "check the policy of bridge %s", firewall->options.bridge);
	}
	return r < 0 ? r : 0;
}

/* the rules of our table may have been flushed, which leaves its sets */
static int check_rules(const struct fl_firewall *firewall, struct flannel_error **ret_error)
{
	const char *const chains[] = {FL_FIREWALL_ISOLATION, FL_FIREWALL_BEFORE, FL_FIREWALL_AFTER};

	for (size_t i = 0; i < FL_N_ELEMENTS(chains); i++) {
		FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
		size_t n = 0;
		int r = fl_nft_rule_list(firewall->netfilter, &fl_firewall_place, chains[i], &rules, &n, ret_error);

		if (r < 0)
			return r;
		if (n == 0)
			return fl_error_set(ret_error, -ENOENT, AREA, "it has no rules",
					    "check nft chain inet " FL_FIREWALL_TABLE " %s", chains[i]);
	}
	return 0;
}

int flannel_firewall_check(struct flannel_context *context, const struct flannel_firewall_options *options,
			   struct flannel_error **ret_error)
{
	struct fl_firewall firewall;
	int r = fl_firewall_begin(context, options, "check the firewall of an attachment", &firewall, ret_error);

	if (r < 0)
		return r;
	if (firewall.options.n_addresses == 0 && firewall.options.policy == FLANNEL_FIREWALL_OPEN)
		return 0;
	r = check_elements(&firewall, ret_error);
	if (r >= 0)
		r = check_rules(&firewall, ret_error);
	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++) {
		struct fl_firewall_found found;

		r = fl_firewall_look(&firewall, families[i], &found, ret_error);
		if (r >= 0 && fl_firewall_missing(&found))
			r = fl_error_set(ret_error, -ENOENT, AREA, fl_firewall_missing(&found),
					 "check nft table %s " FL_FIREWALL_FILTER ", which lacks", families[i]);
	}
	return r < 0 ? r : 0;
}
