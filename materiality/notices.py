"""What a reader of the results has to know, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from materiality.estimates import CAUTIOUS_BELOW, Estimates, Sample, unanimous
from materiality.gathering import ExportRead
from materiality.moments import Moments
from materiality.responses import NO_CATEGORY
from materiality.study import CONSISTENT, Action, DuplicateChoice, GroupWeighting, Study

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
) -> list[str]:
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
        *_hidden(study, group_scores),
    ]


def _read(exports: tuple[ExportRead, ...]) -> Iterator[str]:
    for export in exports:
        yield from (f"{export.name}: {note}" for note in export.notes)
        twice = export.fates["duplicate respondent"]
        if twice > MANY_DUPLICATES * export.rows:
            yield (
                f"{twice} of {export.rows} rows of {export.name} are excluded as duplicates. If exports number their "
                "respondents each for itself, set own_ids = true in [[responses]]."
            )


def _undivided(study: Study, estimates: Estimates) -> Iterator[str]:
    scores = estimates.values.reshape(len(study.axes), -1)
    for axis in (study.x, study.y):
        known = scores[list(study.axes).index(axis)]
        known = known[np.isfinite(known)]
        if len(known) and np.ptp(known) < 1e-9 and not isinstance(study.threshold(axis), float):
            yield (
                f"All scores on “{study.axes[axis].label or axis}” are equal, so a threshold that the scores set "
                "divides nothing; give one in [tiers.thresholds]."
            )


def _only_flagged(study: Study, sample: Sample, unflagged: Moments) -> Iterator[str]:
    left = unflagged.per_group(unflagged.stack("n").astype(np.int64))
    lost = [g.name for g, n, rest in zip(study.groups, sample.respondents, left, strict=True) if n and not rest]
    if lost and unflagged.cells:
        yield f"All rows of these groups are flagged, so scores without flagged rows leave them out: {', '.join(lost)}."


def _missing(study: Study, sample: Sample, estimates: Estimates) -> Iterator[str]:
    weights, issues = np.array(study.layout.group_weights), len(study.issues)
    for k, (axis_id, axis) in enumerate(study.axes.items()):
        name, questions = axis.label or axis_id, list(study.layout.question_of[k])
        for g in np.flatnonzero(weights[k] > 0):
            group, n = study.groups[g].name, sample.n[g, questions]
            if not n.any():
                yield f"Group {group} has no answers on the axis “{name}” and is left out of its scores."
                continue
            if not n.all():
                unrated = ", ".join(study.issues[i].name for i in np.flatnonzero(n == 0))
                yield f"Group {group} gave no rating on “{name}” to, and is left out of the scores of: {unrated}."
            if 0 < n.max() < study.privacy.hidden_below:
                continue
            others = sample.n[np.ix_((weights[k] > 0) & (np.arange(len(weights[k])) != g), questions)]
            for lends, then in (
                (True, "the other groups' stands in for it."),
                (False, "nor does any other group, so its interval takes in most of the scale."),
            ):
                alone = np.flatnonzero(
                    (n == 1) & ((others > 1).any(axis=0) == lends) & (study.privacy.hidden_below < 2)
                )
                if len(alone):
                    of = ", ".join(study.issues[i].name for i in alone)
                    yield f"Group {group} has a single rating on “{name}” of: {of}. It shows no spread; {then}"
            agreed = np.flatnonzero(unanimous(sample)[g, questions] & (n >= study.privacy.hidden_below))
            if len(agreed):
                of = ", ".join(study.issues[i].name for i in agreed)
                yield (
                    f"All ratings of group {group} on “{name}” are equal for: {of}. They show no spread; "
                    "the intervals allow for answers that nobody gave."
                )
        unscored = ~np.isfinite(estimates.values[k * issues : (k + 1) * issues])
        if unscored.any():
            lost = ", ".join(study.issues[i].name for i in np.flatnonzero(unscored))
            yield f"No rating at all on “{name}”, so no score and no tier: {lost}."


def _corrected(study: Study, sample: Sample) -> Iterator[str]:
    if study.weighting.finite_population:
        known = [
            f"{group.name} ({n} of {group.population or sum(group.strata.values())})"
            for group, n in zip(study.groups, sample.respondents, strict=True)
            if (group.population or group.strata) and n >= max(study.privacy.hidden_below, 1)
        ]
        if known:
            yield f"Finite population correction applied to: {', '.join(known)}."
    settled = study.cleaning.duplicate is Action.DROP
    if settled and study.cleaning.duplicate_choice is not DuplicateChoice.FAULT:
        which = study.cleaning.duplicate_choice.value.replace("_", " ")
        yield f"Of a respondent's conflicting rows the study keeps the {which} one."


def _raked(study: Study, sample: Sample, weighting: pd.DataFrame, margins: pd.DataFrame) -> Iterator[str]:
    names = {group.id: group.name for group in study.groups}
    for row in weighting[weighting["raked"]].to_dict("records"):
        columns = ", ".join(dict.fromkeys(margins.loc[margins["group"] == row["group"], "column"]))
        told = ""
        if pd.notna(row["design_effect"]):
            told = (
                f" The weights run from {row['smallest']:.2f} to {row['largest']:.2f} times their mean, and "
                f"{row['n']} respondents count as {row['n_effective']:.0f}."
            )
        yield f"Group {names[row['group']]} is raked to {columns}.{told}" + (
            " With fewer than 200 respondents its standard errors leave out what raking gains, because they would "
            "otherwise promise too much."
            if pd.notna(row["n"]) and row["n"] < CAUTIOUS_BELOW
            else ""
        )
    for g, group in enumerate(study.groups):
        places = [k for k, margin in enumerate(study.layout.margins) if g in margin.category]
        kept = sum(
            sums.n
            for cell, sums in sample.moments.cells.items()
            if g in cell.groups and any(cell.classes[k] == NO_CATEGORY for k in places)
        )
        if kept and sample.respondents[g] >= max(study.privacy.hidden_below, 1):
            yield (
                f"{kept} of {sample.respondents[g]} respondents of group {group.name} give no category of a margin and "
                "keep their share of the weight there."
            )
    if len(margins):
        off = margins[((margins["after"] - margins["wanted"]).abs() > MISSED).fillna(value=False)]
        for row in off.to_dict("records"):
            yield (
                f"Trimming leaves {row['category']} ({row['column']}) at {100 * row['after']:.1f} % of group "
                f"{names[row['group']]} instead of {100 * row['wanted']:.1f} %."
            )


def _judged(study: Study) -> Iterator[str]:
    for axis_id, axis in study.axes.items():
        name = axis.label or axis_id
        if axis.group_weights is GroupWeighting.JUDGED:
            found = study.judged(axis)
            accepted = (
                f", above the customary {CONSISTENT:.2f}, which the study accepts"
                if (found.consistency_ratio > CONSISTENT)
                else ""
            )
            judges = "one judge" if len(axis.judges) == 1 else f"{len(axis.judges)} judges"
            yield (
                f"The group weights of “{name}” come from the pairwise comparisons of {judges} (consistency ratio "
                f"{found.consistency_ratio:.2f}{accepted})."
            )
        elif axis.group_weights is GroupWeighting.POPULATION:
            yield f"The group weights of “{name}” are the groups' populations."


def _unreliable(study: Study, estimates: Estimates) -> Iterator[str]:
    shaky = estimates.unreliable.reshape(len(study.axes), -1)
    for k, (axis_id, axis) in enumerate(study.axes.items()):
        if shaky[k].any():
            of = ", ".join(study.issues[i].name for i in np.flatnonzero(shaky[k]))
            of = "all of them" if shaky[k].all() else of
            yield (
                f"The intervals on “{axis.label or axis_id}” of some issues rest more on the ends of the scale than "
                f"on the answers, which are too few or too much alike; treat them as unreliable: {of}."
            )


def _movable(study: Study, bounds: pd.DataFrame) -> Iterator[str]:
    here = bounds[bounds["axis"] == study.x]
    moved = here[((here["best_tier"] != here["tier"]) | (here["worst_tier"] != here["tier"])).fillna(value=False)]
    if len(moved):
        names = {issue.id: issue.name for issue in study.issues}
        of = ", ".join(names[issue] for issue in moved["issue"])
        yield (
            "Had those who did not rate them all rated at one end of the scale, these issues could be in another tier: "
            f"{of}."
        )


def _hidden(study: Study, group_scores: pd.DataFrame) -> Iterator[str]:
    hidden = set(group_scores.loc[group_scores["suppressed"], "group"])
    for axis_id, axis in study.axes.items():
        asked = [g.id for g in study.groups if not axis.groups or axis.groups.get(g.id)]
        table = group_scores[(group_scores["axis"] == axis_id) & group_scores["group"].isin(asked)]
        shown = table[~table["suppressed"] & (table["n"].fillna(0) > 0)]
        bare = set(table.loc[table["suppressed"], "issue"]) - set(shown["issue"])
        if bare:
            which = "" if len(bare) == len(study.issues) else " of these issues"
            names = ", ".join(issue.name for issue in study.issues if issue.id in bare)
            yield (
                f"The scores on “{axis.label or axis_id}”{which} rest on groups alone that are hidden elsewhere, and "
                f"are shown: do not publish them{': ' + names if which else ''}."
            )
    if hidden:
        names = ", ".join(group.name for group in study.groups if group.id in hidden)
        yield (
            f"Some means are hidden in the tables, because fewer than {study.privacy.hidden_below} people gave a "
            f"rating or because one such group could be worked out from the others: {names}. What else is published is "
            "not yet checked for ways to work them out."
        )
