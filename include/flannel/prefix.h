/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_PREFIX_H
#define FLANNEL_PREFIX_H

#include <stddef.h>
#include <stdint.h>

#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: prefix.h - IPv4 and IPv6 addresses and prefixes as plain values
 *
 * A prefix is a value: copy it, compare it with flannel_prefix_compare(), keep it on the stack.
 * All zero bytes mean "no prefix". None of these calls allocates or needs privilege; all may be used
 * from any thread.
 */

/** FLANNEL_PREFIX_STRLEN - bytes that hold any formatted prefix and its terminating zero */
#define FLANNEL_PREFIX_STRLEN 50

/**
 * struct flannel_prefix - an address with a prefix length; 20 bytes, layout fixed for good
 * @family:   AF_INET, AF_INET6, or AF_UNSPEC (0) for "none".
 * @plen:     prefix length in bits: 0 to 32, or 0 to 128.
 * @reserved: zero.
 * @addr:     network byte order; IPv4 uses the first four bytes, the others are zero.
 */
struct flannel_prefix {
	uint16_t family;
	uint8_t plen;
	uint8_t reserved;
	uint8_t addr[16];
};

/**
 * flannel_prefix_parse() - read "10.244.0.0/16", "fd00::/48" or a bare address
 * @text:       text; no blanks, no zone, no leading zeros in IPv4 octets (RFC 6943, 3.1.1). A bare address
 *              gets the length of its family: 32 or 128. Host bits are kept.
 * @ret_prefix: set on success.
 *
 * Return: 0; -EINVAL if @text is NULL or no prefix. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_parse(const char *text, struct flannel_prefix *ret_prefix);

/**
 * flannel_prefix_format() - write "address/length", the address as RFC 5952 wants it
 * @prefix: a prefix; AF_UNSPEC gives an empty text.
 * @buf:    at least FLANNEL_PREFIX_STRLEN bytes.
 * @size:   size of @buf in bytes.
 *
 * Return: @buf, or "" if @prefix or @buf is NULL, the prefix is malformed or @size is too small. Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_prefix_format(const struct flannel_prefix *prefix, char *buf, size_t size);

/**
 * flannel_prefix_format_address() - write the address alone, without a length
 * @prefix: as for flannel_prefix_format().
 * @buf:    at least FLANNEL_PREFIX_STRLEN bytes.
 * @size:   size of @buf in bytes.
 *
 * Return: as for flannel_prefix_format(). Since: 0.1.
 */
FLANNEL_PUBLIC const char *flannel_prefix_format_address(const struct flannel_prefix *prefix, char *buf, size_t size);

/**
 * flannel_prefix_mask() - the same prefix with all host bits zero
 * @prefix: a prefix.
 *
 * Return: the network: 10.244.1.7/24 gives 10.244.1.0/24. Since: 0.1.
 */
FLANNEL_PUBLIC struct flannel_prefix flannel_prefix_mask(struct flannel_prefix prefix);

/**
 * flannel_prefix_is_network() - are all host bits zero
 * @prefix: a prefix; NULL gives 0.
 *
 * Return: 1 or 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_is_network(const struct flannel_prefix *prefix);

/**
 * flannel_prefix_compare() - a total order: family, address, length
 * @a: a prefix.
 * @b: a prefix.
 *
 * Return: negative, 0 or positive, as memcmp(3). Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_compare(const struct flannel_prefix *a, const struct flannel_prefix *b);

/**
 * flannel_prefix_contains() - does every address of @inner lie in @outer
 * @outer: a prefix; its host bits are ignored.
 * @inner: a prefix; its host bits are ignored where @inner's own length covers them.
 *
 * Return: 1 or 0; different families give 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_contains(const struct flannel_prefix *outer, const struct flannel_prefix *inner);

/**
 * flannel_prefix_overlaps() - do two prefixes share an address
 * @a: a prefix.
 * @b: a prefix.
 *
 * Return: 1 or 0; different families give 0. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_overlaps(const struct flannel_prefix *a, const struct flannel_prefix *b);

/**
 * flannel_prefix_next() - the neighbouring network of the same length
 * @prefix:     a network; host bits are masked off first.
 * @steps:      how many networks further; 1 is the next one; negative goes back.
 * @ret_prefix: set on success; may be @prefix itself.
 *
 * Return: 0; -ERANGE if that would leave the address space; -EINVAL for AF_UNSPEC or NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_next(const struct flannel_prefix *prefix, int64_t steps,
				       struct flannel_prefix *ret_prefix);

/**
 * flannel_prefix_host() - the n-th address of a network, with the network's length
 * @network:    a network; host bits are masked off first.
 * @n:          0 is the network address itself, 1 the first host.
 * @ret_prefix: set on success: flannel_prefix_host(10.244.1.0/24, 1) gives 10.244.1.1/24.
 *
 * Return: 0; -ERANGE if the network has fewer than @n + 1 addresses; -EINVAL for AF_UNSPEC or NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_prefix_host(const struct flannel_prefix *network, uint64_t n,
				       struct flannel_prefix *ret_prefix);

FLANNEL_END_DECLS

#endif
