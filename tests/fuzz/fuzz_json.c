/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as JSON. What parses must format, parse again to the same value and be the same
 * text then; the getters must take whatever they meet.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "require.h"

/* asks for a key in every type; each answer must be one that is documented */
static int use_key(void *userdata, const char *key)
{
	struct json_object *object = userdata, *value = NULL;
	const char *text = NULL;
	uint64_t number = 0;
	bool flag = false;
	int answers = 0;

	const int results[] = {
		fl_json_get_object(object, "fuzz", key, &value, NULL),
		fl_json_get_array(object, "fuzz", key, &value, NULL),
		fl_json_get_string(object, "fuzz", key, &text, NULL),
		fl_json_get_bool(object, "fuzz", key, &flag, NULL),
		fl_json_get_uint(object, "fuzz", key, 65535, &number, NULL),
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(results); i++)
		answers += results[i] == 1;
	require(answers <= 1 && number <= 65535);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL, *again = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL, *text_again = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_json_parse((const char *)data, size, "fuzz", &value, &error);

	require((r < 0) == (error != NULL));
	if (r < 0)
		return 0;
	(void)fl_json_each_key(value, use_key, value);
	text = fl_json_format(value);
	require(text && fl_json_parse(text, strlen(text), "again", &again, NULL) == 0);
	require(fl_json_equal(value, again));
	text_again = fl_json_format(again);
	require(text_again && strcmp(text, text_again) == 0);
	return 0;
}
