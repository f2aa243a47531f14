/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"

#define DEFAULT_ENDPOINTS "http://127.0.0.1:4001,http://127.0.0.1:2379"

#define AT(member) offsetof(struct options, member)

/* flanneld's flags in the order of the manual, then ours */
static const struct flag table[] = {
	{"etcd-endpoints", FLAG_STRING, FLAG_URL, AT(etcd_endpoints), DEFAULT_ENDPOINTS, "etcd endpoints, with commas"},
	{"etcd-prefix", FLAG_STRING, 0, AT(etcd_prefix), "/coreos.com/network", "root of the keys in etcd"},
	{"etcd-keyfile", FLAG_STRING, 0, AT(etcd_keyfile), "", "TLS key for etcd (PEM)"},
	{"etcd-certfile", FLAG_STRING, 0, AT(etcd_certfile), "", "TLS certificate for etcd (PEM)"},
	{"etcd-cafile", FLAG_STRING, 0, AT(etcd_cafile), "", "certificate authorities for etcd (PEM)"},
	{"etcd-username", FLAG_STRING, 0, AT(etcd_username), "", "etcd user"},
	{"etcd-password", FLAG_STRING, FLAG_SECRET, AT(etcd_password), "", "etcd password"},
	{"iface", FLAG_LIST, 0, AT(iface), NULL,
	 "interface name or address for the traffic between nodes; the first that exists"},
	{"iface-regex", FLAG_LIST, 0, AT(iface_regex), NULL,
	 "regular expression for its addresses, else its name; after --iface"},
	{"iface-can-reach", FLAG_STRING, 0, AT(iface_can_reach), "",
	 "address that the interface must lead to; after --iface and --iface-regex"},
	{"subnet-file", FLAG_STRING, 0, AT(subnet_file), "/run/flannel/subnet.env", "file for the CNI plugin"},
	{"public-ip", FLAG_STRING, 0, AT(public_ip), "", "IPv4 address that other nodes are told"},
	{"public-ipv6", FLAG_STRING, 0, AT(public_ipv6), "", "IPv6 address that other nodes are told"},
	{"subnet-lease-renew-margin", FLAG_INT, 0, AT(subnet_lease_renew_margin), "60",
	 "minutes before its end at which the lease is renewed, 1 to 1439"},
	{"ip-masq", FLAG_BOOL, 0, AT(ip_masq), "false", "masquerade traffic that leaves the network"},
	{"ip-masq-fully-random-disable", FLAG_BOOL, 0, AT(ip_masq_fully_random_disable), "false",
	 "keep source ports where possible"},
	{"kube-subnet-mgr", FLAG_BOOL, 0, AT(kube_subnet_mgr), "false",
	 "leases in Kubernetes: the Nodes, with flannel's annotations"},
	{"kube-api-url", FLAG_STRING, FLAG_URL, AT(kube_api_url), "",
	 "URL of the Kubernetes API, in place of the one found otherwise"},
	{"kube-annotation-prefix", FLAG_STRING, 0, AT(kube_annotation_prefix), "flannel.alpha.coreos.com",
	 "prefix of the node annotations"},
	{"kubeconfig-file", FLAG_STRING, 0, AT(kubeconfig_file), "",
	 "kubeconfig file; without it the pod's service account is used"},
	{"version", FLAG_BOOL, FLAG_NO_ENVIRONMENT, AT(version), "false", "print the version and exit"},
	{"healthz-ip", FLAG_STRING, 0, AT(healthz_ip), "0.0.0.0", "address of the health server"},
	{"healthz-port", FLAG_INT, 0, AT(healthz_port), "0", "port of the health server; 0 for none"},
	{"iptables-resync", FLAG_INT, 0, AT(iptables_resync), "5", "seconds between checks of the rules (no effect)"},
	{"iptables-forward-rules", FLAG_BOOL, 0, AT(iptables_forward_rules), "true",
	 "accept forwarded traffic of the network"},
	{"ip-blackhole-route", FLAG_BOOL, 0, AT(ip_blackhole_route), "false",
	 "keep a blackhole route for the own subnet, behind the bridge's"},
	{"net-config-path", FLAG_STRING, 0, AT(net_config_path), "/etc/kube-flannel/net-conf.json",
	 "network configuration; in other stores than Kubernetes it is stored if there is none, and read only if this "
	 "flag is given"},
	{"set-node-network-unavailable", FLAG_BOOL, 0, AT(set_node_network_unavailable), "true",
	 "keep the Kubernetes condition NetworkUnavailable true to what is so"},
	{"v", FLAG_LEVEL, 0, AT(v), "0", "verbosity: 1 and above show debug messages"},
	{"vmodule", FLAG_MODULES, 0, AT(vmodule), "", "verbosity of areas of the log, in place of --v"},
	{"log_backtrace_at", FLAG_TRACE, 0, AT(log_backtrace_at), "", "file:line to trace (no effect)"},
	{"store", FLAG_STRING, 0, AT(store), "auto", "where leases live: auto, embedded, etcd, kube or static"},
	{"store-path", FLAG_STRING, 0, AT(store_path), "/var/lib/flannel/leases.db",
	 "file of the embedded or the static store"},
	{"state-dir", FLAG_STRING, 0, AT(state_dir), "/var/lib/flannel", "directory for this daemon's own state"},
	{"observer", FLAG_BOOL, 0, AT(observer), "false",
	 "only routes to the pods of the others: no lease, no rules, no subnet file"},
	{"socket", FLAG_STRING, 0, AT(socket), "/run/flannel/flanneld.sock", "control socket; \"\" for none"},
	{"instance", FLAG_STRING, 0, AT(instance), "",
	 "name of this daemon, where several serve several networks on one node"},
	{"route-protocol", FLAG_INT, 0, AT(route_protocol), "241",
	 "tag of this daemon's routes, 5 to 255; with --instance the default is a number of its own"},
};

