/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "decode.h"
#include "environment.h"
#include "print.h"
#include "unique_keys.h"
#include "version.h"

/* how long VERSION waits for a configuration, which it does not need */
#define VERSION_WAIT_MSEC 1000

/* first and later sizes of the input buffer */
#define CHUNK_SIZE 16384

/* a text that grows */
struct text {
	char *bytes;
	size_t len;
	size_t size;
};

/* free() for CNI_CLEANUP */
static void free_text(struct text *text)
{
	free(text->bytes);
}

/* room for one more read */
static int grow(struct text *text)
{
	size_t size = text->size > 0 ? 2 * text->size : CHUNK_SIZE;
	char *larger;

	if (text->len < text->size)
		return 0;
	larger = realloc(text->bytes, size);
	if (!larger)
		return -ENOMEM;
	text->bytes = larger;
	text->size = size;
	return 0;
}

/* milliseconds left until a time of CLOCK_MONOTONIC */
static int remaining_msec(const struct timespec *deadline)
{
	struct timespec now;
	int64_t left_msec;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left_msec = (deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000;
	return left_msec > 0 ? (int)left_msec : 0;
}

/* reads standard input to its end, or until wait_msec have passed (negative: without limit): 0, or negative errno */
static int read_input(int wait_msec, struct text *text)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec deadline;
	ssize_t n;

	(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += wait_msec / 1000;
	for (;;) {
		if (text->len > CNI_TEXT_MAX)
			return -EFBIG;
		if (grow(text) < 0)
			return -ENOMEM;
		if (wait_msec >= 0 && poll(&input, 1, remaining_msec(&deadline)) == 0)
			return -ETIMEDOUT;
		n = read(STDIN_FILENO, text->bytes + text->len, text->size - text->len);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			text->len += (size_t)n;
	}
}

/* the type error of a key that must be decodable before anything else, with the protocol's code for that */
static int get_protocol_string(struct json_object *config, const char *key, const char **ret, struct cni_error *error)
{
	int r = cni_get_string(config, "", key, ret, error);

	if (r < 0)
		error->code = CNI_ERROR_DECODING;
	return r;
}

int cni_protocol_read_config(struct cni_request *request, struct cni_error *error)
{
	const char *network = "";
	const char *version = "";

	if (get_protocol_string(request->config, "name", &network, error) < 0 ||
	    get_protocol_string(request->config, "cniVersion", &version, error) < 0)
		return -1;
	if (network[0] == '\0')
		return cni_fail(error, CNI_ERROR_CONFIG, "name is missing, expected the name of the network");
	if (!cni_name_is_valid(network))
		return cni_fail_details(
			error, CNI_ERROR_CONFIG, network,
			"name is \"%s\", expected letters, digits, and after the first \"_\", \".\", \"-\"", network);
	request->network = network;
	request->version = version[0] != '\0' ? version : CNI_VERSION_OLDEST;
	return 0;
}

/* reads and parses the configuration; *ret_config owns what the request then borrows */
static int read_stdin(struct cni_request *request, struct text *text, struct json_object **ret_config,
		      struct cni_error *error)
{
	int r = read_input(-1, text);

	if (r < 0)
		return cni_fail(error, CNI_ERROR_IO, "read the configuration from standard input: %s", strerror(-r));
	if (cni_json_parse(text->bytes, text->len, ret_config, error) < 0)
		return cni_wrap(error, "network configuration");
	if (!*ret_config)
		*ret_config = json_object_new_object(); /* null is as good as an empty object */
	if (!*ret_config)
		return cni_fail_oom(error);
	if (!json_object_is_type(*ret_config, json_type_object))
		return cni_fail(error, CNI_ERROR_DECODING,
				"network configuration: expected an object, such as {\"name\": ...}");
	if (cni_unique_keys_restore(text->bytes, text->len, *ret_config, error) < 0)
		return -1;
	request->config = *ret_config;
	request->text = text->bytes;
	request->text_len = text->len;
	return cni_protocol_read_config(request, error);
}

/* CHECK, STATUS and GC came later than the protocol: the configuration's version must be one that has them */
static int check_gate(const struct cni_request *request, struct cni_error *error)
{
	const char *const since[CNI_N_VERBS] = {
		[CNI_VERB_CHECK] = "0.4.0", [CNI_VERB_STATUS] = "1.1.0", [CNI_VERB_GC] = "1.1.0"};
	const char *least = since[request->verb];
	bool reached;

	if (!least)
		return 0;
	if (cni_version_at_least(request->version, least, &reached, error) < 0)
		return -1;
	if (!reached)
		return cni_fail(error, CNI_ERROR_VERSION, "cniVersion is \"%s\", expected at least %s for %s",
				request->version, least, cni_verb_name(request->verb));
	return 0;
}

/* the version must be one that the plugin serves, literally */
static int check_version(const struct cni_plugin *plugin, const struct cni_request *request, struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *list = NULL;
	CNI_CLEANUP(cni_freep) char *supported = NULL;

	if (cni_version_is_served(request->version, plugin->oldest))
		return 0;
	list = cni_version_list(plugin->oldest);
	supported = list ? cni_format_compact(list, 0) : NULL;
	return cni_fail_details(error, CNI_ERROR_VERSION, supported ? supported : "",
				"cniVersion is \"%s\", which this plugin does not support", request->version);
}

/*
 * A container's interface must not be made in, or deleted from, the namespace of this process: with a wrong CNI_NETNS that is
 * the node's own. Looked at before anything is done. A path that cannot be opened is the plugin's affair.
 */
static int check_netns(const struct cni_request *request, struct cni_error *error)
{
	struct stat own;
	struct stat given;

	if ((request->verb != CNI_VERB_ADD && request->verb != CNI_VERB_DEL) || request->netns_override ||
	    request->netns[0] == '\0' || stat(request->netns, &given) < 0 || stat("/proc/self/ns/net", &own) < 0 ||
	    own.st_dev != given.st_dev || own.st_ino != given.st_ino)
		return 0;
	return cni_fail(error, CNI_ERROR_NETNS,
			"CNI_NETNS is \"%s\", expected another network namespace than the plugin's own",
			request->netns);
}

int cni_protocol_run(const struct cni_plugin *plugin, const struct cni_request *request,
		     struct json_object **ret_result, struct cni_error *error)
{
	if (check_gate(request, error) < 0 || check_version(plugin, request, error) < 0)
		return -1;
	if (!plugin->run[request->verb])
		return 0;
	return plugin->run[request->verb](request, ret_result, error);
}

/* an answer that nobody got is a failure, told where it still may be seen */
static int answered(int r)
{
	if (r == 0)
		return 0;
	(void)fprintf(stderr, "cannot write the answer to standard output: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

/* Prints a result. An ADD whose result nobody got has failed for its caller, and a failed ADD leaves nothing: it is undone. */
static int print_result(const struct cni_plugin *plugin, const struct cni_request *request, struct json_object *result)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	struct cni_request undo = *request;
	struct json_object *none = NULL;
	int r;

	if (!result)
		return EXIT_SUCCESS;
	r = answered(cni_print(result, STDOUT_FILENO));
	undo.verb = CNI_VERB_DEL;
	if (r != 0 && request->verb == CNI_VERB_ADD)
		(void)cni_protocol_run(plugin, &undo, &none, &ignored);
	return r;
}

/* Everything between the environment and the answer; the exit status, or -1 with an error. Version is for the answer, and points
 * at a static text. */
static int serve(const struct cni_plugin *plugin, const char *command, const char **ret_version,
		 struct cni_error *error)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *result = NULL;
	CNI_CLEANUP(cni_json_putp) struct json_object *config = NULL;
	CNI_CLEANUP(free_text) struct text text = {0};
	struct cni_request request;
	const char *unknown = NULL;
	bool had_addresses = false;

	if (cni_environment_read(command, &request, &unknown, error) < 0 ||
	    read_stdin(&request, &text, &config, error) < 0)
		return -1;
	request.had_addresses = &had_addresses;
	if (unknown)
		return cni_fail(error, CNI_ERROR_ENVIRONMENT, "unknown CNI_COMMAND: %s", unknown);
	*ret_version = cni_version_text(request.version);
	if (check_gate(&request, error) < 0 || check_version(plugin, &request, error) < 0 ||
	    check_netns(&request, error) < 0 || cni_protocol_run(plugin, &request, &result, error) < 0)
		return -1;
	return print_result(plugin, &request, result);
}

/* the version that a caller of VERSION speaks, if it says so on standard input; else the newest */
static const char *read_asked_version(void)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *config = NULL;
	CNI_CLEANUP(free_text) struct text text = {0};
	CNI_CLEANUP(cni_error_clear) struct cni_error ignored = {0};
	const char *version = CNI_VERSION_NEWEST;

	if (isatty(STDIN_FILENO) || read_input(VERSION_WAIT_MSEC, &text) < 0 ||
	    cni_json_parse(text.bytes, text.len, &config, &ignored) < 0 ||
	    !json_object_is_type(config, json_type_object) ||
	    cni_get_string(config, "", "cniVersion", &version, &ignored) < 0)
		return CNI_VERSION_NEWEST;
	return cni_version_text(version);
}

