"""Cells to values: an answer is a point of the scale, an answer that is no rating, or a fault; never a guess."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import unicodedata
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from materiality.errors import VALUE_SHOWN, joined, nearest, shown
from materiality.responses import KIND_OF_SPECIAL, Kind
from materiality.study import Group, Scale, fold

NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
FORMULA = re.compile(r"=\s*[-+(\w$'{\"].*", re.DOTALL)
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}.*|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}.*|\d{{1,2}}[-/]\d{{1,2}}"
    rf"|\d{{1,2}}[-\s]?({MONTHS})[a-z]*.*|({MONTHS})[a-z]*[-\s]\d{{1,4}}|\d{{1,2}}月\d{{1,2}}日",
    re.IGNORECASE,
)
TIME_OF_DAY = re.compile(r"\d[T ]\d\d")
DURATION = re.compile(
    r"(?:(\d+)\s*(?:小时|h))?\s*(?:(\d+)\s*(?:分钟?|min|m))?\s*(?:(\d+(?:\.\d+)?)\s*(?:秒钟?|sec|s))?(?<!\d)"
)
CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
SEPARATORS = re.compile("[,;┋|/]")
MARK = 1e300
"""Answers that are no rating travel beside the ratings as `MARK` times their `Kind`: one lookup reads a cell."""
FAULTY = MARK * (max(Kind) + 1)
LIGHTEST, HEAVIEST = 1e-9, 1e9
REMEMBERED = 100_000
REMEMBERED_NUMBERS = 4096


class Unreadable(NamedTuple):
    """Why a cell cannot be read, and how to mend it."""

    what: str
    mend: str


class Answers(dict[str, float]):
    """Reads rating cells; remembers each text once it is understood.

    Looking up a text gives its rating, `MARK` times the `Kind` of an answer that is no rating, or `FAULTY`.
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        points = {label: scale.point(point) for label, point in scale.labels.items()}
        self.meanings = {fold(label): point for label, point in points.items() if point is not None}
        self.meanings.update({fold(text): MARK * KIND_OF_SPECIAL[kind] for text, kind in scale.special.items()})

    def __missing__(self, text: str) -> float:
        value = self._read(text.replace("\ufeff", " ").strip())
        if value != FAULTY and len(self) < REMEMBERED:
            self[text] = value
        return value

    def _read(self, text: str) -> float:
        folded = fold(text)
        if folded in self.meanings:
            return self.meanings[folded]
        if not folded:
            return MARK * Kind.BLANK
        if NUMBER.fullmatch(text):
            point = self.scale.point(float(text))
            if point is not None:
                return point
        return FAULTY

    def understands(self, text: str) -> bool:
        """Whether a cell can be read."""
        return self[text] != FAULTY

    def explain(self, text: str) -> Unreadable:
        """What is wrong with a cell that reads as `FAULTY`."""
        scale, cell = self.scale, text.strip()
        span = f"the scale {scale.low:g} to {scale.high:g}"
        no_answer = "correct the cell, or add it to [scale.special] if it means no answer."
        if FORMULA.fullmatch(cell):
            return Unreadable(
                f"{shown(cell)} is a formula, where a rating on {span} should be.",
                "put its value into the cell; in a spreadsheet, copy the column and paste its values.",
            )
        if DECIMAL_COMMA.fullmatch(cell):
            close = self._nearest_point(float(cell.replace(",", ".")))
            return Unreadable(
                f"{shown(cell)} has a decimal comma.{close}", "write numbers with a point, or export them so."
            )
        if DATE.fullmatch(cell):
            return Unreadable(
                f"{shown(cell)} is a date where a rating on {span} should be; "
                "spreadsheets turn an answer such as '1-5' into one.",
                "export again and open the file with that column as text, or correct the cell.",
            )
        number = _number(cell)
        if number is not None and NUMBER.fullmatch(cell):
            if scale.low <= number <= scale.high:
                return Unreadable(
                    f"{cell if len(cell) < VALUE_SHOWN else shown(cell)} lies between the points of {span}."
                    + self._nearest_point(number),
                    "correct the cell, or set step in [scale] (0 lets any number count).",
                )
            return Unreadable(f"{cell if len(cell) < VALUE_SHOWN else shown(cell)} is off {span}.", no_answer)
        if number is not None:
            plain = self._nearest_point(number) if scale.low <= number <= scale.high else ""
            return Unreadable(
                f"{shown(cell)} is no plain number.{plain}", "write it in the digits 0 to 9, as in 4 or 4.5."
            )
        known = [*scale.labels, *scale.special]
        close = nearest(cell, known)
        return Unreadable(
            f"{shown(cell)} is no answer on {span}."
            + (f" Nearest: {close}." if close else "")
            + ("" if known else " [scale.labels] names no answers in words."),
            "correct the cell, or add it to [scale.labels] with its point, or to [scale.special] if it is no rating.",
        )

    def _nearest_point(self, number: float) -> str:
        if self.scale.points and math.isfinite(number):
            return f" Nearest: {min(self.scale.points, key=lambda point: abs(point - number)):g}."
        return ""


def _number(text: str) -> float | None:
    try:
        return float(unicodedata.normalize("NFKC", text).replace("_", "x").replace("\u2212", "-"))
    except ValueError:
        return None


