/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/masquerade.h>

#include "domain/underlay/pattern.h"
#include "engine/lease/request.h"

#define SUBNET_FILE "/run/flannel/subnet.env"
#define MASQUERADE_FLAGS (FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS | FLANNEL_MASQUERADE_FORWARD)

/* an optional text; NULL stays NULL */
static int copy_text(char **to, const char *text, struct flannel_error **ret_error)
{
	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : fl_error_oom(ret_error);
}

/* a public address option must be one before anything is started */
static int check_address(const char *text, int family, const char *option, struct flannel_error **ret_error)
{
	struct flannel_prefix address;

	if (!text || (!strchr(text, '/') && flannel_prefix_parse(text, &address) == 0 && address.family == family))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument",
			    family == AF_INET ? "expected an IPv4 address" : "expected an IPv6 address", "%s is \"%s\"",
			    option, text);
}

/* options that are no addresses */
static int check_options(const struct flannel_node_options *options, struct flannel_error **ret_error)
{
	if (options->masquerade & ~(unsigned int)MASQUERADE_FLAGS)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown bits", "masquerade is 0x%x",
				    options->masquerade);
	if (options->subnet_file && !*options->subnet_file)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a path", "subnet_file is \"\"");
	if (options->state_dir && !*options->state_dir)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a path", "state_dir is \"\"");
	if (options->observer && (options->masquerade || options->blackhole_route))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "an observer sets neither rules nor routes of its own",
				    "observer is %d, masquerade 0x%x, blackhole_route %d", options->observer,
				    options->masquerade, options->blackhole_route);
	if (options->instance && !fl_instance_is_valid(options->instance))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected up to 15 letters, digits, \"_\" and \"-\"", "instance is \"%.64s\"",
				    options->instance);
	if (options->n_interfaces && !options->interfaces)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an array",
				    "interfaces is NULL, n_interfaces %zu", options->n_interfaces);
	if (options->n_interface_regexes && !options->interface_regexes)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an array",
				    "interface_regexes is NULL, n_interface_regexes %zu", options->n_interface_regexes);
	return 0;
}

/* copies a list of texts; *n counts those that are there, also on failure */
static int copy_list(char ***list, size_t *n, const char *const *texts, size_t n_texts, const char *what,
		     struct flannel_error **ret_error)
{
	*list = calloc(n_texts + 1, sizeof(char *));
	if (!*list)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n_texts; i++) {
		int r = copy_text(&(*list)[i], texts[i], ret_error);

		if (r < 0)
			return r;
		if (!(*list)[i])
			return fl_error_set(ret_error, -EINVAL, "argument", "it is NULL", "%s %zu", what, i);
		(*n)++;
	}
	return 0;
}

/* a regular expression that will be understood when it is needed */
static int check_regex(const char *text, struct flannel_error **ret_error)
{
	struct fl_pattern pattern;
	int r = fl_pattern_compile(text, &pattern, ret_error);

	if (r < 0)
		return fl_error_wrap(ret_error, r, "--iface-regex");
	fl_pattern_clear(&pattern);
	return 0;
}

/* the address that the interface must lead to, of either family */
static int check_reach(const char *text, struct flannel_error **ret_error)
{
	struct flannel_prefix address;

	if (!text || (!strchr(text, '/') && flannel_prefix_parse(text, &address) == 0))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected an IPv4 or IPv6 address",
			    "--iface-can-reach is \"%s\"", text);
}

/* all options but the interfaces */
static int copy_options(const struct flannel_node_options *options, struct fl_node_options *to,
			struct flannel_error **ret_error)
{
	int r = check_options(options, ret_error);

	if (r >= 0)
		r = check_address(options->public_ip, AF_INET, "public_ip", ret_error);
	if (r >= 0)
		r = check_address(options->public_ip6, AF_INET6, "public_ip6", ret_error);
	if (r >= 0)
		r = copy_text(&to->public_ip, options->public_ip, ret_error);
	if (r >= 0)
		r = copy_text(&to->public_ip6, options->public_ip6, ret_error);
	if (r >= 0)
		r = copy_text(&to->subnet_file, options->subnet_file ? options->subnet_file : SUBNET_FILE, ret_error);
	if (r >= 0)
		r = copy_text(&to->state_dir, options->state_dir, ret_error);
	if (r >= 0 && options->instance)
		snprintf(to->instance, sizeof(to->instance), "%s", options->instance);
	to->masquerade = options->masquerade;
	to->ipmasq_value = options->ipmasq_value != 0;
	to->is_observer = options->observer != 0;
	to->blackhole_route = options->blackhole_route != 0;
	to->lease_sec = options->lease_sec;
	to->renew_margin_sec = options->renew_margin_sec;
	return r < 0 ? r : fl_request_check_times(&to->lease_sec, &to->renew_margin_sec, ret_error);
}

/* what names the interface between nodes */
static int copy_interfaces(const struct flannel_node_options *options, struct fl_node_options *to,
			   struct flannel_error **ret_error)
{
	int r = copy_list(&to->interfaces, &to->n_interfaces, options->interfaces, options->n_interfaces, "interface",
			  ret_error);

	if (r >= 0)
		r = copy_list(&to->interface_regexes, &to->n_interface_regexes, options->interface_regexes,
			      options->n_interface_regexes, "interface_regex", ret_error);
	for (size_t i = 0; r >= 0 && i < to->n_interface_regexes; i++)
		r = check_regex(to->interface_regexes[i], ret_error);
	if (r >= 0)
		r = check_reach(options->interface_can_reach, ret_error);
	if (r >= 0)
		r = copy_text(&to->interface_can_reach, options->interface_can_reach, ret_error);
	return r;
}

int fl_node_options_copy(const struct flannel_node_options *from, struct fl_node_options *to,
			 struct flannel_error **ret_error)
{
	int r = copy_options(from, to, ret_error);

	return r < 0 ? r : copy_interfaces(from, to, ret_error);
}

/* frees a list of texts */
static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void fl_node_options_clear(struct fl_node_options *options)
{
	free_list(options->interfaces, options->n_interfaces);
	free_list(options->interface_regexes, options->n_interface_regexes);
	free(options->interface_can_reach);
	free(options->public_ip);
	free(options->public_ip6);
	free(options->subnet_file);
	free(options->state_dir);
	*options = (struct fl_node_options){0};
}
