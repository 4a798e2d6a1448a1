"""Group means and scores with their joint covariance, as algebra on moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.moments import Moments
from materiality.responses import Kind
from materiality.stats import effective_n, satterthwaite_df, t_interval, unanimous_share

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """What the moments say of each group, question by question.

    Attributes
    ----------
    moments : Moments
    members : bool array, shape (cells, groups)
    means : float array, shape (groups, questions)
        Weighted means on the scale; NaN where nobody rated.
    weights : float array, shape (groups, questions)
        Sums of the weights of those who rated.
    n : int array, shape (groups, questions)
        Who rated.
    effective : float array, shape (groups, questions)
        Kish's effective n of those.
    kinds : int array, shape (groups, questions, kinds)
        Answers of each `Kind`.
    points : int array, shape (groups, questions, points)
        Ratings at each point of the scale.
    respondents : int array, shape (groups,)
        Everybody kept, raters or not.
    """

    moments: Moments
    members: NDArray[np.bool_]
    means: FloatArray
    weights: FloatArray
    n: IntArray
    effective: FloatArray
    kinds: IntArray
    points: IntArray
    respondents: IntArray

    @property
    def scale(self) -> float:
        """The largest distance of a group mean from the scale's midpoint: what rounding is measured by."""
        return float(np.nanmax(np.abs(self.means - self.moments.midpoint), initial=1.0))


@dataclass(frozen=True)
class Estimates:
    """Linear combinations of group means, with their joint covariance.

    Attributes
    ----------
    values : float array, shape (targets,)
        On the scale; NaN where no group of the target has a rating.
    covariance : float array, shape (targets, targets)
        Squared points; NaN in the rows of targets without variance that could be known.
    df : float array, shape (targets,)
        Satterthwaite degrees of freedom; NaN where no variance was seen.
    n : int array, shape (targets,)
        Distinct respondents whose ratings enter.
    low, high : float arrays, shape (targets,)
        The interval.
    unseen : float array, shape (targets,)
        What the interval reaches further for groups whose ratings are all equal, in points of the scale.
    """

    values: FloatArray
    covariance: FloatArray
    df: FloatArray
    n: IntArray
    low: FloatArray
    high: FloatArray
    unseen: FloatArray

    @property
    def std_error(self) -> FloatArray:
        """Standard errors, in points of the scale."""
        return np.sqrt(np.diag(self.covariance))


def summarise(moments: Moments) -> Sample:
    """Group means and counts.

    Group mean ȳ_gj = Σ w_i r_ij y_ij / Σ w_i r_ij over the respondents i of group g.
    """
    q = moments.questions
    first = np.asarray(moments.per_group(moments.stack("first")), np.float64).reshape(moments.groups, 2 * q)
    weights, sums = first[:, :q], first[:, q:]
    second = moments.stack("second")
    squares = np.diagonal(second, axis1=1, axis2=2)[:, :q] if len(second) else np.zeros((0, q))
    shape = (len(moments.cells), q)
    kinds = moments.stack("kinds").astype(np.int64).reshape(*shape, -1 if moments.cells else len(Kind))
    points = moments.stack("points").astype(np.int64).reshape(*shape, -1 if moments.cells else 0)
    by_group = moments.per_group(kinds).astype(np.int64)
    return Sample(
        moments=moments,
        members=moments.members(),
        means=np.divide(sums, weights, out=np.full(weights.shape, np.nan), where=weights > 0) + moments.midpoint,
        weights=weights,
        n=by_group[:, :, Kind.RATING],
        effective=effective_n(weights, moments.per_group(squares)),
        kinds=by_group,
        points=moments.per_group(points).astype(np.int64),
        respondents=moments.per_group(moments.stack("n").astype(np.int64)).astype(np.int64),
    )


