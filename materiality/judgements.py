"""Weights from pairwise judgements: how many times as important one thing is as another, pair by pair.

The analytic hierarchy process on plain arrays. Names of the things judged, and of the judges, are unknown here;
entries and judges count from 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
"""Saaty's mean consistency index of random judgements of 1, 2, …, 15 things (Saaty 1980, The Analytic Hierarchy
Process, McGraw-Hill)."""
RECIPROCITY = 1e-6
"""How far a_ij a_ji may lie from 1: seven typed digits of 1/3 pass, two do not."""
LARGEST = 1e4
"""A ratio beyond this, or below its reciprocal, is no judgement: Saaty's scale ends at 9."""
RANGE = f"{1 / LARGEST:g} and {LARGEST:g}"
ROUNDING = 1e-9
"""Deviations, as logarithms, that differ by less differ by rounding alone."""
FAULTS_SHOWN = 10


@dataclass(frozen=True)
class Judged:
    """Weights by the principal eigenvector.

    Attributes
    ----------
    weights : float array, shape (k,)
        Positive, with sum 1.
    eigenvalue : float
        The largest eigenvalue λ; k where the judgements agree with each other throughout, else more.
    consistency_index : float
        CI = (λ − k)/(k − 1); 0 for k ≤ 2.
    consistency_ratio : float
        CR = CI/RI(k): 0 for full consistency, 1 for judgements as good as random. 0 for k ≤ 2, which cannot
        contradict themselves; NaN for k > 15, beyond Saaty's table.
    """

    weights: FloatArray
    eigenvalue: float
    consistency_index: float
    consistency_ratio: float


@dataclass(frozen=True)
class GeometricallyJudged:
    """Weights by the geometric means of the rows.

    Attributes
    ----------
    weights : float array, shape (k,)
        Positive, with sum 1.
    consistency_index : float
        The geometric consistency index; 0 for k ≤ 2.
    """

    weights: FloatArray
    consistency_index: float


@dataclass(frozen=True)
class Contradiction:
    """A judgement beside what the weights imply for it.

    Attributes
    ----------
    first, second : int
        The pair, with first < second.
    judged : float
        The judged ratio of first to second.
    implied : float
        The ratio of their weights.
    """

    first: int
    second: int
    judged: float
    implied: float


def principal_weights(matrix: ArrayLike) -> Judged:
    """Weights as the principal right eigenvector of a judgement matrix, with its consistency.

    Parameters
    ----------
    matrix : float array, shape (k, k)
        Entry (i, j) says how many times as important i is as j. Reciprocal: a_ij a_ji = 1.

    Returns
    -------
    Judged
        A custom of the field refuses a consistency ratio above 0.10.

    Raises
    ------
    ValueError
        If the matrix is not square, or an entry is not between 1e-4 and 1e4, has no reciprocal across the diagonal, or
        is not 1 on it; such entries are told.

    References
    ----------
    Saaty (1977), A scaling method for priorities in hierarchical structures, J. Mathematical Psychology 15(3);
    Saaty (1980), The Analytic Hierarchy Process, McGraw-Hill.

    Examples
    --------
    >>> judged = principal_weights([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]])
    >>> judged.weights.round(3).tolist(), round(judged.consistency_ratio, 3)
    ([0.637, 0.258, 0.105], 0.033)
    """
    checked = _checked(matrix)
    k = len(checked)
    rough = _row_means(checked)
    # dividing rough weights out leaves a matrix near all ones, whose eigenvector keeps its digits at any spread
    values, vectors = np.linalg.eig(_residuals(checked, rough))
    largest = int(np.argmax(values.real))
    weights = rough * np.abs(vectors[:, largest].real)
    eigenvalue = max(float(values[largest].real), float(k))
    index = (eigenvalue - k) / (k - 1) if k > 2 else 0.0
    return Judged(
        weights=weights / weights.sum(),
        eigenvalue=eigenvalue if k > 2 else float(k),
        consistency_index=index,
        consistency_ratio=_consistency_ratio(index, k),
    )


