/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/json.h"

#define DEPTH_MAX 16

/* aliases make a short text long: more is no kubeconfig */
#define NODES_MAX 100000

struct conversion {
	yaml_document_t *document;
	const char *origin;
	size_t n_nodes;
	unsigned int depth;
};

/* the error for a place in the text; line counts from 1 */
static int refuse(const char *origin, size_t line, const char *problem, struct flannel_error **ret_error)
{
	char detail[160];

	(void)snprintf(detail, sizeof(detail), "line %zu: %.100s", line, problem);
	return fl_error_set(ret_error, -EINVAL, "config", detail, "%s", origin);
}

static int convert(struct conversion *conversion, int index, struct json_object **ret_value,
		   struct flannel_error **ret_error);

/* a text, or one of the words; *ret_value is NULL for null */
static int convert_scalar(const yaml_node_t *node, struct json_object **ret_value, struct flannel_error **ret_error)
{
	const char *text = (const char *)node->data.scalar.value;
	bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (is_plain && (!*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)) {
		*ret_value = NULL;
		return 0;
	}
	if (is_plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
		*ret_value = fl_json_bool(*text == 't');
	else
		*ret_value = fl_json_string(text);
	return *ret_value ? 0 : fl_error_oom(ret_error);
}

/* a list */
static int convert_sequence(struct conversion *conversion, const yaml_node_t *node, struct json_object *array,
			    struct flannel_error **ret_error)
{
	int r = 0;

	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && r == 0; item++) {
		struct json_object *value = NULL;

		r = convert(conversion, *item, &value, ret_error);
		if (r == 0 && !value)
			r = refuse(conversion->origin, node->start_mark.line + 1, "an empty item in a list", ret_error);
		if (r == 0 && fl_json_append(array, value) < 0)
			r = fl_error_oom(ret_error);
	}
	return r;
}

/* keys and values; one that is null is as if it were not there */
static int convert_mapping(struct conversion *conversion, const yaml_node_t *node, struct json_object *object,
			   struct flannel_error **ret_error)
{
	int r = 0;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && r == 0; pair++) {
		const yaml_node_t *key = yaml_document_get_node(conversion->document, pair->key);
		struct json_object *value = NULL;

		if (!key || key->type != YAML_SCALAR_NODE)
			return refuse(conversion->origin, node->start_mark.line + 1, "a key that is no text",
				      ret_error);
		r = convert(conversion, pair->value, &value, ret_error);
		if (r == 0 && value && fl_json_add(object, (const char *)key->data.scalar.value, value) < 0)
			r = fl_error_oom(ret_error);
	}
	return r;
}

/* any node */
static int convert(struct conversion *conversion, int index, struct json_object **ret_value,
		   struct flannel_error **ret_error)
{
	const yaml_node_t *node = yaml_document_get_node(conversion->document, index);
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
	int r;

	if (!node)
		return fl_error_oom(ret_error);
	if (++conversion->n_nodes > NODES_MAX || conversion->depth == DEPTH_MAX)
		return refuse(conversion->origin, node->start_mark.line + 1, "nested too deeply, or too large",
			      ret_error);
	if (node->type == YAML_SCALAR_NODE)
		return convert_scalar(node, ret_value, ret_error);
	value = node->type == YAML_SEQUENCE_NODE ? fl_json_array() : fl_json_object();
	if (!value)
		return fl_error_oom(ret_error);
	conversion->depth++;
	if (node->type == YAML_SEQUENCE_NODE)
		r = convert_sequence(conversion, node, value, ret_error);
	else
		r = convert_mapping(conversion, node, value, ret_error);
	conversion->depth--;
	if (r < 0)
		return r;
	*ret_value = FL_TAKE(value);
	return 0;
}

/* what the parser found wrong */
static int fail(const yaml_parser_t *parser, const char *origin, struct flannel_error **ret_error)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return fl_error_oom(ret_error);
	return refuse(origin, parser->problem_mark.line + 1, parser->problem ? parser->problem : "it cannot be read",
		      ret_error);
}

int fl_kube_yaml_parse(const char *text, size_t len, const char *origin, struct json_object **ret_value,
		       struct flannel_error **ret_error)
{
	struct conversion conversion = {.origin = origin};
	yaml_document_t document;
	yaml_parser_t parser;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return fl_error_oom(ret_error);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		r = fail(&parser, origin, ret_error);
		yaml_parser_delete(&parser);
		return r;
	}
	conversion.document = &document;
	if (yaml_document_get_root_node(&document))
		r = convert(&conversion, 1, ret_value, ret_error);
	else
		*ret_value = NULL;
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	return r;
}
