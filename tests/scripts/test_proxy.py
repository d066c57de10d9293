#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""deploy/nginx.conf in front of a gateway: what it promises works, and what the gateway refuses is still refused."""
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import Gateway, finish, skip, wait_for  # noqa: E402
from ws import Site, WebSocket  # noqa: E402

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME, PASSWORD, EVIL = "chat.example.org", "correct horse", {"Origin": "https://evil.example.org"}


def configuration(folder, front, back):
    """The example with the ports and files of this test."""
    with open(f"{PROJECT}/deploy/nginx.conf", encoding="utf-8") as file:
        text = file.read()
    for old, new in (("    listen [::]:443 ssl http2;\n", ""), ("listen 443 ", f"listen 127.0.0.1:{front} "),
                     (f"/etc/ssl/{NAME}.pem", f"{folder}/c.pem"), (f"/etc/ssl/private/{NAME}.key", f"{folder}/k.pem"),
                     ("http://127.0.0.1:8080", f"http://{back}")):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (f"pid {folder}/pid;\nerror_log {folder}/log;\ndaemon off;\nworker_processes 1;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{paths}{text}}}\n")


def start_nginx(folder, back):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        front = probe.getsockname()[1]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/k.pem", "-out",
                    f"{folder}/c.pem", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"], check=True,
                   stderr=subprocess.DEVNULL)
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(configuration(folder, front, back))
    process = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)

    def is_up():
        assert process.poll() is None, "nginx ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", front)) == 0
    wait_for("nginx", is_up)
    return process, front


class Proxied(Site):
    def __init__(self, gateway, folder, port):
        super().__init__(gateway, f"https://{NAME}:{port}")
        self.address = "127.0.0.1", port
        self.context = ssl.create_default_context(cafile=f"{folder}/c.pem")

    def connect(self, source=None):
        return self.context.wrap_socket(super().connect(source), server_hostname=NAME)


def visit(site):
    page = site.request("GET", "/")
    assert page.status == 200 and f"wss://{site.host}" in page.headers["Content-Security-Policy"], page
    mine = {"Origin": site.url}
    signed = site.request("POST", "/api/1/session", {"account": "alice", "password": PASSWORD}, headers=mine)
    assert signed.status == 200 and "; Secure" in signed.headers["Set-Cookie"], signed
    site.sign_in("alice", PASSWORD)
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=mine).status == 200
    assert site.live().do("hello")["account"]["name"] == "alice"
    assert WebSocket(site, "/irc", protocols=["text.ircv3.net"]).status == 101
    for path, protocols in (("/api/1/live", None), ("/irc", ["text.ircv3.net"])):
        assert WebSocket(site, path, protocols=protocols, headers=EVIL).status == 403, path
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=EVIL).status == 403
    assert site.request("GET", "/", headers={"Host": "other.example.org"}).status == 421


def main():
    if not shutil.which("nginx") or not shutil.which("openssl"):
        skip("nginx and openssl are not here")
    gateway = Gateway("proxied", **{"web.names": NAME, "web.clients_per_address": "1024"})
    gateway.account("alice", PASSWORD)
    folder, nginx = tempfile.mkdtemp(prefix="rg-", dir="/tmp"), None
    try:
        nginx, port = start_nginx(folder, gateway.web_url().split("/")[2])
        visit(Proxied(gateway, folder, port))
    finally:
        if nginx is not None:
            nginx.terminate()
            nginx.wait()
        shutil.rmtree(folder)
    finish()
    print("ok")


main()
