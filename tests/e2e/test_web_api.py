#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The page's files and the API of a real daemon: held against web/openapi.json, and against who should not get in."""
import base64
import email
import email.policy
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import socket
import ssl
import stat
import struct
import urllib.parse
import zlib

from harness import Gateway, run, wait_for
from ws import Answer, Site, answer_of

# Before a daemon starts: the sanitizer keeps little of what was freed, so that memory can be measured.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=4:malloc_context_size=5")
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEB = f"{PROJECT}/web"
PASSWORD = "correct horse battery"
with open(f"{WEB}/openapi.json", encoding="utf-8") as described:
    API = json.load(described)

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


# --- the description

def resolve(schema):
    while "$ref" in schema:
        found = API
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def validate(schema, value, where="answer"):
    """As much of JSON Schema as the description uses; a keyword that is not known here fails."""
    schema = resolve(schema)
    known = {"type", "enum", "required", "properties", "additionalProperties", "items", "pattern", "minLength", "minimum",
             "maximum", "description", "format"}
    assert set(schema) <= known, f"{where}: this test does not know {set(schema) - known}"
    if "type" in schema:
        assert type(value) is TYPES[schema["type"]], f"{where}: {value!r} is no {schema['type']}"
    assert value in schema.get("enum", [value]), f"{where}: {value!r}"
    if isinstance(value, str):
        assert len(value) >= schema.get("minLength", 0), where
        assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r}"
    if isinstance(value, int):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), where
    if isinstance(value, list):
        for index, item in enumerate(value):
            validate(schema.get("items", {}), item, f"{where}[{index}]")
    if isinstance(value, dict):
        missing = set(schema.get("required", [])) - set(value)
        assert not missing, f"{where} lacks {missing}"
        for name, member in value.items():
            inner = schema.get("properties", {}).get(name)
            assert inner is not None or schema.get("additionalProperties", True) is not False, f"{where}.{name} is not described"
            if inner is not None:
                validate(inner, member, f"{where}.{name}")


