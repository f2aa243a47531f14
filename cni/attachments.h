/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_ATTACHMENTS_H
#define CNI_ATTACHMENTS_H

/* The attachments that GC leaves alone: the key cni.dev/valid-attachments, or cni.dev/attachments, of its configuration. */

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

#include <flannel/attachment_id.h>

#include "error.h"

struct cni_attachments {
	struct flannel_attachment_id *ids; /* their texts are borrowed from the configuration */
	size_t n;
};

/*
 * Reads the list: 1, which may be an empty one; 0 if there is none; -1. Without a list nobody knows what is in use, so whoever
 * collects has to leave everything alone.
 */
int cni_attachments_read(struct json_object *config, struct cni_attachments *ret_attachments, struct cni_error *error);

/* is an attachment in the list; ifname NULL stands for any interface of the container */
bool cni_attachments_have(const struct cni_attachments *attachments, const char *container_id, const char *ifname);

void cni_attachments_clear(struct cni_attachments *attachments);

#endif
