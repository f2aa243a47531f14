/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_STORE_URI_KUBE_H
#define CLI_STORE_URI_KUBE_H

/* The Kubernetes store that the flags and the environment of a pod ask for. */

#include <stdio.h>

#include "log.h"
#include "options.h"

/* writes the URI */
void store_uri_put_kube(FILE *stream, const struct options *options);

/* writes a value, percent-encoded */
void store_uri_put_encoded(FILE *stream, const char *value);

/* variables of flannel's manifests that do nothing here are checked as there: 0, or -EINVAL naming one */
int store_uri_check_kube_environment(struct flannel_error **ret_error);

#endif
