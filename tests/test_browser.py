"""The report in a browser, opened from disk without a network: quiet, accessible, at any width, by mouse and keys."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, needed, shared

STUDIES = ["kstar", "haibei", "spack"]
FRAMES = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"""
LABELS = """() => {
  const plain = ({left, top, right, bottom}) => [left, top, right, bottom];
  const seen = (node) => node.getAttribute("display") !== "none";
  const svg = document.getElementById("live-svg");
  const dots = [...svg.querySelectorAll(".dot")].filter(seen);
  return {
    labels: [...svg.querySelectorAll(".label")].filter(seen).map((node) => plain(node.getBoundingClientRect())),
    texts: [...svg.querySelectorAll(".label")].filter(seen).map((node) => node.textContent),
    dots: dots.map((node) => plain(node.querySelector(".shape").getBoundingClientRect())),
    plot: plain(svg.querySelector(".frame").getBoundingClientRect()),
  };
}"""


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Callable[[str], Path]:
    """The page of a study by name; each study is run once."""
    done: dict[str, Path] = {}

    def page_of(study: str) -> Path:
        if study not in done:
            folders = {"haibei": ("studies", "haibei"), "spack": ("studies", "spack-2020")}
            source = shared(*folders[study]) if study in folders else ROOT / "surveys" / "kstar-2023"
            out = tmp_path_factory.mktemp(study)
            command = [sys.executable, "-m", "materiality", "run", str(source), "--out", str(out), "--figures", "main"]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            done[study] = out / "report.html"
        return done[study]

    return page_of


@pytest.fixture
def opened(open_page, report) -> Callable[..., Any]:
    """A study's page with the live matrix ready: `opened(study, width=1280, **options of the context)`."""

    def ready(study: str, width: int = 1280, **options: Any) -> Any:
        page = open_page(report(study).as_uri(), viewport={"width": width, "height": 900}, **options)
        page.wait_for_function("document.documentElement.dataset.live === 'ready'")
        return page

    return ready


def settle(page: Any) -> None:
    """Lets the page draw what was asked of it, and say what it says when all is quiet."""
    page.evaluate(FRAMES)
    page.wait_for_timeout(300)


