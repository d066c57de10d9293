# SPDX-License-Identifier: ISC
"""From an empty gateway to a conversation, in two real browsers with a relay between them; then what life does to it: the
daemon dies, the network goes, the machine sleeps, the page is loaded anew, and other clients of the same account talk."""
import browser as web
from browser import DESKTOP, PHONE, Browser, Page, button, end_browsers, word
from harness import Gateway, friends_up, run, skip, state_of, texts, wait_equal, wait_for
from irc import ALL, Irc

PASSWORD = "a correct horse"
LINE = ".line-text"


def gateways():
    """Two without an account, and a relay that both will know."""
    global a, b, relay, browser, al, bo
    nodes = [Gateway(name, wait=False) for name in ("A", "relay", "B")]
    for node in nodes:
        node.wait_ready()
    a, relay, b = nodes
    browser = Browser()


def quiet(*allowed):
    for page in (al, bo):
        page.quiet(*allowed)


def first_run():
    """The link with the code opens the page; account and password, and one is signed in, in the guide."""
    global al, bo
    made = {}
    for name, gateway, viewport in (("alice", a, DESKTOP), ("bob", b, PHONE)):
        link = gateway.do("status")["listening"]["setup"]
        page = made[name] = Page(browser, name, link, viewport=viewport, deviceScaleFactor=2, reducedMotion="reduce",
                                 permissions=["clipboard-read", "clipboard-write"])
        page.has("input[autocomplete=username]").fill(name)
        page.on("input[autocomplete=name]").fill(name.title())
        page.on("input[type=password]").fill(PASSWORD)
        page.on(".check input").check()
        page.click(button("signin.create"))
        page.has(".steps")
        assert "setup=" not in page.call_js("() => location.href"), "the code stays in the address"
        cookies = page.cookies()
        assert [(it["httpOnly"], it["sameSite"], it["secure"]) for it in cookies] == [(True, "Strict", False)], cookies
        assert "setup" not in gateway.do("status")["listening"]
        assert page.call_js("() => document.cookie") == ""
    al, bo = made["alice"], made["bob"]
    quiet(web.UNAUTHORISED)


FRIEND, PERSON = 2, 3  # steps of the guide


def opened(page, number):
    """A step of the guide, open."""
    step = f".steps > li:nth-child({number}) > details"
    if page.on(step).getAttribute("open") is None:
        page.click(f"{step} > summary")
    return step


def friends():
    """Each gives the relay its certificate and pastes the relay's."""
    certificate = relay.do("friend.self")["full"]
    for page in (al, bo):
        step = opened(page, FRIEND)
        own = page.has(f"{step} .handout textarea >> nth=0").inputValue()
        relay.do("friend.add", text=own)
        page.on(f"{step} .open-box textarea").fill(f"Hello,\nthis is mine:\n\n{certificate}\nbye")
        page.click(f"{step} >> {button('friends.add')}")
        page.on(f"{step} > summary").says(r"1 friend connected")
    friends_up(relay, 2)
    quiet()


def copied(page, selector):
    page.click(selector)
    return wait_for("copied", lambda: page.call_js("() => navigator.clipboard.readText()"))


def keys():
    """Each copies the own key out of the guide; the other pastes the whole message."""
    letters = {}
    for page in (al, bo):
        step = opened(page, PERSON)
        letters[page] = copied(page, f"{step} >> {button('guide.copy_key')}")
        assert "retroshare://" in letters[page], letters[page]
    for page, other in ((al, bo), (bo, al)):
        step = opened(page, PERSON)
        page.on(f"{step} .open-box textarea").fill(letters[other])
        page.click(f"{step} >> {button('invites.add_contact')}")
        page.has(f"{step} .notice.good")
    quiet()


def invite():
    """Made in the guide, shown as a QR code, which the other side's camera reads; opened, and they can talk."""
    step = opened(al, PERSON)
    al.click(f"{step} >> {button('invites.make')}")
    al.click(f"dialog[open] footer >> {button('invites.make')}")
    link = al.has("dialog[open] .qr-frame svg") and al.on("dialog[open] .qr-frame").qr()
    al.picture("invite-made")
    made = a.do("invite.list", account="alice")["invites"][0]
    assert link and link == made["link"], (link, made)
    assert made["link"] in copied(al, f"dialog[open] >> {button('invites.copy_both')}")
    al.on("body").press("Escape")
    bo.go("#/invites")
    box = "section:has(.open-box) .open-box textarea >> nth=0"
    bo.has(box).fill(link)
    bo.click(button("invites.open"))
    bo.click(button("invites.go_talk"))
    bo.has(".composer textarea")
    al.go("#/chats")
    al.click(".thread")
    al.has(".composer textarea")
    for page in (al, bo):
        page.on(".chat-status").says(word("state.can_talk"), 30)
    assert state_of(a, "alice", "bob") == state_of(b, "bob", "alice") == "can talk"
    quiet()


