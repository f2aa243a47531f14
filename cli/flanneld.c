/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flanneld: the node agent as a daemon. Flags, signals, locks and the control socket are here, the rest is libflannel. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include <flannel/flannel.h>

#include "cleanup.h"
#include "control.h"
#include "events.h"
#include "health.h"
#include "instance.h"
#include "instance_network.h"
#include "log.h"
#include "netconf_file.h"
#include "options.h"
#include "service.h"
#include "store_uri.h"

/* besides EXIT_SUCCESS and EXIT_FAILURE: the command line is wrong */
#define EXIT_USAGE 2

/*
 * How long the store may take to take the network configuration before somebody who asks for our health is answered, and after how
 * many of these times it is said in the log.
 */
#define NET_CONFIG_DEADLINE_MS 500
#define NET_CONFIG_ROUNDS 20
#define NET_CONFIG_SNAPSHOT_ROUNDS 4 /* with something to go by without it */

struct daemon {
	const struct options *options;
	const struct logger *logger;
	struct instance instance;
	struct flannel_context *context;
	struct flannel_store *store;
	struct flannel_node *node;
	struct http_server *control; /* on the control socket, or NULL */
	struct http_server *health;  /* on --healthz-port, or NULL */
	struct status_source source;
	struct events events;
	struct service service;
	int state; /* of the node, as the service manager knows it */
	int signal_fd;
	bool store_has_config; /* the store reads the network configuration's file itself */
};

/* logs why something failed; gives back the code */
static int report(const struct logger *logger, int code, const struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);
	const char *area = flannel_error_get_area(error);

	logger_write(logger, FLANNEL_LOG_ERROR, *area ? area : "flanneld", "%s", *message ? message : strerror(-code));
	return code;
}

/* a closed descriptor 0, 1 or 2 would be given to a socket, and log lines would go into that */
static void keep_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR); /* NOLINT: without CLOEXEC, like any standard stream */
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close_p(&fd);
}

/* from here on SIGINT and SIGTERM are read from the descriptor */
static int take_signals(struct daemon *daemon)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signal_fd < 0 ? -errno : 0;
}

