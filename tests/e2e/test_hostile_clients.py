# SPDX-License-Identifier: ISC
"""IRC clients, programs at the control socket, keys and links that mean harm; and what a far peer may not do to a client."""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from harness import Control, can_talk, chain, meet, run, texts, wait_for
from hostile import alive, descriptors, grown, memory

MIB = 1 << 20
PASSWORD = "correct horse"
CAPS = "server-time message-tags batch echo-message labeled-response"


def meeting():
    global a, b, at_a, at_b
    a, b = chain("A", "B", **{"irc.clients": "600", "irc.clients_per_address": "600"})
    a.account("alice", PASSWORD)
    b.account("bob", PASSWORD)
    at_a, at_b = meet(a, "alice", b, "bob", protection="classic")
    can_talk(a, "alice", at_a)
    can_talk(b, "bob", at_b)


def connect():
    return socket.create_connection(a.irc_address(), timeout=10)


def send(sock, data):
    """As much as is taken; a gateway that has enough closes."""
    sock.settimeout(5)
    try:
        sock.sendall(data)
    except OSError:
        pass


def read(sock, until=None, seconds=10.0, most=1 << 20):
    """What comes until `until` was in it, or the end; at most for so long."""
    got, end = b"", time.monotonic() + seconds
    while len(got) < most and (until is None or until not in got):
        sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = sock.recv(1 << 16)
        except OSError:
            break
        if not data:
            break
        got += data
    return got


def log_in(nick, password=PASSWORD, account="alice"):
    sock = connect()
    send(sock, f"CAP REQ :{CAPS}\r\nPASS :{password}\r\nNICK {nick}\r\nUSER {account} 0 * :x\r\nCAP END\r\n".encode())
    return sock, read(sock, f" 366 {nick} &{at_a}".encode() if password == PASSWORD else b" 001 ")


