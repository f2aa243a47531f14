/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/plan/object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hex.h"
#include "domain/hash.h"

struct fl_route fl_route_main(const struct flannel_prefix *dst, uint8_t protocol)
{
	struct fl_route route = {.dst = *dst, .table = FL_ROUTE_TABLE_MAIN, .protocol = protocol};

	route.type = FL_ROUTE_TYPE_UNICAST;
	route.scope = FL_ROUTE_SCOPE_UNIVERSE;
	if (dst->family == AF_INET6)
		route.metric = FL_ROUTE_METRIC_DEFAULT_V6;
	return route;
}

/* -1, 0 or 1 for numbers */
static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* address objects: the same address on another link is another object */
static int compare_address_keys(const struct fl_address *a, const struct fl_address *b)
{
	int r = strcmp(a->link, b->link);

	return r ? r : flannel_prefix_compare(&a->address, &b->address);
}

/* the kernel knows a neighbour by link and address; its MAC is an attribute */
static int compare_neighbour_keys(const struct fl_neighbour *a, const struct fl_neighbour *b)
{
	int r = strcmp(a->link, b->link);

	return r ? r : flannel_prefix_compare(&a->address, &b->address);
}

/* with an FDB entry it is the other way round: the MAC is the key */
static int compare_fdb_keys(const struct fl_fdb *a, const struct fl_fdb *b)
{
	int r = strcmp(a->link, b->link);

	return r ? r : memcmp(a->mac, b->mac, FL_MAC_LEN);
}

/* the kernel knows a route by table, destination and metric; the next hop is an attribute */
static int compare_route_keys(const struct fl_route *a, const struct fl_route *b)
{
	int r = flannel_prefix_compare(&a->dst, &b->dst);

	if (!r)
		r = compare_numbers(a->table, b->table);
	return r ? r : compare_numbers(a->metric, b->metric);
}

/* of the types' own parts, in bytes */
static const size_t sizes[] = {
	[FL_OBJECT_LINK] = sizeof(struct fl_link),       [FL_OBJECT_SYSCTL] = sizeof(struct fl_sysctl),
	[FL_OBJECT_ADDRESS] = sizeof(struct fl_address), [FL_OBJECT_NEIGHBOUR] = sizeof(struct fl_neighbour),
	[FL_OBJECT_FDB] = sizeof(struct fl_fdb),         [FL_OBJECT_ROUTE] = sizeof(struct fl_route),
};

size_t fl_object_size(enum fl_object_type type)
{
	return offsetof(struct fl_object, link) + sizes[type];
}

void fl_object_copy(struct fl_object *to, const struct fl_object *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, fl_object_size(from->type));
}

/* for each byte a bit that says whether it is not zero, then those bytes */
size_t fl_object_pack(const struct fl_object *object, uint8_t *buf)
{
	const uint8_t *bytes = (const uint8_t *)object;
	size_t size = fl_object_size(object->type), at = (size + 7) / 8;

	memset(buf, 0, at);
	for (size_t i = 0; i < size; i++) {
		if (!bytes[i])
			continue;
		buf[i / 8] |= (uint8_t)(1U << i % 8);
		buf[at++] = bytes[i];
	}
	return at;
}

void fl_object_unpack(enum fl_object_type type, const uint8_t *packed, struct fl_object *ret_object)
{
	uint8_t *bytes = (uint8_t *)ret_object;
	size_t size = fl_object_size(type);
	const uint8_t *from = packed + (size + 7) / 8;

	memset(ret_object, 0, sizeof(*ret_object));
	for (size_t i = 0; i < size; i += 8) {
		for (unsigned int bits = packed[i / 8]; bits; bits &= bits - 1)
			bytes[i + (unsigned int)__builtin_ctz(bits)] = *from++;
	}
}

/* goes on with a prefix */
static uint64_t hash_prefix(uint64_t hash, const struct flannel_prefix *prefix)
{
	hash = fl_hash(hash, &prefix->family, sizeof(prefix->family));
	hash = fl_hash(hash, &prefix->plen, sizeof(prefix->plen));
	return fl_hash(hash, prefix->addr, sizeof(prefix->addr));
}

uint32_t fl_object_hash_key(const struct fl_object *object)
{
	uint64_t hash = FL_HASH_INIT;

	switch (object->type) {
	case FL_OBJECT_LINK:
		hash = fl_hash(hash, object->link.name, strlen(object->link.name));
		break;
	case FL_OBJECT_SYSCTL:
		hash = fl_hash(hash, object->sysctl.name, strlen(object->sysctl.name));
		break;
	case FL_OBJECT_ADDRESS:
		hash = hash_prefix(hash, &object->address.address);
		break;
	case FL_OBJECT_NEIGHBOUR:
		hash = hash_prefix(hash, &object->neighbour.address);
		break;
	case FL_OBJECT_FDB:
		hash = fl_hash(hash, object->fdb.mac, sizeof(object->fdb.mac));
		break;
	case FL_OBJECT_ROUTE:
		hash = hash_prefix(hash, &object->route.dst);
		break;
	}
	/* the same address is that of a neighbour and of a route */
	hash = fl_hash(hash, &(uint8_t){(uint8_t)object->type}, 1);
	return (uint32_t)(hash ^ (hash >> 32));
}

