"""From a study file to all its results, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from materiality.clustering import Clusters, cluster_issues
from materiality.decisions import decision_table
from materiality.errors import Faults, joined
from materiality.estimates import Estimates, Sample, score_weights, summarise
from materiality.gathering import Gathered, Progress, examine
from materiality.groups import (
    Concord,
    agreement_table,
    answers_table,
    concords,
    differences_table,
    estimated,
    group_scores_table,
    known_errors,
    nonresponse_table,
    score_targets,
)
from materiality.matrix import Matrix, build_matrix, joint_table, spread_of
from materiality.multiverse import Multiverse, multiverse
from materiality.notices import notices
from materiality.protection import Withheld, protected, withheld
from materiality.ranks import rank_sets
from materiality.robustness import (
    bounds_table,
    centred_moments,
    centred_table,
    flagged_table,
    leniency_table,
    replicates_table,
)
from materiality.segmentation import Segmentation, segment_respondents
from materiality.sensitivity import Acceptability, acceptability_tables, tips_table, without_group_table
from materiality.study import COMBINED, Language, Privacy, PrivacyProfile, Study, study_path
from materiality.weights import diagnostics_table, margins_table, weights_table
from materiality.wording import Message

RANK_STREAM, TIER_STREAM, UNFLAGGED_STREAM, WEIGHT_STREAM, CLUSTER_STREAM, SEGMENT_STREAM = range(6)
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
        Group means and counts, with stand-ins for those that are not told.
    estimates : Estimates
        Scores, one axis after the other, each over the issues.
    matrix : Matrix
    scores, unreliable, ranks, joint, group_scores, answers, differences, agreement, weights, weighting, margins, \
    nonresponse, bounds, centred, leniency, replicates, flagged : DataFrame
        The tables of the same names (`docs/outputs.md`), unrounded; `margins` is empty where no group was raked,
        `replicates` where the study asks for none, and `flagged` where no row was flagged.
    tips, without_group : DataFrame
        As `sensitivity` makes them.
    decisions : DataFrame
        The decision table.
    concords : tuple of Concord
        Agreement on each axis.
    clusters : Clusters
        Of the issues; the study's tiers where it asks for such.
    acceptability : Acceptability
        Of ranks and tiers, the group weights being uncertain.
    multiverse : Multiverse
        What is material under every combination of choices.
    segmentation : Segmentation
        Of the respondents.
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
    unreliable: pd.DataFrame
    ranks: pd.DataFrame
    joint: pd.DataFrame
    group_scores: pd.DataFrame
    answers: pd.DataFrame
    differences: pd.DataFrame
    agreement: pd.DataFrame
    concords: tuple[Concord, ...]
    weights: pd.DataFrame
    weighting: pd.DataFrame
    margins: pd.DataFrame
    nonresponse: pd.DataFrame
    bounds: pd.DataFrame
    centred: pd.DataFrame
    leniency: pd.DataFrame
    replicates: pd.DataFrame
    flagged: pd.DataFrame
    tips: pd.DataFrame
    without_group: pd.DataFrame
    decisions: pd.DataFrame
    clusters: Clusters
    acceptability: Acceptability
    multiverse: Multiverse
    segmentation: Segmentation
    simulated: bool
    warnings: tuple[str, ...]


def assess(
    path: Path | str,
    *,
    seed: int | None = None,
    language: str | None = None,
    privacy: str | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Read a study and its exports, and compute everything.

    Parameters
    ----------
    path : path
        A `study.toml`, or its folder.
    seed : int, optional
        Instead of the study's.
    language : {"en", "zh"}, optional
        Of the report, instead of the study's.
    privacy : {"internal", "publish", "off"}, optional
        Profile, instead of the study's. What is made with `off` may tell what single people answered.
    progress : callable, optional
        Told an export's name and the rows read from it so far.

    Raises
    ------
    MaterialityError
        With every fault of the study file and its exports at once.
    ValueError
        If there is no such language or profile.
    """
    given = {
        "seed": seed,
        "language": None if language is None else Language(language),
        "privacy": None if privacy is None else Privacy(profile=PrivacyProfile(privacy)),
    }
    study, gathered = examine(path, progress=progress)
    study = study.model_copy(update={key: value for key, value in given.items() if value is not None})
    return _assess(study, study_path(path), gathered)


