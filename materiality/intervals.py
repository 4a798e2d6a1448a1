"""Confidence intervals for a mean rating on a scale with two ends, and for scores made of such means.

A rating scale has ends, groups are small, and ratings pile up in the top box. Student's t then covers too little: where
dissenters are rare a small group often meets none, shows no variance, and the interval is far too short. The interval
chosen here, `score_interval`, asks how far the mean would move if each end of the scale had been given by half a
respondent more. `docs/coverage.md` compares it with the others of this module by exact enumeration and by simulation.

Functions that take a `share` work on the unit scale: share = (mean − low) / (high − low), and variances are in squared
units of that scale.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from materiality.stats import satterthwaite_df

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
PSEUDO = 0.5
"""The weight, in answers, of the unseen answer at an end of the scale."""
STILL = 1e-14
"""Spread, on the unit scale, below which all answers are equal but for rounding."""
NEWTON = 50
"""Steps at most in which the trigamma function is inverted; it takes about six."""


@dataclass(frozen=True)
class Parts:
    """What is known of each group's mean that enters each target.

    Where a group has no weight in a target, its entries are not looked at and may be NaN.

    Attributes
    ----------
    mean : float array, shape (groups, targets)
        Weighted means, on the rating scale.
    n : int array, shape (groups, targets)
        Who rated.
    effective : float array, shape (groups, targets)
        Kish's effective n of those.
    variance : float array, shape (groups, targets)
        Taylor variances of the means, in squared points, with the finite population correction. Not looked at where one
        person rated.
    unasked : float array, shape (groups, targets)
        The finite population correction, 1 − n/N; 1 without one.
    """

    mean: FloatArray
    n: NDArray[np.int64]
    effective: FloatArray
    variance: FloatArray
    unasked: FloatArray


@dataclass(frozen=True)
class Intervals:
    """Confidence intervals of scores.

    Attributes
    ----------
    low, high : float array, shape (targets,)
        On the rating scale; NaN where there is no estimate.
    df : float array, shape (targets,)
        Satterthwaite degrees of freedom of the Taylor variance, on effective n; NaN where no variance was seen.
    std_dev : float array, shape (targets,)
        In points: the standard deviation of a normal distribution whose central interval of this confidence is as long
        as this one, before the ends of the groups' own intervals cut it. For draws that are to be as wide as the
        interval.
    unreliable : bool array, shape (targets,)
        The half answer at the far end of the scale adds more to the variance than all the spread that was seen; see the
        notes of `score_interval`.
    """

    low: FloatArray
    high: FloatArray
    df: FloatArray
    std_dev: FloatArray
    unreliable: BoolArray


def wilson_t(share: ArrayLike, variance: ArrayLike, df: ArrayLike, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Wilson's interval on an effective n, with the quantile of Student's t.

    The effective n is that at which 0/1 answers with this mean would have this variance, p(1 − p)/V. Ratings vary less
    than 0/1 answers, so that it exceeds the number of respondents.

    Parameters
    ----------
    share, variance, df : float arrays of one shape
        The mean and its variance on the unit scale, and the variance's degrees of freedom (infinite for the normal
        quantile).
    confidence : float

    Returns
    -------
    lower, upper : float arrays
        Of no width where the variance is 0.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22(158); Dean and Pagano
    (2015), Evaluating confidence interval methods for binomial proportions in clustered surveys, J. Survey Statistics
    and Methodology 3(4).

    Examples
    --------
    >>> [round(float(end), 4) for end in wilson_t(0.9, 0.9 * 0.1 / 10, np.inf, 0.95)]
    [0.5958, 0.9821]
    """
    share, variance, df = np.broadcast_arrays(*(np.asarray(a, float) for a in (share, variance, df)))
    spread = share * (1 - share)
    weight = np.square(_quantile(df, confidence)) * np.divide(
        variance, spread, out=np.zeros(share.shape), where=spread > 0
    )
    centre = (share + weight / 2) / (1 + weight)
    reach = np.sqrt(weight * spread + np.square(weight) / 4) / (1 + weight)
    return _around(share, centre - reach, centre + reach)


