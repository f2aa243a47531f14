/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_SESSION_H
#define FL_STORE_ADDRESS_SESSION_H

/*
 * One call's time with an address pool: the lock, and an index that can be relied on. What the index says is compared with the
 * files that it names; when it is no good, one look at all files makes it anew. Such a look also clears away what nobody would
 * ever give back: the empty files of writers that were killed, and addresses of an earlier boot.
 *
 * Which those are: every file that we write bears the id of the boot, and a look at all files gives it to those without one. A
 * file that bears another boot's id is from before a reboot, so its container is gone; on a file system that is for one machine,
 * it is removed. A file of this boot never is, whoever wrote it and whatever a clock said: it bears this boot's id, or none. After a
 * reboot there is no index of this boot, so the first call looks at all files.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "domain/ipam/range.h"
#include "store/address/directory.h"
#include "store/address/index.h"
#include "store/boot.h"

struct fl_address_session {
	const struct fl_address_directory *directory;
	struct fl_boot boot;
	struct stat status; /* of the directory when the session began */
	int lock;
	bool is_fresh;   /* all files were looked at in this session */
	bool is_changed; /* something must be written */
	struct fl_address_index index;
	struct fl_address_file file; /* the one that is being looked at */
};

/* addresses of an owner */
struct fl_address_list {
	struct flannel_prefix *addresses;
	size_t n;
	size_t n_allocated;
};

void fl_address_list_clear(struct fl_address_list *list);

/* Takes the lock and finds an index to work with; fl_address_session_end() follows, whatever this returns. */
int fl_address_session_begin(struct fl_address_session *session, const struct fl_address_directory *directory,
			     const struct fl_boot *boot, struct flannel_error **ret_error);

/* the same for a call that looks at all files anyway: fl_address_session_scan() must come first */
int fl_address_session_begin_blind(struct fl_address_session *session, const struct fl_address_directory *directory,
				   const struct fl_boot *boot, struct flannel_error **ret_error);

/* writes the index and gives the lock back */
void fl_address_session_end(struct fl_address_session *session);

/* Looks at all files, unless that was done already. keep, which may be NULL: an owner's file is removed if it says no.
 * Returns how many of those there were. */
int fl_address_session_scan(struct fl_address_session *session,
			    bool (*keep)(const void *userdata, const struct fl_address_file *file),
			    const void *userdata, struct flannel_error **ret_error);

/* an owner's addresses whose files say so: FL_ADDRESS_OWNED or FL_ADDRESS_LEGACY; sorted */
int fl_address_session_find(struct fl_address_session *session, const struct fl_address_owner *owner,
			    enum fl_address_match match, struct fl_address_list *ret_list,
			    struct flannel_error **ret_error);

/* fl_address_directory_create(), _rewrite() and _remove(), of which the index learns */
int fl_address_session_create(struct fl_address_session *session, const struct flannel_prefix *address,
			      const struct fl_address_owner *owner, struct flannel_error **ret_error);
int fl_address_session_rewrite(struct fl_address_session *session, const struct flannel_prefix *address,
			       const struct fl_address_owner *owner, enum fl_address_match match,
			       struct flannel_error **ret_error);
int fl_address_session_remove(struct fl_address_session *session, const struct flannel_prefix *address,
			      const struct fl_address_owner *owner, enum fl_address_match match,
			      struct flannel_error **ret_error);

/* may there be files with an earlier boot's mark that could not be removed */
bool fl_address_session_has_old(const struct fl_address_session *session);

/* the next candidate of a walk that is not known to be taken: 1, or 0 at its end */
int fl_address_session_next_free(struct fl_address_session *session, struct fl_range_walk *walk,
				 struct flannel_prefix *ret_address, struct flannel_prefix *ret_gateway);

/* has a set a free address: 1 or 0 */
int fl_address_session_has_free(struct fl_address_session *session, const struct flannel_address_range *ranges,
				size_t n_ranges, uint32_t set, struct flannel_error **ret_error);

/* an address is taken, although it seemed to be free */
void fl_address_session_set_taken(struct fl_address_session *session, const struct flannel_prefix *address);

#endif
