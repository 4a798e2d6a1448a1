"""A first study file from exports alone; every guess stands in a comment beside it."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from materiality.errors import ROWS_SHOWN, Faults, rows_in_words
from materiality.inspection import FEW, Inspection, inspect_export
from materiality.reading.answers import Answers, Unreadable, read_seconds, read_time
from materiality.reading.kinds import Column, ColumnKind
from materiality.study import STUDY_FILE, Scale, Special, Tool, fold

T = TypeVar("T")
MOST_GROUPS = 30
LEAST_ISSUES = 2
LEAST_GROUP = 2
LEAST_GROUPS = 2
GROUP_WORDS = {
    "stakeholder": 10,
    "利益相关方": 10,
    "which describes you": 9,
    "best describes you": 9,
    "what kind of": 8,
    "which group": 8,
    "your role": 8,
    "job role": 8,
    "job title": 7,
    "您的身份": 8,
    "身份": 6,
    "角色": 6,
    "respondent type": 8,
    "relationship": 6,
    "rolle": 6,
    "gruppe": 6,
    "groupe": 6,
    "grupo": 6,
    "gruppo": 6,
    "group": 6,
    "role": 5,
    "faculty": 4,
    "department": 4,
    "industry": 4,
    "sector": 4,
    "employ": 3,
    "position": 3,
    "category": 3,
    "type of": 3,
    "部门": 4,
    "行业": 3,
    "职业": 4,
    "education": 1,
    "age": 1,
    "gender": 1,
}
IMPORTANCE = re.compile(
    "importan|critical|relevan|priorit|material|useful|重要|必要|wichtig|relevant|utile|útil|importa", re.IGNORECASE
)
TIME_FORMATS = (
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
)


@dataclass(frozen=True)
class Question:
    """One matrix question: its rows are issues, its answers ratings on one scale."""

    text: str
    columns: tuple[Column, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """The rows, as the export names them."""
        return tuple(_item(column) for column in self.columns)


def draft(exports: Sequence[Path], out: Path) -> str:
    """A study file for some exports of one survey, as text; `check` accepts it.

    The groups come from the likeliest group column, the issues from the matrix question with the most rows, scale and
    labels from its answers. Where a second question has the same rows, it becomes the second axis. What fewer than
    `inspection.FEW` people said in words of their own is told by row and never written: it may say who they are.

    Parameters
    ----------
    exports : sequence of Path
        At least one.
    out : Path
        The folder that the study file is for; files are named relative to it.

    Raises
    ------
    MaterialityError
        Where an export cannot be read, or holds no group column or no matrix of ratings.
    """
    found = [inspect_export(path) for path in exports]
    first, faults = found[0], Faults()
    groups = likeliest_group(first)
    questions = rating_questions(first)
    if groups is None:
        faults.add(
            "no column looks like one that tells stakeholder groups apart.",
            mend="write the study file by hand with group_is = …, or add such a column; the user guide shows how.",
            file=first.file,
        )
    elif len(_groups(first, groups)) < LEAST_GROUPS:
        faults.add(
            f"fewer than {LEAST_GROUPS} answers were given by {FEW} people or more, so no groups can be drafted.",
            mend="write the study file by hand; a draft holds no answer of fewer people: it may say who they are.",
            file=first.file,
            column=_reference(first, groups),
        )
    if not questions:
        faults.add(
            "no question looks like a matrix of ratings.",
            mend="write the study file by hand; `materiality inspect` shows what each column was taken for.",
            file=first.file,
        )
    if groups is not None:
        for other in found[1:]:
            other.table.find(_reference(first, groups), "group", faults)
    faults.raise_any()
    assert groups is not None
    return "\n".join([*_study(first, found, exports, out, groups, questions), ""])


def write_draft(exports: Sequence[Path | str], out: Path | str | None = None) -> Path:
    """Write a draft `study.toml` into a folder, the first export's by default; an existing one is never overwritten."""
    paths = [Path(path) for path in exports]
    folder = Path(out) if out is not None else paths[0].parent
    target = folder / STUDY_FILE
    faults = Faults()
    if target.exists():
        faults.add(
            "stands there already.", mend="choose another folder with --out, or move that file away.", file=str(target)
        )
    faults.raise_any()
    text = draft(paths, folder)
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")
    return target


