/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that ask a store and wait for what it says, for programs that do nothing else meanwhile. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <flannel/netconf.h>

#include "domain/lease/subnet.h"
#include "engine/store/store.h"

#define AREA "store"
#define DEADLINE_MAX_MS 60000

FL_DEFINE_CLEANUP(struct flannel_netconf *, flannel_netconf_unref)
FL_DEFINE_CLEANUP(struct flannel_lease *, flannel_lease_unref)

/* what is waited for, and what came of it */
struct wait {
	uint64_t request; /* of the reply; 0: a list of the leases */
	uint64_t deadline_ns;
	bool is_done;
	bool is_listing;
	int code;
	char *config;
	struct flannel_lease *lease;
	struct flannel_lease **leases;
	size_t n_leases;
	struct flannel_error *error; /* of the reply, or why the store does not answer */
};

/* drops a list that was begun */
static void clear_leases(struct wait *wait)
{
	wait->leases = flannel_lease_list_free(wait->leases, wait->n_leases);
	wait->n_leases = 0;
}

/* drops all that came */
static void wait_clear(struct wait *wait)
{
	clear_leases(wait);
	flannel_lease_unref(wait->lease);
	flannel_error_unref(wait->error);
	free(wait->config);
}

/* forgets what came and gets ready for the next question */
static void wait_again(struct wait *wait)
{
	uint64_t deadline_ns = wait->deadline_ns;

	wait_clear(wait);
	*wait = (struct wait){.deadline_ns = deadline_ns};
}

/* adds a lease to the list; without memory the list fails */
static void list_lease(struct wait *wait, struct flannel_lease *lease)
{
	struct flannel_lease **grown = reallocarray(wait->leases, wait->n_leases + 1, sizeof(*grown));

	if (!grown) {
		wait->code = -ENOMEM;
		return;
	}
	wait->leases = grown;
	wait->leases[wait->n_leases++] = flannel_lease_ref(lease);
}

/* what a list consists of */
static void take_list(struct wait *wait, const struct flannel_store_message *message)
{
	switch (message->type) {
	case FLANNEL_STORE_SNAPSHOT_BEGIN:
		clear_leases(wait);
		wait->is_listing = true;
		break;
	case FLANNEL_STORE_LEASE:
		if (wait->is_listing && message->lease)
			list_lease(wait, message->lease);
		break;
	case FLANNEL_STORE_SNAPSHOT_END:
		wait->is_done = wait->is_listing;
		break;
	default:
		break;
	}
}

/* a fl_store_fn: keeps what is waited for, and why it does not come */
static void take(void *userdata, const struct flannel_store_message *message)
{
	struct wait *wait = userdata;
	bool is_reply = wait->request && message->request == wait->request;

	if (wait->is_done)
		return;
	if (is_reply || message->type == FLANNEL_STORE_LOST) {
		flannel_error_unref(wait->error);
		wait->error = flannel_error_ref(message->error);
	}
	if (!wait->request)
		take_list(wait, message);
	if (!is_reply)
		return;
	wait->is_done = true;
	wait->code = message->code;
	wait->config = message->config ? strdup(message->config) : NULL;
	wait->lease = flannel_lease_ref(message->lease);
}

/* checks what all calls have in common and becomes the store's user; -EINVAL, -EBUSY */
static int begin(struct flannel_store *store, bool is_valid, unsigned int deadline_ms, const char *what,
		 struct wait *wait, struct flannel_error **ret_error)
{
	if (!store || !is_valid || deadline_ms < 1 || deadline_ms > DEADLINE_MAX_MS)
		return fl_error_set(ret_error, -EINVAL, "argument",
				    "expected a store, a text, lease or place for the answer, and 1 to 60000 ms",
				    "%s the store within %u ms", what, deadline_ms);
	*wait = (struct wait){.deadline_ns = fl_loop_now() + deadline_ms * FL_NSEC_PER_MSEC};
	return fl_store_claim(store, take, wait, ret_error);
}

/* lets go of the store */
static void end(struct flannel_store *store, struct wait *wait)
{
	fl_store_release(store);
	wait_clear(wait);
}

