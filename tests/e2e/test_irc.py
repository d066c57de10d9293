# SPDX-License-Identifier: ISC
"""Ordinary IRC clients at both ends of a tunnel: the bare protocol, irc-framework, libircclient and WeeChat."""
import datetime
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import BINARIES, can_talk, chain, conversation, meet, run, texts, wait_for
from irc import ALL, Irc, Program, end_programs, folder_of_tests
from ws import Site, WebSocket

PASSWORD = "correct-horse"
NODE = os.path.join(folder_of_tests(), "../../build/node/node_modules")
# A picture in text: each person, script and kind of sign that a client could break.
UNICODE = "Grüße \u00e9 ﷽ 日本語 \N{CRAB}\N{ZERO WIDTH JOINER}\N{CRAB} \u202eabc\u202c :;,& 1 < 2 > 0"


def meeting():
    global a, b, c, desks
    a, b, c = chain("A", "B", "C")
    a.account("alice", PASSWORD)
    c.account("carol", PASSWORD)
    # A conversation that nobody looks at sleeps (00 decision 13): somebody looks all the time.
    desks = Irc(a, "alice@desk", PASSWORD), Irc(c, "carol@desk", PASSWORD)
    assert meet(a, "alice", c, "carol") == ("carol", "alice")
    can_talk(a, "alice", "carol")
    can_talk(c, "carol", "alice")


def log_in():
    """PASS, SASL, an app password, a device; what is wrong is refused with what would be right."""
    for sasl in (False, True):
        Irc(a, "alice", PASSWORD, sasl=sasl).close()
        Irc(a, "alice@laptop", PASSWORD, sasl=sasl).close()
    made = a.do("app_password.new", account="alice", label="phone", scope="irc")
    Irc(a, "alice@phone", made["password"], sasl=True).close()
    web = a.do("app_password.new", account="alice", label="page", scope="web")
    Irc(a, "alice", web["password"], expect="464").expect("ERROR")
    Irc(a, "nobody", PASSWORD, expect="464").expect("ERROR")
    wrong = Irc(a, "alice", "wrong", sasl=True, expect="")
    assert any(" 904 " in line for line in wrong.seen)
    none = Irc(a, "alice", PASSWORD, expect="376")
    none.send("PASS again")
    none.expect(" 462 ")
    bare = Irc(a, "alice", PASSWORD, caps="")
    assert not any(line.startswith("@") for line in bare.seen)
    bare.close()


def channels():
    client = Irc(a, "alice", PASSWORD)
    client.expect(r"JOIN :?&gateway")
    client.expect(r"JOIN :?&carol")
    client.expect(r" 366 \S+ &carol")
    names = [line for line in client.seen if " 353 " in line and "&carol" in line][0]
    assert re.search(r"\bcarol\b", names.rsplit(":", 1)[1]), "the contact that can talk is in its channel"
    topic = [line for line in client.seen if " 332 " in line and "&carol" in line][0]
    assert "can talk" in topic and "| sealed: authenticated" in topic, topic
    client.send("PRIVMSG &gateway :help")
    client.expect(r"PRIVMSG &gateway :.*invite")
    client.send("PRIVMSG &gateway :contacts")
    client.expect(r"PRIVMSG &gateway :.*carol")
    client.send("WHOIS carol")
    client.expect(" 318 ")
    client.send("LIST")
    client.expect(r" 322 .*&carol")
    client.close()


def both_ways():
    """Two clients of one account and one of the other; each sees what the others say, once."""
    one, two = Irc(a, "alice@one", PASSWORD, nick="al"), Irc(a, "alice@two", PASSWORD, nick="ally")
    far = Irc(c, "carol", PASSWORD)
    one.send(f"@label=x1 PRIVMSG &carol :from one {UNICODE}")
    far.expect(rf"PRIVMSG &alice :from one {re.escape(UNICODE)}$")
    assert {"time", "msgid"} <= set(far.tags()), far.seen[-1]
    one.expect(r"PRIVMSG &carol :from one")
    assert one.tags()["label"] == "x1" and "msgid" in one.tags(), one.seen[-1]
    mine = one.tags()["msgid"]
    two.expect(r":ally!\S+ PRIVMSG &carol :from one")
    assert two.tags()["msgid"] == mine
    far.send(f"PRIVMSG &alice :from far {UNICODE}")
    for client in (one, two):
        client.expect(rf":carol!\S+ PRIVMSG &carol :from far {re.escape(UNICODE)}$")
    # A query to the nick is the same conversation.
    two.send("PRIVMSG carol :in a query")
    far.expect(r"PRIVMSG &alice :in a query")
    one.expect(r"PRIVMSG &carol :in a query")
    far.send("PRIVMSG &alice :\x01ACTION waves\x01")
    one.expect(r"PRIVMSG &carol :\x01ACTION waves\x01")
    two.expect(r":carol!\S+ PRIVMSG ally :\x01ACTION waves\x01")
    far.expect(r"PRIVMSG &alice :\x01ACTION waves\x01")
    for client in (one, two, far):
        client.none("from one|from far|in a query|waves")
        client.close()


