# SPDX-License-Identifier: ISC
"""The daemon as a service: configuration, reload, one daemon per directory, TLS for clients, a clean end."""
import base64
import os
import signal
import socket
import ssl
import subprocess
import tempfile

from harness import BINARIES, Gateway, processes_below, run, wait_for
from irc import Irc
from ws import Site, WebSocket

PASSWORD = "correct-horse"


def start():
    global a
    a = Gateway("A", **{"irc.listen_tls": "127.0.0.1:0", "web.listen_tls": "127.0.0.1:0",
                        "web.names": "attic.example.org"})
    setup_code()
    a.account("alice", PASSWORD)
    assert f"{a.folder}/state/vault.key" in [entry.path for entry in os.scandir(f"{a.folder}/state")]
    for folder, names in ((f"{a.folder}/state", os.listdir(f"{a.folder}/state")), (a.folder, ["control.sock"])):
        for name in names:
            mode = os.stat(f"{folder}/{name}").st_mode
            assert mode & 0o077 == 0, f"{name} is open to others: {oct(mode)}"


def ctl(*words):
    return subprocess.run([f"{BINARIES}/retrogatectl", "--socket", a.settings["control.socket"], *words], check=True,
                          capture_output=True, text=True).stdout


def setup_code():
    """Only while there is no account, and only for who may read the state or open the control socket."""
    with open(f"{a.folder}/state/setup-code") as file:
        code = file.read().strip()
    assert len(code) >= 16 and code in a.setup_link() and code in ctl("web")
    assert os.stat(f"{a.folder}/state/setup-code").st_mode & 0o077 == 0
    assert code not in a.log_text()


def page():
    """On every listener, to who names it right; the certificate is made out to those names."""
    plain, secure = a.do("status")["listening"]["web"]
    assert plain.startswith("http://127.0.0.1:") and secure.startswith("https://127.0.0.1:"), (plain, secure)
    context = ssl.create_default_context(cafile=f"{a.folder}/state/tls-certificate.pem")
    host, port = secure.split("/")[2].split(":")
    for name in ("attic.example.org", "localhost", "127.0.0.1"):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            with context.wrap_socket(sock, server_hostname=name) as channel:
                channel.sendall(f"GET / HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
                assert channel.recv(15) == b"HTTP/1.1 200 OK", name
    assert plain in ctl("web") and secure in ctl("web") and "#setup" not in ctl("web")


def certificate_of(address):
    return ssl.get_server_certificate((address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])))


def daemon(text, *more):
    """Runs a daemon that must refuse; returns what it said."""
    folder = tempfile.mkdtemp(prefix="rg-", dir="/tmp")
    path = f"{folder}/test.conf"
    with open(path, "w") as file:
        file.write(text.replace("@", folder))
    result = subprocess.run([f"{BINARIES}/retrogated", "-c", path, *more], capture_output=True, text=True, timeout=60)
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(f"{root}/{name}")
        os.rmdir(root)
    return result.returncode, (result.stdout + result.stderr).replace(folder, "@")


def bad_configuration():
    """Refused with the file and the key named, before anything is made."""
    for text, words in (("[node]\nnaem = x\n", "node.naem"), ("[nod]\nname = x\n", "nod.name"), ("name = x\n", ".name"),
                        ("[node]\nname = a\nname = b\n", "node.name is given twice"),
                        ("[node]\nlisten = nowhere\n", "node.listen"), ("[node]\nlisten = 127.0.0.1:99999\n", "node.listen"),
                        ("[node]\ndirectory = state\n", "node.directory: expected an absolute"),
                        ("[node]\ndirectory = /" + "x" * 80 + "\n", "node.directory: longer"),
                        ("[node]\nforward_rate = 5\n", "node.forward_rate: expected a number from 10 to 100"),
                        ("[account]\ntyping = perhaps\n", "account.typing: expected yes or no"),
                        ("[control]\nmode = 0666\n", "control.mode"), ("[log]\nlevel = loud\n", "log.level"),
                        ("[vault]\nkey = somewhere\n", "vault.key"), ("[tls]\ncertificate = /x\n", "tls.key"),
                        ("[irc]\nclients = 0\n", "irc.clients"), ("[node\n", ":1:"), ("\x01\x02", ":1:")):
        for more in (("--check-config",), ()):  # first so that none starts by mistake
            code, said = daemon(text, *more)
            assert code == 1 and words in said and "test.conf" in said, (text, code, said)
    code, said = daemon("[node]\nname = good\n[control]\nsocket = @/c\n", "--check-config")
    assert code == 0 and "good" in said, said
    result = subprocess.run([f"{BINARIES}/retrogated", "-c", "/nonexistent.conf"], capture_output=True, text=True)
    assert result.returncode == 1 and "/nonexistent.conf" in result.stderr, result.stderr
    result = subprocess.run([f"{BINARIES}/retrogated", "--frob"], capture_output=True, text=True)
    assert result.returncode == 2 and "usage" in result.stderr


