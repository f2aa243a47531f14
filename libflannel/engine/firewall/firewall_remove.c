/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domain/firewall/element_owner.h"
#include "engine/firewall/firewall.h"
#include "sys/nft/rule.h"

#define HELPER_TIMEOUT_MS 5000

/* whose addresses a sweep takes: those of one owner, or those of a network whose owner is none of a list */
struct broom {
	const char *owner;
	const char (*kept)[FL_NFT_COMMENT_MAX + 1]; /* NULL: those of .owner itself */
	size_t n_kept;
};

static const char *const address_sets[] = {FL_FIREWALL_IPV4, FL_FIREWALL_IPV6};

/* is an element to go */
static bool takes(const struct broom *broom, const struct fl_nft_element *element)
{
	if (!broom->kept)
		return fl_element_owner_equal(element->comment, broom->owner);
	if (!fl_element_owner_same_network(element->comment, broom->owner))
		return false;
	for (size_t i = 0; i < broom->n_kept; i++) {
		if (fl_element_owner_equal(element->comment, broom->kept[i]))
			return false;
	}
	return true;
}

/* all elements of a set of ours that are not on their way out; none without the table */
static int list_set(struct fl_rtnl *netfilter, const char *set, struct fl_nft_element **ret_elements, size_t *ret_n,
		    struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t n_all = 0, n = 0;
	int r = fl_nft_element_list(netfilter, &fl_firewall_place, set, ret_elements, &n_all, &error);

	if (r == -ENOENT) {
		*ret_elements = NULL;
		*ret_n = 0;
		return 0;
	}
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	for (size_t i = 0; i < n_all; i++) {
		if (!fl_nft_element_is_retired(&(*ret_elements)[i]))
			(*ret_elements)[n++] = (*ret_elements)[i];
	}
	*ret_n = n;
	return 0;
}

/* sweeps one set: how many elements were retired, or negative; *ret_left: how many are left */
static int sweep_set(struct fl_rtnl *netfilter, const char *set, const struct broom *broom, size_t *ret_left,
		     struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	size_t n = 0, n_taken = 0;
	int r = list_set(netfilter, set, &elements, &n, ret_error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (takes(broom, &elements[i]))
			elements[n_taken++] = elements[i];
	}
	r = fl_nft_element_retire(netfilter, &fl_firewall_place, elements, n_taken, ret_error);
	if (r < 0)
		return r;
	*ret_left = n - n_taken;
	return (int)n_taken;
}

/* sweeps all addresses: how many were retired, or negative */
static int sweep(struct fl_rtnl *netfilter, const struct broom *broom, size_t *ret_left,
		 struct flannel_error **ret_error)
{
	int total = 0;

	*ret_left = 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(address_sets); i++) {
		size_t left = 0;
		int r = sweep_set(netfilter, address_sets[i], broom, &left, ret_error);

		if (r < 0)
			return r;
		total += r;
		*ret_left += left;
	}
	return total;
}

int flannel_firewall_remove(struct flannel_context *context, const struct flannel_firewall_options *options,
			    struct flannel_error **ret_error)
{
	struct flannel_firewall_options wanted = {.size = sizeof(wanted)};
	struct fl_nft_element elements[FL_FIREWALL_ELEMENTS_MAX];
	struct fl_firewall firewall;
	struct broom broom = {.owner = firewall.owner};
	size_t n, left;
	int total, r = 0;

	if (options)
		r = fl_options_copy(&wanted, sizeof(wanted), sizeof(wanted), options, "flannel_firewall_options",
				    ret_error);
	/* which are not looked at */
	wanted.policy = FLANNEL_FIREWALL_OPEN;
	wanted.bridge = wanted.admin_chain = NULL;
	if (r >= 0)
		r = fl_firewall_begin(context, options ? &wanted : NULL, "remove the firewall of an attachment",
				      &firewall, ret_error);
	if (r < 0)
		return r;
	n = fl_firewall_addresses(&firewall.options, firewall.owner, elements);
	total = n > 0 ? fl_firewall_retire_own(&firewall, elements, n, ret_error) : 0;
	if (total >= 0 && (n == 0 || (size_t)total < n)) {
		r = sweep(firewall.netfilter, &broom, &left, ret_error);
		total = r < 0 ? r : total + r;
	}
	return total < 0 ? fl_error_wrap(ret_error, total, "remove the firewall of %s",
					 firewall.options.attachment->container_id)
			 : total;
}

