/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/lease/peers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* order by IPv4 subnet, then by IPv6 subnet; a missing one comes first */
static int compare_leases(const struct flannel_lease *a, const struct flannel_lease *b)
{
	struct flannel_prefix x = {0}, y = {0};
	int r;

	flannel_lease_get_subnet(a, AF_INET, &x);
	flannel_lease_get_subnet(b, AF_INET, &y);
	r = flannel_prefix_compare(&x, &y);
	if (r)
		return r;
	memset(&x, 0, sizeof(x));
	memset(&y, 0, sizeof(y));
	flannel_lease_get_subnet(a, AF_INET6, &x);
	flannel_lease_get_subnet(b, AF_INET6, &y);
	return flannel_prefix_compare(&x, &y);
}

/* where a lease stands or belongs; true if it stands there */
static bool locate(const struct fl_peers *peers, const struct flannel_lease *lease, size_t *ret_index)
{
	size_t low = 0, high = peers->n_peers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare_leases(peers->peers[middle]->lease, lease);

		if (r == 0) {
			*ret_index = middle;
			return true;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return false;
}

struct fl_peer *fl_peers_find(const struct fl_peers *peers, const struct flannel_lease *lease)
{
	size_t index;

	return locate(peers, lease, &index) ? peers->peers[index] : NULL;
}

/* room for one more */
static int grow(struct fl_peers *peers, struct flannel_error **ret_error)
{
	size_t n = peers->n_allocated ? peers->n_allocated * 2 : 16;
	struct fl_peer **array;

	if (peers->n_peers < peers->n_allocated)
		return 0;
	array = reallocarray(peers->peers, n, sizeof(struct fl_peer *));
	if (!array)
		return fl_error_oom(ret_error);
	peers->peers = array;
	peers->n_allocated = n;
	return 0;
}

int fl_peers_add(struct fl_peers *peers, struct flannel_lease *lease, struct fl_peer **ret_peer,
		 struct flannel_error **ret_error)
{
	struct fl_peer *peer;
	size_t index;
	int r = grow(peers, ret_error);

	if (r < 0)
		return r;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return fl_error_oom(ret_error);
	peer->lease = flannel_lease_ref(lease);
	(void)locate(peers, lease, &index);
	memmove(&peers->peers[index + 1], &peers->peers[index], (peers->n_peers - index) * sizeof(struct fl_peer *));
	peers->peers[index] = peer;
	peers->n_peers++;
	*ret_peer = peer;
	return 0;
}

void fl_peers_remove(struct fl_peers *peers, struct fl_peer *peer)
{
	size_t index;

	if (locate(peers, peer->lease, &index) && peers->peers[index] == peer) {
		peers->n_peers--;
		memmove(&peers->peers[index], &peers->peers[index + 1],
			(peers->n_peers - index) * sizeof(struct fl_peer *));
	}
	flannel_lease_unref(peer->lease);
	free(peer);
}

void fl_peers_clear(struct fl_peers *peers)
{
	for (size_t i = 0; i < peers->n_peers; i++) {
		flannel_lease_unref(peers->peers[i]->lease);
		free(peers->peers[i]);
	}
	free(peers->peers);
	*peers = (struct fl_peers){0};
}
