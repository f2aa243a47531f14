/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <flannel/bandwidth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "domain/pod/bandwidth.h"
#include "domain/plan/object.h"
#include "engine/pod/bridge.h"
#include "engine/context.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/qdisc.h"

#define DEVICE_KIND "ifb"

/* what should be, what was found, and what was done so far, to be undone */
struct shaping {
	struct flannel_bandwidth_options options;
	struct flannel_context *context;
	struct fl_rtnl *rtnl;
	bool limits_sent;
	bool limits_received;
	struct fl_tbf sent;
	struct fl_tbf received;

	struct fl_link_info link;
	struct fl_link_info device; /* .ifindex is 0 as long as there is none */
	bool has_sent_tbf;          /* the bucket at the link's root, and at the device's */
	bool has_device_tbf;
	struct fl_tbf found_sent;
	struct fl_tbf found_received;
	bool has_ingress;
	struct fl_filters filters; /* at the link's entrance */

	bool made_device;
	bool made_ingress;
	bool changed_sent;
	bool changed_received;
};

/* options as numbers of the kernel */
static int begin(struct shaping *shaping, struct flannel_context *context,
		 const struct flannel_bandwidth_options *options, struct flannel_error **ret_error)
{
	struct fl_ticks ticks;
	int r;

	*shaping = (struct shaping){.context = context};
	if (!context || !options)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "limit bandwidth");
	r = fl_options_copy(&shaping->options, sizeof(shaping->options), sizeof(shaping->options), options,
			    "flannel_bandwidth_options", ret_error);
	if (r >= 0)
		r = fl_bandwidth_check(&shaping->options, ret_error);
	if (r >= 0)
		r = fl_qdisc_read_ticks(&ticks, ret_error);
	if (r < 0)
		return r;
	shaping->limits_sent = fl_bandwidth_is_limit(&shaping->options.sent);
	shaping->limits_received = fl_bandwidth_is_limit(&shaping->options.received);
	if (shaping->limits_sent)
		r = fl_bandwidth_want(&shaping->options.sent, &ticks, "sent", &shaping->sent, ret_error);
	if (r >= 0 && shaping->limits_received)
		r = fl_bandwidth_want(&shaping->options.received, &ticks, "received", &shaping->received, ret_error);
	return r < 0 ? r : fl_context_get_rtnl(context, &shaping->rtnl, ret_error);
}

/* the token bucket at the root of a link: 1, 0; -EEXIST if something else is there */
static int look_at_root(struct shaping *shaping, const struct fl_link_info *link, struct fl_tbf *ret_tbf,
			struct flannel_error **ret_error)
{
	struct fl_qdisc qdisc;
	int r = fl_qdisc_get(shaping->rtnl, link->ifindex, FL_QDISC_ROOT, link->name, &qdisc, ret_error);

	if (r <= 0)
		return r;
	if (strcmp(qdisc.kind, "tbf") != 0)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "something else queues there",
				    "limit what %s sends (qdisc %s)", link->name, qdisc.kind);
	*ret_tbf = qdisc.tbf;
	return 1;
}

/* the device for what is received, if it exists */
static int look_at_device(struct shaping *shaping, struct flannel_error **ret_error)
{
	int r = fl_link_get(shaping->rtnl, shaping->options.receive_device, &shaping->device, ret_error);

	if (r <= 0)
		return r;
	if (strcmp(shaping->device.kind, DEVICE_KIND) != 0)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "it is no ifb device", "use link %s (%s) to limit",
				    shaping->device.name, shaping->device.kind[0] ? shaping->device.kind : "a device");
	r = look_at_root(shaping, &shaping->device, &shaping->found_received, ret_error);
	shaping->has_device_tbf = r > 0;
	return r;
}

