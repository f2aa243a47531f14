/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a bridge, and a veth pair from it into another network namespace.
 *
 *     bridge BRIDGE GATEWAY/LENGTH NETNS-PATH PEER-NAME
 *
 * Needs CAP_NET_ADMIN in both namespaces.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <flannel/flannel.h>

int main(int argc, char **argv)
{
	struct flannel_bridge_options bridge = {.size = sizeof(bridge), .n_addresses = 1};
	struct flannel_veth_options veth = {.size = sizeof(veth)};
	struct flannel_link link = {.size = sizeof(link)};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;
	struct flannel_prefix gateway;
	int fd, r;

	if (argc != 5 || flannel_prefix_parse(argv[2], &gateway) < 0) {
		fprintf(stderr, "usage: bridge BRIDGE GATEWAY/LENGTH NETNS-PATH PEER-NAME\n");
		return 2;
	}
	fd = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[3]);
		return 1;
	}
	bridge.name = veth.bridge = argv[1];
	bridge.addresses = &gateway;
	veth.peer_netns_fd = fd;
	veth.peer_name = argv[4];

	r = flannel_context_new(&context, NULL, &error);
	if (r >= 0)
		r = flannel_bridge_ensure(context, &bridge, &link, &error);
	if (r >= 0) {
		printf("bridge %s %s %s\n", link.name, link.mac, r ? "changed" : "unchanged");
		r = flannel_veth_ensure(context, &veth, &link, &error);
	}
	if (r >= 0)
		printf("veth %s %s %s\n", link.name, link.mac, r ? "changed" : "unchanged");
	else
		fprintf(stderr, "bridge: %s\n", flannel_error_get_message(error));
	flannel_error_unref(error);
	flannel_context_unref(context);
	close(fd);
	return r < 0;
}
