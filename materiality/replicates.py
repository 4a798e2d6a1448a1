"""Standard errors by replicate weights: the sample is drawn again from itself, and raked again, many times.

A second route to the variances of `estimates`, which knows nothing of linearisation. It is for standard errors, and a
check on the first route. It is not for intervals between percentiles of the replicates: those of a small group cover
far too little. Its replicates never leave the ratings that it happens to hold, so that a group that agrees has an
interval of length 0; and percentiles know no t quantile for the few degrees of freedom. Of five ratings that are 5, 4
or 3 with chances of 0.7, 0.2 and 0.1, intervals between the 2.5th and the 97.5th percentile of all possible replicates
hold the mean 81 % of the time, not 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.raking import rake, trim
from materiality.responses import Block, Kind
from materiality.stats import FloatArray, mixed
from materiality.study import Study
from materiality.weights import classes_of

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
KeyArray = NDArray[np.uint64]
LARGEST = 2000
"""Units up to which the jackknife leaves out one at a time."""
GROUPS = 200
"""Random groups of units above that."""
AT_ONCE = 1 << 21
"""Multipliers held at once beside the replicates themselves."""
UNMOVED = 1e-12
"""Distances of means, relative to the scale, that rounding makes."""


class ReplicateMethod(StrEnum):
    """How replicates of a sample are made."""

    JACKKNIFE = "jackknife"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True)
class Replicates:
    """What each replicate multiplies the design weights by.

    Attributes
    ----------
    factors : float array, shape (units, replicates)
        At least 0; 1 leaves a weight as it is.
    unit : int array, shape (rows,)
        The row of `factors` that a respondent's multipliers stand in.
    scales : float array, shape (replicates,)
        What multiplies the replicate's squared deviations in a variance.
    sets : int array, shape (replicates,)
        Replicates of one set stand for each other where some of them fail: those of a stratum in the jackknife, all in
        the bootstrap.
    """

    factors: FloatArray
    unit: IntArray
    scales: FloatArray
    sets: IntArray

    @property
    def multipliers(self) -> FloatArray:
        """The multipliers of every respondent, shape (rows, replicates)."""
        return self.factors[self.unit]

    def __len__(self) -> int:
        return len(self.scales)


@dataclass(frozen=True)
class ReplicateErrors:
    """The covariance of targets by replicates.

    Attributes
    ----------
    covariance : float array, shape (targets, targets)
        Squared points; NaN in the rows of targets whose variance is unknown.
    replicates_used : int array, shape (targets,)
        Replicates that entered; the others failed, because a wanted category or a question had nobody left in them.
    """

    covariance: FloatArray
    replicates_used: IntArray

    @property
    def std_error(self) -> FloatArray:
        """Standard errors, in points of the scale."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class _Units:
    """Sampled units in an order that does not hang on the order of the rows.

    Attributes
    ----------
    of_row : int array, shape (rows,)
    stratum : int array, shape (units,)
        Units of a stratum stand together.
    sizes : int array, shape (strata,)
    names : integer array, shape (strata,)
    fraction : float array, shape (strata,)
    """

    of_row: IntArray
    stratum: IntArray
    sizes: IntArray
    names: NDArray[np.integer]
    fraction: FloatArray