int fl_object_compare_key(const struct fl_object *a, const struct fl_object *b)
{
	int r = compare_numbers(a->type, b->type);

	if (!r)
		r = compare_numbers(a->role, b->role);
	if (r)
		return r;
	switch (a->type) {
	case FL_OBJECT_LINK:
		return strcmp(a->link.name, b->link.name);
	case FL_OBJECT_SYSCTL:
		return strcmp(a->sysctl.name, b->sysctl.name);
	case FL_OBJECT_ADDRESS:
		return compare_address_keys(&a->address, &b->address);
	case FL_OBJECT_NEIGHBOUR:
		return compare_neighbour_keys(&a->neighbour, &b->neighbour);
	case FL_OBJECT_FDB:
		return compare_fdb_keys(&a->fdb, &b->fdb);
	case FL_OBJECT_ROUTE:
		return compare_route_keys(&a->route, &b->route);
	}
	return 0;
}

const char *fl_object_get_link(const struct fl_object *object)
{
	switch (object->type) {
	case FL_OBJECT_ADDRESS:
		return object->address.link;
	case FL_OBJECT_NEIGHBOUR:
		return object->neighbour.link;
	case FL_OBJECT_FDB:
		return object->fdb.link;
	case FL_OBJECT_ROUTE:
		return object->route.link;
	default:
		return "";
	}
}

bool fl_link_must_be_remade(const struct fl_link *found, const struct fl_link *wanted)
{
	if (strcmp(found->kind, wanted->kind) != 0)
		return true;
	return (wanted->set & FL_LINK_VXLAN) &&
	       (found->vxlan.vni != wanted->vxlan.vni || found->vxlan.port != wanted->vxlan.port ||
		found->vxlan.gbp != wanted->vxlan.gbp);
}

/* what the kernel can change in a vxlan device */
static bool vxlan_satisfies(const struct fl_vxlan_link *found, const struct fl_vxlan_link *wanted)
{
	return found->learning == wanted->learning && flannel_prefix_compare(&found->local, &wanted->local) == 0 &&
	       strcmp(found->lower, wanted->lower) == 0;
}

/* just the attributes that wanted->set names */
static bool link_satisfies(const struct fl_link *found, const struct fl_link *wanted)
{
	unsigned int set = wanted->set;

	return !fl_link_must_be_remade(found, wanted) &&
	       !((set & FL_LINK_VXLAN) && !vxlan_satisfies(&found->vxlan, &wanted->vxlan)) &&
	       !((set & FL_LINK_MTU) && found->mtu != wanted->mtu) &&
	       !((set & FL_LINK_MAC) && memcmp(found->mac, wanted->mac, FL_MAC_LEN) != 0) &&
	       !((set & FL_LINK_UP) && found->up != wanted->up) &&
	       !((set & FL_LINK_PROMISC) && found->promisc != wanted->promisc) &&
	       !((set & FL_LINK_ALLMULTI) && found->allmulti != wanted->allmulti) &&
	       !((set & FL_LINK_TXQLEN) && found->txqlen != wanted->txqlen) &&
	       !((set & FL_LINK_MASTER) && strcmp(found->master, wanted->master) != 0) &&
	       !((set & FL_LINK_HAIRPIN) && found->hairpin != wanted->hairpin) &&
	       !((set & FL_LINK_ISOLATED) && found->isolated != wanted->isolated) &&
	       !((set & FL_LINK_ALIAS) && strcmp(found->alias, wanted->alias) != 0);
}

/* a route without a link takes the one that the kernel chose */
static bool route_satisfies(const struct fl_route *found, const struct fl_route *wanted)
{
	return flannel_prefix_compare(&found->via, &wanted->via) == 0 &&
	       (!wanted->link[0] || strcmp(found->link, wanted->link) == 0) && found->type == wanted->type &&
	       found->protocol == wanted->protocol && found->mtu == wanted->mtu && found->advmss == wanted->advmss &&
	       (wanted->dst.family != AF_INET || found->scope == wanted->scope) && found->onlink == wanted->onlink &&
	       !found->multipath;
}

