"""The number of clusters equals other programs' and closed forms, and a continuum is called one cluster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

from materiality.clusters.number import first_sufficient, number_of_clusters
from materiality.clusters.partitions import gaussian_mixture, kmeans, natural_breaks, ward

NAN = math.nan


def numbered(points, *, seed=1, references=50, splits=20, **options):
    generator = np.random.default_rng(seed)
    return number_of_clusters(np.asarray(points, float), generator, references=references, splits=splits, **options)


def cloud(n=25, *, correlation=0.6, seed=3):
    return np.random.default_rng(seed).multivariate_normal([3, 3], [[1, correlation], [correlation, 1]], n)


def clumps(sizes, centres, *, spread=0.15, seed=4):
    centres = np.repeat(np.array(centres, float), sizes, axis=0)
    return centres + np.random.default_rng(seed).normal(0, spread, centres.shape)


TWO = clumps([13, 12], [[2, 2], [4, 4]])
THREE = clumps([9, 8, 8], [[2, 2], [3, 4.5], [5, 4]])
PLACES = [[1, 2]] * 9 + [[4, 3]] * 8


def choices(number):
    return [number.by_gap, number.by_silhouette, number.by_prediction_strength, number.by_bic]


class Recorder:
    """A partition that keeps what it was given and what it gave."""

    def __init__(self, fit):
        self.fit, self.calls = fit, []

    def __call__(self, points, k):
        labels = self.fit(points, k)
        self.calls.append((points, k, labels))
        return labels


def plain_within(points, labels):
    """Sum over clusters of all squared distances between their points, over twice the size: the paper's W."""
    total = 0.0
    for label in set(labels.tolist()):
        own = [p for p, found in zip(points, labels, strict=True) if found == label]
        total += sum(math.dist(a, b) ** 2 for a in own for b in own) / (2 * len(own))
    return total


def test_the_gap_is_the_papers_on_the_same_reference_sets():
    recorder = Recorder(kmeans)
    found = numbered(cloud(12), fit=recorder, most=4, references=7, splits=1)
    calls = [(points, labels) for points, _, labels in recorder.calls if points.ndim == 3]
    calls.insert(0, (calls[0][0], np.zeros_like(calls[0][1])))
    for k, (sets, labels) in enumerate(calls):
        seen, *drawn = (math.log(plain_within(*pair)) for pair in zip(sets, labels, strict=True))
        assert len(drawn) == 7
        assert found.gap[k] == pytest.approx(np.mean(drawn) - seen)
        assert found.gap_error[k] == pytest.approx(math.sqrt(1 + 1 / 7) * np.std(drawn))


def test_the_gap_agrees_with_a_loop_over_another_k_means():
    """Fresh reference sets, made by the paper's recipe, and scikit-learn's partitions of them."""
    points, references = cloud(25), 40
    generator = np.random.default_rng(8)
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(centred.T))
    turned = centred @ axes
    boxes = [generator.uniform(turned.min(axis=0), turned.max(axis=0), (25, 2)) @ axes.T for _ in range(references)]

    def log_within(x, k):
        return math.log(KMeans(k, n_init=4, random_state=0).fit(x).inertia_)

    found = numbered(points, most=3, references=200, splits=1)
    for k in (1, 2, 3):
        drawn = np.array([log_within(box, k) for box in boxes])
        tolerance = 4 * drawn.std() * math.sqrt(1 / references + 1 / 200)
        assert found.gap[k - 1] == pytest.approx(drawn.mean() - log_within(points, k), abs=tolerance)


def test_the_gap_of_two_points_is_known():
    """Two even draws on a line of length one lie D apart: E log D² = -3 and Var log D² = 5."""
    found = numbered([[1, 2], [4, 3]], references=40_000)
    assert found.gap[0] == pytest.approx(-3, abs=4 * math.sqrt(5 / 40_000))
    assert found.gap_error[0] == pytest.approx(math.sqrt(5), rel=0.03)


def test_the_reference_box_is_turned_with_the_points():
    recorder = Recorder(kmeans)
    numbered(cloud(correlation=0.98), fit=recorder, references=200, most=2)
    box = next(points for points, _, _ in recorder.calls if points.ndim == 3)[1:].reshape(-1, 2)
    assert np.ptp(box, axis=0).min() < 0.25 * np.ptp(box, axis=0).max()


@pytest.mark.parametrize("points", [cloud(), cloud(10, seed=6), TWO, THREE, np.round(cloud(40))], ids=len)
@pytest.mark.parametrize("fit", [kmeans, ward])
def test_the_silhouette_is_scikit_learns(points, fit):
    recorder = Recorder(fit)
    found = numbered(points, fit=recorder, references=2, splits=1)
    labels = {k: given[0] for x, k, given in recorder.calls if x.ndim == 3}
    expected = [NAN] + [silhouette_score(points, labels[k]) for k in found.clusters[1:]]
    np.testing.assert_allclose(found.silhouette, expected)


