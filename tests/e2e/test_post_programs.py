# SPDX-License-Identifier: ISC
"""Posts on the command line: retrogatectl, and retrogate-sendmail as mutt, git and scripts call it."""
import os
import shutil
import subprocess
import tempfile

from harness import BINARIES, Gateway, run, wait_for
from mail import acquainted, arrived, posts, raw, show

BINARIES = os.path.abspath(BINARIES)


def ctl(*words, text=None, account="alice", code=0, cwd=None):
    done = subprocess.run([f"{BINARIES}/retrogatectl", "--socket", a.settings["control.socket"], "--account", account, *words],
                          input=text, capture_output=True, cwd=cwd)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return (done.stdout + done.stderr).decode()


def sendmail(*words, text, code=0, account="alice"):
    done = subprocess.run([f"{BINARIES}/retrogate-sendmail", *words], input=text.encode(), capture_output=True,
                          env={**os.environ, "RETROGATE_SOCKET": a.settings["control.socket"], "RETROGATE_ACCOUNT": account})
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stderr.decode()


def meeting():
    global a, folder
    a = Gateway("A")
    folder = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    a.account("alice")
    a.account("bob")
    acquainted(a, "alice", a, "bob", universal=False)
    ctl("account", "set", "alice", "--universal", "on", "--wait", "3d")
    said = ctl("account", "set", "bob", "--universal", "on", "--wait", "3d", account="bob")
    assert "posts wait" in said and "3 d" in said, said


def sent_and_shown():
    data = os.urandom(700_000)
    with open(f"{folder}/noise.bin", "wb") as file:
        file.write(data)
    said = ctl("post", "send", "bob", "--subject", "With a file", "--attach", f"{folder}/noise.bin", text=b"Line one.\n\x1b[31mred\n")
    assert said.startswith("post "), said
    number = str(arrived(a, "bob", "With a file")["seq"])
    listed = ctl("post", "list", account="bob")
    assert "N  " in listed and "from alice@distant.alt: With a file [signed]" in listed, listed
    assert "to bob@distant.alt: With a file [delivered]" in wait_for("delivered", lambda: (
        shown if "delivered" in (shown := ctl("post", "list", "--box", "out")) else None))
    shown = ctl("post", "show", number, account="bob")
    assert "Line one." in shown and "noise.bin, 683.6 KiB" in shown and "\x1b" not in shown, shown
    part = str(show(a, "bob", int(number))["parts"][0]["part"])
    ctl("post", "part", number, part, account="bob", code=0, cwd=os.makedirs(f"{folder}/in") or f"{folder}/in")
    with open(f"{folder}/in/noise.bin", "rb") as file:
        assert file.read() == data
    assert "there already" in ctl("post", "part", number, part, account="bob", code=1, cwd=f"{folder}/in")
    ctl("post", "part", number, part, "--force", account="bob", cwd=f"{folder}/in")
    assert "no such attachment" in ctl("post", "part", number, "77", account="bob", code=1)
    message = subprocess.run([f"{BINARIES}/retrogatectl", "--socket", a.settings["control.socket"], "--account", "bob", "post",
                              "read", number], capture_output=True, check=True).stdout
    assert message == raw(a, "bob", int(number))


def flags_and_search():
    number = str(arrived(a, "bob", "With a file")["seq"])
    ctl("post", "flag", number, "--seen", "on", "--flagged", "on", account="bob")
    assert " !" in ctl("post", "list", account="bob")
    assert "With a file" in ctl("post", "search", "with a", account="bob")
    assert "no posts" in ctl("post", "search", "nowhere", account="bob")
    ctl("post", "delete", number, account="bob")
    assert "no posts" in ctl("post", "list", account="bob")


def refused():
    assert "nobody" in ctl("post", "send", "nobody", "--text", "x", code=1)
    assert "cannot read" in ctl("post", "send", "bob", "--attach", f"{folder}/not-there", "--text", "x", code=1)
    assert "it is a folder" in ctl("post", "send", "bob", "--attach", folder, "--text", "x", code=1)
    assert "empty" in ctl("post", "send", "bob", text=b"", code=2)
    ctl("post", "show", "4711", code=1)


