/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_NETCONF_FILE_H
#define CLI_NETCONF_FILE_H

#include <flannel/error.h>

/* reads the network configuration's file, at most 1 MiB; *ret_text is malloc()ed. 0 or negative errno */
int netconf_file_read(const char *path, char **ret_text, struct flannel_error **ret_error);

#endif
