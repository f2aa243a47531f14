/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/json_scan.h"

/*
 * There is one for each of thousands of nodes, so it is as small as it can be, in one piece. An address that is all zero, or a length of 0, is none:
 * neither could be a lease's.
 */
struct flannel_lease {
	int64_t expires_sec;
	uint64_t revision;
	_Atomic(char *) value; /* NULL until somebody asks for it */
	atomic_uint n_refs;
	bool has_data, has_v6_data;
	uint8_t plen, plen6;
	uint8_t subnet[4], public_ip[4];
	uint8_t subnet6[16], public_ip6[16];
	char texts[]; /* backend's type, data and data for IPv6 as far as there are any, one behind the other */
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

/* are there so few brackets in a text that it may well have one more around it */
static bool is_shallow(const char *data)
{
	size_t n = 0;

	for (; *data; data++)
		n += *data == '{' || *data == '[';
	return n < FL_JSON_DEPTH_MAX;
}

/* can the value be read back: the backend's data is one level deeper in it than by itself, which may be too deep */
static int check_value(const struct flannel_lease *lease, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *json = NULL;
	FL_CLEANUP(fl_freep) char *value = NULL;
	int r;

	if (fl_lease_format_value(lease, &value) < 0)
		return fl_error_oom(ret_error);
	r = fl_json_parse(value, strlen(value), "backend data", &json, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "make lease") : 0;
}

/* a lease of texts that are as they are to be */
static struct flannel_lease *allocate(const char *type, const char *data, const char *v6_data)
{
	size_t len = strlen(type) + 1 + (data ? strlen(data) + 1 : 0) + (v6_data ? strlen(v6_data) + 1 : 0);
	struct flannel_lease *lease = calloc(1, offsetof(struct flannel_lease, texts) + len);
	char *to;

	if (!lease)
		return NULL;
	atomic_init(&lease->n_refs, 1);
	atomic_init(&lease->value, NULL);
	to = stpcpy(lease->texts, type) + 1;
	lease->has_data = data != NULL;
	if (data)
		to = stpcpy(to, data) + 1;
	lease->has_v6_data = v6_data != NULL;
	if (v6_data)
		(void)stpcpy(to, v6_data);
	return lease;
}

/* keeps what a prefix says, if there is one; its length */
static uint8_t keep_address(const struct flannel_prefix *prefix, uint8_t *addr, size_t size)
{
	if (prefix->family == AF_UNSPEC)
		return 0;
	memcpy(addr, prefix->addr, size);
	return prefix->plen;
}

/* makes a lease of checked fields */
static int make_lease(const struct flannel_lease_fields *fields, struct flannel_lease **ret_lease,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP_LEASE struct flannel_lease *lease = NULL;
	FL_CLEANUP(fl_freep) char *data = NULL;
	FL_CLEANUP(fl_freep) char *v6_data = NULL;
	int r = copy_data("backend_data", fields->backend_data, &data, ret_error);

	if (r >= 0)
		r = copy_data("backend_v6_data", fields->backend_v6_data, &v6_data, ret_error);
	if (r < 0)
		return r;
	lease = allocate(fields->backend_type ? fields->backend_type : "", data, v6_data);
	if (!lease)
		return fl_error_oom(ret_error);
	lease->expires_sec = fields->expires_sec;
	lease->revision = fields->revision;
	lease->plen = keep_address(&fields->subnet, lease->subnet, sizeof(lease->subnet));
	lease->plen6 = keep_address(&fields->subnet6, lease->subnet6, sizeof(lease->subnet6));
	(void)keep_address(&fields->public_ip, lease->public_ip, sizeof(lease->public_ip));
	(void)keep_address(&fields->public_ip6, lease->public_ip6, sizeof(lease->public_ip6));
	if ((data && !is_shallow(data)) || (v6_data && !is_shallow(v6_data)))
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
	struct flannel_lease *kept = (struct flannel_lease *)(uintptr_t)lease;
	char *value, *other = NULL;

	if (!lease)
		return "";
	value = atomic_load_explicit(&kept->value, memory_order_acquire);
	if (value)
		return value;
	if (fl_lease_format_value(lease, &value) < 0)
		return "";
	/* somebody in another thread may have been faster */
	if (atomic_compare_exchange_strong(&kept->value, &other, value))
		return value;
	free(value);
	return other;
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
	free(atomic_load_explicit(&lease->value, memory_order_relaxed));
	free(lease);
	return NULL;
}

/* hands out what is kept of an address or a subnet as a prefix: 1, or 0 if there is none */
static int get_prefix(int family, const uint8_t *addr, uint8_t plen, struct flannel_prefix *ret_prefix)
{
	if (plen == 0)
		return 0;
	*ret_prefix = (struct flannel_prefix){.family = (uint16_t)family, .plen = plen};
	memcpy(ret_prefix->addr, addr, family == AF_INET ? 4 : 16);
	return 1;
}

int flannel_lease_get_subnet(const struct flannel_lease *lease, int family, struct flannel_prefix *ret_prefix)
{
	if (!lease || !ret_prefix || (family != AF_INET && family != AF_INET6))
		return -EINVAL;
	return family == AF_INET ? get_prefix(family, lease->subnet, lease->plen, ret_prefix)
				 : get_prefix(family, lease->subnet6, lease->plen6, ret_prefix);
}

int flannel_lease_get_public_ip(const struct flannel_lease *lease, int family, struct flannel_prefix *ret_prefix)
{
	const uint8_t zero[sizeof(lease->public_ip6)] = {0};

	if (!lease || !ret_prefix || (family != AF_INET && family != AF_INET6))
		return -EINVAL;
	/* all zero is how flannel writes a missing one */
	if (family == AF_INET)
		return get_prefix(family, lease->public_ip,
				  memcmp(lease->public_ip, zero, sizeof(lease->public_ip)) ? 32 : 0, ret_prefix);
	return get_prefix(family, lease->public_ip6,
			  memcmp(lease->public_ip6, zero, sizeof(lease->public_ip6)) ? 128 : 0, ret_prefix);
}

const char *flannel_lease_get_backend_type(const struct flannel_lease *lease)
{
	return lease ? lease->texts : "";
}

const char *flannel_lease_get_backend_data(const struct flannel_lease *lease, int family)
{
	const char *text;

	if (!lease || !(family == AF_INET ? lease->has_data : family == AF_INET6 && lease->has_v6_data))
		return NULL;
	text = lease->texts + strlen(lease->texts) + 1;
	return family == AF_INET6 && lease->has_data ? text + strlen(text) + 1 : text;
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
	return a->plen == b->plen && a->plen6 == b->plen6 && memcmp(a->subnet, b->subnet, sizeof(a->subnet)) == 0 &&
	       memcmp(a->subnet6, b->subnet6, sizeof(a->subnet6)) == 0 &&
	       memcmp(a->public_ip, b->public_ip, sizeof(a->public_ip)) == 0 &&
	       memcmp(a->public_ip6, b->public_ip6, sizeof(a->public_ip6)) == 0 && strcmp(a->texts, b->texts) == 0 &&
	       data_equal(flannel_lease_get_backend_data(a, AF_INET), flannel_lease_get_backend_data(b, AF_INET)) &&
	       data_equal(flannel_lease_get_backend_data(a, AF_INET6), flannel_lease_get_backend_data(b, AF_INET6));
}
