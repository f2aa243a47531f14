/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/reconcile/reconcile_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/device.h"
#include "sys/netns.h"
#include "sys/sysctl.h"

/*
 * Links are seen to one by one before everything else, since the other objects need their index: they are few, and asked for by name.
 */

#define AREA "rtnl"

/* which of the devices a name is; FL_DEVICES_MAX: none */
static size_t device_index(const struct fl_reconciler *reconciler, const char *name)
{
	size_t i = 0;

	while (i < FL_DEVICES_MAX && !(name[0] && strcmp(reconciler->rules.devices[i], name) == 0))
		i++;
	return i;
}

/* the entry of a device; NULL if it is not wanted */
static struct fl_entry *find_entry(const struct fl_reconciler *reconciler, size_t index)
{
	struct fl_object key = {.type = FL_OBJECT_LINK, .role = FL_ROLE_NODE};

	memcpy(key.link.name, reconciler->rules.devices[index], sizeof(key.link.name));
	return key.link.name[0] ? fl_set_find(reconciler->set, &key) : NULL;
}

bool fl_reconciler_lacks_link(struct fl_reconciler *reconciler, struct fl_entry *entry)
{
	const struct fl_entry *link;
	struct fl_object object;
	size_t index;

	fl_entry_get_object(entry, &object);
	index = device_index(reconciler, fl_object_get_link(&object));
	link = index < FL_DEVICES_MAX ? find_entry(reconciler, index) : NULL;
	if (!link || (link->in_kernel && !reconciler->is_new[index]))
		return false;
	/* the link's repair stands for that of all that was on it */
	entry->state = FL_ENTRY_PENDING;
	entry->in_kernel = false;
	entry->repairing = false;
	return !link->in_kernel;
}

/* router advertisements are not for a tunnel; a kernel without IPv6 hears none */
static int refuse_advertisements(void *userdata, struct flannel_error **ret_error)
{
	const struct fl_link *link = userdata;
	struct fl_sysctl sysctl = {.value = "0", .optional = true};

	snprintf(sysctl.name, sizeof(sysctl.name), "net/ipv6/conf/%s/accept_ra", link->name);
	return fl_sysctl_write(FL_SYSCTL_ROOT, &sysctl, NULL, ret_error);
}

/* makes a link; it goes up when it is complete */
static int create(struct fl_reconciler *reconciler, const struct fl_link *wanted, struct flannel_error **ret_error)
{
	struct flannel_context *context = reconciler->context;
	struct fl_link down = *wanted, up = *wanted;
	uint32_t ifindex;
	int r;

	down.set &= ~(unsigned int)FL_LINK_UP;
	up.set &= FL_LINK_UP;
	r = fl_device_create(reconciler->rtnl, &down, &ifindex, ret_error);
	if (r == -EOPNOTSUPP)
		return fl_error_wrap(ret_error, r, "make %s, for which the kernel needs CONFIG_VXLAN (module vxlan)",
				     wanted->name);
	if (r >= 0)
		r = fl_netns_run(context->netns_fd, context->single_threaded, refuse_advertisements, &down, ret_error);
	return r < 0 ? r : fl_link_change(reconciler->rtnl, ifindex, &up, ret_error);
}

/* a link that cannot be changed into what is wanted makes way; what is on it will be set again */
static int recreate(struct fl_reconciler *reconciler, struct fl_entry *entry, const struct fl_link *wanted,
		    const struct fl_link *found, uint32_t ifindex, struct flannel_error **ret_error)
{
	int r;

	fl_log(&reconciler->context->log, FLANNEL_LOG_WARNING, AREA,
	       "%s is made anew: it has VNI %u, port %u%s, wanted are VNI %u, port %u%s", wanted->name,
	       found->vxlan.vni, found->vxlan.port, found->vxlan.gbp ? ", GBP" : "", wanted->vxlan.vni,
	       wanted->vxlan.port, wanted->vxlan.gbp ? ", GBP" : "");
	r = fl_link_delete(reconciler->rtnl, ifindex, wanted->name, ret_error);
	if (r < 0)
		return r;
	entry->in_kernel = false;
	return create(reconciler, wanted, ret_error);
}

