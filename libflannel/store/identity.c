/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/identity.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* the settings that say where in the store, and whose lease it is */
static const char *const keys[] = {"prefix=", "kubeconfig=", "api-url=", "node="};

/* the end of a URL's user and password, which is where they begin if there are none */
static const char *skip_login(const char *host, const char *end)
{
	size_t len = strcspn(host, ",/");
	const char *at;

	if (len > (size_t)(end - host))
		len = (size_t)(end - host);
	at = memrchr(host, '@', len);
	return at ? at + 1 : host;
}

/* writes the URLs from text to end, without logins */
static void put_urls(FILE *stream, const char *text, const char *end)
{
	const char *slashes;

	while (text < end && (slashes = memmem(text, (size_t)(end - text), "//", 2))) {
		(void)fwrite(text, 1, (size_t)(slashes + 2 - text), stream);
		text = skip_login(slashes + 2, end);
	}
	(void)fwrite(text, 1, (size_t)(end - text), stream);
}

/* is it a setting that says where in the store */
static bool is_place(const char *setting)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(keys); i++)
		if (strncmp(setting, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

/* writes the settings that say where in the store */
static void put_places(FILE *stream, const char *settings)
{
	char separator = '?';

	while (*settings) {
		size_t len = strcspn(settings, "&");

		if (is_place(settings)) {
			(void)fprintf(stream, "%c%.*s", separator, (int)len, settings);
			separator = '&';
		}
		settings += len + (settings[len] == '&');
	}
}

char *fl_store_identity(const char *uri)
{
	const char *address = uri + strcspn(uri, ":");
	char *text = NULL;
	size_t len = 0;
	FILE *stream;

	/* the address of a store in a file is a path: all of it counts, and nothing in it is a login */
	if (strncmp(address, ":/", 2) == 0)
		return strdup(uri);
	stream = open_memstream(&text, &len);
	if (!stream)
		return NULL;
	put_urls(stream, uri, uri + strcspn(uri, "?"));
	if (strchr(uri, '?'))
		put_places(stream, strchr(uri, '?') + 1);
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}
