#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The parts of the page that need no browser, tried by Node itself: tests/web/*.test.mjs."""
import glob
import os
import re
import shutil
import subprocess
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = 18  # the first with a test runner

node = shutil.which("node")
version = int(re.match(r"v(\d+)", subprocess.check_output([node, "--version"], text=True))[1]) if node else 0
if version < OLDEST:
    print(f"skipped: Node {OLDEST} is not installed")
    sys.exit(77)
sys.exit(subprocess.run([node, "--test", *sorted(glob.glob(f"{PROJECT}/tests/web/*.test.mjs"))], check=False).returncode)
