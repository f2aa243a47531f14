/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

struct flannel_lease {
	atomic_uint n_refs;
	struct flannel_prefix subnet;
	struct flannel_prefix subnet6;
	struct flannel_prefix public_ip;
	struct flannel_prefix public_ip6;
	int64_t expires_sec;
	uint64_t revision;
	char *backend_type;
	char *backend_data;
	char *backend_v6_data;
	char *value;
};

/* the error for a field of struct flannel_lease_fields */
static int refuse(struct flannel_error **ret_error, const char *field, const char *value, const char *expected)
{
	char detail[200];

	(void)snprintf(detail, sizeof(detail), "%s is %s, expected %s", field, value, expected);
	return fl_error_set(ret_error, -EINVAL, "argument", detail, "make lease");
}

/* is it IPv4 in the clothes of IPv6 (::ffff:0:0/96), which no IPv6 host can use and no key can express */
static bool is_mapped(const struct flannel_prefix *prefix)
{
	const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return prefix->family == AF_INET6 && memcmp(prefix->addr, mapped, sizeof(mapped)) == 0;
}

/* checks a subnet field; AF_UNSPEC passes */
static int check_subnet(const char *field, int family, const struct flannel_prefix *subnet,
			struct flannel_error **ret_error)
{
	unsigned int len_max = family == AF_INET ? FL_LEASE_LEN_MAX : FL_LEASE_LEN6_MAX;
	char expected[80], text[FLANNEL_PREFIX_STRLEN];

	if (subnet->family == AF_UNSPEC)
		return 0;
	flannel_prefix_format(subnet, text, sizeof(text));
	if (subnet->family != family || is_mapped(subnet))
		return refuse(ret_error, field, text, family == AF_INET ? "IPv4" : "IPv6");
	if (subnet->plen < 1 || subnet->plen > len_max) {
		(void)snprintf(expected, sizeof(expected), "a length of 1 to %u", len_max);
		return refuse(ret_error, field, text, expected);
	}
	if (!flannel_prefix_is_network(subnet))
		return refuse(ret_error, field, text, "host bits to be zero");
	return 0;
}

/* checks an address field; AF_UNSPEC passes */
static int check_address(const char *field, int family, const struct flannel_prefix *address,
			 struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	if (address->family == AF_UNSPEC ||
	    (address->family == family && address->plen == (family == AF_INET ? 32 : 128)))
		return 0;
	return refuse(ret_error, field, flannel_prefix_format(address, text, sizeof(text)),
		      family == AF_INET ? "an IPv4 address (length 32)" : "an IPv6 address (length 128)");
}

/* checks everything but the backend's data */
static int check_fields(const struct flannel_lease_fields *fields, struct flannel_error **ret_error)
{
	char number[32];
	int r;

	if (fields->subnet.family == AF_UNSPEC && fields->subnet6.family == AF_UNSPEC)
		return refuse(ret_error, "subnet, subnet6", "missing", "one of them or both");
	r = check_subnet("subnet", AF_INET, &fields->subnet, ret_error);
	if (r < 0)
		return r;
	r = check_subnet("subnet6", AF_INET6, &fields->subnet6, ret_error);
	if (r < 0)
		return r;
	r = check_address("public_ip", AF_INET, &fields->public_ip, ret_error);
	if (r < 0)
		return r;
	r = check_address("public_ip6", AF_INET6, &fields->public_ip6, ret_error);
	if (r < 0)
		return r;
	if (fields->expires_sec < 0) {
		(void)snprintf(number, sizeof(number), "%" PRId64, fields->expires_sec);
		return refuse(ret_error, "expires_sec", number, "seconds since the epoch, or 0 for never");
	}
	return 0;
}

/* an address, or none if it is all zero: that is how flannel writes a missing one */
static struct flannel_prefix address_or_none(struct flannel_prefix address)
{
	const uint8_t zero[sizeof(address.addr)] = {0};

	if (memcmp(address.addr, zero, sizeof(zero)) == 0)
		return (struct flannel_prefix){0};
	return address;
}

/* the backend's data as compact JSON text, NULL for none and for null */
static int copy_data(const char *field, const char *data, char **ret_text, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
	int r;

	if (!data)
		return 0;
	r = fl_json_parse(data, strlen(data), field, &value, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "make lease");
	if (!value)
		return 0;
	*ret_text = fl_json_format(value);
	return *ret_text ? 0 : fl_error_oom(ret_error);
}

/* can the value be read back: the backend's data is one level deeper in it than by itself, which may be too deep */
static int check_value(const struct flannel_lease *lease, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
	int r;

	if (!lease->backend_data && !lease->backend_v6_data)
		return 0;
	r = fl_json_parse(lease->value, strlen(lease->value), "backend data", &value, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "make lease") : 0;
}

