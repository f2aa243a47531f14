/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "sys/netns.h"
#include "sys/rtnl/rtnl.h"
#include "sys/rtnl/exchange.h"

enum {
	/* the largest request is the creation of a veth pair, about 400 bytes */
	MESSAGE_SIZE = 1024,

	DUMP_ATTEMPTS = 8,
	OPERATION_SIZE = 256,
	ERRNO_MAX = 4095,
};

/* failures that may be gone at the next attempt */
static bool is_retryable(int code)
{
	switch (-code) {
	case EAGAIN:
	case EBUSY:
	case ENOBUFS:
	case EINTR:
	case ENOMEM:
	case ENETDOWN:
		return true;
	default:
		return false;
	}
}

int fl_rtnl_fail(const char *area, struct flannel_error **ret_error, int code, const char *detail,
		 const char *operation)
{
	if (is_retryable(code))
		return fl_error_set_retryable(ret_error, code, area, detail, "%s", operation);
	return fl_error_set(ret_error, code, area, detail, "%s", operation);
}

/* the same with an operation that is written only now, since success needs none */
static int fail_va(const char *area, struct flannel_error **ret_error, int code, const char *detail, const char *format,
		   va_list args)
{
	char operation[OPERATION_SIZE];

	if (!ret_error)
		return code;
	vsnprintf(operation, sizeof(operation), format, args);
	return fl_rtnl_fail(area, ret_error, code, detail, operation);
}

/* what goes along into the namespace in which the socket is opened */
struct socket_request {
	int protocol;
	const char *area;
	int flags;
	int fd;
};

/* opens the socket; runs inside its namespace */
static int open_socket(void *userdata, struct flannel_error **ret_error)
{
	struct socket_request *request = userdata;

	request->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | request->flags, request->protocol);
	if (request->fd < 0)
		return fl_rtnl_fail(request->area, ret_error, -errno, NULL, "open netlink socket");
	return 0;
}

int fl_rtnl_socket(int netns_fd, bool single_threaded, int flags, int *ret_fd, struct flannel_error **ret_error)
{
	struct socket_request request = {.protocol = NETLINK_ROUTE, .area = "rtnl", .flags = flags, .fd = -1};
	int r = fl_netns_run(netns_fd, single_threaded, open_socket, &request, ret_error);

	if (r < 0)
		return r;
	*ret_fd = request.fd;
	return 0;
}

/*
 * Asks for explanations, short acknowledgements and filters that count (Linux 4.20), and connects to the kernel: that
 * gives the socket its address and keeps messages of other processes out.
 */
