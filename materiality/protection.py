"""Answers that must not be told: which means of groups they are, and what stands for them in everything that is told.

Nothing is hidden after the fact. What stands in for a mean goes into the `Sample` from which all results are made, so
that a number told anywhere, in a table, a figure or the page, tells no more of the hidden answers than the stand-ins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from materiality.disclosure import possible_totals
from materiality.estimates import Sample, StandIn, rating_variances, unanimous
from materiality.nonresponse import rates
from materiality.study import PrivacyProfile, Study

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

TOTALS = 3
"""In so many ways, at least, the answers of a hidden group must be able to add up, as far as the score tells."""
SCORE_DECIMALS = 2
"""Of scores that hidden answers, or means that are told with fewer decimals, enter."""
MEAN_DECIMALS = 1
"""Of means that are told without an interval, and of all that are told of groups to be published."""
SIZES = {1: 2, 5: 6, 10: 13, 20: 30, 50: 70, 100: 140, 200: 300, 500: 700, 1000: 1400}
"""As how many people a hidden group counts, by the smallest size of its class."""
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


def withheld(study: Study, sample: Sample) -> Withheld:
    """What the study's privacy profile does not let be told of the groups' answers, question by question.

    Hidden are groups, and questions, with fewer people than the profile's minimum, and questions that all of a group
    rated alike. A score tells the weighted sum of the hidden means that enter it, to two decimals; where that leaves
    the answers of a hidden group fewer than three ways to add up, the next smallest group is hidden with it, and so on.
    Where even all groups of the score leave too few, the small and the unanimous ones do not enter the score.

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
    Hundepool et al. (2012), Statistical Disclosure Control, chapter 4: primary suppression by minimum frequency and
    group disclosure, secondary suppression by the intervals that a table's margins leave open.
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
            together = _safely(study, sample, question, weights, inside, out)
            if together is None:
                alone = out & primary[:, question]
                left_out[alone if alone.any() else out, question] = True
                settled = False
            elif (together != out).any():
                hidden[together, question] = True
                settled = False
    mean_only = (n > 0) & (n < privacy.intervals_from) & ~hidden
    return Withheld(hidden | left_out, left_out, mean_only)


def _scores(study: Study) -> Iterator[tuple[FloatArray, int, BoolArray]]:
    """The group weights and the question of every score, and whom an earlier one asks the same."""
    before: dict[int, BoolArray] = {}
    for weights, questions in zip(study.layout.group_weights, study.layout.question_of, strict=True):
        for question in questions:
            earlier = before.get(question, np.zeros(len(weights), np.bool_))
            yield np.array(weights, float), question, earlier
            before[question] = earlier | (np.array(weights) > 0)


def _safely(
    study: Study, sample: Sample, question: int, weights: FloatArray, inside: BoolArray, out: BoolArray
) -> BoolArray | None:
    """The hidden groups of a score and as many more, the smallest first, as it takes; None where all do not suffice."""
    together = out.copy()
    while not _safe(study, sample, question, weights, inside, together):
        others = np.flatnonzero(inside & ~together)
        if not len(others):
            return None
        together[others[sample.n[others, question].argmin()]] = True
    return together


def _safe(study: Study, sample: Sample, question: int, weights: FloatArray, inside: BoolArray, out: BoolArray) -> bool:
    """Whether a score with two decimals leaves the answers of each hidden group enough ways to add up."""
    n, means = sample.n[:, question], sample.means[:, question]
    if out.sum() < 2 or n[out].sum() < study.privacy.hidden_below:
        return False
    total = weights[inside].sum()
    score = round(float((weights * means)[inside].sum() / total), SCORE_DECIMALS)
    rest, half = float((weights * means)[inside & ~out].sum()), 0.5 * 10**-SCORE_DECIMALS
    points = study.scale.points or tuple(np.linspace(study.scale.low, study.scale.high, 101))
    ways = possible_totals(
        n[out].tolist(), weights[out].tolist(), (score - half) * total - rest, (score + half) * total - rest, points
    )
    return bool((ways >= np.minimum(TOTALS, n[out] * (len(points) - 1) + 1)).all())


def protected(study: Study, sample: Sample, kept: Withheld, *, unbounded: bool = False, exact: bool = True) -> Sample:
    """The sample with stand-ins for all that is not told.

    A score that hidden means enter is rounded to two decimals; what is left of it once the means that are told are
    taken off is shared evenly by the hidden groups, and stands for their means. So the score is the true one, rounded,
    and no other number of theirs is told. Where two axes ask hidden groups the same question, the first one's score
    sets what stands for them, and for those whom the other asks besides; its scores are then near the true ones. Means
    that are told with one decimal enter as such, and the rest of the rounded score is shared by them where nothing is
    hidden; means of so few people that one decimal tells them exactly enter exactly.

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
    if not (publish or kept.hidden.any() or kept.mean_only.any()):
        return sample
    rated = (sample.n > 0) & ~kept.left_out
    n = np.where(rated, np.where(kept.hidden, _class_of(sample.n), sample.n), 0)
    vague = rated & (kept.hidden | kept.mean_only | publish)
    told = np.where(kept.hidden, np.nan, sample.means)
    told = np.where(vague, np.round(told, MEAN_DECIMALS), told)
    means = np.where(vague, told, np.where(rated, sample.means, np.nan))
    means[vague & kept.hidden] = 0.0 if unbounded else study.scale.midpoint
    if exact and not publish:
        implied = kept.mean_only & _told_by_one_decimal(study, sample)
        means = np.where(implied, sample.means, means)
        vague = vague & ~implied
    ends = (-np.inf, np.inf) if unbounded else (study.scale.low, study.scale.high)
    settled = ~vague
    for weights, q, before in _scores(study):
        inside = (weights > 0) & rated[:, q]
        new, known = inside & ~settled[:, q], inside & before & kept.hidden[:, q]
        if not new.any():
            continue
        if known.any() and (new & kept.hidden[:, q]).any():
            # beside stand-ins of an earlier score, this one would tell the new ones alone
            means[new & kept.hidden[:, q], q] = means[known, q].mean()
            settled[new, q] = True
            continue
        total = weights[inside].sum()
        score = (weights * np.where(settled[:, q], means[:, q], sample.means[:, q]))[inside].sum() / total
        share = new & kept.hidden[:, q] if (new & kept.hidden[:, q]).any() else new
        rest = (weights * means[:, q])[inside & ~share].sum()
        means[share, q] = np.clip((np.round(score, SCORE_DECIMALS) * total - rest) / weights[share].sum(), *ends)
        settled[new, q] = True
    cells = rated & (kept.hidden | kept.mean_only)
    variance, df = _variances(sample, cells)
    return replace(
        sample,
        means=means,
        weights=np.where(rated, sample.weights, 0.0),
        n=n,
        effective=np.where(rated, np.where(kept.hidden, n, sample.effective), 0.0),
        points=np.where((cells | kept.hidden)[:, :, None], 0, sample.points),
        stand_in=_stand_in(sample, kept, cells, told, variance, df),
    )


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
    every = np.where(known, sample.n - 1, 0)
    asked = (every > 0).any(axis=0).sum()
    if asked < ENOUGH_QUESTIONS or every.sum() < ENOUGH_DF * asked:
        return np.full(len(df), np.nan), np.zeros(len(df))
    common = float((every * np.where(known, variances, 0.0)).sum() / every.sum())
    return np.full(len(df), float(f"{common:.2g}")), np.full(len(df), float(every.sum() // asked))


__all__ = ["MEAN_DECIMALS", "SCORE_DECIMALS", "Withheld", "protected", "withheld"]
