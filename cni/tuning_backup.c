/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tuning_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"
#include "file.h"
#include "mac.h"
#include "print.h"

/* of the directory, too, as the reference makes it: only root gets in, who needs no permission to */
#define MODE 0600

void cni_tuning_backup_clear(struct cni_tuning_backup *backup)
{
	free(backup->path);
	memset(backup, 0, sizeof(*backup));
}

/* a number of the file */
static int parse_number(struct json_object *object, const char *path, const char *key, unsigned int which,
			uint32_t *ret, struct flannel_link_settings *settings, struct cni_error *error)
{
	int64_t number = 0;
	int r = cni_get_int(object, path, key, 0, UINT32_MAX, &number, error);

	if (r <= 0)
		return r;
	*ret = (uint32_t)number;
	settings->which |= which;
	return 0;
}

/* true or false in the file */
static int parse_flag(struct json_object *object, const char *path, const char *key, unsigned int which, int *ret,
		      struct flannel_link_settings *settings, struct cni_error *error)
{
	bool is_on = false;
	int r = cni_get_bool(object, path, key, &is_on, error);

	if (r <= 0)
		return r;
	*ret = is_on;
	settings->which |= which;
	return 0;
}

/* the content of the file */
static int parse(struct json_object *object, const char *path, struct flannel_link_settings *ret_settings,
		 struct cni_error *error)
{
	struct flannel_link_settings settings = {.size = sizeof(settings)};
	const char *mac = "";

	if (!json_object_is_type(object, json_type_object))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s: expected an object", path);
	if (cni_get_string(object, path, "mac", &mac, error) < 0 ||
	    (mac[0] != '\0' && cni_mac_parse(mac, path, settings.mac, error) < 0))
		return -1;
	if (mac[0] != '\0')
		settings.which |= FLANNEL_LINK_SETTING_MAC;
	if (parse_flag(object, path, "promisc", FLANNEL_LINK_SETTING_PROMISCUOUS, &settings.promiscuous, &settings,
		       error) < 0 ||
	    parse_number(object, path, "mtu", FLANNEL_LINK_SETTING_MTU, &settings.mtu, &settings, error) < 0 ||
	    parse_flag(object, path, "allmulti", FLANNEL_LINK_SETTING_ALL_MULTICAST, &settings.all_multicast, &settings,
		       error) < 0 ||
	    parse_number(object, path, "txQLen", FLANNEL_LINK_SETTING_QUEUE_LENGTH, &settings.queue_length, &settings,
			 error) < 0)
		return -1;
	*ret_settings = settings;
	return 0;
}

/* where a new file is written before it gets its name; NULL without memory */
static char *make_temporary_path(const char *path)
{
	char *temporary = NULL;

	return asprintf(&temporary, "%s.new", path) < 0 ? NULL : temporary;
}

/* deletes a file, if it is there */
static int remove_file(const char *path, struct cni_error *error)
{
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: remove %s: %s", path, strerror(errno));
	return 0;
}

/* where the file is; NULL without memory */
static char *make_path(const struct cni_request *request, const char *data_dir)
{
	char *path = NULL;
	int r = asprintf(&path, "%s/%s_%s.json", data_dir, request->container_id, request->ifname);

	return r < 0 ? NULL : path;
}

int cni_tuning_backup_remove_unfinished(const struct cni_request *request, const char *data_dir,
					struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *path = make_path(request, data_dir);
	CNI_CLEANUP(cni_freep) char *temporary = path ? make_temporary_path(path) : NULL;

	return temporary ? remove_file(temporary, error) : cni_fail_oom(error);
}

int cni_tuning_backup_load(const struct cni_request *request, const char *data_dir,
			   struct cni_tuning_backup *ret_backup, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = NULL;
	CNI_CLEANUP(cni_freep) char *text = NULL;
	size_t len = 0;
	int r;

	*ret_backup = (struct cni_tuning_backup){.settings.size = sizeof(ret_backup->settings)};
	ret_backup->path = make_path(request, data_dir);
	if (!ret_backup->path)
		return cni_fail_oom(error);
	r = cni_file_read(ret_backup->path, "dataDir", &text, &len, error);
	if (r <= 0)
		return r;
	if (cni_json_parse(text, len, &object, error) < 0)
		return cni_wrap(error, "dataDir: %s", ret_backup->path);
	return parse(object, ret_backup->path, &ret_backup->settings, error) < 0 ? -1 : 1;
}

