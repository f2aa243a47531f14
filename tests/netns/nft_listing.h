/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_NFT_LISTING_H
#define TEST_NFT_LISTING_H

/* What the nft program sees, for tests: rulesets in JSON and in text, without what differs from run to run. */

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* all that a command prints, malloc()ed; it must succeed */
static inline char *output_of(const char *command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *into = open_memstream(&text, &size);
	FILE *from = popen(command, "re");
	char block[4096];
	size_t n;

	cr_assert(into && from, "%s", command);
	while ((n = fread(block, 1, sizeof(block), from)) > 0)
		cr_assert_eq(fwrite(block, 1, n, into), n);
	fclose(into);
	cr_assert_eq(pclose(from), 0, "%s", command);
	return text;
}

/* calls fn for each chain and rule of a table, as JSON without its handle */
static inline void each_nft_object(const char *family, const char *table,
				   void (*fn)(void *userdata, const char *kind, struct json_object *value),
				   void *userdata)
{
	char command[200];
	char *text;
	struct json_object *listing, *objects;

	snprintf(command, sizeof(command), "nft -j list table %s %s", family, table);
	text = output_of(command);
	listing = json_tokener_parse(text);
	cr_assert(listing && json_object_object_get_ex(listing, "nftables", &objects), "%s", text);
	for (size_t i = 0; i < json_object_array_length(objects); i++) {
		static const char *const kinds[] = {"table", "chain", "rule"};
		struct json_object *value;

		for (size_t k = 0; k < FL_N_ELEMENTS(kinds); k++) {
			if (!json_object_object_get_ex(json_object_array_get_idx(objects, i), kinds[k], &value))
				continue;
			json_object_object_del(value, "handle");
			fn(userdata, kinds[k], value);
		}
	}
	json_object_put(listing);
	free(text);
}

/* removes the lines that contain part, in place */
static inline void drop_lines(char *text, const char *part)
{
	char *out = text;

	for (char *line = text; *line;) {
		char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) + 1 : strlen(line);
		char *hit = memmem(line, len, part, strlen(part));

		if (!hit) {
			memmove(out, line, len);
			out += len;
		}
		line += len;
	}
	*out = '\0';
}

/* replaces the one place where from stands, in a malloc()ed text */
static inline char *substitute(char *text, const char *from, const char *to)
{
	char *hit = strstr(text, from);
	char *result = NULL;

	cr_assert(hit, "no \"%s\" in:\n%s", from, text);
	cr_assert(asprintf(&result, "%.*s%s%s", (int)(hit - text), text, to, hit + strlen(from)) >= 0);
	free(text);
	return result;
}

/* the ruleset of the namespace as text, without comments of tables and chains: libnftables 1.0.6 cannot set them */
static inline char *ruleset_text(void)
{
	char *text = output_of("nft list ruleset");

	drop_lines(text, "\tcomment \"");
	return text;
}

#endif
