# SPDX-License-Identifier: ISC
"""Sealed chat over one relay: lines in bulk beside classic chat and beside what bounds them, one line with its receipt,
and what ten thousand sleeping conversations cost.

  python3 sealed.py [bulk] [latency] [sleepers]"""
import json
import os
import select
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402

LINES, SESSIONS, IN_FLIGHT = 100000, 16, 64
SLEEPERS, SECONDS = 10000, 60
PROTECTIONS = ("classic", "sealed")


class Session:
    """One of the control connections that say lines, many at a time."""

    def __init__(self, gateway, commands):
        self.sock = harness.Control(gateway.settings["control.socket"]).sock
        self.commands, self.waiting, self.rest, self.refused = commands, 0, b"", 0
        self.todo = list(range(len(commands) - 1, -1, -1))

    def fill(self):
        room = min(IN_FLIGHT - self.waiting, len(self.todo))
        if room > 0:
            self.sock.sendall(b"".join(self.commands[self.todo.pop()] for _ in range(room)))
            self.waiting += room

    def take(self):
        came = self.sock.recv(1 << 20)
        assert came, "the gateway closed the connection"
        data = self.rest + came
        whole, _, self.rest = data.rpartition(b"\n")
        self.waiting -= came.count(b"\n")
        if b'"error"' in whole:
            for answer in map(json.loads, whole.split(b"\n")):
                if "error" in answer:
                    assert answer["error"]["code"] == "limit", answer
                    self.todo.append(answer["id"])
                    self.refused += 1

    def over(self):
        return not self.todo and not self.waiting


