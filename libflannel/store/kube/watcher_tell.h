/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_WATCHER_TELL_H
#define FL_KUBE_WATCHER_TELL_H

/* What the watcher reads and tells (watcher_tell.c), apart from how it gets it (watcher.c). Runs inside of libcurl. All return 0 or -ENOMEM. */

#include "store/kube/watcher.h"

/* an object of a list, NULL: one that is too large; a fl_kube_object_fn with the watcher as userdata */
int fl_kube_watcher_take_item(void *userdata, const char *text, size_t len);

/* an event of a watch, likewise; -ECANCELED if it says that the watch ends: .stopped says why */
int fl_kube_watcher_take_event(void *userdata, const char *text, size_t len);

/* begins to tell a list, unless that was done */
int fl_kube_watcher_begin_list(struct fl_kube_watcher *watcher);

/* the list is complete, and is of this version */
int fl_kube_watcher_end_list(struct fl_kube_watcher *watcher, const char *version);

#endif
