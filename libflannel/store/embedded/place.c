/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/file.h"

/*
 * File systems that other machines may write to: the shared memory beside a database does not reach those, and inotify
 * tells nothing of them. FUSE is among them since no one can say what is behind it. Numbers as in statfs(2); not all are in
 * the headers.
 */
static const struct {
	unsigned long magic;
	const char *name;
} refused[] = {
	{0x6969, "nfs"},        {0x517b, "smb"},        {0xff534d42, "cifs"},  {0xfe534d42, "smb2"},
	{0x01021997, "9p"},     {0x65735546, "fuse"},   {0x00c36400, "ceph"},  {0x5346414f, "afs"},
	{0x6b414653, "kafs"},   {0x73757245, "coda"},   {0x01161970, "gfs2"},  {0x7461636f, "ocfs2"},
	{0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"},   {0x564c, "ncp"},       {0x786f4256, "vboxsf"},
	{0xbacbacbc, "vmhgfs"}, {0x19830326, "beegfs"}, {0xaad7aaea, "panfs"},
};

const char *fl_place_refused_filesystem(unsigned long magic)
{
	/* the kernel's field is signed and narrower on some machines */
	for (size_t i = 0; i < FL_N_ELEMENTS(refused); i++)
		if (refused[i].magic == (magic & 0xffffffffUL))
			return refused[i].name;
	return NULL;
}

int fl_place_check_filesystem(const char *path, struct flannel_error **ret_error)
{
	struct statfs facts;
	const char *name;

	if (statfs(path, &facts) < 0)
		return fl_error_set(ret_error, -errno, "store", NULL, "look at the file system of %s", path);
	name = fl_place_refused_filesystem((unsigned long)facts.f_type);
	if (name)
		return fl_error_set(ret_error, -EOPNOTSUPP, "store",
				    "leases need a local file system, where locks and shared memory work",
				    "open lease database %s on file system %s", path, name);
	return 0;
}

/* makes a new name last over a power cut */
static int sync_directory(const char *directory)
{
	FL_CLEANUP(fl_closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* some file systems cannot, which is no reason to refuse them */
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* makes an empty file in a directory that is there; *ret_path is its full name */
static int make_file(const char *directory, const char *name, char **ret_path, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *real = realpath(directory, NULL);
	FL_CLEANUP(fl_freep) char *path = NULL;
	int r;

	if (!real)
		return fl_error_set(ret_error, -errno, "store", NULL, "find directory %s", directory);
	r = fl_place_check_filesystem(real, ret_error);
	if (r < 0)
		return r;
	path = malloc(strlen(real) + strlen(name) + 2);
	if (!path)
		return fl_error_oom(ret_error);
	(void)stpcpy(stpcpy(stpcpy(path, real), strcmp(real, "/") == 0 ? "" : "/"), name);
	/* mknod makes the file without opening it; who else comes first makes the same one */
	if (mknod(path, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return fl_error_set(ret_error, -errno, "store", NULL, "make lease database %s", path);
	r = sync_directory(real);
	if (r < 0)
		return fl_error_set(ret_error, r, "store", NULL, "write directory %s", real);
	*ret_path = FL_TAKE(path);
	return 0;
}

/* makes what is missing of directory and file */
static int make_place(const char *path, char **ret_path, struct flannel_error **ret_error)
{
	const char *slash = strrchr(path, '/');
	FL_CLEANUP(fl_freep) char *directory = NULL;
	int r;

	if (slash && slash[1] == '\0')
		return fl_error_set(ret_error, -EISDIR, "store", "the name of a file is needed",
				    "open lease database %s", path);
	r = fl_file_make_parents(path, 0700, ret_error);
	if (r < 0)
		return r;
	if (!slash)
		directory = strdup(".");
	else
		directory = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (!directory)
		return fl_error_oom(ret_error);
	return make_file(directory, slash ? slash + 1 : path, ret_path, ret_error);
}

int fl_place_prepare(const char *path, char **ret_path, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *real = NULL;
	struct stat facts;
	int r;

	/* a symbolic link that leads nowhere would have SQLite make the file, for everybody to read */
	if (lstat(path, &facts) < 0 && errno == ENOENT)
		return make_place(path, ret_path, ret_error);
	real = realpath(path, NULL);
	if (!real || stat(real, &facts) < 0)
		return fl_error_set(ret_error, -errno, "store", NULL, "open lease database %s", path);
	if (S_ISDIR(facts.st_mode))
		return fl_error_set(ret_error, -EISDIR, "store", NULL, "open lease database %s", path);
	if (!S_ISREG(facts.st_mode))
		return fl_error_set(ret_error, -EBADMSG, "store", "it is no regular file", "open lease database %s",
				    path);
	r = fl_place_check_filesystem(real, ret_error);
	if (r < 0)
		return r;
	*ret_path = FL_TAKE(real);
	return 0;
}
