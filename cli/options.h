/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

/* What flanneld can be told: the table of its flags, their checks, and what they come to together. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <flannel/error.h>

#include "flags.h"
#include "log.h"

/* at least as many as the table has */
#define OPTIONS_MAX_FLAGS 64

/* prefix of the environment variables */
#define OPTIONS_ENVIRONMENT "FLANNELD_"

enum options_store { OPTIONS_STORE_EMBEDDED, OPTIONS_STORE_ETCD, OPTIONS_STORE_KUBE, OPTIONS_STORE_STATIC };

/* one member per flag, named like it; members of flags that have no effect yet serve messages only */
struct options {
	const char *etcd_endpoints;
	const char *etcd_prefix;
	const char *etcd_keyfile;
	const char *etcd_certfile;
	const char *etcd_cafile;
	const char *etcd_username;
	const char *etcd_password;
	struct flag_list iface;
	struct flag_list iface_regex;
	const char *iface_can_reach;
	const char *subnet_file;
	const char *public_ip;
	const char *public_ipv6;
	int64_t subnet_lease_renew_margin;
	bool ip_masq;
	bool ip_masq_fully_random_disable;
	bool kube_subnet_mgr;
	const char *kube_api_url;
	const char *kube_annotation_prefix;
	const char *kubeconfig_file;
	bool version;
	const char *healthz_ip;
	int64_t healthz_port;
	int64_t iptables_resync;
	bool iptables_forward_rules;
	bool ip_blackhole_route;
	const char *net_config_path;
	bool set_node_network_unavailable;
	int64_t v;
	const char *vmodule;
	const char *log_backtrace_at;
	const char *store;
	const char *store_path;
	const char *state_dir;
	const char *socket;
	bool observer;
	const char *instance;
	int64_t route_protocol;
	char *derived[4]; /* defaults that follow .instance */

	struct flag_set flags;
	enum flag_origin origins[OPTIONS_MAX_FLAGS];
};

/* defaults; options must not move afterwards. 0 or negative errno */
int options_init(struct options *options);

/* frees what parsing allocated */
void options_clear(struct options *options);

/* the command line: as flag_set_parse(); words after the flags are ignored, as flanneld always did */
int options_parse(struct options *options, int argc, char *const argv[], char **ret_message);

/* the environment, for flags that the command line did not give; bad values are logged and skipped. 0 or -ENOMEM */
int options_apply_environment(struct options *options, const struct logger *logger);

/* paths that were not given follow the instance's name, once that was checked; 0 or -ENOMEM */
int options_apply_instance(struct options *options);

/* numbers in range, nothing that this version cannot do: 0, or -EINVAL or -EOPNOTSUPP naming the flag */
int options_check(const struct options *options, struct flannel_error **ret_error);

/* which store the flags select: 0, or -EINVAL naming the two that contradict each other */
int options_select_store(const struct options *options, enum options_store *ret_store,
			 struct flannel_error **ret_error);

/* the network configuration's file was named, so that it is to be read */
bool options_has_net_config(const struct options *options);

/* one line with every flag that is not at its default, secrets hidden */
void options_log(const struct options *options, const struct logger *logger);

/* a line for each flag that was given and does nothing here */
void options_log_ineffective(const struct options *options, const struct logger *logger);

/* what --help prints */
void options_usage(const struct options *options, FILE *stream);

#endif
