/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CNI_FLANNEL_DELEGATE_H
#define CNI_FLANNEL_DELEGATE_H

/* The delegate of the plugin flannel: the program that a generated or saved configuration names. */

#include <json-c/json_object.h>

#include "delegate.h"
#include "flannel_state.h"
#include "plugin.h"

/* finds the program of a delegate's configuration */
int cni_flannel_delegate_find(const struct cni_request *request, struct json_object *config,
			      struct cni_delegate *ret_delegate, struct cni_error *error);

/* runs the request's verb of the delegate with its configuration, given as an object and as text */
int cni_flannel_delegate_run(const struct cni_request *request, const struct cni_delegate *delegate,
			     struct json_object *config, const char *text, struct json_object **ret_result,
			     struct cni_error *error);

/* finds the program and runs the verb; the text is made here */
int cni_flannel_delegate_call(const struct cni_request *request, struct json_object *config, struct cni_error *error);

/* a saved configuration as an object */
int cni_flannel_delegate_parse(const struct cni_flannel_state *state, struct json_object **ret_config,
			       struct cni_error *error);

#endif