def score_weights(sample: Sample, questions: IntArray, group_weights: FloatArray) -> FloatArray:
    """Each target's weight per group: the axis's, over the groups that have ratings, adding up to 1.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
        Whose ratings each target averages.
    group_weights : float array, shape (targets, groups)
        On any scale.

    Returns
    -------
    float array, shape (targets, groups)
        All 0 where no group of the target has a rating.
    """
    present = np.where(sample.n[:, questions].T > 0, group_weights, 0.0)
    total = present.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(present, total, out=np.zeros(present.shape), where=total > 0))


def estimate(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    *,
    confidence: float,
    low: float,
    high: float,
    population: FloatArray | None = None,
    strata: IntArray | None = None,
) -> Estimates:
    """Linear combinations of group means, with the joint covariance of all of them.

    Taylor linearisation. For target t with question j and group weights λ_tg, respondent i counts
    u_it = Σ_g λ_tg r_ij w_i (y_ij − ȳ_gj) / Ŵ_gj over the groups g that i belongs to; who skipped j counts 0 and stays
    in n. Respondents of one group are a sample of it: their squares and products are taken times
    (1 − n_g/N_g) n_g/(n_g − 1), and a respondent of several groups links them, each group's part entering with the root
    of its own factor. So a group's own variance is what it would be alone, and the matrix has no negative eigenvalue.

    Where all of a group's ratings are equal it shows no variance, and adds none. The interval then reaches further: by
    the share of dissenters that so many equal answers leave possible (`unanimous_share`), or the share of the
    population that was not asked, times λ and the length of the scale; squares of reaches are added.

    A group with one rating shows no variance either. Its variance is taken to be the pooled variance of the target's
    other groups, with the group's own correction for its population; where there is none, the target's variance is
    unknown (NaN). Where all ratings of each other group are equal there is no variance to lend, and the one rating
    counts among the equal ones.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
    weights : float array, shape (targets, groups)
        λ, used as they are; of any sign.
    confidence : float
        Of the intervals.
    low, high : float
        The ends within which the intervals stay; the scale's, or infinite for differences.
    population : float array, shape (groups,), optional
        N_g; NaN for none. Without it there is no finite population correction.
    strata : int array, shape (cells,), optional
        Sampling strata where they are not the groups. Each is then a sample of its own, with its mean taken off;
        `population` is then per stratum.

    Returns
    -------
    Estimates

    References
    ----------
    Woodruff (1971), JASA 66; Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, chapter 5;
    Lumley (2010), Complex Surveys. Equal to R's `survey::svyby(…, covmat = TRUE)` with `svycontrast` where
    the groups are the strata.
    """
    if strata is None:
        pieces = _contributions(sample, questions, weights, _group_factors(sample, population))
        covariance, shares = _add_up(sample, questions, pieces)
    else:
        covariance, shares = _stratified(sample, questions, weights, strata, population)
    means = sample.means[:, questions].T
    values = np.where(weights != 0, np.where(np.isnan(means), 0.0, means) * weights, 0.0).sum(axis=1)
    values[~(weights != 0).any(axis=1)] = np.nan
    lonely = (weights != 0) & (sample.n[:, questions].T == 1)
    unasked = np.ones(len(sample.n))
    if population is not None and strata is None:
        unasked = np.clip(np.nan_to_num(1 - sample.respondents / population, nan=1.0), 0.0, 1.0)
    covariance, shares = _pool_lonely(sample, questions, weights, lonely & (unasked > 0), covariance, shares, unasked)
    n = _distinct(sample, questions, weights)
    df = satterthwaite_df(shares, np.maximum(sample.n[:, questions] - 1, 0))
    df = np.minimum(np.maximum(df, 1.0), np.maximum(n - 1, 0))
    variance = np.diag(covariance)
    unseen = _unseen(sample, questions, weights, confidence, high - low, None if strata is not None else population)
    lower, upper = t_interval(
        values, np.sqrt(variance), np.where(df > 0, df, np.nan), confidence, low, high, unseen=unseen
    )
    return Estimates(values, covariance, df, n, lower, upper, unseen)


