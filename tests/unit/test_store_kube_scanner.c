/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the Kubernetes store cuts what the API sends into objects, and what it remembers of them. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "domain/lease/lease.h"
#include "store/kube/block.h"
#include "store/kube/records.h"
#include "store/kube/scanner.h"

/* what was told: each object and a line end, "-" for one that is too large */
struct told {
	char text[2048];
	int fail_at; /* the object with this number is refused; 0: none */
	int n;
};

static int on_object(void *userdata, const char *text, size_t len)
{
	struct told *told = userdata;

	cr_assert(!text || strlen(text) == len);
	told->n++;
	if (strlen(told->text) + len + 2 < sizeof(told->text))
		(void)strncat(strncat(told->text, text ? text : "-", sizeof(told->text) - 1), "\n", 2);
	return told->n == told->fail_at ? -ECANCELED : 0;
}

/* feeds a text in pieces of a size: what feed() returned last */
static int feed(struct fl_kube_scanner *scanner, const char *text, size_t step)
{
	size_t len = strlen(text);
	int r = 0;

	for (size_t at = 0; at < len && r == 0; at += step)
		r = fl_kube_scanner_feed(scanner, text + at, at + step < len ? step : len - at);
	return r;
}

Test(store_kube_scanner, cuts_objects_out_however_they_come)
{
	static const struct {
		enum fl_kube_scan scan;
		const char *text;
		const char *told;
		const char *rest; /* of a list */
		bool is_complete;
	} cases[] = {
		{FL_KUBE_SCAN_OBJECT, "{\"a\":1}\n", "{\"a\":1}\n", NULL, true},
		{FL_KUBE_SCAN_OBJECT,
		 " {\"metadata\":{\"name\":\"n\",\"managedFields\":[{\"x\":[1,{\"}\":2}]}]},\"status\":{\"a\":[]}}",
		 "{\"metadata\":{\"name\":\"n\",\"managedFields\":null},\"status\":null}\n", NULL, true},
		/* a member of that name elsewhere is left alone */
		{FL_KUBE_SCAN_OBJECT,
		 "{\"spec\":{\"status\":1},\"managedFields\":[2],\"metadata\":{\"a\":{\"managedFields\":3}}}",
		 "{\"spec\":{\"status\":1},\"managedFields\":[2],\"metadata\":{\"a\":{\"managedFields\":3}}}\n", NULL,
		 true},
		/* strings with everything in them that means something outside */
		{FL_KUBE_SCAN_OBJECT, "{\"a\\\"}{[\":\"\\\\\",\"status\":\"}\\\",\",\"b\":\",:{\"}",
		 "{\"a\\\"}{[\":\"\\\\\",\"status\":null,\"b\":\",:{\"}\n", NULL, true},
		/* strings longer than what is looked at in one go; bytes above ASCII; a skipped value with all kinds in it */
		{FL_KUBE_SCAN_OBJECT,
		 "{\"status\":{\"a\":[\"0123456789\\\"abcdefghijkl\\\\\",-1.5e3,true,null,{\"items\":[{}]}],\"b\" : "
		 "\"\\\\\\\"\"},\"c\":\"0123456\\\"789\303\274\242\334bcdefghijklmnopq\\\\\"}",
		 "{\"status\":null,\"c\":\"0123456\\\"789\303\274\242\334bcdefghijklmnopq\\\\\"}\n", NULL, true},
		/* values left out that end, and strings and rows of backslashes in them that go on, where one look ends */
		{FL_KUBE_SCAN_OBJECT,
		 "{\"metadata\":{\"labels\":{\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\".\":{},\"f:lastHeartbeatTime\":[]},"
		 "\"0123456789012\\\\\\\\"
		 "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"]}01234567890123456789012345678901234567890123456789\\\"\\\\\":["
		 "\"\\\\\"]},"
		 "\"name\":\"n\"},\"labels\":{\"a\":\"b\"}}",
		 "{\"metadata\":{\"labels\":null,\"name\":\"n\"},\"labels\":{\"a\":\"b\"}}\n", NULL, true},
		{FL_KUBE_SCAN_OBJECT, "{\"a\":", "", NULL, false},
		{FL_KUBE_SCAN_OBJECT, "{\"a\":\"}", "", NULL, false},
		{FL_KUBE_SCAN_LIST,
		 "{\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":{\"items\":[{}]}},"
		 "\n{\"b\":2}]}",
		 "{\"a\":{\"items\":[{}]}}\n{\"b\":2}\n",
		 "{\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[\n]}", true},
		{FL_KUBE_SCAN_LIST,
		 "{\"items\":[{\"metadata\":{\"managedFields\":[],\"name\":\"n\"},\"status\":{},\"spec\":{}}],"
		 "\"metadata\":{}}",
		 "{\"metadata\":{\"managedFields\":null,\"name\":\"n\"},\"status\":null,\"spec\":{}}\n",
		 "{\"items\":[],\"metadata\":{}}", true},
		{FL_KUBE_SCAN_LIST, "{\"items\":null,\"a\":[{}]}", "", "{\"items\":null,\"a\":[{}]}", true},
		{FL_KUBE_SCAN_LIST, "{\"items\":[],\"a\":{\"items\":[{\"x\":1}]}}", "",
		 "{\"items\":[],\"a\":{\"items\":[{\"x\":1}]}}", true},
		{FL_KUBE_SCAN_LIST, "{\"items\":[{\"a\":1},{\"b\"", "{\"a\":1}\n", "{\"items\":[", false},
		{FL_KUBE_SCAN_WATCH,
		 "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"managedFields\":{}},\"status\":{\"x\":1}}}\n\n{"
		 "\"type\":\"BOOKMARK\"}\n",
		 "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"managedFields\":null},\"status\":null}}\n{\"type\":"
		 "\"BOOKMARK\"}\n",
		 NULL, true},
		{FL_KUBE_SCAN_WATCH, "{\"status\":1}{\"a\":2}{\"b\"", "{\"status\":1}\n{\"a\":2}\n", NULL, false},
		{FL_KUBE_SCAN_WATCH, "", "", NULL, true},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++) {
			struct fl_kube_scanner scanner;
			struct told told = {0};

			fl_kube_scanner_init(&scanner, cases[i].scan, on_object, &told);
			cr_assert_eq(feed(&scanner, cases[i].text, step), 0, "case %zu, step %zu", i, step);
			cr_assert_str_eq(told.text, cases[i].told, "case %zu, step %zu: %s", i, step, told.text);
			cr_assert_eq(fl_kube_scanner_is_complete(&scanner), cases[i].is_complete, "case %zu", i);
			if (cases[i].rest)
				cr_assert_str_eq(scanner.rest.bytes, cases[i].rest, "case %zu, step %zu: %s", i, step,
						 scanner.rest.bytes);
			fl_kube_scanner_clear(&scanner);
		}
	}
}

