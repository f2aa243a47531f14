/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "store_uri_kube.h"

/* fails with "flag: detail" */
static int refuse(struct flannel_error **ret_error, int code, const char *flag, const char *detail)
{
	return flannel_error_new(ret_error, code, "config", flag, detail, 0);
}

/* a number outside of its range */
static int check_range(int64_t number, int64_t min, int64_t max, const char *flag, struct flannel_error **ret_error)
{
	char detail[96];

	if (number >= min && number <= max)
		return 0;
	(void)snprintf(detail, sizeof(detail), "%lld is not within %lld to %lld", (long long)number, (long long)min,
		       (long long)max);
	return refuse(ret_error, -EINVAL, flag, detail);
}

/* a path that must name something */
static int check_path(const char *path, const char *flag, struct flannel_error **ret_error)
{
	return *path ? 0 : refuse(ret_error, -EINVAL, flag, "the path is empty");
}

/* how a flag was given: "--store" or "FLANNELD_STORE" */
static const char *given_name(const struct options *options, size_t index, char *buf, size_t size)
{
	if (options->origins[index] == FLAG_FROM_ENVIRONMENT)
		return flag_environment_name(&options->flags.flags[index], OPTIONS_ENVIRONMENT, buf, size);
	(void)snprintf(buf, size, "--%s", options->flags.flags[index].name);
	return buf;
}

/* index of the first etcd-* flag that was given, or n_flags */
static size_t find_etcd_flag(const struct options *options)
{
	for (size_t i = 0; i < options->flags.n_flags; i++)
		if (options->origins[i] != FLAG_FROM_DEFAULT &&
		    strncmp(options->flags.flags[i].name, "etcd-", strlen("etcd-")) == 0)
			return i;
	return options->flags.n_flags;
}

/* fails because two flags ask for two stores */
static int contradict(const struct options *options, size_t one, size_t other, struct flannel_error **ret_error)
{
	char first[64];
	char second[64];
	char detail[256];

	(void)given_name(options, one, first, sizeof(first));
	(void)given_name(options, other, second, sizeof(second));
	(void)snprintf(detail, sizeof(detail), "%s and %s ask for different stores; give only one of them", first,
		       second);
	return refuse(ret_error, -EINVAL, "choose the store", detail);
}

/* what --store says: 1 and the store, 0 for "auto", -EINVAL */
static int parse_store(const char *word, enum options_store *ret_store, struct flannel_error **ret_error)
{
	char detail[160];

	if (strcmp(word, "auto") == 0)
		return 0;
	if (strcmp(word, "embedded") == 0)
		*ret_store = OPTIONS_STORE_EMBEDDED;
	else if (strcmp(word, "etcd") == 0)
		*ret_store = OPTIONS_STORE_ETCD;
	else if (strcmp(word, "kube") == 0)
		*ret_store = OPTIONS_STORE_KUBE;
	else if (strcmp(word, "static") == 0)
		*ret_store = OPTIONS_STORE_STATIC;
	else {
		(void)snprintf(detail, sizeof(detail), "\"%.64s\" is not auto, embedded, etcd, kube or static", word);
		return refuse(ret_error, -EINVAL, "--store", detail);
	}
	return 1;
}

int options_select_store(const struct options *options, enum options_store *ret_store, struct flannel_error **ret_error)
{
	const size_t none = options->flags.n_flags;
	const size_t store_flag = flag_set_find(&options->flags, "store");
	const size_t path_flag = flag_set_find(&options->flags, "store-path");
	const size_t kube_flag = flag_set_find(&options->flags, "kube-subnet-mgr");
	const size_t etcd_flag = find_etcd_flag(options);
	bool path_given = options->origins[path_flag] != FLAG_FROM_DEFAULT;
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	size_t reason = store_flag; /* the flag that decides */
	int named = parse_store(options->store, &store, ret_error);

	if (named < 0)
		return named;
	if (named) {
		if (options->kube_subnet_mgr && store != OPTIONS_STORE_KUBE)
			return contradict(options, store_flag, kube_flag, ret_error);
		if (!options->kube_subnet_mgr && options->origins[kube_flag] != FLAG_FROM_DEFAULT &&
		    store == OPTIONS_STORE_KUBE)
			return contradict(options, store_flag, kube_flag, ret_error);
		if (etcd_flag != none && store != OPTIONS_STORE_ETCD)
			return contradict(options, store_flag, etcd_flag, ret_error);
	} else if (options->kube_subnet_mgr) {
		/* flannel's behaviour: with --kube-subnet-mgr the etcd flags are passed over */
		store = OPTIONS_STORE_KUBE;
		reason = kube_flag;
	} else if (etcd_flag != none) {
		store = OPTIONS_STORE_ETCD;
		reason = etcd_flag;
	}
	if (!path_given && store == OPTIONS_STORE_STATIC)
		return refuse(ret_error, -EINVAL, "choose the store",
			      "--store=static needs --store-path, the file with the leases");
	if (path_given && store != OPTIONS_STORE_EMBEDDED && store != OPTIONS_STORE_STATIC)
		return contradict(options, reason, path_flag, ret_error);
	*ret_store = store;
	return 0;
}