/* waits for what was asked; r is what the question returned. 0 if it came, in wait */
static int await(struct flannel_store *store, int r, struct wait *wait, const char *what,
		 struct flannel_error **ret_error)
{
	if (r >= 0)
		r = fl_store_wait(store, &wait->is_done, wait->deadline_ns, ret_error);
	if (r != 0)
		return r < 0 ? r : 0;
	return fl_error_set_retryable(ret_error, -ETIMEDOUT, AREA,
				      wait->error ? flannel_error_get_message(wait->error)
						  : "it did not answer in time",
				      "%s the %s store", what, flannel_store_get_name(store));
}

/* the code of a reply that is a failure, with its error */
static int fail_reply(struct wait *wait, const char *what, struct flannel_error **ret_error)
{
	if (!wait->error)
		return fl_error_set(ret_error, wait->code, AREA, NULL, "%s the store", what);
	if (ret_error)
		*ret_error = FL_TAKE(wait->error);
	return wait->code;
}

/* the store had a configuration: does it mean the same */
static int compare_configs(const struct flannel_netconf *wanted, const char *stored_text,
			   struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_netconf_unrefp) struct flannel_netconf *stored = NULL;
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;

	if (flannel_netconf_parse(stored_text, strlen(stored_text), &stored, &error) < 0)
		return fl_error_set(ret_error, -EEXIST, AREA, flannel_error_get_message(error),
				    "put the network configuration into the store: it has an invalid one");
	if (flannel_netconf_equal(wanted, stored))
		return 0;
	return fl_error_set(ret_error, -EEXIST, AREA, "they differ; remove one of them",
			    "put the network configuration into the store: given is %s, the store has %s",
			    flannel_netconf_get_text(wanted), stored_text);
}

int flannel_store_set_config_sync(struct flannel_store *store, const char *config, unsigned int deadline_ms,
				  struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_netconf_unrefp) struct flannel_netconf *netconf = NULL;
	const char *what = "put the network configuration into";
	struct wait wait;
	int r = begin(store, config, deadline_ms, what, &wait, ret_error);

	if (r < 0)
		return r;
	r = flannel_netconf_parse(config, strlen(config), &netconf, ret_error);
	if (r >= 0)
		r = fl_store_put_config(store, config, &wait.request, ret_error);
	r = await(store, r, &wait, what, ret_error);
	if (r >= 0 && wait.code == 0)
		r = 1;
	else if (r >= 0 && wait.code == -EEXIST && wait.config)
		r = compare_configs(netconf, wait.config, ret_error);
	else if (r >= 0)
		r = fail_reply(&wait, what, ret_error);
	end(store, &wait);
	return r;
}

/* reads the configuration into wait: 1, 0 if there is none, or negative */
static int read_config(struct flannel_store *store, struct wait *wait, struct flannel_error **ret_error)
{
	const char *what = "read the network configuration of";
	int r;

	wait_again(wait);
	r = await(store, fl_store_get_config(store, &wait->request, ret_error), wait, what, ret_error);
	if (r < 0)
		return r;
	if (wait->code == -ENOENT || (wait->code == 0 && !wait->config))
		return 0;
	return wait->code == 0 ? 1 : fail_reply(wait, what, ret_error);
}

int flannel_store_get_config_sync(struct flannel_store *store, unsigned int deadline_ms, char **ret_config,
				  struct flannel_error **ret_error)
{
	struct wait wait;
	int r = begin(store, ret_config, deadline_ms, "read the network configuration of", &wait, ret_error);

	if (r < 0)
		return r;
	r = read_config(store, &wait, ret_error);
	if (r > 0)
		*ret_config = FL_TAKE(wait.config);
	end(store, &wait);
	return r;
}

int flannel_store_replace_config_sync(struct flannel_store *store, const char *config, const char *former,
				      unsigned int deadline_ms, struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_netconf_unrefp) struct flannel_netconf *netconf = NULL;
	const char *what = "replace the network configuration of";
	struct wait wait;
	int r = begin(store, config, deadline_ms, what, &wait, ret_error);

	if (r < 0)
		return r;
	r = flannel_netconf_parse(config, strlen(config), &netconf, ret_error);
	if (r >= 0 && former)
		r = fl_store_set_config(store, config, former, &wait.request, ret_error);
	else if (r >= 0)
		r = fl_store_put_config(store, config, &wait.request, ret_error);
	r = await(store, r, &wait, what, ret_error);
	if (r >= 0 && (wait.code == -EEXIST || wait.code == -ENOENT) && !wait.error)
		r = fl_error_set(ret_error, wait.code == -ENOENT ? -EEXIST : wait.code, AREA,
				 "it was changed meanwhile; look at it again", "%s the store", what);
	else if (r >= 0 && wait.code < 0)
		r = fail_reply(&wait, what, ret_error);
	end(store, &wait);
	return r;
}

