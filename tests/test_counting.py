"""The ledger accounts for every physical record of an export, by a second count that shares nothing with the reader."""

from __future__ import annotations

import csv
import io
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from conftest import HEADER, ROOT, ROWS, STUDY, needed, shared, write_study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.cleaning import Ledger
from materiality.errors import MaterialityError
from materiality.gathering import examine
from materiality.reading import counting, textfiles
from materiality.reading.counting import cases_in_header, count_text, rows_with_content, text_parting
from materiality.reading.tables import open_table
from materiality.study import EXPORTS, Export

MEND = (
    "\n  Mend: look for unbalanced quotes or mixed line ends, and export the file again; where it is sound, the "
    "program is at fault: report it."
)
PIECES = ['"', '""', '","', ",", "\n", "\r", "\r\n", "a", " ", "員", "\x85", "\u2028", "\0"]


def counted_by_hand(text: str, delimiter: str) -> list[int] | None:
    """Lines on which records end, one character at a time; None where a quoted cell is not followed by its end."""
    ends: list[int] = []
    state, line, k = "start", 1, 0
    while k < len(text):
        char = text[k]
        width = 2 if text[k : k + 2] == "\r\n" else 1
        if state == "quoted":
            if char == '"':
                state = "closed"
            elif char in "\r\n":
                line, k = line + 1, k + width - 1
        elif state == "closed" and char == '"':
            state = "quoted"
        elif char in "\r\n":
            ends.append(line)
            state, line, k = "start", line + 1, k + width - 1
        elif char == delimiter:
            state = "start"
        elif state == "closed":
            return None
        else:
            state = "quoted" if char == '"' and state == "start" else "plain"
        k += 1
    if state == "quoted":
        return None
    return ends if not text or text[-1] in "\r\n" else [*ends, line]


@pytest.mark.parametrize("at_once", [4, 12, 1 << 21])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "gb18030", "iso2022_jp_2"])
def test_the_count_is_that_of_a_machine_that_goes_character_by_character(tmp_path, monkeypatch, encoding, at_once):
    monkeypatch.setattr(counting, "BYTES_AT_ONCE", at_once)
    path, tried = tmp_path / "t.csv", 0
    random_ = random.Random(at_once)
    while tried < 120:
        delimiter = random_.choice(",;\t|")
        pieces = [piece.replace(",", delimiter) for piece in PIECES if encoding != "iso2022_jp_2" or piece.isascii()]
        text = "x" + "".join(random_.choices(pieces, k=random_.randrange(14)))
        expected = counted_by_hand(text, delimiter)
        if expected is None:
            continue
        path.write_bytes(text.encode(encoding))
        assert count_text(path, encoding, delimiter) == len(expected), text
        assert text_parting(path, encoding, delimiter, expected) == 0
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert count_text(path, encoding, delimiter, quoted=False) == len(lines) - (lines[-1] == "")
        tried += 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=16), lenient=st.booleans())
def test_what_the_reader_reads_is_what_the_count_counts(tmp_path, pieces, lenient):
    text = 'x,y\n"a\n""b""",c\n' + "".join(pieces)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [reader.line_num for _ in reader]
    except csv.Error:
        return
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert (count_text(path, "utf-8", ","), text_parting(path, "utf-8", ",", lines)) == (len(lines), 0)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "text", "records"),
    [
        pytest.param("shift_jis", "|", 'a|b\n"表"|ポ\nソ|"x"', 3, id="half a character looks like the delimiter"),
        pytest.param("gb18030", "|", "\u8f3b|b\n輡|c", 2, id="the same in GB 18030"),
        pytest.param("utf-16", ",", "∊,∢\n∍,∊\n", 2, id="half a code unit looks like a quote or a line end"),
        pytest.param("cp037", ",", 'a,b\n"c\nd",e\n', 2, id="EBCDIC"),
        pytest.param("utf-8", "·", 'a·"b\nc"\nd·e', 2, id="a delimiter beyond ASCII"),
        pytest.param("utf-8", ",", "", 0, id="nothing"),
        pytest.param("utf-8", ",", "\n\n\r\r\n", 4, id="blank lines alone"),
    ],
)
def test_encodings_whose_bytes_mislead(tmp_path, encoding, delimiter, text, records):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    assert count_text(path, encoding, delimiter) == records


