# SPDX-License-Identifier: ISC
"""Three gateways in a line: the two ends are no friends, talk through the one between, and it learns no word."""
import base64
import os
import re
import struct
import zlib

from harness import can_talk, chain, conversation, lines_of, meet, run, texts, wait_equal, wait_for

WORDS = ["Quittengelee", "Hafenkran", "Zwetschgenröster"]


def png(width, height):
    """A real image, of noise, so that no packing makes it short."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 37 + y * 91 + x * y) % 256 for x in range(width * 3)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b""))


def meeting():
    global a, b, c, at_a, at_c
    a, b, c = chain("A", "B", "C")
    a.account("alice")
    c.account("carol")
    at_a, at_c = meet(a, "alice", c, "carol", protection="classic")
    can_talk(a, "alice", at_a)
    can_talk(c, "carol", at_c)
    assert a.do("status")["friends"]["total"] == 1 and c.do("status")["friends"]["total"] == 1
    assert a.do("friend.self")["fingerprint"] not in str(c.do("friend.list"))
    assert b.do("status")["tunnels"]["relayed"] >= 1


def both_ways():
    said = {}
    for number, text in enumerate([f"{WORDS[0]}?", f"{WORDS[1]} \N{CRAB} \u202eabc\u202c é é ﷽ {chr(0x10fffd)}", "  spaces",
                                   "two\nlines", "a < b && c > d &amp; &lt;", "0"]):
        a.do("say", account="alice", conversation=at_a, text=f"{number} {text}")
        c.do("say", account="carol", conversation=at_c, text=f"{number} {text} {WORDS[2]}")
        said[number] = text
    wait_equal("all at C", lambda: texts(c, "carol", at_c), [f"{n} {t}" for n, t in said.items()])
    wait_equal("all at A", lambda: texts(a, "alice", at_a), [f"{n} {t} {WORDS[2]}" for n, t in said.items()])
    for gateway, account, handle in ((a, "alice", at_a), (c, "carol", at_c)):
        assert {line["delivery"] for line in lines_of(gateway, account, handle, "out")} == {"sent"}
        assert conversation(gateway, account, handle)["unread"] == len(said)


def long_line():
    text = "".join(chr(0x4e00 + i % 5000) if i % 3 else f"{i % 10}" for i in range(20000)) + WORDS[0]
    assert a.refused("say", account="alice", conversation=at_a, text="x" * 65537).code == "limit"
    assert a.refused("say", account="alice", conversation=at_a, text="").code == "limit"
    a.do("say", account="alice", conversation=at_a, text=text)
    wait_for("20 000 characters at C", lambda: texts(c, "carol", at_c)[-1] == text)
    letters = "".join(chr(97 + i * i % 26) for i in range(20000))
    c.do("say", account="carol", conversation=at_c, text=letters)
    wait_for("20 000 characters at A", lambda: texts(a, "alice", at_a)[-1] == letters)


def picture_and_state():
    image = png(60, 60)
    a.do("account.set", account="alice", avatar=base64.b64encode(image).decode(), state_text=f"im Garten, {WORDS[0]}")
    a.do("say", account="alice", conversation=at_a, text="with a picture")
    wait_for("state text at C", lambda: conversation(c, "carol", at_c)["state_text"] == f"im Garten, {WORDS[0]}")
    c.do("conversation.avatar", account="carol", conversation=at_c)
    blob = wait_for("picture at C", lambda: conversation(c, "carol", at_c)["avatar"])
    got = c.do("blob", account="carol", blob=blob)
    assert got["end"] and base64.b64decode(got["data"]) == image
    for wrong in (image[1:], b"<svg/>", b"\x89PNG\r\n\x1a\n" + bytes(40000)):
        assert a.refused("account.set", account="alice", avatar=base64.b64encode(wrong).decode()).code == "invalid"


def changes_tell_it_all():
    """A client that pulls from nothing sees each line once, under its last number."""
    seen, after = [], 0
    while True:
        page = c.do("changes", account="carol", after=after, max=5)
        numbers = [change["change"] for change in page["changes"]]
        assert numbers == sorted(set(numbers)) and all(number > after for number in numbers)
        seen += [change["line"]["seq"] for change in page["changes"] if "line" in change]
        after = page["change"]
        if not page["more"]:
            break
    everything = [line["seq"] for line in lines_of(c, "carol", at_c, "in") + lines_of(c, "carol", at_c, "out")]
    assert sorted(seen) == sorted(everything), (seen, everything)


def encodings(word):
    return {word.encode(), word.encode("utf-16-le"), base64.b64encode(word.encode())[:12]}


def memory_of(pid):
    """All memory that is the process's own and in use, range by range. A sanitizer's shadow is larger than any."""
    with open(f"/proc/{pid}/smaps") as file:
        ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw.*\n(?:\w+:.*\n)*?Rss: +([1-9]\d*) kB", file.read(), re.M)
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end in ((int(begin, 16), int(end, 16)) for begin, end, _ in ranges):
            if end - begin <= 1 << 28:
                memory.seek(begin)
                yield memory.read(end - begin)


def words_in_memory(gateway):
    forms = {word: encodings(word) for word in WORDS}
    return {word for page in memory_of(gateway.process.pid) for word in WORDS if any(form in page for form in forms[word])}


def in_files(gateway, word):
    for folder, _, names in os.walk(gateway.folder):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
                if any(form in data for form in encodings(word)):
                    return path
    return None


def nothing_on_disk():
    for word in WORDS:
        assert in_files(a, word) and in_files(c, word), "the search itself does not work"
        assert not in_files(b, word), in_files(b, word)
        for end in (a, b, c):
            assert word not in end.log_text()
    for secret in ("alice", "carol"):
        assert not in_files(b, secret), in_files(b, secret)


def nothing_in_memory():
    try:
        next(memory_of(b.process.pid))
    except OSError as error:
        return f"another process's memory cannot be read here: {error.strerror}"
    assert words_in_memory(a) == set(WORDS), "the search itself does not work"
    location = bytes.fromhex(c.do("friend.self")["location"])
    assert any(location in page for page in memory_of(b.process.pid)), "the search itself does not work"
    assert words_in_memory(b) == set()


def closing():
    """Either side may close; the other is told, and a line is refused, not lost."""
    c.do("conversation.close", account="carol", conversation=at_c)
    wait_for("A is told", lambda: conversation(a, "alice", at_a)["state"] == "closed by peer")
    assert c.refused("say", account="carol", conversation=at_c, text="still there?").code == "invalid"
    assert "closed" in conversation(c, "carol", at_c)["reason"]


if __name__ == "__main__":
    run(meeting, both_ways, long_line, picture_and_state, changes_tell_it_all, nothing_on_disk, nothing_in_memory, closing)
