# SPDX-License-Identifier: ISC
"""One line's way from IRC to IRC over one relay, and opening an invite to "can talk"."""
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402


def open_invites(inviter, guest, times):
    """Milliseconds from the command that opens an invite to both sides' first `can talk` at the guest."""
    samples = []
    key = guest.do("account.show", account="guest")["key"]
    own = inviter.do("account.show", account="inviter")["key"]
    for _ in range(times):
        link = inviter.do("invite.new", account="inviter", key=key)["link"]
        start = time.monotonic()
        handle = guest.do("invite.open", account="guest", link=link, key=own)["handle"]
        while harness.state_of(guest, "guest", handle) != "can talk":
            time.sleep(0.0005)
        samples.append((time.monotonic() - start) * 1000)
        guest.do("conversation.close", account="guest", conversation=handle)
        inviter.do("conversation.close", account="inviter", conversation="guest")
    return samples


def main():
    inviter, _, guest = nodes = harness.chain("inviter", "relay", "guest")
    inviter.account("inviter", "correct horse")
    guest.account("guest", "correct horse")
    samples = open_invites(inviter, guest, 20)
    print(f"opening an invite to can talk over one relay: p50 {statistics.median(samples):.0f} ms, "
          f"slowest {max(samples):.0f} ms (stock RetroShare 0.6.7: 4800 ms for its distant chat)")
    at_inviter, at_guest = harness.meet(inviter, "inviter", guest, "guest")
    harness.can_talk(inviter, "inviter", at_inviter)
    harness.can_talk(guest, "guest", at_guest)
    password = {node: node.do("app_password.new", account=account, label="bench", scope="irc")["password"]
                for node, account in ((inviter, "inviter"), (guest, "guest"))}
    address = {node: "%s:%d" % node.irc_address() for node in (inviter, guest)}
    subprocess.run([f"{harness.BINARIES}/tests/bench_base_line", address[guest], f"guest:{password[guest]}",
                    f"&{at_guest}", address[inviter], f"inviter:{password[inviter]}", "200", nodes[0].folder],
                   check=True, timeout=120)
    harness.finish()


main()
