"""What a reader of the results has to know, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from materiality.estimates import Estimates, Sample
from materiality.study import Action, DuplicateChoice, Study, TierMethod


def notices(study: Study, sample: Sample, estimates: Estimates, group_scores: pd.DataFrame) -> list[str]:
    """Every notice of an assessment: who is missing from which score, what was corrected, not done, or hidden."""
    return [
        *_missing(study, sample, estimates),
        *_corrected(study, sample),
        *_not_done(study),
        *_hidden(study, group_scores),
    ]


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
            others = sample.n[np.ix_((weights[k] > 0) & (np.arange(len(weights[k])) != g), questions)]
            for lends, then in (
                (True, "the other groups' stands in for it."),
                (False, "nor does any other group, so the score may lie anywhere on the scale."),
            ):
                alone = np.flatnonzero((n == 1) & ((others > 1).any(axis=0) == lends))
                if len(alone):
                    of = ", ".join(study.issues[i].name for i in alone)
                    yield f"Group {group} has a single rating on “{name}” of: {of}. It shows no spread; {then}"
            agreed = np.flatnonzero((n > 1) & (sample.points[g][questions].max(axis=1, initial=0) == n))
            if len(agreed):
                of = ", ".join(study.issues[i].name for i in agreed)
                yield (
                    f"All ratings of group {group} on “{name}” are equal for: {of}. They show no spread, so the "
                    "scores' intervals take this group's means as known."
                )
        unscored = ~np.isfinite(estimates.values[k * issues : (k + 1) * issues])
        if unscored.any():
            lost = ", ".join(study.issues[i].name for i in np.flatnonzero(unscored))
            yield f"No rating at all on “{name}”, so no score and no tier: {lost}."


def _corrected(study: Study, sample: Sample) -> Iterator[str]:
    if study.weighting.finite_population:
        known = [
            f"{group.name} ({n} of {group.population})"
            for group, n in zip(study.groups, sample.respondents, strict=True)
            if group.population and n >= max(study.privacy.hidden_below, 1)
        ]
        if known:
            yield f"Finite population correction applied to: {', '.join(known)}."
    settled = study.cleaning.duplicate is Action.DROP
    if settled and study.cleaning.duplicate_choice is not DuplicateChoice.FAULT:
        which = study.cleaning.duplicate_choice.value.replace("_", " ")
        yield f"Of a respondent's conflicting rows the study keeps the {which} one."


def _not_done(study: Study) -> Iterator[str]:
    with_margins = [group.name for group in study.groups if group.margins]
    if with_margins and study.weighting.raking:
        yield (
            f"Margins are given for {', '.join(with_margins)}. This version checks them but does not rake the answers "
            "to them: people who are over-represented within these groups count for more than their share."
        )
    if study.tiers.method is not TierMethod.THRESHOLDS:
        yield f"The study asks for tiers by {study.tiers.method.value}; this version draws them by thresholds."


def _hidden(study: Study, group_scores: pd.DataFrame) -> Iterator[str]:
    hidden = set(group_scores.loc[group_scores["suppressed"], "group"])
    if hidden:
        names = ", ".join(group.name for group in study.groups if group.id in hidden)
        yield (
            f"Some means are hidden in the tables, because fewer than {study.privacy.hidden_below} people gave a "
            f"rating or because one such group could be worked out from the others: {names}. What else is published is "
            "not yet checked for ways to work them out."
        )
