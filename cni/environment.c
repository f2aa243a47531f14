/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

#define NEEDED(verb) (1U << (verb))

/* longest interface name without its terminating zero */
#define IFNAME_MAX 15

bool cni_name_is_valid(const char *name)
{
	const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (const char *at = name; *at != '\0'; at++) {
		if (!strchr(letters, *at) && (at == name || !strchr("_.-", *at)))
			return false;
	}
	return name[0] != '\0';
}

/* does a white space character outside of ASCII (Unicode property White_Space) begin at text */
static bool is_unicode_blank(const char *text)
{
	const char *const blanks[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8",
				      "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

	/* U+2000 to U+200A */
	if (strncmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8a)
		return true;
	for (size_t i = 0; i < CNI_N_ELEMENTS(blanks); i++) {
		if (strncmp(text, blanks[i], strlen(blanks[i])) == 0)
			return true;
	}
	return false;
}

/* the rule for container ids */
static int check_container_id(const char *id, struct cni_error *error)
{
	if (cni_name_is_valid(id))
		return 0;
	return cni_fail_details(
		error, CNI_ERROR_ENVIRONMENT, id,
		"CNI_CONTAINERID is \"%s\", expected letters, digits, and after the first \"_\", \".\", \"-\"", id);
}

const char *cni_ifname_complaint(const char *name)
{
	if (name[0] == '\0' || strlen(name) > IFNAME_MAX)
		return "1 to 15 bytes";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "another name than . or ..";
	for (const char *at = name; *at != '\0'; at++) {
		if (*at == '/' || *at == ':' || isspace((unsigned char)*at) || is_unicode_blank(at))
			return "a name without \"/\", \":\" and white space";
	}
	return NULL;
}

/* the rule for interface names; an empty one was not given */
static int check_ifname(const char *name, struct cni_error *error)
{
	const char *why = name[0] != '\0' ? cni_ifname_complaint(name) : NULL;

	return why ? cni_fail(error, CNI_ERROR_ENVIRONMENT, "CNI_IFNAME is \"%s\", expected %s", name, why) : 0;
}

/* no rule */
static int check_nothing(const char *value, struct cni_error *error)
{
	(void)value;
	(void)error;
	return 0;
}

/* a variable: the verbs that need it, and its rule, which counts for those verbs only */
struct variable {
	const char *name;
	unsigned int needed;
	size_t offset; /* in struct cni_request */
	int (*check)(const char *value, struct cni_error *error);
};

#define ATTACHMENT (NEEDED(CNI_VERB_ADD) | NEEDED(CNI_VERB_CHECK) | NEEDED(CNI_VERB_DEL))

static const struct variable variables[] = {
	{"CNI_CONTAINERID", ATTACHMENT, offsetof(struct cni_request, container_id), check_container_id},
	{"CNI_NETNS", NEEDED(CNI_VERB_ADD) | NEEDED(CNI_VERB_CHECK), offsetof(struct cni_request, netns),
	 check_nothing},
	{"CNI_IFNAME", ATTACHMENT, offsetof(struct cni_request, ifname), check_ifname},
	{"CNI_ARGS", 0, offsetof(struct cni_request, args), check_nothing},
	{"CNI_PATH", ATTACHMENT | NEEDED(CNI_VERB_STATUS) | NEEDED(CNI_VERB_GC), offsetof(struct cni_request, path),
	 check_nothing},
};

/* reads one variable into the request; appends its name to missing if it should be there */
static int read_variable(const struct variable *variable, struct cni_request *request, char *missing, size_t size,
			 struct cni_error *error)
{
	const char *value = getenv(variable->name);
	bool needed = variable->needed & NEEDED(request->verb);
	size_t len = strlen(missing);

	if (!value)
		value = "";
	memcpy((char *)request + variable->offset, &value, sizeof(value));
	if (needed && value[0] == '\0')
		(void)snprintf(missing + len, size - len, "%s%s", len > 0 ? "," : "", variable->name);
	return needed && value[0] != '\0' ? variable->check(value, error) : 0;
}

/* the verb of CNI_COMMAND; verbs are upper-case only */
static bool find_verb(const char *command, enum cni_verb *ret_verb)
{
	for (int verb = 0; verb < CNI_N_VERBS; verb++) {
		if (strcmp(command, cni_verb_name((enum cni_verb)verb)) != 0)
			continue;
		*ret_verb = (enum cni_verb)verb;
		return true;
	}
	return false;
}

int cni_environment_read(const char *command, struct cni_request *ret_request, const char **ret_unknown,
			 struct cni_error *error)
{
	struct cni_request request = {.container_id = "", .netns = "", .ifname = "", .args = "", .path = ""};
	const char *override = getenv("CNI_NETNS_OVERRIDE");
	char missing[128] = "";

	if (!find_verb(command, &request.verb)) {
		*ret_request = request;
		*ret_unknown = command;
		return 0;
	}
	for (size_t i = 0; i < CNI_N_ELEMENTS(variables); i++) {
		if (read_variable(&variables[i], &request, missing, sizeof(missing), error) < 0)
			return -1;
	}
	if (missing[0] != '\0')
		return cni_fail(error, CNI_ERROR_ENVIRONMENT, "required environment variables [%s] are missing",
				missing);
	request.netns_override = override && (strcasecmp(override, "true") == 0 || strcmp(override, "1") == 0);
	*ret_request = request;
	return 1;
}