def _assess(study: Study, study_file: Path, gathered: Gathered) -> Assessment:
    raw = summarise(gathered.moments, gathered.weights)
    kept = withheld(study, raw)
    sample = protected(study, raw, kept)
    estimates = scores_of(study, sample)
    _check_scored(study, study_file, estimates, kept)
    matrix = build_matrix(study, estimates, _generator(study, TIER_STREAM))
    group_scores = group_scores_table(study, sample)
    flagged, unraked = flagged_table(
        study, gathered.moments, estimates, matrix, scores_of, _generator(study, UNFLAGGED_STREAM), kept
    )
    ranks = _ranks_table(study, estimates)
    bounds = bounds_table(study, sample, estimates)
    centred = centred_moments(study, gathered.rows)
    universes = multiverse(study, gathered.moments, centred, kept)
    tips = tips_table(study, sample, estimates)
    replicates = replicates_table(study, gathered.rows, sample, estimates)
    margins = margins_table(study, gathered.moments, gathered.weights)
    weighting = diagnostics_table(study, gathered.moments, gathered.weights)
    return Assessment(
        study=study,
        study_file=study_file,
        gathered=gathered,
        sample=sample,
        estimates=estimates,
        matrix=matrix,
        scores=_scores_table(study, estimates, ranks),
        unreliable=_unreliable_table(study, estimates),
        ranks=ranks,
        joint=joint_table(study, sample, estimates),
        group_scores=group_scores,
        answers=answers_table(study, sample),
        differences=differences_table(study, sample),
        agreement=agreement_table(study, sample),
        concords=concords(study, sample, gathered.rows),
        weights=weights_table(study, gathered.moments, gathered.weights),
        weighting=weighting,
        margins=margins,
        nonresponse=nonresponse_table(study, sample),
        bounds=bounds,
        centred=centred_table(study, centred, estimates, scores_of, kept),
        leniency=leniency_table(study, sample, gathered.rows),
        replicates=replicates,
        flagged=flagged,
        tips=tips,
        without_group=without_group_table(study, sample, estimates, matrix),
        decisions=decision_table(study, matrix, tips, universes.shares),
        clusters=matrix.clusters or _clusters(study, matrix),
        acceptability=acceptability_tables(study, sample, matrix, _generator(study, WEIGHT_STREAM)),
        multiverse=universes,
        segmentation=segment_respondents(study, sample, gathered.rows, _generator(study, SEGMENT_STREAM)),
        simulated=gathered.simulated,
        warnings=(
            *notices(
                study,
                sample,
                estimates,
                group_scores,
                gathered.exports,
                gathered.moments.without_flagged(),
                weighting,
                margins,
                bounds,
            ),
            *([unraked] if unraked else []),
            *_replicated(replicates),
        ),
    )


def _clusters(study: Study, matrix: Matrix) -> Clusters:
    """Clusters of the issues where the tiers are by thresholds."""
    values = matrix.points[["x", "y"]].to_numpy(float).T
    return cluster_issues(study, values, matrix.tiers.drawn, _generator(study, CLUSTER_STREAM))


def _replicated(replicates: pd.DataFrame) -> list[str]:
    """How near replicate weights come to the linearised standard errors, in words."""
    spans = []
    for name, word in (("jackknife", Message("jackknife")), ("bootstrap", Message("bootstrap"))):
        ratio = (replicates[name] / replicates["std_error"]).replace([np.inf, -np.inf], np.nan).dropna()
        if len(ratio):
            spans.append(
                Message(
                    "%(low)s to %(high)s (%(method)s)",
                    low=f"{ratio.min():.2f}",
                    high=f"{ratio.max():.2f}",
                    method=word,
                )
            )
    if len(spans) == 2:
        spans = [Message("%(one)s and %(other)s", one=spans[0], other=spans[1])]
    return [
        Message("Standard errors by replicate weights are %(spans)s times the ones shown.", spans=one) for one in spans
    ]


