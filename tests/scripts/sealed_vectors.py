#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The test vectors of sealed chat, made by sealed.py: run as a program it writes tests/vectors/sealed/sealed.json."""
import hashlib
import json
import os

import sealed

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vectors", "sealed", "sealed.json")
MODES, PARTIES, SIDES = ("offer", "root"), ("guest", "inviter"), ("opener", "answerer")
COUNTERS = (0, 1, 2**32, 2**63)
MOST = 2**48 - 1


def fixed(name, size):
    """Bytes that anybody can see were not chosen."""
    return hashlib.sha256(f"retrogate test {name}".encode()).digest()[:size]


def plain(name, bytes, flags=0, ack=0, base=0, records=()):
    return {"name": name, "flags": flags, "ack": ack, "base": base, "records": list(records), "bytes": bytes}


def line(number, time, text):
    return {"type": sealed.LINE, "number": number, "time": time, "text": text}


def packed(records):
    out = b""
    for each in records:
        if each["type"] == sealed.LINE:
            out += sealed.line(each["number"], each["time"], each["text"])
        else:
            out += sealed.record(each["type"], bytes.fromhex(each["body"]))
    return out


def plaintexts():
    cases = (
        ("keep-alive", 0, 0, 1, []),
        ("answer asked, everything acknowledged", 0x0003, MOST, MOST, []),
        ("all flags, also unknown ones", 0xffff, 1, 2, []),
        ("a line", 0x0002, 7, 41, [line(41, 1385164800000, "Grüße aus der Ferne ☃ 𝄞")]),
        ("a void, then a line", 0, 0, 1, [line(1, 0, ""), line(2, 2**63 - 1, "b")]),
        ("the highest number", 0, 0, MOST, [line(MOST, 1, "last")]),
        ("a line that fills a step", 0, 0, 1, [line(1, 1, "x" * (256 - 20))]),
        ("a line of one byte more", 0, 0, 1, [line(1, 1, "x" * (256 - 19))]),
        ("root", 0x0001, 0, 1, [{"type": sealed.ROOT, "body": fixed("sent root", 32).hex()}]),
        ("state text and avatar", 0x0040, 0, 1, [
            {"type": sealed.STATE_TEXT, "body": "à table".encode().hex()},
            {"type": sealed.AVATAR, "body": (b"\x89PNG\r\n\x1a\n" + bytes(500)).hex()}]),
        ("claim", 0x0100, 0, 1, [{"type": sealed.CLAIM, "body": fixed("sent claim", 32).hex()}]),
        ("unknown records", 0, 0, 1, [{"type": 6, "body": ""}, {"type": 255, "body": "00ff"}, line(1, 1, "known")]),
    )
    return [plain(name, sealed.plaintext(flags, ack, base, packed(records)).hex(), flags, ack, base, records)
            for name, flags, ack, base, records in cases]


def refused_plaintexts():
    def padded(records):
        return sealed.plaintext(0, 0, 1, records)

    def head(type, size):
        return (type << 24 | size).to_bytes(4, "big")

    ends = padded(sealed.line(1, 1, "x"))
    text = (1).to_bytes(6, "big") + bytes(2) + bytes(8)
    cases = {
        "empty": b"",
        "shorter than a header": bytes(15),
        "one byte more than a header": bytes(17),
        "no whole step": bytes(16 + 255),
        "larger than the largest": bytes(16 + 256 * 261),
        "header's zero is not zero": bytes(8) + b"\0\1" + bytes(6),
        "last zero is not zero": ends[:-1] + b"\1",
        "a byte behind the zeros": padded(b"")[:16] + bytes(100) + b"\1" + bytes(155),
        "record begins in the last bytes": padded(sealed.record(9, bytes(252 - 3)))[:-3] + b"\1\0\0",
        "record longer than the frame": padded(head(9, 253) + bytes(252)),
        "record of the greatest length": padded(head(9, 2**24 - 1) + bytes(252)),
        "line without its head": padded(sealed.record(1, text[:-1])),
        "line 0": padded(sealed.line(0, 1, "x")),
        "line whose zero is not zero": padded(sealed.record(1, text[:6] + b"\0\1" + text[8:] + b"x")),
        "line after the end of time": padded(sealed.line(1, 2**63, "x")),
        "line with a zero": padded(sealed.line(1, 1, "a\0b")),
        "line of half a character": padded(sealed.record(1, text + b"\xc3")),
        "line with a surrogate": padded(sealed.record(1, text + b"\xed\xa0\x80")),
        "line of overlong form": padded(sealed.record(1, text + b"\xc0\xaf")),
        "good line before a bad one": padded(sealed.line(1, 1, "x") + sealed.record(1, text + b"\xff")),
        "root of 31 bytes": padded(sealed.record(2, bytes(31))),
        "root of 33 bytes": padded(sealed.record(2, bytes(33))),
        "claim of 31 bytes": padded(sealed.record(5, bytes(31))),
        "claim of 33 bytes": padded(sealed.record(5, bytes(33))),
        "state text with a zero": padded(sealed.record(3, b"a\0")),
        "state text not UTF-8": padded(sealed.record(3, b"\x80")),
        "state text too long": padded(sealed.record(3, b"x" * 2049)),
        "avatar too large": padded(sealed.record(4, bytes(32768))),
    }
    # Long ones are zeros but for their beginning: they are given cut.
    return [{"name": name, "bytes": bytes.rstrip(b"\0").hex(), "size": len(bytes)} for name, bytes in cases.items()]


