"""The live matrix gives what a run with the same weights and thresholds gives, and tells nothing that is hidden."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, shared, write_study

import materiality
from materiality.assessment import Assessment
from materiality.reporting.live import WORDS, embedded, live_data

GROUPS = ("a", "b", "c", "d")
SIZES = (70, 24, 9, 6)
ISSUES = 6
FEATURES = {
    "plain": "",
    "people in several groups": "several",
    "clusters of respondents": "cluster",
    "strata with populations": "strata",
    "raked to margins": "raked",
    "design weights": "weight",
    "a group of which one rated an issue": "lonely",
    "a group of known size of which one rated an issue": "lonely, counted",
    "a group that is one cluster": "one cluster",
    "skipped answers and issues that a group was not asked": "skipped",
}


def study_text(feature: str, x: dict[str, float], y: dict[str, float], tiers: str = "") -> str:
    """A study of four groups and six issues on two axes."""
    column = {
        "cluster": 'cluster = "team"',
        "one cluster": 'cluster = "team"',
        "strata": 'stratum = "site"',
        "weight": 'weight = "w"',
    }.get(feature, "")
    if feature == "several":
        column = 'group_separator = "+"'
    groups = dict.fromkeys(GROUPS, "")
    if feature == "strata":
        groups["a"] = "[groups.strata]\nnorth = 300\nsouth = 120\n"
        groups["c"] = "population = 20\n"
    if feature == "lonely, counted":
        groups["d"] = "population = 10\n"
    if feature == "raked":
        groups["a"] = "[groups.margins.sex]\nm = 60\nf = 40\n"
    profile = "internal" if feature == "hidden" else "off"

    def weights(of: dict[str, float]) -> str:
        return "{ " + ", ".join(f"{name} = {weight!r}" for name, weight in of.items()) + " }"

    return "\n".join(
        [
            'title = "Made-up answers"\n\n[scale]\nlow = 1\nhigh = 5\n',
            f'[[responses]]\nfile = "responses.csv"\nrespondent = "id"\ngroup = "group"\n{column}\n',
            *(f'[[groups]]\nid = "{name}"\n{more}\n' for name, more in groups.items()),
            *(f'[[issues]]\nid = "i{k}"\nlabel = "Issue {k}"\n' for k in range(ISSUES)),
            f'[axes.across]\ncolumn = "x {{id}}"\ngroups = {weights(x)}\n',
            f'[axes.up]\ncolumn = "y {{id}}"\ngroups = {weights(y)}\n',
            '[matrix]\nx = "across"\ny = "up"\n',
            f'[privacy]\nprofile = "{profile}"\n',
            f'[cleaning]\ntoo_few_answers = "off"\nstraight_lined = "off"\n\n[tiers]\n{tiers}\n',
        ]
    )


def answers(feature: str) -> tuple[str, tuple[str, ...]]:
    """Header and rows of made-up answers; the same for a feature each time."""
    generator = np.random.default_rng([*sorted(FEATURES.values()), "hidden"].index(feature))
    header = ",".join(["id", "group", "sex", "team", "site", "w", *(f"{a} i{k}" for a in "xy" for k in range(ISSUES))])
    rows = []
    level = generator.normal(3.6, 0.5, (2, ISSUES))
    sizes = (*SIZES[:3], 3) if feature == "hidden" else SIZES
    for g, (name, size) in enumerate(zip(GROUPS, sizes, strict=True)):
        for person in range(size):
            own = generator.normal(0, 0.4) + (0.3 * np.sin(person // 3) if feature == "cluster" else 0)
            given = np.clip(np.rint(generator.normal(level + 0.2 * g + own, 0.8)), 1, 5).astype(int).astype(object)
            if feature == "skipped":
                given[generator.uniform(size=given.shape) < 0.15] = ""
                given[:, 2] = "" if name == "b" else given[:, 2]
            if feature.startswith("lonely") and name == "d" and person:
                given[:, 1] = ""
            member = f"{name}+{GROUPS[(g + 1) % 4]}" if feature == "several" and person % 4 == 0 else name
            team, site = f"{name}{person // 3}" if person % 7 else "", ("north", "south")[person % 2]
            team = "d" if feature == "one cluster" and name == "d" else team
            facts = [f"{name}{person}", member, "mf"[person % 3 == 0], team, site, f"{generator.uniform(0.5, 2):.3f}"]
            rows.append(",".join(map(str, [*facts, *given.ravel()])))
    return header, tuple(rows)


def assessed(folder: Path, feature: str, x: dict[str, float], y: dict[str, float], tiers: str = "") -> Assessment:
    return materiality.assess(_written(folder, feature, study_text(feature, x, y, tiers)))


def _written(folder: Path, feature: str, study: str) -> Path:
    header, rows = answers(feature)
    return write_study(folder, study=study, header=header, rows=rows)


@pytest.fixture(scope="module")
def live(browser):
    """The page's own algebra, in a browser: data and a state in, numbers out."""
    page = browser.new_page()
    page.goto("about:blank")
    page.evaluate((ROOT / "materiality" / "reporting" / "live.js").read_text(encoding="utf-8") + ";window.Live = Live")

    def evaluate(data: dict, weights, thresholds=(None, None), draws: int = 0) -> dict:
        return page.evaluate(
            """([text, weights, thresholds, draws]) => {
              const data = JSON.parse(text), state = {weights, thresholds}, found = Live.evaluate(data, state);
              const numbers = (one) => one && [one.value, one.low, one.high];
              return {thresholds: found.thresholds, tiers: found.points.map((point) => point.tier),
                material: found.points.map((point) => point.material),
                x: found.axes[0].map(numbers), y: found.axes[1].map(numbers),
                ellipses: found.points.map((point, i) => Live.ellipse(data, i, point.x, point.y)),
                sure: draws ? Live.confidence(data, state, found, draws) : null};
            }""",
            [embedded(data), weights, list(thresholds), draws],
        )

    yield evaluate
    page.close()


