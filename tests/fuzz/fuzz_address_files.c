/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: any bytes as files of an address pool, as host-local or another hand has left them: name, zero, content, zero, and so on. They
 * are all looked at, none is believed beyond what it says, and an address can be given out and taken back beside them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "require.h"
#include "store/address/directory.h"

#define FILES_MAX 16

/* a name that stays in the directory and does not disturb the pool's own */
static bool is_usable(const char *name)
{
	return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strlen(name) < 200;
}

/* writes one file */
static void put(int directory_fd, const char *name, const uint8_t *content, size_t len)
{
	int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	require(write(fd, content, len) == (ssize_t)len);
	close(fd);
}

/* the next part of the input, up to a zero */
static const uint8_t *next_part(const uint8_t **at, const uint8_t *end, size_t *ret_len)
{
	const uint8_t *part = *at, *zero = part < end ? memchr(part, '\0', (size_t)(end - part)) : NULL;

	*ret_len = (size_t)((zero ? zero : end) - part);
	*at = zero ? zero + 1 : end;
	return part;
}

/* all files of the input */
static void put_files(int directory_fd, const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;

	for (int i = 0; i < FILES_MAX && at < end; i++) {
		size_t name_len, content_len;
		const uint8_t *name = next_part(&at, end, &name_len);
		const uint8_t *content = next_part(&at, end, &content_len);
		char text[256];

		snprintf(text, sizeof(text), "%.*s", (int)(name_len < 255 ? name_len : 255), (const char *)name);
		if (is_usable(text))
			put(directory_fd, text, content, content_len);
	}
}

/* what each file promises */
static int look(void *userdata, const struct fl_address_file *file)
{
	const struct fl_address_owner *owner = userdata;
	enum fl_address_match match = fl_address_file_match(file, owner);

	require(file->address.family == AF_INET || file->address.family == AF_INET6);
	require(file->len <= sizeof(file->text) && file->id_len <= file->len);
	require(match == FL_ADDRESS_NO_MATCH || file->is_readable);
	return 0;
}

/* takes everything away */
static void clean(int directory_fd)
{
	DIR *stream = fdopendir(dup(directory_fd));
	struct dirent *entry;

	require(stream != NULL);
	rewinddir(stream);
	while ((entry = readdir(stream)))
		(void)unlinkat(directory_fd, entry->d_name, 0);
	closedir(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct flannel_prefix address = {.family = AF_INET, .plen = 32, .addr = {10, 1, 2, 3}};
	const struct fl_boot boot = {.id = {1}};
	char path[] = "/tmp/fl-fuzz-XXXXXX";
	struct fl_address_directory directory;
	struct fl_address_position position;
	struct fl_address_owner owner;
	struct fl_address_file file;
	int lock_fd = -1, r;

	require(mkdtemp(path) != NULL);
	require(fl_address_directory_open(path, &directory, NULL) >= 0);
	put_files(directory.fd, data, size);
	require(fl_address_owner_init(&owner, "c1", "eth0") == 0);
	if (fl_address_directory_lock(&directory, &lock_fd, NULL) >= 0) {
		require(fl_address_directory_scan(&directory, &boot, look, &owner, NULL) == 0);
		r = fl_address_directory_create(&directory, &address, &owner, &boot, NULL);
		if (r >= 0) {
			require(fl_address_directory_read(&directory, &address, &file));
			require(fl_address_file_match(&file, &owner) == FL_ADDRESS_OWNED);
			require(fl_address_directory_remove(&directory, &address, NULL) == 1);
		}
		fl_address_position_open(&directory, 0, &position);
		require(position.last.family == AF_UNSPEC || position.last.family == AF_INET ||
			position.last.family == AF_INET6);
		fl_address_position_close(&position);
		close(lock_fd);
	}
	fl_address_owner_clear(&owner);
	clean(directory.fd);
	fl_address_directory_close(&directory);
	require(rmdir(path) == 0);
	return 0;
}