/* what is asked of the store that is chosen */
static int check_store(const struct options *options, struct flannel_error **ret_error)
{
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	int r = options_select_store(options, &store, ret_error);

	if (r < 0 || store != OPTIONS_STORE_KUBE)
		return r;
	r = check_path(options->net_config_path, "--net-config-path", ret_error);
	return r < 0 ? r : store_uri_check_kube_environment(ret_error);
}

/* an observer sets nothing of what these ask for */
static int check_observer(const struct options *options, struct flannel_error **ret_error)
{
	if (options->observer && (options->ip_masq || options->ip_blackhole_route))
		return refuse(ret_error, -EINVAL, "--observer",
			      options->ip_masq ? "it sets no rules: give it or --ip-masq, not both"
					       : "it has no subnet: give it or --ip-blackhole-route, not both");
	return 0;
}

/* a flag that must be given beside --instance, since by its default both instances would serve one network */
static int check_given(const struct options *options, const char *flag, struct flannel_error **ret_error)
{
	char name[64];

	if (flag_set_origin(&options->flags, flag) != FLAG_FROM_DEFAULT)
		return 0;
	(void)snprintf(name, sizeof(name), "--%s", flag);
	return refuse(ret_error, -EINVAL, name,
		      "with --instance it must be given: each instance has a network of its own");
}

/* the name goes into paths and names of tables; and what the instances would share by default */
static int check_instance(const struct options *options, struct flannel_error **ret_error)
{
	const char *name = options->instance;
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	int r;

	if (!*name)
		return 0;
	if (strlen(name) > 15 ||
	    name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] != '\0')
		return refuse(ret_error, -EINVAL, "--instance",
			      "it is no name of up to 15 letters, digits, \"_\" and \"-\"");
	r = options_select_store(options, &store, ret_error);
	if (r == 0 && store == OPTIONS_STORE_ETCD)
		r = check_given(options, "etcd-prefix", ret_error);
	if (r == 0 && store == OPTIONS_STORE_KUBE)
		r = check_given(options, "kube-annotation-prefix", ret_error);
	return r;
}

int options_check(const struct options *options, struct flannel_error **ret_error)
{
	int r = check_range(options->subnet_lease_renew_margin, 1, 1439, "--subnet-lease-renew-margin", ret_error);

	if (r == 0)
		r = check_range(options->route_protocol, 5, 255, "--route-protocol", ret_error);
	if (r == 0)
		r = check_instance(options, ret_error);
	if (r == 0)
		r = check_path(options->subnet_file, "--subnet-file", ret_error);
	if (r == 0)
		r = check_path(options->state_dir, "--state-dir", ret_error);
	if (r == 0)
		r = check_path(options->store_path, "--store-path", ret_error);
	if (r == 0)
		r = check_observer(options, ret_error);
	if (r == 0)
		r = check_store(options, ret_error);
	return r;
}

/* said of flags that matter to one store only */
#define NOT_KUBE "the store is not Kubernetes"

/* flags that change nothing, and why */
static const struct {
	const char *name;
	const char *reason;
} ineffective[] = {
	{"iptables-resync", "rules are set through nftables, and repaired when they change"},
	{"kube-api-url", NOT_KUBE},
	{"kube-annotation-prefix", NOT_KUBE},
	{"kubeconfig-file", NOT_KUBE},
	{"set-node-network-unavailable", NOT_KUBE},
	{"log_backtrace_at", "there are no traces of the stack"},
};

void options_log_ineffective(const struct options *options, const struct logger *logger)
{
	enum options_store store = OPTIONS_STORE_EMBEDDED;

	(void)options_select_store(options, &store, NULL);
	for (size_t i = 0; i < N_ELEMENTS(ineffective); i++) {
		size_t index = flag_set_find(&options->flags, ineffective[i].name);
		char name[64];

		if (store == OPTIONS_STORE_KUBE && strcmp(ineffective[i].reason, NOT_KUBE) == 0)
			continue;
		if (index == options->flags.n_flags || flag_set_is_default(&options->flags, index))
			continue;
		logger_write(logger, FLANNEL_LOG_WARNING, "flanneld", "%s has no effect: %s",
			     given_name(options, index, name, sizeof(name)), ineffective[i].reason);
	}
}
