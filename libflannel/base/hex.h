/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_BASE_HEX_H
#define FL_BASE_HEX_H

/* value of a hexadecimal digit, -1 if it is none */
static inline int fl_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* the byte of two hexadecimal digits, -1 if the first or the second is none */
static inline int fl_hex_byte(const char *text)
{
	int high = fl_hex_digit(text[0]), low = high >= 0 ? fl_hex_digit(text[1]) : -1;

	return low >= 0 ? 16 * high + low : -1;
}

#endif
