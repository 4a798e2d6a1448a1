"""Segments equal scikit-learn, enumeration and direct loops; planted ones are found and continua are not cut."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import multivariate_normal, norm
from sklearn.cluster import KMeans
from sklearn.decomposition import FactorAnalysis
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from materiality import segments
from materiality.segments import centre_people, segment_kmeans, segment_mixture

NAN = math.nan
METHODS = pytest.mark.parametrize("method", [segment_kmeans, segment_mixture])


def likert(latent):
    return np.clip(np.floor(latent + 0.5), 1, 5)


def one_population(generator, n=200, issues=12, *, factor=0.0):
    """Simulated: cut from a normal population; `factor` spreads it along one dimension."""
    along = np.where(np.arange(issues) < issues / 2, factor, -factor)
    latent = np.linspace(3.3, 4.6, issues) + generator.normal(0, 0.4, (n, 1)) + generator.normal(0, 0.9, (n, issues))
    return likert(latent + generator.normal(size=(n, 1)) * along)


def planted(generator, n=300, *, shares=(0.5, 0.3, 0.2), missing=0.0, issues=12):
    """Simulated: segment s rates its own stretch of issues 1.6 points below the others'."""
    truth = generator.choice(len(shares), n, p=shares)
    stretch = issues // len(shares)
    mean = np.full((len(shares), issues), 4.0)
    for s in range(len(shares)):
        mean[s, s * stretch : (s + 1) * stretch] -= 1.6
    ratings = likert(mean[truth] + generator.normal(0, 0.4, (n, 1)) + generator.normal(0, 0.8, (n, issues)))
    ratings[generator.random(ratings.shape) < missing] = NAN
    return ratings, truth


def people_of(centred):
    seen = np.isfinite(centred)
    filled = np.where(seen, centred, 0.0)
    return segments._People(np.hstack([filled, seen.astype(float)]), filled**2)


def sum_of_squares(centred, label):
    columns = [centred[label == s, j] for s in np.unique(label) for j in range(centred.shape[1])]
    columns = [column[np.isfinite(column)] for column in columns]
    return sum(((column - column.mean()) ** 2).sum() for column in columns if len(column))


def rng(seed=1):
    return np.random.default_rng(seed)


def test_a_person_who_rated_everything_is_centred_at_their_own_mean():
    ratings = rng().integers(1, 6, (40, 7)).astype(float)
    np.testing.assert_allclose(centre_people(ratings), ratings - ratings.mean(axis=1, keepdims=True), atol=1e-12)


def test_leniency_is_the_least_squares_effect_of_the_person():
    generator = rng(2)
    ratings = generator.integers(1, 6, (20, 6)).astype(float)
    ratings[generator.random(ratings.shape) < 0.4] = NAN
    found = centre_people(ratings)
    kept = np.isfinite(found).any(axis=1)
    person, issue = np.nonzero(np.isfinite(ratings) & kept[:, None])
    design = np.hstack([np.eye(20)[person], np.eye(6)[issue]])
    # dummies for everybody and every issue, the issues' summing to 0
    design = np.vstack([design, np.r_[np.zeros(20), np.ones(6)]])
    effects = np.linalg.lstsq(design, np.r_[ratings[person, issue], 0.0])[0]
    np.testing.assert_allclose(found[person, issue], ratings[person, issue] - effects[person], atol=1e-9)


def test_a_shift_of_a_persons_ratings_changes_nothing():
    ratings, _ = planted(rng(3), 60, missing=0.2)
    np.testing.assert_allclose(centre_people(ratings + rng(4).normal(size=(60, 1))), centre_people(ratings), atol=1e-9)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param([NAN, NAN, NAN], id="nothing"),
        pytest.param([4, NAN, NAN], id="one rating"),
        pytest.param([4, 4, NAN], id="two that are equal"),
        pytest.param([5, 5, 5], id="a straight line"),
    ],
)
@METHODS
def test_who_sets_no_priorities_is_left_out(row, method):
    ratings = np.vstack([planted(rng(), 60, issues=3)[0], row])
    found = method(ratings, rng(), k=2)
    assert np.isnan(centre_people(ratings)[-1]).all()
    assert found.segment[-1] == -1
    assert np.isnan(found.probability[-1])
    assert found.sizes.sum() == np.count_nonzero(found.segment >= 0)