def likeliest_group(found: Inspection) -> Column | None:
    """The column that most likely tells stakeholder groups apart: a choice of few, named like one."""
    best: tuple[float, Column | None] = (0.0, None)
    for place, (column, counts) in enumerate(zip(found.columns, found.answers, strict=True)):
        if column.kind not in {ColumnKind.CHOICE, ColumnKind.MULTIPLE} or column.matrix >= 0 or column.head.item:
            continue
        if column.kind is ColumnKind.MULTIPLE and not column.separator:
            continue
        answers = _group_answers(column, counts)
        if not 2 <= len(answers) <= MOST_GROUPS:
            continue
        words = f"{column.head.name} {column.head.question}".casefold()
        named = max((worth for word, worth in GROUP_WORDS.items() if word in words), default=0)
        answered = min(1.0, sum(counts.values()) / max(found.responses, 1))
        score = named + 2 * answered + (1 if 3 <= len(answers) <= 12 else 0) - 0.01 * place
        score -= 3 if column.kind is ColumnKind.MULTIPLE else 0
        if score > best[0]:
            best = (score, column)
    return best[1]


def rating_questions(found: Inspection) -> list[Question]:
    """Questions whose rows may be issues, the likeliest first.

    Matrix questions of ratings count by their rows; those that ask how important, relevant or critical something is
    come before others. Matrices on one scale with different rows are taken together, as are single ratings on one.
    """
    matrices: dict[int, list[Column]] = {}
    by_scale: dict[tuple[object, ...], list[Column]] = {}
    for column in found.columns:
        if column.kind is ColumnKind.RATING and column.scale is not None:
            scale = column.scale
            by_scale.setdefault((scale.low, scale.high, frozenset(map(fold, scale.labels))), []).append(column)
            if column.matrix >= 0:
                matrices.setdefault(column.matrix, []).append(column)
    questions = [Question(_question(columns), tuple(columns)) for columns in matrices.values()]
    for columns in by_scale.values():
        items = [fold(_item(column)) for column in columns]
        if len({column.matrix for column in columns}) > 1 and len(set(items)) == len(items):
            questions.append(Question("", tuple(columns)))
    questions = [question for question in questions if len(question.columns) >= LEAST_ISSUES]
    return sorted(questions, key=lambda question: -len(question.columns) * (2 if _asks_importance(question) else 1))


def _asks_importance(question: Question) -> bool:
    labels = question.columns[0].scale.labels if question.columns[0].scale else {}
    return bool(IMPORTANCE.search(" ".join([question.text, *labels])))


def _question(columns: Sequence[Column]) -> str:
    return Counter(column.head.question for column in columns).most_common(1)[0][0]


def _item(column: Column) -> str:
    return " ".join((column.head.item or column.head.question or column.head.name).split())


def _group_answers(column: Column, counts: Mapping[str, int]) -> dict[str, int]:
    """The answers that may be groups, and how many gave each."""
    found: Counter[str] = Counter()
    for text, n in counts.items():
        parts = text.split(column.separator) if column.separator else [text]
        for part in parts:
            if part.strip():
                found[" ".join(part.split())] += n
    return {text: n for text, n in found.most_common() if n >= LEAST_GROUP}


def _groups(found: Inspection, column: Column) -> dict[str, int]:
    """The answers that make groups of a draft, and how many gave each."""
    answers = _group_answers(column, found.answers[_place(found, column)])
    return {text: n for text, n in answers.items() if n >= FEW}


# The file


