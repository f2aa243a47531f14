# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nodes as network namespaces for the tests of flanneld, and a look at them with other programs' eyes.

The environment names the programs: FLANNELD, FLANNEL_SEED, FLANNEL_MODULE_DIR, FLANNEL_NFT_HELPER. A Lab is a context manager:
at its end its processes, namespaces and directory are gone, whatever happened.
"""
import json, os, re, select, shutil, signal, socket, subprocess, sys, tempfile, time, traceback

PATIENCE = 30
CONFIG = {"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}
CONFIG_DUAL = dict(CONFIG, EnableIPv6=True, IPv6Network="fd00:10:244::/48")


class Failure(Exception):
    pass


def check(truth, *words):
    if not truth:
        raise Failure(" ".join(str(w) for w in words))


def equal(found, expected, what):
    check(found == expected, f"{what}:\n  found    {json.dumps(found, default=str)}\n  expected {json.dumps(expected, default=str)}")


def shell(*command, ok=True, env=None):
    """Output of a command that must succeed."""
    p = subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=60)
    check(not ok or p.returncode == 0, f"{' '.join(command)}: status {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout


class Daemon:
    """A running flanneld; its standard error is a file."""

    def __init__(self, node, args, wrap=(), env=None, name="flanneld"):
        self.node = node
        node.lab.n_started += 1
        self.stderr_path = os.path.join(node.lab.dir, f"{name}.{node.lab.n_started}.log")
        self.ready_path = os.path.join(node.lab.dir, f"notify.{node.lab.n_started}")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.ready_path)
        self.notified = []  # datagrams for the service manager, so far
        environment = dict(os.environ, NOTIFY_SOCKET=self.ready_path) | (env or {})
        with open(self.stderr_path, "wb") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", node.ns, *wrap, os.environ["FLANNELD"], *args], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment)
        self.pid = self.process.pid  # ip becomes what it is told to start; under strace this is strace
        self.pidfd = os.pidfd_open(self.pid)
        node.lab.daemons.append(self)

    def stderr(self):
        with open(self.stderr_path, errors="replace") as f:
            return f.read()

    def outcome(self, patience=PATIENCE):
        """Waits until it is ready ("ready") or has ended (its status)."""
        deadline = time.monotonic() + patience
        while not any("READY=1" in message.split("\n") for message in self.notified):
            ready, _, _ = select.select([self.notify, self.pidfd], [], [], max(deadline - time.monotonic(), 0))
            check(ready, f"{self.node.ns}: neither ready nor ended after {patience} s\n{self.stderr()}")
            if self.notify not in ready:
                return self.process.wait()
            self.notified.append(self.notify.recv(4096).decode())
        return "ready"

    def told(self, part, patience=PATIENCE):
        """Waits until the service manager is told something."""
        deadline = time.monotonic() + patience
        while not any(part in message for message in self.notified):
            ready, _, _ = select.select([self.notify], [], [], max(deadline - time.monotonic(), 0))
            check(ready, f"{self.node.ns}: the service manager is not told {part!r}, but {self.notified}\n{self.stderr()}")
            self.notified.append(self.notify.recv(4096).decode())

    def ready(self):
        equal(self.outcome(), "ready", f"{self.node.ns}: what became of it\n{self.stderr()}")
        return self

    def end(self, signum=signal.SIGTERM, status=0):
        """Sends a signal and waits; the status must be that."""
        self.process.send_signal(signum)
        try:
            found = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.node.ns}: does not end at signal {signum}\n{self.stderr()}")
        equal(found, status, f"{self.node.ns}: status after signal {signum}\n{self.stderr()}")

    def real_pid(self):
        """Of flanneld itself, under strace too: its lock says so."""
        with open(os.path.join(self.node.dir, "state", "lock")) as f:
            return int(f.read())

    def children(self):
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
                return [int(pid) for pid in f.read().split()]
        except FileNotFoundError:
            return []

    def close(self):
        if self.process.poll() is None:
            children = self.children()  # strace does not take them along
            self.process.kill()
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.pidfd)
        self.notify.close()


class Node:
    def __init__(self, lab, name, *addresses):
        self.lab, self.name, self.ns = lab, name, f"{lab.prefix}-{name}"
        self.dir = os.path.join(lab.dir, name)
        self.subnet_file = os.path.join(self.dir, "subnet.env")
        os.mkdir(self.dir)
        lab.namespaces.append(self.ns)
        shell("ip", "netns", "add", self.ns)
        self.ip("link", "set", "lo", "up")
        end = f"w-{name}"
        shell("ip", "-n", lab.wire, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        shell("ip", "-n", lab.wire, "link", "set", end, "master", "wire", "up")
        self.ip("link", "set", "eth0", "up")
        for address in addresses:
            self.ip("address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))

    def ip(self, *args):
        return shell("ip", "-n", self.ns, *args)

    def run(self, *command, ok=True):
        return shell("ip", "netns", "exec", self.ns, *command, ok=ok)

    def args(self, *more):
        return [f"--subnet-file={self.subnet_file}", f"--state-dir={self.dir}/state", f"--socket={self.dir}/sock",
                f"--store-path={self.lab.store}", *more]

    def start(self, *more, **how):
        return Daemon(self, self.args("--iface=eth0", *more), **how)

    def start_program(self, text):
        """A program of the test's own in the node's namespace, with pipes; it ends with the lab."""
        program = subprocess.Popen(["ip", "netns", "exec", self.ns, sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lab.programs.append(program)
        return program

    def routes(self, family=4, **match):
        """Routes of the main table; with match, those with these values."""
        routes = json.loads(shell("ip", "-n", self.ns, f"-{family}", "-j", "-d", "route", "show", "table", "main") or "[]")
        return [r for r in routes if all(r.get(k) == v for k, v in match.items())]

    def peers(self, family=4):
        """Destination and gateway of flanneld's routes."""
        return sorted((r["dst"], r["gateway"]) for r in self.routes(family, protocol="241"))

    def rules(self):
        """The ruleset without handles."""
        rules = json.loads(self.run("nft", "-j", "list", "ruleset"))["nftables"]
        rules = [r for r in rules if "metainfo" not in r]
        for rule in rules:
            for value in rule.values():
                value.pop("handle", None)
        return rules

    def subnet(self):
        with open(self.subnet_file) as f:
            return dict(line.strip().split("=", 1) for line in f)

    def pids(self):
        """Processes in the namespace."""
        return [int(pid) for pid in shell("ip", "netns", "pids", self.ns).split()]

    def state(self):
        """Everything that must not be touched when nothing is to be done: links, addresses, routes, rules."""
        links = json.loads(self.ip("-j", "link", "show"))
        return {"links": [l["ifname"] for l in links], "routes": [self.routes(4), self.routes(6)], "rules": self.rules()}

    def make_pod_address(self):
        """A bridge with the first address of the subnet, as the first pod would make it."""
        self.ip("link", "add", "cni0", "type", "bridge")
        self.ip("link", "set", "cni0", "up")
        subnet = self.subnet()
        for key, *flags in (("FLANNEL_SUBNET",), ("FLANNEL_IPV6_SUBNET", "nodad")):
            if key in subnet:
                self.ip("address", "add", subnet[key], "dev", "cni0", *flags)
        return subnet["FLANNEL_SUBNET"].split("/")[0]


