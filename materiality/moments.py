"""Moments: counts, sums and cross-products of the answers of each cell. They add over any split of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.responses import Block, Kind
from materiality.stats import ROUNDING

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Cell:
    """Who is counted together: respondents of the same groups, stratum, flags and weighting class.

    Attributes
    ----------
    groups : tuple of int
        The groups that they all belong to.
    stratum : int
        The sampling stratum, where the study has strata beside its groups.
    flags : int
        The reasons for which they were flagged, a bit each.
    classes : tuple of int
        Their answers in the columns that groups are raked to, as `Block.categories` has them.
    weight : float
        Their design weight, where weights are to be trimmed; 0 otherwise.
    cluster : int
        The cluster that was sampled as one; 0 for respondents by themselves.
    """

    groups: tuple[int, ...]
    stratum: int = 0
    flags: int = 0
    classes: tuple[int, ...] = ()
    weight: float = 0.0
    cluster: int = 0


@dataclass(frozen=True)
class Sums:
    """The sums of one cell.

    Notation: weight w, 1 where rated r, rating less the scale's midpoint y (so that sums of whole ratings are exact
    whatever the order of the rows). A row of Z is (w r, w r y), one after the other over the questions.

    Attributes
    ----------
    n : int
        Respondents.
    rated : int array, shape (questions,)
        Ratings.
    kinds : int array, shape (questions, kinds)
        Answers of each `Kind`.
    points : int array, shape (questions, points)
        Ratings at each point of the scale; no points where the scale has none.
    weight, weight_squares : float
        Sums of w and w².
    first : float array, shape (2 questions,)
        Sums of Z.
    second : float array, shape (2 questions, 2 questions)
        Cross-products ZᵀZ.
    """

    n: int
    kinds: NDArray[np.int64]
    points: NDArray[np.int64]
    weight: float
    weight_squares: float
    first: FloatArray
    second: FloatArray

    @property
    def rated(self) -> NDArray[np.int64]:
        """Ratings per question."""
        return self.kinds[:, Kind.RATING]

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.n + other.n,
            self.kinds + other.kinds,
            self.points + other.points,
            self.weight + other.weight,
            self.weight_squares + other.weight_squares,
            self.first + other.first,
            self.second + other.second,
        )

    def filled(self, value: float, at_point: NDArray[np.bool_]) -> Sums:
        """The sums had everybody without a rating given one.

        Parameters
        ----------
        value : float
            The rating, less the scale's midpoint.
        at_point : bool array, shape (points,)
            Which point of the scale it is.

        Raises
        ------
        ValueError
            If there are not as many points as ratings are counted at.
        """
        q = len(self.kinds)
        if self.points.shape[1] != len(at_point):
            raise ValueError(f"ratings are counted at {self.points.shape[1]} points, not at {len(at_point)}")
        missing = self.n - self.rated
        kinds = np.zeros_like(self.kinds)
        kinds[:, Kind.RATING] = self.n
        # with v the value, a row of Z becomes (w, w r y + v (w − w r)); sums of w times w r and w r y are on diagonals
        rr, yr, yy = self.second[:q, :q], self.second[q:, :q], self.second[q:, q:]
        left = self.weight_squares - np.diag(rr)
        with_weight = np.diag(yr) + value * left
        gain = value * (np.diag(yr)[:, None] - yr)
        second = np.empty_like(self.second)
        second[:q, :q] = self.weight_squares
        second[q:, :q] = with_weight[:, None]
        second[:q, q:] = with_weight
        second[q:, q:] = yy + gain + gain.T + value**2 * (left[:, None] - np.diag(rr) + rr)
        weight = np.full(q, self.weight)
        return Sums(
            self.n,
            kinds,
            self.points + missing[:, None] * at_point,
            self.weight,
            self.weight_squares,
            np.concatenate([weight, self.first[q:] + value * (weight - self.first[:q])]),
            second,
        )


@dataclass(frozen=True)
class Moments:
    """The sums of every cell.

    Attributes
    ----------
    cells : mapping of Cell to Sums
        In the cells' order.
    questions, groups : int
        How many there are.
    midpoint : float
        What was taken off the ratings.
    """

    cells: Mapping[Cell, Sums]
    questions: int
    groups: int
    midpoint: float

    def __add__(self, other: Moments) -> Moments:
        merged = dict(self.cells)
        for cell, sums in other.cells.items():
            merged[cell] = merged[cell] + sums if cell in merged else sums
        return Moments(dict(sorted(merged.items())), self.questions, self.groups, self.midpoint)

    def without_flagged(self) -> Moments:
        """The moments of the respondents who were not flagged."""
        kept = {cell: sums for cell, sums in self.cells.items() if not cell.flags}
        return Moments(kept, self.questions, self.groups, self.midpoint)

    def filled(self, value: float, points: tuple[float, ...] = ()) -> Moments:
        """The moments had every respondent of every cell who gave no rating of a question rated it `value`.

        Parameters
        ----------
        value : float
            On the scale.
        points : tuple of float
            The scale's points, as for `moments_of`.

        Raises
        ------
        ValueError
            If ratings are counted at other points than these.
        """
        at_point = np.abs(np.array(points) - value) <= ROUNDING
        cells = {cell: sums.filled(value - self.midpoint, at_point) for cell, sums in self.cells.items()}
        return Moments(cells, self.questions, self.groups, self.midpoint)

    def members(self) -> NDArray[np.bool_]:
        """Which cell belongs to which group, shape (cells, groups)."""
        table = np.zeros((len(self.cells), self.groups), np.bool_)
        for k, cell in enumerate(self.cells):
            table[k, list(cell.groups)] = True
        return table

    def per_group(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Cells' values, shape (cells, …), added up over the cells of each group."""
        return np.asarray(np.tensordot(self.members().T.astype(values.dtype), values, axes=1))

    def stack(self, name: str) -> NDArray[np.generic]:
        """One of the `Sums` of every cell, the cells first."""
        shapes = {"first": (2 * self.questions,), "second": (2 * self.questions,) * 2}
        if not self.cells:
            return np.zeros((0, *shapes.get(name, ())))
        return np.asarray([getattr(sums, name) for sums in self.cells.values()])


