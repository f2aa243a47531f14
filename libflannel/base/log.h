/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_LOG_H
#define FL_BASE_LOG_H

#include <flannel/log.h>

#include "base/error.h"

/* Where messages go; a part of a context, handed to whatever logs. fn NULL is silence. */
struct fl_log {
	flannel_log_fn fn;
	void *userdata;
	enum flannel_log_level level;
};

/* log may be NULL; keeps errno */
void fl_log(const struct fl_log *log, enum flannel_log_level level, const char *area, const char *format, ...)
	FL_PRINTF(4, 5);

#endif
