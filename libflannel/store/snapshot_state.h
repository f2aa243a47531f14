/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_STORE_SNAPSHOT_STATE_H
#define FL_STORE_SNAPSHOT_STATE_H

/* The form of a snapshot, for snapshot_write.c and snapshot_read.c: one object, the peers last. */

#include <inttypes.h>

#include "store/snapshot.h"

#define AREA "snapshot"

/* another form takes another number; who does not know it refuses it */
#define VERSION 1

/* how every snapshot begins; the digits are of the bytes behind the comma */
#define HEAD_FORMAT "{\"Checksum\":\"%016" PRIx64 "\","
#define HEAD_LEN 31

/* the last key */
#define PEERS_KEY "\"Peers\""

#endif