def _unseen(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    confidence: float,
    span: float,
    population: FloatArray | None,
) -> FloatArray:
    """How far dissenters whom nobody met may move each target: groups whose ratings are all equal, squares added."""
    if not np.isfinite(span):
        return np.zeros(len(questions))
    n = sample.n[:, questions].T
    share = unanimous_share(n, confidence)
    if population is not None:
        unasked = np.clip(1 - n / population, 0.0, None)
        share = np.where(np.isfinite(unasked), np.minimum(share, unasked), share)
    agreed = unanimous(sample)[:, questions].T & (weights != 0)
    varied = (weights != 0) & (n > 1) & ~agreed
    agreed |= (weights != 0) & (n == 1) & (agreed.any(axis=1) & ~varied.any(axis=1))[:, None]
    return np.asarray(np.sqrt(np.square(np.where(agreed, share * weights, 0.0)).sum(axis=1)) * span)


def unanimous(sample: Sample) -> NDArray[np.bool_]:
    """Where two or more of a group rated and their ratings are equal, shape (groups, questions)."""
    spread = rating_variances(sample)
    return np.asarray((sample.n > 1) & (np.nan_to_num(spread, nan=np.inf) <= 1e-12 * np.square(sample.scale)))


def _group_factors(sample: Sample, population: FloatArray | None) -> FloatArray:
    """(1 − n/N) n/(n − 1) per group; 0 for a group of one, whose variance comes from the others."""
    n = sample.respondents.astype(float)
    factor = np.divide(n, n - 1, out=np.zeros(n.shape), where=n > 1)
    if population is not None:
        factor = np.where(np.isfinite(population), factor * (1 - n / population), factor)
    return np.asarray(np.clip(factor, 0.0, None))


Pieces = tuple[FloatArray, FloatArray]


def _contributions(sample: Sample, questions: IntArray, weights: FloatArray, factors: FloatArray) -> Pieces:
    """What multiplies w r y and w r in each group's part of u: arrays of shape (groups, targets)."""
    weight = sample.weights[:, questions]
    per = np.divide(weights.T, weight, out=np.zeros(weight.shape), where=weight > 0) * np.sqrt(factors)[:, None]
    centred = sample.means[:, questions] - sample.moments.midpoint
    return per, per * np.where(np.isnan(centred), 0.0, centred)


def _products(second: FloatArray, questions: IntArray, left: Pieces, right: Pieces) -> FloatArray:
    """Σ_i u_i v_iᵀ over a cell, from its cross-products; u and v are given by what multiplies w r y and w r."""
    q = second.shape[0] // 2
    rated, rating = questions, questions + q
    return np.asarray(
        np.outer(left[0], right[0]) * second[np.ix_(rating, rating)]
        - np.outer(left[0], right[1]) * second[np.ix_(rating, rated)]
        - np.outer(left[1], right[0]) * second[np.ix_(rated, rating)]
        + np.outer(left[1], right[1]) * second[np.ix_(rated, rated)]
    )


def _add_up(sample: Sample, questions: IntArray, pieces: Pieces) -> tuple[FloatArray, FloatArray]:
    """The covariance, and each group's share of each variance (cross terms of shared respondents halved to each)."""
    targets, q = len(questions), sample.moments.questions
    covariance = np.zeros((targets, targets))
    shares = np.zeros((sample.members.shape[1], targets))
    uncancelled = np.zeros(targets)
    rated, rating = questions, questions + q
    for sums, member in zip(sample.moments.cells.values(), sample.members, strict=True):
        y, r = pieces[0][member].sum(axis=0), pieces[1][member].sum(axis=0)
        second = sums.second
        covariance += _products(second, questions, (y, r), (y, r))
        yy, yr, rr = second[rating, rating], second[rating, rated], second[rated, rated]
        uncancelled += y**2 * yy + 2 * np.abs(y * r * yr) + r**2 * rr
        for group in np.flatnonzero(member):
            gy, gr = pieces[0][group], pieces[1][group]
            shares[group] += gy * y * yy - (gy * r + gr * y) * yr + gr * r * rr
    covariance = (covariance + covariance.T) / 2
    only_rounding = np.diag(covariance) <= 1e-13 * uncancelled
    return _cleared(covariance, only_rounding), np.where(only_rounding, 0.0, shares)


