/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <flannel/prefix.h>

#include "cleanup.h"

#define OPTION_PREFIX "DOCKER_OPT_"

/* more options than these three come from the environment */
#define MAX_OPTIONS 64

struct arguments {
	const char *subnet_file;
	const char *output;
	const char *key;
	bool individual;
	bool combined;
	bool without_ipmasq;
};

/* what the subnet file, or else the environment, says; malloc()ed or NULL */
struct facts {
	char *subnet;
	char *mtu;
	char *ipmasq;
};

/* options as lines NAME=VALUE, malloc()ed */
struct option_list {
	char *lines[MAX_OPTIONS];
	size_t n;
};

extern char **environ;

/* frees the facts */
static void facts_clear(struct facts *facts)
{
	free(facts->subnet);
	free(facts->mtu);
	free(facts->ipmasq);
}

/* frees the lines */
static void options_free(struct option_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->lines[i]);
}

/* prints how to call; the exit status */
static int usage(const char *name)
{
	(void)fprintf(stderr,
		      "%s [-f FLANNEL-ENV-FILE] [-d DOCKER-ENV-FILE] [-i] [-c] [-m] [-k COMBINED-KEY]\n\n"
		      "Writes what the subnet file says as options of the Docker daemon.\n"
		      "  -f  subnet file (default /run/flannel/subnet.env)\n"
		      "  -d  file to write (default /run/docker_opts.env)\n"
		      "  -i  each option as a variable of its own\n"
		      "  -c  all options in one variable; without -i and -c both\n"
		      "  -k  name of that variable (default DOCKER_OPTS)\n"
		      "  -m  without --ip-masq\n",
		      name);
	return TOOL_REFUSED;
}

/* says what failed; the exit status */
static int fail(const char *what, const char *object, const char *why)
{
	(void)fprintf(stderr, "docker-opts: %s %s: %s\n", what, object, why);
	return TOOL_REFUSED;
}

/* may it be the name of a shell variable */
static bool is_name(const char *text)
{
	return *text && !(*text >= '0' && *text <= '9') &&
	       text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* reads the command line: -1 to go on, else the exit status */
static int read_arguments(int argc, char *argv[], struct arguments *ret_arguments)
{
	struct arguments arguments = {
		.subnet_file = "/run/flannel/subnet.env", .output = "/run/docker_opts.env", .key = "DOCKER_OPTS"};
	int option;

	optind = 1;
	while ((option = getopt(argc, argv, "f:d:icmk:?h")) >= 0) {
		if (option == 'f')
			arguments.subnet_file = optarg;
		else if (option == 'd')
			arguments.output = optarg;
		else if (option == 'k')
			arguments.key = optarg;
		else if (option == 'i')
			arguments.individual = true;
		else if (option == 'c')
			arguments.combined = true;
		else if (option == 'm')
			arguments.without_ipmasq = true;
		else
			return usage(argv[0]);
	}
	if (!is_name(arguments.key))
		return fail("write variable", arguments.key, "that is no name of a variable");
	if (!arguments.individual && !arguments.combined)
		arguments.individual = arguments.combined = true;
	*ret_arguments = arguments;
	return -1;
}

/* the value of a line "KEY=VALUE", without quotes around it; NULL if it is of another key */
static char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, "export ", 7) == 0)
		line += 7 + strspn(line + 7, " \t");
	if (strncmp(line, key, len) != 0 || line[len] != '=')
		return NULL;
	line += len + 1;
	if (*line == '"' || *line == '\'')
		return strndup(line + 1, strcspn(line + 1, *line == '"' ? "\"\n" : "'\n"));
	return strndup(line, strcspn(line, " \t\r\n#;"));
}

/* takes a value over, if there is one; the last one counts */
static void set(char **to, char *value)
{
	if (!value)
		return;
	free(*to);
	*to = value;
}

/* a variable of the environment, malloc()ed; NULL if it is not there */
static char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value ? strdup(value) : NULL;
}

/* what is known, as if a shell had read the file; a file that is missing says nothing */
static int read_facts(const char *path, struct facts *facts)
{
	CLEANUP_STREAM FILE *file = fopen(path, "re");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;

	*facts = (struct facts){.subnet = from_environment("FLANNEL_SUBNET"),
				.mtu = from_environment("FLANNEL_MTU"),
				.ipmasq = from_environment("FLANNEL_IPMASQ")};
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &size, file) >= 0) {
		set(&facts->subnet, value_of(line, "FLANNEL_SUBNET"));
		set(&facts->mtu, value_of(line, "FLANNEL_MTU"));
		set(&facts->ipmasq, value_of(line, "FLANNEL_IPMASQ"));
	}
	return ferror(file) ? -EIO : 0;
}

