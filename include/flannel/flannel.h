/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FLANNEL_FLANNEL_H
#define FLANNEL_FLANNEL_H

/**
 * DOC: flannel.h - the whole library in one include
 */

#include <flannel/address.h>
#include <flannel/attachment.h>
#include <flannel/attachment_id.h>
#include <flannel/bandwidth.h>
#include <flannel/context.h>
#include <flannel/error.h>
#include <flannel/event.h>
#include <flannel/firewall.h>
#include <flannel/export.h>
#include <flannel/lease.h>
#include <flannel/link.h>
#include <flannel/log.h>
#include <flannel/mac_guard.h>
#include <flannel/masquerade.h>
#include <flannel/netconf.h>
#include <flannel/node.h>
#include <flannel/port_map.h>
#include <flannel/prefix.h>
#include <flannel/route.h>
#include <flannel/source_route.h>
#include <flannel/store.h>
#include <flannel/sysctl.h>

#endif
