"""Group means and scores with their joint covariance, as algebra on moments."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from materiality.intervals import Parts, Reaches, group_reaches, score_interval
from materiality.linearisation import Design, Spread, design_of, linearise
from materiality.samples import Sample, StandIn, rating_variances, score_weights, summarise, unanimous
from materiality.stats import ROUNDING, satterthwaite_df, t_interval

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


CAUTIOUS_BELOW = 200
"""Sampled units of a raked group below which its variance leaves the margins' gain out."""


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
    std_dev : float array, shape (targets,)
        Standard deviation for draws that are to be as wide as the interval, in points of the scale.
    unreliable : bool array, shape (targets,)
        The interval rests on the ends of the scale rather than on the answers.
    """

    values: FloatArray
    covariance: FloatArray
    df: FloatArray
    n: IntArray
    low: FloatArray
    high: FloatArray
    std_dev: FloatArray
    unreliable: NDArray[np.bool_]

    @property
    def std_error(self) -> FloatArray:
        """Standard errors, in points of the scale."""
        return np.sqrt(np.diag(self.covariance))


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
    cautious_below: int = CAUTIOUS_BELOW,
) -> Estimates:
    """Linear combinations of group means, with the joint covariance of all of them.

    Taylor linearisation. For target t with question j and group weights λ_tg, respondent i counts
    u_itg = λ_tg r_ij w_i (y_ij − ȳ_gj) / Ŵ_gj in each group g that i belongs to; who skipped j counts 0 and stays in n.
    Where the group was raked, the part of u/w that a regression on the margins' dummies fits (least squares, design
    weights) is taken off first. The respondents of one group are a sample of it, or of each of its strata: sums of
    squares and products around the stratum's mean are taken times (1 − n_h/N_h) n_h/(n_h − 1). Clusters that were
    sampled as one count as one respondent there, with the sum of their members' u. A respondent of several groups links
    them, each group's part entering with the root of its own factor. So a group's own variance is what it would be
    alone, and the matrix has no negative eigenvalue. A stratum with one respondent, in a group that has others, counts
    with the square of u itself, without n/(n − 1).

    In a small raked group the regression fits the respondents too closely, and its residuals cover too little (72 % at
    12 respondents, 82 % at 20, where 95 % are wanted). A raked group of fewer than `cautious_below` therefore keeps u
    whole, as if its weights had been given, with the factor (1 − n/N) n/(n − p) and n − p degrees of freedom, p the
    rank of the margins' dummies: 93 to 97 % (`benchmarks/raked_variance.py`).

    A group with one rating, or with ratings from one cluster alone, shows no variance. Its variance is taken to be the
    pooled variance of the ratings within the target's groups, as for one respondent, with the group's own correction
    for its population; where nobody's ratings vary, the target's variance is unknown (NaN).

    Intervals of averages (weights that are not negative, on a scale with ends) are those of `intervals.score_interval`,
    which hold for small groups and for ratings piled up at an end. Where a group has clusters they take the larger of
    its own variance and that of leaving out one cluster at a time: clusters of unequal size would cover too little
    otherwise. Intervals of differences add the squares of the reaches of the groups' intervals, each towards its side,
    scaled to the joint variance where people are in both groups (Zou and Donner 2008). On a scale without ends
    intervals are Student's t.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
    weights : float array, shape (targets, groups)
        λ, used as they are; of any sign.
    confidence : float
        Of the intervals.
    low, high : float
        The ends of the scale; infinite where it has none.
    population : float array, shape (groups,) or (cells, groups), optional
        N of the group, or of the stratum that a cell belongs to within the group; NaN for none. Without it there is no
        finite population correction.
    strata : int array, shape (cells,), optional
        Samples that the groups are domains of, where they are not sampled by themselves; `population` then is per
        stratum, in the order of their numbers.
    cautious_below : int
        Sampled units of a raked group below which its variance is the cautious one.

    Returns
    -------
    Estimates

    References
    ----------
    Woodruff (1971), JASA 66; Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, chapter 5;
    Deville and Särndal (1992), JASA 87; Zou and Donner (2008), Statistics in Medicine 27(10); Lumley (2010), Complex
    Surveys. Equal to R's `survey::svyby(…, covmat = TRUE)` with `svycontrast` where the groups are the strata, and to
    `calibrate(calfun = "raking")` where the cautious variance is not called for.
    """
    design = design_of(sample, population, strata)
    unasked = np.clip(np.nan_to_num(1 - design.asked(sample), nan=1.0), 0.0, 1.0)
    spread = _spread(sample, questions, weights, design, unasked, cautious_below)
    means = sample.means[:, questions].T
    values = np.where(weights != 0, np.where(np.isnan(means), 0.0, means) * weights, 0.0).sum(axis=1)
    values[~(weights != 0).any(axis=1)] = np.nan
    own = _own_parts(sample, questions, design, unasked, cautious_below)
    lonely = (weights != 0) & (own.n.T == 1)
    seen = np.diag(spread.covariance)
    covariance = _pool_lonely(sample, questions, weights, lonely & (unasked > 0), spread.covariance, unasked)
    n = _distinct(sample, questions, weights)
    df = satterthwaite_df(spread.shares, spread.df)
    df = np.minimum(np.maximum(df, 1.0), np.maximum(n - 1, 0))
    std_error = np.sqrt(np.diag(covariance))
    lower, upper = t_interval(values, std_error, np.where(df > 0, df, np.nan), confidence, low, high)
    width, unreliable = std_error.copy(), np.zeros(len(values), np.bool_)
    if np.isfinite(high - low):
        averages = np.asarray((weights >= 0).all(axis=1) & _is_average(weights.sum(axis=1)), np.bool_)
        if averages.any():
            found = score_interval(
                _some(own, np.flatnonzero(averages)),
                weights[averages],
                confidence=confidence,
                low=low,
                high=high,
                variance=seen[averages],
            )
            lower[averages], upper[averages] = found.low, found.high
            width[averages], unreliable[averages] = found.std_dev, found.unreliable
        if not averages.all():
            lower[~averages], upper[~averages] = _contrast_interval(
                _some(own, np.flatnonzero(~averages)), weights[~averages], seen[~averages], confidence, low, high
            )
            width[~averages] = (upper - lower)[~averages] / 2 / ndtri(0.5 + confidence / 2)
    return Estimates(values, covariance, df, n, lower, upper, width, unreliable)


@dataclass(frozen=True)
class Pieces:
    """What scores are made of, whatever the group weights will be: every mean of a group that has ratings.

    Attributes
    ----------
    group, question : int arrays, shape (means,)
        Whose mean, of which question.
    mean : float array, shape (means,)
        On the scale.
    n : int array, shape (means,)
        Who rated.
    reaches : Reaches
        What each mean's interval gives to that of a score; arrays of shape (means,).
    covariance : float array, shape (means, means)
        Taylor's, in squared points.
    df : float array, shape (means,)
        Degrees of freedom of each mean's variance; NaN where none was seen.
    lent : float array, shape (means,)
        What a mean of one unit takes of the pooled variance of a score's groups: the share of its group that was not
        asked; 0 for a mean of more.
    """

    group: IntArray
    question: IntArray
    mean: FloatArray
    n: IntArray
    reaches: Reaches
    covariance: FloatArray
    df: FloatArray
    lent: FloatArray


def pieces(
    sample: Sample,
    *,
    confidence: float,
    low: float,
    high: float,
    population: FloatArray | None = None,
    cautious_below: int = CAUTIOUS_BELOW,
) -> Pieces:
    """The group means with their joint covariance and what their intervals give to those of scores.

    `estimate` at any weights λ follows from these by sums: values Σ λ ȳ, variances λᵀ V λ, and intervals as
    `intervals.score_interval` puts them together.

    Parameters
    ----------
    sample : Sample
    confidence, low, high, population, cautious_below
        As for `estimate`; the scale has ends.
    """
    design = design_of(sample, population)
    group, question = np.nonzero(sample.n > 0)
    unasked = np.clip(np.nan_to_num(1 - design.asked(sample), nan=1.0), 0.0, 1.0)
    spread = _spread(sample, question, np.eye(len(sample.n))[group], design, unasked, cautious_below)
    questions = np.arange(sample.moments.questions)
    own = _own_parts(sample, questions, design, unasked, cautious_below)
    reaches = group_reaches(
        Parts(*(getattr(own, field.name)[group, question] for field in fields(Parts))),
        confidence=confidence,
        low=low,
        high=high,
    )
    return Pieces(
        group=group,
        question=question,
        mean=sample.means[group, question],
        n=sample.n[group, question],
        reaches=reaches,
        covariance=spread.covariance,
        df=satterthwaite_df(spread.shares, spread.df),
        lent=np.where(own.n[group, question] == 1, unasked[group], 0.0),
    )


def _spread(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    design: Design,
    unasked: FloatArray,
    cautious_below: int,
) -> Spread:
    """The joint covariance of the targets; means that something stands for have its variance, and vary on their own."""
    stand = sample.stand_in
    if stand is None:
        return linearise(sample, questions, weights, design, cautious_below=cautious_below)
    apart = stand.cells[:, questions].T
    spread = linearise(sample, questions, np.where(apart, 0.0, weights), design, cautious_below=cautious_below)
    own = np.where(apart, weights, 0.0)
    each = own * _lent(sample, stand, unasked)[:, questions].T
    same = questions[:, None] == questions
    covariance = spread.covariance + np.where(same, np.nan_to_num(each) @ own.T, 0.0)
    unknown = (np.isnan(each) & (own != 0)).any(axis=1)
    covariance[unknown, unknown] = np.nan
    groups = np.arange(len(sample.n))
    return Spread(
        covariance=covariance,
        shares=np.concatenate([spread.shares, np.nan_to_num(own * each).T]),
        df=np.concatenate([spread.df, np.broadcast_to(stand.df[questions], (len(groups), len(questions)))]),
        units=np.concatenate([spread.units, np.where(apart, sample.n[:, questions].T, 0).T]),
        group=np.concatenate([spread.group, groups]),
    )


def _lent(sample: Sample, stand: StandIn, unasked: FloatArray) -> FloatArray:
    """The variance of each mean that something stands for; a size that is not told corrects for no population."""
    size = np.where(stand.cells, np.maximum(sample.n, 1), np.inf)
    return stand.variance / size * np.where(stand.hidden, 1.0, unasked[:, None])


def pooled_variances(sample: Sample, questions: IntArray, weights: FloatArray) -> FloatArray:
    """The variance of the ratings within the groups with weight, pooled, by target; NaN where none shows any."""
    variances = rating_variances(sample)[:, questions].T
    df = np.where((weights != 0) & np.isfinite(variances), sample.n[:, questions].T - 1, 0)
    total = df.sum(axis=1)
    return np.divide(
        (df * np.where(df > 0, variances, 0.0)).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
    )


def _is_average(total: FloatArray) -> NDArray[np.bool_]:
    """Whether weights add up to 1, or are all 0."""
    return np.asarray(np.isclose(total, 1.0, rtol=1e-9) | (total == 0))


def _own_parts(sample: Sample, questions: IntArray, design: Design, unasked: FloatArray, cautious_below: int) -> Parts:
    """Each group's mean with its own variance, the sampled units that rated, and effective n, by target."""
    groups, q = sample.n.shape
    rated = sample.n > 0
    group_of, question_of = np.nonzero(rated)
    weights = np.eye(groups)[group_of]
    spread = linearise(sample, question_of, weights, design, cautious_below=cautious_below)
    variance, effective = np.full((groups, q), np.nan), np.zeros((groups, q))
    variance[rated] = np.diag(spread.covariance)
    mine = spread.group[:, None] == group_of
    effective[rated] = np.where(mine, spread.df, 0.0).sum(axis=0) + 1
    units = np.zeros((groups, q), np.int64)
    units[rated] = np.where(mine, spread.units, 0).sum(axis=0)
    for g in range(groups):
        jackknifed = _without_one_cluster(sample, design, g)
        if jackknifed is not None:
            variance[g] = np.where(rated[g], np.fmax(variance[g], jackknifed * unasked[g]), np.nan)
    left = np.broadcast_to(unasked[:, None], (groups, q))
    stand = sample.stand_in
    if stand is not None:
        known = np.isfinite(stand.variance)
        units, effective, variance, left = (
            np.where(stand.cells, put, own)
            for put, own in (
                (np.where(known, sample.n, np.minimum(sample.n, 1)), units),
                (np.minimum(sample.n, stand.df + 1), effective),
                (_lent(sample, stand, unasked), variance),
                (np.where(stand.hidden, 1.0, left), left),
            )
        )
    return Parts(
        mean=sample.means[:, questions],
        n=units[:, questions],
        effective=np.minimum(sample.effective, effective)[:, questions],
        variance=variance[:, questions],
        unasked=left[:, questions],
    )


