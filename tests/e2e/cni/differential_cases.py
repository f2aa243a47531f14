# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the differential test runs: every key of every plugin once, the rows that fail, and all versions of the protocol."""

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"]
ENV = {"CNI_CONTAINERID": "cid1", "CNI_NETNS": "@NS_POD@", "CNI_IFNAME": "eth0", "CNI_PATH": "@PLUGINS@"}
ADD, CHECK, DEL = {"run": "ADD"}, {"run": "CHECK", "prev": True}, {"run": "DEL", "prev": True}
WHOLE = [ADD, CHECK, DEL]
SECOND = {"env": {"CNI_CONTAINERID": "cid2", "CNI_NETNS": "@NS_POD2@"}}
V4, V6 = [{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]


def ipam(*sets, **keys):
    return {"type": "host-local", "dataDir": "@DATA@/net", **({"ranges": list(sets)} if sets else {}), **keys}


def make(name, plugin, steps, config, setup=(), pods=("pod",), args=None, env=None, stdin=None):
    env = {**ENV, **({"CNI_ARGS": args} if args is not None else {}), **(env or {})}
    config = {k: v for k, v in {"cniVersion": "1.0.0", "name": "net", "type": plugin, **config}.items() if v is not None}
    return {"name": name, "plugin": plugin, "pods": list(pods), "setup": list(setup), "env": env,
            "stdin": config if stdin is None else stdin, "steps": steps}


def bridge(name, steps=WHOLE, setup=(), pods=("pod",), args=None, env=None, **config):
    return make("bridge-" + name, "bridge", steps, {"ipam": ipam(V4), **config}, setup, pods, args, env)


def bridge_cases():
    for version in VERSIONS:
        yield bridge(f"version-{version}", cniVersion=version, isGateway=True)
        yield bridge(f"l2-{version}", cniVersion=version, ipam=None)
        yield bridge(f"dual-{version}", cniVersion=version, isDefaultGateway=True, ipam=ipam(V4, V6))
    yield bridge("version-absent", cniVersion=None, isGateway=True)
    yield bridge("plain")
    yield bridge("name", bridge="br7")
    yield bridge("is-gateway", isGateway=True)
    yield bridge("is-default-gateway", isDefaultGateway=True)
    yield bridge("v6", isDefaultGateway=True, ipam=ipam(V6))
    yield bridge("gateway-given", isGateway=True, ipam=ipam([{"subnet": "10.1.0.0/24", "gateway": "10.1.0.9"}]))
    taken = ["ip link add cni0 type bridge", "ip link set cni0 up", "ip addr add 10.9.0.1/24 dev cni0"]
    for name, address in (("ipv4", "10.1.0.7/32"), ("ipv6", "fd00:1::7/128"), ("last", "255.255.255.255/32"), ("pair", "10.1.0.6/31")):
        yield bridge(f"gateway-of-one-{name}", steps=[ADD, DEL], isGateway=True, ipam={"type": "static", "addresses": [{"address": address}]})
    yield bridge("address-taken", setup=taken, isGateway=True)
    yield bridge("force-address", setup=taken, isGateway=True, forceAddress=True)
    yield bridge("address-longer", setup=taken[:2] + ["ip addr add 10.1.0.1/16 dev cni0"], isGateway=True)
    yield bridge("address-longer-forced", setup=taken[:2] + ["ip addr add 10.1.0.1/16 dev cni0"], isGateway=True, forceAddress=True)
    six = taken[:2] + ["ip addr add fd00:1::9/48 dev cni0 nodad"]
    yield bridge("address-overlaps-v6", setup=six, isGateway=True, ipam=ipam(V6))
    yield bridge("address-overlaps-v6-forced", setup=six, isGateway=True, forceAddress=True, ipam=ipam(V6))
    yield bridge("address-disjoint-v6", setup=taken[:2] + ["ip addr add fd00:9::9/64 dev cni0 nodad"], isGateway=True, ipam=ipam(V6))
    yield bridge("address-taken-no-gateway", setup=taken)
    yield bridge("bridge-down", setup=taken[:1], isGateway=True)
    yield bridge("bridge-promisc", setup=taken[:2] + ["ip link set cni0 promisc on"], steps=[ADD, DEL])
    yield bridge("bridge-accepts-ra", setup=taken[:2] + ["echo 2 > /proc/sys/net/ipv6/conf/cni0/accept_ra"])
    yield bridge("bridge-mac", setup=taken[:1] + ["ip link set cni0 address 02:00:00:00:00:77 up"], isGateway=True)
    yield bridge("name-long", bridge="b" * 16)
    yield bridge("name-slash", bridge="a/b")
    yield bridge("name-empty", bridge="")
    yield make("bridge-null-keys", "bridge", WHOLE, {}, stdin={
        "cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": ipam(V4), "args": None, "runtimeConfig": None,
        **{k: None for k in ("bridge", "isGateway", "isDefaultGateway", "forceAddress", "ipMasq", "mtu", "vlan", "hairpinMode", "promiscMode",
                             "macspoofchk", "enabledad", "dns", "capabilities")}})
    yield bridge("bridge-exists", setup=taken[:2] + ["ip addr add 10.1.0.1/24 dev cni0"], isGateway=True, mtu=1400)
    yield bridge("bridge-exists-dual", setup=taken[:2] + ["ip addr add 10.1.0.1/24 dev cni0", "ip addr add fd00:1::1/64 dev cni0 nodad"], isGateway=True,
                 ipam=ipam(V4, V6))
    yield bridge("ip-masq", ipMasq=True, isGateway=True)
    yield bridge("ip-masq-v6", ipMasq=True, isGateway=True, ipam=ipam(V6))
    yield bridge("ip-masq-l2", ipMasq=True, ipam=None)
    yield bridge("mtu", mtu=1400, isGateway=True)
    yield bridge("mtu-refused", mtu=70000)
    yield bridge("hairpin", hairpinMode=True)
    yield bridge("promisc", promiscMode=True)
    yield bridge("hairpin-promisc", hairpinMode=True, promiscMode=True)
    yield bridge("vlan-zero", vlan=0)
    for vlan in (-100, 5000):
        yield bridge(f"vlan{vlan}", vlan=vlan)
    yield bridge("vlan", vlan=100)
    yield bridge("vlan-trunk", vlanTrunk=[{"id": 101}, {"minID": 200, "maxID": 210}])
    yield bridge("vlan-default", vlan=100, preserveDefaultVlan=True)
    yield bridge("enabledad", isGateway=True, enabledad=True, ipam=ipam(V6))
    yield bridge("port-isolation", portIsolation=True)
    yield bridge("no-container-interface", disableContainerInterface=True, ipam=None)
    yield bridge("no-container-interface-ipam", disableContainerInterface=True)
    mac = "02:11:22:33:44:5%d"
    yield bridge("mac-args", args="IgnoreUnknown=1;MAC=" + mac % 1)
    yield bridge("mac-args-refused", args="MAC=" + mac % 1)
    yield make("bridge-mac-cni-args", "bridge", WHOLE, {"ipam": ipam(V4), "args": {"cni": {"mac": mac % 2}}},
               args="IgnoreUnknown=1;MAC=" + mac % 1)
    yield make("bridge-mac-runtime", "bridge", WHOLE,
               {"ipam": ipam(V4), "args": {"cni": {"mac": mac % 2}}, "RuntimeConfig": {"mac": mac % 3}})
    for form, text in (("dashes", "02-11-22-33-44-55"), ("dots", "0211.2233.4455"), ("upper", "02:AA:BB:CC:DD:EE"), ("multicast", "01:00:5e:00:00:01"),
                       ("zero", "00:00:00:00:00:00"), ("eight", "02:11:22:33:44:55:66:77"), ("empty", ""), ("mixed", "02:11-22:33:44:55")):
        yield bridge(f"mac-{form}", runtimeConfig={"mac": text})
    for key in ("bridge", "forceAddress", "mtu", "vlan", "vlanTrunk", "macspoofchk", "dns", "ipam", "args", "runtimeConfig", "capabilities"):
        yield make(f"bridge-wrong-{key}", "bridge", [ADD, {"run": "DEL"}], {"ipam": ipam(V4), key: 1.5})
    for mtu in (-1, 67, 68, 65535, 65536):
        yield bridge(f"mtu{mtu}", mtu=mtu)
    yield bridge("mac-malformed", runtimeConfig={"mac": "02:11"})
    yield bridge("dns", dns={"nameservers": ["10.1.0.53"], "domain": "d", "search": ["s"], "options": ["o"]})
    yield bridge("dns-empty", dns={"nameservers": []}, ipam=ipam(V4, resolvConf="@DATA@/resolv.conf"),
                 setup=["echo nameserver 10.9.9.9 > @DATA@/resolv.conf"])
    yield bridge("routes", isGateway=True, ipam=ipam(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "10.8.0.0/16", "gw": "10.1.0.7"},
                                                                   {"dst": "::/0"}]))
    yield bridge("route-twice", isDefaultGateway=True, ipam=ipam(V4, routes=[{"dst": "0.0.0.0/0"}]))
    yield bridge("routes-host-bits", isGateway=True, ipam=ipam(V4, routes=[{"dst": "10.8.0.5/16"}]))
    yield bridge("routes-host-bits-v6", isGateway=True, ipam=ipam(V6, routes=[{"dst": "fd00:8::1/64"}]), steps=[ADD, DEL])
    yield bridge("ipam-missing", ipam={"type": "nope"})
    yield bridge("ipam-missing-execution", env={"CNI_PATH": "@DATA@/bin:@PLUGINS@"}, setup=["mkdir @DATA@/bin", "echo > @DATA@/bin/host-local"])
    yield bridge("ipam-error", ipam=ipam([{"subnet": "10.1.0.5/24"}]))
    yield bridge("exhausted", ipam=ipam([{"subnet": "10.1.0.0/30"}]), pods=("pod", "pod2"),
                 steps=[ADD, {**ADD, **SECOND}, DEL, {**DEL, **SECOND}])
    yield bridge("two-pods", isGateway=True, pods=("pod", "pod2"), steps=[ADD, {**ADD, **SECOND}, {**DEL, **SECOND}, DEL])
    yield bridge("add-twice", isGateway=True, steps=[ADD, ADD, DEL])
    yield bridge("ifname-percent", env={"CNI_IFNAME": "eth%d"})
    yield bridge("ifname-taken", setup=["ip -n $POD link add eth0 type veth peer name other"], steps=[ADD, DEL])
    yield bridge("name-taken", setup=["ip link add cni0 type veth peer name cni1"])
    yield bridge("netns-missing", env={"CNI_NETNS": "@DATA@/none"})
    yield bridge("netns-file", env={"CNI_NETNS": "@DATA@/file"}, setup=[": > @DATA@/file"])
    yield bridge("del-twice", isGateway=True, steps=[ADD, DEL, DEL])
    yield bridge("del-alone", steps=[{"run": "DEL"}])
    yield bridge("del-no-netns", isGateway=True, steps=[ADD, {**DEL, "env": {"CNI_NETNS": ""}}])
    yield bridge("del-netns-gone", isGateway=True, steps=[ADD, {"sh": "ip netns del $POD"}, DEL])
    yield bridge("check-address-gone", isGateway=True, steps=[ADD, {"sh": "ip -n $POD addr del 10.1.0.2/24 dev eth0"}, CHECK, DEL])
    yield bridge("check-no-prev", steps=[ADD, {"run": "CHECK"}, DEL])
    yield bridge("args-unknown", args="K=1")
    yield bridge("args-trailing", args="IgnoreUnknown=1;")
    yield bridge("wrong-type", isGateway="yes")


