/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "messages.pb-c.h"

#define CONNECT_TIMEOUT_MS 1500
#define CALL_TIMEOUT_MS 4000

struct fl_etcd_client {
	struct fl_grpc *grpc;
	const struct fl_etcd_address *address;
	const struct fl_log *log;
	uint32_t call_timeout_ms;
	size_t current; /* the endpoint that is asked */
	struct fl_etcd_ask *asks;

	char *token;                /* NULL: none */
	bool has_login;             /* as far as the cluster wants one */
	struct fl_grpc_call *login; /* on its way */
	size_t login_endpoint;
	bool has_login_reply;
};

struct fl_etcd_ask {
	struct fl_etcd_ask *next;
	struct fl_etcd_client *client;
	const struct fl_etcd_method *method;
	uint8_t *message;
	size_t len;
	fl_etcd_ask_fn fn;
	void *userdata;
	struct fl_grpc_call *call; /* NULL: waits for the login, or is answered */
	size_t endpoint;
	bool is_waiting; /* for the login */
	bool is_second;  /* it has led to another login already */
	ProtobufCMessage *reply;
};

const struct fl_etcd_method fl_etcd_range = {"/etcdserverpb.KV/Range", "read from", &etcd__range_response__descriptor};
const struct fl_etcd_method fl_etcd_txn = {"/etcdserverpb.KV/Txn", "write to", &etcd__txn_response__descriptor};
const struct fl_etcd_method fl_etcd_lease_grant = {"/etcdserverpb.Lease/LeaseGrant", "get a lease of",
						   &etcd__lease_grant_response__descriptor};
const struct fl_etcd_method fl_etcd_lease_revoke = {"/etcdserverpb.Lease/LeaseRevoke", "give a lease back to",
						    &etcd__lease_revoke_response__descriptor};

/* the bytes of a message; malloc()ed */
static int pack(const ProtobufCMessage *message, uint8_t **ret_bytes, size_t *ret_len, struct flannel_error **ret_error)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(len + 1);

	if (!bytes)
		return fl_error_oom(ret_error);
	*ret_len = protobuf_c_message_pack(message, bytes);
	*ret_bytes = bytes;
	return 0;
}

/* an endpoint did not do what it should: the next one is asked from now on */
static void note_bad(struct fl_etcd_client *client, size_t endpoint)
{
	if (client->current == endpoint)
		client->current = (client->current + 1) % client->address->n_endpoints;
}

/* the error for a call that did not end well */
static int fail(const struct fl_etcd_client *client, const struct fl_grpc_status *status, size_t endpoint,
		const char *what, struct flannel_error **ret_error)
{
	int code = status->code == FL_GRPC_NO_STATUS ? -EHOSTUNREACH : fl_grpc_errno(status->code);

	return fl_error_set_retryable(ret_error, code, "store", status->message[0] ? status->message : NULL,
				      "%s etcd at %s", what, client->address->endpoints[endpoint]);
}

/* the end of a question, with its answer or an error */
static void ask_finish(struct fl_etcd_ask *ask, const struct fl_grpc_status *status, const char *what)
{
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_etcd_client *client = ask->client;
	ProtobufCMessage *reply = FL_TAKE(ask->reply);
	struct fl_grpc_status own = *status;

	/* the connection may be used again from here on */
	ask->call = fl_grpc_call_free(ask->call);
	ask->is_waiting = false;
	if (own.code == FL_GRPC_OK && !reply) {
		own.code = FL_GRPC_NO_STATUS;
		(void)snprintf(own.message, sizeof(own.message), "the answer cannot be read");
	}
	if (fl_grpc_is_failure(own.code))
		note_bad(client, ask->endpoint);
	if (own.code != FL_GRPC_OK)
		(void)fail(client, &own, ask->endpoint, what, &error);
	ask->fn(ask->userdata, &own, own.code == FL_GRPC_OK ? reply : NULL, error);
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
}

/* the answer to a question */
static void on_reply(void *userdata, const uint8_t *bytes, size_t len)
{
	struct fl_etcd_ask *ask = userdata;

	if (ask->reply)
		protobuf_c_message_free_unpacked(ask->reply, NULL);
	ask->reply = protobuf_c_message_unpack(ask->method->reply, NULL, len, bytes);
}

static void log_in(struct fl_etcd_client *client);

/* a question's call has ended */
static void on_reply_end(void *userdata, const struct fl_grpc_status *status)
{
	struct fl_etcd_ask *ask = userdata;
	struct fl_etcd_client *client = ask->client;

	if (!client->address->username || ask->is_second || !fl_grpc_wants_login(status)) {
		ask_finish(ask, status, ask->method->what);
		return;
	}
	ask->call = fl_grpc_call_free(ask->call);
	ask->is_second = true;
	ask->is_waiting = true;
	client->has_login = false;
	log_in(client);
}

