/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "plugin.h"

#include <string.h>

#include "cleanup.h"

const struct cni_plugin *cni_plugin_find(const char *name)
{
	const struct cni_plugin *const plugins[] = {&cni_plugin_flannel,  &cni_plugin_bandwidth,  &cni_plugin_bridge,
						    &cni_plugin_firewall, &cni_plugin_host_local, &cni_plugin_loopback,
						    &cni_plugin_portmap,  &cni_plugin_ptp,        &cni_plugin_sbr,
						    &cni_plugin_static,   &cni_plugin_tuning};

	for (size_t i = 0; i < CNI_N_ELEMENTS(plugins); i++) {
		if (strcmp(plugins[i]->name, name) == 0)
			return plugins[i];
	}
	return NULL;
}

const char *cni_verb_name(enum cni_verb verb)
{
	const char *const names[CNI_N_VERBS] = {"ADD", "DEL", "CHECK", "STATUS", "GC"};

	return names[verb];
}
