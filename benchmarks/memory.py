"""Memory against rows: the peak of a fresh process that checks, and of one that runs, a study of 25 issues.

    python benchmarks/memory.py [--rows 10000 30000 100000 300000 1000000]

Prints a table: peak resident memory by rows, and what each further row added since the size before. The export is a CSV
of simulated answers with ids, groups and times, written piece by piece; the first line is next to nothing but the
program itself. Rows are looked at in blocks, kept ones are set aside in a file once they fill 64 MB, and the ledger
takes 15 bytes a row in another; so memory levels off where these begin to be used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from speed import measured, write_study

COMMANDS = ("check", "run")
SMALL = 1_000
"""Rows whose peak is that of the program itself."""


def peak(command: str, study: Path, out: Path) -> float:
    """Megabytes at the most, of one process."""
    words = [sys.executable, "-m", "materiality", command, str(study)]
    return measured(*words, *(("--out", str(out), "--figures", "main") if command == "run" else ()))[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    sizes = sorted({SMALL, *parser.parse_args().rows})
    print(
        "| rows × 25 issues | CSV, MB | `check`, peak MB | bytes a further row | `run`, peak MB | bytes a further row |"
    )
    print("|---|---|---|---|---|---|")
    peaks: dict[tuple[str, int], float] = {}
    for rows, smaller in zip(sizes, [None, *sizes], strict=False):
        with tempfile.TemporaryDirectory() as name:
            study = write_study(Path(name), rows)
            cells = [f"{rows:,}", f"{(study / 'responses.csv').stat().st_size / 2**20:.1f}"]
            for command in COMMANDS:
                now = peaks[command, rows] = peak(command, study, Path(name) / "out")
                more = (now - peaks[command, smaller]) * 2**20 / (rows - smaller) if smaller else None
                cells += [f"{now:.0f}", "" if more is None else f"{more:,.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
