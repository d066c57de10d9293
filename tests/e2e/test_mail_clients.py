# SPDX-License-Identifier: ISC
"""Programs that people use, against one gateway: swaks, msmtp, curl, nodemailer and smtplib submit; fetchmail, getmail, curl and
poplib fetch; each way of TLS and of log-in; what arrives is whole and tells nothing of the sender's machine."""
import base64
import email
import email.policy
import json
import os
import shutil
import smtplib
import ssl
import subprocess
import tempfile

from browser import NODE
from harness import Gateway, run, wait_for
from mail import PASSWORD, acquainted, address_of, arrived, messages, part, pop3, posts, raw, show, smtp

HERE = os.path.dirname(os.path.abspath(__file__))
PLAIN, TLS, START = 0, 1, 2  # as the listeners are told


def meeting():
    global a, folder, certificate
    a = Gateway("A", **{"mail.submission_listen_tls": "127.0.0.1:0", "mail.submission_listen_start": "127.0.0.1:0",
                        "mail.pop3_listen_tls": "127.0.0.1:0", "mail.pop3_listen_start": "127.0.0.1:0"})
    folder = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    certificate = f"{a.folder}/state/tls-certificate.pem"
    a.account("alice", PASSWORD)
    a.account("bob", PASSWORD)
    acquainted(a, "alice", a, "bob")


def program(*words, text=None, code=0, **environment):
    done = subprocess.run(words, input=text, capture_output=True, cwd=folder, timeout=120,
                          env={**os.environ, "HOME": folder, **environment})
    assert done.returncode == code, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return (done.stdout + done.stderr).decode(errors="replace")


def port(service, kind):
    return str(address_of(a, service, kind)[1])


def came(subject):
    """What bob got, as a message; nothing of the client's machine is in it."""
    whole = raw(a, "bob", arrived(a, "bob", subject)["seq"])
    for secret in (b"X-Mailer", b"User-Agent", b"Received:", b"client.example", b"X-Originating"):
        assert secret not in whole, whole.decode(errors="replace")
    return email.message_from_bytes(whole, policy=email.policy.default)


def with_swaks():
    if not shutil.which("swaks"):
        return "swaks is not installed"
    for number, (kind, tls, auth) in enumerate(((PLAIN, (), "PLAIN"), (PLAIN, (), "LOGIN"), (START, ("--tls",), "PLAIN"),
                                                (TLS, ("--tls-on-connect",), "LOGIN"))):
        program("swaks", "--server", f"127.0.0.1:{port('submission', kind)}", *tls, "--auth", auth, "--auth-user", "alice",
                "--auth-password", PASSWORD, "--from", "alice@distant.alt", "--to", "bob@distant.alt", "--ehlo", "client.example",
                "--h-Subject", f"swaks {number}", "--body", "A text.")
        mail = came(f"swaks {number}")
        assert mail.get_content().strip() == "A text."
        assert "dkim" not in mail["Authentication-Results"] and "pass" in mail["Authentication-Results"]
        assert mail["Autocrypt"] and "addr=alice@distant.alt" in mail["Autocrypt"]
    said = program("swaks", "--server", f"127.0.0.1:{port('submission', PLAIN)}", "--auth", "PLAIN", "--auth-user", "alice",
                   "--auth-password", PASSWORD, "--from", "alice@distant.alt", "--to", "nobody@distant.alt", code=24)
    assert "550 5.1.1" in said and "nobody" in said, said
    program("swaks", "--server", f"127.0.0.1:{port('submission', PLAIN)}", "--auth", "PLAIN", "--auth-user", "alice",
            "--auth-password", "wrong", "--from", "alice@distant.alt", "--to", "bob@distant.alt", code=28)
    return None


