/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_STORE_H
#define FLANNEL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/lease.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: store.h - where leases and the network configuration live
 *
 * A store is opened by URI, or brought by the host as a table of functions (struct flannel_store_ops). It holds
 * one network configuration and the leases, and tells of every change in order, each with a revision that only
 * grows. Choosing a subnet is not the store's job: the library proposes, the store creates or refuses.
 */

struct flannel_store;

/**
 * enum flannel_store_message_type - what a store tells
 * @FLANNEL_STORE_CONFIG:         reply to get_config or put_config: .config is the stored text; .code -ENOENT if
 *                                there is none, -EEXIST if put_config found another one (.config is that one).
 * @FLANNEL_STORE_DONE:           reply to create, update or remove: .code 0 with .lease as stored; -EEXIST (create:
 *                                the subnet, or one overlapping it, is taken), -ENOENT (update, remove: it is gone or
 *                                belongs to another public address), or another failure with .error.
 * @FLANNEL_STORE_SNAPSHOT_BEGIN: a full list follows; it may begin anew before its end. Whatever it does not name is
 *                                gone at its end.
 * @FLANNEL_STORE_LEASE:          a lease exists or changed; .lease.
 * @FLANNEL_STORE_REMOVED:        a lease is gone (deleted or expired); .lease is what was known of it.
 * @FLANNEL_STORE_SNAPSHOT_END:   the full list ends; .revision.
 * @FLANNEL_STORE_CONFIG_CHANGED: the network configuration is another one; .config.
 * @FLANNEL_STORE_LOST:           the store does not answer; .error. Sent once for each reason.
 * @FLANNEL_STORE_BACK:           it answers again. Sent once, before a new snapshot if changes may have been missed.
 * @FLANNEL_STORE_ASSIGNED:       of stores with get_assigned(): it has another answer now.
 */
enum flannel_store_message_type {
	FLANNEL_STORE_CONFIG = 1,
	FLANNEL_STORE_DONE = 2,
	FLANNEL_STORE_SNAPSHOT_BEGIN = 3,
	FLANNEL_STORE_LEASE = 4,
	FLANNEL_STORE_REMOVED = 5,
	FLANNEL_STORE_SNAPSHOT_END = 6,
	FLANNEL_STORE_CONFIG_CHANGED = 7,
	FLANNEL_STORE_LOST = 8,
	FLANNEL_STORE_BACK = 9,
	FLANNEL_STORE_ASSIGNED = 10
};

/**
 * struct flannel_store_message - one thing a store tells; the receiver owns what it points to
 * @size:     sizeof(struct flannel_store_message), set by the receiver before next().
 * @type:     enum flannel_store_message_type.
 * @code:     0 or negative errno, replies only.
 * @request:  the number given with the request, replies only; else 0.
 * @revision: the store's revision; 0 if it does not apply.
 * @lease:    a reference for the receiver, or NULL.
 * @config:   malloc()ed text for the receiver, or NULL.
 * @error:    a reference for the receiver, or NULL.
 */
struct flannel_store_message {
	size_t size;
	int type;
	int code;
	uint64_t request;
	uint64_t revision;
	struct flannel_lease *lease;
	char *config;
	struct flannel_error *error;
};

/**
 * struct flannel_store_assignment - what a store that does not let nodes choose gives to a node
 * @size:       sizeof(struct flannel_store_assignment), set by the caller.
 * @lease:      a reference for the caller: the node's subnets, of all families; and, if the store knows them, the backend's type and
 *              data that peers are told of the node, perhaps from before a restart: its device takes over the MAC address in them.
 * @public_ip:  IPv4 address (length 32) that the node publishes instead of the one found; AF_UNSPEC: the one found.
 * @public_ip6: IPv6 address (length 128) likewise.
 */
struct flannel_store_assignment {
	size_t size;
	struct flannel_lease *lease;
	struct flannel_prefix public_ip;
	struct flannel_prefix public_ip6;
};

