/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/port_map/port_condition.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/hash.h"
#include "domain/firewall/nft_command.h"

#define AREA "config"
#define WORD_SIZE 128

/* the options of iptables that we know */
static const struct option {
	const char *name;
	enum fl_port_condition_type type;
} options[] = {
	{"-s", FL_PORT_CONDITION_SADDR},
	{"--src", FL_PORT_CONDITION_SADDR},
	{"-d", FL_PORT_CONDITION_DADDR},
	{"--dst", FL_PORT_CONDITION_DADDR},
	{"-i", FL_PORT_CONDITION_IIFNAME},
	{"--source", FL_PORT_CONDITION_SADDR},
	{"--destination", FL_PORT_CONDITION_DADDR},
	{"--in-interface", FL_PORT_CONDITION_IIFNAME},
};

/* one word after the other, wherever the blanks are */
struct words {
	const char *const *texts;
	size_t n_texts;
	size_t text;     /* the next word is in this text */
	size_t position; /* from here on */
	const char *key;
};

/* takes the next word: 1, 0 at the end, negative if it is too long to be one */
static int next_word(struct words *words, char word[WORD_SIZE], struct flannel_error **ret_error)
{
	size_t len = 0;

	while (words->text < words->n_texts) {
		const char *text = words->texts[words->text];

		while (isspace((unsigned char)text[words->position]))
			words->position++;
		while (text[words->position + len] != '\0' && !isspace((unsigned char)text[words->position + len]))
			len++;
		if (len >= WORD_SIZE)
			return fl_error_set(ret_error, -EINVAL, AREA, "a word is too long", "%s", words->key);
		if (len > 0) {
			memcpy(word, text + words->position, len);
			word[len] = '\0';
			words->position += len;
			return 1;
		}
		words->text++;
		words->position = 0;
	}
	return 0;
}

/* the same where a word has to come */
static int expect_word(struct words *words, const char *before, char word[WORD_SIZE], struct flannel_error **ret_error)
{
	int r = next_word(words, word, ret_error);

	if (r == 0)
		return fl_error_set(ret_error, -EINVAL, AREA, NULL, "%s ends after \"%s\", expected a value",
				    words->key, before);
	return r < 0 ? r : 0;
}

/* reads the network of a condition */
static int read_network(const struct words *words, const char *word, int family, struct flannel_prefix *ret_prefix,
			struct flannel_error **ret_error)
{
	struct flannel_prefix prefix;

	if (flannel_prefix_parse(word, &prefix) < 0 || prefix.family != family)
		return fl_error_set(ret_error, -EINVAL, AREA, NULL, "%s has \"%s\", expected an IPv%d network",
				    words->key, word, family == AF_INET ? 4 : 6);
	*ret_prefix = flannel_prefix_mask(prefix);
	return 0;
}

/* reads the name of a link, with or without quotes */
static int read_link(const struct words *words, char *word, char ret_link[FLANNEL_IFNAME_SIZE],
		     struct flannel_error **ret_error)
{
	size_t len = strlen(word);

	if (len >= 2 && word[0] == '"' && word[len - 1] == '"') {
		word[len - 1] = '\0';
		word++;
		len -= 2;
	}
	/* nft would take a "*" at the end for any name that begins so */
	if (len == 0 || len >= FLANNEL_IFNAME_SIZE || strpbrk(word, "*+/\"{}"))
		return fl_error_set(ret_error, -EINVAL, AREA, NULL, "%s has \"%s\", expected the name of a link",
				    words->key, word);
	memset(ret_link, 0, FLANNEL_IFNAME_SIZE);
	memcpy(ret_link, word, len);
	return 0;
}

/* reads the last word of a condition */
static int read_value(const struct words *words, char *word, int family, struct fl_port_condition *condition,
		      struct flannel_error **ret_error)
{
	if (condition->type == FL_PORT_CONDITION_IIFNAME)
		return read_link(words, word, condition->link, ret_error);
	return read_network(words, word, family, &condition->prefix, ret_error);
}

/* a beginning that we do not know */
static int refuse(const struct words *words, const char *word, int family, struct flannel_error **ret_error)
{
	const char *protocol = family == AF_INET ? "ip" : "ip6";

	return fl_error_set(ret_error, -EOPNOTSUPP, AREA, NULL,
			    "%s has \"%s\", expected %s saddr, %s daddr, iifname, -s, -d or -i", words->key, word,
			    protocol, protocol);
}

/* Reads what nft's language has before the value of a condition, and the value. word: the first, later the last one. */
static int read_nft(struct words *words, char word[WORD_SIZE], int family, struct fl_port_condition *condition,
		    struct flannel_error **ret_error)
{
	const char *protocol = family == AF_INET ? "ip" : "ip6";
	bool is_address = strcmp(word, protocol) == 0;
	int r = 0;

