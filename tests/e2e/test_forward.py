# SPDX-License-Identifier: ISC
"""What comes for an account that asks for it is sent on to a mail server: whole, in order, with an empty sender, also when the
server was away or the gateway killed; what the server will never take is left behind."""
import os
import socket
import tempfile
import threading

from harness import Gateway, run, wait_equal, wait_for
from mail import acquainted, arrived, raw, send


class Server(threading.Thread):
    """Takes mail by SMTP on loopback, or by LMTP on a socket. `say(phase)` may give another answer than the usual."""

    def __init__(self, path=None):
        super().__init__(daemon=True)
        self.lmtp, self.got, self.say = path is not None, [], lambda phase, text: None
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(path or ("127.0.0.1", 0))
        self.listener.listen()
        self.port = None if path else self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        file = client.makefile("rwb")

        def answer(phase, usual, text=b""):
            said = self.say(phase, text) or usual
            file.write(said + b"\r\n")
            file.flush()
            return said
        answer("banner", b"220 here")
        envelope, body = [], b""
        for line in file:
            word = line[:4].upper()
            if word in (b"EHLO", b"LHLO"):
                assert (word == b"LHLO") == self.lmtp
                file.write(b"250-here\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000\r\n")
                file.flush()
            elif word in (b"MAIL", b"RCPT"):
                envelope.append(line.strip().decode())
                answer(word.decode().lower(), b"250 ok")
            elif word == b"DATA":
                answer("data", b"354 go")
                body = b""
                for line in file:
                    if line == b".\r\n":
                        break
                    body += line[1:] if line.startswith(b".") else line
                if answer("end", b"250 taken", body).startswith(b"250"):
                    self.got.append((envelope, body))
                envelope = []
            else:
                answer("other", b"221 bye" if word == b"QUIT" else b"250 ok")
                if word == b"QUIT":
                    break
        client.close()

    def end(self):
        self.listener.close()


def subjects(server):
    return [line.decode().split(": ", 1)[1] for _, body in server.got for line in body.split(b"\r\n") if line.startswith(b"Subject: ")]


def meeting():
    global a, server, folder
    folder = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    server = Server()
    a = Gateway("A", **{"mail.forward": f"smtp://127.0.0.1:{server.port}"})
    a.account("alice")
    a.account("bob")
    acquainted(a, "alice", a, "bob")


def only_who_asks():
    send(a, "alice", "bob", "before")
    arrived(a, "bob", "before")
    a.do("account.set", account="bob", forward="bob@example.org")
    send(a, "alice", "bob", "one", ".A dot\n")
    wait_equal("it came", lambda: subjects(server), ["one"])
    envelope, body = server.got[0]
    assert envelope[0].startswith("MAIL FROM:<>") and envelope[1].startswith("RCPT TO:<bob@example.org>"), envelope
    whole = raw(a, "bob", arrived(a, "bob", "one")["seq"])
    assert body.endswith(whole), (body, whole)  # behind the mark
    assert b"\r\n.A dot\r\n" in body
    send(a, "bob", "alice", "not for bob")
    arrived(a, "alice", "not for bob")


def the_server_is_away():
    """Put off, not lost, also when the gateway is killed meanwhile."""
    server.say = lambda phase, text: b"451 later" if phase == "end" else None
    for number in range(3):
        send(a, "alice", "bob", f"waits {number}")
    arrived(a, "bob", "waits 2")
    a.kill()
    server.say = lambda phase, text: None
    a.start()
    wait_equal("all came, in order", lambda: subjects(server), ["one", "waits 0", "waits 1", "waits 2"])


def never_taken():
    """A message that the server refuses for good does not hold up the next one; a server that refuses itself does."""
    server.say = lambda phase, text: b"554 no" if phase == "end" and b"Subject: bad\r\n" in text else None
    send(a, "alice", "bob", "bad")
    send(a, "alice", "bob", "good")
    wait_equal("the next came", lambda: subjects(server)[4:], ["good"])
    server.say = lambda phase, text: b"550 nobody here" if phase == "rcpt" else None
    send(a, "alice", "bob", "after the mending")
    arrived(a, "bob", "after the mending")
    assert a.stop() == 0
    server.say = lambda phase, text: None
    a.start()
    wait_equal("it came in the end, once", lambda: subjects(server)[5:], ["after the mending"])


def by_lmtp():
    global server
    server.end()
    server = Server(f"{folder}/lmtp")
    assert a.stop() == 0
    a.settings["mail.forward"] = f"lmtp:{folder}/lmtp"
    a.start()
    send(a, "alice", "bob", "to a socket")
    wait_equal("it came", lambda: subjects(server), ["to a socket"])


def ended():
    a.do("account.set", account="bob", forward="")
    send(a, "alice", "bob", "stays here")
    arrived(a, "bob", "stays here")
    send(a, "alice", "bob", "stays here too")
    arrived(a, "bob", "stays here too")
    assert "stays here" not in subjects(server)
    server.end()
    os.remove(f"{folder}/lmtp")
    os.rmdir(folder)


run(meeting, only_who_asks, the_server_is_away, never_taken, by_lmtp, ended)
