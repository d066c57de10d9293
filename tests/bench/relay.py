# SPDX-License-Identifier: ISC
"""Relaying through a running gateway (bench_friend_relay.c)."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402


def main():
    program = f"{harness.BINARIES}/tests/bench_friend_relay"
    gateway = harness.Gateway("relay")
    for text in subprocess.run([program, "identities"], check=True, capture_output=True, text=True).stdout.split():
        gateway.do("friend.add", text=text)
    certificate = f"{gateway.folder}/certificate"
    with open(certificate, "w") as file:
        file.write(gateway.do("friend.self")["full"])
    address = gateway.do("status")["listening"]["friends"][0]
    subprocess.run([program, address, certificate, str(gateway.process.pid), "5"], check=True, timeout=120)
    harness.finish()


main()
