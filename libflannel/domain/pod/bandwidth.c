/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/pod/bandwidth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain/plan/object.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* what may wait besides the burst: the rate's worth of 25 ms */
#define LATENCY_PER_SEC 40

int fl_ticks_parse(const char *text, struct fl_ticks *ret_ticks)
{
	uint32_t usec_ticks, ticks_usec, clock;
	uint64_t n_ticks;

	if (sscanf(text, "%" SCNx32 " %" SCNx32 " %" SCNx32, &usec_ticks, &ticks_usec, &clock) != 3 || !usec_ticks ||
	    !ticks_usec || !clock)
		return -EBADMSG;
	/* the third number is the clock's, in Hz; the first two are for one of a million */
	n_ticks = (uint64_t)usec_ticks * clock / USEC_PER_SEC;
	if (n_ticks == 0 || n_ticks > UINT32_MAX)
		return -EBADMSG;
	*ret_ticks = (struct fl_ticks){.n_ticks = (uint32_t)n_ticks, .n_usec = ticks_usec};
	return 0;
}

bool fl_bandwidth_is_limit(const struct flannel_bandwidth_limit *limit)
{
	return limit->bytes_per_sec || limit->burst_bytes;
}

/* a rate and a burst go together */
static int check_limit(const struct flannel_bandwidth_limit *limit, const char *name, struct flannel_error **ret_error)
{
	if (!limit->bytes_per_sec == !limit->burst_bytes)
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected both a rate and a burst, or neither",
			    "%s is %" PRIu64 " bytes per second with a burst of %u bytes", name, limit->bytes_per_sec,
			    limit->burst_bytes);
}

int fl_bandwidth_check(const struct flannel_bandwidth_options *options, struct flannel_error **ret_error)
{
	bool received = fl_bandwidth_is_limit(&options->received);
	int r;

	if (!fl_ifname_is_valid(options->link))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "link is \"%s\"", options->link ? options->link : "");
	if (!received && !fl_bandwidth_is_limit(&options->sent))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected at least one limit",
				    "sent and received are 0");
	r = check_limit(&options->sent, "sent", ret_error);
	if (r >= 0)
		r = check_limit(&options->received, "received", ret_error);
	if (r < 0)
		return r;
	if (received && !fl_ifname_is_valid(options->receive_device))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected an interface name of 1 to 15 bytes",
				    "receive_device is \"%s\"", options->receive_device ? options->receive_device : "");
	if (received && strcmp(options->receive_device, options->link) == 0)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected another name than the link's",
				    "receive_device is \"%s\"", options->receive_device);
	if (options->tag &&
	    (!options->tag[0] || strnlen(options->tag, FLANNEL_BANDWIDTH_TAG_SIZE) == FLANNEL_BANDWIDTH_TAG_SIZE))
		return fl_error_set(ret_error, -EINVAL, "argument", "expected 1 to 63 bytes", "tag is \"%.*s\"",
				    FLANNEL_BANDWIDTH_TAG_SIZE, options->tag);
	return 0;
}

/* sum of two numbers, as much as there can be */
static uint32_t add_saturated(uint64_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : (uint32_t)a + b;
}

int fl_bandwidth_want(const struct flannel_bandwidth_limit *limit, const struct fl_ticks *ticks, const char *what,
		      struct fl_tbf *ret_tbf, struct flannel_error **ret_error)
{
	/* whole microseconds first, as tc(8) does it: the numbers shall be those that others would set and look for */
	uint64_t usec = limit->burst_bytes * USEC_PER_SEC / limit->bytes_per_sec;
	/* neither factor can have more than 52 and 32 bits, but together they may be too long */
	__extension__ unsigned __int128 buffer = (unsigned __int128)usec * ticks->n_ticks / ticks->n_usec;

	if (buffer > UINT32_MAX || buffer == 0)
		return fl_error_set(ret_error, -EINVAL, "argument",
				    buffer ? "the burst is more than the rate yields in 274 s"
					   : "the burst is less than the rate yields in a microsecond",
				    "%s is %" PRIu64 " bytes per second with a burst of %u bytes", what,
				    limit->bytes_per_sec, limit->burst_bytes);
	*ret_tbf = (struct fl_tbf){
		.rate = limit->bytes_per_sec,
		.limit = add_saturated(limit->bytes_per_sec / LATENCY_PER_SEC, limit->burst_bytes),
		.buffer = (uint32_t)buffer,
	};
	return 0;
}

bool fl_tbf_equal(const struct fl_tbf *a, const struct fl_tbf *b)
{
	return a->rate == b->rate && a->limit == b->limit && a->buffer == b->buffer;
}
