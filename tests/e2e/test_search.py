# SPDX-License-Identifier: ISC
"""What a browser asks besides chat: a line said again after a crash, lines found, tunnels named by the friends they go to."""
import os
import subprocess

from harness import BINARIES, can_talk, chain, conversation, friends_up, meet, run, texts, wait_for
from irc import Irc


def meeting():
    global a, b, c
    a, b, c = chain("A", "B", "C")
    a.account("alice")
    c.account("carol")
    meet(a, "alice", c, "carol", protection="classic")
    can_talk(a, "alice", "carol")
    can_talk(c, "carol", "alice")


def tunnels_have_friends():
    """Both ends and the relay name the same friends; only the asker's own conversations are named."""
    ids = {node.name: node.do("friend.self")["location"] for node in (a, b, c)}
    relayed = b.do("tunnels")["tunnels"]
    assert relayed and {it["role"] for it in relayed} == {"relay"}, relayed
    assert {it[side] for it in relayed for side in ("towards_initiator", "towards_endpoint")} == {ids["A"], ids["C"]}
    assert {it["location"] for it in b.do("friend.list")["friends"]} == {ids["A"], ids["C"]}
    served, dug = a.do("tunnels")["tunnels"], c.do("tunnels")["tunnels"]
    assert served and all((it["role"], it["towards_initiator"], it["towards_endpoint"]) == ("endpoint", ids["B"], None)
                          for it in served), served
    assert dug and all((it["role"], it["towards_initiator"], it["towards_endpoint"]) == ("initiator", None, ids["B"])
                       for it in dug), dug
    assert {it["id"] for it in served} & {it["id"] for it in relayed}
    assert all(it["conversation"] is None for it in served + relayed + dug), "the control socket is nobody's"


def said_once_over_a_crash():
    first = a.do("say", account="alice", conversation="carol", text="only once", label="browser-1", once=True)
    a.kill()
    a.restart()
    again = a.do("say", account="alice", conversation="carol", text="only once", label="browser-1", once=True)
    assert (first["epoch"], first["seq"]) == (again["epoch"], again["seq"])
    friends_up(a, 1)
    other = a.do("say", account="alice", conversation="carol", text="another", label="browser-2", once=True)
    assert other["seq"] > first["seq"]
    # carol would find out by silence, in 75 s, that her tunnel ended at a process that is no more.
    assert c.stop() == 0
    c.restart()
    friends_up(c, 1)
    c.do("conversation.open", account="carol", conversation="alice")
    wait_for("at carol", lambda: "another" in texts(c, "carol", "alice"), 60)
    assert texts(a, "alice", "carol", "out") == ["only once", "another"]
    assert texts(c, "carol", "alice").count("only once") <= 1


def lines_are_found():
    can_talk(a, "alice", "carol")
    for number in range(30):
        c.do("say", account="carol", conversation="alice", text=f"Zwetschgenröster Nummer {number}, ПРИВЕТ")
    wait_for("all at alice", lambda: len(texts(a, "alice", "carol")) == 30)
    found, page = [], {"before": 2 ** 62, "more": True}
    while page["more"]:
        page = a.do("search", account="alice", text="zwetschgenRÖSTER", before=page["before"], max=7)
        found += page["lines"]
    assert [it["text"].split(",")[0].split()[-1] for it in found] == [str(n) for n in reversed(range(30))]
    assert {it["handle"] for it in found} == {"carol"}
    assert len(a.do("search", account="alice", text="nummer 2, привет", conversation="carol")["lines"]) == 1
    shown = subprocess.run([f"{BINARIES}/retrogatectl", "--socket", f"{a.folder}/control.sock", "search", "nummer", "1", "--max", "3"],
                           capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 4, shown
    assert "Nummer 19" in shown.stdout.splitlines()[2] and "--before" in shown.stdout, shown.stdout
    person = Irc(a, "alice", "correct horse")
    person.send("PRIVMSG &gateway :search NUMMER 7")
    assert "Nummer 7" in person.expect(r"PRIVMSG &gateway :(.*from carol.*)").group(1)
    person.close()


def greeted():
    hello = b.do("hello")
    assert hello["vault"] == "open" and hello["friends"]["total"] == 2 and hello["friends"]["up"] >= 1
    shown = subprocess.run([f"{BINARIES}/retrogatectl", "--socket", f"{b.folder}/control.sock", "tunnels"], capture_output=True,
                           text=True)
    assert shown.returncode == 0 and "relay" in shown.stdout, shown
    assert conversation(a, "alice", "carol")["avatar"] is None
    assert "Zwetschgen" not in a.log_text() and "browser-1" not in a.log_text()


if __name__ == "__main__":
    run(meeting, tunnels_have_friends, said_once_over_a_crash, lines_are_found, greeted)