static const struct fl_grpc_handler ask_handler = {.message = on_reply, .end = on_reply_end};

/* sends a question */
static int ask_send(struct fl_etcd_ask *ask, struct flannel_error **ret_error)
{
	struct fl_etcd_client *client = ask->client;
	const struct fl_grpc_request request = {
		.endpoint = client->address->endpoints[client->current],
		.path = ask->method->path,
		.token = client->token,
		.silence_ms = client->call_timeout_ms,
	};

	ask->endpoint = client->current;
	ask->is_waiting = false;
	return fl_grpc_call_new(client->grpc, &request, ask->message, ask->len, &ask_handler, ask, &ask->call,
				ret_error);
}

/* the first question that waits for the login */
static struct fl_etcd_ask *find_waiting(struct fl_etcd_client *client)
{
	for (struct fl_etcd_ask *ask = client->asks; ask; ask = ask->next)
		if (ask->is_waiting)
			return ask;
	return NULL;
}

/* questions go on after the login, or end with it */
static void go_on(struct fl_etcd_client *client, const struct fl_grpc_status *status)
{
	struct fl_grpc_status failed = *status;
	struct fl_etcd_ask *ask;

	/* a login that is refused will be refused elsewhere, too: all of it counts as a store that cannot be used */
	if (!fl_grpc_is_failure(failed.code))
		failed.code = FL_GRPC_UNAUTHENTICATED;
	while ((ask = find_waiting(client)) != NULL) {
		struct fl_grpc_status memory = {.code = FL_GRPC_NO_STATUS, .message = "out of memory"};

		if (status->code == FL_GRPC_OK && ask_send(ask, NULL) == 0)
			continue;
		ask->endpoint = client->login_endpoint;
		ask_finish(ask, status->code == FL_GRPC_OK ? &memory : &failed, "log in to");
	}
}

/* is it a token that can stand in a header */
static bool is_token(const char *token)
{
	for (const char *c = token; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *token != '\0';
}

/* the answer to a login */
static void on_token(void *userdata, const uint8_t *bytes, size_t len)
{
	struct fl_etcd_client *client = userdata;
	Etcd__AuthenticateResponse *reply = etcd__authenticate_response__unpack(NULL, len, bytes);

	if (!reply)
		return;
	free(client->token);
	client->token = is_token(reply->token) ? strdup(reply->token) : NULL;
	client->has_login_reply = client->token != NULL;
	etcd__authenticate_response__free_unpacked(reply, NULL);
}

/* the login's call has ended */
static void on_token_end(void *userdata, const struct fl_grpc_status *ended)
{
	struct fl_etcd_client *client = userdata;
	struct fl_grpc_status status = *ended;

	client->login = fl_grpc_call_free(client->login);
	if (status.code == FL_GRPC_FAILED_PRECONDITION && strstr(status.message, "not enabled")) {
		fl_log(client->log, FLANNEL_LOG_DEBUG, "store", "etcd has no users: asked without a login");
		status.code = FL_GRPC_OK;
	} else if (status.code == FL_GRPC_OK && !client->has_login_reply) {
		status.code = FL_GRPC_NO_STATUS;
		(void)snprintf(status.message, sizeof(status.message), "the answer has no token");
	}
	client->has_login = status.code == FL_GRPC_OK;
	if (fl_grpc_is_failure(status.code))
		note_bad(client, client->login_endpoint);
	go_on(client, &status);
}

static const struct fl_grpc_handler login_handler = {.message = on_token, .end = on_token_end};

/* sends the login */
static int send_login(struct fl_etcd_client *client, struct flannel_error **ret_error)
{
	const struct fl_grpc_request request = {
		.endpoint = client->address->endpoints[client->current],
		.path = "/etcdserverpb.Auth/Authenticate",
		.silence_ms = client->call_timeout_ms,
	};
	Etcd__AuthenticateRequest message = ETCD__AUTHENTICATE_REQUEST__INIT;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int r;

	message.name = client->address->username;
	message.password = client->address->password ? client->address->password : (char *)"";
	r = pack(&message.base, &bytes, &len, ret_error);
	if (r < 0)
		return r;
	client->login_endpoint = client->current;
	client->has_login_reply = false;
	r = fl_grpc_call_new(client->grpc, &request, bytes, len, &login_handler, client, &client->login, ret_error);
	explicit_bzero(bytes, len);
	free(bytes);
	return r;
}

/* begins a login unless one is on its way */
static void log_in(struct fl_etcd_client *client)
{
	struct fl_grpc_status memory = {.code = FL_GRPC_NO_STATUS, .message = "out of memory"};

	if (client->login)
		return;
	free(client->token);
	client->token = NULL;
	if (send_login(client, NULL) < 0)
		go_on(client, &memory);
}

int fl_etcd_ask_new(struct fl_etcd_client *client, const struct fl_etcd_method *method, const ProtobufCMessage *message,
		    fl_etcd_ask_fn fn, void *userdata, struct fl_etcd_ask **ret_ask, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_ask_freep) struct fl_etcd_ask *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask)
		return fl_error_oom(ret_error);
	ask->client = client;
	ask->method = method;
	ask->fn = fn;
	ask->userdata = userdata;
	ask->next = client->asks;
	client->asks = ask;
	r = pack(message, &ask->message, &ask->len, ret_error);
	if (r < 0)
		return r;
	if (!client->address->username || client->has_login) {
		r = ask_send(ask, ret_error);
	} else {
		if (!client->login)
			r = send_login(client, ret_error);
		ask->is_waiting = true;
	}
	if (r < 0)
		return r;
	*ret_ask = FL_TAKE(ask);
	return 0;
}

