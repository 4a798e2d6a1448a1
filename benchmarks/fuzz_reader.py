"""The reader under bytes that nobody meant: coverage-guided fuzzing by atheris, for a bounded time.

    pip install atheris
    python benchmarks/fuzz_reader.py [--seconds 60] [--seed 1] [--plain]

Prints inputs tried, refused, read and crashed. An input is refused where `materiality check` would tell faults of it,
and read where it would tell none; every row of one that is read must have one disposition, in order and without a gap,
and a text file must hold as many as a parser finds that goes from character to character. Anything else is a crash:
another exception, a warning, a fault without a mend. Inputs are text exports in any encoding, workbooks byte by byte,
and workbooks whose sheet is the input.

Where atheris is not installed, or with `--plain`, inputs are mutated at random, without looking at coverage.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import mmap
import random
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

STUDY = """\
title = "Fuzzed (simulated answers)"
[scale]
low = 1
high = 5
[scale.special]
"Don't know" = "dont_know"
[[responses]]
file = "export.csv"
respondent = "id"
group = "group"
seconds = "seconds"
[[groups]]
id = "staff"
[[groups]]
id = "buyers"
[[issues]]
id = "climate"
[[issues]]
id = "safety"
[axes.people]
column = "{id}"
[axes.business]
column = "impact of {id}"
[cleaning]
unknown_group = "drop"
duplicate_choice = "first"
"""
RECORDS = (
    ("id", "group", "remarks", "seconds", "climate", "safety", "more remarks", "impact of climate", "impact of safety"),
    ("R1", "staff", 'we said "so, so";\nand more', "120", "4", "5", "", "3", "Don't know"),
    ("R2", "buyers", "", "", "5", "", 'a 19" rack', "2", "1"),
    ("R3", "staff", "工作 | Größe; 5 €", "0:03:20", "1", "2", "none at all, really", "5", "4"),
    ("R4", "martians", "-", "95", "3", "3", " ", "4", "4"),
)
KINDS = ("export.csv", "export.tsv", "export.xlsx", "sheet")
"""What the first byte of an input makes of the rest; `sheet` is the first sheet of an otherwise sound workbook."""
SHEET = "xl/worksheets/sheet1.xml"
COUNTS = ("tried", "refused", "read", "rows")
PIECES = [
    '"',
    '""',
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\ufeff",
    "é",
    "工",
    "1e400",
    "4,0",
    "=1",
    "\x1a",
    "\x0c",
]


def workbook() -> bytes:
    """The records as a workbook."""
    import xlsxwriter

    raw = io.BytesIO()
    with xlsxwriter.Workbook(raw, {"in_memory": True, "strings_to_numbers": True}) as book:
        sheet = book.add_worksheet()
        for row, record in enumerate(RECORDS):
            sheet.write_row(row, 0, record)
    return raw.getvalue()


def seeds(sound: bytes) -> list[bytes]:
    """Inputs to start from, each with the byte that says its kind."""
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        found = [bytes([KINDS.index("export.xlsx")]) + sound, bytes([KINDS.index("sheet")]) + archive.read(SHEET)]
    for delimiter, encoding in itertools.product(",;\t|", ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030")):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows(RECORDS)
        found.append(bytes([KINDS.index("export.csv")]) + text.getvalue().encode(encoding))
    return [*found, *(bytes([KINDS.index("export.tsv")]) + one[1:] for one in found if b"\t" in one)]


def records_in(text: str, delimiter: str, *, quoted: bool) -> int:
    """Records of a text, by its characters one after the other: RFC 4180, any line end."""
    records, state, before = 0, "record", ""  # about to start a record or a cell; in a plain one; in quotes; after them
    for char in text:
        if state == "quotes":
            state = "after" if char == '"' else "quotes"
        elif char == '"' and quoted and state in {"record", "cell", "after"}:
            state = "quotes"
        elif char == "\n" and before == "\r" and state == "record":
            pass
        elif char in "\r\n":
            records, state = records + 1, "record"
        else:
            state = "cell" if char == delimiter else "plain"
        before = char
    return records + (state != "record")


class Reader:
    """Reads one input after the other with the same study, and counts what becomes of them."""

    def __init__(self, folder: Path, counts: np.ndarray) -> None:
        from materiality.study import load_study

        self.folder, self.counts, self.sound = folder, counts, workbook()
        (folder / "study.toml").write_text(STUDY, encoding="utf-8")
        self.study = load_study(folder)

    def __call__(self, data: bytes) -> None:
        """Read an input; raises where it is neither refused nor read whole."""
        if not data:
            return
        name, raw = KINDS[data[0] % len(KINDS)], data[1:]
        if name == "sheet":
            name, raw = "export.xlsx", self.with_sheet(raw)
        (self.folder / name).write_bytes(raw)
        self.counts[COUNTS.index("tried")] += 1
        rows = self.read(name)
        self.counts[COUNTS.index("refused" if rows is None else "read")] += 1
        self.counts[COUNTS.index("rows")] += rows or 0

    def with_sheet(self, sheet: bytes) -> bytes:
        """The sound workbook with another sheet."""
        raw = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.sound)) as whole, zipfile.ZipFile(raw, "w") as archive:
            for part in whole.namelist():
                archive.writestr(part, sheet if part == SHEET else whole.read(part))
        return raw.getvalue()

    def read(self, name: str) -> int | None:
        """The rows below the header; None where the file is refused."""
        from materiality.errors import Faults
        from materiality.gathering import gather
        from materiality.reading import open_exports

        export = self.study.responses[0].model_copy(update={"file": name})
        study, faults = self.study.model_copy(update={"responses": (export,)}), Faults()
        gathered = gather(study, self.folder / "study.toml", faults)
        if faults:
            assert all(fault.what and fault.mend and fault.file for fault in faults), list(faults)
            return None
        lines = np.concatenate([part["row"] for part in gathered.ledger.lines()])
        first = gathered.exports[0].header_row + 1
        assert (lines == np.arange(first, first + len(lines))).all(), lines
        assert len(lines) == gathered.exports[0].rows == gathered.exports[0].fates.total() - _flagged(gathered)
        grid = open_exports(study, self.folder / "study.toml", Faults())[0].table.grid
        if grid.delimiter:
            text = (self.folder / name).read_bytes().decode(grid.encoding)
            quoted = not any("Quotation marks" in note for note in grid.notes)
            counted = records_in(text, grid.delimiter, quoted=quoted)
            assert counted == first - 1 + len(lines), (counted, first - 1, len(lines))
        return len(lines)


def _flagged(gathered: object) -> int:
    return sum(n for e in gathered.exports for fate, n in e.fates.items() if fate.startswith("flagged: "))  # type: ignore[attr-defined]


def fuzz(reader: Reader, atheris: ModuleType, folder: Path, seconds: int, seed: int) -> None:
    """Let libFuzzer look for inputs that reach new code; never returns."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, one in enumerate(seeds(reader.sound)):
        (corpus / str(number)).write_bytes(one)
    words = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=8192", "-rss_limit_mb=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *words, f"-artifact_prefix={folder}/", str(corpus)], reader)
    atheris.Fuzz()


