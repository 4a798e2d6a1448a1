"""Whole assessments equal a second route through the rows, and change only where the answers do."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import HEADER, NINE, ROOT, ROWS, STUDY, shared, write_study
from pandas.testing import assert_frame_equal
from scipy import stats as scipy_stats

from materiality.assessment import assess
from materiality.errors import MaterialityError
from materiality.reporting.tables import result, write_json, write_tables

HAIBEI_GROUPS = dict(
    zip("ABCDEF", ("environment", "biodiversity", "climate", "policy", "pastoralists", "others"), strict=True)
)
SPACK_GROUPS = {
    "Software Developer": "developers",
    "Scientist/Researcher": "researchers",
    "System Administrator": "administrators",
    "User Support Staff": "support",
    "Manager": "managers",
    "All of the Above": "all",
}
SPACK_AXES = {
    "users": {"researchers": 0.5, "support": 0.25, "managers": 0.25},
    "builders": {"developers": 0.5, "administrators": 0.5},
}
TABLES = ("scores", "group_scores", "weights")


def second_route(answers: pd.DataFrame, groups: pd.Series, weights: dict[str, float]) -> tuple[pd.Series, pd.Series]:
    """Scores and standard errors from the rows: respondents by issues, and the list of groups of each respondent."""
    score = pd.Series(0.0, answers.columns)
    parts = pd.DataFrame(0.0, answers.index, answers.columns)
    for group, weight in weights.items():
        inside = answers[groups.map(lambda names, group=group: group in names)]
        score += weight * inside.mean()
        factor = len(inside) / (len(inside) - 1)
        parts.loc[inside.index] += weight * np.sqrt(factor) * ((inside - inside.mean()) / inside.count()).fillna(0.0)
    return score, np.sqrt((parts**2).sum())


@pytest.fixture(scope="module")
def haibei():
    folder = shared("studies", "haibei")
    assessment = assess(folder)
    rows = pd.read_csv(folder / "responses.csv")
    answers = rows[[issue.id for issue in assessment.study.issues]].astype(float)
    groups = rows["stakeholder"].map(lambda cell: [HAIBEI_GROUPS[code] for code in cell.split(",")])
    return assessment, answers, groups


@pytest.fixture(scope="module")
def spack():
    assessment = assess(shared("studies", "spack-2020"))
    rows = pd.read_csv(shared("exports", "gf_spack_2020", "spack-user-survey-2020-responses.csv"), dtype=str)
    points = {"not important": 1, "slightly important": 2, "somewhat important": 3, "very important": 4, "critical": 5}
    questions = {
        column.split("[")[-1].split("]")[0].strip(): column for column in rows if column.startswith("Rank these")
    }
    answers = pd.DataFrame(
        {
            issue.id: rows[questions[issue.label]].str.strip().str.lower().map(points)
            for issue in assessment.study.issues
        }
    ).astype(float)
    groups = rows["What kind of user are you?"].map(lambda cell: [SPACK_GROUPS[cell]])
    return assessment, answers, groups


def test_every_row_of_the_haibei_study_is_kept_or_excluded_once(haibei):
    assessment, *_ = haibei
    fates = Counter(int(reason) for lines in assessment.gathered.ledger.lines() for reason in lines["reason"])
    assert fates == {0: 47}


def test_haibeis_47_people_are_60_members(haibei):
    assert haibei[0].sample.respondents.tolist() == [14, 12, 8, 7, 14, 5]


def test_haibeis_ten_straight_lines_are_flagged(haibei):
    assert haibei[0].gathered.exports[0].fates["flagged: straight-lined"] == 10


def test_haibeis_group_means_of_the_first_issue_are_those_worked_out_by_hand(haibei):
    table = haibei[0].group_scores
    first = table[(table["issue"] == "biodiversity_conservation") & (table["axis"] == "agencies")]
    assert first.set_index("group")["estimate"].round(4).to_dict() == {
        "environment": 9.6429,
        "biodiversity": 9.3333,
        "climate": 10.0,
        "policy": 9.8571,
        "pastoralists": 9.0,
        "others": 10.0,
    }


@pytest.mark.parametrize("which", ["haibei", "spack"])
def test_group_means_their_standard_errors_and_counts_equal_pandas(which, request):
    assessment, answers, groups = request.getfixturevalue(which)
    table = assessment.group_scores.set_index(["axis", "group", "issue"])
    assert len(table) == 2 * len(assessment.study.groups) * len(assessment.study.issues)
    for (_, group, issue), row in table.iterrows():
        inside = answers[groups.map(lambda names, group=group: group in names)][issue]
        assert row["n"] == row["n_effective"] == inside.count()
        assert row["blank"] == inside.isna().sum()
        assert row["estimate"] == pytest.approx(inside.mean(), rel=1e-12)
        # who skipped the issue stays in the sample, so a group's size, not the number of ratings, corrects the variance
        correction = np.sqrt((inside.count() - 1) / inside.count() * len(inside) / (len(inside) - 1))
        assert row["std_error"] == pytest.approx(correction * inside.sem(), rel=1e-9)


@pytest.mark.parametrize(
    ("which", "axes"),
    [
        pytest.param(
            "haibei",
            {
                "agencies": dict.fromkeys(("environment", "biodiversity", "climate"), 1 / 3),
                "local": dict.fromkeys(("policy", "pastoralists"), 1 / 2),
            },
            id="haibei",
        ),
        pytest.param("spack", SPACK_AXES, id="spack"),
    ],
)
def test_scores_and_their_standard_errors_equal_pandas(which, axes, request):
    assessment, answers, groups = request.getfixturevalue(which)
    table = assessment.scores.set_index(["axis", "issue"])
    for axis, weights in axes.items():
        score, std_error = second_route(answers, groups, weights)
        np.testing.assert_allclose(table.loc[axis, "estimate"].loc[score.index], score, rtol=1e-12)
        np.testing.assert_allclose(table.loc[axis, "std_error"].loc[score.index], std_error, rtol=1e-9)
        rank = score.round(9).rank(ascending=False, method="min")
        assert table.loc[axis, "rank"].loc[score.index].tolist() == rank.tolist()
        asked = groups.map(lambda names, weights=weights: bool(set(names) & set(weights)))
        assert table.loc[axis, "n"].loc[score.index].tolist() == answers[asked].count().tolist()


@pytest.mark.parametrize("which", ["haibei", "spack"])
def test_the_matrix_shows_the_scores_of_its_two_axes(which, request):
    assessment, *_ = request.getfixturevalue(which)
    scores = assessment.scores.set_index(["axis", "issue"])
    points = assessment.matrix.points.set_index("issue")
    for letter, axis in (("x", assessment.study.x), ("y", assessment.study.y)):
        for shown, column in (("", "estimate"), ("_low", "conf_low"), ("_high", "conf_high")):
            assert points[letter + shown].tolist() == scores.loc[axis, column].tolist()
    assert assessment.matrix.x_threshold == pytest.approx(points["x"].mean())
    assert assessment.matrix.y_threshold == pytest.approx(points["y"].mean())


def test_the_spack_study_keeps_170_respondents_on_twelve_issues(spack):
    assert spack[0].gathered.exports[0].fates["kept"] == len(spack[1]) == 170
    assert spack[1].shape[1] == len(spack[0].matrix.points) == 12


@pytest.fixture(scope="module")
def kstar():
    return assess(ROOT / "surveys" / "kstar-2023")


def test_tier_one_of_the_reference_study_is_the_nine_issues_of_most_concern(kstar):
    points = kstar.matrix.points
    assert set(points.loc[points["tier"] == 1, "issue"]) == NINE
    assert set(points.loc[points["material"], "issue"]) == NINE


def test_the_reference_study_says_that_its_answers_are_simulated(kstar):
    assert kstar.simulated


def test_the_reference_study_accounts_for_every_row(kstar):
    export = kstar.gathered.exports[0]
    fates = {reason: times for reason, times in export.fates.items() if not reason.startswith("flagged")}
    text = (ROOT / "surveys" / "kstar-2023" / "responses.csv").read_text(encoding="utf-8-sig")
    assert sum(fates.values()) == export.rows == len(kstar.gathered.ledger) == len(text.splitlines()) - 1
    careless = fates.pop("careless")
    assert fates.pop("kept") + careless == 607
    assert fates == {
        "blank row": 2,
        "no group": 4,
        "no rating": 3,
        "too few answers": 5,
        "too fast": 8,
        "duplicate respondent": 6,
    }


# Small studies


def tables(folder: Path, **keywords) -> list[pd.DataFrame]:
    assessment = assess(folder, **keywords)
    return [*(getattr(assessment, name) for name in TABLES), assessment.matrix.points]


def assert_same(one: list[pd.DataFrame], other: list[pd.DataFrame], **closeness) -> None:
    for left, right in zip(one, other, strict=True):
        assert_frame_equal(left, right, **(closeness or {"check_exact": True}))


def answers_of(k: int) -> str:
    """Six answers of one respondent, some left out and most of them high."""
    return ",".join(random.Random(k).choices(["", "1", "2", "3", "4", "5"], [1, 1, 2, 4, 6, 5], k=6))


MANY = tuple(f"{k},{('Staff', 'Customer')[k % 3 > 1]},{answers_of(k)}" for k in range(1, 60))


def test_the_order_of_the_rows_changes_no_number(tmp_path):
    shuffled = random.Random(3).sample(MANY, len(MANY))
    one = tables(write_study(tmp_path / "one", rows=MANY))
    assert_same(one, tables(write_study(tmp_path / "two", rows=tuple(shuffled))))


def split_study(folder: Path, first: tuple[str, ...], second: tuple[str, ...], study: str = STUDY) -> Path:
    entry = study[study.index("[[responses]]") : study.index("[[groups]]")]
    write_study(folder / "b", rows=second)
    write_study(
        folder, study=study.replace(entry, entry + entry.replace("responses.csv", "b/responses.csv")), rows=first
    )
    return folder


def test_rows_split_over_two_exports_give_the_same_numbers(tmp_path):
    one = tables(write_study(tmp_path / "one", rows=MANY))
    assert_same(one, tables(split_study(tmp_path / "two", MANY[::2], MANY[1::2])))


def test_one_export_per_group_gives_the_same_numbers(tmp_path):
    text = STUDY.replace('group = "group"\n', 'group_is = "staff"\n')
    staff, buyers = ([row for row in MANY if name in row] for name in ("Staff", "Customer"))
    folder = split_study(tmp_path / "two", tuple(staff), tuple(buyers), text)
    toml = (folder / "study.toml").read_text(encoding="utf-8")
    head, tail = toml.rsplit('group_is = "staff"', 1)
    (folder / "study.toml").write_text(f'{head}group_is = "buyers"{tail}', encoding="utf-8")
    assert_same(tables(write_study(tmp_path / "one", rows=MANY)), tables(folder))


def weighted(folder: Path, factor: float) -> Path:
    rows = tuple(f"{row},{factor * (1 + k % 4) / 8}" for k, row in enumerate(MANY))
    return write_study(
        folder, study=STUDY.replace('group = "group"', 'group = "group"\nweight = "w"'), rows=rows, header=HEADER + ",w"
    )


def test_doubling_every_weight_changes_no_table_but_the_weights(tmp_path):
    one, two = (tables(weighted(tmp_path / str(factor), factor)) for factor in (1, 2))
    assert (two[2]["weight"] / one[2]["weight"]).tolist() == [2, 2]
    del one[2], two[2]
    assert_same(one, two, rtol=1e-10)


def test_equal_weights_are_no_weights(tmp_path):
    rows = tuple(f"{row},0.5" for row in MANY)
    study = STUDY.replace('group = "group"', 'group = "group"\nweight = "w"')
    one = tables(write_study(tmp_path / "one", study=study, rows=rows, header=HEADER + ",w"))
    two = tables(write_study(tmp_path / "two", rows=MANY))
    del one[2], two[2]
    assert_same(one, two, rtol=1e-10)


def test_answers_turned_upside_down_turn_the_scores_upside_down(tmp_path):
    turned = tuple(
        ",".join([*row.split(",")[:2], *(str(6 - int(a)) if a else "" for a in row.split(",")[2:])]) for row in MANY
    )
    one = assess(write_study(tmp_path / "one", rows=MANY)).scores
    two = assess(write_study(tmp_path / "two", rows=turned)).scores
    np.testing.assert_allclose(two["estimate"], 6 - one["estimate"], rtol=1e-12)
    np.testing.assert_allclose(two["conf_low"], 6 - one["conf_high"], rtol=1e-12)
    np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=1e-12)


def test_the_seed_decides_the_draws_and_nothing_else(tmp_path):
    folder = write_study(tmp_path, rows=MANY)
    assert_same(tables(folder, seed=5), tables(folder, seed=5))
    with_key = write_study(tmp_path / "key", study="seed = 5\n" + STUDY, rows=MANY)
    assert_same(tables(folder, seed=5), tables(with_key))
    assert_same(tables(with_key, seed=0), tables(folder))
    points = [tables(folder, seed=seed)[-1] for seed in (5, 6)]
    assert points[0]["p_material"].tolist() != points[1]["p_material"].tolist()
    drawn = ["tier_confidence", "p_material"]
    assert_frame_equal(points[0].drop(columns=drawn), points[1].drop(columns=drawn))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param("{ staff = 1, buyers = 1 }", 4.25, id="equal"),
        pytest.param("{ staff = 3, buyers = 1 }", 0.75 * 4.5 + 0.25 * 4, id="three to one"),
        pytest.param("{ staff = 0.003, buyers = 0.001 }", 0.75 * 4.5 + 0.25 * 4, id="on any scale"),
        pytest.param("{ buyers = 1 }", 4.0, id="one group alone"),
        pytest.param("{ staff = 0, buyers = 1 }", 4.0, id="a weight of nothing"),
    ],
)
def test_a_group_counts_for_its_group_weight(tmp_path, groups, expected):
    text = STUDY.replace('column = "{label}"', f'column = "{{label}}"\ngroups = {groups}')
    scores = assess(write_study(tmp_path, study=text)).scores
    assert scores["estimate"][0] == pytest.approx(expected, rel=1e-12)
    assert scores["n"][0] == (3 if expected == 4.0 else 5)


def test_a_group_without_answers_is_left_out_of_the_scores(tmp_path):
    scores = assess(write_study(tmp_path, rows=ROWS[2:])).scores
    assert scores["estimate"].tolist() == pytest.approx([4, 14 / 3, 3, 4, 13 / 3, 2])


def test_a_group_that_skipped_one_issue_is_left_out_of_that_issues_score_alone(tmp_path):
    rows = ("1,Staff,,5,3,4,4,2", "2,Staff,,4,3,5,3,3", *ROWS[2:])
    scores = assess(write_study(tmp_path, rows=rows)).scores
    assert scores["estimate"][:2].tolist() == pytest.approx([4, (4.5 + 14 / 3) / 2])


def test_an_issue_without_any_rating_shows_nothing_and_leaves_the_others_in_place(tmp_path):
    rows = tuple(",".join([*row.split(",")[:2], "Don't know", *row.split(",")[3:]]) for row in ROWS)
    assessment = assess(write_study(tmp_path, rows=rows))
    lost = assessment.scores.iloc[0]
    assert lost[["estimate", "std_error", "conf_low", "conf_high", "df", "rank", "rank_low", "rank_high"]].isna().all()
    assert lost["n"] == 0
    point = assessment.matrix.points.iloc[0]
    assert point[["y", "y_low", "y_high", "tier", "tier_confidence", "material", "p_material"]].isna().all()
    assert point["x"] == 4.25
    assert assessment.matrix.x_threshold == pytest.approx((4.25 + 47 / 12 + 2.25) / 3)
    assert assessment.matrix.y_threshold == pytest.approx((14 / 3 + 3) / 2 - (14 / 3 - 4.5) / 4)
    assert assessment.scores["rank"][1:3].tolist() == [1, 2]
    empty = assessment.group_scores.iloc[0]
    assert empty[["estimate", "std_error", "conf_low", "conf_high"]].isna().all()
    assert empty[["n", "dont_know"]].tolist() == [0, 2]


POPULATED = STUDY.replace('label = "Staff"', 'label = "Staff"\npopulation = 8').replace(
    'answers = ["Customer"]', 'answers = ["Customer"]\npopulation = 2000'
)


def test_the_finite_population_correction_shrinks_each_groups_variance_by_its_share_left_unasked(tmp_path):
    off = POPULATED + "\n[weighting]\nfinite_population = false\n"
    corrected, plain, without = (
        assess(write_study(tmp_path / str(k), study=text)) for k, text in enumerate((POPULATED, off, STUDY))
    )
    assert_frame_equal(plain.group_scores, without.group_scores)
    ratio = corrected.group_scores["std_error"] / plain.group_scores["std_error"]
    seen = plain.group_scores["std_error"] > 0
    share = corrected.group_scores["group"].map({"staff": 1 - 2 / 8, "buyers": 1 - 3 / 2000})
    np.testing.assert_allclose(ratio[seen], np.sqrt(share[seen]), rtol=1e-12)
    assert_frame_equal(corrected.scores[["estimate", "n"]], plain.scores[["estimate", "n"]])


LONE = (*ROWS[2:], "1,Staff,4,5,3,4,4,2")


@pytest.mark.parametrize(
    ("population", "left"),
    [
        pytest.param("", 1.0, id="no population"),
        pytest.param("\npopulation = 4", 3 / 4, id="one of four"),
        pytest.param("\npopulation = 1", 0.0, id="all there is"),
    ],
)
def test_a_respondent_alone_is_lent_the_variance_of_the_others_by_the_share_left_unasked(tmp_path, population, left):
    text = STUDY.replace('label = "Staff"', f'label = "Staff"{population}')
    scores = assess(write_study(tmp_path, study=text, rows=LONE)).scores
    buyers = pd.DataFrame([[3, 5, 4, 4, 5, 2], [4, 4, 2, 5, 4, 3], [5, 5, 3, 3, 4, 1]]).var()
    np.testing.assert_allclose(scores["std_error"], np.sqrt((buyers / 3 + buyers * left) / 4), rtol=1e-9)


def test_a_group_of_equal_answers_adds_nothing_to_the_standard_error_and_something_to_the_interval(tmp_path):
    rows = tuple(",".join([*row.split(",")[:2], "5", *row.split(",")[3:]]) if "Staff" in row else row for row in ROWS)
    found = assess(write_study(tmp_path, rows=rows))
    first = found.scores.iloc[0]
    assert first[["estimate", "std_error", "df"]].tolist() == pytest.approx([4.5, scipy_stats.sem([3, 4, 5]) / 2, 2])
    buyers = found.group_scores.query("axis == 'people' and group == 'buyers' and issue == 'climate'").iloc[0]
    assert 4.5 - first["conf_low"] > (buyers["estimate"] - buyers["conf_low"]) / 2
    assert first["conf_high"] <= 5


ONE_AXIS_KNOWN = (
    STUDY.replace('answers = ["Customer"]', 'answers = ["Customer"]\npopulation = 3')
    .replace('column = "{label}"', 'column = "{label}"\ngroups = { staff = 1 }')
    .replace('column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { buyers = 1 }')
)


def test_the_tier_of_three_respondents_issue_is_as_sure_as_their_interval_or_as_students_t(tmp_path):
    """All three buyers answered, so that the business axis is known, and three of any number of staff.

    The intervals of two issues rest on the ends of the scale; the third's answers tell enough by themselves.
    """
    rows = ("6,Staff,3,4,2,,,", "7,Staff,4,4,1,,,", "8,Staff,5,5,4,,,", *ROWS[2:])
    text = f"{ONE_AXIS_KNOWN}\n[tiers.thresholds]\npeople = 3.0\nbusiness = 3.0\n"
    found = assess(write_study(tmp_path, study=text, rows=rows))
    points, wide = found.matrix.points, found.estimates.std_dev[:3]
    above = scipy_stats.norm.sf(3, [4, 13 / 3], wide[:2])
    below = scipy_stats.t.cdf(3, 2, 7 / 3, scipy_stats.sem([2, 1, 4]))
    assert found.unreliable["issue"].tolist() == ["climate", "safety"]
    assert points["x_low"].tolist() == points["x"].tolist() == points["x_high"].tolist()
    assert points["tier"].tolist() == [1, 1, 3]
    sure = [above[0], above[1], below]
    assert points["tier_confidence"].tolist() == pytest.approx(sure, abs=4 * np.sqrt(0.25 / 10_000))


def test_scores_that_are_known_exactly_have_ranks_of_no_width(tmp_path):
    scores = assess(write_study(tmp_path, study=ONE_AXIS_KNOWN)).scores[3:]
    assert scores["estimate"].tolist() == pytest.approx([4, 13 / 3, 2])
    assert scores[["rank", "rank_low", "rank_high"]].to_numpy().tolist() == [[2] * 3, [1] * 3, [3] * 3]


def test_one_respondent_alone_has_a_tier_that_nobody_knows_the_confidence_of(tmp_path):
    """An export of one row: the tables leave the confidences empty."""
    assessment = assess(write_study(tmp_path / "study", rows=ROWS[:1]))
    write_tables(assessment, tmp_path / "tables")
    written = pd.read_csv(tmp_path / "tables" / "matrix.csv", dtype=str, keep_default_na=False)
    assert written[["tier_confidence", "p_material"]].eq("").all(axis=None)
    assert written["tier"].tolist() == ["2", "1", "3"]


def test_counts_in_the_group_scores_are_whole_numbers(tmp_path):
    """Staff are too few to show, and buyers hide them: their counts are empty, and the others' no fractions for it."""
    public = tuple(f"{k},Public,{4 + k % 2},,Don't know,{3 + k % 2},{2 + k % 3},{1 + k % 5}" for k in range(20, 32))
    rows = (*people(Staff=4, Buyers=9), *public)
    assessment = assess(write_study(tmp_path, study=INTERNAL, rows=rows))
    table = assessment.group_scores
    hidden = {"staff", "buyers"}
    assert set(table.loc[table["suppressed"], "group"]) == hidden
    counts = ["n", "dont_know", "not_applicable", "blank"]
    assert table[counts].dtypes.eq("Int64").all()
    write_json(result(assessment), tmp_path / "result.json")
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["group_scores"]
    shown = {(row["axis"], row["issue"]): [row[name] for name in counts] for row in told if row["group"] == "public"}
    assert shown["people", "climate"] == [12, 0, 0, 0]
    assert shown["people", "safety"] == [0, 0, 0, 12]
    assert shown["people", "ethics"] == [0, 12, 0, 0]
    assert {type(number) for numbers in shown.values() for number in numbers} == {int}
    assert {row[name] for row in told if row["group"] in hidden for name in counts} == {None}


