/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "store/kube/node.h"

/*
 * Of a list of thousands of Nodes, all written by the same program, each is read in one pass, without a tree of its values. What is anything but plain
 * - bytes above ASCII, escapes by number, long numbers, a member twice or in other letters, whatever is no JSON - is left to the reader that knows all
 * of it, so that there is one opinion of what is right. All functions here return false for that.
 */

#define DEPTH_MAX 16
#define DIGITS_MAX 15

struct reader {
	const char *at; /* the text ends in zero, which no value contains */
	unsigned int depth;
	const struct fl_kube_keys *keys;
	struct fl_kube_node *node;
	char *cidr; /* spec.podCIDR */
	bool has_metadata, has_spec, has_annotations, has_cidrs;
};

/* one member of an object: reads its value */
typedef bool (*member_fn)(struct reader *reader, const char *key, size_t len);

static bool pass_value(struct reader *reader);

/* passes white space */
static void pass_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

/* passes one byte, if it comes next */
static bool pass(struct reader *reader, char c)
{
	pass_blanks(reader);
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* passes a string: where it is, without quotes, and whether there are escapes in it */
static bool pass_string(struct reader *reader, const char **ret_text, size_t *ret_len, bool *ret_has_escapes)
{
	bool has_escapes = false;
	const char *at;

	if (!pass(reader, '"'))
		return false;
	for (at = reader->at; *at != '"'; at++) {
		/* zero is among them */
		if (*at < ' ' || *at > '~')
			return false;
		if (*at != '\\')
			continue;
		at++;
		if (*at == '\0' || !strchr("\"\\/bfnrt", *at))
			return false;
		has_escapes = true;
	}
	*ret_text = reader->at;
	*ret_len = (size_t)(at - reader->at);
	*ret_has_escapes = has_escapes;
	reader->at = at + 1;
	return true;
}

/* the byte that an escape stands for */
static char unescape(char c)
{
	const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *found = strchr(from, c);

	return found ? to[found - from] : c;
}

/* reads a string that there must not be yet */
static bool read_string(struct reader *reader, char **ret_text)
{
	const char *text;
	bool has_escapes;
	char *copy, *to;
	size_t len;

	if (*ret_text || !pass_string(reader, &text, &len, &has_escapes))
		return false;
	copy = to = malloc(len + 1);
	if (!copy)
		return false;
	if (!has_escapes) {
		memcpy(copy, text, len);
		to += len;
	} else {
		for (const char *end = text + len; text < end; text++)
			*to++ = *text == '\\' ? unescape(*++text) : *text;
	}
	*to = '\0';
	*ret_text = copy;
	return true;
}

/* passes as many digits as there are, which must be some and not too many */
static bool pass_digits(struct reader *reader)
{
	size_t n = strspn(reader->at, "0123456789");

	reader->at += n;
	return n > 0 && n <= DIGITS_MAX;
}

/* passes a number, true, false, or null */
static bool pass_scalar(struct reader *reader)
{
	const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < FL_N_ELEMENTS(words); i++) {
		if (strncmp(reader->at, words[i], strlen(words[i])) == 0) {
			reader->at += strlen(words[i]);
			return true;
		}
	}
	/* others than whole numbers are rare, and so are those below zero */
	return !(reader->at[0] == '0' && strchr("0123456789", reader->at[1])) && pass_digits(reader) &&
	       !strchr(".eE", *reader->at);
}

/* reads the members of an object */
static bool read_object(struct reader *reader, member_fn fn)
{
	const char *key;
	bool has_escapes;
	size_t len;

	if (!pass(reader, '{') || ++reader->depth > DEPTH_MAX)
		return false;
	if (pass(reader, '}')) {
		reader->depth--;
		return true;
	}
	do {
		if (!pass_string(reader, &key, &len, &has_escapes) || has_escapes || !pass(reader, ':'))
			return false;
		pass_blanks(reader);
		if (!(fn ? fn(reader, key, len) : pass_value(reader)))
			return false;
	} while (pass(reader, ','));
	reader->depth--;
	return pass(reader, '}');
}

/* reads the elements of an array */
static bool read_array(struct reader *reader, bool (*fn)(struct reader *reader))
{
	if (!pass(reader, '[') || ++reader->depth > DEPTH_MAX)
		return false;
	if (pass(reader, ']')) {
		reader->depth--;
		return true;
	}
	do {
		pass_blanks(reader);
		if (!fn(reader))
			return false;
	} while (pass(reader, ','));
	reader->depth--;
	return pass(reader, ']');
}

