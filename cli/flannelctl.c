/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flannelctl: asks flanneld over its control socket, and prints what it answers; and commands that need no daemon. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cleanup.h"
#include "http_client.h"
#include "render.h"
#include "tools.h"

#define DEFAULT_SOCKET "/run/flannel/flanneld.sock"
#define INSTANCE_SOCKET "/run/flannel/%s/flanneld.sock"
#define DEADLINE_MS 5000

/* besides EXIT_SUCCESS: all is well */
enum { EXIT_UNHEALTHY = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct request {
	const char *socket;
	char instance_socket[108]; /* as long as a socket's path may be */
	bool json;
	const char *command;
};

/* what there is to ask; print gives 0, 1 (not healthy) or negative errno */
struct command {
	const char *name;
	const char *path;
	int (*print)(struct json_object *answer, bool colour, FILE *stream);
	const char *help;
};

/* render_leases() as a command's print */
static int print_leases(struct json_object *answer, bool colour, FILE *stream)
{
	(void)colour;
	return render_leases(answer, stream);
}

static const struct command commands[] = {
	{"status", "/v1/status", render_status, "how this node does, and its peers"},
	{"leases", "/v1/leases", print_leases, "who owns which subnet"},
};

/* commands that do without the daemon, and flannel's programs of whose names they are called too */
static const struct {
	const char *name;
	const char *program;
	int (*run)(int argc, char *argv[]);
	const char *words;
	const char *help;
} tools[] = {
	{"config", NULL, config_tool, "config get | set FILE", "the network configuration in the store"},
	{"reservation", NULL, reservation_tool, "reservation list | add SUBNET ADDRESS | remove SUBNET",
	 "subnets that are kept for a node"},
	{"install-conf", "install-conf", install_conf_tool, "install-conf SRC DEST",
	 "put a file in its place, whole or not at all"},
	{"docker-opts", "mk-docker-opts.sh", docker_opts_tool,
	 "docker-opts [-f FILE] [-d FILE] [-i] [-c] [-m] [-k KEY]", "the subnet file as options of the Docker daemon"},
};

/* prints how to call */
static void usage(FILE *stream)
{
	(void)fputs("Usage: flannelctl [options] command\nCommands:\n", stream);
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		(void)fprintf(stream, "  %-22s%s\n", commands[i].name, commands[i].help);
	for (size_t i = 0; i < N_ELEMENTS(tools); i++)
		(void)fprintf(stream, "  %s\n%24s%s\n", tools[i].words, "", tools[i].help);
	(void)fputs(
		"  help                  this text\n"
		"Options:\n"
		"  -o, --output FORMAT   table (default) or json\n"
		"  --socket FILE         flanneld's control socket (default " DEFAULT_SOCKET ")\n"
		"  --instance NAME       that of the flanneld with that --instance\n"
		"  --version             print the version\n"
		"config and reservation take the flags of flanneld that name the store, and FLANNELD_... for them.\n"
		"Exit status: 0 all is well, 1 flanneld says that it is not (status only), 2 wrong call,\n"
		"3 flanneld, or the store, cannot be reached; others: see flannelctl(1).\n",
		stream);
}

/* says what was wrong with the call */
static int misuse(const char *what, const char *word)
{
	(void)fprintf(stderr, "flannelctl: %s%s%s; see flannelctl help\n", what, *word ? ": " : "", word);
	return EXIT_USAGE;
}

/* what the operator can do about a failed request */
static const char *advice(int code, enum http_stage stage)
{
	switch (-code) {
	case ENOENT:
	case ECONNREFUSED:
		return "Is flanneld running, and with this --socket? Try: systemctl status flanneld";
	case EACCES:
	case EPERM:
		return "The socket belongs to root: try again as root.";
	case ETIMEDOUT:
		return "Something listens there but does not answer: look at the log of flanneld.";
	case ENAMETOOLONG:
		return "A socket's path has at most 107 bytes.";
	default:
		return stage == HTTP_ANSWER ? "Is it flanneld that listens there?" : "Is --socket right?";
	}
}

/* explains why there was no answer, and what to do */
static int complain(const struct request *request, int code, enum http_stage stage)
{
	(void)fprintf(stderr, "flannelctl: %s %s: %s\n%s\n",
		      stage == HTTP_CONNECT ? "cannot connect to" : "no answer from", request->socket, strerror(-code),
		      advice(code, stage));
	return EXIT_UNREACHABLE;
}

/* complains about an answer that is not what was asked for */
static int reject(const struct request *request, const char *what)
{
	(void)fprintf(stderr, "flannelctl: %s answered, but not as flanneld does: %s\n", request->socket, what);
	return EXIT_UNREACHABLE;
}

/* reads the whole body as one JSON object; NULL if it is none */
static struct json_object *parse_body(const struct http_response *response)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object = NULL;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (response->len <= INT_MAX)
		object = json_tokener_parse_ex(tokener, response->body, (int)response->len);
	if (json_tokener_get_error(tokener) != json_tokener_success || !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/* prints the answer as it was asked for: 0, 1 (not healthy) or negative errno */
static int print_answer(const struct command *command, bool json, struct json_object *answer)
{
	char *term = getenv("TERM");
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
	CLEANUP_STREAM FILE *nowhere = NULL;

	if (!json)
		return command->print(answer, colour, stdout);
	(void)puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	/* the exit status is the same whatever the format */
	nowhere = fopen("/dev/null", "we");
	return nowhere ? command->print(answer, false, nowhere) : -errno;
}

/* asks, prints, and gives the exit status */
static int run(const struct request *request, const struct command *command)
{
	struct http_response response = {0};
	enum http_stage stage;
	struct json_object *answer;
	char text[32];
	int r = http_get(request->socket, command->path, DEADLINE_MS, &response, &stage);

	if (r < 0)
		return complain(request, r, stage);
	answer = parse_body(&response);
	free(response.body);
	if (response.status != 200 || !answer) {
		json_object_put(answer);
		(void)snprintf(text, sizeof(text), "HTTP status %d", response.status);
		return reject(request, response.status == 200 ? "no JSON object" : text);
	}
	r = print_answer(command, request->json, answer);
	json_object_put(answer);
	if (r >= 0 && (ferror(stdout) || fflush(stdout) != 0))
		r = -EIO;
	if (r < 0)
		(void)fprintf(stderr, "flannelctl: %s\n", strerror(-r));
	return r < 0 ? EXIT_UNREACHABLE : r;
}

enum { OPTION_SOCKET = 256, OPTION_INSTANCE, OPTION_VERSION };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* takes in one option: -1 to go on, else the exit status */
static int take_option(struct request *request, int option)
{
	switch (option) {
	case 'o':
		request->json = strcmp(optarg, "json") == 0;
		if (!request->json && strcmp(optarg, "table") != 0)
			return misuse("-o takes table or json", optarg);
		return -1;
	case OPTION_SOCKET:
		request->socket = optarg;
		return *optarg ? -1 : misuse("--socket needs a path", "");
	case OPTION_INSTANCE:
		if (!*optarg || strchr(optarg, '/') || strlen(optarg) > 15)
			return misuse("--instance needs the name that flanneld has", optarg);
		(void)snprintf(request->instance_socket, sizeof(request->instance_socket), INSTANCE_SOCKET, optarg);
		request->socket = request->instance_socket;
		return -1;
	case OPTION_VERSION:
		(void)puts("flannelctl " FLANNEL_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		usage(stdout);
		return EXIT_SUCCESS;
	default:
		return EXIT_USAGE; /* getopt_long(3) has complained */
	}
}

/* reads the words that are no options: -1 to go on, else the exit status */
static int take_words(struct request *request, int n_words, char *const words[])
{
	if (n_words == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (n_words > 1)
		return misuse("one command at a time", words[1]);
	request->command = words[0];
	if (strcmp(request->command, "help") != 0)
		return -1;
	usage(stdout);
	return EXIT_SUCCESS;
}

/* what comes behind the last slash */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* runs a command that does without the daemon: its exit status, or -1 if none is called */
static int run_tool(int argc, char *argv[])
{
	for (size_t i = 0; argc > 0 && i < N_ELEMENTS(tools); i++)
		if (tools[i].program && strcmp(base_name(argv[0]), tools[i].program) == 0)
			return tools[i].run(argc, argv);
	for (size_t i = 0; argc > 1 && i < N_ELEMENTS(tools); i++)
		if (strcmp(argv[1], tools[i].name) == 0)
			return tools[i].run(argc - 1, argv + 1);
	return -1;
}

int main(int argc, char *argv[])
{
	struct request request = {.socket = DEFAULT_SOCKET};
	int status = run_tool(argc, argv);
	int option;

	if (status >= 0)
		return status;
	while (status < 0 && (option = getopt_long(argc, argv, "o:h", long_options, NULL)) >= 0)
		status = take_option(&request, option);
	if (status < 0)
		status = take_words(&request, argc - optind, argv + optind);
	if (status >= 0)
		return status;
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		if (strcmp(request.command, commands[i].name) == 0)
			return run(&request, &commands[i]);
	return misuse("unknown command", request.command);
}
