"""Every row of an export is read as the survey tool wrote it, under the number that a spreadsheet shows."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from conftest import HEADER, ROWS, STUDY, write_study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.errors import Faults, MaterialityError
from materiality.gathering import examine
from materiality.reading import Source, duplicated, open_exports, open_table
from materiality.reading.blocks import identity
from materiality.reading.grids import column_place
from materiality.reading.tables import Table, column_letters
from materiality.responses import Block, Kind, stack
from materiality.study import Export, load_study

TEXT = "\n".join((HEADER, *ROWS, ""))
RATINGS = [[float(cell) for cell in row.split(",")[2:]] for row in ROWS]
ONE_FILE_PER_TEST = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sources(folder: Path) -> tuple[list[Source], Faults]:
    """A study's exports, opened."""
    faults = Faults()
    return open_exports(load_study(folder), folder / "study.toml", faults), faults


def read(folder: Path, *, rows: int = 10_000) -> Block:
    """All rows of a study's exports, that must be without fault."""
    opened, faults = sources(folder)
    blocks = [block for source in opened for block in source.blocks(faults, rows=rows)]
    faults.raise_any()
    return stack(blocks)


def told(folder: Path) -> list[str]:
    """Every fault of a study's exports, whole."""
    with pytest.raises(MaterialityError) as caught:
        read(folder)
    return [str(fault) for fault in caught.value.faults]


def saved(folder: Path, raw: bytes, *, export: str = "", name: str = "responses.csv") -> Path:
    """A study folder whose export has these bytes; `export` are further lines of its entry."""
    study = STUDY.replace('file = "responses.csv"', f'file = "{name}"\n{export}')
    write_study(folder, study=study)
    (folder / name).write_bytes(raw)
    return folder


def table(folder: Path, text: str, **settings: str) -> Table:
    """A CSV file, opened."""
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return open_table(path, Export(file="table.csv", **settings))


def agrees(opened: Table) -> bool:
    """Whether the independent count agrees with the rows read."""
    read = sum(1 for _ in opened.records())
    return not opened.disagrees(read)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("last", ["with a line end", "without"])
def test_text_files_of_any_delimiter_line_end_and_unicode_encoding(tmp_path, delimiter, end, encoding, last):
    text = TEXT.replace(",", delimiter).replace("\n", end)
    text = text if last == "with a line end" else text.removesuffix(end)
    found = read(saved(tmp_path, text.encode(encoding)))
    np.testing.assert_array_equal(found.ratings, RATINGS)
    assert found.row.tolist() == [2, 3, 4, 5, 6]
    assert found.members.tolist() == [[True, False]] * 2 + [[False, True]] * 3


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "A.CSV"])
def test_the_delimiter_is_found_by_content_and_not_by_ending(tmp_path, name):
    assert len(read(saved(tmp_path, TEXT.replace(",", "\t").encode(), name=name))) == 5


def test_a_delimiter_that_the_study_names_is_taken(tmp_path):
    text = TEXT.replace(",", "|")
    assert len(read(saved(tmp_path, text.encode(), export='delimiter = "|"'))) == 5


def test_commas_in_questions_do_not_pass_for_delimiters(tmp_path):
    text = TEXT.replace(",", ";").replace(
        "Impact of Climate", "Impact of Climate, air, water, soil, and so on, all of it"
    )
    study = STUDY.replace(
        'column = "Impact of {label}"',
        'column = "Impact of {label}"\ncolumns = { climate = '
        '"Impact of Climate, air, water, soil, and so on, all of it" }',
    )
    assert len(read(write_study(tmp_path, study=study, csv=text))) == 5


def test_a_header_in_one_cell_is_told_once(tmp_path):
    assert told(saved(tmp_path, TEXT.encode(), export='delimiter = ";"')) == [
        "responses.csv, row 1: the header is a single cell: 'id,group,Climate,Safety,Ethic…'.\n"
        "  Mend: say what parts the cells with delimiter = … in [[responses]], or export again."
    ]


@pytest.mark.parametrize(
    "encoding", ["gb18030", "gbk", "cp1252", "shift_jis", "big5", "utf-16-le", "iso2022_jp", "utf-7"]
)
def test_an_encoding_that_the_study_names_is_taken(tmp_path, encoding):
    label = {"cp1252": "Étique", "shift_jis": "倫理", "iso2022_jp": "倫理\n“本”", "big5": "倫理"}.get(encoding, "伦理")
    label = label.replace("“", "").replace("”", "")
    header = HEADER.replace("Ethics", f'"{label}"', 1)
    study = STUDY.replace('label = "Ethics"', f'label = """{label}"""').replace(
        'group = "group"', f'group = "group"\nencoding = "{encoding}"'
    )
    header = header.replace("Impact of Ethics", f'"Impact of {label}"')
    write_study(tmp_path, study=study)
    (tmp_path / "responses.csv").write_bytes("\n".join((header, *ROWS)).encode(encoding))
    np.testing.assert_array_equal(read(tmp_path).ratings, RATINGS)


