# SPDX-License-Identifier: ISC
"""What people see of sealed chat, on the page and in IRC: that it has come, what arrived, how an invite asks for it, and that
it goes only for who reads what that means."""
import re

import browser as web
from browser import DESKTOP, PHONE, Browser, Page, button, end_browsers, word
from harness import can_talk, chain, conversation, lines_of, run, skip, state_of, wait_equal, wait_for
from irc import Irc
from test_web_views import WIDER

PASSWORD = "a correct horse"
NEWS = ".protection-news"
MARK = ".chat-header .protection"


def look(page, name):
    """Nothing that axe minds, nothing wider than the screen."""
    page.gone("[aria-busy=true]:not(button)")
    page.picture(f"sealed-{name}")
    troubles = page.axe() + page.call_js(WIDER)
    assert not troubles, "\n".join(troubles)
    page.quiet(web.UNAUTHORISED)


def invited():
    """Alice has made the invite, and sees that nothing is decided yet."""
    global a, relay, b, al, browser, link
    a, relay, b = chain("home", "relay", "far")
    a.account("alice", PASSWORD)
    b.account("bob", PASSWORD)
    a.do("contact.add", account="alice", key=b.do("account.show", account="bob")["key"], handle="bob")
    browser = Browser()
    al = Page(browser, "alice", a.web_url(), viewport=DESKTOP, reducedMotion="reduce").sign_in("alice", PASSWORD)
    al.go("#/invites/bob")
    al.has("dialog[open]")
    al.gone("dialog[open] fieldset")
    al.click(f'dialog[open] summary:has-text("{word("app.more")}")')
    for choice in ("any", "sealed", "classic"):
        al.has(f'dialog[open] label:has-text("{word(f"invites.protection_{choice}")}")')
    assert al.on("dialog[open] input:checked").inputValue() == "any"
    al.on("dialog[open] input[value=sealed]").check()
    look(al, "invite")
    al.click(f"dialog[open] footer >> {button('invites.make')}")
    al.has("dialog[open] .notice.good")
    al.on("body").press("Escape")
    al.on(".list .item").says(re.escape(word("invites.protection_sealed")))
    made = a.do("invite.list", account="alice")["invites"]
    assert [it["protection"] for it in made] == ["sealed"], made
    link = made[0]["link"]
    al.go("#/chat/bob")
    al.on(MARK).says(re.escape(word("chat.protection_none")))
    al.gone(NEWS)


def becomes_sealed():
    """Told once, aloud too, on the page and in the channel; the mark and the topic say it from then on."""
    irc = Irc(a, "alice", PASSWORD)
    irc.expect(r" 366 \S+ &bob")
    alice = a.do("account.show", account="alice")["key"]
    b.do("invite.open", account="bob", link=link, key=alice)
    b.do("contact.set", account="bob", contact="alice", presence="always")
    can_talk(a, "alice", "bob")
    al.has(f"[role=status] {NEWS}")
    al.on(NEWS).says(re.escape(word("chat.now_sealed")))
    al.on(MARK).says(f"^{re.escape(word('chat.protection_sealed'))}$")
    look(al, "news")
    al.click(f"{NEWS} button")
    al.gone(NEWS)
    irc.expect(r"TOPIC &bob :.*\| sealed: ")
    irc.expect(r"NOTICE &bob :.* is sealed from here on: ")
    irc.send("PING behind")
    irc.expect("PONG .*behind")
    assert sum("from here on" in line for line in irc.seen) == 1
    irc.close()
    al.reload()
    al.on(MARK).says(f"^{re.escape(word('chat.protection_sealed'))}$")
    assert al.on(NEWS).count() == 0, "it is no news any more"


def say(text):
    al.on(".composer textarea").fill(text)
    al.on(".composer textarea").press("Enter")
    return f".line.mine:has-text('{text}')"


def two_ticks():
    """One tick while it is on its way, two when the other gateway has it; both are read out."""
    line = say("is it there?")
    al.has(f'{line} .delivery [aria-label="{word("chat.delivered")}"]')
    b.pause()
    line = say("and this?")
    al.has(f'{line} .delivery [aria-label="{word("chat.sent")}"]')
    assert al.on(f'{line} [aria-label="{word("chat.delivered")}"]').count() == 0
    b.go_on()
    al.has(f'{line}.delivered .delivery [aria-label="{word("chat.delivered")}"]', 60)
    wait_equal("all is there", lambda: [it["text"] for it in lines_of(b, "bob", "alice")], ["is it there?", "and this?"])


def explained():
    """The panel tells what the protection is worth and what the ticks mean."""
    al.click(".chat-who")
    al.on("dialog[open] .marks").says(re.escape(word("chat.mark_delivered_sealed")))
    assert al.on("dialog[open] .explanation li").count() >= 2
    look(al, "about")
    al.on("body").press("Escape")
    al.go("#/contacts/bob")
    al.on(".protection").says(re.escape(word("chat.protection_sealed")))
    look(al, "contact")


def refused_down():
    """A classic invite for this person is refused, with the reason, and the dialog stays."""
    al.go("#/invites/bob")
    al.click(f'dialog[open] summary:has-text("{word("app.more")}")')
    al.on("dialog[open] input[value=classic]").check()
    al.click(f"dialog[open] footer >> {button('invites.make')}")
    al.on("dialog[open] .trouble").says("lower")
    al.on("body").press("Escape")
    al.gone("dialog[open]")
    assert conversation(a, "alice", "bob")["protection"] == "sealed"


def given_up():
    """By keyboard, on a phone: away from it with Escape, and then in earnest."""
    phone = Page(browser, "phone", a.web_url(), viewport={**PHONE, "width": 320}, reducedMotion="reduce").sign_in("alice", PASSWORD)
    for sure in (False, True):
        phone.go("#/chat/bob")
        phone.has(MARK)
        phone.on(".chat-who").focus()
        phone.on(".chat-who").press("Enter")
        phone.on(f"dialog[open] >> {button('chat.lower')}").press("Enter")
        phone.on("dialog[open]").says(re.escape(word("chat.lower_sealed")))
        look(phone, "lower")
        if not sure:
            phone.on("body").press("Escape")
            phone.gone("dialog[open]")
            assert conversation(a, "alice", "bob")["sealed"]
    phone.click(f"dialog[open] footer >> {button('chat.lower_do')}")
    phone.has(f".toasts >> text={word('chat.lowered')}")
    wait_for("no longer sealed", lambda: not conversation(a, "alice", "bob")["sealed"])
    wait_equal("the other side is told", lambda: state_of(b, "bob", "alice"), "closed by peer")
    phone.click(".chat-who")
    phone.has("dialog[open]")
    assert phone.on(f"dialog[open] >> {button('chat.lower')}").count() == 0, "there is nothing left to give up"
    phone.quiet(web.UNAUTHORISED)


def the_end():
    end_browsers()


if __name__ == "__main__":
    if web.why_not():
        skip(web.why_not())
    run(invited, becomes_sealed, two_ticks, explained, refused_down, given_up, the_end)
