"""The sample in `reports/kstar-2023` is what a run gives today."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from conftest import ROOT
from matplotlib.testing.compare import compare_images

import materiality

SAMPLE = ROOT / "reports" / "kstar-2023"
OF_THE_MACHINE = re.compile(r"<dt>[^<]*</dt><dd>(?:<code>)?[^<]*(?:</code>)?</dd>|data:image/[^\"]*|sha256-[^']*")
"""Of the page: versions and hashes, and the drawn figure, which is compared as a picture."""


def committed() -> list[str]:
    """The files of the sample that git holds; all that are there where there is no git."""
    found = subprocess.run(
        ["git", "ls-files", "reports/kstar-2023"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = [str(Path(line).relative_to("reports/kstar-2023")) for line in found.stdout.splitlines()]
    return names or sorted(path.relative_to(SAMPLE).as_posix() for path in SAMPLE.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def today(tmp_path_factory) -> Path:
    _, out = materiality.run(ROOT / "surveys" / "kstar-2023", out=tmp_path_factory.mktemp("gallery") / "kstar-2023")
    return out


def test_the_sample_holds_the_report_the_matrix_and_the_tables(today):
    names = set(committed())
    assert {"report.html", "manifest.json", "figures/matrix.png", "figures/matrix.svg"} <= names
    assert {path.relative_to(today).as_posix() for path in today.glob("tables/*.csv")} <= names
    assert sum((SAMPLE / name).stat().st_size for name in names) < 4_000_000


def test_tables_of_the_sample_are_those_of_a_run(today):
    for path in sorted(today.glob("tables/*.csv")):
        ours, theirs = (pd.read_csv(folder / "tables" / path.name) for folder in (SAMPLE, today))
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6, atol=5e-4, obj=path.name)


def test_the_page_of_the_sample_is_that_of_a_run(today):
    ours, theirs = (
        OF_THE_MACHINE.sub("", (folder / "report.html").read_text(encoding="utf-8")) for folder in (SAMPLE, today)
    )
    number = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z0-9+/]{200,}=*")
    assert number.sub("0", ours) == number.sub("0", theirs)


@pytest.mark.skipif(not mpl.__version__.startswith("3.11"), reason="the pictures are of matplotlib 3.11")
def test_figures_of_the_sample_are_those_of_a_run(today, tmp_path):
    for name in committed():
        if name.endswith(".png"):
            assert compare_images(str(SAMPLE / name), str(today / name), tol=1.0) is None, name