/* the answer to VERSION: one line */
static int print_versions(const struct cni_plugin *plugin)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *object = json_object_new_object();
	CNI_CLEANUP(cni_freep) char *text = NULL;

	if (!object || json_object_object_add(object, "cniVersion", json_object_new_string(read_asked_version())) < 0 ||
	    json_object_object_add(object, "supportedVersions", cni_version_list(plugin->oldest)) < 0)
		return -1;
	text = cni_format_compact(object, 0);
	if (!text || cni_write(STDOUT_FILENO, text, strlen(text)) < 0)
		return -1;
	return cni_write(STDOUT_FILENO, "\n", 1);
}

/* what a person gets to see who runs a plugin by hand: the exit status */
static int print_about(const struct cni_plugin *plugin)
{
	CNI_CLEANUP(cni_json_putp) struct json_object *list = cni_version_list(plugin->oldest);
	size_t n = list ? json_object_array_length(list) : 0;

	(void)fprintf(stderr, "%s\nCNI protocol versions supported: ", plugin->about);
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(stderr, "%s%s", i > 0 ? ", " : "",
			      json_object_get_string(json_object_array_get_idx(list, i)));
	}
	(void)fputc('\n', stderr);
	return EXIT_SUCCESS;
}

int cni_protocol_serve(const struct cni_plugin *plugin)
{
	CNI_CLEANUP(cni_error_clear) struct cni_error error = {0};
	const char *command = getenv("CNI_COMMAND");
	const char *version = CNI_VERSION_NEWEST;
	int status;

	if (!command || command[0] == '\0')
		return print_about(plugin);
	if (strcmp(command, "VERSION") == 0)
		return answered(print_versions(plugin));
	status = serve(plugin, command, &version, &error);
	if (status >= 0)
		return status;
	(void)answered(cni_error_print(&error, version, STDOUT_FILENO));
	return EXIT_FAILURE;
}
