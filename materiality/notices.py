"""What a reader of the results has to know, in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.estimates import CAUTIOUS_BELOW, Estimates, Sample, unanimous
from materiality.gathering import ExportRead
from materiality.moments import Moments
from materiality.responses import NO_CATEGORY
from materiality.study import CONSISTENT, Action, DuplicateChoice, GroupWeighting, Study
from materiality.weights import hidden_sizes
from materiality.wording import Message

MISSED = 5e-4
"""Share of a group by which a margin may be missed without a word."""
MANY_DUPLICATES = 0.2
"""Share of an export's rows that are excluded as duplicates, from which on the report remarks on it."""


def notices(
    study: Study,
    sample: Sample,
    estimates: Estimates,
    group_scores: pd.DataFrame,
    exports: tuple[ExportRead, ...],
    unflagged: Moments,
    weighting: pd.DataFrame,
    margins: pd.DataFrame,
    bounds: pd.DataFrame,
) -> list[Message]:
    """Every notice of an assessment: who is missing from which score, what was corrected, or hidden."""
    return [
        *_read(exports),
        *_missing(study, sample, estimates),
        *_undivided(study, estimates),
        *_only_flagged(study, sample, unflagged),
        *_corrected(study, sample),
        *_raked(study, sample, weighting, margins),
        *_judged(study),
        *_unreliable(study, estimates),
        *_movable(study, bounds),
        *_hidden(study, sample, group_scores),
    ]


def _read(exports: tuple[ExportRead, ...]) -> Iterator[Message]:
    for export in exports:
        yield from (Message("%(file)s: %(note)s", file=export.name, note=note) for note in export.notes)
        twice = export.fates["duplicate respondent"]
        if twice > MANY_DUPLICATES * export.rows:
            yield Message(
                "%(n)s of %(rows)s rows of %(file)s are excluded as duplicates. If exports number their respondents "
                "each for itself, set own_ids = true in [[responses]].",
                n=twice,
                rows=export.rows,
                file=export.name,
            )


def _undivided(study: Study, estimates: Estimates) -> Iterator[Message]:
    scores = estimates.values.reshape(len(study.axes), -1)
    for axis in (study.x, study.y):
        known = scores[study.place_of(axis)]
        known = known[np.isfinite(known)]
        if len(known) and np.ptp(known) < 1e-9 and not isinstance(study.threshold(axis), float):
            yield Message(
                "All scores on “%(axis)s” are equal, so a threshold that the scores set divides nothing; give one in "
                "[tiers.thresholds].",
                axis=study.axes[axis].label or axis,
            )


def _only_flagged(study: Study, sample: Sample, unflagged: Moments) -> Iterator[Message]:
    left = unflagged.per_group(unflagged.stack("n").astype(np.int64))
    lost = [g.name for g, n, rest in zip(study.groups, sample.respondents, left, strict=True) if n and not rest]
    if lost and unflagged.cells:
        yield Message(
            "All rows of these groups are flagged, so scores without flagged rows leave them out: %(groups)s.",
            groups=lost,
        )


def _missing(study: Study, sample: Sample, estimates: Estimates) -> Iterator[Message]:
    weights, issues = np.array(study.layout.group_weights), len(study.issues)
    for k, (axis_id, axis) in enumerate(study.axes.items()):
        name, questions = axis.label or axis_id, list(study.layout.question_of[k])
        for g in np.flatnonzero(weights[k] > 0):
            group, n = study.groups[g].name, sample.n[g, questions]
            hidden = sample.hidden[g, questions] & (n == 0)
            if not (n.any() or hidden.any()):
                yield Message(
                    "Group %(group)s has no answers on the axis “%(axis)s” and is left out of its scores.",
                    group=group,
                    axis=name,
                )
                continue
            if hidden.any():
                yield Message(
                    "Group %(group)s does not enter the scores on “%(axis)s” of these issues, because they would tell "
                    "its answers: %(issues)s.",
                    group=group,
                    axis=name,
                    issues=Message("all of them") if hidden.all() else _names(study, hidden),
                )
            if not ((n > 0) | hidden).all():
                yield Message(
                    "Group %(group)s gave no rating on “%(axis)s” to, and is left out of the scores of: %(issues)s.",
                    group=group,
                    axis=name,
                    issues=_names(study, (n == 0) & ~hidden),
                )
            if n.max() < max(study.privacy.hidden_below, 1):
                continue
            others = sample.n[np.ix_((weights[k] > 0) & (np.arange(len(weights[k])) != g), questions)]
            alone, lent = (n == 1) & (study.privacy.hidden_below < 2), (others > 1).any(axis=0)
            if (alone & lent).any():
                yield Message(
                    "Group %(group)s has a single rating on “%(axis)s” of: %(issues)s. It shows no spread; the other "
                    "groups' stands in for it.",
                    group=group,
                    axis=name,
                    issues=_names(study, alone & lent),
                )
            if (alone & ~lent).any():
                yield Message(
                    "Group %(group)s has a single rating on “%(axis)s” of: %(issues)s. It shows no spread; nor does "
                    "any other group, so its interval takes in most of the scale.",
                    group=group,
                    axis=name,
                    issues=_names(study, alone & ~lent),
                )
            agreed = unanimous(sample)[g, questions]
            if agreed.any():
                yield Message(
                    "All ratings of group %(group)s on “%(axis)s” are equal for: %(issues)s. They show no spread; the "
                    "intervals allow for answers that nobody gave.",
                    group=group,
                    axis=name,
                    issues=_names(study, agreed),
                )
        unscored = ~np.isfinite(estimates.values[k * issues : (k + 1) * issues])
        secret = unscored & sample.hidden[weights[k] > 0][:, questions].any(axis=0)
        if secret.any():
            yield Message(
                "No score on “%(axis)s”, because it would tell the answers of too few people: %(issues)s.",
                axis=name,
                issues=_names(study, secret),
            )
        unscored &= ~secret
        if unscored.any():
            yield Message(
                "No rating at all on “%(axis)s”, so no score and no tier: %(issues)s.",
                axis=name,
                issues=_names(study, unscored),
            )