/* reads all leases into wait */
static int read_leases(struct flannel_store *store, struct wait *wait, struct flannel_error **ret_error)
{
	int r;

	wait_again(wait);
	r = await(store, fl_store_watch(store, ret_error), wait, "list the leases of", ret_error);
	return r >= 0 && wait->code < 0 ? fl_error_oom(ret_error) : r;
}

/* by subnets, IPv4 first */
static int compare_leases(const void *a, const void *b)
{
	const int families[] = {AF_INET, AF_INET6};
	int r = 0;

	for (size_t i = 0; r == 0 && i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix one = {0}, other = {0};

		(void)flannel_lease_get_subnet(*(struct flannel_lease *const *)a, families[i], &one);
		(void)flannel_lease_get_subnet(*(struct flannel_lease *const *)b, families[i], &other);
		r = flannel_prefix_compare(&one, &other);
	}
	return r;
}

int flannel_store_list_leases_sync(struct flannel_store *store, unsigned int deadline_ms,
				   struct flannel_lease ***ret_leases, size_t *ret_n, struct flannel_error **ret_error)
{
	struct wait wait;
	int r = begin(store, ret_leases && ret_n, deadline_ms, "list the leases of", &wait, ret_error);

	if (r < 0)
		return r;
	r = read_leases(store, &wait, ret_error);
	if (r >= 0) {
		if (wait.n_leases)
			qsort(wait.leases, wait.n_leases, sizeof(struct flannel_lease *), compare_leases);
		*ret_leases = FL_TAKE(wait.leases);
		*ret_n = wait.n_leases;
		wait.n_leases = 0;
	}
	end(store, &wait);
	return r < 0 ? r : 0;
}

struct flannel_lease **flannel_lease_list_free(struct flannel_lease **leases, size_t n)
{
	for (size_t i = 0; leases && i < n; i++)
		flannel_lease_unref(leases[i]);
	free(leases);
	return NULL;
}

/* a reservation must be one that a node of this network may have: a node gives back what does not fit */
static int check_fits(struct flannel_store *store, const struct flannel_lease *lease, struct wait *wait,
		      struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_netconf_unrefp) struct flannel_netconf *netconf = NULL;
	char key[2 * FLANNEL_PREFIX_STRLEN];
	int r = read_config(store, wait, ret_error);

	if (r <= 0)
		return r;
	r = flannel_netconf_parse(wait->config, strlen(wait->config), &netconf, ret_error);
	if (r < 0 || fl_subnet_lease_fits(netconf, lease))
		return r;
	return fl_error_set(ret_error, -ERANGE, AREA,
			    "it is not one of the subnets that nodes get by the network configuration", "reserve %s",
			    flannel_lease_format_key(lease, key, sizeof(key)));
}

/* have two leases a public address in common */
static bool same_holder(const struct flannel_lease *a, const struct flannel_lease *b)
{
	const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < FL_N_ELEMENTS(families); i++) {
		struct flannel_prefix one, other;

		if (flannel_lease_get_public_ip(a, families[i], &one) == 1 &&
		    flannel_lease_get_public_ip(b, families[i], &other) == 1 &&
		    flannel_prefix_compare(&one, &other) == 0)
			return true;
	}
	return false;
}

/* what the node has already: 1 and a reference, 0 if it has nothing, -EEXIST if that is another subnet */
static int find_held(const struct wait *wait, const struct flannel_lease *lease, struct flannel_lease **ret_held,
		     struct flannel_error **ret_error)
{
	char key[2 * FLANNEL_PREFIX_STRLEN], held[2 * FLANNEL_PREFIX_STRLEN];

