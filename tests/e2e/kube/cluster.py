# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a Kubernetes API server keeps: nodes and pods, a resource version that counts all changes, and the changes that a watch may ask for.

Every method that changes something wakes whoever waits for `changed`, which is the lock, too.
"""
import base64, hashlib, json, random, re, threading, uuid

CREATED = "2026-01-02T03:04:05Z"
HISTORY = 100_000  # changes that are remembered at most
ORDER = {
    "node": ("metadata", "spec", "status"),
    "metadata": ("name", "uid", "resourceVersion", "creationTimestamp", "labels", "annotations", "managedFields"),
    "spec": ("podCIDR", "podCIDRs", "providerID", "unschedulable", "taints"),
    "status": ("capacity", "allocatable", "conditions", "addresses", "daemonEndpoints", "nodeInfo", "images"),
}
DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_NAME = re.compile(rf"{DNS_LABEL}(\.{DNS_LABEL})*")
KEY_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
ANNOTATIONS_LIMIT = 256 * 1024


class ApiError(Exception):
    """An answer that is an error, as a Status."""

    def __init__(self, code, reason, message, details=None, headers=None, metadata=None):
        super().__init__(message)
        self.code, self.headers = code, headers or {}
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure", "message": message, "reason": reason}
        if details:
            self.status["details"] = details
        self.status["code"] = code


def compact(value):
    """JSON as Go writes it: no spaces, angle brackets and ampersands escaped, everything else in UTF-8."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def ordered(part, names):
    """Its fields in the server's order; what is empty is left out."""
    known = {k: part[k] for k in names if k in part and part[k] not in ({}, [], "")}
    return known | {k: v for k, v in part.items() if k not in names}


def in_order(node):
    return {part: ordered(node.get(part) or {}, ORDER[part]) for part in ORDER["node"]}


MANAGED_FIELDS = [{
    "manager": manager, "operation": "Update", "apiVersion": "v1", "time": CREATED, "fieldsType": "FieldsV1",
    "fieldsV1": {
        "f:metadata": {"f:annotations": {".": {}, "f:node.alpha.kubernetes.io/ttl": {}, "f:flannel.alpha.coreos.com/public-ip": {},
                                         "f:flannel.alpha.coreos.com/kube-subnet-manager": {}},
                       "f:labels": {".": {}, "f:kubernetes.io/hostname": {}, "f:kubernetes.io/os": {}}},
        "f:spec": {"f:podCIDR": {}, "f:podCIDRs": {".": {}, 'v:"10.250.0.0/24"': {}}},
        "f:status": {"f:conditions": {".": {}, 'k:{"type":"Ready"}': {".": {}, "f:lastHeartbeatTime": {}, "f:reason": {}, "f:status": {}, "f:type": {}}}},
    }} for manager in ("kubelet", "kube-controller-manager", "flanneld")]


def image(number):
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {"names": [f"registry.example/team-{number % 7}/app@sha256:{digest}", f"registry.example/team-{number % 7}/app:{number}"], "sizeBytes": 1000 * number + 7}


POOL = [image(n) for n in range(400)]
POOL_SIZES = [len(compact(one)) + 1 for one in POOL]


def images(name, n_bytes):
    """Images that make a node as large as is wanted: each node has others of the cluster's, so that a list does not compress better than a real one."""
    order, chosen = random.Random(name).sample(range(len(POOL)), len(POOL)), []
    for n in order:
        if n_bytes <= 0:
            break
        chosen.append(POOL[n])
        n_bytes -= POOL_SIZES[n]
    return chosen


def check_annotations(annotations):
    """What a server says of annotations that it does not take, or None."""
    for key in annotations:
        prefix, _, name = key.rpartition("/")
        if len(name) > 63 or not KEY_NAME.fullmatch(name) or ("/" in key and (len(prefix) > 253 or not DNS_NAME.fullmatch(prefix))):
            return f"metadata.annotations: Invalid value: {json.dumps(key)}: name part must consist of alphanumeric characters, '-', '_' or '.'"
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > ANNOTATIONS_LIMIT:
        return f"metadata.annotations: Too long: must have at most {ANNOTATIONS_LIMIT} bytes"
    return None