def host_local(name, steps=WHOLE, args=None, setup=(), pods=("pod",), cniVersion="1.0.0", config=None, **keys):
    return make("host-local-" + name, "host-local", steps, {"cniVersion": cniVersion, "ipam": ipam(**keys), **(config or {})},
                setup, pods, args)


def host_local_cases():
    for version in VERSIONS:
        yield host_local(f"version-{version}", cniVersion=version, ranges=[V4, V6], routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])
    yield host_local("routes", ranges=[V4], routes=[{"dst": "10.8.0.0/16", "gw": "10.1.0.9"}, {"dst": "10.9.0.0/16"}])
    yield host_local("two-v4-0.2.0", cniVersion="0.2.0", ranges=[V4, [{"subnet": "10.2.0.0/24"}]])
    yield host_local("old-style", subnet="10.1.0.0/24", rangeStart="10.1.0.10", rangeEnd="10.1.0.20", gateway="10.1.0.254")
    yield host_local("old-and-new", subnet="10.1.0.0/24", ranges=[V6])
    yield host_local("runtime-ranges", config={"runtimeConfig": {"ipRanges": [[{"subnet": "10.5.0.0/24"}]]}}, ranges=[V4])
    yield host_local("start-end", ranges=[[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.7", "rangeEnd": "10.1.0.8"}]], pods=("pod", "pod2"),
                     steps=[ADD, {**ADD, **SECOND}, DEL, {**ADD, "env": {"CNI_CONTAINERID": "cid3"}}])
    yield host_local("two-subnets", ranges=[[{"subnet": "10.1.0.0/30"}, {"subnet": "10.2.0.0/30"}]], pods=("pod", "pod2"),
                     steps=[ADD, {**ADD, **SECOND}, {**ADD, "env": {"CNI_CONTAINERID": "cid3"}}, DEL])
    yield host_local("request-args", args="IgnoreUnknown=1;IP=10.1.0.77", ranges=[V4])
    yield host_local("request-args-empty", args="IP=", ranges=[V4])
    yield host_local("request-args-length", args="IP=10.1.0.77/16", ranges=[V4])
    yield host_local("request-cni-args", config={"args": {"cni": {"ips": ["10.1.0.78/24", "fd00:1::78"]}}}, ranges=[V4, V6])
    yield host_local("request-runtime", config={"runtimeConfig": {"ips": ["10.1.0.79"]}}, ranges=[V4])
    yield host_local("request-outside", args="IP=10.9.0.1", ranges=[V4])
    yield host_local("request-gateway", args="IP=10.1.0.1", ranges=[V4])
    yield host_local("request-malformed", args="IP=x", ranges=[V4])
    yield host_local("request-taken", args="IP=10.1.0.77", ranges=[V4], pods=("pod", "pod2"), steps=[ADD, {**ADD, **SECOND}, {**DEL, **SECOND}])
    yield host_local("args-unknown", args="MAC=x", ranges=[V4])
    yield host_local("resolv-conf", ranges=[V4], resolvConf="@DATA@/resolv.conf",
                     setup=["printf '%s\\n' '# c' 'nameserver 10.1.0.53' 'search a b' 'domain d' 'options o:1' > @DATA@/resolv.conf"])
    yield host_local("resolv-conf-missing", ranges=[V4], resolvConf="@DATA@/none")
    yield host_local("add-twice", ranges=[V4], steps=[ADD, ADD, DEL])
    yield host_local("second-interface", ranges=[V4], steps=[ADD, {**ADD, "env": {"CNI_IFNAME": "eth1"}}, DEL])
    yield host_local("del-unknown", ranges=[V4], steps=[{"run": "DEL"}])
    yield host_local("check-missing", ranges=[V4], steps=[{"run": "CHECK", "merge": {"prevResult": {"ips": [{"address": "10.1.0.2/24"}]}}}])
    yield host_local("exhausted", ranges=[[{"subnet": "10.1.0.0/30"}]], pods=("pod", "pod2"), steps=[ADD, {**ADD, **SECOND}])
    yield host_local("del-bad-ranges", ranges=[V4], steps=[ADD, {**DEL, "merge": {"ipam": ipam([{"subnet": "10.1.0.1/24"}])}}])
    yield host_local("check-bad-ranges", ranges=[V4], steps=[ADD, {**CHECK, "merge": {"ipam": ipam([{"subnet": "10.1.0.1/24"}])}}])
    for name, text in (("newline", "10.1.0.50\\n"), ("blank", " 10.1.0.50"), ("plain", "10.1.0.50")):
        yield host_local("position-" + name, ranges=[V4], steps=[ADD],
                         setup=["mkdir -p @DATA@/net/net", f"printf '{text}' > @DATA@/net/net/last_reserved_ip.0"])
    yield host_local("datadir-is-file", ranges=[V4], setup=[": > @DATA@/net"])
    errors = {"no-ranges": {}, "empty-set": {"ranges": [[]]}, "host-bits": {"ranges": [[{"subnet": "10.1.0.1/24"}]]},
              "no-length": {"ranges": [[{"subnet": "10.1.0.0"}]]}, "too-small": {"ranges": [[{"subnet": "10.1.0.0/31"}]]},
              "start-outside": {"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.1"}]]},
              "start-after-end": {"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"}]]},
              "overlap-inside": {"ranges": [V4 + V4]}, "overlap-sets": {"ranges": [V4, V4]}, "mixed-families": {"ranges": [V4 + V6]},
              "bad-route": {"ranges": [V4], "routes": [{"dst": "x"}]}, "bad-gateway": {"ranges": [[{"subnet": "10.1.0.0/24", "gateway": "x"}]]},
              "wrong-type": {"ranges": {}}, "mapped-subnet": {"ranges": [[{"subnet": "::ffff:10.1.0.0/120"}]]},
              "plain-subnet-empty": {"ranges": [V4], "subnet": ""}, "plain-start-type": {"ranges": [V4], "rangeStart": 5},
              "plain-gateway": {"ranges": [V4], "gateway": "x"}, "type": {"ranges": [V4], "type": 5}}
    for name, keys in errors.items():
        yield host_local("err-" + name, steps=[ADD, {"run": "DEL"}], **keys)
    yield make("host-local-err-no-ipam", "host-local", [ADD], {})


