/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_NODE_RULES_STATE_H
#define FL_ENGINE_NODE_RULES_STATE_H

/* The inside of the node's rules: rules.c (what is wanted, sending it) calls rules_watch.c (what others do to them). */

#include "domain/firewall/masquerade.h"
#include "engine/node/rules.h"
#include "engine/node/takeover.h"
#include "sys/nft/monitor.h"

#define FL_RULES_AREA "nft"

#define FL_RULES_TABLES_STRLEN (2 * FL_MASQUERADE_NAME_SIZE + 32)

/* what the monitor told while a request ran: one of the transactions, if it succeeded, is our own */
struct fl_rules_window {
	unsigned int n_transactions;
	unsigned int touched; /* by those that are not known to be the helper's */
	uint32_t pid;         /* of the last one */
	char program[16];     /* of the last one that is not known to be the helper's */
};

struct fl_node_rules {
	const struct fl_node_scope *scope;
	unsigned int masquerade;
	fl_node_rules_fn fn;
	void *userdata;

	char names[2][FL_MASQUERADE_NAME_SIZE];
	struct fl_nft_table tables[2]; /* as last wanted */
	size_t n_tables;
	unsigned int wanted; /* the same as enum fl_nft_touched */

	struct fl_nft_monitor *monitor;
	struct fl_source *monitor_source;
	struct fl_source *helper;         /* set while the helper works at them */
	struct fl_source *timer;          /* send them again */
	struct fl_node_takeover takeover; /* from flannel's iptables mode */
	bool is_sending;                  /* the agent waits for the answer */
	bool again;                       /* others are wanted than those on their way */
	bool uncertain;                   /* the monitor may have missed something */
	struct fl_rules_window window;
	uint32_t helper_pid; /* as the monitor saw it last; 0 if not known */

	struct fl_trouble state; /* result, back-off and count of repairs, as for any object */
	bool in_force;           /* the kernel had them: changes are to be repaired */
	unsigned int changed;    /* tables that somebody has changed since, to be repaired */
	char program[16];        /* who did, the last one */
};

/* from now on changes of the tables are noted */
int fl_rules_watch(struct fl_node_rules *rules, struct flannel_error **ret_error);

/* reads what the monitor has, up to a limit; what is left then makes the descriptor readable again */
void fl_rules_drain(struct fl_node_rules *rules);

/* They could not be restored, or not yet: told once for each new reason, and tried again later. */
void fl_rules_fail(struct fl_node_rules *rules, struct flannel_error *error);

/* the kernel has them: what the window tells, and who is to be told of repairs */
void fl_rules_note_set(struct fl_node_rules *rules);

/* names tables (enum fl_nft_touched) in words */
const char *fl_rules_name_tables(const struct fl_node_rules *rules, unsigned int touched,
				 char text[FL_RULES_TABLES_STRLEN]);

#endif
