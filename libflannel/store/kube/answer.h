/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_ANSWER_H
#define FL_KUBE_ANSWER_H

/* How a request to the API ended, and what that means. No system call. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct json_object;

#define FL_KUBE_STATUS_GONE 410

struct fl_kube_answer {
	int status;              /* of HTTP, or of an event ERROR; 0: none came, or what followed was cut off */
	bool is_silence;         /* nothing came for too long, after it had begun well */
	bool is_unreadable;      /* what came was refused by its reader */
	uint32_t retry_after_ms; /* 0: not told */
	char reason[40];         /* one word, "" if none was told */
	char message[300];       /* never what was sent, and never all of a long text */
};

/* takes what a Status object says; what is no such object says less, and no JSON is shown as far as it is text */
void fl_kube_answer_read(struct fl_kube_answer *answer, const char *text, size_t len);
void fl_kube_answer_read_object(struct fl_kube_answer *answer, struct json_object *status);

/* Was it not done because the server could not, or did not know us: is a later moment worth a try? Else it has refused. */
bool fl_kube_answer_is_failure(const struct fl_kube_answer *answer);

/* the error for an answer that is none of success; operation with its subject, "patch Node n1". Always retryable. */
int fl_kube_answer_fail(const struct fl_kube_answer *answer, const char *operation, const char *server,
			struct flannel_error **ret_error);

#endif
