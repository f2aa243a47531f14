/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/pod/attachment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/pod/vlan.h"

#define FLAGS_ALL                                                                                                      \
	(FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_FORCE_ADDRESS |          \
	 FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_PROMISCUOUS | FLANNEL_ATTACHMENT_ISOLATED |                   \
	 FLANNEL_ATTACHMENT_DAD | FLANNEL_ATTACHMENT_LINK_DOWN | FLANNEL_ATTACHMENT_VLAN_FILTER |                      \
	 FLANNEL_ATTACHMENT_KEEP_VLAN | FLANNEL_ATTACHMENT_POINT_TO_POINT)

/* what makes no sense without a bridge */
#define FLAGS_OF_BRIDGES                                                                                               \
	(FLANNEL_ATTACHMENT_FORCE_ADDRESS | FLANNEL_ATTACHMENT_HAIRPIN | FLANNEL_ATTACHMENT_PROMISCUOUS |              \
	 FLANNEL_ATTACHMENT_ISOLATED | FLANNEL_ATTACHMENT_LINK_DOWN | FLANNEL_ATTACHMENT_VLAN_FILTER |                 \
	 FLANNEL_ATTACHMENT_KEEP_VLAN)

/* what does not go with an attachment without a bridge, or NULL */
static const char *find_point_fault(const struct flannel_attachment_options *options)
{
	if (!(options->flags & FLANNEL_ATTACHMENT_POINT_TO_POINT))
		return NULL;
	if ((options->flags & FLAGS_OF_BRIDGES) || options->bridge || options->vlan || options->n_trunk)
		return "point-to-point excludes all that is about bridges";
	return options->n_addresses ? NULL : "point-to-point needs addresses";
}

/* flags that exclude each other, or NULL */
static const char *find_flag_fault(const struct flannel_attachment_options *options)
{
	if (options->flags & ~(unsigned int)FLAGS_ALL)
		return "unknown flag";
	if ((options->flags & FLANNEL_ATTACHMENT_HAIRPIN) && (options->flags & FLANNEL_ATTACHMENT_PROMISCUOUS))
		return "hairpin and promiscuous exclude each other";
	if ((options->flags & FLANNEL_ATTACHMENT_LINK_DOWN) && options->n_addresses)
		return "a link that stays down cannot have addresses";
	return find_point_fault(options);
}

bool fl_attachment_mac_is_valid(const char *text)
{
	uint8_t mac[FL_MAC_LEN];

	return fl_mac_parse(text, mac) == 0 && !(mac[0] & 1);
}

/* addresses must be whole, and their gateways of the same family */
static int check_addresses(const struct flannel_attachment_options *options, struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	if (options->n_addresses && !options->addresses)
		return fl_error_set(ret_error, -EINVAL, "attachment", "it is NULL", "%zu addresses",
				    options->n_addresses);
	for (size_t i = 0; i < options->n_addresses; i++) {
		const struct flannel_address *address = &options->addresses[i];
		const struct flannel_prefix *gateway = &address->gateway;

		if (address->size != sizeof(*address))
			return fl_error_set(ret_error, -EINVAL, "attachment", "its size is wrong", "address %zu", i);
		if (!address->address.family)
			return fl_error_set(ret_error, -EINVAL, "attachment", "it is missing", "address %zu", i);
		if (gateway->family && gateway->family != address->address.family)
			return fl_error_set(ret_error, -EINVAL, "attachment", "its gateway is of another family",
					    "address %s", flannel_prefix_format(&address->address, text, sizeof(text)));
	}
	return 0;
}

