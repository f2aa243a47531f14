/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "result.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* room for one more zeroed element at the end of an array, which is made twice as large whenever its size is a power of
 * two; NULL without memory */
static void *grow(void *array_pointer, size_t *n, size_t size)
{
	void *array;
	char *larger;

	memcpy(&array, array_pointer, sizeof(array));
	larger = array;
	if ((*n & (*n - 1)) == 0)
		larger = reallocarray(array, *n > 0 ? 2 * *n : 1, size);
	if (!larger)
		return NULL;
	memcpy(array_pointer, &larger, sizeof(larger));
	memset(larger + *n * size, 0, size);
	return larger + (*n)++ * size;
}

struct cni_interface *cni_result_add_interface(struct cni_result *result, const char *name, const char *mac,
					       const char *sandbox)
{
	struct cni_interface *interface = grow(&result->interfaces, &result->n_interfaces, sizeof(*interface));

	if (!interface)
		return NULL;
	interface->name = strdup(name);
	interface->mac = strdup(mac);
	interface->sandbox = strdup(sandbox);
	return interface->name && interface->mac && interface->sandbox ? interface : NULL;
}

struct cni_ip *cni_result_add_ip(struct cni_result *result, const struct flannel_prefix *address,
				 const struct flannel_prefix *gateway, int interface)
{
	struct cni_ip *ip = grow(&result->ips, &result->n_ips, sizeof(*ip));

	if (!ip)
		return NULL;
	ip->address = *address;
	if (gateway)
		ip->gateway = *gateway;
	ip->interface = interface;
	return ip;
}

struct cni_route *cni_result_add_route(struct cni_result *result, const struct cni_route *route)
{
	struct cni_route *added = grow(&result->routes, &result->n_routes, sizeof(*added));

	if (added)
		*added = *route;
	return added;
}

void cni_result_clear(struct cni_result *result)
{
	for (size_t i = 0; i < result->n_interfaces; i++) {
		free(result->interfaces[i].name);
		free(result->interfaces[i].mac);
		free(result->interfaces[i].sandbox);
		free(result->interfaces[i].socket_path);
		free(result->interfaces[i].pci_id);
	}
	free(result->interfaces);
	free(result->ips);
	free(result->routes);
	json_object_put(result->dns);
	memset(result, 0, sizeof(*result));
}