def plain_strength(half, other, labels, other_labels):
    """The paper's prediction strength of one half, by loops over pairs."""
    centres = [np.mean(other[other_labels == label], axis=0) for label in sorted(set(other_labels.tolist()))]
    nearest = [min(range(len(centres)), key=lambda j: math.dist(p, centres[j])) for p in half]
    shares = []
    for label in set(labels.tolist()):
        own = np.flatnonzero(labels == label)
        pairs = [nearest[i] == nearest[j] for i in own for j in own if i != j]
        shares += [sum(pairs) / len(pairs)] if pairs else []
    return min(shares)


@pytest.mark.parametrize("points", [cloud(), cloud(26), THREE], ids=["odd", "even", "three clusters"])
def test_the_prediction_strength_is_the_papers_on_the_same_halves(points):
    recorder = Recorder(kmeans)
    found = numbered(points, fit=recorder, references=1, splits=20)
    assert found.prediction_strength[0] == 1
    for sets, k, labels in recorder.calls:
        if sets.ndim == 4:
            assert sets.shape == (20, 2, len(points) // 2, 2)
            both = [
                plain_strength(pair[a], pair[1 - a], given[a], given[1 - a])
                for pair, given in zip(sets, labels, strict=True)
                for a in (0, 1)
            ]
            assert found.prediction_strength[k - 1] == pytest.approx(np.mean(both))


def test_the_two_halves_share_no_point():
    recorder = Recorder(kmeans)
    numbered(cloud(25), fit=recorder, most=2, references=1, splits=9)
    sets = next(x for x, _, _ in recorder.calls if x.ndim == 4)
    assert all(len(np.unique(halves.reshape(-1, 2), axis=0)) == 24 for halves in sets)


def test_halves_with_fewer_than_two_points_for_each_cluster_predict_nothing():
    assert np.isnan(numbered(cloud(13), references=1).prediction_strength).tolist() == [False] * 3 + [True] * 3


def test_the_bic_of_one_cluster_is_the_normal_distributions():
    points = cloud()
    n, d = points.shape
    log_likelihood = -n / 2 * (d * math.log(2 * math.pi) + np.linalg.slogdet(np.cov(points.T, bias=True))[1] + d)
    expected = 5 * math.log(n) - 2 * log_likelihood
    assert numbered(points, most=1).bic[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("points", "k"), [(TWO, 2), (THREE, 3)])
def test_the_bic_is_scikit_learns(points, k):
    other = GaussianMixture(k, covariance_type="tied", n_init=10, tol=1e-8, max_iter=1000, random_state=0).fit(points)
    assert numbered(points, references=1, splits=1).bic[k - 1] == pytest.approx(other.bic(points), abs=0.1)


def test_a_mixture_with_as_many_parameters_as_points_has_no_bic():
    assert np.isnan(numbered(cloud(9), references=1, splits=1).bic).tolist() == [False, False, True, True]


@pytest.mark.parametrize(("points", "expected"), [(TWO, 2), (THREE, 3)])
def test_every_criterion_finds_clusters_that_lie_far_apart(points, expected):
    assert choices(numbered(points)) == [expected] * 4


@pytest.mark.parametrize("seed", range(5))
def test_three_like_clusters_are_three_though_two_gain_nothing(seed):
    found = numbered(clumps([9, 8, 8], [[2, 2], [3, 3.7], [4, 2]], seed=seed), most=4, splits=1)
    assert found.gap[0] > found.gap[1] - found.gap_error[1]
    assert found.by_gap == 3


@pytest.mark.parametrize(
    "fit",
    [ward, gaussian_mixture, lambda points, k: natural_breaks(points[..., 0], k)],
    ids=["Ward", "mixture", "natural breaks"],
)
def test_every_partition_finds_two_clusters_that_lie_far_apart(fit):
    assert choices(numbered(TWO.sum(axis=1, keepdims=True), fit=fit)) == [2] * 4


def test_the_gap_seldom_splits_an_even_square():
    """Of 30 squares at most 7 are split; at a chance of one in ten more would have a chance of 1 in 100."""
    generator = np.random.default_rng(5)
    squares = generator.random((30, 25, 2))
    found = [number_of_clusters(square, generator, most=2, references=50, splits=1).by_gap for square in squares]
    assert sum(number > 1 for number in found) <= 7


@pytest.mark.parametrize(
    ("gap", "error", "expected"),
    [
        pytest.param([0.5, 0.4], [0.1, 0.1], 1, id="one is best"),
        pytest.param([0.5, 0.65], [0.1, 0.1], 1, id="two is better by less than two errors"),
        pytest.param([0.5, 0.8], [0.1, 0.125], 2, id="two is better by more"),
        pytest.param([0.5, 1.0], [0.1, 0.25], 1, id="better by just two errors is not more"),
        pytest.param([0, 1, 2], [0.1, 0.1, 0.1], 3, id="each is better than the one before"),
        pytest.param([0.5, 0.4, 2], [0.1, 0.1, 0.1], 3, id="two is worse than one, but three is best"),
        pytest.param([0, 1, 1.1, 1.15], [0.1] * 4, 2, id="the first that suffices, not the best"),
        pytest.param([0, 1, 1.1], [9, 9, 0.01], 3, id="the error is that of the largest gap"),
        pytest.param([NAN], [NAN], 1, id="undefined"),
    ],
)
def test_the_first_number_that_suffices(gap, error, expected):
    assert first_sufficient(np.array(gap, float), np.array(error)) == expected


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([[1, 2]], id="one point"),
        pytest.param([[1, 2]] * 9, id="all equal"),
        pytest.param([[0, 0]] * 9, id="all at the origin"),
        pytest.param([[0.3, 1]] * 5 + [[0.1 + 0.2, 1]] * 4, id="equal but for rounding"),
    ],
)
def test_points_in_one_place_are_one_cluster_and_have_no_criteria(points):
    found = numbered(points)
    assert found.clusters.tolist() == [1]
    assert choices(found) == [1] * 4
    np.testing.assert_array_equal([found.gap, found.gap_error, found.silhouette, found.bic], np.full((4, 1), NAN))


