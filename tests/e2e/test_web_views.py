# SPDX-License-Identifier: ISC
"""Every view of the page, light and dark, on a phone and a desktop: axe finds nothing, nothing is wider than the screen, and
pictures are left beside the build to be looked at. What the page weighs, its languages, and the way by keyboard alone."""
import gzip
import json
import os
import re

import browser as web
from browser import DESKTOP, PAGE, PHONE, Browser, Page, button, end_browsers, word
from harness import Gateway, can_talk, chain, meet, run, skip, texts, wait_for

KIB = 1024
PASSWORD = "correct horse"
VIEWS = {
    "chats": "#/chats", "chat": "#/chat/bob", "search": "#/chats?search=hello", "posts": "#/posts", "post": "#/posts/1", "post-write": "#/posts/new", "post-links": "#/posts/links",
    "invites": "#/invites", "contacts": "#/contacts",
    "contact": "#/contacts/bob", "friends": "#/friends", "network": "#/network", "guide": "#/guide",
    **{f"settings-{part}": f"#/settings/{part}" for part in ("account", "posts", "device", "passwords", "people", "gateway", "commands")}}
# Wider than its parent is allowed only inside what scrolls by itself.
WIDER = """() => [...document.querySelectorAll("body *")].filter((it) => {
    const box = it.getBoundingClientRect();
    if (box.width === 0 || (box.right <= innerWidth + 1 && box.left >= -1)) return false;
    for (let up = it; up; up = up.parentElement) {
        const style = getComputedStyle(up);
        if (/auto|scroll|hidden|clip/.test(style.overflowX) && up !== document.documentElement && up !== document.body) return false;
        if (style.position === "fixed" || style.clipPath !== "none") return false;
    }
    return true;
}).map((it) => it.outerHTML.slice(0, 200)).slice(0, 5).concat(
    document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])"""


def files():
    for folder, _, names in os.walk(PAGE):
        for name in names:
            yield os.path.join(folder, name)


def read(name):
    with open(f"{PAGE}/{name}" if not os.path.isabs(name) else name, encoding="utf-8") as file:
        return file.read()


def weight():
    """All of the page as it travels, compressed, all languages included; without the description of the API."""
    plain = [open(path, "rb").read() for path in files() if not path.endswith("openapi.json")]
    total = sum(min(len(data), len(gzip.compress(data, 9))) for data in plain)
    assert total < 150 * KIB, f"{total / KIB:.1f} KiB"
    print(f"   web/ weighs {total / KIB:.1f} KiB compressed, {sum(map(len, plain)) / KIB:.1f} KiB as it stands")


def languages():
    """The same keys in all; each is used, and each that is used is there. A key in a text is a literal or a template."""
    # What the gateway says is English to begin with: scripts/test_languages.py looks at those.
    words = {name[:2]: json.loads(read(f"lang/{name}")) for name in os.listdir(f"{PAGE}/lang") if name != "said.json"}
    english = words.pop("en")
    for language, texts_of in words.items():
        plain = {key for key in texts_of if not re.search(r"\.(zero|one|two|few|many|other)$", key)}
        assert plain == {key for key in english if not key.endswith((".one", ".other"))}, (
            language, sorted(plain ^ {key for key in english if not key.endswith((".one", ".other"))}))
        assert {key for key in texts_of if key.endswith(".other")} == {key for key in english if key.endswith(".other")}, language
        for key, text in texts_of.items():
            if key in english:
                assert set(re.findall(r"{\w+}", text)) <= set(re.findall(r"{\w+}", english[key])) | {"{n}"}, (language, key)
    keys = {re.sub(r"\.(one|other)$", "", key) for key in english}
    groups = "|".join({key.split(".")[0] for key in keys})
    code = "\n".join(read(path) for path in files() if path.endswith(".js"))
    literal = set(re.findall(rf"[\"'`]((?:{groups})\.[a-z0-9_]+)[\"'`]", code))
    templates = [re.compile(re.sub(r"\\\$\\{[^`]*?\\}", r"\\w+", re.escape(found)))
                 for found in re.findall(rf"`((?:{groups})\.(?:[a-z0-9_]|\${{[^`{{}}]*(?:{{[^`{{}}]*}})?[^`{{}}]*}})*)`", code)]
    missing = {key for key in literal if key not in keys and not key.endswith((".js", ".css", ".json"))}
    assert not missing, f"not in the language files: {sorted(missing)}"
    unused = {key for key in keys - literal if not any(template.fullmatch(key) for template in templates)}
    assert not unused, f"nobody says: {sorted(unused)}"


