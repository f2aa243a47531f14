/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the backends want, from values; and the same for what flannel was recorded to set. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "domain/backend/backend.h"
#include "domain/lease/lease.h"

/* recorded runs of flannel; see tests/e2e/flanneld/golden */
#define CASES TEST_DATA "/../../e2e/flanneld/cases"

static struct flannel_prefix prefix_of(const char *text)
{
	struct flannel_prefix prefix;

	cr_assert_eq(flannel_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

static struct flannel_lease *lease_of(const char *key, const char *value)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct flannel_lease *lease = NULL;

	cr_assert_eq(flannel_lease_parse(key, value, strlen(value), 0, 0, &lease, &error), 0, "%s",
		     flannel_error_get_message(error));
	return lease;
}

/* a node as in the recorded runs */
struct site {
	struct fl_underlay underlay;
	struct fl_backend_facts facts;
	const struct fl_backend *backend;
};

/* the backends that are tried here */
static const struct fl_backend *find_backend(const char *name)
{
	return strcmp(name, "vxlan") == 0 ? &fl_backend_vxlan : &fl_backend_host_gw;
}

/* reads the configuration; the result is load()'s */
static int open_site(struct site *site, const char *config, size_t len, struct flannel_error **ret_error)
{
	*site = (struct site){.underlay = {.name = "eth0", .ifindex = 2, .mtu = 1500, .up = true, .carrier = true}};
	site->underlay.address = prefix_of("192.168.77.1/24");
	site->underlay.address6 = prefix_of("fd77::1/64");
	site->underlay.public_ip = prefix_of("192.168.77.1");
	site->underlay.public_ip6 = prefix_of("fd77::1");
	cr_assert_eq(flannel_netconf_parse(config, len, &site->facts.netconf, NULL), 0, "%s", config);
	site->facts.underlay = &site->underlay;
	site->facts.route_protocol = 241;
	site->facts.vxlan_port = FL_VXLAN_PORT_DEFAULT;
	site->backend = find_backend(flannel_netconf_get_backend_type(site->facts.netconf));
	return site->backend->load ? site->backend->load(&site->facts, ret_error) : 0;
}

static void open_good_site(struct site *site, const char *config)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	cr_assert_eq(open_site(site, config, strlen(config), &error), 0, "%s", flannel_error_get_message(error));
	for (size_t i = 0; i < site->facts.n_devices; i++)
		memcpy(site->facts.devices[i].mac, (uint8_t[]){2, 0, 0, 0, 0x77, (uint8_t)(i + 1)}, FL_MAC_LEN);
}

static void close_site(struct site *site)
{
	flannel_netconf_unref(site->facts.netconf);
}

/* lines in any order */
struct lines {
	char line[64][160];
	size_t n;
};

