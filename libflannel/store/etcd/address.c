/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/etcd/address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "store/http/uri.h"

#define ENDPOINTS_MAX 64

/* -EINVAL with a sentence about the URI of the store */
static int refuse(const char *detail, struct flannel_error **ret_error)
{
	return fl_error_set(ret_error, -EINVAL, "argument", detail, "open etcd store");
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

/* all settings */
static int parse_options(struct fl_etcd_address *address, const char *text, struct flannel_error **ret_error)
{
	const struct fl_uri_field fields[] = {
		{"prefix", &address->prefix},   {"cafile", &address->cafile},     {"certfile", &address->certfile},
		{"keyfile", &address->keyfile}, {"username", &address->username}, {"password", &address->password},
	};

	return fl_uri_parse_fields(text, "open etcd store", fields, FL_N_ELEMENTS(fields), ret_error);
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
	fl_uri_drop_empty(&address.cafile);
	fl_uri_drop_empty(&address.certfile);
	fl_uri_drop_empty(&address.keyfile);
	fl_uri_drop_empty(&address.username);
	fl_uri_drop_empty(&address.password);
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
