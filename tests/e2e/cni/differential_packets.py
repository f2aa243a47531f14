# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the differential test runs where rules differ by design: portmap, firewall, masquerading and macspoofchk, compared by packets.

A container "pod" and a second one on a bridge of the node, and "pod3", which is no container but a host outside. Of the node's state
its settings count; of rules, what packets feel, and that none speaks of the container after DEL.
"""
from differential_cases import ADD, CHECK, DEL, SECOND, V4, V6, VERSIONS, ipam, make

NODE, NODE6, OUTSIDE, OUTSIDE6 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"
ALSO = "198.51.100.1"  # another address of the node
POD, POD6 = "10.1.0.2", "fd00:1::2"
RULES = {"rules": ["cid1", POD, POD6]}
LAB = ["sysctl -q -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0",
       "sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0",  # the gateway answers at once
       "for ns in $HOST $POD $POD2 $POD3; do ip -n $ns link set lo up; done",
       "ip link add ext0 type veth peer name eth0 netns $POD3",
       f"ip addr add {NODE}/24 dev ext0", f"ip addr add {NODE6}/64 dev ext0 nodad", f"ip addr add {ALSO}/32 dev lo", "ip link set ext0 up",
       f"ip -n $POD3 addr add {OUTSIDE}/24 dev eth0", f"ip -n $POD3 addr add {OUTSIDE6}/64 dev eth0 nodad", "ip -n $POD3 link set eth0 up",
       f"ip -n $POD3 route add 10.0.0.0/8 via {NODE}", f"ip -n $POD3 route add {ALSO} via {NODE}", f"ip -n $POD3 route add fd00::/16 via {NODE6}"]
# whoever is not let through is told at once
CLOSED = [f"{program} {words}" for program in ("iptables", "ip6tables") for words in ("-P FORWARD DROP", "-A FORWARD -j REJECT")]
BRIDGE = {"type": "bridge", "isGateway": True, "hairpinMode": True,
          "ipam": ipam(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])}
ROUTED = ipam(V4, routes=[{"dst": "0.0.0.0/0"}])
TCP, UDP = ({"hostPort": 8080, "containerPort": 80, "protocol": p} for p in ("tcp", "udp"))


def probe(*probes):
    return {"probe": list(probes)}


def of_first(*steps):
    """steps for the first container, which have results of their own"""
    return [{"of": "first", **s} if "run" in s else s for s in steps]


def of_second(*steps):
    return [{**s, **SECOND, "of": "second"} if "run" in s else s for s in steps]


def attach(version="1.0.0", verb="ADD", **keys):
    """the bridge, which comes before"""
    return {"run": verb, "plugin": "bridge", "stdin": {"cniVersion": version, "name": "net", **BRIDGE, **keys}}


def behind(name, plugin, steps, cniVersion="1.0.0", setup=(), before=None, **config):
    """a case of a plugin behind a bridge"""
    case = make(f"{plugin}-{name}", plugin, of_first(before or attach(cniVersion), *steps), {"cniVersion": cniVersion, **config},
                LAB + list(setup), ("pod", "pod2", "pod3"))
    return {**case, "packets": True}


FROM = {**ADD, "prev": True}  # ADD with the result of the plugin before


def ports(name, *probes, mappings=(TCP,), steps=None, **config):
    steps = steps or [FROM, probe(*probes), CHECK, DEL, probe(["pod3", NODE, 8080], ["host", "127.0.0.1", 8080], RULES)]
    return behind(name, "portmap", steps, **{"runtimeConfig": {"portMappings": list(mappings)}, **config})


def portmap_cases():
    for version in VERSIONS:
        yield ports(f"version-{version}", ["pod3", NODE, 8080], cniVersion=version, before=attach(version, ipam=ROUTED))
    yield ports("tcp", *(["pod3", a, 8080] for a in (NODE, ALSO, NODE6, "10.1.0.1")), *(["host", a, 8080] for a in ("127.0.0.1", NODE, NODE6)),
                *(["pod", a, 8080] for a in (NODE, NODE6, "10.1.0.1")), ["pod3", NODE, 8081], ["pod3", POD, 80], ["pod", OUTSIDE, 80],
                ["host", OUTSIDE, 8080], ["pod", OUTSIDE, 8080], RULES)
    yield ports("udp", ["pod3", NODE, 8080, "udp"], ["host", NODE, 8080, "udp"], ["pod3", NODE6, 8080, "udp"], ["pod3", NODE, 8080], mappings=[UDP])
    yield ports("both-protocols", ["pod3", NODE, 8080, "udp"], ["pod3", NODE, 8080], ["pod3", NODE, 8090], RULES,
                mappings=[TCP, UDP, {**TCP, "hostPort": 8090, "containerPort": 81}])
    yield ports("upper-case", ["pod3", NODE, 8080], mappings=[{**TCP, "protocol": "TCP"}])
    for name, address in (("ip", NODE), ("any", "0.0.0.0"), ("any6", "::"), ("ip6", NODE6), ("loopback", "127.0.0.1")):
        yield ports(f"host-{name}", *(["pod3", a, 8080] for a in (NODE, ALSO, NODE6)), ["host", "127.0.0.1", 8080],
                    mappings=[{**TCP, "hostIP": address}])
    yield ports("snat-false", ["pod3", NODE, 8080], ["host", NODE, 8080], ["pod3", NODE6, 8080], snat=False)
    yield ports("snat-true", ["pod", NODE, 8080], snat=True)
    yield ports("mark-bit", ["host", "127.0.0.1", 8080], ["pod", NODE, 8080], markMasqBit=5)
    yield ports("mark-chain", ["host", "127.0.0.1", 8080], ["pod", NODE, 8080], externalSetMarkChain="OURS",
                setup=[f"{p} -t nat {w}" for p in ("iptables", "ip6tables") for w in (
                    "-N OURS", "-A OURS -j MARK --set-xmark 0x10/0x10", "-A POSTROUTING -m mark --mark 0x10/0x10 -j MASQUERADE")])
    yield ports("mark-both", markMasqBit=5, externalSetMarkChain="OURS", steps=[FROM, DEL])
    yield ports("masq-all", ["pod3", NODE, 8080], ["pod3", NODE6, 8080], masqAll=True)
    for backend in ("iptables", "nftables", "x"):
        yield ports(f"backend-{backend}", ["pod3", NODE, 8080], backend=backend)
    yield ports("conditions", *(["pod3", a, 8080] for a in (NODE, ALSO, NODE6)), conditionsV4=["!", "-d", ALSO], conditionsV6=["-d", "2001:db8::9"])
    yield ports("none", mappings=[], steps=[FROM, CHECK, DEL, probe(RULES)])
    yield ports("no-prev", steps=[ADD, {"run": "CHECK"}, {"run": "DEL"}])
    yield ports("add-twice", steps=[FROM, FROM, probe(["pod3", NODE, 8080]), DEL, probe(["pod3", NODE, 8080], RULES)])
    yield ports("del-twice", steps=[FROM, DEL, DEL, probe(["pod3", NODE, 8080], RULES)])
    yield ports("del-no-prev", steps=[FROM, {"run": "DEL"}, probe(["pod3", NODE, 8080], RULES)])
    yield ports("del-netns-gone", steps=[FROM, {"sh": "ip netns del $POD"}, DEL, probe(RULES)])
    yield ports("del-no-netns", steps=[FROM, {**DEL, "env": {"CNI_NETNS": ""}}, probe(["pod3", NODE, 8080], RULES)])
    yield ports("check-gone", steps=[FROM, {"sh": "nft flush ruleset"}, CHECK, DEL])
    yield ports("no-route", steps=[ADD, DEL], prevResult={"cniVersion": "1.0.0", "ips": [{"address": "10.77.0.2/24"}]})
    yield ports("no-address", steps=[ADD, CHECK, DEL], prevResult={"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}]})
    for name, mapping in (("host-port-0", {"hostPort": 0}), ("container-port-0", {"containerPort": 0}), ("host-port-large", {"hostPort": 70000}),
                          ("negative", {"hostPort": -1}), ("protocol", {"protocol": "x"}), ("host-ip", {"hostIP": "x"}), ("wrong-type", {"hostPort": "80"})):
        yield ports("err-" + name, mappings=[{**TCP, **mapping}], steps=[FROM, DEL, probe(["pod3", NODE, 8080], RULES)])
    yield ports("err-list", runtimeConfig={"portMappings": {}}, steps=[FROM, DEL])
    other = {"merge": {"runtimeConfig": {"portMappings": [{**TCP, "hostPort": 8081}]}}}
    to_both = probe(["pod3", NODE, 8080], ["pod3", NODE, 8081], ["pod", NODE, 8081], ["pod2", NODE, 8080])
    yield ports("two-containers", steps=of_first(FROM) + of_second(attach(), {**FROM, **other}) + [to_both] + of_first(DEL) + [to_both] +
                of_second({**DEL, **other}) + [to_both])
    yield ports("same-port", steps=of_first(FROM) + of_second(attach(), FROM) + [probe(["pod3", NODE, 8080])])
    yield ports("next-container", mappings=[TCP, UDP], steps=of_first(FROM, probe(["pod3", NODE, 8080, "udp"]), DEL) + of_second(attach(), FROM) +
                [probe(["pod3", NODE, 8080], ["pod3", NODE, 8080, "udp"])])


def firewall(name, *probes, steps=None, setup=CLOSED, **config):
    after = probe(["pod", OUTSIDE, 80], ["pod", OUTSIDE6, 80], {"rules": [POD, POD6]})
    steps = steps or [probe(["pod", OUTSIDE, 80]), FROM, probe(*probes), CHECK, DEL, after]
    return behind(name, "firewall", steps, setup=setup, **config)


def firewall_cases():
    out, come_in = [["pod", OUTSIDE, 80], ["pod", OUTSIDE6, 80]], [["pod3", POD, 80], ["pod3", POD6, 80]]
    for version in VERSIONS:
        yield firewall(f"version-{version}", ["pod", OUTSIDE, 80], cniVersion=version, before=attach(version))
    yield firewall("closed", *out, *come_in, ["pod", OUTSIDE, 80, "udp"], ["host", POD, 80], ["pod2", OUTSIDE, 80])
    yield firewall("open", *out, *come_in, setup=())
    for backend in ("iptables", "firewalld", "x"):
        yield firewall(f"backend-{backend}", *out, backend=backend)
    yield firewall("zone", *out, firewalldZone="public")
    rules = [f"{p} {w} OURS{more}" for p, o in (("iptables", OUTSIDE), ("ip6tables", OUTSIDE6))
             for w, more in (("-N", ""), ("-A", f" -d {o} -p tcp --dport 81 -j REJECT"))]
    yield firewall("admin-chain", *out, ["pod", OUTSIDE, 81], ["pod", OUTSIDE6, 81], setup=CLOSED + rules, iptablesAdminChainName="OURS")
    yield firewall("admin-later", steps=[FROM, {"sh": f"iptables -A CNI-ADMIN -d {OUTSIDE} -j REJECT"}, probe(*out), DEL])
    other = attach(bridge="cni7", ipam=ipam([{"subnet": "10.7.0.0/24"}], routes=[{"dst": "0.0.0.0/0"}]))
    across = probe(["pod", "10.7.0.2", 80], ["pod2", POD, 80], ["pod3", POD, 80], ["pod", OUTSIDE, 80])
    for policy in ("open", "same-bridge", "isolated", "x"):
        yield firewall(f"policy-{policy}", steps=of_first(FROM) + of_second(other, FROM) + [across], setup=(), ingressPolicy=policy)
    yield firewall("policy-within", steps=of_first(FROM) + of_second(attach(), FROM) + [probe(["pod", "10.1.0.3", 80])], ingressPolicy="same-bridge")
    yield firewall("two-containers", steps=of_first(FROM) + of_second(attach(), FROM) + [probe(*out, ["pod2", OUTSIDE, 80])] + of_first(DEL) +
                   [probe(*out, ["pod2", OUTSIDE, 80])])
    yield firewall("no-prev", steps=[ADD, {"run": "CHECK"}, {"run": "DEL"}])
    yield firewall("no-addresses", steps=[ADD, CHECK, DEL], prevResult={"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}]})
    yield firewall("add-twice", steps=[FROM, FROM, probe(*out), DEL, probe(*out)])
    yield firewall("del-twice", steps=[FROM, DEL, DEL, probe(*out)])
    yield firewall("del-netns-gone", steps=[FROM, {"sh": "ip netns del $POD"}, DEL, probe({"rules": [POD, POD6]})])
    yield firewall("check-gone", steps=[FROM, {"sh": "iptables -F; ip6tables -F; nft flush ruleset"}, CHECK, DEL])
    yield firewall("wrong-type", steps=[FROM, DEL], backend=5)


def masquerade_cases():
    """ipMasq and macspoofchk, which change nothing but rules"""
    sees = probe(["pod", OUTSIDE, 80], ["pod", OUTSIDE6, 80], ["pod", "10.1.0.3", 80], ["pod2", POD, 80], ["host", POD, 80])
    for plugin, keys in (("bridge", {"isGateway": True}), ("ptp", {})):
        for backend in (None, "iptables", "nftables", "x"):
            config = {"type": plugin, "ipMasq": True, "ipam": BRIDGE["ipam"], **keys, **({"ipMasqBackend": backend} if backend else {})}
            yield {**make(f"{plugin}-masquerade-{backend}", plugin, of_first(ADD) + of_second(ADD) + [sees] + of_first(CHECK, DEL) + [probe(RULES)],
                          config, LAB, ("pod", "pod2", "pod3")), "packets": True}
    for checked in (True, False):
        frames = probe({"frames": "pod", "to": "pod2", "foreign": "02:00:00:00:00:99"}, ["pod", "10.1.0.3", 80])
        yield {**make(f"bridge-macspoofchk-{checked}", "bridge", of_first(ADD) + of_second(ADD) + [frames] + of_first(CHECK, DEL) + [probe({"rules": ["cid1"]})],
                      {**BRIDGE, "macspoofchk": checked}, LAB, ("pod", "pod2", "pod3")), "packets": True}


def cases():
    yield from portmap_cases()
    yield from firewall_cases()
    yield from masquerade_cases()