static int set_up_socket(int fd)
{
	const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const int on = 1;

	for (size_t i = 0; i < FL_N_ELEMENTS(options); i++)
		if (setsockopt(fd, SOL_NETLINK, options[i], &on, sizeof(on)) < 0)
			return -errno;
	return connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

/* opens a socket of a netlink protocol; area is that of its errors */
static int open_protocol(int protocol, const char *area, int netns_fd, bool single_threaded, struct fl_rtnl **ret_rtnl,
			 struct flannel_error **ret_error)
{
	struct socket_request request = {.protocol = protocol, .area = area, .fd = -1};
	FL_CLEANUP(fl_rtnl_closep) struct fl_rtnl *rtnl = calloc(1, sizeof(*rtnl));
	int r;

	if (!rtnl)
		return fl_error_oom(ret_error);
	rtnl->fd = -1;
	rtnl->area = area;
	rtnl->buffer_size = FL_RTNL_RECEIVE_SIZE;
	rtnl->buffer = malloc(FL_RTNL_RECEIVE_SIZE);
	if (!rtnl->buffer)
		return fl_error_oom(ret_error);
	r = fl_netns_run(netns_fd, single_threaded, open_socket, &request, ret_error);
	if (r < 0)
		return r;
	rtnl->fd = request.fd;
	r = set_up_socket(rtnl->fd);
	if (r < 0)
		return fl_rtnl_fail(area, ret_error, r, NULL, "set up netlink socket");
	*ret_rtnl = FL_TAKE(rtnl);
	return 0;
}

int fl_rtnl_open(int netns_fd, bool single_threaded, struct fl_rtnl **ret_rtnl, struct flannel_error **ret_error)
{
	return open_protocol(NETLINK_ROUTE, "rtnl", netns_fd, single_threaded, ret_rtnl, ret_error);
}

int fl_rtnl_open_netfilter(int netns_fd, bool single_threaded, struct fl_rtnl **ret_rtnl,
			   struct flannel_error **ret_error)
{
	return open_protocol(NETLINK_NETFILTER, "nft", netns_fd, single_threaded, ret_rtnl, ret_error);
}

struct fl_rtnl *fl_rtnl_close(struct fl_rtnl *rtnl)
{
	if (!rtnl)
		return NULL;
	if (rtnl->fd >= 0)
		close(rtnl->fd);
	free(rtnl->buffer);
	free(rtnl);
	return NULL;
}

int fl_rtnl_get_fd(const struct fl_rtnl *rtnl)
{
	return rtnl->fd;
}

struct nl_msg *fl_rtnl_message(uint16_t type, uint16_t flags, const void *header, size_t header_size)
{
	return fl_rtnl_message_sized(MESSAGE_SIZE, type, flags, header, header_size);
}

struct nl_msg *fl_rtnl_message_sized(size_t size, uint16_t type, uint16_t flags, const void *header, size_t header_size)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = nlmsg_alloc_size(size);

	if (!message || !nlmsg_put(message, 0, 0, type, 0, flags))
		return NULL;
	if (nlmsg_append(message, (void *)(uintptr_t)header, header_size, NLMSG_ALIGNTO) < 0)
		return NULL;
	return FL_TAKE(message);
}

void fl_rtnl_message_free(struct nl_msg *message)
{
	nlmsg_free(message);
}

/* One request or dump on its way. */
struct exchange {
	uint32_t sequence;
	fl_rtnl_fn fn;
	void *userdata;
	int fn_result;
	bool done;
	bool interrupted; /* the dumped table changed halfway */
	int result;       /* of the kernel */
	const char *text; /* its explanation, in the receive buffer */
};

/* the explanation among the attributes at offset (from the header's beginning), NULL if there is none */
static const char *find_text(const struct nlmsghdr *header, size_t offset)
{
	const struct nlattr *attr;
	const char *text;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || header->nlmsg_len < offset)
		return NULL;
	attr = nla_find((const struct nlattr *)((const char *)header + offset), (int)(header->nlmsg_len - offset),
			NLMSGERR_ATTR_MSG);
	if (!attr || nla_len(attr) < 1)
		return NULL;
	text = nla_data(attr);
	return text[0] != '\0' && text[nla_len(attr) - 1] == '\0' ? text : NULL;
}

/* a result as the kernel has them: 0, or a negative errno; anything else is no answer of its */
static int check_result(int result)
{
	return result <= 0 && result >= -ERRNO_MAX ? result : -EBADMSG;
}

int fl_rtnl_read_acknowledgement(const struct nlmsghdr *header, size_t available, int *ret_result,
				 const char **ret_text)
{
	const struct nlmsgerr *error = nlmsg_data(header);
	size_t offset = NLMSG_LENGTH(sizeof(*error));

	if (available < offset || header->nlmsg_len < offset)
		return -EBADMSG;
	/* without NLM_F_CAPPED the whole request stands between result and explanation */
	if (!(header->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		offset += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof(error->msg));
	*ret_result = check_result(error->error);
	*ret_text = available >= header->nlmsg_len ? find_text(header, offset) : NULL;
	return 0;
}

/* the end of a dump has room for an error, too */
static void take_done(struct exchange *exchange, const struct nlmsghdr *header)
{
	exchange->done = true;
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(int)))
		return;
	memcpy(&exchange->result, nlmsg_data(header), sizeof(exchange->result));
	exchange->result = check_result(exchange->result);
	exchange->text = find_text(header, NLMSG_LENGTH(sizeof(int)));
}

