/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/netns.h"
#include "sys/nft.h"

#define AREA "nft"

/* what the kernel said to a question */
struct reply {
	bool found;
	int error; /* negative errno */
};

/* nl_socket_free() for FL_CLEANUP */
static void free_socketp(struct nl_sock **socket)
{
	nl_socket_free(*socket);
}

/* nlmsg_free() for FL_CLEANUP */
static void free_messagep(struct nl_msg **message)
{
	nlmsg_free(*message);
}

/* opens the socket in the namespace in which it is called; userdata is the int for it */
static int open_socket(void *userdata, struct flannel_error **ret_error)
{
	int *ret_fd = userdata;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "open netlink socket");
	*ret_fd = fd;
	return 0;
}

/* the table is there */
static int on_table(struct nl_msg *message, void *userdata)
{
	struct reply *reply = userdata;

	(void)message;
	reply->found = true;
	return NL_OK;
}

/* the kernel refuses; libnl's own code for it would be coarser */
static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *userdata)
{
	struct reply *reply = userdata;

	(void)from;
	reply->error = refusal->error;
	return NL_STOP;
}

/* takes over fd */
static struct nl_sock *wrap_socket(int fd, struct reply *reply)
{
	FL_CLEANUP(free_socketp) struct nl_sock *socket = nl_socket_alloc();

	if (!socket || nl_socket_set_fd(socket, NETLINK_NETFILTER, fd) < 0) {
		close(fd);
		return NULL;
	}
	/* one question, one answer: either the table or an error */
	nl_socket_disable_auto_ack(socket);
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, on_table, reply);
	nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, on_refusal, reply);
	return FL_TAKE(socket);
}

/* the question; NULL without memory or for a name that is too long */
static struct nl_msg *table_question(int family, const char *name)
{
	FL_CLEANUP(free_messagep)
	struct nl_msg *message = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_REQUEST);
	struct nfgenmsg header = {
		.nfgen_family = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
		.version = NFNETLINK_V0,
	};

	if (!message || nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(message, NFTA_TABLE_NAME, name) < 0)
		return NULL;
	return FL_TAKE(message);
}

int fl_nft_table_exists(int netns_fd, bool single_threaded, int family, const char *name,
			struct flannel_error **ret_error)
{
	FL_CLEANUP(free_socketp) struct nl_sock *socket = NULL;
	FL_CLEANUP(free_messagep) struct nl_msg *message = NULL;
	struct reply reply = {.found = false};
	int fd, r;

	r = fl_netns_run(netns_fd, single_threaded, open_socket, &fd, ret_error);
	if (r < 0)
		return r;
	socket = wrap_socket(fd, &reply);
	message = table_question(family, name);
	if (!socket || !message)
		return fl_error_oom(ret_error);
	r = nl_send_auto(socket, message);
	if (r >= 0)
		r = nl_recvmsgs_default(socket);
	if (reply.found)
		return 1;
	if (reply.error == -ENOENT)
		return 0;
	if (reply.error < 0)
		return fl_error_set(ret_error, reply.error, AREA, NULL, "look for nft table %s", name);
	return fl_error_set(ret_error, -EIO, AREA, nl_geterror(r), "look for nft table %s", name);
}