def no_moments(questions: int, groups: int, midpoint: float) -> Moments:
    """The moments of nobody: what addition starts from."""
    return Moments({}, questions, groups, midpoint)


def moments_of(
    block: Block,
    *,
    midpoint: float,
    points: tuple[float, ...] = (),
    flags: NDArray[np.integer] | None = None,
    strata: NDArray[np.integer] | None = None,
    apart: bool = False,
) -> Moments:
    """The moments of a block of kept responses.

    Parameters
    ----------
    block : Block
        A respondent of several groups counts in each of them, one of no group in none.
    midpoint : float
        Taken off the ratings before they are summed.
    points : tuple of float
        The scale's points, to count ratings at each.
    flags : int array, shape (rows,), optional
        Split the cells further.
    strata : int array, shape (rows,), optional
        Instead of the block's.
    apart : bool
        Keep respondents of different design weights apart, as trimming needs it.
    """
    questions, groups = block.ratings.shape[1], block.members.shape[1]
    if not len(block):
        return no_moments(questions, groups, midpoint)
    order, starts, cells = _by_cell(block, flags, block.stratum if strata is None else strata, apart)
    kinds, ratings, weights = block.kinds[order], block.ratings[order], block.weight[order]
    rated = kinds == Kind.RATING
    weighted = weights[:, None] * rated
    z = np.hstack([weighted, weighted * np.where(rated, ratings - midpoint, 0.0)])
    at_point = np.searchsorted(points, np.where(rated, ratings, np.inf)) if points else None
    found = {}
    for cell, start, end in zip(cells, starts, [*starts[1:], len(block)], strict=True):
        part, weight = z[start:end], weights[start:end]
        found[cell] = Sums(
            n=int(end - start),
            kinds=_counts(kinds[start:end], len(Kind)),
            points=_counts(at_point[start:end], len(points) + 1)[:, :-1]
            if at_point is not None
            else np.zeros((questions, 0), np.int64),
            weight=float(weight.sum()),
            weight_squares=float((weight**2).sum()),
            first=part.sum(axis=0),
            second=part.T @ part,
        )
    return Moments(dict(sorted(found.items())), questions, groups, midpoint)


def _by_cell(
    block: Block, flags: NDArray[np.integer] | None, strata: NDArray[np.integer], apart: bool
) -> tuple[NDArray[np.intp], list[int], list[Cell]]:
    """The rows in the order of their cells, where each cell starts, and the cells."""
    packed = np.packbits(block.members, axis=1)
    _, code = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_inverse=True)
    flags = np.zeros(len(block), np.int64) if flags is None else flags
    weights = block.weight if apart else np.zeros(len(block))
    for split in (strata, flags, *block.categories.T, weights, block.cluster):
        if (split == split[0]).all():
            continue
        _, inverse = np.unique(split, return_inverse=True)
        _, code = np.unique(code * (inverse.max() + 1) + inverse, return_inverse=True)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = [int(k) for k in np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])]
    cells = [
        Cell(
            groups=tuple(int(g) for g in np.flatnonzero(block.members[first])),
            stratum=int(strata[first]),
            flags=int(flags[first]),
            classes=tuple(map(int, block.categories[first])),
            weight=float(weights[first]),
            cluster=int(block.cluster[first]),
        )
        for first in order[starts]
    ]
    return order, starts, cells


def _counts(codes: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """How often each of the codes 0 … size − 1 stands in each column, shape (columns, size)."""
    columns = codes.shape[1]
    flat = (codes + size * np.arange(columns)).ravel()
    return np.bincount(flat, minlength=columns * size).reshape(columns, size).astype(np.int64)
