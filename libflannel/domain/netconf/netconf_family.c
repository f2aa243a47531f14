/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/netconf/netconf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/json.h"

/* the keys and limits of one address family */
struct family_rules {
	int family;
	const char *enable;
	const char *network;
	const char *len;
	const char *min;
	const char *max;
	const char *example;
	uint8_t len_max;     /* longest subnet */
	uint8_t len_default; /* used if the network leaves room for four of them */
	bool enabled;        /* without the key */
};

static const struct family_rules family_rules[FL_NETCONF_FAMILIES] = {
	{
		.family = AF_INET,
		.enable = "EnableIPv4",
		.network = "Network",
		.len = "SubnetLen",
		.min = "SubnetMin",
		.max = "SubnetMax",
		.example = "10.244.0.0/16",
		.len_max = 30,
		.len_default = 24,
		.enabled = true,
	},
	{
		.family = AF_INET6,
		.enable = "EnableIPv6",
		.network = "IPv6Network",
		.len = "IPv6SubnetLen",
		.min = "IPv6SubnetMin",
		.max = "IPv6SubnetMax",
		.example = "fd00:10:244::/48",
		.len_max = 126,
		.len_default = 64,
		.enabled = false,
	},
};

/* what the text says of a family; AF_UNSPEC and 0 where it says nothing */
struct family_text {
	struct flannel_prefix network;
	struct flannel_prefix min;
	struct flannel_prefix max;
	uint64_t len;
};

/* the error for a value that breaks a rule; value is shown as it is */
static int refuse(struct flannel_error **ret_error, const char *key, const char *value, const char *expected, ...)
	FL_PRINTF(4, 5);

static int refuse(struct flannel_error **ret_error, const char *key, const char *value, const char *expected, ...)
{
	char detail[320], wanted[200];
	va_list arguments;

	va_start(arguments, expected);
	(void)vsnprintf(wanted, sizeof(wanted), expected, arguments);
	va_end(arguments);
	(void)snprintf(detail, sizeof(detail), "%s is %s, expected %s", key, value, wanted);
	return fl_error_set(ret_error, -EINVAL, "config", detail, FL_NETCONF_ORIGIN);
}

/* value of a string key for refuse(): in quotes and not too long */
static const char *quote(char *buf, size_t size, const char *text)
{
	(void)snprintf(buf, size, "\"%.80s\"", text);
	return buf;
}

/* is it IPv4 in the clothes of IPv6: ::ffff:0:0/96 */
static bool is_mapped(const struct flannel_prefix *prefix)
{
	const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return prefix->family == AF_INET6 && memcmp(prefix->addr, mapped, sizeof(mapped)) == 0;
}

/* reads a network of the family, host bits masked off */
static int read_network(struct json_object *object, const struct family_rules *rules, struct flannel_prefix *ret,
			struct flannel_error **ret_error)
{
	struct flannel_prefix prefix;
	struct json_object *any;
	char value[96];
	const char *text;
	int r;

	/* flannel's behaviour: null is no way to leave out Network, as it is for every other key */
	if (rules->family == AF_INET && fl_json_get_any(object, rules->network, &any) == 1 && !any)
		return refuse(ret_error, rules->network, "null", "a network such as \"%s\"", rules->example);
	r = fl_json_get_string(object, FL_NETCONF_ORIGIN, rules->network, &text, ret_error);
	if (r <= 0)
		return r;
	if (!strchr(text, '/') || flannel_prefix_parse(text, &prefix) < 0 || prefix.family != rules->family ||
	    is_mapped(&prefix))
		return refuse(ret_error, rules->network, quote(value, sizeof(value), text), "a network such as \"%s\"",
			      rules->example);
	*ret = flannel_prefix_mask(prefix);
	return 0;
}

/* is every byte of the address zero */
static bool is_zero(const struct flannel_prefix *prefix)
{
	const uint8_t zero[sizeof(prefix->addr)] = {0};

	return memcmp(prefix->addr, zero, sizeof(zero)) == 0;
}

/* reads the address of a first or last subnet; flannel's behaviour: 0.0.0.0 and :: count as absent */
static int read_address(struct json_object *object, const struct family_rules *rules, const char *key,
			struct flannel_prefix *ret, struct flannel_error **ret_error)
{
	struct flannel_prefix address;
	char value[96];
	const char *text;
	int r;

