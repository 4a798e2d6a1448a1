"""Which issues are material under every combination of defensible choices, and how many of them agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.errors import Faults
from materiality.estimates import Sample, estimate, score_weights, summarise
from materiality.groups import population_of
from materiality.moments import Moments
from materiality.protection import Withheld, protected
from materiality.stats import ROUNDING
from materiality.study import MaterialRule, Study, Threshold, ThresholdRule
from materiality.tiers import threshold
from materiality.weights import weigh

FloatArray = NDArray[np.float64]

CHOICES = ("threshold", "rule", "weights", "certainty", "flagged", "ratings", "missing")
STUDY, NONE, ALL = "study", "none", "all"
KEPT, LEFT_OUT, GIVEN, CENTRED, LOWEST, HIGHEST = "kept", "left out", "as given", "centred", "lowest", "highest"
FLAGGED, RATINGS, MISSING = (KEPT, LEFT_OUT), (GIVEN, CENTRED), (LEFT_OUT, LOWEST, HIGHEST)
LESS_SURE = 0.80
"""Confidence asked beside the study's."""

World = tuple[str, str, str]
"""Which data are looked at: flagged rows, ratings and missing answers, each an option."""


@dataclass(frozen=True)
class Multiverse:
    """Every combination of choices, and for each issue how many of them call it material.

    Attributes
    ----------
    choices : DataFrame
        A row per combination: threshold, rule, weights, certainty, flagged, ratings, missing (the options chosen),
        n_material, material (ids of the material issues in the study's order, separated by blanks).
    shares : DataFrame
        issue, choice (one of the columns of `choices`, or `all`), option, share (of the combinations with that option
        in which the issue has a score, those that call it material; NaN where there are none), choices (how many
        combinations that are).
    """

    choices: pd.DataFrame
    shares: pd.DataFrame


def multiverse(study: Study, moments: Moments, centred: Moments, kept: Withheld) -> Multiverse:
    """Is an issue material? The answer under every combination of choices that could be defended.

    - threshold: the study's on each axis; the mean, the median or the largest gap of the scores; the midpoint of the
      scale. Thresholds that scores set are set anew by the scores of each combination.
    - rule: above the threshold on `either` axis, or on `both`.
    - weights of the groups: the study's; equal; or by the number of respondents kept.
    - certainty: `none` asks the score itself to lie above the threshold; otherwise the lower end of its interval of
      that confidence has to.
    - flagged: these rows kept, or left out and the others raked anew (design weights stand where that fails).
    - ratings: as given, or less each person's own mean. The latter have no place on the scale: thresholds are then of
      the scores, and intervals without ends.
    - missing answers (of ratings as given): left out, or all of them at the lowest or at the highest point, as in
      `nonresponse.bounds`. An issue without a score keeps none.

    The study's own choice has the option `study` or the first of the list, and the study's rule. Options that come to
    the same in this study count once, under the first of their names; what cannot be computed for any issue is left
    out.

    Parameters
    ----------
    study : Study
    moments : Moments
        Of the kept respondents.
    centred : Moments
        Of the same respondents' ratings less each person's own mean (`style.centred`), in the same cells.
    kept : Withheld
        What is not told; stand-ins take its place (`protection.protected`). Where the matrix's axes ask such groups,
        the data are looked at as they are alone: flagged rows kept, ratings as given, missing answers left out.

    Notes
    -----
    Every combination counts equally. Shares of them are no probabilities: they say how far a result depends on
    choices, of which other lists could be drawn up, and nothing of how likely it is that an issue is material.

    References
    ----------
    Steegen, Tuerlinckx, Gelman and Vanpaemel (2016), Increasing transparency through a multiverse analysis,
    Perspectives on Psychological Science 11(5); Simonsohn, Simmons and Nelson (2020), Specification curve analysis,
    Nature Human Behaviour 4.
    """
    data = {KEPT: (moments, centred)}
    if _some_flagged(study, moments) and not _closed(study, kept):
        data[LEFT_OUT] = moments.without_flagged(), centred.without_flagged()
    weightings = _weightings(study, {flagged: given for flagged, (given, _) in data.items()})
    levels = sorted({LESS_SURE, study.confidence})
    scores = {world: _scores(study, sample, world, weightings, levels) for world, sample in _samples(study, data, kept)}
    own = np.isfinite(scores[KEPT, GIVEN, LEFT_OUT][0, 0])
    scores = {world: np.where(own, found, np.nan) for world, found in scores.items()}
    scores = {world: found for world, found in scores.items() if np.isfinite(found[0]).all(axis=-2).any()}
    thresholds = _thresholds(study, scores)
    return _tables(study, scores, thresholds, list(weightings), _certainties(scores, levels))


