/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_VERSION_H
#define CNI_VERSION_H

/* Versions of the CNI specification. */

#include <json-c/json_object.h>
#include <stdbool.h>

#include "error.h"

#define CNI_VERSION_NEWEST "1.1.0"

/* what a configuration without a version means */
#define CNI_VERSION_OLDEST "0.1.0"

/* results of versions in one family differ in nothing but the version's text */
enum cni_family {
	CNI_FAMILY_LEGACY, /* 0.1.0, 0.2.0: ip4 and ip6 */
	CNI_FAMILY_LISTS,  /* 0.3.0 to 0.4.0: interfaces, ips with a version */
	CNI_FAMILY_1       /* 1.0.0, 1.1.0 */
};

/* the text itself must be one of the versions; *ret_family may be NULL */
bool cni_version_is_known(const char *version, enum cni_family *ret_family);

/* the same version as a text that lives as long as the process; the newest one if it is not known */
const char *cni_version_text(const char *version);

/* is a version, which need not be a known one, at least that? CNI_ERROR_DECODING if it is no version at all. */
int cni_version_at_least(const char *version, const char *least, bool *ret, struct cni_error *error);

/* is a version known, and not older than the oldest that a plugin serves (NULL: CNI_VERSION_OLDEST) */
bool cni_version_is_served(const char *version, const char *oldest);

/* the versions that a plugin serves as a list of texts; NULL without memory */
struct json_object *cni_version_list(const char *oldest);

#endif
