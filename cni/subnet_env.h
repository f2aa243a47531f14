/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_SUBNET_ENV_H
#define CNI_SUBNET_ENV_H

/* The file subnet.env, in which flanneld tells what this node has. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

#include "error.h"

/* networks in the order of the file, host bits zero, each once */
struct cni_network_list {
	struct flannel_prefix *networks;
	size_t n;
};

struct cni_subnet_env {
	struct cni_network_list networks;  /* FLANNEL_NETWORK */
	struct cni_network_list networks6; /* FLANNEL_IPV6_NETWORK */
	struct flannel_prefix subnet;      /* AF_UNSPEC if the file has none; host bits zero */
	struct flannel_prefix subnet6;
	uint32_t mtu;
	bool ipmasq;
};

/* Reads the file; one that does not say all that is needed is an error that names what is missing. */
int cni_subnet_env_read(const char *path, struct cni_subnet_env *ret_env, struct cni_error *error);

void cni_subnet_env_clear(struct cni_subnet_env *env);

#endif
