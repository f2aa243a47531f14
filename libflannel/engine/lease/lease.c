/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/event.h"
#include "engine/lease/request.h"

/*
 * flannel_lease_acquire(): a request whose news become events of the host.
 */

/* which event a report is; 0 for those that the host does not see */
static const enum flannel_event_type event_types[] = {
	[FL_REQUEST_ACQUIRED] = FLANNEL_EVENT_LEASE_ACQUIRED,
	[FL_REQUEST_RENEWED] = FLANNEL_EVENT_LEASE_RENEWED,
	[FL_REQUEST_LOST] = FLANNEL_EVENT_LEASE_LOST,
	[FL_REQUEST_FAILED] = FLANNEL_EVENT_LEASE_FAILED,
	[FL_REQUEST_PEER_ADDED] = FLANNEL_EVENT_PEER_ADDED,
	[FL_REQUEST_PEER_CHANGED] = FLANNEL_EVENT_PEER_CHANGED,
	[FL_REQUEST_PEER_REMOVED] = FLANNEL_EVENT_PEER_REMOVED,
	[FL_REQUEST_STORE_LOST] = FLANNEL_EVENT_STORE_LOST,
	[FL_REQUEST_STORE_BACK] = FLANNEL_EVENT_STORE_BACK,
	[FL_REQUEST_CONFIG_CHANGED] = FLANNEL_EVENT_CONFIG_CHANGED,
};

/* what there is to say of an event that has neither lease nor error */
static const char *bare_text(enum flannel_event_type type)
{
	if (type == FLANNEL_EVENT_STORE_BACK)
		return "the store answers again";
	if (type == FLANNEL_EVENT_CONFIG_CHANGED)
		return "the network configuration in the store is again the one in use";
	return "the store does not answer";
}

void fl_request_emit(struct flannel_context *context, const void *source, void *userdata,
		     const struct fl_request_news *news)
{
	struct flannel_lease *lease = news->peer ? news->peer->lease : news->lease;
	enum flannel_event_type type = event_types[news->report];
	char key[2 * FLANNEL_PREFIX_STRLEN], text[FLANNEL_PREFIX_STRLEN] = "";
	struct flannel_prefix address;

	if (!type)
		return;
	if (news->error) {
		fl_event_emit(context, source, userdata, type, NULL, news->error, "%s",
			      flannel_error_get_message(news->error));
		return;
	}
	if (!lease) {
		fl_event_emit(context, source, userdata, type, NULL, NULL, "%s", bare_text(type));
		return;
	}
	if (flannel_lease_get_public_ip(lease, AF_INET, &address) > 0 ||
	    flannel_lease_get_public_ip(lease, AF_INET6, &address) > 0)
		flannel_prefix_format_address(&address, text, sizeof(text));
	fl_event_emit(context, source, userdata, type, lease, NULL, "%s%s%s",
		      flannel_lease_format_key(lease, key, sizeof(key)), text[0] ? " of " : "", text);
}

/* a request's news for the host; a configuration must suit the addresses that the host gave */
static int on_news(void *userdata, struct flannel_request *request, const struct fl_request_news *news,
		   struct flannel_error **ret_error)
{
	if (news->report == FL_REQUEST_CONFIG)
		return fl_request_check_identity(request, ret_error);
	fl_request_emit(fl_request_get_context(request), request, userdata, news);
	return 0;
}

/* an address option; NULL is none */
static int parse_address(const char *text, int family, const char *option, struct flannel_prefix *ret_address,
			 struct flannel_error **ret_error)
{
	struct flannel_prefix address = {0};

	if (text && (flannel_prefix_parse(text, &address) < 0 || address.family != family || strchr(text, '/')))
		return fl_error_set(ret_error, -EINVAL, "argument",
				    family == AF_INET ? "expected an IPv4 address" : "expected an IPv6 address",
				    "%s is \"%s\"", option, text);
	*ret_address = address;
	return 0;
}

/* a subnet held before; AF_UNSPEC is none */
static int check_previous(const struct flannel_prefix *previous, int family, const char *option,
			  struct flannel_error **ret_error)
{
	char text[FLANNEL_PREFIX_STRLEN];

	if (!previous->family || (previous->family == family && flannel_prefix_is_network(previous)))
		return 0;
	return fl_error_set(ret_error, -EINVAL, "argument", "expected a subnet with host bits zero", "%s is %s", option,
			    flannel_prefix_format(previous, text, sizeof(text)));
}

/* all that can be checked before the configuration is known */
static int check_options(const struct flannel_lease_options *options, struct fl_request_options *ret_request,
			 struct fl_identity *ret_identity, struct flannel_error **ret_error)
{
	struct fl_request_options request = {.lease_sec = options->lease_sec};
	struct fl_identity identity = {.backend_type = options->backend_type};
	int r = parse_address(options->public_ip, AF_INET, "public_ip", &identity.public_ip, ret_error);

	if (r >= 0)
		r = parse_address(options->public_ip6, AF_INET6, "public_ip6", &identity.public_ip6, ret_error);
	if (r >= 0)
		r = check_previous(&options->previous, AF_INET, "previous", ret_error);
	if (r >= 0)
		r = check_previous(&options->previous6, AF_INET6, "previous6", ret_error);
	if (r < 0)
		return r;
	if (!identity.public_ip.family && !identity.public_ip6.family)
		return fl_error_set(ret_error, -EINVAL, "argument", "at least one is needed",
				    "public_ip and public_ip6 are NULL");
	identity.backend_data = options->backend_data;
	identity.backend_v6_data = options->backend_v6_data;
	request.renew_margin_sec = options->renew_margin_sec;
	request.previous = (struct fl_subnet_choice){.subnet = options->previous, .subnet6 = options->previous6};
	*ret_request = request;
	*ret_identity = identity;
	return 0;
}

int flannel_lease_acquire(struct flannel_context *context, struct flannel_store *store,
			  const struct flannel_lease_options *options, struct flannel_request **ret_request,
			  struct flannel_error **ret_error)
{
	struct flannel_lease_options copy;
	struct fl_request_options request_options;
	struct fl_identity identity;
	struct flannel_request *request;
	int r;

	if (!context || !store || !options || !ret_request)
		return fl_error_set(ret_error, -EINVAL, "argument", "a parameter is NULL", "acquire a lease");
	r = fl_options_copy(&copy, sizeof(copy), sizeof(copy), options, "flannel_lease_options", ret_error);
	if (r >= 0)
		r = check_options(&copy, &request_options, &identity, ret_error);
	if (r >= 0)
		r = fl_request_new(context, store, &request_options, on_news, copy.userdata, &request, ret_error);
	if (r < 0)
		return r;
	r = fl_request_set_identity(request, &identity, ret_error);
	if (r < 0) {
		flannel_request_free(request);
		return r;
	}
	*ret_request = request;
	return 0;
}
