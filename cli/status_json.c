/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <flannel/lease.h>
#include <flannel/netconf.h>

#include "json_builder.h"
#include "lease_json.h"

/* words of enum status_health */
static const char *const health_words[] = {"ok", "degraded", "not-ready", "failed"};

/* the same as the beginning of a sentence */
static const char *const health_beginnings[] = {"Ready:", "Ready, but", "Not ready:", "Failed:"};

/* how the peers are, in numbers */
struct peer_counts {
	int64_t total;
	int64_t failed;
	int64_t ignored;
};

/* one peer by index; false beyond the last */
static bool get_peer(const struct flannel_node *node, size_t index, struct flannel_node_peer *ret_peer)
{
	*ret_peer = (struct flannel_node_peer){.size = sizeof(*ret_peer)};
	return flannel_node_get_peer(node, index, ret_peer) == 1;
}

/* counts the peers by state */
static struct peer_counts count_peers(const struct flannel_node *node)
{
	struct peer_counts counts = {0};
	struct flannel_node_peer peer;

	for (size_t i = 0; get_peer(node, i, &peer); i++) {
		counts.total++;
		if (peer.ignored)
			counts.ignored++;
		else if (peer.n_failed)
			counts.failed++;
	}
	return counts;
}

/* what a node that is not ready waits for */
static const char *waiting_for(const struct flannel_node *node)
{
	switch (flannel_node_get_state(node)) {
	case FLANNEL_NODE_CONFIG:
		return "waits for the network configuration in the store";
	case FLANNEL_NODE_LEASE:
		return "waits for its lease";
	case FLANNEL_NODE_PROGRAM:
		return "sets devices, routes and rules";
	case FLANNEL_NODE_FAILED:
		return "gave up";
	default:
		return "is not started";
	}
}

/* Now, by the clock that the end of the own lease was reckoned with: who sets the clock neither ends it nor makes it longer. */
static int64_t lease_now_sec(const struct status_source *source)
{
	return source->lease_clock_sec ? source->lease_clock_sec + status_boot_sec() : time(NULL);
}

/* why a node whose state is ready is not fit for pods; false if it is */
static bool find_unfitness(const struct status_source *source, char *reason, size_t size)
{
	const struct flannel_lease *lease = flannel_node_get_lease(source->node);
	int64_t expires_sec = flannel_lease_get_expires_sec(lease), now_sec = lease_now_sec(source);

	/* an observer has neither lease nor subnet file */
	if (!source->subnet_file)
		return false;
	if (!lease)
		(void)snprintf(reason, size, "the lease is lost");
	else if (expires_sec && expires_sec <= now_sec)
		(void)snprintf(reason, size, "the lease expired %lld s ago", (long long)(now_sec - expires_sec));
	else if (access(source->subnet_file, F_OK) < 0)
		(void)snprintf(reason, size, "subnet file %s: %s; pods cannot be attached", source->subnet_file,
			       strerror(errno));
	else
		return false;
	return true;
}

/* why the interface between nodes carries no traffic, or NULL */
static const struct flannel_error *underlay_error(const struct flannel_node *node)
{
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};

	return flannel_node_get_underlay(node, &underlay) == 1 ? underlay.error : NULL;
}

/* that the node goes by what it knew in an earlier run, and why */
static void write_snapshot_reason(const struct status_source *source, char *reason, size_t size)
{
	time_t written_sec = flannel_node_get_snapshot_sec(source->node);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&written_sec, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)snprintf(reason, size, "works from the snapshot of %s: %s", when,
		       source->store_error ? flannel_error_get_message(source->store_error)
					   : "the store has not confirmed it yet");
}

/* health, with the peers counted already */
static enum status_health judge(const struct status_source *source, const struct peer_counts *counts, char *reason,
				size_t size)
{
	int state = flannel_node_get_state(source->node);
	const char *why = flannel_error_get_message(flannel_node_get_error(source->node));

	reason[0] = '\0';
	if (state != FLANNEL_NODE_READY) {
		(void)snprintf(reason, size, "%s%s%s", waiting_for(source->node), *why ? ": " : "", why);
		return state == FLANNEL_NODE_FAILED ? STATUS_FAILED : STATUS_NOT_READY;
	}
	if (find_unfitness(source, reason, size))
		return STATUS_NOT_READY;
	/* much of the rest may be a consequence of it */
	if (underlay_error(source->node))
		(void)snprintf(reason, size, "%s", flannel_error_get_message(underlay_error(source->node)));
	else if (flannel_node_get_snapshot_sec(source->node))
		write_snapshot_reason(source, reason, size);
	else if (source->store_error)
		(void)snprintf(reason, size, "the store does not answer: %s",
			       flannel_error_get_message(source->store_error));
	else if (counts->failed)
		(void)snprintf(reason, size, "%lld of %lld peers are not in force", (long long)counts->failed,
			       (long long)counts->total);
	else if (*why)
		(void)snprintf(reason, size, "%s", why);
	return *reason ? STATUS_DEGRADED : STATUS_OK;
}

