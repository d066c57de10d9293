#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""deploy/quickstart as a person would use it: start, talk over IRC, Ctrl-C, start again."""
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = os.path.abspath(os.environ.get("RETROGATE_BINARIES", f"{PROJECT}/build/debug"))
SECONDS = 120


class Quickstart:
    """Without a terminal or a HOME, from a directory that is not the project's."""

    def __init__(self, state, *arguments):
        environment = {"PATH": os.environ["PATH"], "RETROGATE_BINARIES": BINARIES}
        self.process = subprocess.Popen([f"{PROJECT}/deploy/quickstart", "--state", state, *arguments], cwd="/",
                                        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.text = ""
        for line in self.process.stdout:
            self.text += line
            if line.startswith("Ctrl-C ends it"):
                return
        self.process.wait()
        raise AssertionError(f"quickstart ended with {self.process.returncode}:\n{self.text}")

    def told(self, pattern):
        found = re.search(pattern, self.text)
        assert found, f"{pattern} is not in:\n{self.text}"
        return found[1]

    def port(self):
        return int(self.told(r"address +127\.0\.0\.1, port (\d+)"))

    def page(self):
        """The page's address, which answers and can be signed in to with what was printed."""
        address = self.told(r"page +(http://127\.0\.0\.1:\d+/)")
        body = json.dumps({"account": self.told(r"\n  account +(\S+)"), "password": self.password()}).encode()
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            assert answer.status == 200 and b"<html" in answer.read()
        request = urllib.request.Request(f"{address}api/1/session", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            assert answer.status == 200
        return address

    def password(self):
        return self.told(r"password +(\S+)")

    def mail(self, subject):
        """A message to echo, and what comes back, as a mail program has it."""
        name, password = self.told(r"\n  account +(\S+)"), self.password()
        with smtplib.SMTP("127.0.0.1", int(self.told(r"SMTP, 127\.0\.0\.1, port (\d+)")), timeout=SECONDS) as client:
            client.login(name, password)
            client.sendmail(f"{name}@distant.alt", ["echo@distant.alt"],
                            f"From: {name}@distant.alt\r\nTo: echo@distant.alt\r\nSubject: {subject}\r\n\r\nIs anybody there?\r\n")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            client = poplib.POP3("127.0.0.1", int(self.told(r"POP3, 127\.0\.0\.1, port (\d+)")), timeout=SECONDS)
            client.user(name)
            client.pass_(password)
            count = client.stat()[0]
            message = b"\n".join(client.retr(count)[1]) if count else b""
            client.quit()
            if f"Subject: Re: {subject}".encode() in message:
                assert b"Is anybody there?" in message
                return
            time.sleep(0.1)
        raise AssertionError("no answer came by mail")

    def interrupt(self):
        """Ctrl-C, which a terminal sends to all of its processes."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.text += self.process.communicate(timeout=SECONDS)[0]
        assert self.process.returncode == 0, f"ended with {self.process.returncode}:\n{self.text}"


class Irc:
    def __init__(self, port, login, password):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.lines = self.stream.makefile("rw", encoding="utf-8", newline="\r\n")
        self.send(f"PASS {login}:{password}", f"NICK {login}", f"USER {login} 0 * :{login}")
        self.until(r" 001 ")

    def send(self, *lines):
        self.lines.write("".join(f"{line}\n" for line in lines))
        self.lines.flush()

    def until(self, pattern):
        seen = []
        for line in self.lines:
            seen.append(line)
            if line.startswith("PING"):
                self.send("PONG" + line[4:].rstrip())
            if re.search(pattern, line):
                return line
        raise AssertionError(f"{pattern} never came in:\n{''.join(seen)}")

    def close(self):
        self.lines.close()
        self.stream.close()


def processes_of(state):
    """Command lines of all processes that name the folder, gpg-agents among them."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{state}/" in command:
            found.append(f"{pid} {command}")
    return found


def nothing_is_left(state):
    end = time.monotonic() + 10
    while processes_of(state) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes_of(state), processes_of(state)


def history(state):
    return subprocess.run([f"{BINARIES}/retrogatectl", "--socket", f"{state}/home.sock", "history", "echo"],
                          check=True, capture_output=True, text=True).stdout


def first_start(state):
    run = Quickstart(state)
    assert "&echo: can talk" in run.text, run.text
    irc = Irc(run.port(), "me", run.password())
    irc.until(r" JOIN :?&echo")
    irc.send("PRIVMSG &echo :does anybody hear me? ☂")
    irc.until(r"^\S*:?echo\S* PRIVMSG &echo :does anybody hear me\? ☂")
    irc.close()
    run.opened = run.page()
    run.mail("Hello")
    run.interrupt()
    nothing_is_left(state)
    return run


def second_start(state, first):
    run = Quickstart(state)
    assert (run.port(), run.password()) == (first.port(), first.password()), run.text
    assert run.page() == first.opened, run.text
    assert "makes an invite" not in run.text and "making" not in run.text, run.text
    assert history(state).count("does anybody hear me? ☂") == 2, history(state)
    irc = Irc(run.port(), "me", run.password())
    irc.send("PRIVMSG &echo :and now?")
    irc.until(r"PRIVMSG &echo :and now\?")
    irc.close()
    run.mail("And now")
    run.interrupt()
    nothing_is_left(state)


def a_taken_port_is_left_to_its_owner(state, first):
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", first.port()))
        owner.listen()
        run = Quickstart(state, "--no-demo")
        assert run.port() != first.port(), run.text
        assert len([line for line in processes_of(state) if "retrogated" in line]) == 1, processes_of(state)
        Irc(run.port(), "me", first.password()).close()
        run.interrupt()
    again = Quickstart(state, "--no-demo")
    assert again.port() == run.port(), again.text
    again.interrupt()
    nothing_is_left(state)


def refusals(state):
    for arguments, word in ((["--nonsense"], "usage"), (["--state", state + "x" * 60], "54 bytes")):
        run = subprocess.run([f"{PROJECT}/deploy/quickstart", *arguments], capture_output=True, text=True,
                             env={**os.environ, "RETROGATE_BINARIES": BINARIES}, check=False)
        assert run.returncode != 0 and word in run.stderr, run


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    state = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    try:
        first = first_start(state)
        second_start(state, first)
        a_taken_port_is_left_to_its_owner(state, first)
        refusals(state)
    finally:
        for line in processes_of(state):
            os.kill(int(line.split()[0]), signal.SIGKILL)
        shutil.rmtree(state, ignore_errors=True)
    print("ok")


main()
