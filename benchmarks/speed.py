"""How fast, and in how much memory: help, a whole run, a look at exports, and a million rows streamed.

    python benchmarks/speed.py [--rows 10000 100000 1000000] [--megabytes 10 100]

Prints a table. Each measurement is a process of its own; memory is that process's peak. The streamed answers are
simulated: one question per issue, which serves both axes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
ISSUES, GROUPS = (
    25,
    ("shareholders", "customers", "partners", "employees", "government", "communities", "media", "public"),
)


def write_study(folder: Path, rows: int) -> Path:
    """A study of 25 issues and eight groups with so many simulated rows, ids and times among the columns."""
    groups = "".join(f'[[groups]]\nid = "{name}"\n' for name in GROUPS)
    issues = "".join(f'[[issues]]\nid = "i{k}"\n' for k in range(ISSUES))
    (folder / "study.toml").write_text(
        'title = "Streamed (simulated answers)"\nsimulated = true\n[scale]\nlow = 1\nhigh = 5\n'
        '[[responses]]\nfile = "responses.csv"\nrespondent = "id"\ngroup = "group"\nseconds = "seconds"\n'
        f"{groups}{issues}"
        '[axes.stakeholders]\ncolumn = "{id}"\n[axes.business]\ncolumn = "{id}"\n'
        'groups = { shareholders = 1, employees = 1 }\n[matrix]\nx = "business"\ny = "stakeholders"\n'
    )
    generator = np.random.default_rng(rows)
    points = np.array([str(point) for point in (1, 2, 3, 4, 5, "")])
    with (folder / "responses.csv").open("w") as file:
        file.write(",".join(["id", "group", "seconds", *(f"i{k}" for k in range(ISSUES))]) + "\n")
        for start in range(0, rows, 50_000):
            n = min(50_000, rows - start)
            answers = points[generator.choice(6, (n, ISSUES), p=(0.02, 0.05, 0.18, 0.35, 0.38, 0.02))]
            named = np.array(GROUPS)[generator.integers(0, len(GROUPS), n)]
            seconds = generator.integers(60, 900, n)
            file.writelines(f"R{start + k},{named[k]},{seconds[k]},{','.join(answers[k])}\n" for k in range(n))
    return folder


def measured(*words: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a process."""
    started = time.perf_counter()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def write_labels(path: Path, megabytes: int) -> int:
    """A CSV of about so many megabytes with 25 questions answered in words; returns its rows."""
    generator, rows = np.random.default_rng(megabytes), 0
    labels = np.array(["Not important", "Slightly important", "Moderately important", "Very important", "N/A"])
    with path.open("w") as file:
        file.write(",".join(["id", "group", *(f"How important? [Issue {k}]" for k in range(ISSUES))]) + "\n")
        while file.tell() < megabytes * 1_000_000:
            answers = labels[generator.integers(0, len(labels), (5_000, ISSUES))]
            file.writelines(f"R{rows + k},{GROUPS[k % len(GROUPS)]},{','.join(row)}\n" for k, row in enumerate(answers))
            rows += len(answers)
    return rows


def write_workbook(path: Path) -> int:
    """A workbook of 50,000 rows and 30 columns; returns its rows."""
    import xlsxwriter

    answers = np.random.default_rng(30).integers(1, 6, (50_000, 28)).tolist()
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["id", "group", *(f"How important? [Issue {k}]" for k in range(28))])
        for row, values in enumerate(answers, 1):
            sheet.write_row(row, 0, [f"R{row}", GROUPS[row % len(GROUPS)], *values])
    return len(answers)


STREAM = """
import sys
from materiality.assessment import assess
assert len(assess(sys.argv[1]).scores) == 50
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    rows = options.rows
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        jobs = {
            "materiality --help": (sys.executable, "-m", "materiality", "--help"),
            "materiality run surveys/kstar-2023": (
                *(sys.executable, "-m", "materiality", "run"),
                *(str(ROOT / "surveys" / "kstar-2023"), "--out", out),
            ),
        }
        print("| whole process | seconds (median of 5) | peak MB |\n|---|---|---|")
        for name, words in jobs.items():
            runs = [measured(*words) for _ in range(5)]
            print(f"| `{name}` | {np.median([r[0] for r in runs]):.2f} | {max(r[1] for r in runs):.0f} |", flush=True)
        print("\n| `materiality inspect --json` of | rows | seconds | peak MB |\n|---|---|---|---|")
        for megabytes in options.megabytes:
            export = Path(folder) / f"answers{megabytes}.csv"
            n = write_labels(export, megabytes)
            seconds, peak = measured(sys.executable, "-m", "materiality", "inspect", "--json", str(export))
            print(f"| a CSV of {megabytes} MB | {n:,} | {seconds:.1f} | {peak:.0f} |", flush=True)
        book = Path(folder) / "answers.xlsx"
        n = write_workbook(book)
        seconds, peak = measured(sys.executable, "-m", "materiality", "inspect", "--json", str(book))
        print(f"| a workbook of 30 columns | {n:,} | {seconds:.1f} | {peak:.0f} |", flush=True)
        print("\n| rows × 25 issues, read to scores | seconds | rows per second | peak MB |\n|---|---|---|---|")
        for n in rows:
            with tempfile.TemporaryDirectory() as streamed:
                study = write_study(Path(streamed), n)
                seconds, peak = measured(sys.executable, "-c", STREAM, str(study))
            print(f"| {n:,} | {seconds:.1f} | {n / seconds:,.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
