/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PROTOCOL_H
#define CNI_PROTOCOL_H

/* The CNI protocol: environment and standard input in, one JSON object and an exit status out. */

#include "plugin.h"

/* Serves the call that the environment describes, from fd 0 to fd 1 and 2. Returns the exit status. */
int cni_protocol_serve(const struct cni_plugin *plugin);

/* Takes name and version of request->config over into the request. */
int cni_protocol_read_config(struct cni_request *request, struct cni_error *error);

/* Runs a verb of a plugin, if the version of the configuration allows it. */
int cni_protocol_run(const struct cni_plugin *plugin, const struct cni_request *request,
		     struct json_object **ret_result, struct cni_error *error);

#endif
