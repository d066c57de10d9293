# SPDX-License-Identifier: ISC
"""The relay and the ends are killed at bad moments: nothing that was confirmed is lost, no line comes twice."""
import json

from harness import LONG, can_talk, chain, conversation, friends_up, lines_of, meet, run, state_of, texts, wait_equal, wait_for

ROUNDS = 20 if LONG else 1
number = 0


def meeting():
    global a, b, c, at_a, at_c
    a, b, c = chain("A", "B", "C")
    a.account("alice")
    c.account("carol")
    at_a, at_c = meet(a, "alice", c, "carol", protection="classic")
    # Kept without a client of the account being there.
    a.do("contact.set", account="alice", contact=at_a, presence="always")
    c.do("contact.set", account="carol", contact=at_c, presence="always")
    both_can_talk()


def both_can_talk():
    # A request that left before the other end was back is repeated after the back-off of 50 s (00 decision 13).
    can_talk(a, "alice", at_a, 120)
    can_talk(c, "carol", at_c, 120)


def relay_returns():
    """The relay meets the inviter first, so that the guest's first request finds it."""
    c.pause()
    b.start()
    friends_up(b, 1)
    c.go_on()


def say_a(text):
    return a.do("say", account="alice", conversation=at_a, text=text)["seq"]


def say_c(text):
    return c.do("say", account="carol", conversation=at_c, text=text)["seq"]


def delivery_of(gateway, account, handle, seqs):
    return [line["delivery"] for line in lines_of(gateway, account, handle, "out") if line["seq"] in seqs]


def batch(word, count):
    global number
    number += 1
    return [f"{number} {word} {i}" for i in range(count)]


def each_once_in_order(got, sent):
    """`got` holds all of `sent`, each once, in order, whatever stands between."""
    found = [text for text in got if text in sent]
    return found == sent


def never_twice():
    for gateway, account, handle in ((a, "alice", at_a), (c, "carol", at_c)):
        got = texts(gateway, account, handle)
        assert len(got) == len(set(got)), [text for text in got if got.count(text) > 1]


def relay_killed():
    for _ in range(ROUNDS):
        before = batch("before", 3)
        for text in before:
            say_a(text)
        wait_for("lines at C", lambda: each_once_in_order(texts(c, "carol", at_c), before))

        b.pause()
        caught = batch("caught", 3)
        caught_seqs = [say_a(text) for text in caught]
        assert delivery_of(a, "alice", at_a, caught_seqs) == ["sent"] * 3
        b.kill()
        for gateway, account, handle in ((a, "alice", at_a), (c, "carol", at_c)):
            shown = wait_for("the loss is told", lambda: (lambda it: it["state"] != "can talk" and it)(
                conversation(gateway, account, handle)))
            assert shown["state"] in ("no tunnel", "connecting") and len(shown["reason"]) > 5, shown
        wait_equal("what was caught", lambda: delivery_of(a, "alice", at_a, caught_seqs), ["not-confirmed"] * 3)
        reasons = {line["reason"] for line in lines_of(a, "alice", at_a, "out") if line["seq"] in caught_seqs}
        assert all(reasons), reasons

        queued_a, queued_c = batch("from A", 5), batch("from C", 5)
        seqs_a, seqs_c = [say_a(text) for text in queued_a], [say_c(text) for text in queued_c]
        assert delivery_of(a, "alice", at_a, seqs_a) == ["queued"] * 5
        assert delivery_of(c, "carol", at_c, seqs_c) == ["queued"] * 5
        assert conversation(a, "alice", at_a)["queued"] == 5
        a.do("withdraw", account="alice", seq=seqs_a[2])
        assert a.refused("withdraw", account="alice", seq=seqs_a[2]).code == "not-found"
        assert delivery_of(a, "alice", at_a, seqs_a) == ["queued"] * 2 + ["failed"] + ["queued"] * 2
        withdrawn = queued_a.pop(2)

        b.start()
        both_can_talk()
        wait_for("A's queued lines at C", lambda: each_once_in_order(texts(c, "carol", at_c), queued_a))
        wait_for("C's queued lines at A", lambda: each_once_in_order(texts(a, "alice", at_a), queued_c))
        wait_equal("all sent", lambda: delivery_of(c, "carol", at_c, seqs_c), ["sent"] * 5)
        assert conversation(a, "alice", at_a)["queued"] == 0
        assert withdrawn not in texts(c, "carol", at_c)
        assert not set(caught) & set(texts(c, "carol", at_c)), "a line that B held when it died was sent again"
        never_twice()


