"""Planted segments are found and told as a cross-tabulation tells them, and small numbers stay untold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_study
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pandas.testing import assert_frame_equal

from materiality import segmentation
from materiality.estimates import summarise
from materiality.gathering import examine
from materiality.protection import protected, withheld
from materiality.segmentation import Segmentation, _masked, segment_respondents

GROUPS = ("staff", "buyers", "press")
ISSUES = tuple(f"i{k}" for k in range(8))
PEOPLE, BUSINESS = ([f"{axis} {issue}" for issue in ISSUES] for axis in ("people", "business"))
TABLES = ("segments", "number", "profiles", "make_up")
TWO = {("staff", 0): 30, ("staff", 1): 20, ("buyers", 0): 22, ("buyers", 1): 18}
"""Sizes of the planted classes by group."""
FEW = {("staff", 0): 30, ("staff", 1): 20, ("buyers", 0): 17, ("buyers", 1): 13, ("press", 0): 8, ("press", 1): 2}


def simulated_rows(sizes: dict[tuple[str, int], int], seed: int = 4) -> pd.DataFrame:
    """SIMULATED answers: on `people` class 0 finds the first half of the issues important and class 1 the second; on
    `business` everybody answers alike. Who is in which class stands in `planted`."""
    generator = np.random.default_rng(seed)
    who = pd.DataFrame([key for key, n in sizes.items() for _ in range(n)], columns=["group", "planted"])
    n, half = len(who), len(ISSUES) // 2
    first = np.where(np.arange(len(ISSUES)) < half, 4, 2)
    mean = np.where(who["planted"].to_numpy()[:, None] == 0, first, 6 - first)
    people = np.rint(mean + generator.normal(0, 0.6, (n, 8)) + generator.normal(0, 0.4, (n, 1)))
    business = np.rint(3 + generator.normal(0, 0.9, (n, 8)))
    ratings = pd.DataFrame(np.clip(np.hstack([people, business]), 1, 5).astype(int), columns=PEOPLE + BUSINESS)
    mixed = pd.concat([who, ratings], axis=1).sample(frac=1, random_state=generator)
    return mixed.assign(id=[f"r{k}" for k in range(n)]).reset_index(drop=True)


def study_text(privacy: str = 'profile = "off"', business: str = "") -> str:
    return "\n".join(
        [
            'title = "Segments (simulated answers)"',
            "[scale]\nlow = 1\nhigh = 5",
            '[[responses]]\nfile = "responses.csv"\nrespondent = "id"\ngroup = "group"',
            *(f'[[groups]]\nid = "{group}"' for group in GROUPS),
            *(f'[[issues]]\nid = "{issue}"\nlabel = "{issue}"' for issue in ISSUES),
            '[axes.people]\ncolumn = "people {label}"',
            f'[axes.business]\ncolumn = "business {{label}}"\n{business}',
            '[matrix]\nx = "business"\ny = "people"',
            f"[privacy]\n{privacy}",
        ]
    )


def segmented(folder: Path, rows: pd.DataFrame, study: str) -> Segmentation:
    csv = rows.drop(columns="planted").to_csv(index=False)
    found, gathered = examine(write_study(folder, study=study, csv=csv))
    sample = summarise(gathered.moments, gathered.weights)
    sample = protected(found, sample, withheld(found, sample))
    return segment_respondents(found, sample, gathered.rows, np.random.default_rng(8))


def part(table: pd.DataFrame, axis: str = "people", method: str = "latent_classes") -> pd.DataFrame:
    found = table[(table["axis"] == axis) & (table["method"] == method)]
    return found.drop(columns=["axis", "method"]).reset_index(drop=True)


def crosstab(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares of the planted classes in each group, the larger class first."""
    return pd.crosstab(rows["group"], rows["planted"] + 1, normalize="index")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[pd.DataFrame, Segmentation]:
    rows = simulated_rows(TWO)
    return rows, segmented(tmp_path_factory.mktemp("two"), rows, study_text())


def test_two_planted_classes_are_found_with_their_sizes_and_priorities(two):
    rows, found = two
    segments = part(found.segments)
    assert segments["n"].tolist() == rows["planted"].value_counts().tolist() == [52, 38]
    np.testing.assert_allclose(segments["share"], [52 / 90, 38 / 90])
    number = part(found.number)
    assert number.loc[number["chosen"], "segments"].tolist() == [2]
    # everybody rated everything, so leniency is the person's own mean
    centred = rows[PEOPLE].sub(rows[PEOPLE].mean(axis=1), axis=0)
    expected = centred.groupby(rows["planted"]).mean().to_numpy()
    profiles = part(found.profiles)
    assert profiles["issue"].tolist() == [*ISSUES, *ISSUES]
    np.testing.assert_allclose(profiles["centred"], expected.ravel(), atol=1e-9)
    assert (np.sign(profiles["distinct"]) == np.repeat([1, -1, -1, 1], 4)).all()


def test_shares_of_the_groups_are_the_cross_tabulation_of_the_planted_classes(two):
    rows, found = two
    table = part(found.make_up).set_index(["group", "segment"])["share"].unstack()  # noqa: PD010
    expected = crosstab(rows)
    np.testing.assert_allclose(table.loc[expected.index], expected, rtol=1e-12)
    assert table.loc["press"].isna().all()