# Flagged rows


def test_scores_with_and_without_the_flagged_rows(tmp_path):
    rows = (*ROWS, "6,Staff,1,1,1,2,3,4")
    flagged = assess(write_study(tmp_path / "with", rows=rows)).flagged
    expected = assess(write_study(tmp_path / "without", rows=ROWS))
    np.testing.assert_array_equal(flagged["without_flagged"], expected.scores["estimate"])
    assert flagged["estimate"][:3].tolist() == pytest.approx([(10 / 3 + 4) / 2, (10 / 3 + 14 / 3) / 2, (7 / 3 + 3) / 2])
    np.testing.assert_allclose(flagged["difference"], flagged["without_flagged"] - flagged["estimate"])
    assert flagged["tier_without_flagged"].tolist() == expected.matrix.points["tier"].tolist() * 2
    assert flagged[["axis", "issue"]].equals(expected.scores[["axis", "issue"]])


@pytest.mark.parametrize(
    "rows", [pytest.param(ROWS, id="none flagged"), pytest.param(("1,Staff,4,4,4,4,4,4",) * 1, id="all flagged")]
)
def test_where_no_row_or_every_row_is_flagged_there_is_nothing_to_compare(tmp_path, rows):
    flagged = assess(write_study(tmp_path, rows=rows)).flagged
    assert flagged.empty
    assert list(flagged) == [
        "axis",
        "issue",
        "estimate",
        "without_flagged",
        "difference",
        "tier",
        "tier_without_flagged",
    ]


