/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as the result of another plugin. What is read is written in the form of each version; what is written in
 * the newest form is read again and gives the same text.
 */
#include "cni_text.h"
#include "print.h"
#include "result.h"
#include "version.h"

static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

/* the text in a version's form; NULL if that cannot express it */
static char *format(const struct cni_result *result, const char *version)
{
	struct json_object *object = NULL;
	struct cni_error error = {0};
	char *text = NULL;

	if (told(cni_result_format(result, version, &object, &error), &error)) {
		text = cni_format_compact(object, 0);
		require(text != NULL);
	}
	json_object_put(object);
	return text;
}

/* reads a text that was written in the newest form, and writes what it says */
static char *format_again(char *text)
{
	struct json_object *object;
	struct cni_result again = {0};
	struct cni_error error = {0};

	require(text != NULL);
	object = object_of((const uint8_t *)text, strlen(text));
	require(object && told(cni_result_parse(object, CNI_VERSION_NEWEST, "", &again, &error), &error));
	free(text);
	text = format(&again, CNI_VERSION_NEWEST);
	require(text != NULL);
	cni_result_clear(&again);
	json_object_put(object);
	return text;
}

/* the newest form says all there is: reading it gives the same (bytes that are no UTF-8 are escapes from the second time on) */
static void check_newest(const struct cni_result *result)
{
	char *text = format_again(format(result, CNI_VERSION_NEWEST)), *text_again = format_again(strdup(text));

	require(strcmp(text, text_again) == 0);
	free(text_again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *object = size ? object_of(data + 1, size - 1) : NULL;
	struct cni_result result = {0};
	struct cni_error error = {0};

	if (!object)
		return 0;
	if (told(cni_result_parse(object, versions[data[0] % CNI_N_ELEMENTS(versions)], "", &result, &error), &error)) {
		for (size_t i = 0; i < CNI_N_ELEMENTS(versions); i++)
			free(format(&result, versions[i]));
		check_newest(&result);
		cni_result_clear(&result);
	}
	json_object_put(object);
	return 0;
}
