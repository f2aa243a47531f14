/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_EXPORT_H
#define FLANNEL_EXPORT_H

/**
 * DOC: export.h - how declarations are marked
 *
 * FLANNEL_PUBLIC stands on every declaration that the shared library exports; everything else is
 * hidden. FLANNEL_BEGIN_DECLS and FLANNEL_END_DECLS let C++ programs include the headers.
 */

#ifdef __cplusplus
#define FLANNEL_BEGIN_DECLS extern "C" {
#define FLANNEL_END_DECLS }
#else
#define FLANNEL_BEGIN_DECLS
#define FLANNEL_END_DECLS
#endif

#define FLANNEL_PUBLIC __attribute__((visibility("default")))

#endif