Test(store_kube_scanner, refuses_what_it_is_not)
{
	static const struct {
		enum fl_kube_scan scan;
		const char *text;
	} cases[] = {
		{FL_KUBE_SCAN_OBJECT, "[]"},
		{FL_KUBE_SCAN_OBJECT, "x{}"},
		{FL_KUBE_SCAN_OBJECT, "\"a\""},
		{FL_KUBE_SCAN_OBJECT, "{}{}"},
		{FL_KUBE_SCAN_OBJECT, "{]"},
		{FL_KUBE_SCAN_OBJECT, "{\"a\":[}"},
		{FL_KUBE_SCAN_OBJECT, "}"},
		{FL_KUBE_SCAN_OBJECT, "{\"a\":\\\"}"},
		/* in what is left out, too */
		{FL_KUBE_SCAN_OBJECT, "{\"status\":{]"},
		{FL_KUBE_SCAN_OBJECT, "{\"status\":[{\"a\":[}"},
		{FL_KUBE_SCAN_OBJECT, "{\"status\":{\"a\":\\\"}"},
		{FL_KUBE_SCAN_LIST, "<html>"},
		{FL_KUBE_SCAN_LIST, "{\"items\":[[]]}"},
		{FL_KUBE_SCAN_WATCH, "{}\n<html>"},
		{FL_KUBE_SCAN_WATCH, "{\"a\":1}]\n"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i].text); step++) {
			struct fl_kube_scanner scanner;
			struct told told = {0};

			fl_kube_scanner_init(&scanner, cases[i].scan, on_object, &told);
			cr_expect_eq(feed(&scanner, cases[i].text, step), -EBADMSG, "%s, step %zu", cases[i].text,
				     step);
			fl_kube_scanner_clear(&scanner);
		}
	}
}

Test(store_kube_scanner, has_limits)
{
	static char filling[1024];
	struct fl_kube_scanner scanner;
	struct told told = {0};

	memset(filling, 'x', sizeof(filling) - 1);
	/* an object that is too large is told as such, and the next one as it is */
	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_LIST, on_object, &told);
	cr_assert_eq(feed(&scanner, "{\"items\":[{\"a\":\"", 100), 0);
	for (size_t n = 0; n <= FL_KUBE_OBJECT_MAX; n += sizeof(filling) - 1)
		cr_assert_eq(feed(&scanner, filling, sizeof(filling)), 0);
	cr_assert_eq(scanner.object.n_allocated, 0);
	cr_assert_eq(feed(&scanner, "\"},{\"b\":1}]}", 100), 0);
	cr_assert_str_eq(told.text, "-\n{\"b\":1}\n");
	fl_kube_scanner_clear(&scanner);

	/* what is left out may be as large as it likes, and costs nothing */
	told = (struct told){0};
	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_OBJECT, on_object, &told);
	cr_assert_eq(feed(&scanner, "{\"status\":{\"a\":\"", 100), 0);
	for (size_t n = 0; n <= 4 * FL_KUBE_OBJECT_MAX; n += sizeof(filling) - 1)
		cr_assert_eq(feed(&scanner, filling, sizeof(filling)), 0);
	cr_assert_leq(scanner.object.n_allocated, 4096);
	cr_assert_eq(feed(&scanner, "\"}}", 100), 0);
	cr_assert_str_eq(told.text, "{\"status\":null}\n");
	fl_kube_scanner_clear(&scanner);

	/* the rest of a list, and nesting */
	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_LIST, on_object, &told);
	cr_assert_eq(feed(&scanner, "{\"a\":\"", 100), 0);
	for (size_t n = 0; n < FL_KUBE_REST_MAX - sizeof(filling); n += sizeof(filling) - 1)
		cr_assert_eq(feed(&scanner, filling, sizeof(filling)), 0);
	cr_assert_eq(feed(&scanner, filling, sizeof(filling)), -EBADMSG);
	fl_kube_scanner_clear(&scanner);
	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_OBJECT, on_object, &told);
	cr_assert_eq(feed(&scanner, "{\"a\":", 100), 0);
	for (int i = 1; i < FL_KUBE_DEPTH_MAX; i++)
		cr_assert_eq(feed(&scanner, "[", 100), 0);
	cr_assert_eq(feed(&scanner, "[", 100), -EBADMSG);
	fl_kube_scanner_clear(&scanner);
	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_OBJECT, on_object, &told);
	cr_assert_eq(feed(&scanner, "{\"status\":", 100), 0);
	for (int i = 1; i < FL_KUBE_DEPTH_MAX; i++)
		cr_assert_eq(feed(&scanner, "[", 100), 0);
	cr_assert_eq(feed(&scanner, "[", 100), -EBADMSG);
	fl_kube_scanner_clear(&scanner);
}

