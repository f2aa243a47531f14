/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_ATTACH_H
#define CNI_ATTACH_H

/*
 * What the plugins have in common that join a container to the node by a veth pair: bridge and ptp. The addresses come from an IPAM
 * plugin, which runs first: its failures cost nothing then. The library attaches, or takes back what it did, and sets the
 * masquerade rules of the network, which stay.
 */

#include <flannel/attachment.h>

#include "plugin.h"

/* what to attach, and how */
struct cni_attach_config {
	const char *bridge; /* borrowed from the request, as the other texts and objects; "" is none */
	const char *ipam;   /* the IPAM plugin's name; "" attaches on layer 2 only */
	uint32_t mtu;
	unsigned int flags; /* enum flannel_attachment_flags */
	uint32_t vlan;      /* 0 for none */
	struct flannel_vlan_span *trunk;
	size_t n_trunk;
	bool masquerade;              /* ipMasq */
	bool guard;                   /* macspoofchk */
	const char *backend;          /* ipMasqBackend; "" for none */
	const char *mac_text;         /* as given; "" for none */
	char *mac_argument;           /* what mac_text points at if it came from CNI_ARGS */
	char mac[FLANNEL_MAC_STRLEN]; /* for the library; "" leaves it to that */
	struct json_object *dns;      /* owned; in place of the IPAM's. NULL: not given. */
};

void cni_attach_config_clear(struct cni_attach_config *config);

/* the keys that both plugins have: mtu, ipMasq, ipMasqBackend, ipam.type and dns */
int cni_attach_config_read(const struct cni_request *request, struct cni_attach_config *config,
			   struct cni_error *error);

/* What ADD needs besides: a masquerade backend that is known, an MTU that the kernel takes, and a version that can tell the
 * result. It is looked at before the IPAM plugin gives out an address for nothing. */
int cni_attach_config_check(const struct cni_request *request, const struct cni_attach_config *config,
			    struct cni_error *error);

/* the verbs; the configuration was checked */
int cni_attach_add(const struct cni_request *request, const struct cni_attach_config *config,
		   struct json_object **ret_result, struct cni_error *error);
int cni_attach_del(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error);
int cni_attach_gc(const struct cni_request *request, const struct cni_attach_config *config, struct cni_error *error);

#endif
