/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/kube/config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <flannel/netconf.h>

#include "base/file.h"
#include "base/json.h"

#define FILE_MAX ((size_t)1024 * 1024)

static const char *const meaningless[] = {"SubnetLen",     "SubnetMin",     "SubnetMax",
					  "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax"};

struct filter {
	struct json_object *from, *to;
	const struct fl_log *log;
	size_t n_dropped;
};

/* is it a key that means nothing here */
static bool is_meaningless(const char *key)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(meaningless); i++)
		if (strcasecmp(key, meaningless[i]) == 0)
			return true;
	return false;
}

/* copies one member, or does not */
static int copy_member(void *userdata, const char *key)
{
	struct filter *filter = userdata;
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct json_object *value = NULL, *copy = NULL;

	if (is_meaningless(key)) {
		filter->n_dropped++;
		fl_log(filter->log, FLANNEL_LOG_INFO, "store",
		       "network configuration: %s has no effect: Kubernetes gives each node its subnet", key);
		return 0;
	}
	if (fl_json_get_any(filter->from, key, &value) <= 0)
		return 0;
	if (!value)
		return fl_json_add_null(filter->to, key);
	text = fl_json_format(value);
	if (!text || fl_json_parse(text, strlen(text), key, &copy, NULL) < 0)
		return -ENOMEM;
	return fl_json_add(filter->to, key, copy);
}

/* leaves out what means nothing here; a text that is no object stays as it is, for its reader to complain of */
static int filter_text(char **text, const struct fl_log *log)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *from = NULL;
	FL_CLEANUP(fl_json_unrefp) struct json_object *to = fl_json_object();
	struct filter filter = {.to = to, .log = log};
	char *filtered;

	if (!to)
		return -ENOMEM;
	if (fl_json_parse(*text, strlen(*text), "net-conf.json", &from, NULL) < 0 || !fl_json_is_object(from))
		return 0;
	filter.from = from;
	if (fl_json_each_key(from, copy_member, &filter) < 0)
		return -ENOMEM;
	if (!filter.n_dropped)
		return 0;
	filtered = fl_json_format(to);
	if (!filtered)
		return -ENOMEM;
	free(*text);
	*text = filtered;
	return 0;
}

int fl_kube_config_read(const char *path, const struct fl_log *log, char **ret_text, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct flannel_netconf *netconf = NULL;
	size_t len = 0;
	int r = fl_file_read(path, FILE_MAX, &text, &len, ret_error);

	if (r < 0)
		return fl_error_wrap(ret_error, r, "network configuration");
	if (strlen(text) != len)
		return fl_error_set(ret_error, -EINVAL, "config", "it contains a zero byte",
				    "read the network configuration %s", path);
	if (filter_text(&text, log) < 0)
		return fl_error_oom(ret_error);
	/* it is read once: one that is wrong would be waited for in vain */
	r = flannel_netconf_parse(text, strlen(text), &netconf, ret_error);
	flannel_netconf_unref(netconf);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "network configuration %s", path);
	*ret_text = FL_TAKE(text);
	return 0;
}
