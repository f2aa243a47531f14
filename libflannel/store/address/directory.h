/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_DIRECTORY_H
#define FL_STORE_ADDRESS_DIRECTORY_H

/*
 * The files of an address pool, as the CNI plugin host-local has them: one per address, named by it, with "container id CR LF
 * interface"; last_reserved_ip.N with the address that set N gave out last; and "lock". Nothing is synced: after a crash of
 * the machine its containers are gone, too. Everything but opening is done with the lock held.
 *
 * Which run of the kernel a file is from stands in its extended attribute user.flannel.boot, 16 bytes, where the file system has
 * such. So what a file says of its age stays with it, does not depend on a clock, and is in no other program's way.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <flannel/prefix.h>

#include "base/error.h"
#include "store/boot.h"

struct fl_address_directory {
	int fd;
	char *path; /* for messages */
};

/* what a file may hold, and one more byte than that */
#define FL_ADDRESS_TEXT_MAX 4096

/* who has an address: the text of its file, which very old versions wrote without the interface */
struct fl_address_owner {
	char *text; /* container id, CR LF, interface, without blanks around it */
	size_t len;
	size_t id_len; /* how much of it is the container id */
};

/* blanks around the container id do not count */
int fl_address_owner_init(struct fl_address_owner *owner, const char *container_id, const char *ifname);
void fl_address_owner_clear(struct fl_address_owner *owner);

/* a file in the directory, as it was read */
struct fl_address_file {
	struct flannel_prefix address; /* by its name */
	bool is_readable;              /* a regular file with a text of that size; else only its name counts */
	size_t len;                    /* of the text without blanks around it */
	size_t id_len;                 /* up to the first CR LF, or all */
	bool is_old;                   /* it bears another boot's mark; from a scan only */
	char text[FL_ADDRESS_TEXT_MAX];
};

enum fl_address_match { FL_ADDRESS_NO_MATCH, FL_ADDRESS_OWNED, FL_ADDRESS_LEGACY /* names the container only */ };

/* whose is it */
enum fl_address_match fl_address_file_match(const struct fl_address_file *file, const struct fl_address_owner *owner);

/* makes the directory (0755) with its parents if it is missing */
int fl_address_directory_open(const char *path, struct fl_address_directory *ret_directory,
			      struct flannel_error **ret_error);
void fl_address_directory_close(struct fl_address_directory *directory);

/* waits for the lock; closing *ret_fd gives it back */
int fl_address_directory_lock(const struct fl_address_directory *directory, int *ret_fd,
			      struct flannel_error **ret_error);

/* Writes the owner's file of an address, with this boot's mark. -EEXIST (without an error object) if the address is taken; on any
 * other failure there is no file. */
int fl_address_directory_create(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				const struct fl_address_owner *owner, const struct fl_boot *boot,
				struct flannel_error **ret_error);

/* writes the owner over what is in an address's file, which then names the interface and bears this boot's mark */
int fl_address_directory_rewrite(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				 const struct fl_address_owner *owner, const struct fl_boot *boot,
				 struct flannel_error **ret_error);

/* gives an address's file this boot's mark, whatever it bore */
void fl_address_directory_mark(const struct fl_address_directory *directory, const struct flannel_prefix *address,
			       const struct fl_boot *boot);

/* 1 removed, 0 was not there */
int fl_address_directory_remove(const struct fl_address_directory *directory, const struct flannel_prefix *address,
				struct flannel_error **ret_error);

/* reads the file of an address; false if there is none that can be opened */
bool fl_address_directory_read(const struct fl_address_directory *directory, const struct flannel_prefix *address,
			       struct fl_address_file *ret_file);

/* One pass over all files that have an address for a name; those without a mark get this boot's, since they cannot be from a later
 * one. function returns 0, or a negative errno that ends it; what it does to files has no influence on what comes. */
int fl_address_directory_scan(const struct fl_address_directory *directory, const struct fl_boot *boot,
			      int (*function)(void *userdata, const struct fl_address_file *file), void *userdata,
			      struct flannel_error **ret_error);

/* where a set's search goes on: the file with the address that it gave out last */
struct fl_address_position {
	int fd; /* -1: there is no file yet */
	size_t len;
	struct flannel_prefix last; /* AF_UNSPEC if it is not known */
};

/* never fails: a position that cannot be read is none */
void fl_address_position_open(const struct fl_address_directory *directory, uint32_t set,
			      struct fl_address_position *ret_position);
void fl_address_position_close(struct fl_address_position *position);

/* on failure the position may be lost, which just starts the next search from the front */
int fl_address_position_set(struct fl_address_position *position, const struct fl_address_directory *directory,
			    uint32_t set, const struct flannel_prefix *address, struct flannel_error **ret_error);

#endif
