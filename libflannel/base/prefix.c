/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <flannel/prefix.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(sizeof(struct flannel_prefix) == 20, "the layout is fixed");

/*
 * All 16 bytes of an address as one number. IPv4 lies at the upper end with zeros behind, so that running over the end
 * of the address space is a carry out of the top for both families.
 */
struct wide {
	uint64_t high, low;
};

/* bits of an address of the family, -1 for any other than IPv4 and IPv6 */
static int family_bits(uint16_t family)
{
	if (family == AF_INET)
		return 32;
	return family == AF_INET6 ? 128 : -1;
}

/* an IPv4 or IPv6 prefix whose length fits its family */
static bool is_valid(const struct flannel_prefix *prefix)
{
	return prefix && prefix->plen <= family_bits(prefix->family);
}

/* reads the address as a number */
static struct wide wide_load(const struct flannel_prefix *prefix)
{
	struct wide wide = {0, 0};

	for (int i = 0; i < 8; i++) {
		wide.high = wide.high << 8 | prefix->addr[i];
		wide.low = wide.low << 8 | prefix->addr[8 + i];
	}
	return wide;
}

/* writes the number back as the address */
static void wide_store(struct wide wide, struct flannel_prefix *prefix)
{
	for (int i = 7; i >= 0; i--) {
		prefix->addr[i] = (uint8_t)wide.high;
		prefix->addr[8 + i] = (uint8_t)wide.low;
		wide.high >>= 8;
		wide.low >>= 8;
	}
}

/* value << bits; bits up to 128, which C leaves undefined for shifts of the whole width */
static struct wide wide_shift(uint64_t value, int bits)
{
	if (bits >= 128)
		return (struct wide){0, 0};
	if (bits >= 64)
		return (struct wide){value << (bits - 64), 0};
	return (struct wide){bits ? value >> (64 - bits) : 0, value << bits};
}

/* *a += b; false if the sum does not fit */
static bool wide_add(struct wide *a, struct wide b)
{
	bool carry, over;

	carry = __builtin_add_overflow(a->low, b.low, &a->low);
	over = __builtin_add_overflow(a->high, b.high, &a->high);
	return !(__builtin_add_overflow(a->high, (uint64_t)carry, &a->high) || over);
}

/* *a -= b; false if that were below zero */
static bool wide_subtract(struct wide *a, struct wide b)
{
	bool borrow, under;

	borrow = __builtin_sub_overflow(a->low, b.low, &a->low);
	under = __builtin_sub_overflow(a->high, b.high, &a->high);
	return !(__builtin_sub_overflow(a->high, (uint64_t)borrow, &a->high) || under);
}

/* does value have more than n bits */
static bool exceeds_bits(uint64_t value, int n)
{
	return n < 64 && value >> n != 0;
}

/* does the text hold a number like 010, which some read as octal: dotted octets only, hex groups may have zeros */
static bool has_octal(const char *text)
{
	const char *dot = strchr(text, '.'), *start = dot;

	if (!dot)
		return false;
	while (start > text && start[-1] != ':')
		start--;
	for (; start; start = strchr(start, '.'), start = start ? start + 1 : NULL) {
		if (start[0] == '0' && isdigit((unsigned char)start[1]))
			return true;
	}
	return false;
}

/* reads "0" to "128" without signs, blanks and leading zeros; -1 if it is anything else or above max */
static int parse_plen(const char *text, int max)
{
	int value = 0;

	if (!*text || strlen(text) > 3 || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value <= max ? value : -1;
}

int flannel_prefix_parse(const char *text, struct flannel_prefix *ret_prefix)
{
	struct flannel_prefix prefix = {0};
	char address[INET6_ADDRSTRLEN];
	size_t len;
	int plen;

	if (!text || !ret_prefix)
		return -EINVAL;
	len = strcspn(text, "/");
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	prefix.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (has_octal(address) || inet_pton(prefix.family, address, prefix.addr) != 1)
		return -EINVAL;
	plen = family_bits(prefix.family);
	if (text[len] == '/')
		plen = parse_plen(text + len + 1, plen);
	if (plen < 0)
		return -EINVAL;
	prefix.plen = (uint8_t)plen;
	*ret_prefix = prefix;
	return 0;
}

/* finds the longest run of at least two zero groups, the first of equals; *ret_len is 0 if there is none */
static int longest_zero_run(const uint16_t *groups, int *ret_len)
{
	int best = -1, best_len = 1;

	for (int i = 0, len; i < 8; i += len + 1) {
		for (len = 0; i + len < 8 && !groups[i + len];)
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	*ret_len = best < 0 ? 0 : best_len;
	return best;
}

/*
 * RFC 5952. inet_ntop() is no help: it writes ::1.2.3.4 for ::102:304. Of the prefixes that are known to hold an IPv4
 * address (section 5) only ::ffff:0:0/96 occurs in practice.
 */
static void format_ipv6(const uint8_t *addr, char *buf, size_t size)
{
	const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	int run, run_len, n = 0;
	uint16_t groups[8];

	if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
		(void)snprintf(buf, size, "::ffff:%u.%u.%u.%u", addr[12], addr[13], addr[14], addr[15]);
		return;
	}
	for (size_t i = 0; i < 8; i++)
		groups[i] = (uint16_t)(addr[2 * i] << 8 | addr[2 * i + 1]);
	run = longest_zero_run(groups, &run_len);
	for (int i = 0; i < 8; i++) {
		if (i == run) {
			n += snprintf(buf + n, size - (size_t)n, "::");
			i += run_len - 1;
			continue;
		}
		n += snprintf(buf + n, size - (size_t)n, "%s%x", i == 0 || i == run + run_len ? "" : ":", groups[i]);
	}
}

/* writes the address and, if asked for, the length */
static const char *format(const struct flannel_prefix *prefix, bool with_plen, char *buf, size_t size)
{
	char text[FLANNEL_PREFIX_STRLEN];
	size_t len;

	if (!buf || size == 0)
		return "";
	buf[0] = '\0';
	if (!is_valid(prefix))
		return prefix && prefix->family == AF_UNSPEC ? buf : "";
	if (prefix->family == AF_INET)
		(void)snprintf(text, sizeof(text), "%u.%u.%u.%u", prefix->addr[0], prefix->addr[1], prefix->addr[2],
			       prefix->addr[3]);
	else
		format_ipv6(prefix->addr, text, sizeof(text));
	len = strlen(text);
	if (with_plen)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "/%u", prefix->plen);
	if (len >= size)
		return "";
	memcpy(buf, text, len + 1);
	return buf;
}

