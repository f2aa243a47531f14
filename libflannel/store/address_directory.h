/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_DIRECTORY_H
#define FL_STORE_ADDRESS_DIRECTORY_H

/*
 * The files of an address pool, as the CNI plugin host-local has them: one per address, named by it, with "container id CR LF
 * interface"; last_reserved_ip.N with the address that set N gave out last; and "lock". Nothing is synced: after a crash of
 * the machine its containers are gone, too. Everything but opening is done with the lock held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

#include "base/error.h"

struct fl_address_directory {
	int fd;
	char *path; /* for messages */
};

/* who has an address */
struct fl_address_owner {
	const char *container_id; /* blanks around it do not count */
	const char *ifname;
};

/* addresses that belong to an owner */
struct fl_address_list {
	struct flannel_prefix *addresses;
	size_t n;
	size_t n_allocated;
};

/* makes the directory (0755) with its parents if it is missing */
int fl_address_directory_open(const char *path, struct fl_address_directory *ret_directory,
			      struct flannel_error **ret_error);
void fl_address_directory_close(struct fl_address_directory *directory);

/* waits for the lock; closing *ret_fd gives it back */
int fl_address_directory_lock(const struct fl_address_directory *directory, int *ret_fd,
			      struct flannel_error **ret_error);

/* Writes the owner's file of an address. -EEXIST (without an error object) if the address is taken; on any other failure
 * there is no file. */
int fl_address_directory_create(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				const struct fl_address_owner *owner, struct flannel_error **ret_error);

/* 1 removed, 0 was not there */
int fl_address_directory_remove(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				struct flannel_error **ret_error);

/* One pass over all files: the owner's addresses, and those whose file names the container only (as very old versions wrote
 * it). Files that cannot be read or that vanish are passed over. */
int fl_address_directory_scan(const struct fl_address_directory *directory, const struct fl_address_owner *owner,
			      struct fl_address_list *ret_owned, struct fl_address_list *ret_legacy,
			      struct flannel_error **ret_error);

void fl_address_list_clear(struct fl_address_list *list);

/* the address that a set gave out last; AF_UNSPEC if that is not known */
struct flannel_prefix fl_address_directory_get_last(const struct fl_address_directory *directory, uint32_t set);
int fl_address_directory_set_last(const struct fl_address_directory *directory, uint32_t set,
				  const struct flannel_prefix *address, struct flannel_error **ret_error);

#endif
