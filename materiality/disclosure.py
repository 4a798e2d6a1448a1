"""What numbers that are left out could be worked out from those that are told."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray = NDArray[np.bool_]


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


__all__ = ["complemented", "determined"]
