"""The report: one page that opens offline."""

from __future__ import annotations

import base64
import hashlib
import marshal
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from importlib.resources import files
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from materiality.assessment import Assessment
from materiality.cleaning import CARELESS, DUPLICATE, FAST, RARE
from materiality.estimates import CAUTIOUS_BELOW
from materiality.reporting.live import WORDS, embedded, live_data
from materiality.reporting.verdicts import rows_of, verdicts
from materiality.study import (
    COMBINED,
    Action,
    Cleaning,
    DuplicateChoice,
    Language,
    MaterialRule,
    PrivacyProfile,
    Scale,
    Study,
    ThresholdRule,
    Top,
)
from materiality.weights import hidden_sizes
from materiality.wording import ENGLISH, Message, Words, words

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment
    from jinja2.bccache import Bucket

STYLES: tuple[str, ...] = ("report.css", "live.css")
SCRIPTS: tuple[str, ...] = ("live.js", "labels.js", "view.js")
"""Files of this folder that are put into the page, one after the other."""
HTML_LANGUAGES = {Language.ENGLISH: "en", Language.CHINESE: "zh-Hans"}
POINTS_SHOWN = 11
"""Points of a scale up to which the report has a column for each."""
MOVED = 2
"""Ranks by which an issue has to move before the report names it."""
DIFFERENCES_SHOWN = 10
"""Differences between two groups that the report shows of each axis."""
MARGIN_MISSED = 5e-4
"""Share of a group by which a margin may be missed and still counts as met."""


def render_report(assessment: Assessment, matrix_svg: bytes, facts: Mapping[str, Any], cluster_svg: bytes = b"") -> str:
    """The report as HTML, with the figure inside it and nothing loaded from elsewhere.

    Parameters
    ----------
    assessment : Assessment
    matrix_svg : bytes
        The matrix figure.
    facts : mapping
        `version`, `run_id` and `inputs` (file and SHA-256 of each), as the manifest has them.
    cluster_svg : bytes
        The figure of the clusters; empty where there are none.
    """
    study = assessment.study
    points = _marked(assessment)
    css, script = _inlined(STYLES), _inlined(SCRIPTS)
    tongue = words(study.language)
    told = {key: tongue.gettext(message) for key, message in WORDS.items()}
    moving = live_data(assessment)
    live = {
        "clusters": moving["clusters"],
        "sure": moving["blocks"] is not None,
        "data": embedded({**moving, "words": told}),
        "words": told,
    }
    context = {
        "css": css,
        "script": script,
        "policy": _policy(css, script),
        "live": live,
        "study": study,
        "html_language": HTML_LANGUAGES[study.language],
        "simulated": assessment.simulated,
        "matrix": assessment.matrix,
        "figure": _data_uri(matrix_svg),
        "points": rows_of(_ordered(points)),
        "tier_one": rows_of(_ordered(points.loc[points["tier"] == 1])),
        "pillars": bool((points["pillar"] != "").any()),
        "on_top": _on_top(assessment),
        "material": points.loc[points["material"].fillna(value=False), "label"].tolist(),
        "both": study.tiers.rule is MaterialRule.BOTH,
        "threshold_words": {axis: _threshold_words(assessment, axis) for axis in (study.x, study.y)},
        "axis_name": {axis: study.axes[axis].label or axis for axis in study.axes},
        "hidden_below": study.privacy.hidden_below,
        "level": Message("%(number)s\N{NO-BREAK SPACE}%%", number=f"{100 * study.confidence:.4g}"),
        "ends": _ends(assessment.scores, study.scale),
        "threshold": {study.x: assessment.matrix.x_threshold, study.y: assessment.matrix.y_threshold},
        "questions": [_questions(assessment, axis) for axis in study.axes],
        "read": sum(export.rows for export in assessment.gathered.exports),
        "kept": sum(export.fates["kept"] for export in assessment.gathered.exports),
        "answers": [_answers(assessment, axis) for axis in study.axes],
        "scores": [_scores(assessment, axis) for axis in study.axes],
        "doubtful": bool(len(assessment.unreliable)),
        "ranks": [_ranks(assessment, axis) for axis in (*study.axes, COMBINED)],
        "joint": _joint(assessment),
        "groups": [_group_means(assessment, axis) for axis in study.axes],
        "heat": (assessment.group_scores["estimate"].min(), assessment.group_scores["estimate"].max()),
        "weighted": _weighted(assessment),
        "concord": [_concord(assessment, axis) for axis in study.axes],
        "unanswered": _unanswered(assessment),
        "style": _style(assessment),
        "exports": assessment.gathered.exports,
        "reasons": _reasons(assessment),
        "asked": _asked(assessment),
        "flagged": _flagged(assessment),
        "method": _method(assessment),
        "warnings": assessment.warnings,
        "facts": facts,
        "cluster_figure": _data_uri(cluster_svg) if cluster_svg else "",
        **verdicts(assessment),
    }
    template = _environment(study.language).get_template("report.html.j2")
    return template.render(tongue.said(context))


