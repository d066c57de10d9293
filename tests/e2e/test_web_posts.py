# SPDX-License-Identifier: ISC
"""Posts in two real browsers: written with a file by keyboard and mouse, read, answered, found, flagged, deleted; what becomes of
them is told live; HTML does nothing, whatever it holds; an attachment comes back byte for byte; links bring a stranger's post."""
import base64
import hashlib
import json
import os
import re
import socket

import browser as web
from browser import DESKTOP, PHONE, Browser, Page, button, end_browsers, word
from harness import Gateway, run, skip, wait_equal, wait_for

PASSWORD = "correct horse"
ROW = ".post-row"
NAME = "tide table – März.bin"
HOSTILE = ("<h1 style='color:red'>Plans</h1><p onclick='alert(1)'>hi <script>alert(2); document.title = 'taken'</script>"
           "<img src=http://REMOTE/pixel.png><img src=x onerror=alert(3)><link rel=stylesheet href=http://REMOTE/a.css>"
           "<iframe src=http://REMOTE/></iframe><form action=http://REMOTE/><button>go</button></form>"
           "<a href='javascript:alert(4)'>bad</a> <a href='https://example.org/map'>the map</a></p>"
           "<style>@import url(http://REMOTE/b.css); body { background: url(http://REMOTE/c.png) }</style>")


def gateways():
    global a, browser, al, bo
    a = Gateway("home")
    for name, person in (("alice", "Alice Archer"), ("bob", "Bob Builder"), ("carol", "Carol")):
        a.account(name, PASSWORD, person=person)
        a.do("account.set", account=name, universal=True)
    keys = {name: a.do("account.show", account=name)["key"] for name in ("alice", "bob")}
    a.do("contact.add", account="alice", key=keys["bob"], handle="bob-b")
    a.do("contact.add", account="bob", key=keys["alice"], handle="alice-a")
    browser = Browser()
    al = Page(browser, "alice", a.web_url(), viewport=DESKTOP, reducedMotion="reduce").sign_in("alice", PASSWORD)
    bo = Page(browser, "bob", a.web_url(), viewport=PHONE, reducedMotion="reduce", permissions=["notifications"]).sign_in("bob", PASSWORD)


def box(account, name="in"):
    return a.do("post.list", account=account, box=name)["posts"]


def quiet(*allowed):
    for page in (al, bo):
        page.quiet(web.UNAUTHORISED, *allowed)


def written_by_keyboard():
    """From the list to a sent post without a mouse; the file alone is chosen as a browser's dialog would."""
    global file
    file = os.path.join(a.folder, NAME)
    with open(file, "wb") as out:
        out.write(os.urandom(300_000))
    al.go("#/posts")
    al.has(f'text="{word("posts.none_in")}"')
    keys = al.on("body").press

    def tab_to(selector):
        for _ in range(60):
            if al.call_js("(it) => document.activeElement.matches(it)", selector):
                return
            keys("Tab")
        raise AssertionError(f"Tab does not come to {selector}")
    tab_to('a[href="#/posts/new"]')
    keys("Enter")
    al.has("form.post-form input:focus")
    al.on(":focus").pressSequentially("bob-b")
    tab_to(".field:nth-of-type(3) input")
    al.on(":focus").pressSequentially("The boat")
    tab_to("textarea")
    al.on(":focus").pressSequentially("Hello Bob,\nit is ready.")
    al.on("input[type=file]").setInputFiles(file)
    al.on(".post-parts").says(word("posts.uploaded"))
    keys("Control+Enter")
    al.has(".post-text")
    al.on(".post-text").says("it is ready")
    al.on(".delivery-row").says(word("posts.delivery_delivered"))
    al.on(".delivery-row").says(word("chat.protection_sealed"))
    quiet()


def read():
    """Counted, shown in the list, opened: what is known of the sender in words; then it is seen, for other clients too."""
    bo.has('.nav-unread[data-of=posts] >> visible=true').says("1")
    bo.go("#/posts")
    bo.has(f"{ROW}.has-unread").says("Alice Archer.*The boat.*Hello Bob")
    bo.click(ROW)
    bo.on(".post-text").says("it is ready")
    bo.on("article").says(f"{word('posts.verdict_signed')}.*{word('chat.protection_sealed')}")
    wait_for("seen", lambda: box("bob")[0]["seen"])
    bo.gone(".nav-unread[data-of=posts]")
    part = bo.has(".post-parts a")
    part.says("tide table")
    assert part.getAttribute("download") == NAME, part.getAttribute("download")
    digest = bo.call_js("""async (path) => { const answer = await fetch(path); const data = await answer.arrayBuffer();
        if (!/^attachment/.test(answer.headers.get("Content-Disposition"))) throw new Error("shown in the page");
        let text = ""; for (const byte of new Uint8Array(data)) text += String.fromCharCode(byte); return btoa(text); }""",
                        part.getAttribute("href"))
    with open(file, "rb") as data:
        assert hashlib.sha256(base64.b64decode(digest)).digest() == hashlib.sha256(data.read()).digest()
    part.click()
    bo.has(".post-text")
    quiet()


