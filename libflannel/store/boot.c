/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/boot.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* the value of a hexadecimal digit */
static uint8_t digit_value(char digit)
{
	return (uint8_t)(isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10);
}

/* a UUID's 32 digits, hyphens between them or not; false if there are fewer */
static bool parse_uuid(const char *text, uint8_t *ret_id)
{
	uint8_t id[FL_BOOT_ID_SIZE] = {0};
	size_t n = 0;

	for (; *text != '\0' && n < 2 * sizeof(id); text++) {
		if (!isxdigit((unsigned char)*text))
			continue;
		id[n / 2] = (uint8_t)(id[n / 2] << 4 | digit_value(*text));
		n++;
	}
	if (n < 2 * sizeof(id))
		return false;
	memcpy(ret_id, id, sizeof(id));
	return true;
}

struct fl_boot fl_boot_read(void)
{
	FL_CLEANUP(fl_closep) int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	struct fl_boot boot = {0};
	char text[64];
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (len > 0) {
		text[len] = '\0';
		(void)parse_uuid(text, boot.id);
	}
	return boot;
}

bool fl_boot_is_known(const struct fl_boot *boot)
{
	const uint8_t none[FL_BOOT_ID_SIZE] = {0};

	return memcmp(boot->id, none, sizeof(none)) != 0;
}
