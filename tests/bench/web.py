# SPDX-License-Identifier: ISC
"""The browser's bridge under load: what an idle client costs, how fast one line reaches many, how fast files are served.
Beside it a bare libwebsockets server and nginx do the same on the same machine."""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402
import ws  # noqa: E402

IDLE, MANY, ROUNDS = 10000, 1000, 5
PER_CLIENT = 3  # descriptors of the gateway for a WebSocket (DESIGN §9)
PROGRAMS = f"{harness.BINARIES}/tests"


class Server:
    """One that is measured: its process, its port, and what a client tells it first: `first()` gives that at each time."""

    def __init__(self, folder, name, pid, port, head, first=lambda: ""):
        self.name, self.pid, self.port, self.first = name, pid, port, first
        self.files = [f"{folder}/{name}.{kind}" for kind in ("head", "first")]
        with open(self.files[0], "wb") as file:
            file.write(head)

    def clients(self, count):
        """The beginning of the command line for so many clients."""
        with open(self.files[1], "w") as file:
            file.write(self.first())
        return [f"{PROGRAMS}/bench_web_load", str(self.port), str(count), *self.files]

    def memory(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024

    def idle(self, clients):
        """Bytes of the server's memory for each of so many clients, and how long they took to come."""
        before = self.memory()
        load = subprocess.Popen(self.clients(clients), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        opened = json.loads(load.stdout.readline())
        each = (self.memory() - before) / clients
        load.communicate()
        return each, opened["seconds"]

    def say(self, clients, text, lines, window):
        path = f"{self.files[0]}.say"
        with open(path, "w") as file:
            file.write(text)
        out = subprocess.run([*self.clients(clients), path, str(lines), str(window)], stdout=subprocess.PIPE, check=True,
                             timeout=300)
        return json.loads(out.stdout)


def handshake(site):
    fields = {"X-Retrogate-Token": None, "Upgrade": "websocket", "Connection": "Upgrade", "Origin": site.url,
              "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
              "Sec-WebSocket-Protocol": f"retrogate.1, token.{site.token}" if site.token else "retrogate.1"}
    return site.head("GET", "/api/1/live", fields)


def idle_clients(ours, bare):
    clients = min(IDLE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500) // PER_CLIENT)
    cost, seconds = ours.idle(clients)
    limit, _ = bare.idle(clients)
    print(f"{clients} idle WebSocket clients, signed in and following: {cost:.0f} bytes each, all in {seconds:.1f} s; "
          f"bare libwebsockets {limit:.0f} bytes; ratio {cost / limit:.2f} (aim under 1.5)")


def one_line_to_many(ours, bare, conversation):
    text = json.dumps({"id": 1, "do": "say", "conversation": conversation, "text": "line-000000 " + "x" * 80})
    for what, lines, window in (("one at a time", 100, 1), ("32 under way", 1000, 32)):
        rounds = []
        for _ in range(ROUNDS):  # in turns, so that both meet the same moods of the machine
            got = ours.say(MANY, text, lines, window)
            # The same bytes: what a client got of ours for each line, changes of its delivery included.
            rounds.append((got, bare.say(MANY, "line-000000".ljust(int(got["bytes_per_line"]), "x"), lines, window)))
        rounds.sort(key=lambda each: each[0]["rate"] / each[1]["rate"])
        got, limit = rounds[ROUNDS // 2]
        print(f"one line to {MANY} clients, {what}: {got['rate']:.0f} lines x clients/s, to the last p50 "
              f"{got['p50_us'] / 1000:.1f} ms, p99 {got['p99_us'] / 1000:.1f} ms ({got['bytes_per_line']:.0f} bytes each); "
              f"bare libwebsockets {limit['rate']:.0f}/s, p50 {limit['p50_us'] / 1000:.1f} ms; ratio "
              f"{got['rate'] / limit['rate']:.2f}, median of {ROUNDS}, from {rounds[0][0]['rate'] / rounds[0][1]['rate']:.2f} "
              f"to {rounds[-1][0]['rate'] / rounds[-1][1]['rate']:.2f} (aim over 0.8)", flush=True)


NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  types {{ text/html html; text/css css; }} gzip_static on; access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def requests_per_second(url, encoding):
    out = subprocess.run(["wrk", "-t1", "-c32", "-d5s", "-H", f"Accept-Encoding: {encoding}", url], stdout=subprocess.PIPE,
                         text=True, check=True, timeout=60).stdout
    assert "Non-2xx" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def files(site, folder):
    if not shutil.which("wrk") or not shutil.which("nginx"):
        print("SKIP files: wrk or nginx is not installed")
        return
    os.makedirs(f"{folder}/files")
    for name in ("index.html", "app.css"):
        for encoding, ending in (("identity", ""), ("gzip", ".gz")):
            answer = site.request("GET", f"/{name}".replace("/index.html", "/"), headers={"Accept-Encoding": encoding})
            assert answer.status == 200, answer
            with open(f"{folder}/files/{name}{ending}", "wb") as file:
                file.write(answer.body)
    with ws.socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(NGINX.format(folder=folder, port=port))
    nginx = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"])
    try:
        harness.wait_for("nginx", lambda: ws.socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        for name in ("", "app.css"):
            for encoding in ("identity", "gzip"):
                ours = requests_per_second(f"{site.url}/{name}", encoding)
                limit = requests_per_second(f"http://127.0.0.1:{port}/{name}", encoding)
                print(f"GET /{name}, {encoding}, 32 connections kept open: {ours:.0f}/s; nginx with one worker {limit:.0f}/s; "
                      f"ratio {ours / limit:.2f}")
    finally:
        nginx.terminate()
        nginx.wait()


def settled(gateway):
    """The account's change, when nothing is under way any more."""
    seen = [None]

    def same():
        seen.append(gateway.do("account.show", account="one")["change"])
        time.sleep(0.1)
        return seen[-1] == seen[-2]
    harness.wait_for("the last changes", same)
    return seen[-1]


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = tempfile.mkdtemp(prefix="rg-bench-", dir="/tmp")
    gateway = harness.Gateway("home", **{"web.listen": "127.0.0.1:0", "web.clients": "12000", "web.clients_per_address": "12000"})
    gateway.account("one")
    gateway.account("two")
    handle, _ = harness.meet(gateway, "one", gateway, "two")
    harness.can_talk(gateway, "one", handle)
    conversation = harness.conversation(gateway, "one", handle)["id"]
    site = ws.Site(gateway).sign_in("one", "correct horse")

    def follow():
        # From here on: lines of the round before have the same numbers.
        return json.dumps({"id": 0, "do": "follow", "after": settled(gateway)})
    ours = Server(folder, "retrogated", gateway.process.pid, site.address[1], handshake(site), follow)
    with subprocess.Popen([f"{PROGRAMS}/bench_web_peer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        port = int(peer.stdout.readline())
        try:
            bare = Server(folder, "bare", peer.pid, port, handshake(site))
            idle_clients(ours, bare)
            one_line_to_many(ours, bare, conversation)
        finally:
            peer.stdin.close()
    files(site, folder)
    harness.finish()
    shutil.rmtree(folder, ignore_errors=True)


main()