const char *flannel_prefix_format(const struct flannel_prefix *prefix, char *buf, size_t size)
{
	return format(prefix, true, buf, size);
}

const char *flannel_prefix_format_address(const struct flannel_prefix *prefix, char *buf, size_t size)
{
	return format(prefix, false, buf, size);
}

struct flannel_prefix flannel_prefix_mask(struct flannel_prefix prefix)
{
	int bits = prefix.plen;

	if (!is_valid(&prefix))
		return prefix;
	for (int i = 0; i < 16; i++, bits -= 8) {
		if (bits <= 0)
			prefix.addr[i] = 0;
		else if (bits < 8)
			prefix.addr[i] &= (uint8_t)(0xff << (8 - bits));
	}
	return prefix;
}

int flannel_prefix_is_network(const struct flannel_prefix *prefix)
{
	struct flannel_prefix masked;

	if (!is_valid(prefix))
		return 0;
	masked = flannel_prefix_mask(*prefix);
	return memcmp(masked.addr, prefix->addr, sizeof(masked.addr)) == 0;
}

int flannel_prefix_compare(const struct flannel_prefix *a, const struct flannel_prefix *b)
{
	int r;

	if (!a || !b)
		return (a != NULL) - (b != NULL);
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	r = memcmp(a->addr, b->addr, sizeof(a->addr));
	return r ? r : a->plen - b->plen;
}

int flannel_prefix_contains(const struct flannel_prefix *outer, const struct flannel_prefix *inner)
{
	struct flannel_prefix a, b;

	if (!is_valid(outer) || !is_valid(inner) || outer->family != inner->family || outer->plen > inner->plen)
		return 0;
	a = flannel_prefix_mask(*outer);
	b = *inner;
	b.plen = outer->plen;
	b = flannel_prefix_mask(b);
	return memcmp(a.addr, b.addr, sizeof(a.addr)) == 0;
}

int flannel_prefix_overlaps(const struct flannel_prefix *a, const struct flannel_prefix *b)
{
	return flannel_prefix_contains(a, b) || flannel_prefix_contains(b, a);
}

int flannel_prefix_next(const struct flannel_prefix *prefix, int64_t steps, struct flannel_prefix *ret_prefix)
{
	uint64_t distance = steps < 0 ? -(uint64_t)steps : (uint64_t)steps;
	struct flannel_prefix network;
	struct wide wide, delta;

	if (!is_valid(prefix) || !ret_prefix)
		return -EINVAL;
	if (exceeds_bits(distance, prefix->plen))
		return -ERANGE;
	network = flannel_prefix_mask(*prefix);
	wide = wide_load(&network);
	delta = wide_shift(distance, 128 - prefix->plen);
	if (!(steps < 0 ? wide_subtract(&wide, delta) : wide_add(&wide, delta)))
		return -ERANGE;
	wide_store(wide, &network);
	*ret_prefix = network;
	return 0;
}

int flannel_prefix_host(const struct flannel_prefix *network, uint64_t n, struct flannel_prefix *ret_prefix)
{
	struct flannel_prefix host;
	struct wide wide;
	int bits;

	if (!is_valid(network) || !ret_prefix)
		return -EINVAL;
	bits = family_bits(network->family);
	if (exceeds_bits(n, bits - network->plen))
		return -ERANGE;
	host = flannel_prefix_mask(*network);
	wide = wide_load(&host);
	(void)wide_add(&wide, wide_shift(n, 128 - bits)); /* fits, as n has no more bits than the host part */
	wide_store(wide, &host);
	*ret_prefix = host;
	return 0;
}
