/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/status.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/hex.h"

/* the value of a header line with that name: its length, or -1 if it is another one */
static int value_of(const char *line, size_t len, const char *name, const char **ret_value)
{
	size_t at = strlen(name);

	if (len <= at || strncasecmp(line, name, at) != 0 || line[at] != ':')
		return -1;
	at++;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (len > at && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	*ret_value = line + at;
	return len - at > 4096 ? 4096 : (int)(len - at);
}

/* a decimal number of at most three digits, or that of "unknown" */
static int read_code(const char *value, int len)
{
	int code = 0;

	if (len < 1 || len > 3)
		return FL_GRPC_UNKNOWN;
	for (int i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return FL_GRPC_UNKNOWN;
		code = 10 * code + value[i] - '0';
	}
	return code;
}

/* undoes percent-encoding, as far as there is room */
static void read_message(const char *value, int len, char message[FL_GRPC_MESSAGE_SIZE])
{
	size_t n = 0;

	for (int i = 0; i < len && n + 1 < FL_GRPC_MESSAGE_SIZE; i++) {
		int byte = value[i] == '%' && i + 2 < len ? fl_hex_byte(value + i + 1) : -1;
		char c = byte >= 0 ? (char)byte : value[i];

		if (byte >= 0)
			i += 2;
		message[n++] = (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
	}
	message[n] = '\0';
}

void fl_grpc_status_read(struct fl_grpc_status *status, const char *line, size_t len)
{
	const char *value;
	int n;

	n = value_of(line, len, "grpc-status", &value);
	if (n >= 0)
		status->code = read_code(value, n);
	n = value_of(line, len, "grpc-message", &value);
	if (n >= 0)
		read_message(value, n, status->message);
}

int fl_grpc_errno(int code)
{
	const int codes[] = {
		[FL_GRPC_OK] = 0,
		[FL_GRPC_CANCELLED] = -ECANCELED,
		[FL_GRPC_UNKNOWN] = -EIO,
		[FL_GRPC_INVALID_ARGUMENT] = -EINVAL,
		[FL_GRPC_DEADLINE_EXCEEDED] = -ETIMEDOUT,
		[FL_GRPC_NOT_FOUND] = -ENOENT,
		[FL_GRPC_ALREADY_EXISTS] = -EEXIST,
		[FL_GRPC_PERMISSION_DENIED] = -EACCES,
		[FL_GRPC_RESOURCE_EXHAUSTED] = -ENOSPC,
		[FL_GRPC_FAILED_PRECONDITION] = -EPERM,
		[FL_GRPC_ABORTED] = -EAGAIN,
		[FL_GRPC_OUT_OF_RANGE] = -ERANGE,
		[FL_GRPC_UNIMPLEMENTED] = -EOPNOTSUPP,
		[FL_GRPC_INTERNAL] = -EIO,
		[FL_GRPC_UNAVAILABLE] = -EHOSTUNREACH,
		[FL_GRPC_DATA_LOSS] = -EIO,
		[FL_GRPC_UNAUTHENTICATED] = -EKEYREJECTED,
	};

	return code >= 0 && (size_t)code < FL_N_ELEMENTS(codes) ? codes[code] : -EIO;
}

bool fl_grpc_is_failure(int code)
{
	switch (code) {
	case FL_GRPC_NO_STATUS:
	case FL_GRPC_CANCELLED:
	case FL_GRPC_UNKNOWN:
	case FL_GRPC_DEADLINE_EXCEEDED:
	case FL_GRPC_ABORTED:
	case FL_GRPC_INTERNAL:
	case FL_GRPC_UNAVAILABLE:
	case FL_GRPC_UNAUTHENTICATED:
		return true;
	default:
		return false;
	}
}

bool fl_grpc_wants_login(const struct fl_grpc_status *status)
{
	if (status->code == FL_GRPC_UNAUTHENTICATED)
		return true;
	/* the token is from before a change of users, or users were introduced since */
	return status->code == FL_GRPC_INVALID_ARGUMENT &&
	       (strstr(status->message, "auth store is old") || strstr(status->message, "user name is empty"));
}