def slide(page: Any, slider: str, share: float) -> None:
    """Moves a slider to a share of its way, as a hand would."""
    page.evaluate(
        """([id, share]) => {
          const input = document.getElementById(id);
          input.value = Number(input.min) + share * (input.max - input.min);
          input.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        [slider, share],
    )


def sliders(page: Any) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('#live-sliders input[type=range]:enabled')].map((one) => one.id)"
    )


def places(page: Any) -> list[str]:
    """Where the dots are drawn."""
    return page.evaluate("[...document.querySelectorAll('#live-svg .dot')].map((one) => one.getAttribute('transform'))")


def status(page: Any) -> str:
    return page.locator("#live-status").inner_text()


def bad_labels(page: Any) -> list[str]:
    """Labels on labels or on dots, or out of the plot, by the boxes that the browser tells."""
    seen = page.evaluate(LABELS)
    names, frame = seen["texts"], seen["plot"]
    found = [
        f"{names[i]} on {names[j]}"
        for (i, a), (j, b) in combinations(enumerate(seen["labels"]), 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
    ]
    for text, box in zip(names, seen["labels"], strict=True):
        for dot in seen["dots"]:
            x, y, radius = (dot[0] + dot[2]) / 2, (dot[1] + dot[3]) / 2, (dot[2] - dot[0]) / 2
            away = math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))
            if away < radius - 0.5:
                found.append(f"{text} on a dot")
        if min(box[0] - frame[0], box[1] - frame[1], frame[2] - box[2], frame[3] - box[3]) < -2:
            found.append(f"{text} out of the plot")
    return found


def axe_faults(page: Any) -> list[str]:
    """Serious and critical faults by axe-core, injected past the page's policy; of a table, in its first rows."""
    axe = needed("axe_playwright_python")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8") + "; null")
    result = page.evaluate(
        "axe.run({exclude: ['tbody tr:nth-child(n+4)', 'figure svg *']}, {resultTypes: ['violations']})"
    )
    return [
        f"{fault['id']}: {node['html'][:120]}"
        for fault in result["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:3]
    ]


@pytest.mark.parametrize("study", STUDIES)
def test_the_page_is_quiet_and_asks_for_nothing(opened, study):
    page = opened(study)
    settle(page)
    assert page.faults == []
    assert page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)") == []


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
@pytest.mark.parametrize("study", STUDIES)
def test_axe_finds_no_serious_fault(opened, study, look):
    page = opened(study, width=360 if look == "narrow" else 1280, color_scheme="dark" if look == "dark" else "light")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    settle(page)
    assert axe_faults(page) == []


@pytest.mark.parametrize("study", STUDIES)
def test_the_page_never_scrolls_sideways(opened, study):
    page = opened(study)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    wide = []
    for width in (360, 480, 620, 768, 1024, 1280, 1920, 3840):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wide += [(width, over)] if over > 0 else []
    assert wide == []


def test_print_opens_what_is_folded_and_folds_it_again(opened):
    page = opened("kstar")
    folded = page.evaluate("document.querySelectorAll('details:not([open])').length")
    assert folded > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    hidden = "[...document.querySelectorAll('details table')].filter((one) => !one.checkVisibility()).length"
    assert page.evaluate(hidden) == 0
    assert len(page.pdf()) > 10_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == folded


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("study", STUDIES)
def test_labels_can_be_read_in_every_view(opened, study, width):
    page = opened(study, width=width)
    bad = []
    for view in page.evaluate("[...document.getElementById('live-view').options].map((one) => one.value)"):
        page.select_option("#live-view", view)
        for names in (True, False):
            page.set_checked("#live-names", names)
            page.evaluate(FRAMES)
            bad += [(view, names, found) for found in bad_labels(page)]
    assert bad == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("study", STUDIES)
def test_labels_can_be_read_wherever_sliders_stand(opened, study, width):
    page = opened(study, width=width)
    random = np.random.default_rng(6)
    ids, bad = sliders(page), []
    for move in range(20):
        for slider in random.choice(ids, min(3, len(ids)), replace=False):
            slide(page, str(slider), float(random.random()))
        page.evaluate(FRAMES)
        bad += [(move, found) for found in bad_labels(page)]
    assert bad == []
    assert page.faults == []


def test_nearly_every_issue_has_its_label(opened):
    page = opened("kstar")
    seen = page.evaluate(LABELS)
    assert len(seen["labels"]) == len(seen["dots"]) == 25


@pytest.mark.parametrize("study", STUDIES)
def test_every_slider_moves_what_it_says_and_reset_takes_it_back(opened, study):
    page = opened(study)
    settle(page)
    first, toml = places(page), page.locator("#live-toml").text_content()
    assert page.locator("#live-reset").is_disabled()
    for slider in sliders(page):
        page.locator(f"#{slider}").press("Home")
        settle(page)
        value = page.evaluate("(id) => document.getElementById(id).getAttribute('aria-valuetext')", slider)
        assert page.locator(f"output[for={slider}]").text_content() in value
        assert page.locator("#live-toml").text_content() != toml, slider
        assert page.locator("#live-moved").is_visible()
        page.locator("#live-reset").click()
        settle(page)
        assert places(page) == first
        assert page.locator("#live-toml").text_content() == toml
        assert page.locator("#live-reset").is_disabled()
    assert page.faults == []


def test_a_slider_is_moved_by_the_mouse(opened):
    page = opened("kstar")
    first = places(page)
    handle = page.locator("#live-weights input[type=range]").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    settle(page)
    assert places(page) != first
    assert status(page) != ""


def test_a_threshold_by_keys_changes_tiers_and_the_status_says_so(opened):
    page = opened("kstar")
    settle(page)
    said = status(page)
    page.locator("#live-thresholds input[type=range]").first.press("Home")
    settle(page)
    assert status(page) != said
    assert page.locator("#live-status").get_attribute("role") == "status"


def test_an_issue_is_chosen_by_the_mouse_and_by_keys(opened):
    page = opened("kstar")
    empty = page.locator("#live-panel").inner_text()
    first = page.locator("#live-svg .dot[tabindex='0']")
    assert first.count() == 1
    first.focus()
    page.keyboard.press("Enter")
    chosen = page.locator("#live-svg .dot[aria-pressed=true]")
    assert chosen.count() == 1
    assert page.locator("#live-panel").inner_text() != empty
    page.keyboard.press("Escape")
    assert chosen.count() == 0
    page.keyboard.press("End")
    last = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") != last
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.matches('#live-svg .dot[tabindex=\"0\"]')")
    page.locator("#live-svg .label").nth(3).click()
    assert chosen.count() == 1


def test_arrows_reach_every_dot(opened):
    page = opened("kstar")
    seen = set()
    page.locator("#live-svg .dot[tabindex='0']").focus()
    for key in ["ArrowLeft"] * 25 + ["ArrowRight"] * 25:
        page.keyboard.press(key)
        seen.add(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert len(seen) == 25


def test_search_dims_the_rest_and_enter_goes_to_what_was_found(opened):
    page = opened("kstar")
    page.locator("#live-find").press_sequentially("climate")
    settle(page)
    dots, dim = page.locator("#live-svg .dot"), page.locator("#live-svg .dot.dim")
    assert 0 < dots.count() - dim.count() < 5
    assert "limate" in status(page)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('#live-svg .dot[aria-pressed=true]')")
    assert "limate" in page.locator("#live-panel").inner_text()
    page.locator("#live-find").fill("no such issue")
    settle(page)
    assert dim.count() == dots.count()
    page.locator("#live-find").fill("")
    settle(page)
    assert dim.count() == 0


def test_ellipses_error_bars_and_names_are_turned_on_and_off(opened):
    page = opened("kstar")
    drawn = {"bars": ".bar", "ellipses": ".ellipse"}
    for box, mark in drawn.items():
        for want in (True, False):
            page.set_checked(f"#live-{box}", want)
            page.evaluate(FRAMES)
            marks = page.locator(f"#live-svg {mark}:not([display=none])")
            assert (marks.count() > 0) is want, box
    page.locator("#live-names").focus()
    page.keyboard.press("Space")
    page.evaluate(FRAMES)
    assert all(text.isdigit() for text in page.evaluate(LABELS)["texts"])


def test_a_group_view_moves_the_dots_and_has_no_ellipses(opened):
    page = opened("kstar")
    settle(page)
    first = places(page)
    page.locator("#live-view").focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    assert page.input_value("#live-view") != ""
    assert places(page) != first
    assert page.locator("#live-ellipses").is_disabled()
    group = page.locator("#live-view option:checked").inner_text()
    assert group in status(page)
    page.locator("#live-reset").press("Enter")
    settle(page)
    assert places(page) == first


def test_the_table_beside_the_picture_follows_the_sliders(opened):
    page = opened("kstar")
    page.locator("#live-numbers > summary").press("Enter")
    settle(page)
    before = page.locator("#live-table").inner_text()
    assert page.locator("#live-table tbody tr").count() == 25
    slide(page, sliders(page)[-1], 1.0)
    settle(page)
    assert page.locator("#live-table").inner_text() != before
    page.locator("#live-table tbody button").first.press("Enter")
    assert page.locator("#live-svg .dot[aria-pressed=true]").count() == 1
