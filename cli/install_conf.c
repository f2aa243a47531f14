/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"

/* where a file goes: its directory and its name, borrowed and malloc()ed */
struct place {
	char *directory;
	const char *name;
};

/* frees what place_of() made */
static void place_clear(struct place *place)
{
	free(place->directory);
}

/* says what failed; the exit status */
static int fail(const char *what, const char *path, int code)
{
	(void)fprintf(stderr, "install-conf: %s %s: %s\n", what, path, strerror(code));
	return TOOL_REFUSED;
}

/* takes a path apart; -EISDIR if it names no file */
static int place_of(const char *path, struct place *ret_place)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *directory;

	if (!*name)
		return -EISDIR;
	directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!directory)
		return -ENOMEM;
	*ret_place = (struct place){.directory = directory, .name = name};
	return 0;
}

/* is it the name of a temporary file for the place: ".NAME.tmp", perhaps with more behind it */
static bool is_leftover(const struct place *place, const char *name)
{
	size_t len = strlen(place->name);

	return name[0] == '.' && strncmp(name + 1, place->name, len) == 0 && strncmp(name + 1 + len, ".tmp", 4) == 0;
}

/* removes temporary files that a killed run left: those that nobody holds a lock on */
static void remove_leftovers(const struct place *place)
{
	DIR *directory = opendir(place->directory);
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		CLEANUP_CLOSE int fd = -1;

		if (!is_leftover(place, entry->d_name))
			continue;
		fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	}
	(void)closedir(directory);
}

/* copies one file to another; negative errno */
static int copy(int from, int to)
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(to, buf + done, (size_t)(n - done));

			if (written < 0 && errno != EINTR)
				return -errno;
			done += written < 0 ? 0 : written;
		}
	}
}

/* fills the temporary file with the source's content and mode, on the disk; negative errno */
static int fill(int from, int to)
{
	struct stat status;
	int r = copy(from, to);

	if (r < 0)
		return r;
	if (fstat(from, &status) < 0 || fchmod(to, status.st_mode & 07777) < 0 || fsync(to) < 0)
		return -errno;
	return 0;
}

/* puts what from has at the place; the exit status */
static int install(int from, const char *source, const char *destination, const struct place *place)
{
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_CLOSE int to = -1;
	int r;

	if (asprintf(&temporary, "%s/.%s.tmpXXXXXX", place->directory, place->name) < 0) {
		temporary = NULL;
		return fail("copy to", destination, ENOMEM);
	}
	to = mkostemp(temporary, O_CLOEXEC);
	if (to < 0)
		return fail("make a file in", place->directory, errno);
	(void)flock(to, LOCK_EX | LOCK_NB);
	r = fill(from, to);
	if (r < 0) {
		(void)unlink(temporary);
		return fail("copy", source, -r);
	}
	if (rename(temporary, destination) < 0) {
		r = errno;
		(void)unlink(temporary);
		return fail("replace", destination, r);
	}
	return EXIT_SUCCESS;
}

int install_conf_tool(int argc, char *argv[])
{
	CLEANUP(place_clear) struct place place = {0};
	CLEANUP_CLOSE int from = -1;
	int r;

	if (argc != 3) {
		(void)fprintf(stderr,
			      "Usage: %s SRC DEST\nPuts a copy of SRC in the place of DEST, whole or not at all.\n",
			      argv[0]);
		return TOOL_REFUSED;
	}
	r = place_of(argv[2], &place);
	if (r < 0)
		return fail("write", argv[2], -r);
	from = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return fail("open", argv[1], errno);
	remove_leftovers(&place);
	return install(from, argv[1], argv[2], &place);
}
