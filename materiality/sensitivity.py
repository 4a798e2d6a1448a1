"""How far ranks and tiers depend on the weights of the groups, and on each group's being there at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.acceptability import (
    TierAcceptability,
    central_weights,
    highest,
    rank_acceptability,
    scores,
    tier_acceptability,
    weight_draws,
)
from materiality.estimates import Estimates, Sample
from materiality.groups import estimated
from materiality.matrix import Matrix, errors_of
from materiality.stats import ROUNDING, joint_draws
from materiality.study import COMBINED, MaterialRule, Study
from materiality.tiers import shrunk
from materiality.tipping import above, left_out, threshold_tips, weight_tips

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
DRAWS = 5_000
UNCERTAIN = ("answers", "weights", "weights and answers", "any weights", "any weights and answers")
"""What is taken to be uncertain: the answers' sampling error; group weights around the study's; any group weights."""
SHARES = ["above_x", "above_y", "tier_1", "tier_2", "tier_3", "material"]


@dataclass(frozen=True)
class Acceptability:
    """Ranks, tiers and weights that uncertain group weights bring, as tables.

    Attributes
    ----------
    ranks : DataFrame
        axis (one of the matrix's, or `combined`), uncertain, issue, rank, share (of the draws; ranks that an issue has
        in none are left out).
    tiers : DataFrame
        uncertain, issue, above_x, above_y, tier_1, tier_2, tier_3, material (shares of the draws). Where answers are
        uncertain, NaN for an issue whose confidence the matrix does not tell, because its spread is unknown.
    central : DataFrame
        axis, issue, choice (`first`: the highest score; `above`: above the axis's threshold), group, weight: the mean
        of the weights, any being possible, with which the answers as they are bring that about. Left out of it are
        choices that no weights bring about. Weights of hidden groups are NaN.
    """

    ranks: pd.DataFrame
    tiers: pd.DataFrame
    central: pd.DataFrame


def acceptability_tables(study: Study, sample: Sample, matrix: Matrix, generator: np.random.Generator) -> Acceptability:
    """Stochastic multicriteria acceptability analysis of the group weights.

    Weights of each axis are drawn by themselves: around the study's with its `weights_vary`, or any weights at all.
    Answers are drawn from the joint distribution of the group means, and drawn together as for the tiers
    (`tiers.shrunk`). Where answers alone are uncertain, the draws are those of the tiers, so that shares equal their
    confidences.

    References
    ----------
    As for `acceptability.rank_acceptability`.
    """
    means, drawn_means = _group_means(study, sample, generator)
    axes = study.matrix_places
    given = [np.array(study.layout.group_weights[k]) for k in axes]
    fixed = [np.broadcast_to(weights / weights.sum(), (1, len(weights))) for weights in given]
    near = [_around(study, weights, generator) for weights in given]
    anything = [weight_draws(weights, DRAWS, generator) for weights in given]
    # what the scores are as they stand decides who has one; no draw of the weights may give or take it
    scored = np.stack([np.isfinite(scores(means[k], fixed[k])[0]) for k in range(2)])
    drawn = {
        "answers": matrix.tiers.likely,
        "weights": _scores(means, near),
        "any weights": _scores(means, anything),
    }
    for uncertain, weights in (("weights", near), ("any weights", anything)):
        drawn[f"{uncertain} and answers"] = _likely(drawn[uncertain], _scores(drawn_means, weights), matrix.tiers.kept)
    ranks, tiers, unknown = [], [], matrix.points["p_material"].isna().to_numpy()
    for uncertain in UNCERTAIN:
        values = np.where(scored, drawn[uncertain], np.nan)
        for axis, column in ((study.x, values[:, 0]), (study.y, values[:, 1]), (COMBINED, values.mean(axis=1))):
            ranks.append(_ranks(study, axis, uncertain, column))
        found = tier_acceptability(values[:, 0], values[:, 1], study.thresholds, midpoint=study.scale.midpoint)
        table = _tiers(study, uncertain, found)
        if "answers" in uncertain:
            table.loc[unknown, SHARES] = np.nan
        tiers.append(table)
    shown = ~sample.hidden
    central = [
        _central(study, k, anything[place], drawn["any weights"][:, place], shown) for place, k in enumerate(axes)
    ]
    return Acceptability(
        pd.concat(ranks, ignore_index=True), pd.concat(tiers, ignore_index=True), pd.concat(central, ignore_index=True)
    )


def _scores(means: FloatArray, weights: list[FloatArray]) -> FloatArray:
    """The scores on both axes in each draw, shape (draws, 2, issues)."""
    return np.stack([scores(means[k], weights[k]) for k in range(2)], axis=1)


def _likely(centre: FloatArray, drawn: FloatArray, kept: FloatArray) -> FloatArray:
    """Draws of the true scores on both axes, each around the scores that its own weights give."""
    found = drawn.copy()
    for k in range(2):
        known = np.isfinite(centre[:, k]).all(axis=0)
        if known.any():
            found[:, k, known] = shrunk(centre[:, k, known], drawn[:, k, known], kept[k])
    return found


def _around(study: Study, weights: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Draws around an axis's weights, as uncertain as the study takes them to be."""
    return weight_draws(weights, DRAWS, generator, variation=study.robustness.weights_vary)


def _group_means(study: Study, sample: Sample, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Means of the groups on the matrix's axes, shape (2, groups, issues), and draws of them, (2, draws, …)."""
    groups, issues = len(study.groups), len(study.issues)
    axes = study.matrix_places
    asked = np.array(study.layout.group_weights)[axes] > 0
    questions = np.array(study.layout.question_of)[axes]
    rated = asked[:, :, None] & (sample.n[:, questions] > 0).transpose(1, 0, 2)
    _, group_of, _ = np.nonzero(rated)
    question_of = np.broadcast_to(questions[:, None, :], rated.shape)[rated]
    found = estimated(study, sample, question_of, np.eye(groups)[group_of])
    means = np.full((2, groups, issues), np.nan)
    means[rated] = found.values
    drawn = np.full((2, DRAWS, groups, issues), np.nan)
    covariance, _ = errors_of(found)
    drawn.swapaxes(1, 3).swapaxes(1, 2)[rated] = joint_draws(found.values, covariance, DRAWS, generator).T
    return means, drawn


def _ranks(study: Study, axis: str, uncertain: str, values: FloatArray) -> pd.DataFrame:
    shares = rank_acceptability(values)
    issue, rank = np.nonzero(np.nan_to_num(shares) > 0)
    return pd.DataFrame(
        {
            "axis": axis,
            "uncertain": uncertain,
            "issue": [study.issues[i].id for i in issue],
            "rank": rank + 1,
            "share": shares[issue, rank],
        }
    )


def _tiers(study: Study, uncertain: str, found: TierAcceptability) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "uncertain": uncertain,
            "issue": [issue.id for issue in study.issues],
            "above_x": found.above[0],
            "above_y": found.above[1],
            "tier_1": found.tier[:, 0],
            "tier_2": found.tier[:, 1],
            "tier_3": found.tier[:, 2],
            "material": found.both if study.tiers.rule is MaterialRule.BOTH else found.either,
        }
    )


