"""Simulated answers with a truth that is known exactly, to try a study out and to judge the program by."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from materiality.errors import Faults
from materiality.stats import FloatArray
from materiality.study import Group, Scale, Simulation, Special, Spoilt, Study, fold

MARK = "Simulated answers"
MARKED = "simulated"
RESPONDENT = "ResponseId"
RESPONDENTS = 50
STREAM = 20020518
OPENED = datetime(2024, 1, 8, 8)
DAYS_OPEN = 14

Truth: TypeAlias = Mapping[tuple[str, str, str], float]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class SimulatedResponses:
    """Rows as a survey tool would export them, and the truth behind them.

    Attributes
    ----------
    header : tuple of str
        The columns that the study's first export names, then `MARK`.
    rows : tuple of tuple of str
        Text cells, one per column.
    truth : mapping of (axis id, group id, issue id) to float
        Expected rating in the group's population, on the scale, exact (`true_means`).
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    truth: Truth


def simulate(study: Study, *, seed: int | None = None) -> SimulatedResponses:
    """Draw answers as the study's `[simulation]` table tells, for the study's first export.

    Good rows answer at least half of what their group is asked (or `cleaning.min_share_answered`, where that is more),
    and take 2 to 7.5 times `cleaning.seconds_per_answer` for each answer. Spoilt rows come on top of them. What a group
    is not asked is left blank, and a group that no axis asks is not simulated.

    Parameters
    ----------
    study : Study
        Without a `[simulation]` table its defaults hold.
    seed : int, optional
        Instead of the study's; the same seed gives the same rows.

    Raises
    ------
    MaterialityError
        With every kind of spoilt row that the study leaves no room for.
    """
    survey = _Survey(study, study.seed if seed is None else seed)
    survey.check_spoilt()
    good = [
        respondent for g in survey.present for respondent in survey.draw(g, survey.sizes[g], survey.generator(0, g))
    ]
    return SimulatedResponses(survey.header, survey.rows(good), true_means(study))


def true_means(study: Study) -> Truth:
    """The expected rating in each group's population, exactly.

    It is `simulation.means` plus the group's `simulation.shifts`, held a thousandth of the scale inside its ends; where
    no mean is given, the issues climb in even steps from 40 to 85 % of the scale. Where two axes put the same question
    to a group, the first one's means hold for both. On a scale with step 0 answers are rounded to two decimals, which
    the truth leaves out.

    Returns
    -------
    mapping of (axis id, group id, issue id) to float
        For the groups that the axis asks and that answer the study's first export.
    """
    targets, layout = _targets(study), study.layout
    return {
        (axis, study.groups[g].id, issue.id): float(targets[g, layout.question_of[a][j]])
        for a, axis in enumerate(study.axes)
        for g in _present(study)
        if layout.group_weights[a][g]
        for j, issue in enumerate(study.issues)
    }


def expected_rating(location: ArrayLike, spread: float, scale: Scale) -> FloatArray:
    """Expectation of a normal latent answer once it is brought onto the scale.

    A latent answer counts as the nearest point of the scale; one beyond the ends counts as the end. With step 0 it is
    only cut at the ends.

    Parameters
    ----------
    location : float array
        Mean of the latent answer.
    spread : float
        Its standard deviation.
    scale : Scale

    Returns
    -------
    float array of the shape of `location`
        Strictly rising with the location.

    Examples
    --------
    >>> expected_rating([3.0, 9.0], 1.0, Scale(low=1, high=5)).round(4).tolist()
    [3.0, 5.0]
    """
    location = np.asarray(location, float)
    if not scale.step:
        return np.asarray(
            scale.low
            + spread * (_mean_excess((location - scale.low) / spread) - _mean_excess((location - scale.high) / spread))
        )
    points = np.array(scale.points)
    above = special.ndtr((location[..., None] - (points[1:] + points[:-1]) / 2) / spread)
    return np.asarray(points[0] + above @ np.diff(points))


