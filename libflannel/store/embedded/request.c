/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/embedded/request.h"

#include <errno.h>
#include <string.h>

int fl_store_request_new(enum fl_store_request_type type, uint64_t number, struct flannel_lease *lease,
			 uint32_t lease_sec, const char *config, struct fl_store_request **ret_request,
			 struct flannel_error **ret_error)
{
	struct fl_store_request *request = calloc(1, sizeof(*request));

	if (!request)
		return fl_error_oom(ret_error);
	request->type = type;
	request->number = number;
	request->lease_sec = lease_sec;
	request->config = config ? strdup(config) : NULL;
	if (config && !request->config) {
		fl_store_request_free(request);
		return fl_error_oom(ret_error);
	}
	request->lease = flannel_lease_ref(lease);
	*ret_request = request;
	return 0;
}

void fl_store_request_free(struct fl_store_request *request)
{
	fl_store_message_clear(&request->reply);
	flannel_lease_unref(request->lease);
	free(request->config);
	free(request->former);
	free(request);
}

int fl_store_request_execute(struct fl_store_request *request, struct fl_leases *leases,
			     struct flannel_error **ret_error)
{
	struct flannel_store_message *reply = &request->reply;
	int r = -EINVAL;

	switch (request->type) {
	case FL_STORE_REQUEST_GET_CONFIG:
		r = fl_leases_get_config(leases, reply, ret_error);
		break;
	case FL_STORE_REQUEST_PUT_CONFIG:
		r = fl_leases_put_config(leases, request->config, request->again, reply, ret_error);
		break;
	case FL_STORE_REQUEST_SET_CONFIG:
		r = fl_leases_set_config(leases, request->config, request->former, request->again, reply, ret_error);
		break;
	case FL_STORE_REQUEST_CREATE:
		r = fl_leases_create(leases, request->lease, request->lease_sec, request->again, reply, ret_error);
		break;
	case FL_STORE_REQUEST_UPDATE:
		r = fl_leases_update(leases, request->lease, request->lease_sec, reply, ret_error);
		break;
	case FL_STORE_REQUEST_REMOVE:
		r = fl_leases_remove(leases, request->lease, reply, ret_error);
		break;
	}
	if (r < 0) {
		/* nothing was begun if it was held */
		request->again |= r != -EAGAIN;
		return r;
	}
	reply->request = request->number;
	request->answered = true;
	return 0;
}
