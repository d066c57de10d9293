# SPDX-License-Identifier: ISC
"""Real gateways for tests: each in a folder of its own, on free loopback ports, ended by pid."""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BINARIES = os.environ.get("RETROGATE_BINARIES", "build/debug")
LONG = os.environ.get("RETROGATE_LONG") == "1" or "--long" in sys.argv
_running = []


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['text']}")
        self.code, self.text = error["code"], error["text"]


def wait_for(what, probe, seconds=20.0):
    """Calls `probe` until it gives something true; fails with `what` when it does not in time."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.02)


def wait_equal(what, probe, expected, seconds=20.0):
    """Like wait_for(), and shows what came instead."""
    got = []
    try:
        wait_for(what, lambda: got.clear() or got.append(probe()) or got[0] == expected, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}\nexpected {expected!r}\ngot      {got[0]!r}") from None


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


class Lines:
    """A connection that carries lines, JSON or IRC."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def send(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def receive(self, seconds=20.0):
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(1 << 20)
            except (TimeoutError, socket.timeout):
                return None
            if not data:
                raise ConnectionError("closed")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r").decode()

    def close(self):
        self.sock.close()


class Control(Lines):
    def __init__(self, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        super().__init__(sock)
        self.id, self.events = 0, []

    def do(self, command, /, **arguments):
        self.id += 1
        self.send(json.dumps({"id": self.id, "do": command, **arguments}))
        while True:
            line = self.receive(60)
            if line is None:
                raise AssertionError(f"{command}: no answer")
            answer = json.loads(line)
            if answer.get("id") != self.id:
                self.events.append(answer)
            elif "error" in answer:
                raise Refused(answer["error"])
            else:
                return answer["done"]


class Gateway:
    def __init__(self, name, folder=None, binaries=None, wait=True, **settings):
        self.name = name
        self.binaries = binaries or BINARIES
        # Short: the sockets of gpg-agent are below it.
        self.folder = folder or tempfile.mkdtemp(prefix="rg-", dir="/tmp")
        self.keep = folder is not None
        self.settings = {"node.name": name, "node.directory": f"{self.folder}/state", "node.listen": "127.0.0.1:0",
                         "control.socket": f"{self.folder}/control.sock", "irc.listen": "127.0.0.1:0",
                         "web.listen": "127.0.0.1:0", "mail.submission_listen": "127.0.0.1:0",
                         "mail.pop3_listen": "127.0.0.1:0", "account.typing": "yes", **settings}
        self.process, self.control = None, None
        _running.append(self)
        self.start(wait)

    def write_config(self):
        sections = {}
        for key, value in self.settings.items():
            section, key = key.split(".", 1)
            sections.setdefault(section, []).append(f"{key} = {value}")
        self.config = f"{self.folder}/retrogate.conf"
        with open(self.config, "w") as file:
            for section, lines in sections.items():
                file.write(f"[{section}]\n" + "\n".join(lines) + "\n")

    def start(self, wait=True):
        self.write_config()
        self.stopping = False
        self.log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen([f"{self.binaries}/retrogated", "-c", self.config], stderr=self.log,
                                        stdout=self.log, stdin=subprocess.DEVNULL)
        path = self.settings["control.socket"]

        def connect():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log_text()[-3000:]}")
            try:
                return Control(path)
            except OSError:
                return None
        self.control = wait_for("control socket", connect)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_for("node ready", lambda: self.do("status")["phase"] == "ready", 60)
        # Later starts listen where friends, and browsers, know it.
        listening = self.do("status")["listening"]
        web = [url.split("/")[2] for url in listening.get("web", [])]
        for key, addresses in (("node.listen", listening["friends"]), ("web.listen", web), ("web.listen_tls", web[-1:])):
            if addresses and self.settings.get(key) == "127.0.0.1:0":
                self.settings[key] = addresses[0]

    def log_text(self):
        with open(f"{self.folder}/log", errors="replace") as file:
            return file.read()

    def do(self, command, /, **arguments):
        try:
            return self.control.do(command, **arguments)
        except ConnectionError as error:
            raise ConnectionError(f"{self.name} hung up on {command}:\n{self.log_text()[-6000:]}") from error

    def refused(self, command, /, **arguments):
        """The error of a command that must be refused."""
        try:
            answer = self.do(command, **arguments)
        except Refused as error:
            return error
        raise AssertionError(f"{command} was not refused: {answer}")

    def irc_address(self):
        host, port = self.do("status")["listening"]["irc"][0].rsplit(":", 1)
        return host, int(port)

    def web_url(self, index=0):
        """The page's address, "http://127.0.0.1:8080/"; those with TLS come last."""
        return self.do("status")["listening"]["web"][index]

    def setup_link(self):
        """The link of the first run, while there is no account; otherwise None."""
        return self.do("status")["listening"].get("setup")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.control.close()
        self.log.close()

    def pause(self):
        """The process stands still, as one that is overloaded or suspended; `go_on` lets it run."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def begin_stop(self):
        if self.process is not None and self.process.poll() is None:
            self.stopping = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """A clean stop; anything a sanitizer found, or a leak, makes the exit code differ."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        if not self.stopping:
            self.begin_stop()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not stop:\n{self.log_text()[-3000:]}")
        self.control.close()
        self.log.close()
        return self.process.returncode

    def restart(self):
        return self.start()

    def befriend(self, other):
        """Friends of each other, each by the other's full certificate."""
        self.do("friend.add", text=other.do("friend.self")["full"])
        other.do("friend.add", text=self.do("friend.self")["full"])

    def account(self, name, password="correct horse", **arguments):
        return self.do("account.add", name=name, password=password, **arguments)