def jackknife(
    stratum: ArrayLike,
    unit: ArrayLike,
    *,
    fraction: ArrayLike | None = None,
    largest: int = LARGEST,
    groups: int = GROUPS,
    seed: int = 0,
) -> Replicates:
    """Each unit left out in turn, and the others of its stratum weighted up (JKn).

    In the replicate that leaves out a unit of stratum h, which has n_h, the others of h are multiplied by
    n_h/(n_h − 1), and other strata stay. The scale is (1 − f_h)(n_h − 1)/n_h.

    With more than `largest` units, random groups of units are left out instead: as many per stratum as lets their
    number be at most `groups`, the same number in all strata that have enough units, and at least 2. Small strata so
    keep leaving out single units. A group of k units weights the others up by n_h/(n_h − k); (n_h − 1)/n_h in the scale
    becomes (G_h − 1)/G_h with G_h groups. Units are dealt to the groups in the order of a hash of `unit`, so neither
    the order of the rows nor the time of answering matters.

    Parameters
    ----------
    stratum, unit : int arrays, shape (rows,)
        Any numbers; a unit is one respondent, or a cluster, and lies in one stratum (the same number in another
        stratum is another unit).
    fraction : float array, shape (rows,), optional
        Share of the stratum's population that was asked, from 0 to 1.
    largest, groups : int
    seed : int
        Of the hash; matters only with more than `largest` units.

    Returns
    -------
    Replicates
        A stratum with one unit has no replicate, and adds no variance.

    Raises
    ------
    ValueError
        If shapes differ, strata or units are no whole numbers, two units of a stratum have the same key, or a fraction
        is not within 0 and 1 or not the same throughout a stratum.

    References
    ----------
    Rust and Rao (1996), Variance estimation for complex surveys using replication techniques, Statistical Methods in
    Medical Research 5(3); for the random groups Kott (2001), The delete-a-group jackknife, J. Official Statistics
    17(4). Equal to R's `survey::as.svrepdesign(type = "JKn", mse = TRUE)`.

    Examples
    --------
    >>> three = jackknife([0, 0, 0], [0, 1, 2])
    >>> np.sort(three.multipliers, axis=0).tolist()
    [[0.0, 0.0, 0.0], [1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]
    >>> three.scales.round(4).tolist()
    [0.6667, 0.6667, 0.6667]
    """
    units = _units(stratum, unit, unit, fraction, seed)
    most = _groups_per_stratum(units.sizes, groups) if len(units.stratum) > largest else units.sizes.max(initial=0)
    parts = np.minimum(units.sizes, most)
    first = np.cumsum(parts) - parts
    place = np.arange(len(units.stratum)) - (np.cumsum(units.sizes) - units.sizes)[units.stratum]
    part = first[units.stratum] + place % parts[units.stratum]
    of_part = np.repeat(np.arange(len(parts)), parts)
    deleted = np.flatnonzero(parts[of_part] > 1)
    home = of_part[deleted]
    size = np.bincount(part, minlength=len(of_part))
    left = units.sizes[home] - size[deleted]
    factors = np.where(of_part[:, None] == home, units.sizes[home] / left, 1.0)
    factors[deleted, np.arange(len(deleted))] = 0.0
    scales = (1 - units.fraction[home]) * (parts[home] - 1) / parts[home]
    return Replicates(factors, part[units.of_row], scales, home)


