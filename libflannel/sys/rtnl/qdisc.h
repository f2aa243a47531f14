/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_RTNL_QDISC_H
#define FL_SYS_RTNL_QDISC_H

/* Queueing disciplines of links, and what redirects packets at their entrance; see tc(8). Names of links are for messages. */

#include <stdbool.h>

#include "domain/pod/bandwidth.h"
#include "sys/rtnl/rtnl.h"

struct fl_qdisc {
	char kind[16];
	uint32_t handle;   /* 0: the kernel's own choice, nobody has put it there */
	struct fl_tbf tbf; /* of kind "tbf" only */
};

/* where a discipline is: for what a link sends, or for what it receives */
enum fl_qdisc_place { FL_QDISC_ROOT, FL_QDISC_INGRESS };

/* the clock of the kernel's packet scheduler */
int fl_qdisc_read_ticks(struct fl_ticks *ret_ticks, struct flannel_error **ret_error);

/* 1 with what somebody has put there, 0 if nobody has */
int fl_qdisc_get(struct fl_rtnl *rtnl, uint32_t ifindex, enum fl_qdisc_place place, const char *link,
		 struct fl_qdisc *ret_qdisc, struct flannel_error **ret_error);

/* Puts a token bucket at the root, or changes the one that is there; not to be called if something else is. */
int fl_qdisc_set_tbf(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_tbf *tbf, const char *link,
		     struct flannel_error **ret_error);

/* makes what is received go through filters; -EEXIST if it does already */
int fl_qdisc_add_ingress(struct fl_rtnl *rtnl, uint32_t ifindex, const char *link, struct flannel_error **ret_error);

/* 1 deleted, 0 was gone already (or the link) */
int fl_qdisc_delete(struct fl_rtnl *rtnl, uint32_t ifindex, enum fl_qdisc_place place, const char *link,
		    struct flannel_error **ret_error);

/* redirects everything that is received to what another link sends; the discipline must be there */
int fl_qdisc_add_redirect(struct fl_rtnl *rtnl, uint32_t ifindex, uint32_t target_ifindex, const char *link,
			  struct flannel_error **ret_error);

/* what is done with packets at a link's entrance */
struct fl_filters {
	bool has_redirect;       /* one at least is as fl_qdisc_add_redirect() makes it */
	bool has_others;         /* one at least is not */
	uint32_t target_ifindex; /* of the first redirection; 0 if that link is gone */
};

/* looks at the filters of the ingress discipline, which must be there */
int fl_qdisc_get_filters(struct fl_rtnl *rtnl, uint32_t ifindex, struct fl_filters *ret_filters,
			 struct flannel_error **ret_error);

#endif
