/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor of a daemon's start on a store: loads its module, reads the configuration, lists the leases, writes one and ends.
 *
 *     store-start MODULE_DIRECTORY URI KEY VALUE
 */
#include "../tests/harness/store_client.h"

static void ignore(void *userdata, struct flannel_lease *lease)
{
	(void)userdata;
	(void)lease;
}

int main(int argc, char **argv)
{
	struct store_client client = {0};
	struct flannel_error *error = NULL;

	if (argc != 5)
		return 2;
	if (fl_store_module_open(argv[1], argv[2], NULL, &client.ops, &client.impl, &client.handle, &error) < 0)
		store_client_die(argv[2], error);
	(void)store_client_answer(&client, client.ops->get_config(client.impl, ++client.number, NULL));
	store_client_list(&client, ignore, NULL);
	if (store_client_put(&client, argv[3], argv[4], 86400) < 0)
		store_client_die("write", NULL);
	store_client_close(&client);
	return 0;
}
