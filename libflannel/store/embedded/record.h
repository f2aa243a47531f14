/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_RECORD_H
#define FL_EMBEDDED_RECORD_H

/* A lease as the columns of its row. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/lease.h>

#include "base/error.h"
#include "domain/lease/lease.h"
#include "store/embedded/clock.h"

/* both ends of a subnet in network byte order, so that comparing bytes compares addresses */
struct fl_record_range {
	uint8_t first[16];
	uint8_t last[16];
	size_t len; /* bytes of each; 0: the lease has none of this family */
};

struct fl_record {
	char key[2 * FLANNEL_PREFIX_STRLEN];
	const char *value;                    /* the lease's */
	char identity[FLANNEL_PREFIX_STRLEN]; /* "": it has no public address */
	struct fl_record_range ranges[2];     /* IPv4, IPv6 */
};

/* how long a lease lives: all 0 for ever */
struct fl_record_life {
	uint32_t lease_sec;
	int64_t expires_sec;
	uint64_t deadline_ns;
};

/* -EINVAL if flannel's texts cannot say this lease */
int fl_record_init(struct fl_record *ret_record, const struct flannel_lease *lease, struct flannel_error **ret_error);

/* a lifetime that begins now */
struct fl_record_life fl_record_life_begin(const struct fl_clock *clock, uint32_t lease_sec);

/* do the leases have a public address in common */
bool fl_record_same_holder(const struct flannel_lease *a, const struct flannel_lease *b);

/* "10.5.1.0-24 of 192.0.2.1", for messages; returns buf */
#define FL_RECORD_NAMELEN (4 * FLANNEL_PREFIX_STRLEN)
const char *fl_record_name(const struct flannel_lease *lease, char *buf, size_t size);

#endif
