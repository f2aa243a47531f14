# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Kubernetes API server (that of ../kube) beside the nodes of lab.py, in a namespace on the same wire."""
import base64, json, os, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kube"))
from client import PREFIX, ApiServer, annotations, node  # noqa: E402
from lab import CONFIG, Daemon, Lab, Node, equal, shell  # noqa: E402

TOKEN = "token-one"
ADMIN_TOKEN = "token-of-the-administrator"


def make_certificates(directory, *addresses):
    """A CA, one of somebody else, a certificate for the server and one for a client."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for ca in ("ca", "other-ca"):
        shell("openssl", "req", "-x509", *key, "-days", "2", "-subj", f"/CN={ca}", "-keyout", f"{directory}/{ca}.key", "-out", f"{directory}/{ca}.pem")
    for name, extension in (("server", f"subjectAltName={','.join('IP:' + a for a in addresses)},DNS:kubernetes.default.svc\nextendedKeyUsage=serverAuth\n"),
                            ("client", "extendedKeyUsage=clientAuth\n")):
        with open(f"{directory}/{name}.ext", "w") as f:
            f.write(extension)
        shell("openssl", "req", *key, "-subj", f"/CN={'flannel-node' if name == 'client' else name}", "-keyout", f"{directory}/{name}.key",
              "-out", f"{directory}/{name}.csr")
        shell("openssl", "x509", "-req", "-in", f"{directory}/{name}.csr", "-CA", f"{directory}/ca.pem", "-CAkey", f"{directory}/ca.key", "-CAcreateserial",
              "-days", "2", "-extfile", f"{directory}/{name}.ext", "-out", f"{directory}/{name}.pem")


def in_vxlan(mac):
    """backend-data of vxlan"""
    return json.dumps({"VNI": 1, "VtepMAC": mac}, separators=(",", ":"))


class KubeNode(Node):
    """A node on the wire, and what vxlan has on it."""

    def __init__(self, lab, name, *addresses):
        super().__init__(lab, name, *addresses)
        plain = [a.split("/")[0] for a in addresses]
        self.address = next((a for a in plain if ":" not in a), None)
        self.address6 = next((a for a in plain if ":" in a), None)

    def mac(self, device):
        return json.loads(self.ip("-j", "link", "show", "dev", device))[0]["address"]

    def neighbours(self, device="flannel.1"):
        found = json.loads(self.run("ip", "-4", "-j", "neigh", "show", "dev", device) or "[]")
        return [(e["dst"], e["lladdr"]) for e in found if "PERMANENT" in e["state"]]

    def fdb(self, device="flannel.1"):
        return [(e["mac"], e["dst"]) for e in json.loads(self.run("bridge", "-j", "fdb", "show", "dev", device) or "[]")]

    def forget_state(self):
        """What a pod without a directory of the host's loses when it is replaced."""
        shutil.rmtree(os.path.join(self.dir, "state"))