def loopback_cases():
    lo = {"CNI_IFNAME": "lo"}
    for version in VERSIONS:
        yield make(f"loopback-version-{version}", "loopback", WHOLE, {"cniVersion": version}, env=lo)
    yield make("loopback-prev", "loopback", WHOLE, {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}]}}, env=lo)
    yield make("loopback-check-down", "loopback", [ADD, {"sh": "ip -n $POD link set lo down"}, CHECK], {}, env=lo)
    for key in ("dns", "ipam", "type", "capabilities"):
        yield make(f"loopback-wrong-{key}", "loopback", [ADD], {key: 5}, env=lo)
    yield make("loopback-foreign-address", "loopback", [ADD], {}, env=lo, setup=["ip -n $POD addr add 192.0.2.1/32 dev lo"])
    yield make("loopback-netns-missing", "loopback", [ADD, {"run": "DEL"}], {}, env={**lo, "CNI_NETNS": "@DATA@/none"})


def static_cases():
    def static(name, steps=WHOLE, config=None, cniVersion="1.0.0", args=None, **keys):
        return make("static-" + name, "static", steps, {"cniVersion": cniVersion, "ipam": {"type": "static", **keys}, **(config or {})}, args=args)

    one = [{"address": "10.1.0.7/24", "gateway": "10.1.0.1"}]
    two = one + [{"address": "fd00:1::7/64"}]
    for version in VERSIONS:
        yield static(f"version-{version}", cniVersion=version, addresses=two, routes=[{"dst": "0.0.0.0/0"}, {"dst": "fd00::/16", "gw": "fd00:1::1"}],
                     dns={"nameservers": ["10.1.0.53"], "domain": "d", "search": ["s"], "options": ["o"]})
    yield static("args", addresses=one, args="IgnoreUnknown=1;IP=10.2.0.9/24;GATEWAY=10.2.0.1")
    yield static("args-only", args="IP=10.2.0.9/24,fd00:2::9/64;GATEWAY=10.2.0.1,fd00:2::1")
    yield static("args-no-length", args="IP=10.2.0.9")
    yield static("args-bad-gateway", args="IP=10.2.0.9/24;GATEWAY=x")
    yield static("args-unknown", addresses=one, args="MAC=x")
    yield static("cni-args", addresses=one, config={"args": {"cni": {"ips": ["10.3.0.9/24"]}}})
    yield static("runtime", addresses=one, config={"args": {"cni": {"ips": ["10.3.0.9/24"]}}, "runtimeConfig": {"ips": ["10.4.0.9/24"]}})
    yield static("no-addresses")
    yield static("no-length", addresses=[{"address": "10.1.0.7"}])
    yield static("bad-gateway", addresses=[{"address": "10.1.0.7/24", "gateway": "x"}])
    yield static("two-v4-0.2.0", cniVersion="0.2.0", addresses=one + [{"address": "10.2.0.7/24"}])
    yield static("wrong-type", steps=[ADD], addresses=one, type=5)
    yield make("static-no-ipam", "static", [ADD], {})
    yield bridge("ipam-static", isGateway=True, ipam={"type": "static", "addresses": one, "routes": [{"dst": "10.8.0.0/16"}]})


