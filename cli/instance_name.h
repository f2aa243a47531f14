/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_INSTANCE_NAME_H
#define CLI_INSTANCE_NAME_H

#include <flannel/error.h>

#include "namespace_lock.h"

#define INSTANCE_NAME_SIZE 16

/* a name among the daemons of a network namespace, for as long as ours runs */
struct instance_name {
	char text[INSTANCE_NAME_SIZE]; /* "": that of the daemon whose tables bear flannel's own names */
	int lock;
	char other[NAMESPACE_LOCK_HOLDER_SIZE]; /* the daemon because of which it was made just now; "": it was not */
};

/*
 * What tables and links bear. wanted: what the operator said; "": the name which the file "instance" in the state directory keeps from an earlier run,
 * or else "", unless another daemon has that: then "auto-" and a number that is made from the path of the state directory,
 * which the file keeps from then on, so that the daemon finds its own things again, whether the other one runs or not.
 * -EBUSY names who has it.
 */
int instance_name_choose(const char *state_dir, const char *wanted, struct instance_name *ret_name,
			 struct flannel_error **ret_error);

#endif
