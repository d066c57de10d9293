# SPDX-License-Identifier: ISC
"""A relay that is against sealed chat: it sees two kinds of sizes, and whatever it drops, repeats, turns, alters or
forges, every line arrives once and in order, and nothing becomes classic. And a guest of 2013 at the inviter."""
import hashlib
import os
import random
import struct
import subprocess
import threading
import time

from harness import can_talk, conversation, friends_up, lines_of, run, texts, wait_equal, wait_for
from hostile import OK, TURTLE, Friend, alive, grown, item, memory, tlv, turtle_data, turtle_open, victim
from test_hostile_relay import FAST, Relay
from test_sealed import CAROL, opened

dice = random.Random(2)
said = {}


class Watching(Relay):
    """Notes the size of all that passes, under its tunnel."""

    def __init__(self, left, right):
        super().__init__(left, right)
        self.sizes, self.all = {}, []

    def pass_on(self, side, service, subtype, body):
        if service == TURTLE and subtype in (0x0a, FAST):
            self.sizes.setdefault(len(body) - 8, 0)
            self.sizes[len(body) - 8] += 1
            self.all.append(body[8:])
        super().pass_on(side, service, subtype, body)


def classic_packet(key, plain):
    """Protocol 03 §2."""
    salt, digest, stream = os.urandom(8), b"", b""
    for _ in range(3):
        digest = digest + key + salt
        for _ in range(5):
            digest = hashlib.sha1(digest).digest()
        stream += digest
    cipher = ["openssl", "enc", "-aes-256-cbc", "-K", stream[:32].hex(), "-iv", stream[32:48].hex()]
    return salt + subprocess.run(cipher, input=plain, check=True, capture_output=True).stdout


def classic_text(key, text):
    wide = b"".join(struct.pack(">I", ord(character)) for character in text)
    return classic_packet(key, item(0x12, 1, struct.pack(">II", 1, int(time.time())) + tlv(0x67, wide)))


def classic_status(key, flags, text):
    return classic_packet(key, item(0x12, 4, struct.pack(">I", flags) + tlv(0x57, text)))


def made_invite(account, **arguments):
    """A fresh account of A with an invite for a recorded key: what it holds can be read here."""
    a.account(account)
    invite = a.do("invite.new", account=account, key=CAROL["public_key_armored"], **arguments)
    return invite, *opened(invite["link"], CAROL["unprotected_secret_key_armored"])


def meeting():
    global a, b, relay, at_a, at_b, key_
    a, b = victim("A", "A"), victim("B", "C")
    b.account("bob", key=CAROL["unprotected_secret_key_armored"])
    relay = Watching(a, b)
    relay.start()
    friends_up(a, 1)
    friends_up(b, 1)
    invite, _, key_ = made_invite("alice")
    at_a = invite["handle"]
    at_b = b.do("invite.open", account="bob", link=invite["link"], key=a.do("account.show", account="alice")["key"])["handle"]
    said.update({a: [], b: []})
    for gateway, account, handle in ends():
        gateway.do("contact.set", account=account, contact=handle, presence="always")
    both()


def ends():
    return (a, "alice", at_a), (b, "bob", at_b)


def both(seconds=90):
    for gateway, account, handle in ends():
        can_talk(gateway, account, handle, seconds)
        assert conversation(gateway, account, handle)["protection"] == "sealed"


def say(word, count=10):
    for number in range(count):
        for gateway, account, handle in ends():
            text = f"{word} {gateway.name}{number}"
            gateway.do("say", account=account, conversation=handle, text=text)
            said[gateway].append(text)


def all_there(seconds=90):
    """All that was ever said, once and in order, at the other side; and this side knows."""
    for (gateway, account, handle), other in zip(ends(), (b, a)):
        wait_equal(f"all at {gateway.name}", lambda: texts(gateway, account, handle), said[other], seconds)
        wait_equal(f"all receipts at {gateway.name}", lambda: [
            line["text"] for line in lines_of(gateway, account, handle, "out") if line["delivery"] != "delivered"], [], seconds)
        assert conversation(gateway, account, handle)["protection"] == "sealed"


def calm(word):
    relay.change = None
    say(f"after {word}", 2)
    all_there()


def two_kinds_of_sizes():
    for size in (1, 30, 200, 255, 256, 257, 5000, 20000):
        for gateway, account, handle in ends():
            text = f"{size} " + "x" * size
            gateway.do("say", account=account, conversation=handle, text=text)
            said[gateway].append(text)
    all_there()
    odd = [size for size in relay.sizes if size != 72 and (size < 40 or (size - 40) % 256)]
    assert not odd and len(relay.sizes) > 3, relay.sizes
    assert not any(word in payload for payload in relay.all for word in (b"xxxx", b"alice", b"bob"))


