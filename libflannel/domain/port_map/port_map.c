/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/port_map/port_map.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "domain/hash.h"

#define AREA "argument"

enum {
	HASH_DIGITS = 16,
	NETWORK_PREFIX = HASH_DIGITS + 1,                /* the hash, "-" */
	OWNER_PREFIX = NETWORK_PREFIX + HASH_DIGITS + 1, /* another one, " " */
	ADDRESS_MAX = 16,
};

/* the sets of a family, in the order in which elements are made and looked up */
enum kind { ADDRESS, PORT, HOST_ADDRESS, HOST_PORT, HAIRPIN, ALL, N_KINDS };

const char *const fl_port_map_sets[] = {"address4", "port4", "host-address4", "host-port4", "hairpin4", "all4",
					"address6", "port6", "host-address6", "host-port6", "hairpin6", "all6",
					NULL};

/* the name of a set */
static const char *set_name(enum kind kind, int family)
{
	return fl_port_map_sets[(int)kind + (family == AF_INET6 ? N_KINDS : 0)];
}

/* bytes of an address */
static size_t address_len(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

int fl_port_map_check_network(const char *network, struct flannel_error **ret_error)
{
	if (network && network[0] != '\0')
		return 0;
	return fl_error_set(ret_error, -EINVAL, AREA, "expected the name of a network", "check port mappings");
}

/* an attachment, which may be NULL */
static int check_attachment(const struct flannel_attachment_id *attachment, struct flannel_error **ret_error)
{
	if (attachment && attachment->size == sizeof(*attachment) && attachment->container_id &&
	    attachment->container_id[0] != '\0' && attachment->ifname && attachment->ifname[0] != '\0' &&
	    strlen(attachment->ifname) < FLANNEL_IFNAME_SIZE)
		return 0;
	return fl_error_set(ret_error, -EINVAL, AREA, "expected a container id and an interface name",
			    "check the attachment of port mappings");
}

/* is this an address alone, or none */
static bool is_address(const struct flannel_prefix *prefix, int family)
{
	return prefix->family == AF_UNSPEC || (prefix->family == family && prefix->plen <= 8 * address_len(family));
}

/* checks one mapping */
static int check_mapping(const struct flannel_port_mapping *mapping, size_t index, struct flannel_error **ret_error)
{
	const struct flannel_prefix *host = &mapping->host_address;
	const char *expected = NULL;

	if (mapping->size != sizeof(*mapping))
		expected = "expected .size to be that of this library's struct";
	else if (mapping->protocol != IPPROTO_TCP && mapping->protocol != IPPROTO_UDP &&
		 mapping->protocol != IPPROTO_SCTP)
		expected = "expected TCP, UDP or SCTP";
	else if (mapping->host_port == 0 || mapping->container_port == 0)
		expected = "expected ports from 1 to 65535";
	else if (host->family != AF_UNSPEC &&
		 ((host->family != AF_INET && host->family != AF_INET6) || host->plen != 8 * address_len(host->family)))
		expected = "expected the address alone, of the node";
	if (!expected)
		return 0;
	return fl_error_set(ret_error, -EINVAL, AREA, expected, "check port mapping %zu", index);
}

int fl_port_map_check_options(const struct flannel_port_map_options *options, struct flannel_error **ret_error)
{
	int r = fl_port_map_check_network(options->network, ret_error);

	if (r >= 0)
		r = check_attachment(options->attachment, ret_error);
	if (r < 0)
		return r;
	if (options->flags & ~(unsigned int)(FLANNEL_PORT_MAP_SNAT | FLANNEL_PORT_MAP_MASQUERADE_ALL))
		return fl_error_set(ret_error, -EINVAL, AREA, "unknown bits", "check port mapping flags 0x%x",
				    options->flags);
	if (!is_address(&options->ipv4, AF_INET) || !is_address(&options->ipv6, AF_INET6))
		return fl_error_set(ret_error, -EINVAL, AREA, "expected an IPv4 and an IPv6 address, or none",
				    "check the container's addresses of port mappings");
	if ((!options->mappings && options->n_mappings > 0) ||
	    (!options->conditions_ipv4 && options->n_conditions_ipv4 > 0) ||
	    (!options->conditions_ipv6 && options->n_conditions_ipv6 > 0))
		return fl_error_set(ret_error, -EINVAL, AREA, "a list is NULL but not empty", "check port mappings");
	for (size_t i = 0; i < options->n_mappings && r >= 0; i++)
		r = check_mapping(&options->mappings[i], i, ret_error);
	return r;
}

int fl_port_map_choose_table(const struct flannel_port_map_options *options, struct fl_port_map_table *ret_table,
			     struct flannel_error **ret_error)
{
	struct fl_port_map_table table;
	uint64_t hash;
	int r;

	r = fl_port_conditions_parse(options->conditions_ipv4, options->n_conditions_ipv4, AF_INET, "conditionsV4",
				     &table.ipv4, ret_error);
	if (r >= 0)
		r = fl_port_conditions_parse(options->conditions_ipv6, options->n_conditions_ipv6, AF_INET6,
					     "conditionsV6", &table.ipv6, ret_error);
	if (r < 0)
		return r;
	hash = fl_port_conditions_hash(fl_port_conditions_hash(FL_HASH_INIT, &table.ipv4), &table.ipv6);
	if (table.ipv4.n + table.ipv6.n > 0)
		(void)snprintf(table.name, sizeof(table.name), FL_PORT_MAP_TABLE "-%016" PRIx64, hash);
	else
		(void)snprintf(table.name, sizeof(table.name), FL_PORT_MAP_TABLE);
	*ret_table = table;
	return 0;
}

const char *fl_port_map_owner_text(const char *comment)
{
	return strlen(comment) > OWNER_PREFIX ? comment + OWNER_PREFIX : "";
}

/* elements that are being made */
struct elements {
	struct fl_nft_element *items;
	size_t n;
	char owner[FL_NFT_COMMENT_MAX + 1];
};

/* room for all elements that n mappings can need */
static int allocate(struct elements *elements, size_t n_mappings)
{
	elements->items = calloc(4 * n_mappings + 6, sizeof(*elements->items));
	return elements->items ? 0 : -ENOMEM;
}

/* appends an element of a set; to be given its key, and its data in a map */
static struct fl_nft_element *append(struct elements *elements, enum kind kind, int family)
{
	struct fl_nft_element *element = &elements->items[elements->n++];

	element->set = set_name(kind, family);
	memcpy(element->comment, elements->owner, sizeof(element->comment));
	return element;
}

/* is a mapping for all addresses of a family, and not for one */
static bool is_unspecific(const struct flannel_port_mapping *mapping)
{
	const struct flannel_prefix none = {.family = mapping->host_address.family, .plen = mapping->host_address.plen};

	return mapping->host_address.family == AF_UNSPEC || memcmp(&none, &mapping->host_address, sizeof(none)) == 0;
}

/* does a mapping concern a family at all */
static bool is_of_family(const struct flannel_port_mapping *mapping, int family)
{
	return mapping->host_address.family == AF_UNSPEC || mapping->host_address.family == family;
}

/* the key of a mapping */
static void put_key(struct fl_nft_value *key, const struct flannel_port_mapping *mapping)
{
	const uint8_t protocol = (uint8_t)mapping->protocol;
	const uint16_t port = htons(mapping->host_port);

	if (!is_unspecific(mapping))
		fl_nft_value_append(key, mapping->host_address.addr, address_len(mapping->host_address.family));
	fl_nft_value_append(key, &protocol, sizeof(protocol));
	fl_nft_value_append(key, &port, sizeof(port));
}

/* appends the elements of one kind, unless they are there: 0, -EINVAL */
static int want_kind(const struct flannel_port_map_options *options, int family, enum kind kind,
		     const struct flannel_prefix *address, struct elements *elements, struct flannel_error **ret_error)
{
	size_t first = elements->n;

	for (size_t i = 0; i < options->n_mappings; i++) {
		const struct flannel_port_mapping *mapping = &options->mappings[i];
		const uint16_t port = htons(mapping->container_port);
		struct fl_nft_element *element;
		char text[FL_PORT_MAP_TEXT_SIZE];

		if (!is_of_family(mapping, family) || is_unspecific(mapping) != (kind == ADDRESS || kind == PORT))
			continue;
		element = append(elements, kind, family);
		put_key(&element->key, mapping);
		element->data = kind == ADDRESS || kind == HOST_ADDRESS
					? fl_nft_value_of(address->addr, address_len(family))
					: fl_nft_value_of(&port, sizeof(port));
		for (const struct fl_nft_element *other = &elements->items[first]; other < element; other++) {
			if (memcmp(&other->key, &element->key, sizeof(element->key)) != 0)
				continue;
			if (memcmp(&other->data, &element->data, sizeof(element->data)) != 0)
				return fl_error_set(ret_error, -EINVAL, AREA, "expected each port once",
						    "check port mappings: %s leads to two ports",
						    fl_port_map_format(element, text));
			memset(element, 0, sizeof(*element));
			elements->n--;
			break;
		}
	}
	return 0;
}

/* appends who gets the node's address as source */
static void want_masquerade(const struct flannel_port_map_options *options, int family,
			    const struct flannel_prefix *address, struct elements *elements)
{
	const uint8_t loopback[4] = {127, 0, 0, 1};
	const size_t len = address_len(family);
	struct fl_nft_value *key;

	if (options->flags & FLANNEL_PORT_MAP_MASQUERADE_ALL) {
		append(elements, ALL, family)->key = fl_nft_value_of(address->addr, len);
		return;
	}
	key = &append(elements, HAIRPIN, family)->key;
	fl_nft_value_append(key, address->addr, len);
	fl_nft_value_append(key, address->addr, len);
	if (family == AF_INET6)
		return;
	key = &append(elements, HAIRPIN, family)->key;
	fl_nft_value_append(key, loopback, len);
	fl_nft_value_append(key, address->addr, len);
}

/* appends all of one family */
static int want_family(const struct flannel_port_map_options *options, const struct flannel_prefix *address,
		       struct elements *elements, struct flannel_error **ret_error)
{
	const enum kind kinds[] = {ADDRESS, PORT, HOST_ADDRESS, HOST_PORT};
	size_t before = elements->n;

	if (address->family == AF_UNSPEC)
		return 0;
	for (size_t i = 0; i < FL_N_ELEMENTS(kinds); i++) {
		int r = want_kind(options, address->family, kinds[i], address, elements, ret_error);

		if (r < 0)
			return r;
	}
	if ((options->flags & FLANNEL_PORT_MAP_SNAT) && elements->n > before)
		want_masquerade(options, address->family, address, elements);
	return 0;
}

int fl_port_map_want(const struct flannel_port_map_options *options, struct fl_nft_element **ret_elements,
		     size_t *ret_n, struct flannel_error **ret_error)
{
	struct elements elements = {.n = 0};
	int r;

	if (allocate(&elements, options->n_mappings) < 0)
		return fl_error_oom(ret_error);
	fl_element_owner_format(options->network, options->attachment, elements.owner);
	r = want_family(options, &options->ipv4, &elements, ret_error);
	if (r >= 0)
		r = want_family(options, &options->ipv6, &elements, ret_error);
	if (r < 0) {
		free(elements.items);
		return r;
	}
	*ret_elements = elements.items;
	*ret_n = elements.n;
	return 0;
}

int fl_port_map_keys(const struct flannel_port_map_options *options, struct fl_nft_element **ret_elements,
		     size_t **ret_index, size_t *ret_n, struct flannel_error **ret_error)
{
	const int families[] = {AF_INET, AF_INET6};
	FL_CLEANUP(fl_freep) size_t *index = calloc(2 * options->n_mappings + 1, sizeof(*index));
	struct elements elements = {.n = 0};

	if (!index || allocate(&elements, options->n_mappings) < 0)
		return fl_error_oom(ret_error);
	for (size_t f = 0; f < FL_N_ELEMENTS(families); f++) {
		for (size_t i = 0; i < options->n_mappings; i++) {
			const struct flannel_port_mapping *mapping = &options->mappings[i];
			enum kind kind = is_unspecific(mapping) ? ADDRESS : HOST_ADDRESS;

			if (!is_of_family(mapping, families[f]))
				continue;
			index[elements.n] = i;
			put_key(&append(&elements, kind, families[f])->key, mapping);
		}
	}
	*ret_elements = elements.items;
	*ret_index = FL_TAKE(index);
	*ret_n = elements.n;
	return 0;
}

/* the place of an element's set among the names, which says all of it */
static size_t set_index(const struct fl_nft_element *element)
{
	size_t i = 0;

	while (fl_port_map_sets[i] && strcmp(fl_port_map_sets[i], element->set) != 0)
		i++;
	return i;
}

/* the family and kind of an element of ours */
static int family_of(const struct fl_nft_element *element)
{
	return set_index(element) < N_KINDS ? AF_INET : AF_INET6;
}

static enum kind kind_of(const struct fl_nft_element *element)
{
	return (enum kind)(set_index(element) % N_KINDS);
}

bool fl_port_map_is_address(const struct fl_nft_element *element)
{
	return kind_of(element) == ADDRESS || kind_of(element) == HOST_ADDRESS;
}

size_t fl_port_map_companions(const struct fl_nft_element *element,
			      struct fl_nft_element ret_companions[FL_PORT_MAP_COMPANIONS_MAX])
{
	struct elements companions = {.items = ret_companions};
	const int family = family_of(element);
	const struct flannel_port_map_options hairpin = {.flags = 0}, all = {.flags = FLANNEL_PORT_MAP_MASQUERADE_ALL};
	struct flannel_prefix address = {.family = (uint16_t)family};

	memset(ret_companions, 0, FL_PORT_MAP_COMPANIONS_MAX * sizeof(*ret_companions));
	append(&companions, kind_of(element) == ADDRESS ? PORT : HOST_PORT, family)->key = element->key;
	memcpy(address.addr, element->data.bytes, address_len(family));
	want_masquerade(&hairpin, family, &address, &companions);
	want_masquerade(&all, family, &address, &companions);
	return companions.n;
}

const char *fl_port_map_format_data(const struct fl_nft_element *element, char buf[FLANNEL_PREFIX_STRLEN])
{
	struct flannel_prefix address = {.family = (uint16_t)family_of(element)};
	uint16_t port;

	if (fl_port_map_is_address(element)) {
		memcpy(address.addr, element->data.bytes, address_len(address.family));
		return flannel_prefix_format_address(&address, buf, FLANNEL_PREFIX_STRLEN);
	}
	memcpy(&port, element->data.bytes, sizeof(port));
	(void)snprintf(buf, FLANNEL_PREFIX_STRLEN, "port %u", ntohs(port));
	return buf;
}

/* the name of a protocol */
static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "sctp";
}

const char *fl_port_map_format(const struct fl_nft_element *element, char buf[FL_PORT_MAP_TEXT_SIZE])
{
	const size_t len = address_len(family_of(element));
	struct flannel_prefix address = {.family = (uint16_t)family_of(element)};
	const uint8_t *key = element->key.bytes;
	char text[FLANNEL_PREFIX_STRLEN] = "";
	uint16_t port;

	switch (kind_of(element)) {
	case HOST_ADDRESS:
	case HOST_PORT:
		memcpy(address.addr, key, len);
		(void)flannel_prefix_format_address(&address, text, sizeof(text));
		key += len;
		break;
	case HAIRPIN:
	case ALL:
		memcpy(address.addr, key + element->key.len - len, len);
		(void)snprintf(buf, FL_PORT_MAP_TEXT_SIZE, "masquerading towards %s",
			       flannel_prefix_format_address(&address, text, sizeof(text)));
		return buf;
	default:
		break;
	}
	memcpy(&port, key + 4, sizeof(port));
	(void)snprintf(buf, FL_PORT_MAP_TEXT_SIZE, "host port %s %u%s%s", protocol_name(key[0]), ntohs(port),
		       text[0] != '\0' ? " of " : "", text);
	return buf;
}
