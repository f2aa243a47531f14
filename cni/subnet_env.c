/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "subnet_env.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "decode.h"

/* a longer line is refused, bytes */
#define LINE_MAX_LEN 65536

/* which keys were there */
enum found {
	FOUND_NETWORK = 1,
	FOUND_NETWORK6 = 2,
	FOUND_SUBNET = 4,
	FOUND_SUBNET6 = 8,
	FOUND_MTU = 16,
	FOUND_IPMASQ = 32
};

/* fclose() for CNI_CLEANUP */
static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

void cni_subnet_env_clear(struct cni_subnet_env *env)
{
	free(env->networks.networks);
	free(env->networks6.networks);
	memset(env, 0, sizeof(*env));
}

/* appends a network unless it is in the list */
static int add_network(struct cni_network_list *list, const struct flannel_prefix *network)
{
	struct flannel_prefix *larger;

	for (size_t i = 0; i < list->n; i++) {
		if (flannel_prefix_compare(&list->networks[i], network) == 0)
			return 0;
	}
	larger = reallocarray(list->networks, list->n + 1, sizeof(*larger));
	if (!larger)
		return -1;
	list->networks = larger;
	list->networks[list->n++] = *network;
	return 0;
}

/* a network of the family that the key is for */
static int parse_cidr(const char *text, const char *key, struct flannel_prefix *ret, struct cni_error *error)
{
	bool six = strstr(key, "_IPV6_") != NULL;

	if (cni_parse_cidr(text, key, ret, error) < 0)
		return -1;
	if (ret->family != (six ? AF_INET6 : AF_INET))
		return cni_fail(error, CNI_ERROR_INTERNAL, "%s is \"%s\", expected an %s network", key, text,
				six ? "IPv6" : "IPv4");
	return 0;
}

/* networks with commas between them; they replace those of an earlier line */
static int parse_networks(const char *key, char *value, struct cni_network_list *list, struct cni_error *error)
{
	char *rest = value;
	const char *item;
	struct flannel_prefix network;

	list->n = 0;
	while ((item = strsep(&rest, ","))) {
		if (parse_cidr(item, key, &network, error) < 0)
			return -1;
		network = flannel_prefix_mask(network);
		if (add_network(list, &network) < 0)
			return cni_fail_oom(error);
	}
	return 0;
}

/* one subnet; the file shows its first address */
static int parse_subnet(const char *key, const char *value, struct flannel_prefix *ret, struct cni_error *error)
{
	if (parse_cidr(value, key, ret, error) < 0)
		return -1;
	*ret = flannel_prefix_mask(*ret);
	return 0;
}

/* a decimal number of 32 bits */
static int parse_mtu(const char *value, uint32_t *ret, struct cni_error *error)
{
	char *end = NULL;
	unsigned long long number = 0;

	errno = 0;
	if (value[0] >= '0' && value[0] <= '9')
		number = strtoull(value, &end, 10);
	if (!end || *end != '\0' || errno != 0 || number > UINT32_MAX)
		return cni_fail(error, CNI_ERROR_INTERNAL, "FLANNEL_MTU is \"%s\", expected a number of bytes", value);
	*ret = (uint32_t)number;
	return 0;
}

/* the value of a known key; returns which it was, 0 for an unknown one, -1 */
static int parse_value(const char *key, char *value, struct cni_subnet_env *env, struct cni_error *error)
{
	if (strcmp(key, "FLANNEL_NETWORK") == 0)
		return parse_networks(key, value, &env->networks, error) < 0 ? -1 : FOUND_NETWORK;
	if (strcmp(key, "FLANNEL_IPV6_NETWORK") == 0)
		return parse_networks(key, value, &env->networks6, error) < 0 ? -1 : FOUND_NETWORK6;
	if (strcmp(key, "FLANNEL_SUBNET") == 0)
		return parse_subnet(key, value, &env->subnet, error) < 0 ? -1 : FOUND_SUBNET;
	if (strcmp(key, "FLANNEL_IPV6_SUBNET") == 0)
		return parse_subnet(key, value, &env->subnet6, error) < 0 ? -1 : FOUND_SUBNET6;
	if (strcmp(key, "FLANNEL_MTU") == 0)
		return parse_mtu(value, &env->mtu, error) < 0 ? -1 : FOUND_MTU;
	if (strcmp(key, "FLANNEL_IPMASQ") == 0) {
		env->ipmasq = strcmp(value, "true") == 0;
		return FOUND_IPMASQ;
	}
	return 0;
}

/* is it the name of a value that counts */
static bool is_known(const char *key)
{
	const char *const keys[] = {"FLANNEL_NETWORK",     "FLANNEL_IPV6_NETWORK", "FLANNEL_SUBNET",
				    "FLANNEL_IPV6_SUBNET", "FLANNEL_MTU",          "FLANNEL_IPMASQ"};

	for (size_t i = 0; i < CNI_N_ELEMENTS(keys); i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

/* one line without its end; as parse_value() */
static int parse_line(char *line, struct cni_subnet_env *env, struct cni_error *error)
{
	char *value = strchr(line, '=');

	if (value) {
		*value++ = '\0';
		return parse_value(line, value, env, error);
	}
	if (is_known(line))
		return cni_fail(error, CNI_ERROR_INTERNAL, "the line \"%s\" has no \"=\", expected KEY=VALUE", line);
	return 0;
}

/* names what is missing */
static int check_complete(int found, struct cni_error *error)
{
	char missing[160] = "";
	const bool no_network = !(found & (FOUND_NETWORK | FOUND_NETWORK6));
	const bool no_subnet = !(found & (FOUND_SUBNET | FOUND_SUBNET6));

	(void)snprintf(missing, sizeof(missing), "%s%s%s%s",
		       no_network ? ", FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK" : "",
		       no_subnet ? ", FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET" : "",
		       found & FOUND_MTU ? "" : ", FLANNEL_MTU", found & FOUND_IPMASQ ? "" : ", FLANNEL_IPMASQ");
	return missing[0] != '\0' ? cni_fail(error, CNI_ERROR_INTERNAL, "it lacks %s", missing + 2) : 0;
}

/* all lines */
static int read_lines(FILE *file, struct cni_subnet_env *env, struct cni_error *error)
{
	CNI_CLEANUP(cni_freep) char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int found = 0;
	int r;

	while (errno = 0, (len = getline(&line, &size, file)) >= 0) {
		if (len > LINE_MAX_LEN)
			return cni_fail(error, CNI_ERROR_INTERNAL, "a line is longer than %d bytes", LINE_MAX_LEN);
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		if (len > 0 && line[len - 1] == '\r')
			line[--len] = '\0';
		r = parse_line(line, env, error);
		if (r < 0)
			return -1;
		found |= r;
	}
	if (ferror(file))
		return cni_fail(error, CNI_ERROR_INTERNAL, "read: %s", strerror(errno));
	return check_complete(found, error);
}

int cni_subnet_env_read(const char *path, struct cni_subnet_env *ret_env, struct cni_error *error)
{
	CNI_CLEANUP(cni_subnet_env_clear) struct cni_subnet_env env = {0};
	CNI_CLEANUP(close_file) FILE *file = fopen(path, "re");

	if (!file)
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"flannel's subnet file %s: %s; flanneld writes it when it has a subnet, see its log",
				path, strerror(errno));
	if (read_lines(file, &env, error) < 0)
		return cni_wrap(error, "flannel's subnet file %s (flanneld writes it, see its log)", path);
	*ret_env = env;
	memset(&env, 0, sizeof(env));
	return 0;
}
