/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_SYSCTL_H
#define FLANNEL_SYSCTL_H

#include <stddef.h>

#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/export.h>

FLANNEL_BEGIN_DECLS

/**
 * DOC: sysctl.h - the kernel's network settings of a namespace
 *
 * Settings are named by their path below /proc/sys, such as "net/ipv4/conf/eth0/arp_notify". Only those below net/ can be
 * named, and no name leads out of there: each part between slashes is at least one byte and neither "." nor "..". They are
 * those of the context's namespace (option netns_fd). /proc must be mounted.
 */

/** FLANNEL_SYSCTL_NAME_MAX - longest name of a setting, bytes */
#define FLANNEL_SYSCTL_NAME_MAX 255

/** FLANNEL_SYSCTL_VALUE_SIZE - bytes of the longest value that can be written, with its terminating zero */
#define FLANNEL_SYSCTL_VALUE_SIZE 4096

/**
 * flannel_sysctl_read() - read a setting
 * @context:   context.
 * @name:      name of the setting.
 * @buf:       where to write the value, as the kernel words it, without its final newline.
 * @buf_size:  bytes of @buf; FLANNEL_SYSCTL_VALUE_SIZE fits nearly all.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * Return: 0, or negative with nothing of use in @buf:
 *   -EINVAL  a parameter is NULL, or the name is not one
 *   -ENOENT  the namespace has no such setting
 *   -EFBIG   @buf is too small
 *   -EACCES, -EPERM  it cannot be read, or not by this process.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_sysctl_read(struct flannel_context *context, const char *name, char *buf, size_t buf_size,
				       struct flannel_error **ret_error);

/**
 * flannel_sysctl_ensure() - make sure that a setting has a value
 * @context:   context.
 * @name:      name of the setting.
 * @value:     what it should be; shorter than FLANNEL_SYSCTL_VALUE_SIZE. "" empties a setting that is a list.
 * @ret_error: NULL, or points at NULL; set on failure, then owned by the caller.
 *
 * A value that differs from the present one in nothing but white space between its parts is not written again.
 *
 * Return: 1 if it was written, 0 if it was so already, or negative:
 *   -EINVAL  a parameter is NULL, the name is not one, the value is too long, or the kernel refuses it
 *   -ENOENT  the namespace has no such setting
 *   -EACCES, -EPERM  it cannot be written, or not by this process
 *   and what else the kernel says.
 *
 * Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_sysctl_ensure(struct flannel_context *context, const char *name, const char *value,
					 struct flannel_error **ret_error);

/**
 * flannel_sysctl_equal() - do two values of a setting mean the same
 * @a: a value.
 * @b: another one.
 *
 * Return: 1 if they differ in nothing but white space around and between their parts, else 0; 0 for NULL. Since: 0.1.
 */
FLANNEL_PUBLIC int flannel_sysctl_equal(const char *a, const char *b);

FLANNEL_END_DECLS

#endif
