# SPDX-License-Identifier: ISC
"""The browser's bridge against clients that mean harm: other origins, malformed frames, slow heads, crowds, guesses, and one
that never reads. After each the gateway answers others at once."""
import base64
import json
import random
import re
import resource
import threading
import time

from harness import Gateway, can_talk, meet, run, texts, wait_equal, wait_for
from hostile import alive, descriptors, grown, memory
from ws import BINARY, CLOSE, PING, PONG, TEXT, Closed, Site, WebSocket, answer_of, frame

MIB = 1 << 20
PASSWORD = "correct horse"
CLIENTS, PER_ADDRESS = 1024, 128
EVIL = "http://evil.example"
handle = "bob"


def meeting():
    """One gateway, two accounts of it: what they say goes through the core alone."""
    global gateway, site, watcher
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gateway = Gateway("home")
    for name in ("alice", "bob"):
        gateway.account(name, PASSWORD)
    assert meet(gateway, "alice", gateway, "bob")[0] == handle
    can_talk(gateway, "alice", handle)
    site = Site(gateway).sign_in("alice", PASSWORD)
    watcher = site.live()


def others_are_served(seconds=1.0):
    """A channel that is open, the control socket, and one who comes now."""
    begun = time.monotonic()
    assert watcher.do("hello")["account"]["name"] == "alice"
    gateway.do("status")
    channel = site.live(source="127.0.0.9")
    assert channel.do("hello")["account"]["name"] == "alice"
    channel.close()
    took = time.monotonic() - begun
    assert took < seconds, f"others were answered after {took:.2f} s"


