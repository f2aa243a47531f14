/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <flannel/masquerade.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "domain/firewall/masquerade.h"
#include "engine/context.h"
#include "engine/firewall/former.h"
#include "sys/nft/nft.h"
#include "sys/nft/message.h"

/* for the helper to answer; a transaction takes milliseconds */
#define HELPER_TIMEOUT_MS 5000

#define KNOWN_FLAGS                                                                                                    \
	(FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS | FLANNEL_MASQUERADE_FORWARD |                       \
	 FLANNEL_MASQUERADE_IF_MISSING)

/* longer names are possible, but none of ours need be */
#define TABLE_NAME_MAX 31
#define TABLE_NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* checks that a prefix is an IP network without host bits */
static int check_network(const struct flannel_prefix *prefix, const char *name, struct flannel_error **ret_error)
{
	if ((prefix->family == AF_INET || prefix->family == AF_INET6) && flannel_prefix_is_network(prefix))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "it is no IPv4 or IPv6 network, or has host bits",
			    "check masquerade %s", name);
}

/* checks the name of a table; NULL is as good as one */
static int check_table(const char *name, struct flannel_error **ret_error)
{
	size_t len = name ? strnlen(name, TABLE_NAME_MAX + 1) : 1;

	if (len >= 1 && len <= TABLE_NAME_MAX && (!name || name[strspn(name, TABLE_NAME_BYTES)] == '\0'))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected 1 to 31 letters, digits, \"_\" and \"-\"",
			    "check masquerade table \"%.*s\"", TABLE_NAME_MAX + 1, name);
}

/* checks what the caller wants */
static int check_options(const struct flannel_masquerade_options *options, struct flannel_error **ret_error)
{
	char network[FLANNEL_PREFIX_STRLEN], subnet[FLANNEL_PREFIX_STRLEN];
	int r;

	if (options->flags & ~(unsigned int)KNOWN_FLAGS)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown bits", "check masquerade flags 0x%x",
				    options->flags);
	if (!(options->flags & (FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD)))
		return fl_error_set(ret_error, -EINVAL, "argument", "neither SNAT nor FORWARD",
				    "check masquerade flags 0x%x", options->flags);
	r = check_network(&options->network, "network", ret_error);
	if (r >= 0)
		r = check_network(&options->subnet, "subnet", ret_error);
	if (r >= 0)
		r = check_table(options->table, ret_error);
	if (r < 0)
		return r;
	if (flannel_prefix_contains(&options->network, &options->subnet))
		return 0;
	flannel_prefix_format(&options->network, network, sizeof(network));
	flannel_prefix_format(&options->subnet, subnet, sizeof(subnet));
	return fl_error_set(ret_error, -EINVAL, "argument", "it lies outside the network",
			    "check masquerade subnet %s of network %s", subnet, network);
}

/* does the table that should be need to be set: 1, 0, negative */
static int is_needed(const struct flannel_context *context, const struct flannel_masquerade_options *wanted,
		     const struct fl_nft_table *table, struct flannel_error **ret_error)
{
	int r;

	if (!(wanted->flags & FLANNEL_MASQUERADE_IF_MISSING))
		return 1;
	r = fl_nft_table_exists(context->netns_fd, context->single_threaded, wanted->network.family, table->name,
				ret_error);
	return r < 0 ? r : !r;
}

/* puts one table into the kernel, or removes it if it has no chains */
static int replace_table(struct flannel_context *context, const struct fl_nft_table *table,
			 struct flannel_error **ret_error)
{
	struct fl_nft *nft;
	int r;

	r = fl_context_get_nft(context, &nft, ret_error);
	if (r < 0)
		return r;
	return fl_nft_replace_sync(nft, table, 1, HELPER_TIMEOUT_MS, ret_error);
}

FLANNEL_PUBLIC int flannel_masquerade_ensure(struct flannel_context *context,
					     const struct flannel_masquerade_options *options,
					     struct flannel_error **ret_error)
{
	struct flannel_masquerade_options wanted;
	struct fl_nft_table table;
	int r;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "context and options are needed",
				    "ensure masquerade rules");
	r = fl_options_copy(&wanted, sizeof(wanted), sizeof(wanted), options, "flannel_masquerade_options", ret_error);
	if (r >= 0)
		r = check_options(&wanted, ret_error);
	if (r < 0)
		return r;
	fl_masquerade_want(&wanted, &table);
	r = is_needed(context, &wanted, &table, ret_error);
	if (r == 0)
		return 0;
	if (r > 0)
		r = replace_table(context, &table, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "ensure rules of %s", table.name);
	return wanted.flags & FLANNEL_MASQUERADE_IF_MISSING ? 1 : 0;
}

