/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/devices.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/mac.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/vxlan.h"

/* the file is one line: the MAC address as text */
#define MAC_FILE_MAX 64

/* where a device's MAC address is kept; NULL without memory */
static char *make_path(const struct fl_node_devices *devices, const struct fl_device *device)
{
	char *path;

	return asprintf(&path, "%s/%s.mac", devices->state_dir, device->name) < 0 ? NULL : path;
}

/* the MAC address of the device before a reboot: 1, 0 if none is known; what cannot be read is told, and is no reason to stop */
static int remember_mac(const struct fl_node_devices *devices, struct fl_device *device)
{
	FL_CLEANUP(fl_freep) char *path = devices->state_dir ? make_path(devices, device) : NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *text = NULL;
	uint8_t mac[FL_MAC_LEN];
	size_t len;
	int r = path ? fl_file_read(path, MAC_FILE_MAX, &text, &len, &error) : -ENOENT;

	if (r == -ENOENT)
		return 0;
	if (r >= 0) {
		text[strcspn(text, "\n")] = '\0';
		r = fl_mac_parse(text, mac);
	}
	if (r >= 0 && !(mac[0] & 1)) {
		memcpy(device->mac, mac, sizeof(mac));
		return 1;
	}
	fl_log(&devices->record.scope->context->log, FLANNEL_LOG_WARNING, "node", "%s: %s; %s gets a new MAC address",
	       path, error ? flannel_error_get_message(error) : "expected the MAC address of a device", device->name);
	return 0;
}

/* keeps the MAC address for after a reboot; a failure is told, since the node works without */
static void keep_mac(const struct fl_node_devices *devices, const struct fl_device *device)
{
	FL_CLEANUP(fl_freep) char *path = devices->state_dir ? make_path(devices, device) : NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *kept = NULL;
	char mac[FLANNEL_MAC_STRLEN], text[FLANNEL_MAC_STRLEN + 1];
	size_t len = 0;
	int r;

	if (!path)
		return;
	snprintf(text, sizeof(text), "%s\n", fl_mac_format(device->mac, mac, sizeof(mac)));
	if (fl_file_read(path, MAC_FILE_MAX, &kept, &len, NULL) >= 0 && strcmp(kept, text) == 0)
		return;
	r = fl_file_make_directories(devices->state_dir, 0700, &error);
	if (r >= 0)
		r = fl_file_write_atomic(path, text, strlen(text), 0600, &error);
	if (r < 0)
		fl_log(&devices->record.scope->context->log, FLANNEL_LOG_WARNING, "node",
		       "the MAC address of %s will be another after a reboot: %s", device->name,
		       flannel_error_get_message(error));
}

/* the MAC address that peers are told: 1, 0 if there is none */
static int known_mac(const struct fl_node_devices *devices, const struct flannel_lease *known, struct fl_device *device)
{
	const char *data = known ? flannel_lease_get_backend_data(known, device->family) : NULL;
	uint8_t mac[FL_MAC_LEN];

	if (!data || strcmp(flannel_lease_get_backend_type(known), devices->record.scope->backend->name) != 0 ||
	    fl_vxlan_parse_data(data, mac, NULL) < 0 || (mac[0] & 1))
		return 0;
	memcpy(device->mac, mac, sizeof(mac));
	return 1;
}

/* the MAC address that a device has: 1, 0 if it is not there, negative */
static int present_mac(struct fl_rtnl *rtnl, struct fl_device *device, struct flannel_error **ret_error)
{
	struct fl_link_info info;
	int r = fl_link_get(rtnl, device->name, &info, ret_error);

	if (r <= 0 || strcmp(info.kind, "vxlan") != 0 || !info.has_mac)
		return r < 0 ? r : 0;
	memcpy(device->mac, info.mac, FL_MAC_LEN);
	return 1;
}

/* The MAC address that peers know the device by: what they are told, the one it has, had before a reboot, or a new one. */
static int find_mac(const struct fl_node_devices *devices, struct fl_rtnl *rtnl, const struct flannel_lease *known,
		    struct fl_device *device, struct flannel_error **ret_error)
{
	int r = known_mac(devices, known, device);

	if (r == 0)
		r = present_mac(rtnl, device, ret_error);
	if (r == 0)
		r = remember_mac(devices, device);
	if (r == 0)
		r = fl_mac_draw(device->mac, ret_error);
	if (r < 0)
		return r;
	keep_mac(devices, device);
	return 0;
}