# Small groups


THIRD = '[[groups]]\nid = "public"\nlabel = "Public"\n\n[[issues]]\nid = "climate"'
THREE = STUDY.replace('[[issues]]\nid = "climate"', THIRD)
INTERNAL = THREE.replace('profile = "off"', 'profile = "internal"')
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "n", "n_effective", "dont_know", "not_applicable", "blank"]


def people(**groups: int) -> tuple[str, ...]:
    names = [name for name, times in groups.items() for _ in range(times)]
    return tuple(
        f"{k},{name},{1 + k % 5},{1 + 2 * k % 5},{1 + (k + 1) % 5},{1 + 3 * k % 5},{1 + (k + 3) % 5},{1 + 4 * k % 5}"
        for k, name in enumerate(names, 1)
    )


def suppressed(folder: Path) -> dict[str, set[str]]:
    """The suppressed groups per axis, after a look at what their rows still hold."""
    table = assess(folder).group_scores
    hidden = table[table["suppressed"]]
    assert hidden[NUMBERS].isna().all(axis=None)
    assert table.loc[~table["suppressed"], "n"].notna().all()
    return {axis: set(rows["group"]) for axis, rows in hidden.groupby("axis")}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param({"Staff": 5, "Buyers": 9, "Public": 5}, set(), id="five are enough"),
        pytest.param({"Staff": 4, "Buyers": 9, "Public": 7}, {"staff", "public"}, id="the next smallest goes with it"),
        pytest.param({"Staff": 4, "Buyers": 9, "Public": 3}, {"staff", "public"}, id="two hide each other"),
        pytest.param({"Staff": 4, "Buyers": 9}, {"staff", "buyers"}, id="who gave no answer hides nobody"),
    ],
)
def test_small_groups_are_blanked_and_cannot_be_worked_out(tmp_path, groups, expected):
    folder = write_study(tmp_path, study=INTERNAL, rows=people(**groups))
    found = suppressed(folder)
    assert found == (dict.fromkeys(("people", "business"), expected) if expected else {})


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param('"off"', {}, id="off shows all"),
        pytest.param('"publish"', {"people", "business"}, id="publish hides below ten"),
        pytest.param('"internal"\nminimum_group_size = 2', {}, id="a minimum of one's own"),
    ],
)
def test_the_privacy_profile_decides_how_small_is_too_small(tmp_path, profile, expected):
    text = THREE.replace('profile = "off"', f"profile = {profile}")
    folder = write_study(tmp_path, study=text, rows=people(Staff=4, Buyers=9, Public=12))
    assert set(suppressed(folder)) == set(expected)


