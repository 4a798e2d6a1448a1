"""The study file: its words, its rules, and every fault in it told at once."""

from __future__ import annotations

import codecs
import datetime as dt
import math
import os
import re
import stat
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic_core import ErrorDetails

from materiality.errors import Faults, MaterialityError, joined, nearest, shown

if TYPE_CHECKING:
    from materiality.judgements import FloatArray, Judged

STUDY_FILE = "study.toml"
WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
STATFILES = frozenset({".sav", ".zsav", ".por", ".dta", ".parquet", ".feather", ".arrow"})
TEXTS = frozenset({".csv", ".tsv", ".txt"})
EXPORTS = WORKBOOKS | TEXTS | STATFILES
LARGEST_STUDY_FILE = 1 << 21
NO_CHARACTER_SETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})
"""Codecs by which no file is written."""
MOST_POINTS = 1001
FARTHEST = 1e6
LIGHTEST, HEAVIEST = 1e-9, 1e9
"""Between these lie group weights; only their ratios count."""
MOST_PEOPLE = 1e12
MOST_CONFIDENT = 0.9999
"""More cannot be seen in 10,000 draws."""
NEAR = 1e-9
Place = tuple[str | int, ...]
"""Where a key of the study file stands: tables, numbers of their entries, and the key."""
Problem = tuple[str, str]
"""What is wrong, and how to mend it."""
PlacedProblem = tuple[Place, str, str]


class Tool(StrEnum):
    """Survey tools by name, as `tool` of a study's `[[responses]]` names them."""

    AUTO = "auto"
    PLAIN = "plain"
    QUALTRICS = "qualtrics"
    SURVEYMONKEY = "surveymonkey"
    GOOGLE_FORMS = "google_forms"
    MICROSOFT_FORMS = "microsoft_forms"
    LIMESURVEY = "limesurvey"
    ALCHEMER = "alchemer"
    TYPEFORM = "typeform"
    KOBOTOOLBOX = "kobotoolbox"
    ODK = "odk"
    SOSCI = "sosci"
    REDCAP = "redcap"
    EUSURVEY = "eusurvey"
    WENJUANXING = "wenjuanxing"


class Special(StrEnum):
    """Answers that are no rating."""

    DONT_KNOW = "dont_know"
    NOT_APPLICABLE = "not_applicable"
    BLANK = "blank"


class Pillar(StrEnum):
    """The pillar that an issue belongs to."""

    ENVIRONMENTAL = "environmental"
    SOCIAL = "social"
    GOVERNANCE = "governance"
    ECONOMIC = "economic"


class Action(StrEnum):
    """What a cleaning rule does with the rows that it marks."""

    DROP = "drop"
    FLAG = "flag"
    OFF = "off"


class Language(StrEnum):
    """The language of the report."""

    ENGLISH = "en"
    CHINESE = "zh"


class UnknownGroup(StrEnum):
    """What becomes of a row whose group the study does not know."""

    FAULT = "fault"
    DROP = "drop"


class DuplicateChoice(StrEnum):
    """Which of a respondent's conflicting rows counts."""

    FAULT = "fault"
    FIRST = "first"
    LAST = "last"
    MOST_COMPLETE = "most_complete"


class NoCategory(StrEnum):
    """What becomes of a respondent who gives no category of a margin."""

    FAULT = "fault"
    KEEP = "keep"


class TierMethod(StrEnum):
    """How issues become tiers."""

    THRESHOLDS = "thresholds"
    KMEANS = "kmeans"
    GAUSSIAN_MIXTURE = "gaussian_mixture"
    WARD = "ward"
    NATURAL_BREAKS = "natural_breaks"


class ThresholdRule(StrEnum):
    """A threshold that the study's own scores set, or the scale."""

    MEAN = "mean"
    MEDIAN = "median"
    MIDPOINT = "midpoint"
    LARGEST_GAP = "largest_gap"


@dataclass(frozen=True)
class Top:
    """A threshold halfway between the scores of rank `count` and of the next: the highest lie above it."""

    count: int


Threshold = ThresholdRule | float | Top
"""What sets a threshold; a number is the threshold itself."""


class GroupWeighting(StrEnum):
    """Where an axis's group weights come from."""

    GIVEN = "given"
    EQUAL = "equal"
    POPULATION = "population"
    JUDGED = "judged"


class MaterialRule(StrEnum):
    """On how many axes an issue must lie above the threshold to count as material."""

    EITHER = "either"
    BOTH = "both"


class Decided(StrEnum):
    """What somebody decided of an issue."""

    MATERIAL = "material"
    NOT_MATERIAL = "not_material"


class PrivacyProfile(StrEnum):
    """For whose eyes the outputs are."""

    INTERNAL = "internal"
    PUBLISH = "publish"
    OFF = "off"


SHARES_MISS = 0.005
"""Shares of a margin may miss 1 by so much in adding up, for rounding."""
COMBINED = "combined"
"""Stands for an axis where both axes of the matrix count together; no axis may have the name."""
CONSISTENT = 0.10
"""Judgements with a larger consistency ratio are refused, by Saaty's custom."""
MOST_JUDGED = 15
"""Groups for which random consistency is tabled."""


def _texts(value: Any) -> Any:
    """Answer codes may be written as numbers."""
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


def _date(value: Any) -> Any:
    """A date may stand in quotes."""
    if isinstance(value, str):
        with suppress(ValueError):
            return dt.date.fromisoformat(value)
    return value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Identifier = Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=60)]