/* what happens at the link's entrance */
static int look_at_ingress(struct shaping *shaping, struct flannel_error **ret_error)
{
	const struct fl_link_info *link = &shaping->link;
	struct fl_qdisc qdisc;
	int r = fl_qdisc_get(shaping->rtnl, link->ifindex, FL_QDISC_INGRESS, link->name, &qdisc, ret_error);

	if (r <= 0)
		return r;
	shaping->has_ingress = true;
	if (strcmp(qdisc.kind, "ingress") != 0)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "something else is there",
				    "redirect what %s receives (qdisc %s)", link->name, qdisc.kind);
	return fl_qdisc_get_filters(shaping->rtnl, link->ifindex, &shaping->filters, ret_error);
}

/* is what is received redirected to the device that is found */
static bool is_redirected(const struct shaping *shaping)
{
	return shaping->filters.has_redirect && shaping->device.ifindex &&
	       shaping->filters.target_ifindex == shaping->device.ifindex;
}

/* does somebody else see to what is received: a redirection to a link that is gone is nobody's */
static int look_for_others(struct shaping *shaping, struct flannel_error **ret_error)
{
	struct fl_filters *filters = &shaping->filters;
	struct fl_link_info other;
	int r = 0;

	if (is_redirected(shaping))
		return 0;
	if (filters->has_others)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "somebody else's filters are there",
				    "redirect what %s receives", shaping->link.name);
	if (filters->has_redirect && filters->target_ifindex)
		r = fl_link_get_by_index(shaping->rtnl, filters->target_ifindex, &other, ret_error);
	if (r > 0)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "it goes elsewhere already",
				    "redirect what %s receives (to %s)", shaping->link.name, other.name);
	return r;
}

/* everything there is; what is in the way of what should be is -EEXIST */
static int look(struct shaping *shaping, struct flannel_error **ret_error)
{
	int r = fl_link_get(shaping->rtnl, shaping->options.link, &shaping->link, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -ENODEV, "rtnl", "there is none", "get link %s", shaping->options.link);
	if (r >= 0 && shaping->limits_sent) {
		r = look_at_root(shaping, &shaping->link, &shaping->found_sent, ret_error);
		shaping->has_sent_tbf = r > 0;
	}
	if (r < 0 || !shaping->limits_received)
		return r;
	r = look_at_device(shaping, ret_error);
	if (r >= 0)
		r = look_at_ingress(shaping, ret_error);
	return r < 0 ? r : look_for_others(shaping, ret_error);
}

/* May a request that failed have been carried out all the same? So if it was the kernel's answer that got lost. */
static bool may_be_done(int r)
{
	return r >= 0 || r == -ENOBUFS;
}

/* makes the device, with the link's MTU and without a queue of its own: 1 if it was made */
static int make_device(struct shaping *shaping, struct flannel_error **ret_error)
{
	struct fl_link device = {.kind = DEVICE_KIND, .set = FL_LINK_UP | FL_LINK_MTU | FL_LINK_TXQLEN, .up = true};
	int r;

	if (shaping->device.ifindex)
		return 0;
	device.mtu = shaping->link.mtu;
	snprintf(device.name, sizeof(device.name), "%s", shaping->options.receive_device);
	if (shaping->options.tag) {
		device.set |= FL_LINK_ALIAS;
		snprintf(device.alias, sizeof(device.alias), "%s", shaping->options.tag);
	}
	r = fl_link_create(shaping->rtnl, &device, -1, &shaping->device, ret_error);
	shaping->made_device = r >= 0;
	/* nobody else takes that name: it was not there a moment ago */
	if (r < 0 && may_be_done(r))
		shaping->made_device = fl_link_get(shaping->rtnl, device.name, &shaping->device, NULL) > 0;
	return r < 0 ? r : 1;
}

/* sets a bucket that is not there or has other numbers: 1 if it did */
static int set_bucket(struct shaping *shaping, const struct fl_link_info *link, bool has, const struct fl_tbf *found,
		      const struct fl_tbf *wanted, bool *ret_changed, struct flannel_error **ret_error)
{
	int r;

	if (has && fl_tbf_equal(found, wanted))
		return 0;
	r = fl_qdisc_set_tbf(shaping->rtnl, link->ifindex, wanted, link->name, ret_error);
	*ret_changed = may_be_done(r);
	return r < 0 ? r : 1;
}

