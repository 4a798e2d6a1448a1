"""Exports to blocks of responses: which column means what, and every cell that cannot be read."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from materiality.errors import Faults, MaterialityError, joined, nearest, shown
from materiality.reading.answers import (
    FAULTY,
    MARK,
    Answers,
    Memberships,
    Unreadable,
    read_seconds,
    read_time,
    read_weight,
)
from materiality.reading.grids import Record, column_letters
from materiality.reading.longtables import widen
from materiality.reading.tables import Table, open_table
from materiality.responses import NO_CATEGORY, Block, Kind
from materiality.study import Export, MarginColumn, Study, UnknownGroup, export_path, fold

BLOCK_ROWS = 10_000
SPILL_HELD = 1 << 23
"""Bytes of hashes that are held in memory while ids are compared; more go to a temporary file."""
SIMULATED_MARK = "Simulated answers"


@dataclass(frozen=True)
class Columns:
    """Where in an export the mapped columns stand; None where the study names none, or it was not found."""

    questions: tuple[int | None, ...]
    respondent: int | None
    group: int | None
    weight: int | None
    seconds: int | None
    started: int | None
    finished: int | None
    stratum: int | None = None
    cluster: int | None = None
    margins: tuple[int | None, ...] = ()

    @property
    def places(self) -> tuple[int | None, ...]:
        """All of them."""
        lone = (getattr(self, field.name) for field in fields(self) if field.name not in {"questions", "margins"})
        return (*self.questions, *lone, *self.margins)


@dataclass
class Source:
    """One export of a study, opened, with its mapped columns.

    Attributes
    ----------
    number : int
        Which of the study's exports.
    path : Path
        Where it lies.
    table : Table
        Its header and records.
    columns : Columns
        Where the mapped columns stand.
    simulated : bool
        The file says of itself that its answers are simulated.
    without : set of int
        The margins' columns that no export of the study has; told once, and not row by row.
    whole : bool
        `blocks` came to the end of the file, and no row was at fault.
    stamp : tuple of int
        The file's size and time of change before it was opened.
    """

    study: Study
    number: int
    path: Path
    table: Table
    columns: Columns
    simulated: bool
    without: set[int] = field(default_factory=set)
    whole: bool = False
    stamp: tuple[int, ...] = ()
    answers: Answers = field(init=False)
    memberships: Memberships = field(init=False)

    def __post_init__(self) -> None:
        self.answers = Answers(self.study.scale)
        self.memberships = Memberships(self.study.groups, self.export.group_separator)

    @property
    def export(self) -> Export:
        """The study file's entry."""
        return self.study.responses[self.number]

    def blocks(self, faults: Faults, *, rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """Read the export block by block; cells that cannot be read are added to `faults` and count as blank."""
        records, self.whole = self.table.records(), True
        self.table.tell_doubts(self.columns.places, faults)
        while self.whole:
            chunk: list[tuple[int, Record]] = []
            try:
                chunk.extend(itertools.islice(records, rows))
            except MaterialityError as error:  # the rows before it stay in the chunk, and their faults are told as well
                faults.take(error)
                self.whole = False
            if not chunk:
                break
            yield self._block(chunk, faults)
        if self.stamp and self.stamp != _stamp(self.path):
            faults.add(
                "changed while it was read.",
                mend="wait until whatever writes it has finished, and run again.",
                file=self.table.name,
            )

    def respondents(self) -> Iterator[str]:
        """Each row's respondent id, blank where there is none; only the ids are looked at, and no fault is told."""
        place = self.columns.respondent
        assert place is not None
        with contextlib.suppress(MaterialityError):
            for _, record in self.table.records():
                yield record[place].strip() if record else ""

    def _block(self, chunk: list[tuple[int, Record]], faults: Faults) -> Block:
        width = len(self.table.header)
        blank = [""] * width
        numbers = np.fromiter((row for row, _ in chunk), np.int64, len(chunk))
        empty = np.fromiter((not record for _, record in chunk), np.bool_, len(chunk))
        cells: list[Sequence[str]] = list(zip(*(record or blank for _, record in chunk), strict=True))
        self._tell_nul(cells, numbers, faults)
        ratings, kinds = self._ratings(cells, numbers, faults)
        members, unknown = self._members(cells, numbers, empty, faults)
        return Block(
            export=np.full(len(chunk), self.number, np.int32),
            row=numbers,
            ratings=ratings,
            kinds=kinds,
            members=members,
            unknown_group=unknown,
            empty=empty,
            preview=self._previews(cells, len(chunk)),
            weight=self._weights(cells, numbers, empty, faults),
            seconds=self._seconds(cells, numbers, faults),
            identity=self._identities(cells, len(chunk)),
            categories=self._categories(cells, numbers, members, faults),
            stratum=self._strata(cells, numbers, members, faults),
            cluster=self._clusters(cells, len(chunk)),
        )

    def _tell_nul(self, cells: list[Sequence[str]], rows: NDArray[np.int64], faults: Faults) -> None:
        """Tell NUL characters where any text is taken; elsewhere they make a cell unreadable by themselves."""
        for place in (self.columns.respondent, self.columns.cluster, self.columns.stratum):
            if place is not None and "\0" in "".join(cells[place]):
                told = Unreadable("the cell holds NUL characters: the file is damaged.", "export it again.")
                for i in (i for i, text in enumerate(cells[place]) if "\0" in text):
                    self._tell(faults, told, rows[i], place)

    def _ratings(
        self, cells: list[Sequence[str]], rows: NDArray[np.int64], faults: Faults
    ) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        values = np.full((len(rows), len(self.columns.questions)), MARK * Kind.BLANK)
        for k, place in enumerate(self.columns.questions):
            if place is None:
                continue
            column = cells[place]
            values[:, k] = np.fromiter(map(self.answers.__getitem__, column), np.float64, len(rows))
            for i in np.flatnonzero(values[:, k] == FAULTY):
                self._tell(faults, self.answers.explain(column[int(i)]), rows[i], place)
        kinds = np.where(values < MARK, 0, np.rint(values / MARK)).astype(np.int8)
        kinds[values == FAULTY] = Kind.BLANK
        return np.where(kinds == Kind.RATING, values, np.nan), kinds

    def _members(
        self, cells: list[Sequence[str]], rows: NDArray[np.int64], empty: NDArray[np.bool_], faults: Faults
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        groups = self.study.groups
        if self.columns.group is None:
            here = [group.id == self.export.group_is for group in groups]
            return np.outer(~empty, here), np.zeros(len(rows), np.bool_)
        column = cells[self.columns.group]
        patterns = np.fromiter(map(self.memberships.__getitem__, column), np.intp, len(rows))
        table = np.zeros((len(self.memberships.patterns), len(groups)), np.bool_)
        for number, pattern in enumerate(self.memberships.patterns):
            table[number, list(pattern)] = True
        strange = np.isin(patterns, list(self.memberships.strangers))
        if self.study.cleaning.unknown_group is UnknownGroup.FAULT:
            for i in np.flatnonzero(strange):
                for stranger in self.memberships.strangers[int(patterns[i])]:
                    self._tell(faults, self.memberships.explain(stranger), rows[i], self.columns.group)
        return table[patterns], strange

    def _weights(
        self, cells: list[Sequence[str]], rows: NDArray[np.int64], empty: NDArray[np.bool_], faults: Faults
    ) -> NDArray[np.float64]:
        weights = np.ones(len(rows))
        if self.columns.weight is not None:
            for i in np.flatnonzero(~empty):
                value = read_weight(cells[self.columns.weight][int(i)])
                if isinstance(value, Unreadable):
                    self._tell(faults, value, rows[i], self.columns.weight)
                else:
                    weights[i] = value
        return weights

    def _seconds(self, cells: list[Sequence[str]], rows: NDArray[np.int64], faults: Faults) -> NDArray[np.float64]:
        seconds = np.full(len(rows), np.nan)
        columns = self.columns
        if columns.seconds is not None:
            for i, text in enumerate(cells[columns.seconds]):
                value = read_seconds(text)
                if isinstance(value, Unreadable):
                    self._tell(faults, value, rows[i], columns.seconds)
                else:
                    seconds[i] = value
        elif columns.started is not None and columns.finished is not None:
            for i in range(len(rows)):
                times: list[dt.datetime] = []
                for place in (columns.started, columns.finished):
                    moment = read_time(cells[place][i], self.export.time_format)
                    if isinstance(moment, Unreadable):
                        self._tell(faults, moment, rows[i], place)
                    elif moment is not None:
                        times.append(moment)
                if len(times) == 2 and (times[0].tzinfo is None) != (times[1].tzinfo is None):
                    one, other = (shown(cells[place][i]) for place in (columns.started, columns.finished))
                    told = Unreadable(
                        f"of {one} and {other}, one tells its time zone and the other does not.",
                        "write both alike, or leave started and finished out of the study file.",
                    )
                    self._tell(faults, told, rows[i], columns.finished)
                elif len(times) == 2:
                    seconds[i] = (times[1] - times[0]).total_seconds()
                    if seconds[i] < 0:
                        what = f"the end {shown(cells[columns.finished][i])} lies before the start."
                        told = Unreadable(
                            what, "correct the cell, or leave started and finished out of the study file."
                        )
                        self._tell(faults, told, rows[i], columns.finished)
                        seconds[i] = math.nan
        return seconds

    def _previews(self, cells: list[Sequence[str]], rows: int) -> NDArray[np.bool_]:
        marked = np.zeros(rows, np.bool_)
        for place, values in self.table.layout.preview_places(self.table.heads):
            marked |= np.fromiter((fold(text) in values for text in cells[place]), np.bool_, rows)
        return marked

    def _identities(self, cells: list[Sequence[str]], rows: int) -> NDArray[np.uint64]:
        if self.columns.respondent is None:
            return np.zeros(rows, np.uint64)
        scope = self.scope
        return np.fromiter((identity(text.strip(), scope) for text in cells[self.columns.respondent]), np.uint64, rows)

    def _categories(
        self, cells: list[Sequence[str]], rows: NDArray[np.int64], members: NDArray[np.bool_], faults: Faults
    ) -> NDArray[np.int16]:
        margins = self.study.layout.margins
        found = np.full((len(rows), len(margins)), -1, np.int16)
        for k, (margin, place) in enumerate(zip(margins, self.columns.margins, strict=True)):
            if k in self.without:
                continue
            owners = list(margin.category)
            raked = members[:, owners].any(axis=1)
            found[raked, k] = NO_CATEGORY
            if place is None:
                continue
            known = {answer: number for number, answer in enumerate(margin.answers)}
            for i in np.flatnonzero(raked):
                text = fold(cells[place][int(i)])
                if not text:
                    continue
                answer = known.get(text, -1)
                for group in owners:
                    if members[i, group] and (answer < 0 or margin.category[group][answer] < 0):
                        self._tell(faults, self._no_category(cells[place][int(i)], margin, group), rows[i], place)
                        answer = -1
                        break
                found[i, k] = answer
        return found

    def _no_category(self, text: str, margin: MarginColumn, number: int) -> Unreadable:
        group = self.study.groups[number]
        names = next(names for column, names in group.margins.items() if fold(column) == fold(margin.name))
        others = next((known for column, known in group.categories.items() if fold(column) == fold(margin.name)), {})
        close = nearest(text.strip(), [*names, *others], 1)
        return Unreadable(
            f"{shown(text)} is no category of the margins of group '{group.id}'."
            + (f" Nearest: {close}." if close else f" Categories: {joined(names)}."),
            f"correct the cell, add it to margins, or say which category it means under categories.{margin.name} in "
            "that group.",
        )

    def _strata(
        self, cells: list[Sequence[str]], rows: NDArray[np.int64], members: NDArray[np.bool_], faults: Faults
    ) -> NDArray[np.int64]:
        strata = np.zeros(len(rows), np.int64)
        if self.columns.stratum is None:
            return strata
        column = cells[self.columns.stratum]
        for i in np.flatnonzero(members.any(axis=1)):
            text = column[int(i)]
            if not text.strip():
                if not any(self.study.groups[group].strata for group in np.flatnonzero(members[i])):
                    continue
                told = Unreadable("no stratum is named.", "name it, or take `stratum` out of the study file.")
                self._tell(faults, told, rows[i], self.columns.stratum)
            strata[i] = stratum_code(text)
            for group in np.flatnonzero(members[i]):
                known = self.study.groups[group].strata
                if known and text.strip() and strata[i] not in map(stratum_code, known):
                    close = nearest(text.strip(), list(known), 1)
                    told = Unreadable(
                        f"{shown(text)} is no stratum of group '{self.study.groups[group].id}'."
                        + (f" Nearest: {close}." if close else f" Strata: {joined(known)}."),
                        "correct the cell, or add it to that group's strata with its population.",
                    )
                    self._tell(faults, told, rows[i], self.columns.stratum)
        return strata

    def _clusters(self, cells: list[Sequence[str]], rows: int) -> NDArray[np.uint64]:
        if self.columns.cluster is None:
            return np.zeros(rows, np.uint64)
        scope = self.scope
        return np.fromiter((identity(fold(text), scope) for text in cells[self.columns.cluster]), np.uint64, rows)

    @property
    def scope(self) -> str:
        """What makes this export's ids differ from those of others, in whatever order; empty where they are one set."""
        return f"{self.export.file}\0{self.export.sheet}" if self.export.own_ids else ""

    def _tell(self, faults: Faults, why: Unreadable, row: np.int64, place: int) -> None:
        name = self.table.header[place].strip() or column_letters(place)
        mend = self.table.mending(why.mend, why.what)
        faults.add(why.what, mend=mend, file=self.table.name, row=int(row), column=name)


def identity(respondent: str, scope: str = "") -> int:
    """A hash that stands for a respondent's id; 0 where there is none."""
    if not respondent:
        return 0
    return int.from_bytes(blake2b(f"{scope}\0{respondent}".encode(), digest_size=8).digest(), "little") or 1


def stratum_code(name: str) -> int:
    """A number that stands for a sampling stratum; 0 for none."""
    return identity(fold(name)) >> 1


def open_exports(study: Study, study_file: Path, faults: Faults) -> list[Source]:
    """Open every export of a study and find its columns; what cannot be opened or found is added to `faults`."""
    sources = []
    ids = {group.id for group in study.groups}
    also = tuple(margin.name for margin in study.layout.margins)
    for number, export in enumerate(study.responses):
        if bool(export.group) == bool(export.group_is) or (export.group_is and export.group_is not in ids):
            continue  # told with the study file's faults
        path = export_path(study_file, export)
        stamp = _stamp(path)
        try:
            table = open_table(path, export)
            table = widen(table, export, also) if export.issue and export.answer and export.respondent else table
        except MaterialityError as error:
            faults.take(error)
            continue
        columns = _find_columns(study, number, table, faults)
        marked = any(fold(name) == fold(SIMULATED_MARK) for name in table.header)
        sources.append(Source(study, number, path, table, columns, marked, stamp=stamp))
    _check_margins(study, study_file.name, sources, faults)
    return sources


def _stamp(path: Path) -> tuple[int, ...]:
    """A file's size and time of change; empty where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _find_columns(study: Study, number: int, table: Table, faults: Faults) -> Columns:
    export = study.responses[number]
    owners: dict[int, str] = {}
    lone = len(table.header) == 1
    if lone:
        faults.add(
            f"the header is a single cell: {shown(table.header[0])}.",
            mend="say what parts the cells with delimiter = … in [[responses]], or export again.",
            file=table.name,
            row=table.header_row,
        )

    def find(name: str, key: str) -> int | None:
        if not name or lone:
            return None
        place = table.find(name, key, faults)
        if place is not None and owners.setdefault(place, key) != key:
            faults.add(
                f"serves as {owners[place]} and as {key}.",
                mend="name a column of its own for each.",
                file=table.name,
                column=name,
            )
        return place

    layout, axes = study.layout, list(study.axes)
    where = {
        q: f"{axes[a]}, {study.issues[i].id}" for a, row in enumerate(layout.question_of) for i, q in enumerate(row)
    }
    questions = tuple(find(name, f"question ({where[q]})") for q, name in enumerate(layout.questions))
    plain: dict[str, Callable[[], int | None]] = {
        key: (lambda key=key: find(getattr(export, key), key))  # type: ignore[misc]
        for key in ("respondent", "group", "weight", "seconds", "started", "finished", "stratum", "cluster")
    }
    found = {key: look() for key, look in plain.items()}
    if not export.respondent:
        found["respondent"] = table.role_place(table.layout.respondent)
    margins = tuple(_margin_place(table, margin.name, faults) for margin in layout.margins)
    return Columns(questions=questions, margins=margins, **found)


def _margin_place(table: Table, name: str, faults: Faults) -> int | None:
    """Where a margin's column stands; an export of other groups need not have it."""
    if len(table.header) > 1 and any(fold(name) == fold(head) for head in table.header):
        return table.find(name, "margin", faults)
    try:
        return table.place(name)
    except LookupError:
        return None


def _check_margins(study: Study, file: str, sources: list[Source], faults: Faults) -> None:
    if not sources or len(sources) < len(study.responses):
        return
    for k, margin in enumerate(study.layout.margins):
        if any(source.columns.margins[k] is not None for source in sources):
            continue
        for source in sources:
            source.without.add(k)
        close = nearest(margin.name, [name for source in sources for name in source.table.header if name.strip()])
        groups = joined(study.groups[group].id for group in margin.category)
        faults.add(
            f"the margins of group {groups} name a column that no export has."
            + (f" Nearest: {close}." if close else ""),
            mend="correct the name in [groups.margins], or leave the margin out.",
            file=file,
            column=margin.name,
        )


def duplicated(sources: list[Source], *, held: int = 1 << 18) -> frozenset[int]:
    """Identities of the respondents who stand in more than one row, from a pass over the ids alone.

    Hashes are spilled to a temporary file and looked through by ranges, so memory does not grow with the rows.

    Parameters
    ----------
    sources : list of Source
    held : int
        About how many hashes are held at once.
    """
    import tempfile

    with tempfile.SpooledTemporaryFile(SPILL_HELD) as spill:
        total = 0
        for source in sources:
            if source.columns.respondent is None:
                continue
            ids = (identity(text, source.scope) for text in source.respondents())
            while len(chunk := np.fromiter(itertools.islice(ids, held), np.uint64)):
                spill.write(chunk.tobytes())
                total += len(chunk)
        ranges = max(1, math.ceil(total / held))
        found: set[int] = set()
        for part in range(ranges):
            spill.seek(0)
            pieces = []
            while raw := spill.read(8 * held):
                chunk = np.frombuffer(raw, np.uint64)
                pieces.append(chunk[(chunk != 0) & (chunk % np.uint64(ranges) == part)])
            values, times = np.unique(np.concatenate(pieces) if pieces else np.empty(0, np.uint64), return_counts=True)
            found.update(map(int, values[times > 1]))
    return frozenset(found)
