/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_LEASE_LEASE_H
#define FL_DOMAIN_LEASE_LEASE_H

/* What lease.c (the object) and lease_codec.c (flannel's keys and values) agree on. */

#include <flannel/lease.h>

#include "base/error.h"

/* flannel's behaviour: its reader of keys takes no longer ones, so a lease of a single address cannot be expressed */
#define FL_LEASE_LEN_MAX 31
#define FL_LEASE_LEN6_MAX 127

/* "no IPv4 address" where flannel's formats want one */
#define FL_LEASE_NO_ADDRESS "0.0.0.0"

/* flannel's JSON value of a lease; its expiry and revision do not count. malloc()ed; -ENOMEM */
int fl_lease_format_value(const struct flannel_lease *lease, char **ret_value);

FL_DEFINE_CLEANUP(struct flannel_lease *, flannel_lease_unref)

#define FL_CLEANUP_LEASE FL_CLEANUP(flannel_lease_unrefp)

#endif
