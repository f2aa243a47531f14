/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any text as CNI_ARGS. What is found has no separators in it; a refusal hands out nothing. */
#include "args.h"
#include "cni_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const keys[] = {"IP", "GATEWAY", "MAC"};
	char *values[CNI_N_ELEMENTS(keys)] = {NULL}, *mac = NULL, *text = text_of(data, size);
	struct cni_error error = {0};
	bool all = told(cni_args_get_all(text, keys, CNI_N_ELEMENTS(keys), values, &error), &error);
	bool one = told(cni_args_get(text, "MAC", &mac, &error), &error);

	/* who knows fewer keys refuses more */
	require(!one || all);
	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++) {
		require(all || !values[i]);
		require(!values[i] || !strpbrk(values[i], ";="));
	}
	require(!one || (mac ? values[2] && strcmp(mac, values[2]) == 0 : !values[2]));
	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++)
		free(values[i]);
	free(mac);
	free(text);
	return 0;
}
