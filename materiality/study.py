"""The study file: its words, its rules, and every fault in it told at once."""

from __future__ import annotations

import codecs
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from materiality.errors import Faults, MaterialityError, joined, nearest, shown

STUDY_FILE = "study.toml"


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


class MaterialRule(StrEnum):
    """On how many axes an issue must lie above the threshold to count as material."""

    EITHER = "either"
    BOTH = "both"


class PrivacyProfile(StrEnum):
    """For whose eyes the outputs are."""

    INTERNAL = "internal"
    PUBLISH = "publish"
    OFF = "off"


def _texts(value: Any) -> Any:
    """Answer codes may be written as numbers."""
    if isinstance(value, list):
        return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
    return value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Identifier = Annotated[str, Field(pattern=r"^\w[\w.-]*$", max_length=60)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


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
        return tuple(self.low + self.step * k for k in range(math.floor((self.high - self.low) / self.step + 1e-9) + 1))

    @property
    def midpoint(self) -> float:
        """Half-way between the ends."""
        return (self.low + self.high) / 2


class Export(Section):
    """One export of a survey tool, and which of its columns mean what."""

    file: Annotated[str, Field(min_length=1)]
    tool: Tool = Tool.AUTO
    respondent: str = ""
    own_ids: bool = False
    group: str = ""
    group_is: str = ""
    group_separator: str = ""
    weight: str = ""
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
    population: Annotated[int, Field(gt=0)] | None = None
    margins: Mapping[str, Mapping[str, NonNegative]] = {}

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


class Axis(Section):
    """One dimension of the matrix: a question per issue, the groups that answer it, and their weights."""

    label: str = ""
    column: str = ""
    columns: Mapping[str, str] = {}
    groups: Mapping[str, NonNegative] = {}

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


class Weighting(Section):
    """Raking, trimming of weights, and the finite population correction."""

    raking: bool = True
    trim: Annotated[tuple[Positive, Positive] | None, Field()] = None
    finite_population: bool = True


class Tiers(Section):
    """How issues become tiers and when one is material.

    `thresholds` holds, per axis, a number on the scale or one of mean, median, midpoint and largest_gap.
    """

    method: TierMethod = TierMethod.THRESHOLDS
    thresholds: Mapping[str, Finite | ThresholdRule] = {}
    rule: MaterialRule = MaterialRule.EITHER
    clusters: Annotated[int, Field(ge=1)] | None = None


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


class Spoilt(Section):
    """How many rows of each kind `materiality simulate` spoils."""

    blank: Annotated[int, Field(ge=0)] = 0
    no_group: Annotated[int, Field(ge=0)] = 0
    no_rating: Annotated[int, Field(ge=0)] = 0
    too_few_answers: Annotated[int, Field(ge=0)] = 0
    duplicate: Annotated[int, Field(ge=0)] = 0
    too_fast: Annotated[int, Field(ge=0)] = 0
    straight_lined: Annotated[int, Field(ge=0)] = 0


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

    respondents: Mapping[str, Annotated[int, Field(ge=0)]] = {}
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
    simulated: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    scale: Scale
    responses: Annotated[tuple[Export, ...], Field(min_length=1)]
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    issues: Annotated[tuple[Issue, ...], Field(min_length=1)]
    axes: Annotated[dict[Identifier, Axis], Field(min_length=1)]
    matrix: MatrixAxes = MatrixAxes()
    cleaning: Cleaning = Cleaning()
    weighting: Weighting = Weighting()
    tiers: Tiers = Tiers()
    privacy: Privacy = Privacy()
    simulation: Simulation | None = None

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
        weights = tuple(
            tuple(float(axis.groups.get(group.id, 0.0)) if axis.groups else 1.0 for group in self.groups)
            for axis in self.axes.values()
        )
        return Layout(tuple(questions), tuple(places), weights)

    @property
    def x(self) -> str:
        """Id of the axis that lies across."""
        return self.matrix.x or list(self.axes)[1]

    @property
    def y(self) -> str:
        """Id of the axis that lies up."""
        return self.matrix.y or next(iter(self.axes))


@dataclass(frozen=True)
class Layout:
    """The questions that a study's axes ask.

    Attributes
    ----------
    questions : tuple of str
        Headers of the distinct columns; two axes may ask the same question of different groups.
    question_of : per axis, per issue, int
        Which question holds the answers.
    group_weights : per axis, per group, float
        As the study gives them, before scaling; 0 where the axis does not ask the group.
    """

    questions: tuple[str, ...]
    question_of: tuple[tuple[int, ...], ...]
    group_weights: tuple[tuple[float, ...], ...]


def fold(text: str) -> str:
    """A text as it is compared: letter case and space do not matter."""
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
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = tomllib.loads(text)
    except FileNotFoundError:
        faults.add("there is no such file.", mend="name a study.toml, or the folder that holds one.", file=str(path))
        return None, faults
    except OSError as error:
        faults.add(f"cannot be read: {error.strerror}.", mend="check the path and its permissions.", file=str(path))
        return None, faults
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        faults.add(f"line {line} is not UTF-8.", mend="save the file as UTF-8.", file=name)
        return None, faults
    except tomllib.TOMLDecodeError as error:
        faults.add(f"is not valid TOML: {error}.", mend=_toml_mend(str(error)), file=name)
        return None, faults
    study = _validated(data, text, name, faults)
    if study is not None:
        _check(study, name, faults)
        if study.scale.low >= study.scale.high or any(not _opens(export) for export in study.responses):
            study = None
    return study, faults


def _opens(export: Export) -> bool:
    """Whether an export's encoding and delimiter can be."""
    try:
        codecs.lookup(export.encoding or "utf-8")
    except LookupError:
        return False
    return len(export.delimiter) < 2


def _toml_mend(message: str) -> str:
    if "overwrite" in message or "twice" in message:
        return "a key or table stands twice; keep one of them."
    return "correct the line; text stands in double quotes, lists in [ ], tables start with [name]."


def _validated(data: dict[str, Any], text: str, name: str, faults: Faults) -> Study | None:
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        problems = error.errors()
    for problem in problems:
        what, mend = _explained(problem)
        faults.add(f"{_place(problem['loc'], data, text)}: {what}", mend=mend, file=name)
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            table: Any = data
            for step in problem["loc"][:-1]:
                table = table[step]
            table.pop(problem["loc"][-1], None)
    try:
        return Study.model_validate(data)
    except ValidationError:
        return None


def _section(loc: tuple[str | int, ...]) -> type[Section] | None:
    """The model of the table in which the key at `loc` stands."""
    model: Any = Study
    for step in loc[:-1]:
        if isinstance(step, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        field = model.model_fields.get(str(step))
        annotation = field.annotation if field else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), None)
    return model if isinstance(model, type) and issubclass(model, Section) else None