def write_csv(simulated: SimulatedResponses, path: Path | str) -> None:
    """Write the rows as UTF-8 with a byte order mark (Excel needs it to show Chinese), whole or not at all.

    Raises
    ------
    MaterialityError
        If a file that is not simulated stands there, or nothing can be written.
    """
    path = Path(path)
    faults = Faults()
    if path.exists() and not _is_simulated(path):
        faults.add(
            "stands there already, and its answers are not simulated.",
            mend="choose another name, or move that file away.",
            file=str(path),
        )
        faults.raise_any()
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(simulated.header)
            writer.writerows(simulated.rows)
        draft.replace(path)
    except OSError as error:
        faults.add(
            f"cannot be written: {error.strerror}.", mend="check the folder and its permissions.", file=str(path)
        )
        faults.raise_any()
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _is_simulated(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return bool(header) and fold(header[-1]) == fold(MARK)


@dataclass(frozen=True, slots=True)
class _Respondent:
    """One row before it has a place among the others."""

    group: str
    categories: tuple[str, ...]
    answers: tuple[str, ...]
    seconds: int


class _Survey:
    """What the rows of one study's first export are drawn from."""

    def __init__(self, study: Study, seed: int) -> None:
        self.study = study
        self.seed = seed
        self.export = study.responses[0]
        self.settings = study.simulation or Simulation()
        self.spoilt = self.settings.spoilt
        self.asked = _asked(study)
        self.present = _present(study)
        self.sizes = {g: self.settings.respondents.get(study.groups[g].id, RESPONDENTS) for g in self.present}
        self.spread, self.leniency = _spreads(study)
        self.locations = _locations(study)
        self.dont_know = next(
            (text for text, meaning in study.scale.special.items() if meaning is Special.DONT_KNOW), None
        )
        self.margins: dict[str, str] = {}
        for group in study.groups:
            for column in group.margins:
                self.margins.setdefault(fold(column), column)
        self.pace = study.cleaning.seconds_per_answer or 2.0
        self.least = study.cleaning.min_share_answered or 0.5

    @property
    def header(self) -> tuple[str, ...]:
        export = self.export
        named = (export.started, export.finished, export.seconds, export.group, export.weight)
        return (
            export.respondent or RESPONDENT,
            *(column for column in named if column),
            *self.margins.values(),
            *self.study.layout.questions,
            MARK,
        )

    def generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, STREAM, *stream])

    def too_few(self, g: int) -> int:
        """Answers of a row of group g that holds too few: well under half, 0 where there is no room for that."""
        limit = min(0.5, self.least) * int(self.asked[g].sum())
        count = max(1, int(limit / 2))
        return count if count < limit else 0

    def check_spoilt(self) -> None:
        """Every kind of spoilt row that the study asks for and leaves no room for."""
        faults, spoilt = Faults(), self.spoilt

        def missing(kind: str, what: str, mend: str) -> None:
            if getattr(spoilt, kind):
                faults.add(f"simulation.spoilt.{kind}: {what}", mend=f"{mend}, or set {kind} = 0.")

        if not any(self.sizes.values()):
            for kind in (kind for kind in Spoilt.model_fields if kind != "blank"):
                missing(kind, "nobody answers the first export.", "let simulation.respondents name someone")
            faults.raise_any()
        if not self.export.group:
            missing("no_group", "the first export has no group column.", "name it with group = …")
        if not (self.export.seconds or self.export.started):
            missing("too_fast", "the first export has no column of seconds.", "name it with seconds = …")
        if not any(self.sizes[g] and self.too_few(g) for g in self.present):
            missing("too_few_answers", "no group is asked enough questions.", "ask a group three questions or more")
        faults.raise_any()

    def draw(self, g: int, count: int, generator: np.random.Generator) -> list[_Respondent]:
        """Good respondents of group g."""
        group, asked = self.study.groups[g], self.asked[g]
        width = int(asked.sum())
        effect = np.zeros(count)
        drawn: dict[str, list[str]] = {}
        for column, margin in group.margins.items():
            names = list(margin)
            shares = self.settings.sample.get(group.id, {}).get(column, margin)
            weights = np.array([shares.get(name, 0.0) for name in names])
            choice = generator.choice(len(names), count, p=weights / weights.sum())
            effects = self.settings.effects.get(column, {})
            effect += np.array([effects.get(name, 0.0) for name in names])[choice]
            drawn[fold(column)] = [names[k] for k in choice]
        latent = (
            self.locations[g, asked]
            + effect[:, None]
            + self.leniency * generator.standard_normal((count, 1))
            + self.spread * generator.standard_normal((count, width))
        )
        cells = self.texts(_on_scale(latent, self.study.scale))
        blank, dont_know = self.missing(count, width, generator)
        cells[blank] = ""
        cells[dont_know] = self.dont_know or ""
        answers = np.full((count, len(asked)), "", dtype=object)
        answers[:, asked] = cells
        seconds = generator.uniform(2.0, 7.5, count) * self.pace * (~blank).sum(axis=1)
        cell = (group.answers or (group.name,))[0] if self.export.group else ""
        return [
            _Respondent(
                group=cell,
                categories=tuple(drawn[column][i] if column in drawn else "" for column in self.margins),
                answers=tuple(answers[i]),
                seconds=math.ceil(seconds[i]),
            )
            for i in range(count)
        ]

    def missing(self, count: int, width: int, generator: np.random.Generator) -> tuple[BoolArray, BoolArray]:
        """Which answers are blank and which are don't-knows, never so many that a row holds too few ratings.

        Where chance takes too many, some are given back at random, whatever their rating: the truth stays the truth.
        """
        chance = generator.random((count, width))
        blank = chance < self.settings.blank
        unknown = 0.0 if self.dont_know is None else self.settings.dont_know
        dont_know = ~blank & (chance < self.settings.blank + unknown)
        needed = math.ceil(max(0.5, self.least) * width - 1e-9)
        for i in np.flatnonzero((blank | dont_know).sum(axis=1) > width - needed):
            gone = np.flatnonzero(blank[i] | dont_know[i])
            back = generator.choice(gone, len(gone) - (width - needed), replace=False)
            blank[i, back] = dont_know[i, back] = False
        return blank, dont_know

    def texts(self, ratings: FloatArray) -> NDArray[np.object_]:
        """Ratings as respondents see them: in words where the scale has a word, else as short numbers."""
        words: dict[float, str] = {}
        for word, point in self.study.scale.labels.items():
            words.setdefault(round(point, 9), word)
        values, place = np.unique(ratings, return_inverse=True)
        shown = [words.get(round(value, 9), f"{value:.10g}") for value in values.tolist()]
        return np.array(shown, dtype=object)[place.reshape(ratings.shape)]

    def spoil(self, generator: np.random.Generator) -> Iterator[_Respondent | None]:
        """The spoilt rows but for the duplicates; None is a blank row."""
        spoilt, groups = self.spoilt, self.present
        yield from [None] * spoilt.blank
        shares = np.array([self.sizes[g] for g in groups], dtype=float)
        roomy = shares * [self.too_few(g) > 0 for g in groups]

        def one(odds: FloatArray) -> tuple[int, _Respondent]:
            g = groups[int(generator.choice(len(groups), p=odds / odds.sum()))]
            return g, self.draw(g, 1, generator)[0]

        for _ in range(spoilt.no_group):
            yield replace(one(shares)[1], group="")
        for _ in range(spoilt.no_rating):
            _, row = one(shares)
            yield replace(
                row, answers=("",) * len(row.answers), seconds=math.ceil(generator.uniform(5, 30) * self.pace)
            )
        for _ in range(spoilt.too_few_answers):
            g, row = one(roomy)
            ratings = [q for q, answer in enumerate(row.answers) if answer not in ("", self.dont_know)]
            kept = set(generator.choice(ratings, self.too_few(g), replace=False).tolist())
            answers = tuple(answer if q in kept else "" for q, answer in enumerate(row.answers))
            yield replace(row, answers=answers, seconds=math.ceil(generator.uniform(2.0, 7.5) * self.pace * len(kept)))
        for _ in range(spoilt.too_fast):
            _, row = one(shares)
            count = sum(answer != "" for answer in row.answers)
            yield replace(row, seconds=int(generator.uniform(0.2, 0.8) * self.pace * count))
        scale = self.study.scale
        upper = [point for point in scale.points if point >= scale.midpoint] or [scale.midpoint, scale.high]
        for _ in range(spoilt.straight_lined):
            g, row = one(shares)
            answer = self.texts(np.array([generator.choice(upper)]))[0]
            answers = tuple(answer if asked else "" for asked in self.asked[g])
            pace = generator.uniform(2.0, 7.5) * self.pace
            yield replace(row, answers=answers, seconds=math.ceil(pace * int(self.asked[g].sum())))

    def rows(self, good: list[_Respondent]) -> tuple[tuple[str, ...], ...]:
        """The good rows and the spoilt ones in the order of their arrival."""
        drawn = [*good, *self.spoil(self.generator(1))]
        generator = self.generator(2)
        arrival = generator.permutation(len(drawn))
        moments = np.sort(generator.integers(0, DAYS_OPEN * 86400, len(drawn)))
        digits = max(4, len(str(len(drawn))))
        rows = [
            self.cells(drawn[k], f"R-{number:0{digits}}", OPENED + timedelta(seconds=int(moments[number - 1])))
            for number, k in enumerate(arrival, 1)
        ]
        of_good = np.flatnonzero(arrival < len(good))
        again = self.spoilt.duplicate
        originals = generator.choice(of_good, again, replace=again > len(of_good)) if again else np.array([], int)
        later = generator.uniform(originals, len(rows))
        order = np.argsort(np.concatenate([np.arange(len(rows)), later]), kind="stable")
        rows += [rows[k] for k in originals]
        return tuple(rows[k] for k in order)

    def cells(self, respondent: _Respondent | None, name: str, started: datetime) -> tuple[str, ...]:
        if respondent is None:
            return ("",) * len(self.header)
        export = self.export
        finished = started + timedelta(seconds=respondent.seconds)
        named = (
            (export.started, _moment(started, export.time_format)),
            (export.finished, _moment(finished, export.time_format)),
            (export.seconds, str(respondent.seconds)),
            (export.group, respondent.group),
            (export.weight, "1"),
        )
        return (
            name,
            *(text for column, text in named if column),
            *respondent.categories,
            *respondent.answers,
            MARKED,
        )


