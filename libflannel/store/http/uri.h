/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_HTTP_URI_H
#define FL_HTTP_URI_H

/* The settings in a store's URI: "key=value" with "&" between them, values percent-encoded. No system call. */

#include <stddef.h>

#include "base/error.h"

struct fl_uri_field {
	const char *key;
	char **value; /* NULL before; malloc()ed, NULL for one that is not given */
};

/*
 * Reads them into the values of the fields. -EINVAL says what is wrong, but never a value; operation is what was wanted ("open etcd
 * store"). -ENOMEM. What was read before a failure is in the values, too.
 */
int fl_uri_parse_fields(const char *text, const char *operation, const struct fl_uri_field *fields, size_t n_fields,
			struct flannel_error **ret_error);

/* an empty value is none */
void fl_uri_drop_empty(char **value);

#endif
