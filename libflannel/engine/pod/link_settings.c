/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <flannel/link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "domain/plan/object.h"
#include "engine/context.h"
#include "sys/rtnl/link.h"

/* room for "all-multicast mode off" and the like */
#define VALUE_SIZE 48

/* one setting: its bit for hosts, the same for the kernel's part, and what it is called */
struct setting {
	unsigned int which;
	unsigned int attribute;
	const char *name;
};

static const struct setting settings_in_order[] = {
	{FLANNEL_LINK_SETTING_MAC, FL_LINK_MAC, "MAC address"},
	{FLANNEL_LINK_SETTING_PROMISCUOUS, FL_LINK_PROMISC, "promiscuous mode"},
	{FLANNEL_LINK_SETTING_MTU, FL_LINK_MTU, "MTU"},
	{FLANNEL_LINK_SETTING_ALL_MULTICAST, FL_LINK_ALLMULTI, "all-multicast mode"},
	{FLANNEL_LINK_SETTING_QUEUE_LENGTH, FL_LINK_TXQLEN, "queue length"},
};

/* a link that must exist */
static int get_link(struct flannel_context *context, const char *name, struct fl_rtnl **ret_rtnl,
		    struct fl_link_info *ret_info, struct flannel_error **ret_error)
{
	int r = fl_context_get_rtnl(context, ret_rtnl, ret_error);

	if (r >= 0)
		r = fl_link_get(*ret_rtnl, name, ret_info, ret_error);
	return r == 0 ? fl_error_set(ret_error, -ENODEV, "rtnl", "there is none", "get link %s", name) : r;
}

/* the settings that a link has as an object of all those attributes */
static void describe(const struct fl_link_info *info, struct fl_link *ret_link)
{
	*ret_link = (struct fl_link){
		.set = FL_LINK_PROMISC | FL_LINK_MTU | FL_LINK_ALLMULTI | FL_LINK_TXQLEN |
		       (info->has_mac ? FL_LINK_MAC : 0),
		.mtu = info->mtu,
		.txqlen = info->txqlen,
		.promisc = (info->flags & IFF_PROMISC) != 0,
		.allmulti = (info->flags & IFF_ALLMULTI) != 0,
	};
	memcpy(ret_link->name, info->name, sizeof(ret_link->name));
	memcpy(ret_link->mac, info->mac, sizeof(ret_link->mac));
}

int flannel_link_settings_get(struct flannel_context *context, const char *name,
			      struct flannel_link_settings *ret_settings, struct flannel_error **ret_error)
{
	struct fl_link_info info;
	struct fl_link link;
	struct fl_rtnl *rtnl;
	int r;

	if (!context || !ret_settings || !fl_ifname_is_valid(name))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, an interface name and room for the answer",
				    "get the settings of link \"%s\"", name ? name : "");
	if (ret_settings->size != sizeof(*ret_settings))
		return fl_error_set(ret_error, -EINVAL, "argument", "its size is wrong", "ret_settings");
	r = get_link(context, name, &rtnl, &info, ret_error);
	if (r < 0)
		return r;
	describe(&info, &link);
	*ret_settings = (struct flannel_link_settings){
		.size = sizeof(*ret_settings),
		.mtu = link.mtu,
		.queue_length = link.txqlen,
		.promiscuous = link.promisc,
		.all_multicast = link.allmulti,
	};
	for (size_t i = 0; i < FL_N_ELEMENTS(settings_in_order); i++) {
		if (link.set & settings_in_order[i].attribute)
			ret_settings->which |= settings_in_order[i].which;
	}
	if (info.has_mac)
		fl_mac_format(link.mac, ret_settings->mac, sizeof(ret_settings->mac));
	return 0;
}

/* what a host wants as an object */
static int take_settings(const struct flannel_link_settings *settings, struct fl_link *ret_link,
			 struct flannel_error **ret_error)
{
	unsigned int known = 0;

	*ret_link = (struct fl_link){
		.mtu = settings->mtu,
		.txqlen = settings->queue_length,
		.promisc = settings->promiscuous != 0,
		.allmulti = settings->all_multicast != 0,
	};
	for (size_t i = 0; i < FL_N_ELEMENTS(settings_in_order); i++) {
		known |= settings_in_order[i].which;
		if (settings->which & settings_in_order[i].which)
			ret_link->set |= settings_in_order[i].attribute;
	}
	if (settings->which & ~known)
		return fl_error_set(ret_error, -EINVAL, "argument", "unknown bits", "link settings 0x%x",
				    settings->which);
	if (!(ret_link->set & FL_LINK_MAC))
		return 0;
	if (strnlen(settings->mac, sizeof(settings->mac)) < sizeof(settings->mac) &&
	    fl_mac_parse(settings->mac, ret_link->mac) == 0)
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected six bytes, such as 02:00:00:00:00:01",
			    "mac is \"%.*s\"", (int)sizeof(settings->mac), settings->mac);
}