def rescaled_bootstrap(
    stratum: ArrayLike,
    unit: ArrayLike,
    key: ArrayLike,
    *,
    seed: int,
    replicates: int,
    fraction: ArrayLike | None = None,
) -> Replicates:
    """n_h − 1 of a stratum's n_h units drawn with replacement, and weighted so that variances come out unbiased.

    A unit drawn t times is multiplied by 1 + √(1 − f_h) (t n_h/(n_h − 1) − 1): Rao and Wu's
    1 + √(m(1 − f)/(n − 1)) (t n/m − 1) with m = n − 1, which is never negative. Within a stratum the multipliers sum
    to n_h in every replicate; over replicates their mean is 1 and their variance 1 − f_h. The scales are 1/replicates,
    for squares around the whole sample's estimate.

    Neither the order of the rows nor their split over files matters: the units are sorted by a hash of the seed and
    the key, and a counter-based generator, set by the seed, the stratum's number and the replicate's, says which are
    drawn. The first replicates are the same however many are asked for.

    Parameters
    ----------
    stratum, unit : int arrays, shape (rows,)
        As for `jackknife`.
    key : uint64 array, shape (rows,)
        What the row is known by, wherever it stands (`keys_of`); a unit of several rows is known by the least of
        theirs.
    seed : int
        From 0 below 2⁶⁴.
    replicates : int
        At least 1. Their standard errors have a relative Monte Carlo error of about √(1/(2 replicates)).
    fraction : float array, shape (rows,), optional
        As for `jackknife`.

    Returns
    -------
    Replicates
        A stratum with one unit keeps its multiplier 1, and adds no variance. Takes 8 bytes times units times
        replicates.

    Raises
    ------
    ValueError
        As for `jackknife`; without replicates.

    References
    ----------
    Rao and Wu (1988), Resampling inference with complex survey data, JASA 83(401). Rao, Wu and Yue (1992), Some recent
    work on resampling methods for complex surveys, Survey Methodology 18(2). Salmon, Moraes, Dror and Shaw (2011),
    Parallel random numbers: as easy as 1, 2, 3, SC '11, for the generator.

    Examples
    --------
    >>> draws = rescaled_bootstrap([0] * 4, range(4), range(4), seed=1, replicates=3)
    >>> draws.multipliers.sum(axis=0).round(12).tolist()
    [4.0, 4.0, 4.0]
    """
    if replicates < 1:
        raise ValueError(f"{replicates} replicates are asked for; there must be at least 1")
    units = _units(stratum, unit, key, fraction, seed)
    factors = np.ones((len(units.stratum), replicates))
    start = np.cumsum(units.sizes) - units.sizes
    for h, n in enumerate(units.sizes):
        if n == 1:
            continue
        counter_key = np.array([seed, int(units.names[h]) % 2**64], np.uint64)
        damping = np.sqrt(1 - units.fraction[h])
        for r in range(replicates):
            draw = np.random.Generator(np.random.Philox(key=counter_key, counter=np.array([0, 0, 0, r], np.uint64)))
            times = np.bincount(draw.integers(0, n, n - 1), minlength=n)
            factors[start[h] : start[h] + n, r] = 1 + damping * (times * (n / (n - 1)) - 1)
    return Replicates(factors, units.of_row, np.full(replicates, 1 / replicates), np.zeros(replicates, np.int64))


