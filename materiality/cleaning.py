"""Cleaning rules as values, and the ledger that holds one disposition for every row read."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from materiality.careless import (
    SpeedCounts,
    Spread,
    long_run,
    mahalanobis,
    relative_speed,
    speeds_of,
    spread_of,
)
from materiality.errors import Faults
from materiality.responses import Block, Kind, stack
from materiality.study import Action, DuplicateChoice, Study, UnknownGroup

BoolArray = NDArray[np.bool_]
ROUNDING = 1e-9
"""A share or a rate times a count may come out too high by this much, relatively."""
STRAIGHT_LINE_LENGTH = 3
"""Fewer equal ratings than this on an axis are no straight line."""
LEDGER = np.dtype([("export", "<i4"), ("row", "<i8"), ("reason", "u1"), ("flags", "<u2")])
LEDGER_HELD = 1 << 23
KEPT = 0
OPEN = 0xFFFF
"""The flags of a line whose row's fate is not yet known."""


@dataclass(frozen=True)
class Rule:
    """One cleaning rule.

    Attributes
    ----------
    reason : str
        What the ledger says of a row that the rule marks.
    key : str
        The rule's key in `[cleaning]`.
    marks : callable
        From a block of responses and the questions put to it to a bool per row.
    """

    reason: str
    key: str
    marks: Callable[[Block, Questions], BoolArray]

    def action(self, study: Study) -> Action:
        """What the study does with the rows that the rule marks."""
        chosen = getattr(study.cleaning, self.key)
        return Action.DROP if isinstance(chosen, UnknownGroup) else Action(chosen)


@dataclass(frozen=True)
class Questions:
    """What the rules need to know of a study.

    Attributes
    ----------
    asked : bool array, shape (groups, questions)
        Which questions are put to which group; a group on no axis is asked them all.
    axes : tuple of int arrays
        The questions of each axis.
    on_axis : bool array, shape (axes, groups)
        Which groups each axis asks.
    min_share_answered, seconds_per_answer, long_run_share : float
    long_run_length : int
        Thresholds of the rules.
    """

    asked: BoolArray
    axes: tuple[NDArray[np.intp], ...]
    on_axis: BoolArray
    min_share_answered: float
    seconds_per_answer: float
    long_run_share: float = 0.8
    long_run_length: int = 8

    @classmethod
    def of(cls, study: Study) -> Questions:
        """The questions that a study's axes put to its groups."""
        layout = study.layout
        on_axis = np.array(layout.group_weights) > 0
        asked = np.zeros((len(study.groups), len(layout.questions)), np.bool_)
        axes = tuple(np.array(row, np.intp) for row in layout.question_of)
        for axis, questions in enumerate(axes):
            asked[np.ix_(np.flatnonzero(on_axis[axis]), questions)] = True
        asked[~asked.any(axis=1)] = True
        rules = study.cleaning
        return cls(
            asked,
            axes,
            on_axis,
            rules.min_share_answered,
            rules.seconds_per_answer,
            rules.long_run_share,
            rules.long_run_length,
        )

    def put_to(self, block: Block) -> BoolArray:
        """Which questions were put to each respondent, shape (rows, questions)."""
        return (block.members.astype(np.uint8) @ self.asked.astype(np.uint8)) > 0


def _unknown_group(block: Block, _: Questions) -> BoolArray:
    return block.unknown_group & ~block.members.any(axis=1)


def _no_rating(block: Block, _: Questions) -> BoolArray:
    return np.asarray(np.isnan(block.ratings).all(axis=1))


def _answers(block: Block) -> NDArray[np.intp]:
    return np.count_nonzero(block.kinds != Kind.BLANK, axis=1)


def _too_few(block: Block, questions: Questions) -> BoolArray:
    put = questions.put_to(block)
    answered = np.count_nonzero((block.kinds != Kind.BLANK) & put, axis=1)
    return answered < questions.min_share_answered * np.count_nonzero(put, axis=1) * (1 - ROUNDING)