def handshake(mode, opener):
    name = f"{MODES[mode]} {PARTIES[opener]}"
    secret = fixed("key", 16) if mode == sealed.OFFER else fixed("root", 32)
    context = fixed("invite", 32) if mode == sealed.OFFER else bytes(32)
    secret_o, secret_a = fixed(f"{name} opener", 32), fixed(f"{name} answerer", 32)
    a_o, a_a = sealed.announcement(sealed.OPENER, secret_o), sealed.announcement(sealed.ANSWERER, secret_a)
    same = (mode, opener, fixed(f"{MODES[mode]} hash", 20), context, fixed("guest", 20), fixed("inviter", 20), secret)
    derived = sealed.handshake(*same, sealed.OPENER, secret_o, a_a)
    assert derived == sealed.handshake(*same, sealed.ANSWERER, secret_a, a_o)
    frames = []
    for counter, each in zip(COUNTERS * 2, plaintexts()):
        for side in SIDES:
            keys = derived[f"key_{side[0]}"], derived[f"mask_{side[0]}"]
            frame = sealed.seal(*keys, counter, bytes.fromhex(each["bytes"]))
            frames.append({"from": side, "counter": f"{counter:016x}", "plain": each["bytes"], "frame": frame.hex()})
    return {
        "mode": MODES[mode], "opener": PARTIES[opener],
        "hash": same[2].hex(), "context": context.hex(), "guest": same[4].hex(), "inviter": same[5].hex(), "secret": secret.hex(),
        "opener_secret": secret_o.hex(), "opener_announcement": a_o.hex(), "opener_text": sealed.announcement_text(a_o),
        "answerer_secret": secret_a.hex(), "answerer_announcement": a_a.hex(), "answerer_text": sealed.announcement_text(a_a),
        **{word: value.hex() for word, value in derived.items()}, "frames": frames,
    }


def rendezvous():
    root = fixed("root", 32)
    return [{"root": root.hex(), "day": day, "serving": PARTIES[serving], "hash": sealed.rendezvous(root, day, serving).hex()}
            for day in (0, 1, 16031, 20000, 2**32) for serving in (sealed.GUEST, sealed.INVITER)]


def announce_keys():
    return [{"root": fixed("root", 32).hex(), "hash": fixed(name, 20).hex(),
             "key": sealed.announce_key(fixed("root", 32), fixed(name, 20)).hex()} for name in ("root hash", "another hash")]


def text():
    whole = {
        "handshakes": [handshake(mode, opener) for mode, opener in ((0, 0), (1, 0), (1, 1))],
        "plaintexts": plaintexts(),
        "refused_plaintexts": refused_plaintexts(),
        "rendezvous": rendezvous(),
        "claim": {"secret": fixed("claim", 16).hex(), "claim": sealed.claim(fixed("claim", 16)).hex()},
        "announce_keys": announce_keys(),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(text())
