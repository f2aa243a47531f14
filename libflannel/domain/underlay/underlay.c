/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/underlay/underlay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fl_underlay_check(const struct fl_underlay *underlay, struct flannel_error **ret_error)
{
	if (!underlay->up)
		return fl_error_set_retryable(ret_error, -ENETDOWN, "node",
					      "it is down; no traffic to other nodes until it is set up again "
					      "(ip link set up)",
					      "underlay interface %s", underlay->name);
	if (!underlay->carrier)
		return fl_error_set_retryable(ret_error, -ENETDOWN, "node",
					      "it has no carrier (cable, switch port, or the other end); no traffic to "
					      "other nodes until it has",
					      "underlay interface %s", underlay->name);
	return 0;
}

/* text that grows, item by item */
struct words {
	char *buf;
	size_t size;
	size_t len;
};

/* appends one item; what does not fit is cut off */
static void add(struct words *words, const char *format, ...) FL_PRINTF(2, 3);

static void add(struct words *words, const char *format, ...)
{
	va_list arguments;
	int n = snprintf(words->buf + words->len, words->size - words->len, "%s", words->len ? ", " : "");

	words->len += (size_t)n < words->size - words->len ? (size_t)n : words->size - words->len - 1;
	va_start(arguments, format);
	n = vsnprintf(words->buf + words->len, words->size - words->len, format, arguments);
	va_end(arguments);
	words->len += (size_t)n < words->size - words->len ? (size_t)n : words->size - words->len - 1;
}

/* an address that is another than before; the public ones have no length worth a word */
static void add_address(struct words *words, const char *what, const struct flannel_prefix *before,
			const struct flannel_prefix *now)
{
	char texts[2][FLANNEL_PREFIX_STRLEN];

	if (memcmp(before->addr, now->addr, sizeof(now->addr)) == 0 && before->plen == now->plen &&
	    before->family == now->family)
		return;
	add(words, "%s %s is now %s", what, flannel_prefix_format(before, texts[0], sizeof(texts[0])),
	    flannel_prefix_format(now, texts[1], sizeof(texts[1])));
}

bool fl_underlay_format_change(const struct fl_underlay *before, const struct fl_underlay *now, char *buf, size_t size)
{
	struct words words = {.buf = buf, .size = size};
	size_t start;

	buf[0] = '\0';
	if (strcmp(before->name, now->name) != 0)
		add(&words, "%s instead of %s", now->name, before->name);
	else
		add(&words, "%s", now->name);
	start = words.len;
	if (before->ifindex != now->ifindex && strcmp(before->name, now->name) == 0)
		add(&words, "the interface was made anew");
	add_address(&words, "address", &before->address, &now->address);
	add_address(&words, "address", &before->address6, &now->address6);
	if (before->mtu != now->mtu)
		add(&words, "MTU %u is now %u", before->mtu, now->mtu);
	if (words.len == start && strcmp(before->name, now->name) == 0) {
		buf[0] = '\0';
		return false;
	}
	/* the name is no item like the others */
	if (words.len > start)
		buf[start] = ':';
	return true;
}
