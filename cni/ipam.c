/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ipam.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* looks the IPAM plugin up; those of our plugins that are none would call each other for ever */
static int find_ipam(const struct cni_request *request, const char *type, struct cni_delegate *ret_ipam,
		     struct cni_error *error)
{
	if (cni_delegate_find(request, "ipam.type", type, ret_ipam, error) < 0)
		return -1;
	if (!ret_ipam->plugin || ret_ipam->plugin->is_ipam)
		return 0;
	cni_delegate_clear(ret_ipam);
	return cni_fail(error, CNI_ERROR_INTERNAL, "ipam.type is \"%s\", expected an IPAM plugin", type);
}

int cni_ipam_run(const struct cni_request *request, const char *type, struct cni_error *error)
{
	CNI_CLEANUP(cni_delegate_clear) struct cni_delegate ipam = {0};
	struct json_object *none = NULL;

	if (type[0] == '\0')
		return 0;
	if (find_ipam(request, type, &ipam, error) < 0)
		return -1;
	return cni_delegate_run(&ipam, request, &none, error);
}

void cni_ipam_release(const struct cni_request *request, const char *type, const struct cni_delegate *ipam)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	struct cni_request release = *request;
	struct json_object *none = NULL;

	if (type[0] == '\0')
		return;
	release.verb = CNI_VERB_DEL;
	(void)cni_delegate_run(ipam, &release, &none, &ignored);
}

/* takes over the IPAM's answer; the indices of interfaces in it mean nothing here */
static int take_answer(const struct cni_request *request, const char *type, int index, struct json_object *answer,
		       struct cni_result *result, struct cni_error *error)
{
	if (cni_result_parse(answer, request->version, "result of the IPAM plugin", result, error) < 0)
		return -1;
	if (result->n_ips == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "the IPAM plugin %s gave no address", type);
	for (size_t i = 0; i < result->n_ips; i++)
		result->ips[i].interface = index;
	for (size_t i = 0; i < result->n_interfaces; i++) {
		free(result->interfaces[i].name);
		free(result->interfaces[i].mac);
		free(result->interfaces[i].sandbox);
		free(result->interfaces[i].socket_path);
		free(result->interfaces[i].pci_id);
	}
	result->n_interfaces = 0;
	return 0;
}

int cni_ipam_add(const struct cni_request *request, const char *type, int index, struct cni_delegate *ret_ipam,
		 struct cni_result *ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *answer = NULL;

	if (type[0] == '\0')
		return 0;
	if (find_ipam(request, type, ret_ipam, error) < 0 || cni_delegate_run(ret_ipam, request, &answer, error) < 0)
		return -1;
	if (take_answer(request, type, index, answer, ret_result, error) < 0) {
		cni_ipam_release(request, type, ret_ipam);
		return -1;
	}
	return 0;
}
