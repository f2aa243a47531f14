/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as what the kernel says on a netlink socket. The first byte chooses who listens: the monitors of links, addresses
 * and routes, and of nft transactions, or one who has asked something. The rest is one datagram. In the place of the kernel's
 * socket stands a pair of others (the linker's --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <netlink/msg.h>

#include "require.h"
#include "sys/monitor.h"
#include "sys/nft/element.h"
#include "sys/nft/monitor.h"
#include "sys/rtnl/address.h"
#include "sys/rtnl/bridge_vlan.h"
#include "sys/rtnl/exchange.h"
#include "sys/rtnl/link.h"
#include "sys/rtnl/neighbour.h"
#include "sys/rtnl/netconf.h"
#include "sys/rtnl/qdisc.h"
#include "sys/rtnl/route.h"

/* so many datagrams are read at most by one who asks again when an answer was cut off */
#define N_COPIES 2

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_fl_link_find_name(struct fl_rtnl *rtnl, uint32_t ifindex, char ret_name[FLANNEL_IFNAME_SIZE]);

/* what the kernel would write into */
struct wire {
	int kernel;
	int ours;
};

/* the socket that is opened next; targets are single-threaded */
static struct wire wire;

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return wire.ours;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	(void)fd;
	(void)address;
	(void)size;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	(void)fd;
	(void)level;
	(void)option;
	(void)value;
	(void)size;
	return 0;
}

/* there is one link */
int __wrap_fl_link_find_name(struct fl_rtnl *rtnl, uint32_t ifindex, char ret_name[FLANNEL_IFNAME_SIZE])
{
	(void)rtnl;
	if (ifindex != 2)
		return -ENODEV;
	strcpy(ret_name, "eth0");
	return 0;
}

/* a name of a link, as long as it is */
static void check_name(const char *name)
{
	require(memchr(name, '\0', FLANNEL_IFNAME_SIZE) != NULL);
}

/* an address of a family that there is, with a length that it can have; whether it has host bits is the kernel's affair */
static void check_prefix(const struct flannel_prefix *prefix)
{
	require((prefix->family == AF_INET && prefix->plen <= 32) ||
		(prefix->family == AF_INET6 && prefix->plen <= 128));
}

/* a neighbour or an FDB entry */
static void check_entry(const struct fl_object *object)
{
	check_name(fl_object_get_link(object));
	check_prefix(object->type == FL_OBJECT_FDB ? &object->fdb.dst : &object->neighbour.address);
}

static void on_change(void *userdata, const struct fl_change *change)
{
	(void)userdata;
	switch (change->type) {
	case FL_CHANGE_LINK:
		check_name(change->link.name);
		break;
	case FL_CHANGE_ADDRESS:
		check_prefix(&change->address.address);
		break;
	case FL_CHANGE_ENTRY:
		check_entry(&change->entry);
		break;
	case FL_CHANGE_ROUTE:
		check_name(change->route.link);
		check_prefix(&change->route.dst);
		if (change->route.via.family)
			check_prefix(&change->route.via);
		break;
	default:
		break;
	}
}

static void on_nft_change(void *userdata, const struct fl_nft_change *change)
{
	(void)userdata;
	require(change->touched <= 3 && memchr(change->program, '\0', sizeof(change->program)));
}

/* the monitors own the socket once they are open */
static void listen_to_links(void)
{
	struct fl_monitor *monitor = NULL;

	require(fl_monitor_open(-1, true, NULL, on_change, NULL, &monitor, NULL) == 0);
	require(fl_monitor_dispatch(monitor) <= 0);
	fl_monitor_close(monitor);
}

static void listen_to_nft(void)
{
	struct fl_nft_monitor *monitor = NULL;

	require(fl_nft_monitor_open(-1, true, "", on_nft_change, NULL, &monitor, NULL) == 0);
	require(fl_nft_monitor_dispatch(monitor) <= 0);
	fl_nft_monitor_close(monitor);
}