def geometric_weights(matrix: ArrayLike) -> GeometricallyJudged:
    """Weights as the geometric means of a judgement matrix's rows, with the geometric consistency index.

    They are the least-squares fit to the logarithms of the ratios. The index, 2/((k − 1)(k − 2)) Σ_{i<j} log² e_ij
    with e_ij = a_ij w_j/w_i, is that fit's residual variance. Up to three things the weights equal the principal ones.

    Parameters
    ----------
    matrix : float array, shape (k, k)
        As for `principal_weights`.

    Returns
    -------
    GeometricallyJudged

    Raises
    ------
    ValueError
        As for `principal_weights`.

    References
    ----------
    Crawford and Williams (1985), A note on the analysis of subjective judgment matrices, J. Mathematical Psychology
    29(4); Aguarón and Moreno-Jiménez (2003), The geometric consistency index: approximated thresholds, European J.
    Operational Research 147(1).

    Examples
    --------
    >>> geometric_weights([[1, 4], [1 / 4, 1]]).weights.round(12).tolist()
    [0.8, 0.2]
    """
    checked = _checked(matrix)
    k = len(checked)
    weights = _row_means(checked)
    index = 0.0
    if k > 2:
        above = np.log(_residuals(checked, weights))[np.triu_indices(k, 1)]
        index = 2 / ((k - 1) * (k - 2)) * float(above @ above)
    return GeometricallyJudged(weights=weights, consistency_index=index)


def pooled(matrices: Sequence[ArrayLike] | FloatArray) -> FloatArray:
    """Several judges' matrices as one, by the geometric mean of each entry.

    It is the only mean under which the pooled matrix is reciprocal, and no judge counts more than another.

    Parameters
    ----------
    matrices : sequence of float arrays, each of shape (k, k)
        A judge each, as for `principal_weights`.

    Returns
    -------
    float array, shape (k, k)

    Raises
    ------
    ValueError
        If there is no judge, the judges did not judge equally many things, or a matrix is none of judgements.

    References
    ----------
    Aczél and Saaty (1983), Procedures for synthesizing ratio judgements, J. Mathematical Psychology 27(1).

    Examples
    --------
    >>> pooled([[[1, 2], [1 / 2, 1]], [[1, 8], [1 / 8, 1]]]).round(12).tolist()
    [[1.0, 4.0], [0.25, 1.0]]
    """
    checked = []
    for judge, matrix in enumerate(matrices):
        try:
            checked.append(_checked(matrix))
        except ValueError as fault:
            raise ValueError(f"judge {judge}: {fault}") from None
    sizes = [len(matrix) for matrix in checked]
    if len(set(sizes)) != 1:
        found = ", ".join(map(str, sizes)) or "no judge"
        raise ValueError(f"the judges must all judge the same things; numbers of things judged: {found}")
    return np.exp(np.log(np.stack(checked)).mean(axis=0))


def judgement_matrix(k: int, pairs: Mapping[tuple[int, int], float]) -> FloatArray:
    """The reciprocal matrix of k things from one judgement of each pair.

    Parameters
    ----------
    k : int
        Things judged, counted from 0.
    pairs : mapping of (int, int) to float
        How many times as important the first is as the second. Each pair stands once, in either order.

    Returns
    -------
    float array, shape (k, k)
        Ones on the diagonal; a_ji = 1/a_ij.

    Raises
    ------
    ValueError
        If pairs are missing, given in both orders, of a thing with itself or with none of the k, or a ratio is not
        between 1e-4 and 1e4; all of them are told.

    Examples
    --------
    >>> judgement_matrix(3, {(0, 1): 2, (0, 2): 4, (2, 1): 0.5}).tolist()
    [[1.0, 2.0, 4.0], [0.5, 1.0, 2.0], [0.25, 0.5, 1.0]]
    """
    if k < 1:
        raise ValueError(f"a judgement matrix needs at least one thing, not {k}")
    all_pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    known = {*all_pairs, *((j, i) for i, j in all_pairs)}
    listed = {
        "no pair of things": [pair for pair in pairs if pair not in known],
        "missing": [pair for pair in all_pairs if pair not in pairs and pair[::-1] not in pairs],
        "given twice": [pair for pair in all_pairs if pair in pairs and pair[::-1] in pairs],
        f"not between {RANGE}": [pair for pair, ratio in pairs.items() if not 1 / LARGEST <= ratio <= LARGEST],
    }
    faults = [f"{what}: {', '.join(map(str, found))}" for what, found in listed.items() if found]
    if faults:
        raise ValueError(f"each pair of {k} things needs one judgement; " + "; ".join(faults))
    matrix = np.ones((k, k))
    for (i, j), ratio in pairs.items():
        matrix[i, j] = ratio
        matrix[j, i] = 1 / ratio
    return matrix