enum status_health status_get_health(const struct status_source *source, char *reason, size_t size)
{
	struct peer_counts counts = count_peers(source->node);

	return judge(source, &counts, reason, size);
}

/* "10.244.1.0/24, fd00::/64 on eth0" */
static void describe_lease(const struct status_source *source, char *text, size_t size)
{
	const struct flannel_lease *lease = flannel_node_get_lease(source->node);
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};
	char subnets[2][FLANNEL_PREFIX_STRLEN] = {"", ""};
	struct flannel_prefix subnet;

	if (flannel_lease_get_subnet(lease, AF_INET, &subnet) == 1)
		(void)flannel_prefix_format(&subnet, subnets[0], sizeof(subnets[0]));
	if (flannel_lease_get_subnet(lease, AF_INET6, &subnet) == 1)
		(void)flannel_prefix_format(&subnet, subnets[1], sizeof(subnets[1]));
	if (flannel_node_get_underlay(source->node, &underlay) != 1)
		underlay.link.name[0] = '\0';
	(void)snprintf(text, size, "%s%s%s on %s", subnets[0], *subnets[0] && *subnets[1] ? ", " : "", subnets[1],
		       underlay.link.name);
}

void status_get_summary(const struct status_source *source, char *text, size_t size)
{
	const struct peer_counts none = {0};
	char reason[256];
	enum status_health health = judge(source, &none, reason, sizeof(reason));

	if (health == STATUS_OK)
		describe_lease(source, reason, sizeof(reason));
	(void)snprintf(text, size, "%s %s", health_beginnings[health], reason);
}

/* {area, operation, detail, message, errno, retryable}, or null */
static void put_error(struct json_builder *builder, struct json_object *parent, const char *key,
		      const struct flannel_error *error)
{
	struct json_object *object = NULL;

	if (error) {
		object = json_builder_object(builder);
		json_builder_text(builder, object, "message", flannel_error_get_message(error));
		json_builder_text(builder, object, "area", flannel_error_get_area(error));
		json_builder_text(builder, object, "operation", flannel_error_get_operation(error));
		json_builder_text(builder, object, "detail", flannel_error_get_detail(error));
		json_builder_text(builder, object, "errno", strerrorname_np(-flannel_error_get_code(error)));
		json_builder_bool(builder, object, "retryable", flannel_error_is_retryable(error));
	}
	json_builder_put(builder, parent, key, object);
}

/* when a lease ends, which was reckoned with a clock that shows now_sec; both null for a reservation */
static void put_lease_end(struct json_builder *builder, struct json_object *object, const struct flannel_lease *lease,
			  int64_t now_sec)
{
	int64_t expires_sec = flannel_lease_get_expires_sec(lease), set_sec = time(NULL) - now_sec;

	json_builder_time(builder, object, "expires", expires_sec ? expires_sec + set_sec : 0);
	if (expires_sec)
		json_builder_int(builder, object, "expires_in_sec", expires_sec - now_sec);
	else
		json_builder_put(builder, object, "expires_in_sec", NULL);
}

/* the own lease, or null */
static void put_own_lease(struct json_builder *builder, struct json_object *parent, const struct status_source *source)
{
	const struct flannel_lease *lease = flannel_node_get_lease(source->node);
	struct json_object *object = NULL;

	if (lease) {
		object = json_builder_object(builder);
		lease_json_put(builder, object, lease);
		put_lease_end(builder, object, lease, lease_now_sec(source));
	}
	json_builder_put(builder, parent, "lease", object);
}

/* the network of one family and the length of its subnets; both null if the family is off */
static void put_family(struct json_builder *builder, struct json_object *object, const struct flannel_netconf *netconf,
		       int family)
{
	struct flannel_prefix network = {0};
	struct flannel_prefix first = {0};
	struct flannel_prefix last;
	bool six = family == AF_INET6;

	(void)flannel_netconf_get_network(netconf, family, &network);
	json_builder_prefix(builder, object, six ? "ipv6_network" : "network", &network);
	if (flannel_netconf_get_subnet_range(netconf, family, &first, &last) == 1)
		json_builder_int(builder, object, six ? "ipv6_subnet_len" : "subnet_len", first.plen);
	else
		json_builder_put(builder, object, six ? "ipv6_subnet_len" : "subnet_len", NULL);
}

