#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the documents name exists: tests in SECURITY.md, files in README.md; the manual pages are well-formed."""
import os
import re
import shutil
import subprocess

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(f"{PROJECT}/{path}", encoding="utf-8") as file:
        return file.read()


def defines(source, name):
    """A test is a function, or the name that a table of tests makes one from."""
    return re.search(rf"^(def|static void) {name}\(", source, re.MULTILINE)


def tests_exist():
    named = re.findall(r"`((?:unit|e2e|scripts)/\S+): (\w+)`", read("SECURITY.md"))
    assert len(named) > 20, named
    wrong = [f"{path}: {name}" for path, name in named
             if not os.path.exists(f"{PROJECT}/tests/{path}") or not defines(read(f"tests/{path}"), name)]
    assert not wrong, f"SECURITY.md names tests that do not exist: {wrong}"


def files_exist():
    for document in ("README.md", "SECURITY.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", read(document))
        wrong = [link for link in links if not os.path.exists(f"{PROJECT}/{link}")]
        assert not wrong, f"{document} links to {wrong}"
    rooms = re.findall(r"^\| `(\S+?/)` \|", read("README.md"), re.MULTILINE)
    assert len(rooms) > 10 and all(os.path.isdir(f"{PROJECT}/{room}") for room in rooms), rooms


def pages_are_well_formed():
    if not shutil.which("mandoc"):
        print("SKIP: mandoc is not here")
        return
    for page in ("retrogated.8", "retrogate.conf.5", "retrogatectl.1", "retrogate-sendmail.1"):
        # Styles are left out: they ask whether the other pages are installed.
        run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", f"{PROJECT}/doc/{page}"], capture_output=True,
                             text=True, check=False)
        assert run.returncode == 0, run.stdout


def main():
    tests_exist()
    files_exist()
    pages_are_well_formed()
    print("ok")


main()
