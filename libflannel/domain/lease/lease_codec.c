/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/lease.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

/* stands for "no IPv4 subnet" in the key of a lease that has just an IPv6 one */
#define NO_SUBNET "0.0.0.0-0"

/* a key is an address, a length, and the same again: longer ones are refused unread */
#define KEY_SIZE (2 * FLANNEL_PREFIX_STRLEN)

/* adds compact JSON text as a value; nothing if it is NULL; -ENOMEM */
static int add_data(struct json_object *object, const char *key, const char *text)
{
	struct json_object *value = NULL;

	if (!text)
		return 0;
	/* it was parsed before: memory is all that can be missing */
	if (fl_json_parse(text, strlen(text), key, &value, NULL) < 0)
		return -ENOMEM;
	return fl_json_add(object, key, value);
}

/* adds the public address of a family, its zero text or null if there is none; -ENOMEM */
static int add_address(struct json_object *object, const char *key, const struct flannel_lease *lease, int family,
		       const char *none)
{
	char text[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix address;

	if (flannel_lease_get_public_ip(lease, family, &address) == 1)
		return fl_json_add(object, key,
				   fl_json_string(flannel_prefix_format_address(&address, text, sizeof(text))));
	return none ? fl_json_add(object, key, fl_json_string(none)) : fl_json_add_null(object, key);
}

/* how flannel's encoder writes what json begins with, NULL for as it is; all of it occurs in strings only */
static const char *find_escape(const char *json, size_t *ret_len)
{
	*ret_len = 1;
	if (*json == '<')
		return "\\u003c";
	if (*json == '>')
		return "\\u003e";
	if (*json == '&')
		return "\\u0026";
	*ret_len = 3;
	if (strncmp(json, "\xe2\x80\xa8", 3) == 0)
		return "\\u2028";
	return strncmp(json, "\xe2\x80\xa9", 3) == 0 ? "\\u2029" : NULL;
}

/* compact JSON text in the form of flannel's encoder; malloc()ed, NULL without memory */
static char *escape(const char *json)
{
	char *text = malloc(6 * strlen(json) + 1), *to = text, *fit;
	const char *escaped;
	size_t len;

	if (!text)
		return NULL;
	while (*json) {
		escaped = find_escape(json, &len);
		if (escaped) {
			to = stpcpy(to, escaped);
			json += len;
		} else {
			*to++ = *json++;
		}
	}
	*to++ = '\0';
	fit = realloc(text, (size_t)(to - text));
	return fit ? fit : text;
}

int fl_lease_format_value(const struct flannel_lease *lease, char **ret_value)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();
	FL_CLEANUP(fl_freep) char *text = NULL;
	const char *type = flannel_lease_get_backend_type(lease);

	if (!object || add_address(object, "PublicIP", lease, AF_INET, FL_LEASE_NO_ADDRESS) < 0 ||
	    add_address(object, "PublicIPv6", lease, AF_INET6, NULL) < 0)
		return -ENOMEM;
	if (*type && fl_json_add(object, "BackendType", fl_json_string(type)) < 0)
		return -ENOMEM;
	if (add_data(object, "BackendData", flannel_lease_get_backend_data(lease, AF_INET)) < 0 ||
	    add_data(object, "BackendV6Data", flannel_lease_get_backend_data(lease, AF_INET6)) < 0)
		return -ENOMEM;
	text = fl_json_format(object);
	*ret_value = text ? escape(text) : NULL;
	return *ret_value ? 0 : -ENOMEM;
}

/* reads digits up to the end of text; -1 if there are none, or above max */
static int parse_len(const char *text, int max)
{
	int value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}
	return value;
}

/* reads "address-length" with an address of just the allowed characters; text is cut into pieces */
static int parse_subnet(char *text, const char *allowed, int family, int len_max, struct flannel_prefix *ret_subnet)
{
	char *dash = strchr(text, '-');
	int len;

	if (!dash)
		return -EINVAL;
	*dash = '\0';
	len = parse_len(dash + 1, len_max);
	if (len < 0 || text[strspn(text, allowed)] || flannel_prefix_parse(text, ret_subnet) < 0 ||
	    ret_subnet->family != family)
		return -EINVAL;
	ret_subnet->plen = (uint8_t)len;
	return 0;
}

/* reads the last part of a key into the subnets of fields */
static int parse_key(const char *key, struct flannel_lease_fields *fields)
{
	char text[KEY_SIZE], *second;
	int r;

	if (strlen(key) >= sizeof(text))
		return -EINVAL;
	memcpy(text, key, strlen(key) + 1);
	second = strchr(text, '&');
	if (second) {
		*second++ = '\0';
		/* flannel's behaviour: lower case only, but not just the canonical text */
		r = parse_subnet(second, "0123456789abcdef:", AF_INET6, FL_LEASE_LEN6_MAX, &fields->subnet6);
		if (r < 0)
			return r;
		if (strcmp(text, NO_SUBNET) == 0)
			return 0;
	}
	return parse_subnet(text, "0123456789.", AF_INET, FL_LEASE_LEN_MAX, &fields->subnet);
}

/* the error for a text that is no address of the right family */
static int refuse_address(const char *key, const char *text, const char *expected, struct flannel_error **ret_error)
{
	char detail[200];

	(void)snprintf(detail, sizeof(detail), "%s is \"%.80s\", expected %s", key, text, expected);
	return fl_error_set(ret_error, -EINVAL, "store", detail, "value");
}

