"""Personal data planted in exports are found in no byte of any output; `python tests/test_canaries.py` counts them.

The planted people do not exist: domains end in .example, IP addresses are those set aside for documentation.
"""

from __future__ import annotations

import base64
import csv
import gc
import gzip
import hashlib
import hmac
import html
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import types
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import SKIP_NOTHING, needed

from materiality import assess
from materiality.cli import main
from materiality.errors import VALUE_SHOWN
from materiality.gathering import examine
from materiality.reading.blocks import identity

ROWS = 66
STRANGERS = 6
"""Respondents who wrote a group of their own."""
LETTERS = "bcdfghjklmnprstvwyz"
MACHINE = "zqxmachine"
"""Stands in the name of the user, of his home, and of the folder that the commands run in."""


@dataclass(frozen=True)
class Canary:
    """A planted text, and the pieces of it that are searched for: any one of them betrays it."""

    text: str
    pieces: tuple[str, ...]


def word(number: int, kind: str) -> str:
    """A word that stands nowhere else; equal ones are the same number and kind."""
    a, b, c = number // 361 % 19, number // 19 % 19, number % 19
    return f"Zqx{kind}{LETTERS[a]}{LETTERS[b]}{LETTERS[c]}u"


def email(k: int) -> Canary:
    return Canary(f"{word(k, 'e')}.{word(k, 'f')}@mail.example", (word(k, "e"), word(k, "f")))


def name(k: int) -> Canary:
    return Canary(f"{word(k, 'n')} {word(k, 'm')}", (word(k, "n"), word(k, "m")))


def address(k: int) -> Canary:
    return Canary(f"{word(k, 's')}straße {k + 1}, 904{k:02} {word(k, 't')}", (word(k, "s"), word(k, "t")))


def phone(k: int) -> Canary:
    digits = f"77{k:02}4{k * 37 % 1000:03}"
    text = (f"+49 151 {digits}", f"0151/{digits}", f"(+49) 151 {digits[:4]}-{digits[4:]}")[k % 3]
    return Canary(text, (f"151 {digits}", f"151/{digits}", f"151{digits}", f"{digits[:4]}-{digits[4:]}"))


def ip(k: int) -> Canary:
    return Canary(f"203.0.113.{k + 10}", (f"203.0.113.{k + 10}",))


def remark(k: int) -> Canary:
    text = f"My boss {word(k, 'r')} says “<b>no</b>”,\nand I, {word(k, 'q')}, agree; ask {word(k, 'p')}"
    return Canary(text, tuple(word(k, kind) for kind in "rqp"))


def told(kind: str, k: int) -> Canary:
    """A text for a mapped column, whose second word lies beyond what a message may show."""
    first, last = word(k, kind), word(k, f"{kind}a")
    return Canary(f"{first} and some more words, too many to show, {last}", (first, last))


def beyond(canary: Canary) -> str:
    """The last word of a text, which no message may show."""
    return canary.text.split()[-1]