	r = fl_json_get_string(object, FL_NETCONF_ORIGIN, key, &text, ret_error);
	if (r <= 0)
		return r;
	if (strchr(text, '/') || flannel_prefix_parse(text, &address) < 0 || address.family != rules->family)
		return refuse(ret_error, key, quote(value, sizeof(value), text), "an %s address",
			      rules->family == AF_INET ? "IPv4" : "IPv6");
	if (!is_zero(&address))
		*ret = address;
	return 0;
}

/* reads what the text says of a family, whether it is enabled or not: nonsense is refused everywhere */
static int read_family(struct json_object *object, const struct family_rules *rules, struct fl_netconf_family *family,
		       struct family_text *text, struct flannel_error **ret_error)
{
	int r;

	family->family = rules->family;
	family->enabled = rules->enabled;
	r = fl_json_get_bool(object, FL_NETCONF_ORIGIN, rules->enable, &family->enabled, ret_error);
	if (r < 0)
		return r;
	r = read_network(object, rules, &text->network, ret_error);
	if (r < 0)
		return r;
	r = fl_json_get_uint(object, FL_NETCONF_ORIGIN, rules->len, UINT32_MAX, &text->len, ret_error);
	if (r < 0)
		return r;
	r = read_address(object, rules, rules->min, &text->min, ret_error);
	if (r < 0)
		return r;
	return read_address(object, rules, rules->max, &text->max, ret_error);
}

/* finds the subnets' length: that of the text if it leaves room for four subnets, else one that does */
static int choose_len(const struct family_rules *rules, const struct family_text *text, uint8_t *ret_len,
		      struct flannel_error **ret_error)
{
	char network[FLANNEL_PREFIX_STRLEN], value[32];
	unsigned int shortest = text->network.plen + 2u;

	flannel_prefix_format(&text->network, network, sizeof(network));
	if (shortest > rules->len_max)
		return refuse(ret_error, rules->network, network,
			      "a length of at most %u, to have room for four subnets", rules->len_max - 2u);
	if (text->len == 0) {
		*ret_len = shortest <= rules->len_default ? rules->len_default : (uint8_t)shortest;
		return 0;
	}
	if (text->len < shortest || text->len > rules->len_max) {
		(void)snprintf(value, sizeof(value), "%" PRIu64, text->len);
		return refuse(ret_error, rules->len, value, "%u to %u, to have four subnets or more in %s", shortest,
			      (unsigned int)rules->len_max, network);
	}
	*ret_len = (uint8_t)text->len;
	return 0;
}

/* the last subnet of a length in a network: all bits between the two lengths set */
static struct flannel_prefix last_subnet(struct flannel_prefix network, uint8_t len)
{
	for (unsigned int bit = network.plen; bit < len; bit++)
		network.addr[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	network.plen = len;
	return network;
}

/* checks a first or last subnet that the text names */
static int check_bound(const struct family_rules *rules, const char *key, const struct family_text *text,
		       struct flannel_prefix bound, uint8_t len, struct flannel_prefix *ret,
		       struct flannel_error **ret_error)
{
	char network[FLANNEL_PREFIX_STRLEN], value[FLANNEL_PREFIX_STRLEN], aligned[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix masked;

	flannel_prefix_format_address(&bound, value, sizeof(value));
	if (!flannel_prefix_contains(&text->network, &bound))
		return refuse(ret_error, key, value, "an address in %s %s", rules->network,
			      flannel_prefix_format(&text->network, network, sizeof(network)));
	bound.plen = len;
	masked = flannel_prefix_mask(bound);
	if (!flannel_prefix_is_network(&bound))
		return refuse(ret_error, key, value, "the first address of a subnet of length %u, such as %s",
			      (unsigned int)len, flannel_prefix_format_address(&masked, aligned, sizeof(aligned)));
	*ret = bound;
	return 0;
}

/* fills in and checks the first and the last subnet */
static int choose_range(const struct family_rules *rules, const struct family_text *text, uint8_t len,
			struct fl_netconf_family *family, struct flannel_error **ret_error)
{
	char value[FLANNEL_PREFIX_STRLEN], last[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix network = text->network;
	int r;

	/* flannel's behaviour: the network's first subnet is left out unless asked for */
	network.plen = len;
	flannel_prefix_next(&network, 1, &family->first);
	family->last = last_subnet(text->network, len);
	if (text->min.family != AF_UNSPEC) {
		r = check_bound(rules, rules->min, text, text->min, len, &family->first, ret_error);
		if (r < 0)
			return r;
	}
	if (text->max.family != AF_UNSPEC) {
		r = check_bound(rules, rules->max, text, text->max, len, &family->last, ret_error);
		if (r < 0)
			return r;
	}
	if (flannel_prefix_compare(&family->first, &family->last) <= 0)
		return 0;
	flannel_prefix_format_address(&family->first, value, sizeof(value));
	flannel_prefix_format_address(&family->last, last, sizeof(last));
	if (text->min.family == AF_UNSPEC)
		return refuse(ret_error, rules->max, last, "%s or later, or %s as well", value, rules->min);
	return refuse(ret_error, rules->min, value, "at most %s %s", rules->max, last);
}

/* applies the rules to an enabled family and fills in its defaults */
static int check_family(const struct family_rules *rules, const struct family_text *text,
			struct fl_netconf_family *family, struct flannel_error **ret_error)
{
	uint8_t len = 0;
	int r;

