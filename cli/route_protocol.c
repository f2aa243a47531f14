/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "route_protocol.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "namespace_lock.h"

#define FILE_NAME "route-protocol"

/* the number that a state directory keeps, 0 if none */
static uint8_t read_number(int parent_fd, const char *directory)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_CLOSE int fd = -1;
	char text[8] = "";
	char *end;
	long number;

	if (asprintf(&path, "%s/" FILE_NAME, directory) < 0) {
		path = NULL;
		return 0;
	}
	fd = openat(parent_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	number = strtol(text, &end, 10);
	return number > 0 && number <= UINT8_MAX && (*end == '\n' || *end == '\0') ? (uint8_t)number : 0;
}

/* keeps the number: a new file takes the place of the old one */
static int keep_number(const char *state_dir, uint8_t number, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FREE char *new_path = NULL;
	CLEANUP_STREAM FILE *stream = NULL;
	int r = 0;

	if (asprintf(&path, "%s/" FILE_NAME, state_dir) < 0)
		path = NULL;
	if (asprintf(&new_path, "%s/." FILE_NAME ".new", state_dir) < 0)
		new_path = NULL;
	if (!path || !new_path)
		return flannel_error_new(ret_error, -ENOMEM, "instance", "keep the route protocol", NULL, 0);
	stream = fopen(new_path, "we");
	if (!stream || fprintf(stream, "%u\n", number) < 0 || fflush(stream) != 0 || rename(new_path, path) < 0)
		r = errno ? -errno : -EIO;
	return r < 0 ? flannel_error_new(ret_error, r, "instance", path, "cannot keep the route protocol", 0) : 0;
}

/* the numbers that instances beside this one keep, whether they run or not */
static void find_kept(const char *state_dir, bool kept[UINT8_MAX + 1])
{
	CLEANUP_FREE char *parent = NULL;
	const struct dirent *entry;
	DIR *directory;

	if (asprintf(&parent, "%s/..", state_dir) < 0) {
		parent = NULL;
		return;
	}
	directory = opendir(parent);
	while (directory && (entry = readdir(directory)))
		kept[read_number(dirfd(directory), entry->d_name)] = true;
	if (directory)
		(void)closedir(directory);
}

/* locks one number */
static int take(uint8_t number, int *ret_fd, struct flannel_error **ret_error)
{
	char name[8], operation[48], detail[160];
	long pid;
	int r;

	(void)snprintf(name, sizeof(name), "%u", number);
	r = namespace_lock_take("route-protocol", name, ret_fd, &pid);
	if (r == 0)
		return 0;
	(void)snprintf(operation, sizeof(operation), "tag routes with protocol %u", number);
	if (r != -EBUSY)
		return flannel_error_new(ret_error, r, "instance", operation, NULL, 0);
	(void)snprintf(
		detail, sizeof(detail),
		"another flanneld (pid %ld) in this network namespace does; give this one an --instance of its own, or "
		"another --route-protocol",
		pid);
	return flannel_error_new(ret_error, r, "instance", operation, detail, 0);
}

/* the first number that nobody has */
static int take_new(const char *state_dir, uint8_t *ret_protocol, int *ret_fd, struct flannel_error **ret_error)
{
	bool kept[UINT8_MAX + 1] = {false};

	find_kept(state_dir, kept);
	for (unsigned int number = ROUTE_PROTOCOL_FIRST; number <= ROUTE_PROTOCOL_LAST; number++) {
		int r = kept[number] ? -EBUSY : take((uint8_t)number, ret_fd, NULL);

		if (r == -EBUSY)
			continue;
		if (r == 0)
			r = keep_number(state_dir, (uint8_t)number, ret_error);
		if (r == 0)
			*ret_protocol = (uint8_t)number;
		return r;
	}
	return flannel_error_new(ret_error, -EBUSY, "instance", "choose a route protocol",
				 "242 to 253 are in use by other instances; choose one by --route-protocol", 0);
}

int route_protocol_choose(const char *state_dir, const char *instance, uint8_t wanted, uint8_t *ret_protocol,
			  int *ret_fd, struct flannel_error **ret_error)
{
	uint8_t number = wanted;
	int r;

	if (number == 0)
		number = *instance ? read_number(AT_FDCWD, state_dir) : ROUTE_PROTOCOL_DEFAULT;
	if (number == 0)
		return take_new(state_dir, ret_protocol, ret_fd, ret_error);
	r = take(number, ret_fd, ret_error);
	if (r == 0 && wanted && *instance)
		r = keep_number(state_dir, number, ret_error);
	if (r == 0)
		*ret_protocol = number;
	return r;
}
