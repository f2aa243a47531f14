/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verbosity.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "flags.h"

/* longer patterns match nothing that we have */
#define PATTERN_SIZE 128

/* one "pattern=N" of a list */
struct module {
	char pattern[PATTERN_SIZE];
	int64_t level;
};

/* takes the next item off the text: 1, 0 at its end, -EINVAL */
static int next_module(const char **text, struct module *ret_module)
{
	char level[24];
	size_t len, pattern_len;

	*text += strspn(*text, ",");
	if (!**text)
		return 0;
	len = strcspn(*text, ",");
	pattern_len = strcspn(*text, "=,");
	if (pattern_len == 0 || pattern_len + 1 >= len || len - pattern_len - 1 >= sizeof(level))
		return -EINVAL;
	(void)snprintf(ret_module->pattern, sizeof(ret_module->pattern), "%.*s",
		       (int)(pattern_len < PATTERN_SIZE ? pattern_len : 0), *text);
	(void)snprintf(level, sizeof(level), "%.*s", (int)(len - pattern_len - 1), *text + pattern_len + 1);
	*text += len;
	if (flag_parse_level(level, &ret_module->level) < 0 || ret_module->level < 0)
		return -EINVAL;
	return 1;
}

int verbosity_check_modules(const char *text)
{
	struct module module;
	int r;

	do {
		r = next_module(&text, &module);
	} while (r > 0);
	return r;
}

int verbosity_check_trace(const char *text)
{
	const char *colon = strchr(text, ':');
	const char *dot = strchr(text, '.');
	int64_t line = 0;

	if (!*text)
		return 0;
	if (!colon || !dot || dot > colon || flag_parse_level(colon + 1, &line) < 0 || line <= 0)
		return -EINVAL;
	return 0;
}

bool verbosity_find(const char *modules, const char *area, int64_t *ret_level)
{
	struct module module;

	/* as in klog, an item with level 0 is passed over */
	while (next_module(&modules, &module) > 0) {
		if (module.level == 0 || fnmatch(module.pattern, area, FNM_PATHNAME) != 0)
			continue;
		*ret_level = module.level;
		return true;
	}
	return false;
}

int64_t verbosity_max(const char *modules)
{
	struct module module;
	int64_t max = 0;

	while (next_module(&modules, &module) > 0)
		max = module.level > max ? module.level : max;
	return max;
}
