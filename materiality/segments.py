"""Segments of respondents: people who set the same priorities, across the stakeholder groups.

Two methods look at the same centred answers: k-means, and latent classes by a Gaussian mixture. Both say how many
segments the answers bear out, and one segment, that is no segments at all, is a common and honest finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from materiality.stats import ROUNDING

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
STARTS = 20
"""Starts of a fit to everybody."""
TRIES = 3
"""Starts of a fit to a resample or a half."""
TRIAL_STEPS = 4
"""Steps that each start gets before all but the best are given up."""
STEPS = 60
"""Steps after which a fit to everybody is stopped; some 15 are usual."""
FEW_STEPS = 20
"""Steps after which a fit to a resample or a half is stopped."""
ENOUGH = 1e-3
"""A step of EM that raises the log-likelihood by less, per person, is the last one."""
FLOOR = 0.01
"""Least variance within the classes, as a share of the issue's variance over everybody."""
SPLITS = 10
"""Times that people are split into halves; each half predicts the other."""
STRONG = 0.8
"""Prediction strength from which segments count as found again."""


@dataclass(frozen=True)
class Segments:
    """Segments of respondents, the largest first.

    Attributes
    ----------
    k : int
        How many there are: 1 where the answers bear out no more, 0 where nobody set priorities.
    segment : int array, shape (n,)
        From 0, the largest; −1 for who set no priorities (see `centre_people`) and is in no segment.
    centres : float array, shape (k, issues)
        Centred points of the rating scale; NaN where nobody in the segment rated the issue.
    sizes : int array, shape (k,)
        People.
    jaccard : float array, shape (k,)
        Stability over resamples of people, from 0 to 1: how much of the segment is found again (Hennig 2007: stable
        from 0.75, a pattern from 0.6, dissolved below 0.5). NaN for a single segment, which cannot but be found.
    probability : float array, shape (n,)
        Of a person's own class; NaN for k-means, and for who is in no segment.
    prediction_strength : float array, shape (most,)
        For 1, 2, … segments by k-means, how well halves of the people predict each other, from 0 to 1. NaN for the
        mixture, and for more than were tried.
    bic : float array, shape (most,)
        Bayesian information criterion of 1, 2, … latent classes; less is better. NaN for more than were tried.
    bic_continuum : float array, shape (most,)
        That of one population in which 0, 1, … factors tie the issues together: people differ by degrees along as many
        dimensions as the classes span. NaN for more than were tried.
    distinct : float array, shape (k, issues)
        Cohen's d: by how many standard deviations the segment's mean differs from that of all others. Infinite where
        neither has any spread; NaN where either has no answers, and for a single segment.
    """

    k: int
    segment: IntArray
    centres: FloatArray
    sizes: IntArray
    jaccard: FloatArray
    probability: FloatArray
    prediction_strength: FloatArray
    bic: FloatArray
    bic_continuum: FloatArray
    distinct: FloatArray


@dataclass(frozen=True)
class _People:
    """Those who set priorities.

    Attributes
    ----------
    answers : float array, shape (people, 2 issues)
        Centred answers, 0 where there is none; then 1 where there is one and 0 elsewhere.
    squares : float array, shape (people, issues)
        Of the centred answers.
    """

    answers: FloatArray
    squares: FloatArray

    @property
    def centred(self) -> FloatArray:
        return self.answers[:, : self.squares.shape[1]]

    @property
    def seen(self) -> FloatArray:
        return self.answers[:, self.squares.shape[1] :]


@dataclass(frozen=True)
class _Fit:
    """Segments fitted to b sets of people at once, each set being a count of every person.

    Attributes
    ----------
    centres : float array, shape (k, b, issues)
    variance : float array, shape (b, issues)
        Within the segments, the same for all; 1 for k-means.
    log_share : float array, shape (k, b)
        Of the classes' sizes; 0 for k-means.
    merit : float array, shape (b,)
        Log-likelihood, or for k-means minus the sum of squares; less what is equal for all fits to a set.
    """

    centres: FloatArray
    variance: FloatArray
    log_share: FloatArray
    merit: FloatArray

    def take(self, which: IntArray) -> _Fit:
        return _Fit(self.centres[:, which], self.variance[which], self.log_share[:, which], self.merit[which])

    def put(self, which: IntArray, other: _Fit) -> None:
        self.centres[:, which], self.variance[which] = other.centres, other.variance
        self.log_share[:, which], self.merit[which] = other.log_share, other.merit


