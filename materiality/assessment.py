"""From a study file to all its results, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from materiality.errors import Faults, joined
from materiality.estimates import Estimates, Sample, estimate, score_weights, summarise
from materiality.gathering import Gathered, Progress, examine
from materiality.matrix import Matrix, build_matrix, spread_of
from materiality.moments import Moments
from materiality.notices import notices
from materiality.ranks import rank_sets
from materiality.responses import Kind
from materiality.study import Study, study_path
from materiality.weights import diagnostics_table, weigh, weights_table

RANK_STREAM, TIER_STREAM, UNFLAGGED_STREAM = range(3)
"""Which random numbers are for what: each use draws from a generator of its own, keyed by the study's seed."""


@dataclass(frozen=True)
class Assessment:
    """All results of one run. Figures and reports are made from it and from nothing else.

    Attributes
    ----------
    study : Study
    study_file : Path
    gathered : Gathered
        Moments, dispositions and exports.
    sample : Sample
        Group means and counts.
    estimates : Estimates
        Scores, one axis after the other, each over the issues.
    matrix : Matrix
    scores, group_scores, weights, weighting : DataFrame
        The tables of the same names (design §4), unrounded.
    flagged : DataFrame
        Scores with and without the flagged rows; empty where no row was flagged.
    simulated : bool
        The answers are simulated; everything made from them says so.
    warnings : tuple of str
        What a reader has to know, in words.
    """

    study: Study
    study_file: Path
    gathered: Gathered
    sample: Sample
    estimates: Estimates
    matrix: Matrix
    scores: pd.DataFrame
    group_scores: pd.DataFrame
    weights: pd.DataFrame
    weighting: pd.DataFrame
    flagged: pd.DataFrame
    simulated: bool
    warnings: tuple[str, ...]


def assess(path: Path | str, *, seed: int | None = None, progress: Progress | None = None) -> Assessment:
    """Read a study and its exports, and compute everything.

    Parameters
    ----------
    path : path
        A `study.toml`, or its folder.
    seed : int, optional
        Instead of the study's.
    progress : callable, optional
        Told an export's name and the rows read from it so far.

    Raises
    ------
    MaterialityError
        With every fault of the study file and its exports at once.
    """
    study, gathered = examine(path, progress=progress)
    if seed is not None:
        study = study.model_copy(update={"seed": seed})
    return _assess(study, study_path(path), gathered)


def _assess(study: Study, study_file: Path, gathered: Gathered) -> Assessment:
    sample = summarise(gathered.moments, gathered.weights)
    estimates = _scores(study, sample)
    _check_scored(study, study_file, estimates)
    matrix = build_matrix(study, estimates, _generator(study, TIER_STREAM))
    group_scores = _group_scores_table(study, sample)
    return Assessment(
        study=study,
        study_file=study_file,
        gathered=gathered,
        sample=sample,
        estimates=estimates,
        matrix=matrix,
        scores=_scores_table(study, estimates),
        group_scores=group_scores,
        weights=weights_table(study, gathered.moments, gathered.weights),
        weighting=diagnostics_table(study, gathered.moments, gathered.weights),
        flagged=_with_and_without_flagged(study, gathered.moments, estimates, matrix),
        simulated=gathered.simulated,
        warnings=tuple(
            notices(study, sample, estimates, group_scores, gathered.exports, gathered.moments.without_flagged())
        ),
    )


def _check_scored(study: Study, study_file: Path, estimates: Estimates) -> None:
    """Refuse a study in which no issue has a score on both axes of the matrix: there is nothing to draw."""
    faults = Faults()
    scores = np.isfinite(estimates.values.reshape(len(study.axes), -1))
    places = [list(study.axes).index(axis) for axis in (study.x, study.y)]
    if not scores[places].all(axis=0).any():
        empty = [axis for axis, place in zip((study.x, study.y), places, strict=True) if not scores[place].any()]
        faults.add(
            "no issue has a rating on both axes of the matrix"
            + (f"; nobody who was asked rated anything on {joined(empty)}." if empty else "."),
            mend="look at the axes' columns and groups; `materiality inspect` shows what the columns hold.",
            file=study_file.name,
        )
    faults.raise_any()


def _generator(study: Study, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([study.seed, stream])))


def _population(study: Study) -> np.ndarray | None:
    if not study.weighting.finite_population or not any(group.population for group in study.groups):
        return None
    return np.array([group.population or np.nan for group in study.groups], float)


def _scores(study: Study, sample: Sample) -> Estimates:
    questions = np.array(study.layout.question_of).ravel()
    weights = np.repeat(np.array(study.layout.group_weights), len(study.issues), axis=0)
    return estimate(
        sample,
        questions,
        score_weights(sample, questions, weights),
        confidence=study.confidence,
        low=study.scale.low,
        high=study.scale.high,
        population=_population(study),
    )