def _moment(moment: datetime, time_format: str) -> str:
    return moment.strftime(time_format) if time_format else moment.isoformat()


def _asked(study: Study) -> BoolArray:
    """Per group and question: whether an axis puts the question to the group."""
    layout = study.layout
    asked = np.zeros((len(study.groups), len(layout.questions)), dtype=bool)
    for places, weights in zip(layout.question_of, layout.group_weights, strict=True):
        asked[np.ix_(np.array(weights) > 0, np.array(places))] = True
    return asked


def _present(study: Study) -> list[int]:
    """The groups that answer the first export."""
    only = study.responses[0].group_is
    asked = _asked(study)
    return [g for g, group in enumerate(study.groups) if asked[g].any() and only in ("", group.id)]


def _spreads(study: Study) -> tuple[float, float]:
    """Standard deviations of the latent answer: of one answer, and of what a respondent adds to all of them."""
    settings, length = study.simulation or Simulation(), study.scale.high - study.scale.low
    return (
        0.225 * length if settings.spread is None else settings.spread,
        0.1 * length if settings.leniency is None else settings.leniency,
    )


def _targets(study: Study) -> FloatArray:
    """The true mean per group and question; NaN where the group is not asked."""
    settings, scale, layout = study.simulation or Simulation(), study.scale, study.layout
    length = scale.high - scale.low
    usual = np.linspace(scale.low + 0.4 * length, scale.low + 0.85 * length, len(study.issues))
    targets = np.full((len(study.groups), len(layout.questions)), np.nan)
    for a, axis in reversed(list(enumerate(study.axes))):
        means = settings.means.get(axis, {})
        for g, group in enumerate(study.groups):
            if layout.group_weights[a][g]:
                shifts = settings.shifts.get(group.id, {})
                for j, issue in enumerate(study.issues):
                    mean = means.get(issue.id, float(usual[j])) + shifts.get(issue.id, 0.0)
                    targets[g, layout.question_of[a][j]] = mean
    return np.asarray(np.clip(targets, scale.low + length / 1000, scale.high - length / 1000))


