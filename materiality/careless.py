"""Indices of careless answering, a number per row of ratings. A rating that is missing (NaN) is evidence of nothing.

The indices fall into families. Flags of one family often share a cause: a straight line is a long run without spread,
and a person who is too fast is fast relative to others. Two flags are independent only if their families differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from materiality.stats import FloatArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pattern": ("straight line", "long run", "no spread"),
        "time": ("too fast", "relative speed"),
        "rarity": ("Mahalanobis distance",),
    }
)
"""Which indices look at the same thing; the order is that of the columns of `independent_flags`."""

RUN_SHARE = 0.8
"""A long run covers this share of a person's ratings. Curran (2016) takes half for long questionnaires with reversed
items; ratings of importance have none, so that many honest people give the same rating to most issues."""
RUN_LENGTH = 8
"""A long run has at least as many ratings. Where a share s of all ratings is the commonest one and ratings are
independent, k of them hold a run of L of it with a chance of at most s**L (1 + (k − L)(1 − s)): for s = 1/2, L = 8 and
k = 10, 0.8 %. Where s is higher, as with ratings at the ceiling, so must L be: for s = 0.7 that chance is 9 %."""
RARE = 0.001
"""A Mahalanobis distance with a smaller p-value is rare (Tabachnick and Fidell, Using Multivariate Statistics). Of
honest respondents one in a thousand is flagged if ratings are multivariate normal, and several times as many if they
pile up at an end of the scale. So this flag should count only beside one of another family."""
TWICE_AS_FAST = 2.0
"""A relative speed above this is too fast: half the median time. Leiner (2019); Greszki, Meyer and Schoen (2015),
Public Opinion Quarterly 79(2), who compare 30 %, 40 % and 50 % faster than the median."""
ROWS_PER_QUESTION = 5
"""With fewer rows per answer no p-value is given: rows in the sample pull the mean and the covariance to themselves,
and no squared distance exceeds (n − 1)²/n."""

NULL = 1e-8
"""A question whose variance is, to within this share, a linear function of the answers before it, adds nothing."""
REGULAR = 1e-6
"""A correlation matrix whose eigenvalues are all above this is inverted as a whole."""
ROUNDING = 1e-12
"""A variance below this share of the mean square is rounding; a share of a count may come out too high by as much."""
AT_ONCE = 2_500_000
"""Numbers worked on at once; bounds the memory."""

FASTEST, SLOWEST = 1e-3, 1e6
"""Ends of the histogram of seconds per answer; what lies beyond counts in the last bin."""
BIN = math.log(1.001)
"""Width of a bin in the logarithm of seconds."""
BINS = math.ceil(math.log(SLOWEST / FASTEST) / BIN)


def longest_run(ratings: ArrayLike) -> IntArray:
    """Length of the longest run of equal ratings that follow one another, known as long string.

    Runs are counted in the ratings that a person gave: one that is missing neither breaks nor lengthens a run, because
    most are missing where a question was not put to the person, who then gave the ratings on both sides of it one after
    the other. (R's package careless breaks the run there, and finds a run of one where nothing was rated.)

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        In the order of the questionnaire; NaN where there is no rating.

    Returns
    -------
    int array, shape (rows,)
        In ratings; 0 where nothing was rated.

    References
    ----------
    Johnson (2005), Ascertaining the validity of individual protocols from web-based personality inventories, Journal of
    Research in Personality 39(1).

    Examples
    --------
    >>> longest_run([[4, 4, np.nan, 4, 2], [np.nan] * 5]).tolist()
    [3, 0]
    """
    ratings = np.asarray(ratings, float)
    run, longest = np.zeros((2, len(ratings)), np.int64)
    last = np.full(len(ratings), np.nan)
    for column in np.ascontiguousarray(ratings.T):
        rated = ~np.isnan(column)
        run = np.where(rated, np.where(column == last, run + 1, 1), run)
        last = np.where(rated, column, last)
        longest = np.maximum(longest, run)
    return longest


def long_run(ratings: ArrayLike, *, share: float = RUN_SHARE, length: int = RUN_LENGTH) -> BoolArray:
    """Whether one run of equal ratings covers nearly all that a person rated.

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        As for `longest_run`.
    share : float
        Of the person's ratings that the run must cover.
    length : int
        Ratings that the run must have.

    Returns
    -------
    bool array, shape (rows,)

    References
    ----------
    Curran (2016), Methods for the detection of carelessly invalid responses in survey data, Journal of
    Experimental Social Psychology 66, on a run of half the items.

    Examples
    --------
    >>> long_run([[4] * 8 + [3, 5], [4] * 7 + [3, 5, 4]]).tolist()
    [True, False]
    """
    ratings = np.asarray(ratings, float)
    run = longest_run(ratings)
    return (run >= length) & (run >= share * np.count_nonzero(~np.isnan(ratings), axis=1) * (1 - ROUNDING))


def within_person_spread(ratings: ArrayLike) -> FloatArray:
    """Standard deviation of each person's ratings, known as intra-individual response variability.

    A person without any is a straight line. There is no cut-off that holds on every scale, and a small spread may be
    honest; Dunn and others compare people of one survey.

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        On the rating scale; NaN where there is no rating.

    Returns
    -------
    float array, shape (rows,)
        In points of the scale, with the divisor n − 1; NaN below two ratings, and exactly 0 where all are equal.

    References
    ----------
    Dunn, Heggestad, Shanock and Theilgard (2018), Intra-individual response variability as an indicator of insufficient
    effort responding, Journal of Business and Psychology 33(1).

    Examples
    --------
    >>> within_person_spread([[1, 3, np.nan], [2, 2, 2], [5, np.nan, np.nan]]).round(3).tolist()
    [1.414, 0.0, nan]
    """
    ratings = np.asarray(ratings, float)
    rated = ~np.isnan(ratings)
    n = np.count_nonzero(rated, axis=1)
    lowest = np.where(rated, ratings, np.inf).min(axis=1, initial=np.inf)
    above = np.where(rated, ratings - np.where(n > 0, lowest, 0.0)[:, None], 0.0)
    mean = above.sum(axis=1) / np.maximum(n, 1)
    squares = (np.where(rated, above - mean[:, None], 0.0) ** 2).sum(axis=1)
    return np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)


@dataclass(frozen=True)
class Spread:
    """Sums from which the mean and the covariance of the questions follow. They add over any split of the rows.

    Attributes
    ----------
    n : int array, shape (questions, questions)
        Rows in which both questions were rated.
    sums : float array, shape (questions, questions)
        Sums of the first question's ratings, less the midpoint, over those rows.
    products : float array, shape (questions, questions)
        Sums of the products of both.
    midpoint : float
        What was taken off the ratings, so that sums of whole ratings are exact whatever the order of the rows.
    """

    n: IntArray
    sums: FloatArray
    products: FloatArray
    midpoint: float

    def __add__(self, other: Spread) -> Spread:
        if self.midpoint != other.midpoint:
            raise ValueError(f"sums about midpoint {self.midpoint} do not add to sums about {other.midpoint}")
        return Spread(self.n + other.n, self.sums + other.sums, self.products + other.products, self.midpoint)

    @property
    def mean(self) -> FloatArray:
        """Mean of each question's ratings, shape (questions,); NaN where there is none."""
        n = np.diag(self.n)
        return np.divide(np.diag(self.sums), n, out=np.full(n.shape, np.nan), where=n > 0) + self.midpoint

    @property
    def covariance(self) -> FloatArray:
        """Covariance of each pair of questions over the rows that rated both, shape (questions, questions).

        All rows that rated both questions count, not only those that rated every question: where groups are asked
        different questions there may be no such row. NaN where fewer than two rows rated both. Estimates over
        different rows need not fit together, and then some eigenvalue is negative; they are left as they are, because
        `mahalanobis` uses only the block of a row's own answers, which mending the whole would distort. It refuses a
        row whose block does not fit together.
        """
        n = np.maximum(self.n, 2)
        found = np.where(self.n > 1, (self.products - self.sums * self.sums.T / n) / (n - 1), np.nan)
        variance = np.diag(found)
        constant = variance <= ROUNDING * np.diag(self.products) / np.diag(n)
        return np.where(np.diag(constant), 0.0, found)


def spread_of(ratings: ArrayLike, midpoint: float) -> Spread:
    """The sums of a block of rows.

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        NaN where there is no rating; no rows give the sums that addition starts from.
    midpoint : float
        Taken off the ratings before they are summed; the scale's midpoint serves.

    Examples
    --------
    >>> both = spread_of([[1.0, 2.0], [3.0, 4.0]], 3.0) + spread_of([[5.0, np.nan]], 3.0)
    >>> both.mean.tolist(), both.covariance.tolist()
    ([3.0, 3.0], [[4.0, 2.0], [2.0, 2.0]])
    """
    ratings = np.asarray(ratings, float)
    rated = ~np.isnan(ratings)
    ones = rated.astype(float)
    y = np.where(rated, ratings - midpoint, 0.0)
    return Spread((ones.T @ ones).astype(np.int64), y.T @ ones, y.T @ y, midpoint)


@dataclass(frozen=True)
class Distance:
    """How far each row lies from the mean, in the metric of the covariance.

    Attributes
    ----------
    squared : float array, shape (rows,)
        Squared Mahalanobis distance; NaN where there is none.
    df : int array, shape (rows,)
        Answers that it rests on, linear functions of others not counted.
    p : float array, shape (rows,)
        Chance of a larger distance for a row of a multivariate normal distribution; NaN where there is no distance, or
        too few rows to say.
    """

    squared: FloatArray
    df: IntArray
    p: FloatArray


def mahalanobis(ratings: ArrayLike, mean: ArrayLike, covariance: ArrayLike, *, n: ArrayLike | None = None) -> Distance:
    """Squared Mahalanobis distance of each row's own answers, yᵀ Σ⁻¹ y, with the mean and covariance of just those.

    A question without variance, or that is a linear function of a row's answers before it, is left out: the distance
    lies in the space in which people differ, and `df` is its dimension.

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        NaN where there is no rating.
    mean : float array, shape (questions,)
        On the scale of the ratings.
    covariance : float array, shape (questions, questions)
        Symmetric; in squared points. Pairs that are NaN matter only to rows that rated both questions.
    n : int, or int array of shape (questions, questions), optional
        Rows from which the mean and the covariance were estimated, with the divisor n − 1, *these rows among them*;
        by pairs of questions, the pair with the fewest rows counts. Without it, mean and covariance count as known.

    Returns
    -------
    Distance
        Without `n`, `p` is the upper tail of the chi-square distribution with `df` degrees of freedom. With `n`, it is
        that of squared · n/(n − 1)² as Beta(df/2, (n − df − 1)/2), which is exact for a complete sample of a
        multivariate normal distribution, where the chi-square is too shy: a row in the sample pulls the mean and the
        covariance to itself. With missing answers it is an approximation. With fewer than `ROWS_PER_QUESTION` rows per
        answer p is NaN.
        The distance and p are NaN, and df is 0, where nothing was rated that has a variance, and where the covariances
        of a row's answers do not fit together, so that some combination of them has a negative variance.

    References
    ----------
    Penny (1996), Appropriate critical values when testing for a single multivariate outlier by using the Mahalanobis
    distance, Applied Statistics 45(1); Meade and Craig (2012), Identifying careless responses in survey data,
    Psychological Methods 17(3); Little and Smith (1987), Editing and imputation for quantitative survey data, Journal
    of the American Statistical Association 82, on the distance of the answers that are there.

    Examples
    --------
    >>> found = mahalanobis([[5.0, 3.0], [np.nan, 4.0]], [3.0, 3.0], [[1.0, 0.0], [0.0, 1.0]])
    >>> found.squared.tolist(), found.df.tolist(), found.p.round(3).tolist()
    ([4.0, 1.0], [2, 1], [0.135, 0.317])
    """
    ratings, mean, covariance = (np.asarray(a, float) for a in (ratings, mean, covariance))
    variance = np.diag(covariance)
    usable = np.flatnonzero((variance > 0) & np.isfinite(variance) & np.isfinite(mean))
    scale = np.sqrt(variance[usable])
    ratings = ratings[:, usable]
    seen = ~np.isnan(ratings)
    deviation = np.where(seen, (ratings - mean[usable]) / scale, 0.0)
    correlation = covariance[np.ix_(usable, usable)] / scale / scale[:, None]
    regular = bool(np.isfinite(correlation).all() and (np.linalg.eigvalsh(correlation) > REGULAR).all())
    inverse = np.asarray(np.linalg.inv(correlation), float) if regular else None

    rows, questions = ratings.shape
    squared, df = np.full(rows, np.nan), np.zeros(rows, np.int64)
    at_once = max(AT_ONCE // max(questions, 1) ** 2, 64)
    for start in range(0, rows, at_once):
        part = slice(start, start + at_once)
        if inverse is None:
            squared[part], df[part] = _by_factors(deviation[part], seen[part], correlation)
        else:
            squared[part], df[part] = _by_inverse(deviation[part], seen[part], correlation, inverse)
    squared[df == 0] = np.nan
    if n is None:
        return Distance(squared, df, _upper_tail(squared, df, None))
    pairs = np.broadcast_to(np.asarray(n, float), covariance.shape)[np.ix_(usable, usable)]
    return Distance(squared, df, _upper_tail(squared, df, _fewest(seen, pairs)))


def _by_inverse(
    deviation: FloatArray, seen: BoolArray, correlation: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Squared distance and rank where the whole matrix has an inverse P, batched by the number of missing answers.

    Where few are missing, zᵀPz − (Pz)ₘᵀ Pₘₘ⁻¹ (Pz)ₘ with zeros in z for the missing ones m; else from the block itself.
    """
    projected = deviation @ inverse
    squared = (deviation * projected).sum(axis=1)
    df = np.count_nonzero(seen, axis=1).astype(np.int64)
    for rated in np.unique(df[df < seen.shape[1]]):
        at = np.flatnonzero(df == rated)
        few_missing = 2 * rated >= seen.shape[1]
        chosen, matrix, vector = (~seen, inverse, projected) if few_missing else (seen, correlation, deviation)
        places = np.nonzero(chosen[at])[1].reshape(len(at), -1)
        v = np.take_along_axis(vector[at], places, axis=1)
        solved = np.linalg.solve(matrix[places[:, :, None], places[:, None, :]], v[:, :, None])[:, :, 0]
        form = (v * solved).sum(axis=1)
        squared[at] = squared[at] - form if few_missing else form
    return np.maximum(squared, 0.0), df


def _by_factors(deviation: FloatArray, seen: BoolArray, correlation: FloatArray) -> tuple[FloatArray, IntArray]:
    """Squared distance and rank of any matrix: Cholesky of each row's block, its deviations as a last line below."""
    rows, questions = seen.shape
    m, y = np.ascontiguousarray(seen.T), np.ascontiguousarray(deviation.T)
    factor = np.zeros((questions + 1, questions, rows))
    df, unfit = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    for j in range(questions):
        line = np.empty((questions + 1 - j, rows))
        line[:-1] = np.where(m[j:] & m[j], correlation[j:, j, None], 0.0)
        line[-1] = y[j]
        line -= np.einsum("ikr,kr->ir", factor[j:, :j], factor[j, :j])
        pivot = line[0]
        adds = pivot > NULL
        # what has no variance has no covariance either: |s_ij|² <= s_ii s_jj
        unfit |= ~adds & ~(np.abs(line[:-1]).max(axis=0) <= 2 * math.sqrt(NULL))
        df += adds
        factor[j:, j] = np.where(adds, line / np.sqrt(np.where(adds, pivot, 1.0)), 0.0)
    return (factor[-1] ** 2).sum(axis=0), np.where(unfit, 0, df)


def _fewest(seen: BoolArray, pairs: FloatArray) -> FloatArray:
    """The fewest rows behind any pair of a row's answers: the pairs in turn, each for the rows not yet served."""
    if (pairs == pairs.max(initial=0.0)).all():
        return np.full(len(seen), pairs.max(initial=0.0))
    least = np.full(len(seen), np.inf)
    left = np.flatnonzero(seen.any(axis=1))
    first, second = np.triu_indices(len(pairs))
    for k in np.argsort(pairs[first, second], kind="stable"):
        if not len(left):
            break
        both = seen[left, first[k]] & seen[left, second[k]]
        least[left[both]] = pairs[first[k], second[k]]
        left = left[~both]
    return least


def _upper_tail(squared: FloatArray, df: IntArray, n: FloatArray | None) -> FloatArray:
    known = df > 0
    if n is not None:
        known &= np.isfinite(n) & (n >= ROWS_PER_QUESTION * df) & (n > df + 1)
    p = np.full(squared.shape, np.nan)
    half, d = df[known] / 2, squared[known]
    if n is None:
        p[known] = special.gammaincc(half, d / 2)
    else:
        share = np.minimum(d * n[known] / (n[known] - 1) ** 2, 1.0)
        p[known] = special.betaincc(half, (n[known] - 1) / 2 - half, share)
    return p


def relative_speed(seconds: ArrayLike, answers: ArrayLike, typical: float) -> FloatArray:
    """How many times as fast as is typical a person answered: typical seconds per answer over the person's own.

    Leiner's index averages this over the pages of a questionnaire, each cut at 3; exports hold one time for the whole.

    Parameters
    ----------
    seconds : float array, shape (rows,)
        Time taken; NaN or negative where unknown.
    answers : int array, shape (rows,)
        Answers given in that time.
    typical : float
        Typical seconds per answer, such as `SpeedCounts.median`.

    Returns
    -------
    float array, shape (rows,)
        2 is twice as fast as typical; infinite at no time at all; NaN where the time or the typical time is unknown, or
        nothing was answered.

    References
    ----------
    Leiner (2019), Too fast, too straight, too weird: non-reactive indicators for meaningless data in internet surveys,
    Survey Research Methods 13(3).

    Examples
    --------
    >>> relative_speed([40.0, 160.0], [10, 10], 8.0).tolist()
    [2.0, 0.5]
    """
    seconds, answers = np.broadcast_arrays(np.asarray(seconds, float), np.asarray(answers, float))
    known = (seconds >= 0) & (answers > 0) & (typical > 0)
    speed = np.where(known, np.inf, np.nan)
    return np.divide(typical * answers, seconds, out=speed, where=known & (seconds > 0))


@dataclass(frozen=True)
class SpeedCounts:
    """How many rows took how long per answer, in bins of equal ratio. Counts add over any split of the rows.

    Attributes
    ----------
    counts : int array, shape (bins,)
        Bins 0.1 % wide from a thousandth of a second to a million seconds per answer; what lies beyond counts in the
        first or the last.
    """

    counts: IntArray

    def __add__(self, other: SpeedCounts) -> SpeedCounts:
        return SpeedCounts(self.counts + other.counts)

    @property
    def n(self) -> int:
        """Rows counted."""
        return int(self.counts.sum())

    @property
    def median(self) -> float:
        """Median of the seconds per answer, to within 0.05 % of itself; NaN where nobody was timed.

        The same whatever the order of the rows. The middle of the median's bin stands for it; of an even number, the
        mean of both middle ones.
        """
        if not self.n:
            return math.nan
        middle = np.array([(self.n + 1) // 2, self.n // 2 + 1])
        bins = np.searchsorted(np.cumsum(self.counts), middle)
        return float(np.mean(FASTEST * np.exp((bins + 0.5) * BIN)))


def speeds_of(seconds: ArrayLike, answers: ArrayLike) -> SpeedCounts:
    """Counts of a block's seconds per answer.

    Parameters
    ----------
    seconds : float array, shape (rows,)
        Time taken; rows where it is NaN, negative or infinite are left out.
    answers : int array, shape (rows,)
        Answers given in that time; rows without any are left out.

    Examples
    --------
    >>> speeds = speeds_of([30.0, 80.0, np.nan], [10, 10, 10]) + speeds_of([900.0], [10])
    >>> speeds.n, round(speeds.median, 2)
    (3, 8.0)
    """
    seconds, answers = np.broadcast_arrays(np.asarray(seconds, float), np.asarray(answers, float))
    timed = (seconds >= 0) & np.isfinite(seconds) & (answers > 0)
    each = np.clip(seconds[timed] / answers[timed], FASTEST, SLOWEST)
    place = np.floor(np.log(each / FASTEST) / BIN).astype(np.intp)
    return SpeedCounts(np.bincount(place, minlength=BINS).astype(np.int64))


def independent_flags(flags_by_family: ArrayLike) -> IntArray:
    """How many independent flags each row has: one per family, however many of its indices mark the row.

    Parameters
    ----------
    flags_by_family : bool array, shape (rows, families)
        Whether any index of each of the `FAMILIES` marks the row.

    Returns
    -------
    int array, shape (rows,)

    Raises
    ------
    ValueError
        If the columns are not the families.

    References
    ----------
    Meade and Craig (2012), Identifying careless responses in survey data, Psychological Methods 17(3): careless people
    answer in different ways, and indices of different kinds are needed to find them.

    Examples
    --------
    >>> independent_flags([[True, False, True], [False, True, False]]).tolist()
    [2, 1]
    """
    flags = np.asarray(flags_by_family, np.bool_)
    if flags.ndim != 2 or flags.shape[1] != len(FAMILIES):
        raise ValueError(f"flags need a column for each family, {', '.join(FAMILIES)}; their shape is {flags.shape}")
    return np.count_nonzero(flags, axis=1).astype(np.int64)


__all__ = [
    "FAMILIES",
    "RARE",
    "ROWS_PER_QUESTION",
    "RUN_LENGTH",
    "RUN_SHARE",
    "TWICE_AS_FAST",
    "Distance",
    "SpeedCounts",
    "Spread",
    "independent_flags",
    "long_run",
    "longest_run",
    "mahalanobis",
    "relative_speed",
    "speeds_of",
    "spread_of",
    "within_person_spread",
]
