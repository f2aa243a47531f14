/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writes and reads an embedded store for the tests of the programs, through the store's own table of functions.
 *
 *     seed DB config FILE              store a network configuration; there must be none
 *     seed DB put KEY VALUE SECONDS    write a lease in flannel's form; 0 seconds: for ever
 *     seed DB fill                     the same for each line of the standard input: KEY SECONDS VALUE
 *     seed DB remove KEY VALUE         remove it
 *     seed DB list                     key, lifetime ("-" for ever, "+" else) and value of each lease, a line each
 *
 * Finds the store's module in $FLANNEL_MODULE_DIR.
 */

#include "../../harness/store_client.h"

/* prints a lease */
static void print(void *userdata, struct flannel_lease *lease)
{
	char key[2 * FLANNEL_PREFIX_STRLEN];

	(void)userdata;
	printf("%s %s %s\n", flannel_lease_format_key(lease, key, sizeof(key)),
	       flannel_lease_get_expires_sec(lease) ? "+" : "-", flannel_lease_get_value(lease));
}

/* stores the configuration that a file has */
static int put_config(struct store_client *client, const char *path)
{
	char text[65536];
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	return store_client_put_config(client, text);
}

/* writes many leases */
static int fill(struct store_client *client)
{
	char line[1024], key[128];
	uint32_t seconds;
	int at, r = 0;

	while (r >= 0 && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%127s %u %n", key, &seconds, &at) != 2)
			return -EINVAL;
		r = store_client_put(client, key, line + at, seconds);
	}
	return r;
}

/* carries out one command; negative errno */
static int run(struct store_client *client, int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[0], "config") == 0)
		return put_config(client, argv[1]);
	if (argc == 4 && strcmp(argv[0], "put") == 0)
		return store_client_put(client, argv[1], argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	if (argc == 1 && strcmp(argv[0], "fill") == 0)
		return fill(client);
	if (argc == 3 && strcmp(argv[0], "remove") == 0)
		return store_client_remove(client, argv[1], argv[2]);
	if (argc == 1 && strcmp(argv[0], "list") == 0) {
		store_client_list(client, print, NULL);
		return 0;
	}
	return -EINVAL;
}

int main(int argc, char *argv[])
{
	const char *directory = getenv("FLANNEL_MODULE_DIR");
	struct store_client client;
	int r;

	if (argc < 3 || !directory) {
		fprintf(stderr, "usage: FLANNEL_MODULE_DIR=... seed DB config|put|fill|remove|list ...\n");
		return 2;
	}
	store_client_open(&client, directory, argv[1]);
	r = run(&client, argc - 2, argv + 2);
	store_client_close(&client);
	if (r < 0)
		fprintf(stderr, "seed: %s: %s\n", argv[2], strerror(-r));
	return r < 0;
}
