/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_ACCESS_H
#define FL_KUBE_ACCESS_H

/*
 * Where the API server is and how we prove who we are: from a kubeconfig file, or, in a pod, from the environment and the service account's
 * files. A token in a file is read again for each request, since it is replaced by a new one every hour or so.
 */

#include <stdbool.h>

#include "store/kube/address.h"

struct fl_kube_access {
	char *server; /* "https://192.0.2.1:6443", perhaps with a path; no slash at the end */
	char *token;  /* used if there is no tokenfile, or it cannot be read */
	char *tokenfile;
	char *cafile, *certfile, *keyfile;    /* PEM files */
	char *ca_text, *cert_text, *key_text; /* PEM texts, which take the place of the files */
	bool is_unverified;
	char *server_name; /* which the server's certificate has, if it is not the one in .server */
	char *proxy;       /* URL; may have a password in it */
};

/* Errors never contain a secret: -EINVAL names file, key and expectation; -ENOENT and the like from the system; -ENOMEM. */
int fl_kube_access_load(const struct fl_kube_address *address, struct fl_kube_access *ret_access,
			struct flannel_error **ret_error);

/* the parts, for tests: a kubeconfig's text, with directory (that of the file) for relative paths */
int fl_kube_access_parse(const char *text, size_t len, const char *path, struct fl_kube_access *access,
			 struct flannel_error **ret_error);
int fl_kube_access_set_server(struct fl_kube_access *access, const char *url, const char *origin,
			      struct flannel_error **ret_error);

/* overwrites the secrets */
void fl_kube_access_clear(struct fl_kube_access *access);

/* The token as it is now, malloc()ed, "" for none; to be wiped by the caller. -EINVAL if it cannot stand in a header. */
int fl_kube_access_get_token(const struct fl_kube_access *access, char **ret_token, struct flannel_error **ret_error);

#endif