@pytest.mark.parametrize("method", ["latent_classes", "kmeans"])
def test_where_people_answer_alike_there_is_one_segment_without_a_profile(two, method):
    found = two[1]
    segments = part(found.segments, "business", method)
    assert segments[["segment", "n", "share"]].to_numpy(float).tolist() == [[1, 90, 1]]
    assert pd.isna(segments["stability"]).all()
    assert part(found.profiles, "business", method).empty
    assert part(found.make_up, "business", method).empty


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_same_columns_full_as_empty(two, name):
    assert list(getattr(two[1], name).columns) == ["axis", "method", *segmentation.COLUMNS[name]]


def test_the_order_of_the_rows_changes_no_table(two, tmp_path):
    rows, found = two
    other = segmented(tmp_path, rows.iloc[::-1], study_text())
    for name in TABLES:
        assert_frame_equal(getattr(other, name), getattr(found, name))


def test_of_many_people_the_same_ones_are_looked_at_whatever_the_order(tmp_path, monkeypatch):
    rows, seen = simulated_rows(TWO), []

    def spy(ratings, generator, **options):
        seen.append(ratings)
        return segmentation.segment_kmeans(ratings, generator)

    monkeypatch.setattr(segmentation, "MOST_PEOPLE", 40)
    monkeypatch.setattr(segmentation, "METHODS", {"kmeans": spy})
    shuffled = rows.sample(frac=1, random_state=np.random.default_rng(2))
    one, other = (segmented(tmp_path / name, r, study_text()) for name, r in (("a", rows), ("b", shuffled)))
    for name in TABLES:
        assert_frame_equal(getattr(one, name), getattr(other, name))
    people, business, *again = seen
    np.testing.assert_array_equal(people, again[0])
    np.testing.assert_array_equal(business, again[1])
    # each respondent's chance is 40 in 90, here within four standard errors
    assert len(people) == len(business) == pytest.approx(40, abs=4 * np.sqrt(90 * 40 / 90 * 50 / 90))
    whole = {tuple(row) for row in rows[PEOPLE + BUSINESS].to_numpy(float)}
    assert {tuple(row) for row in np.hstack([people, business])} <= whole


def test_no_share_tells_of_fewer_people_than_may_be_shown(tmp_path):
    """The two of the press hide with the rest of the press, and these behind the smaller group of each segment."""
    rows = simulated_rows(FEW)
    found = segmented(tmp_path, rows, study_text('profile = "internal"'))
    assert part(found.segments)["n"].tolist() == [55, 35]
    table = part(found.make_up).set_index(["group", "segment"])["share"].unstack()  # noqa: PD010
    assert table.loc[["press", "buyers"]].isna().all(axis=None)
    np.testing.assert_allclose(table.loc["staff"], crosstab(rows).loc["staff"], rtol=1e-12)


def test_segments_smaller_than_may_be_shown_have_neither_size_nor_profile_nor_one_from_which_it_follows(tmp_path):
    found = segmented(tmp_path, simulated_rows(TWO), study_text('profile = "internal"\nminimum_group_size = 39'))
    assert part(found.profiles)[["centred", "distinct"]].isna().all(axis=None)
    assert part(found.segments)[["n", "share"]].isna().all(axis=None)
    assert part(found.make_up)["share"].isna().all()


def test_an_axis_that_asked_fewer_people_than_may_be_shown_is_left_out(tmp_path):
    rows = simulated_rows({("staff", 0): 18, ("staff", 1): 18, ("buyers", 0): 9, ("buyers", 1): 9, ("press", 0): 4})
    asked = "[axes.business.groups]\npress = 1"
    found = segmented(tmp_path / "few", rows, study_text('profile = "internal"', asked))
    assert set(found.segments["axis"]) == set(found.number["axis"]) == {"people"}
    # told where nothing is hidden
    open_study = study_text(business=asked)
    assert set(segmented(tmp_path / "open", rows, open_study).segments["axis"]) == {"people", "business"}


def test_where_no_axis_has_enough_people_the_tables_are_empty_with_their_columns(tmp_path):
    rows = simulated_rows({("staff", 0): 4})
    found = segmented(tmp_path, rows, study_text('profile = "internal"'))
    for name in TABLES:
        table = getattr(found, name)
        assert table.empty
        assert list(table.columns) == ["axis", "method", *segmentation.COLUMNS[name]]


@st.composite
def counts_and_minimum(draw):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 4)))
    counts = draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 12)))
    return counts, draw(st.sampled_from([0, 5, 10]))


@given(counts_and_minimum())
def test_masked_cells_never_stand_alone_and_enough_people_stand_behind_them(given_):
    counts, smallest = given_
    before = counts.copy()
    masked = _masked(counts, smallest)
    assert (counts == before).all()
    told = counts[~masked]
    assert ((told == 0) | (told >= smallest)).all()
    for values, hidden in [*zip(counts, masked, strict=True), *zip(counts.T, masked.T, strict=True)]:
        if hidden.any() and not hidden.all():
            assert hidden.sum() > 1
            assert values[hidden].sum() >= smallest
    if ((counts == 0) | (counts >= smallest)).all():
        assert not masked.any()