/* adds one value to the object if the setting counts: 0, or -1 without memory */
static int put(struct json_object *object, const struct flannel_link_settings *settings, unsigned int which,
	       const char *key, struct json_object *value)
{
	if ((settings->which & which) && value)
		return json_object_object_add(object, key, value);
	json_object_put(value);
	return settings->which & which ? -1 : 0;
}

/* the content of the file as text, malloc()ed; NULL without memory */
static char *format(const struct flannel_link_settings *settings)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();

	if (!object ||
	    put(object, settings, FLANNEL_LINK_SETTING_MAC, "mac", json_object_new_string(settings->mac)) < 0 ||
	    put(object, settings, FLANNEL_LINK_SETTING_PROMISCUOUS, "promisc",
		json_object_new_boolean(settings->promiscuous)) < 0 ||
	    put(object, settings, FLANNEL_LINK_SETTING_MTU, "mtu", json_object_new_int64(settings->mtu)) < 0 ||
	    put(object, settings, FLANNEL_LINK_SETTING_ALL_MULTICAST, "allmulti",
		json_object_new_boolean(settings->all_multicast)) < 0 ||
	    put(object, settings, FLANNEL_LINK_SETTING_QUEUE_LENGTH, "txQLen",
		json_object_new_int64(settings->queue_length)) < 0)
		return NULL;
	return cni_format_indented(object, 1);
}

/* writes a new file in the place of path */
static int replace(const char *path, const char *text, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *temporary = make_temporary_path(path);
	CNI_CLEANUP(cni_closep) int fd = -1;

	if (!temporary)
		return cni_fail_oom(error);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (fd >= 0 && cni_write(fd, text, strlen(text)) == 0 && rename(temporary, path) == 0)
		return 0;
	(void)cni_fail(error, CNI_ERROR_INTERNAL, "dataDir: write %s: %s", path, strerror(errno));
	(void)unlink(temporary);
	return -1;
}

/* copies those settings of from that to does not have */
static void merge(struct flannel_link_settings *to, const struct flannel_link_settings *from)
{
	const unsigned int missing = from->which & ~to->which;

	if (missing & FLANNEL_LINK_SETTING_MAC)
		memcpy(to->mac, from->mac, sizeof(to->mac));
	if (missing & FLANNEL_LINK_SETTING_PROMISCUOUS)
		to->promiscuous = from->promiscuous;
	if (missing & FLANNEL_LINK_SETTING_MTU)
		to->mtu = from->mtu;
	if (missing & FLANNEL_LINK_SETTING_ALL_MULTICAST)
		to->all_multicast = from->all_multicast;
	if (missing & FLANNEL_LINK_SETTING_QUEUE_LENGTH)
		to->queue_length = from->queue_length;
	to->which |= missing;
}

int cni_tuning_backup_save(struct cni_tuning_backup *backup, const char *data_dir,
			   const struct flannel_link_settings *settings, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *text = NULL;
	int r;

	backup->before = backup->settings;
	merge(&backup->settings, settings);
	text = format(&backup->settings);
	if (!text)
		return cni_fail_oom(error);
	r = cni_file_make_directories(data_dir, MODE, "dataDir", error);
	if (r < 0)
		return -1;
	backup->made_directory = r > 0;
	return replace(backup->path, text, error);
}

void cni_tuning_backup_undo(struct cni_tuning_backup *backup, const char *data_dir)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	CNI_CLEANUP(cni_freep) char *text = backup->before.which ? format(&backup->before) : NULL;

	if (text)
		(void)replace(backup->path, text, &ignored);
	else
		(void)cni_tuning_backup_remove(backup, &ignored);
	if (backup->made_directory)
		(void)rmdir(data_dir);
}

int cni_tuning_backup_remove(const struct cni_tuning_backup *backup, struct cni_error *error)
{
	return remove_file(backup->path, error);
}
