/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/pod/pod.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_addr.h>

#include "base/loop.h"
#include "sys/monitor.h"
#include "sys/netns.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/route.h"
#include "sys/sysctl.h"

#define AREA "attachment"

/* of the routes that the kernel makes for IPv6 addresses (IP6_RT_PRIO_ADDRCONF) */
#define METRIC_KERNEL_V6 256

/* duplicate address detection takes a second by default (RFC 4862, 5.1); the reference waits five */
#define DAD_TIMEOUT_MS 5000

/* one setting of the interface: FAMILY/conf/IFNAME/KEY below net/ */
static int set(int directory, const char *family, const char *ifname, const char *key, const char *value, bool optional,
	       struct flannel_error **ret_error)
{
	struct fl_sysctl sysctl = {.optional = optional};

	snprintf(sysctl.name, sizeof(sysctl.name), "%s/conf/%s/%s", family, ifname, key);
	snprintf(sysctl.value, sizeof(sysctl.value), "%s", value);
	return fl_sysctl_write(directory, &sysctl, NULL, ret_error);
}

/* IPv6 may be switched off in a container's namespace; an address needs it */
static int enable_ipv6(struct fl_pod *pod, int directory, struct flannel_error **ret_error)
{
	const char *const names[] = {"lo", pod->ifname};
	char setting[80], value[FL_SYSCTL_VALUE_SIZE];

	for (size_t i = 0; i < FL_N_ELEMENTS(names); i++) {
		int r;

		snprintf(setting, sizeof(setting), "ipv6/conf/%s/disable_ipv6", names[i]);
		if (fl_sysctl_read(directory, setting, value, sizeof(value), NULL) < 0 || strcmp(value, "0") == 0)
			continue;
		r = set(directory, "ipv6", names[i], "disable_ipv6", "0", false, ret_error);
		if (r < 0)
			return r;
		if (i == 0)
			memcpy(pod->lo_before, value, sizeof(pod->lo_before));
	}
	return set(directory, "ipv6", pod->ifname, "keep_addr_on_down", "1", false, ret_error);
}

struct entry {
	struct fl_pod *pod;
	const struct fl_attachment_want *want;
};

/* runs inside the namespace: the settings must stand before the first address */
static int enter(void *userdata, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_closep) int directory = -1;
	struct entry *entry = userdata;
	struct fl_pod *pod = entry->pod;
	int r = fl_rtnl_open(-1, pod->context->single_threaded, &pod->rtnl, ret_error);

	if (r >= 0 && entry->want)
		r = fl_sysctl_open(pod->context->sysctl_root, "net", &directory, ret_error);
	if (r < 0 || !entry->want)
		return r;
	if (pod->dad)
		(void)set(directory, "ipv6", pod->ifname, "enhanced_dad", "1", true, NULL);
	(void)set(directory, "ipv6", pod->ifname, "accept_dad", pod->dad ? "1" : "0", true, NULL);
	if (!pod->solicits_routers)
		(void)set(directory, "ipv6", pod->ifname, "router_solicitations", "0", true, NULL);
	return entry->want->ipv6 ? enable_ipv6(pod, directory, ret_error) : 0;
}

int fl_pod_open(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error)
{
	struct entry entry = {.pod = pod, .want = want};

	return fl_netns_run(pod->netns_fd, pod->context->single_threaded, enter, &entry, ret_error);
}

void fl_pod_close(struct fl_pod *pod)
{
	pod->rtnl = fl_rtnl_close(pod->rtnl);
}

/* runs inside the namespace */
static int restore(void *userdata, struct flannel_error **ret_error)
{
	struct fl_pod *pod = userdata;

	return set(FL_SYSCTL_ROOT, "net/ipv6", "lo", "disable_ipv6", pod->lo_before, true, ret_error);
}

void fl_pod_undo(struct fl_pod *pod)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (pod->lo_before[0] && fl_netns_run(pod->netns_fd, pod->context->single_threaded, restore, pod, &error) < 0)
		fl_log(&pod->context->log, FLANNEL_LOG_WARNING, AREA, "undo: %s", flannel_error_get_message(error));
	pod->lo_before[0] = '\0';
}

/* sets the link up, and what else is to be set at that */
static int set_up(struct fl_pod *pod, unsigned int attributes, struct flannel_error **ret_error)
{
	struct fl_link link = {.kind = "veth", .set = attributes, .up = true};

	snprintf(link.name, sizeof(link.name), "%s", pod->ifname);
	return fl_link_change(pod->rtnl, pod->ifindex, &link, ret_error);
}

int fl_pod_set_up(struct fl_pod *pod, struct flannel_error **ret_error)
{
	return set_up(pod, FL_LINK_UP, ret_error);
}

