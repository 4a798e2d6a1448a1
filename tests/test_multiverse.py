"""Every combination of choices equals the same choices made by hand on the rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from conftest import HEADER as COLUMNS
from conftest import ROOT, STUDY, write_study
from scipy import stats as scipy_stats
from test_groups import HEADER, simulated_rows

from materiality.assessment import assess
from materiality.errors import Faults
from materiality.gathering import examine
from materiality.groups import estimated, score_targets
from materiality.matrix import build_matrix
from materiality.moments import moments_of, no_moments
from materiality.multiverse import CHOICES, multiverse
from materiality.nonresponse import bounds
from materiality.protection import withheld
from materiality.samples import score_weights, summarise
from materiality.study import MaterialRule
from materiality.style import centred
from materiality.weights import weigh

ISSUES = ("climate", "safety", "ethics")
AXES = {"business": list(HEADER[5:]), "people": list(HEADER[2:5])}
WEIGHTS = {"business": {"staff": 1.0, "buyers": 2.0}, "people": {"staff": 3.0, "buyers": 1.0}}
OWN = {
    "threshold": "study",
    "weights": "study",
    "certainty": "none",
    "flagged": "kept",
    "ratings": "as given",
    "missing": "left out",
}


def study_file(thresholds: str = "", weights: dict[str, dict[str, float]] = WEIGHTS, top: str = "") -> str:
    """The small study with group weights, thresholds, and what is to stand above everything."""
    tables = "".join(
        f"\n[axes.{axis}.groups]\n" + "".join(f"{group} = {weight}\n" for group, weight in by.items())
        for axis, by in weights.items()
    )
    return top + STUDY + tables + (f"\n[tiers.thresholds]\n{thresholds}\n" if thresholds else "")


def written(folder, rows, study):
    csv = rows.astype({name: "Int64" for name in HEADER[2:] if name in rows}).to_csv(index=False)
    return write_study(folder, study=study, csv=csv)


def multiverse_of(study, gathered):
    axes = [np.array(questions) for questions in study.layout.question_of]
    less = no_moments(len(study.layout.questions), len(study.groups), 0.0)
    for block, flags in gathered.rows.blocks():
        less += moments_of(centred(block, axes), midpoint=0.0, flags=flags)
    kept = withheld(study, summarise(gathered.moments, gathered.weights))
    return multiverse(study, gathered.moments, less, kept)


def multiverse_in(folder, rows, study):
    return multiverse_of(*examine(written(folder, rows, study)))


def scored(study, moments):
    """The sample, and the scores as an assessment has them."""
    sample = summarise(moments, weigh(study, moments, Faults(), ""))
    questions, weights = score_targets(study)
    return sample, estimated(study, sample, questions, score_weights(sample, questions, weights))


def matrix_says(study, moments) -> list[str]:
    """The material issues of the matrix that an assessment draws."""
    points = build_matrix(study, scored(study, moments)[1], np.random.default_rng(1)).points
    return points.loc[points["material"].fillna(False).astype(bool), "issue"].tolist()


def options(found) -> dict[str, list[str]]:
    return {name: list(found.choices[name].unique()) for name in CHOICES}


def chosen(found, **wanted: str) -> pd.DataFrame:
    """The combinations with these options."""
    keep = np.logical_and.reduce([found.choices[name] == option for name, option in wanted.items()])
    return found.choices[keep]


def material(found, **wanted: str) -> list[str]:
    """The issues that are material where all choices are the study's but for these."""
    (row,) = chosen(found, **{**OWN, "rule": "either", **wanted})["material"]
    return row.split()


