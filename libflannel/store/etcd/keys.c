/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define KEY_SIZE (2 * FLANNEL_PREFIX_STRLEN)

/* stands for a value that nobody knows */
#define NO_VALUE "{\"PublicIP\":\"" FL_LEASE_NO_ADDRESS "\"}"

/* joins texts and takes slashes out that are too many, as path.Join() of Go does; malloc()ed */
static char *join(const char *prefix, const char *rest)
{
	char *path = NULL, *to;

	if (asprintf(&path, "%s/%s", prefix, rest) < 0)
		return NULL;
	to = path;
	for (const char *from = path; *from; from++) {
		if (*from == '/' && to > path && to[-1] == '/')
			continue;
		*to++ = *from;
	}
	*to = '\0';
	return path;
}

int fl_etcd_keys_init(struct fl_etcd_keys *keys, const char *prefix, struct flannel_error **ret_error)
{
	*keys = (struct fl_etcd_keys){
		.config = join(prefix, "config"),
		.subnets = join(prefix, "subnets/"),
		.subnets_end = join(prefix, "subnets/"),
	};
	if (!keys->config || !keys->subnets || !keys->subnets_end) {
		fl_etcd_keys_clear(keys);
		return fl_error_oom(ret_error);
	}
	/* without a prefix Go's join gives "config", not "/config" */
	if (prefix[0] == '\0') {
		memmove(keys->config, keys->config + 1, strlen(keys->config));
		memmove(keys->subnets, keys->subnets + 1, strlen(keys->subnets));
		memmove(keys->subnets_end, keys->subnets_end + 1, strlen(keys->subnets_end));
	}
	keys->subnets_end[strlen(keys->subnets_end) - 1] = '/' + 1;
	return 0;
}

void fl_etcd_keys_clear(struct fl_etcd_keys *keys)
{
	free(keys->config);
	free(keys->subnets);
	free(keys->subnets_end);
	*keys = (struct fl_etcd_keys){0};
}

char *fl_etcd_keys_of_lease(const struct fl_etcd_keys *keys, const struct flannel_lease *lease)
{
	char name[KEY_SIZE], *key = NULL;

	if (asprintf(&key, "%s%s", keys->subnets, flannel_lease_format_key(lease, name, sizeof(name))) < 0)
		return NULL;
	return key;
}

int fl_etcd_keys_conflicts(const struct fl_etcd_keys *keys, const struct flannel_lease *lease, char **ret_first,
			   char **ret_end)
{
	FL_CLEANUP(fl_freep) char *first = fl_etcd_keys_of_lease(keys, lease);
	struct flannel_prefix subnet;
	char *end = NULL;

	if (!first)
		return -ENOMEM;
	if (flannel_lease_get_subnet(lease, AF_INET, &subnet) == 1) {
		first[strcspn(first + strlen(keys->subnets), "&") + strlen(keys->subnets)] = '\0';
		/* behind "SUBNET&" and before "SUBNET0" */
		if (asprintf(&end, "%s%c", first, '&' + 1) < 0)
			return -ENOMEM;
	}
	*ret_first = FL_TAKE(first);
	*ret_end = end;
	return 0;
}

int fl_etcd_keys_parse(const struct fl_etcd_keys *keys, const void *key, size_t key_len, const void *value,
		       size_t value_len, int64_t expires_sec, uint64_t revision, struct flannel_lease **ret_lease,
		       struct flannel_error **ret_error)
{
	size_t len = strlen(keys->subnets);
	char name[KEY_SIZE];

	/* a slash further on would be passed over by the parser: it is a key of somebody else then */
	if (key_len <= len || key_len - len >= sizeof(name) || memcmp(key, keys->subnets, len) != 0 ||
	    memchr((const char *)key + len, '/', key_len - len) || memchr(key, '\0', key_len))
		return fl_error_set(ret_error, -EINVAL, "store",
				    "expected a key such as \"10.5.34.0-24\" or \"10.5.34.0-24&fd00:5::-64\"",
				    "lease \"%.*s\"", (int)(key_len < 200 ? key_len : 200), (const char *)key);
	memcpy(name, (const char *)key + len, key_len - len);
	name[key_len - len] = '\0';
	return flannel_lease_parse(name, value_len ? value : "", value_len, expires_sec, revision, ret_lease,
				   ret_error);
}

int fl_etcd_keys_parse_bare(const struct fl_etcd_keys *keys, const void *key, size_t key_len, uint64_t revision,
			    struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	return fl_etcd_keys_parse(keys, key, key_len, NO_VALUE, strlen(NO_VALUE), 0, revision, ret_lease, ret_error);
}

int fl_etcd_leases_overlap(const struct flannel_lease *a, const struct flannel_lease *b)
{
	const int families[] = {AF_INET, AF_INET6};
	struct flannel_prefix one, other;

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		if (flannel_lease_get_subnet(a, families[i], &one) != 1 ||
		    flannel_lease_get_subnet(b, families[i], &other) != 1)
			continue;
		if (flannel_prefix_overlaps(&one, &other))
			return 1;
	}
	return 0;
}

int fl_etcd_leases_same_holder(const struct flannel_lease *a, const struct flannel_lease *b)
{
	const int families[] = {AF_INET, AF_INET6};
	struct flannel_prefix one, other;

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		if (flannel_lease_get_public_ip(a, families[i], &one) == 1 &&
		    flannel_lease_get_public_ip(b, families[i], &other) == 1 &&
		    flannel_prefix_compare(&one, &other) == 0)
			return 1;
	}
	return 0;
}