# Strict: no text counts as a number or as true, and no truth value as a number.
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
YesNo = Annotated[bool, Strict()]
Positive = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[Number, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[Number, Field(allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Section(BaseModel):
    """A table of the study file: unknown keys are faults, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Scale(Section):
    """The rating scale.

    Attributes
    ----------
    low, high : float
        Its ends.
    step : float
        Distance of its points, 1 by default; 0 lets any number between the ends count.
    labels : mapping of str to float
        Answers in words; letter case and space do not matter.
    special : mapping of str to Special
        Answers that are no rating.
    """

    low: Finite
    high: Finite
    step: NonNegative = 1.0
    labels: Mapping[str, Finite] = {}
    special: Mapping[str, Special] = {}

    @cached_property
    def points(self) -> tuple[float, ...]:
        """The scale's points from low to high; empty where any number counts."""
        if not self.step:
            return ()
        return tuple(self.low + self.step * k for k in range(math.floor((self.high - self.low) / self.step + NEAR) + 1))

    def point(self, number: float) -> float | None:
        """The scale's point that a number means; None off the scale and between its points."""
        if not self.low - NEAR <= number <= self.high + NEAR:
            return None
        if not self.step:
            return number if self.low <= number <= self.high else None
        return next((point for point in self.points if abs(point - number) <= NEAR), None)

    @property
    def midpoint(self) -> float:
        """Half-way between the ends."""
        return (self.low + self.high) / 2


class Export(Section):
    """One export of a survey tool, and which of its columns mean what."""

    file: Annotated[str, Field(min_length=1)]
    tool: Tool = Tool.AUTO
    respondent: str = ""
    own_ids: YesNo = False
    group: str = ""
    group_is: str = ""
    group_separator: str = ""
    issue: str = ""
    answer: str = ""
    weight: str = ""
    stratum: str = ""
    cluster: str = ""
    seconds: str = ""
    started: str = ""
    finished: str = ""
    time_format: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


class Group(Section):
    """One stakeholder group."""

    id: Identifier
    label: str = ""
    answers: Texts = ()
    population: Annotated[Whole, Field(gt=0)] | None = None
    margins: Mapping[str, Mapping[str, NonNegative]] = {}
    categories: Mapping[str, Mapping[str, str]] = {}
    strata: Mapping[str, Annotated[Whole, Field(gt=0)]] = {}

    @property
    def name(self) -> str:
        """The label, or the id where there is none."""
        return self.label or self.id


class Issue(Section):
    """One ESG topic under assessment."""

    id: Identifier
    label: str = ""
    pillar: Pillar | None = None
    description: str = ""
    gri: Texts = ()
    esrs: Texts = ()
    szse: Texts = ()

    @property
    def name(self) -> str:
        """The label, or the id where there is none."""
        return self.label or self.id


class Judge(Section):
    """One judge's comparisons of groups: `"employees/customers" = 3` says three times as important."""

    name: str = ""
    judgements: Mapping[str, Positive]


class Axis(Section):
    """One dimension of the matrix: a question per issue, the groups that answer it, and their weights."""

    label: str = ""
    column: str = ""
    columns: Mapping[str, str] = {}
    groups: Mapping[str, NonNegative] = {}
    group_weights: GroupWeighting = GroupWeighting.GIVEN
    judges: tuple[Judge, ...] = ()
    accept_inconsistent: YesNo = False

    def question(self, issue: Issue) -> str:
        """The header of the column that holds this axis's answers to an issue; empty where none is named."""
        template = self.columns.get(issue.id, self.column)
        return template.replace("{id}", issue.id).replace("{label}", issue.name)


class MatrixAxes(Section):
    """Which axis lies across and which one up."""

    x: str = ""
    y: str = ""


class Cleaning(Section):
    """The cleaning rules: what each does with the rows that it marks, and its threshold."""

    blank: Action = Action.DROP
    preview: Action = Action.FLAG
    no_group: Action = Action.DROP
    unknown_group: UnknownGroup = UnknownGroup.FAULT
    no_rating: Action = Action.DROP
    too_few_answers: Action = Action.DROP
    min_share_answered: Share = 0.5
    too_fast: Action = Action.DROP
    seconds_per_answer: NonNegative = 2.0
    duplicate: Action = Action.DROP
    duplicate_choice: DuplicateChoice = DuplicateChoice.FAULT
    straight_lined: Action = Action.FLAG
    long_run: Action = Action.FLAG
    long_run_share: Share = 0.8
    long_run_length: Annotated[Whole, Field(ge=2)] = 8
    relatively_fast: Action = Action.FLAG
    times_as_fast: Annotated[Number, Field(gt=1, allow_inf_nan=False)] = 2.0
    rare_answers: Action = Action.FLAG
    rare_below: Annotated[Number, Field(gt=0, lt=1)] = 0.001
    careless: Action = Action.DROP


class Weighting(Section):
    """Raking, trimming of weights, the finite population correction, and replicate weights.

    `trim` bounds the weights as multiples of the group's mean weight.
    """

    raking: YesNo = True
    no_category: NoCategory = NoCategory.FAULT
    trim: Annotated[tuple[Positive, Positive] | None, Field()] = None
    finite_population: YesNo = True
    replicates: Annotated[Whole, Field(ge=0, le=10_000)] = 0


class Tiers(Section):
    """How issues become tiers and when one is material.

    `thresholds` holds, per axis, a number on the scale, a label of the scale, `top` and a number of issues, or one of
    mean, median, midpoint and largest_gap; `Study.threshold` reads them. `reason` says why these; the evidence pack has
    it.
    """

    method: TierMethod = TierMethod.THRESHOLDS
    thresholds: Mapping[str, Finite | str] = {}
    rule: MaterialRule = MaterialRule.EITHER
    clusters: Annotated[Whole, Field(ge=1, le=10)] | None = None
    reason: str = ""


class Robustness(Section):
    """How uncertain the group weights are taken to be.

    `weights_vary` is the standard deviation of a group's weight as a share of it, where all weights are equal.
    """

    weights_vary: Annotated[Number, Field(gt=0, lt=1)] = 0.3


class Decision(Section):
    """What somebody decided of an issue, whatever the survey says; printed beside the computed tier."""

    issue: str
    decision: Decided
    reason: Annotated[str, Field(min_length=1)]
    date: Annotated[dt.date, BeforeValidator(_date), Strict()]
    by: Annotated[str, Field(min_length=1)]


class Privacy(Section):
    """For whose eyes the outputs are, and the smallest group that they show."""

    profile: PrivacyProfile = PrivacyProfile.INTERNAL
    minimum_group_size: Annotated[int, Field(ge=1)] | None = None

    @property
    def hidden_below(self) -> int:
        """Groups with fewer answers than this are not shown."""
        if self.profile is PrivacyProfile.OFF:
            return 0
        default = 5 if self.profile is PrivacyProfile.INTERNAL else 10
        return default if self.minimum_group_size is None else self.minimum_group_size

    @property
    def intervals_from(self) -> int:
        """From how many answers on more than the mean is shown: an interval, and how the answers spread."""
        if self.profile is PrivacyProfile.OFF:
            return 0
        return max(10 if self.profile is PrivacyProfile.INTERNAL else 20, self.hidden_below)


class Spoilt(Section):
    """How many rows of each kind `materiality simulate` spoils."""

    blank: Annotated[Whole, Field(ge=0)] = 0
    no_group: Annotated[Whole, Field(ge=0)] = 0
    no_rating: Annotated[Whole, Field(ge=0)] = 0
    too_few_answers: Annotated[Whole, Field(ge=0)] = 0
    duplicate: Annotated[Whole, Field(ge=0)] = 0
    too_fast: Annotated[Whole, Field(ge=0)] = 0
    straight_lined: Annotated[Whole, Field(ge=0)] = 0


class Simulation(Section):
    """The truth that `materiality simulate` draws answers from.

    Attributes
    ----------
    respondents : mapping of group id to int
        Good rows per group; 50 where a group is not named.
    means : mapping of axis id to mapping of issue id to float
        The expected rating, on the scale; the ceiling is part of it, so these are the true means.
    shifts : mapping of group id to mapping of issue id to float
        How much a group differs from that, in points.
    spread : float
        Standard deviation of the latent answer before it is cut to the scale's points; 0.9 on a scale from 1 to 5
        unless given, and in proportion on others.
    leniency : float
        Standard deviation of what one respondent adds to all answers, before cutting; 0.4 likewise.
    dont_know, blank : float
        Chance that an answer is a don't-know, or is left out.
    sample : mapping of group id to column to category to float
        Shares in the sample; the shares in the population are the group's margins.
    effects : mapping of column to category to float
        How much a category's respondents differ, in latent points; group means stay as given for the population.
    spoilt : Spoilt
        Rows of each spoilt kind, on top of the good ones.
    """

    respondents: Mapping[str, Annotated[Whole, Field(ge=0)]] = {}
    means: Mapping[str, Mapping[str, Finite]] = {}
    shifts: Mapping[str, Mapping[str, Finite]] = {}
    spread: Positive | None = None
    leniency: NonNegative | None = None
    dont_know: Share = 0.02
    blank: Share = 0.01
    sample: Mapping[str, Mapping[str, Mapping[str, NonNegative]]] = {}
    effects: Mapping[str, Mapping[str, Finite]] = {}
    spoilt: Spoilt = Spoilt()


class Study(Section):
    """One assessment: its issues, groups, axes, scale, exports and settings (design §3 names every key)."""

    title: Annotated[str, Field(min_length=1)]
    organisation: str = ""
    period: Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)] = ""
    simulated: YesNo = False
    language: Language = Language.ENGLISH
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 0
    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.95
    scale: Scale
    responses: Annotated[tuple[Export, ...], Field(min_length=1)]
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    issues: Annotated[tuple[Issue, ...], Field(min_length=1)]
    axes: Annotated[dict[Identifier, Axis], Field(min_length=1)]
    matrix: MatrixAxes = MatrixAxes()
    cleaning: Cleaning = Cleaning()
    weighting: Weighting = Weighting()
    tiers: Tiers = Tiers()
    robustness: Robustness = Robustness()
    decisions: tuple[Decision, ...] = ()
    privacy: Privacy = Privacy()
    simulation: Simulation | None = None

    @property
    def issue_names(self) -> dict[str, str]:
        """Names of the issues by their ids, in the study's order."""
        return {issue.id: issue.name for issue in self.issues}

    @property
    def group_names(self) -> dict[str, str]:
        """Names of the groups by their ids, in the study's order."""
        return {group.id: group.name for group in self.groups}

    def place_of(self, axis: str) -> int:
        """Where an axis stands among the axes, from 0."""
        return list(self.axes).index(axis)

    @property
    def matrix_places(self) -> list[int]:
        """Where the axis across and then the axis up of the matrix stand among the axes; an index to arrays of axes."""
        return [self.place_of(self.x), self.place_of(self.y)]

    def weights_of(self, axis: str) -> tuple[float, ...]:
        """What each group counts for on an axis; 0 where it is not asked."""
        return self.layout.group_weights[self.place_of(axis)]

    @cached_property
    def layout(self) -> Layout:
        """Which questions the axes ask, and of which groups."""
        by_fold: dict[str, int] = {}
        questions: list[str] = []
        places: list[tuple[int, ...]] = []
        for axis in self.axes.values():
            row = []
            for issue in self.issues:
                column = axis.question(issue)
                place = by_fold.setdefault(fold(column), len(questions))
                if place == len(questions):
                    questions.append(column)
                row.append(place)
            places.append(tuple(row))
        weights = tuple(self._group_weights(axis) for axis in self.axes.values())
        return Layout(tuple(questions), tuple(places), weights, self._margin_columns())

    def _group_weights(self, axis: Axis) -> tuple[float, ...]:
        """What each group counts for; 0 where it is not asked."""
        given = [float(axis.groups.get(group.id, 0.0)) if axis.groups else 1.0 for group in self.groups]
        asked = [k for k, weight in enumerate(given) if weight > 0]
        match axis.group_weights:
            case GroupWeighting.GIVEN:
                return tuple(given)
            case GroupWeighting.EQUAL:
                found = [1.0 for _ in asked]
            case GroupWeighting.POPULATION:
                found = [float(self.groups[k].population or 0) for k in asked]
            case GroupWeighting.JUDGED:
                try:
                    found = [float(weight) for weight in self.judged(axis).weights]
                except ValueError:  # told with the study file's faults
                    found = [1.0 for _ in asked]
        return tuple(found[asked.index(k)] if k in asked else 0.0 for k in range(len(given)))

    def judged(self, axis: Axis) -> Judged:
        """An axis's group weights from its judges' comparisons, in the order of the groups that it asks.

        Raises
        ------
        ValueError
            Where a judge leaves a pair out, gives it twice, or gives a number that is no ratio.
        """
        from materiality.judgements import pooled, principal_weights

        return principal_weights(pooled([self.judgements(axis, judge) for judge in axis.judges]))

    def judgements(self, axis: Axis, judge: Judge) -> FloatArray:
        """A judge's comparisons as a matrix over the groups that the axis asks; raises as `judged` does."""
        from materiality.judgements import judgement_matrix

        asked = [g.id for g in self.groups if not axis.groups or axis.groups.get(g.id, 0.0) > 0]
        pairs: dict[tuple[int, int], float] = {}
        for key, ratio in judge.judgements.items():
            first, _, second = (part.strip() for part in key.partition("/"))
            if first not in asked or second not in asked or first == second:
                raise ValueError(f"'{key}' does not compare two groups that the axis asks")
            pairs[asked.index(first), asked.index(second)] = ratio
        return judgement_matrix(len(asked), pairs)

    def _margin_columns(self) -> tuple[MarginColumn, ...]:
        """The columns that groups are raked to, where the study rakes."""
        names: dict[str, str] = {}
        answers: dict[str, dict[str, int]] = {}
        owners: dict[str, dict[int, tuple[int, ...]]] = {}
        if not self.weighting.raking:
            return ()
        for group in self.groups:
            for column, margin in group.margins.items():
                key = fold(column)
                names.setdefault(key, column)
                known = answers.setdefault(key, {})
                for answer in (*margin, *group.categories.get(column, {})):
                    known.setdefault(fold(answer), len(known))
        for number, group in enumerate(self.groups):
            for column, margin in group.margins.items():
                place = {fold(category): k for k, category in enumerate(margin)}
                place.update({fold(a): place.get(fold(c), -1) for a, c in group.categories.get(column, {}).items()})
                key = fold(column)
                owners.setdefault(key, {})[number] = tuple(place.get(answer, -1) for answer in answers[key])
        return tuple(MarginColumn(names[key], tuple(answers[key]), owners[key]) for key in names)

    @property
    def x(self) -> str:
        """Id of the axis that lies across."""
        return self.matrix.x or list(self.axes)[1]

    @property
    def y(self) -> str:
        """Id of the axis that lies up."""
        return self.matrix.y or next(iter(self.axes))

    @property
    def thresholds(self) -> tuple[Threshold, Threshold]:
        """What sets the threshold of the axis across, and of the axis up."""
        return self.threshold(self.x), self.threshold(self.y)

    def threshold(self, axis: str) -> Threshold:
        """What sets the threshold of an axis: the mean of its scores unless the study says otherwise.

        Raises
        ------
        ValueError
            If the study's word for it is none that is known.
        """
        given = self.tiers.thresholds.get(axis, ThresholdRule.MEAN.value)
        if isinstance(given, float):
            return given
        word = fold(given)
        if word in set(ThresholdRule):
            return ThresholdRule(word)
        if top := re.fullmatch(r"top(\d{1,9})", word):
            return Top(int(top[1]))
        points = {fold(label): point for label, point in self.scale.labels.items()}
        if word not in points:
            raise ValueError(f"{given!r} is no threshold")
        return points[word]


@dataclass(frozen=True)
class MarginColumn:
    """A column that groups are raked to.

    Attributes
    ----------
    name : str
        Its header, as the study gives it.
    answers : tuple of str
        What may stand in it, folded: the categories of all groups, and the answers that stand for them.
    category : mapping of int to tuple of int
        By group, the category (in the order of that group's margin) that each answer means; -1 for none.
    """

    name: str
    answers: tuple[str, ...]
    category: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """The questions that a study's axes ask, and the columns that groups are raked to.

    Attributes
    ----------
    questions : tuple of str
        Headers of the distinct columns; two axes may ask the same question of different groups.
    question_of : per axis, per issue, int
        Which question holds the answers.
    group_weights : per axis, per group, float
        As the study gives them, before scaling; 0 where the axis does not ask the group.
    margins : tuple of MarginColumn
    """

    questions: tuple[str, ...]
    question_of: tuple[tuple[int, ...], ...]
    group_weights: tuple[tuple[float, ...], ...]
    margins: tuple[MarginColumn, ...]


def fold(text: str) -> str:
    """A text as it is compared: letter case and space do not matter, nor whether an accent is part of its letter."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return "".join(text.replace("\ufeff", " ").replace("\u200b", " ").split()).casefold()


def load_study(path: Path | str, *, seed: int | None = None) -> Study:
    """Read a study file and check it whole.

    Parameters
    ----------
    path : path
        A `study.toml`, or its folder.
    seed : int, optional
        Instead of the study's.

    Raises
    ------
    MaterialityError
        With every fault of the file at once.
    """
    study, faults = draft_study(study_path(path))
    faults.raise_any()
    assert study is not None
    return study if seed is None else study.model_copy(update={"seed": seed})


def study_path(path: Path | str) -> Path:
    """The study file that a path means: itself, or the `study.toml` in a folder."""
    path = Path(path)
    return path / STUDY_FILE if path.is_dir() else path


def draft_study(path: Path) -> tuple[Study | None, Faults]:
    """Read a study file as far as it can be read, with its faults beside it.

    The study is None where the faults leave no meaning to go on with; otherwise its exports can be read as well, so
    that their faults are told in the same breath.
    """
    faults = Faults()
    name = path.name
    if path.suffix.lower() in EXPORTS:
        faults.add("is an export, no study file.", mend="name a study.toml, or the folder that holds one.", file=name)
        return None, faults
    try:
        raw = _study_bytes(path, faults)
    except FileNotFoundError:
        faults.add("there is no such file.", mend="name a study.toml, or the folder that holds one.", file=str(path))
        return None, faults
    except OSError as error:
        faults.add(f"cannot be read: {error.strerror}.", mend="check the path and its permissions.", file=str(path))
        return None, faults
    if raw is None:
        return None, faults
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        faults.add(f"line {line} is not UTF-8.", mend="save the file as UTF-8.", file=name)
        return None, faults
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        what, mend = _toml_problem(error, text)
        faults.add(what, mend=mend, file=name)
        return None, faults
    lines = _lines_of(text)
    study = _validated(data, lines, name, faults)
    if study is not None:
        _check(study, lines, name, faults)
        if any("margins" in fault.what or "categories" in fault.what for fault in faults):
            unraked = study.weighting.model_copy(update={"raking": False})  # what the exports hold is no further fault
            study = study.model_copy(update={"weighting": unraked})
        if not _countable(study.scale) or any(not _opens(export) for export in study.responses):
            study = None
    return study, faults


def _study_bytes(path: Path, faults: Faults) -> bytes | None:
    """The bytes of a study file; None, and a fault, where it is no file, or larger than any study file."""
    kind = path.stat()
    if not stat.S_ISREG(kind.st_mode):
        what = "is a folder." if stat.S_ISDIR(kind.st_mode) else "is a device or a pipe, no file."
        faults.add(what, mend="name a study.toml, or the folder that holds one.", file=path.name)
        return None
    if kind.st_size > LARGEST_STUDY_FILE:
        faults.add(
            f"is {kind.st_size / 2**20:,.0f} MB large; a study file is text of a few pages.",
            mend="name a study.toml, or the folder that holds one.",
            file=path.name,
        )
        return None
    return path.read_bytes()


def _opens(export: Export) -> bool:
    """Whether text can be read in an export's encoding and parted at its delimiter."""
    try:
        encoding = export.encoding or "utf-8"
        known = '",\r\n'.encode(encoding).decode(encoding) == '",\r\n'
        known &= codecs.lookup(encoding).name not in NO_CHARACTER_SETS
    except (LookupError, ValueError):
        return False
    return known and (not export.delimiter or (len(export.delimiter) == 1 and export.delimiter not in '"\r\n'))


def _toml_problem(error: Exception, text: str) -> Problem:
    """What is wrong with a text that is no TOML, and how to mend it."""
    lines = text.rstrip().split("\n")
    message, _, place = str(error).partition(" (at ")
    found = re.match(r"line (\d+), column (\d+)", place)
    line = int(found[1]) if found else len(lines)
    here = lines[line - 1].strip() if line <= len(lines) else ""
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "is not valid TOML: a number too long or lists too deep.", "correct it."
    if "twice" in message:
        return f"line {line}: the table {here} stands twice.", "put its keys into one table."
    if "overwrite" in message and here.startswith("["):
        return f"line {line}: {here} is already given in another form.", f"write {here} wherever it starts."
    if "overwrite" in message or "Duplicate" in message:
        key = f" '{here.partition('=')[0].strip()}'" if "overwrite" in message and "=" in here else ""
        return f"line {line}: the key{key} stands twice.", "keep one of them."
    column = f", column {found[2]}" if found else ""
    return (
        f"line {line}{column} is not valid TOML: {message[0].lower()}{message[1:]}.",
        "correct the line, or the one before it; text stands in double quotes, lists in [ ], tables start with [name].",
    )


def _lines_of(text: str) -> dict[Place, int]:
    """The line on which each key and table of a valid TOML text starts.

    A statement is the shortest run of lines that is valid TOML by itself.
    """
    lines: dict[Place, int] = {}
    entries: Counter[Place] = Counter()
    table: Place = ()
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = _table_of(parsed, entries)
            lines.setdefault(table, start)
            if isinstance(table[-1], int):
                lines.setdefault(table[:-1], start)
        else:
            _note_lines(parsed, table, start, lines)
        statement, start = "", number + 1
    return lines


def _table_of(header: Any, entries: Counter[Place]) -> Place:
    """The table that a header opens; `entries` counts those of each array of tables."""
    place: Place = ()
    while header and isinstance(header, dict):
        ((key, header),) = header.items()
        place += (key,)
        entries[place] += isinstance(header, list)
        if entries[place]:
            place += (entries[place] - 1,)
    return place


def _note_lines(value: Any, place: Place, line: int, lines: dict[Place, int]) -> None:
    if place:
        lines.setdefault(place, line)
    if isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _note_lines(inner, (*place, step), line, lines)


def _validated(data: dict[str, Any], lines: Mapping[Place, int], name: str, faults: Faults) -> Study | None:
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        problems = sorted(error.errors(), key=lambda problem: lines.get(_in_data(problem, data), 0))
    # a list whose entries are at fault counts as too short as well
    problems = [problem for problem in problems if problem["type"] != "too_short" or not problem["input"]]
    placed = [(problem, _in_data(problem, data)) for problem in problems]
    for problem, place in placed:
        what, mend = _explained(problem)
        faults.add(f"{_line(place, lines)}{_in_words(place, data)}{what}", mend=mend, file=name)
    for problem, place in placed:
        if problem["type"] == "extra_forbidden" or (problem["type"] != "missing" and not _shapes_reading(place)):
            table: Any = data
            for step in place[:-1]:
                table = table.get(step, {}) if isinstance(table, dict) else table[step]
            if isinstance(table, dict):
                table.pop(place[-1], None)
    try:
        return Study.model_validate(data)
    except ValidationError:
        return None


def _shapes_reading(place: Place) -> bool:
    """Whether the exports cannot be read, nor their faults be told, without knowing the value of this key."""
    if place[0] == "axes":
        return place[2:3] != ("groups",)
    return place[0] in {"scale", "responses", "title", "matrix"} or bool({"id", "label", "answers"} & {*place})


def _in_data(problem: ErrorDetails, data: Any) -> Place:
    """Where a problem's key stands; pydantic's further steps into a type are left out."""
    place: Place = ()
    for step in problem["loc"]:
        known = step in data if isinstance(data, dict) else isinstance(data, list) and step in range(len(data))
        if not known and problem["type"] != "missing":
            break
        place += (step,)
        data = data[step] if known else None
    return place


def _section(loc: Place) -> type[Section] | None:
    """The model of the table in which the key at `loc` stands."""
    model: Any = Study
    named = False
    for step in loc[:-1]:
        if isinstance(step, int) or named:
            named = False
            continue
        field = model.model_fields.get(step) if model else None
        annotation = field.annotation if field else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), None)
        named = getattr(annotation, "__origin__", None) is dict
    return model


