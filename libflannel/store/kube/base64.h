/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FL_KUBE_BASE64_H
#define FL_KUBE_BASE64_H

/* the text of a base64 text (line ends are passed over), malloc()ed; -EINVAL for what is none or contains a zero, -ENOMEM. No system call. */
int fl_kube_base64_decode(const char *text, char **ret_decoded);

#endif
