/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_EMBEDDED_REQUEST_H
#define FL_EMBEDDED_REQUEST_H

/* A request that waits for its turn, and then its reply, which waits for being told. */

#include <stdbool.h>

#include "store/embedded/leases.h"
#include "store/queue.h"

enum fl_store_request_type {
	FL_STORE_REQUEST_GET_CONFIG,
	FL_STORE_REQUEST_PUT_CONFIG,
	FL_STORE_REQUEST_SET_CONFIG,
	FL_STORE_REQUEST_CREATE,
	FL_STORE_REQUEST_UPDATE,
	FL_STORE_REQUEST_REMOVE
};

struct fl_store_request {
	struct fl_store_request *next;
	uint64_t number;
	enum fl_store_request_type type;
	struct flannel_lease *lease;
	uint32_t lease_sec;
	char *config;
	char *former;  /* what config replaces */
	bool again;    /* a try failed */
	bool answered; /* reply is filled, but not told yet */
	struct flannel_store_message reply;
};

/* takes a reference of lease and a copy of config; both may be NULL where the type needs none */
int fl_store_request_new(enum fl_store_request_type type, uint64_t number, struct flannel_lease *lease,
			 uint32_t lease_sec, const char *config, struct fl_store_request **ret_request,
			 struct flannel_error **ret_error);
void fl_store_request_free(struct fl_store_request *request);

/* carries it out: 0 and the reply is there (a refusal is one), or negative, and it may be tried again */
int fl_store_request_execute(struct fl_store_request *request, struct fl_leases *leases,
			     struct flannel_error **ret_error);

#endif
