/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/static_reading.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/json.h"
#include "domain/lease/subnet.h"
#include "domain/backend/vxlan.h"

#define AREA "config"

/* where a string ends: at its second quote, or at the end of the text */
static size_t skip_string(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '"'; at++)
		at += text[at] == '\\';
	return at;
}

/* the lines on which the first n elements of "leases" begin; the text is JSON of the right form */
static void find_lines(const char *text, size_t len, size_t *lines, size_t n)
{
	size_t depth = 0, line = 1, found = 0;
	bool in_leases = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		line += c == '\n';
		if (c == '"') {
			size_t end = skip_string(text, len, i);

			/* a key, or the value of one that does not count */
			if (depth == 1) {
				in_leases = end == i + 7 && strncasecmp(text + i + 1, "leases", 6) == 0;
				found = 0;
			}
			i = end;
		} else if (c == '{' || c == '[') {
			if (depth == 2 && in_leases && found < n)
				lines[found++] = line;
			depth++;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
}

void fl_static_set_path(struct fl_static_reading *reading, size_t index)
{
	(void)snprintf(reading->path, sizeof(reading->path), "%s: line %zu: leases[%zu]", reading->origin,
		       reading->lines[index], index);
}

/* the keys of a lease; Name is for people */
static int check_key(void *userdata, const char *key)
{
	const char *const known[] = {"Name",       "Subnet",      "IPv6Subnet",  "PublicIP",
				     "PublicIPv6", "BackendType", "BackendData", "BackendV6Data"};

	for (size_t i = 0; i < FL_N_ELEMENTS(known); i++) {
		if (strcasecmp(key, known[i]) == 0)
			return 0;
	}
	*(const char **)userdata = key;
	return 1;
}

int fl_static_refuse(const struct fl_static_reading *reading, const char *key, const char *value, const char *expected,
		     struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EINVAL, AREA, expected, "%s: %s is \"%.60s\"", reading->path, key, value);
}

/* reads a subnet or an address; absent is AF_UNSPEC */
static int read_prefix(const struct fl_static_reading *reading, struct json_object *object, const char *key, int family,
		       bool is_subnet, struct flannel_prefix *ret_prefix, struct flannel_error **ret_error)
{
	struct flannel_prefix prefix = {0};
	const char *text = NULL, *expected;
	int r = fl_json_get_string(object, reading->path, key, &text, ret_error);

	if (r <= 0)
		return r;
	if (is_subnet)
		expected = family == AF_INET ? "expected an IPv4 subnet such as 10.244.1.0/24"
					     : "expected an IPv6 subnet such as fd00:10:244:1::/64";
	else
		expected = family == AF_INET ? "expected an IPv4 address" : "expected an IPv6 address";
	if (flannel_prefix_parse(text, &prefix) < 0 || prefix.family != family || is_subnet != !!strchr(text, '/') ||
	    (is_subnet && !flannel_prefix_is_network(&prefix)))
		return fl_static_refuse(reading, key, text, expected, ret_error);
	*ret_prefix = prefix;
	return 0;
}

/* a family of the network needs a subnet and an address, one that it does not have takes none */
static int check_family(const struct fl_static_reading *reading, int family, const struct flannel_prefix *subnet,
			const struct flannel_prefix *ip, struct flannel_error **ret_error)
{
	bool v6 = family == AF_INET6;
	const char *subnet_key = v6 ? "IPv6Subnet" : "Subnet", *ip_key = v6 ? "PublicIPv6" : "PublicIP";
	struct flannel_prefix network;
	bool enabled = flannel_netconf_get_network(reading->netconf, family, &network) > 0;

	if (enabled && !subnet->family)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is missing, and the network has this family",
				    "%s: %s", reading->path, subnet_key);
	if (enabled && !ip->family)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is missing, and the network has this family",
				    "%s: %s", reading->path, ip_key);
	if (!enabled && subnet->family)
		return fl_error_set(ret_error, -EINVAL, AREA, "the network does not have this family", "%s: %s",
				    reading->path, subnet_key);
	return 0;
}

/* is a lease's subnet one that the network has; the message says which it has */
static int check_range(const struct fl_static_reading *reading, const struct flannel_lease *lease,
		       struct flannel_error **ret_error)
{
	const int families[] = {AF_INET, AF_INET6};
	char expected[4 * FLANNEL_PREFIX_STRLEN], first_text[FLANNEL_PREFIX_STRLEN], last_text[FLANNEL_PREFIX_STRLEN];
	char text[FLANNEL_PREFIX_STRLEN];

	if (fl_subnet_lease_fits(reading->netconf, lease))
		return 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix first, last, subnet;