def operation_of(method, target):
    path = urllib.parse.urlsplit(target).path
    for pattern, methods in API["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return methods.get("get" if method == "HEAD" else method.lower())
    return None


seen = set()  # (operation, status) that came


class Held(Site):
    """Whatever the API answers here must be as it is described."""

    def request(self, method, target, body=None, headers=None, source=None):
        answer = super().request(method, target, body, headers, source)
        strict(answer, target)
        operation = operation_of(method, target)
        if operation is None or answer.status == 400 and b"<html>" in answer.body:
            return answer  # the second: the library did not take it for HTTP
        assert str(answer.status) in operation["responses"], f"{method} {target}: {answer} is not described"
        seen.add((operation["operationId"], answer.status))
        content = resolve(operation["responses"][str(answer.status)]).get("content", {})
        if method == "HEAD" or not content:
            assert not answer.body, answer
            return answer
        kind = answer.headers["Content-Type"]
        assert kind in content or re.sub("/.*", "/*", kind) in content, f"{method} {target}: {kind} is not described"
        if kind == "application/json":
            body = gzip.decompress(answer.body) if answer.headers["Content-Encoding"] == "gzip" else answer.body
            validate(content[kind]["schema"], json.loads(body), f"{method} {target} {answer.status}")
        return answer


def strict(answer, target):
    """The fields of every answer."""
    fields = answer.headers
    policy = fields["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy.replace("style-src-attr 'unsafe-inline'", ""), answer
    if answer.status == 200 and re.search(r"/blob/|/parts/|/message$", target):
        assert policy == "default-src 'none'; sandbox", answer
    else:
        assert "require-trusted-types-for 'script'" in policy and "frame-ancestors 'none'" in policy, answer
    for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin")):
        assert fields[name] == value, answer
    assert fields["Permissions-Policy"].startswith("camera=(self), "), answer
    assert "WWW-Authenticate" not in fields and "Access-Control-Allow-Origin" not in fields, answer
    if target.startswith("/api/") and target != "/api/1/openapi.json":
        assert fields["Cache-Control"] == "no-store", answer


def basic(account, password):
    return {"Cookie": None, "X-Retrogate-Token": None,
            "Authorization": "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()}


def picture(width=2, height=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"\x20\x80\x70" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# --- the parts

gateway = Gateway("web", **{"web.names": "chat.example.org", "web.listen_tls": "127.0.0.1:0"})
site = Held(gateway)


def first_run():
    link = gateway.setup_link()
    code = link.rsplit("=", 1)[1]
    file = f"{gateway.folder}/state/setup-code"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with open(file, encoding="ascii") as written:
        assert written.read().strip() == code
    session = site.request("GET", "/api/1/session").json()
    assert session["setup"] and not session["signed_in"] and session["vault"] == "open", session
    wrong = {"code": "0000-0000-0000-0000", "name": "alice", "password": PASSWORD}
    assert site.request("POST", "/api/1/setup", wrong).status == 403
    assert site.request("POST", "/api/1/setup", {**wrong, "code": code, "name": "Not A Name"}).status == 400
    assert site.request("POST", "/api/1/setup", {**wrong, "code": code}, headers={"Origin": "http://evil.example"}).status == 403
    made = site.request("POST", "/api/1/setup", {**wrong, "code": code, "person": "Alice", "keep": True})
    assert made.status == 200 and made.json()["account"] == "alice", made
    cookie = made.headers["Set-Cookie"]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"), cookie
    assert [entry["idle"] for entry in own_app_passwords()] == [30 * 86400]
    site.cookie, site.token = cookie.split(";")[0], made.json()["token"]
    assert site.request("POST", "/api/1/do", {"do": "hello"}).json()["done"]["operator"] is True
    assert gateway.setup_link() is None and not os.path.exists(file)
    assert site.request("POST", "/api/1/setup", {**wrong, "code": code}).status == 403
    assert not site.request("GET", "/api/1/session").json()["setup"]
    gateway.account("bob", PASSWORD)


def wrong_codes_change_nothing():
    other = Gateway("fresh")
    fresh, link = Held(other), other.setup_link()
    for _ in range(5):
        body = {"code": "aaaa-aaaa-aaaa-aaaa", "name": "alice", "password": PASSWORD}
        assert fresh.request("POST", "/api/1/setup", body).status == 403
    assert other.setup_link() == link
    other.account("carol", PASSWORD)  # by another door
    assert not fresh.request("GET", "/api/1/session").json()["setup"]
    assert other.setup_link() is None
    quiet = Gateway("quiet", **{"web.setup": "no"})
    assert quiet.setup_link() is None and not os.path.exists(f"{quiet.folder}/state/setup-code")


def own_app_passwords(account="alice"):
    return [entry for entry in gateway.do("app_password.list", account=account)["app_passwords"]
            if entry["label"].startswith("Browser: ")]


def signing_in_and_out():
    site.request("DELETE", "/api/1/session")
    assert own_app_passwords() == []
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 <script>"}
    answer = site.request("POST", "/api/1/session", {"account": "alice", "password": PASSWORD, "keep": True}, headers=agent)
    cookie, token = answer.headers["Set-Cookie"], answer.json()["token"]
    assert "; Max-Age=2592000" in cookie and "Secure" not in cookie, cookie
    entry, = own_app_passwords()
    assert entry["label"] == "Browser: Firefox on Linux" and entry["scope"] == "web" and entry["idle"] == 2592000, entry
    site.cookie, site.token = cookie.split(";")[0], token
    gateway.stop()
    gateway.restart()  # signs nobody out
    answer = site.request("GET", "/api/1/session")
    assert answer.json()["account"] == "alice" and answer.json()["token"] == token, answer
    assert answer.headers["Set-Cookie"] == cookie, answer  # its 30 days begin anew
    # Behind the cookie stands an app password: it makes no others, and does not change the account's own.
    for command in ({"do": "app_password.new", "label": "x"}, {"do": "app_password.new", "label": "x", "scope": "*"}):
        assert site.request("POST", "/api/1/do", command).status == 403
    old_cookie = site.cookie
    out = site.request("DELETE", "/api/1/session")
    assert out.status == 204 and out.headers["Clear-Site-Data"] == '"cache"' and "Max-Age=0" in out.headers["Set-Cookie"], out
    assert own_app_passwords() == []
    dead = site.request("GET", "/api/1/session", headers={"Cookie": old_cookie})
    assert not dead.json()["signed_in"] and "Max-Age=0" in dead.headers["Set-Cookie"], dead
    assert site.request("POST", "/api/1/do", {"do": "hello"}).status == 401
    # Revoked elsewhere: gone here.
    site.sign_in("alice", PASSWORD)
    gateway.do("app_password.revoke", account="alice", app_password=own_app_passwords()[0]["id"])
    assert site.request("POST", "/api/1/do", {"do": "hello"}).status == 401


def fixation():
    """A cookie that somebody planted is not what a person is signed in with."""
    mallory = Held(gateway).sign_in("bob", PASSWORD)
    site.cookie = site.token = None
    answer = site.request("POST", "/api/1/session", {"account": "alice", "password": PASSWORD}, headers={"Cookie": mallory.cookie})
    assert answer.headers["Set-Cookie"].split(";")[0] != mallory.cookie
    assert mallory.request("GET", "/api/1/session").json()["account"] == "bob"
    site.cookie, site.token = answer.headers["Set-Cookie"].split(";")[0], answer.json()["token"]
    twice = site.request("GET", "/api/1/session", headers={"Cookie": f"{mallory.cookie}; {site.cookie}"})
    assert not twice.json()["signed_in"], twice
    # The token of one is worth nothing with the cookie of the other.
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers={"X-Retrogate-Token": mallory.token}).status == 403
    mallory.request("DELETE", "/api/1/session")


def app_passwords_and_scripts():
    made = gateway.do("app_password.new", account="alice", label="script", scope="web")
    script = basic("alice", made["password"])
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=script).json()["done"]["account"]["name"] == "alice"
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=basic("bob", made["password"])).status == 401
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers={**script, "Content-Type": "text/plain"}).status == 415
    wrong_scope = gateway.do("app_password.new", account="alice", label="chat", scope="irc")
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=basic("alice", wrong_scope["password"])).status == 401
    other = Held(gateway).sign_in("alice", made["password"])
    assert made["password"] in base64.urlsafe_b64decode(other.cookie.split(".")[-1] + "==").decode()
    assert other.request("DELETE", "/api/1/session").status == 204
    # A person made it, so signing out does not revoke it.
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=script).status == 200
    for entry in (made, wrong_scope):
        gateway.do("app_password.revoke", account="alice", app_password=entry["id"])
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=script).status == 401