/**
 * struct flannel_store_ops - a store as a table of functions
 * @size:       sizeof(struct flannel_store_ops).
 * @name:       one lower-case word, such as "embedded"; static.
 * @free:       ends the store; drops what is queued.
 * @get_fd:     one descriptor, readable (level-triggered) when dispatch() has work; the same for life. An epoll
 *              descriptor is fine.
 * @dispatch:   does what is due without waiting for disk locks or the network. 1: more is due, 0: poll first,
 *              negative: the store cannot go on.
 * @next:       hands over the oldest message: 1 with, 0 without.
 * @watch:      from now on report: first a snapshot, then each change. Called again, it begins with a new snapshot.
 * @get_config: asks for the configuration; answered by one FLANNEL_STORE_CONFIG.
 * @put_config: stores @config if there is none; answered by one FLANNEL_STORE_CONFIG.
 * @create:     stores @lease if its subnets are free, for @lease_sec seconds (0: for ever); answered by one
 *              FLANNEL_STORE_DONE.
 * @update:     writes @lease over the one with the same subnets and a public address in common, or with the same
 *              subnets and the revision of @lease (its node has another address now), with a new lifetime;
 *              a reservation stays one, unless @lease has an end itself (expires_sec), which makes it a lease again that lives
 *              for @lease_sec. Answered by one FLANNEL_STORE_DONE; by -ENOENT if there is none, and then
 *              a node with another address removes the old lease and creates the new one.
 * @remove:     deletes the lease with the subnets and public address of @lease; answered by one
 *              FLANNEL_STORE_DONE.
 * @get_assigned: may be NULL, as in most stores: then nodes choose. Else somebody else says which node has which subnets, and this
 *              tells what the node with the given public addresses (AF_UNSPEC: none, or not known yet) is given: 1, 0 if that is
 *              nothing (yet), or negative with the reason. Asked from the reply to get_config on, at first without addresses,
 *              which is enough for a store that knows the node by its name, then with them, and after each
 *              FLANNEL_STORE_ASSIGNED. A node waits until it is given something, never calls create, takes
 *              the lease by update (which then needs no earlier lease), and moves when it is given other subnets; that it
 *              is given nothing any more does not take away what it has: FLANNEL_STORE_REMOVED does.
 * @set_config: stores @config over the configuration whose text is @former (NULL: if there is none); answered by one
 *              FLANNEL_STORE_CONFIG, by -EEXIST with the text that is there if that is another one, or -ENOENT. May be NULL: then the
 *              configuration cannot be replaced.
 * @set_ready:  NULL, or is told whether pods of this node have their network: @is_ready 1 or 0, @why for people. Told when the node
 *              becomes ready, when it has been out of order for half a minute, and when it is well again; not answered.
 *
 * All functions get the @impl given to flannel_store_new(), never wait, and run in the thread that uses the
 * context. Requests may return a negative errno at once instead of answering.
 */
struct flannel_store_ops {
	size_t size;
	const char *name;
	void (*free)(void *impl);
	int (*get_fd)(void *impl);
	int (*dispatch)(void *impl, struct flannel_error **ret_error);
	int (*next)(void *impl, struct flannel_store_message *ret_message);
	int (*watch)(void *impl, struct flannel_error **ret_error);
	int (*get_config)(void *impl, uint64_t request, struct flannel_error **ret_error);
	int (*put_config)(void *impl, uint64_t request, const char *config, struct flannel_error **ret_error);
	int (*create)(void *impl, uint64_t request, struct flannel_lease *lease, uint32_t lease_sec,
		      struct flannel_error **ret_error);
	int (*update)(void *impl, uint64_t request, struct flannel_lease *lease, uint32_t lease_sec,
		      struct flannel_error **ret_error);
	int (*remove)(void *impl, uint64_t request, struct flannel_lease *lease, struct flannel_error **ret_error);
	int (*get_assigned)(void *impl, const struct flannel_prefix *public_ip, const struct flannel_prefix *public_ip6,
			    struct flannel_store_assignment *ret_assignment, struct flannel_error **ret_error);
	int (*set_config)(void *impl, uint64_t request, const char *config, const char *former,
			  struct flannel_error **ret_error);
	int (*set_ready)(void *impl, int is_ready, const char *why, struct flannel_error **ret_error);
};

