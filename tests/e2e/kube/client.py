# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' side of the server: starts it, in a network namespace if one is given, and speaks to its control socket."""
import json, os, socket, subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIX = "flannel.alpha.coreos.com"


class ServerError(Exception):
    pass


class ApiServer:
    """A running server. Its commands are methods: server.put(node=...), server.fault(how="status", code=503), ..."""

    def __init__(self, directory, *args, wrap=()):
        self.path = os.path.join(directory, "kube-control")
        self.log = open(os.path.join(directory, "kube-server.log"), "wb")
        self.process = subprocess.Popen([*wrap, os.path.join(HERE, "server"), "--control", self.path, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        self.sock = None
        if self.process.stdout.readline() != "ready\n":
            self.close()
            with open(self.log.name) as log:
                raise ServerError(f"the server does not start: {log.read()}")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)
        self.lines = self.sock.makefile("rw")

    def do(self, command, **more):
        self.lines.write(json.dumps({"do": command, **more}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline() or '{"ok": false, "error": "the server is gone"}')
        if not answer.pop("ok"):
            raise ServerError(f"{command}: {answer['error']}")
        return answer

    def wait(self, **more):
        """Until such a request came, and, with code, was answered."""
        return self.do("await", **more)["requests"]

    def __getattr__(self, command):
        return lambda **more: self.do(command, **more)

    def close(self):
        if self.sock:
            self.lines.close()
            self.sock.close()
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def annotations(backend="host-gw", address=None, address6=None, mac=None, mac6=None, prefix=PREFIX + "/", **more):
    """What flannel writes on a node."""
    data = lambda mac: json.dumps({"VNI": 1, "VtepMAC": mac}, separators=(",", ":")) if mac else "null"
    found = {"backend-data": data(mac), "backend-type": backend, "kube-subnet-manager": "true"}
    if address:
        found["public-ip"] = address
    if address6:
        found |= {"backend-v6-data": data(mac6), "public-ipv6": address6}
    return {prefix + k: v for k, v in (found | {k.replace("_", "-"): v for k, v in more.items()}).items()}


def node(name, *cidrs, annotations=None, conditions=None, addresses=()):
    """A node as a kubelet and the controllers leave it. annotations: None for those that every node has, {} for none at all."""
    if annotations != {}:
        annotations = {"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                       "example.org/note": '{"metadata":{"annotations":{"flannel.alpha.coreos.com/public-ip":"198.51.100.9"}},"spec":{"podCIDR":"10.251.0.0/24"}} \\ < & > "\u00e9\u4e2d'
                       } | (annotations or {})
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-02T03:04:06Z", "lastTransitionTime": "2026-01-02T03:04:06Z",
             "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    spec = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": spec,
            "status": {"conditions": conditions or [ready], "addresses": [{"type": "InternalIP", "address": a} for a in addresses]}}
