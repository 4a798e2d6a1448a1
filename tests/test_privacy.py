"""Nobody's answers can be worked out from what is published: attacked by change, by equations and by trying all."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_study
from hypothesis import given, settings
from hypothesis import strategies as st

from materiality import commands
from materiality.assessment import Assessment, assess
from materiality.disclosure import complemented, determined
from materiality.errors import MaterialityError

ISSUES = ("climate", "water", "safety", "ethics", "energy", "waste")
GROUPS = ("staff", "buyers", "council", "unions", "press")
AXES = {"people": "{label}", "business": "Impact of {label}"}


def study_text(
    privacy: str = 'profile = "internal"', groups: tuple[str, ...] = GROUPS, people: str = "", extra: str = ""
) -> str:
    """SIMULATED: a study of six issues, two axes that ask all groups, and no rule that looks for careless answers."""
    return "\n".join(
        [
            'title = "Privacy (simulated answers)"',
            "[scale]\nlow = 1\nhigh = 5",
            '[[responses]]\nfile = "responses.csv"\nrespondent = "id"\ngroup = "group"',
            *(f'[[groups]]\nid = "{group}"' for group in groups),
            *(f'[[issues]]\nid = "{issue}"\nlabel = "{issue}"' for issue in ISSUES),
            f'[axes.people]\ncolumn = "{{label}}"\n{people}',
            '[axes.business]\ncolumn = "Impact of {label}"',
            '[matrix]\nx = "business"\ny = "people"',
            f"[privacy]\n{privacy}",
            '[cleaning]\nstraight_lined = "off"\nlong_run = "off"\nrare_answers = "off"\ncareless = "off"',
            extra,
        ]
    )


COLUMNS = [column.format(label=issue) for column in AXES.values() for issue in ISSUES]


def simulated_rows(sizes: dict[str, int], seed: int = 5, middle: float = 3.2, spread: float = 1.0) -> pd.DataFrame:
    """SIMULATED answers."""
    generator = np.random.default_rng(seed)
    group = np.repeat(list(sizes), list(sizes.values()))
    ratings = np.rint(middle + generator.normal(0, spread, (len(group), len(COLUMNS))))
    rows = pd.DataFrame(np.clip(ratings, 1, 5).astype(int), columns=COLUMNS)
    return rows.assign(group=group, id=np.arange(len(group)))[["id", "group", *COLUMNS]]


def run(folder: Path, rows: pd.DataFrame, study: str, **options: str) -> tuple[Assessment, dict[str, bytes]]:
    """The assessment, and every file written but for those that hold the hash of the export."""
    write_study(folder / "study", study=study, csv=rows.to_csv(index=False))
    found, out = commands.run(folder / "study", out=folder / "out", **options)
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del files["manifest.json"]
    files["report.html"] = re.sub(rb"[0-9a-f]{8,64}", b"", files["report.html"])
    return found, files


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


SIZES = {"staff": 30, "buyers": 25, "council": 12, "unions": 6, "press": 3}


def moved(rows: pd.DataFrame, group: str, column: str, by: int) -> pd.DataFrame:
    """The answers of a group with their total moved, one point at a time, from the first who can."""
    rows = rows.copy()
    for _ in range(abs(by)):
        values = rows.loc[rows["group"] == group, column]
        able = values[(values < 5) if by > 0 else (values > 1)]
        rows.loc[able.index[-1], column] += np.sign(by)
    return rows


@pytest.mark.parametrize("profile", ["internal", "publish"])
def test_other_answers_of_hidden_groups_that_leave_the_scores_change_no_byte_of_any_output(tmp_path, profile):
    """Three of the press and six of the unions are hidden: what one gains the other loses, and nothing shows it."""
    rows = simulated_rows(SIZES)
    other = rows
    for column in COLUMNS:
        up = 1 if rows.loc[rows["group"] == "press", column].sum() < 12 else -1
        other = moved(moved(other, "press", column, up), "unions", column, -2 * up)
    study = study_text(f'profile = "{profile}"')
    (first, one), (_, two) = (run(tmp_path / name, r, study) for name, r in (("a", rows), ("b", other)))
    hidden = first.group_scores[first.group_scores["suppressed"]]
    assert {"press", "unions"} <= set(hidden["group"])
    assert not rows.equals(other)
    assert len(one) > 60
    assert differing(one, two) == []


def test_where_the_mean_alone_is_told_nothing_else_of_the_answers_shows(tmp_path):
    """The seven of the press keep their total, and differ in how they come to it."""
    rows = simulated_rows({**SIZES, "unions": 14, "press": 7}, seed=6)
    other = rows.copy()
    press = other.index[other["group"] == "press"]
    for column in COLUMNS:
        values = np.sort(other.loc[press, column].to_numpy())
        k, top = next((k, t) for k in range(7) for t in range(6, k, -1) if values[k] > 1 and values[t] < 5)
        values[k] -= 1
        values[top] += 1
        other.loc[press, column] = values
    (first, one), (_, two) = (
        run(tmp_path / n, r, study_text(), figures="main") for n, r in (("a", rows), ("b", other))
    )
    told = first.group_scores[first.group_scores["group"] == "press"]
    assert told["estimate"].tolist() == [
        round(rows.loc[press, column.format(label=issue)].mean(), 1) for column in AXES.values() for issue in ISSUES
    ]
    assert told[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    assert differing(one, two) == []


def test_a_second_axis_with_the_same_questions_tells_nothing_of_a_hidden_group_that_it_asks_besides(tmp_path):
    """Beside stand-ins for the press, a score would tell what the four of the council said."""
    sizes = {"staff": 30, "buyers": 25, "council": 4, "unions": 6, "press": 3}
    rows = simulated_rows(sizes, seed=9)
    other = rows.copy()
    council = other.index[other["group"] == "council"]
    for column in COLUMNS[: len(ISSUES)]:
        other.loc[council, column] = [1, 3, 4, 2] if rows.loc[council, column].sum() > 11 else [5, 4, 3, 5]
    study = study_text(people="groups = { staff = 1, buyers = 1, unions = 1, press = 1 }").replace(
        'column = "Impact of {label}"', 'column = "{label}"\ngroups = { staff = 1, press = 1, council = 1 }'
    )
    (first, one), (_, two) = (run(tmp_path / n, r, study, figures="main") for n, r in (("a", rows), ("b", other)))
    assert set(first.group_scores.loc[first.group_scores["suppressed"], "group"]) >= {"council", "press"}
    assert first.scores["estimate"].notna().all()
    assert differing(one, two) == []


def test_groups_that_differ_by_one_person_do_not_tell_that_persons_answers(tmp_path):
    """All of the council are staff, and of these one alone is not of the council."""
    rows = simulated_rows({"staff": 12, "buyers": 25}, seed=11)
    rows["group"] = ["staff;council"] * 11 + ["staff"] + ["buyers"] * 25
    study = study_text(groups=("staff", "buyers", "council")).replace(
        'group = "group"', 'group = "group"\ngroup_separator = ";"'
    )
    found = assess(write_study(tmp_path, study=study, csv=rows.to_csv(index=False)))
    told = found.group_scores.pivot_table(
        index=["axis", "issue"], columns="group", values="estimate", dropna=False, observed=True
    )
    assert (told[["staff", "council"]].isna().sum(axis=1) >= 1).all()


def test_a_group_that_its_parts_make_up_does_not_tell_of_the_smaller_part(tmp_path):
    """Everybody is staff; 27 of them are of the council and three of the press."""
    rows = simulated_rows({"staff": 30, "buyers": 25}, seed=12)
    rows["group"] = ["staff;council"] * 27 + ["staff;press"] * 3 + ["buyers"] * 25
    study = study_text(groups=("staff", "buyers", "council", "press")).replace(
        'group = "group"', 'group = "group"\ngroup_separator = ";"'
    )
    found = assess(write_study(tmp_path, study=study, csv=rows.to_csv(index=False)))
    told = found.group_scores.pivot_table(
        index=["axis", "issue"], columns="group", values="estimate", dropna=False, observed=True
    )
    assert told["press"].isna().all()
    # with the score, one told total of the three would leave two unknowns
    assert (told[["staff", "council", "buyers"]].isna().sum(axis=1) >= 2).all()
    assert found.leniency.empty or set(found.leniency["respondents"]) <= {25}


def test_which_of_a_hidden_group_answered_what_shows_nowhere(tmp_path):
    """Those of the press swap their answers, question by question."""
    rows = simulated_rows(SIZES, seed=8)
    other = rows.copy()
    press = other.index[other["group"] == "press"]
    for k, column in enumerate(COLUMNS):
        other.loc[press, column] = np.roll(other.loc[press, column].to_numpy(), k)
    extra = "[weighting]\nreplicates = 40\n"
    one, two = (
        run(tmp_path / name, r, study_text(extra=extra), figures="main")[1] for name, r in (("a", rows), ("b", other))
    )
    assert differing(one, two) == []


# Equations and enumeration


def published(found: Assessment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What stands in the tables: scores, and group means by axis and issue."""
    means = found.group_scores.pivot_table(
        index=["axis", "issue"], columns="group", values="estimate", dropna=False, observed=True
    )
    return found.scores.set_index(["axis", "issue"]), means