def flagged_rows(gathered) -> list[int]:
    """Places in the export of the rows that were flagged."""
    return [
        int(row) - 2
        for lines in gathered.ledger.lines()
        for row, flags in zip(lines["row"], lines["flags"], strict=True)
        if flags
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """SIMULATED answers of 70, with missing ones and some rows flagged: the rows, those not flagged, the results."""
    rows = simulated_rows(12, {"staff": 40, "buyers": 30}, missing=0.15)
    rows.loc[[2, 40, 61], AXES["people"]] = 4
    rows.loc[[2, 40, 61], AXES["business"]] = 2
    rows.loc[rows[list(HEADER[2:])].notna().sum(axis=1) < 4, list(HEADER[2:])] = [3, 4, 2, 2, 4, 3]
    study = study_file('people = 3.2\nbusiness = "median"')
    study, gathered = examine(written(tmp_path_factory.mktemp("multiverse"), rows, study))
    assert gathered.moments.stack("n").sum() == len(rows)
    flagged = flagged_rows(gathered)
    assert 3 <= len(flagged) < 20
    return rows, rows.drop(index=flagged), (study, gathered), multiverse_of(study, gathered)


@pytest.fixture(scope="module")
def reference():
    study, gathered = examine(ROOT / "surveys" / "kstar-2023")
    return (study, gathered), multiverse_of(study, gathered)


def weights_by_hand(option: str, axis: str, rows: pd.DataFrame) -> dict[str, float]:
    weights = {
        "study": WEIGHTS[axis],
        "equal": {"staff": 1.0, "buyers": 1.0},
        "respondents": rows["group"].value_counts().to_dict(),
    }[option]
    return {group: weight / sum(weights.values()) for group, weight in weights.items()}


def ratings_by_hand(row: pd.Series, rows: pd.DataFrame, columns: list[str]) -> list[list[float]]:
    """The ratings of each respondent on an axis, NaN where missing, as the combination wants them."""
    found = []
    for given in rows[columns].to_numpy():
        rated = [rating for rating in given if not np.isnan(rating)]
        if row["ratings"] == "centred":
            own = sum(rated) / len(rated) if len(rated) > 1 else np.nan
            found.append([rating - own for rating in given])
        else:
            value = {"left out": np.nan, "lowest": 1.0, "highest": 5.0}[row["missing"]]
            found.append([value if np.isnan(rating) else rating for rating in given])
    return found


def scores_by_hand(row: pd.Series, rows: pd.DataFrame, axis: str) -> list[float]:
    ratings = ratings_by_hand(row, rows, AXES[axis])
    scores = []
    for issue in range(3):
        score = 0.0
        for group, weight in weights_by_hand(row["weights"], axis, rows).items():
            own = [one[issue] for one, of in zip(ratings, rows["group"], strict=True) if of == group]
            own = [rating for rating in own if not np.isnan(rating)]
            score += weight * sum(own) / len(own)
        scores.append(score)
    return scores


def threshold_by_hand(option: str, axis: str, scores: list[float]) -> float:
    low, middle, high = sorted(scores)
    if option == "study":
        return {"people": 3.2, "business": middle}[axis]
    return {
        "mean": (low + middle + high) / 3,
        "median": middle,
        "midpoint": 3.0,
        "largest gap": (low + middle) / 2 if middle - low >= high - middle else (middle + high) / 2,
    }[option]


def material_by_hand(row: pd.Series, scores: dict[str, list[float]], ends: dict[str, list[float]]) -> str:
    times = [0, 0, 0]
    for axis in AXES:
        threshold = threshold_by_hand(row["threshold"], axis, scores[axis])
        for issue, end in enumerate(ends[axis]):
            times[issue] += end > threshold + 1e-9
    enough = {"either": 1, "both": 2}[row["rule"]]
    return " ".join(issue for issue, n in zip(ISSUES, times, strict=True) if n >= enough)


def test_what_the_scores_call_material_equals_loops_over_the_rows_in_every_combination(found):
    rows, rest, _, result = found
    asked = chosen(result, certainty="none")
    assert asked["material"].nunique() > 4
    for world, combinations in asked.groupby(["weights", "flagged", "ratings", "missing"]):
        of = rows if world[1] == "kept" else rest
        scores = {axis: scores_by_hand(combinations.iloc[0], of, axis) for axis in AXES}
        for _, row in combinations.iterrows():
            assert row["material"] == material_by_hand(row, scores, scores), row.to_dict()


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(
    ("weights", "flagged", "missing"),
    [
        ("study", "kept", "left out"),
        ("equal", "left out", "left out"),
        ("respondents", "left out", "lowest"),
        ("respondents", "kept", "highest"),
    ],
)
def test_what_intervals_call_material_is_what_a_run_on_such_an_export_does(
    found, tmp_path, confidence, weights, flagged, missing
):
    rows, rest, _, result = found
    of = rows if flagged == "kept" else rest
    if missing != "left out":
        of = of.fillna({"lowest": 1, "highest": 5}[missing])
    by = {axis: weights_by_hand(weights, axis, of) for axis in AXES}
    study, gathered = examine(written(tmp_path, of, study_file(weights=by, top=f"confidence = {confidence}\n")))
    _, run = scored(study, gathered.moments)
    assert gathered.moments.stack("n").sum() == len(of)
    scores, ends = (
        {axis: values.reshape(2, 3)[list(study.axes).index(axis)].tolist() for axis in AXES}
        for values in (run.values, run.low)
    )
    certainty = f"{confidence:.0%}".replace("%", " %")
    rows_here = chosen(
        result, weights=weights, flagged=flagged, missing=missing, certainty=certainty, ratings="as given"
    )
    assert len(rows_here) == 2 * len(options(result)["threshold"])
    for _, row in rows_here.iterrows():
        assert row["material"] == material_by_hand(row, scores, ends), row.to_dict()


def test_what_intervals_of_centred_ratings_call_material_is_what_students_t_does(found):
    rows, rest, _, result = found
    asked = chosen(result, ratings="centred")
    asked = asked[asked["certainty"] != "none"]
    for world, combinations in asked.groupby(["weights", "flagged", "certainty"]):
        of = rows if world[1] == "kept" else rest
        quantile = 0.5 + {"80 %": 0.8, "95 %": 0.95}[world[2]] / 2
        first = combinations.iloc[0]
        scores, ends = {axis: scores_by_hand(first, of, axis) for axis in AXES}, {}
        for axis, columns in AXES.items():
            ratings = pd.DataFrame(ratings_by_hand(first, of, columns), index=of.index)
            variance, pieces, raters = np.zeros(3), np.zeros(3), ratings.notna().sum().to_numpy()
            for group, weight in weights_by_hand(world[0], axis, of).items():
                own = ratings[of["group"] == group]
                n, rated = len(own), own.notna().sum().to_numpy()
                part = (weight / rated) ** 2 * n / (n - 1) * ((own - own.mean()) ** 2).sum().to_numpy()
                variance, pieces = variance + part, pieces + part**2 / (rated - 1)
            df = np.minimum(variance**2 / pieces, raters - 1)
            ends[axis] = (np.array(scores[axis]) - scipy_stats.t.ppf(quantile, df) * np.sqrt(variance)).tolist()
        for _, row in combinations.iterrows():
            assert row["material"] == material_by_hand(row, scores, ends), row.to_dict()


def test_the_combinations_are_all_that_there_are(found, reference):
    thresholds = ["study", "mean", "median", "midpoint", "largest gap"]
    small = options(found[3])
    assert small == {
        "threshold": thresholds,
        "rule": ["either", "both"],
        "weights": ["study", "equal", "respondents"],
        "certainty": ["none", "80 %", "95 %"],
        "flagged": ["kept", "left out"],
        "ratings": ["as given", "centred"],
        "missing": ["left out", "lowest", "highest"],
    }
    # as given: 5 thresholds x 3 ways with missing answers; centred: 3 thresholds that scores set
    assert len(found[3].choices) == (5 * 3 + 3) * 2 * 3 * 3 * 2
    assert options(reference[1]) == {**small, "weights": ["study", "respondents"]}  # its groups are equal already
    assert len(reference[1].choices) == (5 * 3 + 3) * 2 * 2 * 3 * 2
    for result in (found[3], reference[1]):
        assert not result.choices.duplicated(list(CHOICES)).any()
        assert not (chosen(result, ratings="centred")["threshold"].isin(["study", "midpoint"])).any()
        assert (chosen(result, ratings="centred")["missing"] == "left out").all()


def test_the_studys_own_choice_is_one_of_them_and_is_what_the_matrix_shows(found, reference):
    for (study, gathered), result in (found[2:], reference):
        assert material(result, rule=study.tiers.rule.value) == matrix_says(study, gathered.moments)


def test_the_studys_own_choice_is_the_material_column_of_an_assessment(tmp_path):
    folder = written(tmp_path, PLAIN, study_file('people = "mean"\nbusiness = "median"'))
    points = assess(folder).matrix.points
    result = multiverse_of(*examine(folder))
    assert material(result) == points.loc[points["material"], "issue"].tolist() != []


def test_without_the_flagged_rows_the_rest_is_raked_and_placed_as_if_they_had_never_come(reference):
    (study, gathered), result = reference
    rest = gathered.moments.without_flagged()
    for rule in MaterialRule:
        other = study.model_copy(update={"tiers": study.tiers.model_copy(update={"rule": rule})})
        assert material(result, rule=rule.value, flagged="left out") == matrix_says(other, rest)


def test_filled_scores_are_the_bounds_of_the_missing_answers(found, reference):
    for study, gathered in (found[2], reference[0]):
        low, high = study.scale.low, study.scale.high
        sample, _ = scored(study, gathered.moments)
        known = bounds(sample, *score_targets(study), low=low, high=high)
        for end, expected in ((low, known.low), (high, known.high)):
            _, scores = scored(study, gathered.moments.filled(end, study.scale.points))
            np.testing.assert_allclose(scores.values, expected, rtol=1e-12)


def sets(table: pd.DataFrame) -> list[set[str]]:
    return [set(row.split()) for row in table["material"]]


def test_either_calls_material_whatever_both_does_and_asking_for_certainty_takes_issues_away(found, reference):
    for result in (found[3], reference[1]):
        either, both = (sets(chosen(result, rule=rule)) for rule in ("either", "both"))
        assert all(large >= small for large, small in zip(either, both, strict=True))
        for more, less in pairwise(options(result)["certainty"]):
            large, small = (sets(chosen(result, certainty=certainty)) for certainty in (more, less))
            assert all(one >= other for one, other in zip(large, small, strict=True))


def test_at_a_threshold_that_stays_higher_answers_in_place_of_missing_ones_only_add_issues(reference):
    result = reference[1]
    for name in ("study", "midpoint"):
        by = {
            missing: sets(chosen(result, threshold=name, missing=missing, certainty="none", ratings="as given"))
            for missing in ("lowest", "left out", "highest")
        }
        assert all(a <= b <= c for a, b, c in zip(*by.values(), strict=True))


def test_shares_are_those_of_the_combinations_with_each_option(found):
    result = found[3]
    has = pd.DataFrame(
        {issue: result.choices["material"].str.split().map(lambda s, i=issue: i in s) for issue in ISSUES}
    )
    shares = result.shares.set_index(["choice", "option", "issue"])
    assert shares.index.is_unique
    assert len(shares) == 3 * (1 + sum(len(names) for names in options(result).values()))
    for issue in ISSUES:
        assert shares.loc[("all", "all", issue)].tolist() == [has[issue].mean(), len(has)]
    for name in CHOICES:
        for option, part in has.groupby(result.choices[name]):
            for issue in ISSUES:
                assert shares.loc[(name, option, issue)].tolist() == [part[issue].mean(), len(part)]
    assert result.choices["n_material"].tolist() == has.sum(axis=1).tolist()


def plain_rows() -> pd.DataFrame:
    """SIMULATED complete answers of 20 and 10 who differ between the issues of each axis, so that none is flagged."""
    rows = simulated_rows(13, {"staff": 80, "buyers": 60})
    differ = np.logical_and.reduce([rows[columns].std(axis=1) > 0 for columns in AXES.values()])
    return rows[differ].groupby("group", sort=False).head(20).head(30).reset_index(drop=True)


PLAIN = plain_rows()


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        pytest.param(
            study_file(weights={axis: {"staff": 2, "buyers": 2} for axis in AXES}),
            {"weights": ["study", "respondents"]},
            id="equal weights",
        ),
        pytest.param(
            study_file(weights={axis: {"staff": 4, "buyers": 2} for axis in AXES}),
            {"weights": ["study", "equal"]},
            id="weights as many as answered",
        ),
        pytest.param(
            study_file(weights={axis: {"buyers": 2} for axis in AXES}), {"weights": ["study"]}, id="one group asked"
        ),
        pytest.param(study_file(), {"threshold": ["study", "median", "midpoint", "largest gap"]}, id="mean on both"),
        pytest.param(
            study_file('people = 3.0\nbusiness = "midpoint"'),
            {"threshold": ["study", "mean", "median", "largest gap"]},
            id="the midpoint in two words",
        ),
        pytest.param(
            study_file('people = "mean"\nbusiness = "median"'),
            {"threshold": ["study", "mean", "median", "midpoint", "largest gap"]},
            id="a rule on each axis",
        ),
        pytest.param(study_file(top="confidence = 0.8\n"), {"certainty": ["none", "80 %"]}, id="80 % already"),
        pytest.param(
            study_file(top="confidence = 0.575\n"), {"certainty": ["none", "57.5 %", "80 %"]}, id="less than 80 %"
        ),
        pytest.param(
            study_file()
            .replace('label = "Staff"\n', 'label = "Staff"\npopulation = 20\n')
            .replace('label = "Buyers"\n', 'label = "Buyers"\npopulation = 10\n'),
            {"certainty": ["none"]},
            id="everybody answered",
        ),
    ],
)
def test_options_that_come_to_the_same_are_one(tmp_path, study, expected):
    found = options(multiverse_in(tmp_path, PLAIN, study))
    assert {name: found[name] for name in expected} == expected
    assert (found["flagged"], found["missing"]) == (["kept"], ["left out"])


