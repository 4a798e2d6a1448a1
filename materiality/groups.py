"""What each group says, and where the groups agree and disagree; small groups stay hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.agreement import (
    Persons,
    adjusted,
    cronbach_alpha,
    disagreement,
    kendalls_w,
    kendalls_w_of_sums,
    kruskal_wallis,
    pairwise_pairs,
    persons_of,
)
from materiality.estimates import Estimates, Sample, estimate
from materiality.moments import Moments
from materiality.nonresponse import rates
from materiality.protection import MEAN_DECIMALS
from materiality.reading import stratum_code
from materiality.responses import Kind
from materiality.spooling import Spool
from materiality.study import PrivacyProfile, Study

COUNTS = ("n", "dont_know", "not_applicable", "blank")
INTERVAL = ["std_error", "conf_low", "conf_high"]


@dataclass(frozen=True)
class Concord:
    """How far groups, and respondents, order the issues of an axis alike, and whether the issues measure one thing.

    Attributes
    ----------
    axis : str
    groups, w_groups, p_groups : int, float, float
        Groups that rated every issue, Kendall's W of their means, and its p-value.
    respondents, w_respondents, p_respondents : int, float, float
        The same of the respondents who were asked on the axis and rated every issue.
    alpha, alpha_low, alpha_high : float
        Cronbach's alpha of those respondents' ratings, with its interval.
    """

    axis: str
    groups: int
    w_groups: float
    p_groups: float
    respondents: int
    w_respondents: float
    p_respondents: float
    alpha: float
    alpha_low: float
    alpha_high: float


def population_of(study: Study, moments: Moments) -> NDArray[np.float64] | None:
    """How many people each cell's stratum of each group has, shape (cells, groups); None without any correction."""
    if not study.weighting.finite_population or not any(group.population or group.strata for group in study.groups):
        return None
    cells = list(moments.cells)
    known = np.full((len(cells), len(study.groups)), np.nan)
    for g, group in enumerate(study.groups):
        strata = {stratum_code(name): people for name, people in group.strata.items()}
        split = len({cell.stratum for cell in cells if g in cell.groups}) > 1
        for k, cell in enumerate(cells):
            if strata:
                known[k, g] = strata.get(cell.stratum, np.nan)
            elif group.population and not split:
                known[k, g] = group.population
            elif group.population:
                known[k, g] = _in_proportion(group.population, moments, g, cell.stratum)
    return known


def _in_proportion(population: int, moments: Moments, g: int, stratum: int) -> float:
    """A stratum's part of a group's population where only the whole is known: as its design weights have it."""
    own = {cell: sums.weight for cell, sums in moments.cells.items() if g in cell.groups}
    here = sum(weight for cell, weight in own.items() if cell.stratum == stratum)
    people = sum(moments.cells[cell].n for cell in own if cell.stratum == stratum)
    return max(population * here / sum(own.values()), float(people))


def score_targets(study: Study) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The question and the group weights of every score: one axis after the other, each over the issues."""
    questions = np.array(study.layout.question_of).ravel()
    return questions, np.repeat(np.array(study.layout.group_weights), len(study.issues), axis=0)


def estimated(
    study: Study,
    sample: Sample,
    questions: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    unbounded: bool = False,
) -> Estimates:
    """Linear combinations of group means under the study's confidence, scale and populations."""
    return estimate(
        sample,
        questions,
        weights,
        confidence=study.confidence,
        low=-np.inf if unbounded else study.scale.low,
        high=np.inf if unbounded else study.scale.high,
        population=population_of(study, sample.moments),
    )