def other_origins():
    """The cookie alone opens nothing: a page of another origin can send it, but knows no token and has its own Origin."""
    port = site.address[1]
    for origin in (EVIL, "null", None, "http://127.0.0.1", f"http://127.0.0.1:{port + 1}",
                   f"http://localhost:{port}", f"{site.url}.evil.example", f"{site.url}@evil.example", "http://", ""):
        refused = WebSocket(site, headers={"Origin": origin})
        assert refused.status == 403, (origin, refused.answer)
        refused.close()
    other = Site(gateway).sign_in("bob", PASSWORD)
    for protocols in (["retrogate.1"], [], ["retrogate.1", "token." + "0" * 64], ["retrogate.1", f"token.{other.token}"],
                      ["retrogate.1", "token."], ["retrogate.1", f"token.{site.token}x"], ["text.ircv3.net"]):
        refused = WebSocket(site, protocols=protocols)
        assert refused.status in (400, 403), (protocols, refused.answer)
        refused.close()
    say = {"do": "say", "conversation": handle, "text": "said by another origin"}
    for headers in ({"X-Retrogate-Token": None}, {"X-Retrogate-Token": "0" * 64}, {"X-Retrogate-Token": other.token},
                    {"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
                    {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": None}):
        answer = site.request("POST", "/api/1/do", say, headers)
        assert answer.status in (400, 401, 403, 415), (headers, answer)
        assert "Access-Control-Allow-Origin" not in answer.headers, answer
    preflight = site.request("OPTIONS", "/api/1/do", headers={"Origin": EVIL, "Access-Control-Request-Method": "POST"})
    assert preflight.status in (403, 404, 405) and "Access-Control-Allow-Origin" not in preflight.headers, preflight
    assert "said by another origin" not in texts(gateway, "alice", handle, "out")
    others_are_served()


def other_names():
    """A name that became ours by DNS alone is refused, whatever is asked."""
    for host in ("evil.example", f"evil.example:{site.address[1]}", "127.0.0.1.evil.example", "", None, "[::1", "x" * 5000,
                 "127.0.0.1, evil.example", "<script>"):
        for path in ("/", "/api/1/session"):
            answer = site.request("GET", path, headers={"Host": host})
            assert answer.status in (400, 421), (host, answer)
            assert "<script>" not in answer.body.decode()
        refused = WebSocket(site, headers={"Host": host, "Origin": f"http://{host}"})
        assert refused.status != 101, (host, refused.answer)
        refused.close()
    others_are_served()


def fixation():
    """A cookie that was there before the log-in is not the one after it."""
    name = site.cookie.split("=")[0]
    for value in ("alice.0123456789", "", site.cookie.split("=", 1)[1]):
        headers = {"Cookie": f"{name}={value}", "X-Retrogate-Token": None}
        answer = site.request("POST", "/api/1/session", {"account": "bob", "password": PASSWORD}, headers)
        assert answer.status == 200, answer
        got = answer.headers["Set-Cookie"]
        assert value == "" or value not in got, "the old cookie lives on"
        assert re.search("; *HttpOnly", got) and re.search("; *SameSite=Strict", got), got
    signed = site.request("GET", "/api/1/session", headers={"Cookie": f"{name}=bob.made-up"})
    assert signed.status == 200 and not signed.json()["signed_in"], signed


def wrong_cookies():
    name, value = site.cookie.split("=", 1)
    for cookie in ("", name, f"{name}=", f"{name}==", f"{name}=" + "A" * 4000, f"{name}={value[:-1]}", f"{name}={value}x",
                   f"x{name}={value}", f"{name}=\"{value}\"", f"{name}=\udcff\udcfe", "a=b;" * 1000):
        refused = WebSocket(site, headers={"Cookie": cookie})
        if refused.status == 101:
            assert refused.closed().code == 4401, cookie
        else:
            assert refused.status in (400, 403, 431), (cookie, refused.answer)
        refused.close()
    others_are_served()


HANDSHAKES = {
    "no key": {"Sec-WebSocket-Key": None}, "no version": {"Sec-WebSocket-Version": None}, "version 8": {"Sec-WebSocket-Version": 8},
    "a long protocol": {"Sec-WebSocket-Protocol": "x" * 3000}, "many protocols": {"Sec-WebSocket-Protocol": ",".join("abcdefgh" * 60)},
    "empty protocols": {"Sec-WebSocket-Protocol": ",,, ,"}, "a body": {"Content-Length": 5}, "two ways": {"Transfer-Encoding": "chunked"},
    "odd upgrade": {"Upgrade": "h2c, websocket"}, "many fields": {f"X-{n}": "y" * 20 for n in range(300)},
    "large": {"X-Large": "y" * 20000}, "nul": {"X-Nul": "a\0b"}, "extensions": {"Sec-WebSocket-Extensions": "permessage-deflate; " * 40}}


def handshakes():
    for name, headers in HANDSHAKES.items():
        channel = WebSocket(site, headers=headers)
        if channel.status == 101:  # lenient is allowed, lost is not
            assert channel.do("hello")["account"]["name"] == "alice", name
        channel.close()
    for path in ("/api/1/live/", "/api/1/LIVE", "/", "/api/1/do", "/api/1/live/../do", "/irc/../..", "*"):
        refused = WebSocket(site, path=path)
        assert refused.status != 101, (path, refused.answer)
        refused.close()
    # RFC 6455 wants a client to wait for the answer (4.1); one that does not harms itself at most.
    for padding in (0, 100, 1000, 4000):
        hasty = WebSocket(site, headers={"X-Padding": "x" * padding}, pipelined=frame(TEXT, b'{"id":7,"do":"hello"}'))
        try:
            assert hasty.receive()["id"] == 7
        except Closed:
            pass
        hasty.close()
    others_are_served()


def say(text):
    return frame(TEXT, json.dumps({"id": 1, "do": "say", "conversation": handle, "text": text}).encode())


# What is sent, and the close codes that may answer; None: the connection just ends.
FRAMES = {
    "unmasked": (frame(TEXT, b'{"id":1,"do":"hello"}', masked=False), (1002, None)),
    "reserved bit 1": (frame(TEXT, b"{}", reserved=4), (1002, None)),
    "reserved bit 2": (frame(TEXT, b"{}", reserved=2), (1002, None)),
    "reserved bit 3": (frame(TEXT, b"{}", reserved=1), (1002, None)),
    "opcode 3": (frame(3, b"x"), (1002, None)),
    "opcode 15": (frame(15, b"x"), (1002, None)),
    "binary": (frame(BINARY, b"{}"), (1003,)),
    "bad UTF-8": (frame(TEXT, b'{"id":1,"do":"\xff\xfe"}'), (1007,)),
    "an overlong form": (frame(TEXT, b'"\xc0\xaf"'), (1007,)),
    "a surrogate": (frame(TEXT, b'"\xed\xa0\x80"'), (1007,)),
    "cut UTF-8": (frame(TEXT, b'"\xe2\x82'), (1007,)),
    "bad UTF-8 in pieces": (frame(TEXT, b'"\xe2', fin=False) + frame(0, b'\x28"'), (1007,)),
    "a long ping": (frame(PING, b"x" * 126), (1002, None)),
    "a ping in pieces": (frame(PING, b"x", fin=False), (1002, None)),
    "a continuation of nothing": (frame(0, b"x"), (1002, None)),
    "a text inside a text": (frame(TEXT, b'{"id"', fin=False) + frame(TEXT, b"{}"), (1002, None)),
    "a length of 2^63": (frame(TEXT, b"x", size=1 << 63), (1002, 1009, None)),
    "a length of 2^62": (frame(TEXT, b"x", size=1 << 62) + b"y" * 5000, (1009, 1002, None)),
    "1 MiB and a byte": (frame(TEXT, b" " * (MIB + 1)), (1009,)),
    "1 MiB and a byte in pieces": (frame(TEXT, b" ", fin=False) + frame(0, b" " * 65536, fin=False) * 16 + frame(0, b" "), (1009,)),
    "pieces without end": (frame(TEXT, b" " * 4000, fin=False) + frame(0, b" " * 4000, fin=False) * 300, (1009,)),
    "a close of one byte": (frame(CLOSE, b"\x03"), (1002, 1000, None)),
    "a close with a wrong code": (frame(CLOSE, b"\x00\x01"), (1002, 1000, None, 1)),
    "a close with bad UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), (1002, 1007, 1000, None)),
    "a close that is long": (frame(CLOSE, b"\x03\xe8" + b"x" * 200), (1002, None)),
    "words after a close": (frame(CLOSE, b"\x03\xe8") + say("after the close"), (1000, None)),
    "no frame at all": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (1002, None)),
}


def frames():
    """Each ends its own connection, with the code that RFC 6455 has for it."""
    for name, (data, codes) in FRAMES.items():
        channel = site.live()
        channel.do("hello")
        channel.send_bytes(data)
        try:
            how = channel.closed()
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
        assert how.code in codes, f"{name}: closed with {how.code}"
        channel.close()
        assert watcher.do("hello"), name
    assert "after the close" not in texts(gateway, "alice", handle, "out")
    others_are_served()


def frames_that_are_right():
    """What is unusual but allowed is served."""
    channel = site.live()
    hello = json.dumps({"id": 1, "do": "hello"}).encode()
    channel.send_bytes(b"".join(frame(TEXT if at == 0 else 0, hello[at:at + 1], fin=at == len(hello) - 1) +
                                frame(PING, b"%d" % at) for at in range(len(hello))))
    got = []
    while not [text for opcode, text in got if opcode == TEXT]:
        got.append(channel.receive_frame() or (None, b""))
        assert got[-1][0] in (TEXT, PONG), got
    # Only the newest of several pings needs its pong (5.5.3).
    pongs = [int(text) for opcode, text in got if opcode == PONG]
    assert pongs == sorted(set(pongs)), got
    channel.send(PING, b"the last")
    while channel.receive_frame() != (PONG, b"the last"):
        pass
    channel.send_bytes(frame(TEXT, hello, wide=2) + frame(TEXT, hello, wide=8))
    first = channel.receive(), channel.receive()
    assert all(answer["id"] == 1 for answer in first)
    padded = b'{"id":2,"do":"hello"' + b" " * (MIB - 21) + b"}"
    assert len(padded) == MIB
    channel.send_text(padded)
    assert channel.receive()["id"] == 2, "a message of exactly 1 MiB"
    channel.send(PONG, b"nobody asked")
    channel.send_text("no json")
    channel.send_text("[" * 5000)
    channel.send_text('{"id":3,"do":"hello","x":1}')
    assert channel.receive()["error"] and channel.receive()["error"] and channel.receive()["error"]
    channel.send(CLOSE, b"\x03\xe8bye")
    assert channel.closed().code == 1000
    channel.close()


def floods():
    """Many small frames: empty pieces, pings, commands whose answers nobody reads, random bytes."""
    before, files, open_ones = memory(gateway), descriptors(gateway), []
    chance = random.Random(1)
    for flood in (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 200_000, frame(PING, b"p" * 125) * 20_000,
                  frame(TEXT, b'{"id":1,"do":"history","conversation":%d}' % 1) * 5000, frame(TEXT, b"{}") * 50_000,
                  frame(TEXT, b'{"id":1,"do":"hello"}') * 20_000, *(chance.randbytes(20_000) for _ in range(20))):
        channel = site.live()
        channel.sock.settimeout(5)
        channel.send_bytes(flood)
        open_ones.append(channel)
        others_are_served(5)
    grown(gateway, before, 64 * MIB)
    for channel in open_ones:
        channel.close()
    wait_for("all are closed", lambda: descriptors(gateway) <= files + 4)


SLOW = {"nothing": b"", "a letter": b"G", "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n", "tls": b"\x16\x03\x01\x02\x00",
        "a head of 15 KiB": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2500, "a body": None}


def slow_ones_come():
    """Heads and bodies that never end: some stand still, some crawl on byte by byte."""
    global slow
    slow = {}
    body = site.head("POST", "/api/1/session", {"Content-Type": "application/json", "Content-Length": 60000})
    for name, data in SLOW.items():
        for _ in range(10):
            sock = site.connect("127.0.0.3")
            sock.sendall(body + b"{" if data is None else data)
            sock.setblocking(False)
            slow[sock] = name
    threading.Thread(target=crawl, daemon=True).start()
    others_are_served()


def crawl():
    def gone(sock):
        try:
            if slow[sock] in ("half a head", "a body"):
                sock.send(b"x")
            while data := sock.recv(65536):
                assert b" 200 " not in data
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True
    while slow:
        for sock in [sock for sock in slow if gone(sock)]:
            sock.close()
            del slow[sock]
        time.sleep(0.2)


def slow_ones_are_gone():
    """Ten seconds for a head, a minute for a body, whatever comes of it meanwhile."""
    wait_equal("slow clients are dropped", lambda: set(slow.values()), set(), 90)
    others_are_served()


def crowd(sources, count):
    socks = []
    for number in range(count):
        try:
            socks.append(site.connect(sources[number % len(sources)]))
        except OSError:
            pass  # refused is one way to say that it is full
    return socks


def idle_sockets():
    """5,000 connections that say nothing: one address has its share, all together theirs; who is in stays in."""
    files, before = descriptors(gateway), memory(gateway)
    socks = crowd(["127.0.0.5"], 2000)
    assert descriptors(gateway) <= files + PER_ADDRESS
    others_are_served()
    socks += crowd([f"127.0.1.{host}" for host in range(1, 41)], 3000)
    assert descriptors(gateway) <= files + CLIENTS
    assert watcher.do("hello"), "who was in is still served"
    alive(gateway)
    grown(gateway, before, 64 * MIB)
    # The ten seconds of a head are over: there is room again, although nobody closed.
    wait_for("descriptors are free again", lambda: descriptors(gateway) <= files + 2, 30)
    others_are_served()
    for sock in socks:
        sock.close()


def idle_channels():
    """Signed-in channels fill the limit of their address, and no other's."""
    open_ones, refused = [], 0
    for _ in range(PER_ADDRESS + 20):
        try:
            channel = WebSocket(site, source="127.0.0.6")
            if channel.status == 101:
                open_ones.append(channel)
            else:
                refused += 1
        except OSError:
            refused += 1
    assert len(open_ones) <= PER_ADDRESS and refused >= 20, (len(open_ones), refused)
    others_are_served()
    for channel in open_ones:
        channel.close()


TRAVERSAL = [
    "/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%252f..%252fetc/passwd",
    "/..\\..\\etc\\passwd", "/..%5c..%5cetc/passwd", "/....//....//etc/passwd", "//etc/passwd", "/%00", "/index.html%00.css",
    "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "/lang/../../gateway/main.c", "/lang/..%2f..%2fREADME.md", "/./index.html/../../x",
    "/views/", "/lang", "/.git/config", "/web/index.html", "file:///etc/passwd", "http://evil.example/", "/index.html/", "/app.css%20",
    "/APP.CSS", "/api/1/blob/../session", "/api/1/blob/..%2f..%2f..%2fetc%2fpasswd", "/api/1/blob/" + "A" * 6000, "/api/1/blob/-1",
    "/api/1/blob/", "/api/2/session", "/%", "/%zz", "/?" + "x" * 8000, "/" + "a/" * 4000, "\udcff\udcfe", "/\x7f", "*", "?", "/\x01"]


def traversal():
    """Nothing but the page's own files has a name here."""
    for path in TRAVERSAL:
        for method in ("GET", "HEAD", "POST"):
            with site.connect() as sock:
                answer = answer_of(sock, site.head(method, path, {"Connection": "close", "Content-Length": 0}), method)
            if path.startswith("/?"):
                continue
            assert answer.status >= 400, (method, path, answer)
            assert b"root:" not in answer.body and b"<script" not in answer.body, (path, answer)
    others_are_served()


def requests_that_smuggle():
    """Two lengths, or none that can be read: the connection ends, and what came behind is not another request."""
    hello = b'{"do":"say","conversation":"%s","text":"smuggled"}' % handle.encode()
    inner = site.head("POST", "/api/1/do", {"Content-Type": "application/json", "Content-Length": len(hello)}) + hello
    for fields in ({"Content-Length": "4", "Transfer-Encoding": "chunked"}, {"Content-Length": "-1"}, {"Content-Length": "1, 2"},
                   {"Content-Length": "99999999999999999999999"}, {"Transfer-Encoding": "x"}, {"Content-Length": "0x10"}):
        head = Site(gateway).head("POST", "/api/1/session", {"Content-Type": "application/json", **fields})
        with site.connect() as sock:
            sock.settimeout(5)
            answer = None
            try:
                answer = answer_of(sock, head + b"0\r\n\r\n")
            except (OSError, ValueError, Exception):  # noqa: BLE001 - closing without an answer is fine as well
                pass
            assert answer is None or answer.status >= 400, (fields, answer)
    with site.connect() as sock:
        sock.settimeout(5)
        sock.sendall(Site(gateway).head("POST", "/api/1/session", {"Content-Length": "4", "Transfer-Encoding": "chunked",
                                                                    "Content-Type": "application/json"}) + b"0\r\n\r\n" + inner)
        try:
            while sock.recv(65536):
                pass
        except OSError:
            pass
    assert "smuggled" not in texts(gateway, "alice", handle, "out")
    others_are_served()


def guessing():
    """Wrong passwords are slowed down by account and address, whichever door; others log in meanwhile."""
    gateway.account("victim", PASSWORD)

    def guess(password, source="127.0.0.7", headers=None, target="/api/1/session"):
        return Site(gateway).request("POST", target, {"account": "victim", "password": password}, headers, source)
    statuses = [guess(f"wrong{number}").status for number in range(12)]
    assert statuses[0] == 401 and statuses[-1] == 429 and set(statuses) == {401, 429}, statuses
    throttled = guess("again")
    assert throttled.status == 429 and int(throttled.headers["Retry-After"]) > 0, throttled
    assert guess(PASSWORD).status == 429, "a right guess among wrong ones is not told from them"
    basic = base64.b64encode(b"victim:wrong").decode()
    answer = Site(gateway).request("POST", "/api/1/do", {"do": "hello"}, {"Authorization": f"Basic {basic}"}, "127.0.0.7")
    assert answer.status == 429, answer
    begun = time.monotonic()
    Site(gateway).sign_in("bob", PASSWORD)
    assert time.monotonic() - begun < 5
    assert not [word for word in ("wrong0", PASSWORD) if word in gateway.log_text()]


def one_that_never_reads():
    """10,000 lines pass by one that follows and reads nothing; it is held or dropped, and others get all of them."""
    lines = 10_000
    before = memory(gateway)
    start = gateway.do("account.show", account="alice")["change"]
    deaf = site.live()
    deaf.do("follow", after=start)
    reader = site.live()
    reader.do("follow", after=start)
    said = Site(gateway).sign_in("bob", PASSWORD).live()
    to = gateway.do("conversation.list", account="bob")["conversations"][0]["id"]
    heard, failed = [], []

    def listen():
        try:
            while len(heard) < lines and (message := reader.receive(60)):
                for change in message.get("changes", []):
                    line = change.get("line")
                    if line and line["direction"] == "in" and (not heard or line["seq"] > heard[-1]):
                        heard.append(line["seq"])
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    under_way = 0
    for number in range(lines):
        said.send_text(json.dumps({"id": number, "do": "say", "conversation": to, "text": f"{number} " + "x" * 600}))
        under_way += 1
        while under_way >= 32:
            answer = said.receive()
            assert "error" not in answer, answer
            under_way -= "id" in answer
    thread.join(120)
    assert not failed and len(heard) == lines, (failed, len(heard))
    grown(gateway, before, 64 * MIB)
    others_are_served()
    # What it finds when it reads at last is the beginning of the truth, or a closed connection.
    seen = []
    try:
        while (message := deaf.receive(20)) is not None:
            seen += [change["line"]["seq"] for change in message.get("changes", [])
                     if change.get("line", {}).get("direction") == "in"]
            if seen and seen[-1] >= heard[-1]:
                break
    except Closed as how:
        assert how.code in (4408, None), how
    else:
        missing = sorted(set(heard) - set(seen))
        assert not missing, f"one that catches up missed {len(missing)}: {missing[:10]}, and saw {len(seen)}"
    for channel in (deaf, reader, said):
        channel.close()


def irc_in_frames():
    """IRC over WebSocket keeps the same doors shut, and one message is one line."""
    refused = WebSocket(site, "/irc", ["text.ircv3.net"], {"Origin": EVIL})
    assert refused.status == 403, refused.answer
    refused.close()

    def client(*lines):
        channel = site.live(path="/irc", protocols=["text.ircv3.net"])
        for line in (f"PASS :{PASSWORD}", "NICK al", "USER alice 0 * :x", *lines):
            channel.send_text(line)
        return channel

    def read_until(channel, mark):
        got = []
        while mark not in (got[-1] if got else ""):
            opcode, text = channel.receive_frame() or (None, b"")
            assert opcode == TEXT, (opcode, got[-5:])
            assert b"\n" not in text and b"\r" not in text, text
            got.append(text.decode())
        return got
    channel = client()
    read_until(channel, " 376 ")
    channel.send_text(f"PRIVMSG &{handle} :by way of frames")
    wait_for("it was said", lambda: "by way of frames" in texts(gateway, "alice", handle, "out"))
    channel.close()
    for data in (f"PRIVMSG &{handle} :one\r\nPRIVMSG &{handle} :smuggled", f"PRIVMSG &{handle} :a\nQUIT", "x" * 20_000, "\0"):
        channel = client()
        read_until(channel, " 376 ")
        channel.send_text(data)
        channel.send_text("PING after-that")
        try:
            read_until(channel, "after-that")
        except Closed:
            pass
        channel.close()
    assert "smuggled" not in texts(gateway, "alice", handle, "out")
    others_are_served()


def the_end():
    watcher.close()
    log = gateway.log_text()
    for word in (PASSWORD, "wrong1", "evil.example", "passwd", "smuggled", site.token, site.cookie.split("=", 1)[1], "alice",
                 "xxxxxxxx"):
        assert word not in log, word
    assert len(log) < 4 * MIB, "what a stranger does may not fill the log"


if __name__ == "__main__":
    run(meeting, other_origins, other_names, fixation, wrong_cookies, handshakes, frames, frames_that_are_right, floods,
        traversal, requests_that_smuggle, irc_in_frames, idle_channels, slow_ones_come, one_that_never_reads, guessing,
        slow_ones_are_gone, idle_sockets, the_end)
