/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "delegate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "decode.h"
#include "process.h"
#include "protocol.h"
#include "version.h"

/* how much of a program's output a message shows */
#define SHOWN_MAX 500

/* is a file this executable */
static bool is_self(const struct stat *file)
{
	struct stat self;

	return stat("/proc/self/exe", &self) == 0 && self.st_dev == file->st_dev && self.st_ino == file->st_ino;
}

/* Looks for a regular file in one directory of CNI_PATH, of which len bytes count: 1 with *ret_path, 0, -1. */
static int look_in(const char *directory, size_t len, const char *type, char **ret_path, struct stat *ret_file,
		   struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *path = NULL;

	if (len == 0)
		return 0;
	if (asprintf(&path, "%.*s/%s", (int)len, directory, type) < 0) {
		path = NULL;
		return cni_fail_oom(error);
	}
	if (stat(path, ret_file) < 0 || !S_ISREG(ret_file->st_mode))
		return 0;
	*ret_path = CNI_TAKE(path);
	return 1;
}

int cni_delegate_check_type(const char *key, const char *type, struct cni_error *error)
{
	if (type[0] != '\0' && !strchr(type, '/') && strcmp(type, ".") != 0 && strcmp(type, "..") != 0)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", expected the name of a plugin", key, type);
}

int cni_delegate_find(const struct cni_request *request, const char *key, const char *type,
		      struct cni_delegate *ret_delegate, struct cni_error *error)
{
	struct cni_delegate delegate = {.plugin = cni_plugin_find(type)};
	const char *at = request->path;
	struct stat file = {0};
	int r = 0;

	if (cni_delegate_check_type(key, type, error) < 0)
		return -1;
	while (r == 0) {
		size_t len = strcspn(at, ":");

		r = look_in(at, len, type, &delegate.path, &file, error);
		if (r < 0)
			return -1;
		if (r == 0 && at[len] == '\0')
			break;
		at += len + 1;
	}
	if (r == 0 && !delegate.plugin)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", but there is no such plugin in CNI_PATH (%s)",
				key, type, request->path);
	if (r > 0 && !is_self(&file)) {
		delegate.plugin = NULL;
	} else if (!delegate.plugin) {
		free(delegate.path);
		return cni_fail(
			error, CNI_ERROR_INTERNAL,
			"%s is \"%s\", which CNI_PATH has as another name of this program, expected one of its plugins",
			key, type);
	}
	*ret_delegate = delegate;
	return 0;
}

void cni_delegate_clear(struct cni_delegate *delegate)
{
	free(delegate->path);
	memset(delegate, 0, sizeof(*delegate));
}

/* a delegate in this process gets the request as it would get it from outside */
static int run_here(const struct cni_plugin *plugin, const struct cni_request *request, struct json_object **ret_result,
		    struct cni_error *error)
{
	struct cni_request inner = *request;

	if (cni_protocol_read_config(&inner, error) < 0)
		return -1;
	return cni_protocol_run(plugin, &inner, ret_result, error);
}

/* the error of a program that failed: its own error object, or what else it left to be seen */
static int fail_answer(const char *path, const struct cni_answer *answer, struct cni_error *error)
{
	char how[40];

	if (answer->out_len > 0 && cni_error_parse(answer->out, answer->out_len, error))
		return -1;
	if (WIFSIGNALED(answer->status))
		(void)snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(answer->status));
	else
		(void)snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(answer->status));
	if (answer->out_len > 0)
		return cni_fail(error, CNI_ERROR_UNKNOWN, "%s failed (%s) and printed no error object, but \"%.*s\"",
				path, how, SHOWN_MAX, answer->out);
	if (answer->err_len > 0)
		return cni_fail(error, CNI_ERROR_UNKNOWN, "%s failed (%s): %.*s", path, how, SHOWN_MAX, answer->err);
	return cni_fail(error, CNI_ERROR_UNKNOWN, "%s failed (%s) without a message", path, how);
}

/* the result that a program printed; one without a version gets that of the configuration */
static int parse_answer(const char *path, const struct cni_answer *answer, const char *version,
			struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;
	const char *own = "";

	if (cni_json_parse(answer->out, answer->out_len, &result, error) < 0) {
		error->code = CNI_ERROR_INTERNAL;
		return cni_wrap(error, "result of %s", path);
	}
	if (!result)
		result = json_object_new_object();
	if (!json_object_is_type(result, json_type_object))
		return cni_fail(error, CNI_ERROR_INTERNAL, "result of %s: expected an object", path);
	if (cni_get_string(result, "", "cniVersion", &own, error) < 0)
		return cni_wrap(error, "result of %s", path);
	if (own[0] == '\0' && json_object_object_add(result, "cniVersion", json_object_new_string(version)) < 0)
		return cni_fail_oom(error);
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* runs the program */
static int run_program(const char *path, const struct cni_request *request, struct json_object **ret_result,
		       struct cni_error *error)
{
	CNI_CLEANUP(cni_answer_clear) struct cni_answer answer = {0};
	const char *version = "";

	if (cni_process_run(path, request, &answer, error) < 0)
		return -1;
	if (!WIFEXITED(answer.status) || WEXITSTATUS(answer.status) != 0)
		return fail_answer(path, &answer, error);
	(void)fwrite(answer.err, 1, answer.err_len, stderr);
	if (request->verb != CNI_VERB_ADD)
		return 0;
	if (cni_get_string(request->config, "", "cniVersion", &version, error) < 0)
		return -1;
	return parse_answer(path, &answer, version[0] != '\0' ? version : CNI_VERSION_OLDEST, ret_result, error);
}

int cni_delegate_run(const struct cni_delegate *delegate, const struct cni_request *request,
		     struct json_object **ret_result, struct cni_error *error)
{
	if (delegate->plugin)
		return run_here(delegate->plugin, request, ret_result, error);
	return run_program(delegate->path, request, ret_result, error);
}