def friends_up(gateway, count):
    wait_for(f"{count} friends up at {gateway.name}", lambda: gateway.do("status")["friends"]["up"] >= count, 30)


def befriended(left, right):
    """Both are ready and friends, and the link is up."""
    left.wait_ready()
    right.wait_ready()
    before = left.do("status")["friends"]["up"], right.do("status")["friends"]["up"]
    left.befriend(right)
    friends_up(left, before[0] + 1)
    friends_up(right, before[1] + 1)


def chain(*names, **settings):
    """Gateways in a line, each a friend of the next."""
    nodes = [Gateway(name, wait=False, **settings) for name in names]
    for node in nodes:
        node.wait_ready()
    for left, right in zip(nodes, nodes[1:]):
        left.befriend(right)
    for index, node in enumerate(nodes):
        friends_up(node, (index > 0) + (index < len(nodes) - 1))
    return nodes


def meet(inviter, inviter_account, guest, guest_account, **arguments):
    """Exchanges keys, makes an invite and opens it; returns (handle at the inviter, handle at the guest)."""
    guest_key = guest.do("account.show", account=guest_account)["key"]
    inviter_key = inviter.do("account.show", account=inviter_account)["key"]
    invite = inviter.do("invite.new", account=inviter_account, key=guest_key, **arguments)
    opened = guest.do("invite.open", account=guest_account, link=invite["link"], key=inviter_key)
    return invite["handle"], opened["handle"]


def conversation(gateway, account, handle):
    return gateway.do("conversation.show", account=account, conversation=handle)


def state_of(gateway, account, handle):
    return conversation(gateway, account, handle)["state"]


def can_talk(gateway, account, handle, seconds=30):
    wait_for(f"{account} at {gateway.name} can talk", lambda: state_of(gateway, account, handle) == "can talk", seconds)


def lines_of(gateway, account, handle, direction="in"):
    lines, page = [], None
    while page is None or len(page) == 500:
        page = gateway.do("history", account=account, conversation=handle, max=500,
                          after=lines[-1]["seq"] if lines else 0)["lines"]
        lines += page
    return [line for line in lines if line["direction"] == direction]


def texts(gateway, account, handle, direction="in"):
    return [line["text"] for line in lines_of(gateway, account, handle, direction)]


def processes_below(folder):
    """Those that name the folder on their command line: the daemon, its keyring, its agents."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").replace("\0", " ").strip()
        except OSError:
            continue
        if folder in words:
            found[int(pid)] = words
    return found


def none_left(gateway):
    wait_for(f"the processes of {gateway.name} are gone", lambda: not processes_below(gateway.folder), 10)


def finish():
    """Stops all, checks that each stopped cleanly and left no process behind."""
    failed = []
    for gateway in _running:
        gateway.begin_stop()
    for gateway in _running:
        if gateway.stop() not in (0, -signal.SIGKILL):
            failed.append(f"{gateway.name} ended with {gateway.process.returncode}:\n{gateway.log_text()[-6000:]}")
        none_left(gateway)
    assert not failed, "\n".join(failed)


def run(*parts):
    """Runs the parts of a script in their order, then ends everything. A part that cannot run here returns why."""
    for part in (*parts, finish):
        begun = time.monotonic()
        why_not = part()
        print(f"{'SKIP' if why_not else 'ok'} {part.__name__} {time.monotonic() - begun:.1f} s"
              + (f": {why_not}" if why_not else ""),
              flush=True)


def clean():
    for gateway in _running:
        if gateway.process and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        if not gateway.keep and "RETROGATE_KEEP" not in os.environ:
            shutil.rmtree(gateway.folder, ignore_errors=True)


atexit.register(clean)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