CHAINED = ["ip link add vh address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns $POD", "ip link set vh up",
           "ip -n $POD link set eth0 up", "ip -n $POD addr add 10.1.0.7/24 dev eth0"]
PREVIOUS = {"interfaces": [{"name": "vh", "mac": "02:00:00:00:00:01"}, {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "@NS_POD@"}],
            "ips": [{"address": "10.1.0.7/24", "interface": 1}]}


def previous(version):
    """The result of the plugin before, in the form of a version."""
    if version < "0.3.0":
        return {"cniVersion": version, "ip4": {"ip": "10.1.0.7/24"}, "dns": {}}
    ips = [{**ip, "version": "4"} for ip in PREVIOUS["ips"]] if version < "1.0.0" else PREVIOUS["ips"]
    return {"cniVersion": version, **PREVIOUS, "ips": ips}


def chained(name, plugin, steps=WHOLE, cniVersion="1.0.0", setup=(), args=None, **config):
    return make(f"{plugin}-{name}", plugin, steps, {"cniVersion": cniVersion, "prevResult": previous(cniVersion), **config},
                CHAINED + list(setup), args=args)


def tuning_cases():
    def tuning(name, **keys):
        return chained(name, "tuning", **{"dataDir": "@DATA@/tuning", **keys})

    for version in VERSIONS:
        yield tuning(f"version-{version}", cniVersion=version, mtu=1400)
    mac = "02:11:22:33:44:5%d"
    yield tuning("sysctl", sysctl={"net.ipv4.conf.IFNAME.arp_filter": "1", "net.core.somaxconn": "500"})
    yield tuning("sysctl-slashes", sysctl={"net/ipv4/conf/eth0/arp_filter": "1"})
    yield tuning("sysctl-outside", sysctl={"kernel.hostname": "x"})
    yield tuning("sysctl-missing", sysctl={"net.no.such": "1"})
    yield tuning("sysctl-refused", sysctl={"net.ipv4.conf.IFNAME.arp_filter": "x"})
    yield tuning("mac", mac=mac % 1)
    yield tuning("mac-malformed", mac="02:11")
    yield tuning("mac-args", mac=mac % 1, args="IgnoreUnknown=1;MAC=" + mac % 2)
    yield tuning("mac-cni-args", steps=[{**s, "merge": {"args": {"cni": {"mac": mac % 4}}}} for s in WHOLE], mac=mac % 1,
                 runtimeConfig={"mac": mac % 3})
    yield tuning("mac-runtime", mac=mac % 1, runtimeConfig={"mac": mac % 3})
    yield tuning("promisc", promisc=True)
    yield tuning("allmulti", allmulti=True)
    yield tuning("mtu", mtu=1400)
    yield tuning("mtu-refused", mtu=70000)
    yield tuning("everything", mtu=1400, mac=mac % 1, promisc=True, allmulti=True, sysctl={"net.ipv4.conf.IFNAME.arp_filter": "1"})
    yield tuning("queue", txQLen=500)
    args = {"sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "promisc": True, "mtu": 1300, "allmulti": True, "txQLen": 300}
    yield tuning("cni-args", steps=[{**s, "merge": {"args": {"cni": args}}} for s in WHOLE], mtu=1400, sysctl={})
    yield tuning("nothing")
    yield tuning("no-prev", prevResult=None)
    yield tuning("args-unknown", mtu=1400, args="K=1")
    yield tuning("check-mtu", mtu=1400, steps=[ADD, {"sh": "ip -n $POD link set eth0 mtu 1300"}, CHECK, DEL])
    yield tuning("del-gone", mtu=1400, steps=[ADD, {"sh": "ip netns del $POD"}, DEL])
    yield tuning("allowlist", sysctl={"net.core.somaxconn": "500"}, setup=["mkdir -p /etc/cni/tuning", "echo '^net.ipv4' > /etc/cni/tuning/allowlist.conf"])
    yield tuning("wrong-type", mtu="x")


def bandwidth_cases():
    rates = {"ingressRate": 1000000, "ingressBurst": 2000000, "egressRate": 3000000, "egressBurst": 4000000}
    for version in VERSIONS[2:]:
        yield chained(f"version-{version}", "bandwidth", cniVersion=version, **rates)
    yield chained("old-version", "bandwidth", cniVersion="0.2.0", **rates)
    yield chained("runtime", "bandwidth", runtimeConfig={"bandwidth": rates})
    yield chained("ingress", "bandwidth", ingressRate=8000, ingressBurst=80000)
    yield chained("egress", "bandwidth", egressRate=8000, egressBurst=80000)
    yield chained("both-places", "bandwidth", runtimeConfig={"bandwidth": {"egressRate": 1, "egressBurst": 1}}, **rates)
    yield chained("nothing", "bandwidth")
    yield chained("rate-alone", "bandwidth", ingressRate=8000)
    yield chained("burst-alone", "bandwidth", egressBurst=8000)
    yield chained("burst-too-large", "bandwidth", ingressRate=8000, ingressBurst=2 ** 35)
    yield chained("no-prev", "bandwidth", prevResult=None, **rates)
    yield chained("no-host-link", "bandwidth", prevResult={**PREVIOUS, "interfaces": PREVIOUS["interfaces"][1:], "ips": [{"address": "10.1.0.7/24"}]}, **rates)
    yield chained("add-twice", "bandwidth", steps=[ADD, ADD, DEL], **rates)
    yield chained("check-gone", "bandwidth", steps=[ADD, {"sh": "tc qdisc del dev vh root"}, CHECK, DEL], **rates)
    yield chained("del-twice", "bandwidth", steps=[ADD, DEL, DEL], **rates)
    yield chained("wrong-type", "bandwidth", ingressRate="x")


def ptp_cases():
    def ptp(name, steps=WHOLE, setup=(), pods=("pod",), env=None, **config):
        return make("ptp-" + name, "ptp", steps, {"ipam": ipam(V4, routes=[{"dst": "0.0.0.0/0"}]), **config}, setup, pods, env=env)

    dual = ipam(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])

    for version in VERSIONS:
        yield ptp(f"version-{version}", cniVersion=version)
    yield ptp("dual", ipam=dual)
    yield ptp("v6", ipam=ipam(V6))
    yield ptp("mtu", mtu=1400)
    yield ptp("mtu-refused", mtu=70000)
    yield ptp("ip-masq", ipMasq=True, ipam=dual)
    yield ptp("dns", dns={"nameservers": ["10.1.0.53"], "domain": "d", "search": ["s"], "options": ["o"]})
    yield ptp("dns-empty", dns={"nameservers": []}, ipam=ipam(V4, resolvConf="@DATA@/resolv.conf"),
              setup=["echo nameserver 10.9.9.9 > @DATA@/resolv.conf"])
    yield ptp("routes", ipam=ipam(V4, routes=[{"dst": "10.8.0.0/16", "gw": "10.1.0.7"}, {"dst": "10.9.0.0/16"}]))
    yield ptp("gateway", ipam=ipam([{"subnet": "10.1.0.0/24", "gateway": "10.1.0.9"}]))
    yield ptp("no-ipam", ipam=None)
    yield ptp("no-gateway", ipam={"type": "static", "addresses": [{"address": "10.1.0.7/24"}]})
    yield ptp("ipam-missing", ipam={"type": "nope"})
    yield ptp("ipam-error", ipam=ipam([{"subnet": "10.1.0.5/24"}]))
    yield ptp("two-pods", pods=("pod", "pod2"), steps=[ADD, {**ADD, **SECOND}, {**DEL, **SECOND}, DEL])
    yield ptp("add-twice", steps=[ADD, ADD, DEL])
    yield ptp("ifname-taken", setup=["ip -n $POD link add eth0 type veth peer name other"], steps=[ADD, DEL])
    yield ptp("netns-missing", env={"CNI_NETNS": "@DATA@/none"})
    yield ptp("del-twice", steps=[ADD, DEL, DEL], ipam=dual)
    yield ptp("del-no-netns", steps=[ADD, {**DEL, "env": {"CNI_NETNS": ""}}])
    yield ptp("del-netns-gone", steps=[ADD, {"sh": "ip netns del $POD"}, DEL])
    yield ptp("check-address-gone", steps=[ADD, {"sh": "ip -n $POD addr del 10.1.0.2/24 dev eth0"}, CHECK, DEL])
    yield ptp("check-no-prev", steps=[ADD, {"run": "CHECK"}, DEL])
    yield ptp("wrong-type", mtu="x")