static int compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add_line(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_line(struct lines *lines, const char *format, ...)
{
	va_list args;

	cr_assert_lt(lines->n, FL_N_ELEMENTS(lines->line));
	va_start(args, format);
	vsnprintf(lines->line[lines->n++], sizeof(lines->line[0]), format, args);
	va_end(args);
	qsort(lines->line, lines->n, sizeof(lines->line[0]), compare_lines);
}

static void expect_lines(const char *what, const struct lines *got, const struct lines *want)
{
	cr_expect_eq(got->n, want->n, "%s: %zu, expected %zu", what, got->n, want->n);
	for (size_t i = 0; i < got->n && i < want->n; i++)
		cr_expect_str_eq(got->line[i], want->line[i], "%s", what);
}

/* an object as a line with all that counts */
static void add_object(struct lines *lines, const struct fl_object *object)
{
	char text[FL_OBJECT_STRLEN], mac[FLANNEL_MAC_STRLEN];

	fl_object_format(object, text, sizeof(text));
	if (object->type == FL_OBJECT_NEIGHBOUR)
		add_line(lines, "%s %s", text, fl_mac_format(object->neighbour.mac, mac, sizeof(mac)));
	else if (object->type == FL_OBJECT_ROUTE)
		add_line(lines, "%s%s", text, object->route.onlink ? " onlink" : "");
	else
		add_line(lines, "%s", text);
}

static char *read_file(const char *name, const char *file, size_t *ret_len)
{
	char path[256], *text = NULL;

	snprintf(path, sizeof(path), CASES "/%s/%s", name, file);
	cr_assert_eq(fl_file_read(path, 1 << 20, &text, ret_len, NULL), 0, "%s", path);
	return text;
}

static struct json_object *read_json(const char *name, const char *file)
{
	struct json_object *value = NULL;
	size_t len;
	char *text = read_file(name, file, &len);

	cr_assert_eq(fl_json_parse(text, len, file, &value, NULL), 0, "%s %s", name, file);
	free(text);
	return value;
}

static const char *get(struct json_object *object, const char *key)
{
	const char *value = "";

	(void)fl_json_get_string(object, "", key, &value, NULL);
	return value;
}

/* what flannel set: untagged routes with a gateway */
static void add_recorded_routes(struct lines *lines, const char *name)
{
	struct json_object *routes = read_json(name, "routes.json");
	static const char *const families[] = {"v4", "v6"};

	for (size_t f = 0; f < FL_N_ELEMENTS(families); f++) {
		struct json_object *list = NULL;

		if (fl_json_get_array(routes, name, families[f], &list, NULL) <= 0)
			continue;
		for (size_t i = 0; i < fl_json_array_length(list); i++) {
			struct json_object *route = fl_json_array_get(list, i), *flags = NULL;

			if (strcmp(get(route, "protocol"), "boot") != 0 || strcmp(get(route, "dst"), "default") == 0)
				continue;
			(void)fl_json_get_array(route, name, "flags", &flags, NULL);
			add_line(lines, "route %s via %s dev %s%s", get(route, "dst"), get(route, "gateway"),
				 get(route, "dev"), fl_json_array_length(flags) ? " onlink" : "");
		}
	}
	fl_json_unref(routes);
}

static void add_recorded_entries(struct lines *lines, const char *name)
{
	struct json_object *list = read_json(name, "neigh.json");
	static const char *const devices[] = {"flannel.1", "flannel-v6.1", "flannel.77"};

	for (size_t i = 0; i < fl_json_array_length(list); i++) {
		struct json_object *entry = fl_json_array_get(list, i);

		add_line(lines, "neighbour %s on %s %s", get(entry, "dst"), get(entry, "dev"), get(entry, "lladdr"));
	}
	fl_json_unref(list);
	list = read_json(name, "fdb.json");
	for (size_t d = 0; d < FL_N_ELEMENTS(devices); d++) {
		struct json_object *entries = NULL;

		if (fl_json_get_array(list, name, devices[d], &entries, NULL) <= 0)
			continue;
		for (size_t i = 0; i < fl_json_array_length(entries); i++)
			add_line(lines, "FDB entry %s to %s on %s", get(fl_json_array_get(entries, i), "mac"),
				 get(fl_json_array_get(entries, i), "dst"), devices[d]);
	}
	fl_json_unref(list);
}

/* wants for each recorded lease of this backend, as the agent does */
static void add_wanted(struct lines *lines, const char *name, const struct site *site)
{
	struct json_object *rows = read_json(name, "leases-before.json");

	for (size_t i = 0; i < fl_json_array_length(rows); i++) {
		struct json_object *row = fl_json_array_get(rows, i);
		struct flannel_lease *lease = lease_of(get(row, "key"), get(row, "value"));
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct fl_object objects[FL_PEER_OBJECTS_MAX];
		int n = 0;

		if (strcmp(flannel_lease_get_backend_type(lease), site->backend->name) == 0)
			n = site->backend->want_peer(&site->facts, lease, objects, &error);
		cr_expect_geq(n, 0, "%s: %s", name, flannel_error_get_message(error));
		for (int k = 0; k < n; k++)
			add_object(lines, &objects[k]);
		flannel_lease_unref(lease);
	}
	fl_json_unref(rows);
}

/* what flannel says of its MTU */
static uint32_t recorded_mtu(const char *name)
{
	size_t len;
	char *text = read_file(name, "subnet.env", &len);
	const char *line = strstr(text, "FLANNEL_MTU=");
	uint32_t mtu;

	cr_assert_not_null(line);
	mtu = (uint32_t)strtoul(line + strlen("FLANNEL_MTU="), NULL, 10);
	free(text);
	return mtu;
}

Test(backend, recorded_runs)
{
	static const struct {
		const char *name;
		uint32_t mtu; /* 0: the recorded one */
	} cases[] = {
		{"hostgw-dual", 0},    {"vxlan-v4", 0},
		{"vxlan-dual", 1430}, /* flannel says 1450, though its IPv6 device has 1430 */
		{"vxlan-options", 0},  {"vxlan-learning", 0},
		{"vxlan-publicip", 0},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(cases); i++) {
		const char *name = cases[i].name;
		struct lines got = {0}, want = {0};
		struct site site;
		size_t len;
		char *config = read_file(name, "config.json", &len);

		cr_assert_eq(open_site(&site, config, len, NULL), 0, "%s", name);
		add_recorded_routes(&want, name);
		/* beyond the gateway: flannel keeps it in mind, and the kernel refuses it */
		if (site.backend == &fl_backend_host_gw) {
			add_line(&want, "route 10.244.3.0/24 via 10.99.0.5 dev eth0");
			add_line(&want, "route fd00:10:244:3::/64 via fd99::5 dev eth0");
		} else {
			add_recorded_entries(&want, name);
		}
		add_wanted(&got, name, &site);
		expect_lines(name, &got, &want);
		cr_expect_geq(got.n, 3, "%s", name);
		cr_expect_eq(site.backend->check(&site.facts, NULL), 0);
		cr_expect_eq(site.backend->mtu(&site.facts), cases[i].mtu ? cases[i].mtu : recorded_mtu(name), "%s: %u",
			     name, site.backend->mtu(&site.facts));
		close_site(&site);
		free(config);
	}
}

#define V4 "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\"}}"
#define DUAL(backend)                                                                                                  \
	"{\"Network\":\"10.244.0.0/16\",\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/48\",\"Backend\":" backend \
	"}"
#define V6                                                                                                             \
	"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/48\",\"Backend\":{\"Type\":"        \
	"\"vxlan\"}}"

Test(backend, vxlan_devices)
{
	struct fl_object objects[FL_NODE_OBJECTS_MAX];
	const struct fl_link *link = &objects[0].link, *link6;
	char text[FL_OBJECT_STRLEN];
	struct site site;

	open_good_site(&site, DUAL("{\"Type\":\"vxlan\",\"VNI\":7,\"Learning\":true,\"GBP\":true}"));
	site.underlay.public_ip = prefix_of("203.0.113.9"); /* of a router in between */
	cr_assert_eq(site.backend->want_node(&site.facts, objects), 2, "no lease yet: devices alone");
	link6 = &objects[1].link;
	cr_expect_str_eq(fl_object_format(&objects[0], text, sizeof(text)), "vxlan flannel.7");
	cr_expect_str_eq(fl_object_format(&objects[1], text, sizeof(text)), "vxlan flannel-v6.7");
	cr_expect_eq(link->set, FL_LINK_VXLAN | FL_LINK_MAC | FL_LINK_MTU | FL_LINK_ALIAS | FL_LINK_UP);
	cr_expect(link->up && link->vxlan.vni == 7 && link->vxlan.port == 8472 && link->vxlan.learning &&
		  link->vxlan.gbp);
	cr_expect_str_eq(link->vxlan.lower, "eth0");
	cr_expect_str_eq(link->alias, FL_OUR_ALIAS);
	cr_expect_str_eq(flannel_prefix_format(&link->vxlan.local, text, sizeof(text)), "192.168.77.1/32",
			 "the interface's own");
	cr_expect_str_eq(flannel_prefix_format(&link6->vxlan.local, text, sizeof(text)), "fd77::1/128");
	cr_expect_eq(link->mtu, 1450u);
	cr_expect_eq(link6->mtu, 1430u);
	cr_expect_neq(memcmp(link->mac, link6->mac, FL_MAC_LEN), 0);

	site.facts.own.subnet = prefix_of("10.244.1.0/24");
	site.facts.own.subnet6 = prefix_of("fd00:10:244:1::/64");
	cr_assert_eq(site.backend->want_node(&site.facts, objects), 4);
	cr_expect_str_eq(fl_object_format(&objects[1], text, sizeof(text)), "address 10.244.1.0/32 on flannel.7");
	cr_expect_str_eq(fl_object_format(&objects[3], text, sizeof(text)),
			 "address fd00:10:244:1::/128 on flannel-v6.7");
	close_site(&site);
}

Test(backend, vxlan_publishes_its_devices)
{
	char buf[FL_VXLAN_DATA_STRLEN];
	struct site site;

	open_good_site(&site, V4);
	cr_expect_str_eq(site.backend->publish(&site.facts, AF_INET, buf),
			 "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:77:01\"}");
	cr_expect_null(site.backend->publish(&site.facts, AF_INET6, buf));
	close_site(&site);
	open_good_site(&site, DUAL("{\"Type\":\"vxlan\"}"));
	cr_expect_str_eq(site.backend->publish(&site.facts, AF_INET6, buf),
			 "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:77:02\"}");
	close_site(&site);
}

/* underlay's MTU, configured MTU, MTU for pods in IPv4, dual stack and IPv6 only; 0 is refused */
static const struct {
	uint32_t underlay, config, v4, dual, v6;
} mtus[] = {
	{1500, 0, 1450, 1430, 1430},
	{9000, 0, 8950, 8930, 8930},
	{1500, 1400, 1350, 1350, 1350},
	{1500, 1490, 1440, 1430, 1430},
	{1500, 9000, 1450, 1430, 1430}, /* more than there is */
	{1350, 0, 1300, 1280, 1280},
	{1349, 0, 1299, 0, 0},
	{1500, 1329, 1279, 0, 0},
	{138, 0, 88, 0, 0},
	{137, 0, 0, 0, 0},
	{68, 0, 0, 0, 0},
	{1500, 118, 68, 0, 0},
};

Test(backend, vxlan_mtu)
{
	static const char *const formats[] = {
		"{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\",\"MTU\":%u}}",
		DUAL("{\"Type\":\"vxlan\",\"MTU\":%u}"),
		"{\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPv6Network\":\"fd00:10:244::/48\","
		"\"Backend\":{\"Type\":\"vxlan\",\"MTU\":%u}}",
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(mtus); i++) {
		const uint32_t want[] = {mtus[i].v4, mtus[i].dual, mtus[i].v6};

		for (size_t k = 0; k < FL_N_ELEMENTS(formats); k++) {
			FL_CLEANUP_ERROR struct flannel_error *error = NULL;
			char config[256];
			struct site site;
			int r;

			snprintf(config, sizeof(config), formats[k], mtus[i].config);
			open_good_site(&site, config);
			site.underlay.mtu = mtus[i].underlay;
			r = site.backend->check(&site.facts, &error);
			cr_expect_eq(r, want[k] ? 0 : -EINVAL, "%u, %s", mtus[i].underlay, config);
			if (r == 0)
				cr_expect_eq(site.backend->mtu(&site.facts), want[k], "%u, %s: %u", mtus[i].underlay,
					     config, site.backend->mtu(&site.facts));
			else
				cr_expect_not_null(strstr(flannel_error_get_message(error), "of eth0 is too small"));
			close_site(&site);
		}
	}
}

Test(backend, vxlan_names_too_long)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	const char *config = DUAL("{\"Type\":\"vxlan\",\"VNI\":10000}");
	struct site site;

	cr_expect_eq(open_site(&site, config, strlen(config), &error), -EINVAL);
	cr_expect_str_eq(flannel_error_get_message(error),
			 "net-conf.json: Backend: VNI is 10000: expected 9999 or less, since the device's name, "
			 "flannel-v6.VNI, has at most 15 characters");
	close_site(&site);
}

