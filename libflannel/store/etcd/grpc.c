/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/grpc.h"

#include <errno.h>
#include <string.h>

#include "store/etcd/grpc_state.h"

/* the first libcurl that knows, on a connection that is used again, that it speaks HTTP/2 (curl issue 10634); Debian 12 has 7.88 */
#define LIBCURL_REUSES_PRIOR_KNOWLEDGE 0x080000

/* a copy for the transport; true unless memory is missing */
static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int fl_grpc_new(struct fl_loop *loop, const struct fl_grpc_options *options, struct fl_grpc **ret_grpc,
		struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_grpc_freep) struct fl_grpc *grpc = calloc(1, sizeof(*grpc));
	const curl_version_info_data *version;
	int r;

	if (!grpc)
		return fl_error_oom(ret_error);
	r = fl_http_new(loop, &grpc->http, ret_error);
	if (r < 0)
		return r;
	version = curl_version_info(CURLVERSION_NOW);
	if (!(version->features & CURL_VERSION_HTTP2))
		return fl_error_set(ret_error, -ENOSYS, "store", "it was built without HTTP/2", "use libcurl");
	grpc->reuse_is_broken = version->version_num < LIBCURL_REUSES_PRIOR_KNOWLEDGE;
	grpc->connect_timeout_ms = options->connect_timeout_ms;
	if (!copy(&grpc->cafile, options->cafile) || !copy(&grpc->certfile, options->certfile) ||
	    !copy(&grpc->keyfile, options->keyfile))
		return fl_error_oom(ret_error);
	*ret_grpc = FL_TAKE(grpc);
	return 0;
}

struct fl_grpc *fl_grpc_free(struct fl_grpc *grpc)
{
	if (!grpc)
		return NULL;
	fl_http_free(grpc->http);
	free(grpc->cafile);
	free(grpc->certfile);
	free(grpc->keyfile);
	free(grpc);
	return NULL;
}