def test_a_quote_that_is_never_closed_is_no_count(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"c,d\ne,f\n')
    assert count_text(path, "utf-8", ",") == -1


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "BYTES_AT_ONCE", 1 << 16)
    peaks = []
    for rows in (20_000, 200_000):
        path = tmp_path / f"{rows}.csv"
        path.write_text('1,"a ""b""\nc",5\n' * rows)
        tracemalloc.start()
        assert count_text(path, "utf-8", ",") == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def workbook(path: Path, rows: list[list[object]], *, inline: bool = False) -> Path:
    """A workbook with these cells, its blank ones with a format."""
    with xlsxwriter.Workbook(path, {"constant_memory": inline}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if cell is None:
                    sheet.write_blank(r, c, None, bold)
                else:
                    sheet.write(r, c, cell)
    return path


def sheet_of(path: Path, xml: str, texts: str = "") -> Path:
    """A workbook whose sheet has this XML, made from a sound one."""
    sound = workbook(path.with_suffix(".sound.xlsx"), [["a"]])
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = xml.encode()
            elif name == "xl/sharedStrings.xml" and texts:
                content = texts.encode()
            new.writestr(name, content)
    return path


PART = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.mark.parametrize("at_once", [64, 1 << 21])
@pytest.mark.parametrize("inline", [False, True])
def test_rows_with_content_of_a_workbook(tmp_path, monkeypatch, inline, at_once):
    monkeypatch.setattr(counting, "BYTES_AT_ONCE", at_once)
    rows = [[None, "q"], ["", " "], [None, None], [None, 4], [None, "<b>&"], ["=1+1"], [None, True], ["\n"], [None]]
    path = workbook(tmp_path / "t.xlsx", rows, inline=inline)
    assert list(rows_with_content(path, PART)) == [1, 4, 5, 6, 7]


@pytest.mark.parametrize("at_once", [64, 1 << 21])
@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ('<row r="1"><c r="A1"><v>1</v></c></row><row r="9"><c r="B9" t="str"><v> </v></c></row>', [1]),
        ('<row><c><v>1</v></c></row><row><c><v>2</v></c></row>', [1, 2]),
        ('<row r="3"><c r="A3"><f>B1</f></c></row><row r="5"><c r="A5"><f>1</f><v>1</v></c></row>', [5]),
        ('<row r="2"><c r="A4"><v>1</v></c><c r="B2"><v>1</v></c></row>', [4, 2]),
        ('<row r="2"><c r="A2" t="inlineStr"><is><r><t>&#32;</t></r><r><t>x</t></r></is></c></row>', [2]),
        ('<row r="2"><c r="A2" t="inlineStr"><is><t>&#32;&#10;</t></is></c></row>', []),
        ("<row r='7'><c r='A7' t='n'><v>1</v></c></row>", [7]),
        ('<row r="7"><c t="s" r="A7"><v>0</v></c></row><row r="8"><c r="A8" t="s"><v>1</v></c></row>', [8]),
        ('<row r="2"><!-- <row r="3"> --><c r="A2" t="e"><v>#N/A</v></c></row>', [2]),
        ('<row r="2"><c r="A2" t="str"><v><![CDATA[ x ]]></v></c></row>', [2]),
        ('<row r="2"/><row r="3"><c r="A3" s="1"/></row>', []),
    ],
)  # fmt: skip
def test_rows_with_content_however_the_xml_is_written(tmp_path, monkeypatch, cells, found, at_once):
    monkeypatch.setattr(counting, "BYTES_AT_ONCE", at_once)
    texts = f'<sst xmlns="{MAIN}"><si><t xml:space="preserve"> </t></si><si><r><t>a</t></r></si></sst>'
    prefixed = cells.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:").replace("<x:!", "<!")
    for path, xml in (
        ("plain.xlsx", f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'),
        ("prefixed.xlsx", f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{prefixed}</x:sheetData></x:worksheet>'),
    ):
        assert list(rows_with_content(sheet_of(tmp_path / path, xml, texts), PART)) == found


def test_a_sheet_that_declares_a_document_type_is_not_looked_into(tmp_path):
    xml = (
        '<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>&b;</v></c></row></sheetData></worksheet>'
    )
    with pytest.raises(ValueError, match="its XML declares a document type"):
        list(rows_with_content(sheet_of(tmp_path / "t.xlsx", xml), PART))


@pytest.mark.parametrize("ending", [".sav", ".zsav", ".dta"])
@pytest.mark.parametrize("cases", [1, 37])
def test_the_cases_of_a_statistics_file_stand_in_its_header(tmp_path, ending, cases):
    import pandas as pd

    pyreadstat = needed("pyreadstat")
    path, frame = tmp_path / f"t{ending}", pd.DataFrame({"a": np.arange(float(cases)), "b": ["x"] * cases})
    if ending == ".dta":
        for version in (8, 10, 12, 13, 14, 15):
            pyreadstat.write_dta(frame, str(path), version=version)
            assert cases_in_header(path) == cases
    else:
        pyreadstat.write_sav(frame, str(path), compress=ending == ".zsav")
        assert cases_in_header(path) == cases


def test_a_header_without_cases_is_none(tmp_path):
    path = tmp_path / "t.sav"
    path.write_bytes(b"$FL2" + b" " * 60 + struct.pack("<5i", 2, 1, 0, 0, -1))
    assert cases_in_header(path) == -1
    path.write_bytes(b"$FL2")
    assert cases_in_header(path) == -1


def told(folder: Path) -> list[str]:
    """The faults of a study."""
    with pytest.raises(MaterialityError) as caught:
        examine(folder)
    return [str(fault) for fault in caught.value.faults]


ROWS_THERE = (ROWS[0], "", f"{ROWS[1]}", "9,Staff,,,,,,", *ROWS[2:])


def test_a_sound_export_is_accounted_for_record_by_record(tmp_path):
    _, gathered = examine(write_study(tmp_path, rows=ROWS_THERE))
    assert len(gathered.ledger) + 1 == count_text(tmp_path / "responses.csv", "utf-8", ",") == 8


def test_a_reader_that_loses_a_record_stops_the_run_where_it_does(tmp_path, monkeypatch):
    true_reader = csv.reader

    class Losing:
        """Takes the quote in the third record for the opening of a longer one."""

        def __init__(self, *given, **named):
            self.under = true_reader(*given, **named)
            self.line_num = 0

        def __iter__(self):
            for k, record in enumerate(self.under):
                self.line_num = self.under.line_num
                if k != 3:
                    yield record

    folder = write_study(tmp_path, rows=ROWS)
    monkeypatch.setattr(textfiles.csv, "reader", Losing)
    assert told(folder) == [
        "responses.csv, row 4: its ledger accounts for 5 records (1 of the header, 4 rows below it), and a second "
        f"count of the file finds 6; here they part.{MEND}"
    ]


def test_a_ledger_that_loses_a_line_stops_the_run_where_it_does(tmp_path, monkeypatch):
    note = Ledger.note

    def losing(ledger, block, reason, flags):
        stays = block.row != 5
        note(ledger, block.take(stays), reason[stays], flags[stays])

    monkeypatch.setattr(Ledger, "note", losing)
    assert told(write_study(tmp_path, rows=ROWS)) == [
        "responses.csv, row 5: its ledger accounts for 5 records (1 of the header, 4 rows below it), and a second "
        f"count of the file finds 6; here they part.{MEND}"
    ]


def test_a_ledger_with_a_line_twice_in_place_of_another_stops_the_run(tmp_path, monkeypatch):
    note = Ledger.note

    def doubling(ledger, block, reason, flags):
        rows = np.array([0, 1, 1, 3, 4])
        note(ledger, block.take(rows), reason[rows], flags[rows])

    monkeypatch.setattr(Ledger, "note", doubling)
    assert told(write_study(tmp_path, rows=ROWS)) == [
        "responses.csv, row 4: its ledger accounts for 6 records (1 of the header, 5 rows below it), and not for each "
        f"row of the file; here they part.{MEND}"
    ]


def test_rows_of_a_workbook_that_the_library_does_not_see_stop_the_run(tmp_path, monkeypatch):
    write_study(tmp_path, study=STUDY.replace("responses.csv", "responses.xlsx"))
    workbook(tmp_path / "responses.xlsx", [line.split(",") for line in (HEADER, *ROWS)])
    _, gathered = examine(tmp_path)
    assert len(gathered.ledger) == 5
    import python_calamine

    sheet = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "responses.xlsx")).get_sheet_by_index(0)
    cells = sheet.to_python(skip_empty_area=False)
    cells[3] = [""] * len(cells[3])

    class Blind:
        """A workbook library that does not see the fourth row."""

        sheet_names = ("Sheet1",)
        sheets_metadata = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "responses.xlsx")).sheets_metadata

        @classmethod
        def from_path(cls, path):
            return cls()

        def get_sheet_by_name(self, name):
            return self

        def to_python(self, **_):
            return cells

    monkeypatch.setattr(python_calamine, "CalamineWorkbook", Blind)
    assert told(tmp_path) == [
        "responses.xlsx, row 4: its ledger accounts for 6 records (1 of the header, 5 rows below it), and a second "
        f"count finds as many but other rows blank; here they part.{MEND}"
    ]