/* Leads what the link receives to the device: 1 if it did not go there. What is left of an earlier attempt, or leads to a link
 * that is gone, makes room. */
static int redirect(struct shaping *shaping, struct flannel_error **ret_error)
{
	const struct fl_link_info *link = &shaping->link;
	int r = 0;

	if (is_redirected(shaping))
		return 0;
	if (shaping->has_ingress)
		r = fl_qdisc_delete(shaping->rtnl, link->ifindex, FL_QDISC_INGRESS, link->name, ret_error);
	if (r < 0)
		return r;
	r = fl_qdisc_add_ingress(shaping->rtnl, link->ifindex, link->name, ret_error);
	shaping->made_ingress = may_be_done(r);
	if (r < 0)
		return r;
	r = fl_qdisc_add_redirect(shaping->rtnl, link->ifindex, shaping->device.ifindex, link->name, ret_error);
	return r < 0 ? r : 1;
}

/* does what is missing, the redirection last but one: until all is there, packets go the old way; 1 if anything was done */
static int carry_out(struct shaping *shaping, struct flannel_error **ret_error)
{
	int r = 0, changed = 0;

	if (shaping->limits_received) {
		r = make_device(shaping, ret_error);
		changed |= r;
		if (r >= 0)
			r = set_bucket(shaping, &shaping->device, shaping->has_device_tbf, &shaping->found_received,
				       &shaping->received, &shaping->changed_received, ret_error);
		changed |= r;
		if (r >= 0)
			r = redirect(shaping, ret_error);
		changed |= r;
	}
	if (r >= 0 && shaping->limits_sent) {
		r = set_bucket(shaping, &shaping->link, shaping->has_sent_tbf, &shaping->found_sent, &shaping->sent,
			       &shaping->changed_sent, ret_error);
		changed |= r;
	}
	return r < 0 ? r : changed;
}

/* logs what could not be taken back */
static void log_undo(const struct shaping *shaping, int r, const struct flannel_error *error)
{
	if (r < 0)
		fl_log(&shaping->context->log, FLANNEL_LOG_WARNING, "bandwidth", "undo: %s",
		       flannel_error_get_message(error));
}

/* a bucket as it was, or none */
static void undo_bucket(const struct shaping *shaping, const struct fl_link_info *link, bool had,
			const struct fl_tbf *before)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (had)
		r = fl_qdisc_set_tbf(shaping->rtnl, link->ifindex, before, link->name, &error);
	else
		r = fl_qdisc_delete(shaping->rtnl, link->ifindex, FL_QDISC_ROOT, link->name, &error);
	log_undo(shaping, r, error);
}

/* takes back what was done, the last first */
static void undo(const struct shaping *shaping)
{
	FL_CLEANUP_ERROR struct flannel_error *ingress_error = NULL, *device_error = NULL;
	int r;

	if (shaping->changed_sent)
		undo_bucket(shaping, &shaping->link, shaping->has_sent_tbf, &shaping->found_sent);
	if (shaping->made_ingress) {
		r = fl_qdisc_delete(shaping->rtnl, shaping->link.ifindex, FL_QDISC_INGRESS, shaping->link.name,
				    &ingress_error);
		log_undo(shaping, r, ingress_error);
	}
	if (shaping->made_device) {
		r = fl_link_delete(shaping->rtnl, shaping->device.ifindex, shaping->device.name, &device_error);
		log_undo(shaping, r, device_error);
	} else if (shaping->changed_received) {
		undo_bucket(shaping, &shaping->device, shaping->has_device_tbf, &shaping->found_received);
	}
}

