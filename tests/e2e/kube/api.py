# SPDX-License-Identifier: LGPL-2.1-or-later
"""The answers of a Kubernetes API server (as 1.20 gives them) to what flanneld asks, and the record of who asked what.

Whatever a real server would refuse, and whatever flannel's ClusterRole does not allow, is noted as a violation.
"""
import itertools, json, os, random, re, threading, time, urllib.parse, zlib

import strict
from cluster import ApiError, Cluster, compact
from wire import Connection, Gone, Stream

FLANNEL, ADMIN = "system:serviceaccount:kube-flannel:flannel", "admin"
REFUSED = {400, 401, 403, 405, 406, 413, 415, 422}  # a client that gets one of these did something wrong
GZIP_FROM = 128 * 1024
TOO_NEW_SECONDS = 3
STORM = 60  # requests of a client within a second, pages of a list aside: several starts of a daemon take fewer
BIG = 1 << 20
SETTINGS = {
    "tokens": [], "admin_tokens": [],  # that are valid; over plain HTTP everybody is flannel
    "bookmark_seconds": 60, "watch_seconds": 0,  # watches end after so long whatever they asked for; 0: never
    "chunk": "ragged", "gzip": True,
    "look_at": "",  # a file; each request's record says whether it was there
}


class Call:
    """A request while it is answered."""

    def __init__(self, connection, request, number):
        self.connection, self.request, self.headers = connection, request, request.headers
        self.path, _, text = request.target.partition("?")
        self.pairs = urllib.parse.parse_qsl(text, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.user, self.fault = None, None
        self.verb, self.resource, self.subresource, self.namespace, self.name = None, None, "", "", ""
        self.route()
        self.record = {"n": number, "at": time.monotonic(), "verb": self.verb, "method": request.method, "path": self.path, "query": self.query,
                       "headers": {k: v for k, v in self.headers.items() if k != "authorization"}, "body": None, "code": None, "fault": None,
                       "connection": connection.number, "tls": connection.listener.tls is not None, "bytes": len(request.body)}

    def route(self):
        part = "([^/]+)"
        for pattern, resource in ((f"/api/v1/nodes(?:/{part}(?:/{part})?)?", "nodes"), (f"/api/v1/namespaces/{part}/pods/{part}", "pods")):
            found = re.fullmatch(pattern, self.path)
            if not found:
                continue
            self.resource = resource
            words = [urllib.parse.unquote(w or "") for w in found.groups()]
            if resource == "pods":
                self.namespace, self.name = words
            else:
                self.name, self.subresource = words
        method = self.request.method
        if self.resource is None:
            self.verb = None
        elif method == "GET" and not self.name:
            self.verb = "watch" if self.query.get("watch") in ("true", "1") else "list"
        else:
            self.verb = {"GET": "get", "PATCH": "patch", "POST": "create", "PUT": "update", "DELETE": "delete"}.get(method)

    def pretty(self):
        return self.query.get("pretty") == "true" or self.headers.get("user-agent", "").startswith(("curl/", "Wget/"))


def expanded(item):
    return (json.dumps(json.loads(item), indent=2, ensure_ascii=False) + "\n").encode()


class Server:
    def __init__(self):
        self.cluster = Cluster()
        self.settings = dict(SETTINGS)
        self.listeners, self.connections = [], set()
        self.records, self.violations, self.faults = [], [], []
        self.recorded = threading.Condition()
        self.speaking = threading.Event()
        self.speaking.set()
        self.epoch = 0  # watches that began in an older one end
        self.manner = "end"  # how they do
        self.accepting, self.held = "serve", []
        self.numbers = itertools.count(1)
        self.latest = {}  # address of a client -> when it asked lately
        self.list_cache, self.gzip_cache = {}, (None, None)

    # --- connections

    def connected(self, listener, sock):
        if self.accepting == "close":
            sock.close()
            return
        connection = Connection(self, listener, sock, next(self.numbers))
        self.connections.add(connection)
        if self.accepting == "serve":
            connection.thread.start()
        else:
            self.held.append(connection)  # nothing comes

    def note_violation(self, text, number=None):
        with self.recorded:
            self.violations.append({"request": number, "what": text})

    def serve(self, connection, request):
        """Answers one request; whether the connection goes on."""
        with self.recorded:
            call = Call(connection, request, len(self.records))
            if self.settings["look_at"]:
                call.record["there"] = os.path.exists(self.settings["look_at"])
            call.record["user"] = self.identify(call)
            if request.body:
                try:
                    call.record["body"] = json.loads(request.body)
                except ValueError:
                    call.record["body"] = request.body.decode(errors="replace")
            self.records.append(call.record)
            self.count(call)
            call.fault = self.fault_for(call)
            self.recorded.notify_all()
        goes_on = request.headers.get("connection", "").lower() != "close"
        return self.answer(call) and goes_on

    def count(self, call):
        """A client that asks over and over would bring a server down that has five thousand of them."""
        if call.record["user"] == ADMIN or "continue" in call.query:
            return
        now = call.record["at"]
        times = self.latest.setdefault(call.connection.client, [])
        times[:] = [t for t in times if now - t < 1] + [now]
        if len(times) == STORM:
            self.violations.append({"request": call.record["n"], "what": f"{call.connection.client} asks {STORM} times within a second"})

    def fault_for(self, call):
        for fault in self.faults:
            if fault["verb"] in ("any", call.verb) and re.search(fault.get("path", ""), call.request.target) and fault["times"] != 0:
                fault["times"] -= 1
                call.record["fault"] = fault["how"]
                return fault
        return None

    def identify(self, call):
        """Who asks: None is a token that is not valid."""
        if call.connection.listener.tls is None:
            return FLANNEL
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            if token in self.settings["admin_tokens"]:
                return ADMIN
            return FLANNEL if token in self.settings["tokens"] else None
        return call.connection.user_certificate or "system:anonymous"

    def answer(self, call):
        try:
            if call.fault and self.strike(call):
                return True
            self.check(call)
            {"list": self.list, "watch": self.watch, "get": self.get, "patch": self.patch}[call.verb](call)
        except ApiError as error:
            call.record["code"] = error.code
            if error.code in REFUSED and not call.fault and call.user != ADMIN:
                self.note_violation(f"{call.request.method} {call.request.target}: {error.code} {str(error)[:300]}", call.record["n"])
            if call.resource is None and error.code == 404:
                call.connection.answer(404, b"404 page not found\n", error.headers, "text/plain; charset=utf-8")
                return True
            body = compact(error.status) + b"\n"
            call.connection.answer(error.code, expanded(body) if call.pretty() else body, error.headers)
        return True

    def check(self, call):
        """Raises what the server refuses, notes what only flanneld must not do."""
        secure = call.connection.listener.tls is not None
        call.user = call.record["user"]
        if call.user != ADMIN:
            n_credentials = ("authorization" in call.headers) + (call.connection.user_certificate is not None)
            wrong = strict.headers(call.headers, secure, n_credentials) + strict.query(call.verb, call.pairs)
            if call.request.version != "HTTP/1.1":
                wrong.append(call.request.version)
            if call.request.body and call.verb != "patch":
                wrong.append("a body where none belongs")
            if call.verb == "patch":
                wrong += strict.patch(call.record["body"], call.name)
            for text in wrong:
                self.note_violation(f"{call.request.method} {call.request.target}: {text}", call.record["n"])
        if call.user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        if call.resource is None:
            raise ApiError(404, "", "404 page not found")
        if call.user != ADMIN and (call.user == "system:anonymous" or not strict.allowed(call.resource, call.subresource, call.verb)):
            what = call.resource + (f"/{call.subresource}" if call.subresource else "")
            named = f' "{call.name}"' if call.name else ""
            where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
            raise ApiError(403, "Forbidden", f'{call.resource}{named} is forbidden: User "{call.user}" cannot {call.verb} resource "{what}" '
                           f'in API group "" {where}', {"name": call.name, "kind": call.resource})
        if call.verb not in ("list", "watch", "get", "patch") or call.subresource not in ("", "status"):
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    # --- faults

    def strike(self, call):
        """Carries out a fault; False if the call is to be answered all the same, in another manner."""
        fault, connection = call.fault, call.connection
        how = fault["how"]
        if how == "status":
            call.record["code"] = fault["code"]
            headers = {"Retry-After": fault["retry_after"]} if "retry_after" in fault else {}
            if fault["code"] == 429 or "text" in fault:
                connection.answer(fault["code"], fault.get("text", "Too many requests, please try again later.\n").encode(), headers, "text/plain; charset=utf-8")
                return True
            raise ApiError(fault["code"], fault.get("reason", "InternalError"), fault.get("message", "a fault"), None, headers)
        if how in ("close", "reset"):
            connection.close(how == "reset")
            raise Gone
        if how == "mute":  # a watch that stands, and tells nothing and does not end
            call.record["code"] = 200
            self.stream(call).begin(200, {"Content-Type": "application/json"})
        if how in ("silent", "mute"):
            while connection.is_open():
                time.sleep(0.05)
            raise Gone
        if how == "body":
            call.record["code"] = fault.get("code", 200)
            connection.answer(call.record["code"], fault["text"].encode(), media_type=fault.get("type", "application/json"))
            return True
        if how == "events":  # lines of a watch that then ends
            call.record["code"] = 200
            stream = self.stream(call)
            stream.begin(200, {"Content-Type": "application/json"})
            for line in fault["lines"]:
                stream.write((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
            stream.end()
            return True
        if how == "late":
            time.sleep(fault["seconds"])
        return False  # late, slow (rate), cut (bytes)

    def stream(self, call, together=1):
        fault = call.fault or {}
        sizes = fault.get("chunk", self.settings["chunk"])
        return Stream(call.connection, sizes, together, fault.get("rate", 0), fault.get("bytes") if fault.get("how") == "cut" else None)

    # --- answers

    def selected(self, call):
        """The name that a field selector asks for, or None."""
        selector = call.query.get("fieldSelector")
        if not selector:
            return None
        name, equals, value = selector.replace("==", "=").partition("=")
        if name != "metadata.name" or not equals:
            raise ApiError(400, "BadRequest", f'field label not supported: {name}')
        return value

    def await_version(self, rv):
        """A state that is as new as wanted, if it comes soon."""
        deadline = time.monotonic() + TOO_NEW_SECONDS
        while self.cluster.rv < rv:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ApiError(504, "Timeout", f"Too large resource version: {rv}, current: {self.cluster.rv}",
                               {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1},
                               {"Retry-After": 1})
            self.cluster.changed.wait(left)

    def number(self, call, name):
        text = call.query.get(name) or "0"
        if not text.isdecimal():
            raise ApiError(500 if call.verb == "watch" else 400, "InternalError" if call.verb == "watch" else "BadRequest",
                           f'strconv.ParseUint: parsing "{text}": invalid syntax')
        return int(text)

    def list(self, call):
        cluster = self.cluster
        with cluster.changed:
            rv, limit = self.number(call, "resourceVersion"), self.number(call, "limit")
            token, match, next_token, left = call.query.get("continue"), call.query.get("resourceVersionMatch"), None, 0
            self.await_version(rv)
            from_cache = not token and not match and "resourceVersion" in call.query and (rv == 0 or not limit) and call.query["resourceVersion"] != ""
            if match == "NotOlderThan":
                rv = 0
            if from_cache:
                items, at = [cluster.encoded[name] for name in cluster.names()], cluster.node_rv
            else:
                items, at, next_token, left = cluster.page(limit, token, rv or None)
            name = self.selected(call)
            if name is not None:
                items = [i for i in items if json.loads(i)["metadata"]["name"] == name]
        metadata = {"resourceVersion": str(at)}
        if next_token:
            metadata |= {"continue": next_token, "remainingItemCount": left}
        call.record["code"] = 200
        call.record["items"] = len(items)
        self.send_list(call, self.list_body(call, metadata, items))

    def list_body(self, call, metadata, items):
        """The body, which is kept: a list of many nodes takes long to make."""
        key = (compact(metadata), len(items), call.query.get("fieldSelector"), call.pretty())
        if key not in self.list_cache:
            body = b'{"kind":"NodeList","apiVersion":"v1","metadata":' + compact(metadata) + b',"items":[' + b",".join(items) + b"]}\n"
            self.list_cache = {key: expanded(body) if call.pretty() else body}
        return self.list_cache[key]

    def packed(self, body):
        if self.gzip_cache[0] is not body:
            packer = zlib.compressobj(4, wbits=31)
            self.gzip_cache = (body, packer.compress(body) + packer.flush())
        return self.gzip_cache[1]

    def send_list(self, call, body):
        headers = {"Content-Type": "application/json"}
        if self.settings["gzip"] and "gzip" in call.headers.get("accept-encoding", "") and len(body) > GZIP_FROM:
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            body = self.packed(body)
        call.record["sent"] = len(body)
        if len(body) > BIG and not call.fault:
            # as fast as it goes, in chunks that still end anywhere
            stream = Stream(call.connection, 65521)
        else:
            stream = self.stream(call, together=4)
        stream.begin(200, headers)
        stream.write(body)
        stream.end()

    def get(self, call):
        with self.cluster.changed:
            if call.resource == "pods":
                node_name = self.cluster.pods.get(f"{call.namespace}/{call.name}")
                if node_name is None:
                    raise ApiError(404, "NotFound", f'pods "{call.name}" not found', {"name": call.name, "kind": "pods"})
                body = compact({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": call.name, "namespace": call.namespace, "resourceVersion": "7"},
                                "spec": {"containers": [{"name": "x", "image": "x"}]} | ({"nodeName": node_name} if node_name else {}), "status": {}})
            else:
                if call.name not in self.cluster.encoded:
                    raise ApiError(404, "NotFound", f'nodes "{call.name}" not found', {"name": call.name, "kind": "nodes"})
                body = self.cluster.whole(self.cluster.encoded[call.name])
        self.send_object(call, body + b"\n")

    def send_object(self, call, body):
        call.record["code"] = 200
        fault = call.fault or {}
        if fault.get("how") == "cut":
            call.connection.send(call.connection.head(200, {"Content-Type": "application/json", "Content-Length": len(body)}) + body[:fault["bytes"]])
            raise Gone
        call.connection.answer(200, expanded(body) if call.pretty() else body)

    def patch(self, call):
        how = strict.PATCHES.get(strict.media_type(call.headers))
        if how is None:
            raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: "
                           "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
        if not isinstance(call.record["body"], dict):
            raise ApiError(400, "BadRequest", "error decoding patch: invalid character")
        for condition in ((call.record["body"].get("status") or {}).get("conditions")) or []:
            for name in ("lastHeartbeatTime", "lastTransitionTime"):
                if isinstance(condition, dict) and condition.get(name) is not None and not strict.is_time(condition[name]):
                    raise ApiError(400, "BadRequest", f'parsing time "{condition[name]}" as "2006-01-02T15:04:05Z07:00": cannot parse')
        item = self.cluster.patch(call.name, call.record["body"], how, call.subresource)
        self.send_object(call, self.cluster.whole(item) + b"\n")

    # --- watches

    def watch(self, call):
        cluster = self.cluster
        rv = self.number(call, "resourceVersion")
        name = self.selected(call)
        seconds = self.number(call, "timeoutSeconds") or random.randint(1800, 3600)
        with cluster.changed:
            epoch, began = self.epoch, time.monotonic()
            lines, position = self.first_lines(rv, name)
        call.record["code"] = 200
        stream = self.stream(call)
        stream.begin(200, {"Content-Type": "application/json"})
        if lines is None:
            stream.write(position)
            stream.end()
            return
        for line in lines:
            stream.write(line)
        bookmarks = self.settings["bookmark_seconds"] if call.query.get("allowWatchBookmarks") in ("true", "1") else 0
        if self.settings["watch_seconds"]:
            seconds = min(seconds, self.settings["watch_seconds"])
        self.follow(call, stream, Following(self, name, rv, position, began, seconds, bookmarks, epoch))

    def first_lines(self, rv, name):
        """What a watch begins with and where it goes on; (None, line) if it is over at once."""
        cluster = self.cluster
        if rv == 0:
            names = [n for n in cluster.names() if name in (None, n)]
            return [event("ADDED", cluster.whole(cluster.encoded[n])) for n in names], cluster.events[-1][0] if cluster.events else cluster.rv
        if rv < cluster.cache_from:
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": f"too old resource version: {rv} ({cluster.cache_from})",
                      "reason": "Expired", "code": 410}
            return None, event("ERROR", compact(status))
        return [], rv

    def follow(self, call, stream, following):
        while True:
            with self.cluster.changed:
                lines, over = following.next()
            for line in lines:
                stream.write(line)
            if over == "end":
                stream.end()
                return
            if over or not (lines or call.connection.is_open()):
                raise Gone


def event(kind, item):
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), item)