def read_in_step():
    """Read in one client is read in the others, and on the page, which says it as the JSON form does."""
    one, two = (Irc(a, f"alice@{name}", PASSWORD, caps=f"{ALL} draft/read-marker") for name in ("one", "two"))
    far = Irc(c, "carol", PASSWORD)
    for client in (one, two):
        client.expect(r"JOIN :?&carol")
        client.expect(r"MARKREAD &carol ")
    marks = []
    for text in ("read me first", "read me second"):
        far.send(f"PRIVMSG &alice :{text}")
        for client in (one, two):
            client.expect(f"PRIVMSG &carol :{text}")
        marks.append(one.tags())
    assert conversation(a, "alice", "carol")["unread"] >= 2
    one.send(f"MARKREAD &carol timestamp={marks[0]['time']}")
    for client in (one, two):
        client.expect(rf"MARKREAD &carol timestamp={marks[0]['time']}")
    assert conversation(a, "alice", "carol")["unread"] == 1
    a.do("read", account="alice", conversation="carol", seq=int(marks[1]["msgid"].split("-")[1]))
    for client in (one, two):
        client.expect(rf"MARKREAD &carol timestamp={marks[1]['time']}")
    assert conversation(a, "alice", "carol")["unread"] == 0
    later = Irc(a, "alice@later", PASSWORD, caps=f"{ALL} draft/read-marker")
    later.expect(r"JOIN :?&carol")
    later.expect(rf"MARKREAD &carol timestamp={marks[1]['time']}")
    for client in (one, two, far, later):
        client.close()


def typing():
    near, far = Irc(a, "alice", PASSWORD), Irc(c, "carol", PASSWORD)
    for client in (near, far):
        client.expect(r" 366 \S+ &(alice|carol) ")
    keep_typing(lambda: far.send("@+typing=active TAGMSG &alice"), lambda: heard_typing(near, "carol"))
    keep_typing(lambda: near.send("@+typing=active TAGMSG &carol"), lambda: heard_typing(far, "alice"))
    near.close()
    far.close()


def keep_typing(send, arrived):
    """Typing is sent at most every 5 s (protocol 03), and may be lost."""
    sent_at = 0

    def probe():
        nonlocal sent_at
        if time.monotonic() - sent_at > 1:
            sent_at = time.monotonic()
            send()
        return arrived()
    return wait_for("typing", probe)


def heard_typing(client, who):
    try:
        return client.expect(rf"\+typing=active\S* :{who}!\S+ TAGMSG &{who}", 0.05)
    except AssertionError:
        return None


def over_websocket():
    """The same server for a web IRC client: one line a message, and the account's other clients see what it says."""
    near, far = Irc(a, "alice", PASSWORD), Irc(c, "carol", PASSWORD)
    channel = WebSocket(Site(a), "/irc", protocols=["text.ircv3.net"])
    assert channel.status == 101, channel.answer
    for line in (f"PASS :alice@web:{PASSWORD}", "NICK web", "USER web 0 * :Web"):
        channel.send_text(line)
    until(channel, r" 366 \S+ &carol ")
    channel.send_text("PRIVMSG &carol :from a page")
    far.expect("PRIVMSG &alice :from a page$")
    near.expect("PRIVMSG &carol :from a page$")
    far.send(f"PRIVMSG &alice :to a page {UNICODE}")
    assert until(channel, "to a page").endswith(f"PRIVMSG &carol :to a page {UNICODE}")
    channel.send_text("QUIT")
    until(channel, "^ERROR ")
    channel.closed()
    refused = WebSocket(Site(a), "/irc", protocols=["text.ircv3.net"], headers={"Origin": "https://evil.example.org"})
    assert refused.status == 403, refused.answer
    near.close()
    far.close()


