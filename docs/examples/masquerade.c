/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets, or with "remove" deletes, the masquerade and forward rules of a network.
 *
 *     masquerade NETWORK SUBNET
 *     masquerade remove NETWORK
 *
 * Needs CAP_NET_ADMIN.
 */
#include <stdio.h>
#include <string.h>

#include <flannel/flannel.h>

int main(int argc, char **argv)
{
	struct flannel_masquerade_options options = {.size = sizeof(options)};
	struct flannel_context *context = NULL;
	struct flannel_error *error = NULL;
	int remove, r;

	remove = argc == 3 && strcmp(argv[1], "remove") == 0;
	if (argc != 3 || flannel_prefix_parse(argv[1 + remove], &options.network) < 0 ||
	    (!remove && flannel_prefix_parse(argv[2], &options.subnet) < 0)) {
		fprintf(stderr, "usage: masquerade NETWORK SUBNET | masquerade remove NETWORK\n");
		return 2;
	}
	options.flags = FLANNEL_MASQUERADE_SNAT | FLANNEL_MASQUERADE_FORWARD;

	r = flannel_context_new(&context, NULL, &error);
	if (r >= 0 && remove)
		r = flannel_masquerade_remove(context, options.network.family, &error);
	else if (r >= 0)
		r = flannel_masquerade_ensure(context, &options, &error);
	if (r < 0)
		fprintf(stderr, "masquerade: %s\n", flannel_error_get_message(error));
	flannel_error_unref(error);
	flannel_context_unref(context);
	return r < 0;
}
