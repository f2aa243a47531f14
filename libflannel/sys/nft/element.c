/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/nft/element.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which defines the same again otherwise */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/nft/element_read.h"

enum {
	MESSAGE_SIZE = 1024, /* of one element, with the longest names */
	QUESTION_SIZE = 4096,

	/* keys in one question: the kernel queues all answers at once, and takes up to 8 KiB of the receive buffer for each */
	KEYS_PER_QUESTION = 16,
	DUMP_ATTEMPTS = 8,
};

/* far enough to be for ever; "for ever" itself would not be updated by older kernels */
#define LIFETIME_MSEC (UINT64_C(50) * 365 * 86400 * 1000)

/* what is left of one that is retired; the kernel rounds it up to its clock's tick */
#define RETIRED_MSEC 1

/* what is done with elements */
enum verb { ADD, RETIRE, DELETE };

/* appends a value under an attribute: 0 or negative */
static int put_value(struct nl_msg *message, int attribute, const struct fl_nft_value *value)
{
	struct nlattr *nest = nla_nest_start(message, attribute);

	if (!nest || nla_put(message, NFTA_DATA_VALUE, value->len, value->bytes) < 0)
		return -ENOMEM;
	return nla_nest_end(message, nest);
}

/* appends a comment in the form in which nft keeps it: a type, a length, the text and its final zero */
static int put_comment(struct nl_msg *message, const char *comment)
{
	size_t size = strlen(comment) + 1;
	uint8_t data[2 + FL_NFT_COMMENT_MAX + 1] = {FL_NFT_USERDATA_COMMENT, (uint8_t)size};

	memcpy(data + 2, comment, size);
	return nla_put(message, NFTA_SET_ELEM_USERDATA, (int)(2 + size), data);
}

/* appends what an element has beside its key */
static int put_attributes(struct nl_msg *message, enum verb verb, const struct fl_nft_element *element)
{
	uint64_t left_msec = verb == RETIRE ? RETIRED_MSEC : LIFETIME_MSEC;

	if (verb == DELETE)
		return 0;
	if ((element->data.len > 0 && put_value(message, NFTA_SET_ELEM_DATA, &element->data) < 0) ||
	    nla_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(LIFETIME_MSEC)) < 0 ||
	    nla_put_u64(message, NFTA_SET_ELEM_EXPIRATION, htobe64(left_msec)) < 0)
		return -ENOMEM;
	return element->comment[0] != '\0' ? put_comment(message, element->comment) : 0;
}

/* begins a message about elements of a set; NULL without memory. *ret_list is where they go. */
static struct nl_msg *begin_message(uint8_t type, uint16_t flags, const struct fl_nft_place *place, const char *set,
				    size_t size, struct nlattr **ret_list)
{
	FL_CLEANUP(fl_rtnl_message_freep) struct nl_msg *message = fl_nft_message(type, flags, place->family, size);

	if (!message || nla_put_string(message, NFTA_SET_ELEM_LIST_TABLE, place->table) < 0 ||
	    nla_put_string(message, NFTA_SET_ELEM_LIST_SET, set) < 0)
		return NULL;
	*ret_list = nla_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	return *ret_list ? FL_TAKE(message) : NULL;
}

/* appends an element to a list */
static int put_element(struct nl_msg *message, enum verb verb, const struct fl_nft_element *element)
{
	struct nlattr *nest = nla_nest_start(message, NFTA_LIST_ELEM);

	if (!nest || put_value(message, NFTA_SET_ELEM_KEY, &element->key) < 0 ||
	    put_attributes(message, verb, element) < 0)
		return -ENOMEM;
	return nla_nest_end(message, nest);
}

/* a message about one element; NULL without memory */
static struct nl_msg *make_message(enum verb verb, const struct fl_nft_place *place,
				   const struct fl_nft_element *element)
{
	struct nlattr *list;
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message =
		begin_message(verb == DELETE ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
			      verb == DELETE ? 0 : NLM_F_CREATE, place, element->set, MESSAGE_SIZE, &list);

	if (!message || put_element(message, verb, element) < 0)
		return NULL;
	nla_nest_end(message, list);
	return FL_TAKE(message);
}