def ways_left(found: Assessment, rows: pd.DataFrame) -> list[tuple[str, str, str, int, int]]:
    """Axis, issue, hidden group, its possible totals given all that is published, and how many there are at all.

    All totals of all hidden groups of a score are tried that add up, with the means that are told, to the score as it
    is told. Means that are told with one decimal count as known exactly, as they are for the few who have such.
    """
    scores, means = published(found)
    sizes = rows.groupby("group").size()
    left = []
    for (axis, issue), score in scores["estimate"].dropna().items():
        column = AXES[axis].format(label=issue)
        hidden = [g for g in means if np.isnan(means.loc[(axis, issue), g])]
        if not hidden:
            continue
        totals = {g: range(sizes[g], 5 * sizes[g] + 1) for g in hidden}
        shown = sum(rows.loc[rows["group"] == g, column].mean() for g in means if g not in hidden)
        entering = list(_entering(found, axis, issue, hidden))
        possible: dict[str, set[int]] = {g: set() for g in entering}
        count = len(means.columns) - len(hidden) + len(entering)
        finest = min((1 / sizes[g] for g in entering), default=1.0) / max(count, 1)
        unit = next((one for one in (0.01, 0.02, 0.05, 0.1, 0.2) if one >= finest - 1e-12), 0.5)
        for tried in product(*(totals[g] for g in entering)):
            together = sum(t / sizes[g] for t, g in zip(tried, entering, strict=True))
            room = min(2 / min(sizes[g] for g in entering) + unit * count, 2 * len(entering))
            together = min(max(together, len(entering) + room), 5 * len(entering) - room)  # top and bottom coded
            if abs((shown + together) / count - score) <= unit / 2 + 1e-9:
                for t, g in zip(tried, entering, strict=True):
                    possible[g].add(t)
        left.extend((axis, issue, g, len(possible[g]), len(totals[g])) for g in entering)
    return left


