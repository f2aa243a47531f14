/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEST_CNI_CALL_H
#define TEST_CNI_CALL_H

/* Calls plugins in this process and looks at the error they fail with. */

#include <criterion/criterion.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "plugin.h"
#include "protocol.h"

/* one call that fails, and how */
struct cni_case {
	const char *config;
	unsigned int code;
	const char *message; /* the whole of it, or its beginning if it ends in "..." */
	const char *args;    /* CNI_ARGS; NULL for none */
};

/* does a message fit what is expected */
static inline bool cni_case_fits(const struct cni_case *expected, const struct cni_error *error)
{
	size_t len = strlen(expected->message);

	if (error->code != expected->code || !error->message)
		return false;
	if (len > 3 && strcmp(expected->message + len - 3, "...") == 0)
		return strncmp(error->message, expected->message, len - 3) == 0;
	return strcmp(error->message, expected->message) == 0;
}

/* takes a configuration as the protocol does and runs a verb: what that returns */
static inline int cni_case_run(const struct cni_plugin *plugin, enum cni_verb verb, const struct cni_case *call,
			       struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *config = NULL;
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;
	struct cni_request request = {.verb = verb,
				      .container_id = "c1",
				      .netns = "/nonexistent/ns",
				      .ifname = "eth0",
				      .args = call->args ? call->args : "",
				      .path = "/nonexistent",
				      .text = call->config,
				      .text_len = strlen(call->config)};

	if (cni_json_parse(call->config, strlen(call->config), &config, error) < 0)
		return -1;
	request.config = config;
	if (cni_protocol_read_config(&request, error) < 0)
		return -1;
	return cni_protocol_run(plugin, &request, &result, error);
}

/* each case must fail as it says */
static inline void cni_cases_expect(const struct cni_plugin *plugin, enum cni_verb verb, const struct cni_case *cases,
				    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
		int r = cni_case_run(plugin, verb, &cases[i], &error);

		cr_expect_eq(r, -1, "%s %s", cni_verb_name(verb), cases[i].config);
		cr_expect(cni_case_fits(&cases[i], &error), "%s %s\n  found    %u %s\n  expected %u %s",
			  cni_verb_name(verb), cases[i].config, error.code, error.message ? error.message : "(none)",
			  cases[i].code, cases[i].message);
	}
}

#endif