def test_of_two_issues_mean_median_and_largest_gap_are_one_threshold(tmp_path):
    study = study_file().replace('[[issues]]\nid = "ethics"\nlabel = "Ethics"\npillar = "governance"\n', "")
    found = multiverse_in(tmp_path, PLAIN, study)
    assert options(found)["threshold"] == ["study", "midpoint"]


def test_top_issues_are_a_threshold_of_centred_ratings_too(tmp_path):
    found = multiverse_in(tmp_path, PLAIN, study_file('people = "top 1"\nbusiness = "top 2"'))
    table = chosen(found, threshold="study", certainty="none", ratings="centred")
    assert set(table.loc[table["rule"] == "both", "n_material"]) <= {0, 1}
    assert set(table.loc[table["rule"] == "either", "n_material"]) <= {2, 3}
    assert len(table) == 2 * 3


def test_flagged_rows_and_missing_answers_of_those_whom_the_matrix_does_not_ask_are_no_choice(tmp_path):
    rows = PLAIN.copy()
    rows.loc[[22, 25], AXES["people"]] = 5
    rows.loc[21, "Safety"] = np.nan
    for asked, flagged, missing in (
        ({"staff": 1, "buyers": 1}, ["kept", "left out"], ["left out", "lowest", "highest"]),
        ({"staff": 1}, ["kept"], ["left out"]),
    ):
        study = study_file(weights=dict.fromkeys(AXES, asked))
        study, gathered = examine(written(tmp_path / str(len(asked)), rows, study))
        assert gathered.moments.without_flagged().cells.keys() != gathered.moments.cells.keys()
        found = options(multiverse_of(study, gathered))
        assert (found["flagged"], found["missing"]) == (flagged, missing)


