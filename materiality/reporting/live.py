"""What the live matrix of the report works with: the group means and covariances, and the words around them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from materiality.assessment import Assessment
from materiality.estimates import Pieces, Sample, pieces, pooled_variances
from materiality.figures import THRESHOLD_WORDS
from materiality.groups import population_of
from materiality.study import PrivacyProfile, Threshold, ThresholdRule, TierMethod, Top

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
DIGITS = 13
"""Significant digits of an embedded number; the page promises nine decimals."""
LARGEST_COVARIANCE = 120_000
"""Numbers of the joint covariance that a page may hold; with more, it draws no confidences of its own."""


def live_data(assessment: Assessment) -> dict[str, Any]:
    """The numbers from which the page works out scores, intervals and tiers for any group weights and thresholds.

    Scores are sums over a group's `means`, and so are the squares and products that intervals are made of
    (`intervals.score_interval`). For hidden groups the page has what stands in for their means
    (`protection.protected`): what the score leaves for all of them together, and the spread of others. Their weights
    cannot be moved.

    Returns
    -------
    dict
        `low`, `high`, `z` (normal quantile of the confidence), `confidence`, `seed`, `views` (whether a group may be
        looked at alone), `both` (whether above both
        thresholds is material, rather than above one), `clusters` (whether tiers are clusters), `issues`, `groups`,
        `axes` (x, then y), `blocks` (the joint covariance, as base64 of 32-bit numbers) and `run` (what the run itself
        found). An axis has `weights`, their `weighting` (where they come from), its `threshold` rule, and per issue:
        `mean`, `n`, `df`, `below`, `above`, `cut`, `imagined`, `seen`, `own` of each group (null where there is none),
        `hidden` (nothing is told of the group's own mean), `bare` (no more than it), `told` (it, where it is rounded),
        `lonely` (the variance that a mean of one unit borrows), `people` (who rated), and `taylor` (variances, and
        covariances of groups that share people).
    """
    study = assessment.study
    parts = pieces(
        assessment.sample,
        confidence=study.confidence,
        low=study.scale.low,
        high=study.scale.high,
        population=population_of(study, assessment.sample.moments),
    )
    units = _Units(assessment, parts)
    return {
        "low": study.scale.low,
        "high": study.scale.high,
        "z": float(ndtri(0.5 + study.confidence / 2)),
        "confidence": study.confidence,
        "seed": study.seed,
        "views": study.privacy.profile is not PrivacyProfile.PUBLISH,
        "both": study.tiers.rule.value == "both",
        "clusters": study.tiers.method is not TierMethod.THRESHOLDS,
        "issues": [
            {"id": issue.id, "name": issue.name, "pillar": issue.pillar.value if issue.pillar else ""}
            for issue in study.issues
        ],
        "groups": [{"id": group.id, "name": group.name} for group in study.groups],
        "axes": [units.axis(place) for place in range(2)],
        "blocks": units.blocks(),
        "run": _run(assessment),
    }


def embedded(data: Mapping[str, Any]) -> str:
    """The numbers as JSON that may stand inside a `<script>`: no character of it can end that, or open another."""
    text = json.dumps(_rounded(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _rounded(value: Any) -> Any:
    """Numbers to `DIGITS` significant digits, whole ones as such; null for what is not finite."""
    match value:
        case Mapping():
            return {key: _rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
        case bool() | str() | None:
            return value
        case int() | np.integer():
            return int(value)
        case np.bool_():
            return bool(value)
    number = float(value)
    if not np.isfinite(number):
        return None
    short = float(f"{number:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


class _Units:
    """The means of the matrix's axes, with what stands in for those that are not told."""

    def __init__(self, assessment: Assessment, parts: Pieces) -> None:
        study, sample = assessment.study, assessment.sample
        self.study, self.parts, self.sample = study, parts, sample
        self.places = study.matrix_places
        self.weights = np.array([study.layout.group_weights[place] for place in self.places], float)
        self.questions = np.array([study.layout.question_of[place] for place in self.places])
        groups, (_, issues) = len(study.groups), self.questions.shape
        entry = np.full((groups, sample.moments.questions), -1)
        entry[parts.group, parts.question] = np.arange(len(parts.mean))
        asked = self.weights[:, None, :] > 0
        of = entry[:, self.questions].transpose(1, 2, 0)
        self.entry = np.where(asked, of, -1)
        """Of each mean among the pieces, shape (axes, issues, groups); −1 where there is none."""
        hidden = sample.hidden & (sample.respondents > 0)[:, None]
        self.hidden: BoolArray = asked & hidden[:, self.questions].transpose(1, 2, 0)
        self.bare: BoolArray = asked & sample.closed[:, self.questions].transpose(1, 2, 0)
        self.told = np.where(asked, _told(sample)[:, self.questions].transpose(1, 2, 0), np.nan)
        self.people = assessment.estimates.n.reshape(len(study.axes), issues)[self.places]
        self.of_unit = self._of_unit(groups, issues)

    def _of_unit(self, groups: int, issues: int) -> FloatArray:
        """Which of the pieces each group's mean is, shape (groups, axes · issues, pieces)."""
        found = np.zeros((groups, 2 * issues, len(self.parts.mean)))
        for axis, issue, group in np.argwhere(self.entry >= 0):
            found[group, axis * issues + issue, self.entry[axis, issue, group]] = 1.0
        return found

    def axis(self, place: int) -> dict[str, Any]:
        """An axis of the matrix, as the page holds it."""
        study, name = self.study, (self.study.x, self.study.y)[place]
        axis = study.axes[name]
        reaches, shown = self.parts.reaches, self.entry[place]

        def table(values: FloatArray) -> list[list[float | None]]:
            return [[float(values[k]) if k >= 0 else None for k in row] for row in shown]

        return {
            "id": name,
            "name": axis.label or name,
            "weighting": axis.group_weights.value,
            "weights": self.weights[place].tolist(),
            "hidden": self.hidden[place].tolist(),
            "bare": self.bare[place].tolist(),
            "told": self.told[place].tolist(),
            "threshold": _rule(study.threshold(name)),
            "mean": table(self.parts.mean),
            "n": [[int(self.parts.n[k]) if k >= 0 else None for k in row] for row in shown],
            "people": self.people[place].tolist(),
            "df": table(np.nan_to_num(self.parts.df)),
            **{field: table(getattr(reaches, field)) for field in ("below", "above", "cut", "imagined", "seen", "own")},
            "lonely": self._lonely(place),
            "taylor": self._taylor(place),
        }

    def _taylor(self, place: int) -> list[list[list[float]]]:
        """Per issue the covariances between units that are not 0: one unit, the other, covariance."""
        issues = len(self.study.issues)
        found = []
        for issue in range(issues):
            of = self.of_unit[:, place * issues + issue]
            covariance = of @ self.parts.covariance @ of.T
            pairs = np.argwhere(np.triu(covariance) != 0)
            found.append([[int(g), int(h), float(covariance[g, h])] for g, h in pairs])
        return found

    def _lonely(self, place: int) -> list[list[float]]:
        """Per issue and group the variance that a mean of one unit borrows; empty where there is no such mean."""
        lent = np.where(self.entry[place] >= 0, self.parts.lent[self.entry[place]], 0.0)
        if not lent.any():
            return []
        weights = np.broadcast_to(self.weights[place], lent.shape)
        pooled = np.nan_to_num(pooled_variances(self.sample, self.questions[place], weights))
        return (lent * pooled[:, None]).tolist()

    def blocks(self) -> list[dict[str, Any]] | None:
        """The joint covariance of the means by pairs of groups; None where it is too large.

        Each block is over the issues of x, then of y; that of a group with itself is the lower triangle, row by row.
        """
        units = len(self.of_unit)
        live = [u for u in range(units) if self.of_unit[u].any()]
        flat = np.concatenate([self.of_unit[u] for u in live])
        side = self.of_unit.shape[1]
        joint = (flat @ self.parts.covariance @ flat.T).reshape(len(live), side, len(live), side)
        lower = np.tril_indices(side)
        found = []
        for a, g in enumerate(live):
            for b, h in enumerate(live[: a + 1]):
                block = joint[a, :, b, :]
                if block.any():
                    found.append((g, h, block[lower] if a == b else block.ravel()))
        if sum(len(values) for *_, values in found) > LARGEST_COVARIANCE:
            return None
        return [
            {"units": [g, h], "values": base64.b64encode(values.astype("<f4").tobytes()).decode()}
            for g, h, values in found
        ]


def _told(sample: Sample) -> FloatArray:
    """Means as they are told, shape (groups, questions); NaN where they are not told, or told as they are."""
    if sample.stand_in is None:
        return np.full(sample.means.shape, np.nan)
    told = sample.stand_in.told
    return np.where(sample.closed | (told != sample.means), told, np.nan)


def _rule(rule: Threshold) -> dict[str, Any]:
    """A threshold as the page sets it."""
    if isinstance(rule, Top):
        return {"rule": "top", "count": rule.count}
    if isinstance(rule, ThresholdRule):
        return {"rule": rule.value}
    return {"rule": "given", "value": float(rule)}


def _run(assessment: Assessment) -> dict[str, Any]:
    """What the run itself found, issue by issue."""
    points, study = assessment.matrix.points, assessment.study
    return {
        "tier": points["tier"].to_numpy(float, na_value=np.nan).tolist(),
        "confidence": points["tier_confidence"].tolist(),
        "zone": [zone.value if zone else None for zone in assessment.matrix.tiers.zone],
        "midpoint": study.scale.midpoint,
    }


WORDS = {
    "find": "Find an issue",
    "view": "Seen by",
    "all_groups": "all groups together",
    "bars": "Intervals",
    "ellipses": "Joint regions",
    "names": "Names",
    "reset": "Back to the study’s own",
    "picture": "The matrix: a dot for each issue",
    "legend": "What the marks mean",
    "keyboard": "Keys: Tab to the dots, then the arrow keys go from issue to issue; Enter tells an issue’s numbers, "
    "Escape puts them away. Bars are intervals; joint regions are where both scores of an issue may lie at once.",
    "panel": "The chosen issue",
    "sliders": "What if groups counted for more or less, or the thresholds lay elsewhere?",
    "about_clusters": "Dots and intervals move at once and are what a run with those settings would give. The tiers "
    "are clusters, which this page does not find anew. Nothing here changes the study.",
    "about_still": "Dots, intervals and tiers move at once and are what a run with those settings would give. How sure "
    "the tiers are this page cannot work out anew. Nothing here changes the study.",
    "about": "Dots, intervals and tiers move at once and are what a run with those settings would give. Confidences "
    "follow after a moment, from draws made on this page. Nothing here changes the study.",
    "study": "These settings as text for the study file",
    "study_note": "To make them the study’s own, put these lines under the same headings of study.toml, in place of "
    "what stands there for the same key (a table such as [axes.name.groups], too); leave the other lines, and run "
    "again.",
    "unchanged": "# Nothing was moved: these are the study’s own settings.",
    "take_out": "and take out the judges",
    "copy": "Copy",
    "copied": "Copied.",
    "table": "The picture as a table",
    "moved": "You are looking at other weights or thresholds than the study’s own.",
    "thresholds": "Thresholds",
    "weights": "What each group counts for: {axis}",
    "together": "Move a group on both axes together",
    "locked": "Weights that do not move are of groups of which something is hidden: what stands in for their means "
    "says nothing of each alone.",
    "unknown": "Which issues are borderline is not worked out for these settings.",
    "span": "{low} to {high}",
    "score": "{value} ({span})",
    "ranked": "rank {rank} of {of}",
    "above": "{points} above the threshold",
    "below": "{points} below the threshold",
    "on_threshold": "at the threshold",
    "unreliable": "The interval rests more on the ends of the scale than on the answers: treat it as unreliable.",
    "choose": "Choose a dot, or a name, to see its numbers.",
    "pillar": "Pillar",
    "environmental": "Environmental",
    "social": "Social",
    "governance": "Governance",
    "economic": "Economic",
    "none": "no ratings",
    "tier": "Tier {tier}",
    "tier_word": "Tier",
    "tier_sure": "{tier}, confidence {confidence}",
    "tier_about": "{tier}, confidence about {confidence}",
    "no_tier": "none: the issues form no clusters",
    "over": "over 99 %",
    "under": "under 1 %",
    "percent": " %",
    "comma": ", ",
    "material_word": "By the study’s rule",
    "material": "material",
    "not_material": "not material",
    "borderline": "Borderline: the answers leave open on which side it lies.",
    "open_dot": "Hollow: borderline",
    "group": "Group",
    "means": "Means of the groups",
    "across": "across",
    "up": "up",
    "hidden": "hidden",
    "issue": "Issue",
    "interval": "Interval",
    "confidence_word": "Confidence",
    "spoken": "{number}. {issue}: {across} {x}, {up} {y}",
    "spoken_tier": "{number}. {issue}: {across} {x}, {up} {y}, tier {tier}",
    "one_view": "As {group} see it; thresholds are those of all groups.",
    "not_asked": "They were not asked, or are hidden, on “{axis}”: there, all groups together.",
    "rings": "Rings: {count} dots under another.",
    "rings_one": "Ring: 1 dot under another.",
    "not_shown": "Not shown, for want of ratings or because hidden: {issues}.",
    "numbered": "Numbers: see the table.",
    "rule_given": "as the study gives it",
    **{f"rule_{rule.value}": str(said) for rule, said in THRESHOLD_WORDS.items()},
    "rule_top": "below the top scores",
    "rule_moved": "moved on this page",
    "status": "{count} issues lie in tier 1.",
    "status_one": "1 issue lies in tier 1.",
    "higher": "In a higher tier than in the study: {issues}.",
    "lower": "In a lower tier than in the study: {issues}.",
    "same": "Every issue keeps its tier.",
    "clusters": "The study’s tiers are clusters, which this page does not find anew.",
    "found": "{count} issues found: {issues}.",
    "found_many": "{count} issues found, among them {issues}.",
    "found_none": "No issue found.",
    "found_one": "1 issue found: {issues}.",
}
"""What the page's script says."""
