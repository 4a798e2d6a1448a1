"""Answers that must not be told: which means of groups they are, and what stands for them in everything that is told.

Nothing is hidden after the fact. What stands in for a mean goes into the `Sample` from which all results are made, so
that a number told anywhere, in a table, a figure or the page, tells no more of the hidden answers than the stand-ins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.estimates import Sample, StandIn, rating_variances, unanimous
from materiality.nonresponse import rates
from materiality.study import PrivacyProfile, Study

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

TOTALS = 3
"""In so many ways the answers of a hidden group must be able to add up, as far as the score tells."""
UNITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""To which scores are rounded that hidden answers enter."""
SCORE_DECIMALS = 2
"""Of scores without the flagged rows."""
FEWEST_POINTS = 20
"""Steps that a scale without any counts as having."""
MEAN_DECIMALS = 1
"""Of means that are told without an interval, and of all that are told of groups to be published."""
SIZES = {1: 2, 5: 6, 10: 13, 20: 30, 50: 70, 100: 140, 200: 300, 500: 700, 1000: 1400}
"""As how many people a hidden group counts, by the smallest size of its class."""
NOISE = 9
"""Decimals beyond which nothing of a mean is meant."""
ENOUGH_DF = 9
"""Degrees of freedom from which on a variance of ratings may stand in for others'."""
ENOUGH_QUESTIONS = 5
"""Questions over which a variance is averaged where only small groups show any."""


@dataclass(frozen=True)
class Withheld:
    """Means that are not told, or not exactly; bool arrays of shape (groups, questions).

    Attributes
    ----------
    hidden
        Nothing is told of them: so few rated, all rated alike, or another could be worked out from them.
    left_out
        Those of the hidden ones that cannot enter a score either, because it would tell them.
    mean_only
        So few rated that the mean alone is told, with one decimal.
    """

    hidden: BoolArray
    left_out: BoolArray
    mean_only: BoolArray

    @property
    def closed(self) -> BoolArray:
        """No more than the mean is told of them."""
        return self.hidden | self.mean_only


def withheld(study: Study, sample: Sample) -> Withheld:
    """What the study's privacy profile does not let be told of the groups' answers, question by question.

    Hidden are groups, and questions, with fewer people than the profile's minimum, and questions that all of a group
    rated alike. Where one alone of a score's groups is hidden, or all of them together are too few, the next smallest
    is hidden with them; who is left alone does not enter the score. This follows from the groups' sizes, so that it
    tells nothing of their answers.

    Parameters
    ----------
    study : Study
    sample : Sample
        With the means as they are.

    Returns
    -------
    Withheld

    References
    ----------
    Hundepool et al. (2012), Statistical Disclosure Control, chapters 3 (top and bottom coding) and 4 (suppression).
    """
    n, privacy = sample.n, study.privacy
    if privacy.profile is PrivacyProfile.OFF:
        nothing = np.zeros(n.shape, np.bool_)
        return Withheld(nothing, nothing, nothing)
    asked = sample.respondents
    few = ((n > 0) & (n < privacy.hidden_below)) | ((asked > 0) & (asked < privacy.hidden_below))[:, None]
    primary = few | unanimous(sample)
    hidden, left_out = primary.copy(), np.zeros(n.shape, np.bool_)
    settled = False
    while not settled:
        settled = True
        for weights, question, before in _scores(study):
            inside = (weights > 0) & (n[:, question] > 0) & ~left_out[:, question]
            out = inside & hidden[:, question]
            if not out.any() or (out & before).any():
                continue
            together = _together(study, n[:, question], inside, out)
            if together is None:
                left_out[out, question] = True
                settled = False
            elif (together != out).any():
                hidden[together, question] = True
                settled = False
        nested = _nested(study, sample, hidden, left_out)
        if (nested & ~hidden).any():
            hidden |= nested
            settled = False
    mean_only = (n > 0) & (n < privacy.intervals_from) & ~hidden
    return Withheld(hidden | left_out, left_out, mean_only)


