/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firewall/element_owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/hash.h"
#include "domain/plan/object.h"

enum {
	HASH_DIGITS = 16,
	NETWORK_LEN = HASH_DIGITS + 1,             /* with the "-" behind it */
	OWNER_LEN = NETWORK_LEN + HASH_DIGITS + 1, /* with the blank */
	ID_SHOWN = 64,                             /* of a container id */
};

int fl_element_owner_check(const char *network, const struct flannel_attachment_id *attachment, const char *operation,
			   struct flannel_error **ret_error)
{
	if (!network || network[0] == '\0')
		return fl_error_set(ret_error, -EINVAL, "argument", "expected the name of a network", "%s", operation);
	if (!attachment || attachment->size != sizeof(*attachment) || !attachment->container_id ||
	    attachment->container_id[0] == '\0' || !fl_ifname_is_valid(attachment->ifname))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected an attachment with a container id and an interface name", "%s",
				    operation);
	return 0;
}

void fl_element_owner_format(const char *network, const struct flannel_attachment_id *attachment,
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

int fl_element_owners_new(const char *network, const struct flannel_attachment_id *attachments, size_t n_attachments,
			  const char *operation, char (**ret_owners)[FL_NFT_COMMENT_MAX + 1],
			  struct flannel_error **ret_error)
{
	char(*owners)[FL_NFT_COMMENT_MAX + 1] = calloc(n_attachments + 1, sizeof(*owners));
	int r = owners ? 0 : fl_error_oom(ret_error);

	for (size_t i = 0; i < n_attachments && r >= 0; i++) {
		r = fl_element_owner_check(network, &attachments[i], operation, ret_error);
		if (r >= 0)
			fl_element_owner_format(network, &attachments[i], owners[i]);
	}
	if (r < 0)
		free(owners);
	else
		*ret_owners = owners;
	return r;
}

bool fl_element_owner_equal(const char *a, const char *b)
{
	return strlen(a) >= OWNER_LEN && strncmp(a, b, OWNER_LEN) == 0;
}

bool fl_element_owner_same_network(const char *a, const char *b)
{
	return strlen(a) >= NETWORK_LEN && strncmp(a, b, NETWORK_LEN) == 0;
}

const char *fl_element_owner_text(const char *comment)
{
	return strlen(comment) > OWNER_LEN ? comment + OWNER_LEN : "another program";
}