class Ping:
    """Runs while something happens; at the end not one may be missing."""

    def __init__(self, node, source, to):
        self.process = subprocess.Popen(["ip", "netns", "exec", node.ns, "ping", "-n", "-O", "-i", "0.01", "-W", "5", "-I", source, to],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        node.lab.daemons.append(self)
        for _ in range(3):
            line = self.process.stdout.readline()
        check("bytes from" in line, "no ping before:", line)

    def end(self, lost=0):
        # what happened may have taken less time than one ping: those counted below are to come after it, too
        said = "".join(self.process.stdout.readline() for _ in range(10))
        self.process.send_signal(signal.SIGINT)
        said += self.process.stdout.read()
        self.process.wait()
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
        # the last one may be on its way
        check(sent - received <= lost + 1 and sent > 10, f"{sent} sent, {received} received\n{said[-500:]}")
        missing = set(range(1, sent)) - {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", said)} - {1, 2}
        check(len(missing) <= lost, "lost:", sorted(missing)[:20])

    def close(self):
        """Takes it away; the lab does, too."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Lab:
    def __init__(self, config=CONFIG):
        self.config = config

    def __enter__(self):
        self.prefix = f"fle{os.getpid()}"
        self.wire = f"{self.prefix}-wire"
        self.dir = tempfile.mkdtemp(prefix="fl-e2e-")
        self.store = os.path.join(self.dir, "store", "leases.db")
        self.daemons, self.programs, self.namespaces, self.n_started = [], [], [self.wire], 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            shell("ip", "netns", "add", self.wire)
            shell("ip", "-n", self.wire, "link", "add", "wire", "type", "bridge")
            shell("ip", "-n", self.wire, "link", "set", "wire", "up")
            if self.config is not None:
                self.set_config(self.config)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.close()
        for program in self.programs:
            program.kill()
            program.wait()
            program.stdin.close()
            program.stdout.close()
        for ns in self.namespaces:
            subprocess.run(["ip", "netns", "delete", ns], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def seed(self, *args):
        return shell(os.environ["FLANNEL_SEED"], self.store, *args)

    def set_config(self, config):
        path = os.path.join(self.dir, "seed-config.json")
        with open(path, "w") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))
        self.seed("config", path)

    def leases(self):
        """key -> (value, does it end)"""
        lines = [line.split(" ", 2) for line in self.seed("list").splitlines()]
        return {key: (json.loads(value), how == "+") for key, how, value in lines}

    def node(self, name, *addresses):
        return Node(self, name, *addresses)


def await_equal(look, expected, what):
    """Looks until it is so. For what another program shows and nothing tells of."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found == expected or time.monotonic() > deadline:
            return equal(found, expected, what)
        time.sleep(0.02)


def main(*tests):
    """Runs the functions given, prints a line each; exit status 1 if one failed."""
    failed = 0
    for test in tests:
        started = time.monotonic()
        try:
            test()
            print(f"{test.__name__}: ok in {time.monotonic() - started:.1f} s", flush=True)
        except Exception as e:
            failed += 1
            print(f"{test.__name__}: FAILED\n{e if isinstance(e, Failure) else traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)
