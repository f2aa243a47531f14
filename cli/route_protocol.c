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
#include "kept_word.h"
#include "namespace_lock.h"

#define FILE_NAME "route-protocol"

/* the number that a state directory keeps, 0 if none */
static uint8_t read_number(int parent_fd, const char *directory)
{
	char text[8], *end;
	long number;

	kept_word_read(parent_fd, directory, FILE_NAME, text, sizeof(text));
	number = strtol(text, &end, 10);
	return number > 0 && number <= UINT8_MAX && *end == '\0' ? (uint8_t)number : 0;
}

/* keeps the number */
static int keep_number(const char *state_dir, uint8_t number, struct flannel_error **ret_error)
{
	char text[8];

	(void)snprintf(text, sizeof(text), "%u", number);
	return kept_word_write(state_dir, FILE_NAME, text, ret_error);
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
	char name[8], operation[48], detail[200], holder[NAMESPACE_LOCK_HOLDER_SIZE];
	int r;

	(void)snprintf(name, sizeof(name), "%u", number);
	r = namespace_lock_take("route-protocol", name, ret_fd, holder);
	if (r == 0)
		return 0;
	(void)snprintf(operation, sizeof(operation), "tag routes with protocol %u", number);
	if (r != -EBUSY)
		return flannel_error_new(ret_error, r, "instance", operation, NULL, 0);
	(void)snprintf(
		detail, sizeof(detail),
		"another flanneld (%s) in this network namespace does; give this one an --instance of its own, or "
		"another --route-protocol",
		holder);
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
