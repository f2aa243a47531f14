/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/mac.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int fl_mac_draw(uint8_t ret_mac[FL_MAC_LEN], struct flannel_error **ret_error)
{
	uint8_t mac[FL_MAC_LEN];

	if (getrandom(mac, sizeof(mac), 0) != (ssize_t)sizeof(mac))
		return fl_error_set_retryable(ret_error, -EIO, "attachment", NULL, "draw a random number");
	mac[0] = (uint8_t)((mac[0] & 0xfe) | 0x02);
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}
