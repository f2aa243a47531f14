/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin loopback: sets the container's lo up. It needs so little of the kernel that it asks it directly, with ioctl(2)
 * from inside the namespace; the process has one thread and ends soon.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "common_keys.h"
#include "netns.h"
#include "plugin.h"
#include "previous.h"
#include "result.h"

#define LOOPBACK "lo"

/* more IPv4 addresses than a loopback interface has */
#define ADDRESSES_MAX 64

/* fclose() for CNI_CLEANUP */
static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* fails with errno */
static int fail_system(struct cni_error *error, const char *operation)
{
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s: %s", operation, strerror(errno));
}

/* goes into the namespace for good and opens a socket there; -1 */
static int enter(int netns_fd, int *ret_socket, struct cni_error *error)
{
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return fail_system(error, "enter the network namespace");
	*ret_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *ret_socket < 0 ? fail_system(error, "open a socket in the network namespace") : 0;
}

/* the flags of lo */
static int get_flags(int fd, struct ifreq *ret_interface, struct cni_error *error)
{
	memset(ret_interface, 0, sizeof(*ret_interface));
	memcpy(ret_interface->ifr_name, LOOPBACK, sizeof(LOOPBACK));
	return ioctl(fd, SIOCGIFFLAGS, ret_interface) < 0 ? fail_system(error, "look at lo") : 0;
}

/* sets lo up */
static int set_up(int fd, struct cni_error *error)
{
	struct ifreq interface;

	if (get_flags(fd, &interface, error) < 0)
		return -1;
	if (interface.ifr_flags & IFF_UP)
		return 0;
	interface.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &interface) < 0 ? fail_system(error, "set lo up") : 0;
}

/* adds the first address of a family to the result; none but loopback addresses belong on lo */
static int add_address(struct cni_result *result, const struct flannel_prefix *address, struct cni_error *error)
{
	char text[FLANNEL_PREFIX_STRLEN];
	const struct in6_addr *ipv6 = (const struct in6_addr *)(const void *)address->addr;

	if (address->family == AF_INET ? address->addr[0] != 127 : !IN6_IS_ADDR_LOOPBACK(ipv6))
		return cni_fail(error, CNI_ERROR_INTERNAL, "lo has the address %s, expected loopback addresses only",
				flannel_prefix_format(address, text, sizeof(text)));
	for (size_t i = 0; i < result->n_ips; i++) {
		if (result->ips[i].address.family == address->family)
			return 0;
	}
	return cni_result_add_ip(result, address, NULL, 0) ? 0 : cni_fail_oom(error);
}

/* the IPv4 addresses of lo */
static int list_ipv4(int fd, struct cni_result *result, struct cni_error *error)
{
	struct ifreq interfaces[ADDRESSES_MAX];
	struct ifconf list = {.ifc_len = sizeof(interfaces), .ifc_req = interfaces};
	struct sockaddr_in address;

	if (ioctl(fd, SIOCGIFCONF, &list) < 0)
		return fail_system(error, "list IPv4 addresses");
	for (size_t i = 0; i < (size_t)list.ifc_len / sizeof(interfaces[0]); i++) {
		struct flannel_prefix prefix = {.family = AF_INET};

		if (strcmp(interfaces[i].ifr_name, LOOPBACK) != 0)
			continue;
		memcpy(&address, &interfaces[i].ifr_addr, sizeof(address));
		memcpy(prefix.addr, &address.sin_addr, 4);
		if (ioctl(fd, SIOCGIFNETMASK, &interfaces[i]) < 0)
			return fail_system(error, "look at an IPv4 address of lo");
		memcpy(&address, &interfaces[i].ifr_netmask, sizeof(address));
		prefix.plen = (uint8_t)__builtin_popcount(address.sin_addr.s_addr);
		if (add_address(result, &prefix, error) < 0)
			return -1;
	}
	return 0;
}

/* 32 hexadecimal digits as an address */
static bool parse_hex(const char *digits, uint8_t address[16])
{
	for (size_t i = 0; i < 16; i++) {
		unsigned int byte;

		if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
			return false;
		address[i] = (uint8_t)byte;
	}
	return true;
}

/* the IPv6 addresses of lo; a kernel without IPv6 has none */
static int list_ipv6(struct cni_result *result, struct cni_error *error)
{
	CNI_CLEANUP(close_file) FILE *file = fopen("/proc/self/net/if_inet6", "re");
	char line[128];
	char digits[33];
	char name[IFNAMSIZ];
	unsigned int plen;

	while (file && fgets(line, sizeof(line), file)) {
		struct flannel_prefix prefix = {.family = AF_INET6};

		if (sscanf(line, "%32[0-9a-f] %*x %x %*x %*x %15s", digits, &plen, name) != 3 ||
		    strcmp(name, LOOPBACK) != 0 || plen > 128 || strlen(digits) != 32 ||
		    !parse_hex(digits, prefix.addr))
			continue;
		prefix.plen = (uint8_t)plen;
		if (add_address(result, &prefix, error) < 0)
			return -1;
	}
	return 0;
}

/* ADD */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result own = {0};
	CNI_CLEANUP(cni_closep) int netns_fd = -1;
	CNI_CLEANUP(cni_closep) int fd = -1;
	int chained =
		cni_config_check_common(request->config, error) < 0 ? -1 : cni_previous_read(request, &previous, error);

	if (chained < 0 || cni_netns_require(request, &netns_fd, error) < 0 || enter(netns_fd, &fd, error) < 0 ||
	    set_up(fd, error) < 0 || list_ipv4(fd, &own, error) < 0 || list_ipv6(&own, error) < 0)
		return -1;
	if (!cni_result_add_interface(&own, LOOPBACK, "00:00:00:00:00:00", request->netns))
		return cni_fail_oom(error);
	return cni_result_format(chained > 0 ? &previous : &own, request->version, ret_result, error);
}

/* CHECK: lo is up */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_closep) int netns_fd = -1;
	CNI_CLEANUP(cni_closep) int fd = -1;
	struct ifreq interface;

	(void)ret_result;
	if (cni_netns_require(request, &netns_fd, error) < 0 || enter(netns_fd, &fd, error) < 0 ||
	    get_flags(fd, &interface, error) < 0)
		return -1;
	if (!(interface.ifr_flags & IFF_UP))
		return cni_fail(error, CNI_ERROR_INTERNAL, "lo is down");
	return 0;
}

/* DEL has nothing to do: lo ends with its namespace, and until then others in it may need it. */
const struct cni_plugin cni_plugin_loopback = {
	.name = "loopback",
	.about = "CNI loopback plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_CHECK] = check},
};
