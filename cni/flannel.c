/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin flannel: makes the configuration of another plugin (bridge, if nothing else is said) out of its own and of what
 * flanneld has written to subnet.env, and runs it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachments.h"
#include "cleanup.h"
#include "daemon.h"
#include "decode.h"
#include "delegate.h"
#include "flannel_config.h"
#include "flannel_delegate.h"
#include "flannel_gc.h"
#include "flannel_state.h"
#include "plugin.h"
#include "print.h"
#include "result.h"
#include "subnet_env.h"

/* reads what the node has; if that fails, flanneld may know why */
static int read_env(const struct cni_flannel_config *config, struct cni_subnet_env *env, struct cni_error *error)
{
	if (cni_subnet_env_read(config->subnet_file, env, error) < 0)
		return cni_daemon_explain(config->subnet_file, error);
	return 0;
}

/* makes the delegate's configuration from everything that is known */
static int prepare(const struct cni_request *request, const struct cni_flannel_config *config,
		   struct json_object **ret_delegate, struct cni_error *error)
{
	CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};

	if (read_env(config, &env, error) < 0)
		return -1;
	return cni_flannel_config_make_delegate(request, config, &env, ret_delegate, error);
}

/* the same for DEL and GC, which need nothing of what the node has, and must work without it */
static int prepare_removal(const struct cni_request *request, const struct cni_flannel_config *config,
			   struct json_object **ret_delegate, struct cni_error *error)
{
	CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};

	(void)cni_subnet_env_read(config->subnet_file, &env, &ignored);
	return cni_flannel_config_make_delegate(request, config, &env, ret_delegate, error);
}

/* a delegate's answer is handed on as it is, if it is a result */
static int check_result(const struct cni_request *request, struct json_object *result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result ignored = {0};

	return cni_result_parse(result, request->version, "result of the delegate", &ignored, error);
}

/*
 * Runs the delegate's ADD. One of this executable leaves nothing behind when it fails, so nothing is to be remembered. What
 * another program leaves, only its DEL knows; it gets that when the runtime runs DEL, as it must after a failed ADD, too.
 * Whatever was remembered before counts on, since the attachment that it is of may still be there.
 */
static int add_with_state(const struct cni_request *request, const struct cni_flannel_config *config,
			  struct json_object *delegate_config, const char *text, const struct cni_flannel_state *state,
			  struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_delegate_clear) struct cni_delegate delegate = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;

	if (cni_flannel_delegate_find(request, delegate_config, &delegate, error) < 0 ||
	    cni_flannel_delegate_run(request, &delegate, delegate_config, text, &result, error) < 0) {
		if (delegate.plugin || state->former)
			cni_flannel_state_undo(state, request, config->data_dir);
		return -1;
	}
	if (check_result(request, result, error) < 0)
		return -1;
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* ADD. What DEL will need is written before the delegate runs, so that an ADD that is killed can be undone. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *delegate = NULL;
	CNI_CLEANUP(cni_freep) char *text = NULL;
	struct cni_flannel_config config;

	if (cni_flannel_config_read(request, &config, error) < 0 || prepare(request, &config, &delegate, error) < 0)
		return -1;
	text = cni_format_compact(delegate, 1);
	if (!text)
		return cni_fail_oom(error);
	if (cni_flannel_state_save(request, config.data_dir, text, &state, error) < 0)
		return -1;
	return add_with_state(request, &config, delegate, text, &state, ret_result, error);
}

/* What DEL hands to the delegate: what ADD has saved, or, if that is damaged, what ADD would save today. */
static int restore(const struct cni_request *request, const struct cni_flannel_config *config,
		   const struct cni_flannel_state *state, struct json_object **ret_delegate, char **ret_text,
		   struct cni_error *error)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error damage = {0};

	if (cni_flannel_delegate_parse(state, ret_delegate, &damage) == 0) {
		*ret_text = strdup(state->text);
	} else {
		(void)fprintf(stderr, "%s; using a new configuration for DEL\n", damage.message ? damage.message : "");
		if (prepare_removal(request, config, ret_delegate, error) < 0)
			return -1;
		*ret_text = cni_format_compact(*ret_delegate, 1);
	}
	return *ret_text ? 0 : cni_fail_oom(error);
}