def until(channel, pattern):
    while True:
        got = channel.receive_frame()
        assert got is not None, pattern
        assert b"\n" not in got[1], got
        if re.search(pattern, got[1].decode()):
            return got[1].decode()


def long_lines():
    """A text longer than an IRC line comes as several, none broken inside a letter; nothing is lost."""
    near = Irc(a, "alice", PASSWORD)
    near.expect(r" 366 \S+ &carol ")
    text = "".join(chr(0x4e00 + i) for i in range(20000))
    c.do("say", account="carol", conversation="alice", text=text)
    got = ""
    while len(got) < len(text):
        got += near.expect(r"PRIVMSG &carol :(.*)$").group(1)
        assert len(near.seen[-1].split(" :", 1)[1].encode()) < 512
    assert got == text
    near.close()


def replay():
    """A device that was away gets what it missed, with its own time; a new one is not flooded with the past."""
    phone = Irc(a, "alice@away", PASSWORD)
    phone.expect(r" 366 \S+ &carol ")
    phone.send("PRIVMSG &carol :before")
    phone.expect("PRIVMSG &carol :before")
    phone.send("QUIT")
    phone.expect("ERROR")
    missed = [f"missed {i}" for i in range(5)]
    for text in missed:
        c.do("say", account="carol", conversation="alice", text=text)
    wait_for("lines at A", lambda: texts(a, "alice", "carol")[-5:] == missed)
    a.do("say", account="alice", conversation="carol", text="said elsewhere")
    times = {line["text"]: line["time"] for line in a.do("history", account="alice", conversation="carol", max=20)["lines"]}
    back = Irc(a, "alice@away", PASSWORD)
    back.expect(r"BATCH \+(\S+) chathistory :?&carol")
    for text in missed + ["said elsewhere"]:
        back.expect(rf"PRIVMSG &carol :{text}$")
        tags = back.tags()
        stamp = datetime.datetime.fromisoformat(tags["time"].replace("Z", "+00:00"))
        assert round(stamp.timestamp() * 1000) == times[text] and "batch" in tags, back.seen[-1]
    back.expect(r"BATCH :?-")
    back.none("missed|before")
    back.close()
    fresh = Irc(a, f"alice@new{os.getpid()}", PASSWORD)
    fresh.expect(r" 366 \S+ &carol ")
    fresh.none("missed|before")
    fresh.close()
    # Without batch and server-time the time stands in the text.
    plain = Irc(a, "alice@away", PASSWORD, caps="")
    plain.none("missed")
    plain.close()


def presence():
    """A line said while the way is broken waits; who said it is told, and it arrives."""
    near, far = Irc(a, "alice", PASSWORD), Irc(c, "carol", PASSWORD)
    near.expect(r" 366 \S+ &carol ")
    b.kill()
    wait_for("the loss", lambda: conversation(a, "alice", "carol")["state"] != "can talk")
    near.send("PRIVMSG &carol :over the gap")
    near.expect(r"NOTICE .*(waits|sent later)")
    c.pause()
    b.start()
    wait_for("A is back", lambda: a.do("status")["friends"]["up"] == 1)
    c.go_on()
    far.expect(r"PRIVMSG &alice :over the gap$", 90)
    near.none("PART|QUIT")  # shorter than the patience of 30 s
    near.close()
    far.close()


def far_client():
    far = Irc(c, "carol", PASSWORD)
    far.expect(r" 366 \S+ &alice ")
    return far


def history_on_demand():
    """A client that can ask for history is given none unasked, and gets what it asks for."""
    far = Irc(c, "carol", PASSWORD)
    caps = f"{ALL} draft/chathistory"
    Irc(a, "alice@asks", PASSWORD, caps=caps).close()
    for number in range(5):
        far.send(f"PRIVMSG &alice :said {number} meanwhile")
    wait_for("lines at A", lambda: texts(a, "alice", "carol")[-1:] == ["said 4 meanwhile"])
    client = Irc(a, "alice@asks", PASSWORD, caps=caps)
    client.expect(r" 366 \S+ &carol ")
    client.none("meanwhile")
    client.send("CHATHISTORY LATEST &carol * 3")
    client.expect(r"BATCH \+\S+ chathistory &carol")
    for number in (2, 3, 4):
        client.expect(f"PRIVMSG &carol :said {number} meanwhile")
    client.expect(r"BATCH -")
    oldest = [line for line in client.seen if "said 2 meanwhile" in line][0]
    client.send(f"CHATHISTORY BEFORE &carol msgid={re.search('msgid=([^; ]+)', oldest)[1]} 2")
    for number in (0, 1):
        client.expect(f"PRIVMSG &carol :said {number} meanwhile")
    client.expect(r"BATCH -")
    client.close()
    far.close()


