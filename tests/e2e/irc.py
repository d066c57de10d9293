# SPDX-License-Identifier: ISC
"""Clients for tests of the IRC bridge: one of our own that shows the bare lines, and programs that talk in JSON lines."""
import base64
import json
import os
import re
import socket
import subprocess
import threading
import time

from harness import Lines, wait_for

ALL = "server-time message-tags batch echo-message labeled-response account-tag standard-replies"
_programs = []


class Irc(Lines):
    """Logs in and reads until the end of the welcome. `name` is account or account@device."""

    def __init__(self, gateway, name, password, nick="me", caps=ALL, sasl=False, expect="422|376"):
        super().__init__(socket.create_connection(gateway.irc_address()))
        self.seen = []
        if caps or sasl:
            self.send("CAP LS 302")
            self.expect(r" LS :")
            self.send(f"CAP REQ :{caps}{' sasl' if sasl else ''}")
            self.expect(r" ACK ")
        if not sasl:
            self.send(f"PASS :{name}:{password}")
        self.send(f"NICK {nick}")
        self.send("USER me 0 * :Me Myself")
        if sasl:
            self.send("AUTHENTICATE PLAIN")
            self.expect(r"AUTHENTICATE \+")
            self.send("AUTHENTICATE " + base64.b64encode(f"\0{name}\0{password}".encode()).decode())
            self.expect(r" 90[0-9] ")
        if caps or sasl:
            self.send("CAP END")
        if expect:
            self.expect(rf" ({expect}) ")

    def expect(self, pattern, seconds=20.0):
        """The next line that matches. What was passed over stays in `seen`."""
        end = time.monotonic() + seconds
        while True:
            line = self.receive(max(0.01, end - time.monotonic()))
            if line is None:
                raise AssertionError(f"not in {seconds} s: {pattern}\n" + "\n".join(self.seen[-15:]))
            self.seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def none(self, pattern):
        """Nothing of this kind came until now: a PING's answer is behind all of it."""
        mark = f"mark{time.monotonic_ns()}"
        begin = len(self.seen)
        self.send(f"PING {mark}")
        self.expect(rf"PONG .*{mark}")
        found = [line for line in self.seen[begin:] if re.search(pattern, line)]
        assert not found, found

    def tags(self):
        """Of the last line seen."""
        line = self.seen[-1]
        return dict(tag.partition("=")[::2] for tag in line[1:].split(" ")[0].split(";")) if line[0] == "@" else {}


class Program:
    """A client program: takes and gives one JSON object a line. Ended by its pid."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.events = []
        threading.Thread(target=self._read, daemon=True).start()
        _programs.append(self)

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def send(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def find(self, **wanted):
        return [event for event in self.events if all(event.get(name) == value for name, value in wanted.items())]

    def expect(self, seconds=20.0, **wanted):
        try:
            return wait_for(f"event {wanted}", lambda: self.find(**wanted), seconds)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}; came: {self.events[-10:]}") from None

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def end_programs():
    for program in _programs:
        program.end()


def folder_of_tests():
    return os.path.dirname(os.path.abspath(__file__))
