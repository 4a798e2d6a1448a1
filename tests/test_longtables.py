"""Long exports say the same as wide ones."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import HEADER, ROWS, STUDY, write_study

from materiality.assessment import assess
from materiality.errors import MaterialityError

LONG = STUDY.replace('group = "group"', 'group = "group"\nissue = "question"\nanswer = "rating"')
LONG_HEADER = "id,group,question,rating"


def melted(rows: tuple[str, ...] = ROWS) -> tuple[str, ...]:
    """Wide rows as long ones, by plain Python."""
    names = HEADER.split(",")[2:]
    return tuple(
        ",".join([respondent, group, name, answer])
        for respondent, group, *answers in (row.split(",") for row in rows)
        for name, answer in zip(names, answers, strict=True)
    )


def told(folder) -> str:
    with pytest.raises(MaterialityError) as caught:
        assess(folder)
    return str(caught.value)


@pytest.mark.parametrize("order", [lambda rows: rows, lambda rows: rows[::-1], lambda rows: sorted(rows, key=hash)])
def test_a_long_export_gives_the_numbers_of_the_wide_one_whatever_the_order_of_its_rows(tmp_path, order):
    wide = assess(write_study(tmp_path / "wide"))
    rows = tuple(order(melted()))
    long = assess(write_study(tmp_path / "long", study=LONG, header=LONG_HEADER, rows=rows))
    pd.testing.assert_frame_equal(long.scores, wide.scores)
    pd.testing.assert_frame_equal(long.group_scores, wide.group_scores)


def test_each_response_stands_at_its_first_row(tmp_path):
    found = assess(write_study(tmp_path, study=LONG, header=LONG_HEADER, rows=melted()))
    lines = [int(row) for lines in found.gathered.ledger.lines() for row in lines["row"]]
    assert lines == [2, 8, 14, 20, 26]
    assert found.warnings[0] == "responses.csv: 30 rows of one answer each make 5 responses."


def test_an_issue_that_a_respondent_has_no_row_for_is_blank(tmp_path):
    rows = tuple(row for row in melted() if row != "1,Staff,Climate,4")
    found = assess(write_study(tmp_path, study=LONG, header=LONG_HEADER, rows=rows))
    cell = found.group_scores.query("axis == 'people' and group == 'staff' and issue == 'climate'")
    assert (cell["n"].item(), cell["blank"].item()) == (1, 1)


def test_everything_that_does_not_fit_together_is_told_at_once(tmp_path):
    rows = (*melted(), "1,Staff,Climate,5", "2,Customer,Safety,4", ",Staff,Climate,4", "3,Customer,,4")
    assert told(write_study(tmp_path, study=LONG, header=LONG_HEADER, rows=rows)) == (
        "responses.csv, row 32: the respondent of row 2 answers 'Climate' again, and differently.\n"
        "  Mend: keep one of the rows.\n"
        "responses.csv, row 33, column 'group': 'Customer' differs from what the same respondent's row 8 says.\n"
        "  Mend: let all rows of a respondent say the same there.\n"
        "responses.csv, row 34: no respondent is named.\n"
        "  Mend: name one, or remove the row.\n"
        "responses.csv, row 35: no issue is named.\n"
        "  Mend: name it, or remove the row."
    )


def test_issue_and_answer_come_together_and_with_respondent(tmp_path):
    for key in ("answer", "respondent"):
        lines = [line for line in LONG.splitlines() if not line.startswith(f"{key} =")]
        message = told(write_study(tmp_path / key, study="\n".join(lines), header=LONG_HEADER, rows=melted()))
        assert "long layout needs both" in message or "name the respondent's column" in message