def both(rule: str) -> str:
    """One rule for the thresholds of both axes."""
    return f"{{ across = {rule}, up = {rule} }}"


def by_group(assessment: Assessment, axis: str) -> list[float]:
    """An axis's group weights, by group."""
    return list(assessment.study.layout.group_weights[list(assessment.study.axes).index(axis)])


def compare(found: dict, run: Assessment) -> None:
    """Scores, intervals, thresholds, tiers and ellipses of the page against those of a run."""
    points = run.matrix.points
    for axis in ("x", "y"):
        numbers = np.array([one or [None] * 3 for one in found[axis]], float)
        wanted = points[[axis, f"{axis}_low", f"{axis}_high"]].to_numpy(float)
        known = np.isfinite(points[["x", "y"]].to_numpy(float)).all(axis=1)
        np.testing.assert_allclose(numbers[known], wanted[known], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["thresholds"], [run.matrix.x_threshold, run.matrix.y_threshold], rtol=0, atol=1e-9)
    assert found["tiers"] == [None if np.isnan(tier) else int(tier) for tier in points["tier"].astype(float)]
    told = points["material"].astype(object)
    assert found["material"] == [None if value is None else bool(value) for value in told.where(told.notna(), None)]
    for ellipse, row in zip(found["ellipses"], run.joint.to_dict("records"), strict=True):
        if np.isnan(row["semi_major"]):
            assert ellipse is None
            continue
        wanted = region(row["semi_major"], row["semi_minor"], np.radians(row["angle"]))
        np.testing.assert_allclose(
            region(ellipse["major"], ellipse["minor"], ellipse["angle"]), wanted, rtol=1e-5, atol=1e-6
        )