def mutate(reader: Reader, seconds: int, seed: int) -> None:
    """Change seeds, and inputs that were read, at random."""
    chance, pool, end = random.Random(seed), seeds(reader.sound), time.monotonic() + seconds
    encodings = ("utf-8", "utf-16-le", "gb18030", "utf-32-le")
    while time.monotonic() < end:
        one = chance.choice(pool)
        for _ in range(chance.randint(1, 6)):
            place = chance.randint(1, len(one))
            length = chance.choice((0, 1, 2, 8, 40))
            new = chance.choice((chance.randbytes(2), chance.choice(PIECES).encode(chance.choice(encodings)), b""))
            one = one[:place] + new + one[place + length :]
        read = reader.counts[COUNTS.index("read")]
        reader(one)
        if reader.counts[COUNTS.index("read")] > read and len(pool) < 1000:
            pool.append(one)


def work(seconds: int, seed: int, plain: bool, folder: Path) -> None:
    """One process: read inputs until the time is over; the counts stand in a file."""
    with (folder / "counts").open("r+b") as file:
        counts = np.frombuffer(mmap.mmap(file.fileno(), 0), np.int64)
    with ExitStack() as stack:
        if not plain:
            import atheris

            stack.enter_context(atheris.instrument_imports(include=["materiality"]))
        import materiality.gathering  # noqa: F401 - with everything that reads
    warnings.simplefilter("error")
    reader = Reader(folder, counts)
    if plain:
        mutate(reader, seconds, seed)
    else:
        fuzz(reader, atheris, folder, seconds, seed)


def main() -> None:
    """Run a worker for so many seconds and print what became of its inputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="mutate at random, also where atheris is installed")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    plain = options.plain or find_spec("atheris") is None
    if options.worker:
        work(options.seconds, options.seed, plain, options.worker)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "counts").write_bytes(np.zeros(len(COUNTS), np.int64).tobytes())
        words = [sys.executable, __file__, "--seconds", str(options.seconds), "--seed", str(options.seed)]
        words += ["--plain"] * plain + ["--worker", name]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        counts = dict(zip(COUNTS, np.fromfile(folder / "counts", np.int64).tolist(), strict=True))
        crashes = int(done.returncode != 0)
        how = "random mutations" if plain else "guided by coverage, with atheris"
        print(f"| inputs tried ({how}) | refused | read | their rows, all accounted for | crashes |")
        print("|---|---|---|---|---|")
        print(f"| {counts['tried']:,} | {counts['refused']:,} | {counts['read']:,} | {counts['rows']:,} | {crashes} |")
        if crashes:
            print(done.stderr[-4000:], file=sys.stderr)
            for left in folder.glob("crash-*"):
                print(f"the input: {left.read_bytes()!r}", file=sys.stderr)
    raise SystemExit(crashes)


if __name__ == "__main__":
    main()
