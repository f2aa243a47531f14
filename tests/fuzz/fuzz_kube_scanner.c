/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as what the Kubernetes API sends. The first byte says what it is to be (object, list, watch) and how the rest is cut. What
 * is told does not depend on the cuts, and what is told of something that is JSON is JSON.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "domain/hash.h"
#include "require.h"
#include "store/kube/scanner.h"

struct told {
	uint64_t hash;
	size_t n;
};

/* notes an object */
static int on_object(void *userdata, const char *text, size_t len)
{
	struct told *told = userdata;

	require(!text || (text[len] == '\0' && len >= 2 && text[0] == '{' && text[len - 1] == '}'));
	told->n++;
	told->hash = fl_hash(told->hash, &len, sizeof(len));
	told->hash = fl_hash(told->hash, text ? text : "", len);
	return 0;
}

/* feeds all in pieces of a size; the result of the last one */
static int feed(struct fl_kube_scanner *scanner, const uint8_t *data, size_t size, size_t step)
{
	int r = 0;

	for (size_t at = 0; at < size && r == 0; at += step)
		r = fl_kube_scanner_feed(scanner, (const char *)data + at, at + step < size ? step : size - at);
	return r;
}

/* an object that is JSON as a whole is JSON as it is told */
static int check_object(void *userdata, const char *text, size_t len)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;

	(void)userdata;
	require(fl_json_parse(text, len, "object", &value, NULL) == 0 && fl_json_is_object(value));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
	struct told whole = {.hash = FL_HASH_INIT}, cut = {.hash = FL_HASH_INIT};
	struct fl_kube_scanner scanner, other;
	enum fl_kube_scan scan;
	size_t step;
	int r;

	if (size == 0)
		return 0;
	scan = (enum fl_kube_scan)(data[0] % 3);
	step = data[0] / 3 % 16 < 15 ? 1 + data[0] / 3 % 16 : 67;
	data++;
	size--;
	fl_kube_scanner_init(&scanner, scan, on_object, &whole);
	fl_kube_scanner_init(&other, scan, on_object, &cut);
	r = feed(&scanner, data, size, size + 1);
	require(r == 0 || r == -EBADMSG);
	require(feed(&other, data, size, step) == r);
	require(whole.n == cut.n && whole.hash == cut.hash);
	require(fl_kube_scanner_is_complete(&scanner) == fl_kube_scanner_is_complete(&other));
	require(scanner.object.len <= FL_KUBE_OBJECT_MAX && scanner.rest.len <= FL_KUBE_REST_MAX);
	fl_kube_scanner_clear(&scanner);
	fl_kube_scanner_clear(&other);
	if (r == 0 && scan == FL_KUBE_SCAN_OBJECT &&
	    fl_json_parse((const char *)data, size, "input", &value, NULL) == 0 && fl_json_is_object(value)) {
		fl_kube_scanner_init(&scanner, scan, check_object, NULL);
		require(feed(&scanner, data, size, step) == 0 && fl_kube_scanner_is_complete(&scanner));
		fl_kube_scanner_clear(&scanner);
	}
	return 0;
}
