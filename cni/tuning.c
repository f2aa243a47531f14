/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The plugin tuning: changes settings of a container's interface and of its namespace after other plugins have made it. All of
 * them, or none; DEL puts those of the interface back, from a file that ADD writes before it changes anything.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "decode.h"
#include "netns.h"
#include "plugin.h"
#include "previous.h"
#include "result.h"
#include "tuning_allowlist.h"
#include "tuning_backup.h"
#include "tuning_config.h"

/* one ADD as it goes */
struct addition {
	const struct cni_request *request;
	struct cni_tuning_config config;
	struct flannel_context *context; /* in the container's namespace */
	char **before;                   /* values of the kernel's settings, as far as they were changed; NULL for those
					    that cannot be read */
	size_t n_changed;
	struct cni_tuning_backup backup;
};

/* for CNI_CLEANUP */
static void clear_addition(struct addition *addition)
{
	for (size_t i = 0; addition->before && i < addition->config.n_sysctls; i++)
		free(addition->before[i]);
	free(addition->before);
	cni_tuning_backup_clear(&addition->backup);
	cni_tuning_config_clear(&addition->config);
	cni_context_unrefp(&addition->context);
}

/* a context in the container's namespace, which must be there */
static int enter(const struct cni_request *request, struct flannel_context **ret_context, struct cni_error *error)
{
	CNI_CLEANUP(cni_closep) int netns_fd = -1;

	if (cni_netns_require(request, &netns_fd, error) < 0)
		return -1;
	return cni_context_new(netns_fd, ret_context, error);
}

/* the result of the plugins before, with the MAC address that the interface is to have */
static int make_result(const struct addition *addition, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_result_clear) struct cni_result result = {0};
	const struct flannel_link_settings *settings = &addition->config.settings;

	if (cni_previous_require(addition->request, &result, error) < 0)
		return -1;
	for (size_t i = 0; i < result.n_interfaces && (settings->which & FLANNEL_LINK_SETTING_MAC); i++) {
		if (strcmp(result.interfaces[i].name, addition->request->ifname) != 0)
			continue;
		free(result.interfaces[i].mac);
		result.interfaces[i].mac = strdup(settings->mac);
		if (!result.interfaces[i].mac)
			return cni_fail_oom(error);
	}
	return cni_result_format(&result, addition->request->version, ret_result, error);
}

/* notes what a kernel setting is before it is changed; those that can only be written have nothing to note */
static int note_sysctl(struct addition *addition, size_t i, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	char value[FLANNEL_SYSCTL_VALUE_SIZE];
	int r = flannel_sysctl_read(addition->context, addition->config.sysctls[i].name, value, sizeof(value), &cause);

	if (r == -EACCES)
		return 0;
	if (r < 0)
		return cni_fail_flannel(error, cause, "sysctl");
	addition->before[i] = strdup(value);
	return addition->before[i] ? 0 : cni_fail_oom(error);
}

/* sets the kernel's settings one after the other */
static int set_sysctls(struct addition *addition, struct cni_error *error)
{
	addition->before = calloc(addition->config.n_sysctls + 1, sizeof(*addition->before));
	if (!addition->before)
		return cni_fail_oom(error);
	for (size_t i = 0; i < addition->config.n_sysctls; i++) {
		const struct cni_tuning_sysctl *sysctl = &addition->config.sysctls[i];
		CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

		if (note_sysctl(addition, i, error) < 0)
			return -1;
		if (flannel_sysctl_ensure(addition->context, sysctl->name, sysctl->value, &cause) < 0)
			return cni_fail_flannel(error, cause, "sysctl");
		addition->n_changed = i + 1;
	}
	return 0;
}

/* Puts the kernel's settings back, the last first. The error of what failed gets the names of those that stay. */
static void put_sysctls_back(struct addition *addition, struct cni_error *error)
{
	char stay[256] = "";

	while (addition->n_changed-- > 0) {
		const char *name = addition->config.sysctls[addition->n_changed].name;
		const char *value = addition->before[addition->n_changed];
		size_t len = strlen(stay);

		if (value && flannel_sysctl_ensure(addition->context, name, value, NULL) < 0)
			(void)snprintf(stay + len, sizeof(stay) - len, "%s%s", len > 0 ? ", " : "", name);
	}
	if (stay[0] != '\0')
		(void)cni_wrap(error, "%s could not be put back", stay);
}