def attacked():
    kept = []

    def double(payload, other):
        return [payload] * 3

    def flip(payload, other):
        at = dice.randrange(len(payload))
        return [payload[:at] + bytes([payload[at] ^ 1 << dice.randrange(8)]) + payload[at + 1:]]

    def flip_some(payload, other):
        return flip(payload, other) if dice.random() < 0.3 else [payload]

    def drop_some(payload, other):
        return [] if dice.random() < 0.4 else [payload]

    def cut(payload, other):
        return [payload[:dice.randrange(len(payload))], payload, payload + b"\0", b""]

    def splice(payload, other):
        mate = dice.choice(other) if other else payload
        half = len(payload) // 16 * 8 + 8
        return [payload[:8] + mate[8:], mate[:8] + payload[8:], payload[:half] + mate[half:], payload]

    def reflect(payload, other):
        return other[-5:] + [payload]

    def turn(payload, other):
        kept.append(payload)
        if len(kept) < 4:
            return []
        dice.shuffle(kept)
        out = kept[:]
        kept.clear()
        return out

    for change in (double, flip_some, drop_some, cut, splice, reflect, turn, flip):
        both()
        relay.change = change
        say(change.__name__)
        relay.settle()
        time.sleep(1)  # the time in which it does its worst; what counts comes after
        calm(change.__name__)


def replayed():
    """All that ever passed comes again, in its own tunnel and in others."""
    old = list(relay.all)
    for _ in range(2):
        for side in (a, b):
            relay.say(side, *(turtle_data(relay.tunnel, payload) for payload in old))
        relay.settle()
        calm("replay")
        start_again()
        both()


def start_again():
    global relay
    relay.end()
    relay = Watching(a, b)
    relay.start()


def forged_classic():
    """Who read the invite in time still has its key; the route has forgotten it."""
    for side in (a, b):
        relay.say(side, turtle_data(relay.tunnel, classic_text(key_, "forged")),
                  turtle_data(relay.tunnel, classic_status(key_, 0x0401, b"")),
                  turtle_data(relay.tunnel, classic_status(key_, 0x0801, b"Tunnel is working. You can talk!")))
    relay.settle()
    calm("forged")


def noise():
    before = memory(a)
    for size in range(40, 3000, 256):
        for side in (a, b):
            relay.say(side, *(turtle_data(relay.tunnel, os.urandom(size)) for _ in range(50)),
                      *(turtle_data(relay.tunnel, os.urandom(72)) for _ in range(50)))
    relay.settle()
    grown(a, before, 32 << 20)
    calm("noise")


class Guest(threading.Thread):
    """Somebody of 2013 who found the invite's hash through the relay's place, as A's friend."""

    def __init__(self, hash_, key):
        super().__init__(daemon=True)
        self.key, self.heard, self.tunnel, self.over = key, [], None, False
        self.link = Friend(a, "A")
        self.link.send(turtle_open(hash_, dice.getrandbits(32), dice.getrandbits(32)))
        body = self.link.wait(TURTLE, OK)
        assert body, "no tunnel"
        self.tunnel = struct.unpack(">I", body[:4])[0]
        self.start()

    def run(self):
        while not self.over and not self.link.closed:
            self.link.fill(0.05)
            while (got := self.link.next()):
                if got[0] == TURTLE and got[1] in (0x0a, FAST) and struct.unpack(">I", got[2][:4])[0] == self.tunnel:
                    self.heard.append(got[2][8:])

    def say(self, *packets):
        for packet in packets:
            self.link.send(turtle_data(self.tunnel, packet))

    def end(self):
        self.over = True
        self.join()
        self.link.close()


def guest_of_2013():
    """`any` talks to him as before; `sealed` does not answer, and shows nothing of his."""
    relay.end()
    for account, wanted, arguments in (("dora", "classic", {}), ("emil", "none", {"protection": "sealed"})):
        invite, hash_, key = made_invite(account, **arguments)
        guest = Guest(hash_, key)
        guest.say(classic_status(key, 0x0801, b"Tunnel is working. You can talk!"), classic_text(key, "good day"))
        if wanted == "classic":
            wait_for("his text", lambda: texts(a, account, invite["handle"]) == ["good day"])
            assert guest.heard and all(len(payload) % 16 == 8 for payload in guest.heard), guest.heard
            a.do("say", account=account, conversation=invite["handle"], text="welcome")
            wait_for("the answer", lambda: len(guest.heard) > 1)
        else:
            for _ in range(20):
                alive(a)
                time.sleep(0.1)
            assert not guest.heard and not texts(a, account, invite["handle"])
            assert conversation(a, account, invite["handle"])["state"] != "can talk"
        assert conversation(a, account, invite["handle"])["protection"] == wanted
        guest.end()


if __name__ == "__main__":
    run(meeting, two_kinds_of_sizes, attacked, replayed, forged_classic, noise, guest_of_2013)
