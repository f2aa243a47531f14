/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/lease/subnet_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* a file that flanneld wrote has six short lines; whoever wrote a longer one, it was not flanneld */
#define FILE_LEN_MAX 65536

/* bytes of a value after expansion; longer ones are refused, so that variables cannot grow without end */
#define VALUE_SIZE 1024

/* variables that a file may define */
#define N_VARIABLES_MAX 256

/* writes "FLANNEL_x=..." for the network and the subnet of one family; the number of bytes or -EINVAL */
static int format_family(const char *prefix, const struct flannel_prefix *network, const struct flannel_prefix *subnet,
			 char *buf, size_t size, struct flannel_error **ret_error)
{
	char network_text[FLANNEL_PREFIX_STRLEN], host_text[FLANNEL_PREFIX_STRLEN];
	struct flannel_prefix host;

	if (network->family == AF_UNSPEC)
		return 0;
	flannel_prefix_format(network, network_text, sizeof(network_text));
	/* the first host: the address that the bridge gets */
	if (subnet->family != network->family || flannel_prefix_host(subnet, 1, &host) < 0)
		return fl_error_set(ret_error, -EINVAL, "argument", "expected a subnet with a first host",
				    "format subnet file for network %s", network_text);
	return snprintf(buf, size, "FLANNEL_%sNETWORK=%s\nFLANNEL_%sSUBNET=%s\n", prefix, network_text, prefix,
			flannel_prefix_format(&host, host_text, sizeof(host_text)));
}

int fl_subnet_file_format(const struct fl_subnet_file *file, char **ret_text, struct flannel_error **ret_error)
{
	char text[512]; /* four prefixes and their keys, and two short lines */
	int n, r;

	r = format_family("", &file->network, &file->subnet, text, sizeof(text), ret_error);
	if (r < 0)
		return r;
	n = r;
	r = format_family("IPV6_", &file->network6, &file->subnet6, text + n, sizeof(text) - (size_t)n, ret_error);
	if (r < 0)
		return r;
	n += r;
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "FLANNEL_MTU=%u\nFLANNEL_IPMASQ=%s\n", file->mtu,
		       file->ipmasq ? "true" : "false");
	*ret_text = strdup(text);
	return *ret_text ? 0 : fl_error_oom(ret_error);
}

/*
 * Reading. The grammar is that of the dotenv files which flannel reads: statements KEY=VALUE or KEY: VALUE, perhaps
 * with "export" before; comments; quotes; variables of earlier statements in values. One error anywhere makes the whole
 * file void.
 */

struct variable {
	char *key;
	char *value;
};

struct reader {
	const char *at;
	const char *end;
	struct variable variables[N_VARIABLES_MAX];
	size_t n_variables;
};

/* a value while it is put together */
struct value {
	char text[VALUE_SIZE];
	size_t len;
};

/* white space within a line */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* a byte that a key may have */
static bool is_key_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* a byte of a variable's name in a value */
static bool is_name_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* goes to the next byte that is no white space, but not beyond the line */
static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
}

/* goes to the next statement; false at the end */
static bool find_statement(struct reader *reader)
{
	for (; reader->at < reader->end; reader->at++) {
		if (*reader->at == '#') {
			reader->at = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
			if (!reader->at)
				return false;
		}
		if (!is_blank(*reader->at) && *reader->at != '\n')
			return true;
	}
	return false;
}

/* passes over "export" if it stands before the key */
static void skip_export(struct reader *reader)
{
	size_t len = strlen("export");

	if ((size_t)(reader->end - reader->at) > len && memcmp(reader->at, "export", len) == 0 &&
	    is_blank(reader->at[len])) {
		reader->at += len;
		skip_blanks(reader);
	}
}

/* reads the key and its separator; malloc()ed, NULL if there is none or without memory */
static char *read_key(struct reader *reader)
{
	const char *start = reader->at;
	size_t len;

	while (reader->at < reader->end && is_key_byte(*reader->at))
		reader->at++;
	len = (size_t)(reader->at - start);
	skip_blanks(reader);
	if (len == 0 || reader->at == reader->end || (*reader->at != '=' && *reader->at != ':'))
		return NULL;
	reader->at++;
	skip_blanks(reader);
	return strndup(start, len);
}

/* appends bytes to a value; -E2BIG */
static int append(struct value *value, const char *text, size_t len)
{
	if (len >= sizeof(value->text) - value->len)
		return -E2BIG;
	memcpy(value->text + value->len, text, len);
	value->len += len;
	value->text[value->len] = '\0';
	return 0;
}

/* the value that the last statement for a key gave it, "" if there is none */
static const char *look_up(const struct reader *reader, const char *key, size_t len)
{
	for (size_t i = reader->n_variables; i > 0; i--) {
		const struct variable *variable = &reader->variables[i - 1];

		if (variable->value && strlen(variable->key) == len && memcmp(variable->key, key, len) == 0)
			return variable->value;
	}
	return "";
}

/* appends what "$" at text stands for: $NAME, ${NAME}; a lone $ stays. Returns the bytes it took, or -E2BIG. */
static int append_variable(const struct reader *reader, const char *text, const char *end, struct value *value)
{
	const char *name = text + 1, *after;
	const char *found;
	int r;

	if (name < end && *name == '{')
		name++;
	after = name;
	while (after < end && is_name_byte(*after))
		after++;
	if (after == name) {
		r = append(value, "$", 1);
		return r < 0 ? r : 1;
	}
	found = look_up(reader, name, (size_t)(after - name));
	r = append(value, found, strlen(found));
	if (after < end && *after == '}')
		after++;
	return r < 0 ? r : (int)(after - text);
}

