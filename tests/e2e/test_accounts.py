# SPDX-License-Identifier: ISC
"""Several people on one gateway, what each may do, and a vault whose key a person gives."""
import os
import time

from harness import (Gateway, befriended, can_talk, conversation, friends_up, meet, processes_below, run, state_of,
                     texts, wait_equal, wait_for)
from irc import Irc

PASSWORD = "correct-horse"


def meeting():
    global a, b
    a, b = Gateway("A", wait=False), Gateway("B", wait=False)
    befriended(a, b)
    for name in ("alice", "bob", "carol"):
        a.account(name, PASSWORD, operator=name == "alice")
    b.account("dave", PASSWORD)


def neighbours():
    """Two accounts of one gateway talk without a tunnel; a third talks to somebody elsewhere; nothing is mixed."""
    meet(a, "alice", a, "bob", protection="classic")
    meet(a, "carol", b, "dave", protection="classic")
    for account, handle in (("alice", "bob"), ("bob", "alice"), ("carol", "dave")):
        can_talk(a, account, handle)
    can_talk(b, "dave", "carol")
    a.do("say", account="alice", conversation="bob", text="over the fence")
    a.do("say", account="bob", conversation="alice", text="and back")
    a.do("say", account="carol", conversation="dave", text="far away")
    wait_equal("at bob", lambda: texts(a, "bob", "alice"), ["over the fence"])
    wait_equal("at alice", lambda: texts(a, "alice", "bob"), ["and back"])
    wait_equal("at dave", lambda: texts(b, "dave", "carol"), ["far away"])
    assert [it["handle"] for it in a.do("conversation.list", account="carol")["conversations"]] == ["dave"]
    a.do("conversation.close", account="bob", conversation="alice")
    wait_equal("alice is told", lambda: state_of(a, "alice", "bob"), "closed by peer")


def each_sees_its_own():
    alice, carol = Irc(a, "alice", PASSWORD, nick="al"), Irc(a, "carol", PASSWORD, nick="ca")
    carol.expect(r" 366 \S+ &dave ")
    carol.none("alice|bob")
    carol.send("PRIVMSG &bob :hello")
    carol.expect(" 403 ")
    carol.send("PRIVMSG &gateway :friends")
    assert "operator" in carol.expect(r":gateway!\S+ (PRIVMSG|NOTICE) &gateway :(.*)").group(2)
    alice.send("PRIVMSG &gateway :friends")
    alice.expect(r":gateway!\S+ PRIVMSG &gateway :.*B")
    b.do("say", account="dave", conversation="carol", text="only for carol")
    carol.expect("only for carol")
    alice.none("only for carol")
    alice.close()
    carol.close()


def app_passwords():
    made = a.do("app_password.new", account="carol", label="phone")
    phone, desk = Irc(a, "carol@phone", made["password"]), Irc(a, "carol@desk", PASSWORD)
    listed = a.do("app_password.list", account="carol")["app_passwords"]
    assert [it["label"] for it in listed] == ["phone"] and "password" not in listed[0] and listed[0]["last_used"] > 0
    a.do("app_password.revoke", account="carol", app_password=made["id"])
    phone.expect("ERROR.*revoked")
    desk.none("ERROR")
    Irc(a, "carol@phone", made["password"], expect="464")
    assert a.refused("app_password.revoke", account="carol", app_password=made["id"]).code == "not-found"
    a.do("account.password", account="carol", password="another-horse")
    Irc(a, "carol", PASSWORD, expect="464")
    Irc(a, "carol", "another-horse").close()
    desk.close()


def app_passwords_of_browsers():
    """They come and go with browsers: one that is not used for its time ends, and a full list makes room."""
    brief = a.do("app_password.new", account="carol", label="brief", idle=1)
    kept = a.do("app_password.new", account="carol", label="kept", idle=3600)
    wait_for("it is refused", lambda: time.time() * 1000 > brief["created"] + 1100)
    Irc(a, "carol@brief", brief["password"], expect="464")
    assert [it["label"] for it in a.do("app_password.list", account="carol")["app_passwords"]] == ["kept"]
    Irc(a, "carol@kept", kept["password"]).close()
    for number in range(70):
        a.do("app_password.new", account="carol", label=f"browser {number}", idle=3600)
    listed = a.do("app_password.list", account="carol")["app_passwords"]
    assert len(listed) == 64 and listed[-1]["label"] == "browser 69" and not any(it["own"] for it in listed)
    assert a.refused("app_password.revoke", account="carol", own=True).code == "not-found"
    for it in listed:
        a.do("app_password.revoke", account="carol", app_password=it["id"])


def guessing_is_slowed():
    said = []
    while not any("too many" in line for line in said):
        assert len(said) < 12, said
        said.append(Irc(a, "bob", "wrong", expect="464").seen[-1])
    assert "too many" in Irc(a, "bob", PASSWORD, expect="464").seen[-1]
    Irc(a, "alice", PASSWORD).close()  # nobody else suffers


