/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include "bandwidth_config.h"
#include "cni_request.h"

Test(cni_bandwidth, configurations)
{
	const struct {
		const char *text;
		struct cni_bandwidth_config expected;
	} cases[] = {
		{"{}", {{0}, {0}}},
		{"{\"ingressRate\":0,\"egressBurst\":0}", {{0}, {0}}},
		{"{\"ingressRate\":8000000,\"ingressBurst\":80000}", {{1000000, 10000}, {0}}},
		{"{\"egressRate\":15,\"egressBurst\":15}", {{0}, {1, 1}}},
		{"{\"INGRESSRATE\":16,\"ingressburst\":8}", {{2, 1}, {0}}},
		{"{\"ingressRate\":4611686018427387904,\"ingressBurst\":34359738352}",
		 {{UINT64_C(576460752303423488), 4294967294}, {0}}},
		{"{\"ingressRate\":8,\"ingressBurst\":2192}", {{1, 274}, {0}}},
		{"{\"ingressRate\":8,\"ingressBurst\":4376}", {{1, 547}, {0}}},
		{"{\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8,\"ingressBurst\":16,\"egressRate\":24,"
		 "\"egressBurst\":32}}}",
		 {{1, 2}, {3, 4}}},
		/* one key at the top and runtimeConfig does not count */
		{"{\"egressRate\":8,\"egressBurst\":8,\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8,"
		 "\"ingressBurst\":16}}}",
		 {{0}, {1, 1}}},
		{"{\"egressRate\":0,\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8,\"ingressBurst\":16}}}",
		 {{0}, {0}}},
		{"{\"egressRate\":null,\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":8,\"ingressBurst\":16}}}",
		 {{1, 2}, {0}}},
		{"{\"runtimeConfig\":{\"bandwidth\":null}}", {{0}, {0}}},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		struct cni_bandwidth_config config;

		cr_assert_eq(cni_bandwidth_config_read(&request, &config, &error), 0, "%s: %s", cases[i].text,
			     error.message);
		cr_expect_eq(config.ingress.bytes_per_sec, cases[i].expected.ingress.bytes_per_sec, "%s",
			     cases[i].text);
		cr_expect_eq(config.ingress.burst_bytes, cases[i].expected.ingress.burst_bytes, "%s", cases[i].text);
		cr_expect_eq(config.egress.bytes_per_sec, cases[i].expected.egress.bytes_per_sec, "%s", cases[i].text);
		cr_expect_eq(config.egress.burst_bytes, cases[i].expected.egress.burst_bytes, "%s", cases[i].text);
		json_object_put(request.config);
	}
}

Test(cni_bandwidth, messages)
{
	const struct {
		const char *text, *expected;
	} cases[] = {
		{"{\"ingressRate\":1000}", "ingressRate is 1000, expected ingressBurst beside it"},
		{"{\"ingressBurst\":1000}", "ingressBurst is 1000, expected ingressRate beside it"},
		{"{\"egressRate\":1000}", "egressRate is 1000, expected egressBurst beside it"},
		{"{\"runtimeConfig\":{\"bandwidth\":{\"egressBurst\":5}}}",
		 "runtimeConfig.bandwidth.egressBurst is 5, expected runtimeConfig.bandwidth.egressRate beside it"},
		{"{\"ingressRate\":7,\"ingressBurst\":8}", "ingressRate is 7, expected at least 8 bits per second"},
		{"{\"ingressRate\":8,\"ingressBurst\":7}", "ingressBurst is 7, expected at least 8 bits"},
		{"{\"ingressRate\":8,\"ingressBurst\":99999999999999}",
		 "ingressBurst is 99999999999999, expected less than 34359738360 bits"},
		{"{\"ingressRate\":8000000000,\"ingressBurst\":34359738360}",
		 "ingressBurst is 34359738360, expected less than 34359738360 bits"},
		{"{\"ingressRate\":8,\"ingressBurst\":4384}",
		 "ingressBurst is 4384, expected no more than what ingressRate (8) yields in 274 s"},
		{"{\"ingressRate\":-1}", "ingressRate is -1, expected 0 to 4611686018427387904"},
		{"{\"ingressRate\":18446744073709551615}",
		 "ingressRate is 18446744073709551615, expected 0 to 4611686018427387904"},
		{"{\"ingressRate\":1.5}", "ingressRate is 1.5, expected an integer"},
		{"{\"ingressRate\":\"1M\"}", "ingressRate is \"1M\", expected an integer"},
		{"{\"runtimeConfig\":{\"bandwidth\":5}}", "runtimeConfig.bandwidth is 5, expected an object"},
		{"{\"runtimeConfig\":5}", "runtimeConfig is 5, expected an object"},
	};

	for (size_t i = 0; i < N_CASES(cases); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		struct cni_request request = cni_request_new(CNI_VERB_ADD, cases[i].text);
		struct cni_bandwidth_config config;

		cr_expect_eq(cni_bandwidth_config_read(&request, &config, &error), -1, "%s", cases[i].text);
		cr_expect_eq(error.code, CNI_ERROR_INTERNAL);
		cr_expect_str_eq(error.message ? error.message : "", cases[i].expected);
		json_object_put(request.config);
	}
}

Test(cni_bandwidth, prev_result_is_needed_even_if_there_is_nothing_to_limit)
{
	const char *const texts[] = {"{}", "{\"ingressRate\":8,\"ingressBurst\":8}"};
	const enum cni_verb verbs[] = {CNI_VERB_ADD, CNI_VERB_CHECK};

	for (size_t i = 0; i < N_CASES(texts) * N_CASES(verbs); i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		enum cni_verb verb = verbs[i % 2];
		struct cni_request request = cni_request_new(verb, texts[i / 2]);
		struct json_object *result = NULL;

		cr_expect_eq(cni_plugin_bandwidth.run[verb](&request, &result, &error), -1);
		cr_expect_str_eq(error.message,
				 "prevResult is missing, expected the result of the plugins before this one");
		json_object_put(request.config);
	}
}
