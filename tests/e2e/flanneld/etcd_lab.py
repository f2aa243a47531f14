# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real etcd beside the nodes of lab.py: one member or three, with or without TLS, in namespaces on the same wire."""
import ctypes, json, os, signal, socket, subprocess, time

from lab import CONFIG, PATIENCE, Daemon, Lab, check, equal, shell

PREFIX = "/coreos.com/network"
SUBNETS = f"{PREFIX}/subnets/"
QUICK = ["--heartbeat-interval", "20", "--election-timeout", "200", "--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn"]


def host_gw(address):
    return json.dumps({"PublicIP": address, "PublicIPv6": None, "BackendType": "host-gw"}, separators=(",", ":"))


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Member:
    """One etcd, in a namespace of its own."""

    def __init__(self, lab, name, address, more=(), scheme="http"):
        self.lab, self.name, self.ns, self.more = lab, name, f"{lab.prefix}-{name}", more
        self.dir = os.path.join(lab.dir, name)
        self.address = address
        self.url = f"{scheme}://{address}:2379"
        self.peer = f"http://{address}:2380"
        self.process = None
        os.mkdir(self.dir)
        lab.namespaces.append(self.ns)
        end = f"w-{name}"
        shell("ip", "netns", "add", self.ns)
        shell("ip", "-n", self.ns, "link", "set", "lo", "up")
        shell("ip", "-n", lab.wire, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        shell("ip", "-n", lab.wire, "link", "set", end, "master", "wire", "up")
        shell("ip", "-n", self.ns, "address", "add", f"{address}/24", "dev", "eth0")
        shell("ip", "-n", self.ns, "link", "set", "eth0", "up")

    def command(self, cluster):
        if "--config-file" in self.more:
            return ["etcd", *self.more]
        return ["etcd", "--name", self.name, "--data-dir", f"{self.dir}/data", "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer, "--initial-cluster", cluster, *QUICK, *self.more]

    def begin(self, cluster=None):
        """Starts it; ready() waits."""
        ready_path = f"{self.dir}/notify"
        if os.path.exists(ready_path):
            os.unlink(ready_path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(ready_path)
        self.notify.settimeout(PATIENCE)
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.ns, *self.command(cluster or f"{self.name}={self.peer}")], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=dict(os.environ, NOTIFY_SOCKET=ready_path), preexec_fn=die_with_parent)

    def ready(self):
        try:
            self.notify.recv(512)
        except socket.timeout:
            with open(f"{self.dir}/log") as log:
                check(False, f"etcd {self.name} is not ready\n{log.read()}")
        self.notify.close()

    def start(self):
        self.begin()
        self.ready()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class EtcdLab(Lab):
    """A lab whose leases are in etcd. names: of its members; flags: of etcdctl."""
    wire_network = "192.0.2"

    def __init__(self, config=CONFIG, names=("e1",), more=(), scheme="http", flags=()):
        super().__init__(None)
        self.etcd_config, self.names, self.more, self.scheme, self.flags = config, names, more, scheme, list(flags)

    def __enter__(self):
        super().__enter__()
        try:
            more = self.more(self) if callable(self.more) else self.more
            self.members = []
            for i, name in enumerate(self.names):
                self.members.append(Member(self, name, f"{self.wire_network}.{100 + i}", more, self.scheme))
            cluster = ",".join(f"{m.name}={m.peer}" for m in self.members)
            for member in self.members:
                member.begin(cluster)
            for member in self.members:
                member.ready()
            if self.etcd_config is not None:
                self.set_config(self.etcd_config)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:  # a stopped one would not end
            daemon.close()
        self.daemons = []
        for member in getattr(self, "members", []):
            member.kill()
        super().__exit__()

    @property
    def endpoints(self):
        return ",".join(m.url for m in self.members)

    def etcdctl(self, *args, ok=True, member=None):
        """member: the number of the one that is asked; else the first that runs"""
        member = self.members[member] if member is not None else next((m for m in self.members if m.process), self.members[0])
        return shell("ip", "netns", "exec", member.ns, "etcdctl", "--endpoints", member.url, *self.flags, *args, ok=ok, env=dict(os.environ, ETCDCTL_API="3"))

    def set_config(self, config):
        self.put(f"{PREFIX}/config", config if isinstance(config, str) else json.dumps(config))

    def put(self, key, value, ttl=0):
        lease = [f"--lease={self.etcdctl('lease', 'grant', str(ttl)).split()[1]}"] if ttl else []
        self.etcdctl("put", *lease, key, value)

    def delete(self, key):
        equal(self.etcdctl("del", key), "1\n", f"deletion of {key}")

    def keys(self):
        """key -> (value, etcd lease) below the subnets"""
        import base64
        found = json.loads(self.etcdctl("get", "-w", "json", "--prefix", SUBNETS))
        text = lambda kv, what: base64.b64decode(kv[what]).decode()
        return {text(kv, "key")[len(SUBNETS):]: (text(kv, "value"), kv.get("lease", 0)) for kv in found.get("kvs", [])}

    def ttl(self, lease):
        return json.loads(self.etcdctl("lease", "timetolive", "-w", "json", f"{lease:x}"))["ttl"]


class LikeDaemon(Daemon):
    """flanneld on etcd, whatever file of the embedded store it was to use."""

    def __init__(self, node, args, **how):
        args = [a for a in args if not a.startswith("--store-path=")]
        super().__init__(node, [*args, f"--etcd-endpoints={node.lab.endpoints}"], **how)


class LikeLab(EtcdLab):
    """An EtcdLab that looks like a Lab, for tests that were written for the embedded store."""
    wire_network = "192.168.77"

    def seed(self, verb, key, value, ttl="0"):
        if verb == "put":
            self.put(SUBNETS + key, value, int(ttl))
        else:
            self.delete(SUBNETS + key)

    def leases(self):
        return {name: (json.loads(value), lease != 0) for name, (value, lease) in self.keys().items()}


def start(node, *more, **how):
    """flanneld of a node on the lab's etcd."""
    args = [f"--subnet-file={node.subnet_file}", f"--state-dir={node.dir}/state", f"--socket={node.dir}/sock", "--iface=eth0",
            f"--etcd-endpoints={node.lab.endpoints}", *more]
    return Daemon(node, args, **how)


def net(node):
    return node.subnet()["FLANNEL_SUBNET"].replace(".1/", ".0/")


def key(node):
    return net(node).replace("/", "-")


class RouteWatch:
    """Sees whether a route ever leaves the kernel: ip monitor from the start to the end. However much it tells, nothing waits for a reader."""
    MARK = "198.51.100.0/24"

    def __init__(self, node):
        self.node = node
        self.path = f"{node.dir}/routes"
        with open(self.path, "w") as file:
            self.process = subprocess.Popen(["ip", "netns", "exec", node.ns, "ip", "-rcvbuf", "8388608", "monitor", "route"], stdout=file, preexec_fn=die_with_parent)
        self.await_mark()  # it listens once it tells of this one

    def lines(self):
        with open(self.path) as file:
            return file.read().splitlines()

    def await_mark(self):
        before = sum(self.MARK in line for line in self.lines())
        deadline = time.monotonic() + PATIENCE
        while sum(self.MARK in line for line in self.lines()) == before:
            check(time.monotonic() < deadline and self.process.poll() is None, "ip monitor tells nothing")
            self.node.ip("route", "add", self.MARK, "dev", "lo")
            self.node.ip("route", "delete", self.MARK, "dev", "lo")
            time.sleep(0.02)

    def deleted(self):
        """Destinations of routes that were deleted meanwhile."""
        self.await_mark()
        self.process.terminate()
        self.process.wait()
        return [line.split()[1] for line in self.lines() if line.startswith("Deleted") and self.MARK not in line]