def removal():
    """An account goes with its key, its history and its clients."""
    bob = Irc(a, "alice", PASSWORD)
    a.account("guest", PASSWORD)
    meet(a, "guest", b, "dave", protection="classic")
    can_talk(b, "dave", "guest")
    guest = Irc(a, "guest", PASSWORD)
    a.do("say", account="guest", conversation="dave", text="Quittengelee")
    wait_for("at dave", lambda: "Quittengelee" in texts(b, "dave", "guest"))
    home = f"{a.folder}/state/keys/{a.do('account.show', account='guest')['id']}"
    assert os.path.isdir(home)
    a.do("account.remove", account="guest", sure=True)
    guest.expect("ERROR.*removed")
    assert a.refused("account.show", account="guest").code == "not-found"
    wait_for("dave is told", lambda: state_of(b, "dave", "guest") == "closed by peer")
    b.do("say", account="dave", conversation="guest", text="still there?")
    assert "closed" in b.do("history", account="dave", conversation="guest", max=1)["lines"][0]["reason"]
    wait_for("its keys are gone", lambda: not os.path.exists(home))
    assert not [words for words in processes_below(home).values()]
    bob.none("ERROR")
    bob.close()
    Irc(a, "guest", PASSWORD, expect="464")
    again = a.account("guest", PASSWORD)
    assert a.do("conversation.list", account="guest")["conversations"] == [] and again["seq"] == 0
    assert a.stop() == 0
    a.start()
    assert sorted(it["name"] for it in a.do("account.list")["accounts"]) == ["alice", "bob", "carol", "guest"]
    with open(f"{a.folder}/state/retrogate.db", "rb") as file:
        assert b"Quittengelee" not in file.read(), "secure_delete is on"


def locked_vault():
    """vault = ask: until a person gives the key it relays, and answers nobody."""
    global c
    key = "5a" * 32
    c = Gateway("C", **{"vault.key": "ask"})
    d = Gateway("D")
    befriended(c, d)
    befriended(b, c)
    assert c.do("status")["vault"] == "locked"
    assert c.refused("account.add", name="erin", password=PASSWORD).code == "locked"
    assert c.refused("unlock", vault_key="short").code == "invalid"
    c.do("unlock", vault_key=key)
    assert c.refused("unlock", vault_key=key).code == "invalid"
    c.account("erin", PASSWORD)
    d.account("frank", PASSWORD)
    meet(c, "erin", b, "dave", protection="classic")
    meet(d, "frank", b, "dave", protection="classic")
    for handle in ("erin", "frank"):
        b.do("contact.set", account="dave", contact=handle, presence="always")
        can_talk(b, "dave", handle)
    b.do("say", account="dave", conversation="erin", text="before")
    wait_for("at erin", lambda: texts(c, "erin", "dave") == ["before"])

    assert c.stop() == 0
    d.pause()  # so that its first request finds the way to B complete
    c.start()
    friends_up(c, 1)
    d.go_on()
    friends_up(c, 2)
    assert c.do("status")["vault"] == "locked" and c.do("status")["tunnels"]["served"] == 0
    can_talk(b, "dave", "frank", 120)
    b.do("say", account="dave", conversation="frank", text="through a locked gateway")
    wait_for("at frank", lambda: "through a locked gateway" in texts(d, "frank", "dave"))
    assert "locked" in Irc(c, "erin", PASSWORD, expect="464").seen[-1]
    shown = conversation(c, "erin", "dave")
    assert shown["state"] == "no tunnel" and "locked" in shown["reason"], shown
    assert c.refused("invite.new", account="erin", contact="dave").code == "locked"
    assert state_of(b, "dave", "erin") != "can talk"
    waiting = b.do("say", account="dave", conversation="erin", text="waits for the key")

    assert c.refused("unlock", vault_key="5b" * 32).code == "denied"
    assert c.do("status")["vault"] == "locked"
    assert "locked" in Irc(c, "erin", PASSWORD, expect="464").seen[-1]
    c.do("unlock", vault_key=key)
    erin = Irc(c, "erin", PASSWORD)
    asked_at = 0

    def asks_and_arrives():
        nonlocal asked_at
        if time.monotonic() - asked_at > 6:  # sooner a second request is put off (router_dig)
            asked_at = time.monotonic()
            b.do("conversation.open", account="dave", conversation="erin")
        return "waits for the key" in texts(c, "erin", "dave")
    wait_for("the line for erin", asks_and_arrives, 90)
    erin.expect(r"PRIVMSG &dave :waits for the key")
    assert waiting["seq"] > 0 and texts(c, "erin", "dave") == ["before", "waits for the key"]
    erin.close()


def key_in_a_file():
    """Without its vault key the daemon says so, and makes no new one over accounts that are there."""
    assert c.stop() == 0
    for text, words in ((None, "gone"), ("zz", "64 hex")):
        path = f"{c.folder}/vault.hex"
        if text is not None:
            with open(path, "w") as file:
                file.write(text)
        c.settings["vault.key"] = path
        try:
            c.start()
            raise RuntimeError("it started")
        except AssertionError as error:
            assert words in str(error), error
    with open(path, "w") as file:
        file.write("5a" * 32 + "\n")
    c.start()
    assert c.do("status")["vault"] == "open"
    Irc(c, "erin", PASSWORD).close()


if __name__ == "__main__":
    run(meeting, neighbours, each_sees_its_own, app_passwords, app_passwords_of_browsers, guessing_is_slowed, removal,
        locked_vault, key_in_a_file)
