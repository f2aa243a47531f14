/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain/backend/vxlan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "domain/hash.h"
#include "domain/netconf/netconf.h"

#define ORIGIN FL_NETCONF_ORIGIN ": Backend"

#define VNI_DEFAULT 1
#define VNI_MAX 0xffffff /* 24 bits on the wire */

/* the kernel takes no device below 68 bytes */
#define MTU_MIN (68 + FL_VXLAN_OVERHEAD)
#define MTU_MAX (65535 + FL_VXLAN_OVERHEAD)

/* numbers of the settings */
static int load_numbers(struct json_object *object, struct fl_vxlan_settings *settings,
			struct flannel_error **ret_error)
{
	uint64_t vni = VNI_DEFAULT, port = 0, mtu = 0;
	int r = fl_json_get_uint(object, ORIGIN, "VNI", VNI_MAX, &vni, ret_error);

	if (r >= 0)
		r = fl_json_get_uint(object, ORIGIN, "Port", UINT16_MAX, &port, ret_error);
	if (r >= 0)
		r = fl_json_get_uint(object, ORIGIN, "MTU", MTU_MAX, &mtu, ret_error);
	if (r < 0)
		return r;
	if (mtu && mtu < MTU_MIN)
		return fl_error_set(ret_error, -EINVAL, "config",
				    "expected 0 for that of the interface, or 118 or more", ORIGIN ": MTU is %" PRIu64,
				    mtu);
	settings->vni = (uint32_t)vni;
	settings->port = (uint16_t)port;
	settings->mtu = (uint32_t)mtu;
	return 0;
}

int fl_vxlan_load(const struct flannel_netconf *netconf, struct fl_vxlan_settings *ret_settings,
		  struct flannel_error **ret_error)
{
	const char *text = flannel_netconf_get_backend_text(netconf);
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	struct fl_vxlan_settings settings = {0};
	int r = fl_json_parse(text, strlen(text), ORIGIN, &object, ret_error);

	if (r >= 0)
		r = load_numbers(object, &settings, ret_error);
	if (r >= 0)
		r = fl_json_get_bool(object, ORIGIN, "GBP", &settings.gbp, ret_error);
	if (r >= 0)
		r = fl_json_get_bool(object, ORIGIN, "Learning", &settings.learning, ret_error);
	if (r >= 0)
		r = fl_json_get_bool(object, ORIGIN, "DirectRouting", &settings.direct_routing, ret_error);
	if (r < 0)
		return r;
	*ret_settings = settings;
	return 0;
}

bool fl_vxlan_format_name(const struct fl_vxlan_settings *settings, int family, char buf[FLANNEL_IFNAME_SIZE])
{
	int n = snprintf(buf, FLANNEL_IFNAME_SIZE, "flannel%s.%" PRIu32, family == AF_INET6 ? "-v6" : "",
			 settings->vni);

	return n < FLANNEL_IFNAME_SIZE;
}

const char *fl_vxlan_format_data(uint32_t vni, const uint8_t mac[FL_MAC_LEN], char buf[FL_VXLAN_DATA_STRLEN])
{
	char text[FLANNEL_MAC_STRLEN];

	/* flannel's text, byte for byte: nothing in it needs an escape */
	snprintf(buf, FL_VXLAN_DATA_STRLEN, "{\"VNI\":%" PRIu32 ",\"VtepMAC\":\"%s\"}", vni,
		 fl_mac_format(mac, text, sizeof(text)));
	return buf;
}

int fl_vxlan_parse_data(const char *text, uint8_t ret_mac[FL_MAC_LEN], struct flannel_error **ret_error)
{
	FL_CLEANUP(fl_json_unrefp) struct json_object *object = NULL;
	const uint8_t zero[FL_MAC_LEN] = {0};
	uint8_t mac[FL_MAC_LEN];
	const char *value = NULL;
	int r;

	if (!text)
		return fl_error_set(ret_error, -EINVAL, "node", "there is none", "its backend data");
	r = fl_json_parse(text, strlen(text), "its backend data", &object, ret_error);
	if (r >= 0)
		r = fl_json_get_string(object, "its backend data", "VtepMAC", &value, ret_error);
	if (r < 0)
		return r;
	if (!value || fl_mac_parse(value, mac) < 0 || (mac[0] & 1) || memcmp(mac, zero, sizeof(zero)) == 0)
		return fl_error_set(ret_error, -EINVAL, "node", "expected the MAC address of a device",
				    "its backend data: VtepMAC is \"%.40s\"", value ? value : "");
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

void fl_vxlan_derive_mac(uint32_t vni, const struct flannel_prefix *address, uint8_t ret_mac[FL_MAC_LEN])
{
	uint8_t key[4 + sizeof(address->addr)] = {(uint8_t)(vni >> 24), (uint8_t)(vni >> 16), (uint8_t)(vni >> 8),
						  (uint8_t)vni};
	uint64_t hash;

	if (address->family == AF_INET) {
		ret_mac[0] = 0x0e;
		ret_mac[1] = (uint8_t)vni;
		memcpy(ret_mac + 2, address->addr, 4);
		return;
	}
	memcpy(key + 4, address->addr, sizeof(address->addr));
	hash = fl_hash(FL_HASH_INIT, key, sizeof(key));
	ret_mac[0] = 0x1e;
	for (int i = 1; i < FL_MAC_LEN; i++)
		ret_mac[i] = (uint8_t)(hash >> (8 * i));
}