def _effects(group: Group, effects: Mapping[str, Mapping[str, float]]) -> tuple[FloatArray, FloatArray]:
    """The distribution in the group's population of what its categories add to the latent answer.

    Columns are taken as independent, so their effects' distributions convolve.
    """
    sums = {0.0: 1.0}
    for column, margin in group.margins.items():
        if column in effects:
            total = sum(margin.values())
            wider: dict[float, float] = {}
            for so_far, share in sums.items():
                for category, count in margin.items():
                    key = round(so_far + effects[column].get(category, 0.0), 12)
                    wider[key] = wider.get(key, 0.0) + share * count / total
            sums = wider
    return np.array(list(sums)), np.array(list(sums.values()))


def _locations(study: Study) -> FloatArray:
    """The latent location per group and question that makes the population's expected rating the true mean."""
    settings, scale = study.simulation or Simulation(), study.scale
    targets, spread = _targets(study), math.hypot(*_spreads(study))
    locations = np.full_like(targets, np.nan)
    for g, group in enumerate(study.groups):
        asked = ~np.isnan(targets[g])
        effect, share = _effects(group, settings.effects)
        reach = 10 * spread + float(np.abs(effect).max())
        low, high = np.full((2, int(asked.sum())), [[scale.low - reach], [scale.high + reach]])
        for _ in range(100):
            middle = (low + high) / 2
            rating = expected_rating(middle[:, None] + effect, spread, scale) @ share
            below = rating < targets[g, asked]
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        locations[g, asked] = (low + high) / 2
    return locations


def _on_scale(latent: FloatArray, scale: Scale) -> FloatArray:
    """Each latent answer as the nearest point of the scale, or cut at its ends and rounded to two decimals."""
    if not scale.step:
        return np.clip(np.round(latent, 2), scale.low, scale.high)
    points = np.array(scale.points)
    return np.asarray(points[np.searchsorted((points[1:] + points[:-1]) / 2, latent)])


def _mean_excess(z: FloatArray) -> FloatArray:
    """Mean of what a standard normal variable, moved up by z, exceeds 0 by."""
    return np.asarray(z * special.ndtr(z) + np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


__all__ = [
    "MARK",
    "MARKED",
    "SimulatedResponses",
    "expected_rating",
    "simulate",
    "true_means",
    "write_csv",
]
