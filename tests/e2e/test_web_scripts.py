# SPDX-License-Identifier: ISC
"""What strangers write, in a real browser: names, lines, avatars, links and addresses that would be scripts, and a page of
another origin that tries to use the cookie. Nothing runs, nothing is fetched, nothing is said."""
import base64
import http.server
import json
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import zlib

import browser as web
from browser import DESKTOP, Browser, Page, end_browsers
from harness import can_talk, chain, meet, run, skip, texts, wait_for

PASSWORD = "correct horse"
HIT = "window.hit=(window.hit||0)+1"
SCRIPTS = [
    f"<script>{HIT}</script>", f"<img src=x onerror='{HIT}'>", f"<svg onload={HIT}>", f"\"><img src=x onerror=\"{HIT}\">",
    f"'><svg/onload={HIT}>", f"</title><script>{HIT}</script>", f"</textarea><img src=x onerror={HIT}>", f"<body onload={HIT}>",
    f"<iframe srcdoc='<script>parent.{HIT}</script>'></iframe>", f"<iframe src=javascript:{HIT}>", "<object data=data:text/html,x>",
    f"<a href='javascript:{HIT}'>a</a>", f"<details open ontoggle={HIT}>", f"<input autofocus onfocus={HIT}>",
    f"<math><mtext></mtext><mglyph><svg><mtext><style><img src=x onerror={HIT}></style>", f"<template><script>{HIT}</script></template>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>", "<link rel=stylesheet href=http://evil.example/x.css>",
    "<base href=http://evil.example/>", "<form action=http://evil.example/><input name=x><button>go</button></form>",
    "<img src=http://evil.example/pixel.png>", "<style>*{background:url(http://evil.example/)}</style>",
    f"&lt;img src=x onerror={HIT}&gt;", f"&#x3c;script&#x3e;{HIT}&#x3c;/script&#x3e;", f"${{{HIT}}}", f"{{{{{HIT}}}}}", "%3Cscript%3E",
    "\u202e<script>\u202c", "\ufeff<b>", "\u2028alert(1)\u2029", "__proto__", "constructor", "toString", "{n}{name}{text}", "$&$1$`",
    "<!--", "]]>", "<?xml version='1.0'?>", "\\u003cscript\\u003e", f"<xss style=animation-name:x onanimationstart={HIT}>",
    "a" * 3000, "\u0300" * 500, "\U000e0001" * 50, "\u200b", "\u2066" * 30 + "x"]