def _cleared(covariance: FloatArray, still: NDArray[np.bool_]) -> FloatArray:
    """The matrix with the rows and columns of targets without variance at exactly zero, rid of rounding."""
    covariance = covariance.copy()
    covariance[still, :] = 0.0
    covariance[:, still] = 0.0
    return covariance


def _stratified(
    sample: Sample, questions: IntArray, weights: FloatArray, strata: IntArray, population: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """The covariance where strata, not groups, were sampled; shares are then the groups' as if they had been."""
    pieces = _contributions(sample, questions, weights, np.ones(sample.members.shape[1]))
    _, shares = _add_up(sample, questions, pieces)
    targets, q = len(questions), sample.moments.questions
    covariance = np.zeros((targets, targets))
    cells = list(sample.moments.cells.values())
    for number, stratum in enumerate(np.unique(strata)):
        products, sums, n = np.zeros((targets, targets)), np.zeros(targets), 0
        for k in np.flatnonzero(strata == stratum):
            member = sample.members[k]
            y, r = pieces[0][member].sum(axis=0), pieces[1][member].sum(axis=0)
            products += _products(cells[k].second, questions, (y, r), (y, r))
            sums += y * cells[k].first[questions + q] - r * cells[k].first[questions]
            n += cells[k].n
        if n < 2:
            continue
        factor = n / (n - 1)
        if population is not None and np.isfinite(population[number]):
            factor *= 1 - n / population[number]
        covariance += factor * (products - np.outer(sums, sums) / n)
    return (covariance + covariance.T) / 2, shares


def _pool_lonely(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    lonely: NDArray[np.bool_],
    covariance: FloatArray,
    shares: FloatArray,
    unasked: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Lend groups with one rating the pooled variance of the target's other groups."""
    if not lonely.any():
        return covariance, shares
    covariance, shares = covariance.copy(), shares.copy()
    variances = rating_variances(sample)[:, questions].T
    df = np.where((weights != 0) & np.isfinite(variances), sample.n[:, questions].T - 1, 0)
    total = df.sum(axis=1)
    pooled = np.divide(
        (df * np.where(df > 0, variances, 0.0)).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
    )
    for target, group in zip(*np.nonzero(lonely), strict=True):
        covariance[target, target] += weights[target, group] ** 2 * pooled[target] * unasked[group]
    return covariance, shares


def rating_variances(sample: Sample) -> FloatArray:
    """Variance of the ratings within each group, shape (groups, questions), squared points; NaN below two ratings.

    n/(n − 1) Σ w² (y − ȳ)² / Σ w², so that a weighted respondent counts as in the variance of the mean.
    """
    q = sample.moments.questions
    second = sample.moments.stack("second").reshape(len(sample.members), 2 * q, 2 * q)
    squares = sample.moments.per_group(np.diagonal(second, axis1=1, axis2=2)).reshape(-1, 2 * q)
    cross = sample.moments.per_group(np.diagonal(second[:, q:, :q], axis1=1, axis2=2)).reshape(-1, q)
    centred = np.where(np.isnan(sample.means), 0.0, sample.means - sample.moments.midpoint)
    around = squares[:, q:] - 2 * centred * cross + centred**2 * squares[:, :q]
    n = sample.n.astype(float)
    spread = np.divide(around, squares[:, :q], out=np.full(around.shape, np.nan), where=n > 1)
    return np.asarray(np.clip(spread, 0.0, None) * np.divide(n, n - 1, out=np.full(n.shape, np.nan), where=n > 1))


def _distinct(sample: Sample, questions: IntArray, weights: FloatArray) -> IntArray:
    """Distinct respondents who rated and belong to a group with weight."""
    rated = sample.moments.stack("rated").reshape(len(sample.members), sample.moments.questions)[:, questions]
    counts = (weights != 0).astype(np.int64) @ sample.members.T.astype(np.int64) > 0
    return np.asarray((rated.T * counts).sum(axis=1), np.int64)
