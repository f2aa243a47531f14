/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <json-c/json.h>

#include "cleanup.h"
#include "table.h"

/* the value of a key; NULL if there is none, or object is none */
static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		(void)json_object_object_get_ex(object, key, &value);
	return value;
}

/* a text value; "" if there is none */
static const char *get_text(struct json_object *object, const char *key)
{
	struct json_object *value = get(object, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

/* a number; 0 if there is none */
static int64_t get_int(struct json_object *object, const char *key)
{
	struct json_object *value = get(object, key);

	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

/* how many elements an array has; 0 if it is none */
static size_t array_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* the two texts with a comma, or the one that is there */
static const char *join(const char *one, const char *other, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s%s%s", one, *one && *other ? ", " : "", other);
	return buf;
}

const char *render_duration(int64_t sec, char *buf, size_t size)
{
	long long s = sec;

	if (s < 0)
		(void)snprintf(buf, size, "-");
	else if (s >= 86400)
		(void)snprintf(buf, size, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		(void)snprintf(buf, size, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)snprintf(buf, size, "%lldm %llds", s / 60, s % 60);
	else
		(void)snprintf(buf, size, "%llds", s);
	return buf;
}

/* when a lease ends: "in 23h 12m (2026-11-24T07:30:01Z)" */
static const char *format_end(struct json_object *lease, char *buf, size_t size)
{
	const char *expires = get_text(lease, "expires");
	int64_t left = get_int(lease, "expires_in_sec");
	char duration[32];

	if (!*expires)
		(void)snprintf(buf, size, "never (reservation)");
	else if (left < 0)
		(void)snprintf(buf, size, "EXPIRED %s ago (%s)", render_duration(-left, duration, sizeof(duration)),
			       expires);
	else
		(void)snprintf(buf, size, "in %s (%s)", render_duration(left, duration, sizeof(duration)), expires);
	return buf;
}

/* one "name  value" line of the status, value formatted */
static PRINTF_LIKE(3, 4) int add_field(struct table *table, const char *name, const char *format, ...)
{
	va_list arguments;
	const char *cells[2] = {name, NULL};
	CLEANUP_FREE char *value = NULL;

	va_start(arguments, format);
	if (vasprintf(&value, format, arguments) < 0)
		value = NULL;
	va_end(arguments);
	if (!value)
		return -ENOMEM;
	cells[1] = value;
	return table_add(table, cells);
}

/* the network configuration */
static int add_network(struct table *table, struct json_object *network)
{
	struct json_object *warnings = get(network, "warnings");
	char text[160];
	int r;

	if (!network)
		return add_field(table, "network", "not known yet");
	(void)join(get_text(network, "network"), get_text(network, "ipv6_network"), text, sizeof(text));
	r = add_field(table, "network", "%s", text);
	if (r == 0)
		r = add_field(table, "backend", "%s", get_text(network, "backend"));
	for (size_t i = 0; r == 0 && i < array_length(warnings); i++)
		r = add_field(table, i ? "" : "config warning", "%s",
			      json_object_get_string(json_object_array_get_idx(warnings, i)));
	if (r == 0 && get(network, "changed"))
		r = add_field(table, "config changed", "%s", get_text(network, "changed"));
	return r;
}

/* the own lease */
static int add_lease(struct table *table, struct json_object *lease)
{
	char subnets[160];
	char addresses[160];
	char end[96];
	int r;

	if (!lease)
		return add_field(table, "lease", "none");
	(void)join(get_text(lease, "subnet"), get_text(lease, "ipv6_subnet"), subnets, sizeof(subnets));
	(void)join(get_text(lease, "public_ip"), get_text(lease, "public_ipv6"), addresses, sizeof(addresses));
	r = add_field(table, "lease", "%s as %s", subnets, addresses);
	return r < 0 ? r : add_field(table, "lease ends", "%s", format_end(lease, end, sizeof(end)));
}

/* the interface and the MTUs */
static int add_underlay(struct table *table, struct json_object *status)
{
	struct json_object *underlay = get(status, "underlay");
	const char *trouble = get_text(get(underlay, "error"), "detail");
	bool lost = strcmp(get_text(underlay, "state"), "lost") == 0;
	char addresses[160];
	int r;

	if (!underlay)
		return add_field(table, "underlay", "none chosen yet");
	(void)join(get_text(underlay, "address"), get_text(underlay, "ipv6_address"), addresses, sizeof(addresses));
	r = add_field(table, "underlay", "%s (%s), chosen by: %s%s%s%s", get_text(underlay, "interface"), addresses,
		      get_text(underlay, "reason"), lost ? ": DOES NOT WORK" : "", lost && *trouble ? ": " : "",
		      lost ? trouble : "");
	return r < 0 ? r
		     : add_field(table, "MTU", "%lld for pods, %lld on the underlay",
				 (long long)get_int(status, "pod_mtu"), (long long)get_int(underlay, "mtu"));
}

/* the store */
static int add_store(struct table *table, struct json_object *store)
{
	const char *message = get_text(get(store, "error"), "message");
	bool lost = strcmp(get_text(store, "state"), "lost") == 0;

	return add_field(table, "store", "%s %s: %s%s%s", get_text(store, "name"), get_text(store, "path"),
			 lost ? "DOES NOT ANSWER" : "answers", lost && *message ? ": " : "", lost ? message : "");
}

/* the latest failure, only if there was one */
static int add_last_failure(struct table *table, struct json_object *failure)
{
	if (!failure)
		return 0;
	return add_field(table, "last failure", "%s: %s", get_text(failure, "time"), get_text(failure, "message"));
}

/* routes that may be flannel's or somebody else's, only if there are any */
static int add_conflicts(struct table *table, struct json_object *conflicts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_length(conflicts); i++)
		r = add_field(table, "conflict", "%s leads to a subnet that no node has",
			      json_object_get_string(json_object_array_get_idx(conflicts, i)));
	return r;
}

/* the number of peers by state */
static int add_peers(struct table *table, struct json_object *peers)
{
	return add_field(table, "peers", "%lld: %lld ok, %lld failed, %lld ignored", (long long)get_int(peers, "total"),
			 (long long)get_int(peers, "ok"), (long long)get_int(peers, "failed"),
			 (long long)get_int(peers, "ignored"));
}

/* all fields of the status */
static int fill_fields(struct table *table, struct json_object *status)
{
	char uptime[32];
	int r = add_field(table, "daemon", "version %s, pid %lld, up %s", get_text(status, "version"),
			  (long long)get_int(status, "pid"),
			  render_duration(get_int(status, "uptime_sec"), uptime, sizeof(uptime)));

	if (r == 0 && *get_text(status, "instance"))
		r = add_field(table, "instance", "%s", get_text(status, "instance"));
	if (r == 0)
		r = add_network(table, get(status, "network"));
	if (r == 0)
		r = json_object_get_boolean(get(status, "observer"))
			    ? add_field(table, "lease", "none: this is an observer")
			    : add_lease(table, get(status, "lease"));
	if (r == 0)
		r = add_underlay(table, status);
	if (r == 0 && !json_object_get_boolean(get(status, "observer")))
		r = add_field(table, "subnet file", "%s", get_text(status, "subnet_file"));
	if (r == 0)
		r = add_store(table, get(status, "store"));
	if (r == 0 && *get_text(status, "snapshot"))
		r = add_field(table, "snapshot", "what the node knew at %s is in force", get_text(status, "snapshot"));
	if (r == 0)
		r = add_field(table, "repairs", "%lld", (long long)get_int(status, "repairs"));
	if (r == 0)
		r = add_last_failure(table, get(status, "last_failure"));
	if (r == 0)
		r = add_conflicts(table, get(status, "conflicts"));
	if (r == 0)
		r = add_peers(table, get(status, "peers"));
	return r;
}

/* a peer's line */
static int add_peer(struct table *table, struct json_object *peer)
{
	char subnets[160];
	char addresses[160];
	const char *cells[] = {
		join(get_text(peer, "subnet"), get_text(peer, "ipv6_subnet"), subnets, sizeof(subnets)),
		join(get_text(peer, "public_ip"), get_text(peer, "public_ipv6"), addresses, sizeof(addresses)),
		get_text(peer, "backend"),
		get_text(peer, "state"),
		get_text(peer, "reason"),
	};

	return table_add(table, cells);
}

/* peers in this order; any other state comes first, since it is news */
static const char *const peer_states[] = {"failed", "ignored", "ok"};

/* rank of a peer in the list */
static size_t peer_rank(struct json_object *peer)
{
	const char *state = get_text(peer, "state");

	for (size_t i = 0; i < N_ELEMENTS(peer_states); i++)
		if (strcmp(state, peer_states[i]) == 0)
			return i + 1;
	return 0;
}

/* the table of the peers */
static int print_peers(struct json_object *list, FILE *stream)
{
	const char *const headers[] = {"PEER", "PUBLIC IP", "BACKEND", "STATE", "REASON"};
	CLEANUP(table_freep) struct table *table = NULL;
	int r = 0;

	if (array_length(list) == 0)
		return 0;
	table = table_new(N_ELEMENTS(headers), headers);
	if (!table)
		return -ENOMEM;
	for (size_t rank = 0; rank <= N_ELEMENTS(peer_states); rank++)
		for (size_t i = 0; r == 0 && i < array_length(list); i++)
			if (peer_rank(json_object_array_get_idx(list, i)) == rank)
				r = add_peer(table, json_object_array_get_idx(list, i));
	if (r < 0)
		return r;
	(void)fputc('\n', stream);
	table_print(table, "", stream);
	return 0;
}

/* what each word of "health" is called, and how it is coloured; the last is for words that we do not know */
static const struct {
	const char *word;
	const char *verdict;
	const char *colour;
} verdicts[] = {
	{"ok", "OK", "\033[32m"},         {"degraded", "DEGRADED", "\033[33m"}, {"not-ready", "NOT READY", "\033[31m"},
	{"failed", "FAILED", "\033[31m"}, {"", "UNKNOWN", "\033[31m"},
};

/* the first line; 0 if it is good news, 1 if not, or -ENOMEM */
static int print_verdict(struct json_object *status, bool colour, FILE *stream)
{
	const char *health = get_text(status, "health");
	CLEANUP_FREE char *reason = table_clean(get_text(status, "reason"));
	size_t i = 0;

	if (!reason)
		return -ENOMEM;
	while (i + 1 < N_ELEMENTS(verdicts) && strcmp(health, verdicts[i].word) != 0)
		i++;
	(void)fprintf(stream, "flannel: %s%s%s", colour ? verdicts[i].colour : "", verdicts[i].verdict,
		      colour ? "\033[0m" : "");
	(void)fprintf(stream, "%s%s\n\n", *reason ? ": " : "", reason);
	return i == 0 ? 0 : 1;
}

int render_status(struct json_object *status, bool colour, FILE *stream)
{
	CLEANUP(table_freep) struct table *fields = table_new(2, NULL);
	int verdict;
	int r;

	if (!fields)
		return -ENOMEM;
	verdict = print_verdict(status, colour, stream);
	if (verdict < 0)
		return verdict;
	r = fill_fields(fields, status);
	if (r < 0)
		return r;
	table_print(fields, "  ", stream);
	r = print_peers(get(get(status, "peers"), "list"), stream);
	return r < 0 ? r : verdict;
}

/* a lease's line */
static int add_lease_line(struct table *table, struct json_object *lease)
{
	char subnets[160];
	char addresses[160];
	char end[96];
	const char *cells[] = {
		join(get_text(lease, "subnet"), get_text(lease, "ipv6_subnet"), subnets, sizeof(subnets)),
		join(get_text(lease, "public_ip"), get_text(lease, "public_ipv6"), addresses, sizeof(addresses)),
		get_text(lease, "backend"),
		json_object_get_boolean(get(lease, "own")) ? "this node" : "peer",
		format_end(lease, end, sizeof(end)),
	};

	return table_add(table, cells);
}

int render_leases(struct json_object *leases, FILE *stream)
{
	const char *const headers[] = {"SUBNET", "PUBLIC IP", "BACKEND", "OWNER", "ENDS"};
	CLEANUP(table_freep) struct table *table = table_new(N_ELEMENTS(headers), headers);
	struct json_object *list = get(leases, "leases");
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < array_length(list); i++)
		r = add_lease_line(table, json_object_array_get_idx(list, i));
	if (r < 0)
		return r;
	table_print(table, "", stream);
	return 0;
}
