/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/netconf/netconf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

#define ORIGIN FL_NETCONF_ORIGIN

/* what flannel uses when there is no Backend at all; kept, though its manual says vxlan */
#define BACKEND_WITHOUT_KEY "udp"

struct flannel_netconf {
	atomic_uint n_refs;
	struct fl_netconf_family families[FL_NETCONF_FAMILIES];
	bool nftables;
	char *text;
	char *backend_type;
	char *backend_text;
	struct json_object *backend_settings; /* Backend without Type, keys in lower case, for comparing */
	struct fl_netconf_warnings warnings;
};

FL_DEFINE_CLEANUP(struct flannel_netconf *, flannel_netconf_unref)

int fl_netconf_warn(struct fl_netconf_warnings *warnings, const char *format, ...)
{
	char **grown = realloc(warnings->list, (warnings->n + 1) * sizeof(*grown));
	va_list arguments;
	char *text;
	int r;

	if (!grown)
		return -ENOMEM;
	warnings->list = grown;
	va_start(arguments, format);
	r = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -ENOMEM;
	warnings->list[warnings->n++] = text;
	return 0;
}

/* a copy in lower case; A to Z only, whatever the locale */
static char *lower_case(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return copy;
}

struct copy_settings {
	struct json_object *from;
	struct json_object *to;
};

/* copies one key of Backend in the form in which settings are compared */
static int copy_setting(void *userdata, const char *key)
{
	struct copy_settings *copy = userdata;
	FL_CLEANUP(fl_freep) char *lower = lower_case(key);
	FL_CLEANUP(fl_freep) char *text = NULL;
	struct json_object *value;

	if (!lower)
		return -ENOMEM;
	if (strcmp(lower, "type") == 0 || fl_json_get_any(copy->from, key, &value) != 1 || !value)
		return 0;
	text = fl_json_format(value);
	if (!text || fl_json_parse(text, strlen(text), ORIGIN ": Backend", &value, NULL) < 0)
		return -ENOMEM;
	return fl_json_add(copy->to, lower, value);
}

/* reads Backend: its type, its text, and its settings for comparing */
static int load_backend(struct flannel_netconf *netconf, struct json_object *object, struct flannel_error **ret_error)
{
	struct json_object *backend = NULL, *any;
	struct copy_settings copy;
	const char *type = "";
	int r;

	r = fl_json_get_object(object, ORIGIN, "Backend", &backend, ret_error);
	if (r < 0)
		return r;
	if (backend) {
		r = fl_json_get_string(backend, ORIGIN ": Backend", "Type", &type, ret_error);
		if (r < 0)
			return r;
	} else if (fl_json_get_any(object, "Backend", &any) != 1) {
		type = BACKEND_WITHOUT_KEY; /* null is another matter: it has no type, as {} */
	}
	netconf->backend_type = lower_case(type);
	netconf->backend_text = backend ? fl_json_format(backend) : strdup("{}");
	netconf->backend_settings = fl_json_object();
	if (!netconf->backend_type || !netconf->backend_text || !netconf->backend_settings)
		return fl_error_oom(ret_error);
	copy = (struct copy_settings){.from = backend, .to = netconf->backend_settings};
	if (backend && fl_json_each_key(backend, copy_setting, &copy) < 0)
		return fl_error_oom(ret_error);
	return 0;
}

/* warns of a key that nobody reads, most likely misspelt */
static int warn_of_unknown(void *userdata, const char *key)
{
	if (fl_netconf_is_family_key(key) || strcasecmp(key, "Backend") == 0 || strcasecmp(key, "EnableNFTables") == 0)
		return 0;
	return fl_netconf_warn(userdata, "unknown key \"%.80s\"", key);
}

/* fills a configuration from its JSON object */
static int load(struct flannel_netconf *netconf, struct json_object *object, struct flannel_error **ret_error)
{
	int r;

	r = fl_netconf_load_families(object, netconf->families, &netconf->warnings, ret_error);
	if (r < 0)
		return r;
	r = fl_json_get_bool(object, ORIGIN, "EnableNFTables", &netconf->nftables, ret_error);
	if (r < 0)
		return r;
	r = load_backend(netconf, object, ret_error);
	if (r < 0)
		return r;
	if (fl_json_each_key(object, warn_of_unknown, &netconf->warnings) < 0)
		return fl_error_oom(ret_error);
	return 0;
}

int flannel_netconf_parse(const char *text, size_t len, struct flannel_netconf **ret_netconf,
			  struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_netconf_unrefp) struct flannel_netconf *netconf = NULL;
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	int r;

	if (!text || !ret_netconf)
		return fl_error_set(ret_error, -EINVAL, "argument", "text or ret_netconf is NULL",
				    "parse network configuration");
	r = fl_json_parse(text, len, ORIGIN, &object, ret_error);
	if (r < 0)
		return r;
	if (!fl_json_is_object(object))
		return fl_error_set(ret_error, -EINVAL, "config", "expected a JSON object", ORIGIN);
	netconf = calloc(1, sizeof(*netconf));
	if (!netconf)
		return fl_error_oom(ret_error);
	atomic_init(&netconf->n_refs, 1);
	netconf->text = malloc(len + 1);
	if (!netconf->text)
		return fl_error_oom(ret_error);
	memcpy(netconf->text, text, len);
	netconf->text[len] = '\0';
	r = load(netconf, object, ret_error);
	if (r < 0)
		return r;
	*ret_netconf = FL_TAKE(netconf);
	return 0;
}

