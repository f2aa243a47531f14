/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as what the plugin flannel has kept for DEL. A file is read as it is, to the last byte. */
#include "cni_text.h"
#include "flannel_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_flannel_state state = {0};
	struct json_object *config = NULL;
	struct cni_error error = {0};
	char path[64];
	int fd = file_of(data, size, path);

	require(cni_flannel_state_load_file(path, &state, &error) == 1 && told(0, &error));
	require(state.len == size && memcmp(state.text, data, size) == 0 && state.text[size] == '\0');
	(void)told(cni_json_parse(state.text, state.len, &config, &error), &error);
	json_object_put(config);
	cni_flannel_state_clear(&state);
	close(fd);
	return 0;
}