PEOPLE = {kind.__name__: [kind(k) for k in range(ROWS)] for kind in (email, name, address, phone, ip, remark)}
"""In columns that the study does not map."""
IDS = [Canary(f"{word(k, 'i')}@staff.example", (word(k, "i"),)) for k in range(ROWS)]
OTHERS = [told("o", k) for k in range(STRANGERS)]
HOMES = [told("h", k) for k in range(ROWS // 2)]
BRANCHES = [Canary(f"{word(k, 'b')} branch", (word(k, "b"),)) for k in range(3)]
MAPPED = [*IDS, *OTHERS, *HOMES, *BRANCHES]
"""Respondent ids, words of their own as a group, clusters and strata."""
HEADS = [Canary(f"Known to {word(k, 'k')}", (word(k, "k"),)) for k in range(2)]
"""In the names of columns that the study does not map."""
BOOK = {what: Canary(word(k, "w"), (word(k, "w"),)) for k, what in enumerate(("author", "note", "sheet", "cell"))}
"""In a workbook's properties, a comment, the name of a second sheet and its cells."""
WRONG = [told("x", k) for k in range(8)]
"""In cells of mapped columns where no text may stand."""

SCALE = ("Not important", "Slightly important", "Moderately important", "Very important", "Extremely important")
ISSUES = ("Water", "Waste", "Pay", "Bribery")
GROUPS = ("Staff", "Buyers", "Investors")
RATED = [f"{axis} [{issue}]" for axis in ("Importance", "Impact") for issue in ISSUES]
HEADER = (
    "ResponseId",
    "Which stakeholder group are you in?",
    *RATED,
    *PEOPLE,
    *(head.text for head in HEADS),
    "Household",
    "Office",
    "Gender",
    "Base weight",
    "Seconds",
)

STUDY = f"""\
title = "A study with canaries, all answers made up"
[scale]
low = 1
high = 5
[scale.labels]
{chr(10).join(f'"{label}" = {point}' for point, label in enumerate(SCALE, 1))}
[[responses]]
file = "FILE"
SHEET
tool = "plain"
respondent = "ResponseId"
group = "Which stakeholder group are you in?"
cluster = "Household"
stratum = "Office"
weight = "Base weight"
seconds = "Seconds"
{"".join(f'[[groups]]{chr(10)}id = "{g.lower()}"{chr(10)}label = "{g}"{chr(10)}' for g in GROUPS)}
[groups.margins.Gender]
female = 0.5
male = 0.5
{"".join(f'[[issues]]{chr(10)}id = "{i.lower()}"{chr(10)}label = "{i}"{chr(10)}' for i in ISSUES)}
[axes.people]
column = "Importance [{{label}}]"
[axes.business]
column = "Impact [{{label}}]"
[matrix]
x = "business"
y = "people"
[cleaning]
unknown_group = "drop"
[weighting]
no_category = "keep"
replicates = 20
"""


def answers(*, wrong: bool = False) -> list[list[str]]:
    """The rows below the header; where `wrong`, texts stand in mapped columns that must hold numbers or labels."""
    generator = np.random.default_rng(8)
    rows = []
    for k in range(ROWS):
        group = OTHERS[k].text if k < STRANGERS else GROUPS[k % 3]
        level = generator.integers(0, 3, len(RATED)) + (k % 2)
        rows.append(
            [
                IDS[k].text,
                group,
                *(SCALE[point] for point in level),
                *(PEOPLE[kind][k].text for kind in PEOPLE),
                *(f"yes, {head.text}" for head in HEADS),
                HOMES[k // 2].text,
                BRANCHES[k % 3].text,
                ("female", "male", "")[k % 3 if k > 60 else k % 2],
                f"{1 + k % 3}",
                f"{100 + k}",
            ]
        )
    rows.append([*rows[10]])  # the same respondent again
    rows.append([*rows[11]])
    rows[-1][2] = ""
    rows[-1][0] = ""
    if wrong:
        place = {column: k for k, column in enumerate(HEADER)}
        cells = iter(WRONG)
        for k, column in enumerate((RATED[0], RATED[1], RATED[2], RATED[3], RATED[4])):
            begin = ("", "Very important - ", "N/A, ask ", "", "4 ")[k]
            rows[20 + k][place[column]] = begin + next(cells).text
        for k, column in enumerate(("Gender", "Base weight", "Seconds")):
            rows[32 + 3 * k][place[column]] = next(cells).text
    return rows


def write_export(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """The export as CSV, or as a workbook with canaries in all that is not its cells."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        return
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        author = BOOK["author"].text
        book.set_properties({"author": author, "title": author, "company": author, "comments": author})
        book.set_custom_property("Contact", author)
        sheet = book.add_worksheet("Responses")
        for k, row in enumerate([HEADER, *rows]):
            sheet.write_row(k, 0, row)
        sheet.write_comment(3, 2, BOOK["note"].text, {"author": author})
        aside = book.add_worksheet(BOOK["sheet"].text)
        aside.write(0, 0, BOOK["cell"].text)
        aside.hide()


def write_study(folder: Path, ending: str, *, wrong: bool = False) -> Path:
    """A study folder with an export that holds canaries; sound, or with texts where none may stand."""
    folder.mkdir(parents=True)
    write_export(folder / f"answers{ending}", answers(wrong=wrong))
    study = STUDY.replace("FILE", f"answers{ending}").replace("SHEET", 'sheet = "Responses"' * (ending == ".xlsx"))
    if wrong:
        study = study.replace('unknown_group = "drop"\n', "")
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return folder


# The search


class Search:
    """Looks for pieces of text in bytes, in any letter case and in the spellings that files use."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self.pieces = sorted(set(pieces))
        spelled = [(piece.lower(), form) for piece in self.pieces for form in (piece, piece.lower(), piece.upper())]
        self._folded = Forms({form: piece for piece, _ in spelled for form in self._forms(piece)})
        self._exact = Forms({form: piece for piece, text in spelled for form in self._codes(text)})

    @staticmethod
    def _forms(piece: str) -> Iterator[bytes]:
        yield from (piece.encode(), piece.encode("utf-16-le"), piece.encode("utf-32-le"))
        yield urllib.parse.quote(piece, safe="").lower().encode()
        yield html.escape(piece).lower().encode()
        yield json.dumps(piece)[1:-1].lower().encode()

    @staticmethod
    def _codes(text: str) -> Iterator[bytes]:
        """In hexadecimal, and what of the text's base64 does not hang on what stands around it."""
        yield text.encode().hex().encode()
        yield text.encode().hex().upper().encode()
        for raw in (text.encode(), text.encode("utf-16-le")):
            for before in range(3):
                coded = base64.b64encode(bytes(before) + raw)
                yield coded[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]

    def __call__(self, data: bytes) -> set[str]:
        return self._folded.found(data.lower()) | self._exact.found(data)


class Forms:
    """Byte strings, each with what it means; those that begin alike are looked for at once."""

    def __init__(self, means: dict[bytes, str]) -> None:
        self._means = means
        alike: dict[bytes, list[bytes]] = {}
        for form in sorted(means):
            alike.setdefault(form[:3], []).append(form)
        self._patterns = []
        for forms in alike.values():
            start = os.path.commonprefix(forms)  # noqa: RUF071
            rests = b"|".join(re.escape(form[len(start) :]) for form in forms)
            self._patterns.append((start, re.compile(re.escape(start) + b"(?:" + rests + b")")))

    def found(self, data: bytes) -> set[str]:
        return {self._means[form] for start, p in self._patterns if start in data for form in p.findall(data)}


def layers(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes of a file, and of all that is packed in it: archives, streams, chunks, entities, data addresses."""
    yield data
    if depth > 6:
        return
    for inner in _packed(data):
        yield from layers(inner, depth + 1)


def _packed(data: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(BytesIO(data)):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            yield archive.comment
            for member in archive.infolist():
                yield member.filename.encode() + b"\n" + member.comment + member.extra
                yield archive.read(member)
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:4] == b"%PDF":
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
            unpacker = zlib.decompressobj()
            try:
                drawn = unpacker.decompress(stream)
            except zlib.error:
                continue
            yield drawn
            yield b"".join(re.findall(rb"\(((?:[^()\\]|\\.)*)\)", drawn))  # words that kerning tears apart
        if program := shutil.which("pdftotext"):
            yield subprocess.run([program, "-", "-"], input=data, capture_output=True, check=False).stdout
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _chunks(data)
    elif b"\0" not in data[:1000]:
        yield from _written(data)


def _chunks(data: bytes) -> Iterator[bytes]:
    place = 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind in {b"zTXt", b"iTXt"}:
            for start in (k for k in range(len(body)) if body[k : k + 1] == b"x"):
                try:
                    yield zlib.decompress(body[start:])
                except zlib.error:
                    continue
        place += 12 + length


def _written(data: bytes) -> Iterator[bytes]:
    text = data.decode("utf-8", "ignore")
    for plain in {html.unescape(text), urllib.parse.unquote(text)} - {text}:
        yield plain.encode()
    for coded in re.findall(r"base64,\s*([A-Za-z0-9+/=\s]{40,})", text):
        yield base64.b64decode(coded, validate=False)
    try:
        content = json.loads(text)
    except ValueError:
        return
    if isinstance(content, dict | list):
        yield from (leaf.encode() for leaf in _leaves(content) if len(leaf) > 40)
        yield "\n".join(_leaves(content)).encode()


def _leaves(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(key)
            yield from _leaves(value)
    elif isinstance(content, list):
        for value in content:
            yield from _leaves(value)
    elif isinstance(content, str):
        yield content
        with_padding = re.fullmatch(r"[A-Za-z0-9+/\s]{40,}={0,2}\s*", content)
        if with_padding and len("".join(content.split())) % 4 == 0:
            yield from (layer.decode("latin-1") for layer in layers(base64.b64decode(content), 5))


@dataclass
class Tally:
    """What was searched, and what was found where."""

    files: int = 0
    size: int = 0
    unpacked: int = 0
    found: tuple[tuple[str, str], ...] = ()

    def look(self, folder: Path, search: Search) -> None:
        """Search every file below a folder, and the names of all that is there."""
        for path in sorted(folder.rglob("*")):
            self.found += tuple((f"the name {path.name}", piece) for piece in search(path.name.encode()))
            if path.is_file():
                self.files += 1
                self.size += path.stat().st_size
                for layer in layers(path.read_bytes()):
                    self.unpacked += len(layer)
                    self.found += tuple((path.name, piece) for piece in search(layer))


SEARCH = Search(
    piece
    for canary in [*itertools.chain(*PEOPLE.values()), *MAPPED, *HEADS, *BOOK.values(), *WRONG]
    for piece in canary.pieces
)
BEYOND = Search(beyond(canary) for canary in [*OTHERS, *HOMES, *WRONG])
UNMAPPED = Search(piece for canary in itertools.chain(*PEOPLE.values(), BOOK.values()) for piece in canary.pieces)
PLANTED = len({c.text for c in [*itertools.chain(*PEOPLE.values()), *MAPPED, *HEADS, *BOOK.values()]})
"""In a sound study; those that stand where no text may stand come on top."""


# Runs


def materiality(folder: Path, *words: object) -> subprocess.CompletedProcess[bytes]:
    """A command as a user of another name gives it, from a folder of his own."""
    import matplotlib

    home = folder / f"home-{MACHINE}"
    home.mkdir(exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "materiality", *map(str, words)],
        cwd=home,
        env={
            **os.environ,
            "HOME": str(home),
            **dict.fromkeys(("USER", "LOGNAME", "USERNAME", "LNAME"), f"user{MACHINE}"),
            "TMPDIR": str(folder / "tmp"),
            "MPLCONFIGDIR": matplotlib.get_cachedir(),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        check=False,
    )


def run_everything(folder: Path, ending: str, *, whole: bool) -> list[subprocess.CompletedProcess[bytes]]:
    """Every command on a study with canaries; what they write lies in `out` below the folder.

    With the review where Jupyter is installed; where not `whole`, a run with the main figures alone.
    """
    study, out = write_study(folder / "study", ending), folder / "out"
    earlier = write_study(folder / "earlier", ending)
    pack = ("--evidence", "--key", folder / "key", "--earlier", earlier)
    run = materiality(folder, "run", study, "--out", out, "--figures", "all" if whole else "main", *pack)
    if not whole:
        return [run]
    done = [materiality(folder, "check", study), run]
    if SKIP_NOTHING or find_spec("nbclient"):
        done.append(materiality(folder, "review", study, "--out", out))
    done.append(materiality(folder, "verify", out, "--study", study))
    done.append(materiality(folder, "trace", study, "water", "--json"))
    return done


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The sound study with its export as CSV, all commands done."""
    folder = tmp_path_factory.mktemp("csv")
    return folder, run_everything(folder, ".csv", whole=True)


@pytest.fixture(scope="module")
def from_workbook(tmp_path_factory):
    """The same with its export as a workbook, quicker."""
    folder = tmp_path_factory.mktemp("xlsx")
    return folder, run_everything(folder, ".xlsx", whole=False)


def test_two_hundred_canaries_and_more_are_planted():
    assert PLANTED >= 200
    with_pieces = [*itertools.chain(*PEOPLE.values()), *MAPPED, *HEADS, *BOOK.values(), *WRONG]
    assert all(Search(canary.pieces)(canary.text.encode()) for canary in with_pieces)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_the_search_finds_every_canary_in_the_export_that_holds_it(tmp_path, ending):
    write_study(tmp_path / "study", ending, wrong=True)
    tally = Tally()
    tally.look(tmp_path, SEARCH)
    planted = [
        *itertools.chain(*PEOPLE.values()),
        *MAPPED,
        *HEADS,
        *WRONG,
        *(BOOK.values() if ending == ".xlsx" else ()),
    ]
    found = {piece for _, piece in tally.found}
    assert [one.text for one in planted if not {piece.lower() for piece in one.pieces} & found] == []


def packings(text: str) -> dict[str, bytes]:
    """A text as files of many kinds hold it."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/inner.xml", f"<t>{html.escape(text)}</t>")
    chunk = b"Author\0\0" + zlib.compress(text.encode())
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", len(chunk), b"zTXt") + chunk + bytes(4)
    page = f'<img src="data:image/svg+xml;base64,{base64.b64encode(b"<svg>" + b" " * 40 + text.encode()).decode()}">'
    return {
        "plain": text.encode(),
        "upper case": text.upper().encode(),
        "UTF-16": text.encode("utf-16"),
        "base64 at any place": base64.b64encode(b"#" + text.encode()),
        "gzip": gzip.compress(text.encode()),
        "archive": archive.getvalue(),
        "archive in gzip": gzip.compress(archive.getvalue()),
        "PNG": png,
        "PDF": b"%PDF-1.4\n1 0 obj\nstream\n" + zlib.compress(f"[({text}) ] TJ".encode()) + b"\nendstream",
        "data address": page.encode(),
        "data address in JSON in a notebook": json.dumps({"cells": [page]}).encode(),
        "picture in a notebook": json.dumps({"image/png": base64.b64encode(png).decode()}).encode(),
        "JSON escapes": "".join(f"\\u{ord(char):04x}" for char in text).join(['{"a": "', '"}']).encode(),
        "character references": "".join(f"&#{ord(char)};" for char in text).encode(),
        "percent signs": "".join(f"%{ord(char):02x}" for char in text).encode(),
        "hexadecimal": text.encode().hex().encode(),
    }


@pytest.mark.parametrize("packing", packings("x"))
def test_the_search_finds_a_canary_however_it_is_packed(tmp_path, packing):
    canary = "Zqxenuo of Zqxtown"
    (tmp_path / "file").write_bytes(packings(canary)[packing])
    tally = Tally()
    tally.look(tmp_path, Search([canary]))
    assert set(tally.found) == {("file", canary.lower())}


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_the_search_finds_a_canary_that_a_figure_of_ours_shows(tmp_path, kind):
    from matplotlib.figure import Figure

    from materiality.figures import house_style
    from materiality.reporting.pictures import FORMATS

    if kind == "pdf" and not SKIP_NOTHING and shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is absent")
    with house_style():
        figure = Figure()
        figure.text(0.1, 0.5, "Zqxenuo AVATo")
        figure.savefig(tmp_path / f"figure.{kind}", **FORMATS[kind])
    tally = Tally()
    tally.look(tmp_path, Search(["Zqxenuo"]))
    assert set(tally.found) == {(f"figure.{kind}", "zqxenuo")}


@pytest.mark.parametrize("run", ["everything", "from_workbook"])
def test_no_byte_that_is_written_holds_a_canary(run, request):
    folder, done = request.getfixturevalue(run)
    assert [one.returncode for one in done] == [0] * len(done), b"".join(one.stderr for one in done).decode()
    tally = Tally()
    tally.look(folder / "out", SEARCH)
    tally.look(folder / f"home-{MACHINE}", SEARCH)
    assert tally.found == ()
    assert tally.files > 20


@pytest.mark.parametrize("run", ["everything", "from_workbook"])
def test_no_output_holds_the_key_or_a_hash_of_an_id_that_anybody_can_work_out(run, request):
    """Whoever suspects an address could hash it and look; only a keyed code keeps it."""
    folder, _ = request.getfixturevalue(run)
    key = (folder / "key").read_bytes().strip()
    plain = [spelled.encode() for one in IDS for spelled in {one.text, one.text.lower()}]
    sought = {
        hashlib.new(name, text).hexdigest()[:16] for text in plain for name in ("md5", "sha1", "sha256", "blake2b")
    }
    sought |= {f"{identity(one.text):016x}" for one in IDS} | {f"{identity(one.text)}"[:16] for one in IDS}
    files = [path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()]
    text = b"\n".join(layer for file in files for layer in layers(file)).lower().decode("latin-1")
    runs = {run[k : k + 16] for run in re.findall("[0-9a-f]{16,}", text) for k in range(len(run) - 15)}
    assert not sought & runs
    assert key.decode().lower() not in text and key.hex() not in text
    coded = {hmac.new(key, one.text.encode(), "sha256").hexdigest()[:16] for one in IDS}
    assert len(coded & runs) > ROWS / 2


@pytest.mark.parametrize("run", ["everything", "from_workbook"])
def test_a_sound_study_shows_no_canary_in_the_terminal(run, request):
    _, done = request.getfixturevalue(run)
    assert [SEARCH(one.stdout + one.stderr) for one in done] == [set()] * len(done)


@pytest.mark.parametrize("run", ["everything", "from_workbook"])
def test_temporary_files_are_gone_after_a_command(run, request):
    folder, _ = request.getfixturevalue(run)
    assert list((folder / "tmp").rglob("*")) == []


@pytest.mark.parametrize("run", ["everything", "from_workbook"])
def test_no_output_names_the_machine_its_user_a_path_or_the_day(run, request):
    folder, _ = request.getfixturevalue(run)
    today = date.today()
    sought = [
        MACHINE,
        str(folder),
        tempfile.gettempdir() + os.sep,
        sys.prefix,
        f"{today:%Y-%m-%d}",
        f"D:{today:%Y%m%d}",
    ]
    sought += [socket.gethostname()] * (len(socket.gethostname()) > 5)
    tally = Tally()
    tally.look(folder / "out", Search(sought))
    assert tally.found == ()


def test_what_a_run_holds_in_memory_has_no_cell_of_an_unmapped_column(tmp_path):
    """Everything that can be reached from an assessment, the rows set aside for it among them."""
    assessment = assess(write_study(tmp_path / "study", ".csv"))
    seen, todo, texts = set(), [assessment], []
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | types.ModuleType | types.FunctionType | types.FrameType):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes):
            texts.append(one.encode() if isinstance(one, str) else one)
        elif isinstance(one, np.ndarray) and one.dtype.kind in "SU":
            texts.append(one.tobytes())
        else:
            todo.extend(one.ravel().tolist() if isinstance(one, np.ndarray) and one.dtype.hasobject else ())
            todo.extend(gc.get_referents(one))
    assert len(seen) > 1000
    assert UNMAPPED(b"\n".join(texts)) == set()
    assert SEARCH(b"\n".join(texts)) == set()


def test_kept_rows_hold_numbers_and_no_text(tmp_path):
    _, gathered = examine(write_study(tmp_path / "study", ".csv"))
    blocks = [block for block, _ in gathered.rows.blocks()]
    assert blocks and {value.dtype.kind for block in blocks for value in vars(block).values()} <= set("iufb")


# Messages


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_message_shows_the_start_of_a_mapped_cell_and_nothing_of_any_other(tmp_path, ending, command):
    study, out = write_study(tmp_path / "study", ending, wrong=True), tmp_path / "out"
    done = CliRunner().invoke(main, [command, str(study), *(["--out", str(out)] if command == "run" else [])])
    assert (done.exit_code, done.stdout) == (1, "")
    assert BEYOND(done.stderr.encode()) == set()
    assert UNMAPPED(done.stderr.encode()) == set()
    quoted = [line for line in done.stderr.splitlines() if "zqx" in line.lower()]
    assert len(quoted) >= len(WRONG) + STRANGERS
    shown = [value for line in quoted for value in re.findall(r"'([^']*zqx[^']*)'", line, re.IGNORECASE)]
    assert shown and all(len(value) <= VALUE_SHOWN for value in shown)
    assert all(f"answers{ending}" in line and ", row" in line and ", column '" in line for line in quoted)
    assert not out.exists()


def test_a_review_over_a_study_that_went_wrong_meanwhile_holds_no_canary(tmp_path):
    needed("nbclient")
    from materiality.reviewing import TEMPLATE, as_page, run_notebook

    study = write_study(tmp_path / "study", ".csv", wrong=True)
    notebook, failed = run_notebook(TEMPLATE, cwd=study, STUDY="study.toml", SEED=1)
    said = "ended with MaterialityError: the input is at fault; `materiality check` says what and where."
    assert any(line.endswith(said) for line in failed)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "review.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (tmp_path / "out" / "review.html").write_text(as_page(notebook, "Review", failed), encoding="utf-8")
    tally = Tally()
    tally.look(tmp_path / "out", SEARCH)
    assert (tally.files, tally.found) == (2, ())


@pytest.mark.parametrize("wrong", [False, True], ids=["sound", "with texts in columns of ratings"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["page", "json"])
@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_inspect_names_the_columns_and_shows_no_canary_of_their_cells(tmp_path, ending, options, wrong):
    study = write_study(tmp_path / "study", ending, wrong=wrong)
    words = ["inspect", str(study / f"answers{ending}"), *options, *(["--sheet", "Responses"] * (ending == ".xlsx"))]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0
    headers = {head.pieces[0].lower() for head in HEADS}
    offices = {branch.pieces[0].lower() for branch in BRANCHES}  # each named by 22 people: an answer to a choice
    assert SEARCH(done.output.encode()) == headers | (offices if not options else set())


@pytest.mark.parametrize("wrong", [False, True], ids=["sound", "with texts in columns of ratings"])
def test_a_draft_holds_no_canary_and_says_in_which_rows_words_stand(tmp_path, wrong):
    study = write_study(tmp_path / "study", ".csv", wrong=wrong)
    done = CliRunner().invoke(main, ["init", str(study / "answers.csv"), "--out", str(tmp_path / "draft")])
    assert done.exit_code == 0
    assert SEARCH(done.output.encode()) == set()
    tally = Tally()
    tally.look(tmp_path / "draft", SEARCH)
    assert (tally.files, tally.found) == (1, ())
    text = (tmp_path / "draft" / "study.toml").read_text(encoding="utf-8")
    assert "# They stand in rows 2, 3, 4, 5, 6 and 7. What they wrote" in text
    assert ("of fewer than 5 people in rows 22, 23, 24, 25 and 26." in text) == wrong


def test_a_draft_needs_groups_that_five_people_name(tmp_path):
    rows = answers()[STRANGERS : STRANGERS + 9]
    write_export(tmp_path / "answers.csv", rows)
    done = CliRunner().invoke(main, ["init", str(tmp_path / "answers.csv")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "answers.csv, column 'Which stakeholder group are you in?': fewer than 2 answers were given by 5 people or "
        "more, so no groups can be drafted.\n"
        "  Mend: write the study file by hand; a draft holds no answer of fewer people: it may say who they are.\n"
    )


KINDS = {
    **{f"{kind}s" if kind != "address" else "addresses": known for kind, known in PEOPLE.items()},
    "ids": IDS,
    "other texts": [*OTHERS, *HOMES, *BRANCHES, *HEADS, *BOOK.values()],
}


def count() -> bool:
    """Print how many canaries were planted, and what was searched for them; whether none was found."""
    with tempfile.TemporaryDirectory() as place:
        total = Tally()
        printed = 0
        for ending in (".csv", ".xlsx"):
            folder = Path(place, ending[1:])
            folder.mkdir()
            done = run_everything(folder, ending, whole=True)
            total.look(folder / "out", SEARCH)
            for one in done:
                printed += len(one.stdout + one.stderr)
                total.found += tuple(("the terminal", piece) for piece in SEARCH(one.stdout + one.stderr))
            print(f"{ending}: {len(done)} commands, exit codes {[one.returncode for one in done]}.")
    kinds = ", ".join(f"{len(known)} {kind}" for kind, known in KINDS.items())
    print(
        f"{PLANTED} canaries planted ({kinds}); looked for in every byte of {total.files} files "
        f"({total.size:,} bytes, {total.unpacked:,} unpacked) and {printed:,} bytes of terminal output: "
        f"{len(set(total.found))} found."
    )
    for where, piece in sorted(set(total.found)):
        print(f"  {where}: {piece}")
    return not total.found


if __name__ == "__main__":
    sys.exit(0 if count() else 1)
