/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_DOMAIN_PLAN_PLAN_H
#define FL_DOMAIN_PLAN_PLAN_H

/*
 * The step from found to wanted, as an ordered list of operations: objects are made before those that need
 * them (links, sysctls, addresses, neighbours, FDB entries, routes) and before superfluous ones are deleted, so that traffic never lacks both.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/plan/object.h"
#include "domain/plan/set.h"

struct fl_plan {
	struct fl_operation *operations;
	size_t n_operations;
	size_t n_allocated;
};

void fl_plan_clear(struct fl_plan *plan);
int fl_plan_add(struct fl_plan *plan, enum fl_verb verb, const struct fl_object *object, const struct fl_object *before,
		struct flannel_error **ret_error);

/* puts operations into the order described above; stable */
int fl_plan_sort(struct fl_plan *plan, struct flannel_error **ret_error);

/* how the rules of ownership see a found object (design: "what is ours", "adoption") */
enum fl_ownership {
	FL_OURS,      /* carries our tag */
	FL_ADOPTABLE, /* untagged, but flannel's: may be taken over where it equals a wanted key */
	FL_FOREIGN    /* anybody else's: never touched */
};

/* a backend has at most one link of its own for each family */
#define FL_DEVICES_MAX 2

/* By it our links are known again; an agent that has a name among several of one node adds "/NAME". */
#define FL_OUR_ALIAS "libflannel"
#define FL_INSTANCE_MAX 15
#define FL_ALIAS_SIZE (sizeof(FL_OUR_ALIAS "/") + FL_INSTANCE_MAX)

/* the alias of an instance's links (NULL or "": it has no name); returns buf */
const char *fl_our_alias(const char *instance, char buf[FL_ALIAS_SIZE]);

/* is that a name for an instance: "", or up to 15 letters, digits, "_" and "-" */
bool fl_instance_is_valid(const char *instance);

struct fl_ownership_rules {
	char instance[FL_INSTANCE_MAX + 1];
	uint8_t route_protocol;
	struct flannel_prefix network; /* destinations in it, with protocol boot, are flannel's; AF_UNSPEC: none */
	struct flannel_prefix network6;
	char devices[FL_DEVICES_MAX][FLANNEL_IFNAME_SIZE]; /* names of the backend's own links; "": none */
};

/* is that the name of one of the backend's own links */
bool fl_ownership_is_device(const struct fl_ownership_rules *rules, const char *link);

/*
 * A device of the backend counts as ours where it has our alias, and as adoptable without any. What is on it is ours (of its
 * addresses those in the network), and so are the untagged routes into the network that lead through it: nobody but an older flannel
 * can have made them, so that those of peers that left meanwhile go.
 */
enum fl_ownership fl_ownership_of(const struct fl_object *found, const struct fl_ownership_rules *rules);

/*
 * Compares one wanted entry (NULL: nothing is wanted there) with what was found under its key (found NULL: nothing) and adds
 * at most one operation. A foreign object under a wanted key is a conflict: -EEXIST, the error says whose it is.
 * Return: 1 an operation was added, 0 nothing to do, -EEXIST, -ENOMEM.
 */
int fl_plan_compare(struct fl_plan *plan, const struct fl_object *wanted, const struct fl_object *found,
		    const struct fl_ownership_rules *rules, struct flannel_error **ret_error);

#define FL_CLEANUP_PLAN FL_CLEANUP(fl_plan_clear)

#endif
