# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP/1.1 over sockets, with all that can go wrong on the way: pieces of any size, silence, connections that end in the middle."""
import itertools, select, socket, ssl, struct, threading, time
from email.utils import formatdate

HEAD_LIMIT, BODY_LIMIT = 64 * 1024, 3 * 1024 * 1024
RAGGED = (1, 2, 5, 300, 4096, 17, 32768, 3)  # sizes of chunks, over and over: lines and escapes are cut anywhere
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 410: "Gone", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


class Gone(Exception):
    """The connection is over."""


class Request:
    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.body = b""


class Connection:
    """One accepted connection: requests are read and handed to `serve(connection, request)` until somebody ends it."""

    def __init__(self, server, listener, sock, number):
        self.server, self.listener, self.sock, self.number = server, listener, sock, number
        self.buffer = b""
        try:
            self.client = sock.getpeername()[0]
        except OSError:
            self.client = ""  # gone again
        self.user_certificate = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            if not self.secure():
                return
            while True:
                request = self.read_request()
                if not self.server.serve(self, request):
                    return
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.close()
            self.server.connections.discard(self)

    def close(self, reset=False):
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            self.sock.close()
        except OSError:
            pass

    # --- reading

    def secure(self):
        """TLS where it is spoken; False if there is nothing more to do."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.listener.tls is None:
            return True
        self.pace()
        if self.sock.recv(1, socket.MSG_PEEK) not in (b"\x16", b""):
            self.server.note_violation("plain HTTP to the port for HTTPS")
            self.sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
            return False
        self.sock = self.listener.tls.wrap_socket(self.sock, server_side=True)
        certificate = self.sock.getpeercert()
        if certificate:
            self.user_certificate = next(v for rdn in certificate["subject"] for k, v in rdn if k == "commonName")
        return True

    def pace(self):
        """Waits as long as the server is silent."""
        self.server.speaking.wait()

    def more(self):
        data = self.sock.recv(65536)
        self.pace()
        if not data:
            raise Gone
        self.buffer += data

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def take_line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_LIMIT:
                raise Gone
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def read_request(self):
        line = self.take_line()
        method, target, version = line.split(" ")
        headers = {}
        while True:
            line = self.take_line()
            if not line:
                break
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise Gone
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        request = Request(method, target, version, headers)
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            request.body = self.read_chunks()
        elif "content-length" in headers:
            if int(headers["content-length"]) > BODY_LIMIT:
                raise Gone
            request.body = self.take(int(headers["content-length"]))
        return request

    def read_chunks(self):
        body = b""
        while True:
            size = int(self.take_line().split(";")[0], 16)
            if len(body) + size > BODY_LIMIT:
                raise Gone
            body += self.take(size)
            self.take(2) if size else None
            if size == 0:
                while self.take_line():
                    pass
                return body

    def is_open(self):
        """Whether the other end is still there, as far as can be told without waiting."""
        try:
            if not select.select([self.sock], [], [], 0)[0]:
                return True
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.setblocking(False)
                try:
                    data = self.sock.recv(65536)
                except (ssl.SSLWantReadError, BlockingIOError):
                    return True
                finally:
                    self.sock.setblocking(True)
            else:
                data = self.sock.recv(65536, socket.MSG_DONTWAIT)
            self.buffer += data
            return bool(data)
        except OSError:
            return False

    # --- answering

    def send(self, data):
        self.pace()
        self.sock.sendall(data)

    def head(self, code, headers):
        lines = [f"HTTP/1.1 {code} {REASONS.get(code, 'Status')}", "Cache-Control: no-cache, private"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def answer(self, code, body, headers=None, media_type="application/json"):
        """A small answer, whole."""
        self.send(self.head(code, {"Content-Type": media_type, "Content-Length": len(body)} | (headers or {})) + body)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Stream:
    """A chunked body. sizes: of chunks ("ragged", or a number, 0 for one chunk for all that is written); together: chunks to a packet."""

    def __init__(self, connection, sizes, together=1, rate=0, cut_after=None):
        self.connection, self.together, self.rate, self.left = connection, together, rate, cut_after
        self.sizes = itertools.cycle(RAGGED if sizes == "ragged" else (sizes,)) if sizes else None

    def begin(self, code, headers):
        self.connection.send(self.connection.head(code, headers | {"Transfer-Encoding": "chunked"}))

    def pieces(self, data):
        if self.sizes is None:
            yield data
            return
        position = 0
        while position < len(data):
            n = next(self.sizes)
            yield data[position:position + n]
            position += n

    def write(self, data):
        if self.left is not None:
            if len(data) >= self.left:
                self.send_pieces(data[:self.left])
                raise Gone  # the last chunk never comes
            self.left -= len(data)
        self.send_pieces(data)

    def send_pieces(self, data):
        frames = []
        for piece in self.pieces(data):
            frames.append(chunk(piece))
            if self.rate:
                time.sleep(len(piece) / self.rate)
            if len(frames) >= self.together:
                self.connection.send(b"".join(frames))
                frames = []
        if frames:
            self.connection.send(b"".join(frames))

    def end(self):
        self.connection.send(b"0\r\n\r\n")


class Listener:
    """A port. It can be closed and opened again, and take connections without serving them."""

    def __init__(self, server, address, port, tls=None):
        self.server, self.address, self.port, self.tls = server, address, port, tls
        self.sock = None

    def open(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.address, self.port))
        self.sock.listen(128)
        threading.Thread(target=self.accept, args=(self.sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            try:
                accepted, _ = sock.accept()
            except OSError:
                return
            self.server.connected(self, accepted)

    def close(self):
        if self.sock:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
            self.sock.close()
            self.sock = None