def _units(stratum: ArrayLike, unit: ArrayLike, key: ArrayLike, fraction: ArrayLike | None, seed: int) -> _Units:
    stratum, unit, key = (_whole_numbers(given) for given in (stratum, unit, key))
    asked = np.zeros(len(stratum)) if fraction is None else np.asarray(fraction, float)
    if not stratum.shape == unit.shape == key.shape == asked.shape:
        raise ValueError(f"shapes differ: {stratum.shape}, {unit.shape}, {key.shape}, {asked.shape}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"the seed {seed} is not from 0 below 2⁶⁴")
    if not ((asked >= 0) & (asked <= 1)).all():
        raise ValueError("a sampled fraction is not within 0 and 1")
    names, first, in_stratum = np.unique(stratum, return_index=True, return_inverse=True)
    if (asked != asked[first][in_stratum]).any():
        raise ValueError("a stratum has more than one sampled fraction")
    labels, in_unit = np.unique(unit, return_inverse=True)
    pairs, of_row = np.unique(in_stratum * max(len(labels), 1) + in_unit, return_inverse=True)
    home = pairs // max(len(labels), 1)
    known_by = np.full(len(pairs), np.iinfo(np.uint64).max)
    np.minimum.at(known_by, of_row, key.astype(np.uint64))
    rank = mixed(known_by ^ mixed(np.full(1, seed, np.uint64)))
    order = np.lexsort((rank, home))
    if ((rank[order][1:] == rank[order][:-1]) & (home[order][1:] == home[order][:-1])).any():
        raise ValueError("two units of a stratum have the same key")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return _Units(place[of_row], home[order], np.bincount(home, minlength=len(names)), names, asked[first])


def _whole_numbers(given: ArrayLike) -> NDArray[np.integer]:
    numbers = np.asarray(given)
    if numbers.ndim != 1 or (len(numbers) and not np.issubdtype(numbers.dtype, np.integer)):
        raise ValueError("strata, units and keys must be whole numbers, shape (rows,)")
    return numbers if len(numbers) else numbers.astype(np.int64)


def _groups_per_stratum(sizes: IntArray, groups: int) -> int:
    """The largest number of groups per stratum, at least 2, with at most so many in all."""
    low, high = 2, max(2, groups)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() <= groups else (low, middle - 1)
    return low


def keys_of(block: Block) -> KeyArray:
    """What each respondent is known by, wherever his row stands.

    His identity where it is known, and otherwise a hash of what the row says: ratings, kinds, groups, weight,
    categories, stratum and cluster. Rows of one identity are told apart by what they say. Rows that say the same are
    numbered; which of them has which number cannot matter.

    Returns
    -------
    uint64 array, shape (rows,)
        All different.
    """
    contents = np.zeros(len(block), np.uint64)
    columns = (
        *np.where(np.isnan(block.ratings), 0.0, block.ratings).T,
        *block.kinds.T,
        *block.members.T,
        block.weight,
        *block.categories.T,
        block.stratum,
        block.cluster,
    )
    for column in columns:
        if np.issubdtype(column.dtype, np.floating):
            bits = (np.asarray(column, np.float64) + 0.0).view(np.uint64)  # + 0.0 makes a zero of either sign the same
        else:
            bits = column.astype(np.uint64) if column.dtype == np.uint64 else column.astype(np.int64).view(np.uint64)
        contents = mixed(contents ^ bits)
    keys = np.where(block.identity != 0, block.identity, contents)
    _, inverse, times = np.unique(keys, return_inverse=True, return_counts=True)
    keys = np.where(times[inverse] > 1, mixed(mixed(keys) ^ contents), keys)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]]) if len(keys) else np.zeros(0, np.int64)
    number = np.empty(len(keys), np.uint64)
    number[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
    return np.where(number > 0, mixed(keys ^ mixed(number)), keys)


def replicate_means(study: Study, block: Block, replicates: Replicates) -> FloatArray:
    """Group means in every replicate, with its own raking and trimming.

    A replicate in which a wanted category of a group has nobody left, or in which the group's margins contradict each
    other, fails for that group: categories are not joined, since the replicate would then have other margins than the
    sample.

    Parameters
    ----------
    study : Study
        Its groups' margins are raked to, and its bounds trim, as in the sample itself (`weights.weigh`).
    block : Block
        The kept rows.
    replicates : Replicates
        Of these rows.

    Returns
    -------
    float array, shape (replicates, groups, questions)
        On the scale; NaN where the replicate fails for the group, or nobody is left who rated.

    Raises
    ------
    ValueError
        If the replicates have another number of rows.
    """
    if len(replicates.unit) != len(block):
        raise ValueError(f"the replicates have {len(replicates.unit)} rows, the block {len(block)}")
    means = np.full((len(replicates), len(study.groups), block.ratings.shape[1]), np.nan)
    for g in range(len(study.groups)):
        rows = np.flatnonzero(block.members[:, g])
        if len(rows) and len(replicates):
            means[:, g] = _group_means(study, g, block.take(rows), replicates.factors, replicates.unit[rows])
    return means


def _group_means(study: Study, g: int, block: Block, factors: FloatArray, unit: IntArray) -> FloatArray:
    """Means of one group, all of whose rows these are, shape (replicates, questions)."""
    classes = classes_of(study, g, block.categories)
    apart = study.weighting.trim is not None
    design = block.weight if apart else np.zeros(len(block))
    cells, first, cell = _distinct(np.column_stack([classes, design]))
    order = np.argsort(cell, kind="stable")
    block, unit, cell = block.take(order), unit[order], cell[order]
    raking, failed = None, np.zeros(factors.shape[1], np.bool_)
    if classes.shape[1] or apart:
        targets = [np.array(list(margin.values()), float) for margin in study.groups[g].margins.values()]
        raking, failed = _raking(
            classes[first], targets[: classes.shape[1]], block.weight, cell, len(cells), factors, unit
        )
        if study.weighting.trim is not None:
            people = _by_cell(np.ones(len(block)), cell, len(cells), factors, unit)
            raking = _trimmed(study.weighting.trim, raking, people, cells[:, -1])
    rated = block.kinds == Kind.RATING
    centred = np.where(rated, block.ratings - study.scale.midpoint, 0.0)
    total = np.zeros((factors.shape[1], block.ratings.shape[1]))
    weight = np.zeros_like(total)
    for part in _parts(len(block), factors.shape[1]):
        multipliers = factors[unit[part]]
        if raking is not None:
            multipliers *= raking[cell[part]]
        multipliers *= block.weight[part, None]
        total += multipliers.T @ centred[part]
        weight += multipliers.T @ rated[part].astype(float)
    found = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0) + study.scale.midpoint
    found[failed] = np.nan
    return found


