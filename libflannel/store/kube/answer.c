/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* no time that a server asks for is longer than that */
#define CODE_MAX 999

void fl_kube_answer_read_object(struct fl_kube_answer *answer, struct json_object *status)
{
	const char *message = NULL, *reason = NULL;
	uint64_t code = 0;

	if (!fl_json_is_object(status))
		return;
	if (fl_json_get_string(status, "Status", "message", &message, NULL) > 0)
		(void)snprintf(answer->message, sizeof(answer->message), "%.250s", message);
	if (fl_json_get_string(status, "Status", "reason", &reason, NULL) > 0)
		(void)snprintf(answer->reason, sizeof(answer->reason), "%.39s", reason);
	if (!answer->status && fl_json_get_uint(status, "Status", "code", CODE_MAX, &code, NULL) > 0)
		answer->status = (int)code;
}

void fl_kube_answer_read(struct fl_kube_answer *answer, const char *text, size_t len)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *status = NULL;
	size_t n = len < 100 ? len : 100;

	if (fl_json_parse(text, len, "Status", &status, NULL) == 0) {
		fl_kube_answer_read_object(answer, status);
		return;
	}
	/* of a page for people that is the beginning, of anything else nothing */
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] >= ' ' && (unsigned char)text[i] <= '~')
			continue;
		n = i;
	}
	(void)snprintf(answer->message, sizeof(answer->message), "%.*s", (int)n, text);
}

bool fl_kube_answer_is_failure(const struct fl_kube_answer *answer)
{
	int status = answer->status;

	/* the API says so with a word; without it something on the way knows no such page, such as a proxy with nobody behind */
	if (status == 404 && strcmp(answer->reason, "NotFound") != 0)
		return true;
	return status < 200 || status >= 500 || status == 401 || status == 408 || status == 429;
}

/* the errno that a status comes to */
static int code_of(int status)
{
	switch (status) {
	case 0:
		return -EHOSTUNREACH;
	case 401:
		return -EKEYREJECTED;
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 410:
		return -ESTALE;
	case 429:
	case 503:
		return -EBUSY;
	default:
		return status >= 500 ? -EREMOTEIO : -EBADMSG;
	}
}

/* what an operator may do about it, "" if there is nothing that we know */
static const char *advice_for(int status)
{
	if (status == 401)
		return "; the token or the certificate is not accepted";
	return status == 403 ? "; flannel needs: pods get, nodes get, list, watch, nodes/status patch" : "";
}

int fl_kube_answer_fail(const struct fl_kube_answer *answer, const char *operation, const char *server,
			struct flannel_error **ret_error)
{
	char detail[512];

	if (answer->status == 0)
		(void)snprintf(detail, sizeof(detail), "%s", answer->message[0] ? answer->message : "no answer");
	else
		(void)snprintf(detail, sizeof(detail), "HTTP status %d%s%s%s%s%s", answer->status,
			       answer->reason[0] ? " " : "", answer->reason, answer->message[0] ? ": " : "",
			       answer->message, advice_for(answer->status));
	return fl_error_set_retryable(ret_error, code_of(answer->status), "store", detail, "%s at %s", operation,
				      server);
}
