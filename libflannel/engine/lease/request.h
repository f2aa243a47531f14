/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_REQUEST_H
#define FL_ENGINE_REQUEST_H

/*
 * Holding a lease: the state machine behind flannel_lease_acquire() and the node agent. It reads the network
 * configuration, learns the leases, chooses, creates or takes over, renews, and gets the lease back when it is lost.
 */

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "domain/lease/subnet.h"
#include "engine/context.h"
#include "engine/lease/peers.h"
#include "engine/store/store.h"

enum fl_request_report {
	FL_REQUEST_CONFIG,   /* the configuration is known: set the identity now, or return negative to stop */
	FL_REQUEST_RESTORED, /* lease: as fl_request_restore() was told; the store does not answer */
	FL_REQUEST_LISTED,   /* instead of a lease: all peers that there are now have been told */
	FL_REQUEST_ACQUIRED, /* lease */
	FL_REQUEST_RENEWED,  /* lease */
	FL_REQUEST_LOST, /* lease: the old one; asked for again unless it was released, or in place of a restored one */
	FL_REQUEST_FAILED,       /* error; retried if it is retryable, else the end */
	FL_REQUEST_PEER_ADDED,   /* peer */
	FL_REQUEST_PEER_CHANGED, /* peer; lease: the old one */
	FL_REQUEST_PEER_REMOVED, /* peer, freed after the call */
	FL_REQUEST_STORE_LOST,   /* error */
	FL_REQUEST_STORE_BACK,
	FL_REQUEST_CONFIG_CHANGED /* error: the store has another one; NULL: the one in use again */
};

struct fl_request_news {
	enum fl_request_report report;
	struct flannel_lease *lease;
	struct fl_peer *peer;
	struct flannel_error *error;
};

/* May free nothing of the request; a negative result counts for CONFIG only, and stops with *ret_error. */
typedef int (*fl_request_fn)(void *userdata, struct flannel_request *request, const struct fl_request_news *news,
			     struct flannel_error **ret_error);

/* what the store is told of this node; texts are copied */
struct fl_identity {
	struct flannel_prefix public_ip;
	struct flannel_prefix public_ip6;
	const char *backend_type; /* NULL: that of the configuration */
	const char *backend_data;
	const char *backend_v6_data;
};

struct fl_request_options {
	uint32_t lease_sec;
	uint32_t renew_margin_sec; /* 0: the default */
	struct fl_subnet_choice previous;
	bool observes; /* wants no lease, only to know the peers */
};

/* claims the store and begins at the next dispatch */
int fl_request_new(struct flannel_context *context, struct flannel_store *store,
		   const struct fl_request_options *options, fl_request_fn fn, void *userdata,
		   struct flannel_request **ret_request, struct flannel_error **ret_error);

/*
 * Who this node is, from now on. If it has other addresses than before while it holds a lease, that lease is published with them
 * and keeps its subnet, as far as the store allows: reported as RENEWED, or ACQUIRED where the store knows no other way than
 * remove and create. A lease of another node with the new addresses is a leftover and makes way.
 */
int fl_request_set_identity(struct flannel_request *request, const struct fl_identity *identity,
			    struct flannel_error **ret_error);

/* what a node knew when it ran last */
struct fl_request_past {
	const char *config;
	struct flannel_lease *own; /* NULL: of one that observes */
	struct flannel_lease *const *peers;
	size_t n_peers;
};

/*
 * Goes by what was known in an earlier run until the store tells better: CONFIG, unless the store told it already, then PEER_ADDED for
 * each, then RESTORED. The lease counts as held. What the store lists, once it answers, is compared with this as with any other list, and
 * the lease is acquired as at any start; if it comes out with another subnet, LOST comes before ACQUIRED. Another
 * configuration than the restored one is reported by CONFIG once more, after LOST.
 * Return: 1; 0 if there is no need, since the store told more already; -ESTALE if the store has another configuration, or the lease does
 * not fit it; -EINVAL for one that is invalid; and what the answer to CONFIG was. It may be called again after a failure.
 */
int fl_request_restore(struct flannel_request *request, const struct fl_request_past *past,
		       struct flannel_error **ret_error);

/* is the lease one that was restored, which the store has not confirmed */
bool fl_request_is_restored(const struct flannel_request *request);

/* has the node an address of each family that the configuration enables */
int fl_request_check_identity(const struct flannel_request *request, struct flannel_error **ret_error);

/* a report as an event of the host; source as in fl_event_emit() */
void fl_request_emit(struct flannel_context *context, const void *source, void *userdata,
		     const struct fl_request_news *news);

struct flannel_context *fl_request_get_context(const struct flannel_request *request);
struct flannel_netconf *fl_request_get_netconf(const struct flannel_request *request);
const struct fl_peers *fl_request_get_peers(const struct flannel_request *request);

/*
 * Asks a store that does not let nodes choose what a node with these addresses is given: 1; 0 if there is no need to know; negative if
 * there is nothing yet, such as -ENODATA, which is worth a retry. See get_assigned in struct flannel_store_ops.
 */
int fl_request_find_assigned(struct flannel_request *request, const struct flannel_prefix *public_ip,
			     const struct flannel_prefix *public_ip6, struct flannel_error **ret_error);

/* what the store gave this node when it was asked last; NULL if nothing */
const struct flannel_lease *fl_request_get_assigned(const struct flannel_request *request);

/* the address that the store asks this node to publish; NULL if there is none */
const struct flannel_prefix *fl_request_get_assigned_ip(const struct flannel_request *request, int family);

/* checks the lifetime and the margin of options and fills in defaults */
int fl_request_check_times(uint32_t *lease_sec, uint32_t *renew_margin_sec, struct flannel_error **ret_error);

FL_DEFINE_CLEANUP(struct flannel_lease *, flannel_lease_unref)

#endif