def _study(
    first: Inspection,
    found: Sequence[Inspection],
    exports: Sequence[Path],
    out: Path,
    groups: Column,
    questions: Sequence[Question],
) -> Iterator[str]:
    chosen = questions[0]
    second = next((q for q in questions[1:] if set(map(fold, q.items)) == set(map(fold, chosen.items))), None)
    answers = _groups(first, groups)
    ids = _ids(list(answers))
    yield "# A draft, made from the export alone. Lines marked GUESS want your eye; `materiality check` tells faults."
    yield f"title = {_text(_title(exports[0]))}"
    yield 'period = ""'
    yield ""
    yield from _scale(chosen, second, first)
    for inspection, path in zip(found, exports, strict=True):
        yield from _responses(inspection, path, out, _reference(first, groups), groups.separator)
    yield f"# GUESS: the groups are the answers to {_quoted(groups.head.question or groups.head.name)}."
    yield "# Join answers that are one group in a single `answers` list; delete groups that are none."
    for identifier, (answer, n) in zip(ids, answers.items(), strict=True):
        yield "[[groups]]"
        yield f"id = {_text(identifier)}"
        yield f"label = {_text(answer)}             # {n} respondents"
        yield ""
    yield f"# GUESS: the issues are the rows of {_quoted(chosen.text or 'the ratings')}."
    labels = _issue_labels(chosen)
    issue_ids = _ids(labels)
    for identifier, label in zip(issue_ids, labels, strict=True):
        yield "[[issues]]"
        yield f"id = {_text(identifier)}"
        yield f"label = {_text(label)}"
        yield '# pillar = "environmental", "social", "governance" or "economic"'
        yield ""
    yield from _cleaning(groups, first, answers)
    yield from _axes(first, chosen, second, issue_ids, ids, list(answers.values()))


def _title(path: Path) -> str:
    return " ".join(re.split(r"[\W_]+", path.stem)).strip() or "Materiality assessment"


def _scale(chosen: Question, second: Question | None, first: Inspection) -> Iterator[str]:
    columns = [*chosen.columns, *(second.columns if second else ())]
    guesses = [column.scale for column in columns if column.scale is not None]
    low, high = min(guess.low for guess in guesses), max(guess.high for guess in guesses)
    labels: dict[str, float] = {}
    special: dict[str, str] = {}
    for guess in guesses:
        labels.update(guess.labels)
        special.update(guess.special)
    for name, kind in first.table.layout.special:
        special.setdefault(name, kind.value)
    for column in columns if first.table.grid.missing else []:
        for text in sorted(first.table.grid.missing[_place(first, column)]):
            if any(fold(text) == fold(found) for found in first.answers[_place(first, column)]):
                special.setdefault(text, Special.BLANK.value)
    labels = _once({text: point for text, point in labels.items() if fold(text) and first.may_be_told(text)})
    special = _once(
        {
            text: kind
            for text, kind in special.items()
            if fold(text) and fold(text) not in map(fold, labels) and first.may_be_told(text)
        }
    )
    unread = _unread(
        Scale(low=low, high=high, labels=labels, special={text: Special(kind) for text, kind in special.items()}),
        columns,
        first,
    )
    common = [text for text in unread if first.may_be_told(text)]
    yield "[scale]" + ("" if all(guess.sure for guess in guesses) else "   # GUESS: look at the order of the labels")
    yield f"low = {low:g}"
    yield f"high = {high:g}"
    if labels:
        yield "[scale.labels]"
        for text, point in sorted(labels.items(), key=lambda pair: pair[1]):
            yield f"{_text(text)} = {point:g}"
    if special or common:
        yield "[scale.special]"
        for text, meaning in special.items():
            yield f"{_text(text)} = {_text(meaning)}"
        for text in common:
            yield f'{_text(" ".join(text.split()))} = "blank"   # GUESS: no point of the scale was found for it'
    if len(common) < len(unread):
        rows = _rows(first, columns, [text for text in unread if text not in common])
        yield f"# No point of the scale was found for answers of fewer than {FEW} people in {rows}."
        yield "# They may be remarks, so they stand in no file. `materiality check` shows them: correct or add them."
    yield ""