def _nested(study: Study, sample: Sample, hidden: BoolArray, left_out: BoolArray) -> BoolArray:
    """Told groups that share people with others, and from which with the scores the answers of a few would follow.

    People are parted by which groups they are of. Totals of told groups, and scores, are sums over these parts. Where a
    part of few, or a hidden group, follows from them, the smallest told group that shares people with it is hidden.
    """
    found = np.zeros(hidden.shape, np.bool_)
    parts = sorted({cell.groups for cell in sample.moments.cells})
    if all(len(part) < 2 for part in parts):
        return found
    of = np.array([[g in part for part in parts] for g in range(len(hidden))], float)
    for question in range(hidden.shape[1]):
        raters = np.zeros(len(parts), np.int64)
        for cell, sums in sample.moments.cells.items():
            raters[parts.index(cell.groups)] += sums.rated[question]
        there, n = raters > 0, sample.n[:, question]
        told = (n > 0) & ~hidden[:, question] & ~found[:, question]
        while told.any():
            sums_told = [of[g] for g in np.flatnonzero(told)]
            for weights, asked, _ in _scores(study):
                inside = (weights > 0) & (n > 0) & ~left_out[:, question]
                if asked == question and inside.any():
                    sums_told.append((np.where(inside, weights, 0.0) / np.maximum(n, 1)) @ of)
            known = np.array(sums_told)[:, there]
            few = [np.eye(len(parts))[k] for k in np.flatnonzero(there & (raters < study.privacy.hidden_below))]
            secret = [*few, *(of[g] for g in np.flatnonzero(hidden[:, question] & (n > 0)))]
            rank = np.linalg.matrix_rank(known)
            out = [one for one in secret if np.linalg.matrix_rank(np.vstack([known, one[there]])) == rank]
            if not out:
                break
            touching = told & (of @ np.array(out).T).any(axis=1)
            if not touching.any():
                touching = told & (of @ of[~told].T).any(axis=1)
            if not touching.any():
                touching = told
            smallest = np.flatnonzero(touching)[n[touching].argmin()]
            told[smallest], found[smallest, question] = False, True
    return found


def _scores(study: Study) -> Iterator[tuple[FloatArray, int, BoolArray]]:
    """The group weights and the question of every score, and whom an earlier one asks the same."""
    before: dict[int, BoolArray] = {}
    for weights, questions in zip(study.layout.group_weights, study.layout.question_of, strict=True):
        for question in questions:
            earlier = before.get(question, np.zeros(len(weights), np.bool_))
            yield np.array(weights, float), question, earlier
            before[question] = earlier | (np.array(weights) > 0)


def _together(study: Study, n: IntArray, inside: BoolArray, out: BoolArray) -> BoolArray | None:
    """The hidden groups of a score and as many more, the smallest first, as it takes; None where all are too few."""
    together = out.copy()
    while together.sum() < 2 or n[together].sum() < study.privacy.hidden_below:
        left = np.flatnonzero(inside & ~together)
        if not len(left):
            return None
        together[left[n[left].argmin()]] = True
    return together


def _step(study: Study) -> float:
    """Between two points of the scale."""
    return study.scale.step or (study.scale.high - study.scale.low) / FEWEST_POINTS


def unit_of(weights: FloatArray, n: IntArray, inside: BoolArray, hidden: BoolArray, step: float) -> float:
    """To what a score that hidden groups enter is rounded: the smallest of `UNITS` that hides one step of a total.

    That is a step of the group whose mean moves least by it: for any total of the others it then has one that goes with
    the score.
    """
    moves = float((weights[hidden] * step / n[hidden]).min() / weights[inside].sum())
    return next((unit for unit in UNITS if unit >= moves - 1e-12), UNITS[-1])


def protected(study: Study, sample: Sample, kept: Withheld, *, unbounded: bool = False, exact: bool = True) -> Sample:
    """The sample with stand-ins for all that is not told.

    Means that are told with one decimal enter scores as they are told, or exactly where one decimal tells them
    exactly. A score that hidden means enter is that of the told means and the true hidden ones, rounded to 0.01,
    or more coarsely (`unit_of`). Where the hidden ones together lie so near an end of the scale that fewer than
    three totals of one of them could go with it, they count as at that distance from it (top coding). What is left
    of it once the told means are taken off is shared evenly by the hidden groups and stands for the mean of each,
    so that no other number of theirs is told. Where two axes ask hidden groups the same question, the first one's
    score sets what stands for them, and for those whom the other asks besides; its scores are then near the true
    ones.

    The variance of a stand-in is that of the ratings within the groups whose intervals are told, over the group's size;
    a hidden group's size counts by its class (`SIZES`). Where no such group is, the variance within all groups over all
    questions stands in, to two digits.

    Parameters
    ----------
    study : Study
    sample : Sample
        With the means as they are: of the answers, or of what they would be by another choice.
    kept : Withheld
    unbounded : bool
        The means have no place on the scale.
    exact : bool
        Let means that one decimal tells exactly enter exactly; not where they are not what is told.

    Returns
    -------
    Sample
        The one given where there is nothing to hide.
    """
    publish = study.privacy.profile is PrivacyProfile.PUBLISH
    if not (publish or kept.closed.any()):
        return sample
    rated = (sample.n > 0) & ~kept.left_out
    n = np.where(rated, np.where(kept.hidden, _class_of(sample.n), sample.n), 0)
    coarse = rated & ~kept.hidden & (kept.mean_only | publish)
    told = np.where(kept.hidden, np.nan, np.where(coarse, rounded(sample.means, MEAN_DECIMALS), sample.means))
    means = np.where(rated & ~kept.hidden, told, np.nan)
    if exact and not publish:
        means = np.where(kept.mean_only & rated & _told_by_one_decimal(study, sample), sample.means, means)
    settled = ~(rated & kept.hidden)
    means[~settled] = 0.0 if unbounded else study.scale.midpoint
    ends = (-np.inf, np.inf) if unbounded else (study.scale.low, study.scale.high)
    for weights, q, before in _scores(study):
        inside = (weights > 0) & rated[:, q]
        new, known = inside & ~settled[:, q], inside & before & kept.hidden[:, q]
        if not new.any():
            continue
        settled[new, q] = True
        if known.any():
            # beside stand-ins of an earlier score, this one would tell the new ones alone
            means[new, q] = means[known, q].mean()
            continue
        total, rest = weights[inside].sum(), (weights * means[:, q])[inside & ~new].sum()
        unit = unit_of(weights, sample.n[:, q], inside, new, _step(study))
        hidden_sum = (weights * sample.means[:, q])[new].sum()
        if not unbounded:
            room = (TOTALS - 1) * (weights[new] * _step(study) / sample.n[new, q]).max() + unit * total
            hidden_sum = _off_the_ends(hidden_sum, room, *(weights[new].sum() * np.array(ends)))
        score = unit * rounded((rest + hidden_sum) / total / unit, 0)
        means[new, q] = np.clip((score * total - rest) / weights[new].sum(), *ends)
    cells = rated & kept.closed
    variance, df = _variances(sample, cells | kept.hidden)
    return replace(
        sample,
        means=means,
        weights=np.where(rated, sample.weights, 0.0),
        n=n,
        effective=np.where(rated, np.where(kept.hidden, n, sample.effective), 0.0),
        points=np.where((cells | kept.hidden)[:, :, None], 0, sample.points),
        stand_in=_stand_in(sample, kept, cells, told, variance, df),
    )


