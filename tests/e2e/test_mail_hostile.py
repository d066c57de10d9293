# SPDX-License-Identifier: ISC
"""Mail clients that mean harm: messages hidden in others, words said before TLS, endless lines and headers, messages that unfold, crowds, the
silent, and a full disk. The gateway answers others all the while, holds little more, and loses nothing that it took."""
import base64
import os
import smtplib
import socket
import subprocess
import tempfile

from harness import Gateway, run, wait_for
from hostile import alive, grown, memory
from mail import PASSWORD, acquainted, address_of, arrived, pop3, posts, raw, send, show, smtp

MEBI = 1 << 20


def meeting():
    global a, b, before
    a = Gateway("A", **{"mail.submission_listen_start": "127.0.0.1:0", "mail.pop3_listen_start": "127.0.0.1:0"})
    a.account("alice", PASSWORD)
    a.account("bob", PASSWORD)
    acquainted(a, "alice", a, "bob")
    submit("to begin with", b"x\r\n")
    arrived(a, "bob", "to begin with")
    before = memory(a)


def submit(subject, body, head=b""):
    """The code of the answer to the whole message."""
    with smtp(a, "alice") as client:
        client.mail("alice@distant.alt")
        client.rcpt("bob@distant.alt")
        try:
            return client.data(b"Subject: " + subject.encode() + b"\r\n" + head + b"\r\n" + body)[0]
        except smtplib.SMTPResponseException as error:
            return error.smtp_code
        except smtplib.SMTPServerDisconnected:
            return 0


class Talk:
    """A connection on which anything can be said."""

    def __init__(self, service="submission", index=0):
        self.sock = socket.create_connection(address_of(a, service, index), timeout=30)
        self.file = self.sock.makefile("rb")

    def say(self, data):
        self.sock.sendall(data)

    def answer(self):
        """The last line of the next answer; empty: closed."""
        while True:
            try:
                line = self.file.readline()
            except OSError:
                return b""
            if len(line) < 4 or line[3:4] != b"-":
                return line

    def close(self):
        self.file.close()
        self.sock.close()