/* carries one operation out; *ret_is_new: there was none before, or it went */
static int execute(struct fl_reconciler *reconciler, struct fl_entry *entry, const struct fl_operation *operation,
		   uint32_t ifindex, bool *ret_is_new, struct flannel_error **ret_error)
{
	const struct fl_link *found = &operation->before.link, *wanted = &operation->object.link;

	*ret_is_new = true;
	if (operation->verb == FL_VERB_CREATE)
		return create(reconciler, wanted, ret_error);
	if (fl_link_must_be_remade(found, wanted))
		return recreate(reconciler, entry, wanted, found, ifindex, ret_error);
	*ret_is_new = false;
	return fl_device_change(reconciler->rtnl, ifindex, found, wanted, ret_error);
}

/* looks at one link and makes it as it should be */
static int ensure(struct fl_reconciler *reconciler, size_t index, struct fl_entry *entry, struct fl_progress *progress,
		  struct flannel_error **ret_error)
{
	struct fl_object found = {.type = FL_OBJECT_LINK, .role = FL_ROLE_NODE}, wanted;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP_PLAN struct fl_plan plan = {0};
	uint32_t ifindex = 0;
	bool is_new = false;
	int r;

	fl_entry_get_object(entry, &wanted);
	r = fl_device_read(reconciler->rtnl, wanted.link.name, &found.link, &ifindex, ret_error);
	if (r < 0)
		return r;
	r = fl_reconciler_plan_entry(reconciler, &plan, entry, r > 0 ? &found : NULL, ret_error);
	/* one that flannel left carries what it left on it, whether or not it can be changed */
	entry->in_kernel = ifindex && fl_ownership_of(&found, &reconciler->rules) != FL_FOREIGN;
	if (r <= 0)
		return r;
	r = execute(reconciler, entry, &plan.operations[0], ifindex, &is_new, &error);
	fl_reconciler_take_result(reconciler, &plan.operations[0], r, error, progress);
	reconciler->is_new[index] = is_new;
	reconciler->full |= is_new;
	return 0;
}

/* tells the monitor of whose entries to tell; what changed on another device before that is looked up */
static int watch_entries(struct fl_reconciler *reconciler, struct flannel_error **ret_error)
{
	uint32_t ifindexes[FL_DEVICES_MAX] = {0};
	int r;

	_Static_assert(FL_DEVICES_MAX == FL_MONITOR_LINKS_MAX, "as many as there can be");
	for (size_t i = 0; i < FL_DEVICES_MAX; i++) {
		if (reconciler->rules.devices[i][0])
			(void)fl_link_find_index(reconciler->rtnl, reconciler->rules.devices[i], &ifindexes[i]);
	}
	if (memcmp(ifindexes, reconciler->watched, sizeof(ifindexes)) == 0)
		return 0;
	r = fl_monitor_watch_entries(reconciler->monitor, ifindexes, ret_error);
	if (r < 0)
		return r;
	memcpy(reconciler->watched, ifindexes, sizeof(ifindexes));
	reconciler->full = true;
	return 0;
}

int fl_reconciler_apply_links(struct fl_reconciler *reconciler, struct fl_progress *progress,
			      struct flannel_error **ret_error)
{
	for (size_t i = 0; i < FL_DEVICES_MAX; i++) {
		struct fl_entry *entry = find_entry(reconciler, i);
		int r = 0;

		reconciler->is_new[i] = false;
		if (entry && (reconciler->full || entry->state == FL_ENTRY_PENDING))
			r = ensure(reconciler, i, entry, progress, ret_error);
		if (r < 0)
			return r;
	}
	return watch_entries(reconciler, ret_error);
}

int fl_reconciler_delete_link(struct fl_reconciler *reconciler, const struct fl_link *link,
			      struct flannel_error **ret_error)
{
	struct fl_object found = {.type = FL_OBJECT_LINK, .role = FL_ROLE_NODE};
	uint32_t ifindex;
	int r = fl_device_read(reconciler->rtnl, link->name, &found.link, &ifindex, ret_error);

	if (r <= 0 || fl_ownership_of(&found, &reconciler->rules) != FL_OURS)
		return r < 0 ? r : 0;
	r = fl_link_delete(reconciler->rtnl, ifindex, link->name, ret_error);
	return r < 0 ? r : 0;
}