/* changes the interface, with what was before in a file */
static int set_link(struct addition *addition, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const struct cni_tuning_config *config = &addition->config;
	const struct cni_request *request = addition->request;
	struct flannel_link_settings before = {.size = sizeof(before)};

	if (config->settings.which == 0)
		return 0;
	if (flannel_link_settings_get(addition->context, request->ifname, &before, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	before.which &= config->settings.which;
	/* a file that makes no sense is as good as none */
	if (cni_tuning_backup_load(request, config->data_dir, &addition->backup, &ignored) < 0 &&
	    !addition->backup.path)
		return cni_fail_oom(error);
	if (cni_tuning_backup_save(&addition->backup, config->data_dir, &before, error) == 0) {
		if (flannel_link_settings_ensure(addition->context, request->ifname, &config->settings, &cause) >= 0)
			return 0;
		(void)cni_fail_flannel(error, cause, NULL);
	}
	cni_tuning_backup_undo(&addition->backup, config->data_dir);
	return -1;
}

/* ADD. Everything that can be refused without trying is looked at before anything is done. */
static int add(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(clear_addition) struct addition addition = {.request = request};
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;

	if (cni_tuning_config_read(request, &addition.config, error) < 0 ||
	    cni_tuning_allowlist_check(&addition.config, CNI_TUNING_ALLOWLIST, error) < 0 ||
	    make_result(&addition, &result, error) < 0 || enter(request, &addition.context, error) < 0)
		return -1;
	if (set_sysctls(&addition, error) < 0 || set_link(&addition, error) < 0) {
		put_sysctls_back(&addition, error);
		return -1;
	}
	*ret_result = CNI_TAKE(result);
	return 0;
}

/* puts one setting back; what cannot be is told where an operator may see it */
static bool put_back(struct flannel_context *context, const char *ifname, struct flannel_link_settings settings,
		     unsigned int which)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;

	settings.which &= which;
	if (flannel_link_settings_ensure(context, ifname, &settings, &cause) >= 0)
		return true;
	(void)fprintf(stderr, "tuning: %s\n", flannel_error_get_message(cause));
	return false;
}

/* Puts back what the file says, each setting on its own, and removes the file once all are. -1 only for stderr. */
static int restore(const struct cni_request *request, const char *data_dir, struct cni_error *error)
{
	const unsigned int order[] = {FLANNEL_LINK_SETTING_MTU, FLANNEL_LINK_SETTING_MAC,
				      FLANNEL_LINK_SETTING_PROMISCUOUS, FLANNEL_LINK_SETTING_ALL_MULTICAST,
				      FLANNEL_LINK_SETTING_QUEUE_LENGTH};
	CNI_CLEANUP(cni_tuning_backup_clear) struct cni_tuning_backup backup = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;
	CNI_CLEANUP(cni_closep) int netns_fd = -1;
	struct flannel_link_settings now = {.size = sizeof(now)};
	bool all = true;
	int r = cni_tuning_backup_load(request, data_dir, &backup, error);

	if (r > 0)
		r = cni_netns_open(request, &netns_fd, error);
	if (r <= 0)
		return r;
	if (cni_context_new(netns_fd, &context, error) < 0)
		return -1;
	/* an interface that is gone has nothing to be put back; the file stays as the reference leaves it */
	if (flannel_link_settings_get(context, request->ifname, &now, NULL) < 0)
		return 0;
	for (size_t i = 0; i < CNI_N_ELEMENTS(order); i++)
		all = put_back(context, request->ifname, backup.settings, order[i]) && all;
	return all ? cni_tuning_backup_remove(&backup, error) : 0;
}

/* DEL. What cannot be put back must not keep the container from being taken apart. */
static int del(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *data_dir;

	(void)ret_result;
	if (cni_tuning_config_read_data_dir(request, &data_dir, error) < 0)
		return -1;
	if (cni_tuning_backup_remove_unfinished(request, data_dir, &ignored) < 0)
		(void)fprintf(stderr, "tuning: %s\n", ignored.message ? ignored.message : "not enough memory");
	cni_error_clear(&ignored);
	if (request->netns[0] != '\0' && restore(request, data_dir, &ignored) < 0)
		(void)fprintf(stderr, "tuning: %s\n", ignored.message ? ignored.message : "not enough memory");
	return 0;
}

/* are the kernel's settings as they should be */
static int check_sysctls(struct flannel_context *context, const struct cni_tuning_config *config,
			 struct cni_error *error)
{
	for (size_t i = 0; i < config->n_sysctls; i++) {
		const struct cni_tuning_sysctl *sysctl = &config->sysctls[i];
		CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
		char value[FLANNEL_SYSCTL_VALUE_SIZE];
		int r = flannel_sysctl_read(context, sysctl->name, value, sizeof(value), &cause);

		if (r == -EACCES)
			continue; /* it can only be written */
		if (r < 0)
			return cni_fail_flannel(error, cause, "sysctl");
		if (!flannel_sysctl_equal(value, sysctl->value))
			return cni_fail(error, CNI_ERROR_INTERNAL, "sysctl %s is \"%s\", expected \"%s\"", sysctl->name,
					value, sysctl->value);
	}
	return 0;
}

/* compares a number of the interface */
static int check_number(unsigned int counts, const char *ifname, const char *what, uint32_t found, uint32_t expected,
			struct cni_error *error)
{
	if (!counts || found == expected)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s of %s is %u, expected %u", what, ifname, found, expected);
}

/* compares a mode of the interface */
static int check_mode(unsigned int counts, const char *ifname, const char *what, int found, int expected,
		      struct cni_error *error)
{
	if (!counts || !found == !expected)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL, "%s of %s is %s, expected %s", what, ifname, found ? "on" : "off",
			expected ? "on" : "off");
}

