/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_CONFIG_H
#define FL_KUBE_CONFIG_H

/* The network configuration, which is a file here, mounted into each pod of flannel. */

#include "base/error.h"
#include "base/log.h"

/*
 * Reads it, malloc()ed. What says how nodes choose their subnets (SubnetLen, SubnetMin and so on) is left out, since the cluster gives them: as
 * with flannel, it may be anything. Errors name the file.
 */
int fl_kube_config_read(const char *path, const struct fl_log *log, char **ret_text, struct flannel_error **ret_error);

#endif
