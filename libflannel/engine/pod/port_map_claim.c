/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pod/port_map_claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AREA "nft"

enum {
	/* for the helper to answer; a transaction takes milliseconds */
	HELPER_TIMEOUT_MS = 5000,

	/* a table that is missing, a key that is held and then is not, and room for somebody else's work in between */
	ATTEMPTS = 6,

	/* elements replaced in one transaction */
	REPLACED_AT_ONCE = FL_NFT_TRANSACTION_MAX / 2,
};

/* one claim as it goes */
struct claim {
	struct fl_rtnl *netfilter;
	struct fl_nft_place place;
	const struct fl_nft_element *wanted;
	size_t n;
	struct fl_nft_element *found; /* room for n: what is there under the wanted keys */
	bool *is_found;
	struct fl_nft_element *replaced; /* room for n */
	bool *added;                     /* set once something may have been */
};

/* has the helper make the table; somebody else may do so at the same moment */
static int make_table(struct flannel_context *context, const struct fl_port_map_table *table,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct json_object *commands = fl_port_map_commands(table);
	struct fl_nft *nft;
	int r;

	r = fl_context_get_nft(context, &nft, &error);
	if (r < 0)
		fl_json_unref(commands);
	else
		r = fl_nft_run_sync(nft, commands, HELPER_TIMEOUT_MS, &error);
	if (r >= 0 || r == -EEXIST)
		return 0;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return fl_error_wrap(ret_error, r, "make nft table %s %s", FL_PORT_MAP_FAMILY, table->name);
}

/* do two elements lead to the same */
static bool same_data(const struct fl_nft_element *a, const struct fl_nft_element *b)
{
	return a->data.len == b->data.len && memcmp(a->data.bytes, b->data.bytes, a->data.len) == 0;
}

/* a port that somebody else has */
static int report_conflict(const struct fl_nft_element *wanted, const struct fl_nft_element *found,
			   struct flannel_error **ret_error)
{
	char what[FL_PORT_MAP_TEXT_SIZE], where[FLANNEL_PREFIX_STRLEN];
	const char *whose = fl_port_map_owner_text(found->comment);

	return fl_error_set(ret_error, -EADDRINUSE, AREA, NULL, "%s is mapped to %s for %s already",
			    fl_port_map_format(wanted, what), fl_port_map_format_data(found, where),
			    whose[0] != '\0' ? whose : "another program");
}

/* Does an element need to be replaced: 1; 0 if it is as it should be; -EADDRINUSE if it is somebody else's. */
static int judge(const struct fl_nft_element *wanted, const struct fl_nft_element *found,
		 struct flannel_error **ret_error)
{
	if (fl_nft_element_is_retired(found))
		return 1;
	if (fl_element_owner_equal(found->comment, wanted->comment))
		return !same_data(found, wanted);
	/* one address has one owner: this container; whoever had it before is no more */
	return same_data(found, wanted) ? 1 : report_conflict(wanted, found, ret_error);
}

/* puts ours in the place of what is on its way out or somebody's who is gone; 0 also if it moved meanwhile */
static int replace(const struct claim *claim, size_t n, struct flannel_error **ret_error)
{
	for (size_t done = 0; done < n;) {
		size_t some = n - done < REPLACED_AT_ONCE ? n - done : REPLACED_AT_ONCE;
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = fl_nft_element_replace(claim->netfilter, &claim->place, claim->replaced + done, some, &error);

		if (r < 0 && r != -ENOENT && r != -EEXIST && r != -EBUSY) {
			if (ret_error)
				*ret_error = FL_TAKE(error);
			return r;
		}
		done += some;
	}
	return 0;
}

/* Looks at what is there: 1 if all of it is ours, 0 if something was replaced or is missing, negative. */
static int settle(const struct claim *claim, struct flannel_error **ret_error)
{
	size_t n_replaced = 0, n_missing = 0;
	int r;

	memcpy(claim->found, claim->wanted, claim->n * sizeof(*claim->found));
	r = fl_nft_element_find(claim->netfilter, &claim->place, claim->found, claim->n, claim->is_found, ret_error);
	for (size_t i = 0; i < claim->n && r >= 0; i++) {
		if (!claim->is_found[i]) {
			n_missing++;
			continue;
		}
		r = judge(&claim->wanted[i], &claim->found[i], ret_error);
		if (r > 0)
			claim->replaced[n_replaced++] = claim->wanted[i];
	}
	if (r >= 0 && n_replaced > 0)
		r = replace(claim, n_replaced, ret_error);
	return r < 0 ? r : n_replaced + n_missing == 0;
}

/* adds, makes the table, and sorts out what is in the way, until all is ours */
static int persist(const struct claim *claim, struct flannel_context *context, const struct fl_port_map_table *table,
		   struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = 0;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		error = flannel_error_unref(error);
		r = fl_nft_element_add(claim->netfilter, &claim->place, claim->wanted, claim->n, NULL, &error);
		/* all or none, as long as it is one transaction */
		/* -ENOBUFS: the kernel's answer was lost, they may be there */
		*claim->added = *claim->added || r == 0 || r == -ENOBUFS || claim->n > FL_NFT_TRANSACTION_MAX;
		if (r == -ENOENT) {
			int made = make_table(context, table, ret_error);

			if (made < 0)
				return made;
			continue;
		}
		if (r < 0 && r != -EEXIST && r != -EBUSY)
			break;
		r = settle(claim, ret_error);
		if (r != 0)
			return r < 0 ? r : 0;
		r = -EEXIST;
	}
	if (!error)
		return fl_error_set_retryable(ret_error, -EBUSY, AREA, "somebody else changes it all the time",
					      "add to nft table %s %s", FL_PORT_MAP_FAMILY, table->name);
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_port_map_claim(struct flannel_context *context, struct fl_rtnl *netfilter, const struct fl_port_map_table *table,
		      const struct fl_nft_element *elements, size_t n_elements, bool *ret_added,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *found = calloc(n_elements + 1, sizeof(*found));
	FL_CLEANUP(fl_freep) struct fl_nft_element *replaced = calloc(n_elements + 1, sizeof(*replaced));
	FL_CLEANUP(fl_freep) bool *is_found = calloc(n_elements + 1, sizeof(*is_found));
	const struct claim claim = {
		.netfilter = netfilter,
		.place = {.family = FL_PORT_MAP_FAMILY, .table = table->name},
		.wanted = elements,
		.n = n_elements,
		.found = found,
		.is_found = is_found,
		.replaced = replaced,
		.added = ret_added,
	};

	if (!found || !replaced || !is_found)
		return fl_error_oom(ret_error);
	return persist(&claim, context, table, ret_error);
}