def _corrected(study: Study, sample: Sample) -> Iterator[Message]:
    if study.weighting.finite_population:
        known = [
            Message(
                "%(group)s (%(n)s of %(population)s)",
                group=group.name,
                n=n,
                population=group.population or sum(group.strata.values()),
            )
            for group, n, small in zip(
                study.groups, sample.respondents, hidden_sizes(study, sample.respondents), strict=True
            )
            if (group.population or group.strata) and n and not small
        ]
        if known:
            yield Message("Finite population correction applied to: %(groups)s.", groups=known)
    kept = {
        DuplicateChoice.FIRST: Message("Of a respondent's conflicting rows the study keeps the first one."),
        DuplicateChoice.LAST: Message("Of a respondent's conflicting rows the study keeps the last one."),
        DuplicateChoice.MOST_COMPLETE: Message(
            "Of a respondent's conflicting rows the study keeps the most complete one."
        ),
    }
    if study.cleaning.duplicate is Action.DROP and study.cleaning.duplicate_choice in kept:
        yield kept[study.cleaning.duplicate_choice]


def _raked(study: Study, sample: Sample, weighting: pd.DataFrame, margins: pd.DataFrame) -> Iterator[Message]:
    names = study.group_names
    for row in weighting[weighting["raked"]].to_dict("records"):
        told = [
            Message(
                "Group %(group)s is raked to %(columns)s.",
                group=names[row["group"]],
                columns=list(dict.fromkeys(margins.loc[margins["group"] == row["group"], "column"])),
            )
        ]
        if pd.notna(row["design_effect"]):
            told.append(
                Message(
                    "The weights run from %(low)s to %(high)s times their mean, and %(n)s respondents count as "
                    "%(effective)s.",
                    low=f"{row['smallest']:.2f}",
                    high=f"{row['largest']:.2f}",
                    n=row["n"],
                    effective=f"{row['n_effective']:.0f}",
                )
            )
        if pd.notna(row["n"]) and row["n"] < CAUTIOUS_BELOW:
            told.append(
                Message(
                    "With fewer than %(n)s respondents its standard errors leave out what raking gains, because they "
                    "would otherwise promise too much.",
                    n=CAUTIOUS_BELOW,
                )
            )
        yield reduce(lambda one, other: Message("%(one)s %(other)s", one=one, other=other), told)
    for g, group in enumerate(study.groups):
        places = [k for k, margin in enumerate(study.layout.margins) if g in margin.category]
        kept = sum(
            sums.n
            for cell, sums in sample.moments.cells.items()
            if g in cell.groups and any(cell.classes[k] == NO_CATEGORY for k in places)
        )
        if kept and not hidden_sizes(study, sample.respondents)[g]:
            yield Message(
                "%(n)s of %(all)s respondents of group %(group)s give no category of a margin and keep their share of "
                "the weight there.",
                n=kept,
                all=sample.respondents[g],
                group=group.name,
            )
    if len(margins):
        off = margins[((margins["after"] - margins["wanted"]).abs() > MISSED).fillna(value=False)]
        for row in off.to_dict("records"):
            yield Message(
                "Trimming leaves %(category)s (%(column)s) at %(after)s %% of group %(group)s instead of "
                "%(wanted)s %%.",
                category=row["category"],
                column=row["column"],
                after=f"{100 * row['after']:.1f}",
                group=names[row["group"]],
                wanted=f"{100 * row['wanted']:.1f}",
            )


