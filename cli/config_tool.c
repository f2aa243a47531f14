/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_tool.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <json-c/json.h>

#include "cleanup.h"
#include "netconf_file.h"

/* drops a configuration */
static void netconf_p(struct flannel_netconf **netconf)
{
	(void)flannel_netconf_unref(*netconf);
}

/* drops a JSON value */
static void json_p(struct json_object **object)
{
	json_object_put(*object);
}

/* prints what the store has; the exit status */
static int get(struct store_tool *tool)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	CLEANUP_FREE char *text = NULL;
	int r = store_tool_open(tool, true);

	if (r >= 0)
		return r;
	r = flannel_store_get_config_sync(tool->store, STORE_TOOL_DEADLINE_MS, &text, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	if (r == 0) {
		(void)fprintf(stderr, "%s: the store has no network configuration\n", tool->name);
		return TOOL_REFUSED;
	}
	(void)printf("%s%s", text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : TOOL_REFUSED;
}

/* the value of a key, in whatever case, as JSON text; "-" if it is not there */
static const char *value_text(struct json_object *object, const char *key)
{
	json_object_object_foreach(object, name, value)
	{
		if (strcasecmp(name, key) == 0)
			return json_object_to_json_string_ext(value,
							      JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	}
	return "-";
}

/* says which values become others */
static void print_differences(const struct flannel_netconf *former, const struct flannel_netconf *netconf)
{
	CLEANUP(json_p) struct json_object *before = json_tokener_parse(flannel_netconf_get_text(former));
	CLEANUP(json_p) struct json_object *after = json_tokener_parse(flannel_netconf_get_text(netconf));
	const char *key;

	if (!json_object_is_type(before, json_type_object) || !json_object_is_type(after, json_type_object))
		return;
	for (unsigned int i = 0; (key = flannel_netconf_get_difference(former, netconf, i)); i++)
		(void)printf("%s: %s -> %s\n", key, value_text(before, key), value_text(after, key));
}

/* is a lease one that a node would get by the configuration */
static bool fits(const struct flannel_netconf *netconf, const struct flannel_lease *lease)
{
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < N_ELEMENTS(families); i++) {
		struct flannel_prefix first, last, subnet;
		bool wanted = flannel_netconf_get_subnet_range(netconf, families[i], &first, &last) == 1;
		bool has = flannel_lease_get_subnet(lease, families[i], &subnet) == 1;

		if (wanted != has)
			return false;
		if (has && (subnet.plen != first.plen || flannel_prefix_compare(&subnet, &first) < 0 ||
			    flannel_prefix_compare(&subnet, &last) > 0))
			return false;
	}
	return true;
}

/* says how many leases do not fit; what cannot be told is passed over, since it is only advice */
static void print_misfits(const struct store_tool *tool, const struct flannel_netconf *netconf)
{
	struct flannel_lease **leases = NULL;
	size_t n = 0, n_misfits = 0;

	if (flannel_store_list_leases_sync(tool->store, STORE_TOOL_DEADLINE_MS, &leases, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		n_misfits += !fits(netconf, leases[i]);
	(void)flannel_lease_list_free(leases, n);
	if (n_misfits)
		(void)printf("%zu of %zu leases do not fit: their nodes get others at their next start\n", n_misfits,
			     n);
}

/* parses the text that is in the store, which may be anything; NULL: none that is valid */
static struct flannel_netconf *parse_former(const char *text)
{
	struct flannel_netconf *netconf = NULL;

	if (!text || flannel_netconf_parse(text, strlen(text), &netconf, NULL) < 0)
		return NULL;
	return netconf;
}

/* reads and checks the file; 0 or the error */
static int read_file(const char *path, struct flannel_netconf **ret_netconf, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	const char *warning;
	int r = netconf_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &text, ret_error);

	if (r >= 0)
		r = flannel_netconf_parse(text, strlen(text), ret_netconf, ret_error);
	if (r < 0)
		return r;
	for (unsigned int i = 0; (warning = flannel_netconf_get_warning(*ret_netconf, i)); i++)
		(void)fprintf(stderr, "flannelctl config: warning: %s\n", warning);
	return 0;
}

/* puts a file's configuration into the store; the exit status */
static int set(struct store_tool *tool)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	CLEANUP(netconf_p) struct flannel_netconf *netconf = NULL, *former = NULL;
	CLEANUP_FREE char *former_text = NULL;
	int r = read_file(tool->words[1], &netconf, &error);

	if (r < 0)
		return store_tool_fail(tool, r, error);
	r = store_tool_open(tool, false);
	if (r >= 0)
		return r;
	r = flannel_store_get_config_sync(tool->store, STORE_TOOL_DEADLINE_MS, &former_text, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	former = parse_former(former_text);
	if (former && flannel_netconf_equal(former, netconf)) {
		(void)puts("unchanged: the store has this configuration");
		return EXIT_SUCCESS;
	}
	r = flannel_store_replace_config_sync(tool->store, flannel_netconf_get_text(netconf), former_text,
					      STORE_TOOL_DEADLINE_MS, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	(void)printf("stored in the %s store%s\n", flannel_store_get_name(tool->store),
		     former_text && !former ? ", in place of one that was invalid" : "");
	if (former)
		print_differences(former, netconf);
	print_misfits(tool, netconf);
	if (former)
		(void)puts("Nodes that run keep what they started with: restart flanneld on each of them.");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : TOOL_REFUSED;
}

int config_tool(int argc, char *argv[])
{
	CLEANUP(store_tool_close) struct store_tool tool;
	int r = store_tool_init(&tool, "flannelctl config", argc, argv);

	if (r >= 0)
		return r;
	if (tool.n_words == 1 && strcmp(tool.words[0], "get") == 0)
		return get(&tool);
	if (tool.n_words == 2 && strcmp(tool.words[0], "set") == 0)
		return set(&tool);
	return store_tool_misuse(&tool, "expected get, or set FILE", tool.n_words ? tool.words[0] : "");
}