def test_a_group_that_few_of_rated_an_issue_is_hidden_there_alone(tmp_path):
    rows = [row.split(",") for row in people(Staff=6, Buyers=9, Public=7)]
    for row in rows[:3]:
        row[2] = ""
    table = assess(write_study(tmp_path, study=INTERNAL, rows=tuple(map(",".join, rows)))).group_scores
    hidden = table[table["suppressed"]]
    assert set(hidden[["axis", "group", "issue"]].itertuples(index=False, name=None)) == {
        ("people", "staff", "climate"),
        ("people", "public", "climate"),
    }


def test_a_small_group_that_rated_nothing_does_not_show_what_it_answered_instead(tmp_path):
    rows = [row.split(",") for row in people(Staff=6, Buyers=9, Public=3)]
    for row in rows[-3:]:
        row[2] = "Don't know"
    table = assess(write_study(tmp_path, study=INTERNAL, rows=tuple(map(",".join, rows)))).group_scores
    row = table[(table["group"] == "public") & (table["issue"] == "climate") & (table["axis"] == "people")]
    assert row["suppressed"].all()
    assert row[NUMBERS].isna().all(axis=None)


def shared_question(people_groups: str, business_groups: str) -> str:
    """Both axes ask the same columns of different groups."""
    return INTERNAL.replace('column = "{label}"', f'column = "{{label}}"\ngroups = {people_groups}').replace(
        'column = "Impact of {label}"', f'column = "{{label}}"\ngroups = {business_groups}'
    )