/**
 * flannel_store_open() - open a store of this library
 * @context:   context; the store takes a reference.
 * @uri:       "embedded:/var/lib/flannel/leases.db": a SQLite file on a local disk, shared by the nodes of one
 *             machine; made, with its directory (0700), if missing.
 *             "etcd:http://192.0.2.1:2379,http://192.0.2.2:2379?prefix=/coreos.com/network": an etcd cluster (3.4 or
 *             newer) with flannel's keys and values, behind "?" and with "&" between them cafile, certfile, keyfile
 *             (PEM files), username and password, all percent-encoded. Nobody is asked yet: that a cluster does not
 *             answer is told as FLANNEL_STORE_LOST. It may start threads that resolve names.
 *             "kube:?node=n1": the Nodes of a Kubernetes cluster, with flannel's annotations. Behind "?" and with "&" between them:
 *             node (or pod, NAMESPACE/NAME, whose node it is), kubeconfig (a file; without it: the service account of the pod that
 *             we run in), api-url (takes the place of the one found otherwise), account (directory of the service account's token
 *             and ca.crt), prefix (of the annotations), net-config (file of the network configuration), condition (false: the
 *             Node's condition NetworkUnavailable is left alone), all percent-encoded.
 * @ret_store: set on success; owned by the caller, see flannel_store_unref().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Loads the module store-NAME.so from the context's module directory, but for "static", which is part of the library.
 *
 * Return: 0, or negative with nothing changed:
 *   -EINVAL      NULL, or no URI of the form above
 *   -ENOSYS      libcurl lacks what is needed
 *   -ENOPKG      no fitting module is installed; the message names file, package and version
 *   -EOPNOTSUPP  the file system cannot lock or map the file (the message names it)
 *   -ENOENT (a dangling link), -ENOTDIR, -EISDIR, -EACCES, -EROFS, -ENOSPC, -EMFILE  from the system
 *   -EBADMSG     the file is no lease database, or a newer one, or is no right file of a static store (the message names line, key
 *                and value)
 *   -ENOMEM
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_open(struct flannel_context *context, const char *uri,
				      struct flannel_store **ret_store, struct flannel_error **ret_error);

/**
 * flannel_store_open_later() - open a store of this library, now or when that works
 * @context:   as in flannel_store_open().
 * @uri:       as in flannel_store_open().
 * @ret_store: set on success; owned by the caller, see flannel_store_unref().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * For a node that has a snapshot to go by (see flannel_node_start()): where flannel_store_open() would fail for a reason that may pass, such as
 * a file that cannot be read, the store counts as one that does not answer (FLANNEL_EVENT_STORE_LOST, with that reason), and
 * opening it is tried again every few seconds, by dispatch.
 *
 * Return: 0 if it is open, 1 if it will be, or negative with nothing changed: -EINVAL, -ENOPKG, -ENOSYS, -ENOMEM as in
 * flannel_store_open(). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_open_later(struct flannel_context *context, const char *uri,
					    struct flannel_store **ret_store, struct flannel_error **ret_error);

/**
 * flannel_store_new() - use a store that the host brings
 * @context:   context; the store takes a reference.
 * @ops:       copied; every function is needed but those that may be NULL.
 * @impl:      handed to each function; on success the store owns it and ends it with .free.
 * @ret_store: set on success; owned by the caller.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL (NULL, missing function), -E2BIG (newer header), -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_new(struct flannel_context *context, const struct flannel_store_ops *ops, void *impl,
				     struct flannel_store **ret_store, struct flannel_error **ret_error);

/**
 * flannel_store_ref() - take one more reference
 * @store: a store or NULL.
 *
 * Return: @store. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_store *flannel_store_ref(struct flannel_store *store);

/**
 * flannel_store_unref() - drop a reference; the last one closes the store
 * @store: a store or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_store *flannel_store_unref(struct flannel_store *store);

/**
 * flannel_store_get_name() - which kind of store
 * @store: a store; NULL gives "".
 *
 * Return: text such as "embedded", owned by @store. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_store_get_name(const struct flannel_store *store);

/**
 * flannel_store_set_config_sync() - put the network configuration into the store if it has none
 * @store:       a store on which no lease request or node runs yet.
 * @config:      JSON text of a valid configuration, see flannel_netconf_parse().
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1 if it was stored, 0 if the store had an equal one, or negative:
 *   -EINVAL     @config is no valid configuration, or a parameter is out of range
 *   -EEXIST     the store has a different one; the message names both
 *   -EBUSY      a lease request or node runs on @store
 *   -ETIMEDOUT  the store did not answer (retryable)
 *   and what the store says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_set_config_sync(struct flannel_store *store, const char *config,
						 unsigned int deadline_ms, struct flannel_error **ret_error);

/**
 * flannel_store_get_config_sync() - read the network configuration
 * @store:       a store on which no lease request or node runs.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_config:  set when 1 is returned: the text as it is stored, valid or not; free() it.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 1, 0 if the store has none, or negative: -EINVAL, -EBUSY, -ETIMEDOUT (retryable), -ENOMEM, and what the store says.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_get_config_sync(struct flannel_store *store, unsigned int deadline_ms,
						 char **ret_config, struct flannel_error **ret_error);

/**
 * flannel_store_replace_config_sync() - put another network configuration in the place of the one that is known
 * @store:       a store on which no lease request or node runs.
 * @config:      JSON text of a valid configuration, see flannel_netconf_parse().
 * @former:      the text that is there now, see flannel_store_get_config_sync(); NULL: there is none.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * What somebody else has stored meanwhile is not overwritten. Nodes that run hear of it (FLANNEL_EVENT_CONFIG_CHANGED) and use it
 * from their next start on.
 *
 * Return: 0, or negative with nothing changed:
 *   -EINVAL      @config is no valid configuration, or a parameter is NULL or out of range
 *   -EEXIST      the store has another one than @former
 *   -EOPNOTSUPP  the store cannot replace it
 *   -EBUSY       a lease request or node runs on @store
 *   -ETIMEDOUT   the store did not answer; the configuration may or may not be stored (retryable)
 *   -ENOMEM, and what the store says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_replace_config_sync(struct flannel_store *store, const char *config,
						     const char *former, unsigned int deadline_ms,
						     struct flannel_error **ret_error);

/**
 * flannel_store_list_leases_sync() - all leases and reservations
 * @store:       a store on which no lease request or node runs.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_leases:  set on success: by subnets, IPv4 first; NULL if there are none. See flannel_lease_list_free().
 * @ret_n:       how many.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL, -EBUSY, -ETIMEDOUT (retryable), -ENOMEM, and what the store says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_list_leases_sync(struct flannel_store *store, unsigned int deadline_ms,
						  struct flannel_lease ***ret_leases, size_t *ret_n,
						  struct flannel_error **ret_error);

/**
 * flannel_lease_list_free() - done with a list of leases
 * @leases: a list or NULL.
 * @n:      how many it has.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease **flannel_lease_list_free(struct flannel_lease **leases, size_t n);

/**
 * flannel_store_reserve_sync() - keep a subnet for a node for ever
 * @store:       a store on which no lease request or node runs.
 * @lease:       subnets, and the public address of the node; it need not have run yet.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A lease without an end: the node with that address gets it whenever it starts, and it stays a reservation. If the node has just that
 * lease already, it has no end from now on; what the node has published with it stays.
 *
 * Return: 1, 0 if it was reserved before, or negative with nothing changed:
 *   -EINVAL     a parameter is NULL or out of range
 *   -ERANGE     it does not fit the network configuration
 *   -EEXIST     the subnet, or one that overlaps, belongs to another node, or the node has another lease
 *   -EBUSY      a lease request or node runs on @store
 *   -ETIMEDOUT  the store did not answer (retryable)
 *   -ENOMEM, and what the store says.
 *
 * Since: 0.1. See also: flannel_store_unreserve_sync().
 */