/* reads PublicIP, which must be there and IPv4 unless the lease has no IPv4 subnet */
static int parse_public_ip(struct json_object *object, struct flannel_lease_fields *fields,
			   struct flannel_error **ret_error)
{
	bool needed = fields->subnet.family == AF_INET;
	struct json_object *any;
	const char *text;
	int r;

	if (needed && fl_json_get_any(object, "PublicIP", &any) == 1 && !any)
		return fl_error_set(ret_error, -EINVAL, "store", "PublicIP is null, expected an IPv4 address", "value");
	r = fl_json_get_string(object, "value", "PublicIP", &text, ret_error);
	if (r <= 0)
		return r;
	if (!strchr(text, '/') && flannel_prefix_parse(text, &fields->public_ip) == 0 &&
	    fields->public_ip.family == AF_INET)
		return 0;
	fields->public_ip = (struct flannel_prefix){0};
	if (!needed)
		return 0;
	return refuse_address("PublicIP", text, "an IPv4 address", ret_error);
}

/* reads PublicIPv6, which may be null */
static int parse_public_ip6(struct json_object *object, struct flannel_lease_fields *fields,
			    struct flannel_error **ret_error)
{
	const char *text;
	int r;

	r = fl_json_get_string(object, "value", "PublicIPv6", &text, ret_error);
	if (r <= 0)
		return r;
	if (!strchr(text, '/') && flannel_prefix_parse(text, &fields->public_ip6) == 0 &&
	    fields->public_ip6.family == AF_INET6)
		return 0;
	return refuse_address("PublicIPv6", text, "an IPv6 address or null", ret_error);
}

/* the text of a backend's data of any type, NULL if it is absent or null */
static int format_data(struct json_object *object, const char *key, char **ret_text, struct flannel_error **ret_error)
{
	struct json_object *data;

	if (fl_json_get_any(object, key, &data) != 1 || !data)
		return 0;
	*ret_text = fl_json_format(data);
	return *ret_text ? 0 : fl_error_oom(ret_error);
}

/* reads the JSON value into fields, whose subnets are known, and makes the lease */
static int parse_value(const char *value, size_t len, struct flannel_lease_fields *fields,
		       struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	FL_CLEANUP(fl_freep) char *data = NULL;
	FL_CLEANUP(fl_freep) char *v6_data = NULL;
	int r;

	r = fl_json_parse(value, len, "value", &object, ret_error);
	if (r < 0)
		return r;
	if (!fl_json_is_object(object))
		return fl_error_set(ret_error, -EINVAL, "store", "expected a JSON object", "value");
	r = parse_public_ip(object, fields, ret_error);
	if (r < 0)
		return r;
	r = parse_public_ip6(object, fields, ret_error);
	if (r < 0)
		return r;
	r = fl_json_get_string(object, "value", "BackendType", &fields->backend_type, ret_error);
	if (r < 0)
		return r;
	r = format_data(object, "BackendData", &data, ret_error);
	if (r < 0)
		return r;
	r = format_data(object, "BackendV6Data", &v6_data, ret_error);
	if (r < 0)
		return r;
	fields->backend_data = data;
	fields->backend_v6_data = v6_data;
	return flannel_lease_new(fields, ret_lease, ret_error);
}

int flannel_lease_parse(const char *key, const char *value, size_t len, int64_t expires_sec, uint64_t revision,
			struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	struct flannel_lease_fields fields = {
		.size = sizeof(fields),
		.expires_sec = expires_sec,
		.revision = revision,
	};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *slash;
	int r;

	if (!key || !value || !ret_lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "key, value or ret_lease is NULL", "parse lease");
	slash = strrchr(key, '/');
	if (slash)
		key = slash + 1;
	if (parse_key(key, &fields) < 0)
		return fl_error_set(ret_error, -EINVAL, "store",
				    "expected a key such as \"10.5.34.0-24\" or \"10.5.34.0-24&fd00:5::-64\"",
				    "lease \"%.100s\"", key);
	r = parse_value(value, len, &fields, ret_lease, &error);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	/* whatever is wrong with it, it is the store's content that is wrong */
	if (r < 0)
		return fl_error_set(ret_error, r, "store", flannel_error_get_detail(error), "lease \"%s\": %s", key,
				    flannel_error_get_operation(error));
	return 0;
}

/* writes "address-length" */
static void format_subnet(const struct flannel_prefix *subnet, char *buf, size_t size)
{
	char address[FLANNEL_PREFIX_STRLEN];

	(void)snprintf(buf, size, "%s-%u", flannel_prefix_format_address(subnet, address, sizeof(address)),
		       (unsigned int)subnet->plen);
}

const char *flannel_lease_format_key(const struct flannel_lease *lease, char *buf, size_t size)
{
	char first[FLANNEL_PREFIX_STRLEN] = NO_SUBNET, second[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix subnet;
	int n;

	if (!lease || !buf || size == 0)
		return "";
	if (flannel_lease_get_subnet(lease, AF_INET, &subnet) == 1)
		format_subnet(&subnet, first, sizeof(first));
	if (flannel_lease_get_subnet(lease, AF_INET6, &subnet) == 1) {
		format_subnet(&subnet, second, sizeof(second));
		n = snprintf(buf, size, "%s&%s", first, second);
	} else {
		n = snprintf(buf, size, "%s", first);
	}
	return (size_t)n < size ? buf : "";
}