def region(major: float, minor: float, angle: float) -> np.ndarray:
    """An ellipse as the matrix of its quadratic form's inverse, so that equal ones compare as equal."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([major**2, minor**2]) @ turn.T


@pytest.mark.parametrize("feature", [pytest.param(value, id=name) for name, value in FEATURES.items()])
def test_moved_weights_give_what_a_run_with_those_weights_gives(live, tmp_path, feature):
    before = dict.fromkeys(GROUPS, 1.0)
    x, y = {"a": 0.4, "b": 2.5, "c": 1.0, "d": 1.0}, {"a": 3.0, "b": 0.7, "c": 1.0, "d": 1.0}
    if feature not in {"lonely", "lonely, counted", "one cluster"}:
        x, y = {**x, "d": 0.01}, {**y, "c": 2.2}
    first = assessed(tmp_path / "first", feature, before, {**before, "b": 2.0})
    then = assessed(tmp_path / "then", feature, x, y)
    data = live_data(first)

    compare(live(data, [by_group(first, "across"), by_group(first, "up")]), first)
    compare(live(data, [by_group(then, "across"), by_group(then, "up")]), then)


@pytest.fixture(scope="module")
def unmoved(tmp_path_factory) -> Assessment:
    """The run whose weights are moved under every rule for thresholds; what the page makes of groups hangs on none."""
    return assessed(tmp_path_factory.mktemp("live"), "skipped", dict.fromkeys(GROUPS, 1.0), {"a": 2.0, "c": 1.0})


@pytest.mark.parametrize(
    "rule",
    ['"mean"', '"median"', '"midpoint"', '"largest_gap"', '"top 2"', '"top 5"', "3.7", '{ across = 3.5, up = "mean" }'],
)
@pytest.mark.parametrize("material", ["either", "both"])
def test_thresholds_by_rule_move_as_in_a_run(live, unmoved, tmp_path, rule, material):
    x, y = dict(zip(GROUPS, (1, 4, 2, 0.5), strict=True)), {"a": 1.0, "c": 5.0}
    tiers = f'thresholds = {rule if "{" in rule else both(rule)}\nrule = "{material}"'
    then = assessed(tmp_path, "skipped", x, y, tiers)
    first = replace(unmoved, study=unmoved.study.model_copy(update={"tiers": then.study.tiers}))

    compare(live(live_data(first), [by_group(then, "across"), by_group(then, "up")]), then)


def test_moved_thresholds_give_what_a_run_with_those_thresholds_gives(live, tmp_path):
    weights = dict.fromkeys(GROUPS, 1.0)
    first = assessed(tmp_path / "first", "", weights, weights)
    then = assessed(tmp_path / "then", "", weights, weights, "thresholds = { across = 3.9, up = 4.05 }")

    compare(live(live_data(first), [by_group(first, axis) for axis in ("across", "up")], (3.9, 4.05)), then)


def test_a_group_that_counts_for_nothing_is_as_one_that_the_axis_does_not_ask(live, tmp_path):
    weights = dict.fromkeys(GROUPS, 1.0)
    first = assessed(tmp_path / "first", "", weights, weights)
    then = assessed(tmp_path / "then", "", {"a": 1.0, "b": 1.0, "c": 1.0}, weights)

    compare(live(live_data(first), [[1, 1, 1, 0], [1, 1, 1, 1]]), then)


@pytest.mark.parametrize("feature", ["", "several", "cluster", "raked"])
@pytest.mark.parametrize("rule", ['"mean"', "3.9"])
def test_confidences_of_tiers_are_those_of_a_run_but_for_chance(live, tmp_path, feature, rule):
    x, y = dict(zip(GROUPS, (1, 4, 2, 0.5), strict=True)), dict(zip(GROUPS, (3, 1, 1, 2), strict=True))
    first = assessed(tmp_path / "first", feature, dict.fromkeys(GROUPS, 1.0), y, f"thresholds = {both(rule)}")
    then = assessed(tmp_path / "then", feature, x, y, f"thresholds = {both(rule)}")
    draws = 20_000

    sure = live(live_data(first), [by_group(then, "across"), by_group(then, "up")], draws=draws)["sure"]

    for name, column in (("tier", "tier_confidence"), ("material", "p_material")):
        wanted = then.matrix.points[column].to_numpy(float)
        error = np.sqrt(np.clip(wanted * (1 - wanted), 0.002, None) * (1 / draws + 1 / 10_000))
        assert (np.abs(np.array(sure[name], float) - wanted) < 4.5 * error + 0.004).all()
    told = [zone.value for zone in then.matrix.tiers.zone]
    assert sum(one != other for one, other in zip(sure["zone"], told, strict=True)) <= 1


@pytest.mark.parametrize(
    "study", [("surveys", "kstar-2023"), ("studies", "haibei"), ("studies", "spack-2020")], ids=lambda parts: parts[1]
)
def test_the_studies_own_weights_give_the_run_itself(live, study):
    run = materiality.assess(ROOT.joinpath(*study) if study[0] == "surveys" else shared(*study))

    compare(live(live_data(run), [by_group(run, run.study.x), by_group(run, run.study.y)]), run)


def test_the_text_for_the_study_file_gives_what_the_page_shows(open_page, tmp_path):
    weights = dict.fromkeys(GROUPS, 1.0)
    _, out = materiality.run(
        _written(tmp_path / "first", "", study_text("", weights, weights)),
        out=tmp_path / "first report",
        figures="main",
    )
    page = open_page((out / "report.html").as_uri())
    for name, value in (("weight-0-1", 2.5), ("weight-1-3", 0), ("weight-0-0", 0.35), ("threshold-1", 3.85)):
        page.locator(f"#live-{name}").fill(str(value))
    page.locator("#live-numbers summary").click()
    page.wait_for_function("document.querySelector('#live-toml').textContent.includes('3.85')")
    page.wait_for_timeout(600)

    text = tomllib.loads(page.locator("#live-toml").text_content())
    assert set(text) == {"axes", "tiers"}
    assert text["tiers"]["thresholds"] == {"across": "mean", "up": 3.85}
    then = assessed(
        tmp_path / "then",
        "",
        text["axes"]["across"]["groups"],
        text["axes"]["up"]["groups"],
        'thresholds = { across = "mean", up = 3.85 }',
    )
    shown = {
        row[1]: row[2:]
        for row in page.locator("#live-table tbody tr").evaluate_all(
            "rows => rows.map((row) => Array.from(row.cells).map((cell) => cell.textContent))"
        )
    }
    for point in then.matrix.points.itertuples():
        cells = shown[point.label]
        assert cells[:5] == [
            f"{point.x:.2f}", f"{point.x_low:.2f} to {point.x_high:.2f}", f"{point.y:.2f}",
            f"{point.y_low:.2f} to {point.y_high:.2f}", str(point.tier),
        ]  # fmt: skip
    assert page.faults == []


def test_where_groups_are_hidden_the_page_gives_the_scores_of_the_run_and_one_mean_for_all_of_them(live, tmp_path):
    weights = dict.fromkeys(GROUPS, 1.0)
    run = assessed(tmp_path, "hidden", weights, weights)
    data = live_data(run)
    hidden = {(row.axis, row.group, row.issue) for row in run.group_scores.itertuples() if row.suppressed}

    assert {group for _, group, _ in hidden} >= {"c", "d"}
    found = live(data, [[1.0] * 4] * 2)
    for axis, name in (("across", "x"), ("up", "y")):
        scores = run.scores[run.scores["axis"] == axis][["estimate", "conf_low", "conf_high"]].to_numpy(float)
        np.testing.assert_allclose(np.array(found[name], float), scores, rtol=1e-9)
    for own, axis in zip(data["axes"], ("across", "up"), strict=True):
        for place, issue in enumerate(run.study.issues):
            shut = [g for g, group in enumerate(GROUPS) if (axis, group, issue.id) in hidden]
            assert [g for g in range(4) if own["hidden"][place][g]] == shut
            assert len({own["mean"][place][g] for g in shut}) <= 1
            assert all(own["told"][place][g] is None or np.isnan(own["told"][place][g]) for g in shut)


def test_data_in_the_page_cannot_end_its_script():
    text = embedded({"name": '</script><script>alert(1)</script><!-- & \u2028 " \\'})

    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text)["name"] == '</script><script>alert(1)</script><!-- & \u2028 " \\'


def test_every_word_that_the_page_uses_exists():
    folder = ROOT / "materiality" / "reporting"
    script = (folder / "view.js").read_text(encoding="utf-8")
    used = set(re.findall(r'say\("(\w+)"', script)) | set(re.findall(r"words\.(\w+)", script))
    used |= set(re.findall(r"\bw\.(\w+)", (folder / "live.html.j2").read_text(encoding="utf-8")))

    assert used <= set(WORDS)
