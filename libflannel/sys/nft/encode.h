/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_SYS_NFT_ENCODE_H
#define FL_SYS_NFT_ENCODE_H

/*
 * What the nft helper is told and answers. A request is libnftables' own JSON (libnftables-json(5)):
 * {"nftables": [commands]}. An answer is {"errno": 0}, or {"errno": EPERM, "error": "libnftables' words"}.
 */

#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "domain/firewall/masquerade.h"

/* the longest request and answer, in bytes; the helper knows the same numbers */
#define FL_NFT_REQUEST_MAX 65536
#define FL_NFT_ANSWER_MAX 4096

/* the request that replaces tables (fl_nft_replace()), malloc()ed, ends in zero; -EMSGSIZE, -ENOMEM */
int fl_nft_encode(const struct fl_nft_table *tables, size_t n_tables, char **ret_text,
		  struct flannel_error **ret_error);

/* the request that carries out commands of libnftables-json(5); takes over the array; the same results */
int fl_nft_encode_commands(struct json_object *commands, char **ret_text, struct flannel_error **ret_error);

/* reads an answer: 0, or the failure it tells with the error set; -EPROTO if it is none */
int fl_nft_decode(const char *text, size_t len, struct flannel_error **ret_error);

#endif
