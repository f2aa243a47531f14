/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Stand-ins for the C library's name resolution, in the static executable only. libnl can parse and print texts, and for names
 * in them it would ask the resolver, which in turn would load shared libraries; that nobody here has libnl do so the linker
 * cannot know. They fail, and keep all of that out of the executable.
 */

#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
		struct addrinfo **restrict result)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)result;
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *result)
{
	(void)result;
}

int getnameinfo(const struct sockaddr *restrict address, socklen_t address_len, char *restrict host, socklen_t host_len,
		char *restrict service, socklen_t service_len, int flags)
{
	(void)address;
	(void)address_len;
	(void)host;
	(void)host_len;
	(void)service;
	(void)service_len;
	(void)flags;
	return EAI_FAIL;
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}