/* the policies of bridges, once nobody is left whom they concern */
static int remove_policies(struct fl_rtnl *netfilter, struct flannel_error **ret_error)
{
	const char *const sets[] = {FL_FIREWALL_BRIDGES, FL_FIREWALL_WITHIN};

	for (size_t i = 0; i < FL_N_ELEMENTS(sets); i++) {
		FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
		size_t n = 0;
		int r = list_set(netfilter, sets[i], &elements, &n, ret_error);

		if (r >= 0)
			r = fl_nft_element_retire(netfilter, &fl_firewall_place, elements, n, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

int flannel_firewall_collect(struct flannel_context *context, const char *network,
			     const struct flannel_attachment_id *attachments, size_t n_attachments,
			     struct flannel_error **ret_error)
{
	/* just for the part of an owner that all of a network have in common */
	const struct flannel_attachment_id anybody = {.size = sizeof(anybody), .container_id = "-", .ifname = "-"};
	FL_CLEANUP(fl_freep) char(*owners)[FL_NFT_COMMENT_MAX + 1] = NULL;
	char owner[FL_NFT_COMMENT_MAX + 1];
	struct broom broom = {.owner = owner, .n_kept = n_attachments};
	struct fl_rtnl *netfilter;
	size_t left;
	int n, r;

	if (!context || (!attachments && n_attachments > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, and attachments if there are any",
				    "collect firewalls of attachments");
	r = fl_element_owner_check(network, &anybody, "collect firewalls of attachments", ret_error);
	if (r >= 0)
		r = fl_element_owners_new(network, attachments, n_attachments, "collect firewalls of attachments",
					  &owners, ret_error);
	if (r >= 0)
		r = fl_context_get_netfilter(context, &netfilter, ret_error);
	if (r < 0)
		return r;
	fl_element_owner_format(network, &anybody, owner);
	broom.kept = (const char(*)[FL_NFT_COMMENT_MAX + 1]) owners;
	n = sweep(netfilter, &broom, &left, ret_error);
	if (n >= 0 && left == 0) {
		r = remove_policies(netfilter, ret_error);
		n = r < 0 ? r : n;
	}
	return n < 0 ? fl_error_wrap(ret_error, n, "collect firewalls of network %s", network) : n;
}

/* is a rule about one of these addresses */
static bool is_about(const struct fl_nft_found_rule *rule, const struct flannel_prefix *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = addresses[i].family == AF_INET6 ? 16 : 4;

		if ((rule->source.len == len && memcmp(rule->source.bytes, addresses[i].addr, len) == 0) ||
		    (rule->destination.len == len && memcmp(rule->destination.bytes, addresses[i].addr, len) == 0))
			return true;
	}
	return false;
}

/* appends what deletes the rules about the addresses in a family's chain: how many, or negative */
static int take_rules(struct fl_rtnl *netfilter, const char *family, const struct flannel_prefix *addresses, size_t n,
		      struct json_object *commands, struct flannel_error **ret_error)
{
	const struct fl_nft_table_name table = {.family = family, .name = FL_FIREWALL_FILTER};
	const struct fl_nft_place place = {.family = family, .table = FL_FIREWALL_FILTER};
	FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
	size_t n_rules = 0;
	int total = 0, r;

	r = fl_nft_has_chain(netfilter, &place, FL_FIREWALL_CHAIN, ret_error);
	if (r > 0)
		r = fl_nft_rule_list(netfilter, &place, FL_FIREWALL_CHAIN, &rules, &n_rules, ret_error);
	for (size_t i = 0; i < n_rules && r >= 0; i++) {
		if (!is_about(&rules[i], addresses, n))
			continue;
		total++;
		if (fl_json_append(commands, fl_nft_delete_rule(&table, FL_FIREWALL_CHAIN, rules[i].handle)) < 0)
			r = fl_error_oom(ret_error);
	}
	return r < 0 ? r : total;
}

int flannel_firewall_remove_former(struct flannel_context *context, const struct flannel_prefix *addresses,
				   size_t n_addresses, struct flannel_error **ret_error)
{
	const char *const families[] = {"ip", "ip6"};
	FL_CLEANUP(fl_json_unrefp) struct json_object *commands = fl_json_array();
	struct fl_rtnl *netfilter;
	struct fl_nft *nft;
	int total = 0, r;

	if (!context || (!addresses && n_addresses > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, and addresses if there are any",
				    "remove former rules");
	if (!commands)
		return fl_error_oom(ret_error);
	r = fl_context_get_netfilter(context, &netfilter, ret_error);
	for (size_t i = 0; i < FL_N_ELEMENTS(families) && r >= 0; i++) {
		r = take_rules(netfilter, families[i], addresses, n_addresses, commands, ret_error);
		total += r > 0 ? r : 0;
	}
	if (r >= 0 && total > 0) {
		r = fl_context_get_nft(context, &nft, ret_error);
		if (r >= 0)
			r = fl_nft_run_sync(nft, FL_TAKE(commands), HELPER_TIMEOUT_MS, ret_error);
	}
	return r < 0 ? fl_error_wrap(ret_error, r, "remove rules of chain " FL_FIREWALL_CHAIN) : total;
}
