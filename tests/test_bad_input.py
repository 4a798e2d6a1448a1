"""Bad input through the command line: exit code 1, the whole message on standard error, and nothing written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter
from click.testing import CliRunner
from conftest import HEADER, ROWS, STUDY, write_study

from materiality.cli import main

AGAIN = "export it again."
NAME = "correct the name in the study file, or the header in the export."
OFF = "correct the cell, or add it to [scale.special] if it means no answer."
WORDS = "correct the cell, or add it to [scale.labels] with its point, or to [scale.special] if it is no rating."
GROUP = 'add it to that group\'s `answers`, correct the cell, or set unknown_group = "drop" in [cleaning].'
AS_TEXT = "export again and open the file with that column as text, or correct the cell."
DATE = "is a date where a rating on the scale 1 to 5 should be; spreadsheets turn an answer such as '1-5' into one."
RAGGED = "put quotes around a cell that holds a line break or the delimiter, or export again."
ENCODING = 'save it as "CSV UTF-8", or name its encoding in the study file, e.g. encoding = "gb18030" or "cp1252".'
FIRST_ROW = "export again with responses; the first row must be the column names."


def outcome(command: str, study: Path) -> tuple[int, str, bool]:
    """Exit code, what stands on standard error, and whether anything was written."""
    out = study.parent / "out"
    result = CliRunner().invoke(main, [command, str(study), *(["--out", str(out)] if command == "run" else [])])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr, out.exists()


def expect(study: Path, *faults: tuple[str, str]) -> None:
    """Both commands tell these faults and no other, end with exit code 1, and write nothing."""
    message = "".join(f"{what}\n  Mend: {mend}\n" for what, mend in faults)
    for command in ("check", "run"):
        assert outcome(command, study) == (1, message, False)


def with_row(folder: Path, row: str, **parts: str) -> Path:
    """A study whose export has one more row, no. 7."""
    return write_study(folder / "study", rows=(*ROWS, row), **parts)


def test_no_such_study(tmp_path):
    mend = "name a study.toml, or the folder that holds one."
    (tmp_path / "empty").mkdir()
    expect(tmp_path / "nowhere", (f"{tmp_path / 'nowhere'}: there is no such file.", mend))
    expect(tmp_path / "empty", (f"{tmp_path / 'empty' / 'study.toml'}: there is no such file.", mend))


def test_an_export_in_place_of_a_study(tmp_path):
    folder = write_study(tmp_path / "study")
    expect(
        folder / "responses.csv",
        ("responses.csv: is an export, no study file.", "name a study.toml, or the folder that holds one."),
    )


def test_no_such_export(tmp_path):
    folder = write_study(tmp_path / "study")
    (folder / "responses.csv").rename(folder / "Responses (1).csv")
    expect(
        folder,
        (
            "responses.csv: there is no such file. Nearest: 'Responses (1).csv'.",
            "correct `file` in the study file; it is relative to the study file's folder.",
        ),
    )


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        pytest.param("", "responses.csv: the file is empty.", AGAIN, id="no byte"),
        pytest.param("\n \n,,\n", "responses.csv: the file holds nothing.", AGAIN, id="blank lines"),
        pytest.param("\ufeff", "responses.csv: the file holds nothing.", AGAIN, id="a byte order mark"),
        pytest.param(
            HEADER, "responses.csv, row 1: holds a header but no responses below it.", FIRST_ROW, id="a header alone"
        ),
        pytest.param(
            f"\n{HEADER}\n,,,,,,,\n\n   \n",
            "responses.csv, row 2: holds a header but no responses below it.",
            FIRST_ROW,
            id="a header and blank rows",
        ),
    ],
)
def test_an_export_without_responses(tmp_path, text, what, mend):
    expect(write_study(tmp_path / "study", csv=text), (what, mend))


def test_an_unknown_key(tmp_path):
    expect(
        write_study(tmp_path / "study", study=STUDY.replace("[privacy]\nprofile", "[privacy]\nprofil")),
        (
            "study.toml: line 52, privacy.profil: unknown key. Nearest: 'profile'.",
            "correct or remove it; known here: profile, minimum_group_size.",
        ),
    )


def test_a_duplicate_key(tmp_path):
    study = STUDY.replace("high = 5", "high = 5\nlow = 0")
    expect(
        write_study(tmp_path / "study", study=study),
        ("study.toml: line 6: the key 'low' stands twice.", "keep one of them."),
    )


def test_an_absent_column(tmp_path):
    header = HEADER.replace("Impact of Ethics", "Impact on Ethics")
    expect(
        write_study(tmp_path / "study", header=header),
        (
            "responses.csv, column 'Impact of Ethics': the study's question (business, ethics) is not in the header. "
            "Nearest: 'Impact on Ethics', 'Impact of Safety', 'Impact of Climate'.",
            NAME,
        ),
    )


def test_two_issues_on_one_column(tmp_path):
    study = STUDY.replace(
        'column = "{label}"', 'columns = { climate = "Climate", safety = "CLIMATE", ethics = "Ethics" }'
    )
    expect(
        write_study(tmp_path / "study", study=study),
        (
            "study.toml: line 41, axes.people: issues 'climate' and 'safety' share the column 'CLIMATE'.",
            "give each issue a column of its own; column needs {id} or {label} in it.",
        ),
    )


@pytest.mark.parametrize(
    ("cell", "what", "mend"),
    [
        ("6", "6 is off the scale 1 to 5.", OFF),
        ("0", "0 is off the scale 1 to 5.", OFF),
        ('"4,0"', "'4,0' has a decimal comma. Nearest: 4.", "write numbers with a point, or export them so."),
        ("2023-05-01", f"'2023-05-01' {DATE}", AS_TEXT),
        ("5-Jan", f"'5-Jan' {DATE}", AS_TEXT),
        ("４", "'４' is no plain number. Nearest: 4.", "write it in the digits 0 to 9, as in 4 or 4.5."),
        ("Importent", "'Importent' is no answer on the scale 1 to 5. Nearest: 'Important'.", WORDS),
        ("#N/A", "'#N/A' is no answer on the scale 1 to 5.", WORDS),
    ],
)
def test_a_cell_that_is_no_rating(tmp_path, cell, what, mend):
    study = STUDY.replace("[scale.special]", "[scale.labels]\nImportant = 4\n[scale.special]")
    row = f"6,Staff,4,{cell},3,4,4,2"
    expect(with_row(tmp_path, row, study=study), (f"responses.csv, row 7, column 'Safety': {what}", mend))


@pytest.mark.parametrize(
    ("row", "what", "mend"),
    [
        ("6,Staff,4,5", "has 4 cells where the header has 8.", RAGGED),
        ("6,Staff,4,5,3,4,4,2,and, so on", "has 10 cells where the header has 8.", RAGGED),
        (
            '6,"Staff,4,5,3,4,4,2\n7,Staff,4,5,3,4,4,2',
            "a quote opens in this row and is never closed.",
            'close it, or double it inside a cell ("").',
        ),
        ('6,"Staff" member,4,5,3,4,4,2', "text follows a closing quote.", 'double each quote inside a cell ("").'),
    ],
)
def test_a_row_that_is_no_row(tmp_path, row, what, mend):
    expect(with_row(tmp_path, row), (f"responses.csv, row 7: {what}", mend))


def test_an_unknown_group(tmp_path):
    expect(
        with_row(tmp_path, "6,Custommer,4,5,3,4,4,2"),
        ("responses.csv, row 7, column 'group': 'Custommer' is no group. Nearest: 'Customer' (group buyers).", GROUP),
    )


def test_conflicting_rows_of_one_respondent(tmp_path):
    expect(
        with_row(tmp_path, "5,Buyers,5,5,3,3,4,2"),
        (
            "responses.csv, row 7: the respondent of row 6 stands here again, with other answers.",
            'choose with duplicate_choice = "first", "last" or "most_complete" in [cleaning]; where exports number '
            "their respondents each for itself, set own_ids = true in [[responses]].",
        ),
    )


def test_fewer_people_than_respondents(tmp_path):
    expect(
        write_study(tmp_path / "study", study=STUDY.replace('id = "buyers"', 'id = "buyers"\npopulation = 2')),
        (
            "study.toml: groups ('buyers').population is 2, and 3 respondents of it answered.",
            "correct population in [[groups]], or look for duplicates in the exports.",
        ),
    )


def test_no_row_is_kept(tmp_path):
    expect(
        write_study(tmp_path / "study", rows=("1,,4,5,3,4,4,2", ",,,,,,,", "2,Staff,,,,,,")),
        (
            "responses.csv: no row of 3 was kept: 1 blank row, 1 no group, 1 no rating.",
            "look at the reasons; the group column, the scale's labels or [cleaning] may not fit the export.",
        ),
    )


def test_all_faults_of_study_file_and_export_are_told_in_one_go(tmp_path):
    study = (
        STUDY.replace("low = 1", "low = 1\nhihg = 5")
        .replace('y = "people"', 'y = "poeple"')
        .replace("[privacy]", '[cleaning]\ntoo_fast = "dorp"\n[privacy]')
    )
    rows = (*ROWS, "6,Staf,4,5,3,4,4,7", "7,Staff,4,5", "8,Staff,9,5,3,4,4,7")
    header = HEADER.replace("Impact of Climate", "Impact on Climate")
    expect(
        write_study(tmp_path / "study", study=study, rows=rows, header=header),
        (
            "study.toml: line 5, scale.hihg: unknown key. Nearest: 'high'.",
            "correct or remove it; known here: low, high, step, labels, special.",
        ),
        (
            "study.toml: line 53, cleaning.too_fast: 'dorp' is not known. Nearest: 'drop'.",
            "use one of 'drop', 'flag' or 'off'.",
        ),
        ("study.toml: line 50, matrix.y: 'poeple' is no axis. Nearest: 'people'.", "use one of 'people', 'business'."),
        (
            "responses.csv, column 'Impact of Climate': the study's question (business, climate) is not in the header. "
            "Nearest: 'Impact on Climate', 'Impact of Safety', 'Impact of Ethics'.",
            NAME,
        ),
        ("responses.csv, row 8: has 4 cells where the header has 8.", RAGGED),
        ("responses.csv, row 9, column 'Climate': 9 is off the scale 1 to 5.", OFF),
        ("responses.csv, rows 7 and 9, column 'Impact of Ethics': 7 is off the scale 1 to 5.", OFF),
        ("responses.csv, row 7, column 'group': 'Staf' is no group. Nearest: 'Staff' (group staff).", GROUP),
    )


def test_a_failing_run_leaves_the_previous_output_whole(tmp_path):
    folder = write_study(tmp_path / "study")
    assert outcome("run", folder) == (0, "", True)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with_row(tmp_path, "6,Staff,4,9,3,4,4,2")
    assert outcome("run", folder)[0] == 1
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}


# Sound input that looks odd


def test_a_group_of_three_people(tmp_path):
    study = STUDY.replace('profile = "off"', 'profile = "internal"')
    folder = write_study(tmp_path / "study", study=study)
    for command in ("check", "run"):
        assert outcome(command, folder)[:2] == (0, "")


def test_forty_issues(tmp_path):
    issues = [f"Issue {k}" for k in range(40)]
    head, _, tail = STUDY.partition("[[issues]]")
    study = head + "".join(f'[[issues]]\nid = "i{k}"\nlabel = "{name}"\n' for k, name in enumerate(issues))
    study += tail[tail.index("[axes.people]") :]
    header = ",".join(["id", "group", *issues, *(f"Impact of {name}" for name in issues)])
    rows = tuple(
        ",".join([str(i), "Staff" if i % 2 else "Buyers", *(str(1 + (3 * i + 7 * k + i * k) % 5) for k in range(80))])
        for i in range(12)
    )
    folder = write_study(tmp_path / "study", study=study, header=header, rows=rows)
    assert outcome("run", folder) == (0, "", True)


def test_an_issue_that_nobody_rated(tmp_path):
    folder = write_study(tmp_path / "study", rows=tuple(row[:-1] for row in ROWS))
    assert outcome("run", folder) == (0, "", True)


CHINESE = """\
title = "议题重要性评估"

