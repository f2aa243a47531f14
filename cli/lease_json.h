/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LEASE_JSON_H
#define CLI_LEASE_JSON_H

/* A lease as the programs' JSON has it, wherever it appears. */

#include <flannel/lease.h>

#include "json_builder.h"

/* puts subnets, public addresses and backend into an object: "subnet", "ipv6_subnet", "public_ip", "public_ipv6", "backend" */
void lease_json_put(struct json_builder *builder, struct json_object *object, const struct flannel_lease *lease);

#endif