struct flannel_netconf *flannel_netconf_ref(struct flannel_netconf *netconf)
{
	if (netconf)
		atomic_fetch_add_explicit(&netconf->n_refs, 1, memory_order_relaxed);
	return netconf;
}

struct flannel_netconf *flannel_netconf_unref(struct flannel_netconf *netconf)
{
	if (!netconf || atomic_fetch_sub_explicit(&netconf->n_refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	for (size_t i = 0; i < netconf->warnings.n; i++)
		free(netconf->warnings.list[i]);
	free(netconf->warnings.list);
	fl_json_unref(netconf->backend_settings);
	free(netconf->backend_text);
	free(netconf->backend_type);
	free(netconf->text);
	free(netconf);
	return NULL;
}

const char *flannel_netconf_get_text(const struct flannel_netconf *netconf)
{
	return netconf ? netconf->text : "";
}

/* are both off, or both on with the same values */
static bool family_equal(const struct fl_netconf_family *a, const struct fl_netconf_family *b)
{
	return a->enabled == b->enabled && flannel_prefix_compare(&a->network, &b->network) == 0 &&
	       flannel_prefix_compare(&a->first, &b->first) == 0 && flannel_prefix_compare(&a->last, &b->last) == 0;
}

int flannel_netconf_equal(const struct flannel_netconf *a, const struct flannel_netconf *b)
{
	if (!a || !b)
		return 0;
	for (size_t i = 0; i < FL_NETCONF_FAMILIES; i++)
		if (!family_equal(&a->families[i], &b->families[i]))
			return 0;
	return a->nftables == b->nftables && strcmp(a->backend_type, b->backend_type) == 0 &&
	       fl_json_equal(a->backend_settings, b->backend_settings);
}

/* keys of a family, in the order of the comparison below */
enum family_key { KEY_ENABLE, KEY_NETWORK, KEY_LEN, KEY_MIN, KEY_MAX, N_FAMILY_KEYS };
static const char *const family_keys[FL_NETCONF_FAMILIES][N_FAMILY_KEYS] = {
	{"EnableIPv4", "Network", "SubnetLen", "SubnetMin", "SubnetMax"},
	{"EnableIPv6", "IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax"},
};

/* do the values of a key differ; those of a family that is off do not count */
static bool family_differs(const struct fl_netconf_family *a, const struct fl_netconf_family *b, enum family_key key)
{
	if (key == KEY_ENABLE || !a->enabled || !b->enabled)
		return key == KEY_ENABLE && a->enabled != b->enabled;
	if (key == KEY_NETWORK)
		return flannel_prefix_compare(&a->network, &b->network) != 0;
	if (key == KEY_LEN)
		return a->first.plen != b->first.plen;
	/* in another network the range is another one, too */
	if (flannel_prefix_compare(&a->network, &b->network) != 0)
		return false;
	return memcmp(key == KEY_MIN ? a->first.addr : a->last.addr, key == KEY_MIN ? b->first.addr : b->last.addr,
		      sizeof(a->first.addr)) != 0;
}

const char *flannel_netconf_get_difference(const struct flannel_netconf *a, const struct flannel_netconf *b,
					   unsigned int index)
{
	unsigned int n = 0;

	if (!a || !b)
		return NULL;
	for (size_t i = 0; i < FL_NETCONF_FAMILIES; i++)
		for (enum family_key key = KEY_ENABLE; key < N_FAMILY_KEYS; key++)
			if (family_differs(&a->families[i], &b->families[i], key) && n++ == index)
				return family_keys[i][key];
	if (a->nftables != b->nftables && n++ == index)
		return "EnableNFTables";
	if ((strcmp(a->backend_type, b->backend_type) != 0 ||
	     !fl_json_equal(a->backend_settings, b->backend_settings)) &&
	    n++ == index)
		return "Backend";
	return NULL;
}

/* the values of a family, NULL for none of ours */
static const struct fl_netconf_family *find_family(const struct flannel_netconf *netconf, int family)
{
	for (size_t i = 0; netconf && i < FL_NETCONF_FAMILIES; i++)
		if (netconf->families[i].family == family)
			return &netconf->families[i];
	return NULL;
}

int flannel_netconf_get_network(const struct flannel_netconf *netconf, int family, struct flannel_prefix *ret_prefix)
{
	const struct fl_netconf_family *values = find_family(netconf, family);

	if (!values || !ret_prefix)
		return -EINVAL;
	if (!values->enabled)
		return 0;
	*ret_prefix = values->network;
	return 1;
}

int flannel_netconf_get_subnet_range(const struct flannel_netconf *netconf, int family,
				     struct flannel_prefix *ret_first, struct flannel_prefix *ret_last)
{
	const struct fl_netconf_family *values = find_family(netconf, family);

	if (!values || !ret_first || !ret_last)
		return -EINVAL;
	if (!values->enabled)
		return 0;
	*ret_first = values->first;
	*ret_last = values->last;
	return 1;
}

const char *flannel_netconf_get_backend_type(const struct flannel_netconf *netconf)
{
	return netconf ? netconf->backend_type : "";
}

const char *flannel_netconf_get_backend_text(const struct flannel_netconf *netconf)
{
	return netconf ? netconf->backend_text : "{}";
}

int flannel_netconf_get_nftables(const struct flannel_netconf *netconf)
{
	return netconf && netconf->nftables;
}

const char *flannel_netconf_get_warning(const struct flannel_netconf *netconf, unsigned int index)
{
	return netconf && index < netconf->warnings.n ? netconf->warnings.list[index] : NULL;
}
