/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_ELEMENT_H
#define FL_SYS_NFT_ELEMENT_H

/*
 * Elements of named sets and maps of a table of ours, by plain messages (message.h). The sets have the flag "timeout": an
 * element gets 50 years, and is retired by an update that leaves it a moment, which costs 0.1 ms where a
 * deletion costs 8 to 20, those of the next program to close its socket included.
 */

#include "domain/firewall/nft_element.h"
#include "sys/nft/message.h"

/*
 * Adds elements, in transactions of up to FL_NFT_TRANSACTION_MAX: all of one, or none. One that is there with the same data
 * gets its 50 years anew and keeps its comment: look it up afterwards where that matters. Return: 0, or negative with, in
 * *ret_failed (may be NULL), the index of the element refused (n_elements if it was none in particular):
 *   -EEXIST  (-EBUSY of older kernels) the key is there with other data, or still is for some milliseconds after it was
 *            retired
 *   -ENOENT  the table or set does not exist
 *   -EINVAL  key or data have another length than the set's, or the set has no flag "timeout"
 *   -EPERM, -ENOMEM, and what else the kernel says. A refusal may take 20 ms.
 */
int fl_nft_element_add(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
		       const struct fl_nft_element *elements, size_t n_elements, size_t *ret_failed,
		       struct flannel_error **ret_error);

/*
 * Replaces elements by others of the same keys in one transaction (n_elements is at most half of FL_NFT_TRANSACTION_MAX). This
 * deletes, with what that costs. -ENOENT if one is not there.
 */
int fl_nft_element_replace(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			   const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error);

/*
 * Retires elements: packets do not find them some milliseconds later, and soon after nobody does. .data has to be the element's
 * own, as found. One that is gone already does no harm. On a kernel that does not update timeouts (before Linux 6.12),
 * or in a set without them, they are deleted instead. The result is 0 if they were retired, 1 if deleted, or negative.
 */
int fl_nft_element_retire(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			  const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error);

/* Deletes elements, whatever their sets' flags, with what that costs: 0, also for those that are not there. */
int fl_nft_element_delete(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			  const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error);

/*
 * Looks elements up by set and key, neighbours of one set in one request as long as they are there: found[i] says whether they
 * are, and then .data, .comment and .expires_msec of elements[i] are those in the kernel. Return: the number found (in
 * a table or set that does not exist none is), or negative.
 */
int fl_nft_element_find(struct fl_rtnl *netfilter, const struct fl_nft_place *place, struct fl_nft_element *elements,
			size_t n_elements, bool *found, struct flannel_error **ret_error);

/* All elements of a set. *ret_elements is malloc()ed, NULL if there are none; .set is the set given, borrowed. -ENOENT
 * without the table or set. */
int fl_nft_element_list(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *set,
			struct fl_nft_element **ret_elements, size_t *ret_n, struct flannel_error **ret_error);

/* Is an element on its way out: retired, but still there? */
static inline bool fl_nft_element_is_retired(const struct fl_nft_element *element)
{
	return element->expires_msec > 0 && element->expires_msec < 1000;
}

#endif