LINKS = [
    f"javascript:{HIT}", f"JaVaScRiPt:{HIT}", f"java\tscript:{HIT}", f"data:text/html,<script>{HIT}</script>", "vbscript:x", "file:///etc/passwd",
    f"https://example.org/\"onmouseover=\"{HIT}", f"https://example.org/'><img src=x onerror={HIT}>", "https://evil.example@example.org/",
    "http://[::1", "https://", "https://example.org/%00%0d%0aX", f"retroshare://certificate?radix=<img src=x onerror={HIT}>",
    f"retroshare://private_chat?encrypted_data=\"><script>{HIT}</script>", f"retroshare://javascript:{HIT}", "blob:https://example.org/1",
    "view-source:https://example.org/", "retroshare://person?name=<b>x</b>&gpgid=0", f"https://example.org/#javascript:{HIT}",
    "https://example.org/\u202egpj.exe", "http://user:password@127.0.0.1:1/"]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(extra=b""):
    """A picture of one pixel, with more behind or inside it."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"tEXt", b"x\0" + extra) if extra else b"") +
            chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"") + extra)


SCRIPT = f"<html><script>{HIT}</script></html>".encode()
PICTURES = {  # what may be kept, and what must be refused
    "svg": (f"<svg xmlns='http://www.w3.org/2000/svg' onload='{HIT}'/>".encode(), False), "html": (SCRIPT, False),
    "gif": (b"GIF89a/*" + SCRIPT, False), "html before": (SCRIPT + png(), False), "magic alone": (b"\x89PNG\r\n\x1a\n" + SCRIPT, False),
    "jpeg magic alone": (b"\xff\xd8\xff" + SCRIPT, False), "xml": (b"<?xml version='1.0'?><svg/>", False),
    "script inside": (png(SCRIPT), True)}


def meeting():
    global a, b, browser, page, at_a, at_b
    a, b = chain("A", "B")
    a.account("alice", PASSWORD, operator=True)
    b.account("bob", PASSWORD)
    at_a, at_b = meet(a, "alice", b, "bob")
    a.do("contact.set", account="alice", contact=at_a, presence="always")  # nobody looks yet
    can_talk(a, "alice", at_a)
    can_talk(b, "bob", at_b)
    browser = Browser()
    page = Page(browser, "alice", a.web_url(), viewport=DESKTOP, reducedMotion="reduce")
    page.sign_in("alice", PASSWORD)
    page.quiet(web.UNAUTHORISED)


def harmless(what):
    """No script ran, none stands in the page, nothing of it came from a text, and nothing was reported."""
    strange = page.call_js("""() => [...document.querySelectorAll("script, iframe, object, embed, base, meta, link, style, form, img, a")]
        .filter((it) => {
            const url = it.src || it.href || it.getAttribute("action") || it.data || "";
            switch (it.localName) {
                case "script": case "link": return new URL(url).origin !== location.origin || it.closest("body") !== null;
                case "meta": return it.httpEquiv !== "" || it.closest("body") !== null;
                case "img": return !url.startsWith("blob:") && new URL(url).origin !== location.origin;
                case "form": return it.hasAttribute("action");
                case "a": return !/^(https?:|)$/.test(it.protocol) || ([...it.attributes].some((each) => /^on/.test(each.name)));
                default: return true;
            }
        }).map((it) => it.outerHTML.slice(0, 300))""")
    assert not strange, f"{what}: {strange}"
    assert page.call_js("() => window.hit ?? null") is None, f"{what}: a script ran"
    page.quiet()


def every_view(what):
    for route in ("#/chats", f"#/chat/{at_a}", "#/invites", "#/contacts", f"#/contacts/{at_a}", "#/friends", "#/network", "#/guide",
                  "#/settings/account", "#/settings/passwords", "#/settings/people", "#/settings/gateway"):
        page.go(route)
        page.gone("[aria-busy=true]")
        page.call_js("() => new Promise((done) => setTimeout(done, 100))")
        harmless(f"{what} in {route}")


def lines():
    """Said by both; shown as the text that they are."""
    page.go(f"#/chat/{at_a}")
    page.has(".composer textarea")
    for text in SCRIPTS + LINKS:
        b.do("say", account="bob", conversation=at_b, text=text)
        a.do("say", account="alice", conversation=at_a, text=text)
    b.do("say", account="bob", conversation=at_b, text="the last")
    page.has(".line.theirs .line-text:text-is('the last')", 40)
    harmless("lines")
    shown = set(page.on(".line.theirs .line-text").allInnerTexts())
    assert SCRIPTS[0] in shown and SCRIPTS[1] in shown, "markup is not shown as text"
    hrefs = page.call_js("() => [...document.querySelectorAll('.line-text a')].map((it) => [it.getAttribute('href'), it.rel])")
    assert hrefs, "no link is a link"
    for href, rel in hrefs:
        assert re.match(r"https?://|#/invites\?text=", href), href
        assert href.startswith("#") or {"noopener", "noreferrer"} <= set(rel.split()), (href, rel)
    for number in range(page.on(".line.theirs a[href^='#']").count()):
        page.on(f".line.theirs a[href^='#'] >> nth={number}").click()
        page.has(".open-box textarea >> nth=0")
        harmless("a link of retroshare, clicked")
        page.goBack()
        page.has(".line.theirs a[href^='#'] >> nth=0")
    for text in ("<img", "onerror", HIT):
        page.go(f"#/chats?search={text.replace('+', '%2B')}")
        page.has(".results li >> nth=0")
        harmless("search")
    every_view("lines")


def names():
    """Nicknames, states, labels and names of friends; a key whose user id is markup."""
    b.do("account.set", account="bob", state_text=SCRIPTS[1])
    contact = a.do("contact.show", account="alice", contact=at_a)["id"]
    location = a.do("friend.list")["friends"][0]["location"]
    for text in (SCRIPTS[0], SCRIPTS[1], SCRIPTS[3], "__proto__", "\u202egpj", "{n}"):
        a.do("contact.set", account="alice", contact=contact, name=text[:100])
        a.do("friend.set", friend=location, name=text[:100])
        a.do("app_password.new", account="alice", label=text[:60], scope="irc")
        page.go(f"#/chat/{at_a}")
        page.go("#/contacts")
        harmless(text)
    for handle in ("<b>", "a b", "..", "é", "a" * 25):
        a.refused("contact.set", account="alice", contact=contact, handle=handle)
    for handle in ("__proto__", at_a):  # a name for us, a trap for maps in scripts
        a.do("contact.set", account="alice", contact=contact, handle=handle)
        page.go(f"#/chat/{handle}")
        page.has(".line")
        harmless(handle)
    every_view("names")
    page.on("body").press("Control+k")
    page.has("dialog[open] input").fill("img")
    harmless("switcher")
    page.on("body").press("Escape")


def keys_of_strangers():
    if not shutil.which("gpg"):
        return "no gpg"
    home = tempfile.mkdtemp(prefix="rg-", dir="/tmp")

    def gpg(*arguments):
        return subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
                               "--allow-freeform-uid", *arguments], capture_output=True).stdout.decode()
    try:
        for uid in (SCRIPTS[0], SCRIPTS[1], SCRIPTS[3]):
            gpg("--quick-gen-key", uid, "rsa2048", "sign,cert,encr", "0")
        found = re.findall(r"^fpr:+([0-9A-F]{40}):", gpg("--with-colons", "--list-keys"), re.M)
        assert len(found) == 3, found
        for fingerprint in found:
            key = gpg("--armor", "--export", fingerprint)
            page.go("#/contacts")
            page.has(".open-box textarea >> nth=0").fill(f"take this <img src=x onerror={HIT}>\n{key}")
            page.has(".finding >> nth=0")
            harmless("a key found in a text")
            added = a.do("contact.add", account="alice", key=key)
            assert re.fullmatch("[a-z0-9_-]{1,24}", added["handle"]), added
            page.go(f"#/contacts/{added['handle']}")
            page.gone("[aria-busy=true]")
            harmless("a key with markup in its name")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
    every_view("keys")
    return None


def pictures():
    """An avatar is PNG or JPEG by its bytes, or refused; what is served is never anything else."""
    for name, (data, may) in PICTURES.items():
        text = base64.b64encode(data).decode()
        if may:
            b.do("account.set", account="bob", avatar=text)
        else:
            b.refused("account.set", account="bob", avatar=text)
    a.do("conversation.avatar", account="alice", conversation=at_a)
    blob = wait_for("the avatar came", lambda: a.do("conversation.show", account="alice", conversation=at_a)["avatar"])
    page.go(f"#/chat/{at_a}")
    wait_for("it is shown", lambda: page.call_js("""() => [...document.querySelectorAll(".main .avatar img")].some((it) => it.naturalWidth === 1)"""))
    harmless("an avatar with a script inside")
    url = f"/api/1/blob/{blob}"
    served = page.call_js("""(url) => fetch(url).then((it) => ({ status: it.status, kind: it.headers.get("content-type"),
        sniff: it.headers.get("x-content-type-options"), policy: it.headers.get("content-security-policy") }))""", url)
    assert served["status"] == 200 and served["kind"] == "image/png" and served["sniff"] == "nosniff", served
    assert "sandbox" in served["policy"], served
    alone = Page(browser, "blob", a.web_url() + url.lstrip("/"), beside=page)
    assert alone.call_js("() => [document.contentType, window.hit ?? null]") == ["image/png", None]
    alone.close()
    page.quiet(r"/api/1/blob/[0-9a-f]+\)$")  # the sandbox stops what Chromium itself puts around a picture


def addresses():
    """What stands behind the # is somebody's text too, when it came with a link."""
    for text in [*SCRIPTS[:12], *LINKS[:4], "__proto__", "constructor", "toString", "hasOwnProperty", "%", "%zz", "../..", "//evil.example"]:
        for route in (f"#/{text}", f"#/chat/{text}", f"#/contacts/{text}", f"#/invites?text={text}", f"#/chats?search={text}",
                      f"#/settings/{text}", f"#setup={text}"):
            page.go(route)
        page.call_js("() => new Promise((done) => setTimeout(done, 50))")
        harmless(f"the address {text}")
    page.go("#/chats")
    page.reload()
    page.has(".shell")
    harmless("addresses")