/* the network configuration in force, or null */
static void put_network(struct json_builder *builder, struct json_object *parent, const struct status_source *source)
{
	const struct flannel_netconf *netconf = flannel_node_get_netconf(source->node);
	struct json_object *object = NULL;
	struct json_object *warnings;
	const char *warning;

	if (netconf) {
		object = json_builder_object(builder);
		put_family(builder, object, netconf, AF_INET);
		put_family(builder, object, netconf, AF_INET6);
		json_builder_text(builder, object, "backend", flannel_netconf_get_backend_type(netconf));
		warnings = json_builder_array(builder);
		for (unsigned int i = 0; (warning = flannel_netconf_get_warning(netconf, i)); i++)
			json_builder_append(builder, warnings, json_object_new_string(warning));
		json_builder_put(builder, object, "warnings", warnings);
		json_builder_text(builder, object, "changed", source->config_note);
	}
	json_builder_put(builder, parent, "network", object);
}

/* the interface in use and the MTU for pods, or nulls */
static void put_underlay(struct json_builder *builder, struct json_object *parent, const struct flannel_node *node)
{
	struct flannel_node_underlay underlay = {.size = sizeof(underlay), .link = {.size = sizeof(underlay.link)}};
	struct json_object *object = NULL;

	if (flannel_node_get_underlay(node, &underlay) == 1) {
		object = json_builder_object(builder);
		json_builder_text(builder, object, "interface", underlay.link.name);
		json_builder_int(builder, object, "ifindex", underlay.link.ifindex);
		json_builder_text(builder, object, "reason", underlay.reason);
		json_builder_address(builder, object, "address", &underlay.address);
		json_builder_address(builder, object, "ipv6_address", &underlay.address6);
		json_builder_int(builder, object, "mtu", underlay.link.mtu);
		json_builder_text(builder, object, "state", underlay.error ? "lost" : "ok");
		put_error(builder, object, "error", underlay.error);
	}
	json_builder_put(builder, parent, "underlay", object);
	if (underlay.mtu)
		json_builder_int(builder, parent, "pod_mtu", underlay.mtu);
	else
		json_builder_put(builder, parent, "pod_mtu", NULL);
}

/* one peer for the status: who it is, and what is wrong with it */
static struct json_object *make_peer(struct json_builder *builder, const struct flannel_node_peer *peer)
{
	struct json_object *object = json_builder_object(builder);
	const char *state = peer->ignored ? "ignored" : peer->n_failed ? "failed" : "ok";
	const char *reason = peer->ignored ? peer->ignored : flannel_error_get_message(peer->error);

	lease_json_put(builder, object, peer->lease);
	json_builder_text(builder, object, "state", state);
	json_builder_int(builder, object, "objects", peer->n_objects);
	json_builder_int(builder, object, "objects_failed", peer->n_failed);
	json_builder_text(builder, object, "reason", reason);
	return object;
}

/* the peers in numbers and one by one */
static void put_peers(struct json_builder *builder, struct json_object *parent, const struct flannel_node *node,
		      const struct peer_counts *counts)
{
	struct json_object *object = json_builder_object(builder);
	struct json_object *list = json_builder_array(builder);
	struct flannel_node_peer peer;

	json_builder_int(builder, object, "total", counts->total);
	json_builder_int(builder, object, "ok", counts->total - counts->failed - counts->ignored);
	json_builder_int(builder, object, "failed", counts->failed);
	json_builder_int(builder, object, "ignored", counts->ignored);
	for (size_t i = 0; get_peer(node, i, &peer); i++)
		json_builder_append(builder, list, make_peer(builder, &peer));
	json_builder_put(builder, object, "list", list);
	json_builder_put(builder, parent, "peers", object);
}

/* routes that flannel may have left */
static void put_conflicts(struct json_builder *builder, struct json_object *parent, const struct flannel_node *node)
{
	struct json_object *list = json_builder_array(builder);
	const char *conflict;

	for (size_t i = 0; (conflict = flannel_node_get_conflict(node, i)); i++)
		json_builder_append(builder, list, json_object_new_string(conflict));
	json_builder_put(builder, parent, "conflicts", list);
}

/* the store and whether it answers */
static void put_store(struct json_builder *builder, struct json_object *parent, const struct status_source *source)
{
	struct json_object *object = json_builder_object(builder);

	json_builder_text(builder, object, "name", source->store_name);
	json_builder_text(builder, object, "path", source->store_path);
	json_builder_text(builder, object, "state", source->store_error ? "lost" : "ok");
	put_error(builder, object, "error", source->store_error);
	json_builder_put(builder, parent, "store", object);
}