def test_two_points_are_one_cluster():
    found = numbered([[1, 2], [3, 4]])
    assert found.clusters.tolist() == [1]
    assert choices(found) == [1] * 4


@pytest.mark.parametrize("points", [[[1, 1]] * 2 + [[2, 5]], [[1, 1]] * 2 + [[2, 5], [4, 4]]], ids=["three", "four"])
def test_a_tie_among_few_points_makes_no_clusters(points):
    assert numbered(points).by_gap == 1


def test_points_in_two_places_are_two_clusters():
    found = numbered(PLACES)
    assert found.clusters.tolist() == [1, 2]
    assert [found.by_gap, found.by_silhouette, found.by_prediction_strength] == [2] * 3
    assert np.isfinite([found.gap, found.gap_error]).all()


def test_points_on_a_line_are_judged_along_it():
    along = np.sort(np.random.default_rng(7).normal(3, 1, 25))
    on_line, alone = numbered(np.outer(along, [3, 4]) / 5 + 1), numbered(along[:, None])
    np.testing.assert_allclose(on_line.silhouette, alone.silhouette)
    np.testing.assert_allclose(on_line.bic, alone.bic)
    assert (abs(on_line.gap - alone.gap) < 4 * math.sqrt(2 / 50) * alone.gap_error).all()
    assert on_line.by_gap == alone.by_gap == 1


@pytest.mark.parametrize("n", [*range(1, 10), 13, 60])
def test_any_number_of_points_gets_a_number(n):
    generator = np.random.default_rng(n)
    for points in (generator.random((n, 2)), generator.integers(1, 4, (n, 2)), generator.integers(1, 6, (n, 1))):
        found = numbered(points, references=5, splits=3)
        assert len(found.clusters) == max(1, min(6, n // 2, len(np.unique(points, axis=0))))
        assert all(choice in found.clusters for choice in choices(found))
        assert np.isfinite(found.silhouette[1:]).all()


def test_neither_the_unit_nor_the_origin_nor_the_direction_matters():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    here, there = (numbered(x, references=30) for x in (THREE, THREE @ turn * 7 - 40))
    np.testing.assert_allclose(there.silhouette, here.silhouette)
    np.testing.assert_allclose(np.diff(there.bic), np.diff(here.bic), atol=1e-3)
    assert choices(there) == choices(here)


def test_the_same_seed_gives_the_same_number_and_the_points_stay_as_they_are():
    points = cloud()
    before = points.copy()
    first, second = (numbered(points, most=3, references=9, splits=9) for _ in range(2))
    np.testing.assert_array_equal(points, before)
    np.testing.assert_array_equal(first.gap, second.gap)
    np.testing.assert_array_equal(first.prediction_strength, second.prediction_strength)


@pytest.mark.parametrize("points", [np.empty((0, 2)), [1.0, 2.0], [[1.0, NAN]]], ids=["none", "no rows", "not finite"])
def test_points_without_rows_of_finite_coordinates_are_refused(points):
    with pytest.raises(ValueError, match=r"^points must be one or more rows of finite coordinates$"):
        numbered(points)


@pytest.mark.parametrize("option", ["most", "references", "splits"])
def test_a_count_below_one_is_refused(option):
    with pytest.raises(ValueError, match=r"^most, references and splits must be 1 or more$"):
        numbered(TWO, **{option: 0})
