# SPDX-License-Identifier: ISC
"""HTTP and WebSocket without a browser: what is written is what goes out, so a test can be as wrong as it likes."""
import base64
import http.client
import json
import os
import socket
import struct
import time
import urllib.parse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r}"


class Site:
    """The page of a gateway, at one of its listeners."""

    def __init__(self, gateway, url=None):
        self.url = (url or gateway.do("status")["listening"]["web"][0]).rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        self.address = parts.hostname, parts.port
        self.host = parts.netloc
        self.cookie = self.token = None

    def connect(self, source=None):
        return socket.create_connection(self.address, timeout=20, source_address=source and (source, 0))

    def head(self, method, target, headers):
        """Bytes of a request head. A header of None is left out; signed in, cookie and token go along."""
        fields = {"Host": self.host}
        if self.cookie:
            fields |= {"Cookie": self.cookie, "X-Retrogate-Token": self.token}
        fields |= headers or {}
        lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"

    def request(self, method, target, body=None, headers=None, source=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Connection": "close", **(headers or {})}
        if body is not None:
            headers = {"Content-Type": "application/json", "Content-Length": len(body), **headers}
        with self.connect(source) as sock:
            return answer_of(sock, self.head(method, target, headers) + (body or b""), method)

    def sign_in(self, account, password, **arguments):
        self.cookie = self.token = None
        answer = self.request("POST", "/api/1/session", {"account": account, "password": password, **arguments})
        assert answer.status == 200, answer
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        self.token = answer.json()["token"]
        return self

    def live(self, **options):
        """A live channel that is open."""
        channel = WebSocket(self, **options)
        assert channel.status == 101, channel.answer
        return channel


def answer_of(sock, request, method="GET"):
    """The answer to bytes on a connection of their own; what refuses early may close before all is sent."""
    try:
        sock.sendall(request)
    except OSError:
        pass
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    return Answer(response)


def mask(payload, key):
    size = len(payload)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ keys).to_bytes(size, "big")


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0, size=None, wide=0):
    """`size` lies about the length; `wide` writes it in 2 or 8 bytes where fewer would do."""
    length = len(payload) if size is None else size
    first = fin << 7 | reserved << 4 | opcode
    if length < 126 and not wide:
        head = struct.pack(">BB", first, masked << 7 | length)
    elif length < 1 << 16 and wide != 8:
        head = struct.pack(">BBH", first, masked << 7 | 126, length)
    else:
        head = struct.pack(">BBQ", first, masked << 7 | 127, length)
    key = os.urandom(4)
    return head + (key + mask(payload, key) if masked else payload)


class Closed(Exception):
    """The far side ended the channel: `code` of its close frame, None without one."""

    def __init__(self, code, reason=b""):
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class WebSocket:
    def __init__(self, site, path="/api/1/live", protocols=None, headers=None, source=None, pipelined=b""):
        if protocols is None:
            protocols = ["retrogate.1"] + ([f"token.{site.token}"] if site.token else [])
        self.sock = site.connect(source)
        self.rest, self.id, self.events = b"", 0, []
        fields = {"X-Retrogate-Token": None, "Upgrade": "websocket", "Connection": "Upgrade", "Origin": site.url,
                  "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                  "Sec-WebSocket-Protocol": ", ".join(protocols) or None, **(headers or {})}
        self.sock.sendall(site.head("GET", path, fields) + pipelined)
        self.answer = self._until(b"\r\n\r\n")
        self.status = int(self.answer.split(b" ", 2)[1]) if self.answer else 0

    def _fill(self, end):
        self.sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(None)
        self.rest += data

    def _until(self, mark, seconds=20.0):
        end = time.monotonic() + seconds
        try:
            while mark not in self.rest:
                self._fill(end)
        except (Closed, TimeoutError, socket.timeout):
            return b""
        found, self.rest = self.rest.split(mark, 1)
        return found

    def send_bytes(self, data):
        """As much as is taken; a gateway that has enough closes."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def send(self, opcode, payload=b"", **options):
        return self.send_bytes(frame(opcode, payload, **options))

    def send_text(self, text):
        return self.send(TEXT, text if isinstance(text, bytes) else text.encode())

    def receive_frame(self, seconds=20.0):
        """(opcode, payload) of one frame; None when nothing came in time. Closed when the far side ended it."""
        end = time.monotonic() + seconds
        need = 2
        while True:
            if len(self.rest) >= 2:
                length = self.rest[1] & 127
                start = {126: 4, 127: 10}.get(length, 2)
                if len(self.rest) >= start:
                    if start > 2:
                        length = int.from_bytes(self.rest[2:start], "big")
                    need = start + length
                    if len(self.rest) >= need:
                        break
            try:
                self._fill(end)
            except (TimeoutError, socket.timeout):
                return None
        opcode, payload = self.rest[0] & 15, self.rest[start:need]
        assert not self.rest[1] & 128, "a server must not mask"
        self.fin = self.rest[0] & 128
        self.rest = self.rest[need:]
        if opcode == CLOSE:
            raise Closed(int.from_bytes(payload[:2], "big") if payload else None, payload[2:])
        return opcode, payload

    def receive(self, seconds=20.0):
        """The next message as a value; pings are answered."""
        end, text = time.monotonic() + seconds, b""
        while True:
            got = self.receive_frame(max(0.001, end - time.monotonic()))
            if got is None:
                return None
            if got[0] == PING:
                self.send(PONG, got[1])
            elif got[0] in (0, TEXT):
                text += got[1]
                if self.fin:
                    return json.loads(text)

    def do(self, command, /, **arguments):
        self.id += 1
        self.send_text(json.dumps({"id": self.id, "do": command, **arguments}))
        while True:
            answer = self.receive(60)
            assert answer is not None, f"{command}: no answer"
            if answer.get("id") == self.id:
                return answer["done"] if "done" in answer else answer
            self.events.append(answer)

    def closed(self, seconds=20.0):
        """Reads until the end; returns its Closed."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.receive_frame(max(0.001, end - time.monotonic()))
        except Closed as how:
            return how
        raise AssertionError(f"still open after {seconds} s")

    def close(self):
        self.sock.close()