int flannel_bandwidth_ensure(struct flannel_context *context, const struct flannel_bandwidth_options *options,
			     struct flannel_link *ret_device, struct flannel_error **ret_error)
{
	struct shaping shaping;
	int r;

	if (ret_device && ret_device->size != sizeof(*ret_device))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_device");
	r = begin(&shaping, context, options, ret_error);
	if (r >= 0)
		r = look(&shaping, ret_error);
	if (r < 0)
		return r;
	r = carry_out(&shaping, ret_error);
	if (r < 0) {
		undo(&shaping);
		return r;
	}
	if (ret_device && shaping.limits_received)
		fl_link_describe(&shaping.device, ret_device);
	return r;
}

/* compares one bucket */
static int check_bucket(const struct fl_link_info *link, bool has, const struct fl_tbf *found,
			const struct fl_tbf *wanted, struct flannel_error **ret_error)
{
	char detail[160];

	if (!has)
		return fl_error_set(ret_error, -ENOENT, "rtnl", "there is none", "check the limit of what %s sends",
				    link->name);
	if (fl_tbf_equal(found, wanted))
		return 0;
	snprintf(detail, sizeof(detail), "rate %llu, limit %u, buffer %u; expected %llu, %u, %u",
		 (unsigned long long)found->rate, found->limit, found->buffer, (unsigned long long)wanted->rate,
		 wanted->limit, wanted->buffer);
	return fl_error_set(ret_error, -EEXIST, "rtnl", detail, "check the limit of what %s sends", link->name);
}

int flannel_bandwidth_check(struct flannel_context *context, const struct flannel_bandwidth_options *options,
			    struct flannel_error **ret_error)
{
	struct shaping shaping;
	int r = begin(&shaping, context, options, ret_error);

	if (r >= 0)
		r = look(&shaping, ret_error);
	if (r >= 0 && shaping.limits_sent)
		r = check_bucket(&shaping.link, shaping.has_sent_tbf, &shaping.found_sent, &shaping.sent, ret_error);
	if (r < 0 || !shaping.limits_received)
		return r < 0 ? r : 0;
	if (!shaping.device.ifindex)
		return fl_error_set(ret_error, -ENOENT, "rtnl", "there is none", "get link %s",
				    shaping.options.receive_device);
	if (!is_redirected(&shaping))
		return fl_error_set(ret_error, -ENOENT, "rtnl", "it is not redirected",
				    "check that what %s receives goes to %s", shaping.link.name, shaping.device.name);
	return check_bucket(&shaping.device, shaping.has_device_tbf, &shaping.found_received, &shaping.received,
			    ret_error);
}

/* removes the bucket at a link's root: 1, 0 if there is none or something else */
static int remove_root(struct shaping *shaping, struct flannel_error **ret_error)
{
	const struct fl_link_info *link = &shaping->link;
	struct fl_qdisc qdisc;
	int r = fl_qdisc_get(shaping->rtnl, link->ifindex, FL_QDISC_ROOT, link->name, &qdisc, ret_error);

	if (r <= 0 || strcmp(qdisc.kind, "tbf") != 0)
		return r < 0 ? r : 0;
	return fl_qdisc_delete(shaping->rtnl, link->ifindex, FL_QDISC_ROOT, link->name, ret_error);
}

/* removes the redirection to the device, or to one that is gone: 1, 0; -EEXIST if that would take other filters along */
static int remove_redirect(struct shaping *shaping, struct flannel_error **ret_error)
{
	const struct fl_link_info *link = &shaping->link;
	struct fl_link_info other;
	struct fl_qdisc qdisc;
	int r = fl_qdisc_get(shaping->rtnl, link->ifindex, FL_QDISC_INGRESS, link->name, &qdisc, ret_error);

	if (r <= 0 || strcmp(qdisc.kind, "ingress") != 0)
		return r < 0 ? r : 0;
	r = fl_qdisc_get_filters(shaping->rtnl, link->ifindex, &shaping->filters, ret_error);
	if (r < 0 || !shaping->filters.has_redirect)
		return r;
	if (!is_redirected(shaping) && shaping->filters.target_ifindex)
		r = fl_link_get_by_index(shaping->rtnl, shaping->filters.target_ifindex, &other, ret_error);
	if (r != 0)
		return r < 0 ? r : 0; /* it goes elsewhere */
	if (shaping->filters.has_others)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "somebody else's filters are there, too",
				    "remove the redirection of what %s receives", link->name);
	return fl_qdisc_delete(shaping->rtnl, link->ifindex, FL_QDISC_INGRESS, link->name, ret_error);
}