def test_a_byte_order_mark_says_more_than_the_study(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        found = read(saved(tmp_path / encoding, TEXT.encode(encoding), export='encoding = "gb18030"'))
        np.testing.assert_array_equal(found.ratings, RATINGS)


def test_a_wrong_encoding_is_told_with_the_line(tmp_path):
    raw = TEXT.replace("3,Customer", "3,Employé").encode("cp1252")
    mend = (
        '  Mend: save it as "CSV UTF-8", or name its encoding in the study file, e.g. encoding = "gb18030" or "cp1252".'
    )
    assert told(saved(tmp_path / "a", raw, export='encoding = "utf-8"')) == [
        f"responses.csv: is not UTF-8: byte 0xe9 on line 4 means nothing there.\n{mend}"
    ]
    assert told(saved(tmp_path / "b", TEXT.encode("utf-16-le"), export='encoding = "utf-16"')) == [
        f"responses.csv: is not UTF-16: it does not start as such a file does.\n{mend}"
    ]


def test_utf16_without_a_byte_order_mark_is_read_and_said_to_be_guessed(tmp_path):
    _, gathered = examine(saved(tmp_path, TEXT.encode("utf-16-le")))
    assert gathered.exports[0].rows == len(ROWS)
    assert "utf-16" in gathered.exports[0].notes[0].lower()


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path):
    lines = [
        ("", None),
        (HEADER.replace("Climate", '"Cli\r\nmate"', 1), "header"),
        (ROWS[0], "row"),
        ("", "blank"),
        (",,,,,,,", "blank"),
        ('2,"Sta\nff",5,4,3,5,3,3', "row"),
        ('3,"Cust\r\nomer",3,5,4,4,5,2', "row"),
        ("  ", "blank"),
        (ROWS[3], "row"),
    ]
    study = STUDY.replace('label = "Climate"', 'label = "Cli mate"').replace(
        'column = "Impact of {label}"', 'column = "Impact of {id}"'
    )
    write_study(tmp_path, study=study, csv="\r\n".join(text for text, _ in lines))
    opened, _ = sources(tmp_path)
    found = read(tmp_path)
    assert opened[0].table.header_row == 2
    assert found.row.tolist() == [k for k, (_, kind) in enumerate(lines, 1) if kind in {"row", "blank"}]
    assert found.row[found.empty].tolist() == [k for k, (_, kind) in enumerate(lines, 1) if kind == "blank"]
    assert np.isnan(found.ratings[found.empty]).all() and not found.members[found.empty].any()


def test_trailing_delimiters_are_no_cells(tmp_path):
    rows = (ROWS[0] + ",,", ROWS[1], ROWS[2] + ",")
    assert len(read(write_study(tmp_path, header=HEADER + ",,", rows=rows))) == 3


def test_every_ragged_row_is_told_and_the_others_are_read(tmp_path):
    rows = (*ROWS, "6,Staff,4", "7,Staff,4,5,3,4,4,2,5", "8,Staff,9,5,3,4,4,2", "9,Staff,4")
    mend = "  Mend: put quotes around a cell that holds a line break or the delimiter, or export again."
    assert told(write_study(tmp_path, rows=rows)) == [
        f"responses.csv, rows 7 and 10: has 3 cells where the header has 8.\n{mend}",
        f"responses.csv, row 8: has 9 cells where the header has 8.\n{mend}",
        "responses.csv, row 9, column 'Climate': 9 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer.",
    ]


