/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

/*
 * The result of an ADD as a value of the newest form. Reading converts from any version, writing to any; what a version
 * cannot express is left out or, where nothing would be left, an error.
 */

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <flannel/prefix.h>

#include "error.h"

struct cni_interface {
	char *name;
	char *mac;
	char *sandbox;
	int64_t mtu; /* 0: not given */
	char *socket_path;
	char *pci_id;
};

struct cni_ip {
	struct flannel_prefix address;
	struct flannel_prefix gateway; /* AF_UNSPEC for none */
	int interface;                 /* index in interfaces, -1 for none */
};

struct cni_route {
	struct flannel_prefix dst; /* host bits kept */
	struct flannel_prefix gw;  /* AF_UNSPEC for none */
	int64_t mtu;               /* 0: not given; so are the next two */
	int64_t advmss;
	int64_t priority;
	int64_t table; /* -1: not given */
	int64_t scope; /* -1: not given */
};

struct cni_result {
	struct cni_interface *interfaces;
	size_t n_interfaces;
	struct cni_ip *ips;
	size_t n_ips;
	struct cni_route *routes;
	size_t n_routes;
	struct json_object
		*dns; /* nameservers, domain, search, options; those that are empty are left out. NULL: none */
};

/* Reads a result. The form is that of its own cniVersion, or of version if it has none. path is for messages. */
int cni_result_parse(struct json_object *object, const char *version, const char *path, struct cni_result *ret_result,
		     struct cni_error *error);

/* The same for prevResult, which must be of the family of version. */
int cni_result_parse_previous(struct json_object *object, const char *version, struct cni_result *ret_result,
			      struct cni_error *error);

/* The result in the form of version, in the order of keys that the Go programs print. */
int cni_result_format(const struct cni_result *result, const char *version, struct json_object **ret_object,
		      struct cni_error *error);

/* can a result with these addresses be written in that version? -1 if not */
int cni_result_check_version(bool has_addresses, const char *version, struct cni_error *error);

void cni_result_clear(struct cni_result *result);

/* these append to a result, taking nothing over; they return what was added, or NULL without memory */
struct cni_interface *cni_result_add_interface(struct cni_result *result, const char *name, const char *mac,
					       const char *sandbox);
struct cni_ip *cni_result_add_ip(struct cni_result *result, const struct flannel_prefix *address,
				 const struct flannel_prefix *gateway, int interface);
struct cni_route *cni_result_add_route(struct cni_result *result, const struct cni_route *route);

/* routes of a configuration or a result: a list of objects under key */
int cni_routes_parse(struct json_object *object, const char *path, const char *key, struct cni_result *result,
		     struct cni_error *error);

/* one route with its keys in the order of the old forms; NULL without memory */
struct json_object *cni_route_format(const struct cni_route *route);

/* the four members of dns as far as they are not empty, in the order of the old forms; *ret_dns is NULL if all are empty */
int cni_dns_parse(struct json_object *object, const char *path, struct json_object **ret_dns, struct cni_error *error);

#endif
