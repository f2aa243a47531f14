/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/http/uri.h"
#include "store/kube/node.h"

#define OPERATION "open kube store"

/* -EINVAL with a sentence about the URI */
static int refuse(const char *detail, struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EINVAL, "argument", detail, OPERATION);
}

/* a default where nothing was given */
static int set_default(char **value, const char *text, struct flannel_error **ret_error)
{
	if (!*value)
		*value = strdup(text);
	return *value ? 0 : fl_error_oom(ret_error);
}

/* can a name stand in a path of the API: no slash, no dots alone */
static bool is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");

	return len > 0 && len <= 253 && name[len] == '\0' && strspn(name, ".") < len;
}

/* whose subnet it is about: a node, or that of a pod */
static int check_names(struct fl_kube_address *address, struct flannel_error **ret_error)
{
	char detail[160];
	char *slash;

	fl_uri_drop_empty(&address->node);
	fl_uri_drop_empty(&address->pod);
	if (address->node) {
		if (is_name(address->node))
			return 0;
		(void)snprintf(detail, sizeof(detail), "node is \"%.64s\", expected the name of a Node", address->node);
		return refuse(detail, ret_error);
	}
	if (!address->pod)
		return refuse("give the name of this node (NODE_NAME), or of this pod and its namespace (POD_NAME and "
			      "POD_NAMESPACE)",
			      ret_error);
	slash = strchr(address->pod, '/');
	if (slash) {
		*slash = '\0';
		address->pod_namespace = address->pod;
		address->pod = strdup(slash + 1);
		if (!address->pod)
			return fl_error_oom(ret_error);
	}
	if (slash && is_name(address->pod_namespace) && is_name(address->pod))
		return 0;
	return refuse("pod is no NAMESPACE/NAME", ret_error);
}

int fl_kube_address_parse(const char *text, struct fl_kube_address *ret_address, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_address_clear) struct fl_kube_address address = {0};
	FL_CLEANUP(fl_freep) char *condition = NULL;
	const struct fl_uri_field fields[] = {
		{"api-url", &address.api_url},
		{"kubeconfig", &address.kubeconfig},
		{"account", &address.account},
		{"node", &address.node},
		{"pod", &address.pod},
		{"prefix", &address.prefix},
		{"net-config", &address.net_config},
		{"condition", &condition},
	};
	int r;

	if (*text != '?')
		return refuse("expected \"?\" and settings, as in \"kube:?node=n1\"", ret_error);
	r = fl_uri_parse_fields(text + 1, OPERATION, fields, FL_N_ELEMENTS(fields), ret_error);
	if (r == 0)
		r = check_names(&address, ret_error);
	fl_uri_drop_empty(&address.account);
	fl_uri_drop_empty(&address.net_config);
	if (r == 0)
		r = set_default(&address.account, FL_KUBE_DEFAULT_ACCOUNT, ret_error);
	if (r == 0)
		r = set_default(&address.prefix, FL_KUBE_DEFAULT_PREFIX, ret_error);
	if (r == 0)
		r = set_default(&address.net_config, FL_KUBE_DEFAULT_NET_CONFIG, ret_error);
	if (r < 0)
		return r;
	if (condition && strcmp(condition, "true") != 0 && strcmp(condition, "false") != 0)
		return refuse("condition is neither true nor false", ret_error);
	address.no_condition = condition && strcmp(condition, "false") == 0;
	fl_uri_drop_empty(&address.api_url);
	fl_uri_drop_empty(&address.kubeconfig);
	*ret_address = address;
	address = (struct fl_kube_address){0};
	return 0;
}

void fl_kube_address_clear(struct fl_kube_address *address)
{
	free(address->api_url);
	free(address->kubeconfig);
	free(address->account);
	free(address->node);
	free(address->pod_namespace);
	free(address->pod);
	free(address->prefix);
	free(address->net_config);
	*address = (struct fl_kube_address){0};
}