def answered():
    bo.click(f'a:has-text("{word("posts.reply")}")')
    bo.has("textarea")
    wait_for("quoted", lambda: "> it is ready." in bo.on("textarea").inputValue())
    assert bo.on("form input >> nth=0").inputValue().startswith("alice-a@")
    bo.on("textarea").pressSequentially("I come at noon.")
    bo.click(button("posts.send"))
    bo.on(".delivery-row").says(word("posts.delivery_delivered"))
    wait_for("the first is answered", lambda: next(post["answered"] for post in box("bob") if post["subject"] == "The boat"))
    al.has('.nav-unread[data-of=posts] >> visible=true').says("1")
    al.go("#/posts")
    al.has(f"{ROW}.has-unread").says("Bob Builder.*Re: The boat")
    al.on(ROW).focus()
    al.on("body").press("Enter")
    al.on(".post-text").says("I come at noon.*> it is ready")
    al.on('ul[aria-label="In this thread"]').says("The boat.*Re: The boat")
    quiet()


def waits_and_is_withdrawn():
    """To somebody who is not there: it waits, is told so, withdrawn while the page looks on, and sent again."""
    away = Gateway("away")
    away.account("zoe", PASSWORD, person="Zoe")
    a.do("contact.add", account="alice", key=away.do("account.show", account="zoe")["key"], handle="zoe")
    seq = a.do("post.send", account="alice", to=["zoe"], subject="Are you there?", text="?")["seq"]
    al.go("#/posts/waiting")
    al.has(ROW).says(f"Zoe.*Are you there.*{word('posts.delivery_queued')}")
    al.click(ROW)
    al.on(".delivery-row").says(word("posts.delivery_queued"))
    al.click(button("posts.withdraw"))
    al.on(".delivery-row").says(word("posts.delivery_failed"))
    al.click(button("posts.resend"))
    al.on(".delivery-row").says(word("posts.delivery_queued"))
    a.do("post.withdraw", account="alice", seq=seq)  # by another client: the page hears of it
    al.on(".delivery-row").says(word("posts.delivery_failed"))
    al.click(button("posts.delete"))
    al.has("dialog[open]")
    al.click(f'dialog >> {button("posts.delete")}')
    wait_equal("deleted", lambda: [post["subject"] for post in box("alice", "out")], ["The boat"])
    al.gone(f'{ROW}:has-text("Are you there?")')
    quiet()


def lowered():
    """Sealing is given up by the person alone, for one post, and after it was said what that means."""
    a.do("account.set", account="bob", universal=False)
    al.go("#/posts/new?to=bob-b&subject=Unsealed")
    al.has("textarea").fill("plain words")
    al.click(button("posts.send"))
    al.on(".delivery-row").says(word("posts.delivery_queued"))
    al.click(button("posts.lower"))
    al.on("dialog[open]").says("has no receipt")
    al.click(f'dialog >> {button("posts.lower_do")}')
    al.gone("dialog[open]")
    al.on(".delivery-row").says(word("posts.delivery_queued"))
    a.do("account.set", account="bob", universal=True)
    # It may go classic now; that it is sealed where it can be is for the gateways to find out.
    al.on(".delivery-row").says(f"{word('posts.delivery_delivered')}|{word('posts.delivery_not_confirmed')}", 60)
    wait_for("it came", lambda: [post["subject"] for post in box("bob")].count("Unsealed") == 1)
    a.do("post.delete", account="bob", seq=box("bob")[0]["seq"])
    quiet()


