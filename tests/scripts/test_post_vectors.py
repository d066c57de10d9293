#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Posts have two implementations, gateway/crypto/post_seal.c with gateway/wire/post_*.c, and post.py: the vectors in the project
are what the second computes, and each opens what the other seals. (Its ciphers are those of sealed.py, whose test holds them
against the RFCs.)"""
import json
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
import post
import post_vectors
import sealed

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get("RETROGATE_BINARIES", f"{PROJECT}/build/debug"), "tests", "unit_crypto_post_seal")
SIZES = (0, 1, 17, 63, 64, 65, 1000, 16409)


def file_is_what_the_second_implementation_says():
    with open(post_vectors.FILE, encoding="utf-8") as file:
        assert file.read() == post_vectors.text(), "run tests/scripts/post_vectors.py, and say why"


def each_opens_what_the_other_seals():
    if not os.path.exists(PROGRAM):
        print("SKIP: unit_crypto_post_seal was not built")
        sys.exit(77)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    for they_send, private in ((False, False), (False, True), (True, False), (True, True)):
        hash, recipient = source.randbytes(20), source.randbytes(20)
        route = source.randbytes(32) if private else None
        day, own = source.randbytes(32), source.randbytes(32)
        ephemeral = sealed.public(own)
        ours = (day, ephemeral) if they_send else (own, sealed.public(day))
        keys = post.keys(hash, recipient, route, *ours, not they_send)
        out, back = (keys["back"], keys["forth"]) if they_send else (keys["forth"], keys["back"])
        plains = [source.randbytes(size) for size in SIZES]
        locked = [post.seal(out, ephemeral, number + 1, plain) for number, plain in enumerate(plains)]
        altered = bytearray(locked[3])
        altered[source.randrange(len(altered))] ^= 1 << source.randrange(8)
        question = {
            "sender": they_send, "hash": hash.hex(), "recipient": recipient.hex(), "secret": route and route.hex(),
            "day_secret": day.hex(), "day_key": sealed.public(day).hex(), "ephemeral_secret": own.hex(),
            "ephemeral": ephemeral.hex(), "seal": [plain.hex() for plain in plains],
            "open": [each.hex() for each in (*locked, bytes(altered), b"")],
        }
        run = subprocess.run([PROGRAM, "exchange"], input=json.dumps(question), capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        answer = json.loads(next(each for each in run.stdout.splitlines() if each.startswith("{")))
        assert answer["opened"] == [plain.hex() for plain in plains] + [None, None]
        assert [post.unseal(back, ephemeral, number + 1, bytes.fromhex(each)) for number, each in
                enumerate(answer["sealed"])] == plains
        assert post.unseal(out, ephemeral, 1, bytes.fromhex(answer["sealed"][0])) is None


def main():
    file_is_what_the_second_implementation_says()
    each_opens_what_the_other_seals()
    print("ok")


main()
