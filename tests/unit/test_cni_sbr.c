/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>

#include "cni_request.h"
#include "previous.h"
#include "sbr_config.h"

Test(cni_sbr, configurations)
{
	const struct {
		const char *text;
		uint32_t table;
		unsigned int flags;
		const char *gateway, *gateway6;
	} cases[] = {
		{"{}", 0, 0, "", ""},
		{"{\"table\":null,\"gateways\":null,\"addSourceHints\":null}", 0, 0, "", ""},
		{"{\"table\":1}", 1, 0, "", ""},
		{"{\"table\":2147483647,\"addSourceHints\":true,\"gateways\":[]}", 2147483647,
		 FLANNEL_SOURCE_ROUTE_KEEP_LINK, "", ""},
		{"{\"gateways\":[\"fd00::1\",\"10.1.0.1\"]}", 0, 0, "10.1.0.1", "fd00::1"},
		{"{\"gateways\":[\"::ffff:10.1.0.1\"]}", 0, 0, "10.1.0.1", ""},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		struct cni_sbr_config config;
		char text[FLANNEL_PREFIX_STRLEN];

		cr_assert_eq(cni_sbr_config_read(&request, &config, &error), 0, "%s: %s", cases[i].text, error.message);
		cr_expect_eq(config.table, cases[i].table);
		cr_expect_eq(config.flags, cases[i].flags);
		cr_expect_str_eq(flannel_prefix_format_address(&config.gateway, text, sizeof(text)), cases[i].gateway);
		cr_expect_str_eq(flannel_prefix_format_address(&config.gateway6, text, sizeof(text)),
				 cases[i].gateway6);
		json_object_put(request.config);
	}
}

Test(cni_sbr, messages)
{
	const struct {
		const char *text, *expected;
	} cases[] = {
		{"{\"table\":0}", "table is 0, expected 1 to 2147483647"},
		{"{\"table\":-5}", "table is -5, expected 1 to 2147483647"},
		{"{\"table\":2147483648}", "table is 2147483648, expected 1 to 2147483647"},
		{"{\"table\":\"main\"}", "table is \"main\", expected an integer"},
		{"{\"addSourceHints\":\"yes\"}", "addSourceHints is \"yes\", expected true or false"},
		{"{\"gateways\":\"10.1.0.1\"}", "gateways is \"10.1.0.1\", expected a list"},
		{"{\"gateways\":[5]}", "gateways is [5], expected a list of strings"},
		{"{\"gateways\":[\"10.1.0.1/16\"]}", "gateways.0 is \"10.1.0.1/16\", expected an IP address"},
		{"{\"gateways\":[\"\"]}", "gateways.0 is \"\", expected an IP address"},
		{"{\"gateways\":[\"10.1.0.1\",\"10.1.0.2\"]}",
		 "gateways.1 is \"10.1.0.2\", expected one gateway of each family at most"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		struct cni_sbr_config config;

		cr_expect_eq(cni_sbr_config_read(&request, &config, &error), -1, "%s", cases[i].text);
		cr_expect_eq(error.code, CNI_ERROR_INTERNAL);
		cr_expect_str_eq(error.message ? error.message : "", cases[i].expected);
		json_object_put(request.config);
	}
}

Test(cni_sbr, addresses_are_those_of_the_interface)
{
	const struct {
		const char *version, *text, *expected;
	} cases[] = {
		{"1.0.0",
		 "{\"gateways\":[\"10.1.0.9\"],\"prevResult\":{\"interfaces\":[{\"name\":\"v\"},{\"name\":\"eth0\","
		 "\"sandbox\":\"s\"},"
		 "{\"name\":\"eth1\",\"sandbox\":\"s\"}],\"ips\":[{\"address\":\"10.1.0.2/"
		 "16\",\"interface\":1,\"gateway\":\"10.1.0.1\"},"
		 "{\"address\":\"10.2.0.2/16\",\"interface\":2},{\"address\":\"10.3.0.2/16\"},"
		 "{\"address\":\"fd00::2/64\",\"interface\":1,\"gateway\":\"fd00::1\"},{\"address\":\"fd01::2/"
		 "64\",\"interface\":1},"
		 "{\"address\":\"10.4.0.2/16\",\"interface\":9}]}}",
		 "10.1.0.2/16 via 10.1.0.9; 10.3.0.2/16 via 10.1.0.9; fd00::2/64 via fd00::1; fd01::2/64 via ; "
		 "10.4.0.2/16 via 10.1.0.9; "},
		{"0.2.0",
		 "{\"prevResult\":{\"ip4\":{\"ip\":\"10.1.0.2/16\",\"gateway\":\"10.1.0.1\"},\"ip6\":{\"ip\":\"fd00::2/"
		 "64\"}}}",
		 "10.1.0.2/16 via 10.1.0.1; fd00::2/64 via ; "},
		{"1.0.0", "{\"prevResult\":{\"ips\":[]}}", ""},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
		CNI_CLEANUP(cni_freep) struct flannel_address *addresses = NULL;
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		struct cni_sbr_config config;
		char text[512] = "";
		size_t n = 0, len = 0;

		request.version = cases[i].version;
		cr_assert_eq(cni_sbr_config_read(&request, &config, &error), 0);
		cr_assert_eq(cni_previous_require(&request, &result, &error), 0, "%s", error.message);
		cr_assert_eq(cni_sbr_find_addresses(&request, &result, &config, &addresses, &n, &error), 0);
		for (size_t k = 0; k < n; k++) {
			char address[FLANNEL_PREFIX_STRLEN], gateway[FLANNEL_PREFIX_STRLEN];

			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "%s via %s; ",
				flannel_prefix_format(&addresses[k].address, address, sizeof(address)),
				flannel_prefix_format_address(&addresses[k].gateway, gateway, sizeof(gateway)));
		}
		cr_expect_str_eq(text, cases[i].expected);
		json_object_put(request.config);
	}
}
