/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "masquerade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <flannel/masquerade.h>

#include "cleanup.h"
#include "hex512.h"

/* digits of the network's hash in a table's name, and of the range's */
#define TABLE_DIGITS 10

/* the reference plugins: "CNI-" and digits for a chain, digits twice for a comment */
#define CHAIN "CNI-"
#define CHAIN_DIGITS 24
#define COMMENT_DIGITS 16

/* what the names of a network's tables begin with */
static void format_prefix(const char *network, char prefix[CNI_MASQUERADE_TABLE_SIZE])
{
	char digits[TABLE_DIGITS + 1];

	(void)cni_hex512(&network, 1, TABLE_DIGITS, digits);
	(void)snprintf(prefix, CNI_MASQUERADE_TABLE_SIZE, "cni-masq-%s-", digits);
}

const char *cni_masquerade_table(const char *network, const struct flannel_prefix *range,
				 char table[CNI_MASQUERADE_TABLE_SIZE])
{
	char text[FLANNEL_PREFIX_STRLEN];
	const char *hashed = text;

	format_prefix(network, table);
	(void)flannel_prefix_format(range, text, sizeof(text));
	(void)cni_hex512(&hashed, 1, TABLE_DIGITS, table + strlen(table));
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

int cni_masquerade_remove(struct flannel_context *context, const char *network, struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	char prefix[CNI_MASQUERADE_TABLE_SIZE];

	format_prefix(network, prefix);
	if (flannel_masquerade_remove_tables(context, prefix, &cause) < 0)
		return cni_fail_flannel(error, cause, "ipMasq");
	return 0;
}

/* does an error say that the kernel has no nftables, so that nothing can be there */
static bool means_none(int code)
{
	return code == -EPROTONOSUPPORT || code == -EOPNOTSUPP || code == -EAFNOSUPPORT;
}

int cni_masquerade_remove_former(struct flannel_context *context, const struct cni_request *request,
				 struct cni_error *error)
{
	CNI_CLEANUP(cni_flannel_errorp) struct flannel_error *cause = NULL;
	const char *const instance[] = {request->network, request->container_id};
	const char *const attachment[] = {request->ifname, ":", request->container_id};
	char comment[2 * COMMENT_DIGITS + 2];
	char chain[sizeof(CHAIN) + CHAIN_DIGITS] = CHAIN;
	int r;

	(void)cni_hex512(instance, CNI_N_ELEMENTS(instance), CHAIN_DIGITS, chain + strlen(CHAIN));
	(void)cni_hex512(instance, 1, COMMENT_DIGITS, comment);
	comment[COMMENT_DIGITS] = '-';
	(void)cni_hex512(attachment, CNI_N_ELEMENTS(attachment), COMMENT_DIGITS, comment + COMMENT_DIGITS + 1);
	r = flannel_masquerade_remove_former(context, comment, chain, &cause);
	return r < 0 && !means_none(r) ? cni_fail_flannel(error, cause, "ipMasq") : 0;
}
