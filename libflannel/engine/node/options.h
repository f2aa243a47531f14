/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_OPTIONS_H
#define FL_ENGINE_NODE_OPTIONS_H

/* What the host asked for: struct flannel_node_options, checked and copied. */

#include <stdbool.h>
#include <stdint.h>

#include <flannel/node.h>

#include "base/error.h"
#include "domain/plan/plan.h"

struct fl_node_options {
	char **interfaces;
	size_t n_interfaces;
	char **interface_regexes;
	size_t n_interface_regexes;
	char *interface_can_reach;
	char *public_ip;
	char *public_ip6;
	char *subnet_file;
	char *state_dir;                    /* NULL: nothing is kept */
	char instance[FL_INSTANCE_MAX + 1]; /* "": it has no name */
	unsigned int masquerade;
	bool ipmasq_value;
	bool is_observer; /* has no lease, rules, subnet file: peers' routes only */
	bool blackhole_route;
	uint32_t lease_sec;
	uint32_t renew_margin_sec;
};

/* -EINVAL names the option; what was copied until then is the caller's to clear, too */
int fl_node_options_copy(const struct flannel_node_options *from, struct fl_node_options *to,
			 struct flannel_error **ret_error);

void fl_node_options_clear(struct fl_node_options *options);

#endif
