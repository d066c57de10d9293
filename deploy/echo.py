#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Repeats every line that an account gets, and answers every post. usage: echo.py SOCKET ACCOUNT

An example of a program on the control socket: include/retrogate/api.md describes what it says there.
"""
import itertools
import json
import socket
import sys
import time

PAUSE = 0.1  # s between two looks for changes: an operator's session is not told of them


class Control:
    def __init__(self, path):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.connect(path)
        self.lines = self.stream.makefile("rw", encoding="utf-8", newline="\n")
        self.ids = itertools.count(1)

    def do(self, command, **arguments):
        number = next(self.ids)
        self.lines.write(json.dumps({"id": number, "do": command, **arguments}) + "\n")
        self.lines.flush()
        for text in self.lines:
            answer = json.loads(text)
            if answer.get("id") != number:
                continue  # a hint
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['text']}")
            return answer["done"]
        raise EOFError


def answer(control, account, post):
    text = control.do("post.show", account=account, seq=post["seq"])["text"]
    subject = post["subject"] if post["subject"].lower().startswith("re:") else f"Re: {post['subject']}"
    control.do("post.send", account=account, to=[post["from"][0]["address"]], subject=subject, text=text,
               reply_to=post["seq"])


def repeat(control, account):
    # The gateway keeps how far this client has come, so that each line is repeated once, over restarts too.
    cursor = control.do("client.open", account=account, name="echo")
    epoch, change, seen = cursor["epoch"], cursor["change"], cursor["seq"]
    while True:
        news = control.do("changes", account=account, after=change)
        if news["epoch"] != epoch:  # a backup was restored: begin anew
            epoch, change, seen = news["epoch"], 0, 0
            continue
        newest = seen  # lines and posts are numbered together
        for line in (each["line"] for each in news["changes"] if "line" in each):
            if line["direction"] == "in" and line["seq"] > seen:
                control.do("say", account=account, conversation=line["conversation"], text=line["text"])
            newest = max(newest, line["seq"])
        for post in (each["post"] for each in news["changes"] if "post" in each):
            if post["direction"] == "in" and post["kind"] == "post" and post["seq"] > seen:
                answer(control, account, post)
            newest = max(newest, post["seq"])
        seen = newest
        if news["change"] != change:
            change = news["change"]
            control.do("client.seen", account=account, name="echo", epoch=epoch, change=change, seq=seen)
        if not news["more"]:
            time.sleep(PAUSE)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: echo.py SOCKET ACCOUNT")
    try:
        repeat(Control(sys.argv[1]), sys.argv[2])
    except (EOFError, KeyboardInterrupt, ConnectionError):
        pass  # the gateway, or the person, ended it
    except RuntimeError as error:
        sys.exit(f"echo.py: {error}")


main()