def test_a_group_hidden_for_anothers_sake_is_hidden_on_every_axis_that_asks_the_same_question(tmp_path):
    """Or the mean that one axis hides would stand under the other, which then has no other to hide: what stands in for
    the hidden ones on the first axis stands in on the second, so its score tells nothing more."""
    text = shared_question("{ staff = 1, buyers = 1 }", "{ buyers = 1, public = 1 }")
    folder = write_study(tmp_path, study=text, rows=people(Staff=4, Buyers=9, Public=12))
    both = {"staff", "buyers"}
    assert suppressed(folder) == {"people": both, "business": both}
    told = assess(folder)
    assert [notice for notice in told.warnings if notice.startswith("On “")] == [
        "On “Impact on the business” hidden groups are asked what another axis asks them. What stands in for their "
        "means there stands in here, so these scores are near the true ones, not equal: all of them."
    ]


def test_the_group_hidden_for_anothers_sake_is_one_that_enters_the_same_score(tmp_path):
    """A group beside the axis, though smaller, would leave the score less the others' part as it was."""
    text = shared_question("{ staff = 1, buyers = 1 }", "{ public = 1 }")
    folder = write_study(tmp_path, study=text, rows=people(Staff=4, Buyers=9, Public=6))
    assert suppressed(folder) == {"people": {"staff", "buyers"}, "business": {"staff", "buyers"}}