def say(page, text):
    page.on(".composer textarea").fill(text)
    page.on(".composer textarea").press("Enter")


def hears(page, text, side="theirs", seconds=20):
    return page.has(f".line.{side} {LINE}:text-is('{text}')", seconds)


def lines():
    """Both ways; the tick says where a line is; typing is seen; what is not looked at is counted and marked."""
    say(al, "hello from alice")
    hears(bo, "hello from alice")
    hears(al, "hello from alice", "mine")
    al.has(".line.mine:is(.sent, .delivered, .not-confirmed) .delivery svg[aria-label]")
    bo.on(".composer textarea").fill("hello")
    bo.click(".composer .send")
    hears(al, "hello")
    # Told at most every 5 s (protocol 03), and may be lost: somebody writes on.
    wait_for("typing is seen", lambda: al.on(".composer textarea").pressSequentially("word ", {"delay": 50}) or
             "lice" in bo.on(".typing").innerText(), 30)
    al.on(".composer textarea").fill("")
    bo.go("#/settings/device")
    bo.gone(".composer")
    for number in range(3):
        say(al, f"unseen {number}")
    wait_for("they arrived", lambda: len(texts(b, "bob", "alice")) == 4)
    wait_equal("counted", lambda: bo.call_js("() => document.title.match(/^\\((\\d+)\\)/)?.[1] ?? ''"), "3")
    bo.go("#/chats")
    bo.on(".thread-unread").says("3")
    bo.click(".thread")
    bo.has(".unread-mark")
    hears(bo, "unseen 2")
    wait_equal("read", lambda: b.do("conversation.show", account="bob", conversation="alice")["unread"], 0)
    wait_equal("counted", lambda: bo.call_js("() => document.title.startsWith('(')"), False)
    quiet()


def said_once(gateway, account, handle, wanted, seconds=40):
    """Each of these texts is there, once, in this order."""
    wait_equal("said exactly once", lambda: [text for text in texts(gateway, account, handle) if text in wanted], list(wanted), seconds)


def daemon_dies():
    """Killed under an open page just after lines were sent: what was written meanwhile is said once, nothing twice. It is the
    guest's, which digs at once when it is back; an inviter's waits until the guest misses it (test_relay_dies)."""
    before = [f"just before {number}" for number in range(3)]
    for text in before:
        say(bo, text)
    b.kill()
    bo.has(".state-line[data-state=offline]")
    meanwhile = [f"while it is down {number}" for number in range(3)]
    for text in meanwhile:
        say(bo, text)
    assert bo.on(".line.mine.waiting").count() >= 3
    bo.picture("daemon-gone")
    b.restart()
    friends_up(b, 1)
    bo.gone(".line.mine.waiting", 40)
    bo.on(".chat-status").says(word("state.can_talk"), 60)
    said_once(a, "alice", "bob", meanwhile, 60)
    # A line that was on its way in the very moment may be lost with it, as the classic protocol has it, never doubled.
    caught = [text for text in texts(a, "alice", "bob") if text in before]
    assert caught == [text for text in before if text in caught], caught
    wait_equal("the page shows each once", lambda: [text for text in bo.on(f".line.mine {LINE}").allInnerTexts()
                                                    if text in before + meanwhile], before + meanwhile)
    hears(al, meanwhile[-1])
    bo.quiet(web.AWAY, web.UNAUTHORISED)
    al.quiet()


def network_goes():
    """Offline one writes on, loads the page anew, and writes again; online all of it leaves, once."""
    al.has(".line")
    wait_for("the page can be loaded without a network",
             lambda: al.call_js("() => navigator.serviceWorker.ready.then((it) => it.active?.state === 'activated')"))
    al.offline(True)
    al.has(".state-line[data-state=offline]", 40)
    wanted = ["offline one", "offline two", "offline three"]
    say(al, wanted[0])
    say(al, wanted[1])
    wait_equal("kept", lambda: al.on(".line.mine.waiting").count(), 2)
    say(bo, "said while alice was away")
    al.reload()
    al.has(".shell")
    al.has(f".line.mine.waiting {LINE}:text-is('{wanted[1]}')")
    hears(al, "hello from alice", "mine")
    say(al, wanted[2])
    wait_equal("all are kept", lambda: al.on(".line.mine.waiting").count(), 3)
    al.picture("offline")
    al.offline(False)
    al.gone(".line.mine.waiting", 40)
    said_once(b, "bob", "alice", wanted)
    hears(al, "said while alice was away")
    al.quiet(web.AWAY)
    bo.quiet()


