# SPDX-License-Identifier: LGPL-2.1-or-later
"""How tests lead the server: a unix socket that takes an object of JSON a line and answers each with one.

{"do": NAME, ...} is answered by {"ok": true, ...} or {"ok": false, "error": TEXT}. Each method of Control whose name begins with do_ is
a command; its parameters are the object's other members.
"""
import json, socket, threading, time

from api import SETTINGS
from cluster import ApiError

HOWS = {"status", "close", "reset", "silent", "mute", "body", "events", "late", "slow", "cut"}


class Control:
    def __init__(self, server, path):
        self.server, self.cluster = server, server.cluster
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rw") as lines:
            for line in lines:
                try:
                    command = json.loads(line)
                    answer = {"ok": True} | (getattr(self, "do_" + command.pop("do"))(**command) or {})
                except (ApiError, ValueError, KeyError, TypeError, AttributeError, OSError) as e:
                    answer = {"ok": False, "error": f"{type(e).__name__}: {e}"}
                lines.write(json.dumps(answer) + "\n")
                lines.flush()

    # --- nodes and pods

    def do_put(self, node):
        """An administrator writes a node, new or in place of the old."""
        self.cluster.put(node)

    def do_fill(self, template, count, first=1):
        """Many nodes: @N@, @HI@, @LO@, @HOST@ and @MAC@ in the template's strings stand for the number, its bytes, 2 to 251, a MAC address."""
        self.cluster.fill(template, count, first)

    def do_patch(self, name, patch):
        """An administrator's merge patch of anything in a node."""
        return {"node": json.loads(self.cluster.patch(name, patch, "merge"))}

    def do_delete(self, name):
        self.cluster.delete(name)

    def do_get(self, name):
        with self.cluster.changed:
            item = self.cluster.encoded.get(name)
        return {"node": json.loads(item) if item else None}

    def do_names(self):
        with self.cluster.changed:
            return {"names": sorted(self.cluster.nodes)}

    def do_pod(self, namespace, name, node=""):
        self.cluster.pods[f"{namespace}/{name}"] = node

    def do_churn(self, patches, per_second, seconds):
        """Patches, {name: [patch, ...]}: each node gets its patches in turn, so many changes a second in all; returns when done."""
        rounds = [(name, patch) for turn in zip(*[[(n, p) for p in list_] for n, list_ in patches.items()]) for name, patch in turn]
        began, done = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            due = int((time.monotonic() - began) * per_second)
            while done < due:
                name, patch = rounds[done % len(rounds)]
                self.cluster.patch(name, patch, "merge")
                done += 1
            time.sleep(0.002)
        return {"changes": done}

    # --- what the server is like

    def do_set(self, **settings):
        for name, value in settings.items():
            if name == "node_bytes":
                self.cluster.node_bytes = value  # of nodes put from now on
            elif name == "window":
                self.cluster.window = value  # changes that the watch cache remembers
            elif name in SETTINGS:
                self.server.settings[name] = value
            else:
                raise ValueError(f"no setting {name}")

    def do_bump(self, count=1):
        """Other objects change."""
        self.cluster.bump(count)

    def do_compact(self):
        """Older states cannot be listed any more: continue tokens expire."""
        with self.cluster.changed:
            self.cluster.rv += 1
            self.cluster.compacted = self.cluster.rv

    def do_forget(self):
        """The watch cache is new: watches from before get 410. Those that are going on do."""
        self.cluster.bump()
        self.cluster.forget()

    def do_keep(self):
        """A copy of what there is, for do_restore."""
        self.cluster.keep()

    def do_restore(self):
        """etcd has what it had when it was kept, and its count of changes goes back. The server is to be started after it."""
        self.cluster.restore()

    def do_prebuild(self):
        """Makes the answer to a list from the cache, packed, too: otherwise the first one would take longer."""
        with self.cluster.changed:
            call = Prebuilt()
            body = self.server.list_body(call, {"resourceVersion": str(self.cluster.node_rv)}, [self.cluster.encoded[n] for n in self.cluster.names()])
        self.server.packed(body)
        return {"bytes": len(body)}

    # --- faults

    def do_fault(self, how, verb="any", times=1, **more):
        """The next requests of a kind (verb, path as a regular expression; times -1: all) are answered thus."""
        if how not in HOWS:
            raise ValueError(f"no fault {how}")
        with self.server.recorded:
            self.server.faults.append({"how": how, "verb": verb, "times": times} | more)

    def do_mend(self):
        """No fault is left."""
        with self.server.recorded:
            self.server.faults.clear()

    def do_end_watches(self, how="end"):
        """how: end (properly), cut (in the middle of the body), expired (an ERROR event with 410 first)."""
        with self.cluster.changed:
            self.server.manner = how
            self.server.epoch += 1
            self.cluster.changed.notify_all()

    def do_stop(self, reset=False):
        """Ports closed, connections ended: as if the server were not running."""
        for listener in self.server.listeners:
            listener.close()
        self.do_disconnect(reset)

    def do_start(self, fresh=True):
        """Runs again; fresh: with a new watch cache, as a restarted server has it."""
        if fresh:
            self.do_forget()
        for listener in self.server.listeners:
            listener.open()

    def do_accept(self, how):
        """New connections: serve, close (accepted and ended), hold (accepted, and nothing comes)."""
        if how not in ("serve", "close", "hold"):
            raise ValueError(f"no manner {how} of accepting")
        self.server.accepting = how
        if how == "serve":
            held, self.server.held = self.server.held, []
            for connection in held:
                connection.thread.start()

    def do_disconnect(self, reset=False):
        """All connections end, in the middle of whatever it is; those with nothing to do, too."""
        for connection in list(self.server.connections):
            connection.close(reset)
        self.do_end_watches("cut")

    def do_silence(self):
        """Nothing is answered and sent any more; connections stay."""
        self.server.speaking.clear()

    def do_speak(self):
        self.server.speaking.set()

    # --- the record

    def do_requests(self, first=0):
        with self.server.recorded:
            return {"requests": self.server.records[first:]}

    def do_await(self, first=0, patience=30, count=1, **match):
        """Waits for requests from number first on whose record has these values and that are answered; members of query and headers by query.NAME."""
        deadline = time.monotonic() + patience
        while True:
            with self.server.recorded:
                found = [r for r in self.server.records[first:] if all(lookup(r, k) == v for k, v in match.items())]
                if len(found) >= count:
                    return {"requests": found}
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ValueError(f"no {count} requests like {match} from {first} on after {patience} s: {brief(self.server.records[first:])}")
                self.server.recorded.wait(min(left, 0.05))

    def do_connections(self):
        return {"count": len(self.server.connections)}

    def do_violations(self, forget=False):
        with self.server.recorded:
            found = list(self.server.violations)
            if forget:
                self.server.violations.clear()
            return {"violations": found}


class Prebuilt:
    """Looks like a call as far as the body of a list goes."""
    query = {}

    def pretty(self):
        return False


def lookup(record, name):
    part, _, rest = name.partition(".")
    return record[part].get(rest) if rest else record.get(name)


def brief(records):
    return [f"{r['verb']} {r['path']} {r['query']} {r['code']}" for r in records[-20:]]
