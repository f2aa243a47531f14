/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_UNDERLAY_UNDERLAY_H
#define FL_DOMAIN_UNDERLAY_UNDERLAY_H

/* What there is to say of the interface between nodes once it was chosen: is it fit to carry traffic, what became of it. */

#include <stddef.h>

#include "base/error.h"
#include "domain/backend/backend.h"

/* 0, or -ENETDOWN in words for whoever has to mend it: it is down, or has no carrier. Its addresses may be right all the same. */
int fl_underlay_check(const struct fl_underlay *underlay, struct flannel_error **ret_error);

/* room for fl_underlay_format_change() */
#define FL_UNDERLAY_CHANGE_STRLEN 512

/*
 * What became of an underlay, for logs: "eth0: address 192.0.2.1/24 is now 192.0.2.9/24, MTU 1500 is now 1400". Up, down and
 * carrier are no change; false if there is none, and then buf is "".
 */
bool fl_underlay_format_change(const struct fl_underlay *before, const struct fl_underlay *now, char *buf, size_t size);

#endif
