# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel and the disk look like, reduced to what is the same at every run."""
import ctypes, json, os, shutil, stat, subprocess, time

DATA = "/run/gc-data"
NSDIR = "/run/netns"
CLONE_NEWNET = 0x40000000
CONF = {"ipv4": {"rp_filter": "0", "route_localnet": "0", "arp_notify": "0", "accept_local": "0", "proxy_arp": "0",
                 "forwarding": "0"},
        "ipv6": {"accept_ra": "1", "accept_dad": "1", "keep_addr_on_down": "0", "disable_ipv6": "0",
                 "enhanced_dad": "1", "forwarding": "0"}}
GLOBAL_SYSCTLS = {"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0", "net/ipv4/conf/all/rp_filter": "0",
                  "net/ipv4/conf/all/route_localnet": "0", "net/core/somaxconn": "4096"}
LINK_KEYS = ["mtu", "txqlen", "address", "master", "promiscuity", "allmulti"]
PORT_KEYS = ["state", "hairpin", "guard", "learning", "flood", "mcast_flood", "bcast_flood", "isolated",
             "neigh_suppress", "vlan_tunnel"]
BRIDGE_KEYS = ["stp_state", "vlan_filtering", "mcast_snooping"]
ADDRESS_FLAGS = ["dynamic", "deprecated", "noprefixroute", "secondary", "dadfailed", "nodad", "temporary", "tentative"]
libc = ctypes.CDLL(None, use_errno=True)


def ns_path(name):
    return f"{NSDIR}/gc-{name}"


def ns_exists(name):
    path = ns_path(name)
    if not os.path.exists(path):
        return False
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], stdout=subprocess.PIPE, text=True).stdout.strip()
    return kind == "nsfs"


