/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tuning_config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "cleanup.h"
#include "common_keys.h"
#include "decode.h"
#include "mac.h"
#include "unique_keys.h"

/* in a key: the container's interface */
#define IFNAME "IFNAME"

/* Turns a key into the name of a setting: dots are slashes, the first IFNAME is the interface, and slashes too many do no harm. */
static char *make_name(const char *key, const char *ifname)
{
	size_t len = strlen(key) + strlen(ifname);
	char *name = malloc(len + 1);
	const char *placeholder = strstr(key, IFNAME);
	size_t n = 0;

	for (const char *at = key; name && *at != '\0'; at++) {
		if (at == placeholder) {
			memcpy(name + n, ifname, strlen(ifname));
			n += strlen(ifname);
			at += strlen(IFNAME) - 1;
		} else if (*at != '.' && *at != '/') {
			name[n++] = *at;
		} else if (n > 0 && name[n - 1] != '/') {
			name[n++] = '/';
		}
	}
	while (name && n > 0 && name[n - 1] == '/')
		n--;
	if (name)
		name[n] = '\0';
	return name;
}

/* Is a name below net/? The library looks closer; here it is so that nothing is done before the mistake is told. */
static int check_name(const struct cni_tuning_sysctl *sysctl, const char *path, struct cni_error *error)
{
	if (strncmp(sysctl->name, "net/", strlen("net/")) == 0 && strlen(sysctl->name) <= FLANNEL_SYSCTL_NAME_MAX)
		return 0;
	return cni_fail(error, CNI_ERROR_INTERNAL,
			"%s names %.*s, expected a setting below net., such as net.ipv4.conf.IFNAME.arp_notify", path,
			FLANNEL_SYSCTL_NAME_MAX, sysctl->name);
}

/* the setting of that name that was read before, NULL for none */
static struct cni_tuning_sysctl *find(const struct cni_tuning_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sysctls; i++) {
		if (strcmp(config->sysctls[i].name, name) == 0)
			return &config->sysctls[i];
	}
	return NULL;
}

/* Adds one setting. One that an earlier source named gets the new value; n_before is how many those sources had. */
static int add_sysctl(struct cni_tuning_config *config, size_t n_before, struct cni_tuning_sysctl sysctl,
		      const char *path, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *name = sysctl.name;
	struct cni_tuning_sysctl *former = find(config, name);

	if (check_name(&sysctl, path, error) < 0)
		return -1;
	if (former && former >= config->sysctls + n_before)
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s names %s twice, as %s and %s, expected it once", path,
				name, former->key, sysctl.key);
	if (former) {
		former->key = sysctl.key;
		former->value = sysctl.value;
		return 0;
	}
	config->sysctls[config->n_sysctls++] = sysctl;
	name = NULL;
	return 0;
}

/* the settings of one source; their keys are exact */
static int read_sysctls(struct json_object *object, const char *path, const struct cni_request *request,
			struct cni_tuning_config *config, struct cni_error *error)
{
	struct json_object *map = NULL;
	size_t n_before = config->n_sysctls;
	struct cni_tuning_sysctl *larger;
	char map_path[CNI_PATH_SIZE];
	int r = cni_get_object(object, path, "sysctl", &map, error);

	if (r <= 0)
		return r;
	(void)cni_path_join(map_path, path, "sysctl");
	larger = reallocarray(config->sysctls, n_before + (size_t)json_object_object_length(map) + 1, sizeof(*larger));
	if (!larger)
		return cni_fail_oom(error);
	config->sysctls = larger;
	json_object_object_foreach(map, key, value)
	{
		struct cni_tuning_sysctl sysctl = {.key = key, .value = json_object_get_string(value)};

		if (!json_object_is_type(value, json_type_string) ||
		    strlen(sysctl.value) != (size_t)json_object_get_string_len(value))
			return cni_fail(error, CNI_ERROR_INTERNAL, "%s: %s is %s, expected a string", map_path, key,
					json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
		sysctl.name = make_name(key, request->ifname);
		if (!sysctl.name)
			return cni_fail_oom(error);
		if (add_sysctl(config, n_before, sysctl, map_path, error) < 0)
			return -1;
	}
	return 0;
}

/* an integer that, if it is there, becomes a setting: 1, 0, -1 */
static int read_number(struct json_object *object, const char *path, const char *key, int64_t max, uint32_t *ret,
		       struct cni_error *error)
{
	int64_t number = 0;
	int r = cni_get_int(object, path, key, 0, max, &number, error);