class KubeLab(Lab):
    """A lab whose leases are in Kubernetes. At its end no request must have been one that a real server refuses."""
    address, address6 = "192.0.2.100", "2001:db8::100"

    def __init__(self, config=CONFIG, tls=False, strict=True):
        super().__init__(None)
        self.net_config, self.tls, self.strict = config, tls, strict
        self.api = None

    def __enter__(self):
        super().__enter__()
        try:
            self.server_ns = f"{self.prefix}-api"
            self.namespaces.append(self.server_ns)
            shell("ip", "netns", "add", self.server_ns)
            self.wire_up(self.server_ns, "w-api", f"{self.address}/24", f"{self.address6}/64")
            args = ["--http", f"{self.address}:8080"]
            if self.tls:
                make_certificates(self.dir, self.address, self.address6)
                args += ["--https", f"{self.address}:6443", "--https", f"[{self.address6}]:6443", "--cert", f"{self.dir}/server.pem", "--key", f"{self.dir}/server.key", "--client-ca", f"{self.dir}/ca.pem"]
            self.api = ApiServer(self.dir, *args, wrap=["ip", "netns", "exec", self.server_ns])
            self.api.set(tokens=[TOKEN], admin_tokens=[ADMIN_TOKEN])
            if self.net_config is not None:
                self.write_config(self.net_config)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def node(self, name, *addresses):
        return KubeNode(self, name, *addresses)

    def wire_up(self, ns, end, *addresses):
        shell("ip", "-n", ns, "link", "set", "lo", "up")
        shell("ip", "-n", self.wire, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", ns)
        shell("ip", "-n", self.wire, "link", "set", end, "master", "wire", "up")
        for address in addresses:
            shell("ip", "-n", ns, "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        shell("ip", "-n", ns, "link", "set", "eth0", "up")

    def __exit__(self, kind=None, *_):
        found = []
        try:
            for daemon in self.daemons:
                daemon.close()
            self.daemons = []
            if self.api:
                found = self.api.violations()["violations"] if self.strict and kind is None else []
                self.api.close()
        finally:
            super().__exit__()
        equal(found, [], "requests that a real server would refuse, or that flannel's ClusterRole does not allow")

    @property
    def url(self):
        return f"http://{self.address}:8080"

    @property
    def secure_url(self):
        return f"https://{self.address}:6443"

    @property
    def config_path(self):
        return os.path.join(self.dir, "net-conf.json")

    def write_config(self, config):
        with open(self.config_path, "w") as f:
            f.write(config if isinstance(config, str) else json.dumps(config))

    # --- what the API server has

    def add(self, name, *cidrs, **how):
        self.api.put(node=node(name, *cidrs, **how))

    def annotate(self, name, prefix=PREFIX + "/", **values):
        """Sets annotations of flannel's; None takes one away."""
        self.api.patch(name=name, patch={"metadata": {"annotations": {prefix + k.replace("_", "-"): v for k, v in values.items()}}})

    def kube_node(self, name):
        return self.api.get(name=name)["node"]

    def annotations(self, name, prefix=PREFIX + "/"):
        """Those of flannel's, by their short names."""
        found = (self.kube_node(name)["metadata"].get("annotations") or {}).items()
        return {k[len(prefix):]: v for k, v in found if k.startswith(prefix)}

    def condition(self, name):
        """The node's NetworkUnavailable, or None."""
        conditions = self.kube_node(name)["status"]["conditions"]
        return next((c for c in conditions if c["type"] == "NetworkUnavailable"), None)

    def requests(self, first=0, **match):
        found = self.api.requests(first=first)["requests"]
        return [r for r in found if all(r.get(k) == v for k, v in match.items())]

    def count(self):
        return len(self.requests())

    def patches(self, first=0):
        """What was patched: "annotations" or "condition", in order."""
        return ["condition" if "status" in r["body"] else "annotations" for r in self.requests(first, verb="patch") if isinstance(r["body"], dict)]

    # --- configuration of clients

    def kubeconfig(self, name="kubeconfig", user=None, cluster=None, text=None):
        """Writes one and returns its path."""
        path = os.path.join(self.dir, name)
        if text is None:
            cluster = {"server": self.secure_url, "certificate-authority": f"{self.dir}/ca.pem"} if cluster is None else cluster
            text = yaml({"apiVersion": "v1", "kind": "Config", "current-context": "here",
                         "clusters": [{"name": "other", "cluster": {"server": "https://192.0.2.250:1"}}, {"name": "here-cluster", "cluster": cluster}],
                         "contexts": [{"name": "here", "context": {"cluster": "here-cluster", "user": "flannel", "namespace": "x"}}],
                         "users": [{"name": "nobody", "user": {}}, {"name": "flannel", "user": {"token": TOKEN} if user is None else user}]})
        with open(path, "w") as f:
            f.write(text)
        return path

    def data(self, name):
        """A file as kubeconfig's -data fields have it."""
        with open(os.path.join(self.dir, name), "rb") as f:
            return base64.b64encode(f.read()).decode()

    def service_account(self, token=TOKEN):
        """A directory as Kubernetes mounts it: files are links into a directory that is replaced as a whole."""
        path = os.path.join(self.dir, "serviceaccount")
        os.makedirs(path, exist_ok=True)
        version = f"..data{len(os.listdir(path))}"
        os.mkdir(f"{path}/{version}")
        shutil.copy(f"{self.dir}/ca.pem", f"{path}/{version}/ca.crt")
        for name, text in (("token", token), ("namespace", "kube-flannel")):
            with open(f"{path}/{version}/{name}", "w") as f:
                f.write(text)
        os.symlink(version, f"{path}/..new")
        os.rename(f"{path}/..new", f"{path}/..data")
        for name in ("token", "ca.crt", "namespace"):
            if not os.path.islink(f"{path}/{name}"):
                os.symlink(f"..data/{name}", f"{path}/{name}")
        return path


def yaml(value, indent=0):
    """In block style, as kubeadm and friends write it."""
    pad = "  " * indent
    if not isinstance(value, (dict, list)):
        return f"{pad}{scalar(value)}\n"
    if isinstance(value, dict):
        return "".join(f"{pad}{k}:" + (f" {scalar(v)}\n" if not isinstance(v, (dict, list)) or not v else "\n" + yaml(v, indent + 1)) for k, v in value.items())
    return "".join(f"{pad}- " + yaml(v, indent + 1).lstrip() for v in value)


def scalar(value):
    return json.dumps(value) if not isinstance(value, str) or value == "" or value[0] in "{[&*!|>'\"%@`#-?:, " or ": " in value else value


def start(node, *more, name=None, env=None, url=True, **how):
    """flanneld of a node on the lab's API server; its Node has the same name as its namespace has here."""
    lab = node.lab
    args = [f"--subnet-file={node.subnet_file}", f"--state-dir={node.dir}/state", f"--socket={node.dir}/sock", "--iface=eth0", "--kube-subnet-mgr",
            f"--net-config-path={lab.config_path}", *([f"--kube-api-url={lab.url}"] if url else []), *more]
    return Daemon(node, args, env={"NODE_NAME": name or node.name} | (env or {}), **how)


def in_cluster(lab, directory, host=None):
    """For Daemon's wrap and env: what a pod has. The command runs in a mount namespace with the service account where it belongs."""
    target = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = (f'mount -t tmpfs -o mode=755 run /run && mkdir -p {target} && mount --bind "{directory}" {target} && exec "$0" "$@"')
    return {"wrap": ["unshare", "--mount", "sh", "-c", script],
            "env": {"KUBERNETES_SERVICE_HOST": host or lab.address, "KUBERNETES_SERVICE_PORT": "6443", "KUBERNETES_PORT": f"tcp://{lab.address}:6443"}}


__all__ = ["PREFIX", "KubeLab", "annotations", "node", "start", "in_cluster", "in_vxlan"]