def test_hiding_changes_scores_by_rounding_alone(tmp_path):
    rows = people(Staff=4, Buyers=9, Public=12)
    shown, hidden = (
        assess(write_study(tmp_path / str(k), study=text, rows=rows)) for k, text in enumerate((THREE, INTERNAL))
    )
    # nine buyers' mean moves the score by 1/27 for each point
    np.testing.assert_allclose(hidden.scores["estimate"], (shown.scores["estimate"] / 0.05).round() * 0.05, rtol=1e-12)
    assert_frame_equal(shown.scores[["axis", "issue", "n"]], hidden.scores[["axis", "issue", "n"]])


def test_where_the_mean_alone_is_told_scores_of_people_who_count_the_same_are_exact(tmp_path):
    rows = people(Staff=6, Buyers=9, Public=12)
    shown, hidden = (
        assess(write_study(tmp_path / str(k), study=text, rows=rows)) for k, text in enumerate((THREE, INTERNAL))
    )
    np.testing.assert_allclose(hidden.scores["estimate"], shown.scores["estimate"], rtol=1e-12)
    for group in ("staff", "buyers", "public"):
        told, full = (table[table["group"] == group] for table in (hidden.group_scores, shown.group_scores))
        if group == "public":
            assert_frame_equal(told, full)
            continue
        assert told["estimate"].tolist() == full["estimate"].round(1).tolist()
        assert told[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
        assert told["n"].tolist() == full["n"].tolist() and not told["suppressed"].any()


def test_the_weights_table_hides_the_size_of_a_small_group_and_one_from_which_it_would_follow(tmp_path):
    table = assess(write_study(tmp_path, study=INTERNAL, rows=people(Staff=4, Buyers=9))).weights
    assert table["n"].fillna(-1).tolist() == [-1, -1, 0]
    assert table["group"].tolist() == ["staff", "buyers", "public"]
    assert table[["weight", "share_before", "share_after"]].iloc[:2].eq(1).all(axis=None)
    assert table[["weight", "share_before", "share_after"]].iloc[2].isna().all()


# Studies with hardly anything in them


ONE_ISSUE = STUDY[: STUDY.index('[[issues]]\nid = "safety"')] + STUDY[STUDY.index("[axes.people]") :]
ONE_GROUP = STUDY.replace('[[groups]]\nid = "buyers"\nlabel = "Buyers"\nanswers = ["Customer"]\n', "")
BUYERS_ALONE = STUDY.replace('column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { buyers = 1 }')
NO_MINIMUM = STUDY + '\n[cleaning]\nno_rating = "off"\ntoo_few_answers = "off"\n'
CENSUS = STUDY.replace('label = "Staff"', 'label = "Staff"\npopulation = 2').replace(
    'answers = ["Customer"]', 'answers = ["Customer"]\npopulation = 3'
)


@pytest.mark.parametrize("rule", ["mean", "median", "midpoint", "largest_gap"])
@pytest.mark.parametrize(
    ("study", "rows"),
    [
        pytest.param(ONE_ISSUE, ROWS, id="one issue"),
        pytest.param(ONE_GROUP, ROWS[:2], id="one group"),
        pytest.param(STUDY, ROWS[:1], id="one respondent"),
        pytest.param(STUDY, (ROWS[0], ROWS[3]), id="one respondent in each group"),
        pytest.param(STUDY, tuple(f"{k},Staff,4,4,4,4,4,4" for k in range(1, 6)), id="all answers equal"),
        pytest.param(STUDY, ("1,Staff,5,5,5,5,5,5", "2,Buyers,5,5,5,5,5,5"), id="all answers at the top"),
        pytest.param(STUDY, ("1,Staff,,5,3,,4,2", "2,Staff,,4,3,,3,3"), id="an issue without rating on both axes"),
        pytest.param(CENSUS, ROWS, id="everybody was asked"),
        pytest.param(
            STUDY, tuple(f"{k},Staff,{r},{r},{r},{r},{r},{r}" for k, r in enumerate("14325", 1)), id="all move together"
        ),
    ],
)
def test_a_study_with_hardly_anything_in_it_is_assessed_without_a_warning(tmp_path, study, rows, rule):
    text = f'{study}\n[tiers.thresholds]\npeople = "{rule}"\nbusiness = "{rule}"\n'
    assessment = assess(write_study(tmp_path, study=text, rows=rows))
    for table, columns in (
        (assessment.scores, ["estimate", "conf_low", "conf_high", "rank", "rank_low", "rank_high"]),
        (assessment.group_scores, ["estimate", "conf_low", "conf_high"]),
    ):
        scored = table["n"] > 0
        assert table.loc[scored, columns].notna().all(axis=None)
        assert table.loc[~scored, [*columns, "std_error"]].isna().all(axis=None)
        inside = table[scored]
        assert (inside["conf_low"] >= 1).all() and (inside["conf_high"] <= 5).all()
        assert (inside["conf_low"] <= inside["estimate"] + 1e-9).all()
        assert (inside["estimate"] <= inside["conf_high"] + 1e-9).all()
    points = assessment.matrix.points
    complete = points[["x", "y"]].notna().all(axis=1)
    assert points.loc[complete, ["tier", "material"]].notna().all(axis=None)
    assert points.loc[~complete, ["tier", "material"]].isna().all(axis=None)
    population = {group.id: group.population for group in assessment.study.groups}
    groups = assessment.group_scores
    lone = (groups["n"] < 2) & (groups["n"] < groups["group"].map(population).fillna(np.inf))
    told = complete & (points["issue"].map(groups[~lone].groupby("issue")["axis"].nunique()) == 2)
    for chance in ("tier_confidence", "p_material"):
        assert points[chance].notna().tolist() == told.tolist()
        assert points.loc[told, chance].between(0, 1).all()


def test_equal_answers_to_every_issue_leave_ranks_open_and_no_issue_above_another(tmp_path):
    assessment = assess(write_study(tmp_path, rows=tuple(f"{k},Staff,4,4,4,4,4,4" for k in range(1, 6))))
    assert assessment.scores["rank"].tolist() == [1] * 6
    assert assessment.scores[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 3]] * 6
    assert assessment.matrix.points["tier"].tolist() == [3, 3, 3]


