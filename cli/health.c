/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"

#define BACKLOG 32

void health_answer_healthz(const struct status_source *source, struct http_reply *reply)
{
	(void)source;
	http_reply_text(reply, 200, "flanneld is running");
}

void health_answer_readyz(const struct status_source *source, struct http_reply *reply)
{
	char reason[256];
	char text[320];

	if (status_get_health(source, reason, sizeof(reason)) <= STATUS_DEGRADED) {
		/* ready all the same, but who looks should know */
		(void)snprintf(text, sizeof(text), "flanneld is ready: %s", reason);
		http_reply_text(reply, 200, flannel_node_get_snapshot_sec(source->node) ? text : "flanneld is ready");
		return;
	}
	(void)snprintf(text, sizeof(text), "flanneld is not ready any more: %s", reason);
	http_reply_text(reply, 503, source->was_ready ? text : "flanneld is not ready yet");
}

void health_answer(const void *userdata, const char *path, const char *method, struct http_reply *reply)
{
	(void)method;
	if (strcmp(path, "/healthz") == 0)
		health_answer_healthz(userdata, reply);
	else if (strcmp(path, "/readyz") == 0)
		health_answer_readyz(userdata, reply);
	else
		http_reply_text(reply, 404, "404 page not found\n");
}

/* fails with "listen on IP port PORT: detail" */
static int fail(struct flannel_error **ret_error, int code, const char *ip, int64_t port, const char *detail)
{
	char operation[160];

	(void)snprintf(operation, sizeof(operation), "listen on --healthz-ip \"%.64s\" --healthz-port %lld", ip,
		       (long long)port);
	return flannel_error_new(ret_error, code, "health", operation, detail, 0);
}

/* a socket that listens there; negative errno */
static int listen_at(const struct sockaddr *address, socklen_t len)
{
	CLEANUP_CLOSE int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	/* connections of a former daemon that linger are no obstacle; another listener is */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, address, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

/* listens on all addresses: of both families with one socket, or of IPv4 alone where the node has no IPv6 */
static int listen_everywhere(uint16_t port)
{
	const struct sockaddr_in6 all6 = {.sin6_family = AF_INET6, .sin6_port = port};
	const struct sockaddr_in all = {.sin_family = AF_INET, .sin_port = port};
	int fd = listen_at((const struct sockaddr *)&all6, sizeof(all6));

	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	return listen_at((const struct sockaddr *)&all, sizeof(all));
}

/* is it 0.0.0.0 or :: */
static int is_everywhere(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int health_listen(const char *ip, int64_t port, int *ret_fd, struct flannel_error **ret_error)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char service[16];
	int fd;

	if (port < 1 || port > UINT16_MAX)
		return fail(ret_error, -EINVAL, ip, port, "expected a port of at most 65535");
	(void)snprintf(service, sizeof(service), "%lld", (long long)port);
	/* getaddrinfo(3) reads zones of link-local addresses as well; it asks nobody */
	if (getaddrinfo(*ip ? ip : "0.0.0.0", service, &hints, &found) != 0)
		return fail(ret_error, -EINVAL, ip, port, "expected an IPv4 or IPv6 address");
	fd = is_everywhere(found->ai_addr) ? listen_everywhere(htons((uint16_t)port))
					   : listen_at(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	if (fd < 0)
		return fail(ret_error, fd, ip, port, NULL);
	*ret_fd = fd;
	return 0;
}
