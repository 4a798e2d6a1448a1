"""Clusters become tiers where there are some, and no tiers where there are none."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from conftest import ROOT, STUDY
from scipy import stats as scipy_stats

from materiality.clustering import cluster_issues, cluster_tables, widest_gap
from materiality.estimates import Estimates
from materiality.matrix import build_matrix
from materiality.study import Study, TierMethod

NAN = math.nan
METHODS = ["kmeans", "gaussian_mixture", "ward", "natural_breaks"]
PLANTED = np.array([2, 1, 3, 1, 2, 3, 3, 1, 2, 3, 1, 2])
"""Tiers of twelve issues."""
CENTRES = {1: (4.6, 4.2), 2: (2.2, 4.0), 3: (1.8, 1.6)}
"""Business and people of each tier; their means, 4.4, 3.1 and 1.7, are as far apart."""
POINTS = np.array([CENTRES[tier] for tier in PLANTED]).T + np.random.default_rng(5).normal(0, 0.08, (2, 12))


def a_study(issues: int, **tiers) -> Study:
    study = tomllib.loads(STUDY)
    study["issues"] = [{"id": f"i{k}", "label": f"Issue {k}"} for k in range(issues)]
    return Study.model_validate({**study, "tiers": tiers})


def matrix_of(points, *, variance=1e-6, **tiers):
    """The matrix of points (business, people) whose scores are independent and normal."""
    values = np.asarray(points, float)[::-1].ravel()
    error = np.where(np.isnan(values), NAN, variance)
    estimates = Estimates(
        values=values,
        covariance=np.diag(error),
        df=np.full(values.shape, NAN),
        n=np.full(values.shape, 10),
        low=values - 0.1,
        high=values + 0.1,
        std_dev=np.sqrt(error),
        unreliable=np.zeros(values.shape, bool),
    )
    return build_matrix(a_study(len(values) // 2, **tiers), estimates, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("method", "given"), [*((method, {}) for method in METHODS), ("kmeans", {"clusters": 3}), ("ward", {"clusters": 3})]
)
def test_planted_clusters_are_the_tiers_and_thresholds_still_say_what_is_material(method, given):
    business = float(np.median(POINTS[0, PLANTED == 1]))
    found = matrix_of(POINTS, method=method, rule="both", thresholds={"business": business, "people": 3.0}, **given)
    assert (found.clusters.count, found.clusters.given, found.clusters.continuum) == (3, bool(given), False)
    assert found.points["tier"].tolist() == PLANTED.tolist()
    assert found.points["tier_confidence"].min() > 0.99
    assert found.points["material"].tolist() == ((POINTS[0] > business) & (POINTS[1] > 3.0)).tolist()
    assert found.points["material"].sum() == 2
    others = {other: labels.tolist() for other, labels in found.clusters.others.items()}
    assert others == {TierMethod(other): (PLANTED - 1).tolist() for other in METHODS if other != method}


@pytest.mark.parametrize("method", METHODS)
def test_a_continuum_has_no_tiers_but_material_issues(method):
    line = np.linspace(1.5, 4.5, 20)
    found = matrix_of([line, line], method=method)
    assert (found.clusters.count, found.clusters.continuum, found.clusters.stability) == (1, True, None)
    assert found.points[["tier", "tier_confidence"]].isna().all(axis=None)
    assert found.points["material"].tolist() == [False] * 10 + [True] * 10
    assert np.isnan([found.tiers.all_stay, found.tiers.same_set, *found.tiers.top]).all()


def test_one_cluster_that_the_study_asks_for_is_tier_1_for_sure():
    found = matrix_of(POINTS, method="kmeans", clusters=1)
    assert (found.clusters.count, found.clusters.continuum) == (1, False)
    assert found.points[["tier", "tier_confidence"]].eq(1).all(axis=None)


def test_thresholds_make_no_clusters():
    assert matrix_of(POINTS, method="thresholds").clusters is None


NONE = [None, None]
EQUAL = [[3.0] * 4, [3.0] * 4]
THREE = [[4.5, NAN, 1.5], [4.0, 3.0, 2.0]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("points", "given", "tier", "confidence"),
    [
        pytest.param([[4.0], [3.0]], {}, [None], [None], id="one issue"),
        pytest.param([[4.0], [3.0]], {"clusters": 1}, [1], [1], id="one issue in one cluster"),
        pytest.param([[2.0, 4.0], [2.0, 3.0]], {}, NONE, NONE, id="two issues"),
        pytest.param([[2.0, 4.0], [2.0, 3.0]], {"clusters": 2}, [2, 1], [1, 1], id="two issues in two clusters"),
        pytest.param(EQUAL, {}, NONE * 2, NONE * 2, id="all equal"),
        pytest.param(EQUAL, {"clusters": 3}, [1] * 4, [1] * 4, id="all equal in three clusters"),
        pytest.param(THREE, {"clusters": 3}, [1, None, 2], [1, None, 1], id="more clusters than issues with scores"),
        pytest.param([[NAN, 4.0], [3.0, NAN]], {"clusters": 2}, NONE, NONE, id="no issue with both scores"),
    ],
)
def test_degenerate_studies_get_what_tiers_they_can_have(method, points, given, tier, confidence):
    found = matrix_of(points, variance=0.0, method=method, **given)
    for column, expected in (("tier", tier), ("tier_confidence", confidence)):
        assert found.points[column].astype(object).where(found.points[column].notna(), None).tolist() == expected
    study = a_study(len(points[0]), method=method, **given)
    tables = cluster_tables(study, found.clusters)
    issues = int(np.isfinite(points).all(axis=0).sum())
    assert bool(len(tables["cluster_number"])) == (issues > 0)
    assert len(tables["clusters"]) == (issues if found.clusters.stability else 0)


@pytest.mark.parametrize(("method", "given"), [("ward", {}), ("natural_breaks", {"clusters": 3})])
def test_an_issue_without_a_score_is_in_no_cluster(method, given):
    points = np.insert(POINTS, 4, [NAN, 5.0], axis=1)
    found = matrix_of(points, method=method, **given)
    assert found.points.loc[4, ["tier", "tier_confidence", "material"]].isna().all()
    assert found.points["tier"].drop(index=4).tolist() == PLANTED.tolist()
    tables = cluster_tables(a_study(13, method=method, **given), found.clusters)
    assert tables["clusters"]["issue"].tolist() == [f"i{k}" for k in range(13) if k != 4]
    assert len(tables["co_assignment"]) == 12 * 11 / 2


def test_a_middle_issue_joins_the_nearer_of_two_as_often_as_the_normal_distribution_says():
    """Of three scores on a line the best two classes put the middle one with the nearer: above where 2 b > a + c."""
    variance = 0.04
    found = matrix_of([[1.0, 3.2, 5.0]] * 2, variance=variance, method="natural_breaks", clusters=2)
    p = scipy_stats.norm.cdf((2 * 3.2 - 1.0 - 5.0) / math.sqrt(6 * variance / 2))
    near = pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 10_000))
    assert found.points["tier"].tolist() == [2, 1, 1]
    assert found.points["tier_confidence"].tolist() == [1, near, 1]
    assert (found.tiers.all_stay, found.tiers.same_set) == (near, near)
    assert found.clusters.stability.co_assignment[1, 2] == near
    assert found.clusters.stability.co_assignment[0, 1] == pytest.approx(1 - found.tiers.same_set)


@pytest.mark.parametrize("method", ["kmeans", "natural_breaks"])
def test_confidence_in_tier_1_is_a_recount_of_the_draws(method):
    found = matrix_of(np.random.default_rng(8).uniform(2, 4, (2, 9)), variance=0.02, method=method, clusters=3)
    issues = range(9)
    first = {i for i in issues if found.points["tier"][i] == 1}
    stays = same = 0
    highest = [0, 0]
    for labels, (business, people) in zip(
        found.clusters.stability.drawn.tolist(), found.tiers.drawn.tolist(), strict=True
    ):
        now = {i for i in issues if labels[i] == 0}
        stays += first <= now
        same += first == now
        for axis, scores in enumerate((business, people)):
            highest[axis] += set(sorted(issues, key=lambda i: scores[i])[-len(first) :]) == first
    assert 0 < same < stays < 10_000
    assert (found.tiers.all_stay, found.tiers.same_set) == (stays / 10_000, same / 10_000)
    assert found.tiers.top.tolist() == [highest[0] / 10_000, highest[1] / 10_000]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0, 2.0, 4.0, 5.0, 7.0, 8.0], id="a little uneven"),
        pytest.param([3.5, 1.0, 1.2, 4.0, 3.2], id="out of order, a gap of two thirds"),
        pytest.param(np.r_[np.arange(12.0), 16 + np.arange(12.0)], id="two rows of twelve"),
        pytest.param(np.arange(25.0), id="even"),
    ],
)
def test_the_chance_of_the_widest_gap_is_the_share_of_even_points_with_one_as_wide(values):
    found = widest_gap(np.array(values))
    between = np.random.default_rng(6).uniform(size=(20_000, len(values) - 2))
    even = np.sort(np.c_[np.zeros(20_000), between, np.ones(20_000)], axis=1)
    share = (np.diff(even, axis=1).max(axis=1) >= found.share).mean()
    assert found.share == pytest.approx(np.diff(np.sort(values)).max() / np.ptp(values))
    assert found.p == pytest.approx(share, abs=4 * math.sqrt(max(share * (1 - share), 1e-4) / 20_000))


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75, 0.99])
def test_three_points_show_a_gap_of_at_least_half_with_twice_the_rest(share):
    found = widest_gap(np.array([2.0, 2.0 + share, 3.0]))
    assert (found.share, found.p) == pytest.approx((share, 2 * (1 - share)))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [3.0] * 5, [0.1 + 0.2, 0.3, 0.3]])
def test_no_gap_is_the_widest_of_fewer_than_three_values_or_of_equal_ones(values):
    assert widest_gap(np.array(values)) is None


# Tables


COLUMNS = {
    "cluster_number": [
        "clusters", "gap", "gap_error", "silhouette", "prediction_strength", "bic", "chosen_by", "chosen",
    ],
    "clusters": ["issue", "cluster", "confidence", "kmeans", "gaussian_mixture", "natural_breaks"],
    "cluster_stability": ["cluster", "issues", "jaccard", "verdict"],
    "cluster_agreement": ["method", "adjusted_rand"],
    "co_assignment": ["issue", "other", "share"],
}  # fmt: skip


def test_tables_have_the_columns_that_the_documentation_names():
    found = matrix_of(POINTS, method="ward")
    tables = cluster_tables(a_study(12, method="ward"), found.clusters)
    assert {name: list(table) for name, table in tables.items()} == COLUMNS
    text = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    for name, columns in COLUMNS.items():
        section = text.split(f"## `tables/{name}.csv`")[1].split("\n## ")[0]
        assert [column for column in columns if f"`{column}`" not in section] in ([], ["issue"])


@pytest.mark.parametrize("method", ["kmeans", "natural_breaks"])
def test_tables_tell_the_clusters(method):
    study = a_study(12, method=method, clusters=2)
    found = matrix_of(POINTS, variance=0.3, method=method, clusters=2).clusters
    tables = cluster_tables(study, found)
    number, clusters, pairs = tables["cluster_number"], tables["clusters"], tables["co_assignment"]
    assert number["clusters"].tolist() == [1, 2, 3, 4, 5, 6]
    assert number.loc[number["chosen"], "clusters"].tolist() == [2]
    said = " ".join(number["chosen_by"]).split()
    assert sorted(said) == ["bic", "gap", "prediction_strength", "silhouette"]
    assert "gap" in number["chosen_by"][2].split()
    assert (
        clusters["confidence"].tolist() == (found.stability.drawn + 1 == [*clusters["cluster"]]).mean(axis=0).tolist()
    )
    assert tables["cluster_stability"]["issues"].tolist() == [(clusters["cluster"] == k).sum() for k in (1, 2)]
    both = list(zip(pairs["issue"], pairs["other"], strict=True))
    assert both == list(combinations(clusters["issue"], 2))
    place = {issue: k for k, issue in enumerate(clusters["issue"])}
    drawn = found.stability.drawn
    together = [(drawn[:, place[a]] == drawn[:, place[b]]).mean() for a, b in both]
    assert pairs["share"].tolist() == pytest.approx(together)
    assert 0 < min(together) < max(together) < 1


def test_verdicts_turn_at_hennigs_limits():
    found = matrix_of(POINTS, method="kmeans", clusters=3).clusters
    jaccard = np.array([1.0, 0.75, 0.7499, 0.6, 0.5999, 0.5, 0.4999, NAN])
    edged = replace(found, count=8, stability=replace(found.stability, jaccard=jaccard))
    assert cluster_tables(a_study(12), edged)["cluster_stability"]["verdict"].tolist() == [
        "stable", "stable", "pattern", "pattern", "doubtful", "doubtful", "dissolved", "empty",
    ]  # fmt: skip


def test_clusters_leave_what_they_are_given_alone():
    values, drawn = POINTS.copy(), np.repeat(POINTS[None], 5, axis=0)
    before = drawn.copy()
    found = cluster_issues(a_study(12, clusters=3), values, drawn, np.random.default_rng(1))
    assert found.method is TierMethod.KMEANS
    np.testing.assert_array_equal(values, POINTS)
    np.testing.assert_array_equal(drawn, before)
