/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "domain/hash.h"
#include "store/snapshot_state.h"

/* a few hundred bytes for each of a hundred thousand peers */
#define SIZE_MAX_BYTES (64U << 20)

struct fl_snapshot_reader {
	char *origin;
	char *text;
	size_t len;
	size_t next; /* where the next peer begins, or the end */
	size_t n_allocated;
	struct fl_snapshot *snapshot;
};

/* refuses a text */
static int refuse(const char *origin, const char *why, struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EBADMSG, AREA, why, "read %s", origin);
}

/* are the bytes those that were written */
static int check_sum(const char *text, size_t len, const char *origin, struct flannel_error **ret_error)
{
	char head[HEAD_LEN + 1];

	if (len < HEAD_LEN || memcmp(text, HEAD_FORMAT, strcspn(HEAD_FORMAT, "%")) != 0)
		return refuse(origin, "it is no snapshot, or only a part of one", ret_error);
	(void)snprintf(head, sizeof(head), HEAD_FORMAT, fl_hash(FL_HASH_INIT, text + HEAD_LEN, len - HEAD_LEN));
	if (memcmp(head, text, HEAD_LEN) != 0)
		return refuse(origin, "its checksum is wrong: it is damaged, or only a part of one", ret_error);
	return 0;
}

/* 1 is there, else what is wrong */
static int needed(int r, const char *origin, const char *key, struct flannel_error **ret_error)
{
	if (r != 0)
		return r;
	return fl_error_set(ret_error, -EBADMSG, AREA, "it is missing", "read %s: %s", origin, key);
}

/* reads a lease */
static int read_lease(struct json_object *object, const char *origin, struct flannel_lease **ret_lease,
		      struct flannel_error **ret_error)
{
	const char *key = NULL, *value = NULL;
	uint64_t expires_sec = 0, revision = 0;
	int r = needed(fl_json_get_string(object, origin, "Key", &key, ret_error), origin, "Key", ret_error);

	if (r > 0)
		r = needed(fl_json_get_string(object, origin, "Value", &value, ret_error), origin, "Value", ret_error);
	if (r > 0)
		r = fl_json_get_uint(object, origin, "Expires", INT64_MAX, &expires_sec, ret_error);
	if (r >= 0)
		r = fl_json_get_uint(object, origin, "Revision", INT64_MAX, &revision, ret_error);
	if (r < 0)
		return r;
	return flannel_lease_parse(key, value, strlen(value), (int64_t)expires_sec, revision, ret_lease, ret_error);
}

/* a text that is copied */
static int read_text(struct json_object *body, const char *origin, const char *key, char **ret_text,
		     struct flannel_error **ret_error)
{
	const char *text = NULL;
	int r = needed(fl_json_get_string(body, origin, key, &text, ret_error), origin, key, ret_error);

	if (r < 0)
		return r;
	*ret_text = strdup(text);
	return *ret_text ? 0 : fl_error_oom(ret_error);
}

/* Checks the version and reads everything but the peers. */
static int read_body(struct json_object *body, const char *origin, struct fl_snapshot *snapshot,
		     struct flannel_error **ret_error)
{
	struct json_object *own = NULL;
	uint64_t version = 0, written_sec = 0;
	int r;

	if (!fl_json_is_object(body))
		return refuse(origin, "it is no object", ret_error);
	r = needed(fl_json_get_uint(body, origin, "Version", INT64_MAX, &version, ret_error), origin, "Version",
		   ret_error);
	if (r > 0 && version != VERSION)
		return refuse(origin, "it is of another version of libflannel", ret_error);
	if (r > 0)
		r = fl_json_get_uint(body, origin, "Written", INT64_MAX, &written_sec, ret_error);
	if (r >= 0)
		r = read_text(body, origin, "Store", &snapshot->store, ret_error);
	if (r >= 0)
		r = read_text(body, origin, "Config", &snapshot->config, ret_error);
	if (r >= 0)
		r = fl_json_get_object(body, origin, "Own", &own, ret_error);
	if (r > 0)
		r = read_lease(own, origin, &snapshot->own, ret_error);
	snapshot->written_sec = (int64_t)written_sec;
	return r < 0 ? r : 0;
}

