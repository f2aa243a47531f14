/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_PROCESS_H
#define CNI_PROCESS_H

/* Runs another plugin: configuration in, answer out. */

#include <stddef.h>
#include <stdint.h>

#include "plugin.h"

/* what a program said */
struct cni_answer {
	int status; /* as waitpid(2) gives it */
	char *out;  /* ends in zero, as does err */
	size_t out_len;
	char *err;
	size_t err_len;
};

/*
 * Runs a program with a request and waits for its end. It inherits the environment, but for the verb, and for the container,
 * namespace and interface where the request has others than the environment. Only a program that could not be run is a failure.
 */
int cni_process_run(const char *path, const struct cni_request *request, struct cni_answer *ret_answer,
		    struct cni_error *error);

void cni_answer_clear(struct cni_answer *answer);

#endif