/* Routes need a destination, and a gateway of the same family. Host bits are an error with IPv4 only, as with the kernel. */
static int check_routes(const struct flannel_attachment_options *options, struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	if (options->n_routes && !options->routes)
		return fl_error_set(ret_error, -EINVAL, "attachment", "it is NULL", "%zu routes", options->n_routes);
	for (size_t i = 0; i < options->n_routes; i++) {
		const struct flannel_attachment_route *route = &options->routes[i];
		const char *fault = NULL;

		if (route->size != sizeof(*route))
			fault = "its size is wrong";
		else if (!route->dst.family)
			fault = "its destination is missing";
		else if (route->dst.family == AF_INET && !flannel_prefix_is_network(&route->dst))
			fault = "its host bits are not zero";
		else if (route->via.family && route->via.family != route->dst.family)
			fault = "its gateway is of another family";
		else if (route->scope < FLANNEL_SCOPE_UNSET || route->scope > UINT8_MAX)
			fault = "its scope is not from 0 to 255";
		if (fault)
			return fl_error_set(ret_error, -EINVAL, "attachment", fault, "route %zu to \"%s\"", i,
					    flannel_prefix_format(&route->dst, text, sizeof(text)));
	}
	return 0;
}

int fl_attachment_check(const struct flannel_attachment_options *options, struct flannel_error **ret_error)
{
	const char *fault = find_flag_fault(options);
	int r;

	if (fault)
		return fl_error_set(ret_error, -EINVAL, "attachment", fault, "flags 0x%x", options->flags);
	if (options->ifname && !fl_ifname_can_be_given(options->ifname))
		return fl_error_set(ret_error, -EINVAL, "attachment", "expected an interface name of 1 to 15 bytes",
				    "ifname is \"%s\"", options->ifname);
	if (options->bridge && !fl_ifname_can_be_given(options->bridge))
		return fl_error_set(ret_error, -EINVAL, "attachment", "expected an interface name of 1 to 15 bytes",
				    "bridge is \"%s\"", options->bridge);
	if (options->mac && !fl_attachment_mac_is_valid(options->mac))
		return fl_error_set(ret_error, -EINVAL, "attachment",
				    "expected the address of one interface, such as 02:00:00:00:00:01", "mac is \"%s\"",
				    options->mac);
	r = fl_vlan_check(options, ret_error);
	if (r >= 0)
		r = check_addresses(options, ret_error);
	return r < 0 ? r : check_routes(options, ret_error);
}

/* does GATEWAY hold, given or implied */
static bool is_gateway(const struct flannel_attachment_options *options)
{
	return (options->flags & (FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_DEFAULT_GATEWAY |
				  FLANNEL_ATTACHMENT_POINT_TO_POINT)) != 0;
}

/* an address without its network's length */
static struct flannel_prefix bare(struct flannel_prefix prefix)
{
	prefix.plen = prefix.family == AF_INET ? 32 : 128;
	return prefix;
}

/* the gateway of an address that came without one: the first of its network, or the next address if that is all there is of it */
static int choose_gateway(const struct flannel_prefix *address, struct flannel_prefix *ret_gateway)
{
	const struct flannel_prefix alone = bare(*address);

	if (address->plen == alone.plen)
		return flannel_prefix_next(&alone, 1, ret_gateway);
	return flannel_prefix_host(address, 1, ret_gateway);
}

/* copies the addresses and gives each its gateway */
static int want_addresses(const struct flannel_attachment_options *options, struct fl_attachment_want *want,
			  struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	for (size_t i = 0; i < options->n_addresses; i++) {
		struct flannel_address *address = &want->addresses[want->n_addresses++];

		*address = options->addresses[i];
		want->ipv4 |= address->address.family == AF_INET;
		want->ipv6 |= address->address.family == AF_INET6;
		if (!address->gateway.family && is_gateway(options) &&
		    choose_gateway(&address->address, &address->gateway) < 0)
			return fl_error_set(ret_error, -EINVAL, "attachment", "its network has no room for a gateway",
					    "address %s", flannel_prefix_format(&address->address, text, sizeof(text)));
		if (address->gateway.family)
			address->gateway = bare(address->gateway);
	}
	return 0;
}

/* is an address among some */
static bool is_among(const struct flannel_prefix *address, const struct flannel_prefix *some, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (flannel_prefix_compare(address, &some[i]) == 0)
			return true;
	}
	return false;
}

