/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/hash.h"

/* digits of the network's hash with the hyphen, and of both */
#define NETWORK_PREFIX 17
#define OWNER_PREFIX 33

/* characters of the container's id that are shown; the rest would not fit */
#define ID_SHOWN 64

void fl_owner_format(const char *network, const struct flannel_attachment_id *attachment,
		     char ret_owner[FL_NFT_COMMENT_MAX + 1])
{
	uint64_t of_network, of_all;

	/* with final zeros, so that no two triples are the same bytes */
	of_network = fl_hash(FL_HASH_INIT, network, strlen(network) + 1);
	of_all = fl_hash(of_network, attachment->container_id, strlen(attachment->container_id) + 1);
	of_all = fl_hash(of_all, attachment->ifname, strlen(attachment->ifname) + 1);
	(void)snprintf(ret_owner, FL_NFT_COMMENT_MAX + 1, "%016" PRIx64 "-%016" PRIx64 " %.*s/%s", of_network, of_all,
		       ID_SHOWN, attachment->container_id, attachment->ifname);
}

/* do both have as many characters, and the same ones */
static bool same_prefix(const char *a, const char *b, size_t len)
{
	return strlen(a) >= len && strncmp(a, b, len) == 0;
}

bool fl_owner_same(const char *a, const char *b)
{
	return same_prefix(a, b, OWNER_PREFIX);
}

bool fl_owner_same_network(const char *a, const char *b)
{
	return same_prefix(a, b, NETWORK_PREFIX);
}
