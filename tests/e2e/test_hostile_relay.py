# SPDX-License-Identifier: ISC
"""A relay between two gateways that is against both: nothing forged is shown, nothing twice, and what it breaks heals."""
import os
import random
import select
import struct
import threading

from harness import can_talk, friends_up, meet, run, state_of, texts, wait_equal, wait_for
from hostile import (DATA, OK, OPEN, RTT, TURTLE, Friend, alive, grown, item, memory, turtle_data, turtle_ok,
                     victim)

FAST = 0x16
dice = random.Random(1)
WORDS = {"honest", "double", "flip", "cut", "splice", "reflect", "turned", "replay"}
WORDS |= {f"after-{word}" for word in WORDS | {"noise", "forged"}}


class Relay(threading.Thread):
    """Friend of both; `change(payload, other direction's payloads)` gives the payloads that go on instead of one."""

    def __init__(self, left, right):
        super().__init__(daemon=True)
        self.links = {left: Friend(left, "A"), right: Friend(right, "C")}
        self.other = {left: right, right: left}
        self.heard = {left: [], right: []}      # payloads that came from there
        self.change, self.tunnel = None, None
        self.answer = None                      # gives tunnel-ok items for a request, instead of passing it on
        self.said, self.lock, self.over = [], threading.Lock(), False

    def run(self):
        poll = select.poll()
        for link in self.links.values():
            poll.register(link.tls, select.POLLIN)
        while not self.over:
            poll.poll(20)
            for side, link in self.links.items():
                link.fill(0)
                while (got := link.next()):
                    self.pass_on(side, *got)
            with self.lock:
                said, self.said = self.said, []
            for side, data in said:
                self.links[side].send(data)

    def pass_on(self, side, service, subtype, body):
        to = self.links[self.other[side]]
        if (service, subtype) == (RTT, 1):
            self.links[side].send(item(RTT, 2, body + bytes(8)))
        elif service != TURTLE:
            return
        elif subtype == OPEN:
            if self.answer:
                self.links[side].send(self.answer(struct.unpack(">I", body[20:24])[0]))
            else:
                to.send(item(TURTLE, OPEN, body[:-2] + struct.pack(">H", struct.unpack(">H", body[-2:])[0] + 1)))
        elif subtype == OK:
            self.tunnel = struct.unpack(">I", body[:4])[0]
            to.send(item(TURTLE, OK, body))
        elif subtype in (DATA, FAST):
            tunnel, payload = struct.unpack(">I", body[:4])[0], body[8:]
            self.heard[side].append(payload)
            for changed in (self.change(payload, self.heard[self.other[side]]) if self.change else [payload]):
                to.send(turtle_data(tunnel, changed, subtype))

    def say(self, side, *items):
        with self.lock:
            self.said += [(side, data) for data in items]

    def settle(self):
        wait_for("said", lambda: not self.said)
        for gateway in self.links:
            alive(gateway)

    def end(self):
        self.over = True
        self.join()
        for link in self.links.values():
            link.close()


def meeting():
    global a, b, relay, at_a, at_b, shown
    a, b = victim("A", "A"), victim("B", "C")
    a.account("alice")
    b.account("bob")
    relay = Relay(a, b)
    relay.start()
    friends_up(a, 1)
    friends_up(b, 1)
    at_a, at_b = meet(a, "alice", b, "bob", protection="classic")
    talk("honest", 3)


def both():
    can_talk(a, "alice", at_a)
    can_talk(b, "bob", at_b)


def say(word, count=10):
    for number in range(count):
        a.do("say", account="alice", conversation=at_a, text=f"{word} a{number}")
        b.do("say", account="bob", conversation=at_b, text=f"{word} b{number}")


def heard(word):
    return ([text for text in texts(b, "bob", at_b) if text.startswith(word)],
            [text for text in texts(a, "alice", at_a) if text.startswith(word)])


def talk(word, count=10):
    """What is said now arrives, once and in order."""
    relay.change = None
    both()
    say(word, count)
    wait_equal(f"all of {word}", lambda: heard(word),
               ([f"{word} a{number}" for number in range(count)], [f"{word} b{number}" for number in range(count)]))


def nothing_new(words):
    """Every text is one that was said, and none came twice."""
    for side in (texts(b, "bob", at_b), texts(a, "alice", at_a)):
        assert len(side) == len(set(side)), "shown twice"
        for text in side:
            assert text.split(" ")[0] in words, f"forged: {text!r}"


