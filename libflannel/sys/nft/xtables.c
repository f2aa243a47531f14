/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/xtables.h"

#include <errno.h>
#include <netinet/in.h> /* before the kernel's headers, which define the same again otherwise */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "sys/netns.h"

#define AREA "xtables"

/* names of tables, a line each; there are five */
#define NAMES_MAX 4096

/* somebody may change a table between its size and its content */
#define ATTEMPTS 8

/* the two families differ in numbers and in the size of a header, but not in layout */
_Static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO && IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES, "the same questions");
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "the same first answer");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) == offsetof(struct ip6t_get_entries, entrytable),
	       "the same second answer");

/* one question */
struct look {
	int family;
	const char *table;
	const char *chain;
};

/* is the table in use; the file is of the thread's namespace */
static int is_in_use(const struct look *look, struct flannel_error **ret_error)
{
	const char *path = look->family == AF_INET6 ? "/proc/thread-self/net/ip6_tables_names"
						    : "/proc/thread-self/net/ip_tables_names";
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) char *names = NULL;
	size_t len, name_len = strlen(look->table);
	int r = fl_file_read(path, NAMES_MAX, &names, &len, &error);

	if (r == -ENOENT)
		return 0; /* a kernel without them */
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	for (const char *line = names; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strcspn(line, "\n") == name_len && strncmp(line, look->table, name_len) == 0)
			return 1;
	}
	return 0;
}

/* The head of a chain is an entry whose target has the name "ERROR" and bears the chain's. */
static bool is_head(const unsigned char *target, size_t len, const char *chain)
{
	const size_t name_at = sizeof(struct xt_entry_target);
	const char *kind = (const char *)target + offsetof(struct xt_entry_target, u.user.name);

	return len >= name_at + XT_FUNCTION_MAXNAMELEN &&
	       strncmp(kind, XT_ERROR_TARGET, XT_EXTENSION_MAXNAMELEN) == 0 &&
	       strncmp((const char *)target + name_at, chain, XT_FUNCTION_MAXNAMELEN) == 0;
}

/* goes from entry to entry */
static bool has_head(const unsigned char *entries, size_t size, int family, const char *chain)
{
	const bool ipv6 = family == AF_INET6;
	const size_t header = ipv6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
	const size_t target_at =
		ipv6 ? offsetof(struct ip6t_entry, target_offset) : offsetof(struct ipt_entry, target_offset);
	const size_t next_at =
		ipv6 ? offsetof(struct ip6t_entry, next_offset) : offsetof(struct ipt_entry, next_offset);
	uint16_t target, next;

	for (size_t at = 0; size - at >= header; at += next) {
		memcpy(&target, entries + at + target_at, sizeof(target));
		memcpy(&next, entries + at + next_at, sizeof(next));
		if (next < header || next > size - at || target > next)
			return false;
		if (is_head(entries + at + target, next - target, chain))
			return true;
	}
	return false;
}

/* reads the table once: 1, 0, -EAGAIN if it changed meanwhile, negative */
static int read_table(int fd, const struct look *look)
{
	const int level = look->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	FL_CLEANUP(fl_freep) struct ipt_get_entries *entries = NULL;
	struct ipt_getinfo info = {.valid_hooks = 0};
	socklen_t len = sizeof(info);

	memccpy(info.name, look->table, '\0', sizeof(info.name) - 1);
	if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len) < 0)
		return -errno;
	len = (socklen_t)(sizeof(*entries) + info.size);
	entries = calloc(1, len);
	if (!entries)
		return -ENOMEM;
	memccpy(entries->name, look->table, '\0', sizeof(entries->name) - 1);
	entries->size = info.size;
	if (getsockopt(fd, level, IPT_SO_GET_ENTRIES, entries, &len) < 0)
		return -errno;
	return has_head((const unsigned char *)entries->entrytable, info.size, look->family, look->chain);
}

/* inside the namespace */
static int look_here(void *userdata, struct flannel_error **ret_error)
{
	const struct look *look = userdata;
	FL_CLEANUP(fl_closep) int fd = -1;
	int r = is_in_use(look, ret_error);

	if (r <= 0)
		return r;
	/* any socket of the family will do, so no raw one, which would need another privilege */
	fd = socket(look->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fl_error_set(ret_error, -errno, AREA, NULL, "open a socket");
	r = -EAGAIN;
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++)
		r = read_table(fd, look);
	if (r < 0)
		return fl_error_set(ret_error, r, AREA, NULL, "read table %s of %s", look->table,
				    look->family == AF_INET6 ? "ip6tables-legacy" : "iptables-legacy");
	return r;
}

int fl_xtables_has_chain(int netns_fd, bool single_threaded, int family, const char *table, const char *chain,
			 struct flannel_error **ret_error)
{
	struct look look = {.family = family, .table = table, .chain = chain};

	return fl_netns_run(netns_fd, single_threaded, look_here, &look, ret_error);
}