FLOODS = [
    b"A" * 10_000_000, bytes(1000) + b"\r\n", b"\r" * 100000, b"\n" * 100000, b"NICK\r\n" * 20000,
    b"CAP LS 302\r\n" * 5000, b"CAP REQ :" + b"x " * 240 + b"\r\n",
    b"CAP REQ :sasl\r\nAUTHENTICATE PLAIN\r\n" + (b"AUTHENTICATE " + b"A" * 400 + b"\r\n") * 5000,
    b"@" + b"a=b;" * 2300 + b" PRIVMSG x :y\r\n", b"@+typing=" + b"x" * 9000 + b" TAGMSG x\r\n",
    b"USER \xff\xfe 0 * :\xff\r\nNICK \xff\r\n", b":x PRIVMSG\r\n" * 1000, b"PRIVMSG " + b"a," * 250 + b" :x\r\n",
    b"MONITOR + " + b"abc," * 120 + b"\r\n", b"WHO *\r\nWHOIS *\r\nLIST\r\n" * 500, b"QUIT :" + b"x" * 8000 + b"\r\n",
    os.urandom(100000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]


def floods():
    """Before and after log-in: each harms its own connection alone."""
    files, before, open_ones = descriptors(a), memory(a), []
    for flood in FLOODS:
        sock = connect()
        send(sock, flood)
        open_ones.append(sock)
        alive(a)
    for number, flood in enumerate(FLOODS):
        sock, welcome = log_in(f"in{number}")
        assert b" 001 " in welcome, welcome
        send(sock, flood)
        open_ones.append(sock)
        alive(a)
    grown(a, before, 64 * MIB)
    other, welcome = log_in("other")
    assert b" 001 " in welcome, "a newcomer was not served"
    send(other, b"PING hello\r\n")
    assert b"PONG" in read(other, b"PONG")
    for sock in [*open_ones, other]:
        sock.close()
    # What a client sent before it went is still done, at the rate for clients; so some stay until their time is over.
    wait_for("most are closed", lambda: descriptors(a) <= files + 12)


def crowd():
    files, before = descriptors(a), memory(a)
    socks = [connect() for _ in range(1000)]
    alive(a)
    assert descriptors(a) <= files + 600
    grown(a, before, 64 * MIB)
    for sock in socks:
        sock.close()
    wait_for("all are closed", lambda: descriptors(a) <= files)
    assert len(a.log_text().splitlines()) < 6000


def guessing():
    """Wrong passwords are slowed down, whatever port and way they come by; others log in meanwhile."""
    a.account("victim", PASSWORD)
    for number in range(4):
        assert b" 464 " in log_in("g", f"wrong{number}", "victim")[1]
    for number in range(4):
        assert b"too many failed" in log_in("g", f"wrong{number}", "victim")[1]
    sasl = base64.b64encode(b"\0victim\0wrong").decode()
    sock = connect()
    send(sock, f"CAP REQ :sasl\r\nNICK g\r\nUSER x 0 * :x\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE {sasl}\r\n".encode())
    assert b"too many failed" in read(sock, b"too many failed")
    sock.close()
    sock, welcome = log_in("al")
    assert b" 001 " in welcome
    sock.close()


EVIL = [
    "x\r\nQUIT :bye", "x\nPRIVMSG &gateway :pwn", "\r\n:al!al@x QUIT", "\u2028NICK z", "\u0085NICK z", "\x01ACTION a\x01",
    "\x01DCC SEND f 1 1\x01", "\x0304red\x1b[2J", "a\rQUIT", " leading", ":colon", "\x7f", "@tag=1 :x PRIVMSG", "\ufeff",
    "a" * 5000 + "\r\n" + "b" * 3000, "\n\n\n", "\r", "\x01PING\x01\r\nQUIT", "\ud7ff\U0010ffff" * 2000, "%s%n%d",
    "x" * 509 + "\u00e9" * 600, "\x01VERSION", "\x02\x03\x1d\x1f\x16\x0f"]


def what_a_peer_says():
    """Whatever comes from afar stays inside the text of a line from that peer."""
    sock, _ = log_in("al")
    for text in EVIL:
        b.do("say", account="bob", conversation=at_b, text=text)
    b.do("say", account="bob", conversation=at_b, text="the last")
    got = read(sock, b"the last\r\n")
    lines = [line for line in got.split(b"\r\n") if line and b" 3" not in line[:40]]
    said = [line for line in lines if b" PRIVMSG " in line]
    assert len(said) > len(EVIL), got
    allowed = re.compile(rf"(@\S+ )?(:{at_a}!\S+ (PRIVMSG|JOIN) &{at_a}( :?|$)|BATCH |:irc\.retrogate\.alt )".encode())
    for line in lines:
        assert allowed.match(line), line
        text = line.split(b" :", 1)[-1]
        assert not re.search(rb"[\0-\x1f\x7f]", text), line
        text.decode()
        assert len(line) <= 8191 + 512
    sock.close()


def what_a_client_sends():
    """Nothing but the text of a line to a contact of one's own leaves."""
    before = texts(b, "bob", at_b)
    sock, _ = log_in("al")
    for line in (b"PRIVMSG &bob :a\rQUIT", b"PRIVMSG &bob :nul\0l", b"PRIVMSG &bob :\xff\xfe", b"PRIVMSG &bob,&bob,&gateway :multi",
                 b"PRIVMSG * :star", b"PRIVMSG $* :all", b"NICK bob", b"NICK gateway", b"NICK &bob", b"NICK a!b@c",
                 b"JOIN &nobody", b"JOIN #x", b"KICK &bob bob", b"TOPIC &bob :x\x02y", b"MODE &bob +o al", b"OPER a b",
                 b"SQUIT x", b"PRIVMSG &bob :\x01DCC SEND x\x01", b"PRIVMSG &bob", b"PRIVMSG &bob :", b"TAGMSG &bob",
                 b"@\xff=1 TAGMSG &bob"):
        send(sock, line + b"\r\n")
    send(sock, b"PRIVMSG &bob :the end\r\n")
    wait_for("the last", lambda: texts(b, "bob", at_b)[-1:] == ["the end"])
    for text in texts(b, "bob", at_b)[len(before):]:
        assert text in ("a\nQUIT", "a", "\x01DCC SEND x\x01", "the end"), repr(text)
    send(sock, b"PING still\r\n")
    assert b"still" in read(sock, b"still"), "the client was harmed"
    sock.close()


def slow_reader():
    """One that reads nothing while much arrives, or that asks and does not read."""
    before = memory(a)
    sock, _ = log_in("slow")
    asking, _ = log_in("asking")
    for _ in range(100):
        b.do("say", account="bob", conversation=at_b, text="z" * 60000)
    send(asking, b"LIST\r\nWHO *\r\nPING x\r\n" * 5000)
    wait_for("it arrived", lambda: a.do("conversation.show", account="alice", conversation=at_a)["unread"] >= 100)
    alive(a)
    grown(a, before, 64 * MIB)
    sock.close()
    asking.close()


def long_lines_are_pulled():
    """A contact that says much at a time does not make a client's pull of changes fail for ever."""
    seen, after, more = [], 0, True
    while more:
        page = a.do("changes", account="alice", after=after, max=500)
        assert page["change"] > after or not page["more"]
        seen += [change["line"]["seq"] for change in page["changes"] if "line" in change]
        after, more = page["change"], page["more"]
    assert len(seen) == len(set(seen)) and len(seen) >= 100 + len(EVIL), len(seen)


def control():
    """Thousands of commands without reading an answer, half lines, and numbers that no one needs."""
    path, before, crowd_of = a.settings["control.socket"], memory(a), []
    for _ in range(3):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        sock.settimeout(2)
        crowd_of.append(sock)
        try:
            for number in range(20000):
                sock.sendall(b'{"id":%d,"do":"history","account":"alice","conversation":"bob","max":5}\n' % number)
        except OSError:
            pass
        alive(a, 5)
    grown(a, before, 64 * MIB)
    half = socket.socket(socket.AF_UNIX)
    half.connect(path)
    half.sendall(b'{"id":1,')
    other = Control(path)
    for number in ("1e999", "-0", "9" * 400, "1e5"):
        other.send('{"id":5,"do":"history","account":"alice","conversation":"bob","max":%s}' % number)
        assert json.loads(other.receive())["error"]["code"] == "invalid"
    for words in ('{"id":5,"do":"hello","do":"status"}', '{"id":5,"do":"account.show","account":"\\u0000"}',
                  '{"id":5,"do":"say","account":"alice","conversation":{"a":[{}]},"text":[]}',
                  '{"id":5,"do":"verb","account":"alice","text":"\\n\\r\\u001b"}'):
        other.send(words)
        answer = json.loads(other.receive())
        assert "error" in answer or "done" in answer
    half.sendall(b'"do":"hello"}\n')
    assert b'"done"' in read(half, b"\n")
    other.close()
    half.close()
    for sock in crowd_of:
        sock.close()


def armor(data):
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{base64.encodebytes(data).decode()}-----END PGP PUBLIC KEY BLOCK-----\n"


def keys_and_links():
    """Keys that GnuPG made with hostile names and of other kinds, and messages that are no invite."""
    if not shutil.which("gpg"):
        return "no gpg"
    home = tempfile.mkdtemp(prefix="rg-", dir="/tmp")

    def gpg(*arguments, data=None):
        return subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--trust-model", "always", "--pinentry-mode",
                               "loopback", "--passphrase", "", *arguments], input=data, capture_output=True).stdout

    def made(name, kind="rsa2048", usage="sign,cert,encr", expires="0"):
        gpg("--quick-gen-key", name, kind, usage, expires)
        listed = re.findall(rb"^fpr:+([0-9A-F]{40}):", gpg("--with-colons", "--list-keys"), re.M)
        return listed[-1].decode()

    def public(fingerprint):
        return gpg("--armor", "--export", fingerprint).decode()
    try:
        for name in ("Carol\r\nQUIT :x <c@x>", "\x1b[2Jesc\x07", "gateway", "a" * 1000, "%s%n", "bob"):
            contact = a.do("contact.add", account="alice", key=public(made(name)))
            assert re.fullmatch("[a-z0-9_-]{1,24}", contact["handle"]), contact
            assert contact["handle"] not in ("gateway", "bob"), contact
            assert not re.search("[\0-\x1f\x7f]", contact["name"]) and len(contact["name"].encode()) < 128, contact
        mallory = made("Mallory")
        for number in range(20):
            gpg("--quick-add-uid", mallory, f"Mallory {number}")
        a.do("contact.add", account="alice", key=public(mallory))
        for other in (public(made("Ecc", "ed25519", "sign,cert")), public(made("Dsa", "dsa2048", "sign,cert")),
                      public(made("Signs", "rsa2048", "sign,cert")), gpg("--armor", "--export-secret-keys", mallory).decode(),
                      gpg("--armor", "--export").decode(), armor(b"\xa3\x02x"), armor(os.urandom(500)), public(mallory)[:900]):
            assert a.refused("contact.add", account="alice", key=other).code in ("invalid", "limit"), other[:100]
        # Messages for alice in the place of an invite.
        alice, bob = a.do("account.show", account="alice"), b.do("account.show", account="bob")
        gpg("--import", data=alice["key"].encode())
        good = b.do("invite.new", account="bob", contact=at_b)["link"]
        blob = re.search("encrypted_data=([^&]+)", good).group(1)
        to = ("-r", alice["fingerprint"], "--encrypt")
        plain, mine = ("-z", "0"), ("-u", mallory, "--sign")
        for words, data in (
                (("-z", "9", "--compress-algo", "bzip2", *to), bytes(10 * MIB)), ((*plain, *to), b"x"),
                ((*plain, *to), os.urandom(9000)), ((*plain, *mine, *to), os.urandom(100)),
                ((*plain, "-r", mallory, *to), b"x" * 100), ((*plain, "-r", mallory, "--encrypt"), b"x"),
                ((*plain, "-R", *to[1:]), b"x"), ((*plain, "--symmetric"), b"x"),
                *(((*plain, *to), os.urandom(size)) for size in (30, 44, 64, 100, 320, 400))):
            link = good.replace(blob, base64.b64encode(gpg(*words, data=data)).decode())
            begun = time.monotonic()
            assert a.refused("invite.open", account="alice", link=link, key=bob["key"]).code in ("invalid", "denied", "limit")
            assert time.monotonic() - begun < 5
        alive(a)
        a.do("invite.open", account="alice", link=good, key=bob["key"])
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def the_end():
    can_talk(a, "alice", at_a)
    b.do("say", account="bob", conversation=at_b, text="goodbye")
    wait_for("still served", lambda: a.do("history", account="alice", conversation=at_a, max=1)["lines"][0]["text"] == "goodbye")
    for gateway in (a, b):
        log = gateway.log_text()
        for word in (PASSWORD, "wrong1", "zzzz", "leading", "pwn", "alice", "bob", "Mallory", "Carol", "retroshare://",
                     "BEGIN PGP"):
            assert word not in log, word


if __name__ == "__main__":
    run(meeting, floods, crowd, guessing, what_a_peer_says, what_a_client_sends, slow_reader, long_lines_are_pulled, control,
         keys_and_links, the_end)
