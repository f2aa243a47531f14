/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_DAEMON_H
#define CNI_DAEMON_H

/* What flanneld says of itself. */

#include "error.h"

/*
 * Puts behind a message why the subnet file may be missing: whether flanneld answers at its socket, which lies beside the
 * file, and what it waits for. Takes a second at most. Returns -1.
 */
int cni_daemon_explain(const char *subnet_file, struct cni_error *error);

#endif
