/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <net/if.h>

#include "sys/device.h"

int fl_device_read(struct fl_rtnl *rtnl, const char *name, struct fl_link *ret_link, uint32_t *ret_ifindex,
		   struct flannel_error **ret_error)
{
	struct fl_link link = {.set = FL_LINK_MTU | FL_LINK_UP | FL_LINK_ALIAS};
	struct fl_link_info info;
	int r = fl_link_get(rtnl, name, &info, ret_error);

	if (r <= 0 || strcmp(info.name, name) != 0)
		return r < 0 ? r : 0;
	memcpy(link.name, info.name, sizeof(link.name));
	memcpy(link.kind, info.kind, sizeof(link.kind));
	memcpy(link.alias, info.alias, sizeof(link.alias));
	memcpy(link.mac, info.mac, sizeof(link.mac));
	link.set |= info.has_mac ? FL_LINK_MAC : 0;
	link.mtu = info.mtu;
	link.up = (info.flags & IFF_UP) != 0;
	if (strcmp(info.kind, "vxlan") == 0) {
		link.set |= FL_LINK_VXLAN;
		link.vxlan = info.vxlan;
		/* a link in another namespace, or one that went a moment ago: no name, and so not the wanted one */
		if (info.lower_ifindex)
			(void)fl_link_find_name(rtnl, info.lower_ifindex, link.vxlan.lower);
	}
	*ret_link = link;
	*ret_ifindex = info.ifindex;
	return 1;
}

int fl_device_create(struct fl_rtnl *rtnl, const struct fl_link *link, uint32_t *ret_ifindex,
		     struct flannel_error **ret_error)
{
	struct fl_link_info info;
	struct fl_link copy = *link;
	int r;

	copy.set |= FL_LINK_TXQLEN;
	copy.txqlen = 0;
	r = fl_link_create(rtnl, &copy, -1, &info, ret_error);
	if (r == 0)
		*ret_ifindex = info.ifindex;
	return r;
}

/* which of the wanted attributes the device lacks */
static unsigned int find_differences(const struct fl_link *found, const struct fl_link *wanted)
{
	const struct fl_object found_object = {.type = FL_OBJECT_LINK, .link = *found};
	unsigned int differences = 0;

	for (unsigned int bit = 1; bit && bit <= wanted->set; bit <<= 1) {
		struct fl_object one = {.type = FL_OBJECT_LINK, .link = *wanted};

		one.link.set = wanted->set & bit;
		if (one.link.set && !fl_object_satisfies(&found_object, &one))
			differences |= bit;
	}
	return differences;
}

int fl_device_change(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *found, const struct fl_link *wanted,
		     struct flannel_error **ret_error)
{
	unsigned int differences = find_differences(found, wanted);
	struct fl_link change = *wanted;
	int r = 0;

	if (fl_link_must_be_remade(found, wanted))
		return fl_error_set(ret_error, -EOPNOTSUPP, "rtnl", "the kernel cannot change that", "change link %s",
				    wanted->name);
	/* over another link first, since that one's MTU is what the device's is measured by */
	change.set = differences & FL_LINK_VXLAN;
	if (change.set)
		r = fl_link_change(rtnl, ifindex, &change, ret_error);
	change.set = differences & ~(unsigned int)FL_LINK_VXLAN;
	if (r == 0 && change.set)
		r = fl_link_change(rtnl, ifindex, &change, ret_error);
	return r;
}
