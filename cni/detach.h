/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_DETACH_H
#define CNI_DETACH_H

/* Taking a container's interface away, for the plugins that made it. */

#include "plugin.h"

/*
 * Deletes the interface CNI_IFNAME, if there is one, and if CNI_NETNS is still there. Returns as soon as nobody can see it any more; the
 * configuration's key waitForRemoval makes it wait until the kernel is done with it.
 */
int cni_detach(const struct cni_request *request, struct cni_error *error);

#endif
