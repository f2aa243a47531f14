/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_MODULE_H
#define FL_STORE_MODULE_H

/*
 * Stores that need libraries of their own are shared objects, loaded on demand: P/lib/flannel/store-NAME.so. Each
 * carries its own hidden copy of base and domain and exports the one symbol below, so it works with the
 * shared and the static library alike; both sides must be of the same version.
 */

#include <flannel/store.h>

#include "base/error.h"
#include "base/log.h"

#define FL_STORE_MODULE_SYMBOL "flannel_store_module"

struct fl_store_module {
	const char *version; /* FLANNEL_VERSION of the build */
	/* address: what follows "name:" in the URI. log is copied. */
	int (*open)(const char *address, const struct fl_log *log, const struct flannel_store_ops **ret_ops,
		    void **ret_impl, struct flannel_error **ret_error);
};

/*
 * Loads directory/store-NAME.so for a URI "name:address" and opens the store. *ret_handle: for dlclose(3) after .free.
 * Return: 0, or -EINVAL (no URI of that form), -ENOPKG (no such module, one that cannot be loaded or of another
 * version; the message names file and package), -ENOMEM, and what the module's open says.
 */
int fl_store_module_open(const char *directory, const char *uri, const struct fl_log *log,
			 const struct flannel_store_ops **ret_ops, void **ret_impl, void **ret_handle,
			 struct flannel_error **ret_error);

#endif