def again_by_hand():
    """What was not confirmed can be said again by the person, once more and as a new line."""
    line = [line for line in lines_of(a, "alice", at_a, "out") if line["delivery"] == "not-confirmed"][-1]
    sent = [line for line in lines_of(a, "alice", at_a, "out") if line["delivery"] == "sent"][-1]
    assert a.refused("resend", account="alice", conversation=at_a, seq=sent["seq"]).code == "invalid"
    assert a.refused("resend", account="alice", conversation=at_a, seq=10**9).code == "not-found"
    again = a.do("resend", account="alice", conversation=at_a, seq=line["seq"])
    assert again["seq"] > line["seq"]
    wait_for("said again", lambda: line["text"] in texts(c, "carol", at_c))
    never_twice()


def end_killed():
    """C falls in the middle of a stream both ways; what its clients were told is still there."""
    for _ in range(ROUNDS):
        mine = batch("C said", 40)
        for text in batch("to C", 40):
            say_a(text)
        confirmed = [(say_c(text), text) for text in mine]
        shown = lines_of(c, "carol", at_c, "in") + lines_of(c, "carol", at_c, "out")
        # One more whose answer nobody reads: it may be there or not, but not twice.
        c.control.send(json.dumps({"id": 10**6, "do": "say", "account": "carol", "conversation": at_c,
                                   "text": f"{number} cut"}))
        c.kill()
        c.start()
        after = {line["seq"]: line["text"] for line in lines_of(c, "carol", at_c, "in") + lines_of(c, "carol", at_c, "out")}
        for line in shown:
            assert after.get(line["seq"]) == line["text"], f"line {line['seq']} was shown and is gone"
        for seq, text in confirmed:
            assert after.get(seq) == text, f"line {seq} was confirmed and is gone"
        both_can_talk()
        fresh = batch("after the fall", 3)
        seqs = [say_c(text) for text in fresh]
        assert min(seqs) > max(after), "a number was given twice"
        wait_for("C speaks again", lambda: each_once_in_order(texts(a, "alice", at_a), fresh))
        arrived = [text for text in texts(a, "alice", at_a) if text in mine]
        assert arrived == [text for text in mine if text in arrived], "out of order"
        never_twice()


def inviter_killed():
    """Only the guest asks for tunnels; it finds the inviter again by itself."""
    if not LONG:
        return "takes minutes; with --long"
    a.kill()
    # Nobody tells the guest; three missed keep-alives do.
    wait_for("the loss is told", lambda: state_of(c, "carol", at_c) != "can talk", 120)
    a.start()
    both_can_talk()


def restart_with_a_queue():
    for kill in (False, True):
        b.kill()
        wait_for("the loss is told", lambda: state_of(a, "alice", at_a) != "can talk")
        waiting = batch("waits over a restart", 8)
        seqs = [say_a(text) for text in waiting]
        if kill:
            a.kill()
        else:
            assert a.stop() == 0
        a.start()
        assert delivery_of(a, "alice", at_a, seqs) == ["queued"] * 8
        assert conversation(a, "alice", at_a)["queued"] == 8
        relay_returns()
        wait_for("the queue at C", lambda: each_once_in_order(texts(c, "carol", at_c), waiting), 60)
        wait_equal("all sent", lambda: delivery_of(a, "alice", at_a, seqs), ["sent"] * 8)
        both_can_talk()
        never_twice()


def queue_has_a_limit():
    b.kill()
    wait_for("the loss is told", lambda: state_of(a, "alice", at_a) != "can talk")
    said = 0
    while True:
        try:
            last = say_a("x" * 65000)
            said += 1
        except Exception as refused:
            assert refused.code == "limit", refused
            break
        assert said < 100, "the queue has no limit"
    a.do("conversation.close", account="alice", conversation=at_a)
    wait_equal("none waits", lambda: [line["delivery"] for line in a.do(
        "history", account="alice", conversation=at_a, before=last + 1, max=5)["lines"]], ["failed"] * 5)


if __name__ == "__main__":
    run(meeting, relay_killed, again_by_hand, end_killed, inviter_killed, restart_with_a_queue, queue_has_a_limit)
