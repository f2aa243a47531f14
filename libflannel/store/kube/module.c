/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/module.h"

#include <errno.h>

#include "store/kube/kube.h"

/* the table's free */
static void module_free(void *impl)
{
	(void)fl_kube_free(impl);
}

static const struct flannel_store_ops ops = {
	.size = sizeof(ops),
	.name = "kube",
	.free = module_free,
	.get_fd = fl_kube_get_fd,
	.dispatch = fl_kube_dispatch,
	.next = fl_kube_next,
	.watch = fl_kube_watch,
	.get_config = fl_kube_get_config,
	.put_config = fl_kube_put_config,
	.create = fl_kube_create,
	.update = fl_kube_update,
	.remove = fl_kube_remove,
	.get_assigned = fl_kube_get_assigned,
	.set_ready = fl_kube_set_ready,
};

/* opens the cluster that the URI leads to */
static int module_open(const char *address, const struct fl_log *log, const struct flannel_store_ops **ret_ops,
		       void **ret_impl, struct flannel_error **ret_error)
{
	struct fl_kube *store = NULL;
	int r;

	r = fl_kube_open(address, NULL, log, &store, ret_error);
	if (r < 0)
		return r;
	*ret_ops = &ops;
	*ret_impl = store;
	return 0;
}

extern const struct fl_store_module flannel_store_module FLANNEL_PUBLIC;

const struct fl_store_module flannel_store_module = {.version = FLANNEL_VERSION, .open = module_open};