def most_inconsistent(matrix: ArrayLike) -> Contradiction:
    """The judgement that lies farthest from the ratio of the principal weights, as a factor either way.

    With three things every judgement is equally far from its ratio; then, as in any tie, the first pair is returned.

    Parameters
    ----------
    matrix : float array, shape (k, k)
        As for `principal_weights`, of two things or more.

    Returns
    -------
    Contradiction

    Raises
    ------
    ValueError
        As for `principal_weights`; also for a single thing, which has no pair.

    References
    ----------
    Saaty (2003), Decision-making with the AHP: why is the principal eigenvector necessary, European J. Operational
    Research 145(1).

    Examples
    --------
    >>> slip = judgement_matrix(4, {(0, 1): 2, (0, 2): 4, (0, 3): 8, (1, 2): 2, (1, 3): 4, (2, 3): 1 / 6})
    >>> most = most_inconsistent(slip)
    >>> most.first, most.second, round(most.judged, 3), round(most.implied, 3)
    (2, 3, 0.167, 0.497)
    """
    checked = _checked(matrix)
    if len(checked) < 2:
        raise ValueError("a single thing has no pair to judge")
    weights = principal_weights(checked).weights
    above = np.triu_indices(len(checked), 1)
    deviations = np.abs(np.log(_residuals(checked, weights)))[above]
    at = int(np.argmax(deviations >= deviations.max() - ROUNDING))
    first, second = int(above[0][at]), int(above[1][at])
    return Contradiction(
        first=first,
        second=second,
        judged=float(checked[first, second]),
        implied=float(weights[first] / weights[second]),
    )


def _checked(matrix: ArrayLike) -> FloatArray:
    """The matrix as floats, if it is one of judgements; else a ValueError that tells every entry at fault."""
    found = np.asarray(matrix, float)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise ValueError(f"a judgement matrix is square and not empty; shape {found.shape}")
    ratio = (found >= 1 / LARGEST) & (found <= LARGEST)
    faults = [f"entry ({i}, {j}) is {found[i, j]:g}, not between {RANGE}" for i, j in np.argwhere(~ratio)]
    judged = np.where(ratio & ratio.T, found, 1.0)
    off = np.abs(judged.diagonal() - 1) > RECIPROCITY
    faults += [f"entry ({i}, {i}) is {found[i, i]:g}, not 1" for i in np.flatnonzero(off)]
    faults += [
        f"entries ({i}, {j}) and ({j}, {i}) are {found[i, j]:g} and {found[j, i]:g}, not reciprocal"
        for i, j in np.argwhere(np.triu(np.abs(judged * judged.T - 1) > RECIPROCITY, 1))
    ]
    if faults:
        more = len(faults) - FAULTS_SHOWN
        raise ValueError("; ".join(faults[:FAULTS_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
    return found


def _row_means(checked: FloatArray) -> FloatArray:
    """The geometric mean of each row, scaled to sum 1."""
    logs = np.log(checked).mean(axis=1)
    means = np.exp(logs - logs.max())
    return means / means.sum()


def _residuals(checked: FloatArray, weights: FloatArray) -> FloatArray:
    """e_ij = a_ij w_j / w_i: 1 throughout where the judgements are consistent with the weights."""
    return checked * weights / weights[:, None]


def _consistency_ratio(index: float, k: int) -> float:
    if k <= 2:
        return 0.0
    return index / RANDOM_INDEX[k - 1] if k <= len(RANDOM_INDEX) else math.nan
