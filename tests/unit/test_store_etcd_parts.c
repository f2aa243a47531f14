/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the etcd store that need no etcd: frames, how calls end, the address, keys. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/etcd/address.h"
#include "store/etcd/frames.h"
#include "store/etcd/keys.h"
#include "store/etcd/status.h"

Test(store_etcd_frames, come_out_whole_however_they_come_in)
{
	uint8_t bytes[3 * FL_FRAME_HEADER_SIZE + 3 + 0 + 300];
	const size_t lens[] = {3, 0, 300};
	size_t n = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(lens); i++) {
		fl_frame_write_header(bytes + n, (uint32_t)lens[i]);
		memset(bytes + n + FL_FRAME_HEADER_SIZE, 'a' + (int)i, lens[i]);
		n += FL_FRAME_HEADER_SIZE + lens[i];
	}
	cr_assert_eq(n, sizeof(bytes));
	for (size_t step = 1; step <= n; step++) {
		struct fl_frames frames = {0};
		const uint8_t *message;
		size_t len, found = 0;

		for (size_t at = 0; at < n; at += step) {
			cr_assert_eq(fl_frames_feed(&frames, bytes + at, at + step < n ? step : n - at), 0);
			while (fl_frames_next(&frames, &message, &len, NULL) == 1) {
				cr_assert_lt(found, FL_N_ELEMENTS(lens));
				cr_assert_eq(len, lens[found], "step %zu", step);
				for (size_t i = 0; i < len; i++)
					cr_assert_eq(message[i], 'a' + found);
				found++;
			}
		}
		cr_assert_eq(found, FL_N_ELEMENTS(lens), "step %zu", step);
		cr_assert_not(fl_frames_is_partial(&frames));
		fl_frames_clear(&frames);
	}
}

Test(store_etcd_frames, what_is_none_is_refused_before_it_has_come)
{
	const struct {
		uint8_t header[FL_FRAME_HEADER_SIZE];
		const char *detail;
	} cases[] = {
		{{1, 0, 0, 0, 5}, "the message is compressed (flag 1), which nobody asked for"},
		{{0, 4, 0, 0, 1}, "the message has 67108865 bytes, expected at most 67108864"},
		{{0, 0xff, 0xff, 0xff, 0xff}, "the message has 4294967295 bytes, expected at most 67108864"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_frames frames = {0};
		const uint8_t *message;
		size_t len;

		cr_assert_eq(fl_frames_feed(&frames, cases[i].header, 4), 0);
		cr_assert_eq(fl_frames_next(&frames, &message, &len, &error), 0);
		cr_assert(fl_frames_is_partial(&frames));
		cr_assert_eq(fl_frames_feed(&frames, cases[i].header + 4, 1), 0);
		cr_assert_eq(fl_frames_next(&frames, &message, &len, &error), -EBADMSG);
		cr_assert_str_eq(flannel_error_get_detail(error), cases[i].detail);
		fl_frames_clear(&frames);
	}
}

Test(store_etcd_status, is_read_from_headers_and_trailers)
{
	static const struct {
		const char *line;
		int code;
		const char *message;
	} cases[] = {
		{"grpc-status: 0\r\n", 0, ""},
		{"Grpc-Status:14", 14, ""},
		{"grpc-status: \r\n", FL_GRPC_UNKNOWN, ""},
		{"grpc-status: 99999\r\n", FL_GRPC_UNKNOWN, ""},
		{"grpc-status: 1x\r\n", FL_GRPC_UNKNOWN, ""},
		{"grpc-message: etcdserver: no leader\r\n", FL_GRPC_NO_STATUS, "etcdserver: no leader"},
		{"grpc-message: a%20b%C3%A4%0ac%7\r\n", FL_GRPC_NO_STATUS, "a b\xc3\xa4 c%7"},
		{"grpc-message: %zz%2", FL_GRPC_NO_STATUS, "%zz%2"},
		{"grpc-statuses: 3\r\n", FL_GRPC_NO_STATUS, ""},
		{"HTTP/2 200\r\n", FL_GRPC_NO_STATUS, ""},
		{"", FL_GRPC_NO_STATUS, ""},
	};
	struct fl_grpc_status status;
	char line[1000];

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		status = (struct fl_grpc_status){.code = FL_GRPC_NO_STATUS};
		fl_grpc_status_read(&status, cases[i].line, strlen(cases[i].line));
		cr_expect_eq(status.code, cases[i].code, "%s: %d", cases[i].line, status.code);
		cr_expect_str_eq(status.message, cases[i].message, "%s", cases[i].line);
	}
	/* a long one is cut */
	memset(line, 'x', sizeof(line));
	memcpy(line, "grpc-message: ", 14);
	fl_grpc_status_read(&status, line, sizeof(line));
	cr_assert_eq(strlen(status.message), FL_GRPC_MESSAGE_SIZE - 1);
}

