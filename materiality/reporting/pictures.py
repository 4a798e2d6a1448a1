"""The figures of an assessment as files: PNG, SVG and PDF, drawn on every core."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from materiality.assessment import Assessment
from materiality.figures import Choice, figures_of, house_style, said_by
from materiality.reporting.folder import ENDINGS, signals_held, undone

DPI = 200
PATIENCE = 120
"""Seconds after which a figure is drawn here that another process has not finished."""
PR_SET_PDEATHSIG = 1
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
    others = _Others(figures, folder, words) if forks else None
    left = set(names)

    def wait(name: str) -> None:
        if name in left:
            if others is None or not others.have_drawn(name):
                _save(figures[name], folder / name, words)
            left.discard(name)

    with undone(others.end if others is not None else lambda: None):
        if others is not None:
            others.begin(workers)
        yield wait
        for name in names:
            wait(name)


class _Others:
    """Processes that draw: each takes the next figure's number from one pipe, and puts it into another when it is done.

    A process ends by itself when no number is left, and with this process.
    """

    def __init__(self, figures: Mapping[str, Callable[[], Figure]], folder: Path, words: str) -> None:
        self.figures, self.folder, self.words = figures, folder, words
        self.names, self.done, self.failed = list(figures), set[str](), set[str]()
        self.news = -1
        self.children: list[int] = []

    def begin(self, count: int) -> None:
        """Start so many processes; where the system allows fewer, those."""
        take, put = os.pipe()
        self.news, tell = os.pipe()
        os.write(put, bytes(range(len(self.names))))
        os.close(put)
        parent, tie = os.getpid(), _tie_to_parent()
        for _ in range(count):
            with warnings.catch_warnings(), signals_held(), suppress(OSError):
                # of threads beside this one: they do not draw, and the children touch nothing of theirs
                warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
                child = os.fork()
                if child == 0:
                    self._draw(take, tell, parent, tie)
                self.children.append(child)
        os.close(take)
        os.close(tell)

    def _draw(self, take: int, tell: int, parent: int, tie: Callable[[], object]) -> NoReturn:
        """What a process does: it never returns, and what the parent would do at its end is not for it."""
        try:
            tie()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
            for ending in set(ENDINGS) - {signal.SIGINT}:
                signal.signal(ending, signal.SIG_DFL)
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
            while os.getppid() == parent and (number := os.read(take, 1)):
                name = self.names[number[0]]
                try:
                    _save(self.figures[name], self.folder / name, self.words)
                    os.write(tell, number)
                except Exception:  # the parent draws it again, and says what is wrong
                    os.write(tell, bytes([number[0] + FAILED]))
        finally:
            os._exit(0)

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
        news, self.news = self.news, -1
        if news >= 0:
            os.close(news)
        self._kill()

    def _kill(self) -> None:
        while self.children:
            child = self.children[-1]
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
            self.children.remove(child)


def _tie_to_parent() -> Callable[[], object]:
    """What a forked process calls so that the system ends it with its parent, whatever ends that; on Linux only."""
    if sys.platform != "linux":
        return lambda: None
    with suppress(AttributeError, OSError):
        control = ctypes.CDLL(None).prctl
        return lambda: control(PR_SET_PDEATHSIG, signal.SIGKILL)
    return lambda: None


def _save(draw: Callable[[], Figure], path: Path, words: str) -> None:
    figure = draw()
    with house_style(words):
        for suffix, options in FORMATS.items():
            drawn = BytesIO()  # a full disk in its midst makes matplotlib fail in other words
            figure.savefig(drawn, format=suffix, **options)
            path.with_name(f"{path.name}.{suffix}").write_bytes(drawn.getvalue())
        path.with_name(f"{path.name}.png").write_bytes(_png(figure))


def _png(figure: Figure) -> bytes:
    """Without transparency, which figures have none of, in a third of the time that `savefig` takes."""
    figure.dpi = DPI
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    told = PngInfo()
    told.add_text("Software", "materiality")
    size = canvas.get_width_height(physical=True)
    with Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1) as picture:
        drawn = BytesIO()
        picture.convert("RGB").save(drawn, "PNG", compress_level=COMPRESSION, dpi=(DPI, DPI), pnginfo=told)
    return drawn.getvalue()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
