/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "resolv_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define BLANKS " \t\r\n\v\f"

/* fclose() for CNI_CLEANUP */
static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* appends a text to the list under key, which is made if it is missing */
static int append(struct json_object *dns, const char *key, const char *text)
{
	struct json_object *list;
	struct json_object *value;

	if (!json_object_object_get_ex(dns, key, &list)) {
		list = json_object_new_array();
		if (!list || json_object_object_add(dns, key, list) < 0)
			return -1;
	}
	value = json_object_new_string(text);
	return value ? json_object_array_add(list, value) : -1;
}

/* one line; lines and words that we do not know are passed over */
static int read_line(struct json_object *dns, char *line)
{
	char *rest = line;
	const char *keyword = strtok_r(rest, BLANKS, &rest);
	const char *word;
	int r = 0;

	if (!keyword || keyword[0] == '#' || keyword[0] == ';')
		return 0;
	while (r == 0 && (word = strtok_r(NULL, BLANKS, &rest))) {
		if (strcmp(keyword, "nameserver") == 0)
			return append(dns, "nameservers", word);
		if (strcmp(keyword, "domain") == 0)
			return json_object_object_add(dns, "domain", json_object_new_string(word));
		if (strcmp(keyword, "search") == 0)
			r = append(dns, "search", word);
		else if (strcmp(keyword, "options") == 0)
			r = append(dns, "options", word);
	}
	return r;
}

/* moves the members into the order that results have */
static struct json_object *reorder(struct json_object *dns)
{
	const char *const keys[] = {"nameservers", "domain", "search", "options"};
	struct json_object *ordered = json_object_new_object();
	struct json_object *value;

	for (size_t i = 0; ordered && i < CNI_N_ELEMENTS(keys); i++) {
		if (json_object_object_get_ex(dns, keys[i], &value) &&
		    json_object_object_add(ordered, keys[i], json_object_get(value)) < 0) {
			json_object_put(ordered);
			return NULL;
		}
	}
	return ordered;
}

int cni_resolv_conf_read(const char *path, struct json_object **ret_dns, struct cni_error *error)
{
	CNI_CLEANUP(close_file) FILE *file = fopen(path, "re");
	CNI_CLEANUP(cni_json_putp) struct json_object *dns = json_object_new_object();
	CNI_CLEANUP(cni_freep) char *line = NULL;
	size_t size = 0;

	if (!file)
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.resolvConf: open %s: %s", path, strerror(errno));
	if (!dns)
		return cni_fail_oom(error);
	while (errno = 0, getline(&line, &size, file) >= 0) {
		if (read_line(dns, line) < 0)
			return cni_fail_oom(error);
	}
	if (ferror(file))
		return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.resolvConf: read %s: %s", path, strerror(errno));
	*ret_dns = NULL;
	if (json_object_object_length(dns) > 0) {
		*ret_dns = reorder(dns);
		if (!*ret_dns)
			return cni_fail_oom(error);
	}
	return 0;
}