		if (flannel_netconf_get_subnet_range(reading->netconf, families[i], &first, &last) <= 0 ||
		    flannel_lease_get_subnet(lease, families[i], &subnet) <= 0)
			continue;
		if (subnet.plen == first.plen && flannel_prefix_compare(&subnet, &first) >= 0 &&
		    flannel_prefix_compare(&subnet, &last) <= 0)
			continue;
		(void)snprintf(expected, sizeof(expected), "expected one from %s to %s, as config says",
			       flannel_prefix_format(&first, first_text, sizeof(first_text)),
			       flannel_prefix_format(&last, last_text, sizeof(last_text)));
		return fl_static_refuse(reading, families[i] == AF_INET ? "Subnet" : "IPv6Subnet",
					flannel_prefix_format(&subnet, text, sizeof(text)), expected, ret_error);
	}
	return fl_error_set(ret_error, -EINVAL, AREA, "it does not fit the network", "%s", reading->path);
}

/* the backend data of one family as text: what is given, or what follows from the address; NULL if there is none */
static int read_data(const struct fl_static_reading *reading, struct json_object *object, const char *key,
		     const struct flannel_prefix *ip, char **ret_data, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct json_object *value = NULL;
	char data[FL_VXLAN_DATA_STRLEN];
	uint8_t mac[FL_MAC_LEN];

	if (fl_json_get_any(object, key, &value) > 0 && value) {
		*ret_data = fl_json_format(value);
		if (!*ret_data)
			return fl_error_oom(ret_error);
		if (!reading->is_vxlan || fl_vxlan_parse_data(*ret_data, mac, &error) >= 0)
			return 0;
		return fl_error_set(ret_error, -EINVAL, AREA, flannel_error_get_message(error), "%s: %s", reading->path,
				    key);
	}
	if (!reading->is_vxlan || !ip->family)
		return 0;
	fl_vxlan_derive_mac(reading->vxlan.vni, ip, mac);
	*ret_data = strdup(fl_vxlan_format_data(reading->vxlan.vni, mac, data));
	return *ret_data ? 0 : fl_error_oom(ret_error);
}

/* the lease's backend must be the network's: there is one for all */
static int check_type(const struct fl_static_reading *reading, struct json_object *object,
		      struct flannel_error **ret_error)
{
	const char *wanted = flannel_netconf_get_backend_type(reading->netconf), *type = NULL;
	char expected[96];
	int r = fl_json_get_string(object, reading->path, "BackendType", &type, ret_error);

	if (r <= 0 || strcasecmp(type, wanted) == 0)
		return r < 0 ? r : 0;
	(void)snprintf(expected, sizeof(expected), "expected \"%.40s\", as config says, or nothing", wanted);
	return fl_static_refuse(reading, "BackendType", type, expected, ret_error);
}

/* addresses and subnets of a lease */
static int read_fields(const struct fl_static_reading *reading, struct json_object *object,
		       struct flannel_lease_fields *fields, struct flannel_error **ret_error)
{
	int r = read_prefix(reading, object, "Subnet", AF_INET, true, &fields->subnet, ret_error);

	if (r >= 0)
		r = read_prefix(reading, object, "IPv6Subnet", AF_INET6, true, &fields->subnet6, ret_error);
	if (r >= 0)
		r = read_prefix(reading, object, "PublicIP", AF_INET, false, &fields->public_ip, ret_error);
	if (r >= 0)
		r = read_prefix(reading, object, "PublicIPv6", AF_INET6, false, &fields->public_ip6, ret_error);
	if (r >= 0)
		r = check_family(reading, AF_INET, &fields->subnet, &fields->public_ip, ret_error);
	if (r >= 0)
		r = check_family(reading, AF_INET6, &fields->subnet6, &fields->public_ip6, ret_error);
	/* an address of a family that the network does not have is nobody's business */
	if (!fields->subnet.family)
		fields->public_ip = fields->subnet;
	if (!fields->subnet6.family)
		fields->public_ip6 = fields->subnet6;
	return r < 0 ? r : check_type(reading, object, ret_error);
}

/* reads one lease */
static int read_lease(const struct fl_static_reading *reading, struct json_object *object,
		      struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields)};
	FL_CLEANUP(fl_freep) char *data = NULL;
	FL_CLEANUP(fl_freep) char *v6_data = NULL;
	const char *unknown = NULL;
	int r;

	if (!fl_json_is_object(object))
		return fl_error_set(ret_error, -EINVAL, AREA, "expected an object", "%s", reading->path);
	if (fl_json_each_key(object, check_key, &unknown) != 0)
		return fl_error_set(
			ret_error, -EINVAL, AREA,
			"unknown key; there are Name, Subnet, IPv6Subnet, PublicIP, PublicIPv6, BackendType, "
			"BackendData, BackendV6Data",
			"%s: \"%.40s\"", reading->path, unknown);
	r = read_fields(reading, object, &fields, ret_error);
	if (r >= 0)
		r = read_data(reading, object, "BackendData", &fields.public_ip, &data, ret_error);
	if (r >= 0)
		r = read_data(reading, object, "BackendV6Data", &fields.public_ip6, &v6_data, ret_error);
	if (r < 0)
		return r;
	fields.backend_type = flannel_netconf_get_backend_type(reading->netconf);
	fields.backend_data = data;
	fields.backend_v6_data = v6_data;
	r = flannel_lease_new(&fields, ret_lease, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "%s", reading->path);
	r = check_range(reading, *ret_lease, ret_error);
	if (r < 0)
		*ret_lease = flannel_lease_unref(*ret_lease);
	return r;
}

