/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "args.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

/* "1", "true", "0", "false" in any case */
static int parse_bool(const char *value, bool *ret, struct cni_error *error)
{
	if (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0)
		*ret = true;
	else if (strcmp(value, "0") == 0 || strcasecmp(value, "false") == 0)
		*ret = false;
	else
		return cni_fail(error, CNI_ERROR_INTERNAL, "CNI_ARGS: IgnoreUnknown is \"%s\", expected true or false",
				value);
	return 0;
}

int cni_args_get(const char *args, const char *key, char **ret_value, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *copy = strdup(args);
	CNI_CLEANUP(cni_freep) char *found = NULL;
	const char *unknown = NULL;
	bool ignore_unknown = false;
	char *rest = copy;
	char *pair;

	if (!copy)
		return cni_fail_oom(error);
	while (args[0] != '\0' && (pair = strsep(&rest, ";"))) {
		char *value = strchr(pair, '=');

		if (!value || strchr(value + 1, '='))
			return cni_fail(error, CNI_ERROR_INTERNAL,
					"CNI_ARGS has \"%s\", expected KEY=VALUE, separated by single semicolons",
					pair);
		*value++ = '\0';
		if (strcmp(pair, "IgnoreUnknown") == 0) {
			if (parse_bool(value, &ignore_unknown, error) < 0)
				return -1;
		} else if (strcmp(pair, key) == 0) {
			free(found);
			found = strdup(value);
			if (!found)
				return cni_fail_oom(error);
		} else if (!unknown) {
			unknown = pair;
		}
	}
	if (unknown && !ignore_unknown)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"CNI_ARGS has the key %s, which is unknown; IgnoreUnknown=1 would allow it", unknown);
	*ret_value = CNI_TAKE(found);
	return 0;
}
