/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_HTTP_TRANSPORT_STATE_H
#define FL_HTTP_TRANSPORT_STATE_H

/* The inside of the transport, shared by transport.c (libcurl on a loop) and transfer.c (one transfer). */

#include "store/http/transport.h"

struct fl_http {
	struct fl_loop *loop;
	CURLM *multi;
	struct fl_source *timer;
	struct fl_http_transfer *transfers;
	struct fl_http_transfer *delivering; /* whose news() runs; NULL if it was stopped by it */
};

/* tells the news of a transfer */
void fl_http_transfer_deliver(struct fl_http_transfer *transfer);

#endif