/* reads the configuration, and what of it counts for leases */
static int read_config(struct fl_static_reading *reading, struct json_object *object,
		       struct flannel_netconf **ret_netconf, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct json_object *config = NULL;
	int r = fl_json_get_object(object, reading->origin, "config", &config, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is missing: expected the network configuration",
				    "%s: config", reading->origin);
	if (r < 0)
		return r;
	text = fl_json_format(config);
	if (!text)
		return fl_error_oom(ret_error);
	r = flannel_netconf_parse(text, strlen(text), ret_netconf, ret_error);
	if (r < 0)
		return ret_error && *ret_error ? fl_error_wrap(ret_error, r, "%s: config", reading->origin) : r;
	reading->netconf = *ret_netconf;
	reading->is_vxlan = strcmp(flannel_netconf_get_backend_type(*ret_netconf), "vxlan") == 0;
	return reading->is_vxlan ? fl_vxlan_load(*ret_netconf, &reading->vxlan, ret_error) : 0;
}

/* reads the leases, each by itself and then all together */
static int read_leases(struct fl_static_reading *reading, struct json_object *object, struct fl_static_leases *leases,
		       struct flannel_error **ret_error)
{
	struct json_object *array = NULL;
	int r = fl_json_get_array(object, reading->origin, "leases", &array, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is missing: expected an array", "%s: leases",
				    reading->origin);
	if (r < 0)
		return r;
	leases->leases = calloc(fl_json_array_length(array) + 1, sizeof(struct flannel_lease *));
	reading->lines = calloc(fl_json_array_length(array) + 1, sizeof(size_t));
	if (!leases->leases || !reading->lines)
		return fl_error_oom(ret_error);
	find_lines(reading->text, reading->len, reading->lines, fl_json_array_length(array));
	for (; leases->n_leases < fl_json_array_length(array); leases->n_leases++) {
		fl_static_set_path(reading, leases->n_leases);
		r = read_lease(reading, fl_json_array_get(array, leases->n_leases), &leases->leases[leases->n_leases],
			       ret_error);
		if (r < 0)
			return r;
	}
	return fl_static_check_claims(reading, leases, ret_error);
}

/* the keys of the whole */
static int check_top_key(void *userdata, const char *key)
{
	if (strcasecmp(key, "config") == 0 || strcasecmp(key, "leases") == 0)
		return 0;
	*(const char **)userdata = key;
	return 1;
}

/* reads everything */
static int read_all(struct fl_static_reading *reading, struct json_object *object, struct fl_static_leases *leases,
		    struct flannel_error **ret_error)
{
	const char *unknown = NULL;
	int r;

	if (!fl_json_is_object(object))
		return fl_error_set(ret_error, -EINVAL, AREA, "expected an object with config and leases", "%s",
				    reading->origin);
	if (fl_json_each_key(object, check_top_key, &unknown) != 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "unknown key; there are config and leases",
				    "%s: \"%.40s\"", reading->origin, unknown);
	r = read_config(reading, object, &leases->netconf, ret_error);
	return r < 0 ? r : read_leases(reading, object, leases, ret_error);
}

int fl_static_leases_parse(const char *text, size_t len, const char *origin, struct fl_static_leases *ret_leases,
			   struct flannel_error **ret_error)
{
	struct fl_static_reading reading = {.text = text, .len = len, .origin = origin};
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	struct fl_static_leases leases = {0};
	int r = fl_json_parse(text, len, origin, &object, ret_error);

	if (r >= 0)
		r = read_all(&reading, object, &leases, ret_error);
	free(reading.lines);
	if (r < 0)
		fl_static_leases_clear(&leases);
	else
		*ret_leases = leases;
	return r;
}

/* has a lease this address */
static bool has_ip(const struct flannel_lease *lease, const struct flannel_prefix *ip)
{
	struct flannel_prefix found;

	return ip->family && flannel_lease_get_public_ip(lease, ip->family, &found) > 0 &&
	       flannel_prefix_compare(&found, ip) == 0;
}

struct flannel_lease *fl_static_leases_find(const struct fl_static_leases *leases, const struct flannel_prefix *ip,
					    const struct flannel_prefix *ip6)
{
	for (size_t i = 0; i < leases->n_leases; i++) {
		if (has_ip(leases->leases[i], ip) || has_ip(leases->leases[i], ip6))
			return leases->leases[i];
	}
	return NULL;
}

void fl_static_leases_clear(struct fl_static_leases *leases)
{
	for (size_t i = 0; i < leases->n_leases; i++)
		flannel_lease_unref(leases->leases[i]);
	free(leases->leases);
	flannel_netconf_unref(leases->netconf);
	*leases = (struct fl_static_leases){0};
}
