/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "verbosity.h"

/* longer lines are cut */
#define LINE_SIZE 4096

/* severity letter of a level */
static char severity(enum flannel_log_level level)
{
	if (level <= FLANNEL_LOG_ERROR)
		return 'E';
	return level == FLANNEL_LOG_WARNING ? 'W' : 'I';
}

/* writes "I1123 07:30:01.123456    1234 area] "; returns its length */
static size_t format_head(char *line, size_t size, enum flannel_log_level level, const char *area)
{
	struct timespec now = {0};
	struct tm local = {0};
	int len;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)localtime_r(&now.tv_sec, &local);
	len = snprintf(line, size, "%c%02d%02d %02d:%02d:%02d.%06ld %7d %s] ", severity(level), local.tm_mon + 1,
		       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, now.tv_nsec / 1000, getpid(), area);
	return len < 0 ? 0 : (size_t)len >= size ? size - 1 : (size_t)len;
}

/* what came from peers or files must not break the line or drive a terminal */
static void flatten(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == '\177')
			text[i] = ' ';
}

/* one line, message given as a list of arguments */
static void write_line(const struct logger *logger, enum flannel_log_level level, const char *area, const char *format,
		       va_list arguments)
{
	char line[LINE_SIZE];
	int saved = errno;
	size_t head = format_head(line, sizeof(line) - 1, level, area);
	int body = vsnprintf(line + head, sizeof(line) - 1 - head, format, arguments);
	size_t len = strlen(line);
	ssize_t written;

	if (body >= 0) {
		flatten(line, len);
		line[len++] = '\n';
		written = write(logger->fd, line, len);
		(void)written; /* nobody is left to be told */
	}
	errno = saved;
}

/* the library's level that a level of klog's stands for */
static enum flannel_log_level level_of(int64_t v)
{
	return v >= 1 ? FLANNEL_LOG_DEBUG : FLANNEL_LOG_INFO;
}

void logger_set_verbosity(struct logger *logger, int64_t v, const char *modules)
{
	logger->level = level_of(v);
	logger->modules = *modules ? modules : NULL;
}

bool logger_is_written(const struct logger *logger, enum flannel_log_level level, const char *area)
{
	int64_t v = 0;

	if (logger->modules && verbosity_find(logger->modules, area, &v))
		return level <= level_of(v);
	return level <= logger->level;
}

enum flannel_log_level logger_get_max_level(const struct logger *logger)
{
	if (logger->modules && verbosity_max(logger->modules) >= 1)
		return FLANNEL_LOG_DEBUG;
	return logger->level;
}

void logger_write(const struct logger *logger, enum flannel_log_level level, const char *area, const char *format, ...)
{
	va_list arguments;

	if (!logger_is_written(logger, level, area))
		return;
	va_start(arguments, format);
	write_line(logger, level, area, format, arguments);
	va_end(arguments);
}

void logger_hook(void *userdata, enum flannel_log_level level, const char *area, const char *message)
{
	logger_write(userdata, level, area, "%s", message);
}
