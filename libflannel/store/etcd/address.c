/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define ENDPOINTS_MAX 64

/* -EINVAL with a sentence about the URI of the store */
static int refuse(const char *detail, struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EINVAL, "argument", detail, "open etcd store");
}

/* undoes percent-encoding; malloc()ed. -EINVAL for what is none, and for control characters */
static int decode(const char *text, size_t len, char **ret_text)
{
	FL_CLEANUP(fl_freep) char *decoded = malloc(len + 1);
	size_t n = 0;

	if (!decoded)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		decoded[n] = text[i];
		if (text[i] == '%') {
			int byte = i + 2 < len ? fl_hex_byte(text + i + 1) : -1;

			if (byte < 0)
				return -EINVAL;
			decoded[n] = (char)byte;
			i += 2;
		}
		if ((unsigned char)decoded[n++] < ' ')
			return -EINVAL;
	}
	decoded[n] = '\0';
	*ret_text = FL_TAKE(decoded);
	return 0;
}

/* is it "HOST:PORT", "HOST" or one in brackets, and no more; what it is exactly is for the transport to say */
static bool is_authority(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%");

	return len > 0 && text[len] == '\0' && text[0] != ':';
}

/* takes one endpoint in; without a scheme it is http, as etcd's clients have it */
static int add_endpoint(struct fl_etcd_address *address, const char *text, size_t len, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *copy = strndup(text, len);
	const char *scheme = "http", *rest = copy;
	char detail[256], **endpoints, *endpoint = NULL;

	if (!copy)
		return fl_error_oom(ret_error);
	/* before anything is said about it */
	if (strchr(copy, '@'))
		return refuse("an endpoint has a user name in it; give user name and password by themselves",
			      ret_error);
	if (strncmp(copy, "http://", 7) == 0) {
		rest = copy + 7;
	} else if (strncmp(copy, "https://", 8) == 0) {
		scheme = "https";
		rest = copy + 8;
	}
	if (strlen(rest) > 0 && rest[strlen(rest) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	if (!is_authority(rest)) {
		(void)snprintf(detail, sizeof(detail),
			       "endpoint \"%.100s\", expected one such as http://192.0.2.1:2379", copy);
		return refuse(detail, ret_error);
	}
	if (address->n_endpoints == ENDPOINTS_MAX)
		return refuse("there are more than 64 endpoints", ret_error);
	endpoints = reallocarray(address->endpoints, address->n_endpoints + 1, sizeof(*endpoints));
	if (!endpoints)
		return fl_error_oom(ret_error);
	address->endpoints = endpoints;
	if (asprintf(&endpoint, "%s://%s", scheme, rest) < 0)
		return fl_error_oom(ret_error);
	address->endpoints[address->n_endpoints++] = endpoint;
	return 0;
}

/* the endpoints, with commas between them */
static int parse_endpoints(struct fl_etcd_address *address, const char *text, size_t len,
			   struct flannel_error **ret_error)
{
	size_t at = 0;
	int r;

	do {
		const char *comma = memchr(text + at, ',', len - at);
		size_t end = comma ? (size_t)(comma - text) : len;

		r = add_endpoint(address, text + at, end - at, ret_error);
		at = end + 1;
	} while (r == 0 && at <= len);
	return r;
}

/* where a key's value belongs; NULL for an unknown key */
static char **find_field(struct fl_etcd_address *address, const char *key, size_t len)
{
	const struct {
		const char *key;
		char **field;
	} fields[] = {
		{"prefix", &address->prefix},   {"cafile", &address->cafile},     {"certfile", &address->certfile},
		{"keyfile", &address->keyfile}, {"username", &address->username}, {"password", &address->password},
	};

	for (size_t i = 0; i < FL_N_ELEMENTS(fields); i++) {
		if (strlen(fields[i].key) == len && memcmp(fields[i].key, key, len) == 0)
			return fields[i].field;
	}
	return NULL;
}

/* one "key=value" */
static int parse_option(struct fl_etcd_address *address, const char *text, size_t len, struct flannel_error **ret_error)
{
	const char *equals = memchr(text, '=', len);
	size_t key_len = equals ? (size_t)(equals - text) : len;
	char detail[160], **field = find_field(address, text, key_len);
	int r;

	if (!equals || !field) {
		(void)snprintf(detail, sizeof(detail),
			       "\"%.*s\", expected prefix, cafile, certfile, keyfile, username or password and \"=\"",
			       (int)(key_len < 40 ? key_len : 40), text);
		return refuse(detail, ret_error);
	}
	if (*field) {
		(void)snprintf(detail, sizeof(detail), "%.*s is given twice", (int)key_len, text);
		return refuse(detail, ret_error);
	}
	r = decode(equals + 1, len - key_len - 1, field);
	if (r == -ENOMEM)
		return fl_error_oom(ret_error);
	if (r < 0) {
		(void)snprintf(detail, sizeof(detail),
			       "the value of %.*s has a %% that is no encoding, or a control character", (int)key_len,
			       text);
		return refuse(detail, ret_error);
	}
	return 0;
}

/* all of them, with "&" between them */
static int parse_options(struct fl_etcd_address *address, const char *text, struct flannel_error **ret_error)
{
	while (*text) {
		size_t len = strcspn(text, "&");
		int r = len ? parse_option(address, text, len, ret_error) : 0;

		if (r < 0)
			return r;
		text += len + (text[len] == '&');
	}
	return 0;
}

/* an empty value is none */
static void drop_empty(char **field)
{
	if (!*field || **field)
		return;
	free(*field);
	*field = NULL;
}

/* what must go together does */
static int check(const struct fl_etcd_address *address, struct flannel_error **ret_error)
{
	if (address->certfile && !address->keyfile)
		return refuse("certfile is given without keyfile", ret_error);
	if (address->keyfile && !address->certfile)
		return refuse("keyfile is given without certfile", ret_error);
	if (address->password && !address->username)
		return refuse("password is given without username", ret_error);
	return 0;
}

int fl_etcd_address_parse(const char *text, struct fl_etcd_address *ret_address, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_etcd_address_clear) struct fl_etcd_address address = {0};
	size_t len = strcspn(text, "?");
	int r;

	r = parse_endpoints(&address, text, len, ret_error);
	if (r == 0 && text[len])
		r = parse_options(&address, text + len + 1, ret_error);
	if (r < 0)
		return r;
	drop_empty(&address.cafile);
	drop_empty(&address.certfile);
	drop_empty(&address.keyfile);
	drop_empty(&address.username);
	drop_empty(&address.password);
	r = check(&address, ret_error);
	if (r < 0)
		return r;
	if (!address.prefix) {
		address.prefix = strdup(FL_ETCD_DEFAULT_PREFIX);
		if (!address.prefix)
			return fl_error_oom(ret_error);
	}
	*ret_address = address;
	address = (struct fl_etcd_address){0};
	return 0;
}

void fl_etcd_address_clear(struct fl_etcd_address *address)
{
	for (size_t i = 0; i < address->n_endpoints; i++)
		free(address->endpoints[i]);
	free(address->endpoints);
	free(address->prefix);
	free(address->cafile);
	free(address->certfile);
	free(address->keyfile);
	free(address->username);
	if (address->password)
		explicit_bzero(address->password, strlen(address->password));
	free(address->password);
	*address = (struct fl_etcd_address){0};
}
