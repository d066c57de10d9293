# SPDX-License-Identifier: ISC
"""Mail is submitted by SMTP while the sender's and the recipient's gateway are killed at random moments: what was
answered with 250 is in the recipient's inbox, whole, and nothing is there twice.

  python3 test_posts_kill.py [--long] [seed]"""
import email
import email.policy
import hashlib
import os
import random
import smtplib
import sys
import threading
import time

from harness import LONG, chain, friends_up, run, wait_for
from mail import PASSWORD, acquainted, address_of, messages, pop3

SEED = next((int(word) for word in sys.argv[1:] if word.isdigit()), int.from_bytes(os.urandom(4), "big"))
MAILS = 500 if LONG else 60
dice = random.Random(SEED)


def body_of(number):
    """Some fit in one slice, some need many."""
    size = 200_000 if number % 10 == 3 else 30_000 if number % 10 == 7 else 100
    line = hashlib.sha256(f"{SEED} {number}".encode()).hexdigest()
    return f"{line}\r\n" * (size // len(line) + 1)


def mail_of(number):
    return (f"From: alice@distant.alt\r\nTo: carol@distant.alt\r\nSubject: Mail {number}\r\n"
            f"Message-ID: <{number}.{SEED}@example.org>\r\n\r\n{body_of(number)}")


class Submitter(threading.Thread):
    """Hands over one mail after the other. One that got no answer is not sent again: it may have been taken."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.client = address, None
        self.taken, self.doubtful, self.refused, self.failed = [], [], 0, None
        self.allowed = 0
        self.handing_over = threading.Event()

    def run(self):
        try:
            for number in range(MAILS):
                while number >= self.allowed:
                    time.sleep(0.005)
                while not self.submit(number):
                    time.sleep(0.05)
        except Exception as error:
            self.failed = error

    def submit(self, number):
        """Whether the mail is done with: it was taken, or nobody knows."""
        handed_over = False
        try:
            if self.client is None:
                client = smtplib.SMTP(*self.address, timeout=60)
                client.login("alice", PASSWORD)
                self.client = client
            self.say(self.client.mail, "alice@distant.alt")
            self.say(self.client.rcpt, "carol@distant.alt")
            handed_over = True
            self.handing_over.set()
            self.say(self.client.data, mail_of(number))
            self.taken.append(number)
            return True
        except smtplib.SMTPServerDisconnected:
            pass
        except smtplib.SMTPResponseException as error:
            if error.smtp_code not in range(400, 500) and error.smtp_code != -1:
                raise
            # Just started, or just about to fall; who says so took nothing.
            handed_over = handed_over and error.smtp_code == -1
            self.refused += not handed_over
        except OSError:
            pass
        finally:
            self.handing_over.clear()
        self.client = None
        if handed_over:
            self.doubtful.append(number)
        return handed_over

    @staticmethod
    def say(command, *arguments):
        code, text = command(*arguments)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)

    def end(self):
        self.join(60)
        assert not self.is_alive() and not self.failed, self.failed


def meeting():
    global a, c, submitter
    print(f"seed {SEED}", flush=True)
    # Friends of each other: either notices that the other is back, and no request has to wait for its back-off.
    a, c = chain("A", "C")
    a.account("alice")
    c.account("carol")
    acquainted(a, "alice", c, "carol")
    address = address_of(a, "submission")
    a.settings["mail.submission_listen"] = "{}:{}".format(*address)
    submitter = Submitter(address)


def storm():
    kills = {"A": 0, "C": 0}
    submitter.start()
    while submitter.is_alive():
        submitter.allowed += dice.randint(1, 8)
        if dice.random() < 0.5:
            in_a_submission()
        else:
            in_a_delivery()
        fallen = dice.choice(((a,), (a,), (c,), (c,), (a, c)))
        for node in fallen:
            node.kill()
            kills[node.name] += 1
        time.sleep(dice.choice((0, 0, dice.uniform(0, 1))))
        for node in fallen:
            node.start(wait=False)
        for node in fallen:
            node.wait_ready()
    submitter.end()
    print(f"  taken {len(submitter.taken)}, without an answer {len(submitter.doubtful)}, put off {submitter.refused} "
          f"times, killed {kills}", flush=True)


def in_a_submission():
    """Returns somewhere in the milliseconds that one takes."""
    for _ in range(dice.randint(1, 4)):
        if submitter.handing_over.wait(1):
            time.sleep(dice.uniform(0, 0.008))


def in_a_delivery():
    """Returns while posts arrive, or after a while when none does."""
    def newest():
        return [post["seq"] for post in c.do("post.list", account="carol", max=1)["posts"]]
    before, end = newest(), time.monotonic() + 3
    while newest() == before and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(dice.uniform(0, 0.1))


def every_post(gateway, account, box):
    """Newest first."""
    found, more = [], True
    while more:
        before = {"before": found[-1]["seq"]} if found else {}
        page = gateway.do("post.list", account=account, box=box, max=200, **before)
        found, more = found + page["posts"], page["more"]
    return found


def calm():
    """All that was taken is delivered, and the sender knows it."""
    friends_up(a, 1)

    def undelivered():
        return [post["subject"] for post in every_post(a, "alice", "out")
                if [delivery["delivery"] for delivery in post["deliveries"]] != ["delivered"]]
    wait_for("all delivered", lambda: not undelivered(), 240 if LONG else 120)
    own = [post["subject"] for post in every_post(a, "alice", "out")]
    there = [post["subject"] for post in every_post(c, "carol", "in")]
    assert len(own) == len(set(own)), "twice in the sender's log"
    assert len(there) == len(set(there)), f"seed {SEED}: twice in the inbox"
    assert set(there) == set(own), f"seed {SEED}: {set(there) ^ set(own)}"
    taken = {f"Mail {number}" for number in submitter.taken}
    doubtful = {f"Mail {number}" for number in submitter.doubtful}
    assert taken <= set(there), f"seed {SEED}: lost after 250: {taken - set(there)}"
    assert set(there) - taken <= doubtful, f"seed {SEED}: {set(there) - taken - doubtful}"
    print(f"  of {len(doubtful)} without an answer {len(doubtful & set(there))} are there", flush=True)


def whole():
    """Each to the octet, by POP3."""
    client = pop3(c, "carol")
    mails = messages(client)
    assert len(mails) == len(every_post(c, "carol", "in"))
    for data in mails:
        mail = email.message_from_bytes(data, policy=email.policy.default)
        number = int(mail["Subject"].split()[1])
        assert mail.get_content().split() == body_of(number).split(), f"seed {SEED}: {mail['Subject']} differs"
    client.quit()


if __name__ == "__main__":
    run(meeting, storm, calm, whole)
