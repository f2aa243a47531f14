/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_LEASE_SUBNET_FILE_H
#define FL_DOMAIN_LEASE_SUBNET_FILE_H

/* The text of subnet.env: what flanneld tells the CNI plugin, and itself after a restart. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

#include "base/error.h"

struct fl_subnet_file {
	struct flannel_prefix network; /* AF_UNSPEC if IPv4 is not enabled */
	struct flannel_prefix subnet;  /* the subnet; the file shows its first host */
	struct flannel_prefix network6;
	struct flannel_prefix subnet6;
	uint32_t mtu;
	bool ipmasq;
};

/* malloc()ed text for the file */
int fl_subnet_file_format(const struct fl_subnet_file *file, char **ret_text, struct flannel_error **ret_error);

/*
 * Reads what an earlier run wrote. Networks and subnets lose their host bits. Never fails: a value that is no prefix
 * of its family, or a list of several, stays AF_UNSPEC, and a file that breaks the grammar says nothing at all.
 * The grammar is that of dotenv files: comments, "export", KEY=VALUE or KEY: VALUE, quotes, $VARIABLES defined before.
 */
void fl_subnet_file_parse(const char *text, size_t len, struct fl_subnet_file *ret_file);

#endif
