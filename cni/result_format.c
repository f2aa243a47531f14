/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "result.h"
#include "version.h"

/* adds a value, which is taken over also on failure; NULL stands for missing memory */
static int add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -1;
	if (json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		return -1;
	}
	return 0;
}

/* adds a text unless it is empty or NULL */
static int add_text(struct json_object *object, const char *key, const char *text)
{
	return text && text[0] != '\0' ? add(object, key, json_object_new_string(text)) : 0;
}

/* adds a number unless it is what stands for "not given" */
static int add_number(struct json_object *object, const char *key, int64_t number, int64_t absent)
{
	return number != absent ? add(object, key, json_object_new_int64(number)) : 0;
}

/* adds an address, without its length, unless it is none */
static int add_address(struct json_object *object, const char *key, const struct flannel_prefix *address)
{
	char text[FLANNEL_PREFIX_STRLEN];

	return add_text(object, key, flannel_prefix_format_address(address, text, sizeof(text)));
}

/* adds an address with its length */
static int add_cidr(struct json_object *object, const char *key, const struct flannel_prefix *address)
{
	char text[FLANNEL_PREFIX_STRLEN];

	return add_text(object, key, flannel_prefix_format(address, text, sizeof(text)));
}

/* Adds a list made of n elements, unless there are none. */
static int add_list(struct json_object *object, const char *key, const struct cni_result *result, size_t n,
		    enum cni_family family,
		    struct json_object *(*format)(const struct cni_result *result, size_t index,
						  enum cni_family family))
{
	struct json_object *list;

	if (n == 0)
		return 0;
	list = json_object_new_array();
	if (add(object, key, list) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct json_object *element = format(result, i, family);

		if (!element || json_object_array_add(list, element) < 0) {
			json_object_put(element);
			return -1;
		}
	}
	return 0;
}

/* one element of interfaces; the order of keys is alphabetical since 1.0.0 */
static struct json_object *format_interface(const struct cni_result *result, size_t index, enum cni_family family)
{
	const struct cni_interface *interface = &result->interfaces[index];
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	int r = 0;

	if (!object)
		return NULL;
	if (family == CNI_FAMILY_1) {
		r |= add_text(object, "mac", interface->mac);
		r |= add_number(object, "mtu", interface->mtu, 0);
		r |= add(object, "name", json_object_new_string(interface->name));
		r |= add_text(object, "pciID", interface->pci_id);
		r |= add_text(object, "sandbox", interface->sandbox);
		r |= add_text(object, "socketPath", interface->socket_path);
	} else {
		r |= add(object, "name", json_object_new_string(interface->name));
		r |= add_text(object, "mac", interface->mac);
		r |= add_text(object, "sandbox", interface->sandbox);
	}
	return r == 0 ? CNI_TAKE(object) : NULL;
}

/* one element of ips */
static struct json_object *format_ip(const struct cni_result *result, size_t index, enum cni_family family)
{
	const struct cni_ip *ip = &result->ips[index];
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	int r = 0;

	if (!object)
		return NULL;
	if (family == CNI_FAMILY_1) {
		r |= add_cidr(object, "address", &ip->address);
		r |= add_address(object, "gateway", &ip->gateway);
		r |= add_number(object, "interface", ip->interface, -1);
	} else {
		r |= add_text(object, "version", ip->address.family == AF_INET ? "4" : "6");
		r |= add_number(object, "interface", ip->interface, -1);
		r |= add_cidr(object, "address", &ip->address);
		r |= add_address(object, "gateway", &ip->gateway);
	}
	return r == 0 ? CNI_TAKE(object) : NULL;
}

/* a route in the alphabetical order of 1.0.0 */
static struct json_object *format_route_sorted(const struct cni_route *route)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	int r = 0;

	if (!object)
		return NULL;
	r |= add_number(object, "advmss", route->advmss, 0);
	r |= add_cidr(object, "dst", &route->dst);
	r |= add_address(object, "gw", &route->gw);
	r |= add_number(object, "mtu", route->mtu, 0);
	r |= add_number(object, "priority", route->priority, 0);
	r |= add_number(object, "scope", route->scope, -1);
	r |= add_number(object, "table", route->table, -1);
	return r == 0 ? CNI_TAKE(object) : NULL;
}