/* takes the first signal off and lets the next one end the process at once */
static void give_signals_back(struct daemon *daemon)
{
	struct signalfd_siginfo info = {0};
	char name[32];
	sigset_t set;

	if (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		(void)snprintf(name, sizeof(name), "SIG%s", sigabbrev_np((int)info.ssi_signo));
		logger_write(daemon->logger, FLANNEL_LOG_INFO, "flanneld",
			     "%s: stopping; lease, routes, rules and subnet file stay in force", name);
		service_tell_stopping(&daemon->service, name);
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* is there something to go by while the store does not answer */
static bool has_snapshot(const struct daemon *daemon)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/snapshot.json", daemon->options->state_dir) < 0)
		path = NULL;
	return path && access(path, F_OK) == 0;
}

/* opens the store that the flags ask for */
static int open_store(struct daemon *daemon, struct flannel_error **ret_error)
{
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	char *uri;
	int r = options_select_store(daemon->options, &store, ret_error);

	if (r < 0)
		return r;
	if (store == OPTIONS_STORE_ETCD)
		daemon->source.store_path = daemon->options->etcd_endpoints;
	if (store == OPTIONS_STORE_KUBE)
		daemon->source.store_path = daemon->options->kube_api_url;
	daemon->store_has_config = store == OPTIONS_STORE_KUBE;
	uri = store_uri_format(daemon->options, store);
	if (!uri)
		return flannel_error_new(ret_error, -ENOMEM, "store", "open the store", NULL, 0);
	if (has_snapshot(daemon))
		r = flannel_store_open_later(daemon->context, uri, &daemon->store, ret_error);
	else
		r = flannel_store_open(daemon->context, uri, &daemon->store, ret_error);
	store_uri_free(uri);
	return r;
}

/*
 * Puts a configuration into the store, however long it takes until that answers; signals still end the process at once. With a snapshot to go
 * by that is not waited for: it has been stored before.
 */
static int store_net_config(const struct daemon *daemon, const char *text, struct flannel_error **ret_error)
{
	bool waits = !has_snapshot(daemon);

	for (unsigned int round = 1;; round++) {
		CLEANUP_ERROR struct flannel_error *error = NULL;
		int r = flannel_store_set_config_sync(daemon->store, text, NET_CONFIG_DEADLINE_MS, &error);

		if (r < 0 && flannel_error_is_retryable(error) && !waits &&
		    (r != -ETIMEDOUT || round == NET_CONFIG_SNAPSHOT_ROUNDS)) {
			logger_write(daemon->logger, FLANNEL_LOG_WARNING, "store",
				     "%s; the file is compared with the store at the next start",
				     flannel_error_get_message(error));
			return 0;
		}
		if (r != -ETIMEDOUT) {
			*ret_error = TAKE(error);
			return r;
		}
		if (round % NET_CONFIG_ROUNDS == 0)
			logger_write(daemon->logger, FLANNEL_LOG_WARNING, "store", "%s; trying again",
				     flannel_error_get_message(error));
		http_server_dispatch(daemon->control);
		http_server_dispatch(daemon->health);
	}
}

/* puts the network configuration's file into the store, if it was named */
static int apply_net_config(struct daemon *daemon, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	int r;

	if (daemon->store_has_config || !options_has_net_config(daemon->options))
		return 0;
	r = netconf_file_read(daemon->options->net_config_path, &text, ret_error);
	if (r < 0)
		return r;
	r = store_net_config(daemon, text, ret_error);
	if (r > 0)
		logger_write(daemon->logger, FLANNEL_LOG_INFO, "store", "stored the network configuration of %s",
			     daemon->options->net_config_path);
	return r;
}

/* NULL for an option that is not set */
static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* which rules the flags ask for */
static unsigned int masquerade_flags(const struct options *options)
{
	unsigned int flags = options->iptables_forward_rules ? FLANNEL_MASQUERADE_FORWARD : 0;

	if (options->observer)
		return 0;
	if (options->ip_masq)
		flags |= FLANNEL_MASQUERADE_SNAT;
	if (options->ip_masq && options->ip_masq_fully_random_disable)
		flags |= FLANNEL_MASQUERADE_FIXED_PORTS;
	return flags;
}

/* makes the node agent and lets it begin */
static int start_node(struct daemon *daemon, struct flannel_error **ret_error)
{
	const struct options *options = daemon->options;
	struct flannel_node_options node_options = {
		.size = sizeof(node_options),
		.interfaces = options->iface.items,
		.n_interfaces = options->iface.n_items,
		.interface_regexes = options->iface_regex.items,
		.n_interface_regexes = options->iface_regex.n_items,
		.interface_can_reach = or_null(options->iface_can_reach),
		.public_ip = or_null(options->public_ip),
		.public_ip6 = or_null(options->public_ipv6),
		.masquerade = masquerade_flags(options),
		.blackhole_route = options->ip_blackhole_route,
		.subnet_file = options->subnet_file,
		.state_dir = options->state_dir,
		.observer = options->observer,
		.instance = daemon->instance.name.text,
		.ipmasq_value = options->ip_masq,
		.renew_margin_sec = (uint32_t)options->subnet_lease_renew_margin * 60,
	};
	int r = flannel_node_new(daemon->context, daemon->store, &node_options, &daemon->node, ret_error);

	if (r < 0)
		return r;
	daemon->source.node = daemon->node;
	return flannel_node_start(daemon->node, ret_error);
}

/* answers on the control socket and to probes of our health, unless there is none */
static int start_servers(struct daemon *daemon, struct flannel_error **ret_error)
{
	const struct options *options = daemon->options;
	int fd = -1, r = 0;

	if (daemon->instance.listen_fd >= 0)
		r = http_server_new(take_fd(&daemon->instance.listen_fd), "control socket", control_answer,
				    &daemon->source, &daemon->control, ret_error);
	if (r < 0 || options->healthz_port <= 0)
		return r;
	r = health_listen(options->healthz_ip, options->healthz_port, &fd, ret_error);
	if (r < 0)
		return r;
	return http_server_new(fd, "health server", health_answer, &daemon->source, &daemon->health, ret_error);
}

/* makes the library's context */
static int open_context(struct daemon *daemon, struct flannel_error **ret_error)
{
	struct flannel_context_options options = {
		.size = sizeof(options),
		.log = logger_hook,
		.log_userdata = (void *)daemon->logger,
		.log_level = logger_get_max_level(daemon->logger),
		.route_protocol = daemon->instance.route_protocol,
	};

	return flannel_context_new(&daemon->context, &options, ret_error);
}

/* says what this daemon is called, unless that is what the operator said */
static void log_instance(const struct daemon *daemon)
{
	const struct instance_name *name = &daemon->instance.name;

	if (*name->other)
		logger_write(daemon->logger, FLANNEL_LOG_WARNING, "instance",
			     "another flanneld (%s) has flannel's names in this network namespace: this one is "
			     "instance "
			     "\"%s\" from now on",
			     name->other, name->text);
	else if (strcmp(name->text, daemon->options->instance) != 0)
		logger_write(daemon->logger, FLANNEL_LOG_INFO, "instance", "this is instance \"%s\", as before",
			     name->text);
}

/* everything up to the loop; what was made is in daemon, also on failure */
static int start(struct daemon *daemon, struct flannel_error **ret_error)
{
	CLEANUP_FREE char *network = NULL;
	struct instance_paths paths = {
		.state_dir = daemon->options->state_dir,
		.subnet_file = daemon->options->observer ? NULL : daemon->options->subnet_file,
		.socket = daemon->options->socket,
		.name = daemon->options->instance,
		.route_protocol = flag_set_origin(&daemon->options->flags, "route-protocol") == FLAG_FROM_DEFAULT
					  ? 0
					  : (uint8_t)daemon->options->route_protocol,
	};
	int r = instance_network_describe(daemon->options, &network, &paths.network_flag, ret_error);

	paths.network = network;
	if (r >= 0)
		r = instance_claim(&paths, &daemon->instance, ret_error);
	if (r >= 0)
		log_instance(daemon);
	daemon->source.instance = daemon->instance.name.text;
	if (r >= 0)
		r = start_servers(daemon, ret_error);
	if (r >= 0)
		r = open_context(daemon, ret_error);
	if (r >= 0)
		r = open_store(daemon, ret_error);
	if (r >= 0)
		r = apply_net_config(daemon, ret_error);
	if (r < 0)
		return r;
	daemon->source.store_name = flannel_store_get_name(daemon->store);
	r = take_signals(daemon);
	if (r < 0)
		return flannel_error_new(ret_error, r, "process", "take signals", NULL, 0);
	return start_node(daemon, ret_error);
}

/* does an event, or the node's state, change what the service manager was told; peers do not */
static bool is_for_service(const struct daemon *daemon, const struct flannel_event *event)
{
	switch (flannel_event_get_type(event)) {
	case FLANNEL_EVENT_PEER_ADDED:
	case FLANNEL_EVENT_PEER_CHANGED:
	case FLANNEL_EVENT_PEER_REMOVED:
	case FLANNEL_EVENT_OBJECT_FAILED:
	case FLANNEL_EVENT_REPAIRED:
		return flannel_node_get_state(daemon->node) != daemon->state;
	default:
		return true;
	}
}

/* takes all events that wait; -ECANCELED if the node gave up */
static int drain_events(struct daemon *daemon)
{
	struct flannel_event *event = NULL;
	bool is_news = flannel_node_get_state(daemon->node) != daemon->state;

	while (flannel_context_next_event(daemon->context, &event) > 0) {
		enum events_result result = events_handle(&daemon->events, event);

		is_news = is_news || is_for_service(daemon, event);
		event = flannel_event_free(event);
		if (result == EVENTS_NODE_FAILED)
			return -ECANCELED;
	}
	if (is_news)
		service_tell(&daemon->service, &daemon->source, daemon->events.ready);
	daemon->state = flannel_node_get_state(daemon->node);
	return 0;
}

/* lets the library work, then hears what happened: 1 if more is due, 0, or negative to stop */
static int dispatch(struct daemon *daemon)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	int more = flannel_context_dispatch(daemon->context, &error);
	int r;

	if (more < 0)
		return report(daemon->logger, more, error);
	r = drain_events(daemon);
	return r < 0 ? r : more;
}

