#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The parts of the page that need no browser, tried by Node itself: tests/web/*.test.mjs."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = 18  # the first with a test runner

node = shutil.which("node")
version = int(re.match(r"v(\d+)", subprocess.check_output([node, "--version"], text=True))[1]) if node else 0
if version < OLDEST:
    print(f"SKIP: Node {OLDEST} is not installed")
    sys.exit(77)
# Node takes a .js for a module only beside a package.json, which has no place among the files that are served.
with tempfile.TemporaryDirectory() as copy:
    for part in ("web", "tests/web"):
        shutil.copytree(f"{PROJECT}/{part}", f"{copy}/{part}")
    with open(f"{copy}/package.json", "w") as package:
        package.write('{"type": "module"}')
    tests = sorted(glob.glob(f"{copy}/tests/web/*.test.mjs"))
    sys.exit(subprocess.run([node, "--test", *tests], check=False).returncode)
