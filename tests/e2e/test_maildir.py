# SPDX-License-Identifier: ISC
"""Maildirs of a real daemon: what two accounts write each other is there as files; flags and deletions go both ways,
through kills at any moment; mutt reads it."""
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import Gateway, run, wait_equal, wait_for
from mail import acquainted, arrived, posts, raw, send


def files(folder, account, sub, mask=""):
    path = f"{folder}/{account}/{sub}"
    return sorted(name for name in os.listdir(path) if mask in name) if os.path.isdir(path) else []


def everything(folder, account):
    return files(folder, account, "new") + files(folder, account, "cur")


def await_count(folder, account, count):
    wait_for(f"{count} files of {account}", lambda: len(everything(folder, account)) == count, 30)


def as_posts_are(gateway, folder):
    send(gateway, "alice", "bob", "with words", "Some words – with more than ASCII.\n")
    post = arrived(gateway, "bob", "with words")
    await_count(folder, "bob", 1)
    name = files(folder, "bob", "new")[0]
    assert f".R{post['epoch']}_{post['seq']}." in name and f",S={post['size']}" in name, name
    with open(f"{folder}/bob/new/{name}", "rb") as file:
        assert file.read() == raw(gateway, "bob", post["seq"])
    wait_for("what alice sent", lambda: everything(folder, "alice/.Sent"))
    assert os.stat(f"{folder}/bob").st_mode & 0o777 == 0o700
    return post["seq"], name


def both_ways(gateway, folder, seq, name):
    time.sleep(1.2)  # the position is written when it is quiet
    os.rename(f"{folder}/bob/new/{name}", f"{folder}/bob/cur/{name}:2,S")
    wait_for("seen", lambda: gateway.do("post.show", account="bob", seq=seq)["seen"])
    gateway.do("post.flag", account="bob", seq=seq, flagged=True)
    wait_for("flagged", lambda: files(folder, "bob", "cur", ":2,FS"))
    os.unlink(f"{folder}/bob/cur/{files(folder, 'bob', 'cur')[0]}")
    wait_for("deleted", lambda: posts(gateway, "bob") == [])


def mutt_reads(gateway, folder):
    if shutil.which("mutt") is None:
        return
    send(gateway, "alice", "bob", "for mutt")
    await_count(folder, "bob", 1)
    time.sleep(1.2)
    home = tempfile.mkdtemp(prefix="rg-mutt-", dir="/tmp")
    script = f'set mbox_type=Maildir\nset folder="{folder}/bob"\nset copy=no\nset delete=yes\nset move=no\n' \
             'set quit=yes\nset wait_key=no\nset confirmappend=no\n'
    with open(f"{home}/muttrc", "w") as file:
        file.write(script)
    master, terminal = pty.openpty()
    mutt = subprocess.Popen(["mutt", "-n", "-F", f"{home}/muttrc", "-f", f"{folder}/bob", "-e",
                             "push <delete-message><sync-mailbox><quit>"], stdin=terminal, stdout=terminal,
                            stderr=terminal, env={**os.environ, "HOME": home, "TERM": "xterm"}, start_new_session=True)

    def ended():
        if select.select([master], [], [], 0)[0]:
            os.read(master, 65536)
        return mutt.poll() is not None
    try:
        wait_for("mutt's end", ended)
    finally:
        if mutt.poll() is None:
            mutt.kill()
        os.close(master)
        os.close(terminal)
    wait_for("deleted by mutt", lambda: posts(gateway, "bob") == [])
    shutil.rmtree(home)


def through_kills(gateway, folder):
    """Killed while the folder is filled, marked, and emptied by half."""
    before = {post["seq"] for post in posts(gateway, "bob")}
    count, dice = 40, random.Random(5)
    for number in range(count):
        send(gateway, "alice", "bob", f"number {number}")
        if number % 8 == 7:
            time.sleep(dice.random() / 5)
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
            gateway.start()
    wait_for("all posts", lambda: len(posts(gateway, "bob")) == len(before) + count, 60)
    wanted = sorted(post["seq"] for post in posts(gateway, "bob"))
    numbers = lambda: sorted(int(name.split("_")[1].split(".")[0]) for name in everything(folder, "bob"))
    wait_equal("each once", numbers, wanted, 60)
    assert not files(folder, "bob", "tmp")


def vanished(gateway, folder):
    wanted = len(posts(gateway, "bob"))
    time.sleep(1.2)
    os.rename(folder, folder + "-away")
    time.sleep(3)
    assert len(posts(gateway, "bob")) == wanted
    os.rename(folder + "-away", folder)
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    gateway.start()
    time.sleep(2)
    assert len(posts(gateway, "bob")) == wanted
    await_count(folder, "bob", wanted)


def main():
    folder = tempfile.mkdtemp(prefix="rg-maildir-", dir="/tmp")
    try:
        gateway = Gateway("a", **{"mail.maildir": folder})
        gateway.account("alice")
        gateway.account("bob")
        acquainted(gateway, "alice", gateway, "bob")
        seq, name = as_posts_are(gateway, folder)
        both_ways(gateway, folder, seq, name)
        mutt_reads(gateway, folder)
        through_kills(gateway, folder)
        vanished(gateway, folder)
        assert gateway.do("account.show", account="bob")["posts"]["maildir"] == f"{folder}/bob"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder + "-away", ignore_errors=True)


run(main)