def second_daemon():
    """One directory, one daemon; the first goes on as if nothing had been."""
    common = "[control]\nsocket = @/control.sock\n[irc]\nlisten = 127.0.0.1:0\n"
    code, said = daemon(f"[node]\ndirectory = {a.folder}/state\nlisten = 127.0.0.1:0\n{common}")
    assert code == 1 and f"{a.folder}/state" in said, said
    assert a.do("status")["phase"] == "ready"
    taken = a.do("status")["listening"]
    code, said = daemon(f"[node]\ndirectory = @/s\nlisten = 127.0.0.1:0\n{common}".replace("listen = 127.0.0.1:0\n",
                        f"listen = {taken['irc'][0]}\n"))
    assert code == 1 and taken["irc"][0] in said, said
    code, said = daemon("[node]\ndirectory = @/s\nlisten = 127.0.0.1:0\n[irc]\nlisten = 127.0.0.1:0\n"
                        f"[control]\nsocket = {a.folder}/control.sock\n")
    assert code == 1 and "control" in said, said
    assert a.do("status")["phase"] == "ready"
    a.do("account.show", account="alice")


def plain_off_loopback():
    """Passwords in clear only on this machine, unless it is asked for."""
    for bridge in ("irc", "web"):
        code, said = daemon("[node]\ndirectory = @/s\nlisten = 127.0.0.1:0\n[control]\nsocket = @/c\n"
                            f"[{bridge}]\nlisten = 0.0.0.0:0\n")
        assert code == 1 and f"{bridge}.listen: 0.0.0.0" in said, said


def tls():
    address = a.do("status")["listening"]["irc"][1].rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address[0], int(address[1])), timeout=10) as sock:
        with context.wrap_socket(sock) as secure:
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
            before = secure.getpeercert(True)
            secure.sendall(f"PASS :alice:{PASSWORD}\r\nNICK me\r\nUSER me 0 * :me\r\n".encode())
            got = b""
            while b" 376 " not in got:
                data = secure.recv(65536)
                assert data, got
                got += data
            assert b"not encrypted" not in got
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
    with socket.create_connection((address[0], int(address[1])), timeout=10) as sock:
        try:
            old.wrap_socket(sock)
            raise AssertionError("TLS 1.1 was taken")
        except OSError:
            pass
    return before


