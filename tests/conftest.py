"""Paths, and small studies written to disk, that several tests share."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from materiality.responses import Block, Kind

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
NINE = {
    "climate_change",
    "supply_chain",
    "energy",
    "health_safety",
    "product_quality",
    "compliance_risk",
    "customer_service",
    "employee_rights",
    "employee_training",
}
"""The nine issues that KSTAR's report for 2023 calls most concerned."""


SKIP_NOTHING = "MATERIALITY_TESTS_SKIP_NOTHING" in os.environ
"""What the tests drive has to be there; set where everything has to pass."""


def needed(module: str) -> Any:
    """A module that only some tests use; they are skipped without it, but where nothing may be skipped."""
    return import_module(module) if SKIP_NOTHING else pytest.importorskip(module, reason=f"{module} is not installed")


def shared(*parts: str) -> Path:
    """A file of the shared material beside the project; the test is skipped where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"../shared/{'/'.join(parts)} is absent")
    return path


@pytest.fixture
def golden():
    """Numbers from R's survey package, by file name."""

    def load(name: str) -> Any:
        return json.loads(shared("reference", "json", name).read_text())

    return load


def block(
    ratings: Any,
    members: Any,
    *,
    weight: Any = None,
    kinds: Any = None,
    seconds: Any = None,
    identity: Any = None,
    empty: Any = None,
    unknown_group: Any = None,
    preview: Any = None,
    row: Any = None,
    categories: Any = None,
    stratum: Any = None,
    cluster: Any = None,
) -> Block:
    """A block from plain lists; NaN is a blank unless `kinds` says otherwise."""
    ratings = np.asarray(ratings, float)
    n = len(ratings)
    if kinds is None:
        kinds = np.where(np.isnan(ratings), Kind.BLANK, Kind.RATING)
    return Block(
        export=np.zeros(n, np.int32),
        row=np.arange(2, n + 2) if row is None else np.asarray(row),
        ratings=ratings,
        kinds=np.asarray(kinds, np.int8),
        members=np.asarray(members, bool),
        unknown_group=np.zeros(n, bool) if unknown_group is None else np.asarray(unknown_group, bool),
        empty=np.zeros(n, bool) if empty is None else np.asarray(empty, bool),
        preview=np.zeros(n, bool) if preview is None else np.asarray(preview, bool),
        weight=np.ones(n) if weight is None else np.asarray(weight, float),
        seconds=np.full(n, np.nan) if seconds is None else np.asarray(seconds, float),
        identity=np.zeros(n, np.uint64) if identity is None else np.asarray(identity, np.uint64),
        categories=np.zeros((n, 0), np.int16) if categories is None else np.asarray(categories, np.int16),
        stratum=np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, np.int64),
        cluster=np.zeros(n, np.uint64) if cluster is None else np.asarray(cluster, np.uint64),
    )


STUDY = """\
title = "A small study"

[scale]
low = 1
high = 5

[scale.special]
"Don't know" = "dont_know"

[[responses]]
file = "responses.csv"
respondent = "id"
group = "group"

[[groups]]
id = "staff"
label = "Staff"

[[groups]]
id = "buyers"
label = "Buyers"
answers = ["Customer"]

[[issues]]
id = "climate"
label = "Climate"
pillar = "environmental"

[[issues]]
id = "safety"
label = "Safety"
pillar = "social"

[[issues]]
id = "ethics"
label = "Ethics"
pillar = "governance"

[axes.people]
label = "Importance to people"
column = "{label}"

[axes.business]
label = "Impact on the business"
column = "Impact of {label}"

[matrix]
x = "business"
y = "people"

[privacy]
profile = "off"
"""

HEADER = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
ROWS = (
    "1,Staff,4,5,3,4,4,2",
    "2,Staff,5,4,3,5,3,3",
    "3,Customer,3,5,4,4,5,2",
    "4,Customer,4,4,2,5,4,3",
    "5,Buyers,5,5,3,3,4,1",
)


def write_study(
    folder: Path, *, study: str = STUDY, rows: tuple[str, ...] = ROWS, header: str = HEADER, csv: str | None = None
) -> Path:
    """A study folder with one export; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(study, encoding="utf-8")
    text = "\n".join((header, *rows, "")) if csv is None else csv
    (folder / "responses.csv").write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """The folder of a small, sound study."""
    return write_study(tmp_path / "small")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; tests are skipped where either is absent."""
    playwright = needed("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None and not SKIP_NOTHING:
        pytest.skip("chromium is absent")
    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=quiet.split())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Any]]:
    """Opens pages without a network: `open_page(address, **options of the context)`.

    What the page says on its console as an error, and what it asks for beside itself, are in its `faults`.
    """
    contexts = []

    def opened(address: str = "about:blank", **options: Any) -> Any:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        context.route("**/*", lambda route: route.abort() if route.request.url != address else route.continue_())
        page = context.new_page()
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda asked: page.faults.append(asked.url) if asked.url != address else None)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
