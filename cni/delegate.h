/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_DELEGATE_H
#define CNI_DELEGATE_H

/*
 * Delegation: one plugin runs another, which is found in CNI_PATH. If what is found there is this very executable, or nothing is found and
 * there is a plugin of that name in here, it is a function call; else a program is run.
 */

#include "plugin.h"

struct cni_delegate {
	const struct cni_plugin *plugin; /* in this process; NULL: run the program at path */
	char *path;
};

/* Can type be the name of a plugin at all? key is where it stands in the configuration. */
int cni_delegate_check_type(const char *key, const char *type, struct cni_error *error);

/* looks a plugin up; type is its name, key is where the name stands in the configuration */
int cni_delegate_find(const struct cni_request *request, const char *key, const char *type,
		      struct cni_delegate *ret_delegate, struct cni_error *error);

/*
 * Runs the verb of the request, of which text, text_len and config are the delegate's configuration. An error of the delegate
 * comes out unchanged. ADD sets *ret_result to what the delegate answered, an object with a cniVersion.
 */
int cni_delegate_run(const struct cni_delegate *delegate, const struct cni_request *request,
		     struct json_object **ret_result, struct cni_error *error);

void cni_delegate_clear(struct cni_delegate *delegate);

#endif