def test_an_issue_without_a_score_is_never_material_has_no_share_and_moves_no_threshold(tmp_path):
    rows = simulated_rows(14, {"staff": 20, "buyers": 15}, missing=0.1).assign(Ethics=np.nan)
    study, gathered = examine(written(tmp_path, rows, study_file()))
    unrated = multiverse_of(study, gathered)
    assert not unrated.choices["material"].str.contains("ethics").any()
    shares = unrated.shares.set_index("issue")
    assert shares.loc["ethics", "share"].isna().all()
    assert (shares.loc["ethics", "choices"] == 0).all()
    assert shares.loc[["climate", "safety"], "share"].notna().all(axis=None)
    assert "lowest" in options(unrated)["missing"]
    # its other score still counts among those of its axis, as in the matrix
    assert material(unrated) == matrix_says(study, gathered.moments)


def test_answers_missing_where_nobody_rated_are_no_choice(tmp_path):
    rows = PLAIN.assign(Ethics=np.nan)
    assert options(multiverse_in(tmp_path, rows, study_file()))["missing"] == ["left out"]


def test_a_group_of_which_nobody_rated_an_issue_counts_once_its_answers_are_filled(tmp_path):
    rows = PLAIN.copy()
    rows.loc[rows["group"] == "buyers", "Climate"] = np.nan
    study, gathered = examine(written(tmp_path, rows, study_file("people = 3.2\nbusiness = 5")))
    result = multiverse_of(study, gathered)
    staff = rows.loc[rows["group"] == "staff", "Climate"].mean()
    for missing, end in (("lowest", 1), ("highest", 5)):
        assert ("climate" in material(result, missing=missing)) == (0.75 * staff + 0.25 * end > 3.2)


