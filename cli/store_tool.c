/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_tool.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "store_uri.h"

int store_tool_misuse(const struct store_tool *tool, const char *what, const char *word)
{
	(void)fprintf(stderr, "%s: %s%s%s; see flannelctl help\n", tool->name, what, *word ? ": " : "", word);
	return TOOL_USAGE;
}

int store_tool_fail(const struct store_tool *tool, int code, const struct flannel_error *error)
{
	const char *message = flannel_error_get_message(error);

	(void)fprintf(stderr, "%s: %s\n", tool->name, *message ? message : strerror(-code));
	return code == -ETIMEDOUT ? TOOL_UNREACHABLE : TOOL_REFUSED;
}

/* takes "-o FORMAT", "-oFORMAT", "--output=FORMAT" out of the words: -1 to go on, or the exit status */
static int take_output(struct store_tool *tool, int *argc, char *argv[])
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char *format = NULL;

		if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) {
			format = i + 1 < *argc ? argv[++i] : "";
		} else if (strncmp(argv[i], "-o", 2) == 0) {
			format = argv[i] + 2;
		} else if (strncmp(argv[i], "--output=", 9) == 0) {
			format = argv[i] + 9;
		} else {
			argv[n++] = argv[i];
			continue;
		}
		tool->json = strcmp(format, "json") == 0;
		if (!tool->json && strcmp(format, "table") != 0)
			return store_tool_misuse(tool, "-o takes table or json", format);
	}
	*argc = n;
	return -1;
}

/* reads flags and words, in whatever order: as flag_set_parse(), and -E2BIG for a word too many */
static int read_words(struct store_tool *tool, int argc, char *argv[], char **ret_message)
{
	for (int at = 0;;) {
		int first = 0;
		int r = flag_set_parse(&tool->options.flags, argc - at, argv + at, &first, ret_message);

		if (r != 0)
			return r;
		at += first;
		if (at >= argc)
			return 0;
		if (tool->n_words == STORE_TOOL_WORDS)
			return -E2BIG;
		tool->words[tool->n_words++] = argv[at];
	}
}

int store_tool_init(struct store_tool *tool, const char *name, int argc, char *argv[])
{
	CLEANUP_FREE char *message = NULL;
	int r;

	*tool = (struct store_tool){.name = name, .logger = {.fd = STDERR_FILENO, .level = FLANNEL_LOG_WARNING}};
	if (options_init(&tool->options) < 0)
		return TOOL_REFUSED;
	r = take_output(tool, &argc, argv);
	if (r >= 0)
		return r;
	r = read_words(tool, argc, argv, &message);
	if (r == -E2BIG)
		return store_tool_misuse(tool, "too many words", "");
	if (r != 0)
		return store_tool_misuse(tool,
					 message          ? message
					 : r == FLAG_HELP ? "flags are those of flanneld"
							  : "out of memory",
					 "");
	return options_apply_environment(&tool->options, &tool->logger) < 0 ? TOOL_REFUSED : -1;
}

/* the URI of the store that the flags ask for: -1 to go on, or the exit status */
static int find_store(const struct store_tool *tool, bool reading, char **ret_uri)
{
	CLEANUP_ERROR struct flannel_error *error = NULL;
	enum options_store store = OPTIONS_STORE_EMBEDDED;
	int r = options_select_store(&tool->options, &store, &error);

	if (r < 0)
		return store_tool_fail(tool, r, error);
	if (store != OPTIONS_STORE_EMBEDDED && store != OPTIONS_STORE_ETCD)
		return store_tool_misuse(tool, "only the embedded store and etcd can be changed here", "");
	if (store == OPTIONS_STORE_EMBEDDED && reading && access(tool->options.store_path, F_OK) < 0) {
		(void)fprintf(stderr, "%s: --store-path %s: %s\n", tool->name, tool->options.store_path,
			      strerror(errno));
		return TOOL_UNREACHABLE;
	}
	*ret_uri = store_uri_format(&tool->options, store);
	return *ret_uri ? -1 : store_tool_fail(tool, -ENOMEM, NULL);
}

int store_tool_open(struct store_tool *tool, bool reading)
{
	struct flannel_context_options options = {
		.size = sizeof(options),
		.log = logger_hook,
		.log_userdata = &tool->logger,
		.log_level = tool->logger.level,
	};
	CLEANUP_ERROR struct flannel_error *error = NULL;
	char *uri = NULL;
	int r = find_store(tool, reading, &uri);

	if (r >= 0)
		return r;
	r = flannel_context_new(&tool->context, &options, &error);
	if (r >= 0)
		r = flannel_store_open(tool->context, uri, &tool->store, &error);
	store_uri_free(uri);
	if (r >= 0)
		return -1;
	(void)store_tool_fail(tool, r, error);
	return TOOL_UNREACHABLE;
}

void store_tool_close(struct store_tool *tool)
{
	tool->store = flannel_store_unref(tool->store);
	tool->context = flannel_context_unref(tool->context);
	options_clear(&tool->options);
}