struct fl_etcd_ask *fl_etcd_ask_free(struct fl_etcd_ask *ask)
{
	if (!ask)
		return NULL;
	for (struct fl_etcd_ask **at = &ask->client->asks; *at; at = &(*at)->next) {
		if (*at == ask) {
			*at = ask->next;
			break;
		}
	}
	fl_grpc_call_free(ask->call);
	if (ask->reply)
		protobuf_c_message_free_unpacked(ask->reply, NULL);
	free(ask->message);
	free(ask);
	return NULL;
}

int fl_etcd_client_stream(struct fl_etcd_client *client, const char *path, const ProtobufCMessage *first,
			  uint32_t silence_ms, const struct fl_grpc_handler *handler, void *userdata,
			  struct fl_grpc_call **ret_call, size_t *ret_endpoint, struct flannel_error **ret_error)
{
	const struct fl_grpc_request request = {
		.endpoint = client->address->endpoints[client->current],
		.path = path,
		.token = client->token,
		.is_stream = true,
		.silence_ms = silence_ms,
	};
	FL_CLEANUP(fl_freep) uint8_t *bytes = NULL;
	size_t len = 0;
	int r;

	r = pack(first, &bytes, &len, ret_error);
	if (r == 0)
		r = fl_grpc_call_new(client->grpc, &request, bytes, len, handler, userdata, ret_call, ret_error);
	if (r < 0)
		return r;
	*ret_endpoint = client->current;
	return 0;
}

int fl_etcd_client_stream_ended(struct fl_etcd_client *client, size_t endpoint, const struct fl_grpc_status *status,
				const char *what, struct flannel_error **ret_error)
{
	struct fl_grpc_status own = *status;

	if (own.code == FL_GRPC_OK) {
		own.code = FL_GRPC_UNAVAILABLE;
		(void)snprintf(own.message, sizeof(own.message), "the server ended it");
	}
	if (fl_grpc_wants_login(&own))
		client->has_login = false;
	else
		note_bad(client, endpoint);
	return fail(client, &own, endpoint, what, ret_error);
}

int fl_etcd_send(struct fl_grpc_call *call, const ProtobufCMessage *message, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) uint8_t *bytes = NULL;
	size_t len = 0;
	int r;

	r = pack(message, &bytes, &len, ret_error);
	return r < 0 ? r : fl_grpc_call_send(call, bytes, len, ret_error);
}

size_t fl_etcd_client_n_endpoints(const struct fl_etcd_client *client)
{
	return client->address->n_endpoints;
}

int fl_etcd_client_new(struct fl_loop *loop, const struct fl_etcd_address *address,
		       const struct fl_etcd_timeouts *timeouts, const struct fl_log *log,
		       struct fl_etcd_client **ret_client, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_client_freep) struct fl_etcd_client *client = calloc(1, sizeof(*client));
	const struct fl_grpc_options options = {
		.cafile = address->cafile,
		.certfile = address->certfile,
		.keyfile = address->keyfile,
		.connect_timeout_ms = timeouts->connect_ms ? timeouts->connect_ms : CONNECT_TIMEOUT_MS,
	};
	int r;

	if (!client)
		return fl_error_oom(ret_error);
	client->address = address;
	client->log = log;
	client->call_timeout_ms = timeouts->call_ms ? timeouts->call_ms : CALL_TIMEOUT_MS;
	r = fl_grpc_new(loop, &options, &client->grpc, ret_error);
	if (r < 0)
		return r;
	*ret_client = FL_TAKE(client);
	return 0;
}

struct fl_etcd_client *fl_etcd_client_free(struct fl_etcd_client *client)
{
	if (!client)
		return NULL;
	fl_grpc_call_free(client->login);
	fl_grpc_free(client->grpc);
	if (client->token)
		explicit_bzero(client->token, strlen(client->token));
	free(client->token);
	free(client);
	return NULL;
}
