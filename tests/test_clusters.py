"""Partitions equal enumeration and scikit-learn, and their stability equals Hennig's definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from materiality.clusters import (
    Stability,
    Verdict,
    adjusted_rand,
    co_assignment,
    gaussian_mixture,
    jaccard,
    kmeans,
    matched,
    mixture_log_likelihood,
    natural_breaks,
    ordered_labels,
    stability,
    verdict,
    ward,
)
from materiality.clusters.partitions import RIDGE

ALL = [kmeans, ward, gaussian_mixture, natural_breaks]


def data_sets(sets, n, *, seed=1):
    """Simulated: a third shapeless, a third in four groups, a third on a coarse grid."""
    generator = np.random.default_rng(seed)
    cloud = generator.normal(size=(sets, n, 2)) @ np.array([[0.5, 0.3], [0.0, 0.4]]) + 3.5
    centres = generator.normal(size=(sets, 4, 2))
    groups = centres[np.arange(sets)[:, None], generator.integers(0, 4, (sets, n))]
    groups = groups + generator.normal(0, 0.3, (sets, n, 2))
    grid = np.round(generator.uniform(1, 5, (sets, n, 2)), 1)
    kind = (np.arange(sets) % 3)[:, None, None]
    return np.select([kind == 0, kind == 1], [cloud, groups], grid)


def three_groups(seed=1, spread=0.1):
    generator = np.random.default_rng(seed)
    centres = np.repeat([[1.5, 1.5], [3.0, 3.0], [4.5, 4.5]], 5, axis=0)
    return centres + generator.normal(0, spread, (15, 2))


def squares(points, labels):
    return sum(((points[labels == c] - points[labels == c].mean(axis=0)) ** 2).sum() for c in np.unique(labels))


def blocks(labels):
    """The partition without its numbers."""
    return {frozenset(np.flatnonzero(labels == c).tolist()) for c in np.unique(labels)}


def values_of(fit, points):
    return points[..., 0] if fit is natural_breaks else points


@pytest.mark.parametrize("k", [2, 3, 4])
def test_kmeans_reaches_the_least_of_all_partitions_of_seven_points(k):
    every = np.array([(0, *rest) for rest in itertools.product(range(k), repeat=6)])
    member = (every[:, None] == np.arange(k)[:, None]).astype(float)
    size = np.maximum(member.sum(axis=2), 1)[..., None]
    points = data_sets(40, 7)
    for one, labels in zip(points, kmeans(points, k), strict=True):
        out = one - one.mean(axis=0)
        least = ((out**2).sum() - ((member @ out) ** 2 / size).sum(axis=(1, 2))).min()
        assert squares(one, labels) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_kmeans_is_hardly_ever_above_the_best_of_fifty_random_starts(k):
    points = data_sets(40, 25, seed=5)
    best = [KMeans(k, n_init=50, random_state=0).fit(one).inertia_ for one in points]
    found = [squares(*pair) for pair in zip(points, kmeans(points, k), strict=True)]
    excess = np.array(found) / best - 1
    assert (excess < 1e-9).mean() >= 0.97
    assert excess.max() < 0.05


def test_kmeans_ends_where_no_single_move_lowers_the_sum():
    points = data_sets(30, 25, seed=3)
    base = kmeans(points[0], 4)
    for one, labels in zip(points, kmeans(points, 4, starts=base), strict=True):
        assert len(np.unique(labels)) == 4
        here = squares(one, labels)
        for point, to in itertools.product(range(25), range(4)):
            moved = labels.copy()
            moved[point] = to
            assert squares(one, moved) > here - 1e-9


@pytest.mark.parametrize("k", [1, 2, 3, 6, 25])
def test_ward_equals_scipys_tree_cut_at_k(k):
    points = data_sets(30, 25)
    points = points + np.random.default_rng(2).normal(0, 1e-3, points.shape)  # without ties
    for one, labels in zip(points, ward(points, k), strict=True):
        tree = hierarchy.linkage(one, "ward")
        assert blocks(labels) == blocks(hierarchy.fcluster(tree, k, "maxclust"))


def test_wards_first_pair_is_merged_where_pairs_tie():
    assert ward([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]], 4).tolist() == [0, 0, 1, 2, 3]


def test_the_likelihood_of_one_component_is_the_normal_distributions():
    points = data_sets(6, 25)
    for one, found in zip(points, mixture_log_likelihood(points, 1), strict=True):
        covariance = np.cov(one.T, bias=True)
        ridged = covariance + RIDGE * np.trace(covariance) / 2 * np.eye(2)
        fit = np.trace(np.linalg.solve(ridged, covariance))
        assert found == pytest.approx(-12.5 * (2 * math.log(2 * math.pi) + np.linalg.slogdet(ridged)[1] + fit))


@pytest.mark.parametrize("k", [2, 3])
def test_the_mixture_is_as_likely_as_scikit_learns_from_the_same_start(k):
    for one, found in zip(points := data_sets(12, 25), mixture_log_likelihood(points, k), strict=True):
        start = kmeans(one, k)
        posterior = np.eye(k)[start]
        other = GaussianMixture(
            k,
            covariance_type="tied",
            means_init=posterior.T @ one / posterior.sum(axis=0)[:, None],
            weights_init=posterior.mean(axis=0),
            precisions_init=np.linalg.inv(
                sum(np.cov(one[start == c].T, bias=True) * (start == c).mean() for c in range(k))
                + RIDGE * one.var(axis=0).mean() * np.eye(2)
            ),
            reg_covar=RIDGE * one.var(axis=0).mean(),
            tol=1e-7,
            max_iter=2000,
        ).fit(one)
        assert found > other.score(one) * 25 - 0.05


def test_mixtures_of_distant_groups_are_those_groups_though_stretched():
    generator = np.random.default_rng(4)
    points = np.repeat([[0.0, 0.0], [0.0, 1.0]], 12, axis=0) + generator.normal(size=(24, 2)) * [1.0, 0.05]
    assert blocks(gaussian_mixture(points, 2)) == {frozenset(range(12)), frozenset(range(12, 24))}


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_natural_breaks_are_the_best_of_all_breaks(k):
    for values, labels in zip(sets := data_sets(30, 11)[..., 0], natural_breaks(sets, k), strict=True):
        ordered = np.sort(values)
        least = min(
            sum(((part - part.mean()) ** 2).sum() for part in np.split(ordered, breaks))
            for breaks in itertools.combinations(range(1, 11), k - 1)
        )
        assert squares(values[:, None], labels) == pytest.approx(least, rel=1e-9, abs=1e-12)
        assert (np.diff(labels[values.argsort()]) >= 0).all()


def test_equal_values_fall_in_one_class():
    assert natural_breaks([3.0, 1.0, 3.0, 3.0, 1.0, 2.0], 3).tolist() == [2, 0, 2, 2, 0, 1]


@pytest.mark.parametrize("fit", ALL)
def test_each_data_set_is_fitted_by_itself(fit):
    points = values_of(fit, data_sets(12, 20))
    together = fit(points.reshape(3, 4, *points.shape[1:]), 3)
    assert together.reshape(12, 20).tolist() == [fit(one, 3).tolist() for one in points]


@pytest.mark.parametrize("fit", ALL)
def test_the_input_is_left_as_it_was(fit):
    points = values_of(fit, data_sets(4, 20))
    before = points.copy()
    fit(points, 3)
    assert np.array_equal(points, before)


@pytest.mark.parametrize("fit", ALL)
@pytest.mark.parametrize(
    ("rows", "k", "clusters"),
    [
        pytest.param([[3.0, 3.0]], 1, 1, id="one issue"),
        pytest.param([[3.0, 3.0]] * 5, 3, 1, id="all issues equal"),
        pytest.param([[3.0, 3.0], [4.0, 4.0]] * 3, 4, 2, id="two distinct among six"),
        pytest.param([[1.0, 3.0], [2.0, 3.0], [4.0, 3.0], [5.0, 3.0]], 2, 2, id="one axis constant"),
    ],
)
def test_points_that_coincide_share_a_cluster(fit, rows, k, clusters):
    points = np.array(rows)
    labels = fit(values_of(fit, points), k)
    assert len(np.unique(labels)) == clusters
    assert all(len(set(labels[(points == row).all(axis=1)].tolist())) == 1 for row in points)


@pytest.mark.parametrize("fit", [kmeans, ward, natural_breaks])
def test_as_many_clusters_as_distinct_points_put_each_apart(fit):
    points = values_of(fit, data_sets(1, 9)[0])
    assert len(np.unique(fit(points, 9))) == len(np.unique(points, axis=0))


def test_coinciding_points_are_infinitely_likely():
    assert mixture_log_likelihood([[[3.0, 3.0]] * 4, [[1.0, 2.0]] * 4], 2).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("fit", ALL)
@pytest.mark.parametrize(
    ("k", "spoilt", "message"),
    [
        (0, 3.0, "k must lie between 1 and the 4 points, not at 0"),
        (5, 3.0, "k must lie between 1 and the 4 points, not at 5"),
        (2, math.nan, "every coordinate must be finite; leave out the points without"),
        (2, math.inf, "every coordinate must be finite; leave out the points without"),
    ],
)
def test_a_slip_of_the_caller_is_refused(fit, k, spoilt, message):
    points = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 1.0], [spoilt, 4.0]])
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(values_of(fit, points), k)


@pytest.mark.parametrize("fit", [kmeans, gaussian_mixture])
@pytest.mark.parametrize("starts", [[0, 1], [0, 1, 2], [0, -1, 1]])
def test_starts_that_do_not_fit_are_refused(fit, starts):
    with pytest.raises(ValueError, match=r"^starts must "):
        fit(np.eye(3), 2, starts=starts)


def test_clusters_are_numbered_from_the_top_right():
    points = np.array([[1.0, 1.0], [2.0, 4.0], [4.0, 2.0], [5.0, 5.0]])
    assert ordered_labels(points, [0, 1, 2, 3], 5).tolist() == [3, 2, 1, 0]
    assert ordered_labels([1.0, 3.0, 2.0], [0, 1, 2], 3).tolist() == [2, 0, 1]
    assert ordered_labels(points, [4, 4, 4, 2], 5).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_matching_keeps_as_many_labels_as_any_renumbering_can(k):
    generator = np.random.default_rng(k)
    base, labels = generator.integers(0, k, 25), generator.integers(0, k, (40, 25))
    found = matched(labels, base, k)
    for before, after in zip(labels, found, strict=True):
        table = (base[:, None] == np.arange(k)).astype(int).T @ (before[:, None] == np.arange(k))
        assert (after == base).sum() == table[linear_sum_assignment(table, maximize=True)].sum()
        assert blocks(after) == blocks(before)


def test_of_renumberings_that_tie_the_one_nearest_to_the_old_numbers_is_taken():
    assert matched([[0, 1, 0, 1]], [0, 0, 1, 1], 2).tolist() == [[0, 1, 0, 1]]
    assert matched([[1, 0, 1, 0]], [0, 0, 1, 1], 2).tolist() == [[1, 0, 1, 0]]


def test_co_assignment_and_jaccard_equal_their_definitions():
    generator = np.random.default_rng(3)
    base, labels = generator.integers(0, 3, 12), generator.integers(0, 4, (50, 12))
    together = [[np.mean([draw[i] == draw[j] for draw in labels]) for j in range(12)] for i in range(12)]
    assert co_assignment(labels) == pytest.approx(np.array(together))
    for cluster, found in enumerate(jaccard(labels, base, 4)[:3]):
        ours = set(np.flatnonzero(base == cluster).tolist())
        best = [max(len(ours & theirs) / len(ours | theirs) for theirs in blocks(draw)) for draw in labels]
        assert found == pytest.approx(np.mean(best))


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        (1.0, "stable"),
        (0.75, "stable"),
        (0.749, "pattern"),
        (0.6, "pattern"),
        (0.599, "doubtful"),
        (0.5, "doubtful"),
        (0.499, "dissolved"),
        (0.0, "dissolved"),
        (math.nan, "empty"),
    ],
)
def test_verdicts_are_hennigs(similarity, expected):
    assert verdict(similarity) is Verdict(expected)


@pytest.mark.parametrize("fit", ALL)
def test_distant_groups_are_stable_and_certain(fit):
    points = values_of(fit, three_groups())
    draws = points + np.random.default_rng(2).normal(0, 0.05, (200, *points.shape))
    found = stability(points, draws, 3, fit)
    assert found.labels.tolist() == [2] * 5 + [1] * 5 + [0] * 5
    assert found.confidence.tolist() == [1.0] * 15
    assert found.jaccard.tolist() == [1.0] * 3
    assert found.co_assignment.tolist() == (found.labels[:, None] == found.labels).astype(float).tolist()


def test_clusters_whose_heights_swap_keep_their_labels():
    points = np.array([[1.0, 4.0], [1.1, 4.0], [4.0, 1.0], [4.0, 1.05]])
    draws = points + np.random.default_rng(2).normal(0, 0.2, (200, 4, 2))
    orders = ordered_labels(draws, np.tile([0, 0, 1, 1], (200, 1)), 2)[:, 0]
    assert 0.2 < orders.mean() < 0.8
    assert stability(points, draws, 2, kmeans).confidence.tolist() == [1.0] * 4


def test_an_issue_between_two_groups_is_as_uncertain_as_the_draws_make_it():
    points = np.vstack([three_groups()[5:], [[3.7, 3.7]]])
    draws = np.tile(points, (1000, 1, 1))
    draws[:, -1] += np.random.default_rng(2).normal(0, 0.3, (1000, 1))
    found = stability(points, draws, 2, ward)
    nearer_top = draws[:, -1].sum(axis=1) > (points[5:10].sum() + points[:5].sum()) / 10
    certain = max(nearer_top.mean(), 1 - nearer_top.mean())
    assert found.confidence[:-1].tolist() == [1.0] * 10
    assert found.confidence[-1] == pytest.approx(certain, abs=0.03)


@pytest.mark.parametrize("fit", ALL)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 3)])
def test_issues_that_are_all_equal_make_one_cluster_and_empty_others(fit, n, k):
    points = values_of(fit, np.full((n, 2), 3.0))
    found = stability(points, np.tile(points, (7, *[1] * points.ndim)), k, fit)
    assert found.labels.tolist() == [0] * n
    assert found.confidence.tolist() == [1.0] * n
    assert [verdict(similarity) for similarity in found.jaccard] == [Verdict.STABLE] + [Verdict.EMPTY] * (k - 1)


def test_without_draws_the_shares_are_missing():
    found = stability(three_groups(), np.empty((0, 15, 2)), 3, kmeans)
    assert isinstance(found, Stability)
    assert np.isnan(found.confidence).all()
    assert np.isnan(found.co_assignment).all()
    assert np.isnan(found.jaccard).all()


def test_arrays_of_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^draws of shape \(3, 2\) do not fit points of shape \(3, 2\)$"):
        stability(np.zeros((3, 2)), np.zeros((3, 2)), 1, kmeans)
    with pytest.raises(ValueError, match=r"^labels of shape \(1, 2\) do not fit a base of shape \(3,\)$"):
        matched([[0, 1]], [0, 1, 1], 2)
    with pytest.raises(ValueError, match=r"^labels must lie from 0 to 1$"):
        jaccard([[0, 2]], [0, 1], 2)
    with pytest.raises(ValueError, match=r"^labels of at most 10 clusters can be matched, not of 11$"):
        matched([[0, 1]], [0, 1], 11)
    with pytest.raises(ValueError, match=r"^labels must lie from 0 to 1$"):
        ordered_labels([1.0, 2.0], [0, 2], 2)
    with pytest.raises(ValueError, match=r"^partitions of shapes \(2,\) and \(3,\) cannot be compared$"):
        adjusted_rand([0, 1], [0, 1, 1])


def test_the_adjusted_rand_index_is_scikit_learns():
    generator = np.random.default_rng(6)
    for sizes in itertools.product((1, 2, 3, 10), repeat=2):
        a, b = (generator.integers(0, size, 12) for size in sizes)
        assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    assert adjusted_rand([0, 1, 2], [2, 0, 1]) == adjusted_rand([0], [0]) == adjusted_rand([], []) == 1.0
