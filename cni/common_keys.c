/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common_keys.h"

#include "cleanup.h"
#include "decode.h"
#include "result.h"

int cni_config_check_common(struct json_object *config, struct cni_error *error)
{
	const char *const objects[] = {"args", "ipam", "prevResult", "runtimeConfig"};
	CNI_CLEANUP(cni_json_putp) struct json_object *parsed = NULL;
	struct json_object *capabilities = NULL;
	struct json_object *dns = NULL;
	struct json_object *ignored;
	const char *text;
	bool is_on;

	if (cni_get_string(config, "", "type", &text, error) < 0 ||
	    cni_get_object(config, "", "capabilities", &capabilities, error) < 0 ||
	    cni_get_object(config, "", "dns", &dns, error) < 0 ||
	    (dns && cni_dns_parse(dns, "dns", &parsed, error) < 0))
		return -1;
	for (size_t i = 0; i < CNI_N_ELEMENTS(objects); i++) {
		if (cni_get_object(config, "", objects[i], &ignored, error) < 0)
			return -1;
	}
	if (capabilities) {
		json_object_object_foreach(capabilities, key, value)
		{
			(void)value;
			if (cni_get_bool(capabilities, "capabilities", key, &is_on, error) < 0)
				return -1;
		}
	}
	return 0;
}

int cni_config_get_nested(struct json_object *config, const char *outer, const char *inner, struct json_object **ret,
			  struct cni_error *error)
{
	struct json_object *object;
	int r = cni_get_object(config, "", outer, &object, error);

	return r > 0 ? cni_get_object(object, outer, inner, ret, error) : r;
}