def _entering(found: Assessment, axis: str, issue: str, hidden: list[str]) -> list[str]:
    """Hidden groups that enter a score: those that the notices do not say are left out of it."""
    names = [w for w in found.warnings if "does not enter the scores on" in w]
    return [
        g
        for g in hidden
        if not any(f"Group {g} does" in w and f"“{axis}”" in w and (issue in w or "all of" in w) for w in names)
    ]


@st.composite
def surveys(draw):
    count = draw(st.integers(2, 4))
    sizes = dict(zip(GROUPS[:count], (draw(st.integers(1, 9)) for _ in range(count)), strict=True))
    middle, spread = draw(st.floats(1.5, 4.8)), draw(st.floats(0.3, 1.5))
    return simulated_rows(sizes, draw(st.integers(0, 10**6)), middle, spread), tuple(sizes)


@given(surveys())
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_trying_all_answers_leaves_each_hidden_total_three_ways_at_least(tmp_path_factory, survey):
    rows, groups = survey
    folder = write_study(
        tmp_path_factory.mktemp("survey"), study=study_text(groups=groups), csv=rows.to_csv(index=False)
    )
    try:
        found = assess(folder)
    except MaterialityError as error:
        assert "the scores would tell what single groups answered" in str(error)
        return
    for axis, issue, group, ways, all_ways in ways_left(found, rows):
        assert ways >= min(3, all_ways), (axis, issue, group)


def test_answers_that_all_of_a_group_gave_alike_are_hidden_with_another_group(tmp_path):
    rows = simulated_rows({"staff": 30, "buyers": 25, "council": 12})
    rows.loc[rows["group"] == "council", "climate"] = 4
    found = assess(write_study(tmp_path, study=study_text(groups=GROUPS[:3]), csv=rows.to_csv(index=False)))
    hidden = found.group_scores[found.group_scores["suppressed"]]
    assert set(hidden[["axis", "group", "issue"]].itertuples(index=False, name=None)) == {
        ("people", "council", "climate"),
        ("people", "buyers", "climate"),
    }
    assert found.scores["estimate"].notna().all()


