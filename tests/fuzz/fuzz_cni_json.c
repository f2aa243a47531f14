/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as standard input of a plugin. What is taken as JSON is printed so that it is read again: compact, with
 * sorted keys, and indented.
 */
#include "cni_text.h"
#include "decode.h"
#include "print.h"

/* how a value is printed */
static char *print(struct json_object *value, int how)
{
	return how < 2 ? cni_format_compact(value, how) : cni_format_indented(value, 4);
}

/* reads a text that was printed, and prints what it says */
static char *print_again(char *text, int how)
{
	struct json_object *again = NULL;
	struct cni_error error = {0};

	require(text != NULL);
	require(told(cni_json_parse(text, strlen(text), &again, &error), &error));
	free(text);
	text = print(again, how);
	require(text != NULL);
	json_object_put(again);
	return text;
}

/*
 * The first text need not be the second: as with Go, 2.5e3 is printed as 2500, and a byte that is no UTF-8 as an escape. From then on
 * nothing changes.
 */
static void check(struct json_object *value, int how)
{
	char *text = print_again(print(value, how), how), *text_again;

	text_again = print_again(strdup(text), how);
	require(strcmp(text, text_again) == 0);
	free(text_again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *value = NULL;
	struct cni_error error = {0};

	if (!told(cni_json_parse((const char *)data, size, &value, &error), &error))
		return 0;
	for (int how = 0; how < 3 && cni_json_is_finite(value); how++)
		check(value, how);
	json_object_put(value);
	return 0;
}