def _judged(study: Study) -> Iterator[Message]:
    for axis_id, axis in study.axes.items():
        name = axis.label or axis_id
        if axis.group_weights is GroupWeighting.JUDGED:
            ratio, judges = study.judged(axis).consistency_ratio, len(axis.judges)
            accepted = Message(
                "%(ratio)s, above the customary %(customary)s, which the study accepts",
                ratio=f"{ratio:.2f}",
                customary=f"{CONSISTENT:.2f}",
            )
            yield Message(
                "The group weights of “%(axis)s” come from the pairwise comparisons of %(judges)s (consistency ratio "
                "%(ratio)s).",
                axis=name,
                judges=Message("one judge") if judges == 1 else Message("%(n)s judges", n=judges),
                ratio=accepted if ratio > CONSISTENT else f"{ratio:.2f}",
            )
        elif axis.group_weights is GroupWeighting.POPULATION:
            yield Message("The group weights of “%(axis)s” are the groups' populations.", axis=name)


def _unreliable(study: Study, estimates: Estimates) -> Iterator[Message]:
    shaky = estimates.unreliable.reshape(len(study.axes), -1)
    for k, (axis_id, axis) in enumerate(study.axes.items()):
        if shaky[k].any():
            yield Message(
                "The intervals on “%(axis)s” of some issues rest more on the ends of the scale than on the answers, "
                "which are too few or too much alike; treat them as unreliable: %(issues)s.",
                axis=axis.label or axis_id,
                issues=Message("all of them") if shaky[k].all() else _names(study, shaky[k]),
            )


def _movable(study: Study, bounds: pd.DataFrame) -> Iterator[Message]:
    here = bounds[bounds["axis"] == study.x]
    moved = here[((here["best_tier"] != here["tier"]) | (here["worst_tier"] != here["tier"])).fillna(value=False)]
    if len(moved):
        names = study.issue_names
        yield Message(
            "Had those who did not rate them all rated at one end of the scale, these issues could be in another tier: "
            "%(issues)s.",
            issues=[names[issue] for issue in moved["issue"]],
        )


def _hidden(study: Study, sample: Sample, group_scores: pd.DataFrame) -> Iterator[Message]:
    hidden = set(group_scores.loc[group_scores["suppressed"], "group"])
    if hidden:
        yield Message(
            "Nothing is told of what some groups answered to some or all questions: fewer than %(n)s gave a rating, or "
            "all gave the same, or another group's answers could be worked out from theirs: %(groups)s. Scores that "
            "they enter are rounded. Group means that stand in for theirs are what the score leaves "
            "for all of them together, and their spread is that of the groups that are shown. With small groups merged "
            "more can be told.",
            n=study.privacy.hidden_below,
            groups=[group.name for group in study.groups if group.id in hidden],
        )
    yield from _borrowed(study, sample)
    alone: NDArray[np.bool_] = np.asarray((sample.closed & ~sample.hidden).any(axis=1))
    if alone.any():
        yield Message(
            "Where fewer than %(n)s people of a group gave a rating, its mean alone is told, with one decimal: "
            "%(groups)s. In scores the spread of the other groups stands in for its own.",
            n=study.privacy.intervals_from,
            groups=[group.name for group, some in zip(study.groups, alone, strict=True) if some],
        )


def _borrowed(study: Study, sample: Sample) -> Iterator[Message]:
    """Scores that stand-ins of another axis's score enter."""
    before = np.zeros(sample.hidden.shape, np.bool_)
    for axis_id, weights, questions in zip(
        study.axes, study.layout.group_weights, study.layout.question_of, strict=True
    ):
        asked = (np.array(weights) > 0)[:, None] & (sample.n > 0)
        near: NDArray[np.bool_] = np.asarray((asked & before & sample.hidden).any(axis=0))[list(questions)]
        if near.any():
            yield Message(
                "On “%(axis)s” hidden groups are asked what another axis asks them. What stands in for their means "
                "there stands in here, so these scores are near the true ones, not equal: %(issues)s.",
                axis=study.axes[axis_id].label or axis_id,
                issues=Message("all of them") if near.all() else _names(study, near),
            )
        before[:, list(questions)] |= asked[:, list(questions)]


def _names(study: Study, marked: NDArray[np.bool_]) -> list[str]:
    """The issues that are marked."""
    return [issue.name for issue, told in zip(study.issues, marked, strict=True) if told]