@lru_cache(maxsize=len(Language))
def _environment(language: Language) -> Environment:
    """The templates; `_` and `trans` say a message in the language, and so do the filters that put words to numbers."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("materiality.reporting", "."),
        bytecode_cache=_compiled(),
        optimized=False,  # a constant folded by a filter of one language would stay compiled for the others
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    tongue = words(language)
    environment.install_gettext_callables(tongue.gettext, tongue.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(
        two=_two,
        whole=_whole,
        span=partial(_span, tongue=tongue),
        places=partial(_places, tongue=tongue),
        share=partial(share_in_words, tongue=tongue),
        percent=partial(_percent, tongue=tongue),
        p=partial(_p, tongue=tongue),
        listed=partial(_listed, tongue=tongue),
        few=partial(_few, tongue=tongue),
        word=tongue.gettext,
        bdi=_bdi,
        plain=_plain,
        at=_at,
        grade=_grade,
    )
    environment.tests["known"] = _known
    return environment


def _compiled() -> BytecodeCache | None:
    """Where compiled templates are kept, as Python keeps its modules: they take longer to compile than to render.

    Jinja's own cache holds pickles. This one holds what Python's does, after the hashes of the template and of itself.
    """
    from jinja2 import BytecodeCache
    from jinja2.bccache import bc_magic

    folder = Path(cache_from_source(__file__)).parent

    def place(bucket: Bucket) -> Path:
        return folder / f"template-{bucket.key}.cache"

    def head(bucket: Bucket, code: bytes) -> bytes:
        return bc_magic + bucket.checksum.encode() + hashlib.sha256(code).digest()

    class Compiled(BytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError, EOFError, ValueError, TypeError):
                kept, length = place(bucket).read_bytes(), len(head(bucket, b""))
                if kept[:length] == head(bucket, kept[length:]):
                    bucket.code = marshal.loads(kept[length:])

        def dump_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError):
                code = marshal.dumps(bucket.code)
                partial_file = folder / f"template-{bucket.key}.{os.getpid()}"
                partial_file.write_bytes(head(bucket, code) + code)
                partial_file.replace(place(bucket))

    return None if sys.dont_write_bytecode or not folder.is_dir() else Compiled()


def _inlined(names: Iterable[str]) -> Markup:
    """Our own style sheets or scripts as one text."""
    return Markup("\n".join((files(__package__) / name).read_text(encoding="utf-8") for name in names))


def _policy(css: str, script: str) -> Markup:
    """What the browser may load and run: the one style and the one script of the page, pictures in it, and no more."""
    style, code = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (css, script)
    )
    return Markup(
        f"default-src 'none'; style-src {style}; script-src {code}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _two(value: Any) -> str:
    """Two decimals; a dash where there is nothing."""
    return (
        "–" if value is None or pd.isna(value) else _signed(f"{float(f'{value:.12g}'):z.2f}")
    )  # as the live matrix does


def _whole(value: Any) -> str:
    """A whole number; a dash where there is nothing."""
    return "–" if value is None or pd.isna(value) else f"{int(value)}"


def _span(ends: tuple[Any, Any], tongue: Words = ENGLISH) -> str:
    """From one end to the other; one dash where there is nothing."""
    if any(end is None or pd.isna(end) for end in ends):
        return "–"
    return tongue.gettext(" to ").join(map(_two, ends))


def _places(ends: tuple[Any, Any], tongue: Words = ENGLISH) -> str:
    """From one rank to another, once where they are the same; a dash where there is nothing."""
    low, high = map(_whole, ends)
    return low if low == high else tongue.gettext(" to ").join((low, high))


def _signed(number: str) -> str:
    """With the sign for minus rather than a hyphen."""
    return number.replace("-", "−")


def share_in_words(value: Any, tongue: Words = ENGLISH) -> str:
    """A share as a whole percentage that never claims certainty: under 1 %, over 99 %.

    Examples
    --------
    >>> share_in_words(0.999), share_in_words(0.934), share_in_words(0.001)
    ('over 99 %', '93 %', 'under 1 %')
    """
    if value is None or pd.isna(value):
        return "–"
    if value > 0.99:
        return tongue.say("over 99 %%")
    if value < 0.01:
        return tongue.say("under 1 %%")
    return tongue.say("%(share)s %%", share=f"{100 * value:.0f}")


def _percent(value: Any, tongue: Words = ENGLISH) -> str:
    """A share as a percentage with one decimal; a dash where there is nothing."""
    if value is None or pd.isna(value):
        return "–"
    if 0 < value < 0.0005:
        return tongue.say("under 0.1\N{NO-BREAK SPACE}%%")
    number = f"{100 * value:.1f}" if value > 0 else "0"
    return tongue.say("%(number)s\N{NO-BREAK SPACE}%%", number=number)


def _p(value: Any, tongue: Words = ENGLISH) -> str:
    """A p-value with three decimals; a dash where there is nothing."""
    if value is None or pd.isna(value):
        return "–"
    return tongue.gettext("under 0.001") if value < 0.001 else f"{value:.3f}"


def _bdi(name: Any) -> Markup:
    """A stranger's text that runs from right to left or from left to right by itself, whatever stands around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def _listed(names: Sequence[str], tongue: Words = ENGLISH) -> Markup:
    """Names as a sentence lists them; semicolons part them where one holds a comma."""
    return Markup(tongue.between(names)).join(map(_bdi, names))