struct json_object *cni_route_format(const struct cni_route *route)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	int r = 0;

	if (!object)
		return NULL;
	r |= add_cidr(object, "dst", &route->dst);
	r |= add_address(object, "gw", &route->gw);
	r |= add_number(object, "mtu", route->mtu, 0);
	r |= add_number(object, "advmss", route->advmss, 0);
	r |= add_number(object, "priority", route->priority, 0);
	r |= add_number(object, "table", route->table, -1);
	r |= add_number(object, "scope", route->scope, -1);
	return r == 0 ? CNI_TAKE(object) : NULL;
}

/* one element of routes */
static struct json_object *format_route(const struct cni_result *result, size_t index, enum cni_family family)
{
	const struct cni_route *route = &result->routes[index];

	return family == CNI_FAMILY_1 ? format_route_sorted(route) : cni_route_format(route);
}

/* adds dns; the old forms always have it, the new one only if there is something in it, in alphabetical order */
static int add_dns(struct json_object *object, struct json_object *dns, enum cni_family family)
{
	const char *const keys[] = {"domain", "nameservers", "options", "search"};
	struct json_object *sorted;
	struct json_object *value;

	if (family != CNI_FAMILY_1)
		return add(object, "dns", dns ? json_object_get(dns) : json_object_new_object());
	if (!dns)
		return 0;
	sorted = json_object_new_object();
	if (add(object, "dns", sorted) < 0)
		return -1;
	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++) {
		if (json_object_object_get_ex(dns, keys[i], &value) && add(sorted, keys[i], json_object_get(value)) < 0)
			return -1;
	}
	return 0;
}

/* ip4 or ip6: the first address of a family with the family's routes */
static int add_legacy_ip(struct json_object *object, const char *key, const struct cni_result *result, uint16_t family)
{
	const struct cni_ip *ip = NULL;
	struct json_object *form;
	CNI_CLEANUP(cni_json_putp) struct json_object *routes = json_object_new_array();

	for (size_t i = 0; i < result->n_ips && !ip; i++) {
		if (result->ips[i].address.family == family)
			ip = &result->ips[i];
	}
	if (!ip)
		return 0;
	form = json_object_new_object();
	if (!routes || add(object, key, form) < 0 || add_cidr(form, "ip", &ip->address) < 0 ||
	    add_address(form, "gateway", &ip->gateway) < 0)
		return -1;
	for (size_t i = 0; i < result->n_routes; i++) {
		struct cni_route route = {
			.dst = result->routes[i].dst, .gw = result->routes[i].gw, .table = -1, .scope = -1};
		struct json_object *element = route.dst.family == family ? cni_route_format(&route) : NULL;

		if (route.dst.family == family && (!element || json_object_array_add(routes, element) < 0)) {
			json_object_put(element);
			return -1;
		}
	}
	return json_object_array_length(routes) > 0 ? add(form, "routes", CNI_TAKE(routes)) : 0;
}

/* the parts between cniVersion and the end, in the order of the family */
static int add_body(struct json_object *object, const struct cni_result *result, enum cni_family family)
{
	int r = 0;

	if (family == CNI_FAMILY_LEGACY) {
		r |= add_legacy_ip(object, "ip4", result, AF_INET);
		r |= add_legacy_ip(object, "ip6", result, AF_INET6);
		r |= add_dns(object, result->dns, family);
		return r;
	}
	if (family == CNI_FAMILY_1)
		r |= add_dns(object, result->dns, family);
	r |= add_list(object, "interfaces", result, result->n_interfaces, family, format_interface);
	r |= add_list(object, "ips", result, result->n_ips, family, format_ip);
	r |= add_list(object, "routes", result, result->n_routes, family, format_route);
	if (family == CNI_FAMILY_LISTS)
		r |= add_dns(object, result->dns, family);
	return r;
}

int cni_result_check_version(bool has_addresses, const char *version, struct cni_error *error)
{
	enum cni_family family;

	if (!cni_version_is_known(version, &family))
		return cni_fail(error, CNI_ERROR_VERSION, "cniVersion is \"%s\", which is unknown", version);
	if (family == CNI_FAMILY_LEGACY && !has_addresses)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"cniVersion %s cannot express a result without an address; use 0.3.0 or later",
				version);
	return 0;
}

int cni_result_format(const struct cni_result *result, const char *version, struct json_object **ret_object,
		      struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	enum cni_family family;

	if (cni_result_check_version(result->n_ips > 0, version, error) < 0)
		return -1;
	(void)cni_version_is_known(version, &family);
	if (!object || add(object, "cniVersion", json_object_new_string(version)) < 0 ||
	    add_body(object, result, family) < 0)
		return cni_fail_oom(error);
	*ret_object = CNI_TAKE(object);
	return 0;
}
