/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PLUGIN_H
#define CNI_PLUGIN_H

/* What a plugin is, what it is asked, and which there are in this executable. */

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum cni_verb { CNI_VERB_ADD, CNI_VERB_DEL, CNI_VERB_CHECK, CNI_VERB_STATUS, CNI_VERB_GC, CNI_N_VERBS };

struct cni_plugin;

/* One call of a plugin. Texts are never NULL ("" if unset) and are borrowed, and so is the configuration. */
struct cni_request {
	enum cni_verb verb;
	const char *container_id;
	const char *netns;
	const char *ifname;
	const char *args;
	const char *path;
	bool netns_override; /* CNI_NETNS may be the namespace of this process */
	const char *text;    /* the configuration, byte for byte */
	size_t text_len;
	struct json_object *config; /* the same, parsed; an object */
	const char *network;        /* name in the configuration */
	const char *version;        /* cniVersion in the configuration, or what stands for none */
	/* One for all plugins that serve this call, or NULL. Set by an IPAM plugin when ADD gave what the container had before: it is an earlier
	 * attachment's, which is not to lose it when this one fails and runs DEL. */
	bool *had_addresses;
};

/*
 * A plugin is a table of functions. A verb without a function succeeds and prints nothing. ADD sets *ret_result to a result
 * in the form of request->version, owned by the caller; the others leave it alone.
 */
struct cni_plugin {
	const char *name;
	const char *about;
	const char *oldest; /* the first version of the protocol that it serves; NULL: the first that there was */
	bool is_ipam;       /* it may serve other plugins as their IPAM, and delegates to nobody */
	int (*run[CNI_N_VERBS])(const struct cni_request *request, struct json_object **ret_result,
				struct cni_error *error);
};

/* a plugin of this executable, NULL if there is none of that name */
const struct cni_plugin *cni_plugin_find(const char *name);

/* ADD, DEL, ... */
const char *cni_verb_name(enum cni_verb verb);

extern const struct cni_plugin cni_plugin_bandwidth;
extern const struct cni_plugin cni_plugin_bridge;
extern const struct cni_plugin cni_plugin_firewall;
extern const struct cni_plugin cni_plugin_flannel;
extern const struct cni_plugin cni_plugin_host_local;
extern const struct cni_plugin cni_plugin_loopback;
extern const struct cni_plugin cni_plugin_portmap;
extern const struct cni_plugin cni_plugin_ptp;
extern const struct cni_plugin cni_plugin_sbr;
extern const struct cni_plugin cni_plugin_static;
extern const struct cni_plugin cni_plugin_tuning;

#endif