def _closed(study: Study, kept: Withheld) -> bool:
    """Whether the matrix's axes ask a group of whose answers not everything may be told."""
    return any(
        bool(kept.closed[asked][:, questions].any())
        for asked, questions in zip(_group_weights(study) > 0, _questions(study), strict=True)
    )


def _group_weights(study: Study) -> FloatArray:
    """The study's weights of the groups on x and on y, shape (2, groups)."""
    return np.array(study.layout.group_weights, float)[study.matrix_places]


def _questions(study: Study) -> NDArray[np.int64]:
    """The question of each issue on x and on y, shape (2, issues)."""
    return np.array(study.layout.question_of, np.int64)[study.matrix_places]


def _samples(
    study: Study, data: Mapping[str, tuple[Moments, Moments]], kept: Withheld
) -> Iterator[tuple[World, Sample]]:
    """The samples of all data that can be looked at, from the ratings as given and centred, flagged rows in or out."""
    ends: dict[str, float] = {}
    for flagged, (given, less) in data.items():
        weights = weigh(study, given, Faults(), "")
        sample = summarise(given, weights)
        if _some_missing(study, sample):
            ends = {LOWEST: study.scale.low, HIGHEST: study.scale.high}
        yield (flagged, GIVEN, LEFT_OUT), protected(study, sample, kept, exact=flagged == KEPT)
        if _closed(study, kept):
            return  # any other data would be further numbers on answers that are not told
        for missing, end in ends.items():
            filled = summarise(given.filled(end, study.scale.points), weights)
            yield (flagged, GIVEN, missing), protected(study, filled, kept, exact=False)
        yield (
            (flagged, CENTRED, LEFT_OUT),
            protected(study, summarise(less, weights), kept, unbounded=True, exact=False),
        )


def _some_flagged(study: Study, moments: Moments) -> bool:
    """Whether some of those whom the matrix's axes ask were flagged, and some not."""
    asked = set(np.flatnonzero((_group_weights(study) > 0).any(axis=0)))
    return len({cell.flags > 0 for cell in moments.cells if asked & set(cell.groups)}) > 1


def _some_missing(study: Study, sample: Sample) -> bool:
    """Whether any answer is missing of those that the scores of the matrix are made of."""
    for asked, questions in zip(_group_weights(study) > 0, _questions(study), strict=True):
        n = sample.n[asked][:, questions]
        if ((n < sample.respondents[asked, None]) & (n > 0).any(axis=0)).any():
            return True
    return False


def _weightings(study: Study, data: Mapping[str, Moments]) -> dict[str, dict[str, FloatArray]]:
    """Weights of the groups on x and on y, shape (2, groups), by option and by whether flagged rows are kept."""
    given = _group_weights(study)
    asked = (given > 0).astype(float)
    people = {flagged: one.per_group(one.stack("n").astype(np.int64)).astype(float) for flagged, one in data.items()}

    def shares(weights: FloatArray, n: FloatArray) -> FloatArray:
        present = np.where(n > 0, weights, 0.0)
        total = present.sum(axis=1, keepdims=True)
        return np.divide(present, total, out=np.zeros(present.shape), where=total > 0)

    options = {
        STUDY: {flagged: shares(given, n) for flagged, n in people.items()},
        "equal": {flagged: shares(asked, n) for flagged, n in people.items()},
        "respondents": {flagged: shares(asked * n, n) for flagged, n in people.items()},
    }
    return {name: options[name] for name in _distinct(options)}


def _distinct(options: Mapping[str, Mapping[Any, FloatArray]]) -> list[str]:
    """The names of the options whose numbers are not those of one before."""
    flat = {name: np.concatenate([np.zeros(0), *(one.ravel() for one in by.values())]) for name, by in options.items()}
    found: list[str] = []
    for name, values in flat.items():
        if not any(np.allclose(values, flat[before], rtol=0.0, atol=ROUNDING, equal_nan=True) for before in found):
            found.append(name)
    return found


def _scores(
    study: Study,
    sample: Sample,
    world: World,
    weightings: Mapping[str, Mapping[str, FloatArray]],
    levels: list[float],
) -> FloatArray:
    """The scores and the lower ends of their intervals, shape (1 + levels, weightings, 2, issues)."""
    flagged, ratings, _ = world
    weights = np.concatenate([by[flagged] for by in weightings.values()])
    questions = np.tile(_questions(study).ravel(), len(weightings))
    weights = score_weights(sample, questions, np.repeat(weights, len(study.issues), axis=0))
    population = population_of(study, sample.moments)
    unbounded = ratings == CENTRED
    found = [
        estimate(
            sample,
            questions,
            weights,
            confidence=level,
            low=-np.inf if unbounded else study.scale.low,
            high=np.inf if unbounded else study.scale.high,
            population=population,
        )
        for level in levels
    ]
    ends = np.array([found[0].values, *(one.low for one in found)])
    return ends.reshape(len(ends), len(weightings), 2, len(study.issues))