/* the bridge carries each gateway, with the network's length, IPv4 first, each once */
static void want_gateways(struct fl_attachment_want *want, int family)
{
	for (size_t i = 0; i < want->n_addresses; i++) {
		struct flannel_prefix gateway = want->addresses[i].gateway;

		if (gateway.family != family)
			continue;
		gateway.plen = want->addresses[i].address.plen;
		if (!is_among(&gateway, want->gateways, want->n_gateways))
			want->gateways[want->n_gateways++] = gateway;
	}
}

/* first gateway of a family; AF_UNSPEC if there is none */
static struct flannel_prefix first_gateway(const struct fl_attachment_want *want, int family)
{
	for (size_t i = 0; i < want->n_addresses; i++) {
		if (want->addresses[i].gateway.family == family)
			return want->addresses[i].gateway;
	}
	return (struct flannel_prefix){0};
}

/* is there a default route with a gateway of its own */
static bool has_default(const struct fl_attachment_want *want, int family)
{
	for (size_t i = 0; i < want->n_routes; i++) {
		const struct flannel_attachment_route *route = &want->routes[i];

		if (route->dst.family == family && route->dst.plen == 0 && route->via.family)
			return true;
	}
	return false;
}

/* adds the default route of a family, unless the caller brought one */
static void want_default_route(struct fl_attachment_want *want, int family)
{
	struct flannel_prefix gateway = first_gateway(want, family);
	struct flannel_attachment_route *route = &want->routes[want->n_routes];

	if (!gateway.family || has_default(want, family))
		return;
	*route = (struct flannel_attachment_route){.size = sizeof(*route), .scope = FLANNEL_SCOPE_UNSET};
	route->dst.family = (uint16_t)family;
	route->via = gateway;
	want->n_routes++;
}

/* one route as the kernel gets it */
static struct fl_route kernel_route(const struct fl_attachment_want *want, const struct flannel_attachment_route *route,
				    const char *ifname)
{
	const struct flannel_prefix dst = flannel_prefix_mask(route->dst);
	struct fl_route to = fl_route_main(&dst, FL_ROUTE_PROTOCOL_BOOT);

	to.via = route->via;
	if (!to.via.family && route->scope != FL_ROUTE_SCOPE_LINK)
		to.via = first_gateway(want, route->dst.family);
	if (to.via.family)
		to.via = bare(to.via);
	if (route->priority)
		to.metric = route->priority;
	if (route->table)
		to.table = route->table;
	to.scope = route->scope == FLANNEL_SCOPE_UNSET ? FL_ROUTE_SCOPE_UNIVERSE : (uint8_t)route->scope;
	to.mtu = route->mtu;
	to.advmss = route->advmss;
	strncpy(to.link, ifname, sizeof(to.link) - 1);
	return to;
}

/* the gateways as addresses of their own, and the routes with which the container reaches all by them */
static void want_point(struct fl_attachment_want *want, const char *ifname)
{
	for (size_t i = 0; i < want->n_gateways; i++)
		want->gateways[i] = bare(want->gateways[i]);
	for (size_t i = 0; i < want->n_addresses; i++) {
		const struct flannel_prefix network = flannel_prefix_mask(want->addresses[i].address);
		struct fl_route *route = &want->point_routes[want->n_point_routes++];

		*route = fl_route_main(&want->addresses[i].gateway, FL_ROUTE_PROTOCOL_BOOT);
		route->scope = FL_ROUTE_SCOPE_LINK;
		route->source = bare(want->addresses[i].address);
		strncpy(route->link, ifname, sizeof(route->link) - 1);
		if (network.plen == bare(network).plen)
			continue;
		route = &want->point_routes[want->n_point_routes++];
		*route = fl_route_main(&network, FL_ROUTE_PROTOCOL_BOOT);
		route->via = want->addresses[i].gateway;
		route->source = bare(want->addresses[i].address);
		strncpy(route->link, ifname, sizeof(route->link) - 1);
	}
}

