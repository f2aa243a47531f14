/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

/* behind the prefix */
static const char *const suffixes[FL_KUBE_N_ANNOTATIONS] = {
	[FL_KUBE_MANAGED] = "kube-subnet-manager",   [FL_KUBE_BACKEND_TYPE] = "backend-type",
	[FL_KUBE_BACKEND_DATA] = "backend-data",     [FL_KUBE_BACKEND_V6_DATA] = "backend-v6-data",
	[FL_KUBE_PUBLIC_IP] = "public-ip",           [FL_KUBE_PUBLIC_IPV6] = "public-ipv6",
	[FL_KUBE_NODE_PUBLIC_IP] = "node-public-ip", [FL_KUBE_NODE_PUBLIC_IPV6] = "node-public-ipv6",
	[FL_KUBE_OVERWRITE] = "public-ip-overwrite", [FL_KUBE_OVERWRITE_V6] = "public-ipv6-overwrite",
};

/* what a domain name or a name of an annotation is made of; what flannel allows, not all that Kubernetes does */
static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/* is it "DOMAIN" with a dot in it, then a slash, then nothing or "NAME-" */
static bool is_prefix(const char *text)
{
	size_t n_labels = 0, len;

	for (;;) {
		len = strspn(text, word);
		if (len == 0)
			return false;
		n_labels++;
		text += len;
		if (*text != '.')
			break;
		text++;
	}
	if (*text != '/' || n_labels < 2)
		return false;
	text++;
	len = strspn(text, word);
	return text[len] == '\0' && (len == 0 || (len > 1 && text[len - 1] == '-'));
}

int fl_kube_keys_init(struct fl_kube_keys *keys, const char *prefix, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_keys_clear) struct fl_kube_keys made = {0};
	FL_CLEANUP(fl_freep) char *whole = NULL;
	size_t len = strlen(prefix);
	bool has_slash = strchr(prefix, '/') != NULL, has_end;

	has_end = has_slash && (prefix[len - 1] == '/' || prefix[len - 1] == '-');
	if (asprintf(&whole, "%s%s", prefix, !has_slash ? "/" : has_end ? "" : "-") < 0) {
		whole = NULL;
		return fl_error_oom(ret_error);
	}
	if (!is_prefix(whole))
		return fl_error_set(ret_error, -EINVAL, "config",
				    "expected a domain name with a dot in it, in lower case, and perhaps a slash and "
				    "a word, as in \"flannel.alpha.coreos.com\" or \"example.com/net\"",
				    "prefix of the node annotations: \"%.80s\"", prefix);
	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS; i++) {
		if (asprintf(&made.keys[i], "%s%s", whole, suffixes[i]) < 0) {
			made.keys[i] = NULL;
			return fl_error_oom(ret_error);
		}
	}
	*keys = made;
	made = (struct fl_kube_keys){0};
	return 0;
}

void fl_kube_keys_clear(struct fl_kube_keys *keys)
{
	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS; i++)
		free(keys->keys[i]);
	*keys = (struct fl_kube_keys){0};
}

/* a number, 0 if text is none that fits */
static uint64_t parse_revision(const char *text)
{
	uint64_t revision = 0;

	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(revision, UINT64_C(10), &revision) ||
		    __builtin_add_overflow(revision, (uint64_t)(*text - '0'), &revision))
			return 0;
	}
	return revision;
}

void fl_kube_node_note_version(struct fl_kube_node *node)
{
	node->revision = node->version ? parse_revision(node->version) : 0;
}

/* a copied text; absent leaves NULL */
static int copy_string(struct json_object *object, const char *path, const char *key, char **ret_text,
		       struct flannel_error **ret_error)
{
	const char *text = NULL;
	int r = fl_json_get_string(object, path, key, &text, ret_error);

	if (r <= 0)
		return r;
	*ret_text = strdup(text);
	return *ret_text ? 1 : fl_error_oom(ret_error);
}

