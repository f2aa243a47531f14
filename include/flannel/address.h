/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_ADDRESS_H
#define FLANNEL_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/attachment_id.h>
#include <flannel/error.h>
#include <flannel/export.h>
#include <flannel/prefix.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: address.h - which container has which address on this node
 *
 * A pool is a directory with one file per allocated address, the format of the CNI plugin host-local, so that both can
 * work on it at the same time. Calls are immediate and serialised between processes by a lock file. They need
 * no context, and no privilege but write access to the directory.
 *
 * What a call costs does not depend on how many addresses are allocated: an index in /run/flannel/host-local says whose addresses
 * are where. It is made again from the files whenever another program has changed the directory, or it is missing; that the index
 * is current shows in the directory's modification time, which is set two seconds back. Where it cannot be kept all
 * is the same but the costs.
 *
 * Containers do not outlive the kernel. Each file bears the boot id in its extended attribute user.flannel.boot; those that other
 * programs make get it when a call looks at them. A file with another boot's id is given back after a reboot, unless
 * the directory is on a file system that machines share. Systems with different boot ids must not use one directory at the same time. Who
 * has lost count otherwise calls flannel_address_pool_gc().
 */

struct flannel_address_pool;

/**
 * struct flannel_address_range - addresses that may be given out
 * @size:    sizeof(struct flannel_address_range).
 * @subnet:  network, host bits zero, at most 30 bits long (IPv6: 126).
 * @start:   first address; AF_UNSPEC means the second address of @subnet.
 * @end:     last address; AF_UNSPEC means the last of @subnet, without IPv4's broadcast address.
 * @gateway: address that is never given out; AF_UNSPEC means the second address of @subnet.
 * @set:     ranges with the same number are one set; one address is allocated from each set. Sets are
 *           numbered from 0 without gaps, and the ranges of a set stand together.
 */
struct flannel_address_range {
	size_t size;
	struct flannel_prefix subnet;
	struct flannel_prefix start;
	struct flannel_prefix end;
	struct flannel_prefix gateway;
	uint32_t set;
};

/**
 * struct flannel_address - an allocated address
 * @size:    sizeof(struct flannel_address).
 * @address: the address with the length of its network.
 * @gateway: the gateway of its range, as an address.
 * @is_new:  from flannel_address_pool_allocate(): 1 if that call allocated it, 0 if the owner had it before. Whoever takes an
 *           allocation back because of what failed later looks here; elsewhere it has no meaning.
 */
struct flannel_address {
	size_t size;
	struct flannel_prefix address;
	struct flannel_prefix gateway;
	uint32_t is_new;
};

/**
 * flannel_address_ranges_check() - validate ranges and fill in their defaults
 * @ranges:    changed in place: defaults filled in. Each element's .size must be exactly that of its struct.
 * @n_ranges:  at least 1.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or -EINVAL; the message names the set's number and the rule: subnet missing, host bits set (with the
 * right address), too small, start or end outside, start after end, families mixed in a set, overlap within a
 * set or between sets. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_ranges_check(struct flannel_address_range *ranges, size_t n_ranges,
						struct flannel_error **ret_error);

/**
 * flannel_address_pool_open() - open a pool, making its directory if missing
 * @directory: path, such as /var/lib/cni/networks/cbr0; made with mode 0755.
 * @ret_pool:  set on success; owned by the caller, see flannel_address_pool_free().
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative: -EINVAL, -ENOMEM, and what the file system says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_open(const char *directory, struct flannel_address_pool **ret_pool,
					     struct flannel_error **ret_error);

/**
 * flannel_address_pool_free() - close a pool; allocations stay
 * @pool: a pool or NULL.
 *
 * Return: always NULL. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_address_pool *flannel_address_pool_free(struct flannel_address_pool *pool);

/**
 * struct flannel_address_request - what one attachment needs
 * @size:         sizeof(struct flannel_address_request).
 * @container_id: identity of the container.
 * @ifname:       interface name in the container; both together own the addresses.
 * @ranges:       checked by flannel_address_ranges_check().
 * @n_ranges:     at least 1.
 * @wanted:       addresses asked for by value (their lengths do not count); each must lie in one of the sets.
 * @n_wanted:     how many; 0 means any.
 */
