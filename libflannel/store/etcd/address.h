/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ETCD_ADDRESS_H
#define FL_ETCD_ADDRESS_H

/*
 * What follows "etcd:" in the URI of a store: "http://192.0.2.1:2379,http://192.0.2.2:2379?prefix=/coreos.com/network&cafile=..." with
 * the keys prefix, cafile, certfile, keyfile, username and password; their values are percent-encoded. No system call.
 */

#include <stddef.h>

#include "base/error.h"

#define FL_ETCD_DEFAULT_PREFIX "/coreos.com/network"

struct fl_etcd_address {
	char **endpoints; /* "http://HOST:PORT" or "https://HOST:PORT" */
	size_t n_endpoints;
	char *prefix;
	char *cafile; /* this and the following: NULL if not given or empty */
	char *certfile;
	char *keyfile;
	char *username;
	char *password;
};

/* -EINVAL names what is wrong, but never the value of a secret; -ENOMEM */
int fl_etcd_address_parse(const char *text, struct fl_etcd_address *ret_address, struct flannel_error **ret_error);

/* overwrites the password */
void fl_etcd_address_clear(struct fl_etcd_address *address);

#endif
