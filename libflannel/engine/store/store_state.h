/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_STORE_STATE_H
#define FL_ENGINE_STORE_STATE_H

/* The inside of a store, shared by its files: store.c (messages and requests), store_open.c (how one is opened, now or later). */

#include "engine/store/store.h"

/* what is known of a store that is not open yet */
struct fl_store_unopened {
	char *uri;
	struct flannel_error *error; /* why it is not */
	struct fl_source *timer;
	uint64_t delay_ns;
	uint64_t asked; /* number of the request for the configuration that waits for it; 0: none */
	bool is_told;   /* its user knows */
};

struct flannel_store {
	unsigned int n_refs; /* atomic */
	struct flannel_context *context;
	struct flannel_store_ops ops;
	void *impl;   /* NULL: it is not open */
	void *module; /* dlopen handle, NULL for a host's store */
	char *name;
	char *identity;                     /* see fl_store_get_identity() */
	struct fl_store_unopened *unopened; /* NULL: it is open */
	struct fl_source *readable;
	struct fl_source *wake;
	fl_store_fn fn;
	void *userdata;
	uint64_t last_request;
	bool has_ended; /* it said that it cannot go on */
};

/* the store's descriptor is readable, or messages may wait after a request */
void fl_store_on_ready(void *userdata, uint32_t events);

/* nothing is asked of a store that cannot go on, or is not open */
int fl_store_check_alive(const struct flannel_store *store, struct flannel_error **ret_error);

/* after a request: messages may wait without the descriptor being readable */
int fl_store_requested(struct flannel_store *store, int r, uint64_t *ret_request, struct flannel_error **ret_error);

/* its user hears something of it; takes over nothing */
void fl_store_tell(struct flannel_store *store, int type, struct flannel_error *error);

/* it is open, or never will be */
void fl_store_forget_unopened(struct flannel_store *store);

#endif
