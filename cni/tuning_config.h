/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_TUNING_CONFIG_H
#define CNI_TUNING_CONFIG_H

/* The configuration of the plugin tuning. */

#include <flannel/link.h>
#include <flannel/sysctl.h>

#include "plugin.h"

/* where the former settings of links are kept */
#define CNI_TUNING_DATA_DIR "/run/cni/tuning"

/* which kernel settings may be set; without the file all below net/ */
#define CNI_TUNING_ALLOWLIST "/etc/cni/tuning/allowlist.conf"

struct cni_tuning_sysctl {
	const char *key;   /* as given; borrowed from the request, as value is */
	const char *value; /* what it should be */
	char *name;        /* for the library: slashes, and the interface's name in it */
};

struct cni_tuning_config {
	struct flannel_link_settings settings; /* promiscuous mode is there only if it is to be on */
	struct cni_tuning_sysctl *sysctls;
	size_t n_sysctls;
	const char *data_dir; /* borrowed */
};

/* everything, for ADD and CHECK: args.cni goes before runtimeConfig, CNI_ARGS and the plain keys, in that order */
int cni_tuning_config_read(const struct cni_request *request, struct cni_tuning_config *ret_config,
			   struct cni_error *error);

/* just where the former settings are, for DEL */
int cni_tuning_config_read_data_dir(const struct cni_request *request, const char **ret_data_dir,
				    struct cni_error *error);

void cni_tuning_config_clear(struct cni_tuning_config *config);

#endif