FLANNEL_PUBLIC int flannel_store_reserve_sync(struct flannel_store *store, struct flannel_lease *lease,
					      unsigned int deadline_ms, struct flannel_error **ret_error);

/**
 * flannel_store_unreserve_sync() - make a reservation a lease that ends
 * @store:       a store on which no lease request or node runs.
 * @lease:       the reservation, as flannel_store_list_leases_sync() gave it.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A node that has the subnet keeps it, and renews it from now on. If none ever took it, the reservation is deleted.
 *
 * Return: 1, 0 if it ends already, or negative with nothing changed: -EINVAL, -ENOENT (it is not there, or another node's),
 * -EOPNOTSUPP (leases of this store do not end), -EBUSY, -ETIMEDOUT (retryable), -ENOMEM, and what the store says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_unreserve_sync(struct flannel_store *store, struct flannel_lease *lease,
						unsigned int deadline_ms, struct flannel_error **ret_error);

/**
 * flannel_store_remove_lease_sync() - delete a lease or reservation
 * @store:       a store on which no lease request or node runs.
 * @lease:       subnets and public address.
 * @deadline_ms: wait at most this long, milliseconds, 1 to 60000.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A node that runs with it asks for the same subnet at once, as a lease that ends.
 *
 * Return: 0, or negative: -EINVAL, -ENOENT (it is not there, or another node's), -EBUSY, -ETIMEDOUT (retryable), -ENOMEM, and what
 * the store says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_store_remove_lease_sync(struct flannel_store *store, struct flannel_lease *lease,
						   unsigned int deadline_ms, struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
