/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_SCANNER_H
#define FL_KUBE_SCANNER_H

/*
 * Cuts what the API server sends into single objects while the bytes come in, split wherever they are: an object of a list's "items", an event
 * of a watch, or the one object that an answer is. So neither a list nor its text is ever held as a whole. What nobody here needs, and most of a
 * Node is that ("status", "metadata.managedFields" and "metadata.labels"), is left out on the way and becomes null.
 *
 * It knows strings, escapes and nesting, no more: whether an object is JSON is for its reader to say, and of what is left out nobody does. No
 * system call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* an object with more bytes than that, without what is left out, is told as NULL */
#define FL_KUBE_OBJECT_MAX ((size_t)1024 * 1024)

/* what there is of a list besides its items */
#define FL_KUBE_REST_MAX ((size_t)64 * 1024)

/* arrays and objects in each other */
#define FL_KUBE_DEPTH_MAX 64

enum fl_kube_scan {
	FL_KUBE_SCAN_OBJECT, /* one object */
	FL_KUBE_SCAN_LIST,   /* one object with an array "items", whose objects are told; the rest is in .rest */
	FL_KUBE_SCAN_WATCH,  /* objects one after the other, with the one that matters in "object" */
};

/* an object, which ends in zero; NULL: one that is too large. Negative ends the scan with that result. */
typedef int (*fl_kube_object_fn)(void *userdata, const char *text, size_t len);

struct fl_kube_text {
	char *bytes;
	size_t len, n_allocated;
};

struct fl_kube_scanner {
	enum fl_kube_scan scan;
	fl_kube_object_fn fn;
	void *userdata;

	struct fl_kube_text object; /* as far as it has come */
	struct fl_kube_text rest;   /* "items" is an empty array in it; ends in zero */
	bool is_too_large;          /* the object that comes */

	unsigned int depth;
	unsigned int base; /* depth of the members of the object that comes; 0: none does */
	uint64_t objects;  /* bit d - 1: what is open at depth d is an object, no array */
	bool is_in_items;
	bool has_ended;
	bool is_in_string, is_escaped;
	bool is_key_next, is_key; /* the next string is a key; the one that comes is */
	char key[16];
	size_t key_len;          /* more than fit: none that matters */
	unsigned int skip_depth; /* depth of the member whose value is left out; 0: none is */
};

void fl_kube_scanner_init(struct fl_kube_scanner *scanner, enum fl_kube_scan scan, fl_kube_object_fn fn,
			  void *userdata);
void fl_kube_scanner_clear(struct fl_kube_scanner *scanner);

/* takes what came in: 0, -EBADMSG (it cannot be what it should), -ENOMEM, or what fn returned */
int fl_kube_scanner_feed(struct fl_kube_scanner *scanner, const char *bytes, size_t len);

/* may it end here */
bool fl_kube_scanner_is_complete(const struct fl_kube_scanner *scanner);

#endif
