/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/file.h"
#include "sys/rtnl/qdisc.h"

/* numbers that tc(8) shows, and that others look for: 1:0 of a bucket; ffff:0 of what filters at the entrance */
#define TBF_HANDLE TC_H_MAKE(1U << 16, 0)
#define INGRESS_HANDLE TC_H_MAKE(0xffffU << 16, 0)

/* the class that a redirected packet would belong to, which nothing looks at */
#define CLASS_ID TC_H_MAKE(1U << 16, 1)

/* filters of lower numbers are asked first */
#define FILTER_PRIORITY 1

#define PSCHED_PATH "/proc/net/psched"
#define PSCHED_MAX 128

int fl_qdisc_read_ticks(struct fl_ticks *ret_ticks, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) char *text = NULL;
	size_t len;
	int r = fl_file_read(PSCHED_PATH, PSCHED_MAX, &text, &len, ret_error);

	if (r < 0)
		return r;
	r = fl_ticks_parse(text, ret_ticks);
	return r < 0 ? fl_error_set(ret_error, r, "rtnl", "expected four hexadecimal numbers", "read " PSCHED_PATH) : 0;
}

/* what a discipline of that place says is above it */
static uint32_t get_parent(enum fl_qdisc_place place)
{
	return place == FL_QDISC_ROOT ? TC_H_ROOT : TC_H_INGRESS;
}

/* the same in words */
static const char *get_place_name(enum fl_qdisc_place place)
{
	return place == FL_QDISC_ROOT ? "root" : "ingress";
}

/* types and lengths that the attributes must have */
static const struct nla_policy tbf_policy[TCA_TBF_MAX + 1] = {
	[TCA_TBF_PARMS] = {.minlen = sizeof(struct tc_tbf_qopt)},
	[TCA_TBF_RATE64] = {.type = NLA_U64},
};

/* the numbers of a token bucket */
static int parse_tbf(struct nlattr *options, struct fl_tbf *ret_tbf)
{
	struct nlattr *tb[TCA_TBF_MAX + 1];
	struct tc_tbf_qopt numbers;

	if (nla_parse_nested(tb, TCA_TBF_MAX, options, tbf_policy) < 0 || !tb[TCA_TBF_PARMS])
		return -EBADMSG;
	memcpy(&numbers, nla_data(tb[TCA_TBF_PARMS]), sizeof(numbers));
	*ret_tbf = (struct fl_tbf){
		.rate = tb[TCA_TBF_RATE64] ? nla_get_u64(tb[TCA_TBF_RATE64]) : numbers.rate.rate,
		.limit = numbers.limit,
		.buffer = numbers.buffer,
	};
	return 0;
}

/* types and lengths that the attributes must have, of disciplines and of filters */
static const struct nla_policy tc_policy[TCA_MAX + 1] = {
	[TCA_KIND] = {.type = NLA_STRING},
};

/* header and attributes of a message about a discipline or a filter */
static int parse_tc(const struct nlmsghdr *header, struct tcmsg *ret_message, struct nlattr *tb[TCA_MAX + 1])
{
	if (!nlmsg_valid_hdr(header, sizeof(*ret_message)))
		return -EBADMSG;
	memcpy(ret_message, nlmsg_data(header), sizeof(*ret_message));
	if (nla_parse(tb, TCA_MAX, nlmsg_attrdata(header, sizeof(*ret_message)),
		      nlmsg_attrlen(header, sizeof(*ret_message)), tc_policy) < 0 ||
	    !tb[TCA_KIND])
		return -EBADMSG;
	return 0;
}

/* keeps what an answer tells of a discipline */
static int take_qdisc(void *userdata, const struct nlmsghdr *header)
{
	struct fl_qdisc *qdisc = userdata;
	struct nlattr *tb[TCA_MAX + 1];
	struct tcmsg message;
	int r = parse_tc(header, &message, tb);

	if (r < 0)
		return r;
	nla_strlcpy(qdisc->kind, tb[TCA_KIND], sizeof(qdisc->kind));
	qdisc->handle = message.tcm_handle;
	if (strcmp(qdisc->kind, "tbf") == 0 && tb[TCA_OPTIONS])
		return parse_tbf(tb[TCA_OPTIONS], &qdisc->tbf);
	return 0;
}

