/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_uri.h"

#include <string.h>

#include "cleanup.h"
#include "store_uri_kube.h"

/* etcd's endpoints and how they are used */
static void put_etcd(FILE *stream, const struct options *options)
{
	const struct {
		const char *key;
		const char *value;
	} settings[] = {
		{"cafile", options->etcd_cafile},     {"certfile", options->etcd_certfile},
		{"keyfile", options->etcd_keyfile},   {"username", options->etcd_username},
		{"password", options->etcd_password},
	};

	(void)fprintf(stream, "etcd:%s?prefix=", options->etcd_endpoints);
	store_uri_put_encoded(stream, options->etcd_prefix);
	for (size_t i = 0; i < N_ELEMENTS(settings); i++) {
		if (!*settings[i].value)
			continue;
		(void)fprintf(stream, "&%s=", settings[i].key);
		store_uri_put_encoded(stream, settings[i].value);
	}
}

char *store_uri_format(const struct options *options, enum options_store store)
{
	char *uri = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&uri, &len);

	if (!stream)
		return NULL;
	if (store == OPTIONS_STORE_ETCD)
		put_etcd(stream, options);
	else if (store == OPTIONS_STORE_STATIC)
		(void)fprintf(stream, "static:%s", options->store_path);
	else if (store == OPTIONS_STORE_KUBE)
		store_uri_put_kube(stream, options);
	else
		(void)fprintf(stream, "embedded:%s", options->store_path);
	if (fclose(stream) == 0)
		return uri;
	store_uri_free(uri);
	return NULL;
}

void store_uri_free(char *uri)
{
	if (uri)
		explicit_bzero(uri, strlen(uri));
	free(uri);
}
