/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_STATUS_H
#define FL_ETCD_STATUS_H

/* How a gRPC call ended, and what that means. No system call. */

#include <stdbool.h>
#include <stddef.h>

/* the codes of gRPC that something follows from */
enum fl_grpc_code {
	FL_GRPC_OK = 0,
	FL_GRPC_CANCELLED = 1,
	FL_GRPC_UNKNOWN = 2,
	FL_GRPC_INVALID_ARGUMENT = 3,
	FL_GRPC_DEADLINE_EXCEEDED = 4,
	FL_GRPC_NOT_FOUND = 5,
	FL_GRPC_ALREADY_EXISTS = 6,
	FL_GRPC_PERMISSION_DENIED = 7,
	FL_GRPC_RESOURCE_EXHAUSTED = 8,
	FL_GRPC_FAILED_PRECONDITION = 9,
	FL_GRPC_ABORTED = 10,
	FL_GRPC_OUT_OF_RANGE = 11,
	FL_GRPC_UNIMPLEMENTED = 12,
	FL_GRPC_INTERNAL = 13,
	FL_GRPC_UNAVAILABLE = 14,
	FL_GRPC_DATA_LOSS = 15,
	FL_GRPC_UNAUTHENTICATED = 16
};

/* no status came: the connection or what answered is bad */
#define FL_GRPC_NO_STATUS (-1)

#define FL_GRPC_MESSAGE_SIZE 200

struct fl_grpc_status {
	int code; /* enum fl_grpc_code or FL_GRPC_NO_STATUS */
	char message[FL_GRPC_MESSAGE_SIZE];
};

/* looks at a header or trailer line ("name: value", with or without line end) and keeps the status if it is in it */
void fl_grpc_status_read(struct fl_grpc_status *status, const char *line, size_t len);

/* the errno that a code comes to; 0 for FL_GRPC_OK */
int fl_grpc_errno(int code);

/* Did the server not do it because it could not: is another one, or a later moment, worth a try? Else it has refused. */
bool fl_grpc_is_failure(int code);

/* does it ask for another login: the token has expired or is from before a change of users */
bool fl_grpc_wants_login(const struct fl_grpc_status *status);

#endif