def sbr_cases():
    ips = [{"address": "10.1.0.7/24", "gateway": "10.1.0.1", "interface": 1}, {"address": "fd00:1::7/64", "gateway": "fd00:1::1", "interface": 1}]
    setup = ["ip -n $POD addr add fd00:1::7/64 dev eth0 nodad", "ip -n $POD route add default via 10.1.0.1", "ip -n $POD route add 10.8.0.0/16 via 10.1.0.9",
             "ip -n $POD route add default via fd00:1::1"]

    def sbr(name, steps=WHOLE, setup=setup, ips=ips, **config):
        return chained(name, "sbr", steps, setup=setup, **{"prevResult": {**previous("1.0.0"), "ips": ips}, **config})

    for version in VERSIONS:
        yield sbr(f"version-{version}", cniVersion=version, setup=(), prevResult=previous(version))
    yield sbr("dual")
    yield sbr("no-gateway", ips=[{**ip, "gateway": None} for ip in ips])
    yield sbr("tables-taken", setup=setup + ["ip -n $POD rule add from 192.0.2.1 lookup 100", "ip -n $POD route add 192.0.2.0/24 via 10.1.0.1 table 101"])
    yield sbr("two-addresses", setup=setup + ["ip -n $POD addr add 10.2.0.7/24 dev eth0"],
              ips=ips[:1] + [{"address": "10.2.0.7/24", "gateway": "10.2.0.1", "interface": 1}])
    yield sbr("table", table=77)
    yield sbr("gateways", ips=[{**ip, "gateway": None} for ip in ips], gateways=["10.1.0.3", "fd00:1::3"])
    yield sbr("gateways-two", gateways=["10.1.0.3", "10.1.0.4"])
    yield sbr("source-hints", addSourceHints=True)
    yield sbr("no-prev", prevResult=None)
    yield sbr("no-addresses", ips=[])
    yield sbr("other-interface", ips=[{**ips[0], "interface": 0}])
    yield sbr("no-index", ips=[{k: v for k, v in ips[0].items() if k != "interface"}])
    yield sbr("add-twice", steps=[ADD, ADD, DEL])
    yield sbr("del-twice", steps=[ADD, DEL, DEL])
    yield sbr("del-no-prev", steps=[ADD, {"run": "DEL", "merge": {"prevResult": None}}])
    yield sbr("del-link-gone", steps=[ADD, {"sh": "ip -n $POD link del eth0"}, DEL])
    yield sbr("del-netns-gone", steps=[ADD, {"sh": "ip netns del $POD"}, DEL])
    yield sbr("check-rule-gone", steps=[ADD, {"sh": "ip -n $POD rule flush; ip -n $POD rule add lookup main"}, CHECK, DEL])
    yield sbr("wrong-type", table="x")


