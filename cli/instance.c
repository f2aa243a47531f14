/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "instance_network.h"
#include "route_protocol.h"

/* fails with "operation path: errno's text" */
static int fail(struct flannel_error **ret_error, int code, const char *operation, const char *path)
{
	CLEANUP_FREE char *text = NULL;

	if (asprintf(&text, "%s %s", operation, path) < 0)
		text = NULL;
	return flannel_error_new(ret_error, code, "instance", text ? text : operation, NULL, 0);
}

/* fails because of another daemon; pid 0 means unknown */
static int fail_busy(struct flannel_error **ret_error, long pid, const char *flag, const char *path)
{
	CLEANUP_FREE char *operation = NULL;
	CLEANUP_FREE char *detail = NULL;
	char who[32] = "pid unknown";

	if (pid > 0)
		(void)snprintf(who, sizeof(who), "pid %ld", pid);
	if (asprintf(&operation, "use %s", path) < 0)
		operation = NULL;
	if (asprintf(&detail, "another flanneld (%s) uses it; stop that one, or give this one its own --%s", who,
		     flag) < 0)
		detail = NULL;
	return flannel_error_new(ret_error, -EBUSY, "instance", operation, detail, 0);
}

/* makes one directory, unless it is there */
static int make_directory(const char *path, mode_t mode)
{
	struct stat status;
	int code;

	if (mkdir(path, mode) == 0)
		return 0;
	code = errno;
	if (stat(path, &status) == 0)
		return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
	return -code;
}

/* makes a directory with mode and its missing parents with 0755 */
static int make_directories(const char *path, mode_t mode, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *part = strdup(path);
	int r;

	if (!part)
		return fail(ret_error, -ENOMEM, "make directory", path);
	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		r = make_directory(part, 0755);
		*at = '/';
		/* a parent that we may not even look at can still lead to a directory that exists */
		if (r < 0 && r != -EACCES && r != -EROFS)
			return fail(ret_error, r, "make directory", path);
	}
	r = make_directory(part, mode);
	return r < 0 ? fail(ret_error, r, "make directory", path) : 0;
}

/* malloc()ed "DIR/.NAME.lock" for "DIR/NAME", with DIR made if missing */
static int lock_path_beside(const char *path, char **ret_path, struct flannel_error **ret_error)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	CLEANUP_FREE char *directory = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int r;

	if (!*name)
		return fail(ret_error, -EISDIR, "use", path);
	if (!directory)
		return fail(ret_error, -ENOMEM, "use", path);
	r = make_directories(directory, 0755, ret_error);
	if (r < 0)
		return r;
	if (asprintf(ret_path, "%s/.%s.lock", directory, name) < 0)
		return fail(ret_error, -ENOMEM, "use", path);
	return 0;
}

/* the pid that a lock's holder wrote into it; 0 if there is none */
static long read_pid(int fd)
{
	char text[32] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	return len > 0 ? strtol(text, NULL, 10) : 0;
}

/* writes our pid into a lock that we hold; only a courtesy to the one who comes second */
static int write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return errno ? -errno : -EIO;
	return 0;
}

