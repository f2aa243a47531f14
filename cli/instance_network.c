/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance_network.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fingerprint.h"
#include "namespace_lock.h"

/* the one form of a path that need not lead to anything yet, but its directory may; NULL without memory */
static char *resolve(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	CLEANUP_FREE char *resolved = directory ? realpath(directory, NULL) : NULL;
	char *result;

	if (!directory)
		return NULL;
	if (asprintf(&result, "%s/%s", resolved ? resolved : directory, slash ? slash + 1 : path) < 0)
		return NULL;
	return result;
}

int instance_network_describe(const struct options *options, char **ret_network, const char **ret_flag,
			      struct flannel_error **ret_error)
{
	CLEANUP_FREE char *path = NULL;
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	const char *flag = "store-path";
	char *text = NULL;
	int r = options_select_store(options, &store, ret_error);

	if (r < 0)
		return r;
	if (store == OPTIONS_STORE_ETCD) {
		flag = "etcd-prefix";
		r = asprintf(&text, "etcd %s %s", options->etcd_endpoints, options->etcd_prefix);
	} else if (store == OPTIONS_STORE_KUBE) {
		flag = "kube-annotation-prefix";
		r = asprintf(&text, "kube %s %s %s", options->kube_api_url, options->kubeconfig_file,
			     options->kube_annotation_prefix);
	} else {
		path = resolve(options->store_path);
		r = path ? asprintf(&text, "file %s", path) : -1;
	}
	if (r < 0)
		return flannel_error_new(ret_error, -ENOMEM, "instance", "tell networks apart", NULL, 0);
	*ret_network = text;
	*ret_flag = flag;
	return 0;
}

int instance_network_take(const char *network, const char *flag, int *ret_fd, struct flannel_error **ret_error)
{
	char name[24], operation[64], detail[200], holder[NAMESPACE_LOCK_HOLDER_SIZE];
	int r;

	(void)snprintf(name, sizeof(name), "%016" PRIx64, fingerprint(network));
	r = namespace_lock_take("network", name, ret_fd, holder);
	if (r == 0)
		return 0;
	(void)snprintf(operation, sizeof(operation), "serve the network of this --%s", flag);
	if (r != -EBUSY)
		return flannel_error_new(ret_error, r, "instance", operation, NULL, 0);
	(void)snprintf(detail, sizeof(detail),
		       "another flanneld (%s) in this network namespace does; stop that one, or give this one its "
		       "own --%s",
		       holder, flag);
	return flannel_error_new(ret_error, r, "instance", operation, detail, 0);
}
