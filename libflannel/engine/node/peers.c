/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/peers.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/rtnl/route.h"

/* what happens to a peer's objects becomes an event; also what its owners are known by */
static void on_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
		      struct flannel_error *error)
{
	fl_node_record_report(owner, report, object, error);
}

/* the peer that an owner is; NULL if it is none */
static struct fl_node_peer *peer_of(struct fl_owner *owner)
{
	if (!owner || owner->report != on_report)
		return NULL;
	return (struct fl_node_peer *)((char *)fl_node_record_of(owner) - offsetof(struct fl_node_peer, record));
}

/* what is kept for a peer, made at the first call; NULL without memory */
static struct fl_node_peer *get(struct fl_node_peers *peers, struct fl_peer *of)
{
	struct fl_node_peer *peer = of->data;

	if (!peer) {
		peer = calloc(1, sizeof(*peer));
		if (!peer)
			return NULL;
		peer->record = (struct fl_node_record){.owner = {.report = on_report}, .scope = peers->scope};
		peer->all = peers;
		of->data = peer;
	}
	peer->peer = of;
	return peer;
}

/* notes why nothing could be wanted for a peer; told once for each new reason */
static void set_error(struct fl_node_peer *peer, struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);
	bool is_new = error && strcmp(flannel_error_get_message(peer->error), message) != 0;

	flannel_error_ref(error);
	flannel_error_unref(peer->error);
	peer->error = error;
	if (is_new)
		fl_node_emit(peer->all->scope, FLANNEL_EVENT_OBJECT_FAILED, NULL, error, "%s", message);
}

/* finds out whether a peer is on-link, if the backend asks for that; a peer without a route is not */
static void ask_for_on_link(const struct fl_node_scope *scope, const struct flannel_lease *lease,
			    struct fl_backend_facts *facts)
{
	const int families[] = {AF_INET, AF_INET6};
	struct fl_rtnl *rtnl;

	if (!scope->backend->asks_for_on_link || !scope->backend->asks_for_on_link(facts) ||
	    fl_context_get_rtnl(scope->context, &rtnl, NULL) < 0)
		return;
	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		bool *on_link = families[i] == AF_INET ? &facts->on_link : &facts->on_link6;
		struct fl_route_lookup lookup;
		struct flannel_prefix address;

		*on_link = flannel_lease_get_public_ip(lease, families[i], &address) > 0 &&
			   fl_route_get(rtnl, &address, &lookup, NULL) == 0 && !lookup.via.family;
	}
}

/* asks the backend; a peer that it cannot serve wants nothing and says why, as an error or as .ignored */
static int want_objects(struct fl_node_peer *peer, struct fl_object objects[FL_PEER_OBJECTS_MAX],
			struct flannel_error **ret_error)
{
	const struct fl_node_scope *scope = peer->all->scope;
	struct fl_backend_facts facts = scope->facts;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int n;

