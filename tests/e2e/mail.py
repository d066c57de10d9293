# SPDX-License-Identifier: ISC
"""What tests of posts share: people who know each other, sending, and waiting for what becomes of a post."""
import base64
import poplib
import smtplib

from harness import wait_equal, wait_for

PASSWORD = "correct horse"


def acquainted(left, left_account, right, right_account, universal=True):
    """Each is a contact of the other under the account's name, and everybody may write to them."""
    people = ((left, left_account, right, right_account), (right, right_account, left, left_account))
    for gateway, account, other, other_account in people:
        gateway.do("contact.add", account=account, handle=other_account,
                   key=other.do("account.show", account=other_account)["key"])
        if universal:
            gateway.do("account.set", account=account, universal=True)


def send(gateway, account, to, subject, text="A text.\n", **arguments):
    """The number of the post in the sender's log."""
    return gateway.do("post.send", account=account, to=[to] if isinstance(to, str) else to, subject=subject, text=text,
                      **arguments)["seq"]


def upload(gateway, account, data):
    """The id of an upload that holds this."""
    opened = gateway.do("upload.open", account=account)["upload"]
    for offset in range(0, len(data), 384 << 10):
        piece = base64.b64encode(data[offset:offset + (384 << 10)]).decode()
        gateway.do("upload.write", account=account, upload=opened, data=piece, offset=offset)
    return opened


def show(gateway, account, seq):
    return gateway.do("post.show", account=account, seq=seq)


def fates(gateway, account, seq):
    """Of each recipient: (delivery, protection, level)."""
    return [(it["delivery"], it["protection"], it["level"]) for it in show(gateway, account, seq)["deliveries"]]


def await_fates(gateway, account, seq, *expected, seconds=30):
    wait_equal(f"post {seq} of {account}", lambda: fates(gateway, account, seq), list(expected), seconds)


def posts(gateway, account, box="in"):
    """Newest first."""
    return gateway.do("post.list", account=account, box=box, max=200)["posts"]


def arrived(gateway, account, subject, seconds=30):
    """The one post with this subject."""
    def found():
        return [post for post in posts(gateway, account) if post["subject"] == subject]
    got = wait_for(f"{subject!r} at {account}", found, seconds)
    assert len(got) == 1, got
    return got[0]


def part(gateway, account, seq, number):
    """An attachment, decoded."""
    data = b""
    while True:
        piece = gateway.do("post.part", account=account, seq=seq, part=number, offset=len(data), size=262144)
        data += base64.b64decode(piece["data"])
        if piece["end"]:
            return data


def raw(gateway, account, seq):
    """The whole message, RFC 5322."""
    data = b""
    while True:
        piece = gateway.do("post.read", account=account, seq=seq, offset=len(data), size=262144)
        data += base64.b64decode(piece["data"])
        if piece["end"]:
            return data


def address_of(gateway, service, index=0):
    """(host, port) where `submission` or `pop3` listens."""
    host, port = gateway.do("status")["listening"][service][index].rsplit(":", 1)
    return host, int(port)


def smtp(gateway, account, password=PASSWORD):
    client = smtplib.SMTP(*address_of(gateway, "submission"), timeout=60)
    client.login(account, password)
    return client


def pop3(gateway, account, password=PASSWORD):
    client = poplib.POP3(*address_of(gateway, "pop3"), timeout=60)
    client.user(account)
    client.pass_(password)
    return client


def messages(client):
    """All of a maildrop."""
    return [b"\r\n".join(client.retr(number + 1)[1]) + b"\r\n" for number in range(client.stat()[0])]
