# SPDX-License-Identifier: ISC
"""What IRC clients hear of posts: two accounts of one gateway, written to over the web API and the control socket."""
from harness import Gateway, run, wait_for
from irc import Irc
from ws import Site

PASSWORD = "correct horse battery"


def meeting():
    global gateway, alice, bob
    gateway = Gateway("posts")
    for name in ("alice", "bob"):
        gateway.account(name, PASSWORD)
    keys = {name: gateway.do("account.show", account=name)["key"] for name in ("alice", "bob")}
    gateway.do("contact.add", account="alice", key=keys["bob"])
    gateway.do("contact.add", account="bob", key=keys["alice"])
    for name in ("alice", "bob"):
        gateway.do("account.set", account=name, universal=True)
    alice, bob = Irc(gateway, "alice@desk", PASSWORD), Irc(gateway, "bob@desk", PASSWORD)
    for client in (alice, bob):
        client.expect(r" 366 \S+ &gateway")


def arrival_and_delivery():
    """A script sends it over HTTP; each client hears its own side, once."""
    site = Site(gateway).sign_in("alice", PASSWORD)
    command = {"do": "post.send", "to": ["bob"], "subject": "Grüße \x02\x1b[31m " + "long " * 30, "text": "read me"}
    assert site.request("POST", "/api/1/do", command).status == 200
    notice = bob.expect(r"NOTICE &gateway :Post from alice: (.*) – read it with your mail client or on the page")
    assert notice[1].startswith("Grüße") and len(notice[1]) <= 61 and notice[1].isprintable(), notice[1]
    alice.expect(r"NOTICE &gateway :Delivered to bob: Grüße")
    for client in (alice, bob):
        client.none("NOTICE &gateway")
    # What is seen elsewhere is no news.
    seq = gateway.do("post.list", account="bob", box="in")["posts"][0]["seq"]
    gateway.do("post.flag", account="bob", seq=seq, flagged=True)
    gateway.do("post.flag", account="bob", seq=seq, seen=True)
    bob.none("NOTICE &gateway")


def failure():
    """A person who cannot be reached; what is withdrawn is told as not delivered."""
    gateway.account("carol", PASSWORD)
    gateway.do("contact.add", account="alice", key=gateway.do("account.show", account="carol")["key"], handle="carol")
    seq = gateway.do("post.send", account="alice", to=["carol"], subject="nobody", text="there")["seq"]
    alice.none("NOTICE &gateway")
    gateway.do("post.withdraw", account="alice", seq=seq)
    alice.expect(r"NOTICE &gateway :NOT delivered to carol: nobody – .*withdrawn")
    alice.none("NOTICE &gateway")


def away():
    """What was missed is one line."""
    wait_for("bob's client has said what it has seen", lambda: kept("bob", "irc/desk"))
    bob.close()
    for number in range(3):
        gateway.do("post.send", account="alice", to=["bob"], subject=f"missed {number}", text="x")
    wait_for("they came", lambda: len(gateway.do("post.list", account="bob", box="in")["posts"]) == 4)
    again = Irc(gateway, "bob@desk", PASSWORD)
    again.expect(r"NOTICE &gateway :3 posts came while you were away; \"posts\" lists the newest")
    again.none("missed")
    again.send("PRIVMSG &gateway :posts")
    for number in range(3):
        again.expect(rf"PRIVMSG &gateway :\d+: .* from alice@\S+ \(signed\): missed {number}")
    again.send("PRIVMSG &gateway :help")
    again.expect(r"PRIVMSG &gateway :posts – ")
    gateway.do("post.send", account="alice", to=["bob"], subject="now", text="x")
    again.expect(r"NOTICE &gateway :Post from alice: now – ")
    again.close()


def kept(account, name):
    """The cursor of a client stands at the account's last change."""
    return gateway.do("client.open", account=account, name=name)["change"] >= gateway.do("account.show", account=account)["change"]


run(meeting, arrival_and_delivery, failure, away)
