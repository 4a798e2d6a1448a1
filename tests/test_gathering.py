"""One pass over the rows accounts for each of them, and leaves the same moments however the rows are cut."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import HEADER, ROWS, STUDY, write_study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.cleaning import REASONS
from materiality.errors import MaterialityError
from materiality.gathering import examine
from materiality.reading import Source

TIMED = STUDY.replace('respondent = "id"', 'respondent = "id"\nseconds = "s"').replace(
    'group = "group"', 'group = "group"\ngroup_separator = ";"'
)
CLEANING = """
[cleaning]
unknown_group = "drop"
duplicate_choice = "last"
no_rating = "flag"
too_few_answers = "flag"
"""
ANSWERS = st.lists(st.sampled_from(["1", "3", "4", "5", "Don't know", ""]), min_size=6, max_size=6)
ROW = st.one_of(
    st.just("," * 8),
    st.builds(
        lambda who, group, answers, seconds: ",".join([str(who), group, *answers, seconds]),
        st.integers(1, 8) | st.just(""),
        st.sampled_from(["Staff", "Customer", "Staff;Buyers", "Martian", "Martian;Staff", ""]),
        ANSWERS | st.just(["4"] * 6),
        st.sampled_from(["", "3", "12", "600"]),
    ),
)


def gathered_in_blocks(folder: Path, rows: int, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setitem(Source.blocks.__kwdefaults__, "rows", rows)
        _, gathered = examine(folder)
    lines = [line.tolist() for part in gathered.ledger.lines() for line in part]
    return gathered, lines


def kept_somewhere(moments) -> bool:
    return bool(moments.per_group(moments.stack("n").astype(np.int64)).any())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=25), cut=st.sampled_from([1, 2, 3, 7]))
def test_every_row_read_has_exactly_one_fate_whatever_the_size_of_the_blocks(rows, cut, monkeypatch):
    rows = ["0,Staff,1,2,3,3,2,1,99", *rows]
    with tempfile.TemporaryDirectory() as name:
        folder = write_study(Path(name), study=TIMED + CLEANING, rows=tuple(rows), header=HEADER + ",s")
        whole, lines = gathered_in_blocks(folder, 10_000, monkeypatch)
        parts, lines_again = gathered_in_blocks(folder, cut, monkeypatch)
    assert lines == lines_again
    assert [row for _, row, _, _ in lines] == list(range(2, len(rows) + 2))
    fates = Counter(REASONS[reason] for _, _, reason, _ in lines)
    told = whole.exports[0].fates
    assert {name: times for name, times in told.items() if not name.startswith("flagged")} == fates
    assert whole.exports[0].rows == len(rows) == fates.total()
    assert sum(sums.n for sums in whole.moments.cells.values()) == fates["kept"]
    assert list(parts.moments.cells) == list(whole.moments.cells)
    for cell, sums in whole.moments.cells.items():
        for field in ("n", "kinds", "points", "weight", "weight_squares", "first", "second"):
            np.testing.assert_array_equal(getattr(parts.moments.cells[cell], field), getattr(sums, field))


def test_progress_tells_each_export_and_the_rows_read_so_far(tmp_path, monkeypatch):
    folder = write_study(tmp_path)
    told = []
    with monkeypatch.context() as patched:
        patched.setitem(Source.blocks.__kwdefaults__, "rows", 2)
        examine(folder, progress=lambda name, rows: told.append((name, rows)))
    assert told == [("responses.csv", 2), ("responses.csv", 4), ("responses.csv", 5)]


def test_a_study_that_keeps_no_row_says_what_became_of_them(tmp_path):
    with pytest.raises(MaterialityError) as caught:
        examine(write_study(tmp_path, rows=("1,,4,5,3,4,4,2", "2,Staff,,,,,,", "3,,,,,,,4")))
    assert str(caught.value) == (
        "responses.csv: no row of 3 was kept: 2 no group, 1 no rating.\n"
        "  Mend: look at the reasons; the group column, the scale's labels or [cleaning] may not fit the export."
    )


def test_a_study_that_keeps_rows_but_none_with_a_group_does_not_say_that_it_kept_none(tmp_path):
    text = STUDY + '\n[cleaning]\nno_group = "flag"\n'
    with pytest.raises(MaterialityError) as caught:
        examine(write_study(tmp_path, study=text, rows=("1,,4,5,3,4,4,2", "2,,5,4,3,5,3,3")))
    assert str(caught.value) == (
        "responses.csv: no row of 2 was kept with a group: 2 kept, 2 flagged: no group.\n"
        "  Mend: look at the reasons; the group column, the scale's labels or [cleaning] may not fit the export."
    )


def test_more_respondents_than_people_are_a_fault(tmp_path):
    text = STUDY.replace('label = "Staff"', 'label = "Staff"\npopulation = 1')
    with pytest.raises(MaterialityError) as caught:
        examine(write_study(tmp_path, study=text))
    assert str(caught.value) == (
        "study.toml: groups ('staff').population is 1, and 2 respondents of it answered.\n"
        "  Mend: correct population in [[groups]], or look for duplicates in the exports."
    )


def test_a_group_with_as_many_respondents_as_people_is_no_fault(tmp_path):
    text = STUDY.replace('label = "Staff"', 'label = "Staff"\npopulation = 2')
    assert examine(write_study(tmp_path, study=text))[1].exports[0].fates == {"kept": len(ROWS)}


def test_a_file_that_stands_for_one_group_needs_no_group_column(tmp_path):
    text = STUDY.replace('group = "group"', 'group_is = "buyers"')
    moments = examine(write_study(tmp_path, study=text))[1].moments
    assert moments.per_group(moments.stack("n").astype(np.int64)).tolist() == [0, 5]
    assert kept_somewhere(moments)