Test(store_kube_scanner, sees_the_same_on_every_machine)
{
	const char odd[] = {'"', '\\', '{',  '}',    '[',    ']',    ':',    'a',   'Z',
			    ';', '#',  '\0', '\x01', '\x80', '\xa2', '\xdb', '\xff'};
	uint32_t random = 1;

	for (int round = 0; round < 2000; round++) {
		struct fl_kube_block one, other;
		char bytes[FL_KUBE_BLOCK_SIZE];
		struct fl_kube_block byte_by_byte = {0};

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = odd[(random >> 16) % (round % 2 ? sizeof(odd) : 3)];
		}
		for (size_t i = 0; i < sizeof(bytes); i++) {
			byte_by_byte.quotes |= (uint64_t)(bytes[i] == '"') << i;
			byte_by_byte.backslashes |= (uint64_t)(bytes[i] == '\\') << i;
			byte_by_byte.opens |= (uint64_t)(bytes[i] == '{' || bytes[i] == '[') << i;
			byte_by_byte.closes |= (uint64_t)(bytes[i] == '}' || bytes[i] == ']') << i;
		}
		one = fl_kube_block_read(bytes);
		other = fl_kube_block_read_plain(bytes);
		cr_assert_arr_eq(&one, &byte_by_byte, sizeof(one), "round %d", round);
		cr_assert_arr_eq(&other, &byte_by_byte, sizeof(one), "round %d", round);
	}
}

Test(store_kube_scanner, ends_when_its_reader_wants)
{
	struct fl_kube_scanner scanner;
	struct told told = {.fail_at = 2};

	fl_kube_scanner_init(&scanner, FL_KUBE_SCAN_WATCH, on_object, &told);
	cr_assert_eq(fl_kube_scanner_feed(&scanner, "{}{}{}", 6), -ECANCELED);
	cr_assert_eq(told.n, 2);
	fl_kube_scanner_clear(&scanner);
}

/* a lease that exists, of 10.N.0.0/16 */
static struct flannel_lease *make_lease(unsigned int n)
{
	struct flannel_lease *lease = NULL;
	char key[32];
	int r;

	(void)snprintf(key, sizeof(key), "10.%u.0.0-16", n);
	r = flannel_lease_parse(key, "{\"PublicIP\":\"192.0.2.1\"}", 24, 0, 0, &lease, NULL);
	cr_assert_eq(r, 0);
	return lease;
}

Test(store_kube_records, are_found_by_name_and_go_with_their_list)
{
	struct fl_kube_records records = {0};
	FL_CLEANUP_LEASE struct flannel_lease *lease = make_lease(77);
	char name[16];

	for (unsigned int i = 0; i < 200; i++) {
		struct fl_kube_record *record;

		(void)snprintf(name, sizeof(name), "n%u", i * 37 % 200);
		record = fl_kube_records_get(&records, name);
		cr_assert_not_null(record);
		cr_assert_eq(fl_kube_records_get(&records, name), record);
		record->generation = i * 37 % 200 % 2;
		record->lease = make_lease(i * 37 % 200);
	}
	cr_assert_eq(records.n, 200);
	cr_assert_str_eq(fl_kube_records_find_subnets(&records, lease)->name, "n77");
	fl_kube_records_remove(&records, fl_kube_records_find(&records, "n77"));
	cr_assert_null(fl_kube_records_find(&records, "n77"));
	cr_assert_null(fl_kube_records_find_subnets(&records, lease));
	fl_kube_records_remove_others(&records, 1);
	cr_assert_eq(records.n, 99);
	for (unsigned int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		cr_assert_eq(fl_kube_records_find(&records, name) != NULL, i % 2 == 1 && i != 77, "%s", name);
	}
	fl_kube_records_clear(&records);
}