def cpu(gateway):
    """Seconds of processor that the daemon has used."""
    with open(f"/proc/{gateway.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(gateway):
    with open(f"/proc/{gateway.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def wakeups(gateway):
    """Voluntary context switches of all threads: each is a wait that ended."""
    total, folder = 0, f"/proc/{gateway.process.pid}/task"
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


def newest(gateway, account, handle, count=1):
    return gateway.do("history", account=account, conversation=handle, max=count)["lines"]


def say_all(gateway, account, handle, count, text):
    sessions = []
    for index in range(SESSIONS):
        numbers = range(index, count, SESSIONS)
        sessions.append(Session(gateway, [json.dumps({
            "id": place, "do": "say", "account": account, "conversation": handle,
            "text": f"{text} {number}"}).encode() + b"\n" for place, number in enumerate(numbers)]))
    poll, by_file = select.poll(), {}
    for session in sessions:
        poll.register(session.sock, select.POLLIN)
        by_file[session.sock.fileno()] = session
    begun = time.monotonic()
    while not all(session.over() for session in sessions):
        for session in sessions:
            session.fill()
        for file, _ in poll.poll(1000):
            by_file[file].take()
    for session in sessions:
        session.sock.close()
    return begun, sum(session.refused for session in sessions)


def bulk(nodes, account, handle, far_account, far_handle, protection):
    near, _, far = nodes
    assert harness.conversation(near, account, handle)["protection"] == protection
    before, unread = [cpu(node) for node in nodes], harness.conversation(far, far_account, far_handle)["unread"]
    begun, refused = say_all(near, account, handle, LINES, "x" * 60)
    said = time.monotonic() - begun
    harness.wait_for("all lines at the far end", lambda: harness.conversation(
        far, far_account, far_handle)["unread"] - unread >= LINES, 300)
    there = time.monotonic() - begun
    final = "delivered" if protection == "sealed" else "sent"
    harness.wait_for("all told", lambda: {line["delivery"] for line in newest(
        near, account, handle, 500)} == {final}, 300)
    told = time.monotonic() - begun
    used = [(cpu(node) - was) * 1e6 / LINES for node, was in zip(nodes, before)]
    print(f"{protection:8} {LINES} lines: said {LINES / said:.0f}/s, at the far end {LINES / there:.0f}/s, "
          f"{final} {LINES / told:.0f}/s; processor per line {used[0]:.1f} us here, {used[1]:.1f} us relay, "
          f"{used[2]:.1f} us there; refused by the queue's limit {refused} times", flush=True)


def latency(nodes, account, handle, far_account, far_handle, protection, times=500):
    near, _, far = nodes
    there, receipt = [], []
    for number in range(times):
        text = f"{protection} {number}"
        begun = time.monotonic()
        near.do("say", account=account, conversation=handle, text=text)
        while newest(far, far_account, far_handle)[0]["text"] != text:
            pass
        there.append((time.monotonic() - begun) * 1000)
        while protection == "sealed" and newest(near, account, handle)[0]["delivery"] != "delivered":
            pass
        receipt.append((time.monotonic() - begun) * 1000)
    for what, samples in (("stored at the far end", there), ("its receipt", receipt)):
        if what != "its receipt" or protection == "sealed":
            print(f"{protection:8} one line, from the command to {what}: p50 {statistics.median(samples):.2f} ms, "
                  f"p99 {sorted(samples)[times * 99 // 100]:.2f} ms", flush=True)


def talking(parts):
    nodes = near, _, far = harness.chain("near", "relay", "far")
    for protection in PROTECTIONS:
        names = f"here-{protection}", f"there-{protection}"
        near.account(names[0])
        far.account(names[1])
        handles = harness.meet(near, names[0], far, names[1],
                               protection="any" if protection == "sealed" else protection)
        ends = names[0], handles[0], names[1], handles[1]
        for gateway, name, handle in ((near, names[0], handles[0]), (far, names[1], handles[1])):
            gateway.do("contact.set", account=name, contact=handle, presence="always")
        for gateway, name, handle in ((near, names[0], handles[0]), (far, names[1], handles[1])):
            harness.can_talk(gateway, name, handle)
        for part in parts:
            part(nodes, *ends, protection)
    harness.finish()


def bounds():
    """What the machine gives to one of the steps alone, with nothing else running."""
    for name in ("bench_store_commit", "bench_crypto_sealed"):
        program = f"{harness.BINARIES}/tests/{name}"
        if os.path.exists(program):
            out = subprocess.run([program], cwd="/tmp", check=True, capture_output=True, text=True).stdout
            print("".join(f"  bound: {line}\n" for line in out.splitlines()), end="", flush=True)


def quiet(gateway, what):
    """Memory and wake-ups once it has settled, and what it asked of the network meanwhile."""
    before, asked = wakeups(gateway), gateway.do("status")["traffic"]["own_requests"]
    begun = time.monotonic()
    time.sleep(SECONDS)
    passed = time.monotonic() - begun
    woken = (wakeups(gateway) - before) / passed
    asked = (gateway.do("status")["traffic"]["own_requests"] - asked) / passed
    rss = resident(gateway)
    print(f"{what}: {rss / 1024:.1f} MiB resident, {woken:.1f} wake-ups a second, {asked:.2f} requests a second", flush=True)
    return rss


def sleepers():
    home, _ = harness.chain("home", "friend")
    home.account("someone")
    home.stop()
    begun = time.monotonic()
    home.start()
    harness.friends_up(home, 1)
    empty_start = time.monotonic() - begun
    empty = quiet(home, "no conversation")
    home.stop()
    subprocess.run([f"{harness.BINARIES}/tests/bench_core_sleepers", home.settings["node.directory"], str(SLEEPERS)],
                   check=True, timeout=300)
    begun = time.monotonic()
    home.start()
    started = time.monotonic() - begun
    harness.friends_up(home, 1)
    assert home.do("status")["tunnels"]["served"] >= SLEEPERS, home.do("status")["tunnels"]
    full = quiet(home, f"{SLEEPERS} sleeping conversations")
    print(f"  each {(full - empty) * 1024 / SLEEPERS:.0f} bytes; serving {home.do('status')['tunnels']['served']} hashes; "
          f"started in {started * 1000:.0f} ms, without any in {empty_start * 1000:.0f} ms")
    harness.finish()


def main():
    wanted = sys.argv[1:] or ["bulk", "latency", "sleepers"]
    parts = [part for part in (bulk, latency) if part.__name__ in wanted]
    if bulk in parts:
        bounds()
    if parts:
        talking(parts)
    if "sleepers" in wanted:
        sleepers()


main()