	if (r > 0)
		*ret = (uint32_t)number;
	return r;
}

/* takes a setting into account, or out of it */
static void mark(struct flannel_link_settings *settings, unsigned int which, bool counts)
{
	settings->which = counts ? settings->which | which : settings->which & ~which;
}

/* the keys that stand both at the top and in args.cni, but for the MAC address; what is read later counts */
static int read_settings(struct json_object *object, const char *path, const struct cni_request *request,
			 struct cni_tuning_config *config, struct cni_error *error)
{
	struct flannel_link_settings *settings = &config->settings;
	bool is_on = false;
	int r = cni_get_bool(object, path, "promisc", &is_on, error);

	if (r < 0)
		return -1;
	if (r > 0) {
		settings->promiscuous = is_on;
		mark(settings, FLANNEL_LINK_SETTING_PROMISCUOUS, is_on);
	}
	r = read_number(object, path, "mtu", INT32_MAX, &settings->mtu, error);
	if (r < 0)
		return -1;
	if (r > 0)
		mark(settings, FLANNEL_LINK_SETTING_MTU, settings->mtu > 0);
	r = cni_get_bool(object, path, "allmulti", &is_on, error);
	if (r < 0)
		return -1;
	if (r > 0) {
		settings->all_multicast = is_on;
		mark(settings, FLANNEL_LINK_SETTING_ALL_MULTICAST, true);
	}
	r = read_number(object, path, "txQLen", INT32_MAX, &settings->queue_length, error);
	if (r < 0)
		return -1;
	if (r > 0)
		mark(settings, FLANNEL_LINK_SETTING_QUEUE_LENGTH, true);
	return read_sysctls(object, path, request, config, error);
}

/* a MAC address under a key, if one is given: 1, 0, -1. "" is none. */
static int read_mac(struct json_object *object, const char *path, struct cni_tuning_config *config,
		    struct cni_error *error)
{
	const char *text = "";
	char key[CNI_PATH_SIZE];
	int r = object ? cni_get_string(object, path, "mac", &text, error) : 0;

	if (r < 0)
		return -1;
	if (text[0] == '\0')
		return 0;
	if (cni_mac_parse(text, cni_path_join(key, path, "mac"), config->settings.mac, error) < 0)
		return -1;
	mark(&config->settings, FLANNEL_LINK_SETTING_MAC, true);
	return 1;
}

/* the MAC address of CNI_ARGS: 1, 0, -1 */
static int read_mac_argument(const struct cni_request *request, struct cni_tuning_config *config,
			     struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *text = NULL;

	if (cni_args_get(request->args, "MAC", &text, error) < 0)
		return -1;
	if (!text || text[0] == '\0')
		return 0;
	if (cni_mac_parse(text, "CNI_ARGS MAC", config->settings.mac, error) < 0)
		return -1;
	mark(&config->settings, FLANNEL_LINK_SETTING_MAC, true);
	return 1;
}

int cni_tuning_config_read_data_dir(const struct cni_request *request, const char **ret_data_dir,
				    struct cni_error *error)
{
	const char *text = "";

	if (cni_get_string(request->config, "", "dataDir", &text, error) < 0)
		return -1;
	*ret_data_dir = text[0] != '\0' ? text : CNI_TUNING_DATA_DIR;
	return 0;
}

int cni_tuning_config_read(const struct cni_request *request, struct cni_tuning_config *ret_config,
			   struct cni_error *error)
{
	CNI_CLEANUP(cni_tuning_config_clear)
	struct cni_tuning_config config = {.settings.size = sizeof(config.settings)};
	struct json_object *runtime = NULL;
	struct json_object *args = NULL;

	if (cni_config_check_common(request->config, error) < 0 ||
	    cni_tuning_config_read_data_dir(request, &config.data_dir, error) < 0 ||
	    cni_unique_keys_check(request->text, request->text_len, "sysctl", error) < 0 ||
	    cni_get_object(request->config, "", "runtimeConfig", &runtime, error) < 0 ||
	    cni_config_get_nested(request->config, "args", "cni", &args, error) < 0 ||
	    read_settings(request->config, "", request, &config, error) < 0 ||
	    (args && read_settings(args, "args.cni", request, &config, error) < 0))
		return -1;
	/* the weaker ones are looked at as well: a mistake in one should not wait until a stronger one is gone */
	if (read_mac(request->config, "", &config, error) < 0 || read_mac_argument(request, &config, error) < 0 ||
	    read_mac(runtime, "runtimeConfig", &config, error) < 0 || read_mac(args, "args.cni", &config, error) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

void cni_tuning_config_clear(struct cni_tuning_config *config)
{
	for (size_t i = 0; i < config->n_sysctls; i++)
		free(config->sysctls[i].name);
	free(config->sysctls);
	memset(config, 0, sizeof(*config));
}
