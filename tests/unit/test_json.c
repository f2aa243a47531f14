/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

/* parses what must parse */
static struct json_object *J(const char *text)
{
	struct json_object *value = NULL;

	cr_assert_eq(fl_json_parse(text, strlen(text), "test", &value, NULL), 0, "%s", text);
	return value;
}

Test(json, parse_and_format)
{
	const struct {
		const char *text, *want;
	} cases[] = {
		{"{}", "{}"},
		{" \t\r\n[ ] \n", "[]"},
		{"null", "null"},
		{"true", "true"},
		{"5", "5"},
		{"-0.5e-3", "-0.5e-3"},
		{"\"x\"", "\"x\""},
		{"[0,-1,1.50,1E5,2e+3]", "[0,-1,1.50,1E5,2e+3]"},
		{"[18446744073709551615,-9223372036854775808]", "[18446744073709551615,-9223372036854775808]"},
		{"{\"b\":1,\"a\":[{},\"/x\"]}", "{\"b\":1,\"a\":[{},\"/x\"]}"},
		{"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\"]",
		 "[\"\\\"\\\\/\\b\\f\\n\\r\\tA\xf0\x9f\x98\x80\"]"},
		{"[\"\xc3\xa4\"]", "[\"\xc3\xa4\"]"},
		{"[\"it's // {[,:]} \\u00000\"]", NULL},
		{"[\"it's // {[,:]} NaN\"]", "[\"it's // {[,:]} NaN\"]"},
		{"[\"\\\\u0000\"]", "[\"\\\\u0000\"]"},
		{"{\"a\":1,\"a\":2}", "{\"a\":2}"},
		{"{\"\":1}", "{\"\":1}"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
		FL_CLEANUP(fl_freep) char *text = NULL;
		int r = fl_json_parse(cases[i].text, strlen(cases[i].text), "test", &value, NULL);

		cr_expect_eq(r, cases[i].want ? 0 : -EINVAL, "%s: %d", cases[i].text, r);
		if (r < 0)
			continue;
		text = fl_json_format(value);
		cr_expect_str_eq(text, cases[i].want, "%s", cases[i].text);
	}
}

Test(json, parse_refuses)
{
	const struct {
		const char *text;
		const char *want; /* how the message begins, or NULL */
	} cases[] = {
		{"", "x.json: byte 0 (line 1): the text ends too early"},
		{" \n ", "x.json: byte 3 (line 2): the text ends too early"},
		{"{", "x.json: byte 1 (line 1): the text ends too early"},
		{"{\"a\":", NULL},
		{"{\"a\"", NULL},
		{"[1,", NULL},
		{"[1", NULL},
		{"\"abc", "x.json: byte 4 (line 1): string without an end"},
		{"\"abc\\", NULL},
		{"\"abc\\\"", NULL},
		{"{'a':1}", "x.json: byte 1 (line 1): single quote, strings need double quotes"},
		{"{\"a\":'b'}", "x.json: byte 5 (line 1): single quote"},
		{"{\n\n \"a\": 99999999999999999999}", "x.json: byte 9 (line 3): integer that does not fit 64 bits"},
		{"[18446744073709551616]", "x.json: byte 1 (line 1): integer that does not fit"},
		{"[-9223372036854775809]", "x.json: byte 1 (line 1): integer that does not fit"},
		{"[NaN]", "x.json: byte 1 (line 1): unexpected character"},
		{"NaN", NULL},
		{"[Infinity]", NULL},
		{"[-Infinity]", "x.json: byte 2 (line 1): digit expected"},
		{"-Infinity", NULL},
		{"[01]", "x.json: byte 1 (line 1): number with a leading zero"},
		{"[-01]", NULL},
		{"[00]", NULL},
		{"[+1]", NULL},
		{"[-]", NULL},
		{"-", NULL},
		{"[1.]", "x.json: byte 3 (line 1): digit expected"},
		{"1.", NULL},
		{"[.5]", NULL},
		{"[1e]", NULL},
		{"[1e+]", NULL},
		{"[1.e1]", NULL},
		{"[0x10]", NULL},
		{"[1-1]", NULL},
		{"[1.5.5]", NULL},
		{"[1 2]", NULL},
		{"1 2", NULL},
		{"[1,]", "x.json: byte 3 (line 1): unexpected character"},
		{"[,1]", NULL},
		{"{\"a\":1,}", NULL},
		{"{\"a\" 1}", NULL},
		{"{\"a\":1 \"b\":2}", NULL},
		{"{a:1}", NULL},
		{"{1:1}", NULL},
		{"{null:1}", NULL},
		{"[1}", NULL},
		{"]", NULL},
		{"{}{}", "x.json: byte 2 (line 1): "},
		{"{} x", "x.json: byte 3 (line 1): unexpected character"},
		{"{}]", NULL},
		{"5 6", NULL},
		{"truefalse", NULL},
		{"[true false]", NULL},
		{"[nulll]", NULL},
		{"nul", NULL},
		{"[True]", NULL},
		{"[TRUE]", NULL},
		{"/* a */ {}", "x.json: byte 0 (line 1): unexpected character, JSON has no comments"},
		{"{} // a", NULL},
		{"# a\n{}", NULL},
		{"[\"a\tb\"]", "x.json: byte 3 (line 1): control character"},
		{"[\"a\nb\"]", NULL},
		{"[\"\\x41\"]", NULL},
		{"[\"\\u12\"]", NULL},
		{"[\"\\u0000\"]", "x.json: byte 2 (line 1): \\u0000 in a string"},
		{"{\"\\u0000\":1}", NULL},
		{"[\"\xff\"]", NULL},
		{"\xef\xbb\xbf{}", NULL},
		{"[\f1]", NULL},
		{"[\v1]", NULL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct json_object *value = (struct json_object *)&error;
		int r = fl_json_parse(cases[i].text, strlen(cases[i].text), "x.json", &value, &error);
		const char *message = flannel_error_get_message(error);

		cr_assert_eq(r, -EINVAL, "%s was taken", cases[i].text);
		cr_expect_eq((void *)value, (void *)&error, "%s changed the result", cases[i].text);
		cr_expect_str_eq(flannel_error_get_area(error), "config");
		cr_expect_eq(strncmp(message, "x.json: byte ", 13), 0, "%s", message);
		cr_expect(!cases[i].want || strncmp(message, cases[i].want, strlen(cases[i].want)) == 0, "%s", message);
	}
}

Test(json, parse_counts_bytes_itself)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *value = NULL;
	struct json_object *other = NULL;

	/* what lies behind the length does not count, be it a number that goes on */
	cr_expect_eq(fl_json_parse("12345", 3, "test", &value, NULL), 0);
	cr_expect_eq(fl_json_parse("truex", 5, "test", &other, NULL), -EINVAL);
	cr_expect_eq(fl_json_parse("{}\0", 3, "test", &other, NULL), -EINVAL);
	cr_expect_eq(fl_json_parse("[\"\0\"]", 5, "test", &other, NULL), -EINVAL);
	cr_expect_eq(fl_json_parse(NULL, 0, "test", &other, NULL), -EINVAL);
	cr_expect_eq(fl_json_parse("x", (size_t)1 << 32, "test", &other, NULL), -EINVAL);
	cr_expect_null(other);
}

Test(json, depth_is_limited)
{
	const struct {
		int depth, want;
	} cases[] = {{1, 0}, {31, 0}, {32, 0}, {33, -EINVAL}, {34, -EINVAL}, {1000, -EINVAL}};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *arrays = NULL, *objects = NULL;
		FL_CLEANUP(fl_freep) char *text = malloc(6 * 1000 + 2);
		int depth = cases[i].depth;

		memset(text, '[', (size_t)depth);
		text[depth] = '1';
		memset(text + depth + 1, ']', (size_t)depth);
		cr_expect_eq(fl_json_parse(text, (size_t)depth * 2 + 1, "test", &arrays, NULL), cases[i].want, "%d",
			     depth);
		for (int j = 0; j < depth; j++)
			memcpy(text + 5 * (ptrdiff_t)j, "{\"a\":", 5);
		text[5 * depth] = '1';
		memset(text + 5 * (ptrdiff_t)depth + 1, '}', (size_t)depth);
		cr_expect_eq(fl_json_parse(text, (size_t)depth * 6 + 1, "test", &objects, NULL), cases[i].want, "%d",
			     depth);
	}
	/* one after the other is not in each other */
	{
		FL_CLEANUP(fl_json_unrefp)
		struct json_object *value = J("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
					      "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]");
		cr_expect_eq(fl_json_array_length(value), 35U);
	}
}

