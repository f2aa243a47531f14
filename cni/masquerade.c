/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "masquerade.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <flannel/masquerade.h>

#include "cleanup.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* continues a hash with the bytes of a text */
static uint64_t hash_text(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * FNV_PRIME;
	return hash;
}

const char *cni_masquerade_table(const char *network, const struct flannel_prefix *range,
				 char table[CNI_MASQUERADE_TABLE_SIZE])
{
	char text[FLANNEL_PREFIX_STRLEN];
	uint64_t hash;

	/* with its final zero, so that no two pairs are the same bytes */
	hash = hash_text(FNV_OFFSET, network, strlen(network) + 1);
	(void)flannel_prefix_format(range, text, sizeof(text));
	hash = hash_text(hash, text, strlen(text));
	(void)snprintf(table, CNI_MASQUERADE_TABLE_SIZE, "cni-masq-%016" PRIx64, hash);
	return table;
}

/* the same for one range: 1, 0, -1 */
static int ensure_range(struct flannel_context *context, const char *network, struct flannel_prefix range,
			struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	char table[CNI_MASQUERADE_TABLE_SIZE];
	const struct flannel_masquerade_options options = {
		.size = sizeof(options),
		.network = range,
		.subnet = range,
		/* programs in containers see the ports that other implementations of ipMasq give them */
		.flags = FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FIXED_PORTS | FLANNEL_MASQUERADE_IF_MISSING,
		.table = cni_masquerade_table(network, &range, table),
	};
	int r = flannel_masquerade_ensure(context, &options, &cause);

	return r < 0 ? cni_fail_flannel(error, cause, "ipMasq") : r;
}

int cni_masquerade_ensure(struct flannel_context *context, const char *network, const struct cni_result *result,
			  struct cni_error *error)
{
	bool is_set = false;

	for (size_t i = 0; i < result->n_ips; i++) {
		int r = ensure_range(context, network, flannel_prefix_mask(result->ips[i].address), error);

		if (r < 0)
			return -1;
		is_set = is_set || r > 0;
	}
	return is_set;
}