	if (text->network.family == AF_UNSPEC)
		return refuse(ret_error, rules->network, "missing", "a network such as \"%s\", since %s is true",
			      rules->example, rules->enable);
	/* flannel's behaviour: a length of zero is no network at all */
	if (text->network.plen == 0)
		return refuse(ret_error, rules->network, rules->family == AF_INET ? "0.0.0.0/0" : "::/0",
			      "a part of the address space, such as \"%s\"", rules->example);
	r = choose_len(rules, text, &len, ret_error);
	if (r < 0)
		return r;
	family->network = text->network;
	return choose_range(rules, text, len, family, ret_error);
}

/* warns of every key that belongs to a family which is not enabled */
static int warn_of_disabled(struct fl_netconf_warnings *warnings, struct json_object *object,
			    const struct family_rules *rules, struct flannel_error **ret_error)
{
	const char *keys[] = {rules->network, rules->len, rules->min, rules->max};

	for (size_t i = 0; i < FL_N_ELEMENTS(keys); i++) {
		struct json_object *value;

		if (fl_json_get_any(object, keys[i], &value) != 1 || !value)
			continue;
		if (fl_netconf_warn(warnings, "key \"%s\" has no effect, since %s is not true", keys[i],
				    rules->enable) < 0)
			return fl_error_oom(ret_error);
	}
	return 0;
}

int fl_netconf_load_families(struct json_object *object, struct fl_netconf_family families[FL_NETCONF_FAMILIES],
			     struct fl_netconf_warnings *warnings, struct flannel_error **ret_error)
{
	struct family_text texts[FL_NETCONF_FAMILIES] = {0};
	int r;

	for (size_t i = 0; i < FL_NETCONF_FAMILIES; i++) {
		r = read_family(object, &family_rules[i], &families[i], &texts[i], ret_error);
		if (r < 0)
			return r;
	}
	if (!families[0].enabled && !families[1].enabled)
		return refuse(ret_error, "EnableIPv4 is false, EnableIPv6", "false", "one of them to be true");
	for (size_t i = 0; i < FL_NETCONF_FAMILIES; i++) {
		if (families[i].enabled)
			r = check_family(&family_rules[i], &texts[i], &families[i], ret_error);
		else
			r = warn_of_disabled(warnings, object, &family_rules[i], ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

bool fl_netconf_is_family_key(const char *key)
{
	for (size_t i = 0; i < FL_NETCONF_FAMILIES; i++) {
		const struct family_rules *rules = &family_rules[i];

		if (strcasecmp(key, rules->enable) == 0 || strcasecmp(key, rules->network) == 0 ||
		    strcasecmp(key, rules->len) == 0 || strcasecmp(key, rules->min) == 0 ||
		    strcasecmp(key, rules->max) == 0)
			return true;
	}
	return false;
}