/* locks a file, which stays for ever: removing it would let two daemons lock two files of one name */
static int lock_file(const char *path, const char *flag, const char *subject, int *ret_fd,
		     struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	int r;

	if (fd < 0)
		return fail(ret_error, -errno, "open lock", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return fail_busy(ret_error, read_pid(fd), flag, subject);
		return fail(ret_error, -errno, "lock", path);
	}
	r = write_pid(fd);
	if (r < 0)
		return fail(ret_error, r, "write lock", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* locks the hidden file beside path */
static int lock_beside(const char *path, const char *flag, int *ret_fd, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *lock = NULL;
	int r = lock_path_beside(path, &lock, ret_error);

	return r < 0 ? r : lock_file(lock, flag, path, ret_fd, ret_error);
}

/* locks the state directory */
static int lock_state_dir(const char *path, int *ret_fd, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *lock = NULL;
	int r = make_directories(path, 0700, ret_error);

	if (r < 0)
		return r;
	if (asprintf(&lock, "%s/lock", path) < 0) {
		lock = NULL;
		return fail(ret_error, -ENOMEM, "lock", path);
	}
	return lock_file(lock, "state-dir", path, ret_fd, ret_error);
}

/* fails if somebody listens on the socket; what does not answer is left over and removed */
static int clear_socket(const struct sockaddr_un *address, struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : fail(ret_error, -errno, "look at", address->sun_path);
	if (!S_ISSOCK(status.st_mode))
		return flannel_error_new(ret_error, -EEXIST, "instance", address->sun_path,
					 "exists and is no socket; it is left alone", 0);
	if (fd < 0)
		return fail(ret_error, -errno, "open a socket for", address->sun_path);
	/* a full queue (EAGAIN) has a listener behind it, too */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
		(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		return fail_busy(ret_error, peer.pid, "socket", address->sun_path);
	}
	if (errno != ECONNREFUSED && errno != ENOENT)
		return fail(ret_error, -errno, "probe", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return fail(ret_error, -errno, "remove the old", address->sun_path);
	return 0;
}

/* binds a listening socket with mode 0600 from its first moment on */
static int bind_socket(const struct sockaddr_un *address, struct instance *instance, struct flannel_error **ret_error)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat status;

	/* Linux gives the file the mode that the unbound socket has */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return fail(ret_error, -errno, "open a socket for", address->sun_path);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return fail(ret_error, -errno, "bind", address->sun_path);
	if (lstat(address->sun_path, &status) < 0)
		return fail(ret_error, -errno, "look at", address->sun_path);
	instance->socket_device = status.st_dev;
	instance->socket_inode = status.st_ino;
	if (listen(fd, 16) < 0)
		return fail(ret_error, -errno, "listen on", address->sun_path);
	instance->listen_fd = take_fd(&fd);
	return 0;
}

/* locks and binds the control socket */
static int claim_socket(const char *path, struct instance *instance, struct flannel_error **ret_error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int r;

	if (len >= sizeof(address.sun_path))
		return flannel_error_new(ret_error, -ENAMETOOLONG, "instance", path,
					 "a socket's path has at most 107 bytes; choose a shorter --socket", 0);
	memcpy(address.sun_path, path, len);
	r = lock_beside(path, "socket", &instance->socket_lock, ret_error);
	if (r < 0)
		return r;
	r = clear_socket(&address, ret_error);
	if (r < 0)
		return r;
	instance->socket = strdup(path);
	if (!instance->socket)
		return fail(ret_error, -ENOMEM, "bind", path);
	return bind_socket(&address, instance, ret_error);
}

/* takes the network, the name, which tables and links bear, and a tag for the routes */
static int claim_in_namespace(const struct instance_paths *paths, struct instance *instance,
			      struct flannel_error **ret_error)
{
	int r = instance_network_take(paths->network, paths->network_flag, &instance->network_lock, ret_error);

	if (r == 0)
		r = instance_name_choose(paths->state_dir, paths->name, &instance->name, ret_error);
	return r < 0 ? r
		     : route_protocol_choose(paths->state_dir, instance->name.text, paths->route_protocol,
					     &instance->route_protocol, &instance->protocol_lock, ret_error);
}

int instance_claim(const struct instance_paths *paths, struct instance *ret_instance, struct flannel_error **ret_error)
{
	CLEANUP(instance_release) struct instance instance = INSTANCE_NONE;
	int r;

	r = lock_state_dir(paths->state_dir, &instance.state_lock, ret_error);
	if (r < 0)
		return r;
	if (paths->subnet_file)
		r = lock_beside(paths->subnet_file, "subnet-file", &instance.subnet_lock, ret_error);
	if (r < 0)
		return r;
	if (*paths->socket) {
		r = claim_socket(paths->socket, &instance, ret_error);
		if (r < 0)
			return r;
	}
	if (paths->name) {
		r = claim_in_namespace(paths, &instance, ret_error);
		if (r < 0)
			return r;
	}
	*ret_instance = instance;
	instance = (struct instance)INSTANCE_NONE;
	return 0;
}

/* is the socket's file the one that we bound */
static bool socket_is_ours(const struct instance *instance)
{
	struct stat status;

	return instance->socket && instance->socket_inode && lstat(instance->socket, &status) == 0 &&
	       status.st_dev == instance->socket_device && status.st_ino == instance->socket_inode;
}

void instance_release(struct instance *instance)
{
	if (socket_is_ours(instance))
		(void)unlink(instance->socket);
	free(instance->socket);
	close_p(&instance->listen_fd);
	close_p(&instance->protocol_lock);
	close_p(&instance->name.lock);
	close_p(&instance->network_lock);
	close_p(&instance->socket_lock);
	close_p(&instance->subnet_lock);
	close_p(&instance->state_lock);
	*instance = (struct instance)INSTANCE_NONE;
}
