# SPDX-License-Identifier: LGPL-2.1-or-later
"""What packets feel: who answers at an address and a port, and whom it takes the asker for; which frames a bridge lets through."""
import contextlib, errno, json, os, re, select, socket, struct, time

from observe import netns, nft, ns_exists, out

PORTS = (80, 81)  # at these everybody serves everything
SILENCE_SECONDS = 4  # a packet that was dropped tells nobody
NEIGHBOUR_SECONDS = 20
ETHERTYPE = 0x88b5  # for local experiments


def server(space, family, kind, port):
    with netns(space):
        s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    s.setblocking(False)
    return s


def answer(stack, sock, name):
    """a server's part: it tells whom it is asked by"""
    with contextlib.suppress(BlockingIOError):
        if sock.type == socket.SOCK_STREAM:
            connection, peer = sock.accept()
            stack.enter_context(connection).sendall(f"{name} is asked by {peer[0]}".encode())
        else:
            _, peer = sock.recvfrom(16)
            sock.sendto(f"{name} is asked by {peer[0]}".encode(), peer)


def ask(*question):
    """The answer. Neighbours over IPv6 may need some time to find each other."""
    end = time.monotonic() + NEIGHBOUR_SECONDS
    while True:
        heard = ask_once(*question)
        if heard != os.strerror(errno.EHOSTUNREACH) or time.monotonic() > end:
            return heard


def ask_once(spaces, who, address, port, kind=socket.SOCK_STREAM):
    """the answer, "refused", or "silence" """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        servers = {stack.enter_context(server(space, family, kind, p)): f"{space} {p}" for space in spaces for p in PORTS}
        with netns(who):
            client = stack.enter_context(socket.socket(family, kind))
        client.setblocking(False)
        end = time.monotonic() + SILENCE_SECONDS
        try:
            with contextlib.suppress(BlockingIOError):
                client.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                client.send(b"x")
            while (left := end - time.monotonic()) > 0:
                ready, _, _ = select.select([client, *servers], [], [], left)
                for sock in ready:
                    if sock is not client:
                        answer(stack, sock, servers[sock])
                        continue
                    with contextlib.suppress(BlockingIOError):
                        return client.recv(100).decode() or "closed"
        except ConnectionRefusedError:
            return "refused"
        except OSError as e:
            return os.strerror(e.errno)
    return "silence"


def frame(link, source):
    return b"\xff" * 6 + bytes.fromhex(source.replace(":", "")) + struct.pack("!H", ETHERTYPE) + link.ljust(46, b"\0")


def listen_for_frames(space, link):
    with netns(space):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    s.bind((link, ETHERTYPE))
    s.settimeout(SILENCE_SECONDS)
    return s


def send_frames(who, listener, foreign):
    """Which frames of a container another one gets: those with a foreign source address, and those with its own, which come behind
    them on the same way and so tell that the others will not come."""
    seen = set()
    with listen_for_frames(listener, "eth0") as there, listen_for_frames(who, "eth0") as here:
        own = here.getsockname()[4].hex(":")
        for name, source in (("foreign", foreign), ("own", own)):
            here.send(frame(name.encode(), source))
        with contextlib.suppress(TimeoutError):
            while "own" not in seen:
                seen.add(there.recv(100)[14:].rstrip(b"\0").decode())
    return "gets " + " and ".join(sorted(seen) or ["nothing"])


def speaks_of(words):
    """does any rule or element on the node name one of these"""
    with netns("host"):
        text = json.dumps(nft()) + out(["iptables-save"]) + out(["ip6tables-save"])
    return any(re.search(re.escape(word) + r"(?![0-9a-f:.])", text) for word in words)


def run(probes):
    """Each is [from, address, port], for UDP with a fourth word; or {"rules": words}, do rules name one of them; or
    {"frames": from, "to": whom, "foreign": source address}."""
    seen = {}
    for probe in probes:
        if isinstance(probe, dict) and "rules" in probe:
            seen["rules"] = speaks_of(probe["rules"])
            continue
        if isinstance(probe, dict):
            seen[f"frames of {probe['frames']} to {probe['to']}"] = send_frames(probe["frames"], probe["to"], probe["foreign"])
            continue
        who, address, port, *udp = probe
        spaces = [s for s in ("host", "pod", "pod2", "pod3") if ns_exists(s)]
        seen[" ".join(map(str, probe))] = ask(spaces, who, address, port, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    return seen
