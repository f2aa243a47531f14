/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FLANNEL_CONFIG_H
#define CNI_FLANNEL_CONFIG_H

/* The configuration of the plugin flannel, and what it makes of it for its delegate. */

#include <json-c/json_object.h>

#include "plugin.h"
#include "subnet_env.h"

/* what the configuration says; borrowed from it */
struct cni_flannel_config {
	const char *subnet_file;
	const char *data_dir;
	struct json_object *delegate; /* NULL if absent, as the next two */
	struct json_object *ipam;
	struct json_object *runtime;
};

/* reads the configuration; an empty path is as good as none */
int cni_flannel_config_read(const struct cni_request *request, struct cni_flannel_config *ret_config,
			    struct cni_error *error);

/* The configuration of the delegate: the operator's, completed by what the node has. */
int cni_flannel_config_make_delegate(const struct cni_request *request, const struct cni_flannel_config *config,
				     const struct cni_subnet_env *env, struct json_object **ret_delegate,
				     struct cni_error *error);

#endif
