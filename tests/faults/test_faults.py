"""Faults put into runs: the earlier output stays whole, nothing is left beside it, and the exit code tells."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SKIP_NOTHING

SCRIPT = Path(__file__).with_name("inject.py")


@pytest.mark.skipif(sys.platform != "linux", reason="the faults are put in by Linux's means")
@pytest.mark.parametrize(
    ("kinds", "sample", "tried"),
    [
        pytest.param(["writes", "disk", "together"], 2, 12, id="writes, full disks, two at once"),
        pytest.param(["interrupts"], 1, 6, id="interrupts"),
    ],
)
def test_no_fault_harms_the_earlier_output(kinds, sample, tried):
    if "writes" in kinds and shutil.which("strace") is None and not SKIP_NOTHING:
        pytest.skip("strace is absent")
    words = [sys.executable, str(SCRIPT), "--sample", str(sample), "--only", *kinds]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    rows = [re.split(r"  +", line) for line in done.stdout.splitlines()[1:]]
    skipped = [row[4] for row in rows if len(row) > 4]
    if skipped and "strace is absent" not in skipped[0]:
        pytest.skip("; ".join(skipped))
    assert not skipped, skipped
    assert sum(int(row[1]) for row in rows) == sum(int(row[2]) for row in rows) == tried