#define DATA(mac) "\"BackendType\":\"vxlan\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"" mac "\"}"

/* leases of peers, and what becomes of them */
static const struct {
	const char *config, *key, *value;
	int n;               /* objects, or negative */
	const char *message; /* of a failure, its end */
} peers[] = {
	{V4, "10.244.2.0-24", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00:00:00:77:22") "}", 3,
	 NULL},
	/* a device of both families in a network of one */
	{V4, "10.244.2.0-24&fd00:10:244:2::-64",
	 "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":\"fd77::2\"," DATA(
		 "02:00:00:00:77:22") ",\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:77:23\"}}",
	 3, NULL},
	{DUAL("{\"Type\":\"vxlan\"}"), "10.244.2.0-24&fd00:10:244:2::-64",
	 "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":\"fd77::2\"," DATA(
		 "02:00:00:00:77:22") ",\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:77:23\"}}",
	 6, NULL},
	/* of one family in a network of both */
	{DUAL("{\"Type\":\"vxlan\"}"), "10.244.2.0-24",
	 "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00:00:00:77:22") "}", 3, NULL},
	{V6, "0.0.0.0-0&fd00:10:244:2::-64",
	 "{\"PublicIP\":\"0.0.0.0\",\"PublicIPv6\":\"fd77::2\",\"BackendType\":\"vxlan\",\"BackendV6Data\":{\"VNI\":1,"
	 "\"VtepMAC\":\"02:00:00:00:77:23\"}}",
	 3, NULL},
	{V4, "10.244.2.0-24", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\"}", -EINVAL,
	 "reach peer 10.244.2.0/24: its backend data: there is none"},
	{V4, "10.244.2.0-24", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00") "}", -EINVAL,
	 "reach peer 10.244.2.0/24: its backend data: VtepMAC is \"02:00\": expected the MAC address of a device"},
	{V4, "10.244.2.0-24", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00:00:00:77:01") "}",
	 -EEXIST, "its device has the MAC address of this node's (an earlier lease of this node, or a copy of it)"},
	{V4, "10.245.2.0-24", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00:00:00:77:22") "}",
	 -ERANGE, "its subnet is no part of the network"},
	{V4, "10.244.0.0-16", "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":null," DATA("02:00:00:00:77:22") "}",
	 -ERANGE, "its subnet is no part of the network"},
};

