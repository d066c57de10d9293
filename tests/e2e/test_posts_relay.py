# SPDX-License-Identifier: ISC
"""A relay between two gateways that is against posts: without greetings a post goes as in 2013 and says so, but never to
one that is known for sealed posts; whatever is dropped, repeated, altered or forged, each post arrives once and whole."""
import os
import random

from harness import friends_up, run, wait_equal, wait_for
from hostile import alive, grown, memory, turtle_data, victim
from mail import acquainted, arrived, await_fates, fates, part, posts, send, show, upload
from test_hostile_relay import Relay

SEALED, CLASSIC = ("delivered", "sealed", "universal"), ("not-confirmed", "classic", "universal")
POSTS, SUBTYPE_AT = b"\x02\x00\x13", 3
GREETING, FORTH, BACK = 0x70, 0x71, 0x72
dice = random.Random(5)


def subtype(payload):
    return payload[SUBTYPE_AT] if payload[:3] == POSTS else None


def meeting():
    global a, b, relay
    a, b = victim("A", "A"), victim("B", "C")
    a.account("alice")
    a.account("anna")
    b.account("bob")
    relay = Relay(a, b)
    relay.start()
    friends_up(a, 1)
    friends_up(b, 1)
    for account in ("alice", "anna"):
        acquainted(a, account, b, "bob")


def no_greetings(payload, _):
    return [] if subtype(payload) == GREETING else [payload]


def classic_when_greetings_are_dropped():
    relay.change = no_greetings
    seq = send(a, "alice", "bob", "As in 2013", "A text.\n")
    await_fates(a, "alice", seq, CLASSIC, seconds=60)
    got = arrived(b, "bob", "As in 2013")
    assert (got["verdict"], got["protection"]) == ("signed", "classic"), got
    assert show(b, "bob", got["seq"])["text"].strip() == "A text."
    assert any(subtype(payload) == 0x01 for payload in relay.heard[a])


def what_2013_cannot_take_is_refused():
    """Programs of 2013 take text: an attachment is refused before anything is sent, with the reason."""
    data = upload(a, "alice", os.urandom(1 << 20))
    error = a.refused("post.send", account="alice", to=["bob"], subject="A file", text="",
                      attachments=[{"upload": data, "name": "noise.bin"}])
    assert error.code == "limit" and "attachments" in error.text, error


def sealed_never_goes_back():
    """Who was known for sealed posts gets no classic one, however long the greetings stay away."""
    relay.change = None
    await_fates(a, "anna", send(a, "anna", "bob", "Sealed"), SEALED, seconds=60)
    assert a.stop() == 0  # its tunnel is gone, and with it the keys
    a.start()
    relay.change = no_greetings
    wait_for("linked again", lambda: relink(), 30)
    before = len([payload for payload in relay.heard[a] if subtype(payload) == 0x01])
    seq = send(a, "anna", "bob", "Waits for a greeting")
    wait_for("asked for one", lambda: sum(subtype(payload) == GREETING for payload in relay.heard[a]) >= 2, 90)
    assert fates(a, "anna", seq)[0][0] == "queued"
    assert len([payload for payload in relay.heard[a] if subtype(payload) == 0x01]) == before
    relay.change = None
    await_fates(a, "anna", seq, SEALED, seconds=120)
    arrived(b, "bob", "Waits for a greeting")


def relink():
    """The relay's link to A ended with A; a new relay stands in its place."""
    global relay
    try:
        relay.end()
        relay = Relay(a, b)
        relay.change = no_greetings
        relay.start()
        return True
    except OSError:
        return False


def attacked():
    """Frames are lost, doubled, altered, cut, turned, exchanged and repeated."""
    def change(payload, others):
        if subtype(payload) not in (GREETING, FORTH, BACK):
            return [payload]
        roll, bad = dice.random(), bytearray(payload)
        if roll < 0.03:
            return []
        if roll < 0.06:
            return [payload, payload]
        if roll < 0.09:
            bad[dice.randrange(8, len(bad))] ^= 1 << dice.randrange(8)
            return [bytes(bad), payload]
        if roll < 0.11:
            return [payload[:dice.randrange(len(payload))], payload]
        if roll < 0.13 and others:
            return [payload, dice.choice(others)]
        return [payload]

    before = memory(b)
    relay.change = change
    data = os.urandom(300 << 10)
    sent = [send(a, "anna", "bob", f"Under attack {number}", f"Text {number}.\n") for number in range(3)]
    sent.append(send(a, "anna", "bob", "Under attack 3", attachments=[{"upload": upload(a, "anna", data), "name": "noise"}]))
    for seq in sent:
        await_fates(a, "anna", seq, SEALED, seconds=150)
    got = [post for post in posts(b, "bob") if post["subject"].startswith("Under attack")]
    assert sorted(post["subject"] for post in got) == [f"Under attack {number}" for number in range(4)], got
    assert {post["verdict"] for post in got} == {"signed"}
    big = arrived(b, "bob", "Under attack 3")
    assert part(b, "bob", big["seq"], show(b, "bob", big["seq"])["parts"][0]["part"]) == data
    grown(b, before, 100 << 20)


def replayed():
    """All that was ever said is said again: nothing new is shown."""
    relay.change = None
    shown = len(posts(b, "bob"))
    heard = [payload for payload in relay.heard[a] if subtype(payload) in (0x01, FORTH)]
    relay.say(b, *[turtle_data(relay.tunnel, payload) for payload in heard[-500:]])
    relay.settle()
    await_fates(a, "anna", send(a, "anna", "bob", "After the replay"), SEALED, seconds=120)
    assert len(posts(b, "bob")) == shown + 1
    alive(a)
    alive(b)


def over():
    relay.end()


run(meeting, classic_when_greetings_are_dropped, what_2013_cannot_take_is_refused, sealed_never_goes_back, attacked, replayed,
    over)
