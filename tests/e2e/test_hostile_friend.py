# SPDX-License-Identifier: ISC
"""A friend that means harm, and strangers at the friends' door: each ends or bounds itself, nobody else notices."""
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess

from harness import friends_up, processes_below, run, wait_for
from hostile import (DATA, DISCOVERY, HEARTBEAT, ITEM_MAX, NAMES, NODES, OK, OPEN, RTT, SERVICES, TURTLE, Friend, alive,
                     context_of, descriptors, friend_address, grown, identity, item, memory, service_list, slice_of, tlv,
                     turtle_data, turtle_ok, turtle_open, victim)

MIB = 1 << 20
dice = random.Random(2)


def meeting():
    global g, a, c
    g = victim("G", "A", "C", **{"log.level": "info"})
    a, c = Friend(g, "A"), Friend(g, "C")
    assert a.ping() and c.ping()
    friends_up(g, 2)


def again(name="A"):
    link = Friend(g, name)
    assert link.ping()
    return link


def others_unharmed():
    alive(g)
    assert c.ping(), "the other friend was not served"


def broken_frames():
    global a
    for bad in (item(TURTLE, DATA, size=7), item(TURTLE, DATA, size=0), item(TURTLE, DATA, size=0xffffffff),
                item(TURTLE, DATA, size=ITEM_MAX + 1), b"\3" * 8, b"\x10\x07" + bytes(6), b"\x10\x03" + bytes(6),
                os.urandom(64).replace(b"\2", b"\3").replace(b"\x10", b"\3"), b"GET / HTTP/1.1\r\n\r\n"):
        a.send(bad)
        assert a.wait_closed(), bad[:8].hex()
        a = again()
        others_unharmed()
    # Well framed nonsense costs the item alone.
    for subtype in range(256):
        a.send(b"".join(item(service, subtype, os.urandom(dice.randrange(100)))
                        for service in (TURTLE, DISCOVERY, SERVICES, RTT, HEARTBEAT, subtype * 257)))
    a.send(item(0x4242, 1, bytes(ITEM_MAX - 8)))
    a.send(service_list())
    assert a.ping()
    others_unharmed()


def byte_by_byte():
    link = Friend(g, "A", greet=False)
    link.send(turtle_open(os.urandom(20), 1, 2) + turtle_data(1, b"x") + item(RTT, 1, bytes(12)))
    for byte in service_list() + turtle_open(os.urandom(20), 3, 4):
        link.send(bytes([byte]))
    assert link.ping()
    # Cut in the middle of an item, one direction closed.
    link.send(turtle_data(1, bytes(100))[:50])
    half = socket.socket(fileno=os.dup(link.tls.fileno()))
    half.shutdown(socket.SHUT_WR)
    half.close()
    assert link.wait_closed()
    global a
    a = again()
    others_unharmed()


def endless_slices():
    before = memory(g)
    for begin in range(0, 50000, 1000):
        a.send(b"".join(slice_of(begin + number, bytes(600), first=True) for number in range(1000)))
    for number in range(60):
        a.send(slice_of(7 if number < 10 else number + 100, bytes(65535), first=number == 0 or number >= 10))
    assert a.ping(60)
    grown(g, before, 16 * MIB)
    others_unharmed()


def floods_of_requests():
    before, hashes = memory(g), {os.urandom(20) for _ in range(10)}
    for hash20 in hashes:
        a.send(b"".join(turtle_open(os.urandom(20), dice.getrandbits(32), dice.getrandbits(32),
                                    dice.choice((0, 1, 5, 6, 7, 0xffff))) for _ in range(10000)))
        c.send(turtle_open(hash20, dice.getrandbits(32), 5))
    # The other friend's requests have their own share of what is forwarded.
    for _ in hashes.copy():
        assert a.wait(TURTLE, OPEN, match=lambda body: body[:20] in hashes and not hashes.discard(body[:20]))
    for _ in range(50):
        a.send(b"".join(turtle_ok(dice.getrandbits(32), dice.getrandbits(32)) +
                        turtle_data(dice.getrandbits(32), os.urandom(40)) +
                        item(TURTLE, 0x01, tlv(0x51, b"x" * 20) + struct.pack(">IH", dice.getrandbits(32), 1)) +
                        item(TURTLE, 0x0b, struct.pack(">IHHBI", dice.getrandbits(32), 1, 2, 3, 4) + b"abcd")
                        for _ in range(1000)))
    assert a.ping(60)
    grown(g, before, 48 * MIB)
    assert g.do("status")["tunnels"]["relayed"] == 0
    c.items(0.05)
    others_unharmed()


