/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flannel_delegate.h"

#include <string.h>

#include "cleanup.h"
#include "decode.h"
#include "print.h"

int cni_flannel_delegate_find(const struct cni_request *request, struct json_object *config,
			      struct cni_delegate *ret_delegate, struct cni_error *error)
{
	const char *type = "";

	if (cni_get_string(config, "delegate", "type", &type, error) < 0)
		return -1;
	return cni_delegate_find(request, "delegate.type", type, ret_delegate, error);
}

int cni_flannel_delegate_run(const struct cni_request *request, const struct cni_delegate *delegate,
			     struct json_object *config, const char *text, struct json_object **ret_result,
			     struct cni_error *error)
{
	struct cni_request inner = *request;

	inner.config = config;
	inner.text = text;
	inner.text_len = strlen(text);
	return cni_delegate_run(delegate, &inner, ret_result, error);
}

int cni_flannel_delegate_call(const struct cni_request *request, struct json_object *config, struct cni_error *error)
{
	CNI_CLEANUP(cni_delegate_clear) struct cni_delegate delegate = {0};
	CNI_CLEANUP(cni_freep) char *text = NULL;
	struct json_object *none = NULL;

	if (cni_flannel_delegate_find(request, config, &delegate, error) < 0)
		return -1;
	text = cni_format_compact(config, 1);
	if (!text)
		return cni_fail_oom(error);
	return cni_flannel_delegate_run(request, &delegate, config, text, &none, error);
}

int cni_flannel_delegate_parse(const struct cni_flannel_state *state, struct json_object **ret_config,
			       struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *config = NULL;

	if (cni_json_parse(state->text, state->len, &config, error) < 0) {
		error->code = CNI_ERROR_INTERNAL;
		return cni_wrap(error, "%s", state->path);
	}
	if (!json_object_is_type(config, json_type_object))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: expected an object", state->path);
	*ret_config = CNI_TAKE(config);
	return 0;
}
