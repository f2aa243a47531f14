/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "mac.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAC_LEN 6

/* the value of a hexadecimal digit, -1 if it is none */
static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* what stands between the bytes of a MAC address, or between each two of them; 0 if nothing does */
static char find_separator(const char *text, size_t *ret_bytes_between)
{
	const size_t len = strlen(text);

	*ret_bytes_between = len > 2 && (text[2] == ':' || text[2] == '-') ? 1 : 2;
	return *ret_bytes_between == 1 ? text[2] : len == 2 * MAC_LEN ? '\0' : '.';
}

/* a MAC address in any of the forms 02:00:00:00:00:01, 02-00-00-00-00-01, 0200.0000.0001 and 020000000001 */
static bool parse(const char *text, uint8_t mac[MAC_LEN])
{
	size_t bytes_between;
	const char separator = find_separator(text, &bytes_between);
	const char *at = text;

	for (size_t i = 0; i < MAC_LEN; i++) {
		if (i > 0 && i % bytes_between == 0 && separator != '\0' && *at++ != separator)
			return false;
		if (at[0] == '\0' || digit_value(at[0]) < 0 || digit_value(at[1]) < 0)
			return false;
		mac[i] = (uint8_t)(digit_value(at[0]) * 16 + digit_value(at[1]));
		at += 2;
	}
	return *at == '\0';
}

int cni_mac_parse(const char *text, const char *key, char ret_mac[FLANNEL_MAC_STRLEN], struct cni_error *error)
{
	uint8_t mac[MAC_LEN];

	if (!parse(text, mac))
		return cni_fail(error, CNI_ERROR_INTERNAL,
				"%s is \"%s\", expected a MAC address such as 02:00:00:00:00:01", key, text);
	(void)snprintf(ret_mac, FLANNEL_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		       mac[4], mac[5]);
	return 0;
}
