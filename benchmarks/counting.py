"""What the second count of records costs: reading an export beside counting it, and memory of the count.

    python benchmarks/counting.py [--rows 100000]

Prints a table by kind of file: seconds to read every row as text, seconds to count the records a second time, their
ratio, and the most memory that the count takes. The cells are random ratings; the last column holds text.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import xlsxwriter

from materiality.reading.tables import open_table
from materiality.study import Export

COLUMNS = 30


def made(path: Path, rows: list[list[str]], quoting: int, encoding: str) -> None:
    """A text file."""
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, quoting=quoting).writerows(rows)


def workbook(path: Path, rows: list[list[str]]) -> None:
    """A workbook with numbers and texts."""
    with xlsxwriter.Workbook(path, {"strings_to_numbers": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    wanted = parser.parse_args().rows
    chance = random.Random(7)
    head = [f"q{column}" for column in range(COLUMNS - 1)] + ["why"]
    rows = [head]
    rows += [
        [*(str(chance.randrange(1, 6)) for _ in range(COLUMNS - 1)), f'said "{number}", twice']
        for number in range(wanted)
    ]
    kinds: dict[str, tuple[str, Callable[[Path], None]]] = {
        "CSV, quotes where needed": ("a.csv", lambda path: made(path, rows, csv.QUOTE_MINIMAL, "utf-8")),
        "CSV, every cell in quotes": ("b.csv", lambda path: made(path, rows, csv.QUOTE_ALL, "utf-8")),
        "CSV, UTF-16": ("c.csv", lambda path: made(path, rows, csv.QUOTE_ALL, "utf-16")),
        "XLSX": ("d.xlsx", lambda path: workbook(path, rows)),
    }
    print(f"| {wanted:,} rows × {COLUMNS} columns | MB | read, s | count, s | ratio | count, peak MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind, (name, make) in kinds.items():
            path = Path(folder) / name
            make(path)
            begun = time.perf_counter()
            table = open_table(path, Export(file=name))
            read = sum(1 for _ in table.records())
            between = time.perf_counter()
            differs = table.disagrees(read)
            done = time.perf_counter()
            tracemalloc.start()
            table.disagrees(read)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert differs is None and read == wanted
            reading, counting = between - begun, done - between
            size, ratio = path.stat().st_size / 1e6, counting / reading
            print(f"| {kind} | {size:.1f} | {reading:.2f} | {counting:.2f} | {ratio:.2f} | {peak / 1e6:.1f} |")


if __name__ == "__main__":
    main()