def html_is_inert():
    remote = socket.create_server(("127.0.0.1", 0))  # where pixels would be fetched
    remote.setblocking(False)
    hostile = HOSTILE.replace("REMOTE", "127.0.0.1:%d" % remote.getsockname()[1])
    message = ("From: bob\r\nTo: alice-a\r\nSubject: Plans\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + hostile).encode()
    a.do("post.send", account="bob", to=["alice-a"], message=base64.b64encode(message).decode())
    al.go("#/posts")
    al.click(f'{ROW}:has-text("Plans")')
    al.on(".post-text").says("the map <https://example.org/map>")
    assert al.call_js("() => document.querySelector('iframe') === null"), "HTML is shown without being asked for"
    al.click(button("posts.show_html"))
    al.has("iframe.post-html")
    assert al.on("iframe").getAttribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    al.has('iframe >> internal:control=enter-frame >> h1:has-text("Plans")')
    assert al.call_js("() => document.title").endswith("Plans – retrogate")
    quiet()
    # And if the gateway had let nearly all of it through: the frame does not. (A frame within it would not be loaded either, but
    # Chromium connects to its server before it looks at the policy.)
    hostile = re.sub("<iframe.*?</iframe>", "", hostile)
    al.go("#/posts")
    al.has(ROW)
    al.call_js("""async (html) => { const {link} = await import("/link.js"); const ask = link.ask;
        link.ask = async (name, args) => { const done = await ask(name, args);
            return name === "post.show" && done.html ? {...done, html} : done; }; }""", hostile)
    al.click(f'{ROW}:has-text("Plans")')
    al.click(button("posts.show_html"))
    al.has('iframe >> internal:control=enter-frame >> h1:has-text("Plans")')
    al.call_js("() => new Promise((done) => setTimeout(done, 300))")  # time enough for an image to be asked for
    assert al.call_js("() => document.title").endswith("Plans – retrogate")
    # Chromium tells of each request that it refused; none may come to its server.
    quiet(r"^Blocked script execution|^Refused to|^Framing|^Loading the|content security policy|Content Security Policy|^http://127")
    try:
        remote.accept()
        raise AssertionError("something was to be fetched from elsewhere")
    except BlockingIOError:
        remote.close()
    al.reload()
    al.has(".post-text")
    quiet()


def found_and_flagged():
    al.go("#/posts")
    al.on("input[type=search]").fill("boat")
    al.on(f"{ROW} >> nth=1").says("boat")
    al.on('[role=status]:has-text("found")').says(word("posts.found.other", n=2))
    al.on("input[type=search]").fill("")
    al.click(f'{ROW}:has-text("Plans")')
    al.click(button("posts.flag"))
    al.has(button("posts.unflag"))
    al.click(button("posts.unseen"))
    wait_for("flagged and unseen", lambda: (box("alice")[0]["flagged"], box("alice")[0]["seen"]) == (True, False))
    al.has('.nav-unread[data-of=posts] >> visible=true').says("1")
    quiet()


def links():
    """A stranger with a link and the key may write."""
    bo.go("#/posts/links")
    bo.click(button("posts.link_new"))
    bo.click(f'dialog >> {button("settings.make")}')
    link = bo.has("dialog .handout textarea").inputValue()
    bo.on("body").press("Escape")
    bo.gone("dialog[open]")
    bo.has(f'.badge:has-text("{word("posts.link_open")}")')
    ca = Page(browser, "carol", a.web_url(), viewport=DESKTOP, reducedMotion="reduce").sign_in("carol", PASSWORD)
    ca.go("#/posts/links")
    ca.on("textarea >> nth=0").fill(link)
    ca.click(button("posts.link_use"))
    ca.has(f'text="{word("posts.link_key")}"')
    ca.on("textarea >> nth=1").fill(a.do("account.show", account="bob")["key"])
    ca.click(button("posts.link_use"))
    ca.click(f'.notice >> {button("posts.write")}')
    ca.has("textarea").pressSequentially("We have not met.")
    ca.click(button("posts.send"))
    ca.on(".delivery-row").says(word("posts.delivery_delivered"))
    bo.go("#/posts")
    bo.has(f'{ROW}:has-text("We have not met")').says(word("posts.verdict_unknown_sender"))
    ca.quiet(web.UNAUTHORISED)
    ca.end()
    quiet()


def told_while_away():
    """A notice of the system for a post that comes while nobody looks, once, with the way to it."""
    bo.call_js("""() => { window.told = []; document.hasFocus = () => false; dispatchEvent(new Event("blur"));
        ServiceWorkerRegistration.prototype.showNotification = async (title, {data}) => { told.push([title, data.path]); }; }""")
    a.do("post.send", account="alice", to=["bob-b"], subject="While you were away", text="x")
    wait_for("told", lambda: bo.call_js("() => told.length") > 0)
    a.do("post.flag", account="bob", seq=box("bob")[0]["seq"], flagged=True)  # a change of it is no news
    bo.go("#/posts")
    bo.has(f'{ROW}:has-text("While you were away") .icon-star')
    assert bo.call_js("() => told") == [["Alice Archer", f"/posts/{box('bob')[0]['seq']}"]]
    quiet()


def settings():
    al.go("#/settings/posts")
    al.has(f'text="{a.do("status")["listening"]["submission"][0]}"')
    al.on("input[type=number]").fill("5")
    al.click(f'{button("app.save")} >> nth=0')
    wait_equal("stored", lambda: a.do("account.show", account="alice")["posts"]["strangers"], 5)
    quiet()


def looks():
    """Every view of posts, on a phone and a desktop: axe finds nothing."""
    found = []
    newest = box("alice")[0]["seq"]
    sent = box("alice", "out")[0]["seq"]
    for name, page, read_one in (("desktop", al, newest), ("phone", bo, box("bob")[0]["seq"])):
        for view, route in {"list": "#/posts", "sent": "#/posts/out", "read": f"#/posts/{read_one}", "write": "#/posts/new",
                            "reply": f"#/posts/{read_one}/reply", "links": "#/posts/links", "settings": "#/settings/posts"}.items():
            page.go(route)
            page.has(".view .page")
            page.gone("[aria-busy=true]:not(button)")
            page.picture(f"posts-{view}-{name}")
            found += [f"{view} {name}: {it}" for it in page.axe()]
            if page.call_js("() => document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{view} {name}: wider than the screen")
    assert sent and not found, json.dumps(found, indent=1)
    quiet()


def the_end():
    end_browsers()


if __name__ == "__main__":
    if web.why_not():
        skip(web.why_not())
    run(gateways, written_by_keyboard, read, answered, waits_and_is_withdrawn, lowered, html_is_inert, found_and_flagged, links, told_while_away, settings,
        looks, the_end)
