/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_HEX512_H
#define CNI_HEX512_H

/*
 * Names of kernel objects that the reference plugins make from the network's name and the container's id: digits of a SHA-512
 * hash (FIPS 180-4). Objects are found again by such a name, whoever made them.
 */

#include <stddef.h>

/* hexadecimal digits of a whole hash */
#define CNI_HEX512_DIGITS 128

/*
 * Hashes the texts one after the other, without their final zeros, and writes the first n_digits (at most
 * CNI_HEX512_DIGITS) hexadecimal digits, lower case, and a zero. Returns ret_digits, which has n_digits + 1 bytes.
 */
const char *cni_hex512(const char *const *texts, size_t n_texts, size_t n_digits, char *ret_digits);

#endif