/* how long poll(2) may wait on account of a connection, milliseconds; -1: for ever */
static int min_timeout_ms(int one, int other)
{
	return one < 0 || (other >= 0 && other < one) ? other : one;
}

/* waits and works until a signal (0) or a failure (negative); nothing wakes it while nothing happens */
static int run(struct daemon *daemon)
{
	enum { SIGNAL, CONTEXT, CONTROL, HEALTH, N_FDS };
	struct pollfd fds[N_FDS] = {
		[SIGNAL] = {.fd = daemon->signal_fd, .events = POLLIN},
		[CONTEXT] = {.fd = flannel_context_get_fd(daemon->context), .events = POLLIN},
		[CONTROL] = {.fd = http_server_get_fd(daemon->control), .events = POLLIN},
		[HEALTH] = {.fd = http_server_get_fd(daemon->health), .events = POLLIN},
	};
	int more = 1;

	for (;;) {
		int control_ms = http_server_get_timeout_ms(daemon->control);
		int health_ms = http_server_get_timeout_ms(daemon->health);

		if (poll(fds, N_FDS, more ? 0 : min_timeout_ms(control_ms, health_ms)) < 0) {
			if (errno == EINTR)
				continue;
			return report(daemon->logger, -errno, NULL);
		}
		if (fds[SIGNAL].revents)
			return 0;
		events_note_clock(&daemon->events);
		if (more || fds[CONTEXT].revents)
			more = dispatch(daemon);
		if (more < 0)
			return more;
		if (fds[CONTROL].revents || control_ms >= 0)
			http_server_dispatch(daemon->control);
		if (fds[HEALTH].revents || health_ms >= 0)
			http_server_dispatch(daemon->health);
	}
}