def irc_framework():
    if not shutil.which("node") or not os.path.isdir(f"{NODE}/irc-framework"):
        return "irc-framework is not installed (npm install into build/node)"
    host, port = a.irc_address()
    far = far_client()
    client = Program("node", os.path.join(folder_of_tests(), "node/client.js"), json.dumps(
        {"host": host, "port": port, "nick": "framework", "username": "me", "gecos": "me",
         "account": {"account": "alice@node", "password": PASSWORD}}), env={**os.environ, "NODE_PATH": NODE})
    caps = client.expect(event="registered")["caps"]
    assert {"server-time", "message-tags", "batch", "echo-message", "sasl", "labeled-response"} <= set(caps), caps
    client.expect(event="join", channel="&carol", nick="framework")
    assert "can talk" in client.expect(event="topic", channel="&carol")["text"]
    assert "carol" in client.expect(event="names", channel="&carol")["users"]
    client.send(say=["&carol", f"node says {UNICODE}"])
    far.expect(rf"PRIVMSG &alice :node says {re.escape(UNICODE)}$")
    client.expect(event="privmsg", nick="framework", target="&carol", text=f"node says {UNICODE}")
    keep_typing(lambda: far.send("@+typing=active TAGMSG &alice"), lambda: client.find(event="tagmsg", nick="carol"))
    assert client.find(event="tagmsg", nick="carol")[0]["tags"]["+typing"] == "active"
    far.send(f"PRIVMSG &alice :to node {UNICODE}")
    got = client.expect(event="privmsg", nick="carol", text=f"to node {UNICODE}")
    assert got["target"] == "&carol" and abs(got["time"] / 1000 - time.time()) < 60 and got["tags"]["msgid"]
    keep_typing(lambda: client.send(typing="&carol"), lambda: heard_typing(far, "alice"))
    long = "lorem ipsum " * 200
    client.send(say=["&carol", long])
    wait_for("a long text", lambda: "".join(texts(c, "carol", "alice")[-12:]).replace(" ", "").endswith(long.replace(" ", "")))
    assert client.end() == 0
    c.do("say", account="carol", conversation="alice", text="while node was away")
    wait_for("line at A", lambda: texts(a, "alice", "carol")[-1] == "while node was away")
    again = Program("node", os.path.join(folder_of_tests(), "node/client.js"), json.dumps(
        {"host": host, "port": port, "nick": "framework", "username": "me", "gecos": "me",
         "password": f"alice@node:{PASSWORD}"}), env={**os.environ, "NODE_PATH": NODE})
    missed = again.expect(event="privmsg", nick="carol", text="while node was away")
    assert missed["batch"] == "chathistory" and missed["time"], missed
    assert not again.find(text=f"to node {UNICODE}"), "shown twice"
    again.end()
    errors = [event for event in client.find(event="error") + again.find(event="error") if "Quit" not in event["text"]]
    assert not errors, errors
    far.close()


def libircclient():
    program = os.path.join(BINARIES, "tests/e2e_irc_client")
    if not os.path.exists(program):
        return "libircclient is not installed"
    host, port = a.irc_address()
    far = far_client()
    client = Program(program, host, str(port), "classic", f"alice@classic:{PASSWORD}")
    client.expect(event="CONNECT")
    client.expect(event="JOIN", nick="classic", target="&carol")
    client.send(target="&carol", text=f"from C {UNICODE}")
    far.expect(rf"PRIVMSG &alice :from C {re.escape(UNICODE)}$")
    far.send(f"PRIVMSG &alice :to C {UNICODE}")
    client.expect(event="CHANNEL", nick="carol", target="&carol", text=f"to C {UNICODE}")
    a.do("say", account="alice", conversation="carol", text="from another client of mine")
    client.expect(event="CHANNEL", nick="classic", target="&carol", text="from another client of mine")
    assert not client.find(text=f"from C {UNICODE}"), "an echo that was not asked for"
    assert client.end() == 0
    far.close()


