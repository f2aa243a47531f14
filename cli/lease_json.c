/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lease_json.h"

#include <sys/socket.h>

void lease_json_put(struct json_builder *builder, struct json_object *object, const struct flannel_lease *lease)
{
	struct flannel_prefix subnet = {0};
	struct flannel_prefix subnet6 = {0};
	struct flannel_prefix ip = {0};
	struct flannel_prefix ip6 = {0};

	(void)flannel_lease_get_subnet(lease, AF_INET, &subnet);
	(void)flannel_lease_get_subnet(lease, AF_INET6, &subnet6);
	(void)flannel_lease_get_public_ip(lease, AF_INET, &ip);
	(void)flannel_lease_get_public_ip(lease, AF_INET6, &ip6);
	json_builder_prefix(builder, object, "subnet", &subnet);
	json_builder_prefix(builder, object, "ipv6_subnet", &subnet6);
	json_builder_address(builder, object, "public_ip", &ip);
	json_builder_address(builder, object, "public_ipv6", &ip6);
	json_builder_text(builder, object, "backend", flannel_lease_get_backend_type(lease));
}