ATTACK = """
const target = %s, results = {}, ended = [];
const attempt = (name, work) => ended.push(work().then((it) => { results[name] = it; }, (error) => { results[name] = `refused: ${error.message}`; }));
const socket = (protocols) => new Promise((done, failed) => {
  const it = new WebSocket(target.replace("http", "ws") + "/api/1/live", protocols);
  it.onopen = () => done("open");
  it.onerror = () => failed(new Error("closed"));
});
const body = JSON.stringify({ do: "say", conversation: %s, text: "said by another page" });
attempt("socket", () => socket(["retrogate.1"]));
attempt("socket with a token", () => socket(["retrogate.1", "token." + "0".repeat(64)]));
attempt("irc", () => new Promise((done, failed) => { const it = new WebSocket(target.replace("http", "ws") + "/irc", ["text.ircv3.net"]);
  it.onopen = () => done("open"); it.onerror = () => failed(new Error("closed")); }));
attempt("reads the session", () => fetch(target + "/api/1/session", { credentials: "include" }).then((it) => it.text()));
for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
  attempt("posts " + type, () => fetch(target + "/api/1/do", { method: "POST", mode: "no-cors", credentials: "include", body,
    headers: { "Content-Type": type } }).then((it) => it.type));
attempt("posts JSON", () => fetch(target + "/api/1/do", { method: "POST", credentials: "include", body,
  headers: { "Content-Type": "application/json" } }).then((it) => it.text()));
attempt("signs out", () => fetch(target + "/api/1/session", { method: "DELETE", mode: "cors", credentials: "include" }).then((it) => it.text()));
attempt("a script", () => new Promise((done, failed) => { const it = document.createElement("script"); it.src = target + "/main.js";
  it.onload = () => done("loaded"); it.onerror = () => failed(new Error("refused")); document.head.append(it); }));
attempt("a picture", () => new Promise((done, failed) => { const it = new Image(); it.src = target + "/icon-192.png";
  it.onload = () => done("loaded"); it.onerror = () => failed(new Error("refused")); }));
attempt("a frame", () => new Promise((done, failed) => { const it = document.createElement("iframe"); it.src = target + "/";
  it.onload = () => { try { it.contentWindow.document.title; done("read"); } catch { failed(new Error("refused")); } }; document.body.append(it); }));
const form = document.createElement("form");
Object.assign(form, { method: "post", enctype: "text/plain", action: target + "/api/1/do", target: "sink" });
const input = document.createElement("input");
input.name = body.slice(0, -1) + ',"x":"'; input.value = '"}';
form.append(input);
document.body.append(Object.assign(document.createElement("iframe"), { name: "sink" }), form);
form.submit();
Promise.all(ended).then(() => { window.results = results; });
"""


