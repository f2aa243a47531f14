/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_ENGINE_MAC_H
#define FL_ENGINE_MAC_H

#include <stdint.h>

#include "base/error.h"
#include "domain/plan/object.h"

/* a random MAC of one interface, locally administered (IEEE 802), as the kernel would draw one */
int fl_mac_draw(uint8_t ret_mac[FL_MAC_LEN], struct flannel_error **ret_error);

#endif
