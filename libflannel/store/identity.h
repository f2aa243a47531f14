/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_IDENTITY_H
#define FL_STORE_IDENTITY_H

/*
 * Which leases a store's URI leads to, as a text without secrets: the name, the address without what stands before "@" in
 * a URL, and of the settings behind "?" those that say where in the store (such as prefix). How one logs in may change; the
 * leases are the same.
 */

/* malloc()ed, NULL without memory */
char *fl_store_identity(const char *uri);

#endif