def duplicated():
    both()
    relay.change = lambda payload, other: [payload] * 3
    say("double")
    wait_equal("each once", lambda: tuple(map(len, heard("double"))), (10, 10))
    talk("after-double")
    assert tuple(map(len, heard("double"))) == (10, 10)


def damaged():
    def flip(payload, other):
        at = dice.randrange(len(payload))
        return [payload[:at] + bytes([payload[at] ^ 1 << dice.randrange(8)]) + payload[at + 1:]]

    def cut(payload, other):
        return [payload[:dice.randrange(len(payload))], payload + b"\0", b""]

    def splice(payload, other):
        mate = dice.choice(other) if other else payload
        half = len(payload) // 16 * 8 + 8
        return [payload[:8] + mate[8:], mate[:8] + payload[8:], payload[:half] + mate[half:]]

    def reflect(payload, other):
        return other[-5:]
    for change in (flip, cut, splice, reflect):
        both()
        relay.change = change
        say(change.__name__)
        relay.settle()
        talk(f"after-{change.__name__}", 3)
        came = heard(change.__name__ + " ")
        assert set(came[0]) <= {f"{change.__name__} a{n}" for n in range(10)}, came
        assert set(came[1]) <= {f"{change.__name__} b{n}" for n in range(10)}, came


def reordered():
    both()
    held = []

    def hold(payload, other):
        held.append(payload)
        return []
    relay.change = hold
    say("turned")
    wait_for("held", lambda: len(held) >= 20)
    relay.change = None
    for payload in reversed(held):
        relay.say(a, turtle_data(relay.tunnel, payload))
        relay.say(b, turtle_data(relay.tunnel, payload))
    relay.settle()
    talk("after-turned", 3)


def replayed():
    """Everything that was ever sent comes again: in its own tunnel and in a new one, in both directions. What was
    held back until now comes for the first time, and is shown; nothing is shown again."""
    old = relay.heard[a] + relay.heard[b]

    def all_again():
        for side in (a, b):
            relay.say(side, *(turtle_data(relay.tunnel, payload) for payload in old))
        relay.settle()
    both()
    all_again()
    talk("replay", 3)
    before = texts(a, "alice", at_a), texts(b, "bob", at_b)
    relay.end()
    start_again()
    all_again()
    both()
    talk("after-replay", 3)
    for old, new in zip(before, (texts(a, "alice", at_a), texts(b, "bob", at_b))):
        assert new[:-3] == old, new[len(old):]
    nothing_new(WORDS)


def start_again():
    global relay
    relay = Relay(a, b)
    relay.start()
    both()


def noise():
    """Payloads of every length, for tunnels that are and that are not."""
    before = memory(a)
    for size in range(200):
        for side in (a, b):
            relay.say(side, turtle_data(relay.tunnel, os.urandom(size)), turtle_data(size, os.urandom(size)),
                      turtle_data(relay.tunnel, os.urandom(size), FAST))
    relay.say(a, *(turtle_data(relay.tunnel, os.urandom(60000)) for _ in range(50)))
    relay.settle()
    grown(a, before, 32 << 20)
    talk("after-noise", 3)


def forged_tunnels():
    """It answers every request itself, many times, and passes nothing on: no one is told to be there."""
    global relay
    relay.end()
    wait_for("no tunnel", lambda: state_of(a, "alice", at_a) != "can talk")
    before, asked = memory(a), []
    relay = Relay(a, b)

    def answer(request):
        asked.append(request)
        return b"".join(turtle_ok(dice.getrandbits(32), request) for _ in range(2000))
    relay.answer = answer
    relay.start()
    a.do("conversation.open", account="alice", conversation=at_a)
    wait_for("asked", lambda: asked)
    relay.settle()
    assert a.do("status")["tunnels"]["own"] <= 64, a.do("status")["tunnels"]
    grown(a, before, 16 << 20)
    relay.end()
    start_again()
    talk("after-forged", 3)


def only_what_was_said():
    nothing_new(WORDS)
    relay.end()
    for gateway in (a, b):
        for word in ("honest", "after-", "retroshare://", "alice", "bob"):
            assert word not in gateway.log_text(), word


if __name__ == "__main__":
    run(meeting, duplicated, damaged, reordered, replayed, noise, forged_tunnels, only_what_was_said)