FLANNEL_PUBLIC int flannel_masquerade_remove(struct flannel_context *context, int family,
					     struct flannel_error **ret_error)
{
	struct fl_nft_table table;
	int r;

	if (!context || (family != AF_INET && family != AF_INET6))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context and AF_INET or AF_INET6 are needed",
				    "remove masquerade rules");
	fl_masquerade_table_init(&table, family);
	/* asked first, since the helper is not needed for a table that is not there */
	r = fl_nft_table_exists(context->netns_fd, context->single_threaded, family, table.name, ret_error);
	if (r > 0)
		r = replace_table(context, &table, ret_error);
	else if (r == 0)
		return 0;
	return r < 0 ? fl_error_wrap(ret_error, r, "remove rules of %s", table.name) : 1;
}

/* the tables of one family, their names one after the other in *names, as tables that are to be deleted: how many */
static size_t name_tables(const char *family, const char *names, int n, struct fl_nft_table *tables)
{
	for (int i = 0; i < n; i++, names += strlen(names) + 1)
		tables[i] = (struct fl_nft_table){.family = family, .name = names};
	return (size_t)n;
}

/* deletes the tables of these names */
static int remove_names(struct flannel_context *context, const char *names, int n, const char *names6, int n6,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_table *tables = calloc((size_t)(n + n6), sizeof(*tables));
	struct fl_nft *nft;
	size_t n_tables;
	int r;

	if (!tables)
		return fl_error_oom(ret_error);
	n_tables = name_tables("ip", names, n, tables);
	n_tables += name_tables("ip6", names6, n6, tables + n_tables);
	r = fl_context_get_nft(context, &nft, ret_error);
	if (r >= 0)
		r = fl_nft_replace_sync(nft, tables, n_tables, HELPER_TIMEOUT_MS, ret_error);
	return r < 0 ? r : (int)n_tables;
}

FLANNEL_PUBLIC int flannel_masquerade_remove_tables(struct flannel_context *context, const char *prefix,
						    struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *names = NULL;
	FL_CLEANUP(fl_freep) char *names6 = NULL;
	struct fl_rtnl *netfilter;
	int n = 0, n6 = 0, r;

	if (!context || !prefix)
		return fl_error_set(ret_error, -EINVAL, "argument", "a context and a prefix are needed",
				    "remove masquerade tables");
	r = check_table(prefix, ret_error);
	if (r >= 0)
		r = fl_context_get_netfilter(context, &netfilter, ret_error);
	if (r >= 0)
		r = n = fl_nft_list_tables(netfilter, "ip", prefix, &names, ret_error);
	if (r >= 0)
		r = n6 = fl_nft_list_tables(netfilter, "ip6", prefix, &names6, ret_error);
	if (r >= 0 && n + n6 > 0)
		r = remove_names(context, names, n, names6, n6, ret_error);
	else if (r >= 0)
		return 0;
	return r < 0 ? fl_error_wrap(ret_error, r, "remove tables %s*", prefix) : r;
}

FLANNEL_PUBLIC int flannel_masquerade_remove_former(struct flannel_context *context, const char *comment,
						    const char *chain, struct flannel_error **ret_error)
{
	const struct fl_nft_table_name own = {.family = "inet", .name = "cni_plugins_masquerade"};
	const struct fl_nft_table_name nat = {.family = "ip", .name = "nat"}, nat6 = {.family = "ip6", .name = "nat"};
	struct fl_former former;
	int r;

	if (!context || !comment || !comment[0] || !chain || !chain[0])
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, a comment and a chain are needed",
				    "remove former masquerade rules");
	r = fl_former_begin(&former, context, ret_error);
	if (r >= 0)
		r = fl_former_take_rules(&former, &own, "masq_checks", comment, ret_error);
	if (r >= 0)
		r = fl_former_take_chain(&former, &nat, chain, ret_error);
	if (r >= 0)
		r = fl_former_take_chain(&former, &nat6, chain, ret_error);
	if (r >= 0)
		r = fl_former_remove(&former, ret_error);
	fl_former_end(&former);
	return r < 0 ? fl_error_wrap(ret_error, r, "remove former masquerade rules of %s", chain) : r;
}