def _certainties(scores: Mapping[World, FloatArray], levels: list[float]) -> dict[str, int]:
    """Which row of the scores holds what has to lie above the threshold, by the certainty asked."""
    names = [NONE, *(f"{100 * level:.6g} %" for level in levels)]
    distinct = _distinct({name: {world: found[k] for world, found in scores.items()} for k, name in enumerate(names)})
    return {name: names.index(name) for name in distinct}


def _thresholds(study: Study, scores: Mapping[World, FloatArray]) -> dict[str, dict[World, FloatArray]]:
    """The thresholds by option and data, shape (weightings, 2); NaN where the ratings have no place on the scale."""
    pairs: dict[str, tuple[Threshold, Threshold]] = {STUDY: study.thresholds}
    pairs |= {rule.value.replace("_", " "): (rule, rule) for rule in ThresholdRule}
    options = {
        name: {world: _placed(study, pair, world, found[0]) for world, found in scores.items()}
        for name, pair in pairs.items()
    }
    return {name: options[name] for name in _distinct(options)}


def _placed(study: Study, pair: tuple[Threshold, Threshold], world: World, values: FloatArray) -> FloatArray:
    """The thresholds on x and on y from scores of the shape (weightings, 2, issues)."""
    if world[1] == CENTRED and any(rule is ThresholdRule.MIDPOINT or isinstance(rule, float) for rule in pair):
        return np.full(values.shape[:2], np.nan)
    found = []
    for rule, scores in zip(pair, values.swapaxes(0, 1), strict=True):
        scored = np.isfinite(scores).all(axis=0)
        found.append(threshold(rule, scores[:, scored], study.scale.midpoint))
    return np.column_stack(found)


def _tables(
    study: Study,
    scores: Mapping[World, FloatArray],
    thresholds: Mapping[str, Mapping[World, FloatArray]],
    weightings: list[str],
    certainties: Mapping[str, int],
) -> Multiverse:
    """All combinations that there are, as tables."""
    above = {
        (name, world): _axes_above(scores[world], by[world])
        for name, by in thresholds.items()
        for world in scores
        if np.isfinite(by[world]).all()
    }
    chosen, counts, enough = [], [], []
    for name, rule, weighting, certainty, *data in product(
        thresholds, MaterialRule, weightings, certainties, FLAGGED, RATINGS, MISSING
    ):
        world = data[0], data[1], data[2]
        if (name, world) in above:
            chosen.append((name, rule.value, weighting, certainty, *world))
            counts.append(above[name, world][certainties[certainty], weightings.index(weighting)])
            enough.append(2 if rule is MaterialRule.BOTH else 1)
    axes = np.array(counts, float).reshape(len(chosen), len(study.issues))
    material = axes >= np.array(enough)[:, None]
    ids = np.array([issue.id for issue in study.issues], object)
    choices = pd.DataFrame(chosen, columns=list(CHOICES))
    choices["n_material"] = material.sum(axis=1)
    choices["material"] = [" ".join(ids[row]) for row in material]
    return Multiverse(choices, _shares(choices, ids, np.isfinite(axes), material))


def _axes_above(ends: FloatArray, thresholds: FloatArray) -> FloatArray:
    """On how many axes each issue lies above the threshold, shape (1 + levels, weightings, issues); NaN unscored."""
    scored = np.isfinite(ends[0]).all(axis=-2)
    return np.where(scored, (ends > thresholds[..., None] + ROUNDING).sum(axis=-2), np.nan)


def _shares(
    choices: pd.DataFrame, ids: NDArray[np.object_], scored: NDArray[np.bool_], material: NDArray[np.bool_]
) -> pd.DataFrame:
    """How many of the combinations with each option call each issue material."""
    options = [(ALL, ALL), *((choice, option) for choice in CHOICES for option in choices[choice].unique())]
    rows = np.array(
        [np.ones(len(choices)) if choice == ALL else choices[choice] == option for choice, option in options], np.int64
    )
    n, yes = rows @ scored, rows @ material
    return pd.DataFrame(
        {
            "issue": np.tile(ids, len(options)),
            "choice": np.repeat([choice for choice, _ in options], len(ids)),
            "option": np.repeat([option for _, option in options], len(ids)),
            "share": np.divide(yes, n, out=np.full(n.shape, np.nan), where=n > 0).ravel(),
            "choices": n.ravel(),
        }
    )