/* passes white space; false: nothing else follows */
static bool skip_space(struct fl_snapshot_reader *reader)
{
	while (reader->next < reader->len && memchr(" \t\r\n", reader->text[reader->next], 4))
		reader->next++;
	return reader->next < reader->len;
}

/* the same, and then this byte, if it is there */
static bool skip(struct fl_snapshot_reader *reader, char byte)
{
	if (!skip_space(reader) || reader->text[reader->next] != byte)
		return false;
	reader->next++;
	return true;
}

/* finds where the peers begin, which are the last key: the offset of the comma before it, 0 without them */
static size_t find_peers(struct fl_snapshot_reader *reader)
{
	const char *found = reader->text;

	/* within a string the quotes would be escaped; a string of its own has no array behind it */
	while ((found = memmem(found, reader->len - (size_t)(found - reader->text), PEERS_KEY, strlen(PEERS_KEY)))) {
		size_t comma = (size_t)(found - reader->text);

		found += strlen(PEERS_KEY);
		reader->next = (size_t)(found - reader->text);
		while (comma > 0 && reader->text[comma] != ',')
			comma--;
		if (skip(reader, ':') && skip(reader, '['))
			return comma;
	}
	return 0;
}

/* reads what stands before the peers, and finds where they begin */
static int read_head(struct fl_snapshot_reader *reader, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *body = NULL;
	size_t comma = find_peers(reader);
	int r;

	if (!comma)
		return refuse(reader->origin, "Peers are missing", ret_error);
	reader->text[comma] = '}';
	r = fl_json_parse(reader->text, comma + 1, reader->origin, &body, ret_error);
	return r < 0 ? r : read_body(body, reader->origin, reader->snapshot, ret_error);
}

/* room for one more peer */
static int grow(struct fl_snapshot_reader *reader, struct flannel_error **ret_error)
{
	struct fl_snapshot *snapshot = reader->snapshot;
	size_t n = reader->n_allocated ? 2 * reader->n_allocated : 64;
	struct flannel_lease **peers;

	if (snapshot->n_peers < reader->n_allocated)
		return 0;
	peers = reallocarray(snapshot->peers, n, sizeof(*peers));
	if (!peers)
		return fl_error_oom(ret_error);
	snapshot->peers = peers;
	reader->n_allocated = n;
	return 0;
}

/* how long the object is that begins here; all that is left, if it has no end */
static size_t object_len(const struct fl_snapshot_reader *reader)
{
	bool in_string = false;
	size_t depth = 0, i;

	for (i = reader->next; i < reader->len; i++) {
		char byte = reader->text[i];

		if (in_string && byte == '\\')
			i++;
		else if (byte == '"')
			in_string = !in_string;
		else if (!in_string && byte == '{')
			depth++;
		else if (!in_string && byte == '}' && --depth == 0)
			return i + 1 - reader->next;
	}
	return reader->len - reader->next;
}

/* the next peer, whose first byte was seen */
static int read_peer(struct fl_snapshot_reader *reader, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	struct fl_snapshot *snapshot = reader->snapshot;
	const char *text;
	size_t len;
	int r = grow(reader, ret_error);

	if (r < 0)
		return r;
	reader->next--;
	text = reader->text + reader->next;
	len = object_len(reader);
	reader->next += len;
	r = fl_json_parse(text, len, reader->origin, &object, ret_error);
	if (r >= 0)
		r = read_lease(object, reader->origin, &snapshot->peers[snapshot->n_peers], ret_error);
	if (r < 0)
		return r;
	snapshot->n_peers++;
	return 0;
}

