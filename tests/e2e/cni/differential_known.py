# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where we differ from the reference on purpose: cases, path of what differs, name in docs/cni-differences.md. Patterns as of fnmatch.

Each entry must be needed: one that meets nothing fails the test, like a difference that meets no entry.
"""

DIFFERENCES = [
    # what a failed ADD leaves behind in the kernel and on the disk
    ("bridge-l2-0.[12].0", "steps/*/state", "failed-add"),
    ("bridge-routes-host-bits", "steps/*/state/*", "failed-add"),
    ("bridge-exhausted", "steps/*/state*", "failed-add"),
    ("bridge-ifname-taken", "steps/*/state/host", "failed-add"),
    ("bridge-netns-*", "steps/*/state*", "failed-add"),
    ("bridge-address-taken", "steps/*/state*", "failed-add"),
    ("bridge-mac-args-refused", "steps/*/state", "failed-add"),
    ("bridge-mac-malformed", "steps/*/state*", "failed-add"),
    ("bridge-ipam-missing", "steps/*/state", "failed-add"),
    ("bridge-ipam-error", "steps/*/state*", "failed-add"),
    ("tuning-m*", "steps/*/state", "failed-add"),
    # IPAM before the interfaces
    ("bridge-vlan", "steps/*/state*", "ipam-first"),
    ("bridge-name-taken", "steps/*/state*", "ipam-first"),
    ("bridge-ifname-taken", "steps/*/state/files*", "ipam-first"),
    # DEL
    ("host-local-err-*", "steps/1/*", "del-config"),
    ("host-local-two-v4-0.2.0", "steps/2/*", "del-config"),
    ("host-local-request-malformed", "steps/*", "del-config"),
    ("host-local-del-bad-ranges", "steps/1/*", "del-config"),
    ("bridge-ipam-error", "steps/*", "del-config"),
    ("tuning-args-unknown", "steps/2/*", "del-config"),
    ("tuning-wrong-type", "steps/2/*", "del-config"),
    ("bandwidth-*-alone", "steps/2/*", "del-config"),
    ("bandwidth-burst-too-large", "steps/2/*", "del-config"),
    ("bandwidth-wrong-type", "steps/2/*", "del-config"),
    ("bridge-netns-file", "steps/2/*", "stale-namespace"),
    ("loopback-*", "steps/2/state/pod/*", "loopback-del"),
    # ADD again
    ("host-local-add-twice", "steps/1/*", "add-again"),
    ("bandwidth-add-twice", "steps/*", "add-again"),
    # CHECK
    ("bridge-l2-*", "steps/1/*", "check"),
    ("bridge-ip-masq-l2", "steps/1/*", "check"),
    ("bridge-ipam-static", "steps/1/*", "check"),
    ("tuning-sysctl", "steps/1/*", "check"),
    ("tuning-everything", "steps/1/*", "check"),
    ("bandwidth-check-gone", "steps/2/*", "check"),
    ("bandwidth-nothing", "steps/1/rc", "check"),
    # results
    ("loopback-version-0.*", "steps/0/stdout/*", "loopback-result"),
    ("protocol-VERSION-*", "steps/0/stdout/supportedVersions", "protocol-1-1"),
    ("protocol-own-netns*", "steps/*", "own-namespace"),
    ("bridge-route-twice", "steps/*", "same-route"),
    # the kernel
    ("bridge-ip-masq*", "steps/*/state/host/nft*", "masquerade"),
    ("bandwidth-*", "steps/*/state/host/tc/vh/*/filter/options/actions", "bandwidth-once"),
    # what the reference compared with does not have yet
    ("bridge-*", "steps/*/state/pod/sysctl/net.ipv6.conf.eth0.keep_addr_on_down", "newer"),
    ("bridge-port-isolation", "steps/*/state/host/link/VETH1/port/isolated", "newer"),
    ("bridge-no-container-interface*", "steps/*", "newer"),
    ("tuning-allowlist", "steps/*", "newer"),
]