int fl_qdisc_get(struct fl_rtnl *rtnl, uint32_t ifindex, enum fl_qdisc_place place, const char *link,
		 struct fl_qdisc *ret_qdisc, struct flannel_error **ret_error)
{
	const struct tcmsg header = {.tcm_ifindex = (int)ifindex, .tcm_parent = get_parent(place)};
	FL_CLEANUP(fl_rtnl_message_freep)
	/* without ECHO the kernel tells everybody who listens, but not who asks */
	struct nl_msg *message = fl_rtnl_message(RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	struct fl_qdisc qdisc = {0};
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, take_qdisc, &qdisc, &error, "get the %s qdisc of %s", get_place_name(place),
			    link);
	/* where there is none the kernel says so, or refuses to tell of its own choice, or just has nothing to tell */
	if (r == -ENOENT || r == -EINVAL)
		return 0;
	if (r < 0) {
		if (ret_error)
			*ret_error = FL_TAKE(error);
		return r;
	}
	if (qdisc.handle == 0)
		return 0;
	*ret_qdisc = qdisc;
	return 1;
}

/* appends the numbers of a token bucket; rates from 4 GiB/s on have an attribute of their own */
static int put_tbf(struct nl_msg *message, const struct fl_tbf *tbf)
{
	const struct tc_tbf_qopt numbers = {
		.rate.rate = tbf->rate > UINT32_MAX ? UINT32_MAX : (uint32_t)tbf->rate,
		.limit = tbf->limit,
		.buffer = tbf->buffer,
	};
	struct nlattr *options;
	int r = nla_put_string(message, TCA_KIND, "tbf");

	options = nla_nest_start(message, TCA_OPTIONS);
	if (!options)
		return -1;
	r |= nla_put(message, TCA_TBF_PARMS, sizeof(numbers), &numbers);
	if (tbf->rate > UINT32_MAX)
		r |= nla_put_u64(message, TCA_TBF_RATE64, tbf->rate);
	r |= nla_nest_end(message, options);
	return r;
}

int fl_qdisc_set_tbf(struct fl_rtnl *rtnl, uint32_t ifindex, const struct fl_tbf *tbf, const char *link,
		     struct flannel_error **ret_error)
{
	const struct tcmsg header = {.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_ROOT, .tcm_handle = TBF_HANDLE};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));

	if (!message || put_tbf(message, tbf) < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "limit what %s sends", link);
}

int fl_qdisc_add_ingress(struct fl_rtnl *rtnl, uint32_t ifindex, const char *link, struct flannel_error **ret_error)
{
	const struct tcmsg header = {
		.tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_INGRESS, .tcm_handle = INGRESS_HANDLE};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	if (!message || nla_put_string(message, TCA_KIND, "ingress") < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "add the ingress qdisc of %s", link);
}

int fl_qdisc_delete(struct fl_rtnl *rtnl, uint32_t ifindex, enum fl_qdisc_place place, const char *link,
		    struct flannel_error **ret_error)
{
	const struct tcmsg header = {.tcm_ifindex = (int)ifindex, .tcm_parent = get_parent(place)};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_DELQDISC, 0, &header, sizeof(header));
	FL_CLEANUP_ERROR struct flannel_error *error = NULL;
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_request(rtnl, message, NULL, NULL, &error, "delete the %s qdisc of %s", get_place_name(place),
			    link);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0 && ret_error)
		*ret_error = FL_TAKE(error);
	return r < 0 ? r : 1;
}

/* appends the action that sends a packet to another link instead */
static int put_redirect(struct nl_msg *message, uint32_t target_ifindex)
{
	const struct tc_mirred redirect = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = target_ifindex};
	struct nlattr *actions, *first, *options;
	int r = 0;

	actions = nla_nest_start(message, TCA_U32_ACT);
	first = actions ? nla_nest_start(message, 1) : NULL;
	if (!first)
		return -1;
	r |= nla_put_string(message, TCA_ACT_KIND, "mirred");
	options = nla_nest_start(message, TCA_ACT_OPTIONS);
	if (!options)
		return -1;
	r |= nla_put(message, TCA_MIRRED_PARMS, sizeof(redirect), &redirect);
	r |= nla_nest_end(message, options);
	r |= nla_nest_end(message, first);
	r |= nla_nest_end(message, actions);
	return r;
}

/* appends a filter that matches everything: four bytes of which none counts */
static int put_filter(struct nl_msg *message, uint32_t target_ifindex)
{
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key;
	} match = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
	struct nlattr *options;
	int r = nla_put_string(message, TCA_KIND, "u32");

	options = nla_nest_start(message, TCA_OPTIONS);
	if (!options)
		return -1;
	r |= nla_put_u32(message, TCA_U32_CLASSID, CLASS_ID);
	r |= nla_put(message, TCA_U32_SEL, sizeof(match), &match);
	r |= put_redirect(message, target_ifindex);
	r |= nla_nest_end(message, options);
	return r;
}

