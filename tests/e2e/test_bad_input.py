# SPDX-License-Identifier: ISC
"""What a daemon is given and must refuse, with the reason, and goes on."""
import base64
import json
import os
import re
import socket
import ssl
import time

from harness import Gateway, Lines, can_talk, chain, conversation, run, state_of, wait_equal, wait_for

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/retroshare-0.5/invite.json")


def refused(gateway, code, words, command, /, **arguments):
    error = gateway.refused(command, **arguments)
    assert error.code == code, f"{command}: {error}"
    assert re.search(words, error.text), f"{command}: {error}"


def meeting():
    global a, b
    a, b = chain("A", "B")
    a.account("alice")
    b.account("bob")
    b.account("mallory")


def key_of(gateway, account):
    return gateway.do("account.show", account=account)["key"]


def invites():
    invite = a.do("invite.new", account="alice", key=key_of(b, "bob"), valid=60)
    link, key = invite["link"], key_of(a, "alice")

    def bob(code, words, text, **arguments):
        refused(b, code, words, "invite.open", account="bob", link=text, **arguments)
    stamp = re.search(r"time_stamp=(\d+)", link).group(1)
    blob = re.search(r"encrypted_data=([^&]+)", link).group(1)
    assert abs(int(stamp) - time.time() - 60) < 30

    refused(b, "denied", "for key", "invite.open", account="mallory", link=link, key=key)
    passed_on = re.sub(r"gpgid=\w+", "gpgid=" + b.do("account.show", account="mallory")["fingerprint"][-16:], link)
    refused(b, "denied", "somebody else", "invite.open", account="mallory", link=passed_on, key=key)
    bob("expired", "expired", link.replace(stamp, "1380715200"), key=key)
    bob("not-found", "made by key.*add the inviter", link)
    bob("denied", "another key", link, key=key_of(b, "mallory"))
    bob("invalid", "own key", link, key=key_of(b, "bob"))
    damaged = base64.b64decode(blob + "=" * (-len(blob) % 4))
    for at in (0, 5, 40, 200, len(damaged) // 2, len(damaged) - 1):
        edited = bytearray(damaged)
        edited[at] ^= 1
        text = link.replace(blob, base64.b64encode(edited).decode().rstrip("=") if "=" not in blob else
                            base64.b64encode(edited).decode())
        assert b.refused("invite.open", account="bob", link=text, key=key).code in ("invalid", "denied", "limit")
    for text in ("", "hello", "retroshare://", "retroshare://private_chat", "retroshare://private_chat?",
                 link[:len(link) // 2], link.replace("encrypted_data", "encrypted_date"), link + "\nmore",
                 link.replace("time_stamp=", "time_stamp=x"), link + "&gpgid=0000000000000000", "x" * 20000,
                 a.do("account.show", account="alice")["link"]):
        bob("invalid", ".", text, key=key)
    assert b.do("contact.list", account="bob")["contacts"] != [], "the inviter named with a key is a contact now"
    assert b.do("conversation.list", account="bob")["conversations"] == []

    for arguments in ({"valid": 59}, {"valid": 10**9}, {"uses": 0}, {"uses": -2}, {"contact": "nobody"}, {"key": "no key"}):
        assert a.refused("invite.new", account="alice", **{"key": key_of(b, "bob"), **arguments}).code == "invalid"
    refused(a, "invalid", "either", "invite.new", account="alice")
    refused(a, "not-found", ".", "invite.new", account="alice", contact="nobody")

    b.do("invite.open", account="bob", link=link, key=key)
    can_talk(b, "bob", "alice")
    wait_equal("the offer is used", lambda: [it["state"] for it in a.do("invite.list", account="alice")["invites"]],
               ["used"])
    assert "link" not in a.do("invite.list", account="alice")["invites"][0]
    bob("exists", "opened already", link)
    bob("exists", "opened already", link, key=key)


def revoked():
    never_opened = a.do("invite.new", account="alice", contact="bob")
    served = a.do("status")["tunnels"]["served"]
    a.do("invite.revoke", account="alice", invite=never_opened["id"])
    assert a.do("status")["tunnels"]["served"] == served - 1
    refused(a, "invalid", "already", "invite.revoke", account="alice", invite=never_opened["id"])
    refused(a, "not-found", ".", "invite.revoke", account="alice", invite=10**9)
    # Revoking a used one ends the way that it gave, and the other side is told.
    used = [it for it in a.do("invite.list", account="alice")["invites"] if it["state"] == "used"][0]
    a.do("invite.revoke", account="alice", invite=used["id"])
    wait_equal("B is told", lambda: state_of(b, "bob", "alice"), "closed by peer")
    wait_equal("the route is gone", lambda: conversation(a, "alice", "bob")["routes"], [])
    refused(a, "invalid", "no route", "say", account="alice", conversation="bob", text="x")


def limited_uses():
    """The first sealed use ends an offer; a classic one with two uses stays open after the first."""
    def offer(invite):
        return [(it["state"], it["uses_left"]) for it in a.do("invite.list", account="alice")["invites"]
                if it["id"] == invite["id"]]

    invite = a.do("invite.new", account="alice", contact="bob", uses=2)
    b.do("invite.open", account="bob", link=invite["link"])
    wait_for("the offer is used", lambda: offer(invite)[0][0] == "used")
    refused(a, "denied", "lower", "invite.new", account="alice", contact="bob", uses=2, protection="classic")
    for gateway, account, handle in ((a, "alice", "bob"), (b, "bob", "alice")):
        gateway.do("conversation.lower", account=account, conversation=handle, sure=True)
    invite = a.do("invite.new", account="alice", contact="bob", uses=2, protection="classic")
    b.do("invite.open", account="bob", link=invite["link"])
    can_talk(b, "bob", "alice")
    wait_equal("one use left", lambda: offer(invite), [("open", 1)])


def inviter_among_contacts():
    """Without a key the inviter is found among the contacts, not only the newest."""
    b.do("contact.add", account="mallory", key=key_of(a, "alice"))
    b.do("contact.add", account="mallory", key=key_of(b, "bob"))
    invite = a.do("invite.new", account="alice", key=key_of(b, "mallory"))
    assert b.do("invite.open", account="mallory", link=invite["link"])["contact"]["handle"] == "alice"


def recorded_forgeries():
    """Invites of the original program of 2013, and forged ones that it refused."""
    with open(VECTORS) as file:
        recorded = json.load(file)
    keys = {key["name"]: key for key in recorded["keys"]}
    old = keys["alice"]
    refused(b, "denied", "passphrase", "account.add", name="old", password="correct horse", key=old["keypair_export_armored"],
            key_passphrase="wrong")
    refused(b, "invalid", ".", "account.add", name="old", password="correct horse", key="no key")
    made = b.do("account.add", name="old", password="correct horse", key=old["keypair_export_armored"],
                key_passphrase=old["passphrase"])
    assert made["fingerprint"] == old["fingerprint"]
    b.do("contact.add", account="old", key=keys["carol"]["public_key_armored"])
    b.do("contact.add", account="old", key=keys["bob"]["public_key_armored"])
    for forged in recorded["refused_invites"]:
        link = (f"retroshare://private_chat?time_stamp=3280628800&gpgid={old['pgp_id']}&encrypted_data="
                f"{forged['encrypted_radix64']}")
        error = b.refused("invite.open", account="old", link=link)
        expected = "not-found" if forged["name"] == "unknown_signer_id" else "denied"
        assert error.code == expected, (forged["name"], str(error))
    good = {it["name"]: it for it in recorded["invites"]}["invite_bob_to_alice_valid_until_2073"]
    refused(b, "expired", ".", "invite.open", account="old", link=recorded["invites"][0]["link"])
    opened = b.do("invite.open", account="old", link=good["link"])
    assert len(opened["warnings"]) == 2, "neither expiry nor addressee was signed in 2013"
    b.do("account.remove", account="old", sure=True)


def friend_texts():
    full, brief = a.do("friend.self")["full"], a.do("friend.self")["short"]
    own = b.do("friend.self")
    refused(b, "exists", "already", "friend.add", text=full)
    refused(b, "exists", "already", "friend.add", text=brief)
    refused(b, "invalid", "own", "friend.add", text=own["full"])
    refused(b, "invalid", "own", "friend.add", text=own["short"])
    for text in (full, brief):
        for size in range(0, len(text) - 5, max(1, len(text) // 40)):
            assert b.refused("friend.add", text=text[:size]).code == "invalid", size
        for at in range(3, len(text) - 5, max(1, len(text) // 40)):
            edited = text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1:]
            assert b.refused("friend.add", text=edited).code in ("invalid", "exists"), at
    for text in ("hello", "-----BEGIN PGP PUBLIC KEY BLOCK-----", key_of(a, "alice"), "A" * 200000, "\u00e9" * 50, full * 2):
        assert b.refused("friend.add", text=text).code == "invalid"
    for addresses in (["not an address"], [1], ["127.0.0.1:99999"], ["127.0.0.1:1"] * 40):
        assert b.refused("friend.add", text=brief, addresses=addresses).code in ("invalid", "exists")
    refused(b, "not-found", ".", "friend.show", friend="nobody")
    refused(b, "not-found", ".", "friend.remove", friend="ffffffff")
    assert b.do("status")["friends"] == {"total": 1, "up": 1}


def accounts():
    for name in ("", "Alice", "a b", "gateway", "x" * 25, "é", "../x", "a\nb"):
        assert a.refused("account.add", name=name, password="correct horse").code == "invalid", name
    refused(a, "exists", "exists", "account.add", name="alice", password="correct horse")
    refused(a, "invalid", "8 to", "account.add", name="short", password="short")
    refused(a, "invalid", "sure", "account.remove", account="alice", sure=False)
    refused(a, "not-found", "no such", "account.remove", account="nobody", sure=True)
    refused(a, "not-found", "no such", "account.show", account="nobody")
    refused(a, "invalid", "account is missing", "account.show")
    refused(a, "invalid", "own key", "contact.add", account="alice", key=key_of(a, "alice"))
    refused(a, "invalid", ".", "contact.add", account="alice", key=a.do("friend.self")["full"])
    refused(a, "not-found", ".", "contact.show", account="alice", contact="nobody")
    refused(a, "exists", "handle", "contact.add", account="alice", key=key_of(b, "mallory"), handle="bob")
    refused(a, "invalid", "handle", "contact.add", account="alice", key=key_of(b, "mallory"), handle="Bob!")
    refused(a, "invalid", "presence", "contact.set", account="alice", contact="bob", presence="sometimes")
    refused(a, "not-found", ".", "conversation.show", account="alice", conversation="nobody")
    refused(a, "not-found", ".", "say", account="alice", conversation=10**12, text="x")
    refused(a, "invalid", ".", "app_password.new", account="alice", label="phone", scope="everything")
    refused(a, "invalid", "hex", "blob", account="alice", blob="../../vault.key")
    refused(a, "not-found", ".", "blob", account="alice", blob="0" * 64)


def raw(data, count=1):
    """Gives bytes to a control connection of its own; returns so many answers, and what came when we had ended."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(a.settings["control.socket"])
    lines, answers = Lines(sock), []
    try:
        sock.sendall(data)
        while len(answers) < count:
            answers.append(json.loads(lines.receive()))
        sock.shutdown(socket.SHUT_WR)
        while True:
            answers.append(json.loads(lines.receive()))
    except OSError:
        pass
    lines.close()
    return answers


def control_lines():
    def one(data):
        answers = raw(data + b"\n")
        assert len(answers) == 1, (data[:80], answers)
        return answers[0]

    def wrong(data, words=".", code="invalid"):
        error = one(data)["error"]
        assert error["code"] == code and re.search(words, error["text"]), (data[:80], error)
    for data in (b"", b"x", b"{", b"[]", b"1", b"null", b'"do"', b"{}", b'{"id":1}', b'{"do":"hello"}', b'{"id":1,"do":1}',
                 b'{"id":-1,"do":"hello"}', b'{"id":1.5,"do":"hello"}', b'{"id":"1","do":"hello"}',
                 b'{"id":1,"id":2,"do":"hello"}', b'{"id":1,"do":"hello"} {}', b'{"id":1,"do":"hello"', b"\0",
                 b'{"id":1,"do":"h\xff\xfe"}', b'{"id":1,"do":"\xed\xa0\x80"}', b'{"id":1,"do":"\\ud800"}',
                 b'{"id":99999999999999999999,"do":"hello"}', b"[" * 10000, b'{"a":' * 10000, b"GET / HTTP/1.1"):
        wrong(data)
    wrong(b'{"id":1,"do":"frobnicate"}', "unknown command")
    wrong(b'{"id":1,"do":"hello","extra":1}', "does not have")
    wrong(b'{"id":1,"do":"friend.add","text":1}', "text must be a text")
    wrong(b'{"id":1,"do":"friend.add"}', "text is missing")
    wrong(b'{"id":1,"do":"friend.add","text":"a\\u0000b"}', "not JSON")
    wrong(b'{"id":1,"do":"history","account":"alice","conversation":[1]}', "an id or a handle")
    wrong(b'{"id":1,"do":"history","account":"alice","conversation":"bob","max":501}', "max")
    wrong(b'{"id":1,"do":"history","account":"alice","conversation":"bob","before":1,"after":1}', "either")
    wrong(b'{"id":1,"do":"changes","account":"alice","after":-1}', "after")
    wrong(b'{"id":1,"do":"account.show","account":7}', "no such account", "not-found")
    wrong(b'{"id":1,"do":"watch","on":"yes"}', "true or false")
    wrong(b'{"id":1,"do":"friend.add","text":"' + b"a" * 900000 + b'"}', "longer")
    assert one(b'{"id":0,"do":"hello"}')["id"] == 0
    assert one(b'{"id":7,"do":"hello"}\r')["done"]["version"] == 1

    assert [answer["error"]["code"] for answer in raw(b"x" * (1 << 20) + b"more")] == ["limit"]
    answers = raw(b"".join(b'{"id":%d,"do":"hello"}\n' % i for i in range(500)), 500)
    assert [answer["id"] for answer in answers] == list(range(500))
    # Many at once: the first are served, none is harmed.
    crowd = []
    for _ in range(60):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(a.settings["control.socket"])
        except OSError:
            break
        crowd.append(sock)
    for sock in crowd:
        sock.close()
    wait_for("it answers a newcomer", answers_hello)
    assert a.do("hello")["version"] == 1


def answers_hello():
    try:
        return raw(b'{"id":1,"do":"hello"}\n')
    except OSError:
        return None


def friend_port():
    """Noise on the port for friends ends that connection alone."""
    host, port = a.do("status")["listening"]["friends"][0].rsplit(":", 1)
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000), b"\x16\x03\x01\xff\xff" + b"\0" * 70000):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
            except OSError:
                pass
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        try:
            with context.wrap_socket(sock) as tls:
                tls.sendall(b"hello")
                assert not tls.recv(100), "somebody without a certificate was answered"
        except OSError:
            pass
    assert a.do("status")["friends"]["up"] == 1


def stranger():
    s = Gateway("S")
    s.do("friend.add", text=a.do("friend.self")["full"])
    seen = wait_for("the attempt is listed", lambda: a.do("attempts")["attempts"])[0]
    self = s.do("friend.self")
    assert seen["location"] == self["location"] and seen["count"] >= 1 and "not a friend" in seen["reason"], seen
    assert self["fingerprint"].endswith(seen["issuer"].upper()), seen
    assert a.do("status")["friends"] == {"total": 1, "up": 1}
    assert [it["state"] for it in s.do("friend.list")["friends"]] != ["up"]
    assert s.do("status")["traffic"]["items_in"] == 0
    # Accepted, it is a friend at once, by the very certificate that was refused.
    a.do("friend.add", text=self["full"])
    s.do("friend.connect", friend=a.do("friend.self")["location"])
    wait_for("friends", lambda: a.do("status")["friends"]["up"] == 2)
    assert a.do("attempts")["attempts"] == []
    a.do("friend.remove", friend=self["location"])
    wait_for("S is put out", lambda: s.do("status")["friends"]["up"] == 0)
    assert a.do("status")["friends"] == {"total": 1, "up": 1}


def wrong_key_for_a_location():
    """A friend known by another PGP key under the same location: its certificate is not by that key."""
    s = Gateway("T")
    mine, hers = s.do("friend.self"), b.do("friend.self")

    def records(text):
        return base64.b64decode(text + "=" * (-len(text) % 4))
    forged = records(mine["short"]).replace(bytes.fromhex(mine["location"]), bytes.fromhex(hers["location"]))
    if forged == records(mine["short"]):
        return "the short invite holds no plain location"
    error = a.refused("friend.add", text=base64.b64encode(forged).decode())
    assert error.code in ("invalid", "exists"), error


def no_secret_in_the_log():
    for gateway in (a, b):
        log = gateway.log_text()
        for word in ("retroshare://", "correct horse", "BEGIN PGP", "alice", "mallory"):
            assert word not in log, word
    assert len(log.splitlines()) < 2000


if __name__ == "__main__":
    run(meeting, invites, revoked, limited_uses, inviter_among_contacts, recorded_forgeries, friend_texts, accounts,
        control_lines, friend_port, stranger, wrong_key_for_a_location, no_secret_in_the_log)