def sleep():
    """A frozen page wakes up and has what was said meanwhile; so does one whose connection died in its sleep."""
    bo.lifecycle("frozen")
    for number in range(3):
        say(al, f"while asleep {number}")
    wait_for("it arrived", lambda: "while asleep 2" in texts(b, "bob", "alice"))
    bo.lifecycle("active")
    hears(bo, "while asleep 2")
    bo.lifecycle("frozen")
    b.stop()
    b.start()
    friends_up(b, 1)
    wait_for("can talk again", lambda: state_of(b, "bob", "alice") == "can talk", 60)
    say(al, "after a long sleep")
    wait_for("it arrived", lambda: "after a long sleep" in texts(b, "bob", "alice"), 40)
    bo.lifecycle("active")
    hears(bo, "after a long sleep", seconds=40)
    bo.quiet(web.AWAY, web.UNAUTHORISED)
    al.quiet()


def several_clients():
    """Two browsers, two tabs of one, and IRC: said in one appears in the others; read in one is read in all."""
    second = Page(browser, "alice's phone", a.web_url(), viewport=PHONE, reducedMotion="reduce")
    second.sign_in("alice", PASSWORD)
    second.go("#/chat/bob")
    second.has(".composer textarea")
    tab = Page(browser, "alice's tab", a.web_url(), beside=al)
    tab.go("#/chat/bob")
    tab.has(".composer textarea")
    irc = Irc(a, "alice@desk", PASSWORD, nick="alice", caps=f"{ALL} draft/read-marker")
    irc.expect(r" 366 \S+ &bob ")
    say(second, "from the phone")
    for page in (al, tab):
        hears(page, "from the phone", "mine")
    irc.expect(r":alice!\S+ PRIVMSG &bob :from the phone")
    irc.send("PRIVMSG &bob :from irc")
    for page in (al, tab, second):
        hears(page, "from irc", "mine")
    hears(bo, "from irc")
    # Nobody looks at the conversation: what comes is unread everywhere.
    for page in (al, tab, second):
        page.go("#/settings/device")
        page.gone(".composer")
    say(bo, "who reads this?")
    irc.expect(r"PRIVMSG &bob :who reads this\?")
    mark = irc.tags()["time"]
    for page in (al, tab, second):
        wait_equal("unread", lambda page=page: page.call_js("() => document.title.startsWith('(1)')"), True)
    second.go("#/chat/bob")
    for page in (al, tab):
        wait_equal("read in the other browser", lambda page=page: page.call_js("() => document.title.startsWith('(')"), False)
    irc.expect(rf"MARKREAD &bob :?timestamp={mark}")
    second.go("#/settings/device")
    second.gone(".composer")
    say(bo, "and this?")
    irc.expect(r"PRIVMSG &bob :and this\?")
    wait_equal("unread", lambda: al.call_js("() => document.title.startsWith('(1)')"), True)
    irc.send(f"MARKREAD &bob timestamp={irc.tags()['time']}")
    for page in (al, tab, second):
        wait_equal("read in IRC", lambda page=page: page.call_js("() => document.title.startsWith('(')"), False)
    for page in (second, tab, al, bo):
        page.quiet(web.UNAUTHORISED)
    irc.close()
    tab.close()


def signing_out():
    """Wipes what the device kept, in every tab, and the cookie is worth nothing afterwards."""
    cookies = al.cookies()
    al.go("#/settings/device")
    al.click(button("settings.sign_out"))
    al.click(f"dialog[open] footer >> {button('settings.sign_out')}")
    al.has("input[autocomplete=username]")
    kept = al.call_js("""async () => {
        const found = Object.keys(localStorage).filter((it) => !/theme|language|notify/.test(it));
        for (const { name } of await indexedDB.databases()) {
            const db = await new Promise((done) => { indexedDB.open(name).onsuccess = (it) => done(it.target.result); });
            for (const store of db.objectStoreNames)
                found.push(...await new Promise((done) => {
                    db.transaction(store).objectStore(store).getAllKeys().onsuccess = (it) =>
                        done(it.target.result.map((key) => `${store} ${key}`)); }));
            db.close();
        }
        for (const name of await caches.keys())
            for (const request of await (await caches.open(name)).keys())
                if (new URL(request.url).pathname.startsWith("/api/")) found.push(request.url);
        return found;
    }""")
    assert not kept, kept
    assert al.cookies() == [], al.cookies()
    al.setCookies([{key: cookie[key] for key in ("name", "value", "domain", "path")} for cookie in cookies])
    al.reload()
    al.has("input[autocomplete=username]")
    wait_for("signed out", lambda: al.call_js("() => fetch('/api/1/session').then((it) => it.json()).then((it) => !it.signed_in)"))
    al.quiet(web.UNAUTHORISED)


def the_end():
    for page in (al, bo):
        page.quiet(web.UNAUTHORISED)
    end_browsers()
    for gateway in (a, b):
        log = gateway.log_text()
        for secret in (PASSWORD, "hello from alice", "retroshare://", "setup="):
            assert secret not in log, secret


if __name__ == "__main__":
    if web.why_not():
        skip(web.why_not())
    run(gateways, first_run, friends, keys, invite, lines, daemon_dies, network_goes, sleep, several_clients, signing_out, the_end)
