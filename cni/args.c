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

/* the place of a key's value, NULL if it is none of the keys */
static char **find_place(const char *key, const char *const *keys, size_t n_keys, char **values)
{
	for (size_t i = 0; i < n_keys; i++) {
		if (strcmp(key, keys[i]) == 0)
			return &values[i];
	}
	return NULL;
}

/* reads all pairs; what it finds is in values, whether it fails or not */
static int read_pairs(char *copy, const char *const *keys, size_t n_keys, char **values, struct cni_error *error)
{
	const char *unknown = NULL;
	bool ignore_unknown = false;
	char *rest = copy[0] != '\0' ? copy : NULL;
	char *pair;

	while ((pair = strsep(&rest, ";"))) {
		char *value = strchr(pair, '=');
		char **place;

		if (!value || strchr(value + 1, '='))
			return cni_fail(error, CNI_ERROR_INTERNAL,
					"CNI_ARGS has \"%s\", expected KEY=VALUE, separated by single semicolons",
					pair);
		*value++ = '\0';
		place = find_place(pair, keys, n_keys, values);
		if (strcmp(pair, "IgnoreUnknown") == 0) {
			if (parse_bool(value, &ignore_unknown, error) < 0)
				return -1;
		} else if (place) {
			free(*place);
			*place = strdup(value);
			if (!*place)
				return cni_fail_oom(error);
		} else if (!unknown) {
			unknown = pair;
		}
	}
	if (unknown && !ignore_unknown)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"CNI_ARGS has the key %s, which is unknown; IgnoreUnknown=1 would allow it", unknown);
	return 0;
}

int cni_args_get_all(const char *args, const char *const *keys, size_t n_keys, char **ret_values,
		     struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *copy = strdup(args);
	char **values = calloc(n_keys, sizeof(*values));
	int r = copy && values ? read_pairs(copy, keys, n_keys, values, error) : cni_fail_oom(error);

	for (size_t i = 0; values && i < n_keys; i++) {
		if (r == 0)
			ret_values[i] = values[i];
		else
			free(values[i]);
	}
	free(values);
	return r;
}

int cni_args_get(const char *args, const char *key, char **ret_value, struct cni_error *error)
{
	return cni_args_get_all(args, &key, 1, ret_value, error);
}