def test_issues_that_every_respondent_answers_alike_share_rank_and_tier_for_sure(tmp_path):
    answers = [(4, 2.0), (5, 1.5), (2, 0.7), (4, 3.1), (3, 0.9), (2, 1.1), (5, 0.3)]
    rows = tuple(f"{k},{('Staff', 'Buyers')[k % 2]},{f'{a},' * 6}{w}" for k, (a, w) in enumerate(answers, 1))
    study = STUDY.replace('group = "group"', 'group = "group"\nweight = "w"')
    assessment = assess(write_study(tmp_path, study=study, rows=rows, header=HEADER + ",w"))
    assert assessment.scores["rank"].tolist() == [1] * 6
    assert assessment.scores["rank_high"].tolist() == [3] * 6
    assert assessment.matrix.points["tier"].tolist() == [3, 3, 3]
    assert assessment.matrix.points["tier_confidence"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("study", "rows", "empty"),
    [
        pytest.param(BUYERS_ALONE, ROWS[:2], "'business'", id="an axis whose only group has nobody"),
        pytest.param(STUDY, ("1,Staff,,,,4,4,2", "2,Staff,,,,5,3,3"), "'people'", id="an axis without rating"),
        pytest.param(NO_MINIMUM, ("1,Staff,,,,,,", "2,Buyers,,,,,,"), "'business', 'people'", id="no rating at all"),
        pytest.param(NO_MINIMUM, ("1,Staff,4,,,,4,3", "2,Buyers,5,,,,,2"), "", id="each issue on one axis alone"),
    ],
)
def test_a_study_in_which_no_issue_is_rated_on_both_axes_is_refused(tmp_path, study, rows, empty):
    with pytest.raises(MaterialityError) as refusal:
        assess(write_study(tmp_path, study=study, rows=rows))
    assert str(refusal.value) == (
        "study.toml: no issue has a rating on both axes of the matrix"
        + (f"; nobody who was asked rated anything on {empty}." if empty else ".")
        + "\n  Mend: look at the axes' columns and groups; `materiality inspect` shows what the columns hold."
    )