_Method = Callable[[_People, FloatArray, int, np.random.Generator, int, int], _Fit]


def centre_people(ratings: FloatArray) -> FloatArray:
    """Answers less the person's leniency, so that a lenient and a strict person with the same priorities are alike.

    Leniency is the person's effect in the additive model rating = person + issue, fitted by least squares to the
    ratings that there are. Where a person rated everything it is the mean of that person's ratings, less the mean of
    all. Where not, a plain mean would call somebody lenient who was asked, or answered, the popular issues only; and
    people who were shown different halves of a questionnaire would part into segments by the half they saw.

    Who gave one rating, or the same rating throughout, set no priorities. Such people are left out, since a row of
    equal answers says nothing about what matters more, and since they would make a segment of their own.

    Parameters
    ----------
    ratings : float array, shape (n, issues)
        NaN where there is none.

    Returns
    -------
    float array, shape (n, issues)
        In points; NaN where there is no rating, and in the whole row of who set no priorities. A full row sums to 0.

    Raises
    ------
    ValueError
        If the array has not two dimensions, or a rating is infinite.

    References
    ----------
    Scheffé (1959), The Analysis of Variance, Wiley, §4.4 (two-way layout with unequal numbers in the cells).

    Examples
    --------
    >>> centre_people(np.array([[5.0, 4.0, 3.0], [3.0, 2.0, 1.0], [4.0, 4.0, 4.0]])).round(9) + 0.0
    array([[ 1.,  0., -1.],
           [ 1.,  0., -1.],
           [nan, nan, nan]])
    """
    ratings = np.asarray(ratings, float)
    if ratings.ndim != 2 or np.isinf(ratings).any():
        raise ValueError(
            "Ratings are a finite number, or NaN for none, for each person and issue.\n"
            "  Mend: give an array of shape (people, issues)."
        )
    centred = np.full(ratings.shape, np.nan)
    seen = np.isfinite(ratings)
    highest = np.where(seen, ratings, -np.inf).max(axis=1, initial=-np.inf)
    chose = highest > np.where(seen, ratings, np.inf).min(axis=1, initial=np.inf)
    if chose.any():
        r = seen[chose].astype(float)
        y = np.where(seen, ratings, 0.0)[chose]
        within = r / r.sum(axis=1, keepdims=True)
        own = (within * y).sum(axis=1, keepdims=True)
        # people eliminated from the normal equations; the shortest solution lets the issues' effects sum to 0
        normal = np.diag(r.sum(axis=0)) - r.T @ within
        effects = np.linalg.lstsq(normal, (r * (y - own)).sum(axis=0))[0]
        centred[chose] = np.where(r > 0, y - own + (within @ effects)[:, None], np.nan)
    return centred