def _scores_table(study: Study, estimates: Estimates) -> pd.DataFrame:
    issues = len(study.issues)
    spread = spread_of(estimates, study)
    tables = []
    for k, axis in enumerate(study.axes):
        here = slice(k * issues, (k + 1) * issues)
        df = estimates.df[here]
        ranks = rank_sets(
            estimates.values[here],
            spread[here, here],
            confidence=study.confidence,
            df=float(np.nanmin(df)) if np.isfinite(df).any() else np.inf,
            generator=_generator(study, RANK_STREAM),
        )
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": [issue.id for issue in study.issues],
                    "estimate": estimates.values[here],
                    "std_error": _known(estimates)[here],
                    "conf_low": estimates.low[here],
                    "conf_high": estimates.high[here],
                    "df": df,
                    "n": estimates.n[here],
                    "rank": _whole(ranks.rank),
                    "rank_low": _whole(ranks.low),
                    "rank_high": _whole(ranks.high),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _whole(values: np.ndarray) -> pd.Series:
    return pd.Series(values).astype("Int64")


def _group_scores_table(study: Study, sample: Sample) -> pd.DataFrame:
    """Every group's mean on every axis that asks it, and wherever else it answered the axis's questions."""
    groups, issues = len(study.groups), len(study.issues)
    group_of, issue_of = np.repeat(np.arange(groups), issues), np.tile(np.arange(issues), groups)
    hidden = _hidden(study, sample)
    tables = []
    for k, axis in enumerate(study.axes):
        questions = np.array(study.layout.question_of[k])[issue_of]
        found = estimate(
            sample,
            questions,
            np.where(sample.n[group_of, questions] > 0, 1.0, 0.0)[:, None] * np.eye(groups)[group_of],
            confidence=study.confidence,
            low=study.scale.low,
            high=study.scale.high,
            population=_population(study),
        )
        kinds = sample.kinds[group_of, questions]
        table = pd.DataFrame(
            {
                "axis": axis,
                "group": [study.groups[g].id for g in group_of],
                "issue": [study.issues[i].id for i in issue_of],
                "estimate": found.values,
                "std_error": _known(found),
                "conf_low": found.low,
                "conf_high": found.high,
                "n": sample.n[group_of, questions],
                "n_effective": sample.effective[group_of, questions],
                "dont_know": kinds[:, Kind.DONT_KNOW],
                "not_applicable": kinds[:, Kind.NOT_APPLICABLE],
                "blank": kinds[:, Kind.BLANK],
                "suppressed": hidden[group_of, questions],
            }
        )
        asked = np.array(study.layout.group_weights[k])[group_of] > 0
        answered = sample.n[group_of][:, np.unique(study.layout.question_of[k])].any(axis=1)
        tables.append(table[asked | answered])
    return _blanked(pd.concat(tables, ignore_index=True))


def _known(estimates: Estimates) -> np.ndarray:
    """Standard errors; NaN where there is no estimate."""
    return np.where(np.isfinite(estimates.values), estimates.std_error, np.nan)


def _hidden(study: Study, sample: Sample) -> np.ndarray:
    """Which groups' answers stay hidden, shape (groups, questions).

    Those of groups below the minimum size, and of questions that fewer of the group rated. Where one alone of the
    groups in a score is hidden, the score less the others would give it away: the next smallest is hidden with it, on
    every axis that asks the question.
    """
    smallest, n = study.privacy.hidden_below, sample.n
    hidden = ((n > 0) & (n < smallest)) | ((sample.respondents > 0) & (sample.respondents < smallest))[:, None]
    scores = [
        (np.array(weights) > 0, question)
        for weights, questions in zip(study.layout.group_weights, study.layout.question_of, strict=True)
        for question in questions
    ]
    settled = False
    while not settled:
        settled = True
        for asked, question in scores:
            inside = asked & (n[:, question] > 0)
            shown = np.flatnonzero(inside & ~hidden[:, question])
            if len(shown) and np.count_nonzero(inside & hidden[:, question]) == 1:
                hidden[shown[n[shown, question].argmin()], question] = True
                settled = False
    return hidden


def _blanked(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the numbers of its suppressed rows."""
    table = table.astype(dict.fromkeys(("n", "dont_know", "not_applicable", "blank"), "Int64"))
    shown = [
        "estimate",
        "std_error",
        "conf_low",
        "conf_high",
        "n",
        "n_effective",
        "dont_know",
        "not_applicable",
        "blank",
    ]
    table.loc[table["suppressed"], shown] = pd.NA
    return table


def _with_and_without_flagged(study: Study, moments: Moments, estimates: Estimates, matrix: Matrix) -> pd.DataFrame:
    rest = moments.without_flagged()
    columns = ["axis", "issue", "estimate", "without_flagged", "difference", "tier", "tier_without_flagged"]
    if len(rest.cells) in (0, len(moments.cells)):
        return pd.DataFrame(columns=columns)
    unfit = Faults()
    without = _scores(study, summarise(rest, weigh(study, rest, unfit, "")))
    tiers = build_matrix(study, without, _generator(study, UNFLAGGED_STREAM)).points["tier"]
    axes = len(study.axes)
    return pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), len(study.issues)),
            "issue": [issue.id for issue in study.issues] * axes,
            "estimate": estimates.values,
            "without_flagged": without.values,
            "difference": without.values - estimates.values,
            "tier": pd.concat([matrix.points["tier"]] * axes, ignore_index=True),
            "tier_without_flagged": pd.concat([tiers] * axes, ignore_index=True),
        }
    )
