/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "previous.h"

#include "decode.h"

int cni_previous_read(const struct cni_request *request, struct cni_result *ret_result, struct cni_error *error)
{
	struct json_object *previous = NULL;
	int r = cni_get_object(request->config, "", "prevResult", &previous, error);

	if (r <= 0)
		return r;
	return cni_result_parse_previous(previous, request->version, ret_result, error) < 0 ? -1 : 1;
}

int cni_previous_require(const struct cni_request *request, struct cni_result *ret_result, struct cni_error *error)
{
	int r = cni_previous_read(request, ret_result, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"prevResult is missing, expected the result of the plugins before this one");
	return r < 0 ? -1 : 0;
}