def foreign_pages():
    """What a browser lets a page of another origin send."""
    no_token, no_cookie = {"X-Retrogate-Token": None}, {"Cookie": None}
    rows = [({}, 200), ({"Origin": site.url, "Sec-Fetch-Site": "same-origin"}, 200), (no_token, 403), (no_cookie, 401),
            ({**no_token, **no_cookie}, 401), ({"Content-Type": "text/plain"}, 415), ({"Content-Type": None}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415)]
    evil = ["http://evil.example", "null", site.url.replace("http:", "ftp:"), f"{site.url}.evil.example", "http://127.0.0.1:1"]
    rows += [({"Origin": origin}, 403) for origin in evil] + [({"Sec-Fetch-Site": kind}, 403) for kind in ("cross-site", "same-site")]
    for headers, status in rows:
        answer = site.request("POST", "/api/1/do", {"do": "hello"}, headers=headers)
        assert answer.status == status, f"{headers}: {answer}"
    for method, path in (("GET", "/api/1/session"), ("DELETE", "/api/1/session"), ("POST", "/api/1/qr")):
        body = {"text": "x"} if method == "POST" else None
        assert site.request(method, path, body, headers={"Sec-Fetch-Site": "cross-site"}).status == 403, path
    assert site.request("DELETE", "/api/1/session", headers=no_token).status == 403
    assert site.request("GET", "/api/1/session").json()["signed_in"]
    # A page elsewhere may link here.
    assert site.request("GET", "/", headers={"Sec-Fetch-Site": "cross-site"}).status == 200