/* metadata: name, version and our annotations */
static int read_metadata(const struct fl_kube_keys *keys, struct json_object *metadata, struct fl_kube_node *node,
			 struct flannel_error **ret_error)
{
	struct json_object *annotations = NULL;
	int r = copy_string(metadata, "metadata", "name", &node->name, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -EINVAL, "store", "it has no name", "read a Node");
	if (r > 0)
		r = copy_string(metadata, "metadata", "uid", &node->uid, ret_error);
	if (r >= 0)
		r = copy_string(metadata, "metadata", "resourceVersion", &node->version, ret_error);
	if (r > 0)
		fl_kube_node_note_version(node);
	if (r >= 0)
		r = fl_json_get_object(metadata, "metadata", "annotations", &annotations, ret_error);
	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS && r >= 0 && annotations; i++)
		r = copy_string(annotations, "metadata.annotations", keys->keys[i], &node->annotations[i], ret_error);
	return r < 0 ? r : 0;
}

int fl_kube_node_add_cidr(struct fl_kube_node *node, const char *text, struct flannel_error **ret_error)
{
	struct flannel_prefix prefix, *to;

	if (!text || !strchr(text, '/') || flannel_prefix_parse(text, &prefix) < 0)
		return fl_error_set(ret_error, -EINVAL, "store", "expected a network such as 10.244.1.0/24",
				    "spec.podCIDRs: \"%.50s\"", text ? text : "");
	node->n_cidrs++;
	to = prefix.family == AF_INET ? &node->subnet : &node->subnet6;
	if (!to->family)
		*to = prefix;
	return 0;
}

/* spec: the pod CIDRs, in the newer list or the older member */
static int read_spec(struct json_object *spec, struct fl_kube_node *node, struct flannel_error **ret_error)
{
	struct json_object *list = NULL;
	const char *one = NULL;
	size_t n;
	int r = fl_json_get_array(spec, "spec", "podCIDRs", &list, ret_error);

	n = r > 0 ? fl_json_array_length(list) : 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = fl_kube_node_add_cidr(node, fl_json_as_string(fl_json_array_get(list, i)), ret_error);
	if (r >= 0 && n == 0)
		r = fl_json_get_string(spec, "spec", "podCIDR", &one, ret_error);
	if (r > 0 && one && *one)
		r = fl_kube_node_add_cidr(node, one, ret_error);
	return r < 0 ? r : 0;
}

int fl_kube_node_read(const struct fl_kube_keys *keys, struct json_object *object, struct fl_kube_node *ret_node,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_kube_node_clear) struct fl_kube_node node = {0};
	struct json_object *metadata = NULL, *spec = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = -EINVAL;

	if (fl_json_is_object(object))
		r = fl_json_get_object(object, "Node", "metadata", &metadata, &error);
	if (r == 0 || !fl_json_is_object(object))
		r = fl_error_set(&error, -EINVAL, "store", "it is no object with metadata", "read a Node");
	if (r > 0)
		r = read_metadata(keys, metadata, &node, &error);
	if (r >= 0)
		r = fl_json_get_object(object, "Node", "spec", &spec, &error);
	if (r > 0)
		r = read_spec(spec, &node, &error);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0)
		return fl_error_set(ret_error, r, "store", flannel_error_get_message(error), "Node %.64s",
				    node.name ? node.name : "without a name");
	*ret_node = node;
	node = (struct fl_kube_node){0};
	return 0;
}

void fl_kube_node_clear(struct fl_kube_node *node)
{
	free(node->name);
	free(node->uid);
	free(node->version);
	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS; i++)
		free(node->annotations[i]);
	*node = (struct fl_kube_node){0};
}

int fl_kube_node_get_address(const struct fl_kube_node *node, enum fl_kube_annotation which, int family,
			     struct flannel_prefix *ret_address)
{
	const char *text = node->annotations[which];
	struct flannel_prefix address;

	if (!text || !*text)
		return 0;
	if (strchr(text, '/') || flannel_prefix_parse(text, &address) < 0 || address.family != family)
		return -EINVAL;
	*ret_address = address;
	return 1;
}

/* puts the Node's name before whatever is wrong with what it says */
static int wrap(const struct fl_kube_node *node, int code, struct flannel_error *error,
		struct flannel_error **ret_error)
{
	if (code == -ENOMEM)
		return fl_error_oom(ret_error);
	return fl_error_set(ret_error, code, "store", flannel_error_get_message(error), "Node %s", node->name);
}

