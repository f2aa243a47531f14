/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_STORE_TOOL_H
#define CLI_STORE_TOOL_H

/* What the commands of flannelctl that use the store have in common: its flags are flanneld's, from the command line or FLANNELD_... */

#include <stdbool.h>

#include <flannel/flannel.h>

#include "options.h"
#include "tools.h"

/* a command has at most so many words: "reservation add SUBNETS ADDRESSES" */
#define STORE_TOOL_WORDS 3

/* how long the store may take for an answer */
#define STORE_TOOL_DEADLINE_MS 10000

struct store_tool {
	const char *name; /* "flannelctl config" */
	struct options options;
	struct logger logger;
	const char *words[STORE_TOOL_WORDS];
	size_t n_words;
	bool json;
	struct flannel_context *context;
	struct flannel_store *store;
};

/*
 * Reads the command line: flags and words in any order, -o json. -1 to go on, or the exit status, after a message on standard
 * error. The tool must not move afterwards, and be closed in either case.
 */
int store_tool_init(struct store_tool *tool, const char *name, int argc, char *argv[]);

/* opens the store; reading: one that is not there is not made. -1 to go on, or the exit status, after a message */
int store_tool_open(struct store_tool *tool, bool reading);

/* closes what is open */
void store_tool_close(struct store_tool *tool);

/* says what failed; TOOL_UNREACHABLE if the store did not answer, else TOOL_REFUSED */
int store_tool_fail(const struct store_tool *tool, int code, const struct flannel_error *error);

/* says what was wrong with the call: TOOL_USAGE */
int store_tool_misuse(const struct store_tool *tool, const char *what, const char *word);

#endif