/* the sentence for a failure, with the element's set */
static int name_failure(struct flannel_error **ret_error, int r, const struct fl_nft_place *place, const char *set,
			const char *operation)
{
	return fl_error_wrap(ret_error, r, "%s nft %s %s %s", operation, place->family, place->table, set);
}

/* one transaction of messages, each about the element at the same place in elements; frees the messages */
static int transact(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const struct fl_nft_element *elements,
		    struct nl_msg **messages, size_t n_messages, size_t n_elements, size_t *ret_failed,
		    struct flannel_error **ret_error, const char *operation)
{
	size_t failed = n_messages;
	int r = 0;

	for (size_t i = 0; i < n_messages; i++)
		if (!messages[i])
			r = -ENOMEM;
	if (r < 0)
		(void)fl_error_oom(ret_error);
	else
		r = fl_nft_transact(netfilter, messages, n_messages, &failed, ret_error, "change elements");
	for (size_t i = 0; i < n_messages; i++)
		fl_rtnl_message_free(messages[i]);
	if (r < 0) {
		*ret_failed = failed < n_messages ? failed % n_elements : n_elements;
		(void)name_failure(ret_error, r, place, elements[failed < n_messages ? failed % n_elements : 0].set,
				   operation);
	}
	return r;
}

/* carries a verb out on all elements, in as few transactions as possible; *ret_failed: see fl_nft_element_add() */
static int execute(struct fl_rtnl *netfilter, enum verb verb, const struct fl_nft_place *place,
		   const struct fl_nft_element *elements, size_t n_elements, size_t *ret_failed,
		   struct flannel_error **ret_error)
{
	const char *const operations[] = {[ADD] = "add to", [RETIRE] = "retire from", [DELETE] = "delete from"};
	struct nl_msg *messages[FL_NFT_TRANSACTION_MAX];

	for (size_t done = 0; done < n_elements;) {
		size_t failed, n = n_elements - done;
		int r;

		if (n > FL_NFT_TRANSACTION_MAX)
			n = FL_NFT_TRANSACTION_MAX;
		for (size_t i = 0; i < n; i++)
			messages[i] = make_message(verb, place, &elements[done + i]);
		r = transact(netfilter, place, elements + done, messages, n, n, &failed, ret_error, operations[verb]);
		if (r < 0) {
			*ret_failed = failed < n ? done + failed : n_elements;
			return r;
		}
		done += n;
	}
	return 0;
}

int fl_nft_element_add(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
		       const struct fl_nft_element *elements, size_t n_elements, size_t *ret_failed,
		       struct flannel_error **ret_error)
{
	size_t failed;

	return execute(netfilter, ADD, place, elements, n_elements, ret_failed ? ret_failed : &failed, ret_error);
}

int fl_nft_element_replace(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			   const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error)
{
	struct nl_msg *messages[FL_NFT_TRANSACTION_MAX];
	size_t failed;

	assert(n_elements > 0 && 2 * n_elements <= FL_NFT_TRANSACTION_MAX);
	for (size_t i = 0; i < n_elements; i++) {
		messages[i] = make_message(DELETE, place, &elements[i]);
		messages[n_elements + i] = make_message(ADD, place, &elements[i]);
	}
	return transact(netfilter, place, elements, messages, 2 * n_elements, n_elements, &failed, ret_error,
			"replace in");
}

int fl_nft_element_delete(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			  const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error)
{
	size_t failed;
	int r = execute(netfilter, DELETE, place, elements, n_elements, &failed, NULL);

	/* one that is gone keeps the others of its transaction from being deleted */
	for (size_t i = 0; r < 0 && i < n_elements; i++) {
		FL_CLEANUP_ERROR struct flannel_error *error = NULL;
		int one = execute(netfilter, DELETE, place, &elements[i], 1, &failed, &error);

		if (one < 0 && one != -ENOENT) {
			if (ret_error)
				*ret_error = FL_TAKE(error);
			return one;
		}
	}
	return 0;
}

/* did the kernel take the new timeout of an element: 1, 0, negative */
static int is_retired(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const struct fl_nft_element *element,
		      struct flannel_error **ret_error)
{
	struct fl_nft_element now = *element;
	bool found;
	int r = fl_nft_element_find(netfilter, place, &now, 1, &found, ret_error);

