/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <flannel/port_map.h>
#include <flannel/sysctl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/port_map/port_map.h"
#include "engine/context.h"
#include "engine/pod/port_map.h"
#include "engine/pod/port_map_claim.h"
#include "sys/conntrack.h"
#include "sys/nft/element.h"
#include "sys/nft/rule.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/route.h"

#define AREA "nft"

int fl_port_map_begin(struct flannel_context *context, const struct flannel_port_map_options *options,
		      struct fl_port_map_subject *subject, struct flannel_error **ret_error)
{
	int r;

	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "context and options are needed", "map ports");
	r = fl_options_copy(&subject->options, sizeof(subject->options), sizeof(subject->options), options,
			    "flannel_port_map_options", ret_error);
	if (r >= 0)
		r = fl_port_map_check_options(&subject->options, ret_error);
	if (r >= 0)
		r = fl_port_map_choose_table(&subject->options, &subject->table, ret_error);
	if (r >= 0)
		r = fl_context_get_netfilter(context, &subject->netfilter, ret_error);
	if (r < 0)
		return r;
	subject->place = (struct fl_nft_place){.family = FL_PORT_MAP_FAMILY, .table = subject->table.name};
	fl_element_owner_format(subject->options.network, subject->options.attachment, subject->owner);
	return 0;
}

int fl_port_map_find_own(const struct fl_port_map_subject *subject, struct fl_nft_element *elements, size_t n_elements,
			 size_t *index, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) bool *found = calloc(n_elements + 1, sizeof(*found));
	int n = 0, r;

	if (!found)
		return fl_error_oom(ret_error);
	r = fl_nft_element_find(subject->netfilter, &subject->place, elements, n_elements, found, ret_error);
	for (size_t i = 0; i < n_elements && r >= 0; i++) {
		if (!found[i] || fl_nft_element_is_retired(&elements[i]) ||
		    !fl_element_owner_equal(elements[i].comment, subject->owner))
			continue;
		if (index)
			index[n] = index[i];
		elements[n++] = elements[i];
	}
	return r < 0 ? r : n;
}

/* retires those of the elements that are there and have the owner: how many, or negative */
static int retire_own(const struct fl_port_map_subject *subject, struct fl_nft_element *elements, size_t n_elements,
		      struct flannel_error **ret_error)
{
	int n = fl_port_map_find_own(subject, elements, n_elements, NULL, ret_error);
	int r = n <= 0 ? n : fl_nft_element_retire(subject->netfilter, &subject->place, elements, (size_t)n, ret_error);

	return r < 0 ? r : n;
}

/* what is sent to 127.0.0.1 and redirected must be let through to the link of the container; without a route there is none */
static int open_localhost(struct flannel_context *context, const struct flannel_prefix *address,
			  struct flannel_error **ret_error)
{
	struct flannel_prefix host = *address;
	char link[FLANNEL_IFNAME_SIZE], name[80];
	struct fl_route_lookup route;
	struct fl_rtnl *rtnl;
	int r;

	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r < 0)
		return r;
	host.plen = 32;
	if (fl_route_get(rtnl, &host, &route, NULL) < 0 || fl_link_find_name(rtnl, route.ifindex, link) < 0)
		return 0;
	snprintf(name, sizeof(name), "net/ipv4/conf/%s/route_localnet", link);
	r = flannel_sysctl_ensure(context, name, "1", ret_error);
	return r < 0 ? r : 0;
}

/* tracked connections would go where a port led before; those over UDP never end */
static void forget_connections(struct flannel_context *context, const struct fl_port_map_subject *subject)
{
	const struct flannel_prefix *const addresses[] = {&subject->options.ipv4, &subject->options.ipv6};

	for (size_t i = 0; i < subject->options.n_mappings; i++) {
		const struct flannel_port_mapping *mapping = &subject->options.mappings[i];

		for (size_t a = 0; a < FL_N_ELEMENTS(addresses) && mapping->protocol == IPPROTO_UDP; a++) {
			FL_CLEANUP_ERROR struct flannel_error *error = NULL;
			int family = addresses[a]->family;

			if (family == AF_UNSPEC ||
			    (mapping->host_address.family != AF_UNSPEC && mapping->host_address.family != family))
				continue;
			if (fl_conntrack_forget(subject->netfilter, family, IPPROTO_UDP, mapping->host_port, &error) <
			    0)
				fl_log(&context->log, FLANNEL_LOG_WARNING, AREA, "host port udp %u: %s",
				       mapping->host_port, flannel_error_get_message(error));
		}
	}
}

/* ensures all that is asked for; what was done stays if something fails, and *ret_added says if there is any */
static int map_ports(struct flannel_context *context, const struct fl_port_map_subject *subject,
		     const struct fl_nft_element *elements, size_t n_elements, bool *ret_added,
		     struct flannel_error **ret_error)
{
	const struct flannel_port_map_options *options = &subject->options;
	bool localhost = (options->flags & FLANNEL_PORT_MAP_SNAT) && options->ipv4.family == AF_INET;
	int r;

