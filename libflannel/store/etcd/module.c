/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/module.h"

#include <errno.h>

#include "store/etcd/etcd.h"

/* the table's free */
static void module_free(void *impl)
{
	(void)fl_etcd_free(impl);
}

static const struct flannel_store_ops ops = {
	.size = sizeof(ops),
	.name = "etcd",
	.free = module_free,
	.get_fd = fl_etcd_get_fd,
	.dispatch = fl_etcd_dispatch,
	.next = fl_etcd_next,
	.watch = fl_etcd_watch,
	.get_config = fl_etcd_get_config,
	.put_config = fl_etcd_put_config,
	.create = fl_etcd_create,
	.update = fl_etcd_update,
	.remove = fl_etcd_remove,
	.set_config = fl_etcd_set_config,
};

/* opens the cluster that the URI names */
static int module_open(const char *address, const struct fl_log *log, const struct flannel_store_ops **ret_ops,
		       void **ret_impl, struct flannel_error **ret_error)
{
	struct fl_etcd *store = NULL;
	int r;

	r = fl_etcd_open(address, NULL, log, &store, ret_error);
	if (r < 0)
		return r;
	*ret_ops = &ops;
	*ret_impl = store;
	return 0;
}

extern const struct fl_store_module flannel_store_module FLANNEL_PUBLIC;

const struct fl_store_module flannel_store_module = {.version = FLANNEL_VERSION, .open = module_open};