/* "MTU 1400"; returns buf, which has VALUE_SIZE bytes */
static const char *format_value(const struct setting *setting, const struct fl_link *link, char *buf)
{
	char mac[FLANNEL_MAC_STRLEN];
	bool is_on = setting->attribute == FL_LINK_PROMISC ? link->promisc : link->allmulti;

	if (setting->attribute == FL_LINK_MAC)
		snprintf(buf, VALUE_SIZE, "%s %s", setting->name, fl_mac_format(link->mac, mac, sizeof(mac)));
	else if (setting->attribute == FL_LINK_MTU || setting->attribute == FL_LINK_TXQLEN)
		snprintf(buf, VALUE_SIZE, "%s %u", setting->name,
			 setting->attribute == FL_LINK_MTU ? link->mtu : link->txqlen);
	else
		snprintf(buf, VALUE_SIZE, "%s %s", setting->name, is_on ? "on" : "off");
	return buf;
}

/* is one attribute as it should be */
static bool is_satisfied(const struct fl_link *found, const struct fl_link *step)
{
	const struct fl_object a = {.type = FL_OBJECT_LINK, .link = *found};
	const struct fl_object b = {.type = FL_OBJECT_LINK, .link = *step};

	return fl_object_satisfies(&a, &b);
}

/* Puts the attributes in done back, the last first. The error of what was refused gets the names of those that stay. */
static int put_back(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *before, unsigned int done, int r,
		    struct flannel_error **ret_error)
{
	char stay[128] = "";
	struct fl_link step = *before;

	for (size_t i = FL_N_ELEMENTS(settings_in_order); i-- > 0;) {
		const struct setting *setting = &settings_in_order[i];
		size_t len = strlen(stay);

		step.set = done & setting->attribute;
		if (step.set && fl_link_change(rtnl, ifindex, &step, NULL) < 0)
			snprintf(stay + len, sizeof(stay) - len, "%s%s", len ? ", " : "", setting->name);
	}
	if (stay[0] != '\0')
		return fl_error_wrap(ret_error, r, "settings of %s (what could not be put back: %s)", before->name,
				     stay);
	return fl_error_wrap(ret_error, r, "settings of %s", before->name);
}

/* makes what differs as it should be, one by one: 1, or 0 if nothing did */
static int change(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_link *before, const struct fl_link *wanted,
		  struct flannel_error **ret_error)
{
	struct fl_link step = *wanted;
	unsigned int done = 0;
	char value[VALUE_SIZE];

	memcpy(step.name, before->name, sizeof(step.name));
	for (size_t i = 0; i < FL_N_ELEMENTS(settings_in_order); i++) {
		const struct setting *setting = &settings_in_order[i];
		int r;

		step.set = wanted->set & setting->attribute;
		if (!step.set || is_satisfied(before, &step))
			continue;
		r = fl_link_change(rtnl, ifindex, &step, ret_error);
		if (r < 0) {
			/* the kernel's answer was lost: it may have done it */
			done |= r == -ENOBUFS ? setting->attribute : 0;
			r = fl_error_wrap(ret_error, r, "%s", format_value(setting, &step, value));
			return put_back(rtnl, ifindex, before, done, r, ret_error);
		}
		done |= setting->attribute;
	}
	return done != 0;
}

int flannel_link_settings_ensure(struct flannel_context *context, const char *name,
				 const struct flannel_link_settings *settings, struct flannel_error **ret_error)
{
	struct flannel_link_settings copy;
	struct fl_link wanted, before;
	struct fl_link_info info;
	struct fl_rtnl *rtnl;
	int r;

	if (!context || !settings || !fl_ifname_is_valid(name))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a context, an interface name and settings",
				    "change the settings of link \"%s\"", name ? name : "");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), settings, "flannel_link_settings", ret_error);
	if (r >= 0)
		r = take_settings(&copy, &wanted, ret_error);
	if (r >= 0)
		r = get_link(context, name, &rtnl, &info, ret_error);
	if (r < 0)
		return r;
	describe(&info, &before);
	if ((wanted.set & FL_LINK_MAC) && !info.has_mac)
		return fl_error_set(ret_error, -EOPNOTSUPP, "argument", "its kind has none of six bytes",
				    "set the MAC address of %s", name);
	return change(rtnl, info.ifindex, &before, &wanted, ret_error);
}