def nothing_is_smuggled():
    """What only half the world takes for the end of a message ends none."""
    for number, end in enumerate((b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\n.\r")):
        talk = Talk()
        talk.answer()
        talk.say(b"EHLO x\r\n")
        talk.answer()
        talk.say(b"AUTH PLAIN " + base64.b64encode(f"\0alice\0{PASSWORD}".encode()) + b"\r\n")
        assert talk.answer().startswith(b"235")
        talk.say(b"MAIL FROM:<alice@distant.alt>\r\n")
        talk.answer()
        talk.say(b"RCPT TO:<bob@distant.alt>\r\n")
        talk.answer()
        talk.say(b"DATA\r\n")
        assert talk.answer().startswith(b"354")
        talk.say(b"Subject: outer %d\r\n\r\nx" % number + end + b"MAIL FROM:<alice@distant.alt>\r\nRCPT TO:<bob@distant.alt>\r\n"
                 b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\nQUIT\r\n")
        talk.answer()
        talk.close()
    send(a, "alice", "bob", "after smuggling")
    arrived(a, "bob", "after smuggling")
    assert not [post for post in posts(a, "bob") if post["subject"] == "smuggled"]


def nothing_said_before_tls_counts():
    for service, start, word in (("submission", b"STARTTLS\r\n", b"220"), ("pop3", b"STLS\r\n", b"+OK")):
        talk = Talk(service, 1)
        talk.answer()
        if service == "submission":
            talk.say(b"EHLO x\r\n")
            talk.answer()
        talk.say(start + b"NOOP\r\nNOOP\r\n")
        said = talk.answer()
        assert not said.startswith(word), f"{said} although more was said already"
        talk.sock.settimeout(3)
        try:
            assert b"OK" not in talk.sock.recv(4096)
        except OSError:
            pass
        talk.close()


def many_headers():
    code = submit("many headers", b"x\r\n", b"X-Many: " + b"y" * 20 + b"\r\n")
    assert code == 250
    assert submit("too many headers", b"x\r\n", b"X-Many: 1\r\n" * 100_000) in (0, 552, 554, 550)
    assert submit("an endless line", b"z" * (2 * MEBI) + b"\r\n") in (0, 250, 500, 552, 554)
    alive(a)
    grown(a, before, 120 * MEBI)


def what_unfolds():
    """Depth, parts, characters that lie: refused, or shown without harm."""
    deep = b""
    for number in range(300):
        deep += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (number, number)
    assert submit("deep", b"", b"MIME-Version: 1.0\r\n" + deep) in (250, 554, 552, 550)
    parts = b"".join(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" for _ in range(10_000)) + b"--b--\r\n"
    head = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    assert submit("parts", parts, head) in (250, 554, 552, 550)
    assert submit("lying", b"\xff\xfe\x80" * 1000, b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-7\r\n") in (250, 554, 550)
    for post in wait_for("some are there", lambda: posts(a, "bob")):
        show(a, "bob", post["seq"])
    alive(a)
    grown(a, before, 150 * MEBI)


def too_large():
    with smtp(a, "alice") as client:
        assert client.docmd("MAIL", f"FROM:<alice@distant.alt> SIZE={40 * MEBI}")[0] == 552
    talk = Talk()
    talk.answer()
    talk.say(b"EHLO x\r\n")
    talk.answer()
    talk.say(b"BDAT 99999999999999999999 LAST\r\n")
    assert talk.answer()[:1] == b"5"
    talk.close()


def crowds():
    talks = []
    for _ in range(100):
        try:
            talks.append(Talk())
        except OSError:
            break
    welcome = sum(talk.answer().startswith(b"220") for talk in talks)
    assert 1 <= welcome <= 40, welcome
    alive(a)
    for talk in talks:
        talk.close()
    wait_for("there is room again", greeted)
    client = pop3(a, "bob")
    client.quit()


def greeted():
    talk = Talk()
    try:
        return talk.answer().startswith(b"220")
    finally:
        talk.close()


def gone_before_quit():
    """POP3: many commands at once are answered in turn, and what was to be deleted stays when the connection breaks."""
    there = {post["seq"] for post in posts(a, "bob")}
    count = len(there)
    talk = Talk("pop3")
    talk.answer()
    talk.say(f"USER bob\r\nPASS {PASSWORD}\r\n".encode())
    talk.answer(), talk.answer()
    talk.say(b"".join(b"DELE %d\r\n" % number for number in range(1, count + 1)) + b"NOOP\r\n" * 5000 + b"RETR 99999999999999999999\r\n")
    answers = [talk.answer() for _ in range(count + 5001)]
    assert answers[-1].startswith(b"-ERR") and all(it.startswith(b"+OK") for it in answers[:-1])
    talk.close()
    assert there <= {post["seq"] for post in posts(a, "bob")}
    alive(a)


def full_disk():
    """While nothing can be written, a message is refused for now; then it is taken."""
    place = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True).returncode != 0:
        os.rmdir(place)
        return "a small file system cannot be mounted here"
    try:
        b = Gateway("B", folder=place)
        b.account("alice", PASSWORD)
        seq = send(b, "alice", "alice", "before")
        with open(f"{place}/ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        with smtp(b, "alice") as client:
            client.mail("alice@distant.alt")
            client.rcpt("alice@distant.alt")
            code, said = client.data(b"Subject: no room\r\n\r\n" + b"x" * 900 + b"\r\n" * 300_000)
            assert code in (451, 452), (code, said)
        os.remove(f"{place}/ballast")

        def taken():
            with smtp(b, "alice") as client:
                client.mail("alice@distant.alt")
                client.rcpt("alice@distant.alt")
                return client.data(b"Subject: room again\r\n\r\nx\r\n")[0] == 250
        wait_for("a message is taken again", taken, 30)
        arrived(b, "alice", "room again")
        assert b"before" in raw(b, "alice", seq)
        assert not [post for post in posts(b, "alice", "all") if post["subject"] == "no room"]
        assert b.stop() == 0
    finally:
        subprocess.run(["umount", "-l", place], check=False)
    return None


run(meeting, nothing_is_smuggled, nothing_said_before_tls_counts, many_headers, what_unfolds, too_large, crowds,
    gone_before_quit, full_disk)