def segment_kmeans(
    ratings: FloatArray,
    generator: np.random.Generator,
    *,
    most: int = 5,
    k: int | None = None,
    replicates: int = 50,
) -> Segments:
    """Segments by k-means on centred answers.

    Sums of squares run over the answers that there are, and a centre is the mean of its people's answers (k-POD). The
    number of segments is the largest whose prediction strength is at least 0.8, so that it is found again in other
    people, and whose latent classes describe the answers better than any continuum does (see `segment_mixture`). A
    continuum, such as from environmental to social concerns, is cut at the same place each time: its parts are found
    again, though nothing lies between them.

    Parameters
    ----------
    ratings : float array, shape (n, issues)
        NaN where there is none.
    generator : numpy Generator
        The only source of randomness.
    most : int
        Largest number of segments to try. More than a quarter of the people, or than the issues can tell from a
        continuum, are not tried: with under 4 issues that is 1, under 6 it is 2, and from 9 on it is 5.
    k : int, optional
        The number of segments, if it is not to be chosen.
    replicates : int
        Resamples for the stability.

    Returns
    -------
    Segments
        Fewer than `k` where fewer people differ.

    Raises
    ------
    ValueError
        If a number is out of range, or as for `centre_people`.

    Notes
    -----
    With many answers missing k-means over those there are is biased (Terada and Guan 2024), and has little power. It
    favours segments of like size. In both the mixture is better.

    References
    ----------
    Chi, Chi and Baraniuk (2016), k-POD: a method for k-means clustering of missing data, American Statistician 70(1);
    Terada and Guan (2024), Some notes on the k-means clustering for missing data, arXiv:2410.00546; Arthur and
    Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA; Tibshirani and Walther (2005), Cluster
    validation by prediction strength, J. Computational and Graphical Statistics 14(3); Hennig (2007), Cluster-wise
    assessment of cluster stability, Computational Statistics & Data Analysis 52(1).
    """
    return _segments(ratings, generator, _kmeans, most, k, replicates)


def segment_mixture(
    ratings: FloatArray,
    generator: np.random.Generator,
    *,
    most: int = 5,
    k: int | None = None,
    replicates: int = 50,
) -> Segments:
    """Segments as latent classes: a Gaussian mixture on centred answers, fitted by EM to the answers there are.

        Within a class issues are independent, and the variance of an issue is the same in all classes (the usual latent
    profile model), so that classes differ by what their people find important. A variance is at least 0.01 of the
    issue's over everybody. Missing answers are ignorable if they are missing at random.

    The number of classes is the best by BIC, if that beats every continuum: one normal population, with factors that
    tie the issues together. Classes and factors that span as many dimensions explain the same covariances, so that
    BIC of classes alone takes any tie between issues for classes. Where a continuum is better the answer is one
    segment.

        Parameters
        ----------
        ratings : float array, shape (n, issues)
            NaN where there is none.
        generator : numpy Generator
            The only source of randomness.
        most : int
            Largest number of classes to try, limited as in `segment_kmeans`.
        k : int, optional
            The number of classes, if it is not to be chosen.
        replicates : int
            Resamples for the stability.

        Returns
        -------
        Segments
            A person is in the likeliest class. Fewer than `k` where a class is nobody's likeliest.

        Raises
        ------
        ValueError
            If a number is out of range, or as for `centre_people`.

        Notes
    -----
    On simulated Likert answers with a ceiling, 25 studies each: one population, of 30 to 600 people and 4 to 25 issues,
    gave one segment each time, also when spread along a normal continuum, where BIC of classes alone gave 2 to 5. Three
    classes (600 people, 25 issues, each class a point lower on 8) were found 25 times by the mixture; k-means gave the
    three 6 times and two of them 8 times. What deceives: a continuum with a long tail (lognormal) gave classes 4
    times, and people of whom half scatter thrice as widely 8 times; k-means gave one segment in both. Two classes
    across which a strong continuum runs are not found.

    Centring makes issues correlate by −1/(issues − 1), which BIC of classes alone takes for 4 or 5 classes in one
    population of 6 issues. The comparison with a continuum absorbs it, since factors can explain it too.

    References
    ----------
    Banfield and Raftery (1993), Model-based Gaussian and non-Gaussian clustering, Biometrics 49(3); Vermunt and
    Magidson (2002), Latent class cluster analysis, in Hagenaars and McCutcheon, Applied Latent Class Analysis,
    Cambridge; Molenaar and von Eye (1994), On the arbitrary nature of latent variables, in von Eye and Clogg, Latent
    Variables Analysis, Sage, for classes and factors of equal covariances; Ledermann (1937), On the rank of the
    reduced correlational matrix in multiple-factor analysis, Psychometrika 2(2), for how many factors can be told.
    """
    return _segments(ratings, generator, _mixture, most, k, replicates)