bool fl_object_satisfies(const struct fl_object *found, const struct fl_object *wanted)
{
	switch (wanted->type) {
	case FL_OBJECT_LINK:
		return link_satisfies(&found->link, &wanted->link);
	case FL_OBJECT_SYSCTL:
		return strcmp(found->sysctl.value, wanted->sysctl.value) == 0;
	case FL_OBJECT_ADDRESS:
		return true;
	case FL_OBJECT_NEIGHBOUR:
		return found->neighbour.dynamic == wanted->neighbour.dynamic &&
		       memcmp(found->neighbour.mac, wanted->neighbour.mac, FL_MAC_LEN) == 0;
	case FL_OBJECT_FDB:
		return found->fdb.dynamic == wanted->fdb.dynamic &&
		       flannel_prefix_compare(&found->fdb.dst, &wanted->fdb.dst) == 0;
	case FL_OBJECT_ROUTE:
		return route_satisfies(&found->route, &wanted->route);
	}
	return false;
}

/* the route as ip-route(8) writes it */
static void format_route(const struct fl_route *route, char *buf, size_t size)
{
	char dst[FLANNEL_PREFIX_STRLEN], via[FLANNEL_PREFIX_STRLEN], metric[24] = "";

	flannel_prefix_format(&route->dst, dst, sizeof(dst));
	flannel_prefix_format_address(&route->via, via, sizeof(via));
	if (route->metric && !(route->dst.family == AF_INET6 && route->metric == FL_ROUTE_METRIC_DEFAULT_V6))
		snprintf(metric, sizeof(metric), " metric %u", route->metric);
	snprintf(buf, size, "%sroute %s%s%s%s%s%s", route->type == FL_ROUTE_TYPE_BLACKHOLE ? "blackhole " : "", dst,
		 via[0] ? " via " : "", via, route->link[0] ? " dev " : "", route->link, metric);
}

const char *fl_object_format(const struct fl_object *object, char *buf, size_t size)
{
	char prefix[FLANNEL_PREFIX_STRLEN], mac[FLANNEL_MAC_STRLEN];

	switch (object->type) {
	case FL_OBJECT_LINK:
		snprintf(buf, size, "%s %s", object->link.kind[0] ? object->link.kind : "link", object->link.name);
		break;
	case FL_OBJECT_SYSCTL:
		snprintf(buf, size, "sysctl %s = %s", object->sysctl.name, object->sysctl.value);
		break;
	case FL_OBJECT_ADDRESS:
		snprintf(buf, size, "address %s on %s",
			 flannel_prefix_format(&object->address.address, prefix, sizeof(prefix)), object->address.link);
		break;
	case FL_OBJECT_NEIGHBOUR:
		snprintf(buf, size, "neighbour %s on %s",
			 flannel_prefix_format_address(&object->neighbour.address, prefix, sizeof(prefix)),
			 object->neighbour.link);
		break;
	case FL_OBJECT_FDB:
		snprintf(buf, size, "FDB entry %s to %s on %s", fl_mac_format(object->fdb.mac, mac, sizeof(mac)),
			 flannel_prefix_format_address(&object->fdb.dst, prefix, sizeof(prefix)), object->fdb.link);
		break;
	case FL_OBJECT_ROUTE:
		format_route(&object->route, buf, size);
		break;
	}
	return buf;
}

const char *fl_verb_format(enum fl_verb verb)
{
	switch (verb) {
	case FL_VERB_CREATE:
		return "add";
	case FL_VERB_REPLACE:
		return "replace";
	case FL_VERB_DELETE:
		break;
	}
	return "delete";
}

const char *fl_mac_format(const uint8_t mac[FL_MAC_LEN], char *buf, size_t size)
{
	snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buf;
}

int fl_mac_parse(const char *text, uint8_t ret_mac[FL_MAC_LEN])
{
	uint8_t mac[FL_MAC_LEN];

	if (!text || strlen(text) != FLANNEL_MAC_STRLEN - 1)
		return -EINVAL;
	for (int i = 0; i < FL_MAC_LEN; i++) {
		const char *byte = text + (ptrdiff_t)3 * i;
		int value = fl_hex_byte(byte);

		if (value < 0)
			return -EINVAL;
		if (i < FL_MAC_LEN - 1 && (byte[2] != text[2] || (byte[2] != ':' && byte[2] != '-')))
			return -EINVAL;
		mac[i] = (uint8_t)value;
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

bool fl_ifname_is_valid(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0 || len >= FLANNEL_IFNAME_SIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (const char *c = name; *c; c++) {
		if (*c == '/' || *c == ':' || *c == ' ' || (*c >= '\t' && *c <= '\r'))
			return false;
	}
	return true;
}

bool fl_ifname_can_be_given(const char *name)
{
	return fl_ifname_is_valid(name) && !strchr(name, '%');
}