def as_sendmail():
    text = "To: bob@distant.alt\nBcc: alice@distant.alt\nSubject: By header\nX-Mailer: a script\n\nA text.\n.\n"
    sendmail("-t", "-oi", text=text)
    got = raw(a, "bob", arrived(a, "bob", "By header")["seq"]).decode()
    assert "A text.\r\n.\r\n" in got and "Bcc" not in got and "a script" not in got, got
    arrived(a, "alice", "By header")
    sendmail("bob", text="Subject: Until a dot\n\nshown\n.\nnot shown\n")
    got = raw(a, "bob", arrived(a, "bob", "Until a dot")["seq"]).decode()
    assert "not shown" not in got and "shown" in got
    sendmail("-f", "bob@distant.alt", "--", "alice@distant.alt", text="Subject: From bob\n\nx\n")
    assert arrived(a, "alice", "From bob")["from"][0]["address"] == "bob@distant.alt"


def sendmail_refuses():
    text = "Subject: x\n\nx\n"
    assert "nobody" in sendmail("nobody@distant.alt", text=text, code=67)
    assert "SMTP" in sendmail("-bs", text=text, code=64)
    assert "no recipient" in sendmail(text=text, code=64)
    assert "no recipient" in sendmail("-t", text=text, code=65)
    assert "-Z" in sendmail("-Z", "bob", text=text, code=64)
    assert "empty" in sendmail("bob", text="", code=66)
    done = subprocess.run([f"{BINARIES}/retrogate-sendmail", "bob"], input=text.encode(), capture_output=True,
                          env={**os.environ, "RETROGATE_SOCKET": f"{folder}/none"})
    assert done.returncode == 75 and b"is retrogated running" in done.stderr, done


def with_mutt():
    if not shutil.which("mutt"):
        return "mutt is not installed"
    with open(f"{folder}/muttrc", "w") as file:
        file.write(f'set sendmail="{BINARIES}/retrogate-sendmail -oi -f alice"\nset copy=no\nset realname="alice"\n')
    subprocess.run(["mutt", "-F", f"{folder}/muttrc", "-s", "By mutt", "-a", f"{folder}/noise.bin", "--", "bob@distant.alt"],
                   input=b"Hello.\n", check=True, capture_output=True, env={
                       **os.environ, "HOME": folder, "RETROGATE_SOCKET": a.settings["control.socket"]})
    post = arrived(a, "bob", "By mutt")
    assert post["attachments"] == 1 and post["from"][0]["address"] == "alice@distant.alt", post
    return None


def with_git():
    if not os.path.exists("/usr/lib/git-core/git-send-email"):
        return "git-email is not installed"
    git = {**os.environ, "HOME": folder, "RETROGATE_SOCKET": a.settings["control.socket"], "GIT_CONFIG_NOSYSTEM": "1",
           "RETROGATE_ACCOUNT": "alice"}
    commands = (["init", "-q", "."], ["config", "user.name", "alice"], ["config", "user.email", "alice@distant.alt"],
                ["commit", "-q", "--allow-empty", "-m", "First"], ["commit", "-q", "--allow-empty", "-m", "Second"],
                ["format-patch", "-q", "--always", "-1", "-o", "out"])
    os.makedirs(f"{folder}/repository")
    for command in commands:
        subprocess.run(["git", *command], check=True, capture_output=True, env=git, cwd=f"{folder}/repository")
    subprocess.run(["git", "send-email", f"--sendmail-cmd={BINARIES}/retrogate-sendmail -i", "--to", "bob@distant.alt",
                    "--confirm=never", "--quiet", "out/0001-Second.patch"], check=True, capture_output=True, env=git,
                   cwd=f"{folder}/repository")
    arrived(a, "bob", "[PATCH] Second")
    return None


def links():
    link = ctl("post", "link", "new", "--valid", "7d", account="bob")
    assert "retroshare://public_msg?" in link
    opened = ctl("post", "link", "open", "-", text=link.encode())
    assert "bob@distant.alt" in opened, opened
    assert "open" in ctl("post", "link", "list", account="bob")
    number_of_link = ctl("post", "link", "list", account="bob").splitlines()[1].split()[0]
    assert "revoked" in ctl("post", "link", "revoke", number_of_link, account="bob")


def over():
    assert len(posts(a, "bob")) >= 3
    shutil.rmtree(folder)


run(meeting, sent_and_shown, flags_and_search, refused, as_sendmail, sendmail_refuses, with_mutt, with_git, links,
    over)