struct flannel_address_request {
	size_t size;
	const char *container_id;
	const char *ifname;
	const struct flannel_address_range *ranges;
	size_t n_ranges;
	const struct flannel_prefix *wanted;
	size_t n_wanted;
};

/**
 * flannel_address_pool_allocate() - take one address from each set
 * @pool:          a pool.
 * @request:       read before return.
 * @ret_addresses: at least as many elements as there are sets; filled in order of the sets.
 * @ret_error:     NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Addresses are given out in turn: a freed one is used again only after all others of its set. An owner that has an address of a set
 * already is given that one again (the lowest, if it has several), unless it asks for another by value. So a call can be repeated
 * when it is not known how the first one ended.
 *
 * A file of a very old version, which names the container only, counts as the owner's; from then on it names the interface, too.
 *
 * Return: the number of addresses (that of the sets), or negative with what this call allocated taken back; addresses that
 * the owner had before stay:
 *   -EINVAL   bad parameter; a wanted address is a gateway or in no set
 *   -EADDRINUSE  a wanted address is taken, be it by the owner itself
 *   -ENOSPC   a set is exhausted (or the disk is full; the message tells)
 *   -ENOMEM, and what the file system says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_allocate(struct flannel_address_pool *pool,
						 const struct flannel_address_request *request,
						 struct flannel_address *ret_addresses,
						 struct flannel_error **ret_error);

/**
 * flannel_address_pool_release() - give back all addresses of an owner
 * @pool:         a pool.
 * @container_id: identity of the container.
 * @ifname:       interface name in the container.
 * @ret_error:    NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: how many were given back, 0 if there were none, or negative: -EINVAL, and what the file system says.
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_release(struct flannel_address_pool *pool, const char *container_id,
						const char *ifname, struct flannel_error **ret_error);

/**
 * flannel_address_pool_count() - how many addresses an owner has
 * @pool:         a pool.
 * @container_id: identity of the container.
 * @ifname:       interface name in the container.
 * @ret_error:    NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: the number, or negative: -EINVAL, and what the file system says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_count(struct flannel_address_pool *pool, const char *container_id,
					      const char *ifname, struct flannel_error **ret_error);

/**
 * flannel_address_pool_gc() - give back the addresses of all owners but these
 * @pool:      a pool.
 * @valid:     attachments that still exist; may be NULL if @n_valid is 0. Elements have exactly the size of their struct.
 * @n_valid:   how many; 0 gives back all addresses.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A file of a very old version, which names the container only, stays if any attachment of that container is in the list. Looks at
 * every file; the time grows with the number of addresses, times the logarithm of @n_valid.
 *
 * Return: how many were given back, or negative: -EINVAL (an element without container id or interface name, or of a
 * wrong size), -E2BIG, -ENOMEM, and what the file system says; addresses given back until then stay so. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_gc(struct flannel_address_pool *pool, const struct flannel_attachment_id *valid,
					   size_t n_valid, struct flannel_error **ret_error);

/**
 * flannel_address_pool_check() - could an address of each set be allocated now
 * @directory: path of a pool's directory, which need not exist.
 * @ranges:    checked by flannel_address_ranges_check(); may be NULL if @n_ranges is 0.
 * @n_ranges:  how many; 0 looks at the directory only.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Makes no directory: one that is missing could be made if its nearest existing parent can be written to, and has all addresses
 * free. Where all addresses of a set seem to be taken, those of earlier boots are given back first.
 *
 * Return: 0, or negative: -EINVAL, -ENOMEM, -ENOSPC (a set is exhausted, or the file system is full; the message tells), -EACCES, -EROFS,
 * -ENOTDIR and what else the file system says. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_address_pool_check(const char *directory, const struct flannel_address_range *ranges,
					      size_t n_ranges, struct flannel_error **ret_error);

FLANNEL_END_DECLS

#endif