	return r <= 0 ? r < 0 ? r : 1 : fl_nft_element_is_retired(&now);
}

int fl_nft_element_retire(struct fl_rtnl *netfilter, const struct fl_nft_place *place,
			  const struct fl_nft_element *elements, size_t n_elements, struct flannel_error **ret_error)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	size_t failed;
	int r;

	if (n_elements == 0)
		return 0;
	r = execute(netfilter, RETIRE, place, elements, n_elements, &failed, &error);
	if (r >= 0) {
		r = is_retired(netfilter, place, &elements[0], ret_error);
		if (r != 0)
			return r < 0 ? r : 0;
	} else if (r != -EINVAL && r != -EOPNOTSUPP) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	r = fl_nft_element_delete(netfilter, place, elements, n_elements, ret_error);
	return r < 0 ? r : 1;
}

/* answers to a question, in the order of its keys */
struct answers {
	struct fl_nft_element *elements;
	size_t n;
	size_t n_asked;
};

/* takes an answer */
static int take_answer(void *userdata, const struct nlmsghdr *header)
{
	struct answers *answers = userdata;
	struct fl_nft_element element;
	int r = fl_nft_element_read_one(header, &element);

	if (r == 0 && answers->n == answers->n_asked)
		r = -EBADMSG;
	if (r < 0)
		return r;
	element.set = answers->elements[answers->n].set;
	answers->elements[answers->n++] = element;
	return 0;
}

/* asks for elements of one set; returns how many were answered before one that is not there, or negative */
static int ask(struct fl_rtnl *netfilter, const struct fl_nft_place *place, struct fl_nft_element *elements,
	       size_t n_elements, struct flannel_error **ret_error)
{
	struct answers answers = {.elements = elements, .n_asked = n_elements};
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct nlattr *list;
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = begin_message(NFT_MSG_GETSETELEM, 0, place, elements[0].set, QUESTION_SIZE, &list);
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < n_elements; i++)
		if (put_element(message, DELETE, &elements[i]) < 0)
			return fl_error_oom(ret_error);
	nla_nest_end(message, list);
	r = fl_rtnl_request(netfilter, message, take_answer, &answers, &error, "look into nft %s %s %s", place->family,
			    place->table, elements[0].set);
	if (r >= 0 || r == -ENOENT)
		return (int)answers.n;
	if (ret_error)
		*ret_error = FL_TAKE(error);
	return r;
}

int fl_nft_element_find(struct fl_rtnl *netfilter, const struct fl_nft_place *place, struct fl_nft_element *elements,
			size_t n_elements, bool *found, struct flannel_error **ret_error)
{
	int n_found = 0;

	for (size_t i = 0; i < n_elements;) {
		size_t n = 1;
		int r;

		while (i + n < n_elements && n < KEYS_PER_QUESTION && strcmp(elements[i + n].set, elements[i].set) == 0)
			n++;
		r = ask(netfilter, place, elements + i, n, ret_error);
		if (r < 0)
			return r;
		n_found += r;
		for (int j = 0; j < r; j++)
			found[i++] = true;
		if ((size_t)r < n)
			found[i++] = false;
	}
	return n_found;
}

int fl_nft_element_list(struct fl_rtnl *netfilter, const struct fl_nft_place *place, const char *set,
			struct fl_nft_element **ret_elements, size_t *ret_n, struct flannel_error **ret_error)
{
	struct fl_nft_element_list list = {.set = set};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_nft_message(NFT_MSG_GETSETELEM, 0, place->family, QUESTION_SIZE);
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = -EAGAIN;

	if (!message || nla_put_string(message, NFTA_SET_ELEM_LIST_TABLE, place->table) < 0 ||
	    nla_put_string(message, NFTA_SET_ELEM_LIST_SET, set) < 0)
		return fl_error_oom(ret_error);
	for (int attempt = 0; r == -EAGAIN && attempt < DUMP_ATTEMPTS; attempt++) {
		error = flannel_error_unref(error);
		list.n = 0;
		r = fl_rtnl_dump(netfilter, message, fl_nft_element_collect, &list, &error, "list nft %s %s %s",
				 place->family, place->table, set);
	}
	if (r < 0) {
		free(list.elements);
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	*ret_elements = list.elements;
	*ret_n = list.n;
	return 0;
}
