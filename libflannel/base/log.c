/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void fl_log(const struct fl_log *log, enum flannel_log_level level, const char *area, const char *format, ...)
{
	FL_CLEANUP(fl_freep) char *large = NULL;
	int saved_errno = errno;
	char small[512];
	va_list arguments;
	int n;

	if (!log || !log->fn || level > log->level)
		return;
	va_start(arguments, format);
	n = vsnprintf(small, sizeof(small), format, arguments);
	va_end(arguments);
	/* without memory the beginning of the message has to do */
	if (n >= (int)sizeof(small))
		large = malloc((size_t)n + 1);
	if (large) {
		va_start(arguments, format);
		n = vsnprintf(large, (size_t)n + 1, format, arguments);
		va_end(arguments);
	}
	if (n >= 0)
		log->fn(log->userdata, level, area, large ? large : small);
	errno = saved_errno;
}
