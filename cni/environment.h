/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_ENVIRONMENT_H
#define CNI_ENVIRONMENT_H

/* The CNI_ variables. */

#include "plugin.h"

/*
 * Reads and checks the variables that a verb needs. 1 with a verb; 0 if CNI_COMMAND is none that we know, which then is in
 * *ret_unknown and nothing else was checked; -1 with CNI_ERROR_ENVIRONMENT.
 */
int cni_environment_read(const char *command, struct cni_request *ret_request, const char **ret_unknown,
			 struct cni_error *error);

/* the name of a network, or a container id: letters, digits and after the first "_", "." and "-" */
bool cni_name_is_valid(const char *name);

/* what is expected of an interface's name, if this is none; NULL if it is one */
const char *cni_ifname_complaint(const char *name);

#endif