/* DEL, with what ADD has saved; it is kept until the delegate has succeeded, so that DEL can be repeated */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	CNI_CLEANUP(cni_delegate_clear) struct cni_delegate delegate = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *saved = NULL;
	CNI_CLEANUP(cni_freep) char *text = NULL;
	struct cni_flannel_config config;
	int r;

	if (cni_flannel_config_read(request, &config, error) < 0 ||
	    cni_flannel_state_remove_unfinished(request, config.data_dir, error) < 0)
		return -1;
	r = cni_flannel_state_load(request, config.data_dir, &state, error);
	if (r <= 0)
		return r;
	if (restore(request, &config, &state, &saved, &text, error) < 0 ||
	    cni_flannel_delegate_find(request, saved, &delegate, error) < 0 ||
	    cni_flannel_delegate_run(request, &delegate, saved, text, ret_result, error) < 0)
		return -1;
	return cni_flannel_state_remove(&state, error);
}

/* sets a key of the delegate's configuration to a value of ours, unless that is NULL */
static int hand_on(struct json_object *delegate, const char *key, struct json_object *value, struct cni_error *error)
{
	if (!value || json_object_object_add(delegate, key, json_object_get(value)) == 0)
		return 0;
	json_object_put(value);
	return cni_fail_oom(error);
}

/*
 * May the delegate be asked for CHECK? Not with a result of another form than the configuration's version has: a delegate must
 * refuse that, although it was its own answer to ADD.
 */
static bool can_check(const struct cni_request *request, struct json_object *previous)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};

	return !previous || cni_result_parse_previous(previous, request->version, &result, &ignored) == 0;
}

/* CHECK is the delegate's, with the configuration of ADD and the result that the runtime remembers */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_state_clear) struct cni_flannel_state state = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *saved = NULL;
	struct cni_flannel_config config;
	struct json_object *previous = NULL;
	int r;

	(void)ret_result;
	if (cni_flannel_config_read(request, &config, error) < 0 ||
	    cni_get_object(request->config, "", "prevResult", &previous, error) < 0)
		return -1;
	if (!can_check(request, previous))
		return 0;
	r = cni_flannel_state_load(request, config.data_dir, &state, error);
	if (r < 0)
		return -1;
	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"dataDir %s has nothing of %s in container %s: no ADD succeeded", config.data_dir,
				request->ifname, request->container_id);
	if (cni_flannel_delegate_parse(&state, &saved, error) < 0 ||
	    hand_on(saved, "prevResult", previous, error) < 0 ||
	    hand_on(saved, "runtimeConfig", config.runtime, error) < 0)
		return -1;
	return cni_flannel_delegate_call(request, saved, error);
}

/* STATUS: could ADD serve now? It can if flanneld has written its file, whether or not it runs, and the delegate can. */
static int status(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *generated = NULL;
	struct cni_flannel_config config;

	(void)ret_result;
	if (cni_flannel_config_read(request, &config, error) < 0)
		return -1;
	if (read_env(&config, &env, error) < 0) {
		error->code = CNI_ERROR_UNAVAILABLE;
		return -1;
	}
	if (cni_flannel_config_make_delegate(request, &config, &env, &generated, error) < 0)
		return -1;
	return cni_flannel_delegate_call(request, generated, error);
}

/* hands both lists of what is in use on, the second of which has the name that a draft gave it */
static int hand_on_lists(const struct cni_request *request, struct json_object *delegate, struct cni_error *error)
{
	const char *const keys[] = {"cni.dev/valid-attachments", "cni.dev/attachments"};

	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++) {
		struct json_object *list = NULL;

		if (cni_get_array(request->config, "", keys[i], &list, error) < 0 ||
		    hand_on(delegate, keys[i], list, error) < 0)
			return -1;
	}
	return 0;
}

/* GC: our own first, since the delegate's DEL needs what is saved; then the delegate's. The first failure is told. */
static int gc(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_attachments_clear) struct cni_attachments valid = {0};
	CNI_CLEANUP(cni_json_putp) struct json_object *generated = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error later = {0};
	struct cni_flannel_config config;
	int given;
	int r = 0;

	(void)ret_result;
	if (cni_flannel_config_read(request, &config, error) < 0 ||
	    prepare_removal(request, &config, &generated, error) < 0 || hand_on_lists(request, generated, error) < 0)
		return -1;
	given = cni_attachments_read(request->config, &valid, error);
	if (given < 0)
		return -1;
	if (given > 0)
		r = cni_flannel_gc(request, config.data_dir, &valid, error);
	if (cni_flannel_delegate_call(request, generated, r == 0 ? error : &later) < 0)
		r = -1;
	return r;
}

const struct cni_plugin cni_plugin_flannel = {
	.name = "flannel",
	.about = "CNI Plugin flannel version " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add,
		[CNI_VERB_DEL] = del,
		[CNI_VERB_CHECK] = check,
		[CNI_VERB_STATUS] = status,
		[CNI_VERB_GC] = gc},
};