/* lists and lookups of route netlink */
static void ask_lists(struct fl_rtnl *rtnl, unsigned int which, struct flannel_error **error)
{
	struct fl_route_filter filter = {.family = which & 1 ? AF_INET6 : AF_INET};
	struct fl_interface_address *addresses = NULL;
	struct fl_link_info *links = NULL;
	struct fl_route *routes = NULL;
	size_t n = 0;

	switch (which / 2) {
	case 0:
		if (fl_link_list(rtnl, &links, &n, error) == 0)
			for (size_t i = 0; i < n; i++)
				check_name(links[i].name);
		break;
	case 1:
		(void)fl_address_list(rtnl, 0, AF_UNSPEC, &addresses, &n, error);
		break;
	default:
		if (fl_route_list(rtnl, &filter, &routes, &n, error) == 0)
			for (size_t i = 0; i < n; i++)
				check_name(routes[i].link);
		break;
	}
	free(addresses);
	free(links);
	free(routes);
}

/* single answers, and those of netfilter */
static void ask_one(struct fl_rtnl *rtnl, unsigned int which, struct flannel_error **error)
{
	const struct fl_nft_place place = {.family = "ip", .table = "t"};
	const struct flannel_prefix dst = {.family = AF_INET, .plen = 32, .addr = {192, 0, 2, 1}};
	struct fl_nft_element *elements = NULL;
	struct fl_object *entries = NULL;
	struct fl_route_lookup lookup;
	struct fl_filters filters;
	struct fl_link_info link;
	char *names = NULL;
	size_t n = 0;

	switch (which) {
	case 0:
		if (fl_link_get(rtnl, "eth0", &link, error) > 0)
			check_name(link.name);
		break;
	case 1:
		(void)fl_route_get(rtnl, &dst, &lookup, error);
		break;
	case 2:
		(void)fl_bridge_vlan_has(rtnl, 2, 10, error);
		break;
	case 3:
		(void)fl_netconf_get_forwarding(rtnl, AF_INET, error);
		break;
	case 4:
		(void)fl_qdisc_get_filters(rtnl, 2, &filters, error);
		break;
	case 5:
		(void)fl_nft_list_tables(rtnl, "ip", "f", &names, error);
		break;
	case 6:
		(void)fl_nft_element_list(rtnl, &place, "s", &elements, &n, error);
		break;
	case 7:
		if (fl_neighbour_list(rtnl, AF_BRIDGE, 2, "eth0", NULL, &entries, &n, error) == 0)
			for (size_t i = 0; i < n; i++)
				check_entry(&entries[i]);
		break;
	default:
		(void)fl_nft_has_table(rtnl, &place, error);
		break;
	}
	free(names);
	free(elements);
	free(entries);
}

/* gives all messages the number of the question that will be asked */
static void number(uint8_t *datagram, size_t size, uint32_t sequence)
{
	struct nlmsghdr *header = (struct nlmsghdr *)datagram;
	int left = (int)size;

	for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
		header->nlmsg_seq = sequence;
}

/* asks, with the answers there already; after them nothing comes */
static void ask(unsigned int which, uint8_t *datagram, size_t size)
{
	struct fl_rtnl rtnl = {.fd = wire.ours, .area = "rtnl", .buffer_size = FL_RTNL_RECEIVE_SIZE};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	rtnl.buffer = malloc(FL_RTNL_RECEIVE_SIZE);
	require(rtnl.buffer != NULL);
	for (uint32_t i = 1; i <= N_COPIES; i++) {
		number(datagram, size, i);
		require(send(wire.kernel, datagram, size, 0) == (ssize_t)size);
	}
	if (which < 6)
		ask_lists(&rtnl, which, &error);
	else
		ask_one(&rtnl, which - 6, &error);
	free(rtnl.buffer);
	close(rtnl.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(struct nlmsghdr) uint8_t datagram[8192];
	unsigned int who;
	int pair[2];

	if (size < 2 || size - 1 > sizeof(datagram))
		return 0;
	who = data[0] % 17;
	size--;
	memcpy(datagram, data + 1, size);
	require(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	wire = (struct wire){.kernel = pair[0], .ours = pair[1]};
	if (who < 2) {
		require(send(wire.kernel, datagram, size, 0) == (ssize_t)size);
		if (who == 0)
			listen_to_links();
		else
			listen_to_nft();
	} else {
		ask(who - 2, datagram, size);
	}
	close(pair[0]);
	return 0;
}
