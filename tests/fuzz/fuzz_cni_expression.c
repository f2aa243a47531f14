/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: any text as a line of the tuning plugin's list of what may be set. It is written out for regcomp(3), or refused with a reason. */
#include <regex.h>

#include "cni_text.h"
#include "tuning_allowlist.h"

/* beyond these the C library's own expressions take for ever, with groups in groups; the file is the node owner's */
#define LINE_MAX_LEN 64
#define REPETITIONS_MAX 4

/* how many repetitions an expression has */
static int count_repetitions(const char *expression)
{
	int n = 0;

	while ((expression = strpbrk(expression, "*+?{"))) {
		expression++;
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = text_of(data, size < LINE_MAX_LEN ? size : LINE_MAX_LEN);
	const char *reason = NULL;
	char *expression = cni_tuning_expression(line, &reason);
	regex_t compiled;

	require(expression ? !reason : reason && *reason);
	if (expression && !strchr(expression, '{') && count_repetitions(expression) <= REPETITIONS_MAX &&
	    regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) == 0) {
		(void)regexec(&compiled, "net/ipv4/conf/eth0/arp_filter", 0, NULL, 0);
		regfree(&compiled);
	}
	free(expression);
	free(line);
	return 0;
}