	peer->ignored = NULL;
	if (strcmp(flannel_lease_get_backend_type(peer->peer->lease), scope->backend->name) != 0) {
		peer->ignored = "other backend";
		return 0;
	}
	ask_for_on_link(scope, peer->peer->lease, &facts);
	n = scope->backend->want_peer(&facts, peer->peer->lease, objects, &error);
	/* most likely a lease of this node from when it had another address: it ends by itself */
	if (n == -EEXIST) {
		fl_log(&scope->context->log, FLANNEL_LOG_WARNING, "node", "%s", flannel_error_get_message(error));
		peer->ignored = "its device is this node's own";
		return 0;
	}
	if (n < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return n;
}

/* notes that a peer's lease is not the newest one that names an object */
static void give_way(struct fl_node_peer *peer, const struct fl_object *object, const struct fl_node_peer *winner)
{
	char text[FL_OBJECT_STRLEN], loser[2 * FLANNEL_PREFIX_STRLEN], newer[2 * FLANNEL_PREFIX_STRLEN];

	fl_log(&peer->all->scope->context->log, FLANNEL_LOG_WARNING, "node",
	       "lease %s: %s belongs to the newer lease %s (a node that got another subnet, or a copy of one)",
	       flannel_lease_format_key(peer->peer->lease, loser, sizeof(loser)),
	       fl_object_format(object, text, sizeof(text)),
	       flannel_lease_format_key(winner->peer->lease, newer, sizeof(newer)));
	peer->all->n_giving_way += !peer->gives_way;
	peer->gives_way = true;
	peer->ignored = "a newer lease has its device";
}

/*
 * Two leases name one object, such as the device of a node that got another subnet while its old lease has not ended: the lease that
 * was written last is right. Whichever goes, the other gets what it wants then.
 */
static int settle(struct fl_node_peer *peer, const struct fl_object *object, struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = peer->all->scope->reconciler;
	struct fl_owner *owner = fl_reconciler_owner_of(reconciler, object);
	struct fl_node_peer *other = peer_of(owner);
	int r;

	if (!other || other == peer)
		return fl_reconciler_want(reconciler, object, &peer->record.owner, ret_error);
	if (flannel_lease_get_revision(peer->peer->lease) < flannel_lease_get_revision(other->peer->lease)) {
		give_way(peer, object, other);
		return 0;
	}
	r = fl_reconciler_unwant(reconciler, object, owner, ret_error);
	if (r >= 0)
		give_way(other, object, peer);
	return r < 0 ? r : fl_reconciler_want(reconciler, object, &peer->record.owner, ret_error);
}

/* wants what a peer's lease needs, and nothing else on its behalf: how much it wants no longer, or negative */
static int want(struct fl_node_peer *peer, struct flannel_error **ret_error)
{
	struct fl_object objects[FL_PEER_OBJECTS_MAX];
	int n = want_objects(peer, objects, ret_error), n_dropped;

	peer->all->n_giving_way -= peer->gives_way;
	peer->gives_way = false;
	peer->record.n_objects = n > 0 ? (uint32_t)n : 0;
	n_dropped = fl_node_record_drop_others(&peer->record, objects, n > 0 ? n : 0, n < 0 ? NULL : ret_error);
	if (n < 0 || n_dropped < 0)
		return n < 0 ? n : n_dropped;
	for (int i = 0; i < n; i++) {
		int r = settle(peer, &objects[i], ret_error);

		if (r < 0)
			return r;
	}
	return n_dropped;
}

/* peers whose objects another lease had: they may have them now */
static void want_given(struct fl_node_peers *peers)
{
	for (size_t i = 0; i < peers->peers->n_peers && peers->n_giving_way > 0; i++) {
		struct fl_node_peer *peer = peers->peers->peers[i]->data;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;

		if (!peer || !peer->gives_way)
			continue;
		(void)want(peer, &error);
		set_error(peer, error);
	}
}

void fl_node_peers_want(struct fl_node_peers *peers, struct fl_peer *of)
{
	struct fl_node_peer *peer = get(peers, of);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!peer) {
		peers->scope->context->event_lost = true;
		return;
	}
	r = want(peer, &error);
	set_error(peer, error);
	if (r != 0 && peers->n_giving_way > 0)
		want_given(peers);
}

void fl_node_peers_want_all(struct fl_node_peers *peers)
{
	for (size_t i = 0; i < peers->peers->n_peers; i++)
		fl_node_peers_want(peers, peers->peers->peers[i]);
}

void fl_node_peers_forget(struct fl_node_peers *peers, struct fl_peer *of, bool keep)
{
	struct fl_node_peer *peer = of->data;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (!peer)
		return;
	if (fl_reconciler_unwant_all(peers->scope->reconciler, &peer->record.owner, keep, &error) < 0)
		fl_log(&peers->scope->context->log, FLANNEL_LOG_ERROR, "node", "%s", flannel_error_get_message(error));
	peers->n_giving_way -= peer->gives_way;
	flannel_error_unref(peer->error);
	free(peer);
	of->data = NULL;
	if (!keep && peers->n_giving_way > 0)
		want_given(peers);
}

void fl_node_peers_leave(struct fl_node_peers *peers)
{
	for (size_t i = 0; peers->peers && i < peers->peers->n_peers; i++)
		fl_node_peers_forget(peers, peers->peers->peers[i], true);
}
