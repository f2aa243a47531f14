/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * attach NETNS FLAGS: one dual-stack attachment of a container, with the context's flags. 0 if it succeeded, 1 if it failed
 * with an error object, 2 for anything else.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <flannel/attachment.h>
#include <flannel/context.h>

/* one attachment; prints the error */
static int attach(struct flannel_context *context, const struct flannel_attachment_options *options)
{
	struct flannel_attachment *attachment = NULL;
	struct flannel_error *error = NULL;
	int r = flannel_attachment_attach(context, options, &attachment, &error);

	flannel_attachment_free(attachment);
	if (r == 0)
		return error || !attachment ? 2 : 0;
	fprintf(stderr, "%d: %s\n", r, flannel_error_get_message(error));
	r = error && flannel_error_get_code(error) == r && !attachment ? 1 : 2;
	flannel_error_unref(error);
	return r;
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"10.244.1.2/24", "fd00:10:244:1::2/64"};
	struct flannel_context_options context_options = {.size = sizeof(context_options)};
	struct flannel_address addresses[2] = {0};
	struct flannel_attachment_options options = {.size = sizeof(options), .addresses = addresses, .n_addresses = 2};
	struct flannel_context *context = NULL;
	int r = 2;

	if (argc != 3)
		return 2;
	options.flags = FLANNEL_ATTACHMENT_DEFAULT_GATEWAY | FLANNEL_ATTACHMENT_HAIRPIN;
	for (size_t i = 0; i < options.n_addresses; i++) {
		addresses[i].size = sizeof(addresses[i]);
		if (flannel_prefix_parse(usual[i], &addresses[i].address) < 0)
			return 2;
	}
	options.netns_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	context_options.flags = (unsigned int)atoi(argv[2]);
	if (flannel_context_new(&context, &context_options, NULL) == 0)
		r = attach(context, &options);
	flannel_context_unref(context);
	close(options.netns_fd);
	return r;
}