/* what happens to the objects is told, and matters to the node's health */
static void on_report(struct fl_owner *owner, enum fl_report report, const struct fl_object *object,
		      struct flannel_error *error)
{
	struct fl_node_record *record = fl_node_record_of(owner);
	struct fl_node_devices *devices =
		(struct fl_node_devices *)((char *)record - offsetof(struct fl_node_devices, record));

	fl_node_record_report(owner, report, object, error);
	devices->note_health(devices->userdata);
}

void fl_node_devices_init(struct fl_node_devices *devices, const struct fl_node_scope *scope)
{
	devices->record = (struct fl_node_record){.owner = {.report = on_report}, .scope = scope};
}

int fl_node_devices_want(struct fl_node_devices *devices, struct flannel_error **ret_error)
{
	const struct fl_node_scope *scope = devices->record.scope;
	struct fl_object objects[FL_NODE_OBJECTS_MAX] = {0};
	int r, n = scope->backend->want_node ? scope->backend->want_node(&scope->facts, objects) : 0;

	if (devices->blackhole_route)
		n += fl_blackhole_want(&scope->facts, &objects[n]);
	r = fl_node_record_drop_others(&devices->record, objects, n, ret_error);
	for (int i = 0; i < n && r >= 0; i++)
		r = fl_reconciler_want(scope->reconciler, &objects[i], &devices->record.owner, ret_error);
	devices->record.n_objects = (uint32_t)n;
	return r < 0 ? r : 0;
}

/* the first of the objects that is not in force; NULL if all are */
static const struct fl_entry *find_trouble(const struct fl_node_devices *devices)
{
	const struct fl_entry *entry = fl_reconciler_entries_of(&devices->record.owner);

	while (entry && entry->state == FL_ENTRY_IN_FORCE)
		entry = entry->owner_next;
	return entry;
}

int fl_node_devices_check(const struct fl_node_devices *devices, struct flannel_error **ret_error)
{
	const struct fl_entry *entry = find_trouble(devices);
	const struct flannel_error *error = entry ? fl_entry_get_error(entry) : NULL;
	char text[FL_OBJECT_STRLEN];
	struct fl_object object;

	if (!entry)
		return 0;
	fl_entry_get_object(entry, &object);
	return fl_error_set_retryable(ret_error, error ? flannel_error_get_code(error) : -EAGAIN, "node",
				      error ? flannel_error_get_message(error) : "it waits for its link", "set %s",
				      fl_object_format(&object, text, sizeof(text)));
}

struct flannel_error *fl_node_devices_get_error(const struct fl_node_devices *devices)
{
	const struct fl_entry *entry = fl_reconciler_entries_of(&devices->record.owner);

	while (entry && !fl_entry_get_error(entry))
		entry = entry->owner_next;
	return entry ? fl_entry_get_error(entry) : NULL;
}

/*
 * Whether the devices are there before anything is published: a node that cannot have its device has no use for a lease. What may
 * pass by itself is tried again; that somebody takes his link out of the way is not waited for.
 */
static int check_registered(const struct fl_node_devices *devices, struct flannel_error **ret_error)
{
	const struct fl_entry *entry = find_trouble(devices);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_node_devices_check(devices, &error);

	if (r == 0)
		return 0;
	if (fl_entry_get_error(entry) && (r == -EEXIST || !flannel_error_is_retryable(fl_entry_get_error(entry))))
		return fl_error_set(ret_error, r, "node", flannel_error_get_detail(error), "%s",
				    flannel_error_get_operation(error));
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_node_devices_register(struct fl_node_devices *devices, struct fl_backend_facts *facts,
			     const struct flannel_lease *known, struct flannel_error **ret_error)
{
	struct fl_reconciler *reconciler = devices->record.scope->reconciler;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(devices->record.scope->context, &rtnl, ret_error);

	for (size_t i = 0; i < FL_DEVICES_MAX; i++)
		fl_reconciler_set_device(reconciler, i, i < facts->n_devices ? facts->devices[i].name : "");
	if (r < 0 || facts->n_devices == 0)
		return r;
	facts->vxlan_port = fl_vxlan_default_port();
	for (size_t i = 0; i < facts->n_devices && r >= 0; i++)
		r = find_mac(devices, rtnl, known, &facts->devices[i], ret_error);
	if (r >= 0)
		r = fl_node_devices_want(devices, ret_error);
	if (r >= 0)
		r = fl_reconciler_apply(reconciler, ret_error);
	return r < 0 ? r : check_registered(devices, ret_error);
}

void fl_node_devices_leave(struct fl_node_devices *devices)
{
	if (devices->record.scope->reconciler)
		(void)fl_reconciler_unwant_all(devices->record.scope->reconciler, &devices->record.owner, true, NULL);
}