enum getter { OBJECT, ARRAY, STRING, BOOL, UINT };

/* calls the getter and tells whether it touched its result */
static int get(enum getter getter, struct json_object *object, const char *key, bool *touched,
	       struct flannel_error **ret_error)
{
	struct json_object *const none = (struct json_object *)touched, *value = none;
	const char *text = (const char *)touched;
	uint64_t number = 77;
	bool flag = true;
	int r = -1;

	switch (getter) {
	case OBJECT:
		r = fl_json_get_object(object, "net-conf.json", key, &value, ret_error);
		break;
	case ARRAY:
		r = fl_json_get_array(object, "net-conf.json", key, &value, ret_error);
		break;
	case STRING:
		r = fl_json_get_string(object, "net-conf.json", key, &text, ret_error);
		break;
	case BOOL:
		r = fl_json_get_bool(object, "net-conf.json", key, &flag, ret_error);
		break;
	case UINT:
		r = fl_json_get_uint(object, "net-conf.json", key, 30, &number, ret_error);
		break;
	}
	*touched = value != none || text != (const char *)touched || !flag || number != 77;
	return r;
}

Test(json, getters_take_only_their_type)
{
	FL_CLEANUP(fl_json_unrefp)
	struct json_object *object = J("{\"o\":{},\"a\":[],\"s\":\"x\",\"b\":false,\"u\":30,\"z\":null}");
	const char *const keys[] = {"o", "a", "s", "b", "u", "z", "none"};

	for (int getter = OBJECT; getter <= UINT; getter++) {
		for (int i = 0; i < (int)FL_N_ELEMENTS(keys); i++) {
			FL_CLEANUP_ERROR struct flannel_error *error = NULL;
			int want = i > UINT ? 0 : i == getter ? 1 : -EINVAL;
			bool touched;
			int r = get((enum getter)getter, object, keys[i], &touched, &error);

			cr_expect_eq(r, want, "getter %d, key %s: %d", getter, keys[i], r);
			cr_expect_eq(touched, want == 1, "getter %d, key %s", getter, keys[i]);
			cr_expect_eq(flannel_error_get_code(error), want < 0 ? want : 0);
			cr_expect_str_eq(flannel_error_get_area(error), want < 0 ? "config" : "");
		}
	}
}

