# SPDX-License-Identifier: ISC
"""Sealed chat a second time, from the words of gateway/distant/SEALED.md and of the RFCs alone: what the C code computes is held
against this. It is neither fast nor constant in time."""
import base64
import hashlib
import hmac
import struct

OFFER, ROOTED = 0, 1
GUEST, INVITER = 0, 1
OPENER, ANSWERER = 0, 1
LINE, ROOT, STATE_TEXT, AVATAR, CLAIM = 1, 2, 3, 4, 5


# X25519, RFC 7748 §5

PRIME = 2**255 - 19


def x25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1 = int.from_bytes(point, "little") % 2**255
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if bit != swapped:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a % PRIME, c * b % PRIME
        x3, z3 = (da + cb) ** 2 % PRIME, x1 * (da - cb) ** 2 % PRIME
        aa, bb = a * a % PRIME, b * b % PRIME
        e = aa - bb
        x2, z2 = aa * bb % PRIME, e * (aa + 121665 * e) % PRIME
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def public(secret):
    return x25519(secret, (9).to_bytes(32, "little"))


# ChaCha20-Poly1305, RFC 8439

ROUNDS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
          (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def chacha20_block(key, counter, nonce):
    begin = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    s = list(begin)
    for a, b, c, d in ROUNDS * 10:
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = s[x] + s[y] & 0xffffffff
            mixed = s[z] ^ s[x]
            s[z] = (mixed << by | mixed >> 32 - by) & 0xffffffff
    return struct.pack("<16I", *(x + y & 0xffffffff for x, y in zip(s, begin)))


def chacha20(key, counter, nonce, text):
    stream = b"".join(chacha20_block(key, counter + i, nonce) for i in range((len(text) + 63) // 64))
    return bytes(x ^ y for x, y in zip(text, stream))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for i in range(0, len(message), 16):
        total = (total + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def aead_tag(key, nonce, ciphertext, named=b""):
    def whole(part):
        return part + bytes(-len(part) % 16)
    message = whole(named) + whole(ciphertext) + struct.pack("<QQ", len(named), len(ciphertext))
    return poly1305(chacha20_block(key, 0, nonce)[:32], message)


# SipHash-2-4, as its authors give it

def siphash24(key, message):
    mask = 2**64 - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def half(a, b, by):
        v[a] = v[a] + v[b] & mask
        v[b] = (v[b] << by | v[b] >> 64 - by) & mask ^ v[a]

    def rounds(count):
        for _ in range(count):
            half(0, 1, 13)
            v[0] = (v[0] << 32 | v[0] >> 32) & mask
            half(2, 3, 16)
            half(0, 3, 21)
            half(2, 1, 17)
            v[2] = (v[2] << 32 | v[2] >> 32) & mask

    left = len(message) % 8
    message = message + bytes(7 - left) + bytes([len(message) & 255])
    for word, in struct.iter_unpack("<Q", message):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# HKDF-SHA-256, RFC 5869

def extract(salt, material):
    return hmac.digest(salt, material, "sha256")


def expand(key, info, size):
    out, block, number = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out, number = out + block, number + 1
    return out[:size]


# SEALED.md §5

def announcement(side, secret):
    return bytes([0x20 + side]) + public(secret)


def announcement_text(packed):
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def handshake(mode, opener, hash, context, guest, inviter, secret, side, own_secret, peer):
    """Everything that §5 derives, by the names it has there. `opener` is who opened (guest or inviter), `side` is ours."""
    own = announcement(side, own_secret)
    a_o, a_a = (own, peer) if side == OPENER else (peer, own)
    if a_o[0] != 0x20 or a_a[0] != 0x21:
        raise ValueError("an announcement of the wrong side")
    said = bytes([mode, opener]) + hash + context + guest + inviter + a_o + a_a
    transcript = hashlib.sha256(b"retrogate sealed 2" + said).digest()
    shared = x25519(own_secret, peer[1:])
    if shared == bytes(32):
        raise ValueError("a key of small order")
    prk = extract(transcript, secret + shared)
    return {
        "transcript": transcript, "shared": shared, "prk": prk,
        "key_o": expand(prk, b"retrogate sealed key o", 32), "key_a": expand(prk, b"retrogate sealed key a", 32),
        "mask_o": expand(prk, b"retrogate sealed mask o", 16), "mask_a": expand(prk, b"retrogate sealed mask a", 16),
        "root": expand(prk, b"retrogate sealed root", 32),
    }


def announce_key(root, hash):
    return expand(root, b"retrogate sealed announce" + hash, 16)


def claim(secret):
    return expand(secret, b"retrogate sealed claim", 32)


def rendezvous(root, day, serving):
    return hmac.digest(root, b"retrogate rdv" + struct.pack(">QB", day, serving), "sha256")[:20]


# SEALED.md §6

def seal(key, mask, counter, plain):
    nonce = bytes(4) + struct.pack(">Q", counter)
    ciphertext = chacha20(key, 1, nonce, plain)
    tag = aead_tag(key, nonce, ciphertext)
    return struct.pack(">Q", counter ^ siphash24(mask, tag)) + ciphertext + tag


def unseal(key, mask, frame):
    """Counter and plaintext, or None."""
    if len(frame) < 24:
        return None
    ciphertext, tag = frame[8:-16], frame[-16:]
    counter = struct.unpack(">Q", frame[:8])[0] ^ siphash24(mask, tag)
    nonce = bytes(4) + struct.pack(">Q", counter)
    if aead_tag(key, nonce, ciphertext) != tag:
        return None
    return counter, chacha20(key, 1, nonce, ciphertext)


def u48(value):
    return value.to_bytes(6, "big")


def record(type, body):
    return struct.pack(">I", type << 24 | len(body)) + body


def line(number, time, text):
    return record(LINE, u48(number) + bytes(2) + struct.pack(">Q", time) + text.encode())


def plaintext(flags, ack, base, records=b""):
    whole = struct.pack(">H", flags) + u48(ack) + bytes(2) + u48(base) + records
    return whole + bytes((16 - len(whole)) % 256)
