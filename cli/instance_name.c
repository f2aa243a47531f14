/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance_name.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fingerprint.h"
#include "kept_word.h"
#include "namespace_lock.h"

#define FILE_NAME "instance"

/* locks a name */
static int take(const char *name, int *ret_fd, char *ret_holder, struct flannel_error **ret_error)
{
	char operation[64], detail[200];
	int r = namespace_lock_take("instance", name, ret_fd, ret_holder);

	if (r == 0)
		return 0;
	(void)snprintf(operation, sizeof(operation), "be instance \"%s\"", name);
	if (r != -EBUSY)
		return flannel_error_new(ret_error, r, "instance", operation, NULL, 0);
	(void)snprintf(detail, sizeof(detail),
		       "another flanneld (%s) in this network namespace is; give this one an --instance of its own",
		       ret_holder);
	return flannel_error_new(ret_error, r, "instance", operation, detail, 0);
}

/* the name that follows from where the state is */
static int derive(const char *state_dir, char *ret_name, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *path = realpath(state_dir, NULL);

	if (!path)
		return flannel_error_new(ret_error, -errno, "instance", "find state directory", state_dir, 0);
	(void)snprintf(ret_name, INSTANCE_NAME_SIZE, "auto-%08" PRIx32, (uint32_t)fingerprint(path));
	return kept_word_write(state_dir, FILE_NAME, ret_name, ret_error);
}

int instance_name_choose(const char *state_dir, const char *wanted, struct instance_name *ret_name,
			 struct flannel_error **ret_error)
{
	struct instance_name name = {.lock = -1};
	char holder[NAMESPACE_LOCK_HOLDER_SIZE];
	int r;

	if (*wanted)
		(void)snprintf(name.text, sizeof(name.text), "%s", wanted);
	else
		kept_word_read(AT_FDCWD, state_dir, FILE_NAME, name.text, sizeof(name.text));
	r = take(name.text, &name.lock, holder, *name.text ? ret_error : NULL);
	if (r == -EBUSY && !*name.text) {
		memcpy(name.other, holder, sizeof(name.other));
		r = derive(state_dir, name.text, ret_error);
		if (r == 0)
			r = take(name.text, &name.lock, holder, ret_error);
	}
	if (r == 0)
		*ret_name = name;
	return r;
}