class Memberships(dict[str, int]):
    """Reads group cells; each text becomes a number that stands for a set of groups.

    Attributes
    ----------
    patterns : list of tuple of int
        The sets of groups seen, by that number.
    strangers : dict of int to list of str
        For a pattern in which a name was not known: those names.
    """

    def __init__(self, groups: tuple[Group, ...], separator: str) -> None:
        super().__init__()
        self.groups = groups
        self.separator = separator
        self.owner = {
            fold(answer): number
            for number, group in enumerate(groups)
            for answer in (group.id, group.name, *group.answers)
        }
        self.patterns: list[tuple[int, ...]] = []
        self.strangers: dict[int, list[str]] = {}
        self._numbers: dict[tuple[tuple[int, ...], tuple[str, ...]], int] = {}

    def __missing__(self, text: str) -> int:
        known, strange = self._read(text)
        number = self._numbers.setdefault((known, strange), len(self.patterns))
        if number == len(self.patterns):
            self.patterns.append(known)
            if strange:
                self.strangers[number] = list(strange)
        if len(self) < REMEMBERED:
            self[text] = number
        return number

    def _read(self, text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        whole = fold(text)
        if not whole:
            return (), ()
        if whole in self.owner:
            return (self.owner[whole],), ()
        if whole.startswith("[") and (listed := _listed(text)) is not None:
            known = {self.owner[fold(name)] for name in listed if fold(name) in self.owner}
            return tuple(sorted(known)), tuple(name for name in listed if fold(name) not in self.owner and fold(name))
        if not self.separator:
            return (), (text.strip(),)
        parts = text.split(self.separator)
        known, strange, start = set(), [], 0
        while start < len(parts):
            joins = list(accumulate(parts[start:], lambda left, right: left + self.separator + right))
            length = next((k for k in range(len(joins), 0, -1) if fold(joins[k - 1]) in self.owner), 0)
            if length:
                known.add(self.owner[fold(joins[length - 1])])
            elif parts[start].strip():
                strange.append(parts[start].strip())
            start += max(length, 1)
        return tuple(sorted(known)), tuple(strange)

    def explain(self, stranger: str) -> Unreadable:
        """What is wrong with a name that belongs to no group."""
        parts = SEPARATORS.split(stranger)
        if not self.separator and len(parts) > 1 and all(fold(part) in self.owner for part in parts):
            return Unreadable(
                f"{shown(stranger)} names several groups.",
                "say what stands between them with group_separator = … in [[responses]], or correct the cell.",
            )
        names = {fold(a): (a, g.id) for g in self.groups for a in (g.id, g.name, *g.answers)}
        close = nearest(stranger, [name for name, _ in names.values()], 1)
        hint = ""
        if close:
            name, group = names[fold(close[1:-1])]
            hint = f" Nearest: '{name}' (group {group})."
        return Unreadable(
            f"{shown(stranger)} is no group.{hint}"
            + ("" if hint else f" Groups: {joined(g.id for g in self.groups)}."),
            'add it to that group\'s `answers`, correct the cell, or set unknown_group = "drop" in [cleaning].',
        )


def _listed(text: str) -> list[str] | None:
    """The texts of a JSON list in a cell; None where it is none."""
    try:
        listed = json.loads(text)
    except ValueError:
        return None
    return [str(item) for item in listed] if isinstance(listed, list) else None


@lru_cache(REMEMBERED_NUMBERS)
def read_weight(text: str) -> float | Unreadable:
    """A design weight: a positive number."""
    number = float(text) if NUMBER.fullmatch(text.strip()) or _scientific(text) else math.nan
    if LIGHTEST <= number <= HEAVIEST:
        return number
    if number > 0 and math.isfinite(number):
        return Unreadable(
            f"{shown(text)} is too far from 1 for a design weight.",
            f"give numbers from {LIGHTEST:g} to {HEAVIEST:g}; only their ratios within a group count.",
        )
    found = shown(text) if text.strip() else "an empty cell"
    return Unreadable(f"{found} is no design weight.", "give every respondent a positive number.")


def _scientific(text: str) -> bool:
    return re.fullmatch(r"\s*[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}\s*", text) is not None


@lru_cache(REMEMBERED_NUMBERS)
def read_seconds(text: str) -> float | Unreadable:
    """A duration in seconds; NaN where the cell is blank."""
    cell = text.strip()
    if not cell:
        return math.nan
    if NUMBER.fullmatch(cell) and float(cell) >= 0:
        return float(cell)
    written = DURATION.fullmatch(cell) or CLOCK.fullmatch(cell)
    if written:
        hours, minutes, seconds = (float(part or 0) for part in written.groups())
        return 3600 * hours + 60 * minutes + seconds
    return Unreadable(
        f"{shown(cell)} is no number of seconds.",
        "write it as a number, 5分12秒 or 0:05:12, leave the cell blank, or take `seconds` out of the study file.",
    )


def read_time(text: str, time_format: str) -> dt.datetime | Unreadable | None:
    """A point in time, ISO 8601 or in the study's `time_format`; in UTC where it tells a zone, None where blank."""
    cell = text.strip()
    if not cell:
        return None
    try:
        moment = dt.datetime.strptime(cell, time_format) if time_format else dt.datetime.fromisoformat(cell)
        if not time_format and not TIME_OF_DAY.search(cell):
            raise ValueError("a day alone is no point in time")
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        wanted = f"the format {time_format}" if time_format else "ISO 8601 (2024-05-31 14:02:59)"
        return Unreadable(
            f"{shown(cell)} is no time in {wanted}.",
            'say how times are written with time_format in [[responses]], e.g. "%m/%d/%Y %H:%M:%S".',
        )
    return moment
