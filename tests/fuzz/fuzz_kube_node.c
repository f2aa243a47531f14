/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as a Node. What is read as a lease can be written to the same Node, and then there is nothing left to write; a Node that
 * cannot be read is named, and so is an answer that is none. Both ways to read a Node have one opinion of what they both read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "domain/lease/lease.h"
#include "require.h"
#include "store/kube/answer.h"
#include "store/kube/patch.h"

/* the annotations of the node become what is wanted */
static void adopt(struct fl_kube_node *node, const struct fl_kube_wanted *wanted)
{
	for (size_t i = 0; i < FL_KUBE_N_OWN; i++) {
		free(node->annotations[i]);
		node->annotations[i] = wanted->values[i] ? strdup(wanted->values[i]) : NULL;
	}
}

/* writes a lease to the node */
static void write_lease(const struct fl_kube_keys *keys, struct fl_kube_node *node, const struct flannel_lease *lease)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *patch = NULL;
	FL_CLEANUP(fl_freep) char *body = NULL;
	struct fl_kube_wanted wanted;

	fl_kube_wanted_init(&wanted, node, lease);
	require(fl_kube_patch_annotations(keys, &wanted, node, &body) == 0);
	require(fl_json_parse(body, strlen(body), "patch", &patch, NULL) == 0 && fl_json_is_object(patch));
	adopt(node, &wanted);
	require(!fl_kube_wanted_differs(&wanted, node));
}

/* are two texts the same, or both NULL */
static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* what is read in one pass is what is read by way of a tree of values */
static void compare_readers(const struct fl_kube_keys *keys, const char *text, size_t size)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	struct fl_kube_node plain = {0}, node = {0};

	if (!fl_kube_node_read_plain(keys, text, size, &plain))
		return;
	require(fl_json_parse(text, size, "Node", &object, NULL) == 0);
	require(fl_kube_node_read(keys, object, &node, NULL) == 0);
	require(is_same_text(plain.name, node.name) && is_same_text(plain.uid, node.uid));
	require(is_same_text(plain.version, node.version) && plain.revision == node.revision);
	require(plain.n_cidrs == node.n_cidrs && flannel_prefix_compare(&plain.subnet, &node.subnet) == 0 &&
		flannel_prefix_compare(&plain.subnet6, &node.subnet6) == 0);
	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS; i++)
		require(is_same_text(plain.annotations[i], node.annotations[i]));
	fl_kube_node_clear(&plain);
	fl_kube_node_clear(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP_LEASE struct flannel_lease *lease = NULL;
	FL_CLEANUP_LEASE struct flannel_lease *self = NULL;
	struct fl_kube_answer answer = {0};
	struct fl_kube_node node = {0};
	FL_CLEANUP(fl_freep) char *text = malloc(size + 1);
	struct fl_kube_keys keys;
	int r;

	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	fl_kube_answer_read(&answer, (const char *)data, size);
	require(strlen(answer.message) < sizeof(answer.message) && strlen(answer.reason) < sizeof(answer.reason));
	require(answer.status >= 0 && answer.status < 1000);
	require(fl_kube_keys_init(&keys, FL_KUBE_DEFAULT_PREFIX, NULL) == 0);
	compare_readers(&keys, text, size);
	r = fl_kube_node_parse(&keys, text, size, &node, &error);
	require(r == 0 || (r == -EINVAL && *flannel_error_get_message(error)));
	if (r == 0) {
		require(node.name != NULL);
		r = fl_kube_node_get_lease(&node, &lease, NULL);
		require(r == 0 || r == 1 || r == -EINVAL);
		require(fl_kube_node_get_self(&node, &self, NULL) <= 0);
	}
	if (r > 0)
		write_lease(&keys, &node, lease);
	fl_kube_node_clear(&node);
	fl_kube_keys_clear(&keys);
	return 0;
}
