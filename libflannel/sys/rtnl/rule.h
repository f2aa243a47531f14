/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_RULE_H
#define FL_SYS_RTNL_RULE_H

/* Rules that say which table a packet is looked up in (ip-rule(8)), as far as they tell sources apart. */

#include "domain/pod/source_route.h"
#include "sys/rtnl/rtnl.h"

/*
 * All rules of a family: those by nothing but a source in ret_rules, and in ret_tables the table of every rule that names one.
 * Both are malloc()ed, NULL if there are none.
 */
int fl_rule_list(struct fl_rtnl *rtnl, int family, struct fl_rule **ret_rules, size_t *ret_n_rules,
		 uint32_t **ret_tables, size_t *ret_n_tables, struct flannel_error **ret_error);

/* -EEXIST for the very same rule */
int fl_rule_add(struct fl_rtnl *rtnl, const struct fl_rule *rule, struct flannel_error **ret_error);

/* 1 deleted, 0 was gone already; without .priority the first of that source and table */
int fl_rule_delete(struct fl_rtnl *rtnl, const struct fl_rule *rule, struct flannel_error **ret_error);

#endif
