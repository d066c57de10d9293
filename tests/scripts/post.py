# SPDX-License-Identifier: ISC
"""Posts a second time, from the words of gateway/distant/POSTS.md alone, on the ciphers of sealed.py: what the C code computes is
held against this."""
import hashlib
import hmac
import struct

import sealed

GREETING, FORTH, BACK = 0x70, 0x71, 0x72
OFFER, SLICE, CANCEL = 1, 2, 3
WANT, STORED, REFUSED = 1, 2, 3
BACK_SIZE = 64


def item(subtype, body):
    """An item of service 0x0013, protocol/01 §2."""
    return struct.pack(">BHBI", 2, 0x0013, subtype, 8 + len(body)) + body


def lock(key, nonce, plain, named):
    ciphertext = sealed.chacha20(key, 1, nonce, plain)
    return ciphertext + sealed.aead_tag(key, nonce, ciphertext, named)


def unlock(key, nonce, locked, named):
    """The plaintext, or None."""
    ciphertext, tag = locked[:-16], locked[-16:]
    if len(locked) < 16 or not hmac.compare_digest(sealed.aead_tag(key, nonce, ciphertext, named), tag):
        return None
    return sealed.chacha20(key, 1, nonce, ciphertext)


def counted(counter):
    return bytes(4) + struct.pack(">Q", counter)


# §2

def secret(root):
    return sealed.expand(root, b"retrogate post secret", 32)


# §4

def clear_greeting(day_key, signature):
    return item(GREETING, b"\x01" + day_key + signature)


def hide(secret_of_route, nonce, hash, day_key, signature):
    key = sealed.expand(secret_of_route, b"retrogate post greeting", 32)
    return lock(key, nonce, day_key + signature, hash)


def hidden_greeting(nonce, hidden):
    return item(GREETING, b"\x02" + nonce + hidden)


def question():
    return item(GREETING, b"\x00")


# §5

def keys(hash, recipient, secret_of_route, own_secret, peer, sender):
    """Everything that §5 derives. `secret_of_route` is None on a hash that is not private."""
    own = sealed.public(own_secret)
    day_key, ephemeral = (peer, own) if sender else (own, peer)
    shared = sealed.x25519(own_secret, peer)
    if shared == bytes(32):
        raise ValueError("a key of small order")
    transcript = hashlib.sha256(b"retrogate post 1" + hash + recipient + day_key + ephemeral).digest()
    prk = sealed.extract(transcript, (secret_of_route or b"") + shared)
    return {"shared": shared, "transcript": transcript, "prk": prk,
            "forth": sealed.expand(prk, b"retrogate post key s", 32), "back": sealed.expand(prk, b"retrogate post key r", 32)}


def seal(key, ephemeral, counter, plain):
    return lock(key, counted(counter), plain, b"\x01" + ephemeral)


def unseal(key, ephemeral, counter, locked):
    return unlock(key, counted(counter), locked, b"\x01" + ephemeral)


def forth_frame(ephemeral, counter, locked):
    return item(FORTH, b"\x01" + ephemeral + struct.pack(">Q", counter) + locked)


def back_frame(counter, locked):
    return item(BACK, b"\x01" + struct.pack(">Q", counter) + locked)


# §6

def offer(transfer, size, digest):
    return bytes([OFFER]) + transfer + struct.pack(">Q", size) + digest


def slice_of(transfer, offset, data):
    return bytes([SLICE]) + transfer + struct.pack(">Q", offset) + data


def cancel(transfer):
    return bytes([CANCEL]) + transfer


def padded_back(record):
    return record + bytes(BACK_SIZE - len(record))


def want(transfer, offset, window):
    return padded_back(bytes([WANT]) + transfer + struct.pack(">QI", offset, window))


def stored(transfer):
    return padded_back(bytes([STORED]) + transfer)


def refused(transfer, code):
    return padded_back(bytes([REFUSED]) + transfer + bytes([code]))


# §7

def padded(size):
    step = 2 ** max(size.bit_length() - 5, 0)
    return max(1024, -(-size // step) * step)


def letter(sender, recipient, message_id, time, content, padding=None):
    bare = b"\x38" + sender + recipient + message_id + struct.pack(">QI", time, len(content)) + content
    if padding is None:
        padding = bytes(padded(len(bare) + 4) - len(bare) - 4)
    return bare + struct.pack(">I", len(padding)) + padding
