/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_KEYS_H
#define FL_ETCD_KEYS_H

/*
 * Where things lie in etcd: PREFIX/config and PREFIX/subnets/SUBNET, as flannel has it. What a subnet's key and value look like is
 * the business of <flannel/lease.h>. No system call.
 */

#include <stdint.h>

#include <flannel/lease.h>

#include "base/error.h"
#include "domain/lease/lease.h"

struct fl_etcd_keys {
	char *config;      /* PREFIX/config */
	char *subnets;     /* PREFIX/subnets/ */
	char *subnets_end; /* the first key behind all that begin with that */
};

/* Makes them from --etcd-prefix, in which slashes that are too many do not count. -ENOMEM */
int fl_etcd_keys_init(struct fl_etcd_keys *keys, const char *prefix, struct flannel_error **ret_error);
void fl_etcd_keys_clear(struct fl_etcd_keys *keys);

/* PREFIX/subnets/SUBNET of a lease; malloc()ed, NULL without memory */
char *fl_etcd_keys_of_lease(const struct fl_etcd_keys *keys, const struct flannel_lease *lease);

/*
 * The range of keys that would give the IPv4 subnet of a lease to somebody, alone or together with an IPv6 one; without an IPv4 subnet
 * the lease's own key. malloc()ed; *ret_end is NULL for a single key. -ENOMEM
 */
int fl_etcd_keys_conflicts(const struct fl_etcd_keys *keys, const struct flannel_lease *lease, char **ret_first,
			   char **ret_end);

/* the lease of a key below PREFIX/subnets/ and its value: 0, -EINVAL, -ENOMEM */
int fl_etcd_keys_parse(const struct fl_etcd_keys *keys, const void *key, size_t key_len, const void *value,
		       size_t value_len, int64_t expires_sec, uint64_t revision, struct flannel_lease **ret_lease,
		       struct flannel_error **ret_error);

/* the same where the value is not known: a lease with subnets and no more */
int fl_etcd_keys_parse_bare(const struct fl_etcd_keys *keys, const void *key, size_t key_len, uint64_t revision,
			    struct flannel_lease **ret_lease, struct flannel_error **ret_error);

/* does a lease take addresses that another one has */
int fl_etcd_leases_overlap(const struct flannel_lease *a, const struct flannel_lease *b);

/* have two leases a public address in common */
int fl_etcd_leases_same_holder(const struct flannel_lease *a, const struct flannel_lease *b);

#endif
