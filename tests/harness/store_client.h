/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_TESTS_STORE_CLIENT_H
#define FL_TESTS_STORE_CLIENT_H

/*
 * A store as a test uses it: loads the module, asks through its table of functions, waits for the answer. Writes what other nodes
 * or an operator would have written. A failure ends the program.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flannel/flannel.h>

#include "store/module.h"
#include "store/queue.h"

#define STORE_CLIENT_PATIENCE_MS 10000

struct store_client {
	const struct flannel_store_ops *ops;
	void *impl;
	void *handle;
	uint64_t number;
};

/* ends the program with a sentence */
static inline void __attribute__((noreturn)) store_client_die(const char *what, struct flannel_error *error)
{
	fprintf(stderr, "store client: %s: %s\n", what, flannel_error_get_message(error));
	abort();
}

/* opens the embedded store at a path */
static inline void store_client_open(struct store_client *client, const char *module_dir, const char *path)
{
	struct flannel_error *error = NULL;
	char uri[512];

	*client = (struct store_client){0};
	snprintf(uri, sizeof(uri), "embedded:%s", path);
	if (fl_store_module_open(module_dir, uri, NULL, &client->ops, &client->impl, &client->handle, &error) < 0)
		store_client_die(path, error);
}

static inline void store_client_close(struct store_client *client)
{
	client->ops->free(client->impl);
	client->impl = NULL;
}

/* the next message, waiting for it; to be cleared by the caller */
static inline struct flannel_store_message store_client_next(struct store_client *client)
{
	struct flannel_store_message message = {.size = sizeof(message)};
	struct flannel_error *error = NULL;

	while (client->ops->next(client->impl, &message) == 0) {
		struct pollfd fd = {.fd = client->ops->get_fd(client->impl), .events = POLLIN};
		int r = client->ops->dispatch(client->impl, &error);

		if (r < 0)
			store_client_die("dispatch", error);
		if (client->ops->next(client->impl, &message) > 0)
			break;
		if (r == 0 && poll(&fd, 1, STORE_CLIENT_PATIENCE_MS) == 0)
			store_client_die("there is no answer", NULL);
	}
	return message;
}

/* the answer's code; r is what the request's function returned */
static inline int store_client_answer(struct store_client *client, int r)
{
	struct flannel_store_message message;
	int code;

	if (r < 0)
		return r;
	do {
		message = store_client_next(client);
		code = message.code;
		fl_store_message_clear(&message);
	} while (message.request != client->number);
	return code;
}

/* a lease from flannel's key and value */
static inline struct flannel_lease *store_client_lease(const char *key, const char *value)
{
	struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;

	if (flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, &error) < 0)
		store_client_die(key, error);
	return lease;
}

/* writes a lease, whether there is one or not; 0 seconds: for ever. 0 or negative errno. */
static inline int store_client_put(struct store_client *client, const char *key, const char *value, uint32_t lease_sec)
{
	struct flannel_lease *lease = store_client_lease(key, value);
	int r = client->ops->update(client->impl, ++client->number, lease, lease_sec, NULL);

	r = store_client_answer(client, r);
	if (r == -ENOENT) {
		r = client->ops->create(client->impl, ++client->number, lease, lease_sec, NULL);
		r = store_client_answer(client, r);
	}
	flannel_lease_unref(lease);
	return r;
}

static inline int store_client_remove(struct store_client *client, const char *key, const char *value)
{
	struct flannel_lease *lease = store_client_lease(key, value);
	int r = client->ops->remove(client->impl, ++client->number, lease, NULL);

	r = store_client_answer(client, r);
	flannel_lease_unref(lease);
	return r;
}

static inline int store_client_put_config(struct store_client *client, const char *text)
{
	return store_client_answer(client, client->ops->put_config(client->impl, ++client->number, text, NULL));
}

/* calls fn for each lease that there is */
static inline void store_client_list(struct store_client *client,
				     void (*fn)(void *userdata, struct flannel_lease *lease), void *userdata)
{
	struct flannel_error *error = NULL;
	int type;

	if (client->ops->watch(client->impl, &error) < 0)
		store_client_die("watch", error);
	do {
		struct flannel_store_message message = store_client_next(client);

		type = message.type;
		if (type == FLANNEL_STORE_LEASE)
			fn(userdata, message.lease);
		fl_store_message_clear(&message);
	} while (type != FLANNEL_STORE_SNAPSHOT_END);
}

/* what store_client_find() looks for */
struct store_client_search {
	const char *key;
	struct flannel_lease *found;
};

static inline void store_client_compare(void *userdata, struct flannel_lease *lease)
{
	struct store_client_search *search = userdata;
	char key[2 * FLANNEL_PREFIX_STRLEN];

	if (strcmp(flannel_lease_format_key(lease, key, sizeof(key)), search->key) == 0)
		search->found = flannel_lease_ref(lease);
}

/* the lease with a key, owned by the caller; NULL if there is none */
static inline struct flannel_lease *store_client_find(struct store_client *client, const char *key)
{
	struct store_client_search search = {.key = key};

	store_client_list(client, store_client_compare, &search);
	return search.found;
}

#endif
