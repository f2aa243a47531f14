/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_uri_kube.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "flags.h"

/* what stands for itself in a value; everything else is percent-encoded */
static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

void store_uri_put_encoded(FILE *stream, const char *value)
{
	for (; *value; value++) {
		if (strchr(plain, *value))
			(void)fputc(*value, stream);
		else
			(void)fprintf(stream, "%%%02X", (unsigned int)(unsigned char)*value);
	}
}

/* an environment variable, "" if it is not set */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

void store_uri_put_kube(FILE *stream, const struct options *options)
{
	const char *node = variable("NODE_NAME"), *pod = variable("POD_NAME"), *space = variable("POD_NAMESPACE");
	const struct {
		const char *key;
		const char *value;
	} settings[] = {
		{"node", node},
		{"kubeconfig", options->kubeconfig_file},
		{"api-url", options->kube_api_url},
		{"net-config", options->net_config_path},
		{"condition", options->set_node_network_unavailable ? "" : "false"},
	};
	const char *separator = "?";

	(void)fputs("kube:", stream);
	if (!*node && *pod && *space) {
		(void)fputs("?pod=", stream);
		store_uri_put_encoded(stream, space);
		(void)fputc('/', stream);
		store_uri_put_encoded(stream, pod);
		separator = "&";
	}
	/* an empty one is wrong, not missing */
	(void)fprintf(stream, "%sprefix=", separator);
	store_uri_put_encoded(stream, options->kube_annotation_prefix);
	for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
		if (!*settings[i].value)
			continue;
		(void)fprintf(stream, "&%s=", settings[i].key);
		store_uri_put_encoded(stream, settings[i].value);
	}
}

int store_uri_check_kube_environment(struct flannel_error **ret_error)
{
	const char *depth = variable("EVENT_QUEUE_DEPTH");
	int64_t number;

	if (!*depth || flag_parse_int(depth, &number) == 0)
		return 0;
	return flannel_error_new(ret_error, -EINVAL, "config", "environment: EVENT_QUEUE_DEPTH",
				 "expected a whole number", 0);
}