/* the latest failure that an event told of, or null */
static void put_last_failure(struct json_builder *builder, struct json_object *parent,
			     const struct status_source *source)
{
	struct json_object *object = NULL;

	if (source->last_failure) {
		object = json_builder_object(builder);
		json_builder_text(builder, object, "message", source->last_failure);
		json_builder_time(builder, object, "time", source->last_failure_sec);
	}
	json_builder_put(builder, parent, "last_failure", object);
}

/* seconds since the daemon started */
static int64_t uptime_sec(const struct status_source *source)
{
	return status_boot_sec() - (int64_t)(source->started_ns / 1000000000U);
}

char *status_format(const struct status_source *source, size_t *ret_len)
{
	struct json_builder builder = {.failed = false};
	struct json_object *object = json_builder_object(&builder);
	struct peer_counts counts = count_peers(source->node);
	char reason[512];
	enum status_health health = judge(source, &counts, reason, sizeof(reason));

	json_builder_text(&builder, object, "version", FLANNEL_VERSION);
	json_builder_int(&builder, object, "pid", getpid());
	json_builder_int(&builder, object, "uptime_sec", uptime_sec(source));
	json_builder_text(&builder, object, "state", flannel_node_get_state_name(source->node));
	json_builder_bool(&builder, object, "ready", health == STATUS_OK || health == STATUS_DEGRADED);
	json_builder_text(&builder, object, "health", health_words[health]);
	json_builder_text(&builder, object, "reason", reason);
	json_builder_text(&builder, object, "instance", source->instance);
	json_builder_bool(&builder, object, "observer", !source->subnet_file);
	json_builder_bool(&builder, object, "synced", flannel_node_is_synced(source->node));
	if (flannel_node_get_snapshot_sec(source->node))
		json_builder_time(&builder, object, "snapshot", flannel_node_get_snapshot_sec(source->node));
	else
		json_builder_put(&builder, object, "snapshot", NULL);
	put_store(&builder, object, source);
	put_network(&builder, object, source);
	put_own_lease(&builder, object, source);
	put_underlay(&builder, object, source->node);
	json_builder_text(&builder, object, "subnet_file", source->subnet_file);
	json_builder_bool(&builder, object, "ip_masq", source->ip_masq);
	json_builder_int(&builder, object, "repairs", (int64_t)flannel_node_get_repairs(source->node));
	put_error(&builder, object, "error", flannel_node_get_error(source->node));
	put_last_failure(&builder, object, source);
	put_conflicts(&builder, object, source->node);
	put_peers(&builder, object, source->node, &counts);
	return json_builder_finish(&builder, object, ret_len);
}

/* what a backend published for one family, as JSON rather than as text */
static void put_backend_data(struct json_builder *builder, struct json_object *object, const char *key,
			     const struct flannel_lease *lease, int family)
{
	const char *text = flannel_lease_get_backend_data(lease, family);

	/* the library has checked it; what json-c cannot read all the same is null */
	json_builder_put(builder, object, key, text ? json_tokener_parse(text) : NULL);
}

/* one lease in full */
static struct json_object *make_lease(struct json_builder *builder, const struct flannel_lease *lease, bool own,
				      int64_t now_sec)
{
	struct json_object *object = json_builder_object(builder);

	lease_json_put(builder, object, lease);
	put_backend_data(builder, object, "backend_data", lease, AF_INET);
	put_backend_data(builder, object, "backend_v6_data", lease, AF_INET6);
	put_lease_end(builder, object, lease, now_sec);
	json_builder_int(builder, object, "revision", (int64_t)flannel_lease_get_revision(lease));
	json_builder_bool(builder, object, "own", own);
	return object;
}

char *status_format_leases(const struct status_source *source, size_t *ret_len)
{
	struct json_builder builder = {.failed = false};
	struct json_object *object = json_builder_object(&builder);
	struct json_object *list = json_builder_array(&builder);
	const struct flannel_lease *own = flannel_node_get_lease(source->node);
	struct flannel_node_peer peer;

	if (own)
		json_builder_append(&builder, list, make_lease(&builder, own, true, lease_now_sec(source)));
	for (size_t i = 0; get_peer(source->node, i, &peer); i++)
		json_builder_append(&builder, list, make_lease(&builder, peer.lease, false, time(NULL)));
	json_builder_put(&builder, object, "leases", list);
	return json_builder_finish(&builder, object, ret_len);
}

char *status_format_error(const char *message, size_t *ret_len)
{
	struct json_builder builder = {.failed = false};
	struct json_object *object = json_builder_object(&builder);

	json_builder_text(&builder, object, "error", message);
	return json_builder_finish(&builder, object, ret_len);
}
