# SPDX-License-Identifier: ISC
"""Submissions a second: 2 kB to one recipient on 10 connections, into the gateway's store and, on the same disk in the
same run, into the queue of Debian's Postfix (its hold queue, so that it delivers nothing meanwhile)."""
import base64
import os
import pwd
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402

CONNECTIONS, MESSAGES, ROUNDS = 10, int(os.environ.get("MESSAGES", "2000")), 3


class Client:
    """Submits messages one after the other; `left` is shared."""
    def __init__(self, address, login, recipient, left):
        self.left, self.recipient = left, recipient
        self.sock = socket.create_connection(address, timeout=30)
        self.file = self.sock.makefile("rb")
        self.expect(b"220")
        self.command("EHLO bench", b"250")
        if login:
            self.command("AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % login).encode()).decode(), b"235")
        self.sock.setblocking(False)
        self.input, self.wanted = b"", 0

    def expect(self, code):
        while True:
            line = self.file.readline()
            assert line.startswith(code), line
            if line[3:4] == b" ":
                return

    def command(self, text, code):
        self.sock.sendall(text.encode() + b"\r\n")
        self.expect(code)

    def begin(self):
        """False when there is nothing left to submit."""
        if not self.left[0]:
            return False
        self.left[0] -= 1
        self.number = self.left[0]
        self.sock.sendall(f"MAIL FROM:<alice@distant.alt>\r\nRCPT TO:<{self.recipient}>\r\nDATA\r\n".encode())
        self.answers = [b"250", b"250", b"354"]
        return True

    def message(self):
        head = (f"From: alice@distant.alt\r\nTo: {self.recipient}\r\nSubject: number {self.number}\r\n"
                "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
                f"Message-ID: <{self.number}.{time.monotonic_ns()}@distant.alt>\r\n\r\n")
        body = "a line of seventy characters, as people who write mail by hand do it.\r\n" * 25
        return (head + body + ".\r\n").encode()

    def readable(self):
        """False when it is done."""
        got = self.sock.recv(65536)
        assert got, "the server closed"
        *lines, self.input = (self.input + got).split(b"\r\n")
        for line in lines:
            assert line.startswith(self.answers[0]), line
            last = self.answers.pop(0)
            if last == b"354":
                self.sock.sendall(self.message())
                self.answers = [b"250", None]
            elif self.answers and self.answers[0] is None and not self.begin():
                return False
        return True


def submit(address, login, recipient):
    left = [MESSAGES]
    clients = [Client(address, login, recipient, left) for _ in range(CONNECTIONS)]
    with selectors.DefaultSelector() as selector:
        start = time.monotonic()
        for client in clients:
            client.begin()
            selector.register(client.sock, selectors.EVENT_READ, client)
        waiting = len(clients)
        while waiting:
            for key, _ in selector.select():
                if not key.data.readable():
                    selector.unregister(key.data.sock)
                    waiting -= 1
        seconds = time.monotonic() - start
    for client in clients:
        client.sock.close()
    return MESSAGES / seconds


class Postfix:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = probe.getsockname()
        self.folder = f"{folder}/postfix"
        for name in ("conf", "queue", "data"):
            os.makedirs(f"{self.folder}/{name}")
        for path in (folder, self.folder):
            os.chmod(path, 0o755)
        shutil.chown(f"{self.folder}/data", "postfix")
        with open(f"{self.folder}/conf/main.cf", "w", encoding="utf-8") as file:
            file.write(f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = bench.distant.alt
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_recipient_restrictions = check_client_access static:HOLD, permit_mynetworks, reject
smtpd_peername_lookup = no
maillog_file_prefixes = {self.folder}
maillog_file = {self.folder}/log
""")
        services = ["%s:%d inet n - n - - smtpd" % self.address, "pickup unix n - n 60 1 pickup",
                    "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                    "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
                    "proxymap unix - - n - - proxymap", "anvil unix - - n - 1 anvil", "postlog unix-dgram n - n - 1 postlogd"]
        with open(f"{self.folder}/conf/master.cf", "w", encoding="utf-8") as file:
            file.write("\n".join(services) + "\n")
        self.control("start")

    def control(self, verb):
        subprocess.run(["postfix", "-c", f"{self.folder}/conf", verb], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    gateway = harness.Gateway("bench", **{"account.typing": "no"})
    gateway.account("alice")
    gateway.account("bob")
    key = gateway.do("account.show", account="bob")["key"]
    handle = gateway.do("contact.add", account="alice", key=key)["handle"]
    password = gateway.do("app_password.new", account="alice", label="bench", scope="mail")["password"]
    host, port = gateway.do("status")["listening"]["submission"][0].rsplit(":", 1)
    rivals = {"retrogate": lambda: submit((host, int(port)), ("alice", password), f"{handle}@distant.alt")}
    why_not = "not installed" if not shutil.which("postfix") else "only as root" if os.geteuid() else ""
    if why_not:
        print(f"SKIP Postfix: {why_not}")
    else:
        pwd.getpwnam("postfix")
        postfix = Postfix(gateway.folder)
        rivals["Postfix"] = lambda: submit(postfix.address, None, "bob@example.alt")
    rates = {name: [] for name in rivals}
    try:
        for _ in range(ROUNDS):
            for name, run in rivals.items():
                rates[name].append(run())
    finally:
        if "Postfix" in rivals:
            postfix.control("stop")
    for name, rate in rates.items():
        print(f"{name}: {statistics.median(rate):.0f} submissions of 2 kB a second on {CONNECTIONS} connections "
              f"({', '.join('%.0f' % each for each in rate)})")
    harness.finish()


main()
