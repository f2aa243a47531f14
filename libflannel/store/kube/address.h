/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_ADDRESS_H
#define FL_KUBE_ADDRESS_H

/* What follows "kube:" in the URI of a store: "?node=n1&kubeconfig=/etc/kubernetes/kubelet.conf&..."; values are percent-encoded. No system call. */

#include <stdbool.h>

#include "base/error.h"

#define FL_KUBE_DEFAULT_NET_CONFIG "/etc/kube-flannel/net-conf.json"
#define FL_KUBE_DEFAULT_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct fl_kube_address {
	char *api_url;       /* NULL: that of the kubeconfig, or the cluster that we run in */
	char *kubeconfig;    /* NULL: the service account that we run as */
	char *account;       /* directory of the service account's token and ca.crt */
	char *node;          /* NULL: that of the pod */
	char *pod_namespace; /* NULL: node is given */
	char *pod;
	char *prefix;
	char *net_config; /* a file */
	bool no_condition;
};

/* -EINVAL names what is wrong; -ENOMEM */
int fl_kube_address_parse(const char *text, struct fl_kube_address *ret_address, struct flannel_error **ret_error);

void fl_kube_address_clear(struct fl_kube_address *address);

#endif