_Static_assert(N_ELEMENTS(table) <= OPTIONS_MAX_FLAGS, "origins must have room for every flag");

int options_init(struct options *options)
{
	*options = (struct options){
		.flags = {.flags = table, .n_flags = N_ELEMENTS(table), .values = options, .origins = options->origins},
	};
	return flag_set_init(&options->flags);
}

void options_clear(struct options *options)
{
	for (size_t i = 0; i < N_ELEMENTS(options->derived); i++)
		free(options->derived[i]);
	flag_set_clear(&options->flags);
}

int options_parse(struct options *options, int argc, char *const argv[], char **ret_message)
{
	int first;

	return flag_set_parse(&options->flags, argc, argv, &first, ret_message);
}

int options_apply_instance(struct options *options)
{
	const struct {
		const char *flag;
		const char **value;
		const char *directory;
		const char *name;
	} paths[] = {
		{"subnet-file", &options->subnet_file, "/run/flannel", "/subnet.env"},
		{"socket", &options->socket, "/run/flannel", "/flanneld.sock"},
		{"state-dir", &options->state_dir, "/var/lib/flannel", ""},
		{"store-path", &options->store_path, "/var/lib/flannel", "/leases.db"},
	};

	_Static_assert(N_ELEMENTS(paths) == N_ELEMENTS(options->derived), "room for each");
	for (size_t i = 0; i < N_ELEMENTS(paths) && *options->instance; i++) {
		if (flag_set_origin(&options->flags, paths[i].flag) != FLAG_FROM_DEFAULT)
			continue;
		if (asprintf(&options->derived[i], "%s/%s%s", paths[i].directory, options->instance, paths[i].name) <
		    0) {
			options->derived[i] = NULL;
			return -ENOMEM;
		}
		*paths[i].value = options->derived[i];
	}
	return 0;
}

/* a flag_warn_fn */
static void warn_environment(void *userdata, const char *message)
{
	logger_write(userdata, FLANNEL_LOG_ERROR, "flanneld", "environment: %s; the variable is ignored", message);
}

int options_apply_environment(struct options *options, const struct logger *logger)
{
	struct logger copy = *logger;

	return flag_set_environment(&options->flags, OPTIONS_ENVIRONMENT, warn_environment, &copy);
}

bool options_has_net_config(const struct options *options)
{
	return flag_set_origin(&options->flags, "net-config-path") != FLAG_FROM_DEFAULT && *options->net_config_path;
}

void options_log(const struct options *options, const struct logger *logger)
{
	const struct flag_set *set = &options->flags;
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	if (!stream)
		return;
	for (size_t i = 0; i < set->n_flags; i++) {
		if (flag_set_is_default(set, i))
			continue;
		(void)fputc(' ', stream);
		flag_set_print_value(set, i, stream);
	}
	if (fclose(stream) == 0)
		logger_write(logger, FLANNEL_LOG_INFO, "flanneld", "version " FLANNEL_VERSION ", flags:%s",
			     len ? text : " none");
}

void options_usage(const struct options *options, FILE *stream)
{
	(void)fputs("Usage: flanneld [flags]\n"
		    "Leases a subnet for this node and keeps it connected with the other nodes' subnets.\n"
		    "Flags, each also as environment variable " OPTIONS_ENVIRONMENT "NAME:\n",
		    stream);
	flag_set_usage(&options->flags, stream);
}
