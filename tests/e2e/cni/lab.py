# SPDX-License-Identifier: LGPL-2.1-or-later
"""A node and a container as network namespaces, attachments made as a runtime makes them, and a look at all that they are made of."""
import contextlib, ctypes, json, os, re, shutil, subprocess, tempfile

from private import enter_private_run

CLONE_NEWNET = 0x40000000
NSDIR = "/run/netns"
PATIENCE = 60
libc = ctypes.CDLL(None, use_errno=True)

SUBNET_ENV = """FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/48
FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=false
"""


class Failure(Exception):
    pass


def check(truth, *words):
    if not truth:
        raise Failure(" ".join(str(w) for w in words))


def equal(found, expected, what):
    if found == expected:
        return
    parts = [f"{k}:\n  found    {json.dumps(found.get(k))}\n  expected {json.dumps(expected.get(k))}"
             for k in expected | found if found.get(k) != expected.get(k)]
    raise Failure(f"{what}: " + "\n".join(parts))


class Lab:
    """Two namespaces and a directory; gone at the end, whatever happened. The process has a /run of its own from the first lab on."""

    has_private_run = False

    def __init__(self, plugins, more=()):
        if not Lab.has_private_run:
            enter_private_run()
            Lab.has_private_run = True
        self.plugins = plugins
        self.spaces = {name: f"flannel-{os.getpid()}-{name}" for name in ("node", "pod", "other", *more)}
        self.dir = tempfile.mkdtemp(prefix="flannel-cni-")
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.fds = {}

    def __enter__(self):
        try:
            for name, full in self.spaces.items():
                subprocess.run(["ip", "netns", "add", full], check=True)
                self.fds[name] = os.open(f"{NSDIR}/{full}", os.O_RDONLY | os.O_CLOEXEC)
                self.run(name, "ip", "link", "set", "lo", "up")
            with self.inside("node"):
                # without this, IPv6 addresses of the bridge would be of no use for some seconds
                for name in ("all", "default"):
                    with open(f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "w") as f:
                        f.write("0")
            with open(self.dir + "/subnet.env", "w") as f:
                f.write(SUBNET_ENV)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.fds:
            os.close(self.fds[name])
        for full in self.spaces.values():
            subprocess.run(["ip", "netns", "del", full], stderr=subprocess.DEVNULL)
        os.close(self.home)
        shutil.rmtree(self.dir)

    @contextlib.contextmanager
    def inside(self, name):
        """the body runs in a namespace, and so do the programs that it starts (this program has one thread)"""
        try:
            if libc.setns(self.fds[name], CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns " + name)
            yield
        finally:
            libc.setns(self.home, CLONE_NEWNET)

    def run(self, name, *command, stdin=""):
        """output of a command in a namespace, which must succeed"""
        with self.inside(name):
            p = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE)
        check(p.returncode == 0, *command, p.returncode, p.stdout, p.stderr)
        return p.stdout

    def data(self, *names):
        return os.path.join(self.dir, "data", *names)

    def base_config(self):
        """flannel as it is usually deployed; the delegate masquerades, since flanneld does not"""
        return {"type": "flannel", "subnetFile": self.dir + "/subnet.env", "dataDir": self.data("flannel"),
                "ipam": {"dataDir": self.data("net")}, "delegate": {"hairpinMode": True, "isDefaultGateway": True}}

    # ---- what a runtime does --------------------------------------------------------------------------------------

    def call(self, verb, config, previous=None, wrap=(), pod="pod"):
        """one call of one plugin of a list"""
        config = {"cniVersion": "1.0.0", "name": "cbr0", **config, **({"prevResult": previous} if previous else {})}
        keep = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k in ("PATH", "FLANNEL_NFT_HELPER")}
        # LeakSanitizer does not work while somebody traces
        keep["ASAN_OPTIONS"] = keep.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        environment = {**keep, "CNI_COMMAND": verb, "CNI_CONTAINERID": pod, "CNI_IFNAME": "eth0",
                       "CNI_NETNS": f"{NSDIR}/{self.spaces[pod]}", "CNI_PATH": self.plugins}
        with self.inside("node"):
            return subprocess.run([*wrap, os.path.join(self.plugins, config["type"])], input=json.dumps(config).encode(),
                                  capture_output=True, env=environment, timeout=PATIENCE)

    def add(self, chain, pod="pod", previous=None):
        """ADD of all plugins of the list; the result of the last"""
        for config in chain:
            p = self.call("ADD", config, previous, pod=pod)
            check(p.returncode == 0, f"ADD of {config['type']}:", p.returncode, p.stdout, p.stderr)
            previous = json.loads(p.stdout)
        return previous

    def delete(self, chain, previous=None, pod="pod"):
        """DEL of all in reverse, with the result if the runtime got one"""
        for config in reversed(chain):
            p = self.call("DEL", config, previous, pod=pod)
            check(p.returncode == 0 and not p.stdout, f"DEL of {config['type']}:", p.returncode, p.stdout, p.stderr)

    def ping(self, result, pod="pod"):
        """the container reaches its gateways"""
        for ip in result["ips"]:
            self.run(pod, "ping", "-n", "-c", "1", "-W", "10", "-I", ip["address"].split("/")[0], ip["gateway"])

    # ---- what is there --------------------------------------------------------------------------------------------

    def forget(self):
        """Nothing of the network is left on the node: the next attachment is its first."""
        links = json.loads(self.run("node", "ip", "-j", "link"))
        batch = "".join(f"link del {l['ifname']}\n" for l in links if l["ifname"].startswith(("cni", "bwp", "ifb")))
        batch += "".join(f"link del {l['ifname']}\n" for l in links if l["ifname"].startswith("veth"))
        if batch:
            self.run("node", "ip", "-b", "-", stdin=batch)
        self.run("node", "nft", "flush ruleset")
        with self.inside("node"):
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                with open("/proc/sys/net/" + name, "w") as f:
                    f.write("0")
        shutil.rmtree(self.data(), ignore_errors=True)

    def look(self):
        """all that attachments are made of, without what is another at every run"""
        seen = {}
        for name in ("node", "pod"):
            seen |= self.look_at_links(name)
        seen["pod rules"] = sorted(f"{r['priority']} {r['src']} {r['table']}" for family in ("-4", "-6")
                                   for r in json.loads(self.run("pod", "ip", family, "-j", "rule")))
        with self.inside("node"):
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                with open("/proc/sys/net/" + name) as f:
                    seen[name] = f.read().strip()
        with self.inside("pod"), contextlib.suppress(FileNotFoundError):
            with open("/proc/sys/net/ipv4/conf/eth0/arp_filter") as f:
                seen["pod setting"] = f.read().strip()
        seen["nft"] = rules(json.loads(self.run("node", "nft", "-j", "list", "ruleset") or '{"nftables": []}'))
        seen["files"] = self.files()
        pods = {a: f"POD{i}" for i, a in enumerate(seen.pop("pod own"))}
        del seen["node own"]
        text = json.dumps(seen)
        for address in sorted(pods, key=len, reverse=True):
            text = re.sub(re.escape(address) + r"(?![0-9a-f:])", pods[address], text)
        seen = json.loads(re.sub(r"veth[0-9a-f]{8}", "VETH", text))
        return {k: sorted(v) if k.endswith(("routes", "addresses", "links")) else v for k, v in seen.items()}  # other names, another order

    def look_at_links(self, name):
        """links, addresses and routes of a namespace"""
        links, routes = map(json.loads, self.run(name, "ip", "-j", "-b", "-", stdin="addr show\nroute show table all\n").splitlines())
        own = [(l["ifname"], a) for l in links for a in l["addr_info"] if a["scope"] == "global"]
        routes = [r for r in routes if r.get("table") != "local" and not r["dst"].startswith(("fe80:", "ff00:"))]
        return {
            name + " links": sorted(f"{l['ifname']} {l['qdisc']} mtu {l['mtu']} {l.get('master')} "
                                    f"{' '.join(sorted(set(l['flags']) & {'UP', 'PROMISC'}))}" for l in links),
            name + " addresses": sorted(f"{ifname} {a['local']}/{a['prefixlen']}" for ifname, a in own),
            # link-local routes come and go by themselves
            name + " routes": sorted(f"{r['dst']} {r.get('gateway')} {r['dev']} {r.get('table')} {r.get('prefsrc')}" for r in routes),
            name + " own": [a["local"] for _, a in own]}

    def files(self):
        """What is on disk. The directory of a pool with its lock and the place where it goes on stay for ever."""
        seen = {}
        for directory, _, names in os.walk(self.data()):
            for name in names:
                path = os.path.join(directory, name)
                if name == "lock" or name.startswith("last_reserved_ip."):
                    continue
                with open(path, errors="replace", newline="") as f:
                    seen[path[len(self.dir):]] = f.read()
        return seen


def is_retired(item):
    """an element that is on its way out, which takes some milliseconds; in a map its data comes behind it"""
    item = item[0] if isinstance(item, list) and item else item
    return isinstance(item, dict) and isinstance(item.get("elem"), dict) and item["elem"].get("expires", 2) < 2


def rules(listing):
    """a ruleset without numbers that count up, and without elements that are retired"""
    seen = []
    for entry in listing["nftables"]:
        for what, value in entry.items():
            if what != "metainfo":
                value = {k: v for k, v in value.items() if k not in ("handle", "index")}
                if "elem" in value:
                    value["elem"] = [e for e in value["elem"] if not is_retired(e)]
                if value.get("elem") == []:
                    del value["elem"]
                seen.append({what: value})
    text = re.sub(r'"(expires|packets|bytes)": \d+', r'"\1": 0', json.dumps(seen))
    return sorted(json.loads(text), key=json.dumps)