def test_the_rows_of_a_long_export_are_accounted_for_with_those_joined_to_a_line(tmp_path):
    study = STUDY.split("[axes.people]")[0].replace(
        'group = "group"', 'group = "group"\nissue = "issue"\nanswer = "answer"'
    ) + (
        '[axes.people]\nlabel = "P"\ncolumn = "{label}"\n\n[axes.business]\nlabel = "B"\ncolumn = "{id} b"\n\n'
        '[matrix]\nx = "business"\ny = "people"\n\n[privacy]\nprofile = "off"\n'
    )
    items = ("Climate", "Safety", "Ethics", "climate b", "safety b", "ethics b")
    rows = [f"{who},Staff,{item},{3 + who % 2}" for who in (1, 2, 3) for item in items]
    write_study(tmp_path, study=study, csv="\n".join(["id,group,issue,answer", *rows[:7], "", *rows[7:], ""]))
    _, gathered = examine(tmp_path)
    assert [export.rows for export in gathered.exports] == [4]
    assert count_text(tmp_path / "responses.csv", "utf-8", ",") == 20


def accounted(path: Path, sheet: str = "") -> bool:
    """Whether what is read of a file and a second count of it agree."""
    opened = open_table(path, Export(file=path.name, sheet=sheet))
    return opened.disagrees(sum(1 for _ in opened.grid.records()) - opened.header_row) is None


def test_every_shared_export_and_every_survey_of_ours_agrees():
    needed("pyreadstat")
    from python_calamine import CalamineWorkbook

    tried = 0
    for folder in (shared("exports"), shared("studies"), ROOT / "surveys"):
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in EXPORTS:
                books = path.suffix.lower() in {".xlsx", ".xls", ".ods"}
                for sheet in CalamineWorkbook.from_path(str(path)).sheet_names if books else ("",):
                    assert accounted(path, sheet), path.name
                    tried += 1
    assert tried >= 50