[scale]
low = 1
high = 5
[scale.labels]
"非常重要" = 5
"重要" = 4
"一般" = 3
[scale.special]
"不了解" = "dont_know"

[[responses]]
file = "FILE"
respondent = "序号"
group = "您的身份是？"
EXTRA

[[groups]]
id = "employees"
label = "员工"

[[groups]]
id = "customers"
label = "客户"

[[issues]]
id = "climate"
label = "应对气候变化"

[[issues]]
id = "safety"
label = "产品安全"

[axes.people]
column = "{label}对您的重要性"

[axes.business]
column = "{label}对公司的影响"

[privacy]
profile = "off"
"""
CHINESE_ROWS = [
    ["序号", "您的身份是？", "应对气候变化对您的重要性", "产品安全对您的重要性", "应对气候变化对公司的影响",
     "产品安全对公司的影响"],
    ["1", "员工", "非常重要", "重要", "一般", "非常重要"],
    ["2", "员工", "重要", "重要", "一般", "不了解"],
    ["3", "客户", "重要", "一般", "非常重要", "重要"],
    ["4", "客户", "一般", "非常重要", "重要", "重要"],
]  # fmt: skip


def chinese(folder: Path, file: str, extra: str = "", rows: list[list[object]] | None = None) -> Path:
    """A study in Chinese with a workbook, or a text file in GB 18030."""
    folder = folder / "study"
    folder.mkdir()
    (folder / "study.toml").write_text(CHINESE.replace("FILE", file).replace("EXTRA", extra), encoding="utf-8")
    rows = rows or [list(row) for row in CHINESE_ROWS]
    if file.endswith(".csv"):
        text = "\r\n".join(",".join(map(str, row)) for row in rows)
        (folder / file).write_bytes(text.encode("gb18030"))
    else:
        with xlsxwriter.Workbook(folder / file, {"default_date_format": "yyyy/m/d"}) as book:
            sheet = book.add_worksheet("工作表1")
            for k, row in enumerate(rows):
                sheet.write_row(k, 0, row)
    return folder


@pytest.mark.parametrize(
    ("file", "extra"), [("答卷.xlsx", ""), ("答卷.csv", 'encoding = "gb18030"'), ("答卷.csv", 'encoding = "GBK"')]
)
def test_a_chinese_export(tmp_path, file, extra):
    folder = chinese(tmp_path, file, extra)
    result = CliRunner().invoke(main, ["check", str(folder)])
    assert (result.exit_code, result.stdout) == (
        0, f"{file}: 4 rows read, 4 kept, 0 excluded.\n  员工: 2 respondents\n  客户: 2 respondents\nNo fault found.\n",
    )  # fmt: skip
    assert outcome("run", folder) == (0, "", True)


def test_a_gb18030_export_whose_encoding_is_not_named(tmp_path):
    assert outcome("run", chinese(tmp_path, "答卷.csv")) == (0, "", True)


def test_cells_of_a_chinese_workbook_that_are_no_answers(tmp_path):
    rows = [*map(list, CHINESE_ROWS), ["5", "雇员", dt.date(2023, 5, 1), "非常 重要", "最重要", 9]]
    expect(
        chinese(tmp_path, "答卷.xlsx", rows=rows),
        (f"答卷.xlsx, row 6, column '应对气候变化对您的重要性': '2023-05-01' {DATE}", AS_TEXT),
        (
            "答卷.xlsx, row 6, column '应对气候变化对公司的影响': '最重要' is no answer on the scale 1 to 5. "
            "Nearest: '重要', '非常重要'.",
            WORDS,
        ),
        ("答卷.xlsx, row 6, column '产品安全对公司的影响': 9 is off the scale 1 to 5.", OFF),
        ("答卷.xlsx, row 6, column '您的身份是？': '雇员' is no group. Nearest: '员工' (group employees).", GROUP),
    )


def test_an_export_in_another_encoding_than_named(tmp_path):
    folder = chinese(tmp_path, "答卷.csv", 'encoding = "utf-8"')
    expect(folder, ("答卷.csv: is not UTF-8: byte 0xd0 on line 1 means nothing there.", ENCODING))


def test_messages_name_no_row_of_a_sound_file(tmp_path):
    assert outcome("check", write_study(tmp_path / "study")) == (0, "", False)
