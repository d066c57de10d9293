# SPDX-License-Identifier: ISC
"""What a gateway costs that does nothing: memory and wake-ups, with two quiet friends, without and with the page."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402

SECONDS = 20


def status(pid, key, folder="status"):
    with open(f"/proc/{pid}/{folder}") as file:
        for line in file:
            if line.startswith(key):
                return int(line.split()[1])
    raise KeyError(key)


def wakeups(pid):
    """Voluntary context switches of all threads: each is a wait that ended."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        total += status(f"{pid}/task/{thread}", "voluntary_ctxt_switches")
    return total


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def measure(bridges, **settings):
    _, gateway, _ = harness.chain("left", "home", "right", **settings)
    gateway.account("someone")
    pid = gateway.process.pid
    time.sleep(3)
    before = wakeups(pid)
    time.sleep(SECONDS)
    woken = (wakeups(pid) - before) / SECONDS
    print(f"idle gateway, {bridges}, 2 friends: {status(pid, 'VmRSS') / 1024:.1f} MiB resident, "
          f"{status(pid, 'Pss:', 'smaps_rollup') / 1024:.1f} MiB proportional (aim under 12; stock RetroShare 20-25), "
          f"{woken:.1f} wake-ups a second (aim under 5)")
    for child in children(pid):
        print(f"  its keyring: {status(child, 'VmRSS') / 1024:.1f} MiB resident, "
              f"{status(child, 'Pss:', 'smaps_rollup') / 1024:.1f} MiB proportional")
    harness.finish()


measure("IRC bridge", **{"web.listen": ""})
measure("IRC and web bridges")