def _once(table: Mapping[str, T]) -> dict[str, T]:
    """A table without the keys that differ from an earlier one in letter case or space only."""
    kept: dict[str, T] = {}
    seen: set[str] = set()
    for text, value in table.items():
        if fold(text) not in seen:
            seen.add(fold(text))
            kept[text] = value
    return kept


def _unread(scale: Scale, columns: Sequence[Column], first: Inspection) -> list[str]:
    """Answers in the chosen columns that the drafted scale does not know."""
    reader = Answers(scale)
    unread: dict[str, str] = {}
    for column in columns:
        for text in first.answers[_place(first, column)]:
            if not reader.understands(text):
                unread.setdefault(fold(text), text)
    return list(unread.values())


def _responses(found: Inspection, path: Path, out: Path, group: str, separator: str) -> Iterator[str]:
    yield "[[responses]]"
    yield f"file = {_text(Path(os.path.relpath(path, out)).as_posix())}"
    sure = "no tool was recognised" if found.tool is Tool.PLAIN else f"{found.table.certainty:.0%} sure"
    yield f"tool = {_text(found.tool.value)}           # GUESS: {sure}"
    place = _by_role(found, found.table.layout.respondent)
    if place is not None:
        yield f"respondent = {_text(found.table.reference(place))}"
    yield f"group = {_text(group)}"
    if separator:
        yield f"group_separator = {_text(separator)}"
    yield from _times(found)
    yield ""


def _by_role(found: Inspection, names: Sequence[str]) -> int | None:
    """The first column with one of the names that is filled for everybody."""
    for name in names:
        for place, head in enumerate(found.table.heads):
            if fold(name) == fold(found.table.layout.known_as(head)) and len(found.answers[place]) > 1:
                return place
    return None


def _times(found: Inspection) -> Iterator[str]:
    layout = found.table.layout
    place = _by_role(found, layout.seconds)
    if place is not None and all(isinstance(read_seconds(text), float) for text in found.answers[place]):
        yield f"seconds = {_text(found.table.reference(place))}"
        return
    started, finished = _by_role(found, layout.started), _by_role(found, layout.finished)
    if started is None or finished is None:
        return
    written = [*found.answers[started], *found.answers[finished]]
    time_format = _time_format(written)
    if time_format is None:
        where = _quoted(found.table.reference(started))
        yield f"# times in {where} are written in no one format; say time_format to use them"
        return
    yield f"started = {_text(found.table.reference(started))}"
    yield f"finished = {_text(found.table.reference(finished))}"
    if time_format:
        yield f"time_format = {_text(time_format)}   # GUESS"


def _time_format(written: Sequence[str]) -> str | None:
    """The one format that all times are written in; empty for ISO 8601, None where there is none."""

    for time_format in ("", *TIME_FORMATS):
        if not any(isinstance(read_time(text, time_format), Unreadable) for text in written):
            return time_format
    return None


def _place(found: Inspection, column: Column) -> int:
    """Where a column of an inspection stands; columns that merely say the same are others."""
    return next(place for place, other in enumerate(found.columns) if other is column)


def _reference(found: Inspection, column: Column) -> str:
    return found.table.reference(_place(found, column))


def _cleaning(groups: Column, found: Inspection, answers: Mapping[str, int]) -> Iterator[str]:
    """What to do with group answers that few people gave: mostly words of their own under "other"."""
    counts = found.answers[_place(found, groups)]
    rare = {text: n for text, n in counts.items() if not _known(text, groups.separator, answers)}
    if rare:
        yield "[cleaning]"
        yield f'unknown_group = "drop"   # GUESS: {sum(rare.values())} people named one that fewer than {FEW} named.'
        yield f"# They stand in {_rows(found, [groups], rare)}. What they wrote may say who they are, so"
        yield "# it stands in no file; to keep them, add it to a group's `answers`, or as a group."
        yield ""


