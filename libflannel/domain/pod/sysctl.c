/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/pod/sysctl.h"

#include <string.h>

/* what the kernel takes between the parts of a value, and writes itself */
#define WHITE_SPACE " \t\n"

bool fl_sysctl_name_is_valid(const char *name)
{
	const char *part = name;

	for (;;) {
		size_t len = strcspn(part, "/");

		if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		if (part[len] == '\0')
			return true;
		part += len + 1;
	}
}

bool fl_sysctl_name_is_public(const char *name)
{
	if (strncmp(name, "net/", strlen("net/")) != 0 ||
	    strnlen(name, FLANNEL_SYSCTL_NAME_MAX + 1) > FLANNEL_SYSCTL_NAME_MAX)
		return false;
	for (const char *at = name; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return false;
	}
	return fl_sysctl_name_is_valid(name);
}

bool fl_sysctl_values_equal(const char *a, const char *b)
{
	for (;;) {
		size_t len;

		a += strspn(a, WHITE_SPACE);
		b += strspn(b, WHITE_SPACE);
		len = strcspn(a, WHITE_SPACE);
		if (len != strcspn(b, WHITE_SPACE) || memcmp(a, b, len) != 0)
			return false;
		if (len == 0)
			return true;
		a += len;
		b += len;
	}
}
