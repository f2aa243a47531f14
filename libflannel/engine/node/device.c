/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/mac.h"
#include "sys/rtnl_link.h"
#include "sys/rtnl_vxlan.h"

/* the file is one line: the MAC address as text */
#define MAC_FILE_MAX 64

/* where a device's MAC address is kept; NULL without memory */
static char *make_path(const struct flannel_node *node, const struct fl_device *device)
{
	char *path;

	return asprintf(&path, "%s/%s.mac", node->state_dir, device->name) < 0 ? NULL : path;
}

/* the MAC address of the device before a reboot: 1, 0 if none is known; what cannot be read is told, and is no reason to stop */
static int remember_mac(const struct flannel_node *node, struct fl_device *device)
{
	FL_CLEANUP(fl_freep) char *path = node->state_dir ? make_path(node, device) : NULL;
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
	fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node", "%s: %s; %s gets a new MAC address", path,
	       error ? flannel_error_get_message(error) : "expected the MAC address of a device", device->name);
	return 0;
}

/* keeps the MAC address for after a reboot; a failure is told, since the node works without */
static void keep_mac(const struct flannel_node *node, const struct fl_device *device)
{
	FL_CLEANUP(fl_freep) char *path = node->state_dir ? make_path(node, device) : NULL;
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
	r = fl_file_make_directories(node->state_dir, 0700, &error);
	if (r >= 0)
		r = fl_file_write_atomic(path, text, strlen(text), 0600, &error);
	if (r < 0)
		fl_log(&node->context->log, FLANNEL_LOG_WARNING, "node",
		       "the MAC address of %s will be another after a reboot: %s", device->name,
		       flannel_error_get_message(error));
}

/* the MAC address that the store tells peers whatever the node does: 1, 0 if it leaves that to the node */
static int find_assigned_mac(const struct flannel_node *node, struct fl_device *device,
			     struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *lease = NULL;
	const char *data;
	int r;

	if (fl_store_get_assigned(node->store, &node->underlay.public_ip, &node->underlay.public_ip6, &lease) <= 0)
		return 0;
	data = flannel_lease_get_backend_data(lease, device->family);
	r = data ? fl_vxlan_parse_data(data, device->mac, ret_error) : 0;
	return r < 0 || !data ? r : 1;
}

/* the MAC address that the store remembers, where it keeps what a node published: 1, 0 if there is none */
static int published_mac(const struct flannel_node *node, struct fl_device *device)
{
	const struct flannel_lease *self = fl_request_get_self(node->request);
	uint8_t mac[FL_MAC_LEN];

	if (!self || strcmp(flannel_lease_get_backend_type(self), node->backend->name) != 0 ||
	    fl_vxlan_parse_data(flannel_lease_get_backend_data(self, device->family), mac, NULL) < 0 || (mac[0] & 1))
		return 0;
	memcpy(device->mac, mac, sizeof(mac));
	return 1;
}

/* The MAC address that peers know the device by: the one that the store says, the one it has, published, had before a reboot, or a new one. */
static int find_mac(const struct flannel_node *node, struct fl_rtnl *rtnl, struct fl_device *device,
		    struct flannel_error **ret_error)
{
	struct fl_link_info info;
	int r = find_assigned_mac(node, device, ret_error);

	if (r != 0)
		return r < 0 ? r : 0;
	r = fl_link_get(rtnl, device->name, &info, ret_error);
	if (r < 0)
		return r;
	if (r > 0 && strcmp(info.kind, "vxlan") == 0 && info.has_mac)
		memcpy(device->mac, info.mac, FL_MAC_LEN);
	else if (!published_mac(node, device) && remember_mac(node, device) <= 0)
		r = fl_mac_draw(device->mac, ret_error);
	if (r >= 0)
		keep_mac(node, device);
	return r;
}

int fl_node_want_devices(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_object objects[FL_NODE_OBJECTS_MAX] = {0};
	int r, n = node->backend->want_node ? node->backend->want_node(&node->facts, objects) : 0;

	if (node->blackhole_route)
		n += fl_blackhole_want(&node->facts, &objects[n]);
	r = fl_node_drop_others(&node->own, objects, n, ret_error);
	for (int i = 0; i < n && r >= 0; i++)
		r = fl_reconciler_want(node->reconciler, &objects[i], &node->own.owner, ret_error);
	node->own.n_objects = (uint32_t)n;
	return r < 0 ? r : 0;
}

/* the first of the node's own objects that is not in force; NULL if all are */
static const struct fl_entry *find_trouble(const struct flannel_node *node)
{
	const struct fl_entry *entry = fl_reconciler_entries_of(node->reconciler, &node->own.owner);

	while (entry && entry->state == FL_ENTRY_IN_FORCE)
		entry = entry->owner_next;
	return entry;
}

int fl_node_check_devices(const struct flannel_node *node, struct flannel_error **ret_error)
{
	const struct fl_entry *entry = find_trouble(node);
	char text[FL_OBJECT_STRLEN];

	if (!entry)
		return 0;
	return fl_error_set_retryable(ret_error, entry->error ? flannel_error_get_code(entry->error) : -EAGAIN, "node",
				      entry->error ? flannel_error_get_message(entry->error) : "it waits for its link",
				      "set %s", fl_object_format(&entry->object, text, sizeof(text)));
}

/*
 * Whether the devices are there before anything is published: a node that cannot have its device has no use for a lease. What may
 * pass by itself is tried again; that somebody takes his link out of the way is not waited for.
 */
static int check_registered(const struct flannel_node *node, struct flannel_error **ret_error)
{
	const struct fl_entry *entry = find_trouble(node);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = fl_node_check_devices(node, &error);

	if (r == 0)
		return 0;
	if (entry->error && (r == -EEXIST || !flannel_error_is_retryable(entry->error)))
		return fl_error_set(ret_error, r, "node", flannel_error_get_detail(error), "%s",
				    flannel_error_get_operation(error));
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_node_register_devices(struct flannel_node *node, struct flannel_error **ret_error)
{
	struct fl_backend_facts *facts = &node->facts;
	struct fl_rtnl *rtnl;
	int r = fl_context_get_rtnl(node->context, &rtnl, ret_error);

	for (size_t i = 0; i < FL_DEVICES_MAX; i++)
		fl_reconciler_set_device(node->reconciler, i, i < facts->n_devices ? facts->devices[i].name : "");
	if (r < 0 || facts->n_devices == 0)
		return r;
	facts->vxlan_port = fl_vxlan_default_port();
	for (size_t i = 0; i < facts->n_devices && r >= 0; i++)
		r = find_mac(node, rtnl, &facts->devices[i], ret_error);
	if (r >= 0)
		r = fl_node_want_devices(node, ret_error);
	if (r >= 0)
		r = fl_reconciler_apply(node->reconciler, ret_error);
	return r < 0 ? r : check_registered(node, ret_error);
}