/* adds NAME=VALUE over one of the same name */
static void add(struct option_list *list, const char *name, const char *format, const char *value)
{
	char *text = NULL, *line = NULL;
	size_t len = strlen(name);

	if (asprintf(&text, format, value) < 0)
		return;
	if (asprintf(&line, "%s=%s", name, text) < 0)
		line = NULL;
	free(text);
	for (size_t i = 0; line && i < list->n; i++) {
		if (strncmp(list->lines[i], line, len + 1) != 0)
			continue;
		free(list->lines[i]);
		list->lines[i] = line;
		return;
	}
	if (line && list->n < MAX_OPTIONS)
		list->lines[list->n++] = line;
	else
		free(line);
}

/* by name */
static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* the options: those that the environment has, then ours over them */
static void collect(const struct facts *facts, const struct arguments *arguments, struct option_list *list)
{
	for (char **variable = environ; *variable && list->n < MAX_OPTIONS; variable++) {
		char *line = NULL;

		if (strncmp(*variable, OPTION_PREFIX, strlen(OPTION_PREFIX)) == 0 && strchr(*variable, '='))
			line = strdup(*variable);
		if (line)
			list->lines[list->n++] = line;
	}
	if (facts->subnet && *facts->subnet)
		add(list, OPTION_PREFIX "BIP", "--bip=%s", facts->subnet);
	if (facts->mtu && *facts->mtu)
		add(list, OPTION_PREFIX "MTU", "--mtu=%s", facts->mtu);
	/* what flannel masquerades, Docker must not, and the other way round */
	if (facts->ipmasq && *facts->ipmasq && !arguments->without_ipmasq)
		add(list, OPTION_PREFIX "IPMASQ", "--ip-masq=%s",
		    strcmp(facts->ipmasq, "true") == 0 ? "false" : "true");
	qsort(list->lines, list->n, sizeof(list->lines[0]), compare_lines);
}

/* writes the file; negative errno */
static int write_options(const struct arguments *arguments, const struct option_list *list)
{
	const char *former = getenv(arguments->key);
	FILE *file = fopen(arguments->output, "we");
	int r = 0;

	if (!file)
		return -errno;
	for (size_t i = 0; arguments->individual && i < list->n; i++) {
		size_t len = strcspn(list->lines[i], "=");

		(void)fprintf(file, "%.*s=\"%s\"\n", (int)len, list->lines[i], list->lines[i] + len + 1);
	}
	if (arguments->combined) {
		(void)fprintf(file, "%s=\"%s%s", arguments->key, former ? former : "", former && *former ? " " : "");
		for (size_t i = 0; i < list->n; i++)
			(void)fprintf(file, " %s", strchr(list->lines[i], '=') + 1);
		(void)fputs("\"\n", file);
	}
	if (ferror(file))
		r = -EIO;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	return r;
}

/* does the line of /proc/net/route lead to the network by a gateway */
static bool is_route_to(const char *line, const struct flannel_prefix *network)
{
	uint32_t destination, gateway, mask, wanted;

	if (sscanf(line, "%*s %" SCNx32 " %" SCNx32 " %*x %*d %*d %*d %" SCNx32, &destination, &gateway, &mask) != 3)
		return false;
	memcpy(&wanted, network->addr, sizeof(wanted));
	return gateway && destination == wanted &&
	       mask == htonl(~(uint32_t)((UINT64_C(1) << (32 - network->plen)) - 1));
}

/* somebody else's gateway for the very subnet: Docker's bridge would not be reached */
static bool is_routed_elsewhere(const char *subnet)
{
	CLEANUP_STREAM FILE *file = fopen("/proc/net/route", "re");
	struct flannel_prefix network;
	char line[512];

	if (!file || !subnet || flannel_prefix_parse(subnet, &network) < 0 || network.family != AF_INET)
		return false;
	network = flannel_prefix_mask(network);
	while (fgets(line, sizeof(line), file))
		if (is_route_to(line, &network))
			return true;
	return false;
}

int docker_opts_tool(int argc, char *argv[])
{
	CLEANUP(options_free) struct option_list list = {.n = 0};
	CLEANUP(facts_clear) struct facts facts = {0};
	struct arguments arguments;
	int r = read_arguments(argc, argv, &arguments);

	if (r >= 0)
		return r;
	r = read_facts(arguments.subnet_file, &facts);
	if (r < 0)
		return fail("read", arguments.subnet_file, strerror(-r));
	if (facts.ipmasq && *facts.ipmasq && !arguments.without_ipmasq && strcmp(facts.ipmasq, "true") != 0 &&
	    strcmp(facts.ipmasq, "false") != 0)
		return fail("use FLANNEL_IPMASQ", facts.ipmasq, "expected true or false");
	collect(&facts, &arguments, &list);
	r = write_options(&arguments, &list);
	if (r < 0)
		return fail("write", arguments.output, strerror(-r));
	if (is_routed_elsewhere(facts.subnet))
		return fail("use", facts.subnet, "there is a route to this subnet by a gateway; remove it");
	return EXIT_SUCCESS;
}
