/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_REQUEST_STATE_H
#define FL_ENGINE_REQUEST_STATE_H

/*
 * The inside of a lease request, shared by its files. Calls go down:
 *
 *   request.c           life, and what its user asks
 *   request_news.c      what the store tells, and what follows
 *   request_config.c    the network configuration
 *   request_acquire.c   steps to the lease, its renewal and its release
 *   request_restore.c   the lease of an earlier run      request_assigned.c  stores that choose for us
 *   request_leases.c    whose leases the store has
 *   request_report.c    what the user hears
 */

#include "engine/lease/request.h"

enum fl_request_step {
	STEP_CONFIG,    /* waits for the configuration */
	STEP_SNAPSHOT,  /* waits for the first full list of leases */
	STEP_ACQUIRING, /* a create, update or remove on the way to the lease runs */
	STEP_HELD,
	STEP_RENEWING,
	STEP_RELEASING,
	STEP_OBSERVING, /* knows the peers, and wants no lease */
	STEP_ENDED
};

/* so many moves in a row may still be on their way through the store */
#define FL_FORMER_MAX 4

/* addresses that the node had before: its lease may still be told with them */
struct fl_former_addresses {
	struct flannel_prefix public_ip, public_ip6;
};

struct flannel_request {
	struct flannel_context *context;
	struct flannel_store *store;
	struct fl_request_options options;
	fl_request_fn fn;
	void *userdata;

	enum fl_request_step step;
	uint64_t pending;               /* number of the store request that runs; 0: none */
	struct flannel_lease *removing; /* the pending request removes this lease, which does not fit */
	struct fl_source *timer;
	uint32_t n_failures;

	struct flannel_netconf *netconf;
	char *other_config; /* what the store has in its place since it began; NULL: nothing else */
	struct flannel_prefix public_ip, public_ip6;
	struct fl_former_addresses former[FL_FORMER_MAX];
	bool had_lease; /* it held one before: what others have with the same address is not taken over any more */
	unsigned int n_moves; /* how often the addresses changed */
	bool is_outdated;     /* the identity has changed since the lease was sent to the store */
	bool displaces; /* it changed while a lease was held: that one takes the place of others with the new addresses */
	char *backend_type, *backend_data, *backend_v6_data;

	/* what the store gives this node, if it is one that does; .lease NULL: nothing, for all that is known */
	struct flannel_store_assignment assigned;
	struct flannel_error *waits_for; /* what the user was told that is waited for; NULL: nothing */

	struct flannel_lease *lease;    /* held, or being written */
	struct flannel_lease *renewal;  /* what is written over the held one */
	struct flannel_lease *restored; /* counts as held until the store has told better */
	bool is_restored;
	bool is_restoring; /* the configuration is being restored */
	struct fl_peers peers;
	struct fl_peers own; /* leases that the store has for this node's address: at most one, or a leftover */
	struct flannel_error *config_error; /* what is wrong with the configuration in the store */
	bool is_watching;  /* the store was asked to tell of changes while there was no configuration */
	bool is_listening; /* the list that was asked for last has begun; what came before belongs to an older one */
	bool has_snapshot;
	uint32_t generation;
};

/*
 * request_report.c
 */

/* tells the user; the result matters for CONFIG only */
int fl_request_report(struct flannel_request *request, enum fl_request_report what, struct flannel_lease *lease,
		      struct fl_peer *peer, struct flannel_error *error, struct flannel_error **ret_error);

/* a failure: retried with back-off if that makes sense, else the end of the request */
void fl_request_fail(struct flannel_request *request, struct flannel_error *error);

/* the subnets of a lease */
struct fl_subnet_choice fl_request_subnets_of(const struct flannel_lease *lease);

/*
 * request_leases.c
 */

/* does a lease belong to this node: a public address in common */
bool fl_request_is_own(const struct flannel_request *request, const struct flannel_lease *lease);

/* Is it the lease that this node writes or holds, as it was written by it with addresses that it had before? Old news, then. */
bool fl_request_is_bygone(const struct flannel_request *request, const struct flannel_lease *lease);

/* are these the subnets of the lease that is held */
bool fl_request_is_held(const struct flannel_request *request, const struct flannel_lease *lease);

/* another node's lease is new or changed */
void fl_request_note_peer(struct flannel_request *request, struct flannel_lease *lease);
void fl_request_forget_peer(struct flannel_request *request, struct fl_peer *peer);

/* a lease of this node: the one held, or what the store has for this address */
void fl_request_note_own(struct flannel_request *request, struct flannel_lease *lease);

/* the store has no such lease for this node, whatever it told before */
void fl_request_forget_own(struct flannel_request *request, const struct flannel_lease *lease);

/* the node has other addresses: whose leases are whose is decided again */
void fl_request_sort_leases(struct flannel_request *request);

/*
 * request_restore.c, besides what is in request.h
 */

/* a configuration that came: is it just the one that was restored, so that nothing changes */
bool fl_request_confirms_config(const struct flannel_request *request, const struct flannel_netconf *netconf);

/* the restored lease counts no longer: reported as LOST unless by_now, which may be NULL, has the same subnets */
void fl_request_end_restored(struct flannel_request *request, const struct flannel_lease *by_now);

/* another node has a lease: if it has the restored one's subnets, that one is lost */
void fl_request_note_taken(struct flannel_request *request, const struct flannel_lease *lease);

/*
 * request_assigned.c, besides what is in request.h
 */

/* asks the store what a node with these addresses is given, and keeps the answer, unless there is none for now: 1, 0, negative */
int fl_request_ask_assigned(struct flannel_request *request, const struct flannel_prefix *public_ip,
			    const struct flannel_prefix *public_ip6, struct flannel_error **ret_error);

/* the configuration has come: what is this node given, as far as the store knows who it is; -ERANGE if that is not in the network */
int fl_request_begin_assigned(struct flannel_request *request, struct flannel_error **ret_error);

/* The given subnets of the families that are enabled: 1, 0 if there are none, -ERANGE if they are not in the network */
int fl_request_use_assigned(const struct flannel_request *request, struct fl_subnet_choice *ret_choice,
			    struct flannel_error **ret_error);

/*
 * request_acquire.c
 */

/* the next step towards the lease, or its renewal; the answer goes on */
void fl_request_acquire(struct flannel_request *request);
void fl_request_renew(struct flannel_request *request);

/* asks the store to remove the held lease; once more after a failure */
int fl_request_send_release(struct flannel_request *request, struct flannel_error **ret_error);
void fl_request_release_again(struct flannel_request *request);

/* the own lease is gone: tell, and get it back, the same subnet first */
void fl_request_lose(struct flannel_request *request);

/* the store's answer to a create, update or remove */
void fl_request_take_reply(struct flannel_request *request, const struct flannel_store_message *message);

/*
 * request_config.c
 */

/* asks for the configuration; the answer or the timer leads on */
void fl_request_ask_config(struct flannel_request *request);

/* the answer, or news of another configuration */
void fl_request_take_config(struct flannel_request *request, const struct flannel_store_message *message);

/*
 * request_news.c
 */

/* does whatever is next, unless an answer is waited for */
void fl_request_on_timer(void *userdata, uint32_t events);

/* everything that the store tells */
void fl_request_on_message(void *userdata, const struct flannel_store_message *message);

/* the store may give this node something else now */
void fl_request_note_assigned(struct flannel_request *request);

#endif
