/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cni.dev/valid-attachments, as GC gets it. */
#include "attachments.h"

#include <criterion/criterion.h>

#include "cleanup.h"
#include "decode.h"

/* a configuration from its text */
static struct json_object *parse(const char *text)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	struct json_object *config = NULL;

	cr_assert_eq(cni_json_parse(text, strlen(text), &config, &error), 0, "%s: %s", text, error.message);
	return config;
}

Test(cni_attachments, messages)
{
	static const struct {
		const char *config;
		const char *message;
	} cases[] = {
		{"{\"cni.dev/valid-attachments\": {}}", "cni.dev/valid-attachments is {}, expected a list"},
		{"{\"cni.dev/valid-attachments\": [5]}", "cni.dev/valid-attachments.0 is 5, expected an object"},
		{"{\"cni.dev/valid-attachments\": [null]}",
		 "cni.dev/valid-attachments.0 is null, expected an attachment in use"},
		{"{\"cni.dev/valid-attachments\": [{\"containerID\": \"a\"}]}",
		 "cni.dev/valid-attachments.0.ifname is missing, expected that of an attachment in use"},
		{"{\"cni.dev/valid-attachments\": [{\"containerID\": \"a\", \"ifname\": \"b\"}, {\"ifname\": \"b\"}]}",
		 "cni.dev/valid-attachments.1.containerID is missing, expected that of an attachment in use"},
		{"{\"cni.dev/valid-attachments\": [{\"containerID\": 1}]}",
		 "cni.dev/valid-attachments.0.containerID is 1, expected a string"},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_json_putp) struct json_object *config = parse(cases[i].config);
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_attachments attachments = {(void *)0x1, 77};

		cr_assert_eq(cni_attachments_read(config, &attachments, &error), -1, "%s", cases[i].config);
		cr_assert_str_eq(error.message, cases[i].message);
		cr_assert_eq(attachments.n, 77);
	}
}

Test(cni_attachments, a_missing_list_is_no_empty_list)
{
	static const struct {
		const char *config;
		int r;
	} cases[] = {
		{"{}", 0},
		{"{\"cni.dev/valid-attachments\": null}", 0},
		{"{\"cni.dev/attachments\": null}", 0},
		{"{\"cni.dev/valid-attachments\": []}", 1},
		/* the specification's name for it; of both, the one that the reference calls it */
		{"{\"cni.dev/attachments\": []}", 1},
		{"{\"cni.dev/attachments\": [7], \"cni.dev/valid-attachments\": []}", 1},
		{"{\"cni.dev/attachments\": [], \"cni.dev/valid-attachments\": null}", 1},
	};

	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		CNI_CLEANUP(cni_json_putp) struct json_object *config = parse(cases[i].config);
		CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

		cr_assert_eq(cni_attachments_read(config, &attachments, &error), cases[i].r, "%s", cases[i].config);
		cr_assert_eq(attachments.n, 0);
		cr_assert_not(cni_attachments_have(&attachments, "a", NULL));
	}
}

Test(cni_attachments, finds_interfaces_and_containers)
{
	static const struct {
		const char *container_id;
		const char *ifname;
		bool found;
	} cases[] = {
		{"b", "eth0", true}, {"b", "eth1", true},  {"b", "eth2", false}, {"b", NULL, true},
		{"a", "eth9", true}, {"a", "eth0", false}, {"c", "net1", true},  {"c", NULL, true},
		{"d", NULL, false},  {"", NULL, false},    {"b", "", false},     {"B", "eth0", false},
	};
	CNI_CLEANUP(cni_json_putp)
	struct json_object *config =
		parse("{\"CNI.dev/Valid-Attachments\": [{\"containerID\": \"c\", \"ifname\": \"net1\"},"
		      "{\"containerID\": \"b\", \"ifname\": \"eth1\"}, {\"containerID\": \"a\", \"ifname\": \"eth9\"},"
		      "{\"containerID\": \"b\", \"ifname\": \"eth0\", \"other\": 1}]}");
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};

	cr_assert_eq(cni_attachments_read(config, &attachments, &error), 1, "%s", error.message);
	cr_assert_eq(attachments.n, 4);
	for (size_t i = 0; i < CNI_N_ELEMENTS(cases); i++) {
		cr_expect_eq(cni_attachments_have(&attachments, cases[i].container_id, cases[i].ifname), cases[i].found,
			     "%s %s", cases[i].container_id, cases[i].ifname ? cases[i].ifname : "(any)");
	}
}