def _without_one_cluster(sample: Sample, design: Design, g: int) -> FloatArray | None:
    """The variance of a group's means by leaving out one cluster at a time, by question; None without clusters.

    A cluster that is large among its group draws the mean towards itself, and its u is small. Leaving it out moves the
    mean by U_c / (1 − Ŵ_c/Ŵ), exactly; respondents by themselves count with their u.
    """
    q = sample.moments.questions
    cells = [(k, cell, sums) for k, (cell, sums) in enumerate(sample.moments.cells.items()) if sample.members[k, g]]
    if not any(cell.cluster for _, cell, _ in cells):
        return None
    centred = np.nan_to_num(sample.means[g] - sample.moments.midpoint)
    total = np.where(sample.weights[g] > 0, sample.weights[g], 1.0)
    found = np.zeros(q)
    moved: dict[int, FloatArray] = {}
    parts: dict[int, FloatArray] = {}
    for k, cell, sums in cells:
        f = sample.factors[k, g]
        if cell.cluster:
            around = f * (sums.first[q:] - centred * sums.first[:q]) / total
            moved[cell.cluster] = moved.get(cell.cluster, 0.0) + around
            parts[cell.cluster] = parts.get(cell.cluster, 0.0) + f * sums.first[:q] / total
        else:
            rr, ry, yy = np.diag(sums.second)[:q], np.diag(sums.second[q:, :q]), np.diag(sums.second)[q:]
            found += f**2 * (yy - 2 * centred * ry + centred**2 * rr) / total**2
    for cluster, around in moved.items():
        left = 1 - parts[cluster]
        found += np.square(np.divide(around, left, out=np.zeros(q), where=left > ROUNDING))
    units = int(design.units[design.group == g].sum())
    return np.asarray(found * (units - 1) / max(units, 1))


