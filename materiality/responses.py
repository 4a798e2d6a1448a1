"""Responses as values: blocks of rows, each answer a rating or one of the kinds that are none."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from materiality.study import Special


class Kind(IntEnum):
    """What an answer is."""

    RATING = 0
    BLANK = 1
    DONT_KNOW = 2
    NOT_APPLICABLE = 3


KIND_OF_SPECIAL = {
    Special.BLANK: Kind.BLANK,
    Special.DONT_KNOW: Kind.DONT_KNOW,
    Special.NOT_APPLICABLE: Kind.NOT_APPLICABLE,
}


NO_CATEGORY = -2
"""The respondent's group is raked to a margin, and the cell that says the category is blank."""


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of one export, in arrays.

    Attributes
    ----------
    export : int array, shape (rows,)
        Which of the study's exports.
    row : int array, shape (rows,)
        The row that a spreadsheet shows.
    ratings : float array, shape (rows, questions)
        On the scale; NaN where the answer is no rating.
    kinds : int8 array, shape (rows, questions)
        A `Kind` each.
    members : bool array, shape (rows, groups)
        Which groups the respondent belongs to.
    unknown_group : bool array, shape (rows,)
        The group cell names a group that the study does not know.
    empty : bool array, shape (rows,)
        No cell of the row holds anything, in any column.
    preview : bool array, shape (rows,)
        The survey tool marks the row as a preview or a test.
    weight : float array, shape (rows,)
        Design weight, 1 where the export has none.
    seconds : float array, shape (rows,)
        Time taken; NaN where unknown.
    identity : uint64 array, shape (rows,)
        A hash of the respondent's id; 0 where there is none.
    categories : int16 array, shape (rows, margin columns)
        Which answer of the study's `MarginColumn` the row gives; -1 where its groups have no such margin, `NO_CATEGORY`
        where they have one and the cell is blank.
    stratum : int64 array, shape (rows,)
        A hash of the sampling stratum within the groups; 0 where the export has no strata.
    cluster : uint64 array, shape (rows,)
        A hash of the cluster that was sampled as one; 0 for a respondent by himself.
    """

    export: NDArray[np.int32]
    row: NDArray[np.int64]
    ratings: NDArray[np.float64]
    kinds: NDArray[np.int8]
    members: NDArray[np.bool_]
    unknown_group: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    preview: NDArray[np.bool_]
    weight: NDArray[np.float64]
    seconds: NDArray[np.float64]
    identity: NDArray[np.uint64]
    categories: NDArray[np.int16]
    stratum: NDArray[np.int64]
    cluster: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Block:
        """The rows that a mask or an index names."""
        return Block(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def stack(blocks: list[Block]) -> Block:
    """Blocks one below the other; at least one."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(**{f.name: np.concatenate([getattr(block, f.name) for block in blocks]) for f in fields(Block)})
