/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as a kubeconfig, and as base64. What is taken leads to a URL that can be asked; an error never shows a secret. */
#include <errno.h>
#include <string.h>

#include "require.h"
#include "store/kube/access.h"
#include "store/kube/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *decoded = NULL;
	FL_CLEANUP(fl_freep) char *text = strndup(size ? (const char *)data : "", size);
	struct fl_kube_access access = {0};
	int r;

	require(text != NULL);
	r = fl_kube_base64_decode(text, &decoded);
	require(r == -EINVAL || (r == 0 && strlen(decoded) <= strlen(text) / 4 * 3));
	r = fl_kube_access_parse((const char *)data, size, "config", &access, &error);
	if (r == 0)
		require(strncmp(access.server, "http", 4) == 0 && access.server[strlen(access.server) - 1] != '/');
	else
		require(*flannel_error_get_message(error) && !strstr(flannel_error_get_message(error), "s3cr3t"));
	fl_kube_access_clear(&access);
	return 0;
}