def address(family):
    """One of those that are for documents: whoever dials it reaches nobody."""
    ip = (bytes([dice.randrange(256), 2, 0, 192]) if family == 4 else
          b"\xb8\x0d\x01\x20" + os.urandom(12))
    return tlv(0x1072, tlv(0x85 if family == 4 else 0x86, ip + struct.pack("<H", dice.getrandbits(16) | 1)))


def contact(name=b"here", version=b"1", seen=0, dns=b""):
    history = b"".join(tlv(0x1070, address(4) + bytes(12)) for _ in range(seen))
    return item(DISCOVERY, 5, bytes.fromhex(NODES["A"]["pgp_id"] + NODES["A"]["ssl_id"]) + tlv(0x5c, name) +
                tlv(0x5f, version) + struct.pack(">IHHI", 2, 2, 2, 0) + b"".join(map(address, (4, 4, 6, 6, 4))) +
                tlv(0x83, dns) + tlv(0x1071, history) + tlv(0x1071, b""))


def contacts_and_lists():
    """What is told without end is neither kept nor written without end, and is harmless to show."""
    global a
    a = again()
    a.send(contact(b"evil\r\nQUIT :x\x1b[2J\0\xff\xfe", b"V" * 100000, seen=4000, dns=b"a\nb"))
    assert a.ping()
    shown = g.do("friend.show", friend=NODES["A"]["ssl_id"])
    assert len(shown["version"]) < 64 and len(shown["addresses"]) <= 16, shown
    assert not any(ord(letter) < 0x20 for letter in str(shown)), shown
    before, held = g.do("status")["store"]["batches"], memory(g)
    pool = [contact() for _ in range(1000)]
    for _ in range(10):
        a.send(b"".join(pool))
    flips = service_list(((TURTLE, b"turtle"), (RTT, b"rtt"))) + service_list(((RTT, b"rtt"),))
    a.send(flips * 2000)
    a.send(service_list([(number, b"") for number in range(5000)]))
    assert a.ping(60)
    assert g.do("status")["store"]["batches"] - before < 200, "each contact was written"
    grown(g, held, 8 * MIB)
    a.close()
    a = again()
    others_unharmed()


def never_reads():
    """A tunnel through us to a friend that reads nothing: its items are dropped, its queue is bounded."""
    hash20 = os.urandom(20)
    a.send(turtle_open(hash20, 777, 1))
    request = c.wait(TURTLE, OPEN, match=lambda body: body[:20] == hash20)
    c.send(turtle_ok(0x1234567, struct.unpack(">I", request[20:24])[0]))
    assert a.wait(TURTLE, OK)
    before = memory(g)
    one = turtle_data(0x1234567, os.urandom(1000))
    for _ in range(40):
        a.send(one * 1000)
    assert a.ping(60)
    assert g.do("status")["traffic"]["items_dropped"] > 10000
    # Its own questions fill no more than its own queue either.
    question = item(RTT, 1, bytes(12)) * 2000
    for _ in range(30):
        c.send(question, 1)
    grown(g, before, 24 * MIB)
    alive(g)
    assert a.ping()
    c.close()
    reopen()


def reopen():
    global c
    c = again("C")


def storm():
    """A hundred connections one after the other, half of them left open: the newest counts, the others go."""
    global a
    before, files, left = memory(g), descriptors(g), []
    for number in range(100):
        link = Friend(g, "A", wait=number % 4 == 0)
        left.append(link) if number % 2 else link.close()
    a = again()
    wait_for("the others are gone", lambda: descriptors(g) <= files + 1)
    assert all(link.wait_closed() for link in left)
    grown(g, before, 16 * MIB)
    friends_up(g, 2)
    others_unharmed()