@pytest.mark.parametrize(
    ("row", "what", "mend"),
    [
        (
            '6,"Staff,4,5',
            "a quote opens in this row, on line 5 of the file, and is never closed.",
            'close it, or double it inside a cell ("").',
        ),
        ('6,"Staff"s,4,5,3,4,4,2', "text follows a closing quote.", 'double each quote inside a cell ("").'),
        (
            f'6,"{"x" * 140_000},4,5',
            "a cell holds more than 131,072 characters; a quote may open and never close.",
            'close it, or double it inside a cell ("").',
        ),
    ],
)  # fmt: skip
def test_quotes_that_do_not_pair_are_told_with_their_row(tmp_path, row, what, mend):
    folder = write_study(tmp_path, rows=('1,"Sta\nff",4,5,3,4,4,2', "", row, "7,Staff,4,5,3,4,4,2"))
    assert told(folder) == [f"responses.csv, row 4: {what}\n  Mend: {mend}"]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(['a,19" rack,b', "c,d,e"], id="one quote inside a cell"),
        pytest.param(['a,19" rack,b', 'c,20" rack,"x\ny"', "d,e,f"], id="one in each of two cells, and a line break"),
        pytest.param(['a, "b",c', '"a ""b"",","c\n""d""\n",e'], id="quotes after a space, and doubled ones"),
        pytest.param(['a"b"c,d,"e\n"', '"",,""'], id="pairs inside a cell"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_stray_quotes_do_not_upset_the_count(tmp_path, rows, encoding):
    text = "\n".join(("x,y,z", *rows))
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    opened = open_table(path, Export(file="table.csv"))
    assert sum(1 for _ in opened.records()) == len(rows)
    assert agrees(opened)


HOSTILE = st.sampled_from(list("\",;\t\n\r' a1员é\u2028\x85\x0b\ufeff\u200b"))
CELLS = st.text(HOSTILE | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@ONE_FILE_PER_TEST
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    style=st.sampled_from(
        [("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_the_cells_read_are_those_written_and_an_independent_count_agrees(tmp_path, rows, delimiter, style, encoding):
    end, quoting = style
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([["x", "y", "z"], *rows])
    path = tmp_path / "table.csv"
    path.write_bytes(stream.getvalue().encode(encoding))
    named = {"delimiter": delimiter, "encoding": "" if encoding == "utf-16" else encoding}
    if not any(cell.strip() for row in rows for cell in row):
        with pytest.raises(MaterialityError, match="holds a header but no responses below it"):
            open_table(path, Export(file="table.csv", **named))
        return
    opened = open_table(path, Export(file="table.csv", **named))
    expected = [row if any(cell.strip() for cell in row) else [] for row in rows]
    assert list(opened.records()) == list(enumerate(expected, 2))
    assert opened.header == ("x", "y", "z")
    assert agrees(opened)


@pytest.mark.parametrize("text", ['x\na\n"b"', 'x\r"a\r"\r"b"\r', '"x"', 'x\n"a"\n\n\n"\n"'])
def test_the_count_of_bytes_and_that_of_characters_agree(tmp_path, text):
    counts = []
    for encoding in ("utf-8", "utf-16"):
        path = tmp_path / "table.csv"
        path.write_bytes(("k\n" + text + "\nz").encode(encoding))
        opened = open_table(path, Export(file="table.csv"))
        counts.append(sum(1 for _ in opened.records()))
        assert not opened.disagrees(counts[-1]) and opened.disagrees(counts[-1] + 1)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("held", [1, 3, 1 << 20])
@pytest.mark.parametrize("own_ids", [False, True])
def test_respondents_who_stand_twice_are_found(tmp_path, held, own_ids):
    rng = np.random.default_rng(4)
    ids = [[str(k) if k else "" for k in rng.integers(0, 40, 60)] for _ in range(2)]
    for number, column in enumerate(ids):
        rows = "\n".join(f" {one} ,Staff,4,5,3,4,4,2" for one in column)
        (tmp_path / f"{number}.csv").write_text(f"{HEADER}\n{rows}\n")
    extra = f"own_ids = {str(own_ids).lower()}"
    study = STUDY.replace('file = "responses.csv"', f'file = "0.csv"\n{extra}').replace(
        '[[groups]]\nid = "staff"',
        f'[[responses]]\nfile = "1.csv"\nrespondent = "id"\ngroup = "group"\n{extra}\n[[groups]]\nid = "staff"',
    )
    (tmp_path / "study.toml").write_text(study)
    opened, faults = sources(tmp_path)
    scopes = ("0.csv\0", "1.csv\0") if own_ids else ("", "")
    times = Counter((scope, one) for scope, column in zip(scopes, ids, strict=True) for one in column if one)
    assert not faults
    assert duplicated(opened, held=held) == {identity(one, scope) for (scope, one), n in times.items() if n > 1}


@ONE_FILE_PER_TEST
@given(ids=st.lists(st.integers(0, 6), min_size=1, max_size=20), held=st.integers(1, 8), rows=st.integers(1, 9))
def test_ids_that_stand_twice_and_blocks_of_any_size(tmp_path, ids, held, rows):
    write_study(tmp_path, rows=tuple(f"{one or ''},Staff,4,5,3,4,4,2" for one in ids))
    opened, _ = sources(tmp_path)
    expected = {identity(str(one)) for one, n in Counter(ids).items() if one and n > 1}
    assert duplicated(opened, held=held) == expected
    whole, parts = read(tmp_path), read(tmp_path, rows=rows)
    for name in ("row", "ratings", "kinds", "members", "identity", "weight", "seconds", "empty"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert (whole.identity == 0).tolist() == [not one for one in ids]


def test_faults_do_not_depend_on_the_size_of_blocks(tmp_path):
    write_study(tmp_path, rows=tuple(f"{k},Staf,{k},5,3,4,4,2" for k in range(30)))
    messages = set()
    for rows in (1, 7, 10_000):
        opened, faults = sources(tmp_path)
        list(opened[0].blocks(faults, rows=rows))
        with pytest.raises(MaterialityError) as caught:
            faults.raise_any()
        messages.add(tuple(sorted(map(str, caught.value.faults))))
    assert len(messages) == 1
    assert (
        "responses.csv, rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 20 more, column 'group': 'Staf' is no group. "
        "Nearest: 'Staff' (group staff).\n  Mend: add it to that group's `answers`, correct the cell, or set "
        'unknown_group = "drop" in [cleaning].'
    ) in messages.pop()


def test_several_exports_make_one_study_and_a_file_may_be_one_group(tmp_path):
    study = STUDY.replace(
        '[[groups]]\nid = "staff"',
        '[[responses]]\nfile = "buyers.csv"\ngroup_is = "buyers"\n\n[[groups]]\nid = "staff"',
    )
    write_study(tmp_path, study=study)
    header = "Impact of Climate,Impact of Safety,Impact of Ethics,Climate,Safety,Ethics"
    (tmp_path / "buyers.csv").write_text(f"{header}\n1,2,3,4,5,\n,,,,,\n")
    found = read(tmp_path)
    assert found.export.tolist() == [0] * 5 + [1] * 2
    assert found.row.tolist() == [2, 3, 4, 5, 6, 2, 3]
    assert found.members[5:].tolist() == [[False, True], [False, False]]
    np.testing.assert_array_equal(found.ratings[5], [4, 5, np.nan, 1, 2, 3])
    assert found.identity[5:].tolist() == [0, 0]


def test_all_exports_are_looked_at_before_any_fault_ends_the_run(tmp_path):
    study = STUDY.replace(
        "[[groups]]\nid = \"staff\"",
        "".join(
            f'[[responses]]\nfile = "{file}"\ngroup_is = "staff"\n'
            for file in ("response.csv", "a.doc", "no ending", ".")
        )
        + '[[responses]]\nfile = "t.csv"\ngroup_is = "staff"\ntool = "qualtrics"\n[[groups]]\nid = "staff"',
    )  # fmt: skip
    write_study(tmp_path, study=study, rows=("1,Staff,6,5,3,4,4,2",))
    for name in ("a.doc", "no ending"):
        (tmp_path / name).write_text("x")
    assert told(tmp_path) == [
        "response.csv: there is no such file. Nearest: 'responses.csv'.\n"
        "  Mend: correct `file` in the study file; it is relative to the study file's folder.",
        "a.doc: files that end in '.doc' are not read.\n  Mend: export as CSV, TSV or XLSX.",
        "no ending: files without an ending such as .csv are not read.\n  Mend: export as CSV, TSV or XLSX.",
        ".: is no file.\n  Mend: name a CSV, TSV or XLSX file.",
        "t.csv: there is no such file.\n"
        "  Mend: correct `file` in the study file; it is relative to the study file's folder.",
        "responses.csv, row 2, column 'Climate': 6 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer.",
    ]


def test_a_header_is_found_whatever_its_case_and_space(tmp_path):
    header = HEADER.replace("Impact of Climate", "  impact  OF\u00a0climate ").replace("group", "Group")
    np.testing.assert_array_equal(read(write_study(tmp_path, header=header)).ratings, RATINGS)


def test_case_and_space_tell_two_columns_apart_where_they_must(tmp_path):
    rows = tuple(row + ",1" for row in ROWS)
    np.testing.assert_array_equal(read(write_study(tmp_path, header=HEADER + ",climate", rows=rows)).ratings, RATINGS)


def test_a_header_that_stands_twice_is_told_with_its_letters(tmp_path):
    rows = tuple(row + ",1" for row in ROWS)
    assert told(write_study(tmp_path, header=HEADER + ",Climate", rows=rows)) == [
        "responses.csv, column 'Climate': the study's question (people, climate) stands 2 times in the header "
        "(columns C and I).\n  Mend: correct the name in the study file, or the header in the export."
    ]


def test_absent_columns_are_told_with_the_nearest_and_the_others_are_read(tmp_path):
    header = HEADER.replace("Safety", "Saftey", 1).replace("id,", "ID of respondent,")
    assert told(write_study(tmp_path, header=header, rows=("1,Staff,6,9,3,4,4,2",))) == [
        "responses.csv, column 'Safety': the study's question (people, safety) is not in the header. "
        "Nearest: 'Saftey', 'Impact of Safety'.\n"
        "  Mend: correct the name in the study file, or the header in the export.",
        "responses.csv, column 'id': the study's respondent is not in the header.\n"
        "  Mend: correct the name in the study file, or the header in the export.",
        "responses.csv, row 2, column 'Climate': 6 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer.",
    ]


def test_a_column_that_serves_twice_is_told(tmp_path):
    folder = write_study(
        tmp_path, study=STUDY.replace('respondent = "id"', 'respondent = "GROUP"\nseconds = "Climate"')
    )
    assert told(folder) == [
        "responses.csv, column 'group': serves as respondent and as group.\n  Mend: name a column of its own for each.",
        "responses.csv, column 'Climate': serves as question (people, climate) and as seconds.\n"
        "  Mend: name a column of its own for each.",
    ]


def test_a_question_that_the_study_does_not_name_leaves_the_others_to_be_read(tmp_path):
    study = STUDY.replace('column = "{label}"', 'columns = { climate = "Climate", safety = "Safety" }')
    write_study(tmp_path, study=study, rows=("17,Staff,6,5,3,4,4,2",))
    from materiality.gathering import examine

    with pytest.raises(MaterialityError) as caught:
        examine(tmp_path)
    assert [str(fault) for fault in caught.value.faults] == [
        "study.toml: line 41, axes.people: no column for issue 'ethics'.\n"
        "  Mend: name it in columns, or give column with {id} or {label} in it.",
        "responses.csv, row 2, column 'Climate': 6 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer.",
    ]


def test_two_axes_may_ask_one_column_of_different_groups(tmp_path):
    study = STUDY.replace('column = "Impact of {label}"', 'column = "{LABEL}"'.replace("LABEL", "label") + "\n")
    found = read(write_study(tmp_path, study=study))
    np.testing.assert_array_equal(found.ratings, np.array(RATINGS)[:, :3])


def test_a_margin_that_no_export_has_is_told(tmp_path):
    study = STUDY.replace('answers = ["Customer"]', 'answers = ["Customer"]\nmargins = { gender = { m = 1, w = 2 } }')
    assert told(write_study(tmp_path, study=study)) == [
        "study.toml, column 'gender': the margins of group 'buyers' name a column that no export has.\n"
        "  Mend: correct the name in [groups.margins], or leave the margin out."
    ]


def with_column(key: str, name: str, cells: list[str], folder: Path, extra: str = "") -> Path:
    """A study whose export has one more column, that the key names."""
    study = STUDY.replace('group = "group"', f'group = "group"\n{key} = "{name}"\n{extra}')
    return write_study(
        folder,
        study=study,
        header=f"{HEADER},{name}",
        rows=tuple(f"{k},Staff,4,5,3,4,4,2,{c}" for k, c in enumerate(cells)),
    )


def test_design_weights(tmp_path):
    found = read(with_column("weight", "w", ["1", "0.25", " 3.5 ", "1e-3", "2E+2"], tmp_path))
    assert found.weight.tolist() == [1, 0.25, 3.5, 0.001, 200]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("", "an empty cell"), ("0", "'0'"), ("-1", "'-1'"), ("nan", "'nan'"), ("inf", "'inf'"), ("1e999", "'1e999'"),
     ("１", "'１'"), ('"1,5"', "'1,5'"), ("1_0", "'1_0'"), ("heavy", "'heavy'")],
)  # fmt: skip
def test_no_weight_is_guessed(tmp_path, cell, shown):
    assert told(with_column("weight", "w", ["1", cell], tmp_path)) == [
        f"responses.csv, row 3, column 'w': {shown} is no design weight.\n"
        "  Mend: give every respondent a positive number."
    ]


def test_a_blank_row_needs_no_weight(tmp_path):
    study = STUDY.replace('group = "group"', 'group = "group"\nweight = "w"')
    folder = write_study(tmp_path, study=study, header=HEADER + ",w", rows=("1,Staff,4,5,3,4,4,2,3", ",,,,,,,,"))
    assert read(folder).weight.tolist() == [3, 1]


def test_seconds(tmp_path):
    found = read(with_column("seconds", "t", ["61", "", "0", "12.5"], tmp_path))
    np.testing.assert_array_equal(found.seconds, [61, np.nan, 0, 12.5])


@pytest.mark.parametrize(
    ("cell", "seconds"), [("10秒", 10), ("1分20秒", 80), ("2小时3分", 7380), ("5 min 3 s", 303), ("0:05:12", 312)]
)
def test_durations_as_tools_write_them(tmp_path, cell, seconds):
    assert read(with_column("seconds", "t", [cell], tmp_path)).seconds.tolist() == [seconds]


@pytest.mark.parametrize("cell", ["-3", "1:02", "5 10", '"61,5"', "nan", "1e3"])
def test_no_duration_is_guessed(tmp_path, cell):
    assert told(with_column("seconds", "t", ["1", cell], tmp_path)) == [
        f"responses.csv, row 3, column 't': '{cell.strip(chr(34))}' is no number of seconds.\n"
        "  Mend: write it as a number, 5分12秒 or 0:05:12, leave the cell blank, or take `seconds` out of the study "
        "file."
    ]


def timed(folder: Path, pairs: list[tuple[str, str]], extra: str = "") -> Path:
    """A study whose export tells when each respondent began and ended."""
    study = STUDY.replace('group = "group"', f'group = "group"\nstarted = "from"\nfinished = "to"\n{extra}')
    rows = tuple(f"{k},Staff,4,5,3,4,4,2,{start},{end}" for k, (start, end) in enumerate(pairs))
    return write_study(folder, study=study, header=HEADER + ",from,to", rows=rows)


def test_times_from_start_to_end(tmp_path):
    pairs = [
        ("2024-05-31 14:02:59", "2024-05-31T14:04:00"),
        ("2024-05-31T14:02:59Z", "2024-05-31T16:03:00+02:00"),
        ("", "2024-05-31 14:04:00"),
        ("2024-02-28 23:59:30.5", "2024-02-29 00:00:00"),
    ]
    np.testing.assert_array_equal(read(timed(tmp_path, pairs)).seconds, [61, 1, np.nan, 29.5])


def test_times_as_the_study_says_they_are_written(tmp_path):
    pairs = [("5/31/2024 1:02 PM", "05/31/2024 01:04 pm"), ("12/31/2023 11:59 PM", "1/1/2024 12:00 AM")]
    found = read(timed(tmp_path, pairs, 'time_format = "%m/%d/%Y %I:%M %p"'))
    assert found.seconds.tolist() == [120, 60]


@pytest.mark.parametrize("cell", ["05/31/2024 14:02", "2024-05-31", "20240531", "45443.58", "yesterday", "14:02:59"])
def test_no_time_is_guessed(tmp_path, cell):
    assert told(timed(tmp_path, [(cell, "2024-06-01 09:00:00")])) == [
        f"responses.csv, row 2, column 'from': '{cell}' is no time in ISO 8601 (2024-05-31 14:02:59).\n"
        '  Mend: say how times are written with time_format in [[responses]], e.g. "%m/%d/%Y %H:%M:%S".'
    ]


def test_an_end_before_its_start_is_told(tmp_path):
    assert told(timed(tmp_path, [("2024-05-31 14:02:59", "2024-05-31 14:02:58")])) == [
        "responses.csv, row 2, column 'to': the end '2024-05-31 14:02:58' lies before the start.\n"
        "  Mend: correct the cell, or leave started and finished out of the study file."
    ]


def test_a_time_at_the_end_of_the_calendar_is_told_and_not_a_traceback(tmp_path):
    assert told(timed(tmp_path, [("0001-01-01T00:00:00+05:00", "2024-05-31 14:02:58")])) == [
        "responses.csv, row 2, column 'from': '0001-01-01T00:00:00+05:00' is no time in "
        "ISO 8601 (2024-05-31 14:02:59).\n"
        '  Mend: say how times are written with time_format in [[responses]], e.g. "%m/%d/%Y %H:%M:%S".'
    ]


@pytest.mark.parametrize(
    ("name", "marked"), [("Simulated answers", True), (" simulated ANSWERS", True), ("Simulated", False)]
)
def test_a_file_may_say_that_it_is_simulated(tmp_path, name, marked):
    write_study(tmp_path, header=f"{HEADER},{name}", rows=tuple(row + "," for row in ROWS))
    opened, _ = sources(tmp_path)
    assert [source.simulated for source in opened] == [marked]


def test_answers_that_are_no_rating_are_kept_apart(tmp_path):
    study = STUDY.replace("[[responses]]", '"N/A" = "not_applicable"\n"-" = "blank"\n[[responses]]')
    found = read(write_study(tmp_path, study=study, rows=("1,Staff, DON'T know,n/a,-,,3,4.0",)))
    assert found.kinds.tolist() == [
        [Kind.DONT_KNOW, Kind.NOT_APPLICABLE, Kind.BLANK, Kind.BLANK, Kind.RATING, Kind.RATING]
    ]
    np.testing.assert_array_equal(found.ratings, [[np.nan] * 4 + [3, 4]])


# Workbooks


def workbook(folder: Path, sheets: dict[str, list[list[object]]], *, export: str = "") -> Path:
    """A study folder with a workbook; None leaves a cell out."""
    study = STUDY.replace('file = "responses.csv"', f'file = "responses.xlsx"\n{export}')
    write_study(folder, study=study)
    with xlsxwriter.Workbook(folder / "responses.xlsx", {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for k, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, str) and cell.startswith("=error "):
                        sheet.write_formula(k, j, "=NA()", value=cell.removeprefix("=error "))
                    elif cell is not None:
                        sheet.write(k, j, cell)
    return folder


CELLS_OF_ROWS = [[int(c) if c.isdigit() else c for c in row.split(",")] for row in ROWS]
SHEET = [HEADER.split(","), *CELLS_OF_ROWS]


def test_a_workbook_is_read_as_the_text_file_is(tmp_path):
    write_study(tmp_path / "text")
    workbook(tmp_path / "book", {"Sheet1": SHEET})
    text, book = read(tmp_path / "text"), read(tmp_path / "book")
    for name in ("row", "ratings", "kinds", "members", "identity", "weight", "empty"):
        np.testing.assert_array_equal(getattr(text, name), getattr(book, name))


def test_rows_of_a_workbook_keep_their_numbers_over_blank_ones(tmp_path):
    rows = [[], [None], SHEET[0], SHEET[1], [], [None, "  "], SHEET[2], [], []]
    opened, _ = sources(workbook(tmp_path, {"Sheet1": rows}))
    found = read(tmp_path)
    assert opened[0].table.header_row == 3
    assert found.row.tolist() == [4, 5, 6, 7]
    assert found.empty.tolist() == [False, True, True, False]


def test_a_sheet_is_chosen_by_the_study(tmp_path):
    other = [SHEET[0], [9, "Staff", 1, 1, 1, 1, 1, 1]]
    found = read(workbook(tmp_path, {"Old": other, "Réponses & <co>": SHEET}, export='sheet = "Réponses & <co>"'))
    np.testing.assert_array_equal(found.ratings, RATINGS)


@pytest.mark.parametrize(
    ("export", "what", "mend"),
    [
        ("", "has 2 sheets and the study names none: 'Old', 'New'.", 'say which with sheet = "…".'),
        ('sheet = "new"', "has no sheet 'new'. Nearest: 'New'.", "name one of its sheets: 'Old', 'New'."),
    ],
)
def test_no_sheet_is_guessed(tmp_path, export, what, mend):
    folder = workbook(tmp_path, {"Old": SHEET, "New": SHEET}, export=export)
    assert told(folder) == [f"responses.xlsx: {what}\n  Mend: {mend}"]


def test_two_sheets_of_a_workbook_are_two_exports(tmp_path):
    folder = workbook(tmp_path, {"A": SHEET, "B": [SHEET[0], [9, "Staff", 6, 1, 1, 1, 1, 1]]}, export='sheet = "A"')
    study = (folder / "study.toml").read_text()
    more = '[[responses]]\nfile = "responses.xlsx"\nsheet = "B"\ngroup = "group"\n\n[[groups]]\nid = "staff"'
    (folder / "study.toml").write_text(study.replace('[[groups]]\nid = "staff"', more))
    assert told(folder) == [
        "responses.xlsx [B], row 2, column 'Climate': 6 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer."
    ]


NO_ANSWER = "correct the cell, or add it to [scale.labels] with its point, or to [scale.special] if it is no rating."
AS_TEXT = "export again and open the file with that column as text, or correct the cell."
BECAME_A_DATE = (
    "is a date where a rating on the scale 1 to 5 should be; spreadsheets turn an answer such as '1-5' into one."
)


@pytest.mark.parametrize(
    ("cell", "what", "mend"),
    [
        (dt.datetime(2023, 5, 1), f"'2023-05-01' {BECAME_A_DATE}", AS_TEXT),
        (dt.datetime(2023, 5, 1, 4, 5), f"'2023-05-01 04:05:00' {BECAME_A_DATE}", AS_TEXT),
        (True, "'TRUE' is no answer on the scale 1 to 5. [scale.labels] names no answers in words.", NO_ANSWER),
        ("=error #N/A", "'#N/A' is no answer on the scale 1 to 5.", NO_ANSWER),
        ("=error #DIV/0!", "'#DIV/0!' is no answer on the scale 1 to 5.", NO_ANSWER),
        (
            4.5,
            "4.5 lies between the points of the scale 1 to 5. Nearest: 4.",
            "correct the cell, or set step in [scale] (0 lets any number count).",
        ),
        ("４", "'４' is no plain number. Nearest: 4.", "write it in the digits 0 to 9, as in 4 or 4.5."),
    ],
)  # fmt: skip
def test_no_cell_of_a_workbook_is_guessed(tmp_path, cell, what, mend):
    folder = workbook(tmp_path, {"Sheet1": [*SHEET, [], [6, "Staff", 4, cell, 3, 4, 4, 2]]})
    if cell is True:
        what = what.replace(" [scale.labels] names no answers in words.", "")
    assert told(folder) == [f"responses.xlsx, row 8, column 'Safety': {what}\n  Mend: {mend}"]


def test_an_error_alone_in_the_last_row_is_a_row(tmp_path):
    folder = workbook(tmp_path, {"Sheet1": [*SHEET, [], [None] * 7 + ["=error #REF!"]]})
    assert told(folder) == [
        "responses.xlsx, row 8, column 'Impact of Ethics': '#REF!' is no answer on the scale 1 to 5.\n"
        f"  Mend: {NO_ANSWER}"
    ]


def test_a_value_beside_the_header_is_told(tmp_path):
    assert told(workbook(tmp_path, {"Sheet1": [*SHEET, [6, "Staff", 4, 4, 4, 4, 4, 4, None, "note"]]})) == [
        "responses.xlsx, row 7: column J holds a value but has no name in the header.\n"
        "  Mend: name the column in the header row, or empty its cells."
    ]


@pytest.mark.parametrize(
    ("raw", "what", "mend"),
    [
        (b"id,group\n1,2\n", "is text, no workbook.", "let its name end in '.csv', or export it again as XLSX."),
        (b"PK\x03\x04 and no more", "is damaged, or cut short.", "export it again, or as CSV UTF-8."),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99,
            "is an old workbook under a new name: it begins as an .xls file does.",
            "let its name end in '.xls'.",
        ),
    ],
)
def test_a_file_that_is_no_workbook_is_told(tmp_path, raw, what, mend):
    assert told(saved(tmp_path, raw, name="responses.xlsx")) == [f"responses.xlsx: {what}\n  Mend: {mend}"]


def test_every_truncation_of_a_workbook_is_told(tmp_path):
    raw = (workbook(tmp_path / "whole", {"Sheet1": SHEET}) / "responses.xlsx").read_bytes()
    for length in range(1, len(raw), len(raw) // 40):
        (fault,) = told(saved(tmp_path / "part", raw[:length], name="responses.xlsx"))
        what = "does not begin as an .xlsx file does; it is damaged, or no workbook."
        if length > 1:
            what = "is damaged, or cut short."
        assert fault == f"responses.xlsx: {what}\n  Mend: export it again, or as CSV UTF-8."


def test_every_part_of_a_workbook_may_be_spoilt_without_a_traceback(tmp_path):
    source = workbook(tmp_path / "whole", {"Sheet1": [*SHEET, [6, "Staff", 4, "=error #N/A", 3, 4, 4, 2]]})
    with zipfile.ZipFile(source / "responses.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for spoilt, whole in parts.items():
        for change in (None, b"", b"<", whole[:-9], whole.replace(b"<", b"<<", 3)):
            folder = saved(tmp_path / "spoilt", b"", name="responses.xlsx")
            with zipfile.ZipFile(folder / "responses.xlsx", "w") as archive:
                for name, content in parts.items():
                    if name != spoilt:
                        archive.writestr(name, content)
                    elif change is not None:
                        archive.writestr(name, change)
            assert all(message.startswith("responses.xlsx") for message in told(folder))


@pytest.mark.parametrize("rows", [[], [[None, " "]], [SHEET[0]], [SHEET[0], [" "]]])
def test_a_workbook_without_responses_is_told(tmp_path, rows):
    what = (
        "responses.xlsx, row 1: holds a header but no responses below it.\n"
        "  Mend: export again with responses; the first row must be the column names."
        if len(rows) and rows[0] == SHEET[0]
        else "responses.xlsx: the file holds nothing.\n  Mend: export it again."
    )
    assert told(workbook(tmp_path, {"Sheet1": rows})) == [what]


@pytest.mark.parametrize(
    ("place", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_letters_of_columns(place, letters):
    assert column_letters(place) == letters
    assert column_place(letters) == place


def test_a_workbook_that_would_unpack_a_hundredfold_is_refused_before_it_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "table.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<row>" * 20_000_000)
    with pytest.raises(MaterialityError) as told:
        open_table(tmp_path / "table.xlsx", Export(file="table.xlsx"))
    assert str(told.value) == (
        "table.xlsx: would unpack to 95 MB, over 100 times its size; no survey tool writes so.\n"
        "  Mend: open it in a spreadsheet and save the answers' sheet alone, or as CSV UTF-8."
    )


def test_more_columns_than_any_survey_has_are_refused(tmp_path):
    names = ",".join(f"c{k}" for k in range(20_001))
    with pytest.raises(MaterialityError) as told:
        table(tmp_path, f"{names}\n{names}\n")
    assert str(told.value).startswith("table.csv, row 1: has 20,001 columns, more than 20,000; no survey asks so much.")


def test_groups_listed_as_json_in_a_cell(tmp_path):
    rows = ('1,"[""Staff"", ""Customer""]",4,5,3,4,4,2', '2,"[""Staff""]",5,4,3,5,3,3')
    _, gathered = examine(write_study(tmp_path, rows=rows))
    assert [cell.groups for cell in gathered.moments.cells] == [(0,), (0, 1)]


@pytest.mark.parametrize("title", ["Our survey", "Our survey,,,,,,,"])
def test_a_title_above_the_column_names_is_told_once(tmp_path, title):
    folder = write_study(tmp_path, csv="\n".join([title, HEADER, *ROWS, ""]))
    assert told(folder) == [
        "responses.csv, row 1: holds a single cell, and rows below hold 8: a title above the column names?\n"
        "  Mend: delete the rows above the column names."
    ]