def _check_scored(study: Study, study_file: Path, estimates: Estimates, kept: Withheld) -> None:
    """Refuse a study in which no issue has a score on both axes of the matrix: there is nothing to draw."""
    faults = Faults()
    scores = np.isfinite(estimates.values.reshape(len(study.axes), -1))
    places = study.matrix_places
    if not scores[places].all(axis=0).any() and kept.left_out.any():
        faults.add(
            "no issue can have a score on both axes of the matrix: under the privacy profile "
            f"'{study.privacy.profile}' (at least {study.privacy.hidden_below} people) the scores would tell what "
            "single groups answered.",
            mend="merge small groups; or, where the answers may be known, set a smaller minimum_group_size or "
            'profile = "off" in [privacy].',
            file=study_file.name,
            column="privacy",
        )
    elif not scores[places].all(axis=0).any():
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


def scores_of(study: Study, sample: Sample, *, unbounded: bool = False) -> Estimates:
    """The scores of all issues, one axis after the other; without the scale's ends if `unbounded`."""
    questions, weights = score_targets(study)
    return estimated(study, sample, questions, score_weights(sample, questions, weights), unbounded=unbounded)


def _ranks_table(study: Study, estimates: Estimates) -> pd.DataFrame:
    """Ranks with their confidence sets, on each axis and on the two scores of the matrix together.

    Returns
    -------
    DataFrame
        axis (`combined` for the mean of the scores on the matrix's two axes), issue, estimate, rank, low and high
        (simultaneous over all issues of the axis), marginal_low and marginal_high (of the issue by itself), top (the
        smallest k such that the issue is among the top k, with the study's confidence).
    """
    issues = len(study.issues)
    spread = spread_of(estimates)
    tables = []
    for k, axis in enumerate((*study.axes, COMBINED)):
        mix = np.zeros((issues, len(estimates.values)))
        for place in study.matrix_places if axis == COMBINED else [k]:
            mix[np.arange(issues), place * issues + np.arange(issues)] += 1.0
        mix /= mix.sum(axis=1, keepdims=True)
        known = np.isfinite(estimates.values)
        values = np.where((mix * ~known).any(axis=1), np.nan, mix @ np.where(known, estimates.values, 0.0))
        found = rank_sets(
            values,
            mix @ spread @ mix.T,
            confidence=study.confidence,
            df=np.inf,  # the spread is as wide as the intervals already
            generator=_generator(study, RANK_STREAM),
        )
        tables.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "issue": [issue.id for issue in study.issues],
                    "estimate": values,
                    **{
                        name: _whole(getattr(found, name))
                        for name in ("rank", "low", "high", "marginal_low", "marginal_high", "top")
                    },
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _scores_table(study: Study, estimates: Estimates, ranks: pd.DataFrame) -> pd.DataFrame:
    ranks = ranks[ranks["axis"] != COMBINED]
    return pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), len(study.issues)),
            "issue": [issue.id for issue in study.issues] * len(study.axes),
            "estimate": estimates.values,
            "std_error": known_errors(estimates),
            "conf_low": estimates.low,
            "conf_high": estimates.high,
            "df": estimates.df,
            "n": estimates.n,
            "rank": ranks["rank"].to_numpy(),
            "rank_low": ranks["low"].to_numpy(),
            "rank_high": ranks["high"].to_numpy(),
        }
    ).astype({"rank": "Int64", "rank_low": "Int64", "rank_high": "Int64"})


def _unreliable_table(study: Study, estimates: Estimates) -> pd.DataFrame:
    """Scores whose intervals rest more on the ends of the scale than on the answers: axis, issue, n."""
    found = pd.DataFrame(
        {
            "axis": np.repeat(list(study.axes), len(study.issues)),
            "issue": [issue.id for issue in study.issues] * len(study.axes),
            "n": estimates.n,
        }
    )
    return found[estimates.unreliable & np.isfinite(estimates.values)].reset_index(drop=True)


def _whole(values: np.ndarray) -> pd.Series:
    return pd.Series(values).astype("Int64")
