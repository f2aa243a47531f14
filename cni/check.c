/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "previous.h"

int cni_check_previous(const struct cni_request *request, struct cni_result *ret_previous, struct cni_error *error)
{
	int r = cni_previous_read(request, ret_previous, error);

	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "prevResult is missing, expected the result of ADD");
	return r < 0 ? -1 : 0;
}

/* a text that may be missing */
static const char *text_of(const char *text)
{
	return text ? text : "";
}

const struct cni_interface *cni_check_find(const struct cni_result *previous, const char *name, const char *sandbox)
{
	for (size_t i = 0; i < previous->n_interfaces; i++) {
		const struct cni_interface *interface = &previous->interfaces[i];

		if (strcmp(text_of(interface->name), name) == 0 && strcmp(text_of(interface->sandbox), sandbox) == 0)
			return interface;
	}
	return NULL;
}

int cni_check_link(struct flannel_context *context, const struct cni_interface *interface, const char *kind,
		   bool is_fixed, struct flannel_link_status *ret_status, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const char *name = text_of(interface->name);
	const char *mac = text_of(interface->mac);
	int r;

	ret_status->size = sizeof(*ret_status);
	r = flannel_link_get(context, name, ret_status, &cause);
	if (r < 0)
		return cni_fail_flannel(error, cause, NULL);
	if (r == 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "interface %s of prevResult does not exist", name);
	if (kind && strcmp(ret_status->kind, kind) != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "interface %s is of kind \"%s\", expected \"%s\"", name,
				ret_status->kind, kind);
	if (is_fixed && mac[0] != '\0' && strcasecmp(mac, ret_status->link.mac) != 0)
		return cni_fail(error, CNI_ERROR_INTERNAL, "interface %s has MAC address %s, expected %s", name,
				ret_status->link.mac, mac);
	return 0;
}

/* the addresses of a link; *ret_addresses is malloc()ed */
static int get_addresses(struct flannel_context *context, const char *ifname, struct flannel_prefix **ret_addresses,
			 size_t *ret_n, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	struct flannel_prefix *addresses = NULL;
	size_t n_max = 16;

	for (;;) {
		struct flannel_prefix *larger = reallocarray(addresses, n_max, sizeof(*addresses));

		if (!larger) {
			free(addresses);
			return cni_fail_oom(error);
		}
		addresses = larger;
		if (flannel_link_get_addresses(context, ifname, addresses, n_max, ret_n, &cause) < 0) {
			free(addresses);
			return cni_fail_flannel(error, cause, NULL);
		}
		if (*ret_n <= n_max) {
			*ret_addresses = addresses;
			return 0;
		}
		n_max = *ret_n;
	}
}

/* is an address among those of a link */
static bool has_address(const struct flannel_prefix *addresses, size_t n, const struct flannel_prefix *address)
{
	for (size_t i = 0; i < n; i++) {
		if (flannel_prefix_compare(&addresses[i], address) == 0)
			return true;
	}
	return false;
}

/* is there a route like that */
static int expect_route(struct flannel_context *context, const struct cni_route *route, const char *ifname,
			struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const struct flannel_prefix *via = route->dst.plen > 0 ? &route->gw : NULL;
	char dst_text[FLANNEL_PREFIX_STRLEN];
	char via_text[FLANNEL_PREFIX_STRLEN] = "";
	int r = flannel_route_exists(context, &route->dst, via, route->table > 0 ? (uint32_t)route->table : 0, &cause);

	if (r < 0)
		return cni_fail_flannel(error, cause, NULL);
	if (r > 0)
		return 0;
	(void)flannel_prefix_format(&route->dst, dst_text, sizeof(dst_text));
	if (route->gw.family != AF_UNSPEC)
		(void)flannel_prefix_format_address(&route->gw, via_text, sizeof(via_text));
	return cni_fail(error, CNI_ERROR_INTERNAL, "there is no route to %s%s%s in the namespace of %s", dst_text,
			via_text[0] != '\0' ? " by way of " : "", via_text, ifname);
}

int cni_check_addresses(struct flannel_context *context, const struct cni_result *previous, const char *ifname,
			struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) struct flannel_prefix *addresses = NULL;
	char text[FLANNEL_PREFIX_STRLEN];
	size_t n;

	if (previous->n_ips == 0)
		return 0;
	if (get_addresses(context, ifname, &addresses, &n, error) < 0)
		return -1;
	for (size_t i = 0; i < previous->n_ips; i++) {
		const struct flannel_prefix *address = &previous->ips[i].address;
		const struct cni_route network = {.dst = flannel_prefix_mask(*address), .table = -1};

		if (!has_address(addresses, n, address))
			return cni_fail(error, CNI_ERROR_INTERNAL, "interface %s lacks address %s", ifname,
					flannel_prefix_format(address, text, sizeof(text)));
		/* the kernel needs no route to a network that is but the address itself */
		if (address->plen < (address->family == AF_INET ? 32 : 128) &&
		    expect_route(context, &network, ifname, error) < 0)
			return -1;
	}
	return 0;
}

int cni_check_routes(struct flannel_context *context, const struct cni_result *previous, struct cni_error *error)
{
	for (size_t i = 0; i < previous->n_routes; i++) {
		if (expect_route(context, &previous->routes[i], "the container", error) < 0)
			return -1;
	}
	return 0;
}
