/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/static_reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/plan/object.h"

/* something that no two leases may have, and whose it is */
struct claim {
	struct flannel_prefix prefix;
	uint8_t mac[FL_MAC_LEN];
	size_t index;
};

/* what is claimed, by kind */
struct claims {
	const char *key;
	int (*get)(const struct flannel_lease *lease, struct claim *ret_claim);
};

static int get_subnet(const struct flannel_lease *lease, struct claim *claim)
{
	return flannel_lease_get_subnet(lease, AF_INET, &claim->prefix);
}

static int get_subnet6(const struct flannel_lease *lease, struct claim *claim)
{
	return flannel_lease_get_subnet(lease, AF_INET6, &claim->prefix);
}

static int get_ip(const struct flannel_lease *lease, struct claim *claim)
{
	return flannel_lease_get_public_ip(lease, AF_INET, &claim->prefix);
}

static int get_ip6(const struct flannel_lease *lease, struct claim *claim)
{
	return flannel_lease_get_public_ip(lease, AF_INET6, &claim->prefix);
}

/* the MAC address of the device of one family */
static int get_mac(const struct flannel_lease *lease, int family, struct claim *claim)
{
	const char *data = flannel_lease_get_backend_data(lease, family);

	return strcmp(flannel_lease_get_backend_type(lease), "vxlan") == 0 && data &&
	       fl_vxlan_parse_data(data, claim->mac, NULL) >= 0;
}

static int get_mac4(const struct flannel_lease *lease, struct claim *claim)
{
	return get_mac(lease, AF_INET, claim);
}

static int get_mac6(const struct flannel_lease *lease, struct claim *claim)
{
	return get_mac(lease, AF_INET6, claim);
}

/* subnets and addresses in their order, then MAC addresses: those that are alike or lie in each other are neighbours */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = flannel_prefix_compare(&x->prefix, &y->prefix);

	return r ? r : memcmp(x->mac, y->mac, FL_MAC_LEN);
}

/* do two claims exclude each other */
static bool collide(const struct claim *a, const struct claim *b)
{
	return a->prefix.family ? flannel_prefix_overlaps(&a->prefix, &b->prefix)
				: memcmp(a->mac, b->mac, FL_MAC_LEN) == 0;
}

/* a subnet, or an address as the text has it */
static void format_prefix(const struct flannel_prefix *prefix, char buf[FLANNEL_PREFIX_STRLEN])
{
	if (prefix->plen == (prefix->family == AF_INET ? 32 : 128))
		flannel_prefix_format_address(prefix, buf, FLANNEL_PREFIX_STRLEN);
	else
		flannel_prefix_format(prefix, buf, FLANNEL_PREFIX_STRLEN);
}

/* two leases claim the same */
static int refuse_claim(struct fl_static_reading *reading, const struct claims *kind, const struct claim *first,
			const struct claim *second, struct flannel_error **ret_error)
{
	size_t late = first->index > second->index ? first->index : second->index;
	const struct claim *of_late = first->index > second->index ? first : second;
	const struct claim *of_early = of_late == first ? second : first;
	char expected[2 * FLANNEL_PREFIX_STRLEN + 64], text[FLANNEL_PREFIX_STRLEN], other[FLANNEL_PREFIX_STRLEN];

	if (of_late->prefix.family) {
		format_prefix(&of_late->prefix, text);
		format_prefix(&of_early->prefix, other);
	} else {
		fl_mac_format(of_late->mac, text, sizeof(text));
		fl_mac_format(of_early->mac, other, sizeof(other));
	}
	(void)snprintf(expected, sizeof(expected), "leases[%zu] on line %zu has %s", of_early->index,
		       reading->lines[of_early->index], other);
	fl_static_set_path(reading, late);
	return fl_static_refuse(reading, kind->key, text, expected, ret_error);
}

/* no two leases may claim the same of one kind */
static int check_claims(struct fl_static_reading *reading, const struct fl_static_leases *leases,
			const struct claims *kind, struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_freep) struct claim *claims = calloc(leases->n_leases + 1, sizeof(*claims));
	size_t n = 0;

	if (!claims)
		return fl_error_oom(ret_error);
	for (size_t i = 0; i < leases->n_leases; i++) {
		claims[n].index = i;
		n += kind->get(leases->leases[i], &claims[n]) > 0;
	}
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t i = 1; i < n; i++) {
		if (collide(&claims[i - 1], &claims[i]))
			return refuse_claim(reading, kind, &claims[i - 1], &claims[i], ret_error);
	}
	return 0;
}

int fl_static_check_claims(struct fl_static_reading *reading, const struct fl_static_leases *leases,
			   struct flannel_error **ret_error)
{
	const struct claims kinds[] = {
		{"Subnet", get_subnet},  {"IPv6Subnet", get_subnet6},       {"PublicIP", get_ip},
		{"PublicIPv6", get_ip6}, {"BackendData.VtepMAC", get_mac4}, {"BackendV6Data.VtepMAC", get_mac6}};
	int r = 0;

	for (size_t i = 0; i < FL_N_ELEMENTS(kinds) && r >= 0; i++)
		r = check_claims(reading, leases, &kinds[i], ret_error);
	return r;
}