/* one message from the kernel; those with another number belong to an earlier exchange that was given up */
static void take_message(struct exchange *exchange, const struct nlmsghdr *header)
{
	if (header->nlmsg_seq != exchange->sequence)
		return;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		exchange->interrupted = true;
	switch (header->nlmsg_type) {
	case NLMSG_NOOP:
		break;
	case NLMSG_DONE:
		take_done(exchange, header);
		break;
	case NLMSG_ERROR:
		exchange->done = true;
		if (fl_rtnl_read_acknowledgement(header, header->nlmsg_len, &exchange->result, &exchange->text) < 0)
			exchange->result = -EBADMSG;
		break;
	default:
		/* after a refusal the rest is read all the same, since the kernel finishes a dump before the next one */
		if (exchange->fn && exchange->fn_result == 0)
			exchange->fn_result = exchange->fn(exchange->userdata, header);
		break;
	}
}

/* recv() that does not mind signals; the result is the datagram's full length */
static ssize_t receive_some(int fd, void *buffer, size_t size, int flags)
{
	ssize_t n;

	do
		n = recv(fd, buffer, size, flags | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* makes room for one datagram */
static int reserve(struct fl_rtnl *rtnl, size_t size)
{
	void *larger;

	if (size <= rtnl->buffer_size)
		return 0;
	larger = realloc(rtnl->buffer, size);
	if (!larger)
		return -ENOMEM;
	rtnl->buffer = larger;
	rtnl->buffer_size = size;
	return 0;
}

/*
 * Throws away what is queued. After it has dropped one message for want of room (ENOBUFS) the kernel drops all others, too,
 * without another word, until the queue has been empty: the next exchange would wait for ever.
 */
static void drain(struct fl_rtnl *rtnl)
{
	ssize_t n;

	do
		n = receive_some(rtnl->fd, NULL, 0, MSG_DONTWAIT);
	while (n >= 0);
}

/* Receives one datagram. An acknowledgement always fits; the length of answers is asked for first. */
static ssize_t receive(struct fl_rtnl *rtnl, bool expect_answers)
{
	ssize_t n = 0;
	int r;

	if (expect_answers)
		n = receive_some(rtnl->fd, NULL, 0, MSG_PEEK);
	if (n > 0) {
		r = reserve(rtnl, (size_t)n);
		if (r < 0)
			return r;
	}
	if (n >= 0)
		n = receive_some(rtnl->fd, rtnl->buffer, rtnl->buffer_size, 0);
	if (n == -ENOBUFS)
		drain(rtnl);
	return n > (ssize_t)rtnl->buffer_size ? -EMSGSIZE : n;
}

int fl_rtnl_send(struct fl_rtnl *rtnl, struct iovec *iov, size_t n_iov)
{
	const struct msghdr datagram = {.msg_iov = iov, .msg_iovlen = n_iov};
	ssize_t n;

	do
		n = sendmsg(rtnl->fd, &datagram, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

struct iovec fl_rtnl_seal(struct fl_rtnl *rtnl, struct nl_msg *message, uint16_t flags)
{
	struct nlmsghdr *header = nlmsg_hdr(message);

	header->nlmsg_seq = ++rtnl->sequence;
	header->nlmsg_flags |= NLM_F_REQUEST | flags;
	return (struct iovec){.iov_base = header, .iov_len = NLMSG_ALIGN(header->nlmsg_len)};
}

/* sends one message and reads until its end; negative only if the socket failed */
static int converse(struct fl_rtnl *rtnl, struct nl_msg *message, uint16_t flags, struct exchange *exchange)
{
	struct iovec iov = fl_rtnl_seal(rtnl, message, flags);
	int r;

	exchange->sequence = rtnl->sequence;
	r = fl_rtnl_send(rtnl, &iov, 1);
	while (r == 0 && !exchange->done) {
		ssize_t n = receive(rtnl, exchange->fn != NULL);
		struct nlmsghdr *header = rtnl->buffer;
		int left = (int)n;

		if (n < 0)
			return (int)n;
		for (; nlmsg_ok(header, left) && !exchange->done; header = nlmsg_next(header, &left))
			take_message(exchange, header);
	}
	return r;
}

/* what became of an exchange, as a result of our own functions */
static int conclude(const struct fl_rtnl *rtnl, int r, const struct exchange *exchange,
		    struct flannel_error **ret_error, const char *operation, va_list args)
{
	if (r == 0)
		r = exchange->result;
	if (r < 0)
		return fail_va(rtnl->area, ret_error, r, exchange->text, operation, args);
	if (exchange->fn_result < 0)
		return fail_va(rtnl->area, ret_error, exchange->fn_result, NULL, operation, args);
	return exchange->fn_result;
}

int fl_rtnl_request(struct fl_rtnl *rtnl, struct nl_msg *message, fl_rtnl_fn fn, void *userdata,
		    struct flannel_error **ret_error, const char *operation, ...)
{
	struct exchange exchange = {.fn = fn, .userdata = userdata};
	va_list args;
	int r;

	r = converse(rtnl, message, NLM_F_ACK, &exchange);
	va_start(args, operation);
	r = conclude(rtnl, r, &exchange, ret_error, operation, args);
	va_end(args);
	return r;
}

int fl_rtnl_dump(struct fl_rtnl *rtnl, struct nl_msg *message, fl_rtnl_fn fn, void *userdata,
		 struct flannel_error **ret_error, const char *operation, ...)
{
	struct exchange exchange = {.fn = fn, .userdata = userdata};
	va_list args;
	int r;

	r = converse(rtnl, message, NLM_F_DUMP, &exchange);
	if (r == 0 && exchange.result == 0 && exchange.fn_result == 0 && exchange.interrupted) {
		exchange.result = -EAGAIN;
		exchange.text = "the list changed while it was read";
	}
	va_start(args, operation);
	r = conclude(rtnl, r, &exchange, ret_error, operation, args);
	va_end(args);
	return r;
}

/* a list that grows while a dump comes in */
struct collection {
	fl_rtnl_parse_fn parse;
	void *userdata;
	size_t item_size;
	size_t n;
	size_t n_allocated;
	char *items;
};

/* lets the caller's function look at one message, with room for what it makes of it */
static int collect(void *userdata, const struct nlmsghdr *header)
{
	struct collection *list = userdata;
	char *item;
	int r;

	if (list->n == list->n_allocated) {
		size_t n = list->n_allocated > 0 ? 2 * list->n_allocated : 16;
		char *larger = reallocarray(list->items, n, list->item_size);

		if (!larger)
			return -ENOMEM;
		list->items = larger;
		list->n_allocated = n;
	}
	item = list->items + list->n * list->item_size;
	memset(item, 0, list->item_size);
	r = list->parse(list->userdata, header, item);
	if (r > 0)
		list->n++;
	return r < 0 ? r : 0;
}

int fl_rtnl_list(struct fl_rtnl *rtnl, struct nl_msg *message, size_t item_size, fl_rtnl_parse_fn parse, void *userdata,
		 void **ret_items, size_t *ret_n, struct flannel_error **ret_error, const char *operation)
{
	struct collection list = {.parse = parse, .userdata = userdata, .item_size = item_size};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = -EAGAIN;

	for (int attempt = 0; r == -EAGAIN && attempt < DUMP_ATTEMPTS; attempt++) {
		error = flannel_error_unref(error);
		list.n = 0;
		r = fl_rtnl_dump(rtnl, message, collect, &list, &error, "%s", operation);
	}
	if (r < 0) {
		free(list.items);
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	*ret_items = list.items;
	*ret_n = list.n;
	return 0;
}
