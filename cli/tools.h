/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_TOOLS_H
#define CLI_TOOLS_H

/* Commands of flannelctl that do not ask the daemon. Each is a main() of its own: argv[0] is the command. */

/* exit statuses besides EXIT_SUCCESS */
enum { TOOL_REFUSED = 1, TOOL_USAGE = 2, TOOL_UNREACHABLE = 3 };

/* config get | set FILE: the network configuration in the store */
int config_tool(int argc, char *argv[]);

/* reservation list | add SUBNETS ADDRESSES | remove SUBNET: subnets that are kept for a node */
int reservation_tool(int argc, char *argv[]);

/* install-conf SRC DEST: puts a file in its place, whole, as flannel's program of that name does */
int install_conf_tool(int argc, char *argv[]);

/* docker-opts: the subnet file as options of the Docker daemon, as flannel's mk-docker-opts.sh writes them */
int docker_opts_tool(int argc, char *argv[]);

#endif
