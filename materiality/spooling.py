"""Kept rows, set aside between the pass that reads them and the one that compares them with each other."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import fields
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from materiality.responses import Block, stack

HELD = 1 << 26
"""Bytes that are held in memory; more go to a temporary file that has no name and goes with the process."""
BLOCK_ROWS = 10_000
PLACES = {"export", "row", "identity"}
"""What tells where a row stands or whose it is; the other fields of a block are what it says."""


class Spool:
    """Blocks of kept rows with their flags, written once and read any number of times."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(HELD)  # noqa: SIM115
        self._end = 0
        weakref.finalize(self, self._file.close)

    def in_order(self) -> Spool:
        """The same rows in an order that follows from what they say, whatever the order in which they came.

        Sums of fractions depend on the order of their terms, if only in the last digits. Rows that are more than are
        held in memory stay as they are.
        """
        if not 0 < self._end <= HELD:
            return self
        keys = np.concatenate([_keys(block, flags) for block, flags in self.blocks()])
        order = np.lexsort(keys.T)
        found = Spool()
        for start in range(0, len(order), BLOCK_ROWS):
            wanted, first = order[start : start + BLOCK_ROWS], 0
            parts, marks, places = [], [], []
            for block, flags in self.blocks():
                here = np.flatnonzero((wanted >= first) & (wanted < first + len(block)))
                parts.append(block.take(wanted[here] - first))
                marks.append(flags[wanted[here] - first])
                places.append(here)
                first += len(block)
            back = np.argsort(np.concatenate(places))
            found.add(stack(parts).take(back), np.concatenate(marks)[back])
        return found

    def add(self, block: Block, flags: NDArray[np.uint16]) -> None:
        """Set a block aside."""
        if not len(block):
            return
        self._file.seek(self._end)
        for values in (*(getattr(block, field.name) for field in fields(Block)), flags):
            np.lib.format.write_array(self._file, np.ascontiguousarray(values), allow_pickle=False)
        self._end = self._file.tell()

    def blocks(self) -> Iterator[tuple[Block, NDArray[np.uint16]]]:
        """The blocks in the order in which they came."""
        place = 0
        while place < self._end:
            self._file.seek(place)
            values = [np.lib.format.read_array(self._file, allow_pickle=False) for _ in (*fields(Block), None)]
            place = self._file.tell()
            yield Block(*values[:-1]), values[-1]


def _keys(block: Block, flags: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Whose each row is, and a hash of what it says in two parts; shape (rows, 3)."""
    says = [getattr(block, field.name) for field in fields(Block) if field.name not in PLACES]
    parts = [np.ascontiguousarray(part).view(np.uint8).reshape(len(block), -1) for part in (*says, flags)]
    hashes = b"".join(blake2b(row, digest_size=16).digest() for row in np.hstack(parts))
    return np.column_stack([block.identity, np.frombuffer(hashes, "<u8").reshape(-1, 2)])
