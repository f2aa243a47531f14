/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* store names become file names: one short lower-case word */
#define NAME_MAX_LEN 32

/* closes a loaded object for FL_CLEANUP */
static void dlclosep(void **handle)
{
	if (*handle)
		dlclose(*handle);
}

/* splits "name:address"; name is written to name[], the address is the rest of uri */
static int uri_parse(const char *uri, char name[NAME_MAX_LEN + 1], const char **ret_address,
		     struct flannel_error **ret_error)
{
	size_t len = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789");

	if (len == 0 || len > NAME_MAX_LEN || uri[len] != ':' || uri[len + 1] == '\0')
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a store's name, a colon and its address, as in "
				    "\"embedded:/var/lib/flannel/leases.db\"",
				    "open store \"%s\"", uri);
	memcpy(name, uri, len);
	name[len] = '\0';
	*ret_address = uri + len + 1;
	return 0;
}

/* -ENOPKG for a module that is missing or does not fit; why is what was found instead */
static int module_unfit(const char *path, const char *name, const char *why, struct flannel_error **ret_error)
{
	char detail[512];

	(void)snprintf(detail, sizeof(detail), "%s; is the package libflannel-store-%s of version %s installed?", why,
		       name, FLANNEL_VERSION);
	return fl_error_set(ret_error, -ENOPKG, "store", detail, "load store module %s", path);
}

/* loads the file and finds its table; the handle stays open */
static int module_load(const char *path, const char *name, void **ret_handle, const struct fl_store_module **ret_module,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(dlclosep) void *handle = NULL;
	const struct fl_store_module *module;
	char why[160];

	if (access(path, F_OK) < 0)
		return module_unfit(path, name, "there is no such file", ret_error);
	/* NODELETE: errors that the module made may outlive the store, and one of them lies in the module itself. */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		const char *text = dlerror();

		return module_unfit(path, name, text ? text : "it cannot be loaded", ret_error);
	}
	module = dlsym(handle, FL_STORE_MODULE_SYMBOL);
	if (!module || !module->version || !module->open)
		return module_unfit(path, name, "it is no store module", ret_error);
	if (strcmp(module->version, FLANNEL_VERSION) != 0) {
		(void)snprintf(why, sizeof(why), "it is of version %.32s, the library of version %s", module->version,
			       FLANNEL_VERSION);
		return module_unfit(path, name, why, ret_error);
	}
	*ret_module = module;
	*ret_handle = FL_TAKE(handle);
	return 0;
}

int fl_store_module_open(const char *directory, const char *uri, const struct fl_log *log,
			 const struct flannel_store_ops **ret_ops, void **ret_impl, void **ret_handle,
			 struct flannel_error **ret_error)
{
	FL_CLEANUP(dlclosep) void *handle = NULL;
	FL_CLEANUP(fl_freep) char *path = NULL;
	const struct fl_store_module *module = NULL;
	char name[NAME_MAX_LEN + 1];
	const char *address = NULL;
	int r;

	r = uri_parse(uri, name, &address, ret_error);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/store-%s.so", directory, name) < 0) {
		path = NULL;
		return fl_error_oom(ret_error);
	}
	r = module_load(path, name, &handle, &module, ret_error);
	if (r < 0)
		return r;
	r = module->open(address, log, ret_ops, ret_impl, ret_error);
	if (r < 0)
		return r;
	*ret_handle = FL_TAKE(handle);
	return 0;
}