def _plain(words: Any) -> Markup:
    """Words without the isolation of names, for an attribute, which holds no tags."""
    return Markup(escape(words).replace("<bdi>", "").replace("</bdi>", ""))


def _ends(scores: pd.DataFrame, scale: Scale) -> tuple[float, float] | None:
    """The part of the scale, in whole eighths of it, that holds all intervals; nothing where there are none."""
    if scores["conf_low"].isna().all():
        return None
    eighth = (scale.high - scale.low) / 8
    low, high = scores["conf_low"].min() - scale.low, scores["conf_high"].max() - scale.low
    return scale.low + eighth * math.floor(low / eighth), scale.low + eighth * max(
        math.ceil(high / eighth), math.floor(low / eighth) + 1
    )


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def _at(value: float, ends: Sequence[float] = (0.0, 1.0)) -> str:
    """Where a value lies in a picture 100 wide that runs from end to end, to a tenth.

    Examples
    --------
    >>> _at(4.6, (1.0, 5.0)), _at(0.123456), _at(9.0, (1.0, 5.0))
    ('90', '12.3', '100')
    """
    low, high = ends
    return f"{100 * min(max((value - low) / (high - low), 0.0), 1.0):.1f}".removesuffix(".0")


def _grade(value: float, ends: Sequence[float] = (0.0, 1.0)) -> int:
    """Which of ten shades a value takes, from 0 at the low end to 9 at the high one."""
    low, high = ends
    return min(9, math.floor(10 * (value - low) / (high - low) + 1e-9)) if high > low else 0


def _few(n: Any, below: int, tongue: Words = ENGLISH) -> str:
    """A number of people; below the study's minimum only that it is."""
    return tongue.say("fewer than %(n)s", n=below) if 0 < n < below else f"{int(n)}"


