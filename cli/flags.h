/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

/*
 * Command lines as Go's flag package reads them, since flanneld's callers rely on it: one or two dashes, "-x=value" or
 * "-x value", booleans only with "=", the last one wins, the first word that is no flag ends the flags. What a
 * program knows is one table; values land in its own struct by offset. Texts are borrowed from argv and environ.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* what a flag's value is, and the member that its offset points at */
enum flag_kind {
	FLAG_BOOL,    /* bool */
	FLAG_STRING,  /* const char *, never NULL */
	FLAG_INT,     /* int64_t; 0x, 0o, 0b, leading 0 and "_" between digits are understood */
	FLAG_LEVEL,   /* int64_t; decimal, 32 bits */
	FLAG_LIST,    /* struct flag_list; each use appends */
	FLAG_MODULES, /* const char *; "pattern=N,..." */
	FLAG_TRACE,   /* const char *; "file.go:N" or "" */
};

enum flag_property {
	FLAG_SECRET = 1,         /* the value never appears in a message */
	FLAG_NO_ENVIRONMENT = 2, /* has no environment variable */
	FLAG_URL = 4,            /* may contain a password: then it is a secret */
};

enum flag_origin { FLAG_FROM_DEFAULT, FLAG_FROM_COMMAND_LINE, FLAG_FROM_ENVIRONMENT };

struct flag {
	const char *name;
	enum flag_kind kind;
	unsigned int properties;
	size_t offset;
	const char *fallback; /* the default, in the flag's own syntax; NULL for lists */
	const char *help;
};

struct flag_list {
	const char **items;
	size_t n_items;
};

struct flag_set {
	const struct flag *flags;
	size_t n_flags;
	void *values;
	enum flag_origin *origins; /* n_flags elements */
};

/* what flag_set_parse() returns for -h, -help */
#define FLAG_HELP 1

/* fills in the defaults; a default that does not parse is -EINVAL */
int flag_set_init(struct flag_set *set);

/* frees the lists */
void flag_set_clear(struct flag_set *set);

/*
 * Reads argv[1] and so on. 0, FLAG_HELP, -EINVAL with a malloc()ed sentence in ret_message, or -ENOMEM with NULL there.
 * *ret_first is the index of the first argument that is no flag.
 */
int flag_set_parse(struct flag_set *set, int argc, char *const argv[], int *ret_first, char **ret_message);

/* called with a sentence for each variable that does not parse; it keeps its former value */
typedef void (*flag_warn_fn)(void *userdata, const char *message);

/* applies PREFIX_NAME to each flag that the command line did not give; empty variables do not count. 0 or -ENOMEM */
int flag_set_environment(struct flag_set *set, const char *prefix, flag_warn_fn warn, void *userdata);

/* "etcd-prefix" gives "FLANNELD_ETCD_PREFIX"; cut if buf is too small */
const char *flag_environment_name(const struct flag *flag, const char *prefix, char *buf, size_t size);

/* index in the table, or n_flags if there is none of that name */
size_t flag_set_find(const struct flag_set *set, const char *name);

/* where a flag's value came from */
enum flag_origin flag_set_origin(const struct flag_set *set, const char *name);

/* does the flag have its default value, given or not */
bool flag_set_is_default(const struct flag_set *set, size_t index);

/* "--iface=eth0,eth1"; secrets as "--etcd-password=***" */
void flag_set_print_value(const struct flag_set *set, size_t index, FILE *stream);

/* prints each flag with its type, default and help */
void flag_set_usage(const struct flag_set *set, FILE *stream);

/* a whole number as Go's strconv.ParseInt(text, 0, 64) reads it: 0, -EINVAL, or -ERANGE */
int flag_parse_int(const char *text, int64_t *ret_number);

/* a decimal number of 32 bits: 0, -EINVAL, or -ERANGE */
int flag_parse_level(const char *text, int64_t *ret_number);

/* one of 1 t T TRUE true True 0 f F FALSE false False: 0 or -EINVAL */
int flag_parse_bool(const char *text, bool *ret_value);

#endif
