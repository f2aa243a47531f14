/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any bytes as subnet.env, as the plugin flannel reads it. What is taken is enough to attach a container. */
#include <sys/socket.h>

#include "cni_text.h"
#include "subnet_env.h"

/* networks of the family, host bits zero */
static void check(const struct cni_network_list *list, int family)
{
	for (size_t i = 0; i < list->n; i++)
		require(list->networks[i].family == family && flannel_prefix_is_network(&list->networks[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_subnet_env env = {0};
	struct cni_error error = {0};
	char path[64];
	int fd = file_of(data, size, path);

	if (told(cni_subnet_env_read(path, &env, &error), &error)) {
		require(env.subnet.family == AF_INET || env.subnet.family == AF_UNSPEC);
		require(env.subnet6.family == AF_INET6 || env.subnet6.family == AF_UNSPEC);
		require(env.subnet.family != AF_UNSPEC || env.subnet6.family != AF_UNSPEC);
		check(&env.networks, AF_INET);
		check(&env.networks6, AF_INET6);
		cni_subnet_env_clear(&env);
	}
	close(fd);
	return 0;
}
