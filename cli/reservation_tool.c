/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_tool.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "lease_json.h"
#include "table.h"

/* a list of leases that cleans up after itself */
struct lease_list {
	struct flannel_lease **leases;
	size_t n;
};

/* drops the list */
static void lease_list_clear(struct lease_list *list)
{
	list->leases = flannel_lease_list_free(list->leases, list->n);
}

/* drops a lease */
static void lease_p(struct flannel_lease **lease)
{
	(void)flannel_lease_unref(*lease);
}

/* what a lease has of each family, "10.244.1.0/24, fd00::/64": get says what, format writes one of the two */
static const char *format_pair(const struct flannel_lease *lease,
			       int (*get)(const struct flannel_lease *, int, struct flannel_prefix *),
			       const char *(*format)(const struct flannel_prefix *, char *, size_t), char *buf,
			       size_t size)
{
	char texts[2][FLANNEL_PREFIX_STRLEN] = {"", ""};
	struct flannel_prefix prefix;

	if (get(lease, AF_INET, &prefix) == 1)
		(void)format(&prefix, texts[0], sizeof(texts[0]));
	if (get(lease, AF_INET6, &prefix) == 1)
		(void)format(&prefix, texts[1], sizeof(texts[1]));
	(void)snprintf(buf, size, "%s%s%s", texts[0], *texts[0] && *texts[1] ? ", " : "", texts[1]);
	return buf;
}

/* "10.244.1.0/24, fd00::/64" */
static const char *format_subnets(const struct flannel_lease *lease, char *buf, size_t size)
{
	return format_pair(lease, flannel_lease_get_subnet, flannel_prefix_format, buf, size);
}

/* "192.0.2.1, 2001:db8::1" */
static const char *format_addresses(const struct flannel_lease *lease, char *buf, size_t size)
{
	return format_pair(lease, flannel_lease_get_public_ip, flannel_prefix_format_address, buf, size);
}

/* opens the store and lists its leases: -1 to go on, or the exit status */
static int list_leases(struct store_tool *tool, bool reading, struct lease_list *ret_list)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = store_tool_open(tool, reading);

	if (r >= 0)
		return r;
	r = flannel_store_list_leases_sync(tool->store, STORE_TOOL_DEADLINE_MS, &ret_list->leases, &ret_list->n,
					   &error);
	return r < 0 ? store_tool_fail(tool, r, error) : -1;
}

/* the reservations as a table */
static int print_table(const struct lease_list *list)
{
	const char *const headers[] = {"SUBNET", "PUBLIC IP", "BACKEND"};
	CLEANUP(table_freep) struct table *table = table_new(N_ELEMENTS(headers), headers);
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		char subnets[128], addresses[128];
		const char *const cells[] = {format_subnets(list->leases[i], subnets, sizeof(subnets)),
					     format_addresses(list->leases[i], addresses, sizeof(addresses)),
					     flannel_lease_get_backend_type(list->leases[i])};

		if (flannel_lease_get_expires_sec(list->leases[i]) == 0)
			r = table_add(table, cells);
	}
	if (r == 0)
		table_print(table, "", stdout);
	return r;
}

/* the reservations as JSON */
static int print_json(const struct lease_list *list)
{
	struct json_builder builder = {.failed = false};
	struct json_object *object = json_builder_object(&builder);
	struct json_object *array = json_builder_array(&builder);
	CLEANUP_FREE char *text = NULL;
	size_t len;

	for (size_t i = 0; i < list->n; i++) {
		struct json_object *reservation;

		if (flannel_lease_get_expires_sec(list->leases[i]) != 0)
			continue;
		reservation = json_builder_object(&builder);
		lease_json_put(&builder, reservation, list->leases[i]);
		json_builder_append(&builder, array, reservation);
	}
	json_builder_put(&builder, object, "reservations", array);
	text = json_builder_finish(&builder, object, &len);
	if (!text)
		return -ENOMEM;
	(void)puts(text);
	return 0;
}

/* prints what is reserved; the exit status */
static int list(struct store_tool *tool)
{
	CLEANUP(lease_list_clear) struct lease_list leases = {0};
	int r = list_leases(tool, true, &leases);

	if (r >= 0)
		return r;
	r = tool->json ? print_json(&leases) : print_table(&leases);
	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	return r < 0 ? store_tool_fail(tool, r, NULL) : EXIT_SUCCESS;
}

