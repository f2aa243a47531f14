/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_PATH_WATCH_H
#define FL_STORE_PATH_WATCH_H

/*
 * Tells when a path may lead to something else: the file is written, replaced by rename, removed and made again, or a symbolic link
 * on the way is put elsewhere, as Kubernetes does with the files of a ConfigMap. On file systems that other machines write to (NFS), only what
 * this one does is seen.
 */

#include "base/loop.h"

struct fl_path_watch;

/* Nothing is watched before fl_path_watch_renew(). */
int fl_path_watch_new(const char *path, struct fl_loop *loop, void (*fn)(void *userdata), void *userdata,
		      struct fl_path_watch **ret_watch, struct flannel_error **ret_error);

/*
 * Looks along the path as it is now, and watches the directories that matter. What happens from then on is told, once for what comes
 * together, so whoever reads the file after this call misses nothing. To be called after each news.
 */
int fl_path_watch_renew(struct fl_path_watch *watch, struct flannel_error **ret_error);

struct fl_path_watch *fl_path_watch_free(struct fl_path_watch *watch);

#endif
