/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_ADDRESS_PLACE_H
#define FL_STORE_ADDRESS_PLACE_H

/*
 * Where the indexes of address pools are: /run/flannel/host-local/<device>-<inode>, named by the pool's directory, so that it is
 * the same one through whatever mount or root directory it is reached. A place that is empty after a reboot, costs no
 * disk, and shows in nobody's listing of the pools. Whoever sees another /run has another index or none, which is as right (the
 * directory's time tells which one is current) and just slower.
 *
 * No part of that path may be a symbolic link, and the folder is its owner's only (0700).
 */

#include <sys/stat.h>

#include "store/address/directory.h"

/* the first bytes of every index: the directory's path, and zeros */
#define FL_ADDRESS_PLACE_PATH_SIZE 3072

/* Opens the index of a directory whose status that is, making it if it is missing: a descriptor, or -1 if there is no place for one.
 * To make one takes the chance to sweep, and to remove what earlier versions had, <parent>/.flannel/<name>. */
int fl_address_place_open(const struct fl_address_directory *directory, const struct stat *status);

/* removes the indexes whose directory is gone, as far as can be seen from here, if nobody has written them for an hour */
void fl_address_place_sweep(void);

#endif
