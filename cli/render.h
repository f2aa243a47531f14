/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

/* The daemon's JSON for people. Keys that are missing, as from another version, show as "-". */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* a verdict, then fields, then the peers with the failing ones first. 0 if all is well, 1 if not, or -ENOMEM */
int render_status(struct json_object *status, bool colour, FILE *stream);

/* one line per lease, the own one first. 0 or -ENOMEM */
int render_leases(struct json_object *leases, FILE *stream);

/* "2d 3h", "3h 12m", "12m 5s", "5s"; "-" for what is negative */
const char *render_duration(int64_t sec, char *buf, size_t size);

#endif