def _explained(problem: ErrorDetails) -> tuple[str, str]:
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
    if kind == "enum":
        expected = str(context.get("expected", ""))
        close = nearest(str(found), re.findall(r"'([^']*)'", expected))
        return f"{found!r} is not known." + (f" Nearest: {close}." if close else ""), f"use one of {expected}."
    if kind in {"too_short", "string_too_short"}:
        return "is empty.", "give at least one."
    if kind == "string_pattern_mismatch":
        return (
            f"{found!r} cannot be an id.",
            "use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        )
    message = problem["msg"].replace("Input should be", "should be")
    value = "" if isinstance(found, dict | list) else f"{found!r} was found; "
    return f"{value}it {message[0].lower()}{message[1:]}.", "correct the value."


def _place(loc: tuple[str | int, ...], data: Any, text: str) -> str:
    """Where a key stands, in words: table, number and name of its entry, key, and its line where it can be found."""
    words, node = "", data
    for step in loc:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else None
            name = node.get("id") or node.get("file") if isinstance(node, dict) else None
            words += f" no. {step + 1}" + (f" ('{name}')" if name else "")
        else:
            words += f"{'.' if words else ''}{step}"
            node = node.get(step) if isinstance(node, dict) else None
    line = _line_of(loc, text)
    return (f"line {line}, " if line else "") + words


def _line_of(loc: tuple[str | int, ...], text: str) -> int:
    """The line on which a key stands, or its table starts; 0 where it cannot be told."""
    table = [str(step) for step in loc[:-1] if not isinstance(step, int)]
    number = next((step for step in loc if isinstance(step, int)), None)
    dotted = r"\s*\.\s*".join(map(re.escape, table))
    header = rf"^\s*\[\[?\s*{dotted}\s*\]\]?" if table else None
    lines = text.splitlines()
    start, seen = 0, -1
    if header:
        for k, line in enumerate(lines):
            if re.match(header, line):
                seen += 1
                if number is None or seen == number:
                    start = k + 1
                    break
        else:
            return 0
    for k in range(start, len(lines)):
        if re.match(rf'^\s*"?{re.escape(str(loc[-1]))}"?\s*=', lines[k]):
            return k + 1
        if lines[k].lstrip().startswith("["):
            break
    return start


def _check(study: Study, file: str, faults: Faults) -> None:
    """Everything that one key alone cannot show."""
    for check in (
        _check_scale,
        _check_names,
        _check_exports,
        _check_axes,
        _check_matrix,
        _check_margins,
        _check_simulation,
    ):
        for what, mend in check(study):
            faults.add(what, mend=mend, file=file)


Problem = tuple[str, str]


def _check_scale(study: Study) -> Iterator[Problem]:
    scale = study.scale
    if scale.low >= scale.high:
        yield (
            f"scale: low ({scale.low:g}) is not below high ({scale.high:g}).",
            "let low be the scale's smallest point.",
        )
        return
    if scale.step and len(scale.points) > 1001:
        yield f"scale: {len(scale.points)} points.", "set step = 0 where any number between the ends counts."
    if scale.step and abs(scale.points[-1] - scale.high) > 1e-9:
        yield (
            f"scale: steps of {scale.step:g} from {scale.low:g} do not reach {scale.high:g}.",
            "correct step, low or high.",
        )
    meaning: dict[str, float | str] = {}
    for label, point in scale.labels.items():
        on_scale = scale.low <= point <= scale.high and (
            not scale.step or any(abs(point - p) < 1e-9 for p in scale.points)
        )
        if not on_scale:
            yield f"scale.labels: '{label}' is {point:g}, off the scale {scale.low:g} to {scale.high:g}.", "correct it."
        if meaning.setdefault(fold(label), point) != point:
            yield f"scale.labels: '{label}' has two points (letter case and space do not matter).", "keep one of them."
    for label, special in scale.special.items():
        if meaning.setdefault(fold(label), special.value) != special.value:
            yield f"scale.special: '{label}' has two meanings.", "keep it in labels or in special, once."


def _check_names(study: Study) -> Iterator[Problem]:
    for kind, ids in (("groups", [g.id for g in study.groups]), ("issues", [i.id for i in study.issues])):
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            yield f"{kind}: the id '{twice}' stands twice.", "give each its own id."
    names: dict[str, str] = {}
    for issue in study.issues:
        if names.setdefault(fold(issue.name), issue.id) != issue.id:
            yield (
                f"issues: '{issue.id}' and '{names[fold(issue.name)]}' share the label '{issue.name}'.",
                "tell them apart by their labels.",
            )
    owner: dict[str, str] = {}
    for group in study.groups:
        for answer in (group.id, group.name, *group.answers):
            if owner.setdefault(fold(answer), group.id) != group.id:
                yield (
                    f"groups: the answer '{answer}' belongs to '{owner[fold(answer)]}' and to '{group.id}'.",
                    "leave it in one of them; a group's id and label always count as its answers.",
                )


def _check_exports(study: Study) -> Iterator[Problem]:
    ids = [group.id for group in study.groups]
    for number, export in enumerate(study.responses, 1):
        here = f"responses no. {number} ('{export.file}')"
        if bool(export.group) == bool(export.group_is):
            given = "both group and group_is are given" if export.group else "neither group nor group_is is given"
            yield (
                f"{here}: {given}.",
                "name the column with group = …, or the group of the whole file with group_is = ….",
            )
        if export.group_is and export.group_is not in ids:
            close = nearest(export.group_is, ids)
            yield (
                f"{here}: group_is = '{export.group_is}' is no group." + (f" Nearest: {close}." if close else ""),
                f"use a group's id: {joined(ids)}.",
            )
        if bool(export.started) != bool(export.finished):
            yield f"{here}: only one of started and finished is given.", "give both, or seconds instead."
        if export.delimiter and len(export.delimiter) != 1:
            yield f"{here}: the delimiter {shown(export.delimiter)} is not one character.", 'use ",", ";" or "\\t".'
        if export.encoding:
            try:
                codecs.lookup(export.encoding)
            except LookupError:
                yield f"{here}: the encoding '{export.encoding}' is not known.", 'use "utf-8", "gb18030", "cp1252" ….'
    files = [export.file for export in study.responses]
    for twice in sorted({file for file in files if files.count(file) > 1}):
        sheets = [export.sheet for export in study.responses if export.file == twice]
        if len(set(sheets)) < len(sheets):
            yield f"responses: '{twice}' stands twice.", "name each export once, or name different sheets."


def _check_axes(study: Study) -> Iterator[Problem]:
    groups, issues = [g.id for g in study.groups], [i.id for i in study.issues]
    owners: dict[str, str] = {}
    for axis_id, axis in study.axes.items():
        for group in axis.groups:
            if group not in groups:
                close = nearest(group, groups)
                yield (
                    f"axes.{axis_id}.groups: '{group}' is no group." + (f" Nearest: {close}." if close else ""),
                    f"use group ids: {joined(groups)}.",
                )
        if axis.groups and not any(axis.groups.values()):
            yield f"axes.{axis_id}.groups: every weight is 0.", "give at least one group a positive weight."
        for issue_id in axis.columns:
            if issue_id not in issues:
                close = nearest(issue_id, issues)
                yield (
                    f"axes.{axis_id}.columns: '{issue_id}' is no issue." + (f" Nearest: {close}." if close else ""),
                    "use issue ids.",
                )
        for issue in study.issues:
            column = fold(axis.question(issue))
            if not column:
                yield (
                    f"axes.{axis_id}: no column for issue '{issue.id}'.",
                    "name it in columns, or give column with {id} or {label} in it.",
                )
            elif owners.setdefault(column, issue.id) != issue.id:
                yield (
                    f"axes.{axis_id}: issues '{owners[column]}' and '{issue.id}' share the column "
                    f"'{axis.question(issue)}'.",
                    "give each issue a column of its own; column needs {id} or {label} in it.",
                )


def _check_matrix(study: Study) -> Iterator[Problem]:
    axes = list(study.axes)
    for place, axis in (("x", study.matrix.x), ("y", study.matrix.y)):
        if axis and axis not in axes:
            close = nearest(axis, axes)
            yield (
                f"matrix.{place}: '{axis}' is no axis." + (f" Nearest: {close}." if close else ""),
                f"use one of {joined(axes)}.",
            )
    if len(axes) < 2:
        yield (
            f"axes: a matrix needs two, only '{axes[0]}' is given.",
            "add a second [axes.…]; it may ask the same columns of other groups.",
        )
    elif len(axes) > 2 and not (study.matrix.x and study.matrix.y):
        yield f"matrix: {len(axes)} axes, and x and y are not both named.", f"choose two of {joined(axes)}."
    elif bool(study.matrix.x) != bool(study.matrix.y):
        yield "matrix: only one of x and y is named.", "name both, or neither."
    elif study.x == study.y:
        yield f"matrix: x and y are both '{study.x}'.", f"choose two of {joined(axes)}."
    for axis, threshold in study.tiers.thresholds.items():
        if axis not in axes:
            close = nearest(axis, axes)
            yield (
                f"tiers.thresholds: '{axis}' is no axis." + (f" Nearest: {close}." if close else ""),
                f"use one of {joined(axes)}.",
            )
        low, high = study.scale.low, study.scale.high
        if isinstance(threshold, float) and not low <= threshold <= high:
            yield (
                f"tiers.thresholds: {axis} = {threshold:g} is off the scale {low:g} to {high:g}.",
                "correct it, or use mean, median, midpoint or largest_gap.",
            )
    if study.tiers.clusters is not None and study.tiers.clusters > len(study.issues):
        yield (
            f"tiers: {study.tiers.clusters} clusters for {len(study.issues)} issues.",
            "ask for fewer clusters, or leave clusters out.",
        )


def _check_margins(study: Study) -> Iterator[Problem]:
    if study.weighting.trim and study.weighting.trim[0] >= study.weighting.trim[1]:
        yield "weighting.trim: the first bound is not below the second.", "give [smallest, largest] weight."
    for group in study.groups:
        totals = {}
        for column, categories in group.margins.items():
            if not categories or not any(categories.values()):
                yield f"groups '{group.id}', margins.{column}: no category counts anything.", "give counts or shares."
                continue
            total = sum(categories.values())
            if abs(total - 1) > 1e-6:
                totals[column] = total
        if totals and max(totals.values()) - min(totals.values()) > 1e-6 * max(totals.values()):
            told = ", ".join(f"{column} {total:g}" for column, total in totals.items())
            yield (
                f"groups '{group.id}': the margins' totals disagree: {told}.",
                "correct the counts, or give shares that sum to 1.",
            )


def _check_simulation(study: Study) -> Iterator[Problem]:
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
                    f"simulation.{key}: '{name}' is not known." + (f" Nearest: {close}." if close else ""),
                    f"use one of {joined(valid)}." if valid else "remove it, or give the group margins.",
                )
    for axis, means in study.simulation.means.items():
        for issue, mean in means.items():
            if not study.scale.low < mean < study.scale.high:
                yield (
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
    "Scale",
    "Simulation",
    "Special",
    "Spoilt",
    "Study",
    "ThresholdRule",
    "TierMethod",
    "Tiers",
    "Tool",
    "UnknownGroup",
    "Weighting",
    "draft_study",
    "export_path",
    "fold",
    "load_study",
    "study_path",
]