def reload():
    """SIGHUP: what may change changes, clients stay; what is wrong is refused and all stays as it was."""
    before, client = tls(), Irc(a, "alice", PASSWORD)
    a.settings["node.name"] = "A new name"
    a.settings["log.level"] = "debug"
    a.settings["irc.clients"] = "7"
    os.unlink(f"{a.folder}/state/tls-certificate.pem")
    os.unlink(f"{a.folder}/state/tls-key.pem")
    a.write_config()
    a.process.send_signal(signal.SIGHUP)
    wait_for("the new name", lambda: a.do("status")["name"] == "A new name")
    short = base64.b64decode(a.do("friend.self")["short"])
    assert b"A new name" in short
    wait_for("the log says so", lambda: "event=reloaded" in a.log_text())
    assert "event=needs-restart key=irc.clients" in a.log_text()
    assert tls() != before, "the new certificate is not in use"
    listening = a.do("status")["listening"]
    assert certificate_of(listening["irc"][1]) == certificate_of(listening["web"][1].split("/")[2])
    page()
    client.none("ERROR")
    a.settings["log.level"] = "loud"
    a.write_config()
    a.process.send_signal(signal.SIGHUP)
    wait_for("refused", lambda: "event=reload-refused" in a.log_text())
    refusal = [line for line in a.log_text().splitlines() if "reload-refused" in line][0]
    assert "log.level" in refusal, refusal
    client.none("ERROR")
    a.settings["log.level"] = "info"
    a.write_config()
    a.process.send_signal(signal.SIGHUP)
    wait_for("good again", lambda: a.log_text().count("event=reloaded") == 2)
    client.close()


def keyring_dies():
    """A killed keyring is started again; the request that was under way fails, the next one works."""
    def keyring():
        return [pid for pid, words in processes_below(a.folder).items() if "retrogate-keyring" in words]
    (old,) = keyring()
    os.kill(old, signal.SIGKILL)
    wait_for("a new keyring", lambda: keyring() not in ([], [old]))
    b = Gateway("B")
    b.account("bob", PASSWORD)
    key = b.do("account.show", account="bob")["key"]

    def works():
        try:
            return a.do("contact.add", account="alice", key=key)
        except Exception:
            return None
    wait_for("the keyring works", works)
    assert a.do("invite.new", account="alice", contact="bob")["link"].startswith("retroshare://private_chat?")


def interrupted_start():
    """Killed while it makes its key, it begins anew; stopped there, it stops."""
    c = Gateway("C", wait=False)
    c.kill()
    c.start(wait=False)
    assert c.stop() == 0
    c.start()
    self = c.do("friend.self")
    c.kill()
    c.start()
    assert c.do("friend.self")["fingerprint"] == self["fingerprint"], "the identity changed"


def keyring_dies_at_the_first_start():
    """The node's key, on which everything waits, is begun again, and the identity is whole: it outlives a restart."""
    d = Gateway("D", wait=False)
    wait_for("the key is begun", lambda: os.path.exists(f"{d.folder}/state/keys/node"))
    for pid, words in processes_below(d.folder).items():
        if "retrogate-keyring" in words:
            os.kill(pid, signal.SIGKILL)
    wait_for("begun again", lambda: "event=node-key-again" in d.log_text())
    d.wait_ready()
    fingerprint = d.do("friend.self")["fingerprint"]
    assert d.stop() == 0
    d.start()
    assert d.do("friend.self")["fingerprint"] == fingerprint


def is_closed(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def clean_end():
    """With clients of every kind, a keyring and agents at work: all of it ends, clients are told, and the next start is as
    before: the browser is still signed in."""
    client = Irc(a, "alice", PASSWORD)
    site = Site(a).sign_in("alice", PASSWORD)
    channel, irc = site.live(), WebSocket(site, "/irc", protocols=["text.ircv3.net"])
    channel.do("follow", after=0)
    irc.send_text(f"PASS :alice:{PASSWORD}")
    idle, half = site.connect(), site.connect()
    half.sendall(b"GET / HT")
    assert len(processes_below(a.folder)) >= 3, processes_below(a.folder)
    assert a.stop() == 0
    client.expect("ERROR .*(stopping|shut)")
    assert channel.closed().code == irc.closed().code == 1001
    assert is_closed(idle) and is_closed(half)
    assert not processes_below(a.folder), processes_below(a.folder)
    assert not os.path.exists(a.settings["control.socket"])
    a.start()
    Irc(a, "alice", PASSWORD).close()
    assert site.live().do("hello")["account"]["name"] == "alice"
    a.process.send_signal(signal.SIGINT)
    assert a.process.wait(30) == 0


if __name__ == "__main__":
    run(start, page, bad_configuration, second_daemon, plain_off_loopback, reload, keyring_dies,
        interrupted_start, keyring_dies_at_the_first_start, clean_end)