def _off_the_ends(value: float, room: float, low: float, high: float) -> float:
    """A sum, no nearer to either end than `room`; the middle where there is no more room than that."""
    room = min(room, (high - low) / 2)
    return float(np.clip(value, low + room, high - room))


def rounded(values: ArrayLike, decimals: int) -> FloatArray:
    """Rounded, whatever noise the sums leave in the last digits."""
    return np.asarray(np.round(np.round(np.asarray(values, float), NOISE), decimals), float)


def _stand_in(
    sample: Sample, kept: Withheld, cells: BoolArray, told: FloatArray, variance: FloatArray, df: FloatArray
) -> StandIn:
    """What is known of the means that something stands for."""
    there = kept.hidden & (sample.n > 0)
    people = np.where(there, sample.respondents[:, None], 0).sum(axis=0)
    missing = people - np.where(there, sample.n, 0).sum(axis=0)
    share = np.round(np.divide(missing, people, out=np.zeros(len(people)), where=people > 0), 2)
    return StandIn(
        cells=cells,
        hidden=kept.hidden,
        told=told,
        variance=variance,
        df=df,
        missing=np.where(kept.hidden, share, rates(sample).missing),
    )


def _class_of(n: IntArray) -> IntArray:
    """As how many people groups of such sizes count."""
    smallest = np.array([0, *SIZES])
    return np.array([0, *SIZES.values()])[np.searchsorted(smallest, n, side="right") - 1]


def _told_by_one_decimal(study: Study, sample: Sample) -> BoolArray:
    """Whether one decimal tells a mean exactly: people count the same, and are so few that means lie farther apart."""
    apart = np.divide(study.scale.step, sample.n, out=np.zeros(sample.n.shape), where=sample.n > 0)
    return np.asarray((apart > 10.0**-MEAN_DECIMALS) & np.isclose(sample.effective, sample.n, rtol=1e-9))


def _variances(sample: Sample, cells: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The variance of one rating that stands in for those of `cells`, by question, and its degrees of freedom."""
    variances = rating_variances(sample)
    known = np.isfinite(variances)
    each = np.where(known & ~cells, sample.n - 1, 0)
    df = each.sum(axis=0).astype(float)
    enough = df >= ENOUGH_DF
    pooled = np.divide(
        (each * np.where(known, variances, 0.0)).sum(axis=0), df, out=np.full(len(df), np.nan), where=enough
    )
    if enough.all():
        return pooled, df
    if enough.any():
        return np.where(enough, pooled, pooled[enough].mean()), np.where(enough, df, df[enough].min())
    every = np.where(known & (sample.n > 0), sample.n - 1, 0)
    asked = (every > 0).any(axis=0).sum()
    if asked < ENOUGH_QUESTIONS or every.sum() < ENOUGH_DF * asked:
        return np.full(len(df), np.nan), np.zeros(len(df))
    common = float((every * np.where(known, variances, 0.0)).sum() / every.sum())
    return np.full(len(df), float(f"{common:.2g}")), np.full(len(df), float(every.sum() // asked))


__all__ = ["MEAN_DECIMALS", "SCORE_DECIMALS", "Withheld", "protected", "rounded", "unit_of", "withheld"]