def _some(parts: Parts, targets: IntArray) -> Parts:
    """The parts of some targets."""
    return Parts(*(getattr(parts, field.name)[:, targets] for field in fields(Parts)))


def _contrast_interval(
    own: Parts, weights: FloatArray, variance: FloatArray, confidence: float, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """The interval of differences, from the intervals of the groups' means."""
    groups, targets = own.mean.shape
    lower, upper = np.zeros(own.mean.shape), np.zeros(own.mean.shape)
    for g in range(groups):
        here = np.flatnonzero(weights[:, g] != 0)
        alone = np.zeros((len(here), groups))
        alone[:, g] = 1.0
        found = score_interval(_some(own, here), alone, confidence=confidence, low=low, high=high)
        lower[g, here], upper[g, here] = own.mean[g, here] - found.low, found.high - own.mean[g, here]
    part = np.where(weights.T != 0, np.nan_to_num(own.variance), 0.0)
    apart = (np.square(weights.T) * part).sum(axis=0)
    linked = np.divide(variance, apart, out=np.ones(targets), where=(apart > 0) & (variance > 0))
    down, up = np.where(weights.T > 0, lower, upper), np.where(weights.T > 0, upper, lower)
    values = np.where(weights.T != 0, np.nan_to_num(own.mean) * weights.T, 0.0).sum(axis=0)
    values[~(weights != 0).any(axis=1)] = np.nan
    reach = [np.sqrt(linked * np.square(weights.T * side).sum(axis=0)) for side in (down, up)]
    return values - reach[0], values + reach[1]


def _pool_lonely(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    lonely: NDArray[np.bool_],
    covariance: FloatArray,
    unasked: FloatArray,
) -> FloatArray:
    """Lend groups with one unit that rated the pooled variance of the ratings within the target's groups."""
    covariance = covariance.copy()
    if not lonely.any():
        return covariance
    pooled = pooled_variances(sample, questions, weights)
    for target, group in zip(*np.nonzero(lonely), strict=True):
        covariance[target, target] += weights[target, group] ** 2 * pooled[target] * unasked[group]
    return covariance


def _distinct(sample: Sample, questions: IntArray, weights: FloatArray) -> IntArray:
    """Distinct respondents who rated and belong to a group with weight."""
    rated = sample.moments.stack("rated").reshape(len(sample.members), sample.moments.questions)[:, questions]
    counts = (weights != 0).astype(np.int64) @ sample.members.T.astype(np.int64) > 0
    return np.asarray((rated.T * counts).sum(axis=1), np.int64)


__all__ = [
    "CAUTIOUS_BELOW",
    "Estimates",
    "Pieces",
    "Sample",
    "StandIn",
    "estimate",
    "pieces",
    "pooled_variances",
    "rating_variances",
    "score_weights",
    "summarise",
    "unanimous",
]