/* everything that flannel_bandwidth_remove() finds, the device last: without it, what still comes in would be lost */
static int remove_all(struct shaping *shaping, struct flannel_error **ret_error)
{
	const struct fl_link_info *device = &shaping->device;
	int r = 0, removed = 0;

	if (shaping->link.ifindex) {
		r = remove_redirect(shaping, ret_error);
		removed |= r;
		if (r >= 0)
			r = remove_root(shaping, ret_error);
		removed |= r;
	}
	if (r >= 0 && device->ifindex) {
		r = fl_link_delete(shaping->rtnl, device->ifindex, device->name, ret_error);
		removed |= r;
	}
	return r < 0 ? r : removed;
}

int flannel_bandwidth_remove(struct flannel_context *context, const char *link, const char *receive_device,
			     struct flannel_error **ret_error)
{
	struct shaping shaping = {.context = context, .options.receive_device = receive_device};
	int r;

	if (!context || (!link && !receive_device) || (link && !fl_ifname_is_valid(link)) ||
	    (receive_device && !fl_ifname_is_valid(receive_device)))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a context and one or two interface names",
				    "remove the limits of \"%s\" and \"%s\"", link ? link : "",
				    receive_device ? receive_device : "");
	r = fl_context_get_rtnl(context, &shaping.rtnl, ret_error);
	if (r >= 0 && link)
		r = fl_link_get(shaping.rtnl, link, &shaping.link, ret_error);
	if (r >= 0 && receive_device)
		r = fl_link_get(shaping.rtnl, receive_device, &shaping.device, ret_error);
	if (r < 0)
		return r;
	if (shaping.device.ifindex && strcmp(shaping.device.kind, DEVICE_KIND) != 0)
		return fl_error_set(ret_error, -EEXIST, "rtnl", "it is no ifb device", "remove link %s",
				    receive_device);
	return remove_all(&shaping, ret_error);
}

/* is a link one that may go */
static bool is_unused(const struct fl_link_info *link, const char *tag, const char *const *keep, size_t n_keep)
{
	if (strcmp(link->kind, DEVICE_KIND) != 0 || strcmp(link->alias, tag) != 0)
		return false;
	for (size_t i = 0; i < n_keep; i++) {
		if (strcmp(link->name, keep[i]) == 0)
			return false;
	}
	return true;
}

int flannel_bandwidth_reclaim(struct flannel_context *context, const char *tag, const char *const *keep, size_t n_keep,
			      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_link_info *links = NULL;
	struct fl_rtnl *rtnl;
	int r, n_deleted = 0, failure = 0;
	size_t n_links;

	if (!context || !tag || !tag[0] || (n_keep && !keep))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a context, a tag and names to keep",
				    "reclaim devices of \"%s\"", tag ? tag : "");
	r = fl_context_get_rtnl(context, &rtnl, ret_error);
	if (r >= 0)
		r = fl_link_list(rtnl, &links, &n_links, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_links; i++) {
		if (!is_unused(&links[i], tag, keep, n_keep))
			continue;
		r = fl_link_delete(rtnl, links[i].ifindex, links[i].name, failure < 0 ? NULL : ret_error);
		if (r < 0 && failure == 0)
			failure = r;
		n_deleted += r > 0;
	}
	return failure < 0 ? failure : n_deleted;
}
