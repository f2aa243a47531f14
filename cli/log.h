/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <flannel/log.h>

#include "cleanup.h"

/*
 * Log lines in the form that flanneld's users parse (klog's): "I1123 07:30:01.123456    1234 node] message", local
 * time, severity I, W or E, with the area in the place of file and line. Debug messages are I, as with -v there; they are written from
 * level 1 on.
 */
struct logger {
	int fd;
	enum flannel_log_level level; /* least urgent that is written */
	const char *modules;          /* --vmodule: other levels for some areas; NULL for none */
};

/* what --v and --vmodule ask for, checked */
void logger_set_verbosity(struct logger *logger, int64_t v, const char *modules);

/* is a message written */
bool logger_is_written(const struct logger *logger, enum flannel_log_level level, const char *area);

/* the least urgent level that any area writes */
enum flannel_log_level logger_get_max_level(const struct logger *logger);

/* writes one line with one write(2); control characters become spaces */
void logger_write(const struct logger *logger, enum flannel_log_level level, const char *area, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* a flannel_log_fn; userdata is a struct logger */
void logger_hook(void *userdata, enum flannel_log_level level, const char *area, const char *message);

#endif
