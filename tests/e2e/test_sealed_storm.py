# SPDX-License-Identifier: ISC
"""Two people say numbered lines to each other over bad roads, while the relay and both ends are killed at random
moments: each line whose `done` was seen is there exactly once and in order.

  python3 test_sealed_storm.py [--long] [seed]"""
import os
import random
import sys
import threading
import time

from harness import LONG, Control, Gateway, Refused, can_talk, finish, lines_of, meet, run, texts, wait_for
from proxy import CALM, Roads, Weather, befriend_over

SEED = next((int(word) for word in sys.argv[1:] if word.isdigit()), int.from_bytes(os.urandom(4), "big"))
SECONDS = 600 if LONG else 25
RATE = 40  # lines a second of each
STORM = Weather(delay=(0.001, 0.03), stall=0.01, stall_for=(0.1, 1.0), cut_every=5)
dice = random.Random(SEED)


class Talker(threading.Thread):
    """Says 0, 1, 2, …; each again until its `done` was seen, which its label makes harmless."""

    def __init__(self, gateway, account, handle, word):
        super().__init__(daemon=True)
        self.gateway, self.account, self.handle, self.word = gateway, account, handle, word
        self.said, self.repeated, self.over, self.failed = [], 0, False, None

    def run(self):
        control = None
        try:
            while not self.over or control is None:
                try:
                    control = control or Control(self.gateway.settings["control.socket"])
                    text = f"{self.word} {len(self.said)}"
                    control.do("say", account=self.account, conversation=self.handle, text=text, label=text, once=True)
                    self.said.append(text)
                    time.sleep(1 / RATE)
                except (OSError, ConnectionError):
                    control = None
                    self.repeated += 1
                    time.sleep(0.05)
                except Refused as refused:  # starting, stopping, or too many wait
                    if refused.code not in ("limit", "unavailable", "locked"):
                        raise
                    time.sleep(0.2)
        except Exception as error:
            self.failed = error

    def end(self):
        self.over = True
        self.join(60)
        assert not self.is_alive() and not self.failed, self.failed


def meeting():
    global nodes, roads, at_a, at_c
    print(f"seed {SEED}", flush=True)
    roads = Roads(SEED)
    nodes = [Gateway(name, wait=False) for name in "ABC"]
    for node in nodes:
        node.wait_ready()
    befriend_over(roads, nodes[0], nodes[1])
    befriend_over(roads, nodes[1], nodes[2])
    a, _, c = nodes
    a.account("alice")
    c.account("carol")
    at_a, at_c = meet(a, "alice", c, "carol")
    a.do("contact.set", account="alice", contact=at_a, presence="always")
    c.do("contact.set", account="carol", contact=at_c, presence="always")
    sealed(60)


def sealed(seconds):
    a, _, c = nodes
    for gateway, account, handle in ((a, "alice", at_a), (c, "carol", at_c)):
        can_talk(gateway, account, handle, seconds)
        shown = gateway.do("conversation.show", account=account, conversation=handle)
        assert shown["protection"] == "sealed", shown


def storm():
    global talkers
    a, _, c = nodes
    talkers = [Talker(a, "alice", at_a, "from A"), Talker(c, "carol", at_c, "from C")]
    roads.weather = STORM
    for talker in talkers:
        talker.start()
    kills, end = {node.name: 0 for node in nodes}, time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(dice.uniform(0.5, 5))
        fallen = dice.sample(nodes, dice.choice((1, 1, 1, 2)))
        for node in fallen:
            node.kill()
            kills[node.name] += 1
        time.sleep(dice.choice((0, dice.uniform(0, 1), dice.uniform(0, 4))))
        for node in fallen:
            node.start()
    for talker in talkers:
        talker.end()
    roads.weather = CALM
    print(f"  said {[len(talker.said) for talker in talkers]}, asked again {[talker.repeated for talker in talkers]}, "
          f"killed {kills}, roads cut {roads.cuts} times", flush=True)


def calm():
    """All that was said, once and in order, and told as delivered."""
    a, _, c = nodes
    sealed(120)
    for talker, gateway, account, handle in ((talkers[0], c, "carol", at_c), (talkers[1], a, "alice", at_a)):
        def last_is_there():
            page = gateway.do("history", account=account, conversation=handle, max=50)["lines"]
            return talker.said[-1] in [line["text"] for line in page]
        wait_for(f"the last of {talker.word}", last_is_there, 120)
        got = texts(gateway, account, handle)
        assert got == talker.said, difference(got, talker.said)
    for gateway, account, handle, talker in ((a, "alice", at_a, talkers[0]), (c, "carol", at_c, talkers[1])):
        def undelivered():
            return [(line["text"], line["delivery"], line["reason"]) for line in lines_of(gateway, account, handle, "out")
                    if line["delivery"] != "delivered"]
        wait_for(f"receipts at {gateway.name}; missing {undelivered()[:5]}", lambda: not undelivered(), 60)
        assert texts(gateway, account, handle, "out") == talker.said, "the own history differs"


def difference(got, said):
    at = next((i for i, pair in enumerate(zip(got, said)) if pair[0] != pair[1]), min(len(got), len(said)))
    missing, more = [text for text in said if text not in set(got)], len(got) - len(set(got))
    return (f"seed {SEED}: {len(got)} of {len(said)}, differ at {at}: {got[at:at + 3]} in place of {said[at:at + 3]}; "
            f"missing {missing[:5]}, {more} twice")


if __name__ == "__main__":
    run(meeting, storm, calm)
