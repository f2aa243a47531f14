/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "domain/hash.h"

#define AREA "snapshot"

/* a few hundred bytes for each of a hundred thousand peers */
#define SIZE_MAX_BYTES (64U << 20)

/* another form takes another number; who does not know it refuses it */
#define VERSION 1

/* how every snapshot begins; the digits are of the bytes behind the comma */
#define HEAD_FORMAT "{\"Checksum\":\"%016" PRIx64 "\","
#define HEAD_LEN 31

/* a lease with its key and flannel's value as texts, which are read back as they are */
static struct json_object *make_lease(struct flannel_lease *lease)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();
	char key[2 * FLANNEL_PREFIX_STRLEN];

	if (!object ||
	    fl_json_add(object, "Key", fl_json_string(flannel_lease_format_key(lease, key, sizeof(key)))) < 0 ||
	    fl_json_add(object, "Value", fl_json_string(flannel_lease_get_value(lease))) < 0 ||
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

/* where a snapshot goes, and the checksum of what has gone there; false: it could not */
struct sink {
	FILE *stream;
	uint64_t checksum;
	bool is_whole;
};

/* writes bytes that the checksum counts */
static void put(struct sink *sink, const char *bytes, size_t len)
{
	sink->checksum = fl_hash(sink->checksum, bytes, len);
	if (fwrite(bytes, 1, len, sink->stream) != len)
		sink->is_whole = false;
}

/* writes an object, without as many of its first and last bytes; takes it over */
static void put_object(struct sink *sink, struct json_object *object, size_t n_cut)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *taken = object;
	FL_CLEANUP(fl_freep) char *json = taken ? fl_json_format(taken) : NULL;

	if (json)
		put(sink, json + n_cut, strlen(json) - 2 * n_cut);
	else
		sink->is_whole = false;
}

/* writes where the checksum belongs */
static void put_head(struct sink *sink)
{
	if (fprintf(sink->stream, HEAD_FORMAT, sink->checksum) != HEAD_LEN)
		sink->is_whole = false;
}

/*
 * Writes everything, peer by peer, each on a line of its own: one object with all of them would take ten times the room of the text. The
 * checksum is still to come.
 */
static bool put_all(struct sink *sink, const struct fl_snapshot *snapshot)
{
	sink->checksum = 0;
	sink->is_whole = true;
	put_head(sink);
	sink->checksum = FL_HASH_INIT;
	put_object(sink, make_body(snapshot), 1);
	put(sink, ",\"Peers\":[", 10);
	for (size_t i = 0; i < snapshot->n_peers && sink->is_whole; i++) {
		put(sink, i ? ",\n" : "\n", i ? 2 : 1);
		put_object(sink, make_lease(snapshot->peers[i]), 0);
	}
	put(sink, "]}\n", 3);
	return sink->is_whole;
}

int fl_snapshot_format(const struct fl_snapshot *snapshot, char **ret_text, size_t *ret_len,
		       struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len = 0;
	struct sink sink = {.stream = open_memstream(&text, &len)};
	bool is_whole = sink.stream && put_all(&sink, snapshot);
	char head[HEAD_LEN + 1];

	if (sink.stream && fclose(sink.stream) != 0)
		is_whole = false;
	if (!is_whole)
		return fl_error_oom(ret_error);
	(void)snprintf(head, sizeof(head), HEAD_FORMAT, sink.checksum);
	memcpy(text, head, HEAD_LEN);
	*ret_text = FL_TAKE(text);
	*ret_len = len;
	return 0;
}

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

/* reads the peers */
static int read_peers(struct json_object *array, const char *origin, struct fl_snapshot *snapshot,
		      struct flannel_error **ret_error)
{
	size_t n = fl_json_array_length(array);

	snapshot->peers = calloc(n + 1, sizeof(struct flannel_lease *));
	if (!snapshot->peers)
		return fl_error_oom(ret_error);
	for (; snapshot->n_peers < n; snapshot->n_peers++) {
		struct json_object *object = fl_json_array_get(array, snapshot->n_peers);
		int r = fl_json_is_object(object)
				? read_lease(object, origin, &snapshot->peers[snapshot->n_peers], ret_error)
				: refuse(origin, "Peers holds what is no lease", ret_error);

		if (r < 0)
			return r;
	}
	return 0;
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

/* Checks the version and reads everything. */
static int read_body(struct json_object *body, const char *origin, struct fl_snapshot *snapshot,
		     struct flannel_error **ret_error)
{
	struct json_object *own = NULL, *peers = NULL;
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
	if (r >= 0)
		r = needed(fl_json_get_array(body, origin, "Peers", &peers, ret_error), origin, "Peers", ret_error);
	snapshot->written_sec = (int64_t)written_sec;
	return r < 0 ? r : read_peers(peers, origin, snapshot, ret_error);
}

int fl_snapshot_parse(const char *text, size_t len, const char *origin, struct fl_snapshot **ret_snapshot,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_snapshot_freep) struct fl_snapshot *snapshot = NULL;
	FL_CLEANUP(fl_json_unrefp) struct json_object *body = NULL;
	int r = check_sum(text, len, origin, ret_error);

	if (r >= 0)
		r = fl_json_parse(text, len, origin, &body, ret_error);
	if (r < 0)
		return r;
	snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot)
		return fl_error_oom(ret_error);
	r = read_body(body, origin, snapshot, ret_error);
	if (r < 0)
		return r;
	*ret_snapshot = FL_TAKE(snapshot);
	return 0;
}

int fl_snapshot_read(const char *path, struct fl_snapshot **ret_snapshot, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;
	int r = fl_file_read(path, SIZE_MAX_BYTES, &text, &len, ret_error);

	return r < 0 ? r : fl_snapshot_parse(text, len, path, ret_snapshot, ret_error);
}

/* writes a snapshot into a file, the checksum last */
static int write_into(void *userdata, int fd)
{
	const struct fl_snapshot *snapshot = userdata;
	int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct sink sink = {.stream = own_fd < 0 ? NULL : fdopen(own_fd, "w")};
	int r = 0;

	if (!sink.stream) {
		r = -errno;
		if (own_fd >= 0)
			close(own_fd);
		return r;
	}
	errno = 0;
	if (put_all(&sink, snapshot) && fseeko(sink.stream, 0, SEEK_SET) == 0)
		put_head(&sink);
	else
		sink.is_whole = false;
	if (!sink.is_whole)
		r = errno ? -errno : -ENOMEM;
	if (fclose(sink.stream) != 0 && r == 0)
		r = -errno;
	return r;
}

int fl_snapshot_write(const struct fl_snapshot *snapshot, const char *path, struct flannel_error **ret_error)
{
	return fl_file_replace(path, 0600, write_into, (void *)snapshot, ret_error);
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
