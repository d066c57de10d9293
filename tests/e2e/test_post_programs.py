# SPDX-License-Identifier: ISC
"""Posts on the command line: retrogatectl, and retrogate-sendmail as mutt, git and scripts call it."""
import os
import select
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


def many_files():
    files = []
    for number in range(12):
        with open(f"{folder}/file-{number}", "w") as file:
            file.write("x" * number)
        files += ["--attach", f"{folder}/file-{number}"]
    ctl("post", "send", "bob", "--subject", "Many files", *files, text=b"")
    post = arrived(a, "bob", "Many files")
    sizes = [part["size"] for part in show(a, "bob", post["seq"])["parts"]]
    assert sizes == list(range(12)), sizes
    ctl("post", "delete", str(post["seq"]), account="bob")


def watched():
    watch = subprocess.Popen([f"{BINARIES}/retrogatectl", "--socket", a.settings["control.socket"], "--account", "bob", "watch"],
                             stdout=subprocess.PIPE, text=True)
    try:
        number = 0

        def seen():
            # One that comes before it follows is not told of, so each try is another one.
            nonlocal number
            number += 1
            ctl("post", "send", "bob", "--subject", f"Watched {number}", "--text", "x")
            return bool(select.select([watch.stdout], [], [], 3)[0])
        wait_for("a post is told of", seen)
        line = watch.stdout.readline()
        assert "from alice@distant.alt: Watched" in line and "[signed]" in line, line
    finally:
        watch.kill()
        watch.wait()
    status = ctl("status")
    assert "queued 0, locked 0" in status and "submission 127.0.0.1:" in status and "pop3 127.0.0.1:" in status, status
    for each in range(number):
        ctl("post", "delete", str(arrived(a, "bob", f"Watched {each + 1}")["seq"]), account="bob")


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


def large_by_sendmail():
    lines = ("x" * 76 + "\n") * 100_000
    sendmail("-i", "bob", text="Subject: Large\n\n" + lines)
    got = raw(a, "bob", arrived(a, "bob", "Large")["seq"]).decode()
    assert got.split("\r\n\r\n", 1)[1].replace("\r\n", "\n").strip() == lines.strip()


def cron_is_refused():
    text = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@here> date\nX-Cron-Env: <SHELL=/bin/sh>\n\nToday\n"
    for words in (("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"), ("-i", "-FCronDaemon", "-odi", "-oem", "-oi", "-t", "-f", "root")):
        said = sendmail(*words, text=text, code=67)
        assert "'root' is no recipient" in said and "users of this machine get no mail this way" in said, said
    # Nobody gets it either when one of several is not known.
    before = len(posts(a, "bob"))
    sendmail("bob", "root", text=text, code=67)
    assert len(posts(a, "bob")) == before


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


run(meeting, sent_and_shown, many_files, watched, flags_and_search, refused, as_sendmail, large_by_sendmail, cron_is_refused,
    sendmail_refuses, with_mutt, with_git, links, over)