def merge(target, patch):
    """JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target, patch, path=()):
    """Strategic merge patch of a Node: conditions and addresses are merged by their type, new ones come first."""
    result = dict(target or {})
    for key, value in patch.items():
        where = path + (key,)
        if value is None:
            result.pop(key, None)
        elif where in (("status", "conditions"), ("status", "addresses")):
            result[key] = merge_by_type(result.get(key) or [], value, ".".join(where))
        elif isinstance(value, dict):
            result[key] = strategic(result.get(key) if isinstance(result.get(key), dict) else {}, value, where)
        else:
            result[key] = value
    return result


def merge_by_type(found, patch, where):
    if not isinstance(patch, list):
        raise ApiError(400, "BadRequest", f"{where}: expected a list")
    result, new = list(found), []
    for element in patch:
        if not isinstance(element, dict) or not isinstance(element.get("type"), str):
            raise ApiError(400, "BadRequest", f"map: {element} does not contain declared merge key: type")
        known = next((i for i, e in enumerate(result) if e.get("type") == element["type"]), None)
        if element.get("$patch") == "delete":
            result = [e for e in result if e.get("type") != element["type"]]
        elif known is None:
            new.append({k: v for k, v in element.items() if v is not None})
        else:
            result[known] = merge(result[known], element)
    return new + result


class Cluster:
    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.rv = 1000  # of everything
        self.node_rv = 1000  # of the newest change of a node
        self.cache_from = 1000  # older changes are not known to watches
        self.compacted = 0  # older states cannot be listed
        self.window = HISTORY
        self.nodes, self.encoded, self.pods = {}, {}, {}
        self.events = []  # (rv, type, name, node's bytes, bytes before)
        self.node_bytes = 0  # of nodes that are put

    # --- what is kept

    def encode(self, node):
        return compact(in_order(node))

    def whole(self, item):
        """A node as it appears by itself and in events."""
        return b'{"kind":"Node","apiVersion":"v1",' + item[1:]

    def note(self, kind, name, item, before):
        """One more change, with the lock held."""
        self.node_rv = self.rv
        self.events.append((self.rv, kind, name, item, before))
        if len(self.events) > HISTORY:
            dropped = self.events[:HISTORY // 2]
            del self.events[:HISTORY // 2]
            self.cache_from = max(self.cache_from, dropped[-1][0])
            self.compacted = max(self.compacted, dropped[-1][0])
        if len(self.events) > self.window:
            self.cache_from = max(self.cache_from, self.events[-self.window - 1][0])
        self.changed.notify_all()

    def store(self, name, node):
        """Writes a node, new or changed, with the lock held."""
        self.rv += 1
        node["metadata"] = dict(node["metadata"], resourceVersion=str(self.rv))
        before = self.encoded.get(name)
        item = self.encode(node)
        self.nodes[name], self.encoded[name] = node, item
        self.note("MODIFIED" if before else "ADDED", name, item, before)
        return item

    def put(self, node):
        """An administrator writes a whole node: what is not given is filled in, annotations are those given."""
        with self.changed:
            name = node["metadata"]["name"]
            old = self.nodes.get(name)
            metadata = {"uid": old["metadata"]["uid"] if old else str(uuid.uuid4()), "creationTimestamp": CREATED,
                        "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}, "managedFields": MANAGED_FIELDS}
            status = {"capacity": {"cpu": "2", "memory": "4030764Ki", "pods": "110"}, "nodeInfo": {"kernelVersion": "6.1.0", "osImage": "An OS <\"1\"> & co",
                      "kubeletVersion": "v1.20.2", "operatingSystem": "linux", "architecture": "amd64"}}
            whole = {"metadata": metadata | node["metadata"], "spec": dict(node.get("spec") or {}), "status": status | (node.get("status") or {})}
            base = len(self.encode(whole)) + 40
            if self.node_bytes > base and "images" not in whole["status"]:
                whole["status"]["images"] = images(name, self.node_bytes - base)
            return self.store(name, whole)

    def fill(self, template, count, first=1):
        """Many nodes at once. In strings @N@ is the number, @HI@ and @LO@ its upper and lower byte, @HOST@ one of 250 hosts,
        @MAC@ a MAC address."""
        text = json.dumps(template)
        with self.changed:
            for n in range(first, first + count):
                values = {"@N@": n, "@HI@": n >> 8, "@LO@": n & 255, "@HOST@": 2 + n % 250, "@MAC@": f"02:aa:00:00:{n >> 8:02x}:{n & 255:02x}"}
                self.put(json.loads(re.sub("@[A-Z]+@", lambda found: str(values[found.group()]), text)))

    def delete(self, name):
        with self.changed:
            if name not in self.nodes:
                raise not_found("nodes", name)
            self.rv += 1
            node = self.nodes.pop(name)
            node["metadata"] = dict(node["metadata"], resourceVersion=str(self.rv))
            self.note("DELETED", name, self.encode(node), self.encoded.pop(name))

    def patch(self, name, patch, how, part=None):
        """The node's bytes afterwards. part: "status", "" for the rest, None for all."""
        with self.changed:
            old = self.nodes.get(name)
            if old is None:
                raise not_found("nodes", name)
            wanted = (patch.get("metadata") or {}).get("resourceVersion")
            new = (strategic if how == "strategic" else merge)(old, patch)
            new["metadata"] = dict(new["metadata"], resourceVersion=old["metadata"]["resourceVersion"])
            if part == "status":
                new["spec"] = old["spec"]
            elif part == "":
                new["status"] = old["status"]
            self.check(name, old, new)
            if wanted not in (None, "", old["metadata"]["resourceVersion"]):
                raise ApiError(409, "Conflict", f'Operation cannot be fulfilled on nodes "{name}": the object has been modified; please apply your changes '
                               "to the latest version and try again", {"name": name, "kind": "nodes"})
            if self.encode(new) == self.encoded[name]:
                return self.encoded[name]
            return self.store(name, new)

    def check(self, name, old, new):
        """Rules for a changed node."""
        if new["metadata"].get("uid") != old["metadata"]["uid"] or new["metadata"].get("name") != name:
            raise invalid(name, "metadata.uid: Invalid value: field is immutable")
        annotations = new["metadata"].get("annotations") or {}
        for key, value in annotations.items():
            if not isinstance(value, str):
                raise invalid(name, f"unable to decode: {compact(in_order(new)).decode()}: json: cannot unmarshal {type(value).__name__} into Go struct "
                              f"field ObjectMeta.metadata.annotations of type string ({key})")
        bad = check_annotations(annotations)
        if bad:
            raise invalid(name, bad)
        before, after = (n["spec"].get("podCIDRs") or [n["spec"].get("podCIDR")] for n in (old, new))
        if before != after and before != [None]:
            raise invalid(name, 'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid')

    def bump(self, count=1):
        """Something else changes that many times: other objects share the count."""
        with self.changed:
            self.rv += count
            self.changed.notify_all()

    def forget(self):
        """A new watch cache, as after a restart: older changes are gone."""
        with self.changed:
            self.node_rv = self.cache_from = self.rv

    def keep(self):
        """What there is now, for restore()."""
        with self.changed:
            self.kept = (self.rv, dict(self.nodes), dict(self.encoded))

    def restore(self):
        """As when etcd is started from a copy."""
        with self.changed:
            self.rv, self.nodes, self.encoded = self.kept
            self.events = []
            self.node_rv = self.cache_from = self.compacted = self.rv
            self.changed.notify_all()

    # --- what is asked

    def names(self):
        """In the order of a hash: as good as none."""
        return sorted(self.nodes, key=lambda name: hashlib.sha1(name.encode()).digest())

    def state_at(self, rv):
        """name -> bytes as of an older resource version."""
        if rv < self.compacted:
            raise ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")
        state = dict(self.encoded)
        for when, _, name, _, before in reversed(self.events):
            if when <= rv:
                break
            if before is None:
                state.pop(name, None)
            else:
                state[name] = before
        return state

    def page(self, limit, token=None, rv=None):
        """(bytes of nodes sorted by name, rv, token of the next page, how many are left)"""
        start = ""
        if token is not None:
            rv, start = read_token(token)
        inconsistent = rv == -1
        if rv is None or inconsistent:
            rv = self.rv
        if token is not None and rv < self.compacted:
            fresh = make_token(-1, start)
            raise ApiError(410, "Expired", "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
                           "the continue parameter, or use the continue token in this response to retrieve the remainder of the results.",
                           metadata={"continue": fresh})
        state = self.state_at(rv)
        names = sorted(name for name in state if name >= start)
        page = names[:limit] if limit else names
        left = len(names) - len(page)
        return [state[name] for name in page], rv, make_token(rv, page[-1] + "\0") if left else None, left


def make_token(rv, start):
    return base64.urlsafe_b64encode(compact({"v": "meta.k8s.io/v1", "rv": rv, "start": start})).decode().rstrip("=")


def read_token(token):
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return value["rv"], value["start"]
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "BadRequest", f"continue key is not valid: {token}")


def not_found(kind, name):
    return ApiError(404, "NotFound", f'{kind} "{name}" not found', {"name": name, "kind": kind})


def invalid(name, text):
    return ApiError(422, "Invalid", f'Node "{name}" is invalid: {text}', {"name": name, "kind": "Node"})
