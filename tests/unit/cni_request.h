/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_CNI_REQUEST_H
#define TESTS_CNI_REQUEST_H

/* Calls of plugins as tests of their parts make them. Include after <criterion/criterion.h>. */

#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "plugin.h"

#define N_CASES(array) (sizeof(array) / sizeof((array)[0]))

/* A call with a configuration as text, of version 1.0.0; texts are borrowed. The caller puts the configuration. */
static inline struct cni_request cni_request_new(enum cni_verb verb, const char *text)
{
	struct cni_request request = {.verb = verb,
				      .container_id = "c1",
				      .netns = "/nowhere",
				      .ifname = "eth0",
				      .args = "",
				      .path = "/nowhere",
				      .network = "n1",
				      .version = "1.0.0",
				      .text = text,
				      .text_len = strlen(text)};
	struct cni_error error = {0};

	cr_assert_eq(cni_json_parse(text, strlen(text), &request.config, &error), 0, "%s", text);
	return request;
}

#endif