def group_scores_table(study: Study, sample: Sample) -> pd.DataFrame:
    """Every group's mean on every axis that asks it, and wherever else it answered the axis's questions."""
    groups, issues = len(study.groups), len(study.issues)
    group_of, issue_of = np.repeat(np.arange(groups), issues), np.tile(np.arange(issues), groups)
    told = sample.means if sample.stand_in is None else sample.stand_in.told
    tables = []
    for k, axis in enumerate(study.axes):
        questions = np.array(study.layout.question_of[k])[issue_of]
        found = estimated(
            study,
            sample,
            questions,
            np.where(sample.n[group_of, questions] > 0, 1.0, 0.0)[:, None] * np.eye(groups)[group_of],
        )
        kinds = sample.kinds[group_of, questions]
        table = pd.DataFrame(
            {
                "axis": axis,
                "group": [study.groups[g].id for g in group_of],
                "issue": [study.issues[i].id for i in issue_of],
                "estimate": np.where(np.isfinite(found.values), told[group_of, questions], np.nan),
                "std_error": known_errors(found),
                "conf_low": found.low,
                "conf_high": found.high,
                "n": sample.n[group_of, questions],
                "n_effective": sample.effective[group_of, questions],
                "dont_know": kinds[:, Kind.DONT_KNOW],
                "not_applicable": kinds[:, Kind.NOT_APPLICABLE],
                "blank": kinds[:, Kind.BLANK],
                "suppressed": sample.hidden[group_of, questions],
            }
        )
        table.loc[sample.closed[group_of, questions], [*INTERVAL, "n_effective"]] = np.nan
        asked = np.array(study.layout.group_weights[k])[group_of] > 0
        answered = sample.n[group_of][:, np.unique(study.layout.question_of[k])].any(axis=1)
        tables.append(table[asked | answered])
    table = _blanked(pd.concat(tables, ignore_index=True))
    if study.privacy.profile is PrivacyProfile.PUBLISH:
        table[[*INTERVAL, "n_effective"]] = table[[*INTERVAL, "n_effective"]].round(MEAN_DECIMALS)
    return table


def known_errors(estimates: Estimates) -> NDArray[np.float64]:
    """Standard errors; NaN where there is no estimate."""
    return np.where(np.isfinite(estimates.values), estimates.std_error, np.nan)