/* passes a value of any kind */
static bool pass_value(struct reader *reader)
{
	const char *text;
	bool has_escapes;
	size_t len;

	switch (*reader->at) {
	case '{':
		return read_object(reader, NULL);
	case '[':
		return read_array(reader, pass_value);
	case '"':
		return pass_string(reader, &text, &len, &has_escapes);
	default:
		return pass_scalar(reader);
	}
}

/* is a key that one; *odd: it would be, in other letters */
static bool is_key(const char *key, size_t len, const char *wanted, bool *odd)
{
	if (strncasecmp(key, wanted, len) != 0 || wanted[len])
		return false;
	*odd |= strncmp(key, wanted, len) != 0;
	return true;
}

/* metadata.annotations: ours */
static bool read_annotation(struct reader *reader, const char *key, size_t len)
{
	bool odd = false;

	for (size_t i = 0; i < FL_KUBE_N_ANNOTATIONS; i++) {
		if (is_key(key, len, reader->keys->keys[i], &odd))
			return !odd && read_string(reader, &reader->node->annotations[i]);
	}
	return pass_value(reader);
}

/* an object that there must not be yet */
static bool read_once(struct reader *reader, bool *has, bool odd, member_fn fn)
{
	bool had = *has;

	*has = true;
	return !had && !odd && read_object(reader, fn);
}

/* metadata */
static bool read_metadatum(struct reader *reader, const char *key, size_t len)
{
	struct fl_kube_node *node = reader->node;
	bool odd = false;

	if (is_key(key, len, "name", &odd))
		return !odd && read_string(reader, &node->name);
	if (is_key(key, len, "uid", &odd))
		return !odd && read_string(reader, &node->uid);
	if (is_key(key, len, "resourceVersion", &odd))
		return !odd && read_string(reader, &node->version);
	if (is_key(key, len, "annotations", &odd))
		return read_once(reader, &reader->has_annotations, odd, read_annotation);
	return pass_value(reader);
}

/* takes one pod CIDR in */
static bool read_cidr(struct reader *reader)
{
	FL_CLEANUP(fl_freep) char *text = NULL;

	return read_string(reader, &text) && fl_kube_node_add_cidr(reader->node, text, NULL) == 0;
}

/* spec */
static bool read_specification(struct reader *reader, const char *key, size_t len)
{
	bool odd = false, had = reader->has_cidrs;

	if (is_key(key, len, "podCIDR", &odd))
		return !odd && read_string(reader, &reader->cidr);
	if (!is_key(key, len, "podCIDRs", &odd))
		return pass_value(reader);
	reader->has_cidrs = true;
	return !had && !odd && read_array(reader, read_cidr);
}

/* the Node's members */
static bool read_member(struct reader *reader, const char *key, size_t len)
{
	bool odd = false;

	if (is_key(key, len, "metadata", &odd))
		return read_once(reader, &reader->has_metadata, odd, read_metadatum);
	if (is_key(key, len, "spec", &odd))
		return read_once(reader, &reader->has_spec, odd, read_specification);
	return pass_value(reader);
}

bool fl_kube_node_read_plain(const struct fl_kube_keys *keys, const char *text, size_t len,
			     struct fl_kube_node *ret_node)
{
	FL_CLEANUP(fl_kube_node_clear) struct fl_kube_node node = {0};
	struct reader reader = {.at = text, .keys = keys, .node = &node};
	bool ok = read_object(&reader, read_member);

	pass_blanks(&reader);
	ok = ok && reader.at == text + len && node.name;
	/* the older member counts where the newer one says nothing */
	if (ok && node.n_cidrs == 0 && reader.cidr && *reader.cidr)
		ok = fl_kube_node_add_cidr(&node, reader.cidr, NULL) == 0;
	free(reader.cidr);
	if (!ok)
		return false;
	fl_kube_node_note_version(&node);
	*ret_node = node;
	node = (struct fl_kube_node){0};
	return true;
}

int fl_kube_node_parse(const struct fl_kube_keys *keys, const char *text, size_t len, struct fl_kube_node *ret_node,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	int r;

	if (fl_kube_node_read_plain(keys, text, len, ret_node))
		return 0;
	r = fl_json_parse(text, len, "Node", &object, ret_error);
	return r < 0 ? r : fl_kube_node_read(keys, object, ret_node, ret_error);
}