def _segments(
    ratings: FloatArray, generator: np.random.Generator, method: _Method, most: int, k: int | None, replicates: int
) -> Segments:
    if most < 1 or replicates < 0 or (k is not None and k < 1):
        raise ValueError(
            f"Asked for {most if k is None else k} segments and {replicates} resamples.\n"
            "  Mend: ask for 1 segment or more, and for 0 resamples or more."
        )
    centred = centre_people(ratings)
    seen = np.isfinite(centred)
    used: BoolArray = np.any(seen, axis=1)
    filled = np.where(seen, centred, 0.0)[used]
    people = _People(np.hstack([filled, seen[used].astype(float)]), filled**2)
    n = len(filled)
    everybody = np.ones((1, n))
    fits: dict[int, _Fit] = {}
    strength, bic, bic_continuum = np.full((3, most), np.nan)
    if n:
        halves = _halves(n, generator)
        limit = min(most, n // 4, 1 + _identified(int(seen.any(axis=0).sum())))
        for number in range(1, max(limit, 1) + 1):
            fits[number] = method(people, everybody, number, generator, STARTS, STEPS)
            classes = fits[number] if method is _mixture else _em(people, everybody, fits[number], STEPS)
            bic[number - 1] = _bic(people, classes)
            bic_continuum[number - 1] = _continuum_bic(people, number - 1) if number > 1 else bic[0]
            if method is _kmeans:
                strength[number - 1] = _prediction_strength(people, halves, number, generator)
        k = k or _number(strength, bic, bic_continuum)
        if k not in fits:
            fits[k] = method(people, everybody, k, generator, STARTS, STEPS)
        fit, label, posterior = _ordered(people, fits[k])
    else:
        k, label, posterior = 0, np.zeros(0, np.intp), np.zeros(0)
        fit = _unit(np.zeros((0, 1, seen.shape[1])))
    found = len(fit.centres)
    jaccard = np.full(found, np.nan)
    if found > 1 and replicates:
        counts = generator.multinomial(n, np.full(n, 1 / n), replicates).astype(float)
        again, _ = _best(_scores(people, method(people, counts, k, generator, TRIES, FEW_STEPS)))
        jaccard = _jaccard(label, again, counts > 0)
    segment, probability = np.full(len(used), -1), np.full(len(used), np.nan)
    segment[used] = label
    if method is _mixture:
        probability[used] = posterior
    rated = (label == np.arange(found)[:, None]).astype(float) @ people.seen > 0
    return Segments(
        k=found,
        segment=segment,
        centres=np.where(rated, fit.centres[:, 0], np.nan),
        sizes=np.bincount(label, minlength=found),
        jaccard=jaccard,
        probability=probability,
        prediction_strength=strength,
        bic=bic,
        bic_continuum=bic_continuum,
        distinct=_distinct(people, label, found),
    )


def _ordered(people: _People, fit: _Fit) -> tuple[_Fit, IntArray, FloatArray]:
    """The classes that somebody is in, the largest first; with everybody's class and its probability."""
    score = _scores(people, fit)[:, 0]
    label, best = _best(score)
    there, first, number, sizes = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    probability = 1 / np.exp(score - best).sum(axis=0)
    return replace(fit, centres=fit.centres[there[order]]), np.argsort(order)[number], probability


def _identified(issues: int) -> int:
    """Most factors that are identified (Ledermann 1937); centred answers tell one issue less."""
    p = issues - 1
    return int((2 * p + 1 - np.sqrt(8 * p + 1)) / 2) if p > 0 else 0


def _number(strength: FloatArray, bic: FloatArray, bic_continuum: FloatArray) -> int:
    """How many segments; `strength` is NaN for the mixture."""
    apart = bic <= np.nanmin(bic_continuum)
    apart[0] = True
    if np.isnan(strength).all():
        best = int(np.nanargmin(bic))
        return 1 + best if apart[best] else 1
    return 1 + int(np.flatnonzero(apart & (strength >= STRONG)).max())


def _scores(people: _People, fit: _Fit) -> FloatArray:
    """Log density of every person in every class, less what is equal for all classes; (k, b, people)."""
    k, b, p = fit.centres.shape
    slopes = np.concatenate([fit.centres / fit.variance, fit.centres**2 / (-2 * fit.variance)], axis=2)
    score = (slopes.reshape(k * b, 2 * p) @ people.answers.T).reshape(k, b, -1)
    score += fit.log_share[..., None]
    return score


def _moved(people: _People, belongs: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centres of those who belong, and the sum of squares they explain; a centre without answers stays."""
    k, b, p = centres.shape
    sums = (belongs.reshape(k * b, -1) @ people.answers).reshape(k, b, 2 * p)
    total, answers = sums[..., :p], sums[..., p:]
    moved = np.divide(total, answers, out=centres.copy(), where=answers > ROUNDING)
    return moved, (moved * (2 * total - moved * answers)).sum(axis=0)


def _members(label: IntArray, counts: FloatArray, k: int) -> FloatArray:
    belongs = np.empty((k, *label.shape))
    for j in range(k):
        np.multiply(label == j, counts, out=belongs[j])
    return belongs


def _starts(people: _People, counts: FloatArray, k: int, generator: np.random.Generator) -> FloatArray:
    """Centres by k-means++: people drawn, each with a chance in proportion to the squared distance from those drawn.

    What such a person did not answer is put at the issue's mean.
    """
    mean, _ = _spread(people)
    whole = np.where(people.seen > 0, people.centred, mean)
    own = people.squares.sum(axis=1)
    b = len(counts)
    centres = np.empty((k, b, len(mean)))
    nearest = np.full(counts.shape, np.inf)
    chance = counts
    for j in range(k):
        reach = np.where(chance.any(axis=1, keepdims=True), chance, counts).cumsum(axis=1)
        at = (reach <= generator.random((b, 1)) * reach[:, -1:]).sum(axis=1)
        centres[j] = whole[np.minimum(at, len(whole) - 1)]
        distance = own - 2 * _scores(people, _unit(centres[j : j + 1]))[0]
        np.minimum(nearest, distance, out=nearest)
        chance = np.where(nearest > ROUNDING, nearest, 0.0) * counts
    return centres


def _unit(centres: FloatArray) -> _Fit:
    k, b, p = centres.shape
    return _Fit(centres, np.ones((b, p)), np.zeros((k, b)), np.full(b, -np.inf))


def _lloyd(people: _People, counts: FloatArray, centres: FloatArray, steps: int) -> _Fit:
    """K-means from given centres, all sets at once; those that have come to rest are left alone."""
    fit = _unit(centres.copy())
    last = np.full(counts.shape, -1)
    active = np.arange(len(counts))
    for _ in range(steps):
        score = _scores(people, fit.take(active))
        label, best = _best(score)
        fit.merit[active] = 2 * (best * counts[active]).sum(axis=1)
        resting: BoolArray = np.all(((label == last[active]) | (counts[active] == 0)), axis=1)
        last[active] = label
        active, label = active[~resting], label[~resting]
        if not len(active):
            break
        belongs = _members(label, counts[active], len(centres))
        fit.centres[:, active], _ = _moved(people, belongs, fit.centres[:, active])
    return fit


def _best(score: FloatArray) -> tuple[IntArray, FloatArray]:
    """The first of the highest scores; a loop over few classes is faster than argmax along them."""
    best, label = score[0].copy(), np.zeros(score.shape[1:], np.intp)
    for j in range(1, len(score)):
        np.copyto(label, j, where=score[j] > best)
        np.maximum(best, score[j], out=best)
    return label, best


def _kmeans(
    people: _People, counts: FloatArray, k: int, generator: np.random.Generator, tries: int, steps: int
) -> _Fit:
    b = len(counts)
    tried = np.repeat(counts, tries, axis=0)
    trial = _lloyd(people, tried, _starts(people, tried, k, generator), TRIAL_STEPS)
    best = trial.merit.reshape(b, tries).argmax(axis=1) + np.arange(b) * tries
    return _lloyd(people, counts, trial.centres[:, best], steps)


def _mixture(
    people: _People, counts: FloatArray, k: int, generator: np.random.Generator, tries: int, steps: int
) -> _Fit:
    return _em(people, counts, _kmeans(people, counts, k, generator, tries, steps), steps)


def _spread(people: _People) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each issue over everybody; the variance is positive also where all agree."""
    answers = np.maximum(people.seen.sum(axis=0), 1)
    mean = people.centred.sum(axis=0) / answers
    return mean, np.maximum(people.squares.sum(axis=0) / answers - mean**2, ROUNDING)


def _em(people: _People, counts: FloatArray, start: _Fit, steps: int) -> _Fit:
    """EM over the answers there are, all sets at once, from the segments of k-means."""
    k, b, p = start.centres.shape
    squares, answers = counts @ people.squares, np.maximum(counts @ people.seen, ROUNDING)
    floor = FLOOR * _spread(people)[1]
    fit = _Fit(start.centres.copy(), np.empty((b, p)), np.empty((k, b)), np.full(b, -np.inf))
    belongs = _members(_best(_scores(people, start))[0], counts, k)
    active = np.arange(b)
    for _ in range(steps):
        centres, explained = _moved(people, belongs, fit.centres[:, active])
        variance = np.maximum((squares[active] - explained) / answers[active], floor)
        log_share = np.log(np.maximum(belongs.sum(axis=2), 1e-300) / counts[active].sum(axis=1))
        step = _Fit(centres, variance, log_share, fit.merit[active])
        score = _scores(people, step)
        top = score.max(axis=0)
        score = np.exp(score - top)
        density = score.sum(axis=0)
        rest = squares[active] / variance + answers[active] * np.log(2 * np.pi * variance)
        merit = ((np.log(density) + top) * counts[active]).sum(axis=1) - rest.sum(axis=1) / 2
        going = merit - step.merit > ENOUGH * counts[active].sum(axis=1)
        fit.put(active, _Fit(centres, variance, log_share, merit))
        active = active[going]
        if not len(active):
            break
        belongs = score[:, going] * (counts[active] / density[going])
    return fit


def _bic(people: _People, fit: _Fit) -> float:
    k, issues = len(fit.centres), np.count_nonzero(people.seen.any(axis=0))
    return float((k - 1 + (k + 1) * issues) * np.log(len(people.seen)) - 2 * fit.merit[0])


def _continuum_bic(people: _People, q: int) -> float:
    """BIC of one normal population in which q factors tie the issues together, by EM over the answers there are."""
    y, r = people.centred, people.seen
    n, p = y.shape
    q = min(q, p)
    answers = np.maximum(r.sum(axis=0), 1)
    mean, spread = _spread(people)
    scaled = r * (y - mean) / np.sqrt(spread)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / n)
    loadings = vectors[:, p - q :] * np.sqrt(np.maximum(values[p - q :] - 1, 0.1)) * np.sqrt(spread)[:, None]
    noise = np.maximum(spread - (loadings**2).sum(axis=1), 0.1 * spread)
    design = np.hstack([mean[:, None], loadings])
    merit = -np.inf
    for _ in range(STEPS):
        mean, loadings = design[:, 0], design[:, 1:]
        residual = r * (y - mean)
        scaled = loadings / noise[:, None]
        precision = np.eye(q) + (r @ (scaled[:, :, None] * loadings[:, None]).reshape(p, q * q)).reshape(n, q, q)
        covariance = np.linalg.inv(precision)
        pull = residual @ scaled
        factor = (covariance @ pull[..., None])[..., 0]
        fall = r @ np.log(2 * np.pi * noise) + residual**2 @ (1 / noise) - (pull * factor).sum(axis=1)
        before, merit = merit, float(-(fall + np.linalg.slogdet(precision)[1]).sum() / 2)
        if merit - before <= ENOUGH * n:
            break
        factor = np.hstack([np.ones((n, 1)), factor])
        products = factor[:, :, None] * factor[:, None]
        products[:, 1:, 1:] += covariance
        normal = (r.T @ products.reshape(n, -1)).reshape(p, q + 1, q + 1) + ROUNDING * np.eye(q + 1)
        moments = y.T @ factor
        design = np.linalg.solve(normal, moments[..., None])[..., 0]
        noise = np.maximum((people.squares.sum(axis=0) - (design * moments).sum(axis=1)) / answers, FLOOR * spread)
    issues = np.count_nonzero(r.any(axis=0))
    free = min(issues * (1 + q) - q * (q - 1) / 2, issues * (issues + 1) / 2)
    return float((issues + free) * np.log(n) - 2 * merit)


def _halves(n: int, generator: np.random.Generator) -> BoolArray:
    """Who is in each half, (2 splits, n); the two halves of a split follow each other."""
    first = generator.permuted(np.tile(np.arange(n) < n // 2, (SPLITS, 1)), axis=1)
    return np.stack([first, ~first], axis=1).reshape(2 * SPLITS, n)


def _prediction_strength(people: _People, halves: BoolArray, k: int, generator: np.random.Generator) -> float:
    """Of the pairs of people that share a segment of their half, how many share one of the other half's; the least."""
    if k == 1:
        return 1.0
    fit = _kmeans(people, halves.astype(float), k, generator, TRIES, FEW_STEPS)
    own, _ = _best(_scores(people, fit))
    table = _crossed(own, own[np.arange(len(halves)) ^ 1], halves, k)
    size = table.sum(axis=2)
    pairs = (table * (table - 1)).sum(axis=2)
    kept = np.divide(pairs, size * (size - 1), out=np.zeros(size.shape), where=size > 1)
    return float(kept.min(axis=1).mean())


def _crossed(one: IntArray, two: IntArray, members: BoolArray, k: int) -> FloatArray:
    """How many of each set's members each pair of labels has, (b, k, k)."""
    b = len(members)
    code = (np.arange(b)[:, None] * k + one) * k + two
    return np.bincount(code[members], minlength=b * k * k).reshape(b, k, k).astype(float)


def _jaccard(label: IntArray, again: IntArray, drawn: BoolArray) -> FloatArray:
    """Mean over resamples of the best Jaccard coefficient of each segment, among the people drawn."""
    k = int(max(label.max(), again.max())) + 1
    table = _crossed(np.broadcast_to(label, again.shape), again, drawn, k)
    size = table.sum(axis=2, keepdims=True)
    union = size + table.sum(axis=1, keepdims=True) - table
    best = np.divide(table, union, out=np.zeros(table.shape), where=union > 0).max(axis=2)[:, : label.max() + 1]
    there = size[:, : label.max() + 1, 0] > 0
    times = there.sum(axis=0)
    return np.divide((best * there).sum(axis=0), times, out=np.full(best.shape[1], np.nan), where=times > 0)


def _distinct(people: _People, label: IntArray, k: int) -> FloatArray:
    """Cohen's d of each segment against all others, (k, issues)."""
    inside = (label == np.arange(k)[:, None]).astype(float)
    sums = np.stack([inside, 1 - inside]) @ np.hstack([people.answers, people.squares])
    total, answers, squares = np.split(sums, 3, axis=2)
    mean = np.divide(total, answers, out=np.full(total.shape, np.nan), where=answers > 0)
    within = np.where(answers > 0, squares - np.nan_to_num(mean) * total, 0.0).sum(axis=0)
    freedom = answers.sum(axis=0) - 2
    spread = np.sqrt(np.maximum(np.divide(within, freedom, out=np.zeros(within.shape), where=freedom > 0), 0.0))
    apart = mean[0] - mean[1]
    sure = np.where(apart == 0, 0.0, np.copysign(np.inf, apart)) + 0 * apart
    return np.divide(apart, spread, out=sure, where=spread > ROUNDING)