def test_a_score_that_only_a_hidden_group_rated_is_left_out_and_said_to_be(tmp_path):
    rows = simulated_rows({"staff": 30, "buyers": 25, "press": 4}).astype({"climate": "Int64"})
    rows.loc[rows["group"] != "press", "climate"] = pd.NA
    study = study_text(groups=("staff", "buyers", "press"))
    found = assess(write_study(tmp_path, study=study, csv=rows.to_csv(index=False)))
    scores = found.scores.set_index(["axis", "issue"])
    assert pd.isna(scores.loc[("people", "climate"), "estimate"])
    assert scores.loc[("people", "climate"), "n"] == 0
    assert "No score on “people”, because it would tell the answers of too few people: climate." in found.warnings


def test_where_no_score_can_be_told_the_run_says_why(tmp_path):
    rows = simulated_rows({"press": 4})
    folder = write_study(tmp_path, study=study_text(groups=("press",)), csv=rows.to_csv(index=False))
    with pytest.raises(MaterialityError) as caught:
        assess(folder)
    assert str(caught.value) == (
        "study.toml, column 'privacy': no issue can have a score on both axes of the matrix: under the privacy profile "
        "'internal' (at least 5 people) the scores would tell what single groups answered.\n"
        "  Mend: merge small groups; or, where the answers may be known, set a smaller minimum_group_size or "
        'profile = "off" in [privacy].'
    )


def test_profile_off_hides_nothing_and_rounds_nothing(tmp_path):
    rows = simulated_rows({"staff": 6, "press": 2})
    study = study_text('profile = "off"', groups=("staff", "press"))
    found = assess(write_study(tmp_path, study=study, csv=rows.to_csv(index=False)))
    means = rows.groupby("group")[COLUMNS].mean()
    expected = [means[column.format(label=issue)].mean() for column in AXES.values() for issue in ISSUES]
    assert found.scores["estimate"].tolist() == pytest.approx(expected, rel=1e-12)
    assert not found.group_scores["suppressed"].any()


def test_publish_tells_one_decimal_of_groups_and_intervals_from_twenty(tmp_path):
    rows = simulated_rows({"staff": 30, "buyers": 25, "council": 12})
    found = assess(
        write_study(tmp_path, study=study_text('profile = "publish"', groups=GROUPS[:3]), csv=rows.to_csv(index=False))
    )
    table, scores = found.group_scores, found.scores["estimate"]
    numbers = table[["estimate", "std_error", "conf_low", "conf_high"]]
    assert np.isclose(numbers * 10, (numbers * 10).round()).sum(axis=None) == numbers.notna().sum(axis=None)
    assert table.loc[table["group"] == "council", "conf_low"].isna().all()
    assert table.loc[table["group"] != "council", "conf_low"].notna().all()
    means = rows.groupby("group")[COLUMNS].mean()
    for _, row in table.iterrows():
        assert row["estimate"] == round(means.loc[row["group"], AXES[row["axis"]].format(label=row["issue"])], 1)
    expected = [means[column.format(label=issue)].round(1).mean() for column in AXES.values() for issue in ISSUES]
    assert scores.tolist() == pytest.approx(expected, abs=1e-9)


# The kernels, beside brute force


@given(st.integers(1, 4), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_an_unknown_is_determined_where_least_squares_finds_the_same_whatever_is_added_to_it(rows, columns, random):
    equations = np.array([[random.choice([0, 1]) for _ in range(columns)] for _ in range(rows)], float)
    found = determined(equations)
    for k in range(columns):
        unit = np.eye(columns)[k]
        explained = equations.T @ np.linalg.lstsq(equations.T, unit, rcond=None)[0]
        assert found[k] == bool(np.allclose(explained, unit, atol=1e-8))


@given(
    st.integers(2, 4).flatmap(
        lambda rows: st.lists(st.lists(st.integers(0, 15), min_size=3, max_size=3), min_size=rows, max_size=rows)
    )
)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_no_left_out_number_of_a_table_follows_from_its_totals(table):
    counts = np.array(table)
    row, column = np.indices(counts.shape)
    sums = np.array([(row == k).ravel() for k in range(len(counts))] + [(column == k).ravel() for k in range(3)], float)
    few = ((counts > 0) & (counts < 5)).ravel()
    out = complemented(counts.ravel(), few, sums, smallest=5)
    assert out[few].all()
    if not few.any():
        assert not out.any()
    elif not out.all():
        # a table that agrees with everything told and differs in every number left out: a sum of null vectors
        null = np.linalg.svd(sums[:, out])[2][np.linalg.matrix_rank(sums[:, out]) :]
        assert (np.abs(null).max(axis=0) > 1e-9).all()