def with_msmtp():
    if not shutil.which("msmtp"):
        return "msmtp is not installed"
    scram = "scram-sha-256" in program("msmtp", "--version").lower()
    app = a.do("app_password.new", account="alice", label="msmtp", scope="mail")["password"]
    ways = [("plain", PLAIN, "tls off"), ("start", START, "tls on\ntls_starttls on"), ("tls", TLS, "tls on\ntls_starttls off")]
    for name, kind, tls in ways:
        for auth in ("plain", "scram-sha-256") if scram else ("plain",):
            with open(f"{folder}/msmtprc", "w") as file:
                file.write(f"account default\nhost 127.0.0.1\nport {port('submission', kind)}\n{tls}\n"
                           + ("" if kind == PLAIN else f"tls_trust_file {certificate}\n") +
                           f"auth {auth}\nuser alice\npassword {app}\nfrom alice@distant.alt\ndomain client.example\n")
            os.chmod(f"{folder}/msmtprc", 0o600)
            program("msmtp", "-C", f"{folder}/msmtprc", "--", "bob@distant.alt",
                    text=f"Subject: msmtp {name} {auth}\nX-Mailer: msmtp\nTo: bob@distant.alt\n\nA text.\n".encode())
            assert came(f"msmtp {name} {auth}").get_content().strip() == "A text."
    return None


def with_curl():
    for scheme, kind, more in (("smtp", PLAIN, ()), ("smtp", START, ("--ssl-reqd",)), ("smtps", TLS, ())):
        with open(f"{folder}/message", "w", newline="") as file:
            file.write(f"From: alice@distant.alt\r\nTo: bob@distant.alt\r\nSubject: curl {kind}\r\n\r\n.A dot\r\n")
        trust = () if kind == PLAIN else ("--cacert", certificate)
        program("curl", "-sS", f"{scheme}://127.0.0.1:{port('submission', kind)}/client.example", *more, *trust, "--user",
                f"alice:{PASSWORD}", "--mail-from", "alice@distant.alt", "--mail-rcpt", "bob@distant.alt", "-T", "message")
        assert came(f"curl {kind}").get_content().strip() == ".A dot"
    for scheme, kind, more in (("pop3", PLAIN, ()), ("pop3", START, ("--ssl-reqd",)), ("pop3s", TLS, ())):
        trust = () if kind == PLAIN else ("--cacert", certificate)
        listed = program("curl", "-sS", f"{scheme}://127.0.0.1:{port('pop3', kind)}/", *more, *trust, "--user", f"bob:{PASSWORD}")
        assert len(listed.split("\n")) > len(posts(a, "bob")), listed
    fetched = program("curl", "-sS", f"pop3://127.0.0.1:{port('pop3', PLAIN)}/1", "--user", f"bob:{PASSWORD}")
    assert "Subject: " in fetched


def with_nodemailer():
    if not os.path.isdir(f"{NODE}/nodemailer"):
        return "nodemailer is not installed (npm install into build/node)"
    data = os.urandom(300_000)
    for kind in (PLAIN, TLS, START):
        settings = {"transport": {"host": "127.0.0.1", "port": int(port("submission", kind)), "secure": kind == TLS,
                                  "requireTLS": kind == START, "ignoreTLS": kind == PLAIN, "name": "client.example",
                                  "tls": {"rejectUnauthorized": False}, "auth": {"user": "alice", "pass": PASSWORD}},
                    "message": {"from": "alice@distant.alt", "to": "bob@distant.alt", "subject": f"nodemailer {kind}", "text": "Grüße",
                                "html": "<p>Gr&uuml;&szlig;e <script>alert(1)</script></p>",
                                "attachments": [{"filename": "noise – 1.bin", "content": base64.b64encode(data).decode(),
                                                 "encoding": "base64"}]}}
        said = json.loads(program("node", f"{HERE}/node/nodemailer_client.js", NODE_PATH=NODE,
                                  text=json.dumps(settings).encode()))
        assert said["accepted"] == ["bob@distant.alt"], said
        seq = arrived(a, "bob", f"nodemailer {kind}")["seq"]
        shown = show(a, "bob", seq)
        assert shown["text"].strip() == "Grüße" and "script" not in shown["html"] and shown["parts"][0]["name"] == "noise – 1.bin"
        assert part(a, "bob", seq, shown["parts"][0]["part"]) == data
    return None