def test_one_issue_has_no_centred_ratings_and_lies_above_no_score_but_its_own(tmp_path):
    study = study_file()
    for issue in (
        'id = "safety"\nlabel = "Safety"\npillar = "social"',
        'id = "ethics"\nlabel = "Ethics"\npillar = "governance"',
    ):
        study = study.replace(f"[[issues]]\n{issue}\n", "")
    rows = PLAIN[["id", "group", "Climate", "Impact of Climate"]].assign(**{"Climate": 5, "Impact of Climate": 4})
    result = multiverse_in(tmp_path, rows, study)
    assert options(result)["ratings"] == ["as given"]
    assert options(result)["threshold"] == ["study", "midpoint"]
    assert material(result) == []
    assert material(result, threshold="midpoint", rule="both") == ["climate"]


def test_issues_that_are_all_equal_lie_above_no_threshold_that_they_set(tmp_path):
    rows = PLAIN.copy()
    rows[list(HEADER[2:])] = np.tile(rows[["Climate"]].to_numpy(), 6)
    result = multiverse_in(tmp_path, rows, study_file('people = "median"\nbusiness = "mean"'))
    by_scores = result.choices[result.choices["threshold"] != "midpoint"]
    assert (by_scores["n_material"] == 0).all()
    assert set(result.choices["n_material"]) <= {0, 3}