Test(json, messages_name_key_value_and_expectation)
{
	const struct {
		enum getter getter;
		const char *value, *key, *want;
	} cases[] = {
		{UINT, "\"abc\"", "SubnetLen", "net-conf.json: SubnetLen is \"abc\", expected an integer from 0 to 30"},
		{UINT, "5.0", "SubnetLen", "net-conf.json: SubnetLen is 5.0, expected an integer from 0 to 30"},
		{UINT, "1e1", "SubnetLen", "net-conf.json: SubnetLen is 1e1, expected an integer from 0 to 30"},
		{UINT, "-1", "SubnetLen", "net-conf.json: SubnetLen is -1, expected an integer from 0 to 30"},
		{UINT, "31", "SubnetLen", "net-conf.json: SubnetLen is 31, expected an integer from 0 to 30"},
		{UINT, "18446744073709551615", "x",
		 "net-conf.json: x is 18446744073709551615, expected an integer from 0 to 30"},
		{UINT, "true", "x", "net-conf.json: x is true, expected an integer from 0 to 30"},
		{STRING, "5", "Network", "net-conf.json: Network is 5, expected a string"},
		{STRING, "{\"PSK\":\"hidden\"}", "Network", "net-conf.json: Network is an object, expected a string"},
		{BOOL, "\"true\"", "EnableIPv6", "net-conf.json: EnableIPv6 is \"true\", expected true or false"},
		{BOOL, "1", "EnableIPv6", "net-conf.json: EnableIPv6 is 1, expected true or false"},
		{OBJECT, "[\"hidden\"]", "Backend", "net-conf.json: Backend is an array, expected an object"},
		{ARRAY, "{}", "ranges", "net-conf.json: ranges is an object, expected an array"},
		{ARRAY, "\"a/b\"", "ranges", "net-conf.json: ranges is \"a/b\", expected an array"},
		{BOOL, "\"0123456789012345678901234567890123456789\"", "x",
		 "net-conf.json: x is \"012345678901234567890123456789012345678..., expected true or false"},
		{BOOL, "\"01234567890123456789012345678901234567\"", "x",
		 "net-conf.json: x is \"01234567890123456789012345678901234567\", expected true or false"},
		/* cut between characters */
		{BOOL, "\"01234567890123456789012345678901234567\xc3\xa4\xc3\xa4\"", "x",
		 "net-conf.json: x is \"01234567890123456789012345678901234567..., expected true or false"},
		/* secrets are not shown */
		{STRING, "123456", "PSK", "net-conf.json: PSK is an int, expected a string"},
		{BOOL, "\"hidden\"", "etcd-password",
		 "net-conf.json: etcd-password is a string, expected true or false"},
		{BOOL, "\"hidden\"", "privateKey", "net-conf.json: privateKey is a string, expected true or false"},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		char text[256];
		bool touched;

		(void)snprintf(text, sizeof(text), "{\"%s\":%s}", cases[i].key, cases[i].value);
		object = J(text);
		cr_expect_eq(get(cases[i].getter, object, cases[i].key, &touched, &error), -EINVAL, "%s", text);
		cr_expect_str_eq(flannel_error_get_message(error), cases[i].want);
	}
}

