"""Every hostile file gets its message or is read for what it holds: never a traceback, never a silent change."""

from __future__ import annotations

import csv
import json
import math
import re
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from all_cases import CASES
from make import HEADER, ROWS, TEXT, Case, Kept, study_of, with_row

from materiality.cleaning import KEPT, REASONS, flag_names
from materiality.cli import main
from materiality.gathering import examine
from materiality.reading import open_exports
from materiality.responses import Kind
from materiality.study import draft_study

MEMORY = 3 << 30
SECONDS = 120


@contextmanager
def time_bounded() -> Iterator[None]:
    """Ends what waits for ever, as for a pipe that nobody writes to."""

    def end(*_: object) -> None:
        raise RuntimeError(f"not done in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(case: Case, folder: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the case's command."""
    aim = folder / case.file if case.command in {"inspect", "init"} else folder
    arguments = [case.command, str(aim)]
    arguments += ["--out", str(folder.parent / "out")] if case.command in {"init", "run"} else []
    if case.apart:

        def bounded() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

        ended = subprocess.run(
            [sys.executable, "-m", "materiality", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            preexec_fn=bounded,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr
    with time_bounded():
        result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.stdout, result.stderr


def account(case: Case) -> str:
    """What `check` must say of a file that is read: from what its maker knows of it."""
    fates = Counter(fate if isinstance(fate, str) else "kept" for fate in case.truth.values())
    kept = fates.pop("kept", 0)
    line = f"{case.file}: {len(case.truth)} rows read, {kept} kept, {fates.total()} excluded"
    reasons = [f"{fates[reason]} {reason}" for reason in REASONS if reason in fates]
    line += f" ({', '.join(reasons)})" if reasons else ""
    flags = Counter(case.flags.values())
    flagged = [f"{flags[reason]} {reason}" for reason in REASONS if reason in flags]
    line += f"; of the kept, flagged: {', '.join(flagged)}" if flagged else ""
    groups = Counter(group for fate in case.truth.values() if isinstance(fate, Kept) for group in fate.groups)
    told = [f"  {name}: {groups[group]} respondents" for group, name in case.names.items()]
    return "\n".join([f"{line}.", *told, "No fault found.", ""])


def ledger(folder: Path) -> tuple[dict[int, str], dict[int, Kept], dict[int, str]]:
    """What the program makes of a study: each row's fate, what was read of the rows that are kept, and their flags."""
    study, gathered = examine(folder)
    fates, flags, kept = {}, {}, {}
    for lines in gathered.ledger.lines():
        for line in lines:
            fates[int(line["row"])] = "kept" if line["reason"] == KEPT else REASONS[line["reason"]]
            if line["reason"] == KEPT and line["flags"]:
                flags[int(line["row"])] = "; ".join(flag_names(int(line["flags"])))
    ids = [group.id for group in study.groups]
    for block, _ in gathered.rows.blocks():
        for k, row in enumerate(block.row):
            groups = tuple(ids[place] for place in np.flatnonzero(block.members[k]))
            answers = [
                float(rating) if kind == Kind.RATING else Kind(kind).name.lower()
                for rating, kind in zip(block.ratings[k], block.kinds[k], strict=True)
            ]
            kept[int(row)] = Kept(groups, tuple(answers))
    return fates, kept, flags


def test_at_least_a_hundred_cases_and_no_two_alike():
    assert len(CASES) >= 140
    assert len({case.id for case in CASES}) == len({case.what for case in CASES}) == len(CASES)
    assert all(case.told or case.truth or case.command != "check" for case in CASES)


@pytest.mark.parametrize("case", [case for case in CASES if case.told], ids=lambda case: case.id)
def test_what_cannot_be_read_is_refused_with_its_whole_message(tmp_path, case):
    folder = tmp_path / "study"
    folder.mkdir()
    case.write(folder)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert outcome(case, folder) == (1, "", case.told)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", [case for case in CASES if case.truth], ids=lambda case: case.id)
def test_what_can_be_read_is_read_for_what_it_holds(tmp_path, case):
    folder = tmp_path / "study"
    folder.mkdir()
    case.write(folder)
    assert outcome(case, folder) == (0, account(case), "")
    fates, kept, flags = ledger(folder)
    assert fates == {row: fate if isinstance(fate, str) else "kept" for row, fate in case.truth.items()}
    assert kept == {row: fate for row, fate in case.truth.items() if isinstance(fate, Kept)}
    assert flags == dict(case.flags)


# Through a whole run: what is written holds the truth, and no text in it is a formula or a script


HOSTILE = "=HYPERLINK(1)"
NAMES = {"climate": HOSTILE, "safety": "</script><script>alert(1)</script>", "ethics": "{{ 7*7 }}\u202e"}


def hostile_names(folder: Path) -> None:
    """A study whose issues have hostile names, and an export with 99 for no answer, a blank row and a duplicate."""
    text = study_of("responses.csv", ('"Don\'t know"', '"99"'))
    for issue, name in NAMES.items():
        text = text.replace(f'label = "{issue.title()}"', f"label = {json.dumps(name)}")
    (folder / "study.toml").write_text(text.replace("{label}", "{id}"), encoding="utf-8")
    header = HEADER.replace("Climate", "climate").replace("Safety", "safety").replace("Ethics", "ethics")
    lines = (header, *ROWS, "", ROWS[4], "6,Staff,99,1,1,1,1,2", "")
    (folder / "responses.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "study").mkdir()
    hostile_names(folder / "study")
    arguments = ["run", str(folder / "study"), "--out", str(folder / "out"), "--figures", "main"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return folder / "out"


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """A table that a run wrote, as another program reads it."""
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_keeps_excludes_and_averages_what_the_file_holds(written):
    rows = [(line["row"], line["fate"], line["reason"]) for line in table(written, "dispositions")]
    assert rows == [
        *((str(row), "kept", "") for row in range(2, 7)),
        ("7", "excluded", "blank row"),
        ("8", "excluded", "duplicate respondent"),
        ("9", "kept", ""),
    ]
    held = {"staff": [(4, 5, 3), (5, 4, 3), (None, 1, 1)], "buyers": [(3, 5, 4), (4, 4, 2), (5, 5, 3)]}
    for line in table(written, "group_scores"):
        if line["axis"] == "people":
            place = list(NAMES).index(line["issue"])
            answers = [person[place] for person in held[line["group"]] if person[place] is not None]
            assert (int(line["n"]), int(line["dont_know"])) == (len(answers), 3 - len(answers))
            assert float(line["estimate"]) == pytest.approx(sum(answers) / len(answers), rel=1e-9)


def test_no_cell_of_a_table_is_a_formula_and_numbers_stay_numbers(written):
    starts = ("=", "+", "@", "\t", "\r", "＝", "＋", "－", "＠")
    negative = 0
    for path in (written / "tables").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for cell in (cell for line in csv.reader(file) for cell in line):
                assert not cell.startswith(starts), (path.name, cell)
                if cell.startswith("-"):
                    assert math.isfinite(float(cell))
                    negative += 1
    assert negative > 0
    labels = {line["issue"]: line["label"] for line in table(written, "matrix")}
    assert labels == NAMES | {"climate": f"'{HOSTILE}"}
    assert {line["label"] for line in json.loads((written / "result.json").read_text())["matrix"]} == set(
        NAMES.values()
    )


def test_no_name_is_a_script_of_the_page(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49\u202e", page)


# What no file can show


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path):
    (tmp_path / "study.toml").write_text(study_of(), encoding="utf-8")
    export = tmp_path / "responses.csv"
    export.write_text(TEXT, encoding="utf-8")
    study, faults = draft_study(tmp_path / "study.toml")
    (source,) = open_exports(study, tmp_path / "study.toml", faults)
    blocks = source.blocks(faults, rows=2)
    next(blocks)
    export.write_text(with_row("6,Staff,4,5,3,4,4,2"), encoding="utf-8")
    list(blocks)
    assert [str(told) for told in faults] == [
        "responses.csv: changed while it was read.\n  Mend: wait until whatever writes it has finished, and run again."
    ]


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    (tmp_path / "study.toml").write_text(study_of(), encoding="utf-8")
    (tmp_path / "responses.csv").write_text(TEXT, encoding="utf-8")
    opened = Path.open

    def refusing(path: Path, *given: object, **more: object) -> object:
        if path.name == "responses.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", refusing)
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "responses.csv: cannot be read: Permission denied.\n  Mend: check the file and its permissions.\n",
    )


def test_the_cases_can_be_listed_and_written(tmp_path):
    script = str(Path(__file__).parent / "make.py")
    told = subprocess.run([sys.executable, script, "--list"], capture_output=True, text=True, check=True).stdout
    lines = told.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:-2]] == [f"| {case.id}" for case in CASES]
    assert lines[-1].startswith(f"{len(CASES)} hostile cases: ")
    subprocess.run([sys.executable, script, "--write", str(tmp_path), "ends-cr"], check=True)
    assert (tmp_path / "ends-cr" / "responses.csv").read_bytes() == TEXT.replace("\n", "\r").encode()
