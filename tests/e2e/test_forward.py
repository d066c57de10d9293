# SPDX-License-Identifier: ISC
"""Forwarding of a real daemon: posts received go to a mail server by SMTP, in order, each once unless the server fails;
what came before, and what carries the own mark, does not go."""
import socket
import threading

from harness import Gateway, run, wait_for
from mail import acquainted, arrived, send


class Server(threading.Thread):
    """Takes mail; `refuse` is said to RCPT while it is set."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken, self.commands, self.refuse = [], [], None
        self.start()

    def run(self):
        while True:
            try:
                self.serve(self.listener.accept()[0])
            except OSError:
                pass

    def serve(self, sock):
        file = sock.makefile("rb")
        answer = lambda text: sock.sendall(text.encode() + b"\r\n")
        answer("220 mx.test.alt")
        while line := file.readline():
            verb = line.split()[0].upper() if line.split() else b""
            self.commands.append(line.decode().strip())
            if verb == b"EHLO":
                answer("250-mx.test.alt\r\n250-SIZE 50000000\r\n250 8BITMIME")
            elif verb == b"RCPT" and self.refuse:
                answer(self.refuse)
            elif verb == b"DATA":
                answer("354 go on")
                data = b""
                while (part := file.readline()) not in (b".\r\n", b""):
                    data += part[1:] if part.startswith(b".") else part
                self.taken.append(data)
                answer("250 taken")
            elif verb == b"QUIT":
                answer("221 bye")
                break
            else:
                answer("250 fine")
        sock.close()


def main():
    server = Server()
    gateway = Gateway("a", **{"mail.forward": f"smtp://127.0.0.1:{server.port}"})
    gateway.account("alice")
    gateway.account("bob")
    acquainted(gateway, "alice", gateway, "bob")
    send(gateway, "alice", "bob", "before")
    arrived(gateway, "bob", "before")
    shown = gateway.do("account.set", account="bob", forward="bob@example.org")
    assert "bob@example.org" in shown["posts"]["forwarding"], shown
    for number in range(3):
        send(gateway, "alice", "bob", f"number {number}", ".a dot\n..two\n" + "long word\n" * 12000 * number)
    wait_for("three posts", lambda: len(server.taken) == 3)
    for number, data in enumerate(server.taken):
        assert data.startswith(b"X-Retrogate-Forwarded: "), data[:80]
        assert f"Subject: number {number}".encode() in data and b".a dot" in data, data[:500]
    assert "MAIL FROM:<> SIZE=" in "\n".join(server.commands), server.commands
    assert "RCPT TO:<bob@example.org>" in server.commands, server.commands

    # What is refused for good does not hold up what follows.
    server.refuse = "550 no"
    send(gateway, "alice", "bob", "refused")
    wait_for("the refusal", lambda: "forward-refused" in gateway.log_text())
    server.refuse = None
    send(gateway, "alice", "bob", "after")
    wait_for("one more", lambda: len(server.taken) == 4)
    assert b"Subject: after" in server.taken[3]

    # After a restart nothing goes again.
    gateway.stop()
    gateway.start()
    send(gateway, "alice", "bob", "restarted")
    wait_for("one more", lambda: len(server.taken) == 5)
    assert b"Subject: restarted" in server.taken[4]


run(main)
