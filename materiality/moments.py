"""Moments: counts, sums and cross-products of the answers of each cell. They add over any split of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.responses import Block, Kind

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Cell:
    """Who is counted together: respondents of the same groups, stratum and flags.

    Attributes
    ----------
    groups : tuple of int
        The groups that they all belong to.
    stratum : int
        The sampling stratum, where the study has strata beside its groups.
    flags : int
        The reasons for which they were flagged, a bit each.
    """

    groups: tuple[int, ...]
    stratum: int = 0
    flags: int = 0


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
) -> Moments:
    """The moments of a block of kept responses.

    Parameters
    ----------
    block : Block
        Every respondent belongs to a group at least.
    midpoint : float
        Taken off the ratings before they are summed.
    points : tuple of float
        The scale's points, to count ratings at each.
    flags, strata : int arrays, shape (rows,), optional
        Split the cells further.
    """
    rows, questions = block.ratings.shape
    rated = block.kinds == Kind.RATING
    weighted = block.weight[:, None] * rated
    z = np.hstack([weighted, weighted * np.where(rated, block.ratings - midpoint, 0.0)])
    keys = np.column_stack(
        [
            block.members.astype(np.int64),
            np.zeros(rows, np.int64) if strata is None else strata,
            np.zeros(rows, np.int64) if flags is None else flags,
        ]
    )
    distinct, cell_of = np.unique(keys, axis=0, return_inverse=True)
    cells = {}
    for k, key in enumerate(distinct):
        here = np.flatnonzero(cell_of.ravel() == k)
        groups = tuple(int(g) for g in np.flatnonzero(key[:-2]))
        ratings, kinds, part, weight = block.ratings[here], block.kinds[here], z[here], block.weight[here]
        cells[Cell(groups, int(key[-2]), int(key[-1]))] = Sums(
            n=len(here),
            kinds=np.stack([np.count_nonzero(kinds == kind, axis=0) for kind in Kind], axis=1).astype(np.int64),
            points=np.stack([np.count_nonzero(ratings == point, axis=0) for point in points], axis=1).astype(np.int64)
            if points
            else np.zeros((questions, 0), np.int64),
            weight=float(weight.sum()),
            weight_squares=float((weight**2).sum()),
            first=part.sum(axis=0),
            second=part.T @ part,
        )
    return Moments(dict(sorted(cells.items())), questions, block.members.shape[1], midpoint)