int fl_qdisc_add_redirect(struct fl_rtnl *rtnl, uint32_t ifindex, uint32_t target_ifindex, const char *link,
			  struct flannel_error **ret_error)
{
	const struct tcmsg header = {.tcm_ifindex = (int)ifindex,
				     .tcm_parent = INGRESS_HANDLE,
				     .tcm_info = TC_H_MAKE((uint32_t)FILTER_PRIORITY << 16, htons(ETH_P_ALL))};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	if (!message || put_filter(message, target_ifindex) < 0)
		return fl_error_oom(ret_error);
	return fl_rtnl_request(rtnl, message, NULL, NULL, ret_error, "redirect what %s receives", link);
}

/* types and lengths that the attributes must have */
static const struct nla_policy u32_policy[TCA_U32_MAX + 1] = {
	[TCA_U32_ACT] = {.type = NLA_NESTED},
};
static const struct nla_policy action_policy[TCA_ACT_MAX + 1] = {
	[TCA_ACT_KIND] = {.type = NLA_STRING},
	[TCA_ACT_OPTIONS] = {.type = NLA_NESTED},
};
static const struct nla_policy mirred_policy[TCA_MIRRED_MAX + 1] = {
	[TCA_MIRRED_PARMS] = {.minlen = sizeof(struct tc_mirred)},
};

/* the target, if an action is a redirection: 1, else 0 */
static int parse_action(struct nlattr *action, uint32_t *ret_ifindex)
{
	struct nlattr *tb[TCA_ACT_MAX + 1], *options[TCA_MIRRED_MAX + 1];
	struct tc_mirred redirect;

	if (nla_parse_nested(tb, TCA_ACT_MAX, action, action_policy) < 0)
		return -EBADMSG;
	if (!tb[TCA_ACT_KIND] || nla_strcmp(tb[TCA_ACT_KIND], "mirred") != 0 || !tb[TCA_ACT_OPTIONS])
		return 0;
	if (nla_parse_nested(options, TCA_MIRRED_MAX, tb[TCA_ACT_OPTIONS], mirred_policy) < 0 ||
	    !options[TCA_MIRRED_PARMS])
		return -EBADMSG;
	memcpy(&redirect, nla_data(options[TCA_MIRRED_PARMS]), sizeof(redirect));
	if (redirect.eaction != TCA_EGRESS_REDIR)
		return 0;
	*ret_ifindex = redirect.ifindex;
	return 1;
}

/* what a filter of kind u32 does: 1 with the target of a redirection, else 0; the tables that filters are in do nothing */
static int parse_u32(struct nlattr *attributes, uint32_t *ret_ifindex, bool *ret_is_table)
{
	struct nlattr *options[TCA_U32_MAX + 1];

	if (nla_parse_nested(options, TCA_U32_MAX, attributes, u32_policy) < 0)
		return -EBADMSG;
	*ret_is_table = !options[TCA_U32_SEL];
	if (!options[TCA_U32_ACT] || nla_len(options[TCA_U32_ACT]) < NLA_HDRLEN)
		return 0;
	return parse_action(nla_data(options[TCA_U32_ACT]), ret_ifindex);
}

/* takes one filter of a list into account */
static int take_filter(void *userdata, const struct nlmsghdr *header)
{
	struct fl_filters *filters = userdata;
	struct nlattr *tb[TCA_MAX + 1];
	struct tcmsg message;
	bool is_table = false;
	uint32_t ifindex = 0;
	int r = parse_tc(header, &message, tb);

	if (r < 0 || !tb[TCA_OPTIONS])
		return r;
	if (nla_strcmp(tb[TCA_KIND], "u32") == 0)
		r = parse_u32(tb[TCA_OPTIONS], &ifindex, &is_table);
	if (r > 0 && !filters->has_redirect) {
		filters->has_redirect = true;
		filters->target_ifindex = ifindex;
	}
	if (r == 0 && !is_table)
		filters->has_others = true;
	return r < 0 ? r : 0;
}

int fl_qdisc_get_filters(struct fl_rtnl *rtnl, uint32_t ifindex, struct fl_filters *ret_filters,
			 struct flannel_error **ret_error)
{
	const struct tcmsg header = {.tcm_ifindex = (int)ifindex, .tcm_parent = INGRESS_HANDLE};
	FL_CLEANUP(fl_rtnl_message_freep)
	struct nl_msg *message = fl_rtnl_message(RTM_GETTFILTER, 0, &header, sizeof(header));
	struct fl_filters filters = {0};
	int r;

	if (!message)
		return fl_error_oom(ret_error);
	r = fl_rtnl_dump(rtnl, message, take_filter, &filters, ret_error, "list the ingress filters of link %u",
			 ifindex);
	if (r < 0)
		return r;
	*ret_filters = filters;
	return 0;
}
