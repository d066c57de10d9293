#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The test vectors of posts, made by post.py: run as a program it writes tests/vectors/posts/posts.json."""
import json
import os

import post
import sealed
from sealed_vectors import fixed

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vectors", "posts", "posts.json")
MOST = 2**64 - 1
TIME = 1385164800000
COUNTERS = (1, 2, 2**32, MOST)
WAYS = ("forth", "back")


def x(**fields):
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}


def forth_records():
    one, two = fixed("transfer", 16), bytes(16)
    return [
        (x(kind="offer", transfer=one, size="1000", digest=fixed("letter", 32)), post.offer(one, 0x1000, fixed("letter", 32))),
        (x(kind="offer", transfer=two, size=f"{MOST:x}", digest=bytes(32)), post.offer(two, MOST, bytes(32))),
        (x(kind="slice", transfer=one, offset="0", data=b"\x01"), post.slice_of(one, 0, b"\x01")),
        (x(kind="slice", transfer=one, offset="4000", data=bytes(range(256))), post.slice_of(one, 0x4000, bytes(range(256)))),
        (x(kind="slice", transfer=two, offset=f"{MOST - 1:x}", data=b"\xff"), post.slice_of(two, MOST - 1, b"\xff")),
        (x(kind="cancel", transfer=one), post.cancel(one)),
    ]


def back_records():
    one = fixed("transfer", 16)
    return [
        (x(kind="want", transfer=one, offset="0", window=262144), post.want(one, 0, 262144)),
        (x(kind="want", transfer=one, offset=f"{MOST:x}", window=2**32 - 1), post.want(one, MOST, 2**32 - 1)),
        (x(kind="want", transfer=one, offset="1", window=0), post.want(one, 1, 0)),
        (x(kind="stored", transfer=one), post.stored(one)),
        *((x(kind="refused", transfer=one, code=code), post.refused(one, code)) for code in range(1, 7)),
    ]


def records():
    both = forth_records(), back_records()
    return [{"way": way, **fields, "bytes": plain.hex()} for way, rows in zip(WAYS, both) for fields, plain in rows]


def refused_records():
    one = fixed("transfer", 16)
    want = post.want(one, 7, 8)
    forth = {
        "empty": b"",
        "kind 0": bytes(17),
        "kind 4": b"\x04" + one,
        "kind 255": b"\xff" + one,
        "cancel cut": post.cancel(one)[:-1],
        "cancel with a byte more": post.cancel(one) + b"\0",
        "offer of nothing": post.offer(one, 0, bytes(32)),
        "offer cut": post.offer(one, 1, bytes(32))[:-1],
        "offer with a byte more": post.offer(one, 1, bytes(32)) + b"\0",
        "slice of nothing": post.slice_of(one, 0, b""),
        "slice cut in its offset": post.slice_of(one, 0, b"")[:-1],
        "slice too large": post.slice_of(one, 0, bytes(16385)),
        "slice beyond the last offset": post.slice_of(one, MOST, b"x"),
    }
    back = {
        "empty": b"",
        "kind 0": bytes(64),
        "kind 4": post.padded_back(b"\x04" + one),
        "not padded": bytes([post.STORED]) + one,
        "63 bytes": want[:63],
        "65 bytes": want + b"\0",
        "want with something behind": want[:29] + b"\1" + want[30:],
        "stored with something at the end": post.stored(one)[:63] + b"\1",
        "refused without a code": post.refused(one, 0),
        "refused with code 7": post.refused(one, 7),
    }
    return [{"way": way, "name": name, "bytes": plain.hex()} for way, cases in zip(WAYS, (forth, back))
            for name, plain in cases.items()]


def channel(private):
    """One tunnel: its keys, and frames of each way."""
    name = "private" if private else "open"
    route = post.secret(fixed("root", 32)) if private else None
    hash, recipient = fixed(f"{name} hash", 20), fixed("recipient", 20)
    day, own = fixed(f"{name} day key", 32), fixed(f"{name} ephemeral", 32)
    derived = post.keys(hash, recipient, route, own, sealed.public(day), True)
    assert derived == post.keys(hash, recipient, route, day, sealed.public(own), False)
    ephemeral, frames = sealed.public(own), []
    for way, rows in zip(WAYS, (forth_records(), back_records())):
        for counter, (_, plain) in zip(COUNTERS, rows):
            locked = post.seal(derived[way], ephemeral, counter, plain)
            whole = post.forth_frame(ephemeral, counter, locked) if way == "forth" else post.back_frame(counter, locked)
            frames.append(x(way=way, counter=f"{counter:016x}", plain=plain, sealed=locked, item=whole))
    return x(hash=hash, recipient=recipient, secret=route, day_secret=day, day_key=sealed.public(day), ephemeral_secret=own,
             ephemeral=ephemeral, **derived, frames=frames)


