/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_NODE_H
#define FL_KUBE_NODE_H

/*
 * A Node as flannel uses it: its pod CIDRs are a subnet, its annotations say the rest of a lease. The keys of the annotations follow from the
 * prefix that all nodes of a cluster have in common. No system call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/lease.h>

#include "base/error.h"

struct json_object;

#define FL_KUBE_DEFAULT_PREFIX "flannel.alpha.coreos.com"

enum fl_kube_annotation {
	FL_KUBE_MANAGED, /* "true" */
	FL_KUBE_BACKEND_TYPE,
	FL_KUBE_BACKEND_DATA, /* JSON; "null" for none */
	FL_KUBE_BACKEND_V6_DATA,
	FL_KUBE_PUBLIC_IP,
	FL_KUBE_PUBLIC_IPV6,
	FL_KUBE_N_OWN,                          /* those before are written by nodes, those from here on by people */
	FL_KUBE_NODE_PUBLIC_IP = FL_KUBE_N_OWN, /* takes the place of the detected address */
	FL_KUBE_NODE_PUBLIC_IPV6,
	FL_KUBE_OVERWRITE, /* is published instead of the address that the node uses itself */
	FL_KUBE_OVERWRITE_V6,
	FL_KUBE_N_ANNOTATIONS
};

struct fl_kube_keys {
	char *keys[FL_KUBE_N_ANNOTATIONS];
};

/* prefix: "flannel.alpha.coreos.com", "example.com/net", see flanneld(8). -EINVAL naming it and what was expected, -ENOMEM */
int fl_kube_keys_init(struct fl_kube_keys *keys, const char *prefix, struct flannel_error **ret_error);
void fl_kube_keys_clear(struct fl_kube_keys *keys);

struct fl_kube_node {
	char *name;
	char *uid;         /* another one for each Node that ever had the name; NULL if it was not told */
	char *version;     /* metadata.resourceVersion, a text */
	uint64_t revision; /* the same as a number; 0 if it is none */
	size_t n_cidrs;
	struct flannel_prefix subnet, subnet6; /* the first of each family */
	char *annotations[FL_KUBE_N_ANNOTATIONS];
};

/* reads a Node from a text that ends in zero; -EINVAL for what is none, with its name, if that can be read; -ENOMEM */
int fl_kube_node_parse(const struct fl_kube_keys *keys, const char *text, size_t len, struct fl_kube_node *ret_node,
		       struct flannel_error **ret_error);
/* the same of an object that is parsed */
int fl_kube_node_read(const struct fl_kube_keys *keys, struct json_object *object, struct fl_kube_node *ret_node,
		      struct flannel_error **ret_error);
void fl_kube_node_clear(struct fl_kube_node *node);

/*
 * The same without a tree of values between, if it is as plain as nearly all are; false: it is not, or there is no memory. The
 * text ends in zero.
 */
bool fl_kube_node_read_plain(const struct fl_kube_keys *keys, const char *text, size_t len,
			     struct fl_kube_node *ret_node);

/* for the two readers: takes one pod CIDR in (NULL is none), -EINVAL */
int fl_kube_node_add_cidr(struct fl_kube_node *node, const char *text, struct flannel_error **ret_error);

/* the version as a number */
void fl_kube_node_note_version(struct fl_kube_node *node);

/*
 * The lease that it tells of: 1; 0 if it is not managed by flannel; -EINVAL if it is, but has not what is needed of at least one family;
 * -ENOMEM. A family that lacks something is left out.
 */
int fl_kube_node_get_lease(const struct fl_kube_node *node, struct flannel_lease **ret_lease,
			   struct flannel_error **ret_error);

/*
 * What this node is given: a lease of its pod CIDRs, with the backend's type and data that it published last, as far as they can be read,
 * and without addresses. -EAGAIN (retryable) if it has no pod CIDR yet, -EINVAL if that is none that can be used, -ENOMEM.
 */
int fl_kube_node_get_self(const struct fl_kube_node *node, struct flannel_lease **ret_lease,
			  struct flannel_error **ret_error);

/* the address of an annotation: 1, 0 without one, -EINVAL for one that is no address of the family */
int fl_kube_node_get_address(const struct fl_kube_node *node, enum fl_kube_annotation which, int family,
			     struct flannel_prefix *ret_address);

/* do two leases have the same public addresses */
bool fl_kube_same_addresses(const struct flannel_lease *a, const struct flannel_lease *b);

/* do two leases have the same subnets */
bool fl_kube_same_subnets(const struct flannel_lease *a, const struct flannel_lease *b);

#endif
