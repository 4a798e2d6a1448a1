"""What `inspect` says of real exports and of small ones, against what reading them by eye says."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT, shared

from materiality.cli import main
from materiality.errors import MaterialityError
from materiality.inspection import inspect_export, page
from materiality.reading.kinds import ColumnKind

with (ROOT / "tests" / "exports.csv").open(newline="", encoding="utf-8") as truth:
    TRUTH = list(csv.DictReader(truth))
OTHER_ENDS = {
    "gf_rstudio_2018_es_tsv/DERIVED_cp1252_semicolon.csv": "six columns of four words outnumber three of 1 to 5",
    "gf_rstudio_2018_es_tsv/Form Responses 1 (Spanish).tsv": "six columns of four words outnumber three of 1 to 5",
    "gf_soton_2019/Cleaning-of-Uni-Soton-Software-Survey-26Jun19.csv": "three columns each of two scales: a tie",
}
EXPORTS = [row for row in TRUTH if row["refused"] == "no"]
REFUSED = [row for row in TRUTH if row["refused"] == "yes"]
"""Reading by eye made this table, see its notes; `plausible a..b` is the range that a careful reader may defend."""


def name(row: dict[str, str]) -> str:
    return f"{row['folder']}/{row['file']}"


@pytest.fixture(scope="module")
def inspected():
    """Each export is inspected once."""
    known: dict[str, object] = {}

    def look(row: dict[str, str]):
        path = shared("exports", row["folder"], row["file"])
        if name(row) not in known:
            if path.suffix == ".sav":
                pytest.importorskip("pyreadstat", reason="the extra spss is not installed")
            known[name(row)] = inspect_export(path)
        return known[name(row)]

    return look


@pytest.mark.parametrize("row", EXPORTS, ids=name)
def test_tool_header_rows_and_responses_of_real_exports(inspected, row):
    found = inspected(row)
    empty = {row["empty_rows"], *re.findall(r"(\d+) plausible", row["note"])}
    assert (found.tool.value, found.table.header_rows, found.responses, found.previews) == (
        row["tool"],
        int(row["header_rows"]),
        int(row["responses"]),
        int(row["previews"]),
    )
    assert str(found.empty_rows) in empty | ({"0"} if row["file"].endswith(".xlsx") else set())


@pytest.mark.parametrize("row", [row for row in EXPORTS if row["encoding"]], ids=name)
def test_encoding_and_delimiter_of_real_exports(inspected, row):
    grid = inspected(row).table.grid
    assert (grid.encoding, grid.delimiter) == (row["encoding"], row["delimiter"].replace("tab", "\t"))


@pytest.mark.parametrize("row", EXPORTS, ids=name)
def test_rating_columns_and_their_scale_in_real_exports(inspected, row):
    ratings = [column for column in inspected(row).columns if column.kind is ColumnKind.RATING]
    plausible = re.search(r"plausible (\d+)\.\.(\d+)", row["note"])
    low, high = (int(plausible[1]), int(plausible[2])) if plausible else (int(row["rating_columns"]),) * 2
    assert low <= len(ratings) <= high
    if ratings and row["low"]:
        ends = Counter((column.scale.low, column.scale.high) for column in ratings).most_common()
        most = [pair for pair, times in ends if times == ends[0][1]]
        assert (float(row["low"]), float(row["high"])) in most or name(row) in OTHER_ENDS


@pytest.mark.parametrize("row", REFUSED, ids=name)
def test_what_is_no_export_is_refused_and_told_why(row):
    path = shared("exports", row["folder"], row["file"])
    with pytest.raises(MaterialityError) as told:
        inspect_export(path)
    assert str(told.value).startswith(path.name) and "Mend: " in str(told.value)


HEADER = "Timestamp,E-mail,Which describes you best?,How important? [Water],How important? [Waste],Why?"
ROWS = (
    "2024-05-01 10:00:00,anna@example.org,Customer,Very important,Not important,Because it is so and not otherwise",
    "2024-05-01 10:01:00,bert@example.org,Employee,Not important,Somewhat important,No comment from me at all today",
    "2024-05-01 10:02:00,cleo@example.org,Customer,Somewhat important,Very important,Something else came to my mind",
    ",,,,,",
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text("\n".join([HEADER, *ROWS, ""]), encoding="utf-8")
    return path


def test_json_has_the_keys_that_other_programs_rely_on(small):
    done = CliRunner().invoke(main, ["inspect", str(small), "--json"])
    told = json.loads(done.output)
    keys = ("file", "tool", "encoding", "delimiter", "header_rows", "responses", "empty_rows", "previews", "columns")
    assert tuple(told) == keys
    assert {key: told[key] for key in list(told)[:-1]} == {
        "file": "answers.csv",
        "tool": "google_forms",
        "encoding": "utf-8",
        "delimiter": ",",
        "header_rows": 1,
        "responses": 3,
        "empty_rows": 1,
        "previews": 0,
    }
    assert [(c["name"], c["question"], c["item"], c["kind"]) for c in told["columns"][3:5]] == [
        ("How important? [Water]", "How important?", "Water", "rating"),
        ("How important? [Waste]", "How important?", "Waste", "rating"),
    ]
    assert [column["kind"] for column in told["columns"]] == ["time", "pii", "choice", "rating", "rating", "text"]


def test_the_page_names_personal_data_and_shows_none_of_it(small):
    told = page(inspect_export(small))
    assert "[pii] E-mail" in told
    assert "example.org" not in told and "Because" not in told
    assert "Water: Not important 1, Somewhat important 1, Very important 1" in told


def test_a_missing_file_ends_with_one_and_says_so(tmp_path):
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "absent.csv")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "absent.csv: there is no such file." in done.stderr


def test_a_tool_that_does_not_exist_is_wrong_usage(small):
    assert CliRunner().invoke(main, ["inspect", str(small), "--tool", "surveyduck"]).exit_code == 2
