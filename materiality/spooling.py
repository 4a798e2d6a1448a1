"""Kept rows, set aside between the pass that reads them and the one that compares them with each other."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from materiality.responses import Block

HELD = 1 << 26
"""Bytes that are held in memory; more go to a temporary file that has no name and goes with the process."""


class Spool:
    """Blocks of kept rows with their flags, written once and read any number of times."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(HELD)  # noqa: SIM115
        self._end = 0
        weakref.finalize(self, self._file.close)

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
