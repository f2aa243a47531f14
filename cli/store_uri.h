/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_STORE_URI_H
#define CLI_STORE_URI_H

/* The store that the flags ask for, as flannel_store_open() wants it. */

#include "options.h"

/* malloc()ed, may hold a password: see store_uri_free(). NULL without memory */
char *store_uri_format(const struct options *options, enum options_store store);

/* overwrites it */
void store_uri_free(char *uri);

#endif