Test(json, key_names_in_the_document_do_not_matter_for_case)
{
	FL_CLEANUP(fl_json_unrefp)
	struct json_object *object = J("{\"NETWORK\":1,\"subnetLen\":2,\"network\":3,\"Net\":4,\"y\":7,\"Y\":null}");
	struct json_object *any = object;
	uint64_t number = 0;

	cr_expect_eq(fl_json_get_uint(object, "p", "Network", 10, &number, NULL), 1);
	cr_expect_eq(number, 3U, "the last one wins");
	cr_expect_eq(fl_json_get_uint(object, "p", "SubnetLen", 10, &number, NULL), 1);
	cr_expect_eq(number, 2U);
	cr_expect_eq(fl_json_get_uint(object, "p", "Networ", 10, &number, NULL), 0);
	cr_expect_eq(fl_json_get_uint(object, "p", "Networks", 10, &number, NULL), 0);
	cr_expect_eq(fl_json_get_uint(object, "p", "y", 10, &number, NULL), 0, "the last one is null");
	cr_expect_eq(number, 2U);
	cr_expect_eq(fl_json_get_any(object, "Y", &any), 1);
	cr_expect_null(any);
	any = object;
	cr_expect_eq(fl_json_get_any(object, "x", &any), 0);
	cr_expect_eq(any, object);
}

Test(json, integers)
{
	const struct {
		const char *text;
		uint64_t max, want;
		int r;
	} cases[] = {
		{"{\"n\":0}", 0, 0, 1},
		{"{\"n\":1}", 0, 77, -EINVAL},
		{"{\"n\":9223372036854775807}", UINT64_MAX, INT64_MAX, 1},
		{"{\"n\":9223372036854775808}", UINT64_MAX, (uint64_t)INT64_MAX + 1, 1},
		{"{\"n\":18446744073709551615}", UINT64_MAX, UINT64_MAX, 1},
		{"{\"n\":18446744073709551615}", UINT64_MAX - 1, 77, -EINVAL},
		{"{\"n\":-9223372036854775808}", UINT64_MAX, 77, -EINVAL},
		{"{\"n\":4294967296}", UINT32_MAX, 77, -EINVAL},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *object = J(cases[i].text);
		uint64_t number = 77;

		cr_expect_eq(fl_json_get_uint(object, "p", "n", cases[i].max, &number, NULL), cases[i].r, "%s",
			     cases[i].text);
		cr_expect_eq(number, cases[i].want, "%s", cases[i].text);
	}
}