	r = fl_port_map_claim(context, subject->netfilter, &subject->table, elements, n_elements, ret_added, ret_error);
	if (r >= 0 && localhost)
		r = open_localhost(context, &options->ipv4, ret_error);
	if (r >= 0)
		forget_connections(context, subject);
	return r;
}

int flannel_port_map_ensure(struct flannel_context *context, const struct flannel_port_map_options *options,
			    struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	struct fl_port_map_subject subject;
	bool is_added = false;
	size_t n = 0;
	int r;

	r = fl_port_map_begin(context, options, &subject, ret_error);
	if (r >= 0)
		r = fl_port_map_want(&subject.options, &elements, &n, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "map ports");
	if (n == 0)
		return 0;
	r = map_ports(context, &subject, elements, n, &is_added, ret_error);
	if (r >= 0)
		return 0;
	if (is_added)
		(void)retire_own(&subject, elements, n, NULL);
	return fl_error_wrap(ret_error, r, "map ports for %s", subject.options.attachment->container_id);
}

/* compares an element that should be with what is there under its key; found NULL: nothing */
static int compare(const struct fl_nft_element *wanted, const struct fl_nft_element *found,
		   struct flannel_error **ret_error)
{
	char what[FL_PORT_MAP_TEXT_SIZE], where[FLANNEL_PREFIX_STRLEN];
	const char *whose;

	(void)fl_port_map_format(wanted, what);
	if (!found || fl_nft_element_is_retired(found))
		return fl_error_set(ret_error, -ENOENT, AREA, NULL, "%s is not set", what);
	whose = fl_port_map_owner_text(found->comment);
	if (!fl_element_owner_equal(found->comment, wanted->comment))
		return fl_error_set(ret_error, -EADDRINUSE, AREA, NULL, "%s belongs to %s", what,
				    whose[0] != '\0' ? whose : "another program");
	if (memcmp(&found->data, &wanted->data, sizeof(found->data)) != 0)
		return fl_error_set(ret_error, -EADDRINUSE, AREA, NULL, "%s leads to %s", what,
				    fl_port_map_format_data(found, where));
	return 0;
}

/* the rules that look elements up; somebody may have flushed them, which leaves the rest as it is */
static int check_rules(const struct fl_port_map_subject *subject, struct flannel_error **ret_error)
{
	const char *const chains[] = {FL_PORT_MAP_HOOK, FL_PORT_MAP_CHAIN};

	for (size_t i = 0; i < FL_N_ELEMENTS(chains); i++) {
		FL_CLEANUP(fl_freep) struct fl_nft_found_rule *rules = NULL;
		size_t n = 0;
		int r = fl_nft_rule_list(subject->netfilter, &subject->place, chains[i], &rules, &n, ret_error);

		if (r < 0)
			return r;
		if (n == 0)
			return fl_error_set(ret_error, -ENOENT, AREA, NULL, "nft chain %s %s %s has no rules",
					    FL_PORT_MAP_FAMILY, subject->table.name, chains[i]);
	}
	return 0;
}

/* looks at everything that should be there */
static int check_elements(const struct fl_port_map_subject *subject, const struct fl_nft_element *wanted, size_t n,
			  struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *found = calloc(n, sizeof(*found));
	FL_CLEANUP(fl_freep) bool *is_found = calloc(n, sizeof(*is_found));
	int r;

	if (!found || !is_found)
		return fl_error_oom(ret_error);
	memcpy(found, wanted, n * sizeof(*found));
	r = fl_nft_element_find(subject->netfilter, &subject->place, found, n, is_found, ret_error);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = compare(&wanted[i], is_found[i] ? &found[i] : NULL, ret_error);
	return r < 0 ? r : check_rules(subject, ret_error);
}

int flannel_port_map_check(struct flannel_context *context, const struct flannel_port_map_options *options,
			   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *wanted = NULL;
	struct fl_port_map_subject subject;
	size_t n = 0;
	int r;

	r = fl_port_map_begin(context, options, &subject, ret_error);
	if (r >= 0)
		r = fl_port_map_want(&subject.options, &wanted, &n, ret_error);
	if (r >= 0 && n > 0)
		r = check_elements(&subject, wanted, n, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "check port mappings") : 0;
}

int flannel_port_map_probe(struct flannel_context *context, struct flannel_error **ret_error)
{
	const struct fl_nft_place place = {.family = FL_PORT_MAP_FAMILY, .table = FL_PORT_MAP_TABLE};
	struct fl_rtnl *netfilter;
	struct fl_nft *nft;
	int r;

	if (!context)
		return fl_error_set(ret_error, -EINVAL, "argument", "a context is needed", "probe port mappings");
	r = fl_context_get_netfilter(context, &netfilter, ret_error);
	if (r >= 0)
		r = fl_nft_has_table(netfilter, &place, ret_error);
	if (r == 0)
		r = fl_context_get_nft(context, &nft, ret_error);
	else if (r > 0)
		return 0;
	if (r >= 0)
		r = fl_nft_start(nft, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "probe port mappings") : 0;
}
