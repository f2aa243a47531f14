/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend.h"

#include <errno.h>
#include <string.h>

/* all backends of this build; a new one is one line here and one file */
static const struct fl_backend *const backends[] = {
	&fl_backend_host_gw,
};

int fl_backend_find(const char *name, const struct fl_backend **ret_backend, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(backends); i++) {
		if (strcmp(backends[i]->name, name) == 0) {
			*ret_backend = backends[i];
			return 0;
		}
	}
	return fl_error_set(ret_error, -EINVAL, "config", "this version has the backend \"host-gw\"",
			    "network configuration: Backend.Type is \"%s\"", name);
}
