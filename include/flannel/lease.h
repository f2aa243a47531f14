/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_LEASE_H
#define FLANNEL_LEASE_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: lease.h - who owns which subnet
 *
 * A lease says that a node, known by its public address, owns a subnet of each enabled family until some
 * time. Leases are immutable and reference counted. flannel_lease_acquire() gets one for this node, keeps it
 * renewed and reports the leases of the other nodes.
 */

struct flannel_lease;
struct flannel_request;
struct flannel_store;

/** FLANNEL_DEFAULT_LEASE_SEC - lifetime of a lease, seconds: a day, as in flannel */
#define FLANNEL_DEFAULT_LEASE_SEC 86400

/** FLANNEL_DEFAULT_RENEW_MARGIN_SEC - a lease is renewed this long before it ends, seconds: an hour */
#define FLANNEL_DEFAULT_RENEW_MARGIN_SEC 3600

/**
 * struct flannel_lease_fields - what a lease is made of, for stores brought by a host
 * @size:            sizeof(struct flannel_lease_fields).
 * @subnet:          IPv4 subnet, host bits zero; AF_UNSPEC if the lease has none.
 * @subnet6:         IPv6 subnet likewise. One of the two is needed.
 * @public_ip:       IPv4 address (length 32) at which peers reach the node; AF_UNSPEC if none.
 * @public_ip6:      IPv6 address (length 128); AF_UNSPEC if none.
 * @backend_type:    such as "host-gw"; NULL or "" if the backend publishes none. Copied.
 * @backend_data:    JSON text of the backend's IPv4 side; NULL if none. Copied.
 * @backend_v6_data: JSON text of the backend's IPv6 side; NULL if none. Copied.
 * @expires_sec:     end of the lease, seconds since the epoch (CLOCK_REALTIME); 0 means never: a reservation.
 * @revision:        the store's revision at which it was last written; 0 if the store has none.
 */
struct flannel_lease_fields {
	size_t size;
	struct flannel_prefix subnet;
	struct flannel_prefix subnet6;
	struct flannel_prefix public_ip;
	struct flannel_prefix public_ip6;
	const char *backend_type;
	const char *backend_data;
	const char *backend_v6_data;
	int64_t expires_sec;
	uint64_t revision;
};

/**
 * flannel_lease_new() - make a lease from its fields
 * @fields:    what it says; checked and copied.
 * @ret_lease: set on success; owned by the caller, see flannel_lease_unref().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL (NULL, no subnet, host bits set, wrong family, backend data that is no JSON),
 * -E2BIG (newer header), -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_new(const struct flannel_lease_fields *fields, struct flannel_lease **ret_lease,
				     struct flannel_error **ret_error);

/**
 * flannel_lease_parse() - make a lease from flannel's key and JSON value
 * @key:         "10.5.34.0-24", "10.5.34.0-24&fd00:5::-64" or "0.0.0.0-0&fd00:5::-64"; a path before the last
 *               slash is ignored.
 * @value:       JSON text with PublicIP, PublicIPv6, BackendType, BackendData, BackendV6Data.
 * @len:         bytes of @value.
 * @expires_sec: as in struct flannel_lease_fields.
 * @revision:    as in struct flannel_lease_fields.
 * @ret_lease:   set on success; owned by the caller.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL (the message names key or value and what was expected), -ENOMEM. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_parse(const char *key, const char *value, size_t len, int64_t expires_sec,
				       uint64_t revision, struct flannel_lease **ret_lease,
				       struct flannel_error **ret_error);

/**
 * flannel_lease_format_key() - flannel's key of the lease
 * @lease: a lease.
 * @buf:   where to write.
 * @size:  bytes of @buf; 2 * FLANNEL_PREFIX_STRLEN always suffices.
 *
 * Return: @buf, "" if @lease is NULL or @size too small. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_lease_format_key(const struct flannel_lease *lease, char *buf, size_t size);

/**
 * flannel_lease_get_value() - flannel's JSON value of the lease
 * @lease: a lease; NULL gives "".
 *
 * Keys in flannel's order, no white space: {"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw"}. It is made when it is asked
 * for first.
 *
 * Return: text owned by @lease; "" without memory for it. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_lease_get_value(const struct flannel_lease *lease);

/**
 * flannel_lease_ref() - take one more reference
 * @lease: a lease or NULL.
 *
 * Return: @lease. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease *flannel_lease_ref(struct flannel_lease *lease);

/**
 * flannel_lease_unref() - drop a reference
 * @lease: a lease or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease *flannel_lease_unref(struct flannel_lease *lease);

/**
 * flannel_lease_get_subnet() - the leased subnet of one family
 * @lease:      a lease.
 * @family:     AF_INET or AF_INET6.
 * @ret_prefix: set when 1 is returned.
 *
 * Return: 1; 0 if the lease has none of that family; -EINVAL for NULL or another family. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_get_subnet(const struct flannel_lease *lease, int family,
					    struct flannel_prefix *ret_prefix);

/**
 * flannel_lease_get_public_ip() - where peers reach the node
 * @lease:      a lease.
 * @family:     AF_INET or AF_INET6.
 * @ret_prefix: set when 1 is returned; length 32 or 128.
 *
 * Return: 1; 0 if the lease has none of that family; -EINVAL for NULL or another family. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_get_public_ip(const struct flannel_lease *lease, int family,
					       struct flannel_prefix *ret_prefix);

/**
 * flannel_lease_get_backend_type() - the node's backend
 * @lease: a lease; NULL gives "".
 *
 * Return: text owned by @lease. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_lease_get_backend_type(const struct flannel_lease *lease);

/**
 * flannel_lease_get_backend_data() - what the node's backend publishes for one family
 * @lease:  a lease.
 * @family: AF_INET or AF_INET6.
 *
 * Return: JSON text owned by @lease, or NULL if there is none. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_lease_get_backend_data(const struct flannel_lease *lease, int family);

/**
 * flannel_lease_get_expires_sec() - the end of the lease
 * @lease: a lease; NULL gives 0.
 *
 * Return: seconds since the epoch; 0 for a reservation, which never ends. Since: 0.1.
 */
