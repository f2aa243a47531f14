/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
	struct nlmsghdr header;
	char rest[1024];
};

/* begins a message with its family header */
static void begin(struct message *message, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	memset(message, 0, sizeof(*message));
	message->header.nlmsg_type = type;
	message->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	message->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(&message->header), header, size);
}

/* appends raw bytes, aligned */
static struct rtattr *append(struct message *message, uint16_t type, const void *data, size_t size)
{
	struct rtattr *attribute = (struct rtattr *)((char *)message + NLMSG_ALIGN(message->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	message->header.nlmsg_len = NLMSG_ALIGN(message->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

/* a nest begun with append(..., NULL, 0) ends here */
static void end(struct message *message, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)message + message->header.nlmsg_len - (char *)nest);
}

/* sends and waits for the acknowledgement */
static int transact(int fd, struct message *message)
{
	char answer[8192];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;

	if (send(fd, message, message->header.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return -errno;
	return header->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(header))->error : 0;
}

static int open_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* the pair, the other end made inside its namespace */
static int make_pair(int fd, int netns_fd, unsigned int bridge_ifindex, unsigned int number)
{
	struct ifinfomsg link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0};
	struct rtattr *info, *data, *other;
	struct message message;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "veth%u", number);
	begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof(link));
	append(&message, IFLA_IFNAME, name, strlen(name) + 1);
	append(&message, IFLA_MASTER, &bridge_ifindex, sizeof(bridge_ifindex));
	info = append(&message, IFLA_LINKINFO, NULL, 0);
	append(&message, IFLA_INFO_KIND, "veth", 5);
	data = append(&message, IFLA_INFO_DATA, NULL, 0);
	other = append(&message, VETH_INFO_PEER, &peer, sizeof(peer));
	append(&message, IFLA_IFNAME, "eth0", 5);
	append(&message, IFLA_NET_NS_FD, &netns_fd, sizeof(netns_fd));
	end(&message, other);
	end(&message, data);
	end(&message, info);
	return transact(fd, &message);
}

/* address, up, default route; runs inside the container's namespace */
static int configure(int fd, unsigned int number)
{
	uint32_t address = htonl(0x0a4d0002U + number), gateway = htonl(0x0a4d0001U);
	struct ifaddrmsg ifa = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = if_nametoindex("eth0")};
	struct ifinfomsg link = {.ifi_index = (int)ifa.ifa_index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT};
	struct message message;
	int r;

	begin(&message, RTM_NEWADDR, NLM_F_CREATE, &ifa, sizeof(ifa));
	append(&message, IFA_LOCAL, &address, sizeof(address));
	r = transact(fd, &message);
	if (r < 0)
		return r;
	begin(&message, RTM_NEWLINK, 0, &link, sizeof(link));
	r = transact(fd, &message);
	if (r < 0)
		return r;
	route.rtm_type = RTN_UNICAST;
	begin(&message, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof(route));
	append(&message, RTA_GATEWAY, &gateway, sizeof(gateway));
	return transact(fd, &message);
}

int floor_attach(int netns_fd, int node_fd, unsigned int bridge_ifindex, unsigned int number)
{
	int fd = open_socket(), inside, r;

	r = make_pair(fd, netns_fd, bridge_ifindex, number);
	close(fd);
	if (r < 0)
		return r;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	inside = open_socket();
	r = configure(inside, number);
	if (setns(node_fd, CLONE_NEWNET) < 0)
		return -errno;
	close(inside);
	return r;
}

unsigned int floor_link(unsigned int number)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "veth%u", number);
	return if_nametoindex(name);
}

/* sends a request about a link that says nothing else of it */
static int ask(int fd, uint16_t type, unsigned int ifindex)
{
	struct ifinfomsg link = {.ifi_index = (int)ifindex};
	struct message message;

	begin(&message, type, 0, &link, sizeof(link));
	if (type == RTM_GETLINK)
		message.header.nlmsg_flags = NLM_F_REQUEST; /* what is asked for is the answer, or an error */
	return transact(fd, &message);
}

int floor_detach(unsigned int ifindex)
{
	int fd = open_socket(), r;
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0)
			(void)ask(open_socket(), RTM_DELLINK, ifindex);
		_exit(0);
	}
	(void)waitpid(child, NULL, 0);
	do {
		r = ask(fd, RTM_GETLINK, ifindex);
	} while (r == 0);
	close(fd);
	return r == -ENODEV ? 0 : r;
}
