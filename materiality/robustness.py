"""How far scores, ranks and tiers depend on choices: flagged rows, missing answers, response style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.errors import Faults
from materiality.estimates import Estimates, Sample, score_weights, summarise
from materiality.groups import known_errors, population_of, score_targets, told_people
from materiality.matrix import Matrix, build_matrix
from materiality.moments import Moments, moments_of, no_moments
from materiality.nonresponse import bounds, movable_tiers
from materiality.protection import SCORE_DECIMALS, Withheld, protected
from materiality.replicates import ReplicateMethod, keys_of, replicate_std_errors
from materiality.responses import Block, stack
from materiality.spooling import Spool
from materiality.study import PrivacyProfile, Study
from materiality.style import LARGEST, centred, leniency
from materiality.weights import stratum_factors, weigh
from materiality.wording import Message

ENOUGH = 2.0
"""Ratings to read for a model of the respondents, as a multiple of those that it takes at most."""
MOST_KEY = 0xFFFFFFFFFFFFF000
FLAGGED_COLUMNS = ["axis", "issue", "estimate", "without_flagged", "difference", "tier", "tier_without_flagged"]


def flagged_table(
    study: Study,
    moments: Moments,
    estimates: Estimates,
    matrix: Matrix,
    score: Callable[[Study, Sample], Estimates],
    generator: np.random.Generator,
    kept: Withheld,
) -> tuple[pd.DataFrame, str]:
    """Scores and tiers with and without the flagged rows.

    The rows that are left are raked anew. Where they no longer can be, because a category is gone, their design
    weights stand.

    Returns
    -------
    table : DataFrame
        Empty where no row, or every row, was flagged. Of a score that a group enters with fewer raters flagged, or
        left, than the study's minimum, only tiers are given: the difference would tell what those few answered. Scores
        without flagged rows are rounded to two decimals unless the privacy profile is off, for the same reason.
    notice : str
        Says so where raking failed; empty otherwise.
    """
    rest = moments.without_flagged()
    if len(rest.cells) in (0, len(moments.cells)):
        return pd.DataFrame(columns=FLAGGED_COLUMNS), ""
    unfit = Faults()
    without = score(study, protected(study, summarise(rest, weigh(study, rest, unfit, "")), kept, exact=False))
    tiers = build_matrix(study, without, generator).points["tier"]
    axes = len(study.axes)
    values = without.values
    if study.privacy.profile is not PrivacyProfile.OFF:
        values = np.round(values, SCORE_DECIMALS)
    table = pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), len(study.issues)),
            "issue": [issue.id for issue in study.issues] * axes,
            "estimate": estimates.values,
            "without_flagged": values,
            "difference": values - estimates.values,
            "tier": pd.concat([matrix.points["tier"]] * axes, ignore_index=True),
            "tier_without_flagged": pd.concat([tiers] * axes, ignore_index=True),
        }
    )
    table.loc[_telling(study, moments, rest, kept), ["without_flagged", "difference"]] = np.nan
    notice = Message(
        "Without the flagged rows some margins cannot be met; the comparison without them is not raked there."
    )
    return table, notice if unfit else ""


def _telling(study: Study, moments: Moments, rest: Moments, kept: Withheld) -> NDArray[np.bool_]:
    """Scores that, beside those without the flagged rows, would tell what a few flagged or unflagged people answered.

    Those are of a group with so few raters of either kind, or with flagged ones whose mean is not told exactly.
    """
    left = summarise(rest).n
    flagged, smallest = summarise(moments).n - left, study.privacy.hidden_below
    few = (flagged < smallest) | (left < smallest) & (left > 0) | kept.closed
    questions, weights = score_targets(study)
    return np.asarray(((weights > 0) & (few & (flagged > 0))[:, questions].T).any(axis=1) & (smallest > 0))


def bounds_table(study: Study, sample: Sample, estimates: Estimates) -> pd.DataFrame:
    """How far each score could lie if all answers that are no rating were at one end of the scale (Manski 1989).

    Returns
    -------
    DataFrame
        axis, issue, estimate, lowest, highest (bounds, in points), missing (share of the score's weight without a
        rating), tier (by thresholds), best_tier, worst_tier (that the issue could reach by its own missing answers; on
        the matrix's axes).
    """
    issues = len(study.issues)
    questions, weights = score_targets(study)
    found = bounds(sample, questions, weights, low=study.scale.low, high=study.scale.high)
    places = study.matrix_places
    shape = (len(study.axes), issues)
    values, low, high = (a.reshape(shape)[places] for a in (estimates.values, found.low, found.high))
    known = np.isfinite(values)
    movable = movable_tiers(
        values,
        np.where(known, np.minimum(low, values), np.nan),
        np.where(known, np.maximum(high, values), np.nan),
        study.thresholds,
        midpoint=study.scale.midpoint,
    )

    def tiers(which: NDArray[np.float64]) -> pd.Series:
        return pd.Series(np.tile(which, len(study.axes))).astype("Int64")

    return pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), issues),
            "issue": [issue.id for issue in study.issues] * len(study.axes),
            "estimate": estimates.values,
            "lowest": found.low,
            "highest": found.high,
            "missing": found.missing,
            "tier": tiers(movable.tier),
            "best_tier": tiers(movable.best),
            "worst_tier": tiers(movable.worst),
        }
    )


def centred_moments(study: Study, rows: Spool) -> Moments:
    """The moments of ratings less each person's own mean on an axis, in the same cells as those of the ratings."""
    axes = [np.array(questions) for questions in study.layout.question_of]
    moments = no_moments(len(study.layout.questions), len(study.groups), 0.0)
    for block, flags in rows.blocks():
        moments += moments_of(centred(block, axes), midpoint=0.0, flags=flags, apart=study.weighting.trim is not None)
    return moments


def centred_table(
    study: Study, moments: Moments, estimates: Estimates, score: Callable[..., Estimates], kept: Withheld
) -> pd.DataFrame:
    """Ranks by ratings less each person's own mean, beside the ranks by the ratings themselves.

    A lenient person's ratings are then no higher than a strict one's. A score says by how many points an issue is rated
    above what the same people give on average; it has no place on the scale, so thresholds do not apply. It cannot tell
    leniency from finding everything important, and where answers are missing a person who rated only favourites
    counts as if they were middling (Fischer 2004). The moments are those of `centred_moments`.

    Returns
    -------
    DataFrame
        axis, issue, centred (points above the person's mean), std_error, rank, rank_centred. All but the rank empty on
        an axis on which any group's answers are hidden or its mean alone is told.
    """
    sample = summarise(moments, weigh(study, moments, Faults(), ""))
    found = score(study, protected(study, sample, kept, unbounded=True, exact=False), unbounded=True)
    issues = len(study.issues)
    tables = []
    for k, axis in enumerate(study.axes):
        here = slice(k * issues, (k + 1) * issues)
        asked, questions = np.array(study.layout.group_weights[k]) > 0, list(study.layout.question_of[k])
        told = np.nan if kept.closed[asked][:, questions].any() else 1.0
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": [issue.id for issue in study.issues],
                    "centred": told * found.values[here],
                    "std_error": told * known_errors(found)[here],
                    "rank": _ranks(estimates.values[here]),
                    "rank_centred": _ranks(told * found.values[here]),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def leniency_table(study: Study, sample: Sample, rows: Spool) -> pd.DataFrame:
    """Issues by their level once each person's own level is taken out, from a model with a random intercept.

    Unweighted, and large groups count for more; see `style.leniency`, also for what it cannot tell. Of more than
    20,000 ratings on an axis, respondents are taken by a hash of who they are. People of groups of which anything on
    the axis is closed do not enter.

    Returns
    -------
    DataFrame
        axis, issue, adjusted (points), std_error, rank, intraclass (the persons' share of the variance, one number per
        axis), respondents. Empty where too few to publish were asked.
    """
    tables = []
    for k, axis in enumerate(study.axes):
        ratings, members, keys = sampled(study, sample, rows, k, ENOUGH * LARGEST)
        found = leniency(ratings, members, keys=keys)
        if found.respondents < study.privacy.hidden_below or not found.converged:
            continue
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": [issue.id for issue in study.issues],
                    "adjusted": found.effects,
                    "std_error": found.std_error,
                    "rank": _ranks(found.effects),
                    "intraclass": found.intraclass,
                    "respondents": found.respondents,
                }
            )
        )
    columns = ["axis", "issue", "adjusted", "std_error", "rank", "intraclass", "respondents"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def sampled(
    study: Study, sample: Sample, rows: Spool, axis: int, most: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.uint64]]:
    """Ratings, groups and keys of those asked on an axis of whose groups more than means may be told.

    A share of them, the same whatever the order of the rows, where they were asked for more ratings than `most`.
    """
    questions, asked = list(study.layout.question_of[axis]), np.array(study.layout.group_weights[axis]) > 0
    people = sum(int(told_people(study, sample, axis, block.members).sum()) for block, _ in rows.blocks())
    share = min(1.0, most / max(people * len(questions), 1))
    parts = []
    for block, _ in rows.blocks():
        inside = told_people(study, sample, axis, block.members)
        keys = keys_of(block)
        inside &= keys <= np.uint64(share * MOST_KEY)
        parts.append((block.ratings[inside][:, questions], block.members[inside][:, asked], keys[inside]))
    if not parts:
        return np.zeros((0, len(questions))), np.zeros((0, int(asked.sum())), np.bool_), np.zeros(0, np.uint64)
    ratings, members, keys = (np.concatenate(part) for part in zip(*parts, strict=True))
    return ratings, members, keys