def source():
    """What the content security policy forbids is not there to begin with."""
    for path in files():
        if path.endswith((".js", ".html", ".css", ".svg", ".webmanifest")):
            text = read(path)
            assert "SPDX-License-Identifier: ISC" in "\n".join(text.split("\n")[:2]) or path.endswith((".svg", ".webmanifest")), path
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path
            assert not re.search(r"[\"'(]https?://(?!www\.w3\.org/)", text), path


def meeting():
    """A gateway with some life: friends, a relay, conversations in several states, an invite, and one person more."""
    global a, b, new, browser, handle
    a, _, b = chain("home", "relay", "far")
    new = Gateway("new")
    a.account("alice", PASSWORD, person="Alice Archer")
    a.account("carol", PASSWORD, person="Carol")
    b.account("bob", PASSWORD, person="Bob Builder")
    meet(a, "alice", b, "bob")
    meet(a, "alice", a, "carol")
    handle = next(name for name in handles() if name.startswith("bob"))
    a.do("contact.set", account="alice", contact=handle, presence="always")  # nobody looks yet
    can_talk(a, "alice", handle)
    fill()
    browser = Browser()


def handles():
    return [entry["handle"] for entry in a.do("conversation.list", account="alice")["conversations"]]


def fill():
    for view in ("chat", "contact"):
        VIEWS[view] = VIEWS[view].replace("bob", handle)
    theirs = b.do("conversation.list", account="bob")["conversations"][0]["id"]
    for number in range(12):
        b.do("say", account="bob", conversation=theirs, text=f"hello number {number} " + "and some words more " * (number % 4))
        a.do("say", account="alice", conversation=handle, text=f"an answer, see https://example.org/{number} מה שלומך")
    a.do("say", account="alice", conversation=handle, text="https://example.org/" + "without-an-end" * 30)
    b.do("say", account="bob", conversation=theirs, text="W" * 400)
    wait_for("lines arrived", lambda: len(texts(a, "alice", handle)) == 13)
    sent = a.do("post.send", account="alice", to=[handle], subject="The longest subject that " * 8, text="W" * 300 + " some words\n" * 9)
    VIEWS["post"] = f"#/posts/{sent['seq']}"
    a.do("post.link.new", account="alice")
    a.do("invite.new", account="alice", key=b.do("account.show", account="bob")["key"], valid=3600)
    a.do("app_password.new", account="alice", label="irssi on the laptop", scope="irc")