Test(store_etcd_status, says_what_follows)
{
	const struct fl_grpc_status old = {.code = FL_GRPC_INVALID_ARGUMENT,
					   .message = "etcdserver: revision of auth store is old"};
	const struct fl_grpc_status bad = {.code = FL_GRPC_INVALID_ARGUMENT,
					   .message = "etcdserver: key is not provided"};
	const struct fl_grpc_status token = {.code = FL_GRPC_UNAUTHENTICATED};

	cr_assert(fl_grpc_wants_login(&old) && fl_grpc_wants_login(&token) && !fl_grpc_wants_login(&bad));
	cr_assert_eq(fl_grpc_errno(FL_GRPC_OK), 0);
	for (int code = -1; code < 20; code++)
		cr_assert(code == 0 || fl_grpc_errno(code) < 0, "%d", code);
	cr_assert(fl_grpc_is_failure(FL_GRPC_UNAVAILABLE) && fl_grpc_is_failure(FL_GRPC_NO_STATUS));
	cr_assert(!fl_grpc_is_failure(FL_GRPC_PERMISSION_DENIED) && !fl_grpc_is_failure(FL_GRPC_OK));
}

Test(store_etcd_address, is_read)
{
	static const struct {
		const char *text;
		const char *endpoints;
		const char *prefix;
		const char *rest;
	} cases[] = {
		{"http://192.0.2.1:2379", "http://192.0.2.1:2379", "/coreos.com/network", "- - - - -"},
		{"https://a.example:2379/,b:1,[2001:db8::1]:2",
		 "https://a.example:2379 http://b:1 http://[2001:db8::1]:2", "/coreos.com/network", "- - - - -"},
		{"a?prefix=/x%20y&cafile=/ca&certfile=/c&keyfile=/k&username=u%26&password=p%3d%40", "http://a", "/x y",
		 "/ca /c /k u& p=@"},
		{"a?cafile=&username=u&password=", "http://a", "/coreos.com/network", "- - - u -"},
		{"a?", "http://a", "/coreos.com/network", "- - - - -"},
		{"a?prefix=", "http://a", "", "- - - - -"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_etcd_address address;
		char text[512] = "";
		size_t n = 0;
		int r = fl_etcd_address_parse(cases[i].text, &address, &error);

		cr_assert_eq(r, 0, "%s: %s", cases[i].text, flannel_error_get_message(error));
		for (size_t j = 0; j < address.n_endpoints; j++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", j ? " " : "", address.endpoints[j]);
		cr_expect_str_eq(text, cases[i].endpoints);
		cr_expect_str_eq(address.prefix, cases[i].prefix);
		snprintf(text, sizeof(text), "%s %s %s %s %s", address.cafile ? address.cafile : "-",
			 address.certfile ? address.certfile : "-", address.keyfile ? address.keyfile : "-",
			 address.username ? address.username : "-", address.password ? address.password : "-");
		cr_expect_str_eq(text, cases[i].rest);
		fl_etcd_address_clear(&address);
	}
}

Test(store_etcd_address, is_refused_with_a_reason_and_without_secrets)
{
	static const struct {
		const char *text;
		const char *detail;
	} cases[] = {
		{"", "endpoint \"\", expected one such as http://192.0.2.1:2379"},
		{"http://", "endpoint \"http://\", expected one such as http://192.0.2.1:2379"},
		{"http://a,,b", "endpoint \"\", expected one such as http://192.0.2.1:2379"},
		{"unix:///run/etcd", "endpoint \"unix:///run/etcd\", expected one such as http://192.0.2.1:2379"},
		{"http://a/b", "endpoint \"http://a/b\", expected one such as http://192.0.2.1:2379"},
		{"http://root:topsecret@a",
		 "an endpoint has a user name in it; give user name and password by themselves"},
		{"a?port=1", "\"port=1\", expected prefix, cafile, certfile, keyfile, username or password and \"=\""},
		{"a?cafile=/x&cafile=/y", "cafile is given twice"},
		{"a?username=u&password=topsecret%",
		 "the value of password has a % that is no encoding, or a control character"},
		{"a?username=u&password=topsecret%00",
		 "the value of password has a % that is no encoding, or a control character"},
		{"a?password=topsecret", "password is given without username"},
		{"a?certfile=/c", "certfile is given without keyfile"},
		{"a?keyfile=/k", "keyfile is given without certfile"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_etcd_address address;
		const char *detail;

		cr_assert_eq(fl_etcd_address_parse(cases[i].text, &address, &error), -EINVAL, "%s", cases[i].text);
		detail = flannel_error_get_detail(error);
		if (cases[i].detail[0] == '"')
			cr_expect(strstr(detail, "expected prefix"), "%s: %s", cases[i].text, detail);
		else
			cr_expect_str_eq(detail, cases[i].detail, "%s: %s", cases[i].text, detail);
		cr_expect_not(strstr(flannel_error_get_message(error), "topsecret"));
	}
}

Test(store_etcd_keys, follow_from_the_prefix)
{
	static const struct {
		const char *prefix;
		const char *config;
		const char *subnets;
		const char *end;
	} cases[] = {
		{"/coreos.com/network", "/coreos.com/network/config", "/coreos.com/network/subnets/",
		 "/coreos.com/network/subnets0"},
		{"//a///b//", "/a/b/config", "/a/b/subnets/", "/a/b/subnets0"},
		{"a", "a/config", "a/subnets/", "a/subnets0"},
		{"/", "/config", "/subnets/", "/subnets0"},
		{"", "config", "subnets/", "subnets0"},
		{"/we.ird[+*", "/we.ird[+*/config", "/we.ird[+*/subnets/", "/we.ird[+*/subnets0"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		struct fl_etcd_keys keys;

		cr_assert_eq(fl_etcd_keys_init(&keys, cases[i].prefix, NULL), 0);
		cr_expect_str_eq(keys.config, cases[i].config);
		cr_expect_str_eq(keys.subnets, cases[i].subnets);
		cr_expect_str_eq(keys.subnets_end, cases[i].end);
		fl_etcd_keys_clear(&keys);
	}
}

Test(store_etcd_keys, of_a_lease_and_of_what_is_in_its_way)
{
	static const struct {
		const char *name;
		const char *first;
		const char *end;
	} cases[] = {
		{"10.5.1.0-24", "p/subnets/10.5.1.0-24", "p/subnets/10.5.1.0-24'"},
		{"10.5.1.0-24&fd00:5::-64", "p/subnets/10.5.1.0-24", "p/subnets/10.5.1.0-24'"},
		{"0.0.0.0-0&fd00:5::-64", "p/subnets/0.0.0.0-0&fd00:5::-64", NULL},
	};
	const char value[] = "{\"PublicIP\":\"192.0.2.1\"}";
	struct fl_etcd_keys keys;

	cr_assert_eq(fl_etcd_keys_init(&keys, "p", NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_LEASE struct flannel_lease *lease = NULL, *again = NULL, *bare = NULL;
		FL_CLEANUP(fl_freep) char *first = NULL, *end = NULL, *key = NULL;

		cr_assert_eq(flannel_lease_parse(cases[i].name, value, strlen(value), 0, 0, &lease, NULL), 0);
		cr_assert_eq(fl_etcd_keys_conflicts(&keys, lease, &first, &end), 0);
		cr_expect_str_eq(first, cases[i].first);
		cr_expect((!end && !cases[i].end) || strcmp(end, cases[i].end) == 0, "%s", end);
		key = fl_etcd_keys_of_lease(&keys, lease);
		cr_assert_eq(fl_etcd_keys_parse(&keys, key, strlen(key), value, strlen(value), 0, 0, &again, NULL), 0);
		cr_expect(flannel_lease_equal(lease, again));
		cr_assert_eq(fl_etcd_keys_parse_bare(&keys, key, strlen(key), 5, &bare, NULL), 0);
		cr_expect(fl_etcd_leases_overlap(bare, lease) && !fl_etcd_leases_same_holder(bare, lease));
	}
	fl_etcd_keys_clear(&keys);
}

Test(store_etcd_keys, that_are_none_are_refused)
{
	static const char *const cases[] = {"p/subnets/",
					    "p/subnet",
					    "p/subnets/x/10.5.1.0-24",
					    "q/subnets/10.5.1.0-24",
					    "p/subnets/10.5.1.0",
					    "p/subnets/10.5.1.0-24 "};
	const char value[] = "{\"PublicIP\":\"192.0.2.1\"}";
	struct fl_etcd_keys keys;
	char large[4000];

	cr_assert_eq(fl_etcd_keys_init(&keys, "p", NULL), 0);
	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_lease *lease = NULL;

		cr_expect_eq(fl_etcd_keys_parse(&keys, cases[i], strlen(cases[i]), value, strlen(value), 0, 0, &lease,
						&error),
			     -EINVAL, "%s", cases[i]);
		cr_expect(error && !lease);
	}
	memset(large, '1', sizeof(large));
	memcpy(large, "p/subnets/", 10);
	cr_expect_eq(fl_etcd_keys_parse_bare(&keys, large, sizeof(large), 0, &(struct flannel_lease *){NULL}, NULL),
		     -EINVAL);
	cr_expect_eq(fl_etcd_keys_parse_bare(&keys, "p/subnets/10.5.1.0-24\0x", 23, 0, &(struct flannel_lease *){NULL},
					     NULL),
		     -EINVAL);
	fl_etcd_keys_clear(&keys);
}
