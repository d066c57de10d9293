# SPDX-License-Identifier: ISC
"""Roles that attack a gateway over real sockets: a friend with a recorded identity, and what is measured of a gateway
meanwhile."""
import base64
import json
import os
import select
import socket
import ssl
import struct
import tempfile
import time

from harness import Gateway

# Freed memory that the address sanitizer holds back would hide what the gateway holds.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=4:malloc_context_size=5")

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors")
with open(f"{VECTORS}/retroshare-0.6/link.json") as _file:
    NODES = json.load(_file)["nodes"]

DISCOVERY, TURTLE, HEARTBEAT, SERVICES, RTT = 0x0011, 0x0014, 0x0016, 0x0020, 0x1011
OPEN, OK, DATA = 0x03, 0x04, 0x0a
ITEM_MAX = 262143
NAMES = ((DISCOVERY, b"disc"), (TURTLE, b"turtle"), (HEARTBEAT, b"heartbeat"), (RTT, b"rtt"))


def item(service, subtype, body=b"", size=None):
    return struct.pack(">BHBI", 2, service, subtype, len(body) + 8 if size is None else size) + body


def tlv(kind, value):
    return struct.pack(">HI", kind, len(value) + 6) + value


def service_list(services=NAMES):
    pairs = b""
    for service, name in services:
        number = struct.pack(">I", 2 << 24 | service << 8)
        value = struct.pack(">I", len(name)) + name + number + struct.pack(">HHHH", 1, 0, 1, 0)
        pairs += tlv(1, tlv(1, number) + tlv(1, value))
    return item(SERVICES, 1, tlv(1, pairs))


def turtle_open(hash20, request, partial, depth=1):
    return item(TURTLE, OPEN, hash20 + struct.pack(">IIH", request, partial, depth))


def turtle_ok(tunnel, request):
    return item(TURTLE, OK, struct.pack(">II", tunnel, request))


def turtle_data(tunnel, payload, subtype=DATA):
    return item(TURTLE, subtype, struct.pack(">II", tunnel, len(payload)) + payload)


def slice_of(packet, data, first=False, last=False):
    return struct.pack(">BBIH", 0x10, first | last << 1, packet, len(data)) + data


def context_of(certificate, key, server=False):
    """A TLS context with this certificate and this PKCS#1 key (DER); it checks nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(ssl.DER_cert_to_PEM_cert(certificate))
        file.write("-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(key).decode() +
                   "-----END RSA PRIVATE KEY-----\n")
        file.flush()
        context.load_cert_chain(file.name)
    return context


def identity(name):
    certificate = NODES[name]["certificate"]
    return bytes.fromhex(certificate["der"]), bytes.fromhex(certificate["tls_private_key_pkcs1_der"])


def friend_address(gateway):
    host, port = gateway.settings["node.listen"].rsplit(":", 1)
    return host, int(port)


def accept_as_friend(gateway, *names):
    """The recorded nodes become friends. Nobody is behind the addresses that they are dialled at."""
    for name in names:
        gateway.do("friend.add", text=NODES[name]["full_invite"]["text"])
        gateway.do("friend.set", friend=NODES[name]["ssl_id"], addresses=["127.0.0.1:9"])


class Friend:
    """One link to a gateway, as the recorded node `name`. Reads only when asked to."""

    def __init__(self, gateway, name="A", context=None, greet=True, wait=True):
        self.name, self.node = name, NODES[name]
        self.rest, self.closed = b"", False
        raw = socket.create_connection(friend_address(gateway), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = (context or context_of(*identity(name))).wrap_socket(raw)
        self.poll = select.poll()
        self.poll.register(self.tls, select.POLLIN)
        if greet:
            self.send(service_list())
        if wait:
            assert self.wait(SERVICES, 1), "no service list came"

    def send(self, data, seconds=20):
        """All of it; what comes meanwhile is kept. False when the gateway closed."""
        self.tls.settimeout(seconds)
        try:
            self.tls.sendall(data)
            return True
        except OSError:
            self.closed = True
            return False

    def fill(self, seconds):
        """Reads what is there, waiting at most so long for the first bytes."""
        if not self.tls.pending() and not self.poll.poll(seconds * 1000):
            return False
        self.tls.settimeout(5)
        try:
            data = self.tls.recv(1 << 16)
        except OSError:
            data = b""
        self.closed |= not data
        self.rest += data
        return bool(data)

    def next(self):
        """The next whole item that has been read: (service, subtype, body), or None."""
        if len(self.rest) < 8:
            return None
        size = struct.unpack(">I", self.rest[4:8])[0]
        if len(self.rest) < size:
            return None
        whole, self.rest = self.rest[:size], self.rest[size:]
        return struct.unpack(">H", whole[1:3])[0], whole[3], whole[8:]

    def items(self, seconds=0.2):
        """Everything that comes until it is silent for so long."""
        while not self.closed and self.fill(seconds):
            pass
        return list(iter(self.next, None))

    def wait(self, service, subtype, seconds=20, match=lambda body: True):
        """The body of the next such item; others are dropped. None when it does not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while (got := self.next()):
                if got[:2] == (service, subtype) and match(got[2]):
                    return got[2]
            if self.closed or not self.fill(max(0.0, end - time.monotonic())):
                break
        return None

    def wait_closed(self, seconds=20):
        end = time.monotonic() + seconds
        while not self.closed and time.monotonic() < end:
            self.fill(max(0.0, end - time.monotonic()))
            self.rest = b""
        return self.closed

    def ping(self, seconds=20):
        """A round trip: what was sent before has been dealt with."""
        number = int.from_bytes(os.urandom(4), "big")
        return (self.send(item(RTT, 1, struct.pack(">IQ", number, 0))) and
                self.wait(RTT, 2, seconds, lambda body: body[:4] == struct.pack(">I", number)) is not None)

    def close(self):
        try:
            self.tls.close()
        except OSError:
            pass


def memory(gateway):
    """Resident bytes of the daemon."""
    with open(f"/proc/{gateway.process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


def alive(gateway, seconds=1.0):
    """It answers in time."""
    begun = time.monotonic()
    gateway.do("status")
    took = time.monotonic() - begun
    assert took < seconds, f"{gateway.name} answered after {took:.2f} s"
    return took


def grown(gateway, before, most):
    """Its memory is at most so much more than before."""
    more = memory(gateway) - before
    assert more < most, f"{gateway.name} holds {more >> 20} MiB more than before"
    return more


def victim(name, *friends, **settings):
    """A gateway with recorded nodes as friends."""
    gateway = Gateway(name, **settings)
    accept_as_friend(gateway, *friends)
    return gateway

