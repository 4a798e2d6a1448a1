"""The figures of an assessment as files: PNG, SVG and PDF, drawn on every core."""

from __future__ import annotations

import os
import select
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from materiality.assessment import Assessment
from materiality.figures import Choice, figures_of, house_style, said_by

DPI = 200
PATIENCE = 120
"""Seconds after which a figure is drawn here that another process has not finished."""
FAILED = 128
"""Added to a figure's number where drawing it failed; there are never so many figures."""
COMPRESSION = 1
"""Of PNG files: more makes them smaller by a tenth, and takes half as long again."""
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": "materiality"}},
    "pdf": {"metadata": {"CreationDate": None, "ModDate": None, "Creator": "materiality", "Producer": "materiality"}},
}
"""Of vector graphics: what must not change from run to run."""


@contextmanager
def saving_figures(
    assessment: Assessment, folder: Path, choice: Choice = Choice.ALL, *, workers: int | None = None
) -> Iterator[Callable[[str], None]]:
    """Write every figure of an assessment into a folder, in each format, while the block does other work.

    Forked processes draw, one on each core: nothing is copied or imported again. The files are the same bytes however
    many there are. What a process could not draw, was killed over or has been silent about for `PATIENCE` seconds is
    drawn here at the end; so is everything where forking is not safe (macOS, Windows).

    Parameters
    ----------
    assessment : Assessment
    folder : Path
        Exists.
    choice : Choice
    workers : int, optional
        Processes to draw in; as many as there are cores to use, unless given.

    Yields
    ------
    callable
        Given a figure's name, returns when its files are there, at once where there is no such figure. At the end of
        the block all are.
    """
    figures, words = figures_of(assessment, choice), said_by(assessment.study)
    names = list(figures)
    workers = min(workers or _cores(), len(names))
    forks = workers > 1 and sys.platform not in {"darwin", "win32"}
    others = _Others(figures, folder, words, workers) if forks else None
    left = set(names)

    def wait(name: str) -> None:
        if name in left:
            if others is None or not others.have_drawn(name):
                _save(figures[name], folder / name, words)
            left.discard(name)

    try:
        yield wait
        for name in names:
            wait(name)
    finally:
        if others is not None:
            others.end()


class _Others:
    """Processes that draw: each takes the next figure's number from one pipe, and puts it into another when it is done.

    A process ends by itself when no number is left, or when this process is gone.
    """

    def __init__(self, figures: Mapping[str, Callable[[], Figure]], folder: Path, words: str, count: int) -> None:
        self.names, self.done, self.failed = list(figures), set[str](), set[str]()
        take, put = os.pipe()
        self.news, tell = os.pipe()
        os.write(put, bytes(range(len(figures))))
        os.close(put)
        parent = os.getpid()
        self.children = []
        for _ in range(count):
            with warnings.catch_warnings():
                # of threads beside this one: they do not draw, and the children touch nothing of theirs
                warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
                child = os.fork()
            if child == 0:
                try:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
                    while os.getppid() == parent and (number := os.read(take, 1)):
                        name = self.names[number[0]]
                        try:
                            _save(figures[name], folder / name, words)
                            os.write(tell, number)
                        except Exception:  # the parent draws it again, and says what is wrong
                            os.write(tell, bytes([number[0] + FAILED]))
                except BaseException:
                    os._exit(1)
                os._exit(0)
            self.children.append(child)
        os.close(take)
        os.close(tell)

    def have_drawn(self, name: str) -> bool:
        """Wait for a figure; False where nobody is going to draw it."""
        while name not in self.done:
            if name in self.failed:
                return False
            if not select.select([self.news], [], [], PATIENCE)[0]:
                self._kill()  # or one of them might still write a file that is drawn here meanwhile
            numbers = os.read(self.news, 64)
            if not numbers:
                return False
            self.done |= {self.names[number] for number in numbers if number < FAILED}
            self.failed |= {self.names[number - FAILED] for number in numbers if number >= FAILED}
        return True

    def end(self) -> None:
        """See that no process is left."""
        os.close(self.news)
        self._kill()

    def _kill(self) -> None:
        while self.children:
            child = self.children.pop()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _save(draw: Callable[[], Figure], path: Path, words: str) -> None:
    figure = draw()
    with house_style(words):
        for suffix, options in FORMATS.items():
            figure.savefig(path.with_name(f"{path.name}.{suffix}"), **options)
        _save_png(figure, path.with_name(f"{path.name}.png"))


def _save_png(figure: Figure, path: Path) -> None:
    """Without transparency, which figures have none of, in a third of the time that `savefig` takes."""
    figure.dpi = DPI
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    told = PngInfo()
    told.add_text("Software", "materiality")
    size = canvas.get_width_height(physical=True)
    with Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1) as picture:
        picture.convert("RGB").save(path, "PNG", compress_level=COMPRESSION, dpi=(DPI, DPI), pnginfo=told)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