def _of_axis(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    return table[table["axis"] == axis]


def _doubtful(assessment: Assessment) -> set[tuple[str, str]]:
    """Axis and issue of every score that is flagged as unreliable."""
    table = assessment.unreliable
    return set(zip(table["axis"], table["issue"], strict=True))


def _marked(assessment: Assessment) -> pd.DataFrame:
    """The matrix's points, and which of their scores are flagged as unreliable."""
    points, study, marked = assessment.matrix.points, assessment.study, _doubtful(assessment)
    marks = {
        f"{column}_doubtful": [(axis, issue) in marked for issue in points["issue"]]
        for column, axis in (("x", study.x), ("y", study.y))
    }
    return points.assign(**marks)


def _ordered(points: pd.DataFrame) -> pd.DataFrame:
    return points.assign(_sum=points["x"] + points["y"]).sort_values(["tier", "_sum"], ascending=[True, False])


def _on_top(assessment: Assessment) -> list[tuple[str, float]]:
    """The axes on which the issues of tier 1 have the highest scores, with the confidence that they are the highest."""
    points, study = assessment.matrix.points, assessment.study
    first = points["tier"].eq(1).fillna(value=False).astype(bool)
    found = []
    for place, (column, axis) in enumerate((("x", study.x), ("y", study.y))):
        rest = points.loc[~first, column].dropna()
        if first.any() and (rest.empty or points.loc[first, column].min() > rest.max()):
            found.append((axis, float(assessment.matrix.tiers.top[place])))
    return found


def _threshold_words(assessment: Assessment, axis: str) -> str:
    """What sets an axis's threshold."""
    told = {
        ThresholdRule.MEAN: Message("the mean of the issues’ scores"),
        ThresholdRule.MEDIAN: Message("the median of the issues’ scores"),
        ThresholdRule.MIDPOINT: Message("the middle of the scale"),
        ThresholdRule.LARGEST_GAP: Message("the middle of the largest gap between scores"),
    }
    rule = assessment.study.threshold(axis)
    if isinstance(rule, Top):
        return Message("halfway between the scores of rank %(rank)s and of the next", rank=rule.count)
    return told[rule] if isinstance(rule, ThresholdRule) else Message("given in the study file")


def _questions(assessment: Assessment, axis: str) -> dict[str, Any]:
    """What an axis asked, of whom, and how many ratings came back."""
    study, asked = assessment.study, _of_axis(assessment.nonresponse, axis)
    weights = study.weights_of(axis)
    question = re.sub(r"\{\w+\}", "…", study.axes[axis].column)
    return {
        "axis": axis,
        "question": question if re.search(r"\w", question) else "",
        "count": asked["issue"].nunique(),
        "ratings": int(_of_axis(assessment.scores, axis)["n"].sum()),
        "groups": [group.name for group, weight in zip(study.groups, weights, strict=True) if weight > 0],
    }


def _answers(assessment: Assessment, axis: str) -> dict[str, Any]:
    """How the ratings of the groups that are shown spread over the points of the scale."""
    table, points = _of_axis(assessment.answers, axis), assessment.study.scale.points
    shown = table[~table["suppressed"]]
    hidden = table.loc[table["suppressed"], "group"].unique()
    counts = shown.pivot_table(index="issue", columns="rating", values="n", aggfunc="sum", observed=True)
    rows = []
    for issue, label in assessment.study.issue_names.items():
        found = counts.loc[issue].to_numpy(float) if issue in counts.index else np.zeros(0)
        if found.sum():
            rows.append({"label": label, "n": int(found.sum()), "shares": (found / found.sum()).tolist()})
    return {
        "axis": axis,
        "points": points,
        "rows": rows if len(points) <= POINTS_SHOWN else [],
        "hidden": [name for group, name in assessment.study.group_names.items() if group in set(hidden)],
    }


def _scores(assessment: Assessment, axis: str) -> dict[str, Any]:
    table = _of_axis(assessment.scores, axis).sort_values("rank")
    labels, marked = assessment.study.issue_names, _doubtful(assessment)
    rows = [
        {**row, "label": labels[row["issue"]], "doubtful": (axis, row["issue"]) in marked} for row in rows_of(table)
    ]
    return {"axis": axis, "rows": rows}


def _ranks(assessment: Assessment, axis: str) -> dict[str, Any]:
    """The ranks of an axis from the first down, and what the sentence above them says."""
    table = _of_axis(assessment.ranks, axis).sort_values("rank")
    labels = assessment.study.issue_names
    ranked = table[table["rank"].notna()]
    return {
        "axis": axis,
        "combined": axis == COMBINED,
        "rows": [{**row, "label": labels[row["issue"]]} for row in rows_of(table)],
        "first": [(labels[row["issue"]], row["top"]) for row in rows_of(ranked[ranked["rank"] == 1])],
        "ranked": len(ranked),
        "settled": int((ranked["low"] == ranked["high"]).sum()),
    }


def _joint(assessment: Assessment) -> dict[str, Any]:
    labels, table = assessment.study.issue_names, assessment.joint
    known = table["correlation"].dropna()
    return {
        "rows": [{**row, "label": labels[row["issue"]]} for row in rows_of(table)],
        "range": (known.min(), known.max()) if len(known) else None,
        "shared": None if pd.isna(table["shared"].iloc[0]) else int(table["shared"].iloc[0]),
    }


def _weighted(assessment: Assessment) -> dict[str, Any] | None:
    """What weighting did; nothing where every respondent of a group counts the same."""
    study, table = assessment.study, assessment.weighting
    names = study.group_names
    raked = table[table["raked"]]
    unequal = (table["design_effect"] > 1 + 1e-9).any()
    if not len(raked) and not unequal:
        return None
    present = table[table["n"].fillna(1) > 0]
    return {
        "raked": [_raked(assessment, row) for row in rows_of(raked)],
        "cautious": [names[row["group"]] for row in rows_of(raked) if _cautious(assessment, row["group"])],
        "below": CAUTIOUS_BELOW,
        "trim": study.weighting.trim,
        "rows": [{**row, "name": names[row["group"]]} for row in rows_of(present)],
    }


def _cautious(assessment: Assessment, group: str) -> bool:
    """Whether a raked group has so few sampled units that its variance is the cautious one."""
    place = [one.id for one in assessment.study.groups].index(group)
    inside = [(cell, sums.n) for cell, sums in assessment.gathered.moments.cells.items() if place in cell.groups]
    clusters = {cell.cluster for cell, _ in inside} - {0}
    return sum(n for cell, n in inside if not cell.cluster) + len(clusters) < CAUTIOUS_BELOW


def _raked(assessment: Assessment, row: Mapping[str, Any]) -> dict[str, Any]:
    """A raked group's margins; shares that would tell of a handful of people are not among them."""
    table = assessment.margins[assessment.margins["group"] == row["group"]]
    missed = float((table["after"] - table["wanted"]).abs().max())
    return {
        "name": assessment.study.group_names[row["group"]],
        "columns": list(table["column"].unique()),
        "rows": rows_of(table),
        "missed": missed if missed > MARGIN_MISSED else None,
        "met": assessment.study.weighting.trim is None
        or bool(missed <= MARGIN_MISSED and table["after"].notna().all()),
        "n": row["n"],
        "n_effective": row["n_effective"],
    }


def _concord(assessment: Assessment, axis: str) -> dict[str, Any]:
    """Where the groups of an axis agree and disagree."""
    study = assessment.study
    issues, groups = study.issue_names, {**study.group_names, "": "–"}
    wrong = 1 - study.confidence
    concord = next(one for one in assessment.concords if one.axis == axis)
    means = {(row["group"], row["issue"]): row["estimate"] for row in rows_of(_of_axis(assessment.group_scores, axis))}

    agreement = _of_axis(assessment.agreement, axis).sort_values(
        ["range", "std_dev"], ascending=False, na_position="last", kind="stable"
    )
    compared = agreement[agreement["range"].notna()]
    tested = agreement["p"].notna()
    differences = _of_axis(assessment.differences, axis)
    differences = differences[differences["difference"].notna()]
    distinct = differences[(differences["conf_low"] > 0) | (differences["conf_high"] < 0)]
    largest = distinct.reindex(distinct["difference"].abs().sort_values(ascending=False, kind="stable").index)
    return {
        "axis": axis,
        "rows": [
            {
                **row,
                "label": issues[row["issue"]],
                "highest": groups[row["highest"]],
                "lowest": groups[row["lowest"]],
                "highest_mean": means.get((row["highest"], row["issue"])),
                "lowest_mean": means.get((row["lowest"], row["issue"])),
            }
            for row in rows_of(agreement)
        ],
        "compared": len(compared),
        "tested": int(tested.sum()),
        "holm": int((agreement["p_holm"] < wrong).sum()),
        "bh": int((agreement["p_bh"] < wrong).sum()),
        "wrong": f"{wrong:.4g}",
        "why_not": _why_no_test(assessment),
        "pairs": len(differences),
        "distinct": len(distinct),
        "by_chance": wrong * len(differences),
        "after_holm": int((differences["p_holm"] < wrong).sum()),
        "largest": [_higher_first(row, issues, groups) for row in rows_of(largest.head(DIFFERENCES_SHOWN))],
        "concord": concord,
        "alike_groups": _alike(concord.w_groups),
        "alike_respondents": _alike(concord.w_respondents),
        "smallest": max(study.privacy.hidden_below, 2),
    }


def _higher_first(row: Mapping[str, Any], issues: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, Any]:
    """A difference between two groups as the higher one less the lower one."""
    names, ends = (groups[row["group"]], groups[row["other"]]), (row["conf_low"], row["conf_high"])
    if row["difference"] < 0:
        names, ends = names[::-1], (-ends[1], -ends[0])
    return {
        "label": issues[row["issue"]],
        "higher": names[0],
        "lower": names[1],
        "difference": abs(row["difference"]),
        "interval": ends,
        "p_holm": row["p_holm"],
    }


def _why_no_test(assessment: Assessment) -> str:
    if any(len(cell.groups) > 1 for cell in assessment.gathered.moments.cells):
        return Message("people who belong to several groups would count in each")
    if any(cell.cluster for cell in assessment.gathered.moments.cells):
        return Message("respondents of one cluster may answer alike for that reason")
    if not assessment.study.scale.points:
        return Message("the scale has no fixed points to count ratings at")
    return Message("the ratings do not vary, or too few groups are shown")


def _alike(w: float) -> str:
    """Kendall's W in words, by the marks of Schmidt (1997), Decision Sciences 28(3)."""
    marks = ((0.3, Message("hardly alike")), (0.5, Message("somewhat alike")), (0.7, Message("fairly alike")))
    return next((word for mark, word in marks if w < mark), Message("largely alike"))


def _unanswered(assessment: Assessment) -> dict[str, Any] | None:
    """Answers that are no rating, and what they could change; nothing where every answer is a rating."""
    table, bounds, study = assessment.nonresponse, assessment.bounds, assessment.study
    issues, groups = study.issue_names, study.group_names
    alone = _hidden_alone(table)
    if not (bounds["missing"] > 0).any():
        return None
    tiers = _of_axis(bounds, study.x)
    moved = ((tiers["best_tier"] != tiers["tier"]) | (tiers["worst_tier"] != tiers["tier"])).fillna(value=False)
    by_issue = {(row["axis"], row["issue"]): row for row in rows_of(bounds)}
    return {
        "axes": [_rates(assessment, axis) for axis in study.axes],
        "hidden": [groups[group] for group in table.loc[table["suppressed"], "group"].unique()],
        "rows": [
            {
                "label": issues[row["issue"]],
                "tier": row["tier"],
                "best": row["best_tier"],
                "worst": row["worst_tier"],
                "scores": [
                    {**by_issue[axis, row["issue"]], "hidden": (axis, row["issue"]) in alone} for axis in study.axes
                ],
            }
            for row in rows_of(tiers)
        ],
        "movable": [issues[issue] for issue in tiers.loc[moved, "issue"]],
        "tiered": bool(tiers["tier"].notna().any()),
    }


def _hidden_alone(table: pd.DataFrame) -> set[tuple[str, str]]:
    """Axis and issue of scores in which one group alone is hidden: less the others, the missing share would tell it."""
    hidden = table[table["suppressed"]].groupby(["axis", "issue"], observed=True).size()
    return set(hidden.index[hidden == 1])


def _rates(assessment: Assessment, axis: str) -> dict[str, Any]:
    """Shares of answers that are no rating, of the groups that are shown together and of each."""
    issues, names = assessment.study.issue_names, assessment.study.group_names
    table = _of_axis(assessment.nonresponse, axis)
    cells = {(row["group"], row["issue"]): row for row in rows_of(table)}
    groups = [group for group in names if (table["group"] == group).any()]
    counts = {issue: _unrated(row for row in cells.values() if row["issue"] == issue) for issue in issues}
    asked, total = sum(n for n, _ in counts.values()), sum(found for _, found in counts.values())
    rows = [
        {"label": issues[issue], "shares": found / n, "none": found.sum() / n}
        for issue, (n, found) in counts.items()
        if n
    ]
    return {
        "axis": axis,
        "shares": total / asked if asked else None,
        "none": np.sum(total) / asked if asked else np.nan,
        "most": max(rows, key=lambda row: float(row["none"])) if rows else None,
        "rows": rows,
        "groups": [names[group] for group in groups],
        "cells": [
            {"label": label, "cells": [cells[group, issue] for group in groups]} for issue, label in issues.items()
        ],
    }


def _unrated(rows: Iterable[Mapping[str, Any]]) -> tuple[int, np.ndarray]:
    """How many respondents of shown groups were asked, and how many answers are don't know, not applicable, blank."""
    shown = [row for row in rows if not row["suppressed"]]
    found = [[row["asked"] * row[kind] for kind in ("dont_know", "not_applicable", "blank")] for row in shown]
    return sum(int(row["asked"]) for row in shown), np.array(found, float).reshape(-1, 3).sum(axis=0)


def _style(assessment: Assessment) -> dict[str, Any] | None:
    """Ranks with and without each person's own level; nothing where there are no two ranks to compare."""
    table, issues = assessment.centred, assessment.study.issue_names
    table = table[table["rank"].notna() & table["rank_centred"].notna()]
    if len(issues) < 2 or not len(table):
        return None
    by_issue = {(row["axis"], row["issue"]): row for row in rows_of(table)}
    model = {(row["axis"], row["issue"]): row["rank"] for row in rows_of(assessment.leniency)}
    moved = table[(table["rank"] - table["rank_centred"]).abs() >= MOVED]
    return {
        "rows": [
            {
                "label": label,
                "cells": [(by_issue.get((axis, issue)), model.get((axis, issue))) for axis in assessment.study.axes],
            }
            for issue, label in issues.items()
        ],
        "moved": [{**row, "label": issues[row["issue"]]} for row in rows_of(moved)],
        "any": bool((table["rank"] != table["rank_centred"]).any()),
        "modelled": [
            (row["axis"], row["intraclass"], row["respondents"])
            for row in rows_of(assessment.leniency.drop_duplicates("axis"))
        ],
    }


def _reasons(assessment: Assessment) -> list[tuple[str, str]]:
    """What each reason means for which a row of this study was excluded or flagged, one line each."""
    met = {
        reason.removeprefix("flagged: ")
        for export in assessment.gathered.exports
        for reason, n in export.fates.items()
        if n
    }
    return [(reason, meaning) for reason, meaning in _meanings(assessment.study.cleaning).items() if reason in met]


def _meanings(rules: Cleaning) -> dict[str, str]:
    which = {
        DuplicateChoice.FAULT: Message(
            "the same respondent stands in several rows; all their rows say the same, and the first counts."
        ),
        DuplicateChoice.FIRST: Message("the same respondent stands in several rows; the first counts."),
        DuplicateChoice.LAST: Message(
            "the same respondent stands in several rows; where they differ the last counts, otherwise the first."
        ),
        DuplicateChoice.MOST_COMPLETE: Message(
            "the same respondent stands in several rows; where they differ the most complete counts, otherwise the "
            "first."
        ),
    }
    every = Message("the same respondent stands in several rows; all of them count.")
    return {
        "blank row": Message("no cell of it holds anything."),
        "preview or test": Message(
            "the survey tool marks it as a preview or a test; it may be a paper form that was typed in."
        ),
        "no group": Message("the cell that names the stakeholder group is empty."),
        "unknown group": Message("it names no group of the study."),
        "no rating": Message("it rates nothing."),
        "too few answers": Message(
            "it answers less than %(share)s %% of what its groups are asked.",
            share=f"{100 * rules.min_share_answered:.4g}",
        ),
        "too fast": Message(
            "it took less than %(seconds)s seconds per answer.", seconds=f"{rules.seconds_per_answer:.4g}"
        ),
        DUPLICATE: every if rules.duplicate is Action.FLAG else which[rules.duplicate_choice],
        "straight-lined": Message("three or more ratings on an axis, all of them equal. An honest “all 5” exists."),
        "long run": Message(
            "one run of equal ratings, at least %(n)s of them, makes up %(share)s %% or more of what was rated on an "
            "axis.",
            n=rules.long_run_length,
            share=f"{100 * rules.long_run_share:.4g}",
        ),
        FAST: Message(
            "more than %(times)s times as fast per answer as the median respondent.", times=f"{rules.times_as_fast:.4g}"
        ),
        RARE: Message(
            "ratings that hardly go together, seen against how they usually do: a chance below %(chance)s among these "
            "respondents. An honest person may simply think otherwise.",
            chance=f"{rules.rare_below:.4g}",
        ),
        CARELESS: Message(
            "signs of two kinds at once that the questions were not read. The kinds are pattern (straight-lined, long "
            "run), time (too fast, relatively fast) and rare answers; a single kind is not enough for this."
        ),
    }


def _method(assessment: Assessment) -> dict[str, Any]:
    """What of the method applies to this study."""
    study, sample = assessment.study, assessment.sample
    present = [group for group, n in zip(study.groups, sample.respondents, strict=True) if n]
    corrected = [group.name for group in present if group.population or group.strata]
    return {
        "raked": [name for group, name in study.group_names.items() if group in set(assessment.margins["group"])],
        "design": any(export.weight for export in study.responses),
        "trimmed": study.weighting.trim is not None,
        "strata": any(export.stratum for export in study.responses),
        "shares": any(group.strata for group in study.groups) and not any(export.weight for export in study.responses),
        "clusters": any(export.cluster for export in study.responses),
        "overlap": any(len(cell.groups) > 1 for cell in assessment.gathered.moments.cells),
        "population": corrected,
        "corrected": bool(corrected) and study.weighting.finite_population,
        "moving": any(not isinstance(rule, float) and rule is not ThresholdRule.MIDPOINT for rule in study.thresholds),
        "one_group": len(present) < 2,
        "one_issue": len(study.issues) < 2,
    }


def _group_means(assessment: Assessment, axis: str) -> dict[str, Any]:
    study = assessment.study
    table = _of_axis(assessment.group_scores, axis)
    present = [group for group in study.groups if (table["group"] == group.id).any()]
    weights = dict(zip([g.id for g in study.groups], study.weights_of(axis), strict=True))
    cells = {(row["group"], row["issue"]): _told_mean(study, row) for row in rows_of(table)}
    total = sum(weights.values())
    return {
        "axis": axis,
        "groups": [{"name": g.name, "weight": weights[g.id] / total} for g in present],
        "rows": [{"label": i.name, "cells": [cells[g.id, i.id] for g in present]} for i in study.issues],
    }


def _told_mean(study: Study, row: dict[str, Any]) -> dict[str, Any]:
    """A group's mean, with `coarse` in place of it where the privacy profile tells one decimal."""
    alone = pd.isna(row["conf_low"]) and pd.notna(row["n"]) and 0 < row["n"] < study.privacy.intervals_from
    coarse = pd.notna(row["estimate"]) and (alone or study.privacy.profile is PrivacyProfile.PUBLISH)
    return {**row, "coarse": _signed(f"{row['estimate']:.1f}") if coarse else ""}


def _asked(assessment: Assessment) -> list[dict[str, Any]]:
    study = assessment.study
    found = []
    respondents = assessment.sample.respondents
    for group, n, hidden in zip(study.groups, respondents, hidden_sizes(study, respondents), strict=True):
        smallest = study.privacy.hidden_below
        few = Message("under %(n)s", n=smallest) if n < smallest else Message("hidden")
        found.append(
            {
                "name": group.name,
                "n": few if hidden else int(n),
                "population": group.population,
            }
        )
    return found


def _flagged(assessment: Assessment) -> dict[str, Any] | None:
    table = assessment.flagged
    if not len(table):
        return None
    study = assessment.study
    labels = study.issue_names
    scores = {(row["axis"], row["issue"]): (row["estimate"], row["without_flagged"]) for row in rows_of(table)}
    tiers = table.drop_duplicates("issue").set_index("issue")
    moved = tiers.index[(tiers["tier"] != tiers["tier_without_flagged"]).fillna(value=False)]
    rows = [
        {
            "label": labels[issue.id],
            "scores": [scores[axis, issue.id] for axis in study.axes],
            "tier": tiers.loc[issue.id, "tier"],
            "tier_without": tiers.loc[issue.id, "tier_without_flagged"],
        }
        for issue in study.issues
    ]
    return {
        "rows": rows,
        "moved": [labels[issue] for issue in moved],
        "largest": float(table["difference"].abs().max()),
        "few": study.privacy.hidden_below > 1
        and bool((table["estimate"].notna() & table["without_flagged"].isna()).any()),
    }