def refused_frames():
    key, locked = fixed("ephemeral", 32), bytes(64 + 16)
    forth, back = post.forth_frame(key, 1, locked), post.back_frame(1, locked)
    cases = {
        "counter 0": ("forth", post.forth_frame(key, 0, locked)),
        "counter 0 back": ("back", post.back_frame(0, locked)),
        "of the other way": ("forth", back),
        "of the other way back": ("back", forth),
        "version 2": ("forth", post.item(post.FORTH, b"\2" + forth[9:])),
        "version 0 back": ("back", post.item(post.BACK, b"\0" + back[9:])),
        "shorter than a record": ("forth", post.forth_frame(key, 1, bytes(32))),
        "longer than a record": ("forth", post.forth_frame(key, 1, bytes(1 + 16 + 8 + 16384 + 16 + 1))),
        "back of 63": ("back", post.back_frame(1, bytes(79))),
        "back of 65": ("back", post.back_frame(1, bytes(81))),
        "no version": ("forth", post.item(post.FORTH, b"")),
        "no version back": ("back", post.item(post.BACK, b"")),
        "wrong size": ("forth", forth + b"\0"),
    }
    return [{"way": way, "name": name, "item": whole.hex()} for name, (way, whole) in cases.items()]


def greetings():
    day_key, signature, nonce, hash = fixed("day key", 32), b"\xc2\x05" + fixed("signature", 5), fixed("nonce", 12), fixed("hash", 20)
    route = post.secret(fixed("root", 32))
    hidden = post.hide(route, nonce, hash, day_key, signature)
    return [
        x(form="question", item=post.question()),
        x(form="clear", day_key=day_key, signature=signature, item=post.clear_greeting(day_key, signature)),
        x(form="hidden", day_key=day_key, signature=signature, secret=route, nonce=nonce, hash=hash, hidden=hidden,
          item=post.hidden_greeting(nonce, hidden)),
    ]


def refused_greetings():
    def greeting(body):
        return post.item(post.GREETING, body)
    cases = {
        "empty": greeting(b""),
        "form 3": greeting(b"\3" + bytes(100)),
        "question with a byte more": greeting(bytes(2)),
        "clear, half a key": greeting(b"\1" + bytes(31)),
        "clear, no signature": greeting(b"\1" + bytes(32)),
        "clear, signature too large": greeting(b"\1" + bytes(32 + 2001)),
        "hidden, half a nonce": greeting(b"\2" + bytes(11)),
        "hidden, no signature": greeting(b"\2" + bytes(12 + 32 + 16)),
        "hidden, signature too large": greeting(b"\2" + bytes(12 + 32 + 2001 + 16)),
        "another subtype": post.item(post.FORTH, b"\0"),
        "another service": b"\2\0\x12" + post.question()[3:],
        "wrong size": post.question() + b"\0",
    }
    return [{"name": name, "item": whole.hex()} for name, whole in cases.items()]


def letters():
    people = fixed("sender", 20), fixed("recipient", 20), fixed("message id", 16)
    out = []
    for time, content in ((0, b""), (TIME, b"Subject: S\r\n\r\nM\r\n"), (2**63 - 1, bytes(1024 - 73)), (TIME, bytes(1024 - 72)),
                          (TIME, b"x" * 3000)):
        plain = post.letter(*people, time, content)
        # Letters end with zeros: they are given cut.
        out.append({**x(sender=people[0], recipient=people[1], message_id=people[2], time=time, content=content),
                    "bytes": plain.rstrip(b"\0").hex(), "size": len(plain)})
    return out


def refused_letters():
    people = fixed("sender", 20), fixed("recipient", 20), fixed("message id", 16)
    good = post.letter(*people, TIME, b"text")
    signature = b"\xc2\x01\x00"
    bare = len(good) - good[::-1].index(b"t")
    cases = {
        "empty": b"",
        "the classic kind": b"\x37" + good[1:] + signature,
        "no signature": good,
        "shorter than its head": good[:68],
        "time after the end of time": post.letter(*people, 2**63, b"text") + signature,
        "padding not zero": post.letter(*people, TIME, b"text", bytes(900) + b"\1") + signature,
        "first of the padding not zero": post.letter(*people, TIME, b"text", b"\1" + bytes(900)) + signature,
        "content beyond the end": good[:65] + (len(good) - 69 + 1).to_bytes(4, "big") + good[69:],
        "greatest content": good[:65] + b"\xff" * 4 + good[69:] + signature,
        "padding beyond the end": good[:bare] + b"\xff" * 4 + good[bare + 4:] + signature,
        "no length of the padding": good[:bare + 3],
    }
    return [{"name": name, "bytes": plain.hex()} for name, plain in cases.items()]


def sizes():
    some = (0, 1, 1023, 1024, 1025, 1055, 1056, 1057, 2047, 2048, 2049, 65535, 65536, 65537, 10485760, 10485761, 33554431, 2**40 + 1)
    return [[size, post.padded(size)] for size in some]


def text():
    whole = {
        "secret": x(root=fixed("root", 32), secret=post.secret(fixed("root", 32))),
        "channels": [channel(False), channel(True)],
        "records": records(),
        "refused_records": refused_records(),
        "refused_frames": refused_frames(),
        "greetings": greetings(),
        "refused_greetings": refused_greetings(),
        "letters": letters(),
        "refused_letters": refused_letters(),
        "padded": sizes(),
    }
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(text())
