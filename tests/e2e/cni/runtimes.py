# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two nodes with flanneld on each, and real container runtimes on them that call our CNI plugins.

The environment names the programs as for tests/e2e/flanneld/lab.py; CNI_PLUGINS is the directory of the plugins. Each runtime
lives in a world of its own (see the script world), so that nothing of the machine is touched and nothing stays.
"""
import contextlib, hashlib, io, json, os, select, subprocess, sys, tarfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "flanneld"))
import lab  # noqa: E402: that of flanneld's tests
from lab import check, equal, shell  # noqa: E402

IMAGE = "localhost/flannel-e2e:latest"
NETWORK = "flannel-e2e"
PORT = 8080
SYSCTL, SYSCTL_VALUE = "net.core.somaxconn", "517"
# a container serves its name at /name, and says its address when it can be reached
SERVE = "mkdir -p /www; echo $0 > /www/name; httpd -p 8080 -h /www && ip -o -4 addr show dev eth0; exec sleep 1000000"


def config_list(node, mappings=None):
    """What an operator would write, but for the paths. With mappings: ports for a client that cannot name them itself."""
    return {"cniVersion": "1.0.0", "name": NETWORK, "plugins": [
        {"type": "flannel", "subnetFile": node.subnet_file, "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
        {"type": "portmap", "capabilities": {"portMappings": True},
         **({"runtimeConfig": {"portMappings": mappings}} if mappings else {})},
        {"type": "tuning", "sysctl": {SYSCTL: SYSCTL_VALUE}}]}


def make_image(path):
    """A docker archive with busybox under all the names that the containers need."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox", recursive=False)
        for name in ("sh", "httpd", "ip", "mkdir", "ping", "sleep", "timeout", "wget", "cat"):
            link = tarfile.TarInfo("bin/" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name in ("dev", "etc", "proc", "root", "sys", "tmp"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
    layer = layer.getvalue()
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}, "history": [{}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [IMAGE], "Layers": [digest + "/layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, data in ((name, config), (digest + "/layer.tar", layer), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


class World:
    """The surroundings of a runtime on a node."""

    def __init__(self, node):
        self.node, self.group = node, f"{node.ns}-world"
        self.dir = os.path.join(node.dir, "world")
        config = os.path.join(self.dir, "net.d")
        os.makedirs(config)
        self.config_path = os.path.join(config, "10-flannel.conflist")
        self.configure()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", node.ns, os.path.join(HERE, "world"), self.group, os.environ["CNI_PLUGINS"], config],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "LANG": "C.UTF-8",
                    **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k.startswith("FLANNEL_")}}

    def configure(self, mappings=None):
        with open(self.config_path, "w") as f:
            json.dump(config_list(self.node, mappings), f)

    def wait(self):
        """until it is there"""
        equal(first_line(self.process, self.group), "ready\n", f"{self.node.ns}: what the world says")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            self.init = f.read().split()[0]

    def command(self, *args):
        return ["nsenter", "-t", self.init, "--mount", "--pid", "--cgroup", "--net", *args]

    def run(self, *args, ok=True):
        return shell(*self.command(*args), ok=ok, env=self.env)

    def start(self, *args, **how):
        return subprocess.Popen(self.command(*args), env={**self.env, **how.pop("env", {})}, stdin=subprocess.DEVNULL, **how)

    def read(self, path):
        """Of a directory: the names in it, none if it does not exist."""
        return sorted(self.run("find", path, "-mindepth", "1", "-printf", "%P\n", ok=False).split())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(lab.PATIENCE)
        subprocess.run([os.path.join(HERE, "world"), "--remove", self.group], check=True)


def first_line(process, what):
    """A line of a process that was started with a pipe; it must come."""
    ready, _, _ = select.select([process.stdout], [], [], lab.PATIENCE)
    line = process.stdout.readline() if ready else ""
    check(line, f"{what}: said nothing, status {process.poll()}")
    return line


def address_in(line):
    """10.244.1.2 of "2: eth0    inet 10.244.1.2/24 ..." """
    words = line.split()
    check("inet" in words, "no address in", line)
    return words[words.index("inet") + 1].split("/")[0]


# where runtimes and plugins keep things unless they are told otherwise
PLACES = ("/run/containerd", "/run/containers", "/run/crun", "/run/runc", "/run/libpod", "/run/cni", "/run/flannel", "/var/lib/cni",
          "/var/lib/containerd", "/var/lib/containers", "/var/lib/flannel-e2e", "/etc/cni", "/etc/containers", "/opt/cni",
          "/opt/containerd", "/dev/shm/libpod_lock", "/root/.local/share/containers", "/root/.config/containers")


def machine():
    """What of the machine must be the same afterwards."""
    with open("/proc/self/mountinfo") as f:
        mounts = sorted(line.split()[4] for line in f)
    files = {place: sorted(os.path.join(d, n) for d, ds, ns in os.walk(place) for n in ds + ns) for place in PLACES if os.path.exists(place)}
    return {"mounts": [m for m in mounts if not m.startswith("/run/netns/")], "files": files,
            "links": [l["ifname"] for l in json.loads(shell("ip", "-j", "link", "show"))],
            "routes": shell("ip", "-o", "route", "show", "table", "all").splitlines(),
            "rules": shell("nft", "-a", "list", "ruleset").splitlines()}


@contextlib.contextmanager
def nodes(count=2):
    """Nodes that run flanneld with one store, each with a world; and a host outside that is no node."""
    before = machine()
    try:
        with running_nodes(count) as all_nodes:
            yield all_nodes
    finally:
        after = machine()
    equal(after, before, "the machine after the test")


@contextlib.contextmanager
def running_nodes(count):
    with lab.Lab() as the_lab, contextlib.ExitStack() as stack:
        all_nodes = [the_lab.node(f"n{i}", f"192.168.77.{i}/24") for i in range(1, count + 1)]
        the_lab.outside = the_lab.node("outside", "192.168.77.254/24")
        for node in all_nodes:
            node.address = f"192.168.77.{node.name[1:]}"
            node.ip("route", "add", "default", "via", "192.168.77.254")
            node.start("--ip-masq").ready()
        for node in all_nodes:
            others = [n.subnet()["FLANNEL_NETWORK"] for n in all_nodes]
            lab.await_equal(lambda: len(node.peers()), len(others) - 1, f"{node.ns}: routes to the peers")
            node.world = World(node)
            stack.callback(node.world.close)
            node.world.wait()
        yield all_nodes


def footprint(node):
    """What a container leaves on its node if anything does."""
    world = node.world
    links = json.loads(node.ip("-j", "-d", "link", "show"))
    bridge = [l for l in links if l["ifname"] == "cni0"]
    entries = json.loads(node.run("bridge", "-j", "fdb", "show", "br", "cni0", ok=False) or "[]")
    rules = json.loads(node.run("nft", "-j", "list", "ruleset"))["nftables"]
    elements = [e for r in rules for kind in ("set", "map") if kind in r for e in r[kind].get("elem", [])]
    return {
        "veths": [l["ifname"] for l in links if l.get("linkinfo", {}).get("info_kind") == "veth" and l["ifname"] != "eth0"],
        "fdb": [e["mac"] for e in entries if e.get("ifname") != "cni0" and e.get("state") == "permanent"],
        "neighbours": [n["dst"] for n in json.loads(node.ip("-j", "neigh", "show", "dev", "cni0") or "[]")
                       if n.get("state") == ["PERMANENT"]] if bridge else [],
        "addresses": [n for n in world.read("/var/lib/cni/networks") if n.split("/")[-1][:1].isdigit()],
        "states": world.read("/var/lib/cni/flannel"),
        "results": world.read("/var/lib/cni/results"),
        "elements": elements,
    }


def expect_nothing(node, what):
    """At once, but for what the kernel removes with a namespace that ended by itself: that it does in its own time."""
    kernel = ("veths", "fdb")
    found = footprint(node)
    equal({k: v for k, v in found.items() if v and k not in kernel}, {}, f"{node.ns}: left {what}")
    lab.await_equal(lambda: {k: v for k, v in footprint(node).items() if v}, {}, f"{node.ns}: left {what}")


def expect_attached(node, addresses):
    """Each container has what it should have, seen from the node."""
    found = footprint(node)
    equal((len(found["veths"]), len(found["states"])), (len(addresses), len(addresses)), f"{node.ns}: interfaces and states")
    equal(sorted(n.split("/")[-1] for n in found["addresses"]), sorted(addresses), f"{node.ns}: addresses in use")
    subnet = node.subnet()["FLANNEL_SUBNET"].rsplit(".", 1)[0]
    for address in addresses:
        equal(address.rsplit(".", 1)[0], subnet, f"{node.ns}: the subnet of {address}")


def expect_served(containers):
    """Everybody asks everybody for the name, and pings one on the other node; so does the node."""
    for one in containers:
        for other in containers:
            if one is not other:
                equal(one.exec("timeout", "10", "wget", "-q", "-O", "-", f"http://{other.address}:{PORT}/name"), other.name,
                      f"{one.name} asks {other.name}")
        for other in (containers[0], containers[-1]):
            one.exec("timeout", "10", "ping", "-c", "1", other.address)
        equal(get(one.node, one.address, PORT), one.name, f"the node asks {one.name}")
        equal(one.exec("cat", "/proc/sys/" + SYSCTL.replace(".", "/")), SYSCTL_VALUE, f"{one.name}: {SYSCTL}")


def expect_published(containers, gone=()):
    """The host outside reaches each by its node's port, and by the ports of those that are gone nobody."""
    for one in containers:
        equal(get(one.node.lab.outside, one.node.address, one.host_port), one.name, f"outside asks {one.name}")
    for one in gone:
        said = one.node.lab.outside.run("busybox", "wget", "-q", "-O", "-", f"http://{one.node.address}:{one.host_port}/name", ok=False)
        equal(said, "", f"outside asks {one.name}, which is gone")


def get(node, address, port, path="name"):
    """What a web server says to a program on the node, or on the host outside."""
    return node.run("timeout", "10", "busybox", "wget", "-q", "-O", "-", f"http://{address}:{port}/{path}").strip()