def settled(page):
    page.gone("[aria-busy=true]:not(button)")
    page.call_js("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


found = []  # all that is wrong, so that one run tells of every view


def fits(page, what):
    found.extend(f"{what}: wider than the screen: {it}" for it in page.call_js(WIDER))


def look(page, name, picture=True):
    settled(page)
    if picture:
        page.picture(name)
    fits(page, name)
    found.extend(f"{name}: {it}" for it in page.axe())
    page.quiet(web.UNAUTHORISED)


def nothing_found():
    assert not found, "\n".join(found)


def each_view(page, name, picture=True):
    for view, route in VIEWS.items():
        page.go(route)
        page.has(".view > * >> visible=true" if view != "chats" else ".thread")
        look(page, f"{view}-{name}", picture)


def views():
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            name = f"{size}-{scheme}"
            page = Page(browser, name, a.web_url(), viewport=viewport, colorScheme=scheme, reducedMotion="reduce")
            page.has("input[autocomplete=username]")
            look(page, f"signin-{name}")
            page.sign_in("alice", PASSWORD)
            each_view(page, name)
            page.go("#/invites")
            page.click(button("invites.make"))
            page.has("dialog[open]")
            page.click(f'summary:has-text("{word("app.more")}")')
            look(page, f"dialog-{name}")
            page.on("body").press("Escape")
            page.gone("dialog[open]")
            page.go(VIEWS["chat"])
            page.click(".chat-who")
            page.has("dialog[open] .marks")
            look(page, f"about-{name}")
            page.on("body").press("Escape")
            page.gone("dialog[open]")
            page.go(VIEWS["network"])
            for role in ("operator", "friend", "relay", "contact", "observer"):
                page.click(button(f"network.role_{role}"))
                look(page, f"role-{role}-{name}", picture=False)
            page.on("body").press("Control+k")
            page.has("dialog[open] input")
            look(page, f"switcher-{name}")
            page.end()
            first = Page(browser, f"setup-{name}", new.do("status")["listening"]["setup"], viewport=viewport, colorScheme=scheme)
            first.has("input[type=password]")
            look(first, f"setup-{name}")
            first.end()
    nothing_found()


def narrow_and_mirrored():
    page = Page(browser, "narrow", a.web_url(), viewport={"width": 320, "height": 640}, reducedMotion="reduce")
    page.sign_in("alice", PASSWORD)
    each_view(page, "320", picture=False)
    page.call_js("() => { document.documentElement.dir = 'rtl'; }")
    each_view(page, "320-rtl", picture=False)
    page.end()
    page = Page(browser, "mirrored", a.web_url(), viewport=DESKTOP, reducedMotion="reduce")
    page.sign_in("alice", PASSWORD)
    page.go(VIEWS["chat"])
    page.has(".line.mine")

    def sides():
        return page.call_js("() => ['.rail', '.list-pane', '.main'].map((it) => document.querySelector(it).getBoundingClientRect().x)")
    left_to_right = sides()
    page.call_js("() => { document.documentElement.dir = 'rtl'; }")
    right_to_left = sides()
    assert left_to_right == sorted(left_to_right) and right_to_left == sorted(right_to_left, reverse=True), (
        left_to_right, right_to_left)
    look(page, "chat-desktop-rtl")
    page.end()
    nothing_found()


def other_languages():
    for locale, language in (("de-DE", "de"), ("fr-FR", "fr")):
        page = Page(browser, language, a.web_url(), viewport=PHONE, locale=locale, reducedMotion="reduce")
        page.sign_in("alice", PASSWORD)
        assert page.call_js("() => document.documentElement.lang") == language
        for view, route in VIEWS.items():
            page.go(route)
            settled(page)
            fits(page, f"{view} in {locale}")
            shown = page.on("body").innerText()
            keys = re.findall(r"\b(?:" + "|".join({key.split('.')[0] for key in web.WORDS}) + r")\.[a-z_]+\b", shown)
            assert not keys, (view, locale, keys)
        page.quiet(web.UNAUTHORISED)
        page.end()
    nothing_found()


FOCUSED = "() => { const it = document.activeElement; return it === document.body ? '' : it.tagName + ' ' + (it.ariaLabel ?? it.innerText ?? ''); }"


def keyboard():
    """Sign in, find somebody, say something, go elsewhere: without a mouse, and one always sees where one is."""
    page = Page(browser, "keys", a.web_url(), viewport=DESKTOP, reducedMotion="reduce")
    page.has("input[autocomplete=username]:focus")
    keys = page.on("body").press

    def write(text):
        page.on(":focus").pressSequentially(text)
    write("alice")
    keys("Tab")
    write(PASSWORD)
    keys("Enter")
    page.has(".shell")
    keys("Control+k")
    page.has("dialog[open] :focus")
    write(handle)
    keys("Enter")
    page.has(f".line >> nth=0")
    for _ in range(30):
        if page.call_js("() => document.activeElement.matches('textarea')"):
            break
        keys("Tab")
    write("said without a mouse")
    keys("Shift+Enter")
    write("in two rows")
    keys("Enter")
    page.has(".line.mine:has-text('said without a mouse')")
    wait_for("it was said", lambda: texts(a, "alice", handle, "out")[-1] == "said without a mouse\nin two rows")
    seen = []
    for _ in range(25):
        keys("Tab")
        seen.append(page.call_js(FOCUSED))
        ring = page.call_js("""() => { const it = document.activeElement; if (it === document.body) return true;
            const style = getComputedStyle(it); return style.outlineStyle !== 'none' || style.boxShadow !== 'none' ||
            it.matches('.thread, .composer *, :has(:focus-visible)') || getComputedStyle(it.parentElement).outlineStyle !== 'none'; }""")
        assert ring, f"no focus is seen on {seen[-1]}"
    assert len(set(seen)) > 10, f"Tab is caught: {seen}"
    keys("Control+k")
    page.has("dialog[open] :focus")
    write(word("app.settings"))
    keys("Enter")
    wait_for("settings", lambda: page.call_js("() => location.hash").startswith("#/settings"))
    page.quiet(web.UNAUTHORISED)
    page.end()


def the_end():
    end_browsers()


if __name__ == "__main__":
    if web.why_not():
        run(weight, languages, source)
        skip(web.why_not())
    run(weight, languages, source, meeting, views, narrow_and_mirrored, other_languages, keyboard, the_end)
