# SPDX-License-Identifier: ISC
"""Real browsers: Debian's Chromium, driven by web/browser.js. A page's methods are those of Playwright."""
import json
import os
import re
import shutil
import time

from harness import wait_for
from irc import Program, end_programs, folder_of_tests

NODE = os.path.join(folder_of_tests(), "../../build/node/node_modules")
PICTURES = os.path.join(os.environ.get("RETROGATE_BINARIES", "build/debug"), "screens")
PAGE = os.path.join(folder_of_tests(), "../../web")
with open(f"{PAGE}/lang/en.json") as _file:
    WORDS = json.load(_file)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
# What Chromium itself writes to the console when there is no way to the gateway; a page cannot hold it back.
AWAY = r"net::ERR_(INTERNET_DISCONNECTED|CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|NETWORK_IO_SUSPENDED|FAILED)" \
       r"|WebSocket connection to .* failed"
UNAUTHORISED = r"status of 401"


def why_not():
    """Why there can be no browser here; None when there can."""
    if not shutil.which("chromium"):
        return "chromium is not installed"
    if not shutil.which("node") or not os.path.isdir(f"{NODE}/playwright-core"):
        return "playwright-core is not installed (npm install into build/node)"
    return None


def word(key, **values):
    """What the page says for a key, in English."""
    text = WORDS[key]
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def button(key, **values):
    return f'role=button[name="{word(key, **values)}"i]'


class Broken(Exception):
    pass


class Browser:
    def __init__(self):
        self.id = 0
        self.program = Program("node", f"{folder_of_tests()}/web/browser.js", shutil.which("chromium"),
                               env={**os.environ, "NODE_PATH": NODE})
        wait_for("chromium", lambda: any("ready" in event for event in self.program.events), 60)

    def call(self, page, call, *args, on=None, seconds=60):
        self.id += 1
        self.program.send(id=self.id, page=page, call=call, args=args, on=on)
        answer = self.program.expect(seconds, id=self.id)
        if "error" in answer:
            raise Broken(f"{page}: {call} {on or ''} {args}: {answer['error']}\n{self.seen_at(page)}")
        return answer["result"]

    def seen_at(self, page):
        """What a person would see of a page on which something did not happen; a picture of it is left too."""
        os.makedirs(PICTURES, exist_ok=True)
        path = os.path.abspath(f"{PICTURES}/failed.png")
        for call, *args in (("screenshot", {"path": path}), ("innerText", "body")):
            self.id += 1
            self.program.send(id=self.id, page=page, call=call, args=args)
            shown = self.program.expect(20, id=self.id)
        troubles = [event["text"] for event in self.program.events if event.get("page") == page and "trouble" in event]
        return f"{page} shows {str(shown.get('result'))[:1500]!r}\nand told {troubles[-8:]}"


class Page:
    """One page. `beside`: in the same browser as another, else in one of its own."""

    def __init__(self, browser, name, url, beside=None, **options):
        self.browser, self.name, self.url, self.seen = browser, name, url, len(browser.program.events)
        self.watched = beside.watched if beside else name
        browser.call(name, "open", url, {"locale": "en-GB", **options}, beside and beside.name)

    def __getattr__(self, call):
        """page.reload(), page.evaluate("document.title")"""
        return lambda *args: self.browser.call(self.name, call, *args)

    def on(self, selector):
        return Element(self, selector)

    def click(self, selector):
        self.on(selector).click()

    def has(self, selector, seconds=20):
        """Waits until one is seen: the first of them."""
        first = self.on(f"{selector} >> nth=0")
        first.waitFor({"state": "visible", "timeout": seconds * 1000})
        return first

    def gone(self, selector, seconds=20):
        """Waits until none is seen."""
        seen = self.on(f"{selector} >> visible=true")
        wait_for(f"no {selector} in {self.name}", lambda: seen.count() == 0, seconds)

    def call_js(self, function, *values):
        return self.browser.call(self.name, "evaluate", f"({function})(...{json.dumps(values)})")

    def go(self, route):
        self.call_js("(route) => { location.hash = route; }", route)

    def sign_in(self, account, password, own=False):
        self.has("input[autocomplete=username]").fill(account)
        self.on("input[type=password]").fill(password)
        if own:
            self.on(".check input").check()
        self.click("button[type=submit]")
        self.has(".shell")
        return self

    def picture(self, name):
        os.makedirs(PICTURES, exist_ok=True)
        self.browser.call(self.name, "screenshot", {"path": os.path.abspath(f"{PICTURES}/{name}.png")})

    def quiet(self, *allowed):
        """Nothing that no page may do was done since the last look: a console error, a violation of the content security
        policy, a request to another origin, a dialog, an error. `allowed` are patterns of what belongs to this step."""
        events = self.browser.program.events
        found, self.seen = [event for event in events[self.seen:] if event.get("page") == self.watched and "trouble" in event], \
            len(events)
        found = [event for event in found if not any(re.search(pattern, event["text"]) for pattern in allowed)]
        assert not found, "\n".join(f"{event['trouble']}: {event['text']}" for event in found)


class Element:
    def __init__(self, page, selector):
        self.page, self.selector = page, selector

    def __getattr__(self, call):
        """element.click(), element.fill("text"), element.textContent()"""
        return lambda *args: self.page.browser.call(self.page.name, call, *args, on=self.selector)

    def says(self, pattern, seconds=20):
        """Waits until its text matches."""
        text = []

        def probe():
            try:
                text[:] = [self.innerText({"timeout": 1000})]
            except Broken as error:
                text[:] = [str(error)]
            return re.search(pattern, text[0], re.S)
        try:
            return wait_for(f"{self.selector} says {pattern}", probe, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {text[0][:1500]!r}") from None


def end_browsers():
    end_programs()
