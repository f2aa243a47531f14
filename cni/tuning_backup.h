/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_TUNING_BACKUP_H
#define CNI_TUNING_BACKUP_H

/*
 * What the settings of a container's interface were before the plugin tuning changed them: a file for each interface, byte for
 * byte as the reference plugin writes it, so that either can put back what the other changed.
 */

#include <flannel/link.h>

#include "plugin.h"

struct cni_tuning_backup {
	char *path;
	struct flannel_link_settings settings; /* what is in the file; nothing if there is none */
	struct flannel_link_settings before;   /* what was in it before cni_tuning_backup_save(), for its undoing */
	bool made_directory;
};

/* Deletes what a save left that was killed before the file was whole. */
int cni_tuning_backup_remove_unfinished(const struct cni_request *request, const char *data_dir,
					struct cni_error *error);

/* Reads the file: 1, 0 if there is none, -1 if it makes no sense. ret_backup is set unless there is no memory. */
int cni_tuning_backup_load(const struct cni_request *request, const char *data_dir,
			   struct cni_tuning_backup *ret_backup, struct cni_error *error);

/*
 * Adds the settings that it does not know yet: those of an earlier ADD are older, and what DEL should bring back. backup
 * comes from cni_tuning_backup_load(). The file is replaced as a whole.
 */
int cni_tuning_backup_save(struct cni_tuning_backup *backup, const char *data_dir,
			   const struct flannel_link_settings *settings, struct cni_error *error);

/* makes the file as it was before it was saved */
void cni_tuning_backup_undo(struct cni_tuning_backup *backup, const char *data_dir);

/* removes the file */
int cni_tuning_backup_remove(const struct cni_tuning_backup *backup, struct cni_error *error);

void cni_tuning_backup_clear(struct cni_tuning_backup *backup);

#endif
