/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/loop.h"
#include "store/module.h"
#include "store/queue.h"

static char directory[64];

static void setup(void)
{
	(void)snprintf(directory, sizeof(directory), "/tmp/fl-module-XXXXXX");
	cr_assert(mkdtemp(directory));
}

/* what the tests here make, by name */
static void teardown(void)
{
	static const char *const names[] = {"store-embedded.so", "store-other.so", "store-text.so", "leases.db"};
	char path[128];

	for (size_t i = 0; i < FL_N_ELEMENTS(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		(void)unlink(path);
	}
	cr_assert_eq(rmdir(directory), 0);
}

TestSuite(store_module, .init = setup, .fini = teardown);

/* opens it and expects it to fail; text must be in the message */
static void expect_failure(const char *module_dir, const char *uri, int code, const char *text)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const struct flannel_store_ops *ops = NULL;
	void *impl = NULL, *handle = NULL;

	cr_expect_eq(fl_store_module_open(module_dir, uri, NULL, &ops, &impl, &handle, &error), code, "%s: %s", uri,
		     flannel_error_get_message(error));
	cr_expect(strstr(flannel_error_get_message(error), text), "%s: %s", uri, flannel_error_get_message(error));
	cr_expect(!ops && !impl && !handle, "%s: failure touches no result", uri);
}

Test(store_module, bad_uri)
{
	static const char *const uris[] = {"",
					   "embedded",
					   "embedded:",
					   ":/tmp/x",
					   "Embedded:/tmp/x",
					   "../etc:x",
					   "em bedded:/x",
					   "/tmp/x.db",
					   "emb/edded:/x",
					   "-embedded:/x",
					   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz:/x"};

	for (size_t i = 0; i < FL_N_ELEMENTS(uris); i++)
		expect_failure(TEST_MODULE_DIR, uris[i], -EINVAL, "embedded:/var/lib/flannel/leases.db");
}

Test(store_module, missing)
{
	expect_failure(directory, "embedded:/tmp/x", -ENOPKG, "libflannel-store-embedded");
	expect_failure(directory, "embedded:/tmp/x", -ENOPKG, directory);
	expect_failure(TEST_MODULE_DIR, "nosuch:/tmp/x", -ENOPKG, "store-nosuch.so");
}

/* files that are there, but are no modules */
Test(store_module, no_module)
{
	char path[128];
	Dl_info sqlite;

	(void)snprintf(path, sizeof(path), "%s/store-text.so", directory);
	cr_assert_eq(fl_file_write_atomic(path, "no ELF", 6, 0644, NULL), 0);
	expect_failure(directory, "text:/tmp/x", -ENOPKG, "store-text.so");

	/* some library */
	cr_assert_neq(dladdr((void *)(uintptr_t)dlopen, &sqlite), 0);
	(void)snprintf(path, sizeof(path), "%s/store-other.so", directory);
	cr_assert_eq(symlink(sqlite.dli_fname, path), 0);
	expect_failure(directory, "other:/tmp/x", -ENOPKG, "it is no store module");
}

/* a module of another version, made by changing the text in a copy of ours */
Test(store_module, other_version)
{
	FL_CLEANUP(fl_freep) char *image = NULL;
	char path[128], other[sizeof(FLANNEL_VERSION)];
	size_t len, n = 0;

	(void)snprintf(path, sizeof(path), "%s/store-embedded.so", TEST_MODULE_DIR);
	cr_assert_eq(fl_file_read(path, 256 << 20, &image, &len, NULL), 0);
	memset(other, '9', sizeof(other));
	other[sizeof(other) - 1] = '\0';
	for (size_t i = 0; i + sizeof(other) <= len; i++) {
		if (memcmp(image + i, FLANNEL_VERSION, sizeof(other)) != 0)
			continue;
		memcpy(image + i, other, sizeof(other));
		n++;
	}
	cr_assert_gt(n, 0);
	(void)snprintf(path, sizeof(path), "%s/store-embedded.so", directory);
	cr_assert_eq(fl_file_write_atomic(path, image, len, 0755, NULL), 0);
	expect_failure(directory, "embedded:/tmp/x", -ENOPKG, other);
	expect_failure(directory, "embedded:/tmp/x", -ENOPKG, FLANNEL_VERSION);
}

/* what the module's own open says comes through */
Test(store_module, module_refuses)
{
	char uri[128];

	(void)snprintf(uri, sizeof(uri), "embedded:%s", directory);
	expect_failure(TEST_MODULE_DIR, uri, -EISDIR, directory);
}

/* from loading to closing, through the table alone; what the module made outlives it */
Test(store_module, works)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	const struct flannel_store_ops *ops = NULL;
	struct flannel_error *error = NULL;
	void *impl = NULL, *handle = NULL;
	struct flannel_lease *lease;
	struct pollfd fd = {.events = POLLIN};
	char uri[128];

	(void)snprintf(uri, sizeof(uri), "embedded:%s/leases.db", directory);
	cr_assert_eq(fl_store_module_open(TEST_MODULE_DIR, uri, NULL, &ops, &impl, &handle, &error), 0, "%s",
		     flannel_error_get_message(error));
	cr_assert_eq(ops->size, sizeof(*ops));
	cr_assert_str_eq(ops->name, "embedded");
	cr_assert_eq(flannel_lease_parse("10.5.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}", 24, 0, 0, &lease, NULL), 0);
	cr_assert_eq(ops->create(impl, 1, lease, 60, NULL), 0);
	cr_assert_eq(ops->create(impl, 2, lease, 60, NULL), 0);
	fd.fd = ops->get_fd(impl);
	cr_assert_eq(poll(&fd, 1, 10000), 1);
	cr_assert_eq(ops->dispatch(impl, NULL), 0);
	cr_assert_eq(ops->next(impl, &message), 1);
	cr_assert_eq(message.code, 0);
	cr_assert(flannel_lease_equal(message.lease, lease));
	fl_store_message_clear(&message);
	cr_assert_eq(ops->next(impl, &message), 1);
	cr_assert_eq(message.code, -EEXIST);
	cr_assert_eq(ops->remove(impl, 3, lease, NULL), 0);
	ops->free(impl);
	dlclose(handle);
	cr_assert(strstr(flannel_error_get_message(message.error), "192.0.2.1"));
	fl_store_message_clear(&message);
	flannel_lease_unref(lease);

	/* and it does not matter that it was there before */
	cr_assert_eq(fl_store_module_open(TEST_MODULE_DIR, uri, NULL, &ops, &impl, &handle, &error), 0);
	ops->free(impl);
	dlclose(handle);
}