class Following:
    """Where a watch is."""

    def __init__(self, server, name, asked, position, began, seconds, bookmarks, epoch):
        self.server, self.cluster, self.name, self.position, self.epoch = server, server.cluster, name, max(asked, position), epoch
        self.ends, self.bookmarks, self.told = began + seconds, bookmarks, self.position
        self.set_next_bookmark(began)

    def set_next_bookmark(self, now):
        """Every so often, and two seconds before the end."""
        self.next_bookmark = now + self.bookmarks
        if now < self.ends - 2:
            self.next_bookmark = min(self.next_bookmark, self.ends - 2)

    def next(self):
        """Lines to send and how the watch is over, if it is; waits a while for there to be some. With the lock held."""
        cluster = self.cluster
        if self.server.epoch != self.epoch:
            return ([event("ERROR", compact(EXPIRED))], "end") if self.server.manner == "expired" else ([], self.server.manner)
        lines = self.changes()
        now = time.monotonic()
        if self.bookmarks and now >= self.next_bookmark:
            self.set_next_bookmark(now)
            newest = max(self.position, cluster.node_rv)
            if newest > self.told:  # what the watch began with is no news: where nothing happens there are none
                lines.append(bookmark(newest))
        if now >= self.ends:
            return lines, "end"
        if not lines:
            until = min(self.ends, self.next_bookmark if self.bookmarks else self.ends, now + 0.5)
            cluster.changed.wait(max(0, until - now))
        return lines, None

    def changes(self):
        events = self.cluster.events
        low = len(events)
        while low > 0 and events[low - 1][0] > self.position:
            low -= 1
        lines = []
        for rv, kind, name, item, _ in events[low:]:
            self.position = rv
            if self.name in (None, name):
                lines.append(event(kind, self.cluster.whole(item)))
        return lines


EXPIRED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "The resourceVersion for the provided watch is too old.",
           "reason": "Expired", "code": 410}


def bookmark(rv):
    empty = {"kind": "Node", "apiVersion": "v1", "metadata": {"resourceVersion": str(rv), "creationTimestamp": None}, "spec": {},
             "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": {"machineID": "", "kernelVersion": ""}}}
    return event("BOOKMARK", compact(empty))
