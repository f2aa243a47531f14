/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/path_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/error.h"

#define AREA "store"

/* so many links in each other, as in the kernel */
#define LINKS_MAX 40

/* reads at one go; what is left wakes us again */
#define DRAIN_MAX 16

#define EVENTS                                                                                                         \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |        \
	 IN_ONLYDIR)

struct fl_path_watch {
	char *path;
	struct fl_loop *loop;
	void (*fn)(void *userdata);
	void *userdata;
	int fd; /* -1: nothing is watched */
	struct fl_source *source;
};

/* a walk along a path: what is behind is without links, what is ahead may have some */
struct walk {
	char behind[PATH_MAX];
	char ahead[PATH_MAX];
	unsigned int n_links;
};

/* takes the first name off what is ahead; false if there is none */
static bool take_name(struct walk *walk, char name[NAME_MAX + 1])
{
	size_t skip = strspn(walk->ahead, "/"), len = strcspn(walk->ahead + skip, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, walk->ahead + skip, len);
	name[len] = '\0';
	memmove(walk->ahead, walk->ahead + skip + len, strlen(walk->ahead + skip + len) + 1);
	return true;
}

/* puts two parts of a path together; false if it gets too long */
static bool join(char path[PATH_MAX], const char *directory, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s%s%s", directory,
			 *directory && directory[strlen(directory) - 1] == '/' ? "" : "/", name);

	return n > 0 && n < PATH_MAX;
}

/* goes on where a link leads; false if that is nowhere */
static bool follow(struct walk *walk, const char *link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len <= 0 || ++walk->n_links > LINKS_MAX)
		return false;
	target[len] = '\0';
	if (target[0] == '/')
		memcpy(walk->behind, "/", 2);
	memcpy(rest, walk->ahead, sizeof(rest));
	return join(walk->ahead, target, rest);
}

/* watches the directories in which a link leads on, and the one in which the way ends, or breaks off */
static int watch_way(int fd, struct walk *walk)
{
	char name[NAME_MAX + 1], next[PATH_MAX];
	struct stat status;

	while (take_name(walk, name)) {
		bool exists = join(next, walk->behind, name) && lstat(next, &status) == 0;
		bool is_last = walk->ahead[strspn(walk->ahead, "/")] == '\0';

		if ((!exists || is_last || S_ISLNK(status.st_mode)) && inotify_add_watch(fd, walk->behind, EVENTS) < 0)
			return -errno;
		if (!exists)
			return 0;
		if (!S_ISLNK(status.st_mode))
			memcpy(walk->behind, next, sizeof(next));
		else if (!follow(walk, next))
			return 0;
	}
	return 0;
}

/* something happened: the watch has done its work until it is renewed */
static void on_readable(void *userdata, uint32_t events)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct fl_path_watch *watch = userdata;

	(void)events;
	for (int i = 0; i < DRAIN_MAX && read(watch->fd, buf, sizeof(buf)) > 0; i++)
		;
	watch->fn(watch->userdata);
}

/* watches nothing */
static void stop(struct fl_path_watch *watch)
{
	watch->source = fl_source_free(watch->source);
	fl_closep(&watch->fd);
	watch->fd = -1;
}

int fl_path_watch_renew(struct fl_path_watch *watch, struct flannel_error **ret_error)
{
	struct walk walk = {.behind = "."};
	int r;

	stop(watch);
	if (watch->path[0] == '/')
		walk.behind[0] = '/';
	(void)snprintf(walk.ahead, sizeof(walk.ahead), "%s", watch->path);
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = watch->fd < 0 ? -errno : watch_way(watch->fd, &walk);
	if (r < 0) {
		stop(watch);
		return fl_error_set_retryable(ret_error, r, AREA, NULL, "watch %s", watch->path);
	}
	r = fl_loop_add_fd(watch->loop, watch->fd, EPOLLIN, on_readable, watch, &watch->source, ret_error);
	if (r < 0)
		stop(watch);
	return r;
}

int fl_path_watch_new(const char *path, struct fl_loop *loop, void (*fn)(void *userdata), void *userdata,
		      struct fl_path_watch **ret_watch, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_path_watch *watch = calloc(1, sizeof(*watch));

	if (strlen(path) >= PATH_MAX)
		return fl_error_set(ret_error, -ENAMETOOLONG, AREA, NULL, "watch %.64s...", path);
	if (!watch)
		return fl_error_oom(ret_error);
	watch->path = strdup(path);
	if (!watch->path)
		return fl_error_oom(ret_error);
	watch->loop = loop;
	watch->fn = fn;
	watch->userdata = userdata;
	watch->fd = -1;
	*ret_watch = FL_TAKE(watch);
	return 0;
}

struct fl_path_watch *fl_path_watch_free(struct fl_path_watch *watch)
{
	if (!watch)
		return NULL;
	stop(watch);
	free(watch->path);
	free(watch);
	return NULL;
}
