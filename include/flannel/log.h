/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_LOG_H
#define FLANNEL_LOG_H

#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: log.h - the one callback of the library
 *
 * A context is silent unless its options name a log function. Failures are never only logged: they are
 * returned, or handed over as events. Secrets never appear in a message.
 */

/** enum flannel_log_level - how urgent a message is; the values are syslog's (RFC 5424, section 6.2.1) */
enum flannel_log_level { FLANNEL_LOG_ERROR = 3, FLANNEL_LOG_WARNING = 4, FLANNEL_LOG_INFO = 6, FLANNEL_LOG_DEBUG = 7 };

/**
 * flannel_log_fn - receives each log message
 * @userdata: what the context's options gave.
 * @level:    urgency.
 * @area:     the part that speaks, a lower-case word as in flannel_error_get_area().
 * @message:  formatted text without a final newline; valid during the call only.
 *
 * Runs in the thread that called into the library, inside that call: it must not call back into the
 * same context.
 */
typedef void (*flannel_log_fn)(void *userdata, enum flannel_log_level level, const char *area, const char *message);

FLANNEL_END_DECLS

#endif
