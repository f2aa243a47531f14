/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_JSON_SCAN_H
#define FL_BASE_JSON_SCAN_H

/*
 * json-c's strict mode still takes single quotes, raw control characters, NaN, 1. and -01, and turns integers that do
 * not fit into the nearest that does. So the words of a text are checked here first; their order is left to json-c.
 */

#include <stdbool.h>
#include <stddef.h>

/* arrays and objects in each other */
#define FL_JSON_DEPTH_MAX 32

struct fl_json_scanner {
	const char *text;
	size_t len, position;
	const char *problem; /* what is wrong at position */
};

/* goes through all words of the text; false with position and problem set if one is no JSON */
bool fl_json_scan(struct fl_json_scanner *scanner);

#endif