/* makes a lease of checked fields */
static int make_lease(const struct flannel_lease_fields *fields, struct flannel_lease **ret_lease,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP_LEASE struct flannel_lease *lease = calloc(1, sizeof(*lease));
	int r;

	if (!lease)
		return fl_error_oom(ret_error);
	atomic_init(&lease->n_refs, 1);
	lease->subnet = fields->subnet;
	lease->subnet6 = fields->subnet6;
	lease->public_ip = address_or_none(fields->public_ip);
	lease->public_ip6 = address_or_none(fields->public_ip6);
	lease->expires_sec = fields->expires_sec;
	lease->revision = fields->revision;
	lease->backend_type = strdup(fields->backend_type ? fields->backend_type : "");
	if (!lease->backend_type)
		return fl_error_oom(ret_error);
	r = copy_data("backend_data", fields->backend_data, &lease->backend_data, ret_error);
	if (r < 0)
		return r;
	r = copy_data("backend_v6_data", fields->backend_v6_data, &lease->backend_v6_data, ret_error);
	if (r < 0)
		return r;
	if (fl_lease_format_value(lease, &lease->value) < 0)
		return fl_error_oom(ret_error);
	r = check_value(lease, ret_error);
	if (r < 0)
		return r;
	*ret_lease = FL_TAKE(lease);
	return 0;
}

int flannel_lease_new(const struct flannel_lease_fields *fields, struct flannel_lease **ret_lease,
		      struct flannel_error **ret_error)
{
	struct flannel_lease_fields copy;
	int r;

	if (!fields || !ret_lease)
		return fl_error_set(ret_error, -EINVAL, "argument", "fields or ret_lease is NULL", "make lease");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), fields, "struct flannel_lease_fields", ret_error);
	if (r < 0)
		return r;
	r = check_fields(&copy, ret_error);
	if (r < 0)
		return r;
	return make_lease(&copy, ret_lease, ret_error);
}

const char *flannel_lease_get_value(const struct flannel_lease *lease)
{
	return lease ? lease->value : "";
}

struct flannel_lease *flannel_lease_ref(struct flannel_lease *lease)
{
	if (lease)
		atomic_fetch_add_explicit(&lease->n_refs, 1, memory_order_relaxed);
	return lease;
}

struct flannel_lease *flannel_lease_unref(struct flannel_lease *lease)
{
	if (!lease || atomic_fetch_sub_explicit(&lease->n_refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	free(lease->backend_type);
	free(lease->backend_data);
	free(lease->backend_v6_data);
	free(lease->value);
	free(lease);
	return NULL;
}

/* hands out the IPv4 or the IPv6 one, as the getters of a family do */
static int get_prefix(const struct flannel_prefix *v4, const struct flannel_prefix *v6, int family,
		      struct flannel_prefix *ret_prefix)
{
	const struct flannel_prefix *prefix = family == AF_INET ? v4 : v6;

	if ((family != AF_INET && family != AF_INET6) || !ret_prefix)
		return -EINVAL;
	if (prefix->family == AF_UNSPEC)
		return 0;
	*ret_prefix = *prefix;
	return 1;
}

int flannel_lease_get_subnet(const struct flannel_lease *lease, int family, struct flannel_prefix *ret_prefix)
{
	return lease ? get_prefix(&lease->subnet, &lease->subnet6, family, ret_prefix) : -EINVAL;
}

int flannel_lease_get_public_ip(const struct flannel_lease *lease, int family, struct flannel_prefix *ret_prefix)
{
	return lease ? get_prefix(&lease->public_ip, &lease->public_ip6, family, ret_prefix) : -EINVAL;
}

const char *flannel_lease_get_backend_type(const struct flannel_lease *lease)
{
	return lease ? lease->backend_type : "";
}

const char *flannel_lease_get_backend_data(const struct flannel_lease *lease, int family)
{
	if (!lease)
		return NULL;
	if (family == AF_INET)
		return lease->backend_data;
	return family == AF_INET6 ? lease->backend_v6_data : NULL;
}

int64_t flannel_lease_get_expires_sec(const struct flannel_lease *lease)
{
	return lease ? lease->expires_sec : 0;
}

uint64_t flannel_lease_get_revision(const struct flannel_lease *lease)
{
	return lease ? lease->revision : 0;
}

/* do two compact JSON texts, or NULL, have the same value: the order of keys does not count */
static bool data_equal(const char *a, const char *b)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *a_value = NULL;
	FL_CLEANUP(fl_json_unrefp) struct json_object *b_value = NULL;

	if (!a || !b)
		return a == b;
	if (strcmp(a, b) == 0)
		return true;
	return fl_json_parse(a, strlen(a), "backend data", &a_value, NULL) == 0 &&
	       fl_json_parse(b, strlen(b), "backend data", &b_value, NULL) == 0 && fl_json_equal(a_value, b_value);
}

int flannel_lease_equal(const struct flannel_lease *a, const struct flannel_lease *b)
{
	if (!a || !b)
		return a == b;
	return flannel_prefix_compare(&a->subnet, &b->subnet) == 0 &&
	       flannel_prefix_compare(&a->subnet6, &b->subnet6) == 0 &&
	       flannel_prefix_compare(&a->public_ip, &b->public_ip) == 0 &&
	       flannel_prefix_compare(&a->public_ip6, &b->public_ip6) == 0 &&
	       strcmp(a->backend_type, b->backend_type) == 0 && data_equal(a->backend_data, b->backend_data) &&
	       data_equal(a->backend_v6_data, b->backend_v6_data);
}