def with_python():
    """What libraries do, and reports that were asked for."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with smtplib.SMTP(*address_of(a, "submission", START), timeout=60) as client:
        client.starttls(context=context)
        client.login("alice", PASSWORD)
        client.sendmail("alice@distant.alt", ["bob@distant.alt"], "Subject: reported\r\nMessage-ID: <first@client.example>\r\n\r\nx\r\n",
                        mail_options=["ENVID=mine", "RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    arrived(a, "bob", "reported")
    report = wait_for("a report", lambda: [post for post in posts(a, "alice") if post["kind"] == "report"], 30)[0]
    mail = email.message_from_bytes(raw(a, "alice", report["seq"]), policy=email.policy.default)
    text = mail.as_string()
    assert mail.get_content_type() == "multipart/report" and "Action: delivered" in text and "Original-Envelope-Id: mine" in text


def threads():
    """The answer of a mail program stands in the thread, at both ends, under the ids each end gave."""
    first = pop3(a, "bob")
    original = next(email.message_from_bytes(message) for message in messages(first) if b"Subject: reported" in message)
    first.quit()
    with smtp(a, "bob") as client:
        client.sendmail("bob@distant.alt", ["alice@distant.alt"],
                        f"Subject: Re: reported\r\nIn-Reply-To: {original['Message-ID']}\r\nReferences: {original['Message-ID']}\r\n\r\ny\r\n")
    answer = arrived(a, "alice", "Re: reported")
    assert raw(a, "alice", answer["seq"]).decode().count("<first@client.example>") >= 1, "alice's program knows its own id"
    thread = a.do("post.list", account="alice", box="all", thread=answer["thread"])["posts"]
    assert {"reported", "Re: reported"} <= {post["subject"] for post in thread}


def verbs_by_mail():
    with smtp(a, "alice") as client:
        client.sendmail("alice@distant.alt", ["gateway@distant.alt"], "Subject: please\r\n\r\nhelp\r\n")
    answer = wait_for("an answer", lambda: [post for post in posts(a, "alice") if post["kind"] == "answer"], 30)[0]
    assert "help" in show(a, "alice", answer["seq"])["text"]


def fetched():
    return [name for name in os.listdir(folder) if name.startswith("fetched.")]


def with_fetchmail():
    if not shutil.which("fetchmail"):
        return "fetchmail is not installed"
    with open(f"{folder}/mda", "w") as file:
        file.write(f"#!/bin/sh\ncat > {folder}/fetched.$$\n")
    os.chmod(f"{folder}/mda", 0o700)
    count = len(posts(a, "bob"))
    with open(f"{folder}/fetchmailrc", "w") as file:
        file.write(f'poll 127.0.0.1 service {port("pop3", PLAIN)} protocol pop3 uidl user bob password "{PASSWORD}" '
                   f'keep sslproto "" mda "{folder}/mda"\n')
    os.chmod(f"{folder}/fetchmailrc", 0o600)
    program("fetchmail", "-f", f"{folder}/fetchmailrc", "--nosyslog", FETCHMAILHOME=folder)
    assert len(fetched()) == count
    program("fetchmail", "-f", f"{folder}/fetchmailrc", "--nosyslog", code=1, FETCHMAILHOME=folder)  # 1: nothing new, by UIDL
    return None


def with_getmail():
    if not shutil.which("getmail"):
        return "getmail is not installed"
    with open(f"{folder}/getmailrc", "w") as file:
        file.write(f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {port('pop3', TLS)}\nusername = bob\n"
                   f"password = {PASSWORD}\n[destination]\ntype = MDA_external\npath = {folder}/mda\nallow_root_commands = true\n"
                   "[options]\nread_all = true\ndelete = true\n")
    count, before = len(posts(a, "bob")), len(fetched())
    program("getmail", f"--getmaildir={folder}", "--rcfile=getmailrc")
    assert len(fetched()) == before + count
    wait_for("what was fetched is deleted", lambda: not posts(a, "bob"))
    return None


def over():
    shutil.rmtree(folder)


run(meeting, with_swaks, with_msmtp, with_curl, with_nodemailer, with_python, threads, verbs_by_mail, with_fetchmail,
    with_getmail, over)