def forged_certificates():
    """The friend's location and name, but changed behind its signature: checked, refused, not checked twice."""
    certificate, key = identity("A")
    at = certificate.rindex(bytes.fromhex("0603550403"), 0, certificate.index(bytes.fromhex("2a864886f70d010101"))) + 7
    attempts = 0
    for letter in (0x41, 0x41, 0x42):
        forged = bytearray(certificate)
        forged[at] = letter
        link = Friend(g, "A", context_of(bytes(forged), key), wait=False)
        assert link.wait_closed()
        attempts += 1
        seen = g.do("attempts")["attempts"][-1]
        assert seen["location"] == NODES["A"]["ssl_id"] and seen["count"] == attempts and "not signed" in seen["reason"]
    # Another signature is another location.
    forged = bytearray(certificate)
    forged[-20] ^= 1
    assert Friend(g, "A", context_of(bytes(forged), key), wait=False).wait_closed()
    assert "another location" in g.do("attempts")["attempts"][-1]["reason"]
    assert a.ping(), "the real one was put out"
    others_unharmed()


def strangers():
    """Without, with a self-made, and with an unknown node's certificate; many that say nothing. No gpg runs for any."""
    before, files = memory(g), descriptors(g)
    known = set(processes_below(g.folder))
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    contexts = [context_of(*identity("B"))]
    if shutil.which("openssl"):
        made = f"{g.folder}/stranger"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=0123456789ABCDEF", "-keyout",
                        f"{made}.key", "-out", f"{made}.crt"], check=True, capture_output=True)
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        own.check_hostname, own.verify_mode = False, ssl.CERT_NONE
        own.load_cert_chain(f"{made}.crt", f"{made}.key")
        contexts.append(own)
    for context in [bare] + contexts * 20:
        try:
            assert Friend(g, "B", context, wait=False).wait_closed()
        except OSError:
            pass
    new = [words for pid, words in processes_below(g.folder).items() if pid not in known]
    assert not new, new
    assert len(g.do("attempts")["attempts"]) <= 64
    refused = g.log_text().count("event=connection-refused")
    crowd = [socket.create_connection(friend_address(g)) for _ in range(500)]
    for sock in crowd:
        try:
            sock.send(b"\x16\x03\x01\x02\x00\x01")
        except OSError:
            pass
    others_unharmed()
    assert descriptors(g) < files + 64
    assert g.log_text().count("event=connection-refused") <= refused + 10, "strangers write the log"
    for sock in crowd:
        sock.close()
    wait_for("they are gone", lambda: descriptors(g) <= files)
    grown(g, before, 16 * MIB)
    friends_up(g, 2)


def wrong_keys():
    """A friend known by its short invite alone sends keys that are not its own."""
    global c
    c.close()
    g.do("friend.remove", friend=NODES["C"]["ssl_id"])
    g.do("friend.add", text=NODES["C"]["short_invite"]["url"], addresses=["127.0.0.1:9"])
    pgp_id, block = bytes.fromhex(NODES["C"]["pgp_id"]), bytes.fromhex(NODES["C"]["pgp_public_key"])
    other = bytes.fromhex(NODES["A"]["pgp_public_key"])

    def key(data):
        return item(DISCOVERY, 9, pgp_id + struct.pack(">I", len(data)) + data)
    for wrong in (b"", os.urandom(2000), other, block + other, block[:-1], b"\xa3\x02" + block, bytes(200000)):
        c = Friend(g, "C", greet=False)
        c.send(service_list(NAMES[:1]) + key(wrong) * 50)
        assert not c.wait(SERVICES, 1, 0.1, lambda body: b"turtle" in body), "let in by a wrong key"
        shown = g.do("friend.show", friend=NODES["C"]["ssl_id"])
        assert shown["state"] == "limited" and not shown["verified"], shown
        c.close()
    c = Friend(g, "C")
    c.send(key(block))
    wait_for("its own key lets it in", lambda: g.do("friend.show", friend=NODES["C"]["ssl_id"])["state"] == "up")
    alive(g)


def the_end():
    log = g.log_text()
    for word in ("NodeA", "evil", "QUIT", "BEGIN PGP", NODES["A"]["ssl_id"], "retroshare://"):
        assert word not in log, word
    assert len(log.splitlines()) < 3000
    a.close()
    c.close()


if __name__ == "__main__":
    run(meeting, broken_frames, byte_by_byte, endless_slices, floods_of_requests, contacts_and_lists, never_reads, storm,
        forged_certificates, strangers, wrong_keys, the_end)