def other_pages():
    """A page on another port of this host (the same site, so the cookie goes along) and one of another name."""
    attack = ATTACK % (json.dumps(a.web_url().rstrip("/")), json.dumps(at_a))

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            script = self.path.endswith(".js")
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(attack.encode() if script else b"<!doctype html><title>x</title><body><script src=evil.js></script>")

        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for host in ("127.0.0.1", "localhost"):
            evil = Page(browser, f"evil {host}", f"http://{host}:{server.server_port}/", beside=page)
            wait_for("all attacks ended", lambda evil=evil: evil.call_js("() => window.results ?? null"), 30)
            results = evil.call_js("() => window.results")
            got = {name: result for name, result in results.items() if not str(result).startswith("refused")}
            # The answer to a request without CORS is opaque to the page; whether it did anything is seen below.
            assert all(name.startswith("posts ") and result == "opaque" for name, result in got.items()), got
            evil.close()
    finally:
        server.shutdown()
        server.server_close()
    for gateway, account, handle, side in ((a, "alice", at_a, "out"), (b, "bob", at_b, "in")):
        assert "said by another page" not in texts(gateway, account, handle, side)
    assert page.call_js("() => fetch('/api/1/session').then((it) => it.json()).then((it) => it.signed_in)"), "signed out by another page"
    page.seen = len(browser.program.events)  # what the attacks themselves were told by Chromium


def the_end():
    page.go("#/chats")
    page.reload()
    page.has(".thread >> nth=0")
    harmless("the end")
    end_browsers()
    for word in (HIT, "evil.example", "onerror", PASSWORD):
        assert word not in a.log_text(), word


if __name__ == "__main__":
    if web.why_not():
        skip(web.why_not())
    run(meeting, lines, names, keys_of_strangers, pictures, addresses, other_pages, the_end)
