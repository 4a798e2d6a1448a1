"""Agreement and disagreement between and within groups, from counts, ranks and sums that add over any split of rows.

Names of issues, groups and files are unknown here. Nothing here is weighted, unless it takes weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from materiality.stats import ROUNDING, FloatArray

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class KruskalWallis:
    """Tests of whether groups rate alike, all arrays of one shape.

    Attributes
    ----------
    statistic : float array
        H, corrected for ties.
    df : float array
        Groups with ratings, less one.
    p : float array
        From the chi-square distribution; rough where a group has fewer than five ratings.
    epsilon_squared : float array
        From 0 (equal mean ranks) to 1 (nobody differs from their own group).
    n : int array
        Ratings.
    """

    statistic: FloatArray
    df: FloatArray
    p: FloatArray
    epsilon_squared: FloatArray
    n: NDArray[np.int64]


def kruskal_wallis(counts: ArrayLike) -> KruskalWallis:
    """Kruskal and Wallis's test of whether groups rate alike, from the ratings at each point of the scale.

    The rank of a rating, less the mean rank, is half the number of ratings below it less those above it. H is n − 1
    times the share of the ranks' sum of squares that lies between the groups; the correction for ties is thereby
    made. That share is epsilon².

    Parameters
    ----------
    counts : int array, shape (…, groups, points)
        How many of each group rated at each point, the points in ascending order. The test takes the groups as
        independent: a respondent counted in two of them breaks that.

    Returns
    -------
    KruskalWallis
        Of the leading shape, say one per issue. Groups without ratings are left out. All but n are NaN where fewer
        than two groups have ratings, or all ratings are equal.

    Raises
    ------
    ValueError
        If counts are no whole numbers, are negative, or have fewer than two axes.

    Notes
    -----
    Epsilon² is H / (n − 1), as Tomczak and Tomczak name it; they call (H − k + 1) / (n − k), for k groups, eta². Kelley
    (1935), and the analysis of variance since, use the two names the other way about.

    References
    ----------
    Kruskal and Wallis (1952), Use of ranks in one-criterion variance analysis, J. American Statistical Association
    47(260). Tomczak and Tomczak (2014), The need to report effect size estimates revisited, Trends in Sport Sciences
    21(1). Kelley (1935), An unbiased correlation ratio measure, Proc. National Academy of Sciences 21(9).

    Examples
    --------
    >>> found = kruskal_wallis([[2, 1, 0], [0, 1, 2]])
    >>> round(float(found.statistic), 4), float(found.df), float(found.epsilon_squared.round(4))
    (3.3333, 1.0, 0.6667)
    """
    counts = np.asarray(counts)
    if counts.ndim < 2:
        raise ValueError(f"counts need the axes groups and points, got the shape {counts.shape}")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError("counts must be whole numbers, none of them negative")
    counts = counts.astype(np.int64)
    tied = counts.sum(axis=-2)
    n = tied.sum(axis=-1)
    up_to = tied.cumsum(axis=-1)
    below_less_above = up_to - tied - (n[..., None] - up_to)
    rated = counts.sum(axis=-1)
    total = (tied * below_less_above.astype(float) ** 2).sum(axis=-1)
    between = (
        (counts * below_less_above[..., None, :]).sum(axis=-1).astype(float) ** 2 / np.where(rated > 0, rated, 1)
    ).sum(axis=-1)
    df = (rated > 0).sum(axis=-1) - 1.0
    known = (df > 0) & (total > 0)
    share = np.where(known, np.minimum(between / np.where(known, total, 1.0), 1.0), np.nan)
    df = np.where(known, df, np.nan)
    statistic = share * (n - 1)
    return KruskalWallis(statistic, df, special.chdtrc(df, statistic), share, n)


@dataclass(frozen=True)
class Adjusted:
    """Probabilities adjusted for the number of tests, of the shape of those given.

    Attributes
    ----------
    holm : float array
        At most α where the test rejects, so that any false rejection among all tests has a chance of at most α.
    benjamini_hochberg : float array
        At most α where the test rejects, so that at most the share α of the rejections is expected to be false; for
        tests that are independent or positively dependent.
    """

    holm: FloatArray
    benjamini_hochberg: FloatArray


def adjusted(p_values: ArrayLike) -> Adjusted:
    """Adjust the probabilities of one family of tests for their number.

    Parameters
    ----------
    p_values : float array, any shape
        From 0 to 1. NaN is no test: it stays NaN and does not count.

    Raises
    ------
    ValueError
        If a probability is not from 0 to 1.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian J. Statistics 6(2). Benjamini
    and Hochberg (1995), Controlling the false discovery rate, J. Royal Statistical Society B 57(1).

    Examples
    --------
    >>> found = adjusted([0.01, np.nan, 0.04])
    >>> found.holm.tolist(), found.benjamini_hochberg.tolist()
    ([0.02, nan, 0.04], [0.02, nan, 0.04])
    """
    p_values = np.asarray(p_values, float)
    tested = ~np.isnan(p_values)
    family = p_values[tested]
    if ((family < 0) | (family > 1)).any():
        raise ValueError("probabilities must lie from 0 to 1")
    holm, benjamini_hochberg = np.full(p_values.shape, np.nan), np.full(p_values.shape, np.nan)
    # in the words of the definitions: statsmodels' multipletests takes a second to import, of a run's five
    order = np.argsort(family, kind="stable")
    k = np.arange(1, len(family) + 1)
    up, down = np.empty_like(family), np.empty_like(family)
    up[order] = np.minimum(np.maximum.accumulate(family[order] * k[::-1]), 1.0)
    down[order] = np.minimum.accumulate((family[order] * len(family) / k)[::-1])[::-1]
    holm[tested], benjamini_hochberg[tested] = up, down
    return Adjusted(holm, benjamini_hochberg)


@dataclass(frozen=True)
class Concordance:
    """How far raters order issues alike.

    Attributes
    ----------
    w : float
        Kendall's W, from 0 (the ranks cancel out) to 1 (all rank alike), corrected for ties.
    statistic : float
        Friedman's chi-square, raters × (issues − 1) × W.
    df : float
        Issues, less one.
    p : float
        From the chi-square distribution, of ranks given at random; rough where raters and issues are few.
    raters : int
        Those who rated every issue.
    """

    w: float
    statistic: float
    df: float
    p: float
    raters: int


def kendalls_w_of_sums(rank_sums: ArrayLike, raters: int, tie_terms: float) -> Concordance:
    """Kendall's W from sums that add over any split of the raters.

    Parameters
    ----------
    rank_sums : float array, shape (issues,)
        Sums of the mid-ranks, 1 to issues, that the raters gave to each issue.
    raters : int
        Raters, each of all issues.
    tie_terms : float
        Sum, over the raters and their ties, of t³ − t, where t issues share a rank.

    Returns
    -------
    Concordance
        NaN, but for `raters`, where there are fewer than two raters or issues, or every rater rated all issues alike.

    Raises
    ------
    ValueError
        If the sums cannot be those of so many raters.

    References
    ----------
    Kendall and Babington Smith (1939), The problem of m rankings, Annals of Mathematical Statistics 10(3). Siegel and
    Castellan (1988), Nonparametric Statistics for the Behavioral Sciences, 2nd ed., for ties. Friedman (1937), The use
    of ranks to avoid the assumption of normality implicit in the analysis of variance, J. American Statistical
    Association 32(200).

    Examples
    --------
    >>> kendalls_w_of_sums([2.0, 4.0, 6.0], 2, 0)
    Concordance(w=1.0, statistic=4.0, df=2.0, p=0.1353352832366127, raters=2)
    """
    rank_sums = np.asarray(rank_sums, float)
    if rank_sums.ndim != 1:
        raise ValueError(f"rank sums need the one axis issues, got the shape {rank_sums.shape}")
    issues = len(rank_sums)
    most_ties = raters * (issues**3 - issues)
    expected = raters * (issues + 1) / 2
    # rounding alone is let through: one rank sum off by a half is a slip
    if raters < 0 or not abs(rank_sums.sum() - issues * expected) < 0.25 or not 0 <= tie_terms <= most_ties:
        raise ValueError(f"the rank sums and tie terms are not those of {raters} raters of {issues} issues")
    free = most_ties - tie_terms
    if raters < 2 or issues < 2 or free <= 0:
        return Concordance(math.nan, math.nan, math.nan, math.nan, raters)
    w = min(12 * float(((rank_sums - expected) ** 2).sum()) / (raters * free), 1.0)
    df = issues - 1
    statistic = raters * df * w
    return Concordance(w, statistic, float(df), float(special.chdtrc(df, statistic)), raters)


def kendalls_w(ratings: ArrayLike) -> Concordance:
    """Kendall's W of raters' ratings: respondents', or the mean ratings of groups.

    Parameters
    ----------
    ratings : float array, shape (raters, issues)
        On the rating scale. A rater with a rating missing (NaN) is left out. Ratings that differ by rounding alone
        are tied, and share the mean of their ranks.

    Returns
    -------
    Concordance

    Raises
    ------
    ValueError
        If `ratings` has not two axes.

    Examples
    --------
    >>> kendalls_w([[1, 3, 5], [5, 3, 1]]).w
    0.0
    """
    complete = _complete(ratings)
    ranks, tie_terms = _midranks(complete)
    return kendalls_w_of_sums(ranks.sum(axis=0), len(complete), int(tie_terms.sum()))


@dataclass(frozen=True)
class Persons:
    """Sums over the respondents who rated every item. They add over any split of the rows.

    Attributes
    ----------
    n : int
        Respondents.
    sums : float array, shape (items,)
        Sums of the ratings, less the midpoint.
    products : float array, shape (items, items)
        Their cross-products.
    rank_sums : float array, shape (items,)
        Sums of the mid-ranks of each respondent's ratings, the lowest rating first.
    tie_terms : int
        Sum, over the respondents and their ties, of t³ − t, where t items share a rank.
    """

    n: int
    sums: FloatArray
    products: FloatArray
    rank_sums: FloatArray
    tie_terms: int

    def __add__(self, other: Persons) -> Persons:
        if self.sums.shape != other.sums.shape:
            raise ValueError(f"sums over {len(self.sums)} and over {len(other.sums)} items do not add")
        return Persons(
            self.n + other.n,
            self.sums + other.sums,
            self.products + other.products,
            self.rank_sums + other.rank_sums,
            self.tie_terms + other.tie_terms,
        )

    def covariance(self) -> FloatArray:
        """Sample covariance of the items (divisor n − 1), shape (items, items); NaN for fewer than two respondents.

        An item whose variance is rounding beside the sums themselves has none, and covaries with none.
        """
        if self.n < 2:
            return np.full(self.products.shape, np.nan)
        scatter = self.n * self.products - np.outer(self.sums, self.sums)
        varied = np.diag(scatter) > self.n * EPS * self.n * np.diag(self.products)
        return np.where(np.outer(varied, varied), scatter / (self.n * (self.n - 1)), 0.0)


def persons_of(ratings: ArrayLike, *, midpoint: float) -> Persons:
    """The sums of a block of rows, none of them weighted.

    Parameters
    ----------
    ratings : float array, shape (rows, items)
        On the rating scale. A row with a rating missing (NaN) is left out.
    midpoint : float
        Of the scale, the same for all blocks that are to be added. It is taken off the ratings before they are
        summed, so that sums of whole ratings are exact whatever the order of the rows.

    Raises
    ------
    ValueError
        If `ratings` has not two axes.

    Examples
    --------
    >>> both = persons_of([[1, 4], [3, 3]], midpoint=3) + persons_of([[5, 5], [2, np.nan]], midpoint=3)
    >>> both.n, both.rank_sums.tolist(), both.tie_terms, both.covariance().tolist()
    (3, [4.0, 5.0], 12, [[4.0, 1.0], [1.0, 1.0]])
    """
    complete = _complete(ratings)
    ranks, tie_terms = _midranks(complete)
    deviations = complete - midpoint
    return Persons(
        n=len(complete),
        sums=deviations.sum(axis=0),
        products=deviations.T @ deviations,
        rank_sums=ranks.sum(axis=0),
        tie_terms=int(tie_terms.sum()),
    )


def _complete(ratings: ArrayLike) -> FloatArray:
    """The rows in which every rating is a number."""
    ratings = np.asarray(ratings, float)
    if ratings.ndim != 2:
        raise ValueError(f"ratings need two axes, got the shape {ratings.shape}")
    return ratings[np.isfinite(ratings).all(axis=1)]


def _midranks(rows: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """The mid-ranks within each row, of the rows' shape, and each row's sum of t³ − t over its ties."""
    order = rows.argsort(axis=1)
    place = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    starts, ends = np.ones(rows.shape, np.bool_), np.ones(rows.shape, np.bool_)
    starts[:, 1:] = np.diff(np.take_along_axis(rows, order, axis=1), axis=1) > ROUNDING
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, rows.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    # each of t tied ratings brings t² − 1
    return ranks, ((last - first + 1) ** 2 - 1).sum(axis=1)


@dataclass(frozen=True)
class Reliability:
    """How far items measure one thing.

    Attributes
    ----------
    alpha : float
        Cronbach's alpha: at most 1, below 0 where items contradict each other.
    lower, upper : float
        Its confidence interval; NaN where n is unknown or below two.
    standardised : float
        Alpha of the items scaled to equal variances; NaN where an item has none.
    without : float array, shape (items,)
        Alpha of the other items, each item being left out in turn; NaN where fewer than two are left.
    """

    alpha: float
    lower: float
    upper: float
    standardised: float
    without: FloatArray


def cronbach_alpha(covariance: ArrayLike, n: int | None = None, *, confidence: float = 0.95) -> Reliability:
    """Cronbach's alpha of items, k/(k − 1) · (1 − Σ item variances / variance of their sum).

    Parameters
    ----------
    covariance : float array, shape (items, items)
        Of the items' ratings, in squared points of the scale.
    n : int, optional
        Respondents from whom it was estimated; without them there is no interval.
    confidence : float
        Two-sided, between 0 and 1. The interval takes ratings as normal and items as equally correlated.

    Returns
    -------
    Reliability
        NaN where there are fewer than two items, the items' sum does not vary, or the covariance holds NaN.

    Raises
    ------
    ValueError
        If the covariance is not square, or the confidence not between 0 and 1.

    References
    ----------
    Cronbach (1951), Coefficient alpha and the internal structure of tests, Psychometrika 16(3). Feldt (1965), The
    approximate sampling distribution of Kuder-Richardson reliability coefficient twenty, Psychometrika 30(3).

    Examples
    --------
    >>> found = cronbach_alpha([[1.0, 0.5], [0.5, 1.0]], n=40)
    >>> [round(value, 3) for value in (found.alpha, found.lower, found.upper, found.standardised)]
    [0.667, 0.37, 0.824, 0.667]
    """
    covariance = np.asarray(covariance, float)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"a covariance is square, got the shape {covariance.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    items = len(covariance)
    variances = np.diag(covariance)
    alpha = _alpha(covariance)
    standardised = math.nan
    if items and (variances > items * EPS * variances.max()).all():
        deviations = np.sqrt(variances)
        standardised = _alpha(covariance / np.outer(deviations, deviations))
    without = [_alpha(np.delete(np.delete(covariance, k, axis=0), k, axis=1)) for k in range(items)]
    lower = upper = math.nan
    if n is not None and n > 1 and not math.isnan(alpha):
        tails = np.array([0.5 + confidence / 2, 0.5 - confidence / 2])
        lower, upper = (float(1 - (1 - alpha) * f) for f in special.fdtri(n - 1, (n - 1) * (items - 1), tails))
    return Reliability(alpha, lower, upper, standardised, np.array(without, float))


def _alpha(covariance: FloatArray) -> float:
    items = len(covariance)
    total = covariance.sum()
    # what cancels but for rounding is no variance
    if items < 2 or not total > 4 * items * EPS * np.abs(covariance).sum():
        return math.nan
    return float(items / (items - 1) * (1 - np.trace(covariance) / total))


def pairwise_pairs(groups: int) -> NDArray[np.intp]:
    """All pairs of groups, shape (pairs, 2), the lower index first, in ascending order.

    Raises
    ------
    ValueError
        If `groups` is negative.

    Examples
    --------
    >>> pairwise_pairs(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if groups < 0:
        raise ValueError(f"groups cannot be {groups}")
    return np.column_stack(np.triu_indices(groups, 1))


@dataclass(frozen=True)
class Disagreement:
    """How far groups' mean ratings lie apart, per issue.

    Attributes
    ----------
    std_dev : float array, shape (issues,)
        Weighted standard deviation of the group means (divisor: the weights' sum), in points of the scale.
    range : float array, shape (issues,)
        Highest less lowest group mean, in points of the scale.
    highest, lowest : int array, shape (issues,)
        Indices of these groups, of equal ones the first; −1 where there is no range.
    """

    std_dev: FloatArray
    range: FloatArray
    highest: NDArray[np.intp]
    lowest: NDArray[np.intp]


def disagreement(means: ArrayLike, weights: ArrayLike) -> Disagreement:
    """How far groups' mean ratings lie apart.

    It describes the means as they are: their sampling error widens it.

    Parameters
    ----------
    means : float array, shape (groups, issues)
        On the rating scale; NaN where a group has no ratings, which leaves it out of that issue.
    weights : float array, shape (groups,)
        Not negative, on any scale. A group of weight 0 does not count, in the range neither.

    Returns
    -------
    Disagreement
        NaN, and −1 for the indices, where fewer than two groups count.

    Raises
    ------
    ValueError
        If a weight is negative or no number, or the shapes do not fit.

    Examples
    --------
    >>> found = disagreement([[2.0, 5.0], [4.0, 3.0], [np.nan, 4.0]], [1, 1, 1])
    >>> found.std_dev.round(3).tolist(), found.range.tolist(), found.highest.tolist(), found.lowest.tolist()
    ([1.0, 0.816], [2.0, 2.0], [1, 0], [0, 1])
    """
    means, weights = np.asarray(means, float), np.asarray(weights, float)
    if means.ndim != 2 or weights.shape != means.shape[:1]:
        raise ValueError(f"means of shape {means.shape} and weights of {weights.shape} have not the groups in common")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("weights must be numbers, none of them negative")
    counted = np.isfinite(means) & (weights > 0)[:, None]
    known = counted.sum(axis=0) > 1
    shares = np.where(counted, weights[:, None], 0.0)
    total = np.where(known, shares.sum(axis=0), 1.0)
    values = np.where(counted, means, 0.0)
    centre = (shares * values).sum(axis=0) / total
    variance = (shares * (values - centre) ** 2).sum(axis=0) / total
    top = np.where(counted, means, -np.inf).max(axis=0, initial=-np.inf)
    bottom = np.where(counted, means, np.inf).min(axis=0, initial=np.inf)
    spread = np.subtract(top, bottom, out=np.full(known.shape, np.nan), where=known)
    highest, lowest = np.full(known.shape, -1, np.intp), np.full(known.shape, -1, np.intp)
    if known.any():
        highest[known] = (counted & (means >= top - ROUNDING))[:, known].argmax(axis=0)
        lowest[known] = (counted & (means <= bottom + ROUNDING))[:, known].argmax(axis=0)
    return Disagreement(np.where(known, np.sqrt(variance), np.nan), spread, highest, lowest)