	(void)flannel_lease_format_key(lease, key, sizeof(key));
	for (size_t i = 0; i < wait->n_leases; i++) {
		if (!same_holder(wait->leases[i], lease))
			continue;
		if (strcmp(flannel_lease_format_key(wait->leases[i], held, sizeof(held)), key) != 0)
			return fl_error_set(ret_error, -EEXIST, AREA,
					    "its public address has another lease; stop the node and remove that first",
					    "reserve %s: it has %s", key, held);
		*ret_held = flannel_lease_ref(wait->leases[i]);
		return 1;
	}
	return 0;
}

int flannel_store_reserve_sync(struct flannel_store *store, struct flannel_lease *lease, unsigned int deadline_ms,
			       struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *held = NULL;
	struct wait wait;
	int r = begin(store, lease, deadline_ms, "reserve a subnet in", &wait, ret_error);

	if (r < 0)
		return r;
	r = check_fits(store, lease, &wait, ret_error);
	if (r >= 0)
		r = read_leases(store, &wait, ret_error);
	if (r >= 0)
		r = find_held(&wait, lease, &held, ret_error);
	if (r < 0 || (held && flannel_lease_get_expires_sec(held) == 0)) {
		end(store, &wait);
		return r < 0 ? r : 0;
	}
	/* what the node has published stays, if it runs */
	wait_again(&wait);
	r = held ? fl_store_update(store, held, 0, &wait.request, ret_error)
		 : fl_store_create(store, lease, 0, &wait.request, ret_error);
	r = await(store, r, &wait, "reserve a subnet in", ret_error);
	if (r >= 0)
		r = wait.code < 0 ? fail_reply(&wait, "reserve a subnet in", ret_error) : 1;
	end(store, &wait);
	return r;
}

/* the same lease with an end, which has the store take the reservation away: 1, or negative */
static int make_ending(struct flannel_lease *lease, struct flannel_lease **ret_lease, struct flannel_error **ret_error)
{
	int64_t expires_sec = time(NULL) + FLANNEL_DEFAULT_LEASE_SEC;
	const char *value = flannel_lease_get_value(lease);
	char key[2 * FLANNEL_PREFIX_STRLEN];
	int r = flannel_lease_parse(flannel_lease_format_key(lease, key, sizeof(key)), value, strlen(value),
				    expires_sec, flannel_lease_get_revision(lease), ret_lease, ret_error);

	return r < 0 ? r : 1;
}

/* has a node taken a reservation, and published itself with it */
static bool is_taken(const struct flannel_lease *lease)
{
	const char *type = flannel_lease_get_backend_type(lease);

	return type && *type;
}

int flannel_store_unreserve_sync(struct flannel_store *store, struct flannel_lease *lease, unsigned int deadline_ms,
				 struct flannel_error **ret_error)
{
	FL_CLEANUP(flannel_lease_unrefp) struct flannel_lease *ending = NULL;
	const char *what = "end a reservation in";
	struct wait wait;
	int r = begin(store, lease, deadline_ms, what, &wait, ret_error);

	if (r < 0)
		return r;
	if (flannel_lease_get_expires_sec(lease) != 0)
		r = 0;
	else if (fl_store_assigns(store))
		r = fl_error_set(ret_error, -EOPNOTSUPP, AREA, "its leases do not end", "%s the %s store", what,
				 flannel_store_get_name(store));
	else
		r = make_ending(lease, &ending, ret_error);
	if (r <= 0) {
		end(store, &wait);
		return r;
	}
	r = is_taken(lease) ? fl_store_update(store, ending, FLANNEL_DEFAULT_LEASE_SEC, &wait.request, ret_error)
			    : fl_store_remove(store, lease, &wait.request, ret_error);
	r = await(store, r, &wait, what, ret_error);
	if (r >= 0)
		r = wait.code < 0 ? fail_reply(&wait, what, ret_error) : 1;
	end(store, &wait);
	return r;
}

int flannel_store_remove_lease_sync(struct flannel_store *store, struct flannel_lease *lease, unsigned int deadline_ms,
				    struct flannel_error **ret_error)
{
	struct wait wait;
	int r = begin(store, lease, deadline_ms, "remove a lease from", &wait, ret_error);

	if (r < 0)
		return r;
	r = fl_store_remove(store, lease, &wait.request, ret_error);
	r = await(store, r, &wait, "remove a lease from", ret_error);
	if (r >= 0 && wait.code < 0)
		r = fail_reply(&wait, "remove a lease from", ret_error);
	end(store, &wait);
	return r;
}
