# SPDX-License-Identifier: ISC
"""Posts between two gateways over a third: by each way, with receipts, with a big attachment while the relay dies, over
restarts, to an absent recipient, and to one whose vault is locked."""
import email
import email.policy
import os

from harness import LONG, chain, friends_up, meet, run, wait_equal, wait_for
from mail import (acquainted, address_of, arrived, await_fates, fates, messages, part, pop3, posts, raw, send, show, smtp,
                  upload)

KEY = "5a" * 32
SEALED = ("delivered", "sealed", "universal")
QUEUED = ("queued", "", "universal")


def meeting():
    global a, b, c
    a, b, c = chain("A", "B", "C", **{"vault.key": "ask"})
    for gateway in (a, b, c):
        gateway.do("unlock", vault_key=KEY)
    a.account("alice")
    c.account("carol")
    c.account("dave")
    c.account("erin")
    acquainted(a, "alice", c, "carol")
    acquainted(a, "alice", c, "dave")
    acquainted(a, "alice", c, "erin", universal=False)


def sealed_with_receipt():
    seq = send(a, "alice", "carol", "One", "Grüße.\n")
    await_fates(a, "alice", seq, SEALED)
    got = arrived(c, "carol", "One", 0)  # delivered is told when it is there, not before
    assert (got["verdict"], got["protection"], got["level"]) == ("signed", "sealed", "universal"), got
    assert show(c, "carol", got["seq"])["text"].strip() == "Grüße."
    answer = send(c, "carol", "alice", "Re: One", "Danke.\n", reply_to=got["seq"])
    await_fates(c, "carol", answer, SEALED)
    thread = [post["subject"] for post in
              a.do("post.list", account="alice", box="all", thread=arrived(a, "alice", "Re: One")["thread"])["posts"]]
    assert thread == ["Re: One", "One"], thread
    assert show(c, "carol", got["seq"])["answered"]


def several_recipients():
    """Each gets one, on one gateway or two; the sender is told of each."""
    seq = send(a, "alice", ["carol"], "Both", cc=["dave", "alice"])
    wait_for("all delivered", lambda: {fate[0] for fate in fates(a, "alice", seq)} == {"delivered"}, 30)
    for gateway, account in ((c, "carol"), (c, "dave"), (a, "alice")):
        got = arrived(gateway, account, "Both")
        assert len(got["to"]) == 1 and len(got["cc"]) == 2, got


def mail_in_mail_out():
    """SMTP at one end, POP3 at the other."""
    with smtp(a, "alice") as client:
        client.sendmail("alice@distant.alt", ["carol@distant.alt"],
                        "From: alice@distant.alt\r\nTo: carol@distant.alt\r\nSubject: By mail\r\n"
                        "Message-ID: <one@example.org>\r\n\r\n.A line with a dot\r\n")
    arrived(c, "carol", "By mail")
    client = pop3(c, "carol")
    got = [email.message_from_bytes(message, policy=email.policy.default) for message in messages(client)]
    client.quit()
    mail = next(message for message in got if message["Subject"] == "By mail")
    assert mail.get_content().splitlines() == [".A line with a dot"], mail.get_content()
    assert "alice@distant.alt" in mail["From"]
    assert any("pass" in value for value in mail.get_all("Authentication-Results")), mail.items()


def private_way():
    """Who has a sealed conversation needs no other way."""
    c.do("account.set", account="carol", universal=False)
    handle, _ = meet(a, "alice", c, "carol")
    wait_for("sealed", lambda: a.do("conversation.show", account="alice", conversation=handle)["protection"] == "sealed", 30)
    await_fates(a, "alice", send(a, "alice", "carol", "Private"), ("delivered", "sealed", "private"))
    assert arrived(c, "carol", "Private")["level"] == "private"