def _rows(found: Inspection, columns: Sequence[Column], answers: Iterable[str]) -> str:
    """The rows in which one of some columns holds one of some answers, in words."""
    places, sought = [_place(found, column) for column in columns], set(map(fold, answers))
    rows = [row for row, record in found.table.records() if record and any(fold(record[k]) in sought for k in places)]
    return rows_in_words(rows[:ROWS_SHOWN], max(len(rows) - ROWS_SHOWN, 0))


def _known(text: str, separator: str, answers: Mapping[str, int]) -> bool:
    parts = text.split(separator) if separator else [text]
    known = set(map(fold, answers))
    return all(fold(part) in known for part in parts if part.strip())


def _issue_labels(question: Question) -> list[str]:
    """The rows' names, told apart where two are alike."""
    seen: Counter[str] = Counter()
    labels = []
    for item in question.items:
        seen[fold(item)] += 1
        labels.append(item if seen[fold(item)] == 1 else f"{item} ({seen[fold(item)]})")
    return labels


def _axes(
    found: Inspection,
    chosen: Question,
    second: Question | None,
    issue_ids: Sequence[str],
    group_ids: Sequence[str],
    sizes: Sequence[int],
) -> Iterator[str]:
    if second is not None:
        yield "# Two questions have the same rows, so each is an axis."
        by_item = {fold(_item(column)): column for column in second.columns}
        partner = [by_item[fold(item)] for item in chosen.items]
        yield from _axis(found, "first", chosen.text, chosen.columns, issue_ids, "")
        yield from _axis(found, "second", second.text, partner, issue_ids, "")
        yield from ("[matrix]", 'x = "second"', 'y = "first"')
        return
    yield "# GUESS: the export asks one question per issue, and a matrix needs two axes. Here the largest group lies"
    yield "# across and all others up. Say which groups belong to which axis."
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    others = ", ".join(f"{_key(group)} = 1" for k, group in enumerate(group_ids) if k != largest)
    yield from _axis(found, "others", "", chosen.columns, issue_ids, f"groups = {{ {others} }}", "All other groups")
    name = f"groups = {{ {_key(group_ids[largest])} = 1 }}"
    yield from _axis(found, "largest", "", chosen.columns, issue_ids, name, "The largest group")
    yield from ("[matrix]", 'x = "largest"', 'y = "others"')


def _axis(
    found: Inspection,
    name: str,
    text: str,
    columns: Sequence[Column],
    issue_ids: Sequence[str],
    groups: str,
    label: str = "",
) -> Iterator[str]:
    yield f"[axes.{name}]"
    yield f"label = {_text(label or ' '.join(text.split())[:120] or name)}"
    yield from ([groups] if groups else [])
    yield f"[axes.{name}.columns]"
    for identifier, column in zip(issue_ids, columns, strict=True):
        yield f"{_key(identifier)} = {_text(_reference(found, column))}"
    yield ""


def _ids(labels: Sequence[str]) -> list[str]:
    """A short id for each label, all different."""
    found: list[str] = []
    for number, label in enumerate(labels, 1):
        plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().casefold()
        words = re.findall(r"[a-z0-9]+", re.sub(r"\(.*?\)", "", plain)) or re.findall(r"[a-z0-9]+", plain)
        base = "_".join(words)[:32].strip("_") or f"n{number}"
        name, k = base, 2
        while name in found:
            name, k = f"{base}_{k}", k + 1
        found.append(name)
    return found


def _text(value: str) -> str:
    """A TOML string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z0-9_-]+", value) else _text(value)


def _quoted(value: str) -> str:
    text = " ".join(value.split())
    return f"“{text if len(text) <= 80 else text[:79] + '…'}”"


__all__ = ["draft", "likeliest_group", "rating_questions", "write_draft"]