def logit_t(share: ArrayLike, variance: ArrayLike, df: ArrayLike, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Student's t interval of the logit, carried back.

    Parameters and returns as in `wilson_t`.

    References
    ----------
    Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion, Statistical Science 16(2), section
    4.1.3; Lumley (2010), Complex Surveys, section 2.3 (`svyciprop`, method "logit").

    Examples
    --------
    >>> [round(float(end), 4) for end in logit_t(0.9, 0.9 * 0.1 / 10, np.inf, 0.95)]
    [0.5328, 0.9861]
    """
    share, variance, df = np.broadcast_arrays(*(np.asarray(a, float) for a in (share, variance, df)))
    spread = share * (1 - share)
    inner = np.asarray(spread > 0)
    reach = _quantile(df, confidence) * np.divide(np.sqrt(variance), spread, out=np.zeros(share.shape), where=inner)
    logit = special.logit(np.where(inner, share, 0.5))
    lower, upper = special.expit(logit - reach), special.expit(logit + reach)
    return _around(share, np.where(inner, lower, share), np.where(inner, upper, share))


def korn_graubard(
    share: ArrayLike, variance: ArrayLike, n: ArrayLike, df: ArrayLike, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's interval on the effective n, corrected for the degrees of freedom.

    The effective n is p(1 − p)/V times (t of n − 1 degrees of freedom / t of df)²; where the variance is 0 it is n.

    Parameters
    ----------
    share, variance : float arrays of one shape
        The mean and its variance on the unit scale.
    n, df : float arrays of that shape
        Respondents, and the variance's degrees of freedom; without any (0) the whole scale is returned.
    confidence : float

    Returns
    -------
    lower, upper : float arrays

    References
    ----------
    Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika 26(4); Korn and Graubard (1998),
    Confidence intervals for proportions with small expected number of positive counts estimated from survey data,
    Survey Methodology 24(2).

    Examples
    --------
    >>> [round(float(end), 4) for end in korn_graubard(0.9, 0.9 * 0.1 / 10, 10, 9, 0.95)]
    [0.555, 0.9975]
    """
    share, variance, n, df = np.broadcast_arrays(*(np.asarray(a, float) for a in (share, variance, n, df)))
    spread = share * (1 - share)
    seen = (variance > 0) & (spread > 0)
    size = np.divide(spread, variance, out=n.copy(), where=seen)
    known = (df > 0) & (n > 1)
    ratio = np.ones(share.shape)
    ratio[known] = _quantile(n[known] - 1, confidence) / _quantile(df[known], confidence)
    size = size * np.square(ratio)
    alpha = (1 - confidence) / 2
    yes, no = size * share, size * (1 - share)
    lower = np.where(yes > 0, special.betaincinv(np.where(yes > 0, yes, 1.0), no + 1, alpha), 0.0)
    upper = np.where(no > 0, special.betaincinv(yes + 1, np.where(no > 0, no, 1.0), 1 - alpha), 1.0)
    return _around(share, np.where(known, lower, 0.0), np.where(known, upper, 1.0))


def pseudo_answer(
    share: ArrayLike, variance: ArrayLike, n: ArrayLike, confidence: float, *, answers: float = PSEUDO
) -> tuple[FloatArray, FloatArray]:
    """The interval of a mean of bounded answers, from an unseen answer at each end of the scale.

    For the lower end of the interval an answer of weight c at the low end of the scale joins the n answers. A
    Dirichlet distribution with these weights is put on the answers seen, as in the Bayesian bootstrap, and the mean
    under it has the moments of

        m = (n p) / (n + c),    S = (n s² + n c/(n + c) p²) / (n + c),    variance S / (n + c + 1),

    where s² is the variance of the answers with divisor n. The lower end is the α/2 quantile of the beta distribution
    with these moments. The upper end is the same seen from the other side.

    With c = 1 this is Gaffke's bound with a matched beta, and for 0/1 answers it is exactly Clopper and Pearson's
    interval. With c = ½ it lies between that and no correction, as mid-P does.

    Parameters
    ----------
    share, variance : float arrays of one shape
        The mean and its variance on the unit scale, s²/(n − 1), without finite population correction. The variance is
        not looked at where n ≤ 1.
    n : float array of that shape
        Effective respondents; with none (0) the whole scale is returned.
    confidence : float
    answers : float
        c, above 0.

    Returns
    -------
    lower, upper : float arrays
        Within 0 and 1, holding the share; never of no width. NaN where the share is.

    References
    ----------
    Gaffke (2005), Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable,
    Mathematical Methods of Statistics 14(4); Learned-Miller and Thomas (2019), A new confidence interval for the mean
    of a bounded random variable, arXiv:1905.06208; Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9(1);
    Lancaster (1961), Significance tests in discrete distributions, JASA 56(294), for mid-P.

    Examples
    --------
    Nine of ten at the top, one at the bottom, as Clopper and Pearson have it; then ten at the top.

    >>> [round(float(end), 4) for end in pseudo_answer(0.9, 0.9 * 0.1 / 9, 10, 0.95, answers=1)]
    [0.555, 0.9975]
    >>> [round(float(end), 4) for end in pseudo_answer(1.0, 0.0, 10, 0.95)]
    [0.7731, 1.0]
    """
    share, variance, n = np.broadcast_arrays(*(np.asarray(a, float) for a in (share, variance, n)))
    size, spread = _answers_like(share, variance, n)
    alpha = (1 - confidence) / 2
    lower = _beta_end(share, spread, size, answers, alpha)
    upper = 1 - _beta_end(1 - share, spread, size, answers, alpha)
    return _around(share, np.where(n > 0, lower, 0.0), np.where(n > 0, upper, 1.0))


def mover(share: ArrayLike, lower: ArrayLike, upper: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The interval of a weighted sum from those of its independent parts: squares of reaches are added, side by side.

    Parameters
    ----------
    share, lower, upper : float array, shape (groups, targets)
        The means of the groups and their intervals.
    weights : float array, shape (groups, targets)
        Of no negative sign.

    Returns
    -------
    lower, upper : float array, shape (targets,)

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures: a general approach, Statistics in
    Medicine 27(10).
    """
    share, lower, upper, weights = (np.asarray(a, float) for a in (share, lower, upper, weights))
    centre = (weights * share).sum(axis=0)
    below = np.sqrt(np.square(weights * (share - lower)).sum(axis=0))
    above = np.sqrt(np.square(weights * (upper - share)).sum(axis=0))
    return np.asarray(centre - below), np.asarray(centre + above)


@dataclass(frozen=True)
class Moderated:
    """Variances moderated across issues.

    Attributes
    ----------
    variance : float array, shape (…, issues)
    prior : float array, shape (…)
        s0², what the variances are drawn towards; NaN where fewer than two variances are positive.
    prior_df : float array, shape (…)
        d0, as how many degrees of freedom it counts; infinite where the variances differ no more than by chance, 0
        where nothing could be learnt.
    """

    variance: FloatArray
    prior: FloatArray
    prior_df: FloatArray


def moderated(variance: ArrayLike, df: ArrayLike) -> Moderated:
    """Variances drawn towards what is common to all issues (empirical Bayes).

    True variances are taken to be scaled inverse chi-square with d0 degrees of freedom and scale s0². The mean and the
    variance of the logarithms of the observed ones give d0 and s0²; the moderated variance is
    (d0 s0² + d s²) / (d0 + d). Issues whose variance is 0 are left out of the fit and moderated with it. For ratings,
    whose variance hangs on the mean, give dispersions, s² / (p(1 − p)) with a smoothed p.

    Parameters
    ----------
    variance : float array, shape (…, issues)
        Not negative; NaN for none.
    df : float array of that shape, or one that broadcasts to it
        Their degrees of freedom.

    Returns
    -------
    Moderated

    References
    ----------
    Smyth (2004), Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments, Statistical Applications in Genetics and Molecular Biology 3(1), section 6.2 (R's
    `limma::squeezeVar`).

    Examples
    --------
    >>> moderated([0.9, 1.0, 1.1, 1.0], 4).prior_df.tolist()
    inf
    """
    variance, df = np.broadcast_arrays(np.asarray(variance, float), np.asarray(df, float))
    use = (variance > 0) & (df > 0)
    half = np.where(use, df, 2.0) / 2
    logs = np.log(np.where(use, variance, 1.0)) - special.digamma(half) + np.log(half)
    count = use.sum(axis=-1)
    fitted = count > 1
    mean = np.where(use, logs, 0.0).sum(axis=-1) / np.maximum(count, 1)
    scatter = np.where(use, np.square(logs - mean[..., None]), 0.0).sum(axis=-1) / np.maximum(count - 1, 1)
    excess = scatter - np.where(use, special.polygamma(1, half), 0.0).sum(axis=-1) / np.maximum(count, 1)
    differ = fitted & (excess > 0)
    root = trigamma_inverse(np.where(differ, excess, 1.0))
    prior_df = np.where(differ, 2 * root, np.where(fitted, np.inf, 0.0))
    prior = np.exp(mean + np.where(differ, special.digamma(root) - np.log(root), 0.0))
    finite = np.where(np.isinf(prior_df), 1.0, prior_df)[..., None]
    total = finite + df
    mixed = np.divide(
        finite * prior[..., None] + df * np.where(df > 0, variance, 0.0),
        total,
        out=np.full(variance.shape, np.nan),
        where=total > 0,
    )
    return Moderated(
        np.where(fitted[..., None], np.where(np.isinf(prior_df)[..., None], prior[..., None], mixed), variance),
        np.where(fitted, prior, np.nan),
        prior_df,
    )


def trigamma_inverse(value: ArrayLike) -> FloatArray:
    """Where the trigamma function takes a value above 0, by Newton's method on its reciprocal.

    References
    ----------
    Smyth (2004), appendix.

    Examples
    --------
    >>> float(trigamma_inverse(np.pi**2 / 6).round(12))
    1.0
    """
    value = np.asarray(value, float)
    root = 0.5 + 1 / value
    for _ in range(NEWTON):
        trigamma = special.polygamma(1, root)
        step = trigamma * (1 - trigamma / value) / special.polygamma(2, root)
        root = root + step
        if np.all(-step <= 1e-10 * root):
            break
    return np.asarray(root)


@dataclass(frozen=True)
class Reaches:
    """What the interval of a group's mean gives to those of scores; `score_interval` puts them together by weights.

    All arrays have one shape, and all but `df` are in shares of the scale's length, or squares of such.

    Attributes
    ----------
    share : float array
        How far up the scale the mean lies, 0 to 1.
    below, above : float arrays
        How far its interval reaches to either side.
    cut : float array
        By how much the square of the normal reach exceeds that of half the interval's length, which the ends of the
        scale cut short; 0 where it does not.
    imagined, seen : float arrays
        Variance that the half answer adds, and that the answers' own spread adds.
    own : float array
        The Taylor variance of the mean; 0 for a group of one.
    df : float array
        Degrees of freedom of `own`; 0 for a group of one.
    """

    share: FloatArray
    below: FloatArray
    above: FloatArray
    cut: FloatArray
    imagined: FloatArray
    seen: FloatArray
    own: FloatArray
    df: FloatArray


def group_reaches(parts: Parts, *, confidence: float, low: float, high: float) -> Reaches:
    """Each group's part in the intervals of scores, whatever the weights will be; arrays of any one shape.

    Parameters
    ----------
    parts : Parts
        Of groups that have ratings; all arrays of one shape.
    confidence : float
        Between 0 and 1.
    low, high : float
        The ends of the scale.

    References
    ----------
    `pseudo_answer` and `score_interval`.
    """
    span = high - low
    share = np.clip((parts.mean - low) / span, 0.0, 1.0)
    alone = parts.n <= 1
    unasked = np.clip(parts.unasked, 0.0, 1.0)
    own = np.where(alone, 0.0, parts.variance) / span**2
    sampled = np.divide(own, unasked, out=np.zeros(own.shape), where=unasked > 0)
    effective = np.where(alone, 1.0, parts.effective)
    lower, upper = pseudo_answer(share, sampled, effective, confidence)
    root = np.sqrt(unasked)
    below, above = root * (share - lower), root * (upper - share)
    imagined, seen = _sources(share, sampled, effective)
    normal = float(_quantile(np.inf, confidence))
    free = np.where(alone, np.square(np.maximum(below, above)), normal**2 * own)
    return Reaches(
        share=share,
        below=below,
        above=above,
        cut=np.maximum(free - np.square((below + above) / 2), 0.0),
        imagined=unasked * imagined,
        seen=unasked * seen,
        own=own,
        df=np.where(alone, 0.0, np.maximum(effective - 1, 0.0)),
    )


def score_interval(
    parts: Parts,
    weights: FloatArray,
    *,
    confidence: float,
    low: float,
    high: float,
    variance: FloatArray | None = None,
) -> Intervals:
    """Confidence intervals of group means and of scores, weighted averages of group means.

    Each group has the interval of `pseudo_answer` with half an answer, on its effective n; its reach to either side is
    taken times the root of the share of the group that was not asked. A target of one group has that interval.

    With more groups, squares of half the lengths h_g are added, and the interval's centre is moved off the estimate by
    what makes the intervals of its groups lopsided. That is their skewness, and third cumulants add:

        H² = Σ λ_g² h_g²,    centre = θ + Σ a_g λ_g c_g,

    with c_g by how much the middle of the group's interval lies above its mean, and a_g the group's share of the
    variance (that of `pseudo_answer` at the farther end). So lopsidedness wears off as groups become many, which adding
    the reaches of each side by itself (`mover`) overlooks: it makes one side too short and the other too long. Three
    things are put right.

    - A group's interval is cut short by the ends of the scale, the sum's is not. Where the normal reach z √V_g is
      longer than h_g it is taken in its place, in the proportion 1 − a_g to which other groups enter; for a group of
      one, which shows no variance, its reach to the farther side is.
    - Neither side is shorter than the shorter of the two that `mover` gives.
    - The score's ends stay within the weighted averages of the groups' lower and of their upper ends.

    Parameters
    ----------
    parts : Parts
    weights : float array, shape (targets, groups)
        λ, not negative, adding up to 1; all 0 for a target without an estimate.
    confidence : float
        Between 0 and 1.
    low, high : float
        The ends of the scale.
    variance : float array, shape (targets,), optional
        The targets' Taylor variance, in squared points, where it is not Σ λ² V_g: people may belong to several groups.
        H is then taken times the root of the ratio of the two, where that is above 1.

    Returns
    -------
    Intervals
        Of no width only where everybody in every group was asked.

    Raises
    ------
    ValueError
        If the scale has no length, the confidence is not between 0 and 1, a weight is negative, or weights neither add
        up to 1 nor are all 0.

    Notes
    -----
    `unreliable` compares, at the end of the scale farther from each group's mean, the two terms of S in
    `pseudo_answer`: what the half answer adds to the variance, and what the answers' own spread adds. Both are weighted
    by λ² and summed over the groups, the first also by a_g: that half answers are missing at the same end of all groups
    is the less likely the more there are. Where the first is larger, the length of the interval rests on the scale's
    ends rather than on the answers. A group of one, and unanimous groups, have no spread of their own.

    References
    ----------
    Gaffke (2005) and others under `pseudo_answer`; Zou and Donner (2008) for intervals made of intervals; Cornish and
    Fisher (1938), Moments and cumulants in the specification of distributions, Revue de l'Institut International de
    Statistique 5(4), for the skewness; Satterthwaite (1946), Biometrics Bulletin 2(6), for the degrees of freedom.

    Examples
    --------
    Ten rated 4.9 on average, on five points; beside them three who all gave 5, with equal weight.

    >>> parts = Parts(
    ...     mean=np.array([[4.9, 4.9], [5.0, 5.0]]),
    ...     n=np.array([[10, 10], [3, 3]]),
    ...     effective=np.array([[10.0, 10.0], [3.0, 3.0]]),
    ...     variance=np.array([[0.01, 0.01], [0.0, 0.0]]),
    ...     unasked=np.ones((2, 2)),
    ... )
    >>> found = score_interval(parts, np.array([[1.0, 0.0], [0.5, 0.5]]), confidence=0.95, low=1, high=5)
    >>> found.low.round(2).tolist(), found.high.round(2).tolist(), found.unreliable.tolist()
    ([4.03, 3.77], [5.0, 5.0], [True, True])
    """
    _refuse(weights, confidence, low, high)
    span = high - low
    used = weights.T > 0
    target = np.nonzero(used)[1]
    of = np.asarray(weights.T[used], float)
    reaches = group_reaches(
        Parts(*(getattr(parts, field.name)[used] for field in fields(Parts))), confidence=confidence, low=low, high=high
    )
    share, below, above, own = reaches.share, reaches.below, reaches.above, reaches.own

    def added(values: FloatArray) -> FloatArray:
        return np.bincount(target, values, minlength=len(weights)).astype(float)

    half, lean = (below + above) / 2, (above - below) / 2
    imagined, seen = np.square(of) * reaches.imagined, np.square(of) * reaches.seen
    whole = added(imagined + seen)[target]
    leading = np.divide(imagined + seen, whole, out=np.zeros(whole.shape), where=whole > 0)
    normal = float(_quantile(np.inf, confidence))
    raised = np.square(half) + (1 - leading) * reaches.cut
    linked = np.sqrt(_ratio(variance, added(np.square(of) * own) * span**2))
    length = np.sqrt(added(np.square(of) * raised)) * linked
    estimate, moved = added(of * share), added(leading * of * lean)
    shorter = linked * np.sqrt(np.minimum(added(np.square(of * below)), added(np.square(of * above))))
    start = estimate - np.minimum(np.maximum(length - moved, shorter), added(of * below))
    end = estimate + np.minimum(np.maximum(length + moved, shorter), added(of * above))

    shares, df = np.zeros(used.shape), np.zeros(used.shape)
    shares[used], df[used] = np.square(of) * np.nan_to_num(own), reaches.df
    missing = ~used.any(axis=0)
    return Intervals(
        low=np.where(missing, np.nan, np.clip(low + span * start, low, high)),
        high=np.where(missing, np.nan, np.clip(low + span * end, low, high)),
        df=satterthwaite_df(shares, df),
        std_dev=np.where(missing, np.nan, span * length / normal),
        unreliable=np.asarray(added(leading * imagined) > added(seen)),
    )


def _refuse(weights: FloatArray, confidence: float, low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"the scale must run upwards, not from {low} to {high}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not at {confidence}")
    if not np.all(weights >= 0):
        raise ValueError("weights must not be negative or NaN")
    total = weights.sum(axis=1)
    if not np.all(np.isclose(total, 1.0, rtol=1e-9) | (total == 0)):
        raise ValueError("the weights of a target must add up to 1, or all be 0")


def _quantile(df: ArrayLike, confidence: float) -> FloatArray:
    """Two-sided quantile of Student's t; of the normal distribution where the degrees of freedom are infinite."""
    return np.asarray(special.stdtrit(np.asarray(df, float), 0.5 + confidence / 2), float)


def _around(share: FloatArray, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The interval inside the unit scale and holding its share, which rounding may have left."""
    return np.clip(np.minimum(lower, share), 0.0, 1.0), np.clip(np.maximum(upper, share), 0.0, 1.0)


def _answers_like(share: FloatArray, variance: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """As how many answers the mean counts, and their spread: n, or as few as let answers on the scale vary so much."""
    most = share * (1 - share)
    seen = np.where(n > 1, variance, 0.0)
    size = np.minimum(n, 1 + np.divide(most, seen, out=np.full(share.shape, np.inf), where=seen > 0))
    size = np.where(np.isnan(seen), np.nan, size)
    return size, np.minimum(seen * np.maximum(size - 1, 0.0), most)


def _beta_end(share: FloatArray, spread: FloatArray, size: FloatArray, answers: float, alpha: float) -> FloatArray:
    """The lower end, from the size and spread of the answers."""
    total = size + answers
    middle = size * share / total
    wide = (size * spread + size * answers / total * np.square(share)) / total
    usable = wide > STILL
    weight = np.divide(middle * (1 - middle) * (total + 1), wide, out=np.full(share.shape, np.nan), where=usable) - 1
    return np.where(usable, special.betaincinv(middle * weight, (1 - middle) * weight, alpha), middle)


def _sources(share: FloatArray, variance: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the half answer at the far end and what the answers themselves add to the variance of the mean."""
    size, spread = _answers_like(share, variance, n)
    total = size + PSEUDO
    scale = total * (total + 1)
    imagined = size * PSEUDO / total * np.square(np.maximum(share, 1 - share))
    return imagined / scale, size * spread / scale


def _ratio(variance: FloatArray | None, own: FloatArray) -> FloatArray:
    """The targets' variance over the sum of their groups' own; 1 where it is less, or where either is none."""
    if variance is None:
        return np.ones(own.shape)
    usable = (own > 0) & (variance > 0)
    return np.maximum(np.divide(variance, own, out=np.ones(own.shape), where=usable), 1.0)