TYPES = {
    "string": "a text, in double quotes",
    "int": "a whole number, without quotes",
    "float": "a number, without quotes",
    "finite": "a finite number",
    "bool": "true or false, without quotes",
    "date": "a date such as 2024-03-31",
}
THRESHOLDS = (
    f'use a number on the scale, one of its labels, "top 10" or another number of issues, or one of '
    f"{joined(ThresholdRule)}."
)


def _explained(problem: ErrorDetails) -> Problem:
    """What is wrong and how to mend it, from pydantic's account of one error."""
    found, kind, context = problem["input"], problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        model = _section(problem["loc"])
        keys = list(model.model_fields) if model else []
        close = nearest(str(problem["loc"][-1]), keys)
        return (
            "unknown key." + (f" Nearest: {close}." if close else ""),
            f"correct or remove it; known here: {', '.join(keys)}.",
        )
    if kind == "missing":
        return "is missing.", "add it; the user guide shows a whole study file."
    if problem["loc"][:2] == ("tiers", "thresholds") and len(problem["loc"]) > 3:
        return f"{_found(found)} is no threshold.", THRESHOLDS
    if kind == "enum":
        expected = str(context.get("expected", ""))
        close = nearest(str(found), re.findall(r"'([^']*)'", expected))
        return f"{_found(found)} is not known." + (f" Nearest: {close}." if close else ""), f"use one of {expected}."
    if kind in {"too_short", "string_too_short"}:
        return "is empty.", "give at least one." if kind == "too_short" else "give a text."
    if kind == "too_long":
        return "holds too many values.", f"give {context.get('max_length')}."
    if kind == "string_pattern_mismatch":
        return (
            f"{_found(found)} cannot be an id.",
            "use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        )
    if kind == "string_too_long":
        return f"{_found(found)} is too long.", f"use at most {context.get('max_length')} characters."
    if kind in {"tuple_type", "dict_type", "mapping_type", "model_type"}:
        key = problem["loc"][-1]
        if isinstance(found, dict):
            return f"[{key}] opens a single table where there may be several.", f"write [[{key}]]."
        if isinstance(found, list) and kind != "tuple_type":
            return f"[[{key}]] opens one of several tables where there is one only.", f"write [{key}]."
        should = "a list, in [ ]" if kind == "tuple_type" else f"a table, such as [{key}]"
        return f"{_found(found)} was found; it should be {should}.", "correct the value."
    should = TYPES.get(kind.partition("_")[0], problem["msg"].removeprefix("Input should be "))
    return f"{_found(found)} was found; it should be {should}.", "correct the value."


def _found(value: Any) -> str:
    """A value of a study file as messages show it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return shown(value) if isinstance(value, str) else shown(str(value))[1:-1]


def _line(place: Place, lines: Mapping[Place, int]) -> str:
    """The line of a key, or of the nearest table around it; empty where there is none."""
    while place and place not in lines:
        place = place[:-1]
    return f"line {lines[place]}, " if place else ""


def _in_words(place: Place, data: Any) -> str:
    """Where a key stands: table, number and name of its entry, key."""
    words = ""
    for step in place:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
            name = data.get("id") or data.get("file") if isinstance(data, dict) else None
            words += f" no. {step + 1}" + (f" ({shown(str(name))})" if name else "")
        else:
            words += f"{'.' if words else ''}{step}"
            data = data.get(step) if isinstance(data, dict) else None
    return f"{words}: " if words else ""


def _check(study: Study, lines: Mapping[Place, int], file: str, faults: Faults) -> None:
    """Everything that one key alone cannot show."""
    for check in (
        _check_texts,
        _check_confidence,
        _check_scale,
        _check_names,
        _check_exports,
        _check_axes,
        _check_matrix,
        _check_decisions,
        _check_margins,
        _check_simulation,
    ):
        for place, what, mend in check(study):
            faults.add(f"{_line(place, lines)}{what}", mend=mend, file=file)


def _countable(scale: Scale) -> bool:
    """Whether the scale has points that can be counted."""
    return (
        scale.low < scale.high
        and max(-scale.low, scale.high) <= FARTHEST
        and (not scale.step or (scale.high - scale.low) / scale.step < MOST_POINTS)
    )


def _check_texts(study: Study) -> Iterator[PlacedProblem]:
    """No text holds a character that neither a page nor a picture can show."""
    for place, text in _texts_in(study.model_dump(mode="json"), ()):
        found = next((char for char in text if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\t\r\n"), "")
        if found:
            words = ".".join(str(step + 1) if isinstance(step, int) else step for step in place)
            yield place, f"{words}: {shown(text)} holds the control character U+{ord(found):04X}.", "remove it."


def _texts_in(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Every text of a study, with the place where it stands; names of keys among them."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(step, str):
                yield (*place, step), step
            yield from _texts_in(inner, (*place, step))


def _check_confidence(study: Study) -> Iterator[PlacedProblem]:
    if study.confidence > MOST_CONFIDENT:
        yield (
            ("confidence",),
            f"confidence: {study.confidence!r} is more than {MOST_CONFIDENT}, and 10,000 draws show no more.",
            f"use at most {MOST_CONFIDENT}.",
        )


def _check_scale(study: Study) -> Iterator[PlacedProblem]:
    scale = study.scale
    if scale.low >= scale.high:
        yield (
            ("scale", "low"),
            f"scale: low ({scale.low:g}) is not below high ({scale.high:g}).",
            "let low be the scale's smallest point.",
        )
        return
    if max(-scale.low, scale.high) > FARTHEST:
        yield ("scale",), f"scale: {scale.low:g} to {scale.high:g} is too wide.", "correct low and high."
        return
    if not _countable(scale):
        yield (
            ("scale", "step"),
            f"scale: more than {MOST_POINTS} points.",
            "set step = 0 where any number between the ends counts.",
        )
        return
    if scale.step and abs(scale.points[-1] - scale.high) > NEAR:
        yield (
            ("scale", "step"),
            f"scale: steps of {scale.step:g} from {scale.low:g} do not reach {scale.high:g}.",
            "correct step, low or high.",
        )
    meaning: dict[str, float | str] = {}
    for label, point in scale.labels.items():
        here = ("scale", "labels", label)
        if not fold(label):
            yield here, "scale.labels: a label without any text.", "write the answer; a blank cell is no rating."
        if scale.point(point) is None:
            yield (
                here,
                f"scale.labels: '{label}' is {point:g}, no point of the scale {scale.low:g} to {scale.high:g}.",
                "correct it.",
            )
        if meaning.setdefault(fold(label), point) != point:
            yield (
                here,
                f"scale.labels: '{label}' has two points (letter case and space do not matter).",
                "keep one of them.",
            )
    for label, special in scale.special.items():
        if meaning.setdefault(fold(label), special.value) != special.value:
            yield (
                ("scale", "special", label),
                f"scale.special: '{label}' has two meanings (letter case and space do not matter).",
                "keep it in labels or in special, once.",
            )


def _check_names(study: Study) -> Iterator[PlacedProblem]:
    for kind, ids in (("groups", [g.id for g in study.groups]), ("issues", [i.id for i in study.issues])):
        for k, name in enumerate(ids):
            if name in ids[:k]:
                yield (kind, k), f"{kind}: the id '{name}' stands twice.", "give each its own id."
    names: dict[str, str] = {}
    for k, issue in enumerate(study.issues):
        if names.setdefault(fold(issue.name), issue.id) != issue.id:
            yield (
                ("issues", k),
                f"issues: '{issue.id}' and '{names[fold(issue.name)]}' share the label '{issue.name}'.",
                "tell them apart by their labels.",
            )
    owner: dict[str, str] = {}
    for k, group in enumerate(study.groups):
        for answer in dict.fromkeys((group.id, group.name, *group.answers)):
            if not fold(answer):
                yield (
                    ("groups", k, "answers"),
                    f"groups: '{group.id}' has an answer without any text.",
                    "remove it; a respondent with a blank cell belongs to no group.",
                )
            elif owner.setdefault(fold(answer), group.id) != group.id:
                yield (
                    ("groups", k, "answers"),
                    f"groups: the answer '{answer}' belongs to '{owner[fold(answer)]}' and to '{group.id}'.",
                    "leave it in one of them; a group's id and label always count as its answers.",
                )


def _check_exports(study: Study) -> Iterator[PlacedProblem]:
    ids = [group.id for group in study.groups]
    sheets: dict[str, list[str]] = {}
    for k, export in enumerate(study.responses):
        here = f"responses no. {k + 1} ('{export.file}')"
        entry: Place = ("responses", k)
        if bool(export.group) == bool(export.group_is):
            given = "both group and group_is are given" if export.group else "neither group nor group_is is given"
            yield (
                entry,
                f"{here}: {given}.",
                "name the column with group = …, or the group of the whole file with group_is = ….",
            )
        if export.group_is and export.group_is not in ids:
            close = nearest(export.group_is, ids)
            yield (
                (*entry, "group_is"),
                f"{here}: group_is = '{export.group_is}' is no group." + (f" Nearest: {close}." if close else ""),
                f"use a group's id: {joined(ids)}.",
            )
        if bool(export.issue) != bool(export.answer):
            yield entry, f"{here}: only one of issue and answer is given.", "an export in long layout needs both."
        elif export.issue and not export.respondent:
            yield entry, f"{here}: issue and answer are given without respondent.", "name the respondent's column."
        if bool(export.started) != bool(export.finished):
            yield entry, f"{here}: only one of started and finished is given.", "give both, or seconds instead."
        elif export.seconds and export.started:
            yield (
                (*entry, "seconds"),
                f"{here}: seconds are given, and started and finished as well.",
                "keep seconds, or the other two.",
            )
        if export.time_format and not _tells_time(export.time_format):
            yield (
                (*entry, "time_format"),
                f"{here}: time_format {shown(export.time_format)} does not tell date and time of day.",
                'write it as in "%m/%d/%Y %H:%M:%S": %Y year, %m month, %d day, %H hour, %M minute, %S second.',
            )
        if export.delimiter and not _opens(export.model_copy(update={"encoding": ""})):
            yield (
                (*entry, "delimiter"),
                f"{here}: the delimiter {shown(export.delimiter)} cannot part cells.",
                'use one character: ",", ";" or "\\t".',
            )
        if not _opens(export.model_copy(update={"delimiter": ""})):
            yield (
                (*entry, "encoding"),
                f"{here}: the encoding {shown(export.encoding)} is not known.",
                'use "utf-8", "gb18030", "cp1252" ….',
            )
        workbook = PurePath(export.file).suffix.lower() in WORKBOOKS
        if export.sheet and not workbook:
            yield (*entry, "sheet"), f"{here}: only workbooks have sheets.", "remove sheet, or name an XLSX file."
        known = sheets.setdefault(os.path.normpath(export.file), [])
        if known and (not workbook or not export.sheet or export.sheet in known or "" in known):
            yield (
                (*entry, "file"),
                f"{here}: this export stands twice.",
                "name each export once; of a workbook, name different sheets.",
            )
        known.append(export.sheet)


def _tells_time(time_format: str) -> bool:
    """Whether a time written in the format reads back to the second, or to the minute."""
    moment = dt.datetime(2023, 11, 28, 17, 42, tzinfo=dt.UTC)
    try:
        return dt.datetime.strptime(moment.strftime(time_format), time_format).replace(tzinfo=dt.UTC) == moment
    except (ValueError, re.error):
        return False


def _check_axes(study: Study) -> Iterator[PlacedProblem]:
    groups, issues = [g.id for g in study.groups], [i.id for i in study.issues]
    owners: dict[str, str] = {}
    ids: dict[str, str] = {}
    for axis_id, axis in study.axes.items():
        here: Place = ("axes", axis_id)
        if ids.setdefault(fold(axis_id), axis_id) != axis_id:
            yield (
                here,
                f"axes: '{ids[fold(axis_id)]}' and '{axis_id}' differ in letter case alone; files are named after "
                "them.",
                "give one of them another name.",
            )
        for group in axis.groups:
            if group not in groups:
                close = nearest(group, groups)
                yield (
                    (*here, "groups", group),
                    f"axes.{axis_id}.groups: '{group}' is no group." + (f" Nearest: {close}." if close else ""),
                    f"use group ids: {joined(groups)}.",
                )
        if axis.groups and not any(axis.groups.values()):
            yield (
                (*here, "groups"),
                f"axes.{axis_id}.groups: every weight is 0.",
                "give at least one group a positive weight.",
            )
        if axis_id == COMBINED:
            yield here, f"axes.{axis_id}: the name stands for both axes together.", "give the axis another name."
        yield from _check_group_weights(study, axis_id, axis)
        for issue_id in axis.columns:
            if issue_id not in issues:
                close = nearest(issue_id, issues)
                yield (
                    (*here, "columns", issue_id),
                    f"axes.{axis_id}.columns: '{issue_id}' is no issue." + (f" Nearest: {close}." if close else ""),
                    f"use issue ids: {joined(issues)}.",
                )
        for issue in study.issues:
            column = fold(axis.question(issue))
            if not column:
                yield (
                    (*here, "columns"),
                    f"axes.{axis_id}: no column for issue '{issue.id}'.",
                    "name it in columns, or give column with {id} or {label} in it.",
                )
            elif owners.setdefault(column, issue.id) != issue.id:
                yield (
                    (*here, "columns", issue.id) if issue.id in axis.columns else (*here, "column"),
                    f"axes.{axis_id}: issues '{owners[column]}' and '{issue.id}' share the column "
                    f"'{axis.question(issue)}'.",
                    "give each issue a column of its own; column needs {id} or {label} in it.",
                )


def _check_group_weights(study: Study, axis_id: str, axis: Axis) -> Iterator[PlacedProblem]:
    asked = [g for g in study.groups if not axis.groups or axis.groups.get(g.id, 0.0) > 0]
    here: Place = ("axes", axis_id, "group_weights")
    for group, weight in axis.groups.items():
        if weight and not LIGHTEST <= weight <= HEAVIEST:
            yield (
                ("axes", axis_id, "groups", group),
                f"axes.{axis_id}.groups: {group} = {weight:g} is too far from 1 for a group weight.",
                f"give numbers from {LIGHTEST:g} to {HEAVIEST:g}, or 0; only their ratios count.",
            )
    if axis.judges and axis.group_weights is not GroupWeighting.JUDGED:
        yield (
            ("axes", axis_id, "judges"),
            f"axes.{axis_id}: judges are given, and group_weights is '{axis.group_weights.value}'.",
            'set group_weights = "judged", or leave the judges out.',
        )
    if axis.group_weights is GroupWeighting.POPULATION and any(not g.population for g in asked):
        names = joined(g.id for g in asked if not g.population)
        yield (
            here,
            f"axes.{axis_id}: group weights by population, and these groups have none: {names}.",
            "give their population in [[groups]], or the weights themselves.",
        )
    if axis.group_weights is not GroupWeighting.JUDGED:
        return
    if not axis.judges:
        yield here, f"axes.{axis_id}: group weights by judgement, and no judge.", "add [[axes.NAME.judges]]."
    if len(asked) > MOST_JUDGED:
        yield (
            here,
            f"axes.{axis_id}: {len(asked)} groups, and consistency is known for at most {MOST_JUDGED}.",
            "give the weights themselves.",
        )
        return
    named = [judge.name for judge in axis.judges if judge.name]
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield ("axes", axis_id, "judges"), f"axes.{axis_id}: two judges have the name '{name}'.", "keep one, or rename."
    for k in range(len(axis.judges)):
        yield from _check_judge(study, axis_id, axis, k, [g.id for g in asked])


def _check_judge(study: Study, axis_id: str, axis: Axis, k: int, asked: list[str]) -> Iterator[PlacedProblem]:
    from itertools import combinations

    from materiality.judgements import most_inconsistent, principal_weights

    judge = axis.judges[k]
    place: Place = ("axes", axis_id, "judges", k, "judgements")
    name = f"axes.{axis_id}, judge '{judge.name or k + 1}'"
    told = [tuple(part.strip() for part in key.partition("/")[::2]) for key in judge.judgements]
    for key, pair in zip(judge.judgements, told, strict=True):
        if pair[0] not in asked or pair[1] not in asked or pair[0] == pair[1]:
            yield (
                (*place, key),
                f"{name}: '{key}' compares no two groups of the axis.",
                f'write "{asked[0]}/{asked[-1]}" = 3, with ids of {joined(asked)}.',
            )
            return
    times = Counter(frozenset(pair) for pair in told)
    twice = [" and ".join(sorted(pair)) for pair, n in times.items() if n > 1]
    missing = [" and ".join(pair) for pair in combinations(asked, 2) if frozenset(pair) not in times]
    for pairs, what, mend in (
        (twice, "compared twice", "keep one of them."),
        (missing, "not compared", "compare them."),
    ):
        if pairs:
            yield place, f"{name}: {what}: {'; '.join(pairs)}.", mend
    if twice or missing:
        return
    try:
        matrix = study.judgements(axis, judge)
    except ValueError as error:
        yield place, f"{name}: {error}.", "give ratios such as 3 or 0.25."
        return
    ratio = principal_weights(matrix).consistency_ratio
    if ratio > CONSISTENT and not axis.accept_inconsistent:
        worst = most_inconsistent(matrix)
        names = f"{asked[worst.first]}/{asked[worst.second]}"
        yield (
            place,
            f"{name}: the comparisons contradict each other (consistency ratio {ratio:.2f}, at most {CONSISTENT:.2f}). "
            f"'{names}' is {worst.judged:g}; the others together say {worst.implied:.2g}.",
            "let the judge look at them again, or set accept_inconsistent = true under the axis.",
        )


def _check_matrix(study: Study) -> Iterator[PlacedProblem]:
    axes = list(study.axes)
    for key, axis in (("x", study.matrix.x), ("y", study.matrix.y)):
        if axis and axis not in axes:
            close = nearest(axis, axes)
            yield (
                ("matrix", key),
                f"matrix.{key}: '{axis}' is no axis." + (f" Nearest: {close}." if close else ""),
                f"use one of {joined(axes)}.",
            )
    if len(axes) < 2:
        yield (
            ("axes", axes[0]),
            f"axes: a matrix needs two, only '{axes[0]}' is given.",
            "add a second [axes.…]; it may ask the same columns of other groups.",
        )
    elif len(axes) > 2 and not (study.matrix.x and study.matrix.y):
        yield (
            ("matrix",),
            f"matrix: {len(axes)} axes, and x and y are not both named.",
            f"choose two of {joined(axes)}.",
        )
    elif bool(study.matrix.x) != bool(study.matrix.y):
        yield ("matrix",), "matrix: only one of x and y is named.", "name both, or neither."
    elif study.x == study.y:
        yield ("matrix",), f"matrix: x and y are both '{study.x}'.", f"choose two of {joined(axes)}."
    for axis in study.tiers.thresholds:
        yield from _check_threshold(study, axis)
    if study.tiers.clusters is not None and study.tiers.clusters > len(study.issues):
        yield (
            ("tiers", "clusters"),
            f"tiers: {study.tiers.clusters} clusters for {len(study.issues)} issues.",
            "ask for fewer clusters, or leave clusters out.",
        )


def _check_threshold(study: Study, axis: str) -> Iterator[PlacedProblem]:
    here, given = ("tiers", "thresholds", axis), study.tiers.thresholds[axis]
    low, high = study.scale.low, study.scale.high
    if axis not in study.axes:
        close = nearest(axis, study.axes)
        yield (
            here,
            f"tiers.thresholds: '{axis}' is no axis." + (f" Nearest: {close}." if close else ""),
            f"use one of {joined(study.axes)}.",
        )
        return
    try:
        threshold = study.threshold(axis)
    except ValueError:
        close = nearest(str(given), [*ThresholdRule, *study.scale.labels])
        yield (
            here,
            f"tiers.thresholds.{axis}: {_found(given)} is no threshold." + (f" Nearest: {close}." if close else ""),
            THRESHOLDS,
        )
        return
    if isinstance(threshold, float) and not low <= threshold <= high:
        yield (
            here,
            f"tiers.thresholds: {axis} = {threshold:g} is off the scale {low:g} to {high:g}.",
            f"correct it, or use one of {joined(ThresholdRule)}.",
        )
    if isinstance(threshold, Top) and not 0 < threshold.count < len(study.issues):
        yield (
            here,
            f"tiers.thresholds: {axis} = {_found(given)} divides nothing among {len(study.issues)} issues.",
            f"use a number from 1 to {len(study.issues) - 1}."
            if len(study.issues) > 1
            else "use a number on the scale.",
        )


def _check_decisions(study: Study) -> Iterator[PlacedProblem]:
    issues = [issue.id for issue in study.issues]
    seen: dict[str, int] = {}
    for k, decision in enumerate(study.decisions):
        if decision.issue not in issues:
            close = nearest(decision.issue, issues)
            yield (
                ("decisions", k, "issue"),
                f"decisions: '{decision.issue}' is no issue." + (f" Nearest: {close}." if close else ""),
                "use the id of an issue.",
            )
        elif decision.issue in seen:
            yield (
                ("decisions", k, "issue"),
                f"decisions: '{decision.issue}' is decided twice, here and in number {seen[decision.issue]}.",
                "leave the one that holds.",
            )
        else:
            seen[decision.issue] = k + 1


def _check_margins(study: Study) -> Iterator[PlacedProblem]:
    if study.weighting.trim and study.weighting.trim[0] >= study.weighting.trim[1]:
        yield (
            ("weighting", "trim"),
            "weighting.trim: the first bound is not below the second.",
            "give [smallest, largest] weight.",
        )
    elif study.weighting.trim and not study.weighting.trim[0] <= 1 <= study.weighting.trim[1]:
        yield (
            ("weighting", "trim"),
            "weighting.trim: {:g} to {:g} leaves out 1, the mean weight.".format(*study.weighting.trim),
            "give the smallest and the largest weight as multiples of the mean, such as [0.3, 3.0].",
        )
    for k, group in enumerate(study.groups):
        totals = {}
        for column, categories in group.margins.items():
            if not categories or not any(categories.values()):
                yield (
                    ("groups", k, "margins", column),
                    f"groups '{group.id}', margins.{column}: no category counts anything.",
                    "give counts or shares.",
                )
                continue
            total = sum(categories.values())
            if total > MOST_PEOPLE:
                yield (
                    ("groups", k, "margins", column),
                    f"groups '{group.id}', margins.{column}: the counts add up to {total:g}; no group is so large.",
                    "correct the counts, or give shares that sum to 1.",
                )
                continue
            if any(0 < share < 1 for share in categories.values()) and abs(total - 1) > SHARES_MISS:
                yield (
                    ("groups", k, "margins", column),
                    f"groups '{group.id}', margins.{column}: some numbers are below 1 and look like shares, and all of "
                    f"them add up to {total:g}.",
                    "give shares that sum to 1, or counts.",
                )
            elif abs(total - 1) > 1e-6:
                totals[column] = total
        if totals and max(totals.values()) - min(totals.values()) > 1e-6 * max(totals.values()):
            told = ", ".join(f"{column} {total:g}" for column, total in totals.items())
            yield (
                ("groups", k, "margins", next(iter(totals))),
                f"groups '{group.id}': the margins' totals disagree: {told}.",
                "correct the counts, or give shares that sum to 1.",
            )
        yield from _check_categories(k, group)
        if group.strata and not any(export.stratum for export in study.responses):
            yield (
                ("groups", k, "strata"),
                f"groups '{group.id}' has strata, and no export says in which column they stand.",
                "name it with stratum = … in [[responses]], or leave strata out.",
            )
        if group.strata and group.population and sum(group.strata.values()) != group.population:
            yield (
                ("groups", k, "strata"),
                f"groups '{group.id}': the strata hold {sum(group.strata.values())}, "
                f"the population {group.population}.",
                "correct one of them.",
            )


def _check_categories(k: int, group: Group) -> Iterator[PlacedProblem]:
    for column, margin in group.margins.items():
        twice = [name for name, times in Counter(map(fold, margin)).items() if times > 1]
        if twice:
            yield (
                ("groups", k, "margins", column),
                f"groups '{group.id}', margins.{column}: two categories read '{twice[0]}'.",
                "keep one; letter case and spaces do not matter.",
            )
    for column, answers in group.categories.items():
        if column not in group.margins:
            yield (
                ("groups", k, "categories", column),
                f"groups '{group.id}': categories.{column} has no margin beside it.",
                "write the column as in margins, or leave it out.",
            )
            continue
        margin = group.margins[column]
        for answer, category in answers.items():
            if fold(category) not in set(map(fold, margin)):
                yield (
                    ("groups", k, "categories", column, answer),
                    f"groups '{group.id}', categories.{column}: '{answer}' means '{category}', "
                    "which the margin has not.",
                    f"name one of {joined(margin)}.",
                )
            if fold(answer) in set(map(fold, margin)) and fold(answer) != fold(category):
                yield (
                    ("groups", k, "categories", column, answer),
                    f"groups '{group.id}', categories.{column}: '{answer}' is a category of the margin itself.",
                    "take it out of the margin, its count added to the other's, or out of categories.",
                )


def _check_simulation(study: Study) -> Iterator[PlacedProblem]:
    if study.simulation is None:
        return
    groups, issues = [g.id for g in study.groups], [i.id for i in study.issues]
    named: list[tuple[str, Mapping[str, Any], list[str]]] = [
        ("respondents", study.simulation.respondents, groups),
        ("means", study.simulation.means, list(study.axes)),
        *((f"means.{axis}", means, issues) for axis, means in study.simulation.means.items()),
        ("shifts", study.simulation.shifts, groups),
        *((f"shifts.{group}", shifts, issues) for group, shifts in study.simulation.shifts.items()),
        ("sample", study.simulation.sample, groups),
    ]
    categories: dict[str, dict[str, float]] = {}
    for group in study.groups:
        sampled = study.simulation.sample.get(group.id, {})
        named.append((f"sample.{group.id}", sampled, list(group.margins)))
        for column, margin in group.margins.items():
            named.append((f"sample.{group.id}.{column}", sampled.get(column, {}), list(margin)))
            categories.setdefault(column, {}).update(margin)
            if column in sampled and not any(sampled[column].values()):
                yield (
                    ("simulation", "sample", group.id, column),
                    f"simulation.sample.{group.id}.{column}: no category has a share.",
                    "give shares, or leave it out.",
                )
    named.append(("effects", study.simulation.effects, list(categories)))
    for column, valid_here in categories.items():
        named.append((f"effects.{column}", study.simulation.effects.get(column, {}), list(valid_here)))
    for key, table, valid in named:
        for name in table:
            if name not in valid:
                close = nearest(name, valid)
                yield (
                    ("simulation", *key.split("."), name),
                    f"simulation.{key}: '{name}' is not known." + (f" Nearest: {close}." if close else ""),
                    f"use one of {joined(valid)}." if valid else "remove it, or give the group margins.",
                )
    for axis, means in study.simulation.means.items():
        for issue, mean in means.items():
            if not study.scale.low < mean < study.scale.high:
                yield (
                    ("simulation", "means", axis, issue),
                    f"simulation.means.{axis}: {issue} = {mean:g} is not inside the scale.",
                    f"choose a mean between {study.scale.low:g} and {study.scale.high:g}.",
                )


def export_path(study_file: Path, export: Export) -> Path:
    """Where an export lies: its `file` is relative to the study file."""
    return study_file.parent / PurePath(export.file)


__all__ = [
    "Action",
    "Axis",
    "Cleaning",
    "Decided",
    "Decision",
    "DuplicateChoice",
    "Export",
    "Group",
    "Issue",
    "Layout",
    "MaterialRule",
    "MaterialityError",
    "MatrixAxes",
    "Pillar",
    "Privacy",
    "PrivacyProfile",
    "Robustness",
    "Scale",
    "Simulation",
    "Special",
    "Spoilt",
    "Study",
    "Threshold",
    "ThresholdRule",
    "TierMethod",
    "Tiers",
    "Tool",
    "Top",
    "UnknownGroup",
    "Weighting",
    "draft_study",
    "export_path",
    "fold",
    "load_study",
    "study_path",
]
