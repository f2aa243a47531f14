/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One executable, several CNI plugins. It is the one by whose name it is called, or that its first argument names; by any
 * other name it is flannel.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "protocol.h"

/*
 * Makes sure that none of the files that will be opened becomes standard input, output or error because the caller had closed
 * that: the answer would be written into it. Reading /dev/null ends at once, and it cannot be written to.
 */
static void occupy_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			_exit(EXIT_FAILURE);
	}
}

/* the last part of a path */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* serves one call */
int main(int argc, char *argv[])
{
	const struct cni_plugin *plugin = NULL;

	occupy_standard_descriptors();
	/* a reader that went away is an error of write(2), which is told */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		plugin = cni_plugin_find(argv[1]);
	if (!plugin && argc > 0)
		plugin = cni_plugin_find(base_name(argv[0]));
	return cni_protocol_serve(plugin ? plugin : &cni_plugin_flannel);
}