/* reads "ONE" or "ONE,OTHER" of different families into the members of each; false if it is neither */
static bool read_pair(const char *text, bool with_len, struct flannel_prefix *ret_prefix,
		      struct flannel_prefix *ret_prefix6)
{
	CLEANUP_FREE char *copy = strdup(text);
	char *rest = copy;
	char *part;

	while (copy && (part = strsep(&rest, ","))) {
		struct flannel_prefix prefix;
		struct flannel_prefix *to;

		if ((strchr(part, '/') != NULL) != with_len || flannel_prefix_parse(part, &prefix) < 0)
			return false;
		to = prefix.family == AF_INET ? ret_prefix : ret_prefix6;
		if (to->family != AF_UNSPEC)
			return false;
		*to = prefix;
	}
	return copy != NULL;
}

/* reserves; the exit status */
static int add(struct store_tool *tool)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	CLEANUP(lease_p) struct flannel_lease *lease = NULL;
	struct flannel_lease_fields fields = {.size = sizeof(fields)};
	char subnets[128], addresses[128];
	int r;

	if (!read_pair(tool->words[1], true, &fields.subnet, &fields.subnet6))
		return store_tool_misuse(tool, "expected subnets like 10.244.1.0/24 or 10.244.1.0/24,fd00:0:0:1::/64",
					 tool->words[1]);
	if (!read_pair(tool->words[2], false, &fields.public_ip, &fields.public_ip6))
		return store_tool_misuse(tool, "expected addresses like 192.0.2.1 or 192.0.2.1,2001:db8::1",
					 tool->words[2]);
	r = flannel_lease_new(&fields, &lease, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	r = store_tool_open(tool, false);
	if (r >= 0)
		return r;
	r = flannel_store_reserve_sync(tool->store, lease, STORE_TOOL_DEADLINE_MS, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	(void)printf("%s%s is reserved for %s\n",
		     r ? "" : "unchanged: ", format_subnets(lease, subnets, sizeof(subnets)),
		     format_addresses(lease, addresses, sizeof(addresses)));
	return EXIT_SUCCESS;
}

/* the lease that has a subnet; NULL if there is none */
static struct flannel_lease *find(const struct lease_list *list, const struct flannel_prefix *wanted)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flannel_prefix subnet;

		if (flannel_lease_get_subnet(list->leases[i], wanted->family, &subnet) == 1 &&
		    flannel_prefix_compare(&subnet, wanted) == 0)
			return list->leases[i];
	}
	return NULL;
}

/* ends a reservation; the exit status */
static int end(struct store_tool *tool)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	CLEANUP(lease_list_clear) struct lease_list leases = {0};
	struct flannel_prefix subnet = {0};
	struct flannel_lease *lease;
	char text[128];
	int r;

	if (!strchr(tool->words[1], '/') || flannel_prefix_parse(tool->words[1], &subnet) < 0)
		return store_tool_misuse(tool, "expected a subnet like 10.244.1.0/24", tool->words[1]);
	r = list_leases(tool, true, &leases);
	if (r >= 0)
		return r;
	lease = find(&leases, &subnet);
	if (!lease || flannel_lease_get_expires_sec(lease)) {
		(void)fprintf(stderr, "%s: %s %s\n", tool->name, tool->words[1],
			      lease ? "is a lease that ends, no reservation" : "is not reserved");
		return TOOL_REFUSED;
	}
	r = flannel_store_unreserve_sync(tool->store, lease, STORE_TOOL_DEADLINE_MS, &error);
	if (r < 0)
		return store_tool_fail(tool, r, error);
	(void)printf("%s is not reserved any more; a node that has it keeps it as a lease that ends\n",
		     format_subnets(lease, text, sizeof(text)));
	return EXIT_SUCCESS;
}

int reservation_tool(int argc, char *argv[])
{
	CLEANUP(store_tool_close) struct store_tool tool;
	int r = store_tool_init(&tool, "flannelctl reservation", argc, argv);

	if (r >= 0)
		return r;
	if (tool.n_words == 1 && strcmp(tool.words[0], "list") == 0)
		return list(&tool);
	if (tool.n_words == 3 && strcmp(tool.words[0], "add") == 0)
		return add(&tool);
	if (tool.n_words == 2 && strcmp(tool.words[0], "remove") == 0)
		return end(&tool);
	return store_tool_misuse(&tool, "expected list, add SUBNETS ADDRESSES, or remove SUBNET",
				 tool.n_words ? tool.words[0] : "");
}
