/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "domain/hash.h"
#include "domain/lease/lease.h"
#include "store/snapshot_state.h"

struct fl_snapshot_writer {
	const struct fl_snapshot *snapshot;
	size_t n_peers; /* that are written */
	FILE *stream;   /* into text; NULL: it is whole */
	char *text;
	size_t len;
	uint64_t checksum; /* of what was written behind the head */
	bool has_failed;   /* for lack of memory */
};

/* a lease with its key and flannel's value as texts, which are read back as they are */
static struct json_object *make_lease(struct flannel_lease *lease)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();
	FL_CLEANUP(fl_freep) char *value = NULL;
	char key[2 * FLANNEL_PREFIX_STRLEN];

	/* made for the purpose: the lease would keep it, and so would thousands */
	if (!object || fl_lease_format_value(lease, &value) < 0 ||
	    fl_json_add(object, "Key", fl_json_string(flannel_lease_format_key(lease, key, sizeof(key)))) < 0 ||
	    fl_json_add(object, "Value", fl_json_string(value)) < 0 ||
	    fl_json_add(object, "Expires", fl_json_int(flannel_lease_get_expires_sec(lease))) < 0 ||
	    fl_json_add(object, "Revision", fl_json_int((int64_t)flannel_lease_get_revision(lease))) < 0)
		return NULL;
	return FL_TAKE(object);
}

/* all but the checksum and the peers; NULL without memory */
static struct json_object *make_body(const struct fl_snapshot *snapshot)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *body = fl_json_object();

	if (!body || fl_json_add(body, "Version", fl_json_int(VERSION)) < 0 ||
	    fl_json_add(body, "Written", fl_json_int(snapshot->written_sec)) < 0 ||
	    fl_json_add(body, "Store", fl_json_string(snapshot->store)) < 0 ||
	    fl_json_add(body, "Config", fl_json_string(snapshot->config)) < 0)
		return NULL;
	if (snapshot->own && fl_json_add(body, "Own", make_lease(snapshot->own)) < 0)
		return NULL;
	return FL_TAKE(body);
}

/* writes bytes that the checksum counts */
static void put(struct fl_snapshot_writer *writer, const char *bytes, size_t len)
{
	writer->checksum = fl_hash(writer->checksum, bytes, len);
	if (fwrite(bytes, 1, len, writer->stream) != len)
		writer->has_failed = true;
}

/* the same for a text */
static void put_text(struct fl_snapshot_writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

/* writes an object, without as many of its first and last bytes; takes it over */
static void put_object(struct fl_snapshot_writer *writer, struct json_object *object, size_t n_cut)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *taken = object;
	FL_CLEANUP(fl_freep) char *json = taken ? fl_json_format(taken) : NULL;

	if (json)
		put(writer, json + n_cut, strlen(json) - 2 * n_cut);
	else
		writer->has_failed = true;
}

/* all that stands before the peers; the checksum is still to come */
static void put_begin(struct fl_snapshot_writer *writer)
{
	if (fprintf(writer->stream, HEAD_FORMAT, (uint64_t)0) != HEAD_LEN)
		writer->has_failed = true;
	writer->checksum = FL_HASH_INIT;
	put_object(writer, make_body(writer->snapshot), 1);
	put_text(writer, "," PEERS_KEY ":[");
}

/* the end, and then the checksum */
static void put_end(struct fl_snapshot_writer *writer)
{
	char head[HEAD_LEN + 1];

	put_text(writer, "]}\n");
	if (fclose(writer->stream) != 0)
		writer->has_failed = true;
	writer->stream = NULL;
	if (writer->has_failed)
		return;
	(void)snprintf(head, sizeof(head), HEAD_FORMAT, writer->checksum);
	memcpy(writer->text, head, HEAD_LEN);
}

struct fl_snapshot_writer *fl_snapshot_writer_free(struct fl_snapshot_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->stream)
		(void)fclose(writer->stream);
	free(writer->text);
	free(writer);
	return NULL;
}

FL_DEFINE_CLEANUP(struct fl_snapshot_writer *, fl_snapshot_writer_free)

int fl_snapshot_writer_new(const struct fl_snapshot *snapshot, struct fl_snapshot_writer **ret_writer,
			   struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_writer_freep) struct fl_snapshot_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return fl_error_oom(ret_error);
	writer->snapshot = snapshot;
	writer->stream = open_memstream(&writer->text, &writer->len);
	if (!writer->stream)
		return fl_error_oom(ret_error);
	put_begin(writer);
	*ret_writer = FL_TAKE(writer);
	return 0;
}

/* Peer by peer, each on a line of its own: one object with all of them would take ten times the room of the text. */
int fl_snapshot_writer_step(struct fl_snapshot_writer *writer, size_t n_max, struct flannel_error **ret_error)
{
	const struct fl_snapshot *snapshot = writer->snapshot;

	for (size_t i = 0; i < n_max && writer->n_peers < snapshot->n_peers && !writer->has_failed; i++) {
		put_text(writer, writer->n_peers ? ",\n" : "\n");
		put_object(writer, make_lease(snapshot->peers[writer->n_peers++]), 0);
	}
	if (!writer->has_failed && writer->n_peers < snapshot->n_peers)
		return 1;
	if (writer->stream)
		put_end(writer);
	return writer->has_failed ? fl_error_oom(ret_error) : 0;
}

int fl_snapshot_writer_save(const struct fl_snapshot_writer *writer, const char *path, struct flannel_error **ret_error)
{
	return fl_file_write_atomic(path, writer->text, writer->len, 0600, ret_error);
}

int fl_snapshot_format(const struct fl_snapshot *snapshot, char **ret_text, size_t *ret_len,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_writer_freep) struct fl_snapshot_writer *writer = NULL;
	int r = fl_snapshot_writer_new(snapshot, &writer, ret_error);

	if (r >= 0)
		r = fl_snapshot_writer_step(writer, SIZE_MAX, ret_error);
	if (r < 0)
		return r;
	*ret_text = FL_TAKE(writer->text);
	*ret_len = writer->len;
	return 0;
}

int fl_snapshot_write(const struct fl_snapshot *snapshot, const char *path, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_writer_freep) struct fl_snapshot_writer *writer = NULL;
	int r = fl_snapshot_writer_new(snapshot, &writer, ret_error);

	if (r >= 0)
		r = fl_snapshot_writer_step(writer, SIZE_MAX, ret_error);
	return r < 0 ? r : fl_snapshot_writer_save(writer, path, ret_error);
}