FLANNEL_PUBLIC int64_t flannel_lease_get_expires_sec(const struct flannel_lease *lease);

/**
 * flannel_lease_get_revision() - when the store last wrote it
 * @lease: a lease; NULL gives 0.
 *
 * Return: the store's revision number; 0 if it has none. Since: 0.1.
 */
FLANNEL_PUBLIC uint64_t flannel_lease_get_revision(const struct flannel_lease *lease);

/**
 * flannel_lease_equal() - do two leases say the same
 * @a: a lease.
 * @b: a lease.
 *
 * Subnets, public addresses, backend type and data; not expiry and revision.
 *
 * Return: 1 or 0; NULL equals only NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_equal(const struct flannel_lease *a, const struct flannel_lease *b);

/**
 * struct flannel_lease_options - what to ask the store for
 * @size:             sizeof(struct flannel_lease_options).
 * @public_ip:        IPv4 address of this node as text; it is what the store knows the node by. Needed unless
 *                    the network is IPv6 only.
 * @public_ip6:       IPv6 address as text; needed if the network has IPv6.
 * @backend_type:     published; NULL means that of the network configuration.
 * @backend_data:     JSON text published for IPv4; NULL for none.
 * @backend_v6_data:  JSON text published for IPv6; NULL for none.
 * @previous:         IPv4 subnet held before a restart, asked for first; AF_UNSPEC for none.
 * @previous6:        IPv6 subnet likewise.
 * @lease_sec:        lifetime asked for, seconds, 60 to 2592000; 0 means FLANNEL_DEFAULT_LEASE_SEC.
 * @renew_margin_sec: renew this long before the end, seconds, less than the lifetime; 0 means
 *                    FLANNEL_DEFAULT_RENEW_MARGIN_SEC, or half the lifetime if that is shorter.
 * @userdata:         comes back with each event of the request.
 */
struct flannel_lease_options {
	size_t size;
	const char *public_ip;
	const char *public_ip6;
	const char *backend_type;
	const char *backend_data;
	const char *backend_v6_data;
	struct flannel_prefix previous;
	struct flannel_prefix previous6;
	uint32_t lease_sec;
	uint32_t renew_margin_sec;
	void *userdata;
};

/**
 * flannel_lease_acquire() - get this node's subnet, keep it, and hear of the other nodes
 * @context:     context; the request takes a reference.
 * @store:       where leases live; the request takes a reference.
 * @options:     read before return; the caller keeps it.
 * @ret_request: set on success: handle of the running request, owned by the caller.
 *               flannel_request_free() ends renewal and events; the lease itself stays until it expires.
 * @ret_error:   NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Returns at once; drive the context with flannel_context_dispatch(). The network configuration is read from the
 * store (retried each second while there is none). A lease that the store already has for .public_ip is used
 * again if it fits the network; else .previous if it is free and fits; else a free subnet of the range, picked at
 * random. First come PEER_ADDED events for the leases that exist, then LEASE_ACQUIRED, later changes as they
 * happen. A lost lease is asked for again, the same subnet first. Nothing in the kernel changes. Needs no
 * privilege but what the store needs.
 *
 * Return: 0, or negative with nothing changed:
 *   -EINVAL  a parameter is NULL, an address does not parse, a number is out of range, host bits set in .previous
 *   -E2BIG   @options is from a newer header and uses a field this library does not know
 *   -EBUSY   another request already runs on @store
 *   -ENOMEM
 *
 * Since: 0.1. See also: flannel_lease_release().
 */
FLANNEL_PUBLIC int flannel_lease_acquire(struct flannel_context *context, struct flannel_store *store,
					 const struct flannel_lease_options *options,
					 struct flannel_request **ret_request, struct flannel_error **ret_error);

/**
 * flannel_lease_release() - give the subnet back and end the request
 * @request:   a request that acquired a lease.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Returns at once; the end is one FLANNEL_EVENT_LEASE_LOST. The request must still be freed.
 *
 * Return: 0, or negative: -EINVAL (NULL), -ENOENT (no lease held), -ENOMEM, -EIO (the store ended), and what a host's own
 * store says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_lease_release(struct flannel_request *request, struct flannel_error **ret_error);

/**
 * flannel_request_get_lease() - the lease held now
 * @request: a request; NULL gives NULL.
 *
 * Return: the lease, owned by @request until the next dispatch, or NULL if none is held. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_lease *flannel_request_get_lease(const struct flannel_request *request);

/**
 * flannel_request_free() - stop a request
 * @request: a request or NULL. Events of it that were not yet taken are dropped.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_request *flannel_request_free(struct flannel_request *request);

FLANNEL_END_DECLS

#endif