	if (is_address || strcmp(word, "meta") == 0)
		r = expect_word(words, word, word, ret_error);
	if (r < 0)
		return r;
	if (is_address && strcmp(word, "saddr") == 0)
		condition->type = FL_PORT_CONDITION_SADDR;
	else if (is_address && strcmp(word, "daddr") == 0)
		condition->type = FL_PORT_CONDITION_DADDR;
	else if (!is_address && strcmp(word, "iifname") == 0)
		condition->type = FL_PORT_CONDITION_IIFNAME;
	else
		return refuse(words, word, family, ret_error);
	r = expect_word(words, word, word, ret_error);
	if (r < 0)
		return r;
	condition->negated = strcmp(word, "!=") == 0 || strcmp(word, "ne") == 0;
	if (condition->negated || strcmp(word, "==") == 0 || strcmp(word, "eq") == 0)
		r = expect_word(words, word, word, ret_error);
	return r < 0 ? r : read_value(words, word, family, condition, ret_error);
}

/* an option of iptables: what it is about, -1 if it is none of ours */
static int find_option(const char *word)
{
	for (size_t i = 0; i < FL_N_ELEMENTS(options); i++)
		if (strcmp(options[i].name, word) == 0)
			return (int)options[i].type;
	return -1;
}

/* the same in the language of iptables */
static int read_iptables(struct words *words, char word[WORD_SIZE], int family, struct fl_port_condition *condition,
			 struct flannel_error **ret_error)
{
	int option, r = 0;

	condition->negated = strcmp(word, "!") == 0;
	if (condition->negated)
		r = expect_word(words, word, word, ret_error);
	if (r < 0)
		return r;
	option = find_option(word);
	if (option < 0)
		return refuse(words, word, family, ret_error);
	condition->type = (enum fl_port_condition_type)option;
	r = expect_word(words, word, word, ret_error);
	return r < 0 ? r : read_value(words, word, family, condition, ret_error);
}

/* does a condition leave no address out */
static bool is_void(const struct fl_port_condition *condition)
{
	return condition->type != FL_PORT_CONDITION_IIFNAME && condition->prefix.plen == 0;
}

int fl_port_conditions_parse(const char *const *words, size_t n_words, int family, const char *key,
			     struct fl_port_conditions *ret_conditions, struct flannel_error **ret_error)
{
	struct words all = {.texts = words, .n_texts = n_words, .key = key};
	struct fl_port_conditions conditions = {.n = 0};
	char word[WORD_SIZE];
	int r;

	while ((r = next_word(&all, word, ret_error)) > 0) {
		struct fl_port_condition *condition = &conditions.items[conditions.n];

		if (conditions.n == FL_PORT_CONDITION_MAX)
			return fl_error_set(ret_error, -EINVAL, AREA, NULL, "%s has more than %d conditions", key,
					    FL_PORT_CONDITION_MAX);
		if (word[0] == '-' || word[0] == '!')
			r = read_iptables(&all, word, family, condition, ret_error);
		else
			r = read_nft(&all, word, family, condition, ret_error);
		if (r < 0)
			return r;
		/* nft has no expression for what is always so */
		if (!is_void(condition))
			conditions.n++;
		else if (condition->negated)
			return fl_error_set(ret_error, -EINVAL, AREA, NULL, "%s has \"%s\" negated, which is never met",
					    key, word);
	}
	if (r < 0)
		return r;
	*ret_conditions = conditions;
	return 0;
}

uint64_t fl_port_conditions_hash(uint64_t hash, const struct fl_port_conditions *conditions)
{
	char text[FLANNEL_PREFIX_STRLEN], line[FLANNEL_PREFIX_STRLEN + 16];

	for (size_t i = 0; i < conditions->n; i++) {
		const struct fl_port_condition *condition = &conditions->items[i];
		const char *value = condition->type == FL_PORT_CONDITION_IIFNAME
					    ? condition->link
					    : flannel_prefix_format(&condition->prefix, text, sizeof(text));
		int len = snprintf(line, sizeof(line), "%d %d %s", (int)condition->type, condition->negated, value);

		hash = fl_hash(hash, line, (size_t)len + 1);
	}
	/* so that a condition of one family is none of the other */
	return fl_hash(hash, "", 1);
}

int fl_port_conditions_append(const struct fl_port_conditions *conditions, struct json_object *statements)
{
	int r = 0;

	for (size_t i = 0; i < conditions->n && r >= 0; i++) {
		const struct fl_port_condition *condition = &conditions->items[i];
		const char *protocol = condition->prefix.family == AF_INET6 ? "ip6" : "ip";
		const char *field = condition->type == FL_PORT_CONDITION_SADDR ? "saddr" : "daddr";
		struct json_object *left, *right;

		if (condition->type == FL_PORT_CONDITION_IIFNAME) {
			left = fl_nft_meta("iifname");
			right = fl_json_string(condition->link);
		} else {
			left = fl_nft_payload(protocol, field);
			right = fl_nft_prefix(&condition->prefix);
		}
		r = fl_json_append(statements, fl_nft_match(condition->negated ? "!=" : "==", left, right));
	}
	return r;
}