/* is an address one that a node can be reached at */
static bool is_usable(const struct flannel_prefix *address)
{
	const uint8_t zero[sizeof(address->addr)] = {0};

	return memcmp(address->addr, zero, sizeof(zero)) != 0;
}

int fl_kube_node_get_lease(const struct fl_kube_node *node, struct flannel_lease **ret_lease,
			   struct flannel_error **ret_error)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .revision = node->revision};
	const char *managed = node->annotations[FL_KUBE_MANAGED];
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!managed || strcmp(managed, "true") != 0)
		return 0;
	if (node->subnet.family && fl_kube_node_get_address(node, FL_KUBE_PUBLIC_IP, AF_INET, &fields.public_ip) > 0 &&
	    is_usable(&fields.public_ip)) {
		fields.subnet = node->subnet;
		fields.backend_data = node->annotations[FL_KUBE_BACKEND_DATA];
	}
	if (node->subnet6.family &&
	    fl_kube_node_get_address(node, FL_KUBE_PUBLIC_IPV6, AF_INET6, &fields.public_ip6) > 0 &&
	    is_usable(&fields.public_ip6)) {
		fields.subnet6 = node->subnet6;
		fields.backend_v6_data = node->annotations[FL_KUBE_BACKEND_V6_DATA];
	}
	if (!fields.subnet.family && !fields.subnet6.family)
		return fl_error_set(ret_error, -EINVAL, "store",
				    node->n_cidrs ? "expected an address in public-ip or public-ipv6"
						  : "it has no spec.podCIDR",
				    "Node %s", node->name);
	fields.backend_type = node->annotations[FL_KUBE_BACKEND_TYPE];
	r = flannel_lease_new(&fields, ret_lease, &error);
	return r < 0 ? wrap(node, r, error, ret_error) : 1;
}

/* more than one of a family, which Kubernetes does not know either */
static bool has_too_many(const struct fl_kube_node *node)
{
	return node->n_cidrs > (size_t)(node->subnet.family != 0) + (size_t)(node->subnet6.family != 0);
}

int fl_kube_node_get_self(const struct fl_kube_node *node, struct flannel_lease **ret_lease,
			  struct flannel_error **ret_error)
{
	struct flannel_lease_fields fields = {.size = sizeof(fields), .revision = node->revision};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (node->n_cidrs == 0)
		return fl_error_set_retryable(
			ret_error, -EAGAIN, "store",
			"it has no spec.podCIDR yet: is kube-controller-manager started with --allocate-node-cidrs "
			"and --cluster-cidr, or are CIDRs assigned otherwise?",
			"wait for the subnet of Node %s", node->name);
	if (has_too_many(node))
		return fl_error_set(ret_error, -EINVAL, "store", "expected one of each family at most",
				    "Node %s: spec.podCIDRs has %zu networks", node->name, node->n_cidrs);
	fields.subnet = node->subnet;
	fields.subnet6 = node->subnet6;
	fields.backend_type = node->annotations[FL_KUBE_BACKEND_TYPE];
	fields.backend_data = node->annotations[FL_KUBE_BACKEND_DATA];
	fields.backend_v6_data = node->annotations[FL_KUBE_BACKEND_V6_DATA];
	r = flannel_lease_new(&fields, ret_lease, NULL);
	if (r == -EINVAL) {
		fields.backend_data = NULL;
		fields.backend_v6_data = NULL;
		r = flannel_lease_new(&fields, ret_lease, &error);
	}
	return r < 0 ? wrap(node, r, error, ret_error) : 0;
}

/* do two leases agree in what a getter of a family says */
static bool is_same(const struct flannel_lease *a, const struct flannel_lease *b,
		    int (*get)(const struct flannel_lease *lease, int family, struct flannel_prefix *ret_prefix))
{
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix one = {0}, other = {0};

		(void)get(a, families[i], &one);
		(void)get(b, families[i], &other);
		if (flannel_prefix_compare(&one, &other) != 0)
			return false;
	}
	return true;
}

bool fl_kube_same_subnets(const struct flannel_lease *a, const struct flannel_lease *b)
{
	return is_same(a, b, flannel_lease_get_subnet);
}

bool fl_kube_same_addresses(const struct flannel_lease *a, const struct flannel_lease *b)
{
	return is_same(a, b, flannel_lease_get_public_ip);
}
