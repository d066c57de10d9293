#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the gateway says in English and the page in other languages: each sentence in web/lang/said.json is still one of the
sources, and each is there in all languages but English."""
import glob
import json
import os
import re

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
UV = "/usr/include/uv.h"  # what a failed connection is called comes from there


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sentences():
    """All texts in C, with {1}, {2} for what is printed into them."""
    found = set()
    rooms = [path for room in ("gateway", "bridges") for path in glob.glob(f"{PROJECT}/{room}/**/*.c", recursive=True)]
    for path in rooms + [UV] * os.path.exists(UV):
        # A comment, a character, or a text in one or several pieces.
        for each in re.finditer(rf"/\*.*?\*/|'(?:[^'\\]|\\.)+'|({LITERAL}(?:\s+{LITERAL})*)", read(path), re.DOTALL):
            if each[1]:
                text = "".join(piece[1:-1] for piece in re.findall(LITERAL, each[1]))
                holes = iter(range(1, 100))
                text = re.sub(r"%[-.0-9]*(?:ll|z|l)?[dsux]", lambda _: f"{{{next(holes)}}}", text)
                found.add(text.replace('\\"', '"'))
    return found


def said(language):
    return {sentence: texts[language] for sentence, texts in json.loads(read(f"{PROJECT}/web/lang/said.json")).items() if language in texts}


def each_is_said():
    known = sentences()
    assert len(known) > 1000, len(known)
    others = {name[:-5] for name in os.listdir(f"{PROJECT}/web/lang")} - {"en", "said"}
    assert len(others) >= 2 and not said("en"), others
    for language in others:
        stale = said(language).keys() - known
        assert not stale, f"{language}: the gateway no longer says {sorted(stale)}"


def languages_agree():
    german, french = said("de"), said("fr")
    assert len(german) > 100 and german.keys() == french.keys(), sorted(german.keys() ^ french.keys())
    for words in (german, french):
        for sentence, text in words.items():
            assert set(re.findall(r"{\d}", text)) <= set(re.findall(r"{\d}", sentence)), sentence


for part in (each_is_said, languages_agree):
    part()
    print(f"ok {part.__name__}")