/* 1 when no IPv6 address is tentative, -EADDRINUSE when a duplicate was found */
static int test_dad(void *userdata, struct flannel_error **ret_error)
{
	struct fl_pod *pod = userdata;
	FL_CLEANUP(fl_freep) struct fl_interface_address *addresses = NULL;
	char text[FLANNEL_PREFIX_STRLEN];
	size_t n = 0;
	int r = fl_address_list(pod->rtnl, pod->ifindex, AF_INET6, &addresses, &n, ret_error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (addresses[i].flags & IFA_F_DADFAILED)
			return fl_error_set(ret_error, -EADDRINUSE, AREA,
					    "duplicate address detection found another owner", "use address %s on %s",
					    flannel_prefix_format(&addresses[i].address, text, sizeof(text)),
					    pod->ifname);
		if (addresses[i].flags & IFA_F_TENTATIVE)
			return 0;
	}
	return 1;
}

/* a change happened: the test will look at everything itself */
static void ignore_change(void *userdata, const struct fl_change *change)
{
	(void)userdata;
	(void)change;
}

int fl_pod_wait(struct flannel_context *context, int netns_fd, struct fl_rtnl *rtnl,
		int (*test)(void *userdata, struct flannel_error **ret_error), void *userdata, unsigned int timeout_ms,
		struct flannel_error **ret_error)
{
	uint64_t deadline_ns = fl_loop_now() + timeout_ms * FL_NSEC_PER_MSEC, now_ns;
	FL_CLEANUP(fl_monitor_closep) struct fl_monitor *monitor = NULL;
	int r = test(userdata, ret_error);

	if (r != 0)
		return r;
	r = fl_monitor_open(netns_fd, context->single_threaded, rtnl, ignore_change, NULL, &monitor, ret_error);
	if (r < 0)
		return r;
	while ((r = test(userdata, ret_error)) == 0) {
		struct pollfd poll_fd = {.fd = fl_monitor_get_fd(monitor), .events = POLLIN};

		now_ns = fl_loop_now();
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		(void)poll(&poll_fd, 1, (int)((deadline_ns - now_ns) / FL_NSEC_PER_MSEC) + 1);
		while (fl_monitor_dispatch(monitor) > 0)
			;
	}
	return r;
}

/* all addresses */
static int add_addresses(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < want->n_addresses; i++) {
		int r = fl_address_add(pod->rtnl, pod->ifindex, &want->addresses[i].address, pod->ifname, ret_error);

		if (r < 0)
			return r;
	}
	return 0;
}

/* all routes; one that is there already, to the letter, is no failure */
static int add_routes(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < want->n_routes; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_route_append(pod->rtnl, &want->kernel_routes[i], &error);

		if (r < 0 && r != -EEXIST) {
			if (ret_error)
				*ret_error = FL_TAKE(error);
			return r;
		}
	}
	return 0;
}

int fl_pod_configure(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error)
{
	/*
	 * Up first: an address that is there already would be told to all neighbours, and with a thousand of them that takes as
	 * long as all else. They need not be told, see fl_attachment_choose_mac(); but later, when the link was down, they are.
	 */
	int r = set_up(pod, FL_LINK_UP | FL_LINK_ARP_NOTIFY, ret_error);

	if (r >= 0)
		r = add_addresses(pod, want, ret_error);
	return r < 0 ? r : add_routes(pod, want, ret_error);
}

int fl_pod_wait_for_addresses(struct fl_pod *pod, struct flannel_error **ret_error)
{
	int r = fl_pod_wait(pod->context, pod->netns_fd, pod->rtnl, test_dad, pod, DAD_TIMEOUT_MS, ret_error);

	if (r == -ETIMEDOUT)
		return fl_error_set_retryable(ret_error, r, AREA, "duplicate address detection did not end",
					      "use the IPv6 addresses of %s", pod->ifname);
	return r;
}

int fl_pod_has_carrier(struct fl_pod *pod, struct flannel_error **ret_error)
{
	struct fl_link_info info;
	int r = fl_link_get_by_index(pod->rtnl, pod->ifindex, &info, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -ENODEV, AREA, "it vanished", "wait for %s of the container",
				    pod->ifname);
	return r < 0 ? r : info.operstate == IF_OPER_UP;
}

/* takes back the route to an address's network that the kernel made along with it */
static int delete_kernel_route(struct fl_pod *pod, const struct flannel_prefix *network,
			       struct flannel_error **ret_error)
{
	struct fl_route route = fl_route_main(network, FL_ROUTE_PROTOCOL_KERNEL);

	if (network->family == AF_INET)
		route.scope = FL_ROUTE_SCOPE_LINK;
	else
		route.metric = METRIC_KERNEL_V6;
	snprintf(route.link, sizeof(route.link), "%s", pod->ifname);
	return fl_route_execute(pod->rtnl, FL_VERB_DELETE, &route, ret_error);
}

int fl_pod_set_point_routes(struct fl_pod *pod, const struct fl_attachment_want *want, struct flannel_error **ret_error)
{
	for (size_t i = 0; i < want->n_point_routes; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		const struct fl_route *route = &want->point_routes[i];
		int r = route->via.family ? delete_kernel_route(pod, &route->dst, ret_error) : 0;

		if (r < 0)
			return r;
		r = fl_route_append(pod->rtnl, route, &error);
		if (r < 0 && r != -EEXIST) {
			if (ret_error)
				*ret_error = FL_TAKE(error);
			return r;
		}
	}
	return 0;
}
