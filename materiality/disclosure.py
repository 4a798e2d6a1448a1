"""What numbers that are left out could be worked out from those that are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MOST_SUMS = 20_000
"""Different sums of groups' answers to look at one by one; beyond them the largest groups may lie anywhere."""


def determined(equations: ArrayLike) -> BoolArray:
    """Which unknowns follow from known sums of them.

    Parameters
    ----------
    equations : float array, shape (sums, unknowns)
        What each known sum takes of each unknown.

    Returns
    -------
    bool array, shape (unknowns,)
        Where the unknown is a linear combination of the sums, and so has one possible value.

    Notes
    -----
    An unknown is free exactly where some vector that every sum takes to 0 is not 0 there. Such vectors are the null
    space, from the singular value decomposition.

    References
    ----------
    Hundepool et al. (2012), Statistical Disclosure Control, section 4.3 (audit of suppressed tables).

    Examples
    --------
    A row of a table with its total, two numbers left out, then one:

    >>> determined([[1, 1]]).tolist(), determined([[1]]).tolist()
    ([False, False], [True])
    """
    equations = np.atleast_2d(np.asarray(equations, float))
    if not equations.size:
        return np.zeros(equations.shape[1], np.bool_)
    _, values, vectors = np.linalg.svd(equations, full_matrices=True)
    rank = int((values > values.max(initial=0.0) * 1e-10).sum())
    return np.asarray(np.square(vectors[rank:]).sum(axis=0) < 1e-12)


def complemented(counts: ArrayLike, left_out: ArrayLike, equations: ArrayLike, *, smallest: int) -> BoolArray:
    """Leave out more numbers of people until none that is left out follows from the known sums.

    The smallest is taken next, those of nobody last. Besides, the people behind all that a sum leaves out are either
    nobody or at least `smallest`.

    Parameters
    ----------
    counts : int array, shape (numbers,)
    left_out : bool array, shape (numbers,)
        What must be left out.
    equations : array, shape (sums, numbers)
        1 where a known sum takes the number in, otherwise 0.
    smallest : int
        People who may be told of.

    Returns
    -------
    bool array, shape (numbers,)
        All of them where nothing less will do.

    Examples
    --------
    Of four numbers with their total, 3 must not be told; 12 goes with it.

    >>> complemented([40, 3, 12, 25], [False, True, False, False], [[1, 1, 1, 1]], smallest=5).tolist()
    [False, True, True, False]
    """
    counts, taken = np.asarray(counts, float), np.atleast_2d(np.asarray(equations, float)) != 0
    out = np.array(left_out, np.bool_)
    while out.any() and not out.all():
        known = taken[:, out]
        touched = known.any(axis=1)
        follows = np.zeros(len(out), np.bool_)
        follows[out] = determined(known[touched])
        few = touched & ((taken * np.where(out, counts, 0.0)).sum(axis=1) < smallest)
        wanted = (taken & (few | (taken & follows).any(axis=1))[:, None]).any(axis=0) & ~out
        if not wanted.any():
            break
        order = np.lexsort((counts, counts == 0, ~wanted))
        out[order[0]] = True
    return out


def possible_totals(
    sizes: Sequence[int], weights: Sequence[float], lowest: float, highest: float, points: Sequence[float]
) -> IntArray:
    """In how many ways each group's answers can add up, given the groups' weighted means together.

    Parameters
    ----------
    sizes : sequence of int
        People of each group, who count the same.
    weights : sequence of float
        Of the groups' means in the sum.
    lowest, highest : float
        Between which the sum is known to lie.
    points : sequence of float
        That an answer can be; in equal steps. Of a scale without steps, any points of it.

    Returns
    -------
    int array, shape (groups,)
        Totals of the group's answers that some answers of the others go with. Where there are too many sums of the
        others to look at one by one, the largest of the others are taken to lie anywhere on the scale.

    Examples
    --------
    Three people and two, equal weights: means that add up to 9.5 can only be 5 and 4½; about 8 leaves more open.

    >>> possible_totals([3, 2], [1, 1], 9.49, 9.51, range(1, 6)).tolist()
    [1, 1]
    >>> possible_totals([3, 2], [1, 1], 7.9, 8.1, range(1, 6)).tolist()
    [3, 3]
    """
    low, high, steps = float(min(points)), float(max(points)), max(len(list(points)) - 1, 1)
    means = [np.linspace(low, high, n * steps + 1) * weight for n, weight in zip(sizes, weights, strict=True)]
    found = np.zeros(len(means), np.int64)
    for g, own in enumerate(means):
        sums, free = np.zeros(1), [0.0, 0.0]
        for other in sorted((means[h] for h in range(len(means)) if h != g), key=len):
            if len(sums) * len(other) <= MOST_SUMS:
                sums = np.unique(np.round(np.add.outer(sums, other).ravel(), 9))
            else:
                free = [free[0] + other[0], free[1] + other[-1]]
        slack = 1e-9
        first = np.searchsorted(sums, lowest - own - free[1] - slack, side="left")
        last = np.searchsorted(sums, highest - own - free[0] + slack, side="right")
        found[g] = int((last > first).sum())
    return found


__all__ = ["complemented", "determined", "possible_totals"]
