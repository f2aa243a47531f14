/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/patch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

/* flannel's words, which dashboards know; those for the other case are ours */
#define REASON_UP "FlannelIsUp"
#define MESSAGE_UP "Flannel is running on this node"
#define REASON_DOWN "FlannelIsDown"

/* a condition's message is for people: more than that helps nobody */
#define MESSAGE_MAX 500

/* the address of one family that is published; "" for none */
static bool write_address(const struct fl_kube_node *node, enum fl_kube_annotation overwrite, int family,
			  const struct flannel_lease *lease, char buf[FLANNEL_PREFIX_STRLEN])
{
	struct flannel_prefix address = {0};
	int r = fl_kube_node_get_address(node, overwrite, family, &address);

	if (r <= 0)
		(void)flannel_lease_get_public_ip(lease, family, &address);
	buf[0] = '\0';
	if (address.family)
		(void)flannel_prefix_format_address(&address, buf, FLANNEL_PREFIX_STRLEN);
	return r >= 0;
}

void fl_kube_wanted_init(struct fl_kube_wanted *wanted, const struct fl_kube_node *node,
			 const struct flannel_lease *lease)
{
	const char *type = flannel_lease_get_backend_type(lease);
	const char *data = flannel_lease_get_backend_data(lease, AF_INET);
	const char *v6_data = flannel_lease_get_backend_data(lease, AF_INET6);
	bool needs_data = strcmp(type, "vxlan") == 0;
	struct flannel_prefix unused;

	*wanted = (struct fl_kube_wanted){0};
	wanted->has_bad_overwrite = !write_address(node, FL_KUBE_OVERWRITE, AF_INET, lease, wanted->public_ip);
	wanted->has_bad_overwrite6 = !write_address(node, FL_KUBE_OVERWRITE_V6, AF_INET6, lease, wanted->public_ip6);
	wanted->values[FL_KUBE_MANAGED] = "true";
	wanted->values[FL_KUBE_BACKEND_TYPE] = type;
	/* flannel's behaviour: only vxlan leaves the family out that it does not serve */
	if (data || !needs_data) {
		if (!wanted->public_ip[0])
			(void)snprintf(wanted->public_ip, sizeof(wanted->public_ip), "0.0.0.0");
		wanted->values[FL_KUBE_BACKEND_DATA] = data ? data : "null";
		wanted->values[FL_KUBE_PUBLIC_IP] = wanted->public_ip;
	}
	if ((v6_data || !needs_data) && wanted->public_ip6[0] &&
	    flannel_lease_get_subnet(lease, AF_INET6, &unused) > 0) {
		wanted->values[FL_KUBE_BACKEND_V6_DATA] = v6_data ? v6_data : "null";
		wanted->values[FL_KUBE_PUBLIC_IPV6] = wanted->public_ip6;
	}
}

/* is an annotation as wanted; one that is empty counts as none where none is wanted */
static bool is_as_wanted(const char *wanted, const char *found)
{
	if (!wanted)
		return !found;
	return found && strcmp(wanted, found) == 0;
}

bool fl_kube_wanted_differs(const struct fl_kube_wanted *wanted, const struct fl_kube_node *node)
{
	for (size_t i = 0; i < FL_KUBE_N_OWN; i++)
		if (!is_as_wanted(wanted->values[i], node->annotations[i]))
			return true;
	return false;
}

/* the text of a patch that is complete; -ENOMEM */
static int format(struct json_object *patch, char **ret_body)
{
	*ret_body = fl_json_format(patch);
	return *ret_body ? 0 : -ENOMEM;
}

/* an object as the last member of another one; NULL without memory */
static struct json_object *add_object(struct json_object *object, const char *key)
{
	struct json_object *member = object ? fl_json_object() : NULL;

	return member && fl_json_add(object, key, member) == 0 ? member : NULL;
}

int fl_kube_patch_annotations(const struct fl_kube_keys *keys, const struct fl_kube_wanted *wanted,
			      const struct fl_kube_node *node, char **ret_body)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *patch = fl_json_object();
	struct json_object *annotations = add_object(add_object(patch, "metadata"), "annotations");
	int r = annotations ? 0 : -ENOMEM;

	for (size_t i = 0; i < FL_KUBE_N_OWN && r == 0; i++) {
		const char *value = wanted ? wanted->values[i] : NULL;

		if (is_as_wanted(value, node->annotations[i]))
			continue;
		r = value ? fl_json_add(annotations, keys->keys[i], fl_json_string(value))
			  : fl_json_add_null(annotations, keys->keys[i]);
	}
	return r == 0 ? format(patch, ret_body) : r;
}

/* the members of the condition */
static int fill_condition(struct json_object *condition, bool is_up, const char *why, const char *now)
{
	char message[MESSAGE_MAX];
	int r = fl_json_add(condition, "type", fl_json_string("NetworkUnavailable"));

	(void)snprintf(message, sizeof(message), "%s", is_up ? MESSAGE_UP : why);
	if (r == 0)
		r = fl_json_add(condition, "status", fl_json_string(is_up ? "False" : "True"));
	if (r == 0)
		r = fl_json_add(condition, "lastHeartbeatTime", fl_json_string(now));
	if (r == 0)
		r = fl_json_add(condition, "lastTransitionTime", fl_json_string(now));
	if (r == 0)
		r = fl_json_add(condition, "reason", fl_json_string(is_up ? REASON_UP : REASON_DOWN));
	return r == 0 ? fl_json_add(condition, "message", fl_json_string(message)) : r;
}

int fl_kube_patch_condition(bool is_up, const char *why, time_t now, char **ret_body)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *patch = fl_json_object();
	struct json_object *status = add_object(patch, "status");
	struct json_object *list = status ? fl_json_array() : NULL, *condition;
	struct tm tm;
	char text[32];

	if (!list || fl_json_add(status, "conditions", list) < 0)
		return -ENOMEM;
	condition = fl_json_object();
	if (!condition || fl_json_append(list, condition) < 0)
		return -ENOMEM;
	(void)gmtime_r(&now, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return fill_condition(condition, is_up, why, text) < 0 ? -ENOMEM : format(patch, ret_body);
}
