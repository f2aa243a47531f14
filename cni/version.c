/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

struct known_version {
	const char *text;
	enum cni_family family;
};

static const struct known_version known_versions[] = {
	{"0.1.0", CNI_FAMILY_LEGACY}, {"0.2.0", CNI_FAMILY_LEGACY}, {"0.3.0", CNI_FAMILY_LISTS},
	{"0.3.1", CNI_FAMILY_LISTS},  {"0.4.0", CNI_FAMILY_LISTS},  {"1.0.0", CNI_FAMILY_1},
	{"1.1.0", CNI_FAMILY_1},
};

/* the place of a version in the table, which is in order of age; the table's size if it is not known */
static size_t get_index(const char *version)
{
	size_t i = 0;

	while (i < CNI_N_ELEMENTS(known_versions) && strcmp(known_versions[i].text, version) != 0)
		i++;
	return i;
}

bool cni_version_is_known(const char *version, enum cni_family *ret_family)
{
	size_t i = get_index(version);

	if (i == CNI_N_ELEMENTS(known_versions))
		return false;
	if (ret_family)
		*ret_family = known_versions[i].family;
	return true;
}

const char *cni_version_text(const char *version)
{
	size_t i = get_index(version);

	return i < CNI_N_ELEMENTS(known_versions) ? known_versions[i].text : CNI_VERSION_NEWEST;
}

/* up to three numbers with dots between them; those that are missing are 0 */
static int parse(const char *version, unsigned long parts[3])
{
	const char *at = version;
	char *end;

	memset(parts, 0, 3 * sizeof(parts[0]));
	for (unsigned int i = 0; i < 3; i++) {
		if (*at < '0' || *at > '9')
			return -1;
		errno = 0;
		parts[i] = strtoul(at, &end, 10);
		if (errno != 0)
			return -1;
		if (*end == '\0')
			return 0;
		if (*end != '.')
			return -1;
		at = end + 1;
	}
	return -1;
}

int cni_version_at_least(const char *version, const char *least, bool *ret, struct cni_error *error)
{
	unsigned long a[3];
	unsigned long b[3];

	if (parse(version, a) < 0 || parse(least, b) < 0)
		return cni_fail(error, CNI_ERROR_DECODING,
				"cniVersion is \"%s\", expected numbers such as " CNI_VERSION_NEWEST, version);
	*ret = true;
	for (unsigned int i = 0; i < 3; i++) {
		if (a[i] == b[i])
			continue;
		*ret = a[i] > b[i];
		break;
	}
	return 0;
}

bool cni_version_is_served(const char *version, const char *oldest)
{
	size_t i = get_index(version);

	return i < CNI_N_ELEMENTS(known_versions) && i >= get_index(oldest ? oldest : CNI_VERSION_OLDEST);
}

struct json_object *cni_version_list(const char *oldest)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *list = json_object_new_array();
	size_t i = get_index(oldest ? oldest : CNI_VERSION_OLDEST);

	for (; list && i < CNI_N_ELEMENTS(known_versions); i++) {
		if (json_object_array_add(list, json_object_new_string(known_versions[i].text)) < 0)
			return NULL;
	}
	return CNI_TAKE(list);
}