def weechat():
    if not shutil.which("weechat-headless"):
        return "weechat-headless is not installed"
    host, port = a.irc_address()
    far = far_client()
    home = tempfile.mkdtemp(prefix="rg-weechat-")
    # Debian's headless package has no plugin that takes commands; signals can be bound to them.
    says, asks = f"from weechat {UNICODE.replace(';', '')}", "status"
    commands = [f"/server add gw {host}/{port}", "/set irc.server.gw.ssl off", "/set irc.server.gw.nicks weeal",
                "/set irc.server.gw.sasl_mechanism plain", "/set irc.server.gw.sasl_username alice@weechat",
                f"/set irc.server.gw.sasl_password \"{PASSWORD}\"", "/set irc.server_default.capabilities \"*\"",
                "/set irc.server.gw.autoreconnect off",
                "/set logger.file.flush_delay 0", "/set logger.mask.irc \"$server.$channel.log\"",
                f"/set weechat.signal.sigusr1 \"/msg -server gw &carol {says}\"",
                f"/set weechat.signal.sigquit \"/msg -server gw &gateway {asks}\"",
                "/set weechat.signal.sigusr2 \"/disconnect gw\"", "/set weechat.signal.sighup \"/connect gw\"", "/connect gw"]
    words = [word for command in commands for word in ("-r", command)]
    process = subprocess.Popen(["weechat-headless", "-d", home, *words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def logged(channel):
        text = ""
        for path in glob.glob(f"{home}/**/gw.{channel}.log", recursive=True):
            with open(path, errors="replace") as file:
                text += file.read()
        return text

    def shows(channel, pattern, seconds=20):
        try:
            return wait_for(pattern, lambda: re.search(pattern, logged(channel), re.M), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{logged(channel)[-1500:]}\n{logged('*')[-1500:]}") from None

    try:
        shows("&carol", r"weeal.*has joined &carol|-->\tweeal")
        far.send(f"PRIVMSG &alice :to weechat {UNICODE}")
        shows("&carol", rf"\tcarol\tto weechat {re.escape(UNICODE)}$")
        process.send_signal(signal.SIGUSR1)
        far.expect(rf"PRIVMSG &alice :{re.escape(says)}$")
        shows("&carol", rf"\tweeal\t{re.escape(says)}$")
        a.do("say", account="alice", conversation="carol", text="from another client of mine")
        shows("&carol", r"\tweeal\tfrom another client of mine$")
        process.send_signal(signal.SIGQUIT)
        shows("&gateway", r"\t@gateway\t.*vault open")
        process.send_signal(signal.SIGUSR2)
        shows("&carol", "disconnected from server")
        far.send("PRIVMSG &alice :while weechat was away")
        wait_for("line at A", lambda: texts(a, "alice", "carol")[-1] == "while weechat was away")
        process.send_signal(signal.SIGHUP)
        shows("&carol", r"\tcarol\twhile weechat was away$")
        assert logged("&carol").count("from another client of mine") == 1
        assert logged("&carol").count(says) == 1
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
    far.close()


def hostile():
    """A client that misbehaves ends itself alone."""
    good = Irc(a, "alice", PASSWORD)
    good.expect(r" 366 \S+ &carol ")
    for data in (b"\0\0\0\r\n", b"x" * 100000 + b"\r\n", b"\xff\xfe PRIVMSG\r\n", b"@" * 9000 + b"\r\n",
                 b"NICK\r\nUSER\r\nPASS\r\nJOIN &carol\r\n", b"CAP REQ :" + b"a " * 250 + b"\r\n", b":\r\n \r\n: :\r\n"):
        sock = socket.create_connection(a.irc_address())
        sock.sendall(data)
        sock.close()
    good.send("PRIVMSG &nobody :hello")
    good.expect(" 403 ")
    good.send("PRIVMSG &carol :")
    good.expect(" 412 ")
    good.send("PRIVMSG &carol :\x01VERSION\x01")
    good.expect(" 404 ")
    good.send("KICK &carol carol")
    good.expect(" 482 ")
    good.send("FROB")
    good.expect(" 421 ")
    good.none("ERROR")
    good.close()


if __name__ == "__main__":
    try:
        run(meeting, log_in, channels, both_ways, read_in_step, over_websocket, typing, long_lines, replay,
            history_on_demand, irc_framework, libircclient, weechat, presence, hostile)
    finally:
        end_programs()