struct fl_snapshot_reader *fl_snapshot_reader_free(struct fl_snapshot_reader *reader)
{
	if (!reader)
		return NULL;
	fl_snapshot_free(reader->snapshot);
	free(reader->text);
	free(reader->origin);
	free(reader);
	return NULL;
}

FL_DEFINE_CLEANUP(struct fl_snapshot_reader *, fl_snapshot_reader_free)

/* begins to read a text, which is the reader's also after a failure */
static int begin(char *text, size_t len, const char *origin, struct fl_snapshot_reader **ret_reader,
		 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_reader_freep) struct fl_snapshot_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader) {
		free(text);
		return fl_error_oom(ret_error);
	}
	reader->text = text;
	reader->len = len;
	reader->origin = strdup(origin);
	reader->snapshot = calloc(1, sizeof(*reader->snapshot));
	if (!reader->origin || !reader->snapshot)
		return fl_error_oom(ret_error);
	r = check_sum(text, len, origin, ret_error);
	if (r >= 0)
		r = read_head(reader, ret_error);
	if (r < 0)
		return r;
	*ret_reader = FL_TAKE(reader);
	return 0;
}

int fl_snapshot_reader_open(const char *path, struct fl_snapshot_reader **ret_reader, struct flannel_error **ret_error)
{
	char *text = NULL;
	size_t len;
	int r = fl_file_read(path, SIZE_MAX_BYTES, &text, &len, ret_error);

	return r < 0 ? r : begin(text, len, path, ret_reader, ret_error);
}

/* the peers have ended, and so must all the rest */
static int finish(struct fl_snapshot_reader *reader, struct fl_snapshot **ret_snapshot,
		  struct flannel_error **ret_error)
{
	if (!skip(reader, '}') || skip_space(reader))
		return refuse(reader->origin, "something follows the peers", ret_error);
	*ret_snapshot = FL_TAKE(reader->snapshot);
	return 0;
}

int fl_snapshot_reader_step(struct fl_snapshot_reader *reader, size_t n_max, struct fl_snapshot **ret_snapshot,
			    struct flannel_error **ret_error)
{
	for (size_t i = 0; i < n_max; i++) {
		int r;

		if (skip(reader, ']'))
			return finish(reader, ret_snapshot, ret_error);
		if ((reader->snapshot->n_peers && !skip(reader, ',')) || !skip(reader, '{'))
			return refuse(reader->origin, "Peers holds what is no lease", ret_error);
		r = read_peer(reader, ret_error);
		if (r < 0)
			return r;
	}
	return 1;
}

int fl_snapshot_parse(const char *text, size_t len, const char *origin, struct fl_snapshot **ret_snapshot,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_reader_freep) struct fl_snapshot_reader *reader = NULL;
	char *copy = malloc(len + 1);
	int r;

	if (!copy)
		return fl_error_oom(ret_error);
	memcpy(copy, text, len);
	copy[len] = '\0';
	r = begin(copy, len, origin, &reader, ret_error);
	return r < 0 ? r : fl_snapshot_reader_step(reader, SIZE_MAX, ret_snapshot, ret_error);
}

int fl_snapshot_read(const char *path, struct fl_snapshot **ret_snapshot, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_reader_freep) struct fl_snapshot_reader *reader = NULL;
	int r = fl_snapshot_reader_open(path, &reader, ret_error);

	return r < 0 ? r : fl_snapshot_reader_step(reader, SIZE_MAX, ret_snapshot, ret_error);
}

struct fl_snapshot *fl_snapshot_free(struct fl_snapshot *snapshot)
{
	if (!snapshot)
		return NULL;
	for (size_t i = 0; i < snapshot->n_peers; i++)
		flannel_lease_unref(snapshot->peers[i]);
	free(snapshot->peers);
	flannel_lease_unref(snapshot->own);
	free(snapshot->store);
	free(snapshot->config);
	free(snapshot);
	return NULL;
}
