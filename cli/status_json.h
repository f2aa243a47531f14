/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_STATUS_JSON_H
#define CLI_STATUS_JSON_H

/* What the daemon tells of itself, as JSON; docs/man/flanneld.8 describes the keys. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <flannel/error.h>
#include <flannel/node.h>

/* everything that a reply is made from; texts are borrowed, the errors are references */
struct status_source {
	const struct flannel_node *node;
	const char *store_name;
	const char *instance; /* NULL or "": without a name */
	const char *store_path;
	const char *subnet_file; /* NULL: an observer's, which has none */
	bool ip_masq;
	bool was_ready;                    /* the node was ready before */
	uint64_t started_ns;               /* CLOCK_BOOTTIME */
	int64_t lease_clock_sec;           /* status_clock_sec() when the own lease was written; 0: not known */
	struct flannel_error *store_error; /* why the store is lost; NULL while it answers */
	char *config_note;                 /* text of the event that the store has another configuration, or NULL */
	char *last_failure;                /* text of the latest event that told of a failure, or NULL */
	int64_t last_failure_sec;          /* when, seconds since the epoch */
};

/* seconds since boot */
static inline int64_t status_boot_sec(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* how far CLOCK_REALTIME is ahead of that: changes when somebody sets the clock */
static inline int64_t status_clock_sec(void)
{
	return time(NULL) - status_boot_sec();
}

/* how well the node does; the order is that of the words in "health" */
enum status_health { STATUS_OK, STATUS_DEGRADED, STATUS_NOT_READY, STATUS_FAILED };

/* health, and in reason, cut to size, why it is not STATUS_OK ("" if it is) */
enum status_health status_get_health(const struct status_source *source, char *reason, size_t size);

/* one line for people, without looking at each peer: "Ready: 10.244.1.0/24 on eth0", or what is not as it should be */
void status_get_summary(const struct status_source *source, char *text, size_t size);

/* malloc()ed JSON, NULL without memory; *ret_len without the final zero */
char *status_format(const struct status_source *source, size_t *ret_len);

/* the same for the own lease and the peers' */
char *status_format_leases(const struct status_source *source, size_t *ret_len);

/* {"error":"..."} */
char *status_format_error(const char *message, size_t *ret_len);

#endif
