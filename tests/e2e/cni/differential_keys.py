# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every key of the configurations, and the cases that have it. A key that no case has fails the test.

Keys are paths in the configuration; "CNI_ARGS X" is one in that variable. NEWER are those that the reference compared with (1.1.1) ignores:
there ours is compared with the recorded cases of 1.9.1 (cases/), and the difference is listed as "newer".
"""
MAPPING = [f"runtimeConfig.portMappings.{k}" for k in ("hostPort", "containerPort", "protocol", "hostIP")]
DNS = [f"dns.{k}" for k in ("nameservers", "domain", "search", "options")]
RANGE = ("subnet", "rangeStart", "rangeEnd", "gateway")
ROUTE = [f"ipam.routes.{k}" for k in ("dst", "gw")]
RATES = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")

KEYS = {
    "bridge": ["bridge", "isGateway", "isDefaultGateway", "forceAddress", "ipMasq", "ipMasqBackend", "mtu", "hairpinMode", "promiscMode", "vlan",
               "vlanTrunk.id", "vlanTrunk.minID", "vlanTrunk.maxID", "preserveDefaultVlan", "macspoofchk", "enabledad",
               "disableContainerInterface", "portIsolation", "args.cni.mac", "runtimeConfig.mac", "CNI_ARGS MAC", "CNI_ARGS IgnoreUnknown",
               "ipam.type", *DNS],
    "host-local": ["ipam.type", "ipam.dataDir", "ipam.resolvConf", *ROUTE, *(f"ipam.ranges.{k}" for k in RANGE), *(f"ipam.{k}" for k in RANGE),
                   "runtimeConfig.ipRanges.subnet", "runtimeConfig.ips", "args.cni.ips", "CNI_ARGS IP", "CNI_ARGS IgnoreUnknown"],
    "loopback": ["prevResult"],
    "static": ["ipam.addresses.address", "ipam.addresses.gateway", *ROUTE, *(f"ipam.{k}" for k in DNS), "args.cni.ips", "runtimeConfig.ips",
               "CNI_ARGS IP", "CNI_ARGS GATEWAY", "CNI_ARGS IgnoreUnknown"],
    "portmap": [*MAPPING, "backend", "snat", "masqAll", "markMasqBit", "externalSetMarkChain", "conditionsV4", "conditionsV6", "prevResult"],
    "bandwidth": [*RATES, *(f"runtimeConfig.bandwidth.{k}" for k in RATES), "prevResult"],
    "tuning": ["sysctl", "mac", "promisc", "mtu", "txQLen", "allmulti", "dataDir", "runtimeConfig.mac", "CNI_ARGS MAC",
               *(f"args.cni.{k}" for k in ("sysctl", "mac", "promisc", "mtu", "allmulti", "txQLen")), "prevResult"],
    "firewall": ["backend", "iptablesAdminChainName", "firewalldZone", "ingressPolicy", "prevResult"],
    "ptp": ["ipMasq", "ipMasqBackend", "mtu", "ipam.type", *DNS],
    "sbr": ["table", "gateways", "addSourceHints", "prevResult"],
}
NEWER = {("bridge", k) for k in ("ipMasqBackend", "vlanTrunk.id", "vlanTrunk.minID", "vlanTrunk.maxID", "preserveDefaultVlan",
                                 "disableContainerInterface", "portIsolation")}
NEWER |= {("portmap", "backend"), ("portmap", "masqAll"), ("tuning", "txQLen"), ("tuning", "args.cni.txQLen"), ("ptp", "ipMasqBackend"),
          ("sbr", "table"), ("sbr", "gateways"), ("sbr", "addSourceHints")}


def has(value, path):
    """Is there something under a path? Lists are looked through."""
    if isinstance(value, list):
        return any(has(v, path) for v in value)
    if not path:
        return True
    if not isinstance(value, dict):
        return False
    return any(has(v, path[1:]) for k, v in value.items() if k.lower() == path[0].lower())


def case_has(case, plugin, key):
    """Is a plugin called with a key in a case?"""
    for step in case["steps"]:
        if "run" not in step or step.get("plugin", case["plugin"]) != plugin:
            continue
        if key.startswith("CNI_ARGS "):
            args = {**case["env"], **step.get("env", {})}.get("CNI_ARGS", "")
            if any(piece.startswith(key[9:] + "=") for piece in args.split(";")):
                return True
            continue
        config = step.get("stdin", case["stdin"])
        if not isinstance(config, dict):
            continue
        config = {**config, **step.get("merge", {}), **({"prevResult": {}} if step.get("prev") else {})}
        if has(config, key.split(".")):
            return True
    return False


def table(cases):
    """(plugin, key) -> names of the cases that have it"""
    cases = list(cases)
    return {(plugin, key): [c["name"] for c in cases if case_has(c, plugin, key)] for plugin, keys in KEYS.items() for key in keys}
