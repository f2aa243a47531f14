/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/pod/vlan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define AREA "attachment"

/* untagged frames of a trunk without a VLAN of its own belong to this one, as on switches */
#define NATIVE_VLAN 1

/* is it the number of a VLAN that a port can belong to; 0 and 4095 are reserved (IEEE 802.1Q) */
static bool is_vlan(uint32_t vlan)
{
	return vlan >= 1 && vlan <= FL_VLAN_MAX;
}

/* the gateway of a VLAN has an interface, whose name may be too long */
static int check_gateway(const struct flannel_attachment_options *options, struct flannel_error **ret_error)
{
	const unsigned int flags = FLANNEL_ATTACHMENT_GATEWAY | FLANNEL_ATTACHMENT_DEFAULT_GATEWAY;
	const char *bridge = options->bridge ? options->bridge : "cni0";
	char name[FLANNEL_IFNAME_SIZE];

	if (options->vlan && (options->flags & flags) && fl_vlan_gateway_name(bridge, options->vlan, name) < 0)
		return fl_error_set(ret_error, -EINVAL, AREA, "expected an interface name of 1 to 15 bytes",
				    "gateway of the VLAN is \"%s.%u\"", bridge, options->vlan);
	return 0;
}

int fl_vlan_check(const struct flannel_attachment_options *options, struct flannel_error **ret_error)
{
	if (options->vlan && !is_vlan(options->vlan))
		return fl_error_set(ret_error, -EINVAL, AREA, "expected 1 to 4094, or 0 for none", "vlan is %u",
				    options->vlan);
	if (options->n_trunk && !options->trunk)
		return fl_error_set(ret_error, -EINVAL, AREA, "it is NULL", "trunk of %zu spans", options->n_trunk);
	for (size_t i = 0; i < options->n_trunk; i++) {
		const struct flannel_vlan_span *span = &options->trunk[i];

		if (!is_vlan(span->first) || !is_vlan(span->last) || span->first > span->last)
			return fl_error_set(ret_error, -EINVAL, AREA,
					    "expected 1 to 4094, the first not above the last",
					    "span %zu of trunk is %u to %u", i, span->first, span->last);
	}
	return check_gateway(options, ret_error);
}

/* adds VLANs to the trunk, which has room, behind those that are there: to the last span if they touch */
static void append_span(struct fl_vlan_want *want, uint16_t first, uint16_t last)
{
	struct flannel_vlan_span *before = want->n_trunk ? &want->trunk[want->n_trunk - 1] : NULL;

	if (before && first <= before->last + 1) {
		if (last > before->last)
			before->last = last;
		return;
	}
	want->trunk[want->n_trunk++] = (struct flannel_vlan_span){first, last};
}

/* order of spans */
static int compare_spans(const void *a, const void *b)
{
	const struct flannel_vlan_span *span_a = a, *span_b = b;

	return (span_a->first > span_b->first) - (span_a->first < span_b->first);
}

/* takes one VLAN out of spans that are in order and apart; there is room for one more */
static void remove_vlan(struct fl_vlan_want *want, uint16_t vlan)
{
	const size_t n = want->n_trunk;

	for (size_t i = 0; i < n; i++) {
		struct flannel_vlan_span *span = &want->trunk[i];

		if (vlan < span->first || vlan > span->last)
			continue;
		if (span->first == span->last) {
			for (size_t j = i; j + 1 < n; j++)
				want->trunk[j] = want->trunk[j + 1];
			want->n_trunk--;
		} else if (vlan == span->first) {
			span->first++;
		} else if (vlan == span->last) {
			span->last--;
		} else {
			for (size_t j = n; j > i + 1; j--)
				want->trunk[j] = want->trunk[j - 1];
			want->trunk[i + 1] = (struct flannel_vlan_span){(uint16_t)(vlan + 1), span->last};
			span->last = (uint16_t)(vlan - 1);
			want->n_trunk++;
		}
		return;
	}
}

/* the trunk as spans that are in order and apart; those of the options may come in any way */
static int want_trunk(const struct flannel_attachment_options *options, struct fl_vlan_want *want)
{
	FL_CLEANUP(fl_freep) struct flannel_vlan_span *sorted = calloc(options->n_trunk, sizeof(*sorted));

	want->trunk = calloc(options->n_trunk + 1, sizeof(*want->trunk));
	if (!sorted || !want->trunk)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_trunk; i++)
		sorted[i] = options->trunk[i];
	qsort(sorted, options->n_trunk, sizeof(*sorted), compare_spans);
	for (size_t i = 0; i < options->n_trunk; i++)
		append_span(want, sorted[i].first, sorted[i].last);
	remove_vlan(want, want->untagged);
	return 0;
}

int fl_vlan_want(const struct flannel_attachment_options *options, struct fl_vlan_want *ret_want,
		 struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_vlan_want_clear) struct fl_vlan_want want = {.port = options->vlan || options->n_trunk};

	want.filter = want.port || (options->flags & FLANNEL_ATTACHMENT_VLAN_FILTER);
	want.keep = (options->flags & FLANNEL_ATTACHMENT_KEEP_VLAN) != 0;
	want.untagged = options->vlan ? (uint16_t)options->vlan : NATIVE_VLAN;
	if (options->n_trunk && want_trunk(options, &want) < 0)
		return fl_error_oom(ret_error);
	*ret_want = want;
	want = (struct fl_vlan_want){0};
	return 0;
}

void fl_vlan_want_clear(struct fl_vlan_want *want)
{
	free(want->trunk);
	*want = (struct fl_vlan_want){0};
}

uint16_t fl_vlan_to_leave(const struct fl_vlan_want *want, uint16_t default_vlan)
{
	if (!want->port || want->keep || default_vlan == want->untagged)
		return 0;
	for (size_t i = 0; i < want->n_trunk; i++) {
		if (default_vlan >= want->trunk[i].first && default_vlan <= want->trunk[i].last)
			return 0;
	}
	return default_vlan;
}

int fl_vlan_gateway_name(const char *bridge, uint32_t vlan, char ret_name[FLANNEL_IFNAME_SIZE])
{
	int len = snprintf(ret_name, FLANNEL_IFNAME_SIZE, "%s.%u", bridge, vlan);

	return len < 0 || len >= FLANNEL_IFNAME_SIZE ? -ENAMETOOLONG : 0;
}