def test_groups_of_one_get_an_answer(tmp_path):
    header = COLUMNS.split(",")
    rows = pd.DataFrame([("1", "Staff", 5, 4, 1, 4, 4, 2), ("2", "Buyers", 5, 3, 2, 5, 3, 1)], columns=header)
    result = multiverse_in(tmp_path, rows, study_file())
    assert material(result) == ["climate", "safety"]
    assert material(result, rule="both", threshold="largest gap") == ["climate", "safety"]
    assert (chosen(result, certainty="95 %", ratings="as given", threshold="midpoint")["n_material"] == 0).all()


def test_where_every_row_is_flagged_none_is_left_out(tmp_path):
    rows = PLAIN.copy()
    for columns in AXES.values():
        rows[columns] = np.tile(rows[columns[:1]].to_numpy(), 3)
    result = multiverse_in(tmp_path, rows, study_file())
    assert options(result)["flagged"] == ["kept"]


def test_every_score_is_of_raked_weights_and_without_the_flagged_rows_they_are_raked_anew(tmp_path):
    """Nine of ten staff are women, who rate climate 5, and half of those who answered; men rate it 1.

    Two of the six women are flagged, and another left climate blank. Raked, climate scores from 3.7 (without the
    flagged, the blank taken for 1) to 4.6; unraked 3 at most, and 3.57 where weights of all stand for those left.
    """
    rows = pd.DataFrame([[5, 4, 3, 3, 4, 2]] * 6 + [[1, 4, 3, 3, 4, 2]] * 6, columns=HEADER[2:])
    rows.loc[[0, 1], AXES["people"]] = 5
    rows.loc[5, "Climate"] = np.nan
    rows = rows.assign(id=range(12), group="Staff", Sex=["f"] * 6 + ["m"] * 6)
    study = study_file("people = 3.65\nbusiness = 5", weights={axis: {"staff": 1} for axis in AXES})
    study = study.replace('label = "Staff"\n', 'label = "Staff"\n[groups.margins.Sex]\nf = 9\nm = 1\n')
    result = multiverse_in(tmp_path, rows, study)
    table = chosen(result, threshold="study", rule="either", certainty="none", ratings="as given")
    assert table[["flagged", "missing", "material"]].to_numpy().tolist() == [
        [flagged, missing, "climate safety"]
        for flagged in ("kept", "left out")
        for missing in ("left out", "lowest", "highest")
    ]


def test_weights_by_respondents_count_those_who_are_left(tmp_path):
    """Six staff rate climate 5, four buyers 2: 3.8 together, but 3 once four of the staff are left out."""
    staff, flagged, buyers = [5, 4, 3, 3, 4, 2], [5, 5, 5, 3, 4, 2], [2, 3, 3, 3, 4, 2]
    rows = pd.DataFrame([staff] * 2 + [flagged] * 4 + [buyers] * 4, columns=HEADER[2:])
    rows = rows.assign(id=range(10), group=["staff"] * 6 + ["buyers"] * 4)
    result = multiverse_in(tmp_path, rows, study_file("people = 3.4\nbusiness = 5"))
    by_respondents = {
        flagged: material(result, weights="respondents", flagged=flagged) for flagged in ("kept", "left out")
    }
    assert ("climate" in by_respondents["kept"], "climate" in by_respondents["left out"]) == (True, False)


def test_nothing_is_written_into_the_moments(found):
    result = found[3]
    again = multiverse_of(*found[2])
    pd.testing.assert_frame_equal(again.choices, result.choices)
    pd.testing.assert_frame_equal(again.shares, result.shares)
