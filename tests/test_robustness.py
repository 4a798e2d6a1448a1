"""How far results depend on flagged rows, missing answers, response style and the route to the standard error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import STUDY, write_study
from test_groups import HEADER, simulated_rows

from materiality.assessment import assess

PEOPLE, BUSINESS = list(HEADER[2:5]), list(HEADER[5:])


def assessed(folder, rows, study=STUDY):
    return assess(
        write_study(folder, study=study, csv=rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False))
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    rows = simulated_rows(5, {"staff": 40, "buyers": 30}, missing=0.1)
    answered = rows[list(HEADER[2:])].notna().sum(axis=1) >= 3
    rows = rows[answered]
    return rows, assessed(tmp_path_factory.mktemp("robust"), rows)


def scores(rows: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return rows.groupby("group", sort=False)[columns].mean().mean(axis=0).to_numpy()


def test_bounds_are_the_scores_with_every_missing_answer_at_one_end(found):
    rows, assessment = found
    for axis, columns in (("people", PEOPLE), ("business", BUSINESS)):
        table = assessment.bounds[assessment.bounds["axis"] == axis]
        filled = {end: rows.fillna(dict.fromkeys(columns, end)) for end in (1, 5)}
        np.testing.assert_allclose(table["lowest"], scores(filled[1], columns), rtol=1e-12)
        np.testing.assert_allclose(table["highest"], scores(filled[5], columns), rtol=1e-12)
        np.testing.assert_allclose(table["estimate"], scores(rows, columns), rtol=1e-12)


def test_centred_scores_are_those_of_ratings_less_the_persons_own_mean(found):
    rows, assessment = found
    for axis, columns in (("people", PEOPLE), ("business", BUSINESS)):
        table = assessment.centred[assessment.centred["axis"] == axis]
        ratings = rows[columns]
        centred = ratings.sub(ratings.mean(axis=1), axis=0).where(ratings.notna().sum(axis=1) > 1)
        expected = scores(centred.assign(group=rows["group"]), columns)
        np.testing.assert_allclose(table["centred"], expected, atol=1e-12)
        assert table["rank_centred"].tolist() == (-expected).argsort().argsort().__add__(1).tolist()


def test_who_answers_everything_higher_moves_no_rank_of_the_centred_view(tmp_path):
    rows = simulated_rows(6, {"staff": 40, "buyers": 30})
    rows[list(HEADER[2:])] = rows[list(HEADER[2:])].clip(1, 4)
    lenient = rows.copy()
    lenient.loc[rows["group"] == "staff", list(HEADER[2:])] += 1
    first, second = (assessed(tmp_path / name, one).centred for name, one in (("a", rows), ("b", lenient)))
    np.testing.assert_allclose(first["centred"], second["centred"], atol=1e-12)


def test_both_replicate_methods_come_near_the_linearised_standard_errors(tmp_path):
    rows = simulated_rows(7, {"staff": 120, "buyers": 90})
    study = STUDY + "\n[weighting]\nreplicates = 400\n"
    table = assessed(tmp_path, rows, study).replicates
    np.testing.assert_allclose(table["jackknife"], table["std_error"], rtol=1e-9)
    np.testing.assert_allclose(table["bootstrap"], table["std_error"], rtol=4 / np.sqrt(2 * 400))


def test_without_a_word_of_the_study_there_are_no_replicates(found):
    assert found[1].replicates.empty


def test_scores_without_flagged_rows_are_those_of_the_others(tmp_path):
    rows = simulated_rows(8, {"staff": 30, "buyers": 30})
    rows.loc[[2, 40], PEOPLE] = 5
    found = assessed(tmp_path, rows)
    flagged = {
        int(row)
        for lines in found.gathered.ledger.lines()
        for row, flags in zip(lines["row"], lines["flags"], strict=True)
        if flags
    }
    assert {4, 42} <= flagged
    rest = rows[~(rows.index + 2).isin(flagged)]
    table = found.flagged[found.flagged["axis"] == "people"]
    np.testing.assert_allclose(table["without_flagged"], scores(rest, PEOPLE), rtol=1e-12)


def test_a_category_that_only_flagged_rows_have_leaves_the_comparison_unraked_and_says_so(tmp_path):
    rows = simulated_rows(9, {"staff": 30, "buyers": 30}).assign(Sex=["f"] * 30 + [""] * 30)
    rows.loc[[2], PEOPLE] = 5
    rows.loc[[2], "Sex"] = "m"
    study = STUDY.replace('label = "Staff"\n', 'label = "Staff"\n[groups.margins.Sex]\nf = 9\nm = 1\n')
    found = assessed(tmp_path, rows, study)
    assert found.warnings[-1] == (
        "Without the flagged rows some margins cannot be met; the comparison without them is not raked there."
    )


def test_adjusted_means_of_complete_answers_are_the_plain_means_and_the_share_is_that_of_analysis_of_variance(tmp_path):
    """One group, complete answers: restricted maximum likelihood is the analysis of variance."""
    rows = simulated_rows(10, {"staff": 50})
    found = assessed(tmp_path, rows).leniency.set_index(["axis", "issue"]).loc["people"]
    ratings = rows[PEOPLE].to_numpy()
    n, k = ratings.shape
    np.testing.assert_allclose(found["adjusted"], ratings.mean(axis=0), rtol=1e-9)
    people = k * ratings.mean(axis=1).var(ddof=1)
    residual = ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + ratings.mean()
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    between = (people - error) / k
    assert found["intraclass"].iloc[0] == pytest.approx(between / (between + error), rel=1e-6)
    assert found["rank"].tolist() == (-ratings.mean(axis=0)).argsort().argsort().__add__(1).tolist()


def test_what_a_few_flagged_people_answered_cannot_be_told_from_the_comparison(tmp_path):
    rows = simulated_rows(8, {"staff": 30, "buyers": 30})
    rows[PEOPLE[0]], rows[BUSINESS[0]] = rows[PEOPLE[1]] % 5 + 1, rows[BUSINESS[1]] % 5 + 1
    rows.loc[[2], PEOPLE] = 5
    found = assessed(tmp_path, rows, STUDY.replace('profile = "off"', 'profile = "internal"'))
    assert len(found.flagged) == 6
    assert found.flagged[["without_flagged", "difference"]].isna().all(axis=None)
    assert found.flagged["tier_without_flagged"].notna().all()
