"""How long the report and the figures of the reference study take: python benchmarks/figures.py

Prints seconds for all figures in each format, in one process and in as many as there are cores, for the page, and for
each figure alone.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from materiality.assessment import assess
from materiality.figures import Choice, figures_of
from materiality.reporting import facts_of, render_report
from materiality.reporting.pictures import saving_figures

STUDY = Path(__file__).parent.parent / "surveys" / "kstar-2023"


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    assessment = assess(STUDY)

    def save(workers: int, choice: Choice = Choice.ALL) -> None:
        with tempfile.TemporaryDirectory() as folder, saving_figures(assessment, Path(folder), choice, workers=workers):
            pass

    for workers in (1, os.cpu_count() or 1):
        print(f"all figures, processes {workers}: {timed(lambda count=workers: save(count)):.1f} s")
    print(f"figures of the report alone: {timed(lambda: save(1, Choice.MAIN)):.1f} s")
    for which in ("first", "next"):
        print(f"the page, {which}: {timed(lambda: render_report(assessment, b'', facts_of(assessment))):.2f} s")
    for name, draw in figures_of(assessment).items():
        print(f"drawing {name}: {timed(draw):.2f} s")


if __name__ == "__main__":
    main()
