/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <flannel/sysctl.h>
#include <string.h>

#include "base/error.h"
#include "domain/pod/sysctl.h"
#include "engine/context.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

/* settings are those of the calling thread's namespace, so the context's is visited: what is done there */
struct visit {
	const char *name;
	const char *value; /* to be written */
	char *buf;         /* to be read into */
	size_t buf_size;
};

static int read_there(void *userdata, struct flannel_error **ret_error)
{
	const struct visit *visit = userdata;

	return fl_sysctl_read(FL_SYSCTL_ROOT, visit->name, visit->buf, visit->buf_size, ret_error);
}

static int write_there(void *userdata, struct flannel_error **ret_error)
{
	const struct visit *visit = userdata;

	return fl_sysctl_set(visit->name, visit->value, ret_error);
}

/* the name of a setting that a host gave */
static int check_name(const char *name, struct flannel_error **ret_error)
{
	if (fl_sysctl_name_is_public(name))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument",
			    "expected a path below net/, such as net/ipv4/conf/eth0/arp_notify",
			    "check setting \"%.*s\"", FLANNEL_SYSCTL_NAME_MAX, name);
}

int flannel_sysctl_read(struct flannel_context *context, const char *name, char *buf, size_t buf_size,
			struct flannel_error **ret_error)
{
	struct visit visit = {.name = name, .buf = buf, .buf_size = buf_size};
	int r;

	if (!context || !name || !buf)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "read a setting");
	r = check_name(name, ret_error);
	return r < 0 ? r : fl_netns_run(context->netns_fd, context->single_threaded, read_there, &visit, ret_error);
}

int flannel_sysctl_ensure(struct flannel_context *context, const char *name, const char *value,
			  struct flannel_error **ret_error)
{
	struct visit visit = {.name = name, .value = value};
	int r;

	if (!context || !name || !value)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "write a setting");
	r = check_name(name, ret_error);
	if (r < 0)
		return r;
	if (strnlen(value, FLANNEL_SYSCTL_VALUE_SIZE) == FLANNEL_SYSCTL_VALUE_SIZE)
		return fl_error_set(ret_error, -EINVAL, "argument", "the value is longer than 4095 bytes", "set %s",
				    name);
	return fl_netns_run(context->netns_fd, context->single_threaded, write_there, &visit, ret_error);
}

int flannel_sysctl_equal(const char *a, const char *b)
{
	return a && b && fl_sysctl_values_equal(a, b);
}
