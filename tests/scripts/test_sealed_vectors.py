#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Sealed chat has two implementations, gateway/crypto/sealed.c and sealed.py: the second agrees with the published vectors of
its parts, the vectors in the project are what it computes, and each opens what the other seals."""
import json
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
import sealed
import sealed_vectors

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get("RETROGATE_BINARIES", f"{PROJECT}/build/debug"), "tests", "unit_crypto_sealed")
SIZES = [16 + 256 * k for k in (0, 1, 4, 64, 260)]


def x(text):
    return bytes.fromhex(text)


def x25519_is_that_of_rfc_7748():
    for scalar, point, product in (
            ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
             "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
             "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
            ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
             "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")):
        assert sealed.x25519(x(scalar), x(point)) == x(product)
    k = u = (9).to_bytes(32, "little")
    for _ in range(1000):
        k, u = sealed.x25519(k, u), k
    assert k == x("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    alice = x("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = x("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert sealed.public(alice) == x("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert sealed.public(bob) == x("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = x("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert sealed.x25519(alice, sealed.public(bob)) == shared == sealed.x25519(bob, sealed.public(alice))


def chacha20_poly1305_is_that_of_rfc_8439():
    key = bytes(range(32))
    assert sealed.chacha20_block(key, 1, x("000000090000004a00000000")) == x(
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e")
    assert sealed.poly1305(x("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b"),
                           b"Cryptographic Forum Research Group") == x("a8061dc1305136c6c22b8baf0c0127a9")
    key, nonce, named = bytes(range(0x80, 0xa0)), x("070000004041424344454647"), x("50515253c0c1c2c3c4c5c6c7")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it.")
    ciphertext = sealed.chacha20(key, 1, nonce, text)
    assert ciphertext[:16] == x("d31a8d34648e60db7b86afbc53ef7ec2") and ciphertext[-2:] == x("6116")
    assert sealed.aead_tag(key, nonce, ciphertext, named) == x("1ae10b594f09e26a7e902ecbd0600691")


def hkdf_is_that_of_rfc_5869():
    prk = sealed.extract(bytes(range(13)), b"\x0b" * 22)
    assert prk == x("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    assert sealed.expand(prk, bytes(range(0xf0, 0xfa)), 42) == x(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    prk = sealed.extract(b"", b"\x0b" * 22)
    assert prk == x("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04")
    assert sealed.expand(prk, b"", 42) == x(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


def siphash_is_that_of_its_authors():
    key = bytes(range(16))
    for size, result in ((0, "310e0edd47db6f72"), (1, "fd67dc93c539f874"), (8, "6224939a79f5f593"), (15, "e545be4961ca29a1"),
                         (63, "724506eb4c328a95")):
        assert sealed.siphash24(key, bytes(range(size))).to_bytes(8, "little") == x(result), size


def file_is_what_the_second_implementation_says():
    with open(sealed_vectors.FILE, encoding="utf-8") as file:
        assert file.read() == sealed_vectors.text(), "run tests/scripts/sealed_vectors.py, and say why"


def each_opens_what_the_other_seals():
    if not os.path.exists(PROGRAM):
        print("SKIP: unit_crypto_sealed was not built")
        sys.exit(77)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    for mode, opener, ours in ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 1)):
        theirs = 1 - ours
        hash, guest, inviter = (source.randbytes(20) for _ in range(3))
        context = bytes(32) if mode else source.randbytes(32)
        secret = source.randbytes(32 if mode else 16)
        secrets = source.randbytes(32), source.randbytes(32)
        said = [sealed.announcement(side, secrets[side]) for side in (0, 1)]
        keys = sealed.handshake(mode, opener, hash, context, guest, inviter, secret, ours, secrets[ours], said[theirs])
        own, peer = ([keys[f"{word}_{'oa'[side]}"] for word in ("key", "mask")] for side in (ours, theirs))
        plains = [source.randbytes(size) for size in SIZES]
        frames = [sealed.seal(*own, counter, plain) for counter, plain in enumerate(plains)]
        altered = bytearray(frames[1])
        altered[source.randrange(len(altered))] ^= 1 << source.randrange(8)
        question = {
            "mode": sealed_vectors.MODES[mode], "opener": sealed_vectors.PARTIES[opener], "side": sealed_vectors.SIDES[theirs],
            "hash": hash.hex(), "context": context.hex(), "guest": guest.hex(), "inviter": inviter.hex(), "secret": secret.hex(),
            "opener_announcement": said[0].hex(), "answerer_announcement": said[1].hex(),
            f"{sealed_vectors.SIDES[theirs]}_secret": secrets[theirs].hex(),
            "seal": [plain.hex() for plain in plains], "open": [frame.hex() for frame in (*frames, bytes(altered))],
        }
        run = subprocess.run([PROGRAM, "exchange"], input=json.dumps(question), capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        answer = json.loads(next(each for each in run.stdout.splitlines() if each.startswith("{")))
        assert x(answer["root"]) == keys["root"]
        assert answer["opened"] == [plain.hex() for plain in plains] + [None]
        assert [sealed.unseal(*peer, x(frame)) for frame in answer["sealed"]] == list(enumerate(plains))
        assert sealed.unseal(*own, x(answer["sealed"][0])) is None


def main():
    x25519_is_that_of_rfc_7748()
    chacha20_poly1305_is_that_of_rfc_8439()
    hkdf_is_that_of_rfc_5869()
    siphash_is_that_of_its_authors()
    file_is_what_the_second_implementation_says()
    each_opens_what_the_other_seals()
    print("ok")


main()
