/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as what a delegate that failed has printed. What is taken for an error is one, and is printed as one. */
#include <fcntl.h>

#include "cni_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_error error = {0};

	if (cni_error_parse((const char *)data, size, &error)) {
		int fd = memfd_create("fuzz", MFD_CLOEXEC);

		require(fd >= 0 && error.message);
		require(cni_wrap(&error, "delegate") == -1);
		require(cni_error_print(&error, "1.0.0", fd) == 0 && lseek(fd, 0, SEEK_CUR) > 0);
		close(fd);
	} else {
		require(!error.message && !error.details);
	}
	cni_error_clear(&error);
	return 0;
}