class netns:
    """Run the body in a network namespace (this program has one thread)."""
    home = None

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        fd = os.open(ns_path(self.name), os.O_RDONLY)
        try:
            if libc.setns(fd, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns " + self.name)
        finally:
            os.close(fd)

    def __exit__(self, *_):
        if libc.setns(netns.home, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns home")


def out(cmd, check=False):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check and p.returncode:
        raise RuntimeError(f"{cmd}: {p.stderr.strip()}")
    return p.stdout


def js(cmd):
    text = out(cmd).strip()
    return json.loads(text) if text else []


# ---- links ----------------------------------------------------------------------------------------------------

def links():
    return js(["ip", "-j", "-d", "link", "show"])


def kind(link):
    return link.get("linkinfo", {}).get("info_kind")


def peer_of(link, everyone):
    """namespace/name of a veth's other end, "?" if it is in none of the namespaces that we look at"""
    points_at = lambda a, b: a.get("link_index") == b["ifindex"] or a.get("link") == b["ifname"]
    for ns, others in everyone.items():
        for other in others:
            if other is not link and kind(other) == "veth" and points_at(other, link) and points_at(link, other):
                return f"{ns}/{other['ifname']}"
    return "?"


def has_running_port(bridge, same_ns):
    return any(l.get("master") == bridge["ifname"] and l["operstate"] == "UP" for l in same_ns)


def link_form(link, everyone, same_ns):
    info = link.get("linkinfo", {})
    flags, operstate = set(link["flags"]), link["operstate"]
    if kind(link) == "bridge":
        # Without a change of its carrier a bridge stays UNKNOWN. That depends on the order in which ports join; what counts is
        # whether it carries traffic.
        if operstate == "UNKNOWN" and "LOWER_UP" in flags and has_running_port(link, same_ns):
            operstate = "UP"
        if operstate != "UP":
            operstate = "DOWN"
            flags -= {"NO-CARRIER", "LOWER_UP"}
    form = {"kind": kind(link) or link.get("link_type"), "flags": " ".join(sorted(flags)), "operstate": operstate}
    for k in LINK_KEYS:
        if k in link and not (k in ("promiscuity", "allmulti") and link[k] == 0):
            form[k] = link[k]
    if kind(link) == "bridge":
        form["bridge"] = {k: info.get("info_data", {})[k] for k in BRIDGE_KEYS if k in info.get("info_data", {})}
    if info.get("info_slave_kind") == "bridge":
        port = info.get("info_slave_data", {})
        form["port"] = {k: port[k] for k in PORT_KEYS if k in port}
    if kind(link) == "veth":
        form["peer"] = peer_of(link, everyone)
    return form


# ---- the rest of a namespace ------------------------------------------------------------------------------------

def address_row(link, a):
    row = f"{a['family']} {a['local']}/{a['prefixlen']}"
    for k, word in (("broadcast", "brd"), ("scope", "scope"), ("address", "peer")):
        if k in a:
            row += f" {word} {a[k]}"
    row += "".join(" " + k for k in ADDRESS_FLAGS if a.get(k))
    if a.get("valid_life_time", 4294967295) != 4294967295:
        row += " limited"
    if a.get("label", link["ifname"]) != link["ifname"]:
        row += f" label {a['label']}"
    return row


def addresses():
    rows = {}
    for l in js(["ip", "-j", "addr", "show"]):
        mine = [address_row(l, a) for a in l.get("addr_info", [])
                if not (a.get("scope") == "link" and a["family"] == "inet6")]
        if mine:
            rows[l["ifname"]] = mine
    return rows


def route_row(r):
    row = ("" if r.get("type", "unicast") == "unicast" else r["type"] + " ") + r.get("dst", "")
    for k, word in (("gateway", "via"), ("dev", "dev"), ("table", "table"), ("protocol", "proto"), ("scope", "scope"),
                    ("prefsrc", "src"), ("metric", "metric")):
        if k in r and not (k == "table" and r[k] == "main"):
            row += f" {word} {r[k]}"
    for m in r.get("metrics", []):
        row += " " + " ".join(f"{k} {v}" for k, v in sorted(m.items()))
    for n in r.get("nexthops", []):
        row += f" nexthop via {n.get('gateway')} dev {n.get('dev')} weight {n.get('weight')}"
    return row + (" onlink" if "onlink" in r.get("flags", []) else "")


def routes(family):
    return sorted(route_row(r) for r in js(["ip", family, "-j", "-d", "route", "show", "table", "all"])
                  if r.get("table") != "local" and r.get("type") not in ("local", "broadcast", "anycast", "multicast")
                  and not r.get("dst", "").startswith(("fe80:", "ff00:")))


def rules():
    """without those that every namespace has"""
    rows = []
    for family in ("-4", "-6"):
        for r in js(["ip", family, "-j", "rule", "show"]):
            if r["priority"] not in (0, 32766, 32767):
                words = [f"{k} {v}" for k, v in r.items() if k not in ("priority", "src", "srclen", "table")]
                rows.append(" ".join([f"{family} {r['priority']}: from {r['src']}"] +
                                     ([f"/{r['srclen']}"] if "srclen" in r else []) + words + [f"lookup {r.get('table')}"]))
    return rows


def fdb():
    rows = []
    for f in js(["bridge", "-j", "fdb", "show"]):
        if f.get("mac", "").startswith(("33:33:", "01:")) or f.get("state") != "permanent":
            continue
        rows.append(f"{f['mac']} dev {f.get('ifname')}" + (f" master {f['master']}" if "master" in f else "") +
                    (f" vlan {f['vlan']}" if "vlan" in f else "") +
                    (" " + " ".join(sorted(f["flags"])) if f.get("flags") else ""))
    return sorted(rows)


def neigh():
    return sorted(f"{n['dst']} dev {n['dev']} lladdr {n.get('lladdr')}" for n in js(["ip", "-j", "neigh", "show"])
                  if "PERMANENT" in n.get("state", []))


def read_sysctl(path):
    try:
        with open("/proc/sys/" + path) as f:
            return f.read().strip()
    except OSError:
        return None


def sysctls(present):
    """only what differs from what prepare() has set"""
    rows = {}
    for path, usual in GLOBAL_SYSCTLS.items():
        value = read_sysctl(path)
        if value not in (None, usual):
            rows[path.replace("/", ".")] = value
    for family, keys in CONF.items():
        for name in present - {"lo"}:
            for key, usual in keys.items():
                value = read_sysctl(f"net/{family}/conf/{name}/{key}")
                if key != "forwarding" and value not in (None, usual):
                    rows[f"net.{family}.conf.{name}.{key}"] = value
    return rows


def nft():
    tables = {}
    for entry in (js(["nft", "-j", "list", "ruleset"]) or {}).get("nftables", []):
        (what, o), = entry.items()
        if what == "metainfo":
            continue
        name = f"{o['family']} {o['name'] if what == 'table' else o.get('table')}"
        table = tables.setdefault(name, {})
        if what == "chain":
            table.setdefault("chains", {})[o["name"]] = {k: o[k] for k in ("type", "hook", "prio", "policy") if k in o}
        elif what == "rule":
            rule = {k: o[k] for k in ("expr", "comment") if k in o}
            table["chains"][o["chain"]].setdefault("rules", []).append(rule)
        elif what != "table":
            set_ = {k: v for k, v in o.items() if k not in ("handle", "family", "table", "name")}
            if "elem" in set_:
                set_["elem"] = sorted(filter(None, map(element, set_["elem"])))
            table.setdefault(what + "s", {})[o.get("name", "?")] = set_
    return {name: port_map(t) if name.startswith("inet cni-portmap-") else t for name, t in tables.items()}


def element(entry):
    """an element of a set or map as text: key, data, comment; nothing for one that is on its way out"""
    key, data = entry if isinstance(entry, list) else (entry, None)
    inner = key.get("elem", {"val": key}) if isinstance(key, dict) else {"val": key}
    if inner.get("timeout") and not inner.get("expires"):
        return None
    value = inner["val"]
    if isinstance(value, dict):
        value = " . ".join(map(str, value["concat"])) if "concat" in value else json.dumps(value)
    text = str(value) if data is None else f"{value} : {data}"
    return text + (f" # {inner['comment']}" if inner.get("comment") else "")


def port_map(table):
    """Our table of port mappings in short: its rules are the same always, tests/netns/test_port_map.c looks at them."""
    full = {**table.get("maps", {}), **table.get("sets", {})}
    return {"rules": {name: len(chain.get("rules", [])) for name, chain in table.get("chains", {}).items()},
            "elements": {name: s["elem"] for name, s in full.items() if s.get("elem")}}


def traffic_control():
    """queueing disciplines other than those that links have by themselves, and the filters at their entrance"""
    rows = {}
    for q in js(["tc", "-j", "qdisc", "show"]):
        if q.get("kind") not in ("noqueue", "fq_codel", "pfifo_fast", "mq", "noop"):
            rows.setdefault(q["dev"], []).append({k: v for k, v in q.items() if k not in ("dev", "refcnt")})
    for dev, row in rows.items():
        row += [{"filter": without_counters(f)} for f in js(["tc", "-j", "filter", "show", "dev", dev, "parent", "ffff:"])]
    return rows


def without_counters(value):
    """what tells nothing but how often and since when"""
    if isinstance(value, dict):
        return {k: without_counters(v) for k, v in value.items()
                if k not in ("index", "ref", "bind", "installed", "last_used", "first_used")}
    return [without_counters(v) for v in value] if isinstance(value, list) else value


# ---- all of it --------------------------------------------------------------------------------------------------

def is_moving(link, ns, everyone):
    """does the kernel still owe an operational state, which comes from a work queue"""
    up, running = "UP" in link["flags"], link["operstate"] == "UP"
    if kind(link) == "veth":
        peer = peer_of(link, everyone)
        if peer == "?":
            return True  # its namespace is being taken apart
        peer_ns, name = peer.split("/")
        up = up and "UP" in next(x for x in everyone[peer_ns] if x["ifname"] == name)["flags"]
        return up != running or (up and "LOWER_UP" not in link["flags"])
    if kind(link) == "bridge" and up:
        ports = [x for x in everyone[ns] if x.get("master") == link["ifname"]]
        if any(x["operstate"] == "UP" and x["linkinfo"].get("info_slave_data", {}).get("state") != "forwarding"
               for x in ports):
            return True
        return "LOWER_UP" not in link["flags"] if has_running_port(link, everyone[ns]) else running
    return not up and running


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def settle(spaces):
    """Wait until operational states, and duplicate address detection on the host, say what they will say."""
    everyone = {}

    def settled():
        for n in spaces:
            with netns(n):
                everyone[n] = links()
        return not any(is_moving(l, n, everyone) for n in spaces for l in everyone[n])

    def detected():
        with netns("host"):
            return not any(a.get("tentative") and a.get("scope") == "global"
                           for l in js(["ip", "-j", "-6", "addr", "show"]) for a in l.get("addr_info", []))

    until(settled, 30)
    if "host" in spaces:
        until(detected, 30)
    return everyone


def files():
    rows = {}
    for root, symbol in ((DATA, "@DATA@"), ("/var/lib/cni", "@VARLIB@"), ("/run/cni", "@RUNCNI@")):
        for directory, directories, names in os.walk(root):
            directories.sort()
            if root == DATA and os.path.basename(directory) == "bin":
                directories[:] = names[:] = []
            for name in sorted(directories):
                path = os.path.join(directory, name)
                rows[symbol + path[len(root):] + "/"] = {"mode": "%04o" % stat.S_IMODE(os.stat(path).st_mode)}
            for name in sorted(names):
                path = os.path.join(directory, name)
                with open(path, errors="replace", newline="") as f:
                    rows[symbol + path[len(root):]] = {"mode": "%04o" % stat.S_IMODE(os.stat(path).st_mode),
                                                       "text": f.read()}
    return rows


def observe(spaces, base):
    """The state of the namespaces (without links that are as in base) and of the files, and the links as they are."""
    spaces = [n for n in spaces if ns_exists(n)]
    pod_addresses = {}
    for n in spaces:  # before settling: whether a container's own addresses are still tentative matters
        with netns(n):
            pod_addresses[n] = addresses()
    everyone = settle(spaces)
    state = {}
    for n in spaces:
        with netns(n):
            forms = {l["ifname"]: link_form(l, everyone, everyone[n]) for l in everyone[n]}
            one = {"link": {k: v for k, v in forms.items() if base[n].get(k) != v},
                   "addr": addresses() if n == "host" else pod_addresses[n],
                   "route": routes("-4"), "route6": routes("-6"), "fdb": fdb(), "neigh": neigh(),
                   "sysctl": sysctls(set(forms)), "nft": nft(), "tc": traffic_control(), "rule": rules()}
            state[n] = {k: v for k, v in one.items() if v}
    state["files"] = files()
    return {k: v for k, v in state.items() if v}, everyone


def prepare(spaces):
    """Make the namespaces with known settings, empty the directories; returns how the links look."""
    if os.path.ismount("/etc"):  # a copy, see enter_private_mounts()
        shutil.rmtree("/etc/cni", ignore_errors=True)
    for d in (DATA, "/var/lib/cni", "/run/cni", "/run/flannel"):
        os.makedirs(d, exist_ok=True)
        for name in os.listdir(d):
            path = os.path.join(d, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    everyone = {}
    for n in spaces:
        out(["ip", "netns", "add", "gc-" + n], check=True)
        with netns(n):
            for family, keys in CONF.items():
                for key, value in keys.items():
                    for which in ["default"] + (["all"] if key in ("forwarding", "rp_filter", "route_localnet") else []):
                        with open(f"/proc/sys/net/{family}/conf/{which}/{key}", "w") as f:
                            f.write(value)
            with open("/proc/sys/net/core/somaxconn", "w") as f:
                f.write(GLOBAL_SYSCTLS["net/core/somaxconn"])
            everyone[n] = links()
    return {n: {l["ifname"]: link_form(l, everyone, everyone[n]) for l in everyone[n]} for n in spaces}


def remove(spaces):
    for n in spaces:
        if os.path.exists(ns_path(n)) and subprocess.run(["ip", "netns", "del", "gc-" + n],
                                                         stderr=subprocess.DEVNULL).returncode:
            subprocess.run(["umount", ns_path(n)], stderr=subprocess.DEVNULL)
            if os.path.exists(ns_path(n)):
                os.unlink(ns_path(n))
