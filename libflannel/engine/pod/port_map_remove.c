/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <flannel/port_map.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pod/port_map.h"

/* whose elements a sweep takes: those of one owner, or those of a network whose owner is none of a list */
struct broom {
	const char *owner;
	const char (*kept)[FL_NFT_COMMENT_MAX + 1]; /* NULL: those of .owner itself */
	size_t n_kept;
};

/* is an element to go */
static bool takes(const struct broom *broom, const struct fl_nft_element *element)
{
	if (fl_nft_element_is_retired(element))
		return false;
	if (!broom->kept)
		return fl_element_owner_equal(element->comment, broom->owner);
	if (!fl_element_owner_same_network(element->comment, broom->owner))
		return false;
	for (size_t i = 0; i < broom->n_kept; i++)
		if (fl_element_owner_equal(element->comment, broom->kept[i]))
			return false;
	return true;
}

/* sweeps one set: how many elements were retired, or negative */
static int sweep_set(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *set,
		     const struct broom *broom, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	size_t n = 0, n_taken = 0;
	int r;

	r = fl_nft_element_list(netfilter, place, set, &elements, &n, &error);
	/* the table went meanwhile, or somebody took a set out of it */
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (takes(broom, &elements[i]))
			elements[n_taken++] = elements[i];
	if (r >= 0)
		r = fl_nft_element_retire(netfilter, place, elements, n_taken, &error);
	if (r >= 0)
		return (int)n_taken;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

/* is this the name of a table of ours, of this layout */
static bool is_ours(const char *table)
{
	const char *end = table + strlen(FL_PORT_MAP_TABLE);

	return *end == '\0' || *end == '-';
}

/* sweeps all sets of all tables: how many elements were retired, or negative */
static int sweep(struct fl_rtnl *netfilter, const struct broom *broom, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *names = NULL;
	int total = 0, n_tables;
	const char *name;

	n_tables = fl_nft_list_tables(netfilter, FL_PORT_MAP_FAMILY, FL_PORT_MAP_TABLE, &names, ret_error);
	name = names;
	for (int i = 0; i < n_tables; i++, name += strlen(name) + 1) {
		const struct fl_nft_place place = {.family = FL_PORT_MAP_FAMILY, .table = name};

		for (size_t s = 0; fl_port_map_sets[s] && is_ours(name); s++) {
			int r = sweep_set(netfilter, &place, fl_port_map_sets[s], broom, ret_error);

			if (r < 0)
				return r;
			total += r;
		}
	}
	return n_tables < 0 ? n_tables : total;
}

/* do two elements of maps to addresses lead to the same container */
static bool same_container(const struct fl_nft_element *a, const struct fl_nft_element *b)
{
	return memcmp(&a->data, &b->data, sizeof(a->data)) == 0;
}

/* Retires mappings, found in the maps to addresses, with all that belongs to them: how many elements, or negative. */
static int retire_mappings(const struct fl_port_map_subject *subject, const struct fl_nft_element *addresses, size_t n,
			   struct flannel_error **ret_error)
{
	const size_t room = n * (1 + FL_PORT_MAP_COMPANIONS_MAX);
	FL_CLEANUP(fl_freep) struct fl_nft_element *all = calloc(room + 1, sizeof(*all));
	size_t n_all = n;
	int n_found, r;

	if (!all)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n; i++) {
		size_t more = fl_port_map_companions(&addresses[i], &all[n_all]);

		/* all but the port are the same for all mappings to a container */
		n_all += i > 0 && same_container(&addresses[i], &addresses[i - 1]) ? 1 : more;
	}
	memcpy(all, addresses, n * sizeof(*all));
	n_found = fl_port_map_find_own(subject, all + n, n_all - n, NULL, ret_error);
	if (n_found < 0)
		return n_found;
	n_all = n + (size_t)n_found;
	r = fl_nft_element_retire(subject->netfilter, &subject->place, all, n_all, ret_error);
	return r < 0 ? r : (int)n_all;
}

/* retires what is found under the keys of the mappings: how many elements; *ret_complete: each mapping was found */
static int remove_known(const struct fl_port_map_subject *subject, bool *ret_complete, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct fl_nft_element *elements = NULL;
	FL_CLEANUP(fl_freep) size_t *index = NULL;
	FL_CLEANUP(fl_freep) bool *is_found = calloc(subject->options.n_mappings + 1, sizeof(*is_found));
	size_t n = 0, n_complete = 0;
	int n_found;

	if (!is_found)
		return fl_error_oom(ret_error);
	n_found = fl_port_map_keys(&subject->options, &elements, &index, &n, ret_error);
	if (n_found >= 0)
		n_found = fl_port_map_find_own(subject, elements, n, index, ret_error);
	if (n_found < 0)
		return n_found;
	for (int i = 0; i < n_found; i++) {
		n_complete += !is_found[index[i]];
		is_found[index[i]] = true;
	}
	*ret_complete = n_complete == subject->options.n_mappings;
	return n_found > 0 ? retire_mappings(subject, elements, (size_t)n_found, ret_error) : 0;
}

int flannel_port_map_remove(struct flannel_context *context, const struct flannel_port_map_options *options,
			    struct flannel_error **ret_error)
{
	struct fl_port_map_subject subject;
	bool is_complete = true;
	int n, r;

	r = fl_port_map_begin(context, options, &subject, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "remove port mappings");
	if (subject.options.n_mappings == 0)
		return 0;
	/* in a table that is not there, each key would be asked for in vain */
	n = fl_nft_has_table(subject.netfilter, &subject.place, ret_error);
	if (n == 0)
		is_complete = false;
	else if (n > 0)
		n = remove_known(&subject, &is_complete, ret_error);
	if (n >= 0 && !is_complete) {
		const struct broom broom = {.owner = subject.owner};

		r = sweep(subject.netfilter, &broom, ret_error);
		n = r < 0 ? r : n + r;
	}
	return n < 0 ? fl_error_wrap(ret_error, n, "remove port mappings of %s",
				     subject.options.attachment->container_id)
		     : n;
}

int flannel_port_map_collect(struct flannel_context *context, const char *network,
			     const struct flannel_attachment_id *attachments, size_t n_attachments,
			     struct flannel_error **ret_error)
{
	const struct flannel_attachment_id nobody = {.size = sizeof(nobody), .container_id = "", .ifname = ""};
	FL_CLEANUP(fl_freep) char(*owners)[FL_NFT_COMMENT_MAX + 1] = NULL;
	char of_network[FL_NFT_COMMENT_MAX + 1];
	struct fl_rtnl *netfilter;
	struct broom broom;
	int r;

	if (!context || (!attachments && n_attachments > 0))
		return fl_error_set(ret_error, -EINVAL, "argument", "a context, and attachments if there are any",
				    "collect port mappings");
	r = fl_port_map_check_network(network, ret_error);
	if (r >= 0)
		r = fl_element_owners_new(network, attachments, n_attachments, "collect port mappings", &owners,
					  ret_error);
	if (r >= 0)
		r = fl_context_get_netfilter(context, &netfilter, ret_error);
	if (r < 0)
		return fl_error_wrap(ret_error, r, "collect port mappings");
	fl_element_owner_format(network, &nobody, of_network);
	broom = (struct broom){
		.owner = of_network, .kept = (const char(*)[FL_NFT_COMMENT_MAX + 1]) owners, .n_kept = n_attachments};
	r = sweep(netfilter, &broom, ret_error);
	return r < 0 ? fl_error_wrap(ret_error, r, "collect port mappings of network %s", network) : r;
}