def answers_table(study: Study, sample: Sample) -> pd.DataFrame:
    """How many of each group gave each point of the scale, every respondent counting once.

    Returns
    -------
    DataFrame
        axis, group (of those that the axis asks), issue, rating (the point of the scale), n (ratings at that point),
        share (of the group's ratings), suppressed. Blanked are hidden groups, and questions that so few of the group
        rated that no more than their mean is told. No rows where the scale has no points.
    """
    points, hidden = study.scale.points, sample.closed
    tables = []
    for k, axis in enumerate(study.axes):
        groups = np.flatnonzero(np.array(study.layout.group_weights[k]) > 0)
        cells = np.ix_(groups, np.array(study.layout.question_of[k]))
        counts, rated = sample.points[cells], sample.n[cells][:, :, None]
        shape = (len(groups), len(study.issues), len(points))
        g, i, p = (place.ravel() for place in np.indices(shape))
        table = pd.DataFrame(
            {
                "axis": axis,
                "group": np.array([group.id for group in study.groups], object)[groups][g],
                "issue": np.array([issue.id for issue in study.issues], object)[i],
                "rating": np.array(points)[p],
                "n": pd.array(counts.reshape(-1), dtype="Int64"),
                "share": np.divide(counts, rated, out=np.full(shape, np.nan), where=rated > 0).ravel(),
                "suppressed": hidden[cells][g, i],
            }
        )
        table.loc[table["suppressed"], ["n", "share"]] = pd.NA
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _blanked(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the numbers of its suppressed rows."""
    table = table.astype(dict.fromkeys(COUNTS, "Int64"))
    shown = ["estimate", "std_error", "conf_low", "conf_high", "n_effective", *COUNTS]
    table.loc[table["suppressed"], shown] = pd.NA
    return table


def _shown_groups(study: Study, sample: Sample, axis: int) -> list[int]:
    """The groups that an axis asks and of one of whose means on it, at least, more than the mean may be told."""
    asked = np.array(study.layout.group_weights[axis]) > 0
    closed = sample.closed[:, np.array(study.layout.question_of[axis])].all(axis=1)
    return [int(g) for g in np.flatnonzero(asked & ~closed & (sample.respondents > 0))]


def told_groups(study: Study, sample: Sample, axis: int) -> NDArray[np.bool_]:
    """The groups that an axis asks and of all whose means on it more than the mean may be told, shape (groups,)."""
    asked = np.array(study.layout.group_weights[axis]) > 0
    closed = sample.closed[:, np.array(study.layout.question_of[axis])].any(axis=1)
    return np.asarray(asked & ~closed & (sample.respondents > 0))


def told_people(study: Study, sample: Sample, axis: int, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who is asked on an axis and belongs to no group of it that is closed; from members, shape (people, groups).

    Nobody where a group that is told shares people with a closed one.
    """
    told = told_groups(study, sample, axis)
    others = (np.array(study.layout.group_weights[axis]) > 0) & ~told
    if any(told[list(cell.groups)].any() and others[list(cell.groups)].any() for cell in sample.moments.cells):
        return np.zeros(len(members), np.bool_)  # told groups with and without those people would tell of these
    return np.asarray(members[:, told].any(axis=1) & ~members[:, others].any(axis=1))


def differences_table(study: Study, sample: Sample) -> pd.DataFrame:
    """Differences between the means of every two groups that an axis asks and whose intervals are shown.

    Returns
    -------
    DataFrame
        axis, issue, group, other, difference (group less other, in points), std_error (from the joint covariance:
        people in both groups count as such), conf_low, conf_high (`estimates.estimate`), p (by the interval: below
        1 − confidence where it leaves out 0) and p_holm (Holm, over all differences of the axis).
    """
    tables = []
    for k, axis in enumerate(study.axes):
        groups = _shown_groups(study, sample, k)
        pairs = pairwise_pairs(len(groups))
        questions = np.repeat(np.array(study.layout.question_of[k]), len(pairs))
        weights = np.zeros((len(pairs), len(study.groups)))
        for row, (one, other) in enumerate(pairs):
            weights[row, [groups[one], groups[other]]] = 1.0, -1.0
        weights = np.tile(weights, (len(study.issues), 1))
        rated = (((sample.n > 0) & ~sample.closed)[:, questions].T | (weights == 0)).all(axis=1)
        found = estimated(study, sample, questions, np.where(rated[:, None], weights, 0.0))
        p = _two_sided(study, found)
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": np.repeat([issue.id for issue in study.issues], len(pairs)),
                    "group": [study.groups[groups[one]].id for one, _ in pairs] * len(study.issues),
                    "other": [study.groups[groups[other]].id for _, other in pairs] * len(study.issues),
                    "difference": found.values,
                    "std_error": known_errors(found),
                    "conf_low": found.low,
                    "conf_high": found.high,
                    "p": p,
                    "p_holm": adjusted(p).holm,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _two_sided(study: Study, found: Estimates) -> NDArray[np.float64]:
    """The level at which the interval would just take in no difference; NaN where it has no width."""
    from scipy.special import ndtr, ndtri

    reach = np.where(found.values > 0, found.values - found.low, found.high - found.values)
    z = np.divide(np.abs(found.values), reach, out=np.full(reach.shape, np.nan), where=reach > 0)
    return np.asarray(2 * ndtr(-z * ndtri(0.5 + study.confidence / 2)))


def agreement_table(study: Study, sample: Sample) -> pd.DataFrame:
    """Where the groups disagree, issue by issue; means of which no more may be told do not enter.

    Returns
    -------
    DataFrame
        axis, issue, statistic, df, p (Kruskal and Wallis, from the unweighted ratings), p_holm, p_bh (over the issues
        of the axis), epsilon_squared, std_dev (of the group means, by group weight), range, highest, lowest (groups).
        The test takes respondents and groups as independent; clusters and people in several groups break that, and
        the table then leaves it out.
    """
    tables = []
    shared = any(len(cell.groups) > 1 or cell.cluster for cell in sample.moments.cells)
    for k, axis in enumerate(study.axes):
        groups = _shown_groups(study, sample, k)
        questions = np.array(study.layout.question_of[k])
        counts = sample.points[groups][:, questions].transpose(1, 0, 2)
        test = kruskal_wallis(np.zeros_like(counts) if shared or not counts.shape[2] else counts)
        both = adjusted(test.p)
        weights = np.array(study.layout.group_weights[k])[groups]
        means = np.where(sample.closed, np.nan, sample.means)
        spread = disagreement(means[groups][:, questions], weights)
        names = np.array([study.groups[g].id for g in groups] + [""], object)
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": [issue.id for issue in study.issues],
                    "statistic": test.statistic,
                    "df": test.df,
                    "p": test.p,
                    "p_holm": both.holm,
                    "p_bh": both.benjamini_hochberg,
                    "epsilon_squared": test.epsilon_squared,
                    "std_dev": spread.std_dev,
                    "range": spread.range,
                    "highest": names[spread.highest],
                    "lowest": names[spread.lowest],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def concords(study: Study, sample: Sample, rows: Spool) -> tuple[Concord, ...]:
    """Kendall's W and Cronbach's alpha, axis by axis; respondents count once, unweighted.

    Groups of which anything on the axis is closed do not enter, and nor do their people.
    """
    layout = study.layout
    sums: list[Persons] = [
        persons_of(np.zeros((0, len(study.issues))), midpoint=study.scale.midpoint) for _ in study.axes
    ]
    for block, _ in rows.blocks():
        for k in range(len(study.axes)):
            ratings = block.ratings[told_people(study, sample, k, block.members)][:, list(layout.question_of[k])]
            sums[k] += persons_of(ratings, midpoint=study.scale.midpoint)
    found = []
    for k, axis in enumerate(study.axes):
        groups = np.flatnonzero(told_groups(study, sample, k)).tolist()
        means = sample.means[groups][:, list(layout.question_of[k])]
        among_groups = kendalls_w(means)
        person = sums[k]
        hide = person.n < max(study.privacy.hidden_below, 2)
        among = kendalls_w_of_sums(person.rank_sums, person.n, person.tie_terms)
        alpha = cronbach_alpha(person.covariance(), person.n, confidence=study.confidence)
        found.append(
            Concord(
                axis,
                among_groups.raters,
                among_groups.w,
                among_groups.p,
                0 if hide else person.n,
                *((np.nan,) * 5 if hide else (among.w, among.p, alpha.alpha, alpha.lower, alpha.upper)),
            )
        )
    return tuple(found)


def nonresponse_table(study: Study, sample: Sample) -> pd.DataFrame:
    """Shares of answers that are no rating, by axis, issue and group.

    Returns
    -------
    DataFrame
        axis, issue, group, asked (respondents), dont_know, not_applicable, blank (shares of them), missing (weighted
        share without a rating), suppressed. Hidden groups are blanked.
    """
    found = rates(sample)
    small = sample.respondents < study.privacy.hidden_below
    tables = []
    for k, axis in enumerate(study.axes):
        groups = np.flatnonzero((np.array(study.layout.group_weights[k]) > 0) & (sample.respondents > 0))
        questions = np.array(study.layout.question_of[k])
        g, q = np.repeat(groups, len(questions)), np.tile(questions, len(groups))
        table = pd.DataFrame(
            {
                "axis": axis,
                "issue": [issue.id for issue in study.issues] * len(groups),
                "group": [study.groups[k].id for k in g],
                "asked": pd.array(sample.respondents[g], dtype="Int64"),
                "dont_know": found.shares[g, q, Kind.DONT_KNOW],
                "not_applicable": found.shares[g, q, Kind.NOT_APPLICABLE],
                "blank": found.shares[g, q, Kind.BLANK],
                "missing": found.missing[g, q],
                "suppressed": sample.hidden[g, q] | small[g],
            }
        )
        table.loc[table["suppressed"], ["asked", "dont_know", "not_applicable", "blank", "missing"]] = pd.NA
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