def rebinding():
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "<b>", "127.1"):
        for path in ("/", "/api/1/session", "/api/1/do"):
            answer = site.request("GET", path, headers={"Host": host})
            assert answer.status == 421 and b"web.names" in answer.body and host.encode() not in answer.body, answer
            assert host not in str(answer.headers), answer
    for host in ("chat.example.org", "Chat.Example.org:8080", "localhost", "[::1]:1", "192.0.2.1"):
        assert site.request("GET", "/", headers={"Host": host}).status == 200, host


def files():
    for folder, _, names in os.walk(WEB):
        for name in sorted(names):
            path = os.path.relpath(f"{folder}/{name}", WEB)
            with open(f"{WEB}/{path}", "rb") as source:
                contents = source.read()
            target = "/api/1/openapi.json" if path == "openapi.json" else f"/{path}"
            plain = site.request("GET", target)
            if plain.status != 200 or plain.body != contents:
                raise AssertionError(f"{target}: {plain.status}, {len(plain.body)} bytes: is the build older than web/?")
            assert plain.headers["Cache-Control"] == "no-cache" and plain.headers["Vary"] == "Accept-Encoding"
            again = site.request("GET", target, headers={"If-None-Match": plain.headers["ETag"]})
            assert again.status == 304 and again.body == b"" and again.headers["ETag"] == plain.headers["ETag"], again
            packed = site.request("GET", target, headers={"Accept-Encoding": "gzip"})
            if packed.headers["Content-Encoding"] == "gzip":
                assert gzip.decompress(packed.body) == contents and packed.headers["ETag"] != plain.headers["ETag"]
            head = site.request("HEAD", target)
            assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) == len(contents)
            assert site.request("POST", target, {}).status == 405
    kinds = {"/": "text/html; charset=utf-8", "/app.css": "text/css; charset=utf-8", "/main.js": "text/javascript; charset=utf-8",
             "/icon.svg": "image/svg+xml", "/manifest.webmanifest": "application/manifest+json"}
    for target, kind in kinds.items():
        assert site.request("GET", target).headers["Content-Type"] == kind, target
    assert site.request("GET", "/app.css", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert site.request("GET", "/").body == site.request("GET", "/index.html").body


def traversal():
    secret = f"{gateway.folder}/retrogate.conf"
    paths = ["/../retrogate.conf", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/./index.html", secret,
             "/lang/../index.html", "/index.html%00.js", "/index.html\\..\\x", "/%c0%ae%c0%ae/etc/passwd", "/lang/", "/lang", "/.git/config",
             "/index.html/", "/index%2ehtml", "/openapi.json", "file:///etc/passwd", "http://evil.example/index.html", "/?/../etc", "/views",
             "/api/1/blob/../session", "/api/1/blob/%2e%2e", "/api/1//do", "/api/1/do/", "/API/1/session", "/api", "/api/", "/api/1", "/api/2/session"]
    for path in paths:
        answer = site.request("GET", path)
        assert answer.status in (400, 404) or path == "/?/../etc" and answer.status == 200, f"{path}: {answer}"
        assert b"root:" not in answer.body and b"[node]" not in answer.body


def files_from_a_folder():
    """What web.files shows is read anew each time, and no other name of that folder is opened."""
    folder = f"{gateway.folder}/page"
    os.mkdir(folder)
    other = Gateway("developing", **{"web.files": folder})
    page = Held(other)
    assert page.request("GET", "/").status == 404
    for text in ("first", "second"):
        with open(f"{folder}/index.html", "w", encoding="utf-8") as file:
            file.write(text)
        answer = page.request("GET", "/")
        assert answer.body == text.encode(), answer
        assert page.request("GET", "/", headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    with open(f"{folder}/other.html", "w", encoding="utf-8") as file:
        file.write("not compiled in")
    assert page.request("GET", "/other.html").status == 404


def blobs():
    png = picture()
    gateway.do("account.set", account="alice", avatar=base64.b64encode(png).decode())
    blob = gateway.do("account.show", account="alice")["avatar"]
    assert blob == hashlib.sha256(png).hexdigest()
    no_token = {"X-Retrogate-Token": None}  # an <img> sends none
    answer = site.request("GET", f"/api/1/blob/{blob}", headers=no_token)
    assert answer.status == 200 and answer.body == png and answer.headers["Content-Type"] == "image/png", answer
    assert site.request("GET", f"/api/1/blob/{blob}", headers={"Cookie": None}).status == 401
    assert site.request("GET", f"/api/1/blob/{'0' * 64}").status == 404
    bob = Held(gateway).sign_in("bob", PASSWORD)
    assert bob.request("GET", f"/api/1/blob/{blob}").status == 404
    bob.request("DELETE", "/api/1/session")


def commands():
    rows = [({"do": "contact.list"}, 200), ({"do": "nonsense"}, 400), ({"do": "say", "conversation": 99, "text": "x"}, 404),
            ({"do": "say"}, 400), ({}, 400), ({"do": "contact.list", "id": 1}, 400), ({"do": "contact.list", "account": "bob"}, None),
            ({"do": "account.add", "name": "bob", "password": PASSWORD}, 409), ([], 400), (b"{", 400), (b"\xff\xfe", 400), (b"", 400),
            (b'{"do": "hello", "do": "status"}', 400), (b"[" * 5000, 400)]
    for body, status in rows:
        answer = site.request("POST", "/api/1/do", body)
        assert answer.status == status or status is None and answer.status >= 400, f"{body}: {answer}"
    bob = Held(gateway).sign_in("bob", PASSWORD)
    assert bob.request("POST", "/api/1/do", {"do": "friend.list"}).status == 403
    bob.request("DELETE", "/api/1/session")
    code = site.request("POST", "/api/1/qr", {"text": "retroshare://" + "x" * 200}).json()
    assert len(code["rows"]) == code["size"] and all(len(row) == code["size"] for row in code["rows"])
    assert site.request("POST", "/api/1/qr", {"text": "x" * 2901}).status == 400
    assert site.request("POST", "/api/1/qr", {"text": "x" * 70000}).status == 413
    assert site.request("POST", "/api/1/do", {"do": "x" * (1 << 20)}).status == 413
    assert site.request("POST", "/api/1/do", headers={"Content-Type": "application/json"}).status == 411
    assert site.request("POST", "/api/1/do", b"{}", headers={"Transfer-Encoding": "chunked", "Content-Length": None}).status == 411


RAW = {"Content-Type": "application/octet-stream"}


def uploaded(who, data, **headers):
    answer = who.request("POST", "/api/1/uploads", data, headers={**RAW, **headers})
    assert answer.status == 200 and answer.json()["size"] == len(data), answer
    return answer.json()["upload"]


def given(who, command, /, **arguments):
    answer = who.request("POST", "/api/1/do", {"do": command, **arguments})
    assert answer.status == 200, answer
    return answer.json()["done"]


def uploads():
    """Bytes of any size and kind, from one request to the next."""
    for size in (0, 1, 262143, 262144, 262145, 3 << 20):
        data = os.urandom(size)
        upload = uploaded(site, data)
        given(site, "upload.drop", upload=upload)
    upload = uploaded(site, b"x", **{"Content-Type": None})
    bob = Held(gateway).sign_in("bob", PASSWORD)
    assert bob.request("POST", "/api/1/do", {"do": "upload.drop", "upload": upload}).status == 404
    no_token, no_cookie = {"X-Retrogate-Token": None}, {"Cookie": None}
    rows = [(no_token, 403), (no_cookie, 401), ({"Origin": "http://evil.example"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Transfer-Encoding": "chunked", "Content-Length": None}, 411), ({"Content-Length": (48 << 20) + 1}, 413),
            ({"Content-Length": None}, 411)]
    for headers, status in rows:
        answer = site.request("POST", "/api/1/uploads", b"{}", headers={**RAW, **headers})
        assert answer.status == status, f"{headers}: {answer}"
    given(site, "upload.drop", upload=upload)
    # The largest, of which little is in memory at any time.
    before = memory()
    given(site, "upload.drop", upload=uploaded(site, bytes(48 << 20)))
    assert memory() - before < 24 << 20, f"{memory() - before} bytes more"
    bob.request("DELETE", "/api/1/session")


def memory():
    with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) << 10


def broken_off_uploads_are_forgotten():
    """Twelve, though a session may have eight open."""
    for _ in range(12):
        with site.connect() as sock:
            sock.sendall(site.head("POST", "/api/1/uploads", {"Content-Length": 1 << 20}) + bytes(300000))
    given(site, "upload.drop", upload=uploaded(site, b"whole"))


def posts():
    """A post with attachments goes from one account to another; its parts come back as files that do no harm."""
    bob = Held(gateway).sign_in("bob", PASSWORD)
    for giver, taker in (("alice", "bob"), ("bob", "alice")):
        gateway.do("contact.add", account=taker, key=gateway.do("account.show", account=giver)["key"])
        gateway.do("account.set", account=giver, universal=True)
    large = os.urandom(2 << 20)
    files = [("photo.png", "image/png", picture(), "image/png"), ("large.bin", "application/octet-stream", large, "application/octet-stream"),
             ("../../.profile", "text/x-shellscript", b"rm", "application/octet-stream"),
             ("page.html", "text/html", b"<script>alert(1)</script>", "application/octet-stream"),
             ("drawing.svg", "image/svg+xml", b"<svg onload='alert(1)'/>", "application/octet-stream"),
             ("Gr\u00fc\u00dfe \u202egpj.exe", "text/plain", b"hello", "text/plain")]
    attachments = [{"upload": uploaded(site, data), "name": name, "type": kind} for name, kind, data, _ in files]
    given(site, "post.send", to=["bob"], subject="files", text="see them", attachments=attachments)

    def arrived():
        return given(bob, "post.list", box="in")["posts"]
    post = wait_for("the post arrives", arrived)[0]
    shown = given(bob, "post.show", seq=post["seq"])
    assert len(shown["parts"]) == len(files), shown["parts"]
    no_token = {"X-Retrogate-Token": None}  # a link brings none
    for part, (name, _, data, kind) in zip(shown["parts"], files):
        target = f"/api/1/posts/{post['seq']}/parts/{part['part']}"
        answer = bob.request("GET", target, headers=no_token)
        disposition = answer.headers["Content-Disposition"]
        assert answer.status == 200 and answer.body == data and answer.headers["Content-Type"] == kind, f"{name}: {answer}"
        assert disposition.startswith("attachment; filename=") and "/" not in disposition and "\u202e" not in disposition, disposition
        head = bob.request("HEAD", target)
        assert head.headers["Content-Disposition"] == disposition and head.headers["Content-Type"] == kind, head
        assert bob.request("GET", target, headers={"Cookie": None}).status == 401
        assert bob.request("GET", target, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    names = [bob.request("GET", f"/api/1/posts/{post['seq']}/parts/{part['part']}").headers["Content-Disposition"] for part in shown["parts"]]
    assert names[0] == "attachment; filename=\"photo.png\"; filename*=UTF-8''photo.png", names[0]
    assert names[-1].endswith("filename*=UTF-8''Gr%C3%BC%C3%9Fe%20gpj.exe"), names[-1]
    for target in (f"{post['seq']}/parts/99", f"{post['seq']}/parts/0", "999999/parts/1", "999999/message", "0/message"):
        assert bob.request("GET", f"/api/1/posts/{target}").status == 404, target
    for target in (f"{post['seq']}/parts/01", f"{post['seq']}/parts/", f"{post['seq']}/parts/1/", f"{post['seq']}/parts/-1", "x/message",
                   f"{post['seq']}/parts/{'9' * 30}", f"{post['seq']}/messages", f"{post['seq']}"):
        assert bob.request("GET", f"/api/1/posts/{target}").status == 404, target
    whole = bob.request("GET", f"/api/1/posts/{post['seq']}/message")
    assert whole.headers["Content-Type"] == "message/rfc822", whole
    assert whole.headers["Content-Disposition"].startswith(f"attachment; filename=\"post-{post['seq']}.eml\""), whole
    parsed = email.message_from_bytes(whole.body, policy=email.policy.default)
    assert parsed["Subject"] == "files" and len(whole.body) == post["size"], (parsed["Subject"], len(whole.body), post["size"])
    assert large in [part.get_content() for part in parsed.iter_attachments()]
    # A page asks for all at once, and the large one more than once.
    asked = [(bob.connect(), part) for part in 4 * list(range(len(files)))]
    for sock, part in asked:
        target = f"/api/1/posts/{post['seq']}/parts/{shown['parts'][part]['part']}"
        sock.sendall(bob.head("GET", target, {"Connection": "close"}))
    for sock, part in asked:
        answer = answer_of(sock, b"")
        assert answer.status == 200 and answer.body == files[part][2], answer
        sock.close()
    given(bob, "post.delete", seq=post["seq"])
    assert bob.request("GET", f"/api/1/posts/{post['seq']}/message").status == 404
    bob.request("DELETE", "/api/1/session")


def a_script_sends_a_message():
    """With an app password and nothing else: a whole message as bytes, sent, and read back."""
    made = gateway.do("app_password.new", account="alice", label="script", scope="web")
    script = Held(gateway)

    def request(method, target, body=None, **headers):
        return script.request(method, target, body, headers={**basic("alice", made["password"]), **headers})
    message = b"From: alice@distant.alt\r\nTo: bob@distant.alt\r\nSubject: by a script\r\n\r\n" + b"line of text\r\n" * 60000
    upload = request("POST", "/api/1/uploads", message, **{"Content-Type": "message/rfc822"}).json()["upload"]
    send = {"do": "post.send", "to": ["bob"], "upload": upload}
    seq = request("POST", "/api/1/do", send).json()["done"]["seq"]
    assert request("POST", "/api/1/do", send).status == 404  # it was used up
    own = request("GET", f"/api/1/posts/{seq}/message")
    assert own.status == 200 and b"Subject: by a script" in own.body and own.body.count(b"line of text") == 60000, own
    wait_for("it is delivered", lambda: request("POST", "/api/1/do", {"do": "post.show", "seq": seq}).json()["done"]["deliveries"][0][
        "delivery"] == "delivered")
    gateway.do("app_password.revoke", account="alice", app_password=made["id"])
    assert request("GET", f"/api/1/posts/{seq}/message").status == 401


def brute_force():
    statuses = [site.request("POST", "/api/1/session", {"account": "bob", "password": f"guess {n}"}, source="127.0.0.9") for n in range(6)]
    assert [answer.status for answer in statuses[:4]] == [401] * 4 and statuses[-1].status == 429, statuses
    assert int(statuses[-1].headers["Retry-After"]) >= 1
    # The right password must wait too, from there, and need not from elsewhere.
    right = {"account": "bob", "password": PASSWORD}
    assert site.request("POST", "/api/1/session", right, source="127.0.0.9").status == 429
    assert site.request("POST", "/api/1/session", right, source="127.0.0.10").status == 200
    # By cookie and by Basic it is the same throttle.
    assert site.request("GET", "/api/1/session", headers={"Cookie": cookie_of("bob", "x")}, source="127.0.0.9").status == 429
    assert site.request("POST", "/api/1/do", {"do": "hello"}, headers=basic("bob", "x"), source="127.0.0.9").status == 429
    log = gateway.log_text()
    for secret in ("guess", PASSWORD, "bob", site.token, site.cookie.split("=", 1)[1]):
        assert secret not in log, secret


def cookie_of(account, password):
    def coded(text):
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"{site.cookie.split('=', 1)[0]}={coded(account)}.{coded(password)}"


def over_tls():
    url = gateway.web_url(1)
    assert url.startswith("https://")
    secure = Held(gateway, url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain_connect = secure.connect
    secure.connect = lambda source=None: context.wrap_socket(plain_connect(source))
    answer = secure.request("POST", "/api/1/session", {"account": "alice", "password": PASSWORD}, headers={"Origin": secure.url})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-retrogate-{secure.address[1]}=") and "; Secure" in cookie, cookie
    assert f" wss://{secure.host};" in answer.headers["Content-Security-Policy"] and " ws://" not in str(answer.headers)
    secure.cookie, secure.token = cookie.split(";")[0], answer.json()["token"]
    assert secure.request("POST", "/api/1/do", {"do": "hello"}).status == 200
    assert secure.request("POST", "/api/1/do", {"do": "hello"}, headers={"Origin": secure.url.replace("https", "http")}).status == 403
    given(secure, "upload.drop", upload=uploaded(secure, os.urandom(2 << 20)))
    assert site.request("GET", "/api/1/session", headers={"Cookie": secure.cookie}).json()["signed_in"] is False
    secure.request("DELETE", "/api/1/session")


def one_connection():
    """Requests follow each other; an upgrade in their midst is told to begin anew."""
    with site.connect() as sock:
        for _ in range(3):
            sock.sendall(site.head("GET", "/api/1/session", {}))
            assert read_answer(sock).status == 200
        sock.sendall(site.head("GET", "/api/1/session", {}) * 3)
        for _ in range(3):
            assert read_answer(sock).status == 200
        sock.sendall(site.head("GET", "/api/1/live", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": 13}))
        answer = read_answer(sock)
        assert answer.status == 426 and answer.headers["Upgrade"] == "websocket", answer


def read_answer(sock):
    """One answer and no byte of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, head
        head += byte
    size = int(re.search(rb"Content-Length: (\d+)", head)[1])
    body = b""
    while len(body) < size:
        body += sock.recv(size - len(body))
    response = http.client.HTTPResponse(Replay(head + body))
    response.begin()
    return Answer(response)


class Replay:
    def __init__(self, data):
        self.data = data

    def makefile(self, mode):
        return io.BytesIO(self.data)


def methods_and_paths():
    """Nothing is described that is not there, and nothing is there that is not described."""
    methods = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
    for pattern, operations in API["paths"].items():
        if pattern in ("/api/1/live", "/irc"):
            continue  # without an upgrade there is nothing
        described = {name.upper() for name in operations}
        described |= {"HEAD"} if "GET" in described else set()
        target = re.sub(r"\{(seq|part)\}", "1", pattern.replace("{id}", "0" * 64))
        for method in sorted(methods):
            answer = site.request(method, target, headers={"Cookie": None, "X-Retrogate-Token": None})
            assert (answer.status not in (404, 405)) == (method in described), f"{method} {target}: {answer}"
            if answer.status == 405:
                assert set(answer.headers["Allow"].split(", ")) == described, answer
    with open(f"{PROJECT}/bridges/web/http_request.c", encoding="utf-8") as source:
        served = set(re.findall(r'\{"([A-Z]+)", "(/api/[^"]+)"', source.read()))
    assert len(served) > 5
    for method, path in served:
        path = path.replace("#", "1") + ("0" * 64 if path.endswith("/") else "")
        assert operation_of(method, path), f"{method} {path} is not described"
    came = {operation for operation, status in seen if status < 300}
    expected = {operation["operationId"] for path in API["paths"].values() for operation in path.values()} - {"live", "irc"}
    assert came == expected, f"never answered well: {expected - came}"
    print(f"  {len(seen)} kinds of answers came as described")


def nothing_is_left():
    """Descriptors of connections that ended are given back."""
    def count():
        return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
    before = count()
    socks = [socket.create_connection(site.address) for _ in range(50)]
    for number, sock in enumerate(socks):
        sock.sendall(site.head("GET", "/api/1/session", {})[:10 * number % 200 + 1])
    for sock in socks:
        sock.close()
    wait_for("descriptors are given back", lambda: count() <= before)


run(first_run, wrong_codes_change_nothing, files, traversal, files_from_a_folder, signing_in_and_out, fixation,
    app_passwords_and_scripts, foreign_pages, rebinding, blobs, commands, uploads,
    broken_off_uploads_are_forgotten, posts, a_script_sends_a_message, over_tls, one_connection, methods_and_paths, nothing_is_left,
    brute_force)