Test(json, other_types_have_no_keys)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *array = J("[\"a\",null,5]");
	const char *text = NULL;

	cr_expect_eq(fl_json_get_string(NULL, "p", "k", &text, NULL), 0);
	cr_expect_eq(fl_json_get_string(array, "p", "k", &text, NULL), 0);
	cr_expect_eq(fl_json_each_key(NULL, NULL, NULL), 0);
	cr_expect_eq(fl_json_each_key(array, NULL, NULL), 0);
	cr_expect_eq(fl_json_array_length(NULL), 0U);
	cr_expect_null(fl_json_array_get(NULL, 0));
	cr_expect_eq(fl_json_array_length(array), 3U);
	cr_expect_str_eq(fl_json_as_string(fl_json_array_get(array, 0)), "a");
	cr_expect_null(fl_json_array_get(array, 1));
	cr_expect_null(fl_json_as_string(fl_json_array_get(array, 2)));
	cr_expect_null(fl_json_array_get(array, 3));
	cr_expect_null(fl_json_array_get(array, SIZE_MAX));
	cr_expect_null(fl_json_as_string(NULL));
	cr_expect_not(fl_json_is_object(NULL));
	cr_expect_not(fl_json_is_object(array));
	cr_expect_null(fl_json_unref(NULL));
}

/* collects keys, stops at "stop" */
static int on_key(void *userdata, const char *key)
{
	strcat(userdata, key);
	return strcmp(key, "stop") ? 0 : 42;
}

Test(json, each_key_goes_in_order)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = J("{\"z\":1,\"a\":null,\"m\":{\"x\":1}}");
	FL_CLEANUP(fl_json_unrefp) struct json_object *stopped = J("{\"z\":1,\"stop\":1,\"m\":1}");
	char keys[32] = "";

	cr_expect_eq(fl_json_each_key(object, on_key, keys), 0);
	cr_expect_str_eq(keys, "zam");
	keys[0] = '\0';
	cr_expect_eq(fl_json_each_key(stopped, on_key, keys), 42);
	cr_expect_str_eq(keys, "zstop");
}

Test(json, equal)
{
	const struct {
		const char *a, *b;
		bool want;
	} cases[] = {
		{"{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true},
		{"[1,2]", "[2,1]", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
		{"{\"a\":1}", "{\"A\":1}", false},
		{"1", "\"1\"", false},
		{"null", "null", true},
		{"null", "{}", false},
		{"18446744073709551615", "-1", false},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		FL_CLEANUP(fl_json_unrefp) struct json_object *a = J(cases[i].a), *b = J(cases[i].b);

		cr_expect_eq(fl_json_equal(a, b), cases[i].want, "%s %s", cases[i].a, cases[i].b);
		cr_expect_eq(fl_json_equal(b, a), cases[i].want, "%s %s", cases[i].b, cases[i].a);
	}
}

Test(json, build)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = fl_json_object();
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct json_object *array = fl_json_array();

	cr_expect_eq(fl_json_append(array, fl_json_int(INT64_MIN)), 0);
	cr_expect_eq(fl_json_append(array, fl_json_bool(true)), 0);
	cr_expect_eq(fl_json_append(array, NULL), -ENOMEM);
	cr_expect_eq(fl_json_add(object, "list", array), 0);
	cr_expect_eq(fl_json_add(object, "path", fl_json_string("/a \"b\"\n")), 0);
	cr_expect_eq(fl_json_add_null(object, "nothing"), 0);
	cr_expect_eq(fl_json_add(object, "x", fl_json_string(NULL)), -ENOMEM);
	text = fl_json_format(object);
	cr_expect_str_eq(text, "{\"list\":[-9223372036854775808,true],\"path\":\"/a \\\"b\\\"\\n\",\"nothing\":null}");
}

Test(json, build_upon_nothing)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *array = fl_json_array(), *object = fl_json_object();

	/* a value that could not be added is freed; LeakSanitizer watches */
	cr_expect_eq(fl_json_add(NULL, "a", fl_json_int(1)), -ENOMEM);
	cr_expect_eq(fl_json_add(array, "a", fl_json_int(1)), -ENOMEM);
	cr_expect_eq(fl_json_add_null(NULL, "a"), -ENOMEM);
	cr_expect_eq(fl_json_append(NULL, fl_json_int(1)), -ENOMEM);
	cr_expect_eq(fl_json_append(object, fl_json_int(1)), -ENOMEM);
}