def _too_fast(block: Block, questions: Questions) -> BoolArray:
    return block.seconds < questions.seconds_per_answer * _answers(block) * (1 - ROUNDING)


def _straight_lined(block: Block, questions: Questions) -> BoolArray:
    marked = np.zeros(len(block), np.bool_)
    for axis, columns in enumerate(questions.axes):
        asked = (block.members & questions.on_axis[axis]).any(axis=1) | ~block.members.any(axis=1)
        asked |= ~(block.members[:, questions.on_axis.any(axis=0)]).any(axis=1)
        ratings = block.ratings[:, columns]
        rated = ~np.isnan(ratings)
        lowest = np.where(rated, ratings, np.inf).min(axis=1)
        highest = np.where(rated, ratings, -np.inf).max(axis=1)
        marked |= asked & (rated.sum(axis=1) >= STRAIGHT_LINE_LENGTH) & (lowest == highest)
    return marked


def _long_run(block: Block, questions: Questions) -> BoolArray:
    marked = np.zeros(len(block), np.bool_)
    for axis, columns in enumerate(questions.axes):
        asked = (block.members & questions.on_axis[axis]).any(axis=1)
        marked |= asked & long_run(
            block.ratings[:, columns], share=questions.long_run_share, length=questions.long_run_length
        )
    return marked


RULES = (
    Rule("blank row", "blank", lambda block, _: block.empty),
    Rule("preview or test", "preview", lambda block, _: block.preview),
    Rule("no group", "no_group", lambda block, _: ~block.members.any(axis=1) & ~block.unknown_group),
    Rule("unknown group", "unknown_group", _unknown_group),
    Rule("no rating", "no_rating", _no_rating),
    Rule("too few answers", "too_few_answers", _too_few),
    Rule("too fast", "too_fast", _too_fast),
    Rule("straight-lined", "straight_lined", _straight_lined),
    Rule("long run", "long_run", _long_run),
)
DUPLICATE = "duplicate respondent"
FAST, RARE, CARELESS = "relatively fast", "rare answers", "careless"
REASONS = ("kept", *(rule.reason for rule in RULES), DUPLICATE, FAST, RARE, CARELESS)
"""What can become of a row; the first rule that drops a row owns it, and duplicates are told among the rest."""
FAMILIES = (("straight-lined", "long run"), ("too fast", FAST), (RARE,))
"""Signs of careless answering by what they look at: pattern, time, rarity. Two signs are independent where they are of
different families; Meade and Craig (2012), Psychological Methods 17(3), and Leiner (2019), Survey Research Methods
13(3), find single signs to hit honest people too often."""
DUPLICATE_CODE = REASONS.index(DUPLICATE)


def flag_names(flags: int) -> tuple[str, ...]:
    """The reasons for which a row was flagged, from its bits."""
    return tuple(reason for k, reason in enumerate(REASONS) if flags >> k & 1)


def apply_rules(block: Block, study: Study, questions: Questions) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """What the rules say of each row, duplicates aside.

    Returns
    -------
    reason : uint8 array, shape (rows,)
        Place in `REASONS`; 0 is kept. The first rule that drops a row owns it.
    flags : uint16 array, shape (rows,)
        A bit per reason for which the row was flagged.
    """
    reason = np.zeros(len(block), np.uint8)
    flags = np.zeros(len(block), np.uint16)
    for code, rule in enumerate(RULES, 1):
        action = rule.action(study)
        if action is Action.OFF:
            continue
        marked = rule.marks(block, questions)
        if action is Action.DROP:
            reason[marked & (reason == KEPT)] = code
        else:
            flags[marked] |= 1 << code
    return reason, flags


@dataclass(frozen=True)
class Typical:
    """What everybody kept answers like: what single rows are held against.

    Attributes
    ----------
    spread : careless.Spread
        Means and covariance of the ratings.
    speeds : careless.SpeedCounts
        Seconds per answer.
    """

    spread: Spread
    speeds: SpeedCounts

    @classmethod
    def of(cls, block: Block, study: Study) -> Typical:
        """What a block of kept rows adds; such values add up."""
        return cls(spread_of(block.ratings, study.scale.midpoint), speeds_of(block.seconds, _answers(block)))

    def __add__(self, other: Typical) -> Typical:
        return Typical(self.spread + other.spread, self.speeds + other.speeds)


