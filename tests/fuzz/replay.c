/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Stands in for libFuzzer where that is not built in: feeds a target with nothing, and with the files of a directory, once
 * each. Arguments that begin with "-" are libFuzzer's and passed over. An empty directory is an error.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "require.h"

/* feeds one file, from memory of just its size, so that a read beyond it is caught */
static void replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	uint8_t *data;
	size_t len;

	if (!file || fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode)) {
		fprintf(stderr, "%s: %s\n", path, file ? "not a regular file" : strerror(errno));
		exit(EXIT_FAILURE);
	}
	len = (size_t)status.st_size;
	data = malloc(len ? len : 1);
	if (!data || fread(data, 1, len, file) != len) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
	/* whoever looks at a crash should know of which */
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
}

/* feeds all files of a directory; their number */
static int replay_directory(const char *directory)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	char path[4096];
	int n = 0;

	if (!stream) {
		fprintf(stderr, "%s: %s\n", directory, strerror(errno));
		exit(EXIT_FAILURE);
	}
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		replay_file(path);
		n++;
	}
	closedir(stream);
	return n;
}

int main(int argc, char *argv[])
{
	const uint8_t nothing = 0;
	int n = 0;

	(void)LLVMFuzzerTestOneInput(&nothing, 0);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			n += replay_directory(argv[i]);
	}
	if (n == 0)
		fprintf(stderr, "there is no input\n");
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