def _distinct(table: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """The distinct rows of a table, where each stands first, and which one each row is."""
    code = np.zeros(len(table), np.int64)
    for column in table.T:
        _, inverse = np.unique(column, return_inverse=True)
        _, code = np.unique(code * (inverse.max(initial=0) + 1) + inverse, return_inverse=True)
    _, first, code = np.unique(code, return_index=True, return_inverse=True)
    return table[first], first, code


def _parts(rows: int, replicates: int) -> list[slice]:
    size = max(1, AT_ONCE // max(replicates, 1))
    return [slice(start, start + size) for start in range(0, rows, size)]


def _by_cell(values: FloatArray, cell: IntArray, cells: int, factors: FloatArray, unit: IntArray) -> FloatArray:
    """Sums of value × multiplier, shape (cells, replicates); the rows in the order of their cells."""
    sums = np.zeros((cells, factors.shape[1]))
    for part in _parts(len(values), factors.shape[1]):
        here = cell[part]
        starts = np.flatnonzero(np.r_[True, here[1:] != here[:-1]])
        sums[here[starts]] += np.add.reduceat(factors[unit[part]] * values[part, None], starts, axis=0)
    return sums


def _raking(
    classes: IntArray,
    targets: list[FloatArray],
    weight: FloatArray,
    cell: IntArray,
    cells: int,
    factors: FloatArray,
    unit: IntArray,
) -> tuple[FloatArray, BoolArray]:
    """What raking multiplies each cell by, shape (cells, replicates), and which replicates fail."""
    base = _by_cell(weight, cell, cells, factors, unit)
    if not targets:
        return np.ones_like(base), np.zeros(base.shape[1], np.bool_)
    raking_cells, _, joined = _distinct(classes.astype(float))
    sums = np.zeros((len(raking_cells), base.shape[1]))
    np.add.at(sums, joined, base)
    there = raking_cells.astype(np.int64)
    raked = rake(sums, there, targets)
    failed = ~raked.converged
    for c, target in enumerate(targets):
        for k in np.flatnonzero(target > 0):
            failed |= sums[there[:, c] == k].sum(axis=0) == 0
    return raked.factors[joined], failed


def _trimmed(bounds: tuple[float, float], raking: FloatArray, people: FloatArray, design: FloatArray) -> FloatArray:
    """Raked factors trimmed in each replicate; a respondent counts as often as his multiplier says."""
    weights = raking * design[:, None]
    trimmed = np.column_stack([trim(*pair, *bounds) for pair in zip(weights.T, people.T, strict=True)])
    return np.divide(trimmed, design[:, None], out=raking.copy(), where=design[:, None] > 0)


def replicate_covariance(
    estimates: ArrayLike, centre: ArrayLike | None, scales: ArrayLike, *, sets: ArrayLike | None = None
) -> FloatArray:
    """Covariance of estimates from their replicates: Σ_r scale_r (θ_r − c)(θ_r − c)ᵀ.

    A replicate that fails for an estimate is left out there, and the scales of the others in its set are raised so
    that they add up to the same. Deviations carry the root of that, so the matrix has no negative eigenvalue; a
    covariance of two estimates that fail in different replicates comes out a little too near 0.

    Parameters
    ----------
    estimates : float array, shape (replicates, targets)
        NaN where a replicate fails.
    centre : float array, shape (targets,), or None
        The whole sample's estimates, around which squares are taken; None for the mean of the replicates.
    scales : float array, shape (replicates,)
    sets : int array, shape (replicates,), optional
        As in `Replicates`; all are one set unless given.

    Returns
    -------
    float array, shape (targets, targets)
        In squared units of the estimates; NaN in the rows of estimates without centre, and of those for which a whole
        set fails.

    Raises
    ------
    ValueError
        If shapes differ, or a scale is negative or not finite.

    References
    ----------
    Wolter (2007), Introduction to Variance Estimation, 2nd ed., chapters 4 and 5. Equal to R's `survey::svrVar` with
    `mse = TRUE`; with `mse = FALSE` where the centre is None.

    Examples
    --------
    >>> replicate_covariance([[1.0], [3.0], [np.nan]], [2.0], [0.5, 0.5, 0.5]).round(12).tolist()
    [[1.5]]
    """
    estimates, scales = np.asarray(estimates, float), np.asarray(scales, float)
    sets = np.zeros(len(scales), np.int64) if sets is None else np.asarray(sets)
    if estimates.ndim != 2 or not len(estimates) == len(scales) == len(sets):
        raise ValueError(f"shapes differ: {estimates.shape}, {scales.shape}, {sets.shape}")
    if not (np.isfinite(scales) & (scales >= 0)).all():
        raise ValueError("a scale is negative or not finite")
    there = np.isfinite(estimates)
    known = np.where(there, estimates, 0.0)
    if centre is None:
        count = there.sum(axis=0)
        centre = np.divide(known.sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)
    centre = np.asarray(centre, float)
    if centre.shape != estimates.shape[1:]:
        raise ValueError(f"the centre has shape {centre.shape}, the estimates {estimates.shape}")
    deviation = np.where(there, known - np.nan_to_num(centre), 0.0)
    unknown = ~np.isfinite(centre)
    for one in np.unique(sets):
        here = sets == one
        total, left = scales[here].sum(), scales[here] @ there[here]
        unknown |= (total > 0) & (left == 0)
        deviation[here] *= np.sqrt(np.divide(total, left, out=np.ones_like(left), where=left > 0))
    covariance = deviation.T @ (scales[:, None] * deviation)
    covariance = (covariance + covariance.T) / 2
    covariance[unknown, :] = np.nan
    covariance[:, unknown] = np.nan
    return np.asarray(covariance)


def replicate_std_errors(
    study: Study,
    block: Block,
    questions: IntArray,
    weights: FloatArray,
    *,
    method: ReplicateMethod,
    seed: int,
    replicates: int = GROUPS,
    population: FloatArray | None = None,
) -> ReplicateErrors:
    """Standard errors of linear combinations of group means, by replicates that are each raked and trimmed anew.

    The strata are the groups, or a group's sampling strata; the units are respondents, or clusters. A stratum with a
    single unit shows no variance, and is joined with others of its group: with all such ones, or with the smallest.

    Groups that share respondents or clusters, directly or through other groups, are drawn together as one stratum:
    each distinct respondent once. This is an approximation: the groups' sizes then vary between replicates, and a
    group's own factor (1 − n_g/N_g) n_g/(n_g − 1) is put in afterwards. Its root multiplies the deviations of the
    group's mean, divided by the root of what the replicates of groups drawn together bring with them: (n − 1)/n ·
    (n_g/(n_g − 1))² in the jackknife, n/(n − 1) · (1 + 1/n_g − 1/n) in the bootstrap, n the respondents of all these
    groups.

    For standard errors and as a check on `estimates.estimate`, not for percentile intervals (see the head of this
    module). In a small raked group, replicates without a wanted category are left out, and they are those that would
    have moved the most.

    Parameters
    ----------
    study : Study
    block : Block
        The kept rows, in any order.
    questions : int array, shape (targets,)
    weights : float array, shape (targets, groups)
        λ, used as they are; of any sign.
    method : ReplicateMethod
    seed : int
        From 0 below 2⁶⁴. Jackknife's replicates depend on it only where units are left out in groups.
    replicates : int
        Of the bootstrap; at most so many groups of units in the jackknife of more than 2000 units.
    population : float array, shape (groups,) or (rows, groups), optional
        N of the group, or of the sampling stratum that a row belongs to within the group; NaN for none. The study's
        group populations unless given; none where the study wants no finite population correction. A stratum's
        fraction is its respondents over N, as in `estimate`: with several strata and N of the group alone it is too
        small, and the standard error too large.

    Returns
    -------
    ReplicateErrors
        NaN where fewer than two units of a group of the target rated, or it has no mean.

    Raises
    ------
    ValueError
        If shapes differ, or the method is unknown.

    References
    ----------
    As for `jackknife` and `rescaled_bootstrap`.
    """
    method = ReplicateMethod(method)
    questions, weights = np.asarray(questions, np.int64), np.asarray(weights, float)
    if weights.shape != (len(questions), len(study.groups)):
        raise ValueError(f"weights have shape {weights.shape}, not ({len(questions)}, {len(study.groups)})")
    if population is None:
        population = np.array([group.population or np.nan for group in study.groups], float)
    if population.shape not in {(len(study.groups),), (len(block), len(study.groups))}:
        raise ValueError(f"population has shape {population.shape}")
    if not study.weighting.finite_population:
        population = np.full(len(study.groups), np.nan)
    grouped = np.asarray(block.members.any(axis=1))
    per_row = np.broadcast_to(population, (len(block), len(study.groups)))[grouped]
    block = block.take(grouped)
    keys = keys_of(block)
    # sums in the order of the keys are the same to the last bit, whatever the order of the rows
    order = np.argsort(keys)
    block, keys, per_row = block.take(order), keys[order], per_row[order]
    design = _design(block, keys, per_row, method, by_stratum=population.ndim == 2)
    if method is ReplicateMethod.JACKKNIFE:
        drawn = jackknife(design.stratum, design.unit, fraction=design.fraction, groups=replicates, seed=seed)
    else:
        drawn = rescaled_bootstrap(
            design.stratum, design.unit, design.unit, seed=seed, replicates=replicates, fraction=design.fraction
        )
    whole = Replicates(np.ones((1, 1)), np.zeros(len(block), np.int64), np.ones(1), np.zeros(1, np.int64))
    centre = replicate_means(study, block, whole)[0]
    deviation = replicate_means(study, block, drawn) - centre
    scale = np.nanmax(np.abs(centre - study.scale.midpoint), initial=1.0)
    deviation[np.abs(deviation) <= UNMOVED * scale] = 0.0
    deviation *= design.spread[:, None]
    moved = _combined(deviation, questions, weights)
    at = np.where(np.isnan(_combined(centre[None], questions, weights)[0]), np.nan, 0.0)
    covariance = replicate_covariance(moved, at, drawn.scales, sets=drawn.sets)
    unknown = (~_two_rated(block, design.unit)[:, questions].T & (weights != 0)).any(axis=1)
    unknown |= ~(weights != 0).any(axis=1)
    covariance[unknown, :] = np.nan
    covariance[:, unknown] = np.nan
    return ReplicateErrors(covariance, np.isfinite(moved).sum(axis=0))


def _combined(means: FloatArray, questions: IntArray, weights: FloatArray) -> FloatArray:
    """Targets of every replicate, from arrays of shape (replicates, groups, questions)."""
    values = np.zeros((len(means), len(questions)))
    for g in range(means.shape[1]):
        values += np.where(weights[:, g] != 0, weights[:, g] * means[:, g, questions], 0.0)
    return values


def _two_rated(block: Block, unit: KeyArray) -> BoolArray:
    """Whether at least two units of a group rated a question, shape (groups, questions)."""
    found = np.zeros((block.members.shape[1], block.ratings.shape[1]), np.bool_)
    _, number = np.unique(unit, return_inverse=True)
    rated = block.kinds == Kind.RATING
    for g in range(len(found)):
        here = rated & block.members[:, [g]]
        lowest = np.where(here, number[:, None], len(number)).min(axis=0, initial=len(number))
        highest = np.where(here, number[:, None], -1).max(axis=0, initial=-1)
        found[g] = highest > lowest
    return found


@dataclass(frozen=True)
class _Design:
    """Who is drawn with whom: stratum, unit and sampled fraction of each row, and what each group's deviations take."""

    stratum: KeyArray
    unit: KeyArray
    fraction: FloatArray
    spread: FloatArray


def _design(
    block: Block, keys: KeyArray, population: FloatArray, method: ReplicateMethod, *, by_stratum: bool
) -> _Design:
    groups = block.members.shape[1]
    clustered = block.cluster != 0
    unit = np.where(clustered, mixed(block.cluster), keys)
    component = _components(block.members, unit)
    home = component[block.members.argmax(axis=1)] if len(block) else np.zeros(0, np.int64)
    stratum = mixed(block.stratum.astype(np.uint64) ^ mixed(home.astype(np.uint64)))
    stratum = _without_lonely(stratum, unit, home)
    fraction, spread = np.zeros(len(block)), np.ones(groups)

    def asked(rows: BoolArray, g: int) -> float:
        """The share of the population that these rows of a group are."""
        _, first = np.unique(block.stratum[rows], return_index=True)
        total = population[rows, g][first if by_stratum else first[:1]].sum()
        return float(min(rows.sum() / total, 1.0)) if total > 0 else 0.0

    def size(rows: BoolArray) -> tuple[int, float]:
        """n units in H strata: n, and n/(n − H)."""
        n, strata = len(np.unique(unit[rows])), len(np.unique(stratum[rows]))
        return n, n / (n - strata) if n > strata else 1.0

    for c in np.unique(component):
        rows, inside = home == c, np.flatnonzero(component == c)
        if not rows.any():
            continue
        if len(inside) == 1:
            for h in np.unique(stratum[rows]):
                fraction[stratum == h] = asked(stratum == h, int(c))
            continue
        n, factor = size(rows)
        for g in inside:
            mine = block.members[:, g]
            if not mine.any():
                continue
            n_own, own_factor = size(mine)
            if (
                method is ReplicateMethod.JACKKNIFE
            ):  # a mean without one of n differs by n/(n − 1) of what linearisation says
                inherent = (n_own / max(n_own - 1, 1)) ** 2 / factor
            else:  # the mean of 1/n, where n varies between replicates, is above 1 over its mean
                inherent = (1 + 1 / n_own - 1 / n) * factor
            spread[g] = np.sqrt((1 - asked(mine, int(g))) * own_factor / inherent)
    return _Design(stratum, unit, fraction, spread)


def _components(members: BoolArray, unit: KeyArray) -> IntArray:
    """The lowest of the groups that each group is linked to by shared units, itself among them, shape (groups,)."""
    groups = members.shape[1]
    _, number = np.unique(unit, return_inverse=True)
    units = np.zeros((number.max(initial=-1) + 1, groups))
    np.maximum.at(units, number, members.astype(float))
    linked = (units.T @ units + np.eye(groups)) > 0
    for _ in range(groups):
        linked = (linked.astype(float) @ linked) > 0
    return np.asarray(linked.argmax(axis=1), np.int64)


def _without_lonely(stratum: KeyArray, unit: KeyArray, home: IntArray) -> KeyArray:
    """Strata of one unit joined with others of their home, where it has others."""
    names, number = np.unique(stratum, return_inverse=True)
    _, label = np.unique(unit, return_inverse=True)
    pairs = np.unique(number * (label.max(initial=0) + 1) + label)
    sizes = np.bincount(pairs // (label.max(initial=0) + 1), minlength=len(names))
    where = np.zeros(len(names), np.int64)
    where[number] = home
    joined = np.arange(len(names))
    for c in np.unique(where):
        here = np.flatnonzero(where == c)
        lonely = here[sizes[here] == 1]
        others = here[sizes[here] > 1]
        if len(lonely) > 1:
            joined[lonely] = lonely[0]
        elif len(lonely) and len(others):
            joined[lonely] = others[sizes[others].argmin()]
    return names[joined][number]
