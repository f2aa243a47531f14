/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nft helper: carries out nft transactions for libflannel, which must not link libnftables itself.
 *
 * Standard input is one end of a SOCK_SEQPACKET socketpair. Each datagram is a request, {"nftables": [commands]} as in
 * libnftables-json(5), and gets one datagram as answer: {"errno": 0}, or {"errno": EPERM, "error": "why"}. The program
 * works in the network namespace in which it was started, and ends when the other end is closed.
 */

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libflannel knows these two, too (sys/nft/encode.h) */
#define REQUEST_MAX 65536
#define ANSWER_MAX 4096

/* of libnftables' words; with every byte escaped as \u00xx they still fit an answer */
#define REASON_MAX 640

/* the highest errno that has a text of its own is 133 */
#define ERRNO_MAX 133

/* libflannel's requests nest 12 deep; libnftables recurses */
#define DEPTH_MAX 32

/* the result of a request */
struct result {
	int error; /* an errno, 0 for success */
	char reason[REASON_MAX];
};

/* notes a failure and why */
static void fail(struct result *result, int error, const char *reason)
{
	result->error = error;
	snprintf(result->reason, sizeof(result->reason), "%s", reason);
}

/*
 * Puts the process into a known state, whatever its starter was: default signals (the starter blocks all of them), no
 * descriptor but the three standard ones, no hold on a directory.
 */
static void settle(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGPIPE, &ignore, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
	if (chdir("/") < 0)
		fprintf(stderr, "nft: cannot leave the working directory\n");
}

/*
 * Can a netfilter socket be opened? libnftables would end the process if not, without a word to the other side: 0 or an
 * errno.
 */
static int try_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* a libnftables context that speaks JSON and prints nothing; NULL with the reason in *result */
static struct nft_ctx *open_context(struct result *result)
{
	struct nft_ctx *context;
	int error = try_socket();

	if (error) {
		fail(result, error, "cannot open a netfilter socket");
		return NULL;
	}
	context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!context) {
		fail(result, ENOMEM, "libnftables does not start");
		return NULL;
	}
	nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON);
	if (nft_ctx_buffer_error(context) || nft_ctx_buffer_output(context)) {
		nft_ctx_free(context);
		fail(result, ENOMEM, "libnftables has no buffers");
		return NULL;
	}
	return context;
}

/*
 * Parses a request; NULL if it is not an object with an array "nftables". This matters because libnftables takes
 * whatever is no JSON to it for a script in nft's own language, with include statements and all. What it gets is
 * therefore not the request's text but what json-c writes for the value it has read: JSON, whatever came in. Where
 * libnftables' own parser is pickier (it refuses "\u0000"), the text still begins with a brace, as no script can.
 */
static struct json_object *parse_request(const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *request, *commands;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	request = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success || json_tokener_get_parse_end(tokener) != len ||
	    !json_object_is_type(request, json_type_object) ||
	    !json_object_object_get_ex(request, "nftables", &commands) ||
	    !json_object_is_type(commands, json_type_array)) {
		json_object_put(request);
		request = NULL;
	}
	json_tokener_free(tokener);
	return request;
}

/*
 * The errno that a line of libnftables' words ends in, 0 if none. errno itself is that of the last of several failures,
 * which may be but a consequence of the first.
 */
static int find_errno(const char *line)
{
	const char *last = strrchr(line, ':');

	for (int error = 1; last && last[1] == ' ' && error <= ERRNO_MAX; error++)
		if (strcmp(last + 2, strerror(error)) == 0)
			return error;
	return 0;
}

/* makes a result of what libnftables says: of the first failure, without the place in an input that nobody has seen */
static void take_reason(struct result *result, int error, const char *words)
{
	const char *place = strstr(words, "Error: ");
	int found;

	if (place && !memchr(words, '\n', (size_t)(place - words)))
		words = place + strlen("Error: ");
	fail(result, error ? error : EIO, words);
	result->reason[strcspn(result->reason, "\n")] = '\0';
	found = find_errno(result->reason);
	if (found)
		result->error = found;
}

/* has libnftables carry out the commands */
static void run(struct nft_ctx *context, struct json_object *request, struct result *result)
{
	const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);

	if (!text) {
		fail(result, ENOMEM, "no memory for the request");
		return;
	}
	errno = 0;
	if (nft_run_cmd_from_buffer(context, text) < 0) {
		int error = errno;

		take_reason(result, error, nft_ctx_get_error_buffer(context));
	}
	/* nothing is asked for that has output, but what is written there stays until it is taken */
	(void)nft_ctx_get_output_buffer(context);
}

/* sends the result; false if the other side is gone */
static bool answer(const struct result *result)
{
	struct json_object *object = json_object_new_object();
	const char *text = NULL;
	bool sent = false;

	if (object && json_object_object_add(object, "errno", json_object_new_int(result->error)) == 0 &&
	    (!result->error || json_object_object_add(object, "error", json_object_new_string(result->reason)) == 0))
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text && strlen(text) <= ANSWER_MAX)
		sent = send(STDIN_FILENO, text, strlen(text), MSG_NOSIGNAL) >= 0;
	json_object_put(object);
	return sent;
}

/* serves one request; context NULL: *result says why nothing can be done. False when there are no more. */
static bool serve(struct nft_ctx *context, char *buffer, struct result *result)
{
	struct json_object *request;
	ssize_t n;

	do
		n = recv(STDIN_FILENO, buffer, REQUEST_MAX, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	if (!context)
		return answer(result);

	*result = (struct result){.error = 0};
	request = n <= REQUEST_MAX ? parse_request(buffer, (size_t)n) : NULL;
	if (request)
		run(context, request, result);
	else
		fail(result, EINVAL, "the request is not JSON with a list of commands");
	json_object_put(request);
	return answer(result);
}

/* serves requests until there are no more */
int main(void)
{
	struct result result = {.error = 0};
	struct nft_ctx *context;
	char *buffer;

	settle();
	buffer = malloc(REQUEST_MAX);
	if (!buffer)
		return EXIT_FAILURE;
	context = open_context(&result);
	while (serve(context, buffer, &result))
		;
	if (context)
		nft_ctx_free(context);
	free(buffer);
	return EXIT_SUCCESS;
}