def test_an_axis_beside_the_matrix_that_nobody_answered_leaves_the_others_their_scores(tmp_path):
    beside = (
        '[axes.customers]\nlabel = "Importance to customers"\ncolumn = "{label}"\ngroups = { buyers = 1 }\n\n[matrix]'
    )
    assessment = assess(write_study(tmp_path, study=STUDY.replace("[matrix]", beside), rows=ROWS[:2]))
    assert assessment.scores["estimate"][:6].tolist() == [4.5, 4.5, 3.0, 4.5, 3.5, 2.5]
    assert assessment.scores["estimate"][6:].isna().all()
    assert assessment.matrix.points["tier"].tolist() == [1, 2, 3]


def test_haibeis_whole_covariance_over_both_axes_equals_a_sum_over_its_47_rows(haibei):
    """People in several groups, both axes at once: every pair of scores, by the method's definition, with loops."""
    assessment, answers, groups = haibei
    study = assessment.study
    weights = np.array(study.layout.group_weights)
    weights = weights / weights.sum(axis=1, keepdims=True)
    parts = np.zeros((len(answers), len(study.axes) * len(study.issues)))
    for g, group in enumerate(study.groups):
        inside = groups.map(lambda names, group=group: group.id in names).to_numpy()
        ratings = answers.to_numpy()[inside]
        rated = ~np.isnan(ratings)
        deviation = np.where(rated, ratings - np.nanmean(ratings, axis=0), 0.0) / rated.sum(axis=0)
        factor = np.sqrt(inside.sum() / (inside.sum() - 1))
        for k in range(len(study.axes)):
            columns = slice(k * len(study.issues), (k + 1) * len(study.issues))
            parts[np.flatnonzero(inside), columns] += factor * weights[k, g] * deviation
    np.testing.assert_allclose(assessment.estimates.covariance, parts.T @ parts, rtol=1e-9, atol=1e-15)