/* memory for the worst case: every address brings a gateway, each family a default route */
static int allocate(const struct flannel_attachment_options *options, struct fl_attachment_want *want)
{
	want->addresses = calloc(options->n_addresses + 1, sizeof(*want->addresses));
	want->gateways = calloc(options->n_addresses + 1, sizeof(*want->gateways));
	want->routes = calloc(options->n_routes + 2, sizeof(*want->routes));
	want->kernel_routes = calloc(options->n_routes + 2, sizeof(*want->kernel_routes));
	want->point_routes = calloc(2 * options->n_addresses + 1, sizeof(*want->point_routes));
	return want->addresses && want->gateways && want->point_routes && want->routes && want->kernel_routes ? 0
													      : -ENOMEM;
}

int fl_attachment_want(const struct flannel_attachment_options *options, struct fl_attachment_want *ret_want,
		       struct flannel_error **ret_error)
{
	const char *ifname = options->ifname ? options->ifname : "eth0";
	FL_CLEANUP(fl_attachment_want_clear) struct fl_attachment_want want = {0};
	int r = 0;

	if (allocate(options, &want) < 0)
		return fl_error_oom(ret_error);
	r = want_addresses(options, &want, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < options->n_routes; i++)
		want.routes[want.n_routes++] = options->routes[i];
	if (options->flags & FLANNEL_ATTACHMENT_DEFAULT_GATEWAY) {
		want_default_route(&want, AF_INET);
		want_default_route(&want, AF_INET6);
	}
	if (is_gateway(options)) {
		want_gateways(&want, AF_INET);
		want_gateways(&want, AF_INET6);
	}
	if (options->flags & FLANNEL_ATTACHMENT_POINT_TO_POINT)
		want_point(&want, ifname);
	for (size_t i = 0; i < want.n_routes; i++)
		want.kernel_routes[i] = kernel_route(&want, &want.routes[i], ifname);
	*ret_want = want;
	want = (struct fl_attachment_want){0};
	return 0;
}

void fl_attachment_want_clear(struct fl_attachment_want *want)
{
	free(want->addresses);
	free(want->routes);
	free(want->kernel_routes);
	free(want->gateways);
	free(want->point_routes);
	*want = (struct fl_attachment_want){0};
}

int fl_attachment_fit_address(const struct flannel_prefix *wanted, const struct flannel_prefix *kept, size_t n_kept,
			      const struct fl_interface_address *found, size_t n_found,
			      const struct flannel_prefix **ret_other)
{
	const struct flannel_prefix *other = NULL;

	for (size_t i = 0; i < n_found; i++) {
		const struct flannel_prefix *address = &found[i].address;

		if (address->family != wanted->family)
			continue;
		if (flannel_prefix_compare(address, wanted) == 0)
			return 1;
		if (!other && !is_among(address, kept, n_kept) &&
		    (wanted->family == AF_INET || flannel_prefix_overlaps(address, wanted)))
			other = address;
	}
	if (!other)
		return 0;
	*ret_other = other;
	return -EEXIST;
}

/* a short text of bytes, spread evenly (FNV-1a, 64 bits) */
static uint64_t hash(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		value = (value ^ bytes[i]) * 0x100000001b3;
	return value;
}

bool fl_attachment_choose_mac(const struct fl_attachment_want *want, uint8_t ret_mac[FL_MAC_LEN])
{
	const struct flannel_prefix *address = want->n_addresses ? &want->addresses[0].address : NULL;
	uint64_t value;

	if (!address)
		return false;
	if (address->family == AF_INET) {
		ret_mac[0] = 0x0a;
		ret_mac[1] = 0x58;
		memcpy(ret_mac + 2, address->addr, 4);
		return true;
	}
	value = hash(address->addr, 16);
	ret_mac[0] = 0x0e;
	for (size_t i = 1; i < FL_MAC_LEN; i++)
		ret_mac[i] = (uint8_t)(value >> (8 * i));
	return true;
}