def _ranks(values: NDArray[np.float64]) -> pd.Series:
    """From the highest down; equal values, rounding aside, share the better rank."""
    return pd.Series(values).round(9).rank(ascending=False, method="min").astype("Int64")


def replicates_table(study: Study, rows: Spool, sample: Sample, estimates: Estimates) -> pd.DataFrame:
    """Standard errors of the scores by replicate weights beside the linearised ones; empty unless the study asks.

    A second route: respondents (or clusters) are left out one at a time, or drawn anew with replacement, and the groups
    raked again each time. For a check, never for intervals (see `replicates`). Holds the kept rows in memory. Scores
    that means enter of which not everything may be told have none.

    Returns
    -------
    DataFrame
        axis, issue, std_error, jackknife, bootstrap; in points.
    """
    columns = ["axis", "issue", "std_error", "jackknife", "bootstrap"]
    if not study.weighting.replicates:
        return pd.DataFrame(columns=columns)
    block = _with_stratum_weights(study, sample.moments, stack([one for one, _ in rows.blocks()]))
    questions, weights = score_targets(study)
    weights = score_weights(sample, questions, weights)
    closed = ((weights > 0) & sample.closed[:, questions].T).any(axis=1)
    found = {
        method: replicate_std_errors(
            study,
            block,
            questions,
            weights,
            method=method,
            seed=study.seed,
            replicates=study.weighting.replicates,
            population=_by_row(study, sample.moments, block),
        ).std_error
        for method in ReplicateMethod
    }
    return pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), len(study.issues)),
            "issue": [issue.id for issue in study.issues] * len(study.axes),
            "std_error": known_errors(estimates),
            "jackknife": np.where(closed, np.nan, found[ReplicateMethod.JACKKNIFE]),
            "bootstrap": np.where(closed, np.nan, found[ReplicateMethod.BOOTSTRAP]),
        }
    )[columns]


def _with_stratum_weights(study: Study, moments: Moments, block: Block) -> Block:
    """The rows with weights that bring strata to their populations, as `weights.weigh` has them, by the first group."""
    members, cells = moments.members(), list(moments.cells)
    factor: dict[tuple[int, int], float] = {}
    for g in range(moments.groups):
        inside = np.flatnonzero(members[:, g])
        factors = stratum_factors(study, moments, g, inside)
        factor.update({(g, cells[k].stratum): float(f) for k, f in zip(inside, factors, strict=True)})
    first = block.members.argmax(axis=1)
    times = [factor.get((int(g), int(stratum)), 1.0) for g, stratum in zip(first, block.stratum, strict=True)]
    return replace(block, weight=block.weight * np.array(times))


def _by_row(study: Study, moments: Moments, block: Block) -> NDArray[np.float64] | None:
    """How many people the stratum of each respondent has in each group, shape (rows, groups)."""
    population = population_of(study, moments)
    if population is None:
        return None
    known = {(g, cell.stratum): population[k, g] for k, cell in enumerate(moments.cells) for g in cell.groups}
    return np.array(
        [[known.get((g, int(stratum)), np.nan) for g in range(moments.groups)] for stratum in block.stratum]
    ).reshape(len(block), moments.groups)