def protocol_cases():
    good = {"cniVersion": "1.0.0", "name": "net", "type": "host-local", "ipam": ipam(V4)}
    for variable in ENV:
        for verb in ("ADD", "DEL", "CHECK"):
            yield make(f"protocol-no-{variable}-{verb}", "host-local", [{"run": verb}], good, env={variable: None})
    for name, env in (("container-id", {"CNI_CONTAINERID": "a b"}), ("ifname-long", {"CNI_IFNAME": "1234567890123456"}),
                      ("ifname-slash", {"CNI_IFNAME": "a/b"}), ("ifname-blank", {"CNI_IFNAME": "a b"}), ("ifname-dot", {"CNI_IFNAME": "."})):
        yield make(f"protocol-{name}", "host-local", [ADD], good, env=env)
    texts = {"empty": "", "no-json": "{", "array": "[]", "number": "5", "null": "null", "no-name": '{"cniVersion": "1.0.0"}',
             "name-type": '{"name": 5}', "name-empty": '{"name": ""}', "name-bad": '{"name": "a b"}', "version-type": '{"name": "n", "cniVersion": 1}',
             "trailing": '{"name": "n", "cniVersion": "1.0.0"} x', "bom": "\ufeff{}", "quotes": "{'name': 'n'}"}
    for name, text in texts.items():
        yield make(f"protocol-stdin-{name}", "host-local", [ADD], {}, stdin=text)
    for verb in ("ADD", "DEL", "CHECK"):
        for version in ("x", "1.0", "9.9.9", "0.3.2"):
            yield make(f"protocol-version-{version}-{verb}", "host-local", [{"run": verb}], {**good, "cniVersion": version})
    for verb in ("add", "UPDATE"):
        yield make(f"protocol-verb-{verb}", "host-local", [{"run": verb}], good)
    yield make("protocol-key-case", "host-local", WHOLE, {}, stdin={"CNIVERSION": "1.0.0", "Name": "net", "TYPE": "host-local", "IPAM": ipam(V4)})
    yield make("protocol-null-keys", "host-local", WHOLE, {**good, "args": None, "dns": None}, stdin={**good, "args": None, "runtimeConfig": None})
    yield make("protocol-own-netns", "bridge", [ADD], {"ipam": ipam(V4)}, env={"CNI_NETNS": "@NS_HOST@"})
    yield make("protocol-own-netns-override", "bridge", [ADD, DEL], {"ipam": ipam(V4)}, env={"CNI_NETNS": "@NS_HOST@", "CNI_NETNS_OVERRIDE": "1"})
    yield bridge("prev-other-family", steps=[{**ADD, "merge": {"prevResult": {"cniVersion": "0.4.0"}}}])
    yield bridge("prev-malformed", steps=[{**ADD, "merge": {"prevResult": {"ips": [{"address": "x"}]}}}])
    for plugin in ("bridge", "host-local", "loopback", "static", "tuning", "bandwidth", "portmap", "firewall", "ptp", "sbr"):
        yield make(f"protocol-VERSION-{plugin}", plugin, [{"run": "VERSION"}], {})


def cases():
    for group in (bridge_cases, host_local_cases, loopback_cases, static_cases, tuning_cases, bandwidth_cases, ptp_cases, sbr_cases,
                  protocol_cases):
        yield from group()