Test(backend, vxlan_peers)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(peers); i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		struct flannel_lease *lease = lease_of(peers[i].key, peers[i].value);
		struct fl_object objects[FL_PEER_OBJECTS_MAX];
		const char *message;
		struct site site;

		open_good_site(&site, peers[i].config);
		cr_expect_eq(site.backend->want_peer(&site.facts, lease, objects, &error), peers[i].n, "%s %s: %s",
			     peers[i].key, peers[i].value, flannel_error_get_message(error));
		message = flannel_error_get_message(error);
		if (peers[i].message && strlen(message) >= strlen(peers[i].message))
			cr_expect_str_eq(message + strlen(message) - strlen(peers[i].message), peers[i].message);
		flannel_lease_unref(lease);
		close_site(&site);
	}
}

/* neighbours without the tunnel, each family by itself */
Test(backend, vxlan_direct_routing)
{
	const char *value = "{\"PublicIP\":\"192.168.77.2\",\"PublicIPv6\":\"fd77::2\"," DATA(
		"02:00:00:00:77:22") ",\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:77:23\"}}";
	struct flannel_lease *lease = lease_of("10.244.2.0-24&fd00:10:244:2::-64", value);
	struct fl_object objects[FL_PEER_OBJECTS_MAX];
	char text[FL_OBJECT_STRLEN];
	struct site site;

	open_good_site(&site, DUAL("{\"Type\":\"vxlan\"}"));
	site.facts.on_link = site.facts.on_link6 = true;
	cr_expect_not(site.backend->asks_for_on_link(&site.facts));
	cr_expect_eq(site.backend->want_peer(&site.facts, lease, objects, NULL), 6, "not asked for");
	close_site(&site);

	open_good_site(&site, DUAL("{\"Type\":\"vxlan\",\"DirectRouting\":true}"));
	cr_expect(site.backend->asks_for_on_link(&site.facts));
	cr_expect_eq(site.backend->want_peer(&site.facts, lease, objects, NULL), 6, "beyond a router");
	site.facts.on_link = true;
	cr_expect_eq(site.backend->want_peer(&site.facts, lease, objects, NULL), 4);
	cr_expect_str_eq(fl_object_format(&objects[0], text, sizeof(text)), "route 10.244.2.0/24 via 192.168.77.2");
	cr_expect_not(objects[0].route.onlink);
	cr_expect_eq(objects[1].type, FL_OBJECT_NEIGHBOUR);
	site.facts.on_link6 = true;
	cr_expect_eq(site.backend->want_peer(&site.facts, lease, objects, NULL), 2);
	cr_expect_str_eq(fl_object_format(&objects[1], text, sizeof(text)), "route fd00:10:244:2::/64 via fd77::2");
	flannel_lease_unref(lease);
	close_site(&site);
}

Test(backend, host_gw_needs_the_address_that_peers_are_told)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct site site;

	open_good_site(&site, "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}");
	cr_expect_eq(site.backend->check(&site.facts, NULL), 0);
	site.underlay.public_ip = prefix_of("203.0.113.9");
	cr_expect_eq(site.backend->check(&site.facts, &error), -EINVAL);
	cr_expect_not_null(
		strstr(flannel_error_get_message(error), "public address 203.0.113.9, but eth0 has 192.168.77.1"));
	close_site(&site);
}