/* is the interface as it should be; promiscuous mode that nobody asked for is wrong as well */
static int check_link(struct flannel_context *context, const char *ifname, const struct flannel_link_settings *wanted,
		      struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	struct flannel_link_settings found = {.size = sizeof(found)};

	if (flannel_link_settings_get(context, ifname, &found, &cause) < 0)
		return cni_fail_flannel(error, cause, NULL);
	if ((wanted->which & FLANNEL_LINK_SETTING_MAC) && strcmp(found.mac, wanted->mac) != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "MAC address of %s is \"%s\", expected \"%s\"", ifname,
				found.mac, wanted->mac);
	if (check_mode(1, ifname, "promiscuous mode", found.promiscuous, wanted->promiscuous, error) < 0 ||
	    check_number(wanted->which & FLANNEL_LINK_SETTING_MTU, ifname, "MTU", found.mtu, wanted->mtu, error) < 0 ||
	    check_mode(wanted->which & FLANNEL_LINK_SETTING_ALL_MULTICAST, ifname, "all-multicast mode",
		       found.all_multicast, wanted->all_multicast, error) < 0)
		return -1;
	return check_number(wanted->which & FLANNEL_LINK_SETTING_QUEUE_LENGTH, ifname, "queue length",
			    found.queue_length, wanted->queue_length, error);
}

/* CHECK */
static int check(const struct cni_request *request, struct json_object **ret_result, struct cni_error *error)
{
	CNI_CLEANUP(cni_tuning_config_clear) struct cni_tuning_config config = {0};
	CNI_CLEANUP(cni_result_clear) struct cni_result previous = {0};
	CNI_CLEANUP(cni_context_unrefp) struct flannel_context *context = NULL;

	(void)ret_result;
	if (cni_tuning_config_read(request, &config, error) < 0 ||
	    cni_previous_require(request, &previous, error) < 0 || enter(request, &context, error) < 0 ||
	    check_sysctls(context, &config, error) < 0)
		return -1;
	return check_link(context, request->ifname, &config.settings, error);
}

const struct cni_plugin cni_plugin_tuning = {
	.name = "tuning",
	.about = "CNI tuning plugin " FLANNEL_VERSION " (libflannel)",
	.run = {[CNI_VERB_ADD] = add, [CNI_VERB_DEL] = del, [CNI_VERB_CHECK] = check},
};
