/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attachments.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "decode.h"

/* runtimes send the list under both names, the specification has the second */
static const char *const keys[] = {"cni.dev/valid-attachments", "cni.dev/attachments"};

/* a text of one element that must be there */
static int get_needed(struct json_object *object, const char *path, const char *key, const char **ret,
		      struct cni_error *error)
{
	const char *text = "";

	if (cni_get_string(object, path, key, &text, error) < 0)
		return -1;
	if (text[0] == '\0')
		return cni_fail(error, CNI_ERROR_CONFIG, "%s.%s is missing, expected that of an attachment in use",
				path, key);
	*ret = text;
	return 0;
}

/* order of two attachments; one without an interface is equal to any of its container */
static int compare(const void *a, const void *b)
{
	const struct flannel_attachment_id *one = a;
	const struct flannel_attachment_id *other = b;
	int r = strcmp(one->container_id, other->container_id);

	return r != 0 || !one->ifname ? r : strcmp(one->ifname, other->ifname);
}

/* one element */
static int parse_id(struct json_object *list, const char *key, size_t index, struct flannel_attachment_id *ret_id,
		    struct cni_error *error)
{
	struct flannel_attachment_id id = {.size = sizeof(id)};
	struct json_object *object;
	char path[CNI_PATH_SIZE];

	if (cni_element_object(list, key, index, &object, error) < 0)
		return -1;
	(void)cni_path_index(path, key, index);
	if (!object)
		return cni_fail(error, CNI_ERROR_CONFIG, "%s is null, expected an attachment in use", path);
	if (get_needed(object, path, "containerID", &id.container_id, error) < 0 ||
	    get_needed(object, path, "ifname", &id.ifname, error) < 0)
		return -1;
	*ret_id = id;
	return 0;
}

int cni_attachments_read(struct json_object *config, struct cni_attachments *ret_attachments, struct cni_error *error)
{
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments attachments = {0};
	struct json_object *list = NULL;
	const char *key = NULL;
	size_t n;
	int r = 0;

	for (size_t i = 0; r == 0 && i < CNI_N_ELEMENTS(keys); i++) {
		key = keys[i];
		r = cni_get_array(config, "", key, &list, error);
	}
	if (r <= 0)
		return r;
	n = json_object_array_length(list);
	attachments.ids = calloc(n + 1, sizeof(*attachments.ids));
	if (!attachments.ids)
		return cni_fail_oom(error);
	for (; attachments.n < n; attachments.n++) {
		if (parse_id(list, key, attachments.n, &attachments.ids[attachments.n], error) < 0)
			return -1;
	}
	qsort(attachments.ids, n, sizeof(*attachments.ids), compare);
	*ret_attachments = attachments;
	memset(&attachments, 0, sizeof(attachments));
	return 1;
}

bool cni_attachments_have(const struct cni_attachments *attachments, const char *container_id, const char *ifname)
{
	const struct flannel_attachment_id key = {.container_id = container_id, .ifname = ifname};

	return attachments->n > 0 && bsearch(&key, attachments->ids, attachments->n, sizeof(key), compare);
}

void cni_attachments_clear(struct cni_attachments *attachments)
{
	free(attachments->ids);
	memset(attachments, 0, sizeof(*attachments));
}
