/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_INSTANCE_NETWORK_H
#define CLI_INSTANCE_NETWORK_H

#include <flannel/error.h>

#include "options.h"

/*
 * Which network this daemon would serve, as far as its flags tell: a malloc()ed text that is the same for two that would serve one, and the
 * flag (without dashes) that chooses another. -ENOMEM, or what options_select_store() says.
 */
int instance_network_describe(const struct options *options, char **ret_network, const char **ret_flag,
			      struct flannel_error **ret_error);

/*
 * Takes a network for this daemon: no other may serve it in the same network namespace, whatever it is called. network: says which; flag: the one that would choose another. -EBUSY names the other's pid and the flag.
 */
int instance_network_take(const char *network, const char *flag, int *ret_fd, struct flannel_error **ret_error);

#endif