def _central(study: Study, k: int, weights: FloatArray, values: FloatArray, shown: BoolArray) -> pd.DataFrame:
    """Central weights of one axis; of hidden groups none."""
    axis = list(study.axes)[k]
    asked = np.flatnonzero(np.array(study.layout.group_weights[k]) > 0)
    visible = shown[asked][:, list(study.layout.question_of[k])].T
    higher = above(values, study.threshold(axis), midpoint=study.scale.midpoint) == 1
    tables = []
    for choice, chosen in (("first", highest(values)), ("above", higher)):
        found = np.where(visible, central_weights(weights[:, asked], chosen), np.nan)
        table = pd.DataFrame(
            {
                "axis": axis,
                "issue": np.repeat([issue.id for issue in study.issues], len(asked)),
                "choice": choice,
                "group": [study.groups[g].id for g in asked] * len(study.issues),
                "weight": found.ravel(),
            }
        )
        tables.append(table[np.repeat(chosen.any(axis=0), len(asked))])
    return pd.concat(tables, ignore_index=True)


def without_group_table(study: Study, sample: Sample, estimates: Estimates, matrix: Matrix) -> pd.DataFrame:
    """Scores and tiers with each group left out in turn, of both axes; the other weights grow in proportion.

    Returns
    -------
    DataFrame
        group, axis, issue, estimate, without, difference, tier, tier_without, material, material_without; tiers and
        materiality by thresholds, which follow the scores that are left. Where the group's mean is hidden only these
        are given: what stands in for it says nothing of the group alone.
    """
    issues, axes = len(study.issues), study.matrix_places
    questions = np.array(study.layout.question_of)[axes]
    given = np.array(study.layout.group_weights)[axes]
    values = estimates.values.reshape(len(study.axes), issues)[axes]
    without = np.stack([left_out(sample.means[:, questions[k]], given[k]) for k in range(2)])
    without = np.where(np.abs(without - values[:, None]) <= ROUNDING, values[:, None], without)
    tiers, material = _placed(study, values[:, None])
    tiers_without, material_without = _placed(study, without)
    tables = []
    for g in np.flatnonzero((given > 0).any(axis=0) & (sample.respondents > 0)):
        rest = np.where(sample.hidden[g, questions] & (given[:, g] > 0)[:, None], np.nan, without[:, g])
        tables.append(
            pd.DataFrame(
                {
                    "group": study.groups[g].id,
                    "axis": np.repeat([study.x, study.y], issues),
                    "issue": [issue.id for issue in study.issues] * 2,
                    "estimate": values.ravel(),
                    "without": rest.ravel(),
                    "difference": (rest - values).ravel(),
                    "tier": _whole(np.tile(tiers[0], 2)),
                    "tier_without": _whole(np.tile(tiers_without[g], 2)),
                    "material": _boolean(np.tile(material[0], 2)),
                    "material_without": _boolean(np.tile(material_without[g], 2)),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _placed(study: Study, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tiers by thresholds, and 1 for material by the rule, of sets of scores, shape (2, sets, issues)."""
    sides = [above(values[k], rule, midpoint=study.scale.midpoint) for k, rule in enumerate(study.thresholds)]
    count = sides[0] + sides[1]
    enough = 2 if study.tiers.rule is MaterialRule.BOTH else 1
    return 3 - count, np.where(np.isnan(count), np.nan, count >= enough)


def tips_table(study: Study, sample: Sample, estimates: Estimates) -> pd.DataFrame:
    """How little has to change for an issue to stand on the other side of a threshold.

    Returns
    -------
    DataFrame
        axis, issue, group, present, tip, change. Without a group: the threshold as it is, the one from which on the
        issue changes side (its score), in points. With a group: its share of the axis's weights as it is, and the
        nearest at which the issue changes side, the others keeping their proportions; NaN where no share does, and
        where the group's mean is hidden. Groups of whose means all are hidden are left out.
    """
    hidden, issues = sample.hidden, [issue.id for issue in study.issues]
    tables = []
    for axis in (study.x, study.y):
        k, rule, midpoint = study.place_of(axis), study.threshold(axis), study.scale.midpoint
        questions, weights = list(study.layout.question_of[k]), np.array(study.layout.group_weights[k])
        values = estimates.values[k * len(issues) : (k + 1) * len(issues)]
        own = threshold_tips(values, rule, midpoint=midpoint)
        found = weight_tips(
            sample.means[:, questions],
            weights,
            rule,
            midpoint=midpoint,
            candidates=~hidden[:, questions].all(axis=1),
        )
        groups = np.flatnonzero((weights > 0) & ~hidden[:, questions].all(axis=1) & (sample.respondents > 0))
        present = np.repeat(np.append(own.threshold, found.present[groups]), len(issues))
        tip = np.concatenate([own.tip, np.where(hidden[:, questions], np.nan, found.tip)[groups].ravel()])
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": issues * (len(groups) + 1),
                    "group": np.repeat(["", *(study.groups[g].id for g in groups)], len(issues)),
                    "present": present,
                    "tip": tip,
                    "change": np.concatenate([own.change, (tip - present)[len(issues) :]]),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _whole(values: FloatArray) -> pd.Series:
    return pd.Series(values).astype("Int64")


def _boolean(values: FloatArray) -> pd.Series:
    return pd.Series(values).astype("boolean")