/* lets go of everything and leaves the data plane as it is */
static void stop(struct daemon *daemon)
{
	daemon->health = http_server_free(daemon->health);
	daemon->control = http_server_free(daemon->control);
	daemon->node = flannel_node_free(daemon->node);
	daemon->store = flannel_store_unref(daemon->store);
	daemon->context = flannel_context_unref(daemon->context);
	events_clear(&daemon->events);
	close_p(&daemon->signal_fd);
	instance_release(&daemon->instance);
}

/* CLOCK_BOOTTIME in nanoseconds */
static uint64_t now_ns(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* runs the daemon from its options to its end */
static int serve(const struct options *options, const struct logger *logger)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	struct daemon daemon = {
		.options = options,
		.logger = logger,
		.instance = INSTANCE_NONE,
		.source = {.store_path = options->store_path,
			   .subnet_file = options->observer ? NULL : options->subnet_file,
			   .ip_masq = options->ip_masq,
			   .started_ns = now_ns()},
		.service = {.socket = getenv("NOTIFY_SOCKET"), .logger = logger},
		.state = -1,
		.signal_fd = -1,
	};
	int r;

	daemon.events = (struct events){.logger = logger, .source = &daemon.source};
	r = start(&daemon, &error);
	if (r < 0)
		(void)report(logger, r, error);
	else
		r = run(&daemon);
	if (r < 0)
		service_tell_stopping(&daemon.service, error                        ? flannel_error_get_message(error)
						       : daemon.source.last_failure ? daemon.source.last_failure
										    : "a failure");
	if (daemon.signal_fd >= 0)
		give_signals_back(&daemon);
	stop(&daemon);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* settles the options: environment, checks, log */
static int settle_options(struct options *options, struct logger *logger)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	int r = options_apply_environment(options, logger);

	if (r >= 0) {
		logger_set_verbosity(logger, options->v, options->vmodule);
		options_log(options, logger);
		r = options_check(options, &error);
	}
	if (r >= 0)
		r = options_apply_instance(options);
	if (r < 0)
		return report(logger, r, error);
	options_log_ineffective(options, logger);
	return 0;
}

/* prints what is wrong with the command line, and what is right */
static int complain(const struct options *options, const char *message)
{
	(void)fprintf(stderr, "flanneld: %s\n", message ? message : "out of memory");
	options_usage(options, stderr);
	return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
	CLEANUP(options_clear) struct options options;
	struct logger logger = {.fd = STDERR_FILENO, .level = FLANNEL_LOG_INFO};
	CLEANUP_FREE char *message = NULL;
	int r;

	keep_standard_streams();
	if (options_init(&options) < 0)
		return EXIT_FAILURE;
	r = options_parse(&options, argc, argv, &message);
	if (r < 0)
		return complain(&options, message);
	if (r == FLAG_HELP) {
		options_usage(&options, stderr);
		return EXIT_SUCCESS;
	}
	if (options.version) {
		(void)fprintf(stderr, "v%s\n", FLANNEL_VERSION);
		return EXIT_SUCCESS;
	}
	if (settle_options(&options, &logger) < 0)
		return EXIT_FAILURE;
	return serve(&options, &logger);
}
