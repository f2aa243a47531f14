/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_ATTACHMENT_ID_H
#define FLANNEL_ATTACHMENT_ID_H

#include <stddef.h>

#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: attachment_id.h - which interface of which container
 *
 * The name under which everything that belongs to one attachment is kept and found again: addresses, port mappings, rules.
 */

/**
 * struct flannel_attachment_id - an interface of a container
 * @size:         sizeof(struct flannel_attachment_id), exactly.
 * @container_id: the runtime's name for the container: a letter or digit, then letters, digits, "_", ".", "-"
 *                (CNI specification 1.1, "Parameters").
 * @ifname:       interface name in the container, 1 to 15 bytes.
 */
struct flannel_attachment_id {
	size_t size;
	const char *container_id;
	const char *ifname;
};

FLANNEL_END_DECLS

#endif