def test_people_who_saw_different_halves_of_the_questionnaire_do_not_part_by_the_half():
    """Simulated: one population; half the people skip the four most popular issues, half the four least popular."""
    ratings = one_population(rng(5), 400)
    form = np.arange(400) % 2
    ratings[form == 0, 8:] = NAN
    ratings[form == 1, :4] = NAN
    own_mean = ratings - np.nanmean(ratings, axis=1, keepdims=True)
    both = slice(4, 8)
    assert abs(own_mean[form == 0, both].mean() - own_mean[form == 1, both].mean()) > 0.4
    centred = centre_people(ratings)
    assert abs(np.nanmean(centred[form == 0, both]) - np.nanmean(centred[form == 1, both])) < 1e-9
    assert segment_kmeans(ratings, rng()).k == segment_mixture(ratings, rng()).k == 1


@pytest.mark.parametrize("k", [2, 3])
def test_kmeans_finds_sums_of_squares_as_small_as_scikit_learn(k):
    ratings, _ = planted(rng(6), 200)
    found = segment_kmeans(ratings, rng(), k=k, replicates=0)
    kept = found.segment >= 0
    centred = centre_people(ratings)[kept]
    theirs = KMeans(k, n_init=20, random_state=0).fit(centred)
    assert sum_of_squares(centred, found.segment[kept]) <= theirs.inertia_ * (1 + 1e-9)
    for s in range(k):
        np.testing.assert_allclose(found.centres[s], centred[found.segment[kept] == s].mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_kmeans_finds_the_best_of_all_partitions_with_missing_answers(seed):
    generator = rng(seed)
    ratings = generator.integers(1, 6, (7, 4)).astype(float)
    ratings[generator.random(ratings.shape) < 0.2] = NAN
    found = segment_kmeans(ratings, rng(), k=2, replicates=0)
    kept = found.segment >= 0
    centred = centre_people(ratings)[kept]
    best = min(
        sum_of_squares(centred, np.array(label))
        for label in itertools.product([0, 1], repeat=len(centred))
        if 0 < sum(label) < len(centred)
    )
    assert sum_of_squares(centred, found.segment[kept]) == pytest.approx(best)


def mixture_log_likelihood(centred, shares, centres, variance):
    """Person by person and class by class, over the answers that there are."""
    total = 0.0
    for row in centred:
        seen = np.isfinite(row)
        density = [
            share * np.prod(norm.pdf(row[seen], centre[seen], np.sqrt(variance[seen])))
            for share, centre in zip(shares, centres, strict=True)
        ]
        total += math.log(sum(density))
    return total


def fitted(centred, k, *, steps=60):
    people = people_of(centred)
    fit = segments._mixture(people, np.ones((1, len(centred))), k, rng(), 10, steps)
    return people, fit


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_log_likelihood_is_that_of_a_direct_loop(missing):
    centred = centre_people(planted(rng(7), 80, missing=missing)[0])
    centred = centred[np.isfinite(centred).any(axis=1)]
    _, fit = fitted(centred, 3)
    direct = mixture_log_likelihood(centred, np.exp(fit.log_share[:, 0]), fit.centres[:, 0], fit.variance[0])
    assert fit.merit[0] == pytest.approx(direct)


def test_no_optimiser_finds_a_likelier_mixture_nearby(monkeypatch):
    """Simulated, with missing answers; BFGS on the direct likelihood, from where EM stopped."""
    monkeypatch.setattr(segments, "ENOUGH", 1e-9)
    centred = rng(8).normal(size=(60, 3)) + np.array([[2.0, -2.0, 0.0]]) * rng(8).choice([-1, 1], (60, 1))
    centred[rng(9).random(centred.shape) < 0.2] = NAN
    centred = centred[np.isfinite(centred).any(axis=1)]
    _, fit = fitted(centred, 2, steps=500)

    def loss(x):
        share = 1 / (1 + math.exp(-x[0]))
        return -mixture_log_likelihood(centred, [share, 1 - share], x[1:7].reshape(2, 3), np.exp(x[7:]))

    start = np.r_[fit.log_share[0, 0] - fit.log_share[1, 0], fit.centres[:, 0].ravel(), np.log(fit.variance[0])]
    best = optimize.minimize(loss, start, method="BFGS")
    assert fit.merit[0] == pytest.approx(-best.fun, abs=1e-4)


def test_no_step_of_em_lowers_the_likelihood():
    centred = centre_people(planted(rng(10), 100, missing=0.3)[0])
    centred = centred[np.isfinite(centred).any(axis=1)]
    people, ones = people_of(centred), np.ones((1, len(centred)))
    start = segments._kmeans(people, ones, 4, rng(), 3, 2)
    merits = [segments._em(people, ones, start, steps).merit[0] for steps in range(1, 25)]
    assert (np.diff(merits) >= -1e-9).all()


def test_one_class_has_the_likelihood_and_bic_of_scikit_learn():
    ratings, _ = planted(rng(11), 150)
    found = segment_mixture(ratings, rng(), most=1)
    centred = centre_people(ratings)[found.segment >= 0]
    theirs = GaussianMixture(1, covariance_type="diag", reg_covar=0).fit(centred)
    assert found.bic[0] == pytest.approx(theirs.bic(centred))


def test_classes_with_equal_variances_are_those_of_scikit_learns_model_without_that_constraint():
    """Simulated far apart, with many people: the two models agree about who is where."""
    ratings, truth = planted(rng(12), 600, shares=(0.5, 0.5), issues=20)
    found = segment_mixture(ratings, rng(), k=2, replicates=0)
    theirs = GaussianMixture(2, covariance_type="diag", random_state=0, n_init=3).fit_predict(centre_people(ratings))
    assert adjusted_rand_score(found.segment, theirs) > 0.98
    assert adjusted_rand_score(found.segment, truth) > 0.98


@pytest.mark.parametrize("q", [1, 2])
def test_the_continuum_has_the_bic_of_scikit_learns_factor_analysis(q, monkeypatch):
    monkeypatch.setattr(segments, "ENOUGH", 1e-9)
    monkeypatch.setattr(segments, "STEPS", 2000)
    generator = rng(13)
    centred = generator.normal(size=(200, q)) @ generator.normal(size=(q, 8)) + generator.normal(size=(200, 8))
    theirs = FactorAnalysis(q, tol=1e-10, max_iter=5000, svd_method="lapack").fit(centred).score(centred) * 200
    free = 8 + 8 + 8 * q - q * (q - 1) / 2
    assert segments._continuum_bic(people_of(centred), q) == pytest.approx(free * math.log(200) - 2 * theirs, abs=0.05)


def test_the_continuum_with_missing_answers_is_the_normal_distribution_of_the_answers_there_are(monkeypatch):
    """With as many factors as the covariance can hold; BFGS on the direct likelihood is no better."""
    monkeypatch.setattr(segments, "ENOUGH", 1e-10)
    monkeypatch.setattr(segments, "STEPS", 3000)
    generator = rng(14)
    centred = generator.normal(size=(50, 1)) @ np.ones((1, 3)) + generator.normal(size=(50, 3))
    centred[generator.random(centred.shape) < 0.2] = NAN
    centred = centred[np.isfinite(centred).any(axis=1)]

    def loss(x):
        mean, loading, noise = x[:3], x[3:6], np.exp(x[6:])
        covariance = np.outer(loading, loading) + np.diag(noise)
        total = 0.0
        for seen in np.unique(np.isfinite(centred), axis=0):
            rows = centred[(np.isfinite(centred) == seen).all(axis=1)][:, seen]
            total -= np.sum(multivariate_normal.logpdf(rows, mean[seen], covariance[np.ix_(seen, seen)]))
        return total

    best = optimize.minimize(loss, np.r_[np.zeros(3), np.ones(3), np.zeros(3)], method="BFGS")
    expected = 9 * math.log(len(centred)) + 2 * best.fun
    assert segments._continuum_bic(people_of(centred), 1) == pytest.approx(expected, abs=1e-3)


@METHODS
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_planted_segments_are_found(method, missing):
    for seed in range(2):
        ratings, truth = planted(rng(seed), missing=missing)
        found = method(ratings, rng(), replicates=20)
        kept = found.segment >= 0
        assert found.k == 3
        assert adjusted_rand_score(truth[kept], found.segment[kept]) > 0.7
        assert (found.jaccard > 0.75).all()


@METHODS
def test_answers_missing_at_random_do_not_shift_the_centres(method):
    ratings, _ = planted(rng(15), 1000)
    thinned = np.where(rng(16).random(ratings.shape) < 0.25, NAN, ratings)
    whole, thin = (method(r, rng(), k=3, replicates=0) for r in (ratings, thinned))
    assert abs(thin.centres - whole.centres).max() < 0.2
    assert abs(thin.centres - whole.centres).mean() < 0.06


@METHODS
@pytest.mark.parametrize(
    ("issues", "factor"),
    [
        pytest.param(12, 0.0, id="noise"),
        pytest.param(6, 0.0, id="noise on few issues"),
        pytest.param(12, 0.6, id="a continuum"),
        pytest.param(12, 1.2, id="a wide continuum"),
    ],
)
def test_one_population_is_one_segment(method, issues, factor):
    """Simulated: Likert answers with a ceiling."""
    found = [method(one_population(rng(seed), issues=issues, factor=factor), rng()).k for seed in range(4)]
    assert found == [1] * 4


def test_bic_of_classes_alone_would_cut_a_continuum_that_is_found_again():
    """Simulated: what the comparison with a continuum is for."""
    ratings = one_population(rng(17), factor=1.2)
    found = segment_kmeans(ratings, rng())
    assert np.nanargmin(found.bic) > 0
    assert found.prediction_strength[1] > 0.8
    assert np.nanmin(found.bic_continuum) < np.nanmin(found.bic)


def jaccard_by_sets(label, again, drawn):
    found = []
    for s in range(label.max() + 1):
        best = []
        for b in range(len(again)):
            mine = {i for i in range(len(label)) if drawn[b, i] and label[i] == s}
            theirs = [{i for i in range(len(label)) if drawn[b, i] and again[b, i] == t} for t in set(again[b])]
            if mine:
                best.append(max(len(mine & t) / len(mine | t) for t in theirs))
        found.append(sum(best) / len(best))
    return found


@METHODS
def test_stability_is_that_of_a_loop_over_sets_of_people(method, monkeypatch):
    kept = []
    plain = segments._jaccard

    def watched(label, again, drawn):
        kept.append((label, again, drawn))
        return plain(label, again, drawn)

    monkeypatch.setattr(segments, "_jaccard", watched)
    found = method(planted(rng(18), 60, missing=0.1)[0], rng(), k=3, replicates=20)
    np.testing.assert_allclose(found.jaccard, jaccard_by_sets(*kept[0]))


def test_fits_to_resamples_at_once_are_those_to_each_resample_alone():
    """Integer counts on one side, people written out as often as they were drawn on the other."""
    centred = centre_people(planted(rng(19), 50, missing=0.1)[0])
    centred = centred[np.isfinite(centred).any(axis=1)]
    people = people_of(centred)
    counts = rng(20).multinomial(len(centred), np.full(len(centred), 1 / len(centred)), 6).astype(float)
    start = segments._unit(np.repeat(np.nan_to_num(centred[:3])[:, None], 6, axis=1))
    hard = segments._lloyd(people, counts, start.centres, 50)
    soft = segments._em(people, counts, hard, 30)
    for b in range(6):
        drawn = people_of(np.repeat(centred, counts[b].astype(int), axis=0))
        ones = np.ones((1, len(drawn.seen)))
        alone = segments._lloyd(drawn, ones, start.centres[:, [b]], 50)
        np.testing.assert_allclose(hard.centres[:, b], alone.centres[:, 0], atol=1e-9)
        floored = segments._em(drawn, ones, alone, 30)
        np.testing.assert_allclose(soft.centres[:, b], floored.centres[:, 0], atol=1e-6)
        assert soft.merit[b] == pytest.approx(floored.merit[0])


def test_prediction_strength_is_the_share_of_pairs_that_stay_together():
    centred = centre_people(planted(rng(21), 40)[0])
    people = people_of(centred[np.isfinite(centred).any(axis=1)])
    n = len(people.seen)
    halves = segments._halves(n, rng())
    assert (halves[::2] ^ halves[1::2]).all()
    fit = segments._kmeans(people, halves.astype(float), 3, rng(), segments.TRIES, segments.FEW_STEPS)
    nearest = np.array(
        [
            [
                min(range(3), key=lambda s, i=i, h=h: np.nansum((people.centred[i] - fit.centres[s, h]) ** 2))
                for i in range(n)
            ]
            for h in range(len(halves))
        ]
    )
    shares = []
    for h in range(len(halves)):
        least = 1.0
        for s in range(3):
            mine = [i for i in range(n) if halves[h, i] and nearest[h, i] == s]
            pairs = list(itertools.permutations(mine, 2))
            together = sum(nearest[h ^ 1, i] == nearest[h ^ 1, j] for i, j in pairs)
            least = min(least, together / len(pairs) if pairs else 0.0)
        shares.append(least)
    assert segments._prediction_strength(people, halves, 3, rng()) == pytest.approx(np.mean(shares))


@METHODS
def test_renumbering_people_and_issues_changes_nothing_but_the_order(method):
    ratings, _ = planted(rng(22), missing=0.1)
    people, issues = rng(23).permutation(300), rng(24).permutation(12)
    one, two = (method(r, rng(), k=3, replicates=0) for r in (ratings, ratings[people][:, issues]))
    np.testing.assert_array_equal(two.segment, one.segment[people])
    np.testing.assert_allclose(two.centres, one.centres[:, issues], atol=0.02)
    np.testing.assert_allclose(two.distinct, one.distinct[:, issues], atol=1e-6)


@METHODS
def test_the_same_seed_gives_the_same_segments_and_the_input_stays_as_it_was(method):
    ratings, _ = planted(rng(25), 80, missing=0.1)
    before = ratings.copy()
    one, two = method(ratings, rng(3)), method(ratings, rng(3))
    np.testing.assert_array_equal(ratings, before)
    for name in segments.Segments.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@METHODS
def test_segments_are_numbered_by_size_and_probabilities_are_of_the_own_class(method):
    found = method(planted(rng(26), missing=0.1)[0], rng(), k=4, replicates=0)
    assert (np.diff(found.sizes) <= 0).all()
    np.testing.assert_array_equal(found.sizes, np.bincount(found.segment[found.segment >= 0]))
    if method is segment_kmeans:
        assert np.isnan(found.probability).all()
    else:
        assert (found.probability[found.segment >= 0] >= 1 / 4).all()
        assert (found.probability[found.segment >= 0] <= 1).all()


def test_what_sets_a_segment_apart_is_cohens_d_against_all_others():
    ratings, _ = planted(rng(27), 90, missing=0.2)
    found = segment_kmeans(ratings, rng(), k=3, replicates=0)
    centred = centre_people(ratings)
    for s, j in itertools.product(range(3), range(12)):
        mine, others = centred[found.segment == s, j], centred[(found.segment >= 0) & (found.segment != s), j]
        mine, others = mine[np.isfinite(mine)], others[np.isfinite(others)]
        pooled = ((len(mine) - 1) * mine.var(ddof=1) + (len(others) - 1) * others.var(ddof=1)) / (
            len(mine) + len(others) - 2
        )
        assert found.distinct[s, j] == pytest.approx((mine.mean() - others.mean()) / math.sqrt(pooled))


@METHODS
def test_two_camps_without_any_spread_are_infinitely_distinct(method):
    found = method(np.repeat([[5.0, 4, 1, 1], [1, 4, 5, 1]], [6, 4], axis=0), rng(), k=2)
    np.testing.assert_array_equal(found.sizes, [6, 4])
    np.testing.assert_array_equal(found.distinct[0], [np.inf, 0, -np.inf, 0])
    np.testing.assert_allclose(found.jaccard, 1.0)


@METHODS
def test_two_camps_of_one_voice_each_are_two_segments(method):
    found = method(np.repeat([[5.0, 4, 1, 1, 3, 2], [1, 4, 5, 1, 3, 2]], [60, 40], axis=0), rng())
    np.testing.assert_array_equal(found.sizes, [60, 40])


@METHODS
def test_a_single_segment_has_neither_stability_nor_anything_that_sets_it_apart(method):
    found = method(one_population(rng(28), 60), rng(), k=1)
    assert found.k == 1
    assert np.isnan(found.jaccard).all()
    assert np.isnan(found.distinct).all()
    np.testing.assert_array_equal(found.segment, np.zeros(60))


@METHODS
@pytest.mark.parametrize(
    ("ratings", "k"),
    [
        pytest.param([[3.0, 3], [4, 4], [5, 5]], 0, id="nobody sets priorities"),
        pytest.param(np.full((3, 2), NAN), 0, id="nobody answers"),
        pytest.param(np.zeros((0, 4)), 0, id="nobody is there"),
        pytest.param([[1.0, 2], [2, 3], [5, 4]], 1, id="three people"),
        pytest.param([[1.0, 2], [1, 2], [1, 2], [1, 2]] * 20, 1, id="all alike"),
        pytest.param([[1.0, 2, NAN], [2, 1, NAN]] * 20, 1, id="an issue that nobody rated"),
        pytest.param([[1.0, 2, NAN, NAN], [NAN, NAN, 1, 2]] * 20, 1, id="groups without an issue in common"),
        pytest.param([[1.0, 5], [2, 4], [4, 2], [5, 1]] * 40, 1, id="too few issues to tell from a continuum"),
    ],
)
def test_degenerate_answers_give_at_most_one_segment(method, ratings, k):
    ratings = np.asarray(ratings)
    found = method(ratings, rng())
    assert (found.k, len(found.sizes), len(found.jaccard)) == (k, k, k)
    assert found.centres.shape == found.distinct.shape == (k, ratings.shape[1])
    assert found.segment.shape == found.probability.shape == (len(ratings),)
    assert np.isfinite(found.centres).any() == (k > 0)


@METHODS
def test_more_segments_than_people_who_differ_are_not_made_up(method):
    found = method(np.array([[1.0, 2, 4], [4, 2, 1], [1, 2, 4], [4, 2, 1]]), rng(), k=4)
    assert found.k == 2
    np.testing.assert_array_equal(found.segment, [0, 1, 0, 1])


@METHODS
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"most": 0}, "Asked for 0 segments and 50 resamples."),
        ({"k": 0}, "Asked for 0 segments and 50 resamples."),
        ({"replicates": -1}, "Asked for 5 segments and -1 resamples."),
    ],
)
def test_a_number_out_of_range_is_refused(method, wrong, message):
    with pytest.raises(ValueError) as error:
        method(np.eye(3), rng(), **wrong)
    assert str(error.value) == f"{message}\n  Mend: ask for 1 segment or more, and for 0 resamples or more."


@pytest.mark.parametrize("ratings", [np.zeros(3), np.array([[np.inf, 1.0]])])
def test_what_are_no_ratings_are_refused(ratings):
    with pytest.raises(ValueError) as error:
        centre_people(ratings)
    assert str(error.value) == (
        "Ratings are a finite number, or NaN for none, for each person and issue.\n"
        "  Mend: give an array of shape (people, issues)."
    )