def apply_comparisons(
    block: Block, flags: NDArray[np.uint16], study: Study, typical: Typical
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """What comparing each kept row with all of them says, and whether two independent signs make it careless.

    Parameters
    ----------
    block : Block
        Kept rows.
    flags : uint16 array, shape (rows,)
        What `apply_rules` flagged.
    study : Study
    typical : Typical
        Of all kept rows.

    Returns
    -------
    reason : uint8 array, shape (rows,)
        Place in `REASONS`; 0 is kept.
    flags : uint16 array, shape (rows,)
        With the new ones.
    """
    rules = study.cleaning
    reason, flags = np.zeros(len(block), np.uint8), flags.copy()
    marks = {FAST: rules.relatively_fast, RARE: rules.rare_answers, CARELESS: rules.careless}
    for name, action in marks.items():
        if action is Action.OFF:
            continue
        code = REASONS.index(name)
        if name == FAST:
            speed = relative_speed(block.seconds, _answers(block), typical.speeds.median)
            marked = np.nan_to_num(speed) > rules.times_as_fast
        elif name == RARE:
            spread = typical.spread
            p = mahalanobis(block.ratings, spread.mean, spread.covariance, n=spread.n).p
            marked = np.nan_to_num(p, nan=1.0) < rules.rare_below
        else:
            marked = _signs(flags) >= 2
        if action is Action.DROP:
            reason[marked & (reason == KEPT)] = code
        else:
            flags[marked] |= 1 << code
    return reason, flags


def _signs(flags: NDArray[np.uint16]) -> NDArray[np.intp]:
    """How many families of signs each row was flagged for."""
    masks = [sum(1 << REASONS.index(name) for name in family) for family in FAMILIES]
    return np.sum([(flags & mask) != 0 for mask in masks], axis=0)


def settle_duplicates(
    held: list[Block], study: Study, names: Sequence[str], faults: Faults
) -> tuple[Block, NDArray[np.uint8]] | None:
    """Decide which of each respondent's rows counts.

    Rows that say the same count once, the first. Rows that differ are a fault until the study chooses.

    Parameters
    ----------
    held : list of Block
        Rows of respondents who stand in more than one row, in the order of reading, that no rule dropped.
    study : Study
    names : sequence of str
        Each export's name, for the messages.
    faults : Faults
        Takes the conflicts.

    Returns
    -------
    rows : Block
        All held rows.
    reason : uint8 array
        0 for the row of each respondent that counts.
    """
    if not held:
        return None
    rows = stack(held)
    reason = np.zeros(len(rows), np.uint8)
    order = np.argsort(rows.identity, kind="stable")
    ids = rows.identity[order]
    respondents = np.split(order, np.flatnonzero(ids[1:] != ids[:-1]) + 1)
    for places in sorted(respondents, key=lambda places: int(places[0])):
        if len(places) < 2:
            continue
        contents = {
            (
                rows.ratings[i].tobytes(),
                rows.kinds[i].tobytes(),
                rows.members[i].tobytes(),
                float(rows.weight[i]),
                rows.categories[i].tobytes(),
                int(rows.stratum[i]),
                int(rows.cluster[i]),
            )
            for i in places
        }
        choice = study.cleaning.duplicate_choice
        keep = places[0]
        if len(contents) > 1:
            if choice is DuplicateChoice.FAULT:
                _tell_conflict(rows, places, names, faults)
            elif choice is DuplicateChoice.LAST:
                keep = places[-1]
            elif choice is DuplicateChoice.MOST_COMPLETE:
                keep = places[np.argmax(_answers(rows.take(places)))]
        reason[places] = DUPLICATE_CODE
        reason[keep] = KEPT
    return rows, reason


def _tell_conflict(rows: Block, places: NDArray[np.intp], names: Sequence[str], faults: Faults) -> None:
    first, *others = places
    for other in others:
        here = int(rows.row[first])
        there = f"row {here}" + ("" if rows.export[first] == rows.export[other] else f" of {names[rows.export[first]]}")
        faults.add(
            f"the respondent of {there} stands here again, with other answers.",
            mend='choose with duplicate_choice = "first", "last" or "most_complete" in [cleaning]; '
            "where exports number their respondents each for itself, set own_ids = true in [[responses]].",
            file=names[rows.export[other]],
            row=int(rows.row[other]),
        )


def _place(export: NDArray[np.integer], row: NDArray[np.integer]) -> NDArray[np.int64]:
    """One number for a row of an export."""
    return export.astype(np.int64) << 40 | row.astype(np.int64)


@dataclass
class Ledger:
    """One line per row read: where it stands, and what became of it.

    Lines are spooled to a temporary file when they are many, so memory does not grow with the rows.
    """

    exports: tuple[str, ...]
    _spool: tempfile.SpooledTemporaryFile[bytes] = field(
        default_factory=lambda: tempfile.SpooledTemporaryFile(LEDGER_HELD)  # noqa: SIM115
    )
    _late: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    _rows: int = 0

    def __post_init__(self) -> None:
        weakref.finalize(self, self._spool.close)

    def note(self, block: Block, reason: NDArray[np.uint8], flags: NDArray[np.uint16]) -> None:
        """Write a line for each row of a block."""
        lines = np.empty(len(block), LEDGER)
        lines["export"], lines["row"], lines["reason"], lines["flags"] = block.export, block.row, reason, flags
        self._spool.seek(0, io.SEEK_END)
        self._spool.write(lines.tobytes())
        self._rows += len(block)

    def correct(self, block: Block, reason: NDArray[np.uint8], flags: NDArray[np.uint16]) -> None:
        """Say anew what became of rows that were noted."""
        for export, row, why, flag in zip(block.export, block.row, reason, flags, strict=True):
            self._late[int(export), int(row)] = int(why), int(flag)

    def __len__(self) -> int:
        return self._rows

    def lines(self, at_once: int = 50_000) -> Iterator[NDArray[np.void]]:
        """All lines in the order of reading, some at a time: `export`, `row`, `reason`, `flags`."""
        size = LEDGER.itemsize * at_once
        for place in range(0, LEDGER.itemsize * self._rows, size):
            self._spool.seek(place)
            lines = np.frombuffer(self._spool.read(size), LEDGER).copy()
            late = np.isin(_place(lines["export"], lines["row"]), self._late_places())
            for k in np.flatnonzero(late):
                lines["reason"][k], lines["flags"][k] = self._late[int(lines["export"][k]), int(lines["row"][k])]
            yield lines

    def _late_places(self) -> NDArray[np.int64]:
        places = np.array(list(self._late), np.int64).reshape(-1, 2)
        return _place(places[:, 0], places[:, 1])

    def counts(self) -> dict[str, Counter[str]]:
        """Per export, how many rows were kept and how many excluded, by reason; `flagged: …` counts kept rows."""
        found: dict[str, Counter[str]] = {name: Counter() for name in self.exports}
        for lines in self.lines():
            for export, name in enumerate(self.exports):
                here = lines[lines["export"] == export]
                for code, times in enumerate(np.bincount(here["reason"], minlength=len(REASONS))):
                    if times:
                        found[name][REASONS[code]] += int(times)
                kept = here[here["reason"] == KEPT]
                for flags, times in zip(*np.unique(kept["flags"], return_counts=True), strict=True):
                    for flag in flag_names(int(flags)):
                        found[name][f"flagged: {flag}"] += int(times)
        return found


__all__ = [
    "KEPT",
    "OPEN",
    "REASONS",
    "RULES",
    "Ledger",
    "Questions",
    "Rule",
    "Typical",
    "apply_comparisons",
    "apply_rules",
    "flag_names",
    "settle_duplicates",
]
