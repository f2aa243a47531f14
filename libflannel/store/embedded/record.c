/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/loop.h"

static const int families[2] = {AF_INET, AF_INET6};

/* the first and the last address of a subnet */
static struct fl_record_range range_of(const struct flannel_prefix *subnet)
{
	struct fl_record_range range = {.len = subnet->family == AF_INET ? 4 : 16};

	for (size_t i = 0; i < range.len; i++) {
		unsigned int bits = subnet->plen > 8 * i ? subnet->plen - 8 * (unsigned int)i : 0;
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff00U >> bits);

		range.first[i] = subnet->addr[i] & mask;
		range.last[i] = subnet->addr[i] | (uint8_t)~mask;
	}
	return range;
}

/* the address that the lease belongs to, as text */
static void identity_of(const struct flannel_lease *lease, char *buf, size_t size)
{
	struct flannel_prefix address;

	buf[0] = '\0';
	for (size_t i = 0; i < 2; i++) {
		if (flannel_lease_get_public_ip(lease, families[i], &address) != 1)
			continue;
		(void)flannel_prefix_format_address(&address, buf, size);
		return;
	}
}

int fl_record_init(struct fl_record *ret_record, const struct flannel_lease *lease, struct flannel_error **ret_error)
{
	struct fl_record record = {.value = flannel_lease_get_value(lease)};
	FL_CLEANUP_LEASE struct flannel_lease *stored = NULL;
	struct flannel_prefix subnet;
	int r;

	(void)flannel_lease_format_key(lease, record.key, sizeof(record.key));
	r = flannel_lease_parse(record.key, record.value, strlen(record.value), 0, 0, &stored, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "store lease %s", record.key);
	if (!flannel_lease_equal(stored, lease))
		return fl_error_set(ret_error, -EINVAL, "store", "flannel's key and value cannot express it",
				    "store lease %s", record.key);
	identity_of(lease, record.identity, sizeof(record.identity));
	for (size_t i = 0; i < 2; i++)
		if (flannel_lease_get_subnet(lease, families[i], &subnet) == 1)
			record.ranges[i] = range_of(&subnet);
	*ret_record = record;
	return 0;
}

struct fl_record_life fl_record_life_begin(const struct fl_clock *clock, uint32_t lease_sec)
{
	if (lease_sec == 0)
		return (struct fl_record_life){0};
	return (struct fl_record_life){
		.lease_sec = lease_sec,
		.expires_sec = fl_clock_wall_ns(clock) / (int64_t)FL_NSEC_PER_SEC + lease_sec,
		.deadline_ns = fl_clock_boottime_ns(clock) + lease_sec * FL_NSEC_PER_SEC,
	};
}

bool fl_record_same_holder(const struct flannel_lease *a, const struct flannel_lease *b)
{
	struct flannel_prefix address_a, address_b;

	for (size_t i = 0; i < 2; i++)
		if (flannel_lease_get_public_ip(a, families[i], &address_a) == 1 &&
		    flannel_lease_get_public_ip(b, families[i], &address_b) == 1 &&
		    flannel_prefix_compare(&address_a, &address_b) == 0)
			return true;
	return false;
}

const char *fl_record_name(const struct flannel_lease *lease, char *buf, size_t size)
{
	char key[2 * FLANNEL_PREFIX_STRLEN], identity[FLANNEL_PREFIX_STRLEN];

	identity_of(lease, identity, sizeof(identity));
	(void)snprintf(buf, size, "%s of %s", flannel_lease_format_key(lease, key, sizeof(key)),
		       identity[0] ? identity : "no public address");
	return buf;
}