/* appends a text with its variables expanded and, between double quotes, its escapes resolved */
static int append_expanded(const struct reader *reader, const char *text, const char *end, bool quoted,
			   struct value *value)
{
	int r, taken;

	for (; text < end; text += taken) {
		taken = 1;
		if (*text == '\\' && text + 1 < end && (quoted || text[1] == '$')) {
			taken = 2;
			if (quoted && text[1] == 'n')
				r = append(value, "\n", 1);
			else if (quoted && text[1] == 'r')
				r = append(value, "\r", 1);
			else
				r = append(value, text + 1, 1);
		} else if (*text == '$') {
			r = taken = append_variable(reader, text, end, value);
		} else {
			r = append(value, text, 1);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* reads a value between quotes; single ones keep everything as it is */
static int read_quoted(struct reader *reader, struct value *value)
{
	char quote = *reader->at;
	const char *text = ++reader->at;

	while (reader->at < reader->end && (*reader->at != quote || reader->at[-1] == '\\'))
		reader->at++;
	if (reader->at == reader->end)
		return -EINVAL;
	reader->at++;
	if (quote == '\'')
		return append(value, text, (size_t)(reader->at - 1 - text));
	return append_expanded(reader, text, reader->at - 1, true, value);
}

/* reads a value up to the end of the line or a comment after white space */
static int read_plain(struct reader *reader, struct value *value)
{
	const char *text = reader->at, *end;

	while (reader->at < reader->end && *reader->at != '\n' && *reader->at != '\r')
		reader->at++;
	end = reader->at;
	/* flannel's behaviour: the last "#" that follows white space begins the comment */
	for (const char *c = end - 1; c > text; c--) {
		if (*c == '#' && is_blank(c[-1])) {
			end = c;
			break;
		}
	}
	while (end > text && is_blank(end[-1]))
		end--;
	return append_expanded(reader, text, end, false, value);
}

/* reads a statement and keeps what it says */
static int read_statement(struct reader *reader)
{
	struct value value = {.len = 0};
	struct variable *variable;
	int r = 0;

	if (reader->n_variables == N_VARIABLES_MAX)
		return -E2BIG;
	skip_export(reader);
	variable = &reader->variables[reader->n_variables];
	variable->key = read_key(reader);
	if (!variable->key)
		return -EINVAL;
	reader->n_variables++; /* without a value until it is complete, so that it cannot refer to itself */
	if (reader->at < reader->end && (*reader->at == '"' || *reader->at == '\''))
		r = read_quoted(reader, &value);
	else if (reader->at < reader->end)
		r = read_plain(reader, &value);
	if (r < 0)
		return r;
	variable->value = strndup(value.text, value.len);
	return variable->value ? 0 : -ENOMEM;
}

/* the network that a key names, host bits masked off; AF_UNSPEC unless its list has exactly one of the family */
static struct flannel_prefix get_network(const struct reader *reader, const char *key, int family)
{
	const char *at = look_up(reader, key, strlen(key));
	struct flannel_prefix network = {0}, prefix;
	char element[FLANNEL_PREFIX_STRLEN];
	size_t len, n = 0;

	for (;; at += len + 1) {
		len = strcspn(at, ",");
		if (len < sizeof(element) && memchr(at, '/', len)) {
			memcpy(element, at, len);
			element[len] = '\0';
			if (flannel_prefix_parse(element, &prefix) == 0 && prefix.family == family) {
				network = flannel_prefix_mask(prefix);
				n++;
			}
		}
		if (!at[len])
			break;
	}
	return n == 1 ? network : (struct flannel_prefix){0};
}

/* a decimal number, 0 if it is none */
static uint32_t get_number(const struct reader *reader, const char *key)
{
	const char *text = look_up(reader, key, strlen(key));
	uint64_t number = 0;

	for (; *text >= '0' && *text <= '9' && number <= UINT32_MAX; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return *text || number > UINT32_MAX ? 0 : (uint32_t)number;
}

void fl_subnet_file_parse(const char *text, size_t len, struct fl_subnet_file *ret_file)
{
	struct reader reader = {.at = text, .end = text ? text + len : NULL}; /* the variables are all NULL */
	int r = 0;

	*ret_file = (struct fl_subnet_file){0};
	if (!text || len > FILE_LEN_MAX || memchr(text, 0, len)) /* text has no zero bytes */
		return;
	while (r == 0 && find_statement(&reader))
		r = read_statement(&reader);
	if (r == 0) {
		ret_file->network = get_network(&reader, "FLANNEL_NETWORK", AF_INET);
		ret_file->subnet = get_network(&reader, "FLANNEL_SUBNET", AF_INET);
		ret_file->network6 = get_network(&reader, "FLANNEL_IPV6_NETWORK", AF_INET6);
		ret_file->subnet6 = get_network(&reader, "FLANNEL_IPV6_SUBNET", AF_INET6);
		ret_file->mtu = get_number(&reader, "FLANNEL_MTU");
		ret_file->ipmasq = strcmp(look_up(&reader, "FLANNEL_IPMASQ", strlen("FLANNEL_IPMASQ")), "true") == 0;
	}
	for (size_t i = 0; i < reader.n_variables; i++) {
		free(reader.variables[i].key);
		free(reader.variables[i].value);
	}
}