def by_a_link():
    """A link lets a stranger write until it is revoked; one without a way waits."""
    without = send(a, "alice", "erin", "Waits")
    link = c.do("post.link.new", account="erin")
    key = c.do("account.show", account="erin")["key"]
    opened = a.do("post.link.open", account="alice", link=link["link"], key=key)
    assert opened["contact"]["handle"] == "erin", opened
    await_fates(a, "alice", without, ("delivered", "sealed", "open"))
    assert arrived(c, "erin", "Waits")["level"] == "open"
    c.do("post.link.revoke", account="erin", link=link["id"])
    late = send(a, "alice", "erin", "Late")
    assert a.refused("post.link.open", account="alice", link=link["link"][:-4] + "AAAA", key=key).code == "denied"
    c.do("account.set", account="erin", universal=True)
    assert fates(a, "alice", late)[0][0] == "queued", "who has a link takes no other way while it is valid"


def big_attachment():
    """10 MiB, byte for byte, while the relay is killed on the way."""
    data = os.urandom(10 << 20)
    seq = send(a, "alice", "carol", "Big", attachments=[{"upload": upload(a, "alice", data), "name": "noise.bin"}])
    wait_for("it is under way", lambda: b.do("status")["traffic"]["bytes_forwarded"] > 1 << 20)
    b.kill()
    assert fates(a, "alice", seq)[0][0] == "queued", "killed too late"
    b.start()
    b.do("unlock", vault_key=KEY)
    friends_up(b, 2)
    await_fates(a, "alice", seq, ("delivered", "sealed", "private"), seconds=120)
    got = arrived(c, "carol", "Big")
    parts = show(c, "carol", got["seq"])["parts"]
    assert [(it["name"], it["size"]) for it in parts] == [("noise.bin", len(data))], parts
    assert part(c, "carol", got["seq"], parts[0]["part"]) == data


def absent_recipient():
    """It waits for who is away, over a restart of the sender."""
    assert c.stop() == 0
    seq = send(a, "alice", "carol", "While away")
    assert a.stop() == 0
    c.start()
    c.do("unlock", vault_key=KEY)
    friends_up(c, 1)
    a.start()
    assert fates(a, "alice", seq)[0][0] == "queued"
    a.do("unlock", vault_key=KEY)
    await_fates(a, "alice", seq, ("delivered", "sealed", "private"), seconds=90)
    arrived(c, "carol", "While away")


def locked_recipient():
    """A sealed post waits for the key; one that may go classic is kept unread, and opened in its place afterwards."""
    assert c.stop() == 0
    sealed = send(a, "alice", "dave", "Sealed for later")
    classic = send(a, "alice", "dave", "Opened later", "Behind the lock.\n", lower=["dave"])
    assert a.stop() == 0
    c.start()
    friends_up(c, 1)
    a.start()
    a.do("unlock", vault_key=KEY)
    await_fates(a, "alice", classic, ("not-confirmed", "classic", "universal"), seconds=60)
    wait_for("it is kept", lambda: c.do("status")["posts"]["locked"] == 1)
    assert fates(a, "alice", sealed)[0][0] == "queued"
    c.do("unlock", vault_key=KEY)
    got = arrived(c, "dave", "Opened later")
    assert (got["verdict"], got["protection"]) == ("signed", "classic"), got
    assert show(c, "dave", got["seq"])["text"].strip() == "Behind the lock."
    assert c.do("status")["posts"]["locked"] == 0
    await_fates(a, "alice", sealed, SEALED, seconds=120)


def waits_no_longer():
    """What waited too long comes back as a report. The shortest patience is a minute."""
    if not LONG:
        return "only in the long run"
    b.account("eve")
    a.do("contact.add", account="alice", handle="eve", key=b.do("account.show", account="eve")["key"])
    seq = send(a, "alice", "eve", "In vain", wait=60)
    wait_equal("it failed", lambda: fates(a, "alice", seq)[0][0], "failed", 150)
    report = wait_for("a report", lambda: [post for post in posts(a, "alice") if post["kind"] == "report"
                                           and "In vain" in raw(a, "alice", post["seq"]).decode()], 30)[0]
    mail = email.message_from_bytes(raw(a, "alice", report["seq"]), policy=email.policy.default)
    assert mail.get_content_type() == "multipart/report", mail.get_content_type()
    status = next(it for it in mail.walk() if it.get_content_type() == "message/delivery-status")
    assert "Action: failed" in "".join(str(it) for it in status.get_payload())


run(meeting, sealed_with_receipt, several_recipients, mail_in_mail_out, private_way, by_a_link, big_attachment,
    absent_recipient, locked_recipient, waits_no_longer)
