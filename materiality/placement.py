"""Where the labels of a crowded scatter plot go. Plain geometry: no drawing, no randomness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Indices = NDArray[np.intp]
Truths = NDArray[np.bool_]

ADJACENT = 24  # places right beside the dot
SPIRAL = 360  # places farther out
REACH = 0.35  # how far out, in diagonals of the bounds
KEPT = 200  # the cheapest places, the only ones tried
GRID = 30  # columns and rows of places all over the bounds, should the others not do
CHOICE = 30  # a label whose so many-th place is costly has little choice
LIFTED = (6, 10, 4, 8)  # labels taken up together and laid anew
EFFORT = 600_000  # places times trials, which bounds the time for hundreds of labels
CACHED = 2**24  # numbers

# Costs in radii of a dot: a label rather goes that much farther than suffer one of these. Whole numbers of single
# precision, which add without rounding.
HIDDEN = np.float32(1e4)  # text on text, on a dot or on an obstacle
LEADER_ON_TEXT = np.float32(400)
LEADERS_CROSS = np.float32(200)
LEADER_ON_DOT = 12.0
DOT_BESIDE = 5.0  # a foreign dot as near to the label as its own
LEADER = 4.0
COVERS_SEGMENT = 3.0


@dataclass(frozen=True)
class Placement:
    """Where each label goes, in the units of the input (pixels, y up).

    Attributes
    ----------
    boxes : float array, shape (labels, 4)
        Left, bottom, right, top.
    leaders : float array, shape (labels, 4)
        x0, y0 on the dot's rim to x1, y1, the nearest point of the label's box; NaN where no leader is needed.
    """

    boxes: FloatArray
    leaders: FloatArray


class _Spans(NamedTuple):
    """Boxes or line segments, each by its centre (x, y) and half its extent (dx, dy; signed for a segment)."""

    x: Any
    y: Any
    dx: Any
    dy: Any

    @classmethod
    def between(cls, ends: FloatArray) -> _Spans:
        x0, y0, x1, y1 = ends.T
        return cls((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2)

    @classmethod
    def joined(cls, several: Iterable[_Spans]) -> _Spans:
        return cls(*(np.concatenate(parts) for parts in zip(*several, strict=True)))

    def at(self, index: Any) -> _Spans:
        return _Spans(*(part[index] for part in self))

    def rough(self) -> _Spans:
        return _Spans(*(part.astype(np.float32) for part in self))

    def ends(self) -> FloatArray:
        return np.column_stack([self.x - self.dx, self.y - self.dy, self.x + self.dx, self.y + self.dy])


EACH = np.s_[:, None]  # of some spans, against all of others


def _boxes_meet(a: _Spans, b: _Spans, gap: float = 0.0) -> Truths:
    meet: Truths = (abs(a.x - b.x) < a.dx + b.dx + gap) & (abs(a.y - b.y) < a.dy + b.dy + gap)
    return meet


def _segments_meet_boxes(s: _Spans, b: _Spans, gap: float = 0.0) -> Truths:
    """By separating axes: x, y and the segment's normal. False where the segment is NaN."""
    x, y, dx, dy, width, height = s.x - b.x, s.y - b.y, abs(s.dx), abs(s.dy), b.dx + gap, b.dy + gap
    meet: Truths = (abs(x) < width + dx) & (abs(y) < height + dy)
    meet &= abs(s.dx * y - s.dy * x) < width * dy + height * dx
    return meet


def _segments_cross(a: _Spans, b: _Spans) -> Truths:
    x, y, area = a.x - b.x, a.y - b.y, abs(a.dx * b.dy - a.dy * b.dx)
    cross: Truths = (abs(a.dx * y - a.dy * x) < area) & (abs(b.dx * y - b.dy * x) < area)
    return cross


def _distances(boxes: _Spans, dots: FloatArray) -> FloatArray:
    """From each box to the centre of each dot, shape (boxes, dots); 0 inside."""
    x, y = dots.T
    boxes = boxes.at(EACH)
    away: FloatArray = np.hypot(np.maximum(abs(boxes.x - x) - boxes.dx, 0), np.maximum(abs(boxes.y - y) - boxes.dy, 0))
    return away


def _places(dots: FloatArray, sizes: FloatArray, rim: float, bounds: FloatArray, grid: int) -> FloatArray:
    """Centres to try for each label, all within bounds, shape (labels, places, 2)."""
    # by the golden angle, the spiral tries no direction twice
    angles = np.append(np.arange(ADJACENT) * (2 * np.pi / ADJACENT), np.arange(SPIRAL) * (np.pi * (3 - 5**0.5)))
    way = np.column_stack([np.cos(angles), np.sin(angles)])
    reach = REACH * float(np.hypot(*(bounds[2:] - bounds[:2])))
    away = rim + np.append(np.zeros(ADJACENT), reach * np.linspace(0, 1, SPIRAL) ** 1.7)[:, None]
    half = sizes[:, None] / 2
    # 1.4: places beside and above slide along the label's edge, diagonal ones touch its corner
    around = dots[:, None] + away * way + np.clip(1.4 * way, -1, 1) * half
    steps = np.linspace(0, 1, grid)
    share = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    low = bounds[:2] + half
    high = np.maximum(bounds[2:] - half, low)
    return np.concatenate([np.clip(around, low, high), low + share * (high - low)], 1)


@dataclass(frozen=True)
class _Scene:
    """What labels must keep clear of, whatever the other labels do."""

    dots: FloatArray
    sizes: FloatArray
    radius: float
    gap: float
    blocks: _Spans
    lines: _Spans

    def costs(self, label: int, middles: FloatArray, kept: int) -> tuple[FloatArray, _Spans, _Spans]:
        """What a label's cheapest places cost were there no other label, their boxes, and the leaders they need."""
        dot, rim, unit = self.dots[label], self.radius + self.gap, max(self.radius, 1.0)
        boxes = _Spans(*middles.T, *np.broadcast_to(self.sizes[label] / 2, middles.shape).T)
        distance = _distances(boxes, self.dots)
        hits = (distance < rim - 1e-6).sum(1) + _boxes_meet(boxes.at(EACH), self.blocks, self.gap).sum(1)
        first = np.argsort(HIDDEN * hits + distance[:, label], kind="stable")[: kept * 5 // 4]
        boxes, distance, hits = boxes.at(first), distance[first], hits[first]
        own = distance[:, label].copy()
        distance[:, label] = np.inf
        foreign = distance.min(1)
        x, y = dot
        near = np.column_stack(
            [
                np.clip(x, boxes.x - boxes.dx, boxes.x + boxes.dx),
                np.clip(y, boxes.y - boxes.dy, boxes.y + boxes.dy),
            ]
        )
        start = dot + (near - dot) * (self.radius / np.maximum(own, unit))[:, None]
        needed = (own > rim + self.gap) | (foreign < own - 1e-9)
        leaders = _Spans.between(np.where(needed[:, None], np.column_stack([start, near]), np.nan))
        others = np.delete(self.dots, label, 0).T
        discs = _Spans(*others, *np.full_like(others, self.radius))
        up = np.clip((boxes.y - y) / (boxes.dy + rim), -1, 1)
        cost = (
            HIDDEN * hits
            + (own - rim) / unit
            + LEADER * needed
            + DOT_BESIDE * np.clip((own + rim - foreign) / rim, 0, 1)
            + COVERS_SEGMENT * _segments_meet_boxes(self.lines, boxes.at(EACH)).sum(1)
            + LEADER_ON_DOT * _segments_meet_boxes(leaders.at(EACH), discs, self.gap / 2).sum(1)
            + LEADER_ON_TEXT * _segments_meet_boxes(leaders.at(EACH), self.blocks).sum(1)
            # readers expect a label on the right, level with the dot or above it
            - np.clip((boxes.x - x) / (boxes.dx + rim), -1, 1)
            + (abs(up) - up / 2) / 8
        )
        best = np.argsort(cost, kind="stable")[:kept]
        return cost[best], boxes.at(best), leaders.at(best)


class _Layout:
    """Every label's places, flat (`each` per label, the cheapest first), and what each costs alone."""

    def __init__(self, scene: _Scene, bounds: FloatArray, grid: int) -> None:
        middles = _places(scene.dots, scene.sizes, scene.radius + scene.gap, bounds, grid)
        self.scene, self.each = scene, middles.shape[1] if grid else min(middles.shape[1], KEPT)
        alone, boxes, leaders = zip(*(scene.costs(i, m, self.each) for i, m in enumerate(middles)), strict=True)
        self.alone: FloatArray = np.concatenate(alone)
        self.boxes, self.leaders = _Spans.joined(boxes), _Spans.joined(leaders)
        # half the precision is twice the speed, and the gap hides the rounding
        self._rough = self.boxes.rough(), self.leaders.rough()
        self._columns: dict[np.intp, NDArray[np.float32]] = {}

    def _own(self, label: int | np.intp) -> slice:
        return slice(label * self.each, (label + 1) * self.each)

    def _column(self, place: np.intp) -> NDArray[np.float32]:
        """What one place, once taken, adds to the cost of every place of the other labels."""
        if place not in self._columns:
            if len(self._columns) * len(self.alone) > CACHED:
                self._columns.clear()
            (boxes, leaders), gap = self._rough, self.scene.gap
            box, leader = boxes.at(place), leaders.at(place)
            column: NDArray[np.float32] = HIDDEN * _boxes_meet(boxes, box, gap)
            column += LEADER_ON_TEXT * _segments_meet_boxes(leaders, box, gap)
            column += LEADER_ON_TEXT * _segments_meet_boxes(leader, boxes, gap)
            column += LEADERS_CROSS * _segments_cross(leaders, leader)
            column[self._own(place // self.each)] = 0
            self._columns[place] = column
        return self._columns[place]

    def _settle(self, total: FloatArray, picks: Indices) -> float:
        """Move whichever label gains most until none gains; the layout's cost, each clash counted once."""
        start = np.arange(len(picks)) * self.each
        while True:
            best = start + total.reshape(len(picks), -1).argmin(1)
            gains = total[picks] - total[best]
            label = int(gains.argmax())
            if gains[label] < 1e-6:
                return float(self.alone[picks].sum() + total[picks].sum()) / 2
            total += self._column(best[label]) - self._column(picks[label])
            picks[label] = best[label]

    def _insert(self, total: FloatArray, picks: Indices, labels: Indices, first: int | None = None) -> None:
        """Give places to labels that have none, the one with the least choice first."""
        left = list(labels)
        while left:
            if first is None:
                rank = min(CHOICE, self.each) - 1
                choice = np.partition(total.reshape(len(picks), -1)[left], rank, axis=1)[:, rank]
                label = left[int(choice.argmax())]
            else:
                label, first = first, None
            left.remove(label)
            picks[label] = label * self.each + total[self._own(label)].argmin()
            total += self._column(picks[label])

    def solve(self) -> tuple[Indices, bool]:
        """The place picked for each label, and whether every label can be read."""
        labels = len(self.scene.dots)
        picks, total = np.zeros(labels, np.intp), self.alone.copy()
        self._insert(total, picks, np.arange(labels))
        cost = self._settle(total, picks)
        apart = np.hypot(*(self.scene.dots[:, None] - self.scene.dots).T)
        trials = EFFORT // len(total)
        for lifted in LIFTED:
            excess = total[picks] - self.alone[:: self.each]
            for label in np.argsort(-excess, kind="stable"):
                if not trials or total[picks[label]] - self.alone[picks[label]] < 1:
                    continue
                trials -= 1
                clashing = self._column(picks[label])[picks] > 0
                near = np.argsort(np.where(clashing, -1.0, apart[label]), kind="stable")
                most = min(max(lifted, np.count_nonzero(clashing)), 2 * lifted)
                out = np.union1d([label], near[:most])
                for first in (label, None):
                    trial, trial_picks = total.copy(), picks.copy()
                    for i in out:
                        trial -= self._column(picks[i])
                    self._insert(trial, trial_picks, out, first)
                    trial_cost = self._settle(trial, trial_picks)
                    if trial_cost < cost - 1e-6:
                        total, picks, cost = trial, trial_picks, trial_cost
                        break
        return picks, bool(total[picks].max() < HIDDEN / 2)


def place_labels(
    dots: ArrayLike,
    sizes: ArrayLike,
    *,
    radius: float,
    bounds: ArrayLike,
    obstacles: ArrayLike = (),
    segments: ArrayLike | None = None,
) -> Placement:
    """A place for every label, near its dot, with a leader where it does not sit right beside it.

    No label lies on another, on any dot (its own included) or on an obstacle, and all lie within bounds, as long as
    places for that are found. Where there are none, the label that is in the way least is kept rather than none; one
    larger than the bounds starts at their left or lower edge. `overlaps` tells. The same input gives the same output.

    Parameters
    ----------
    dots : float array, shape (labels, 2)
        Centres; several may coincide.
    sizes : float array, shape (labels, 2)
        Width and height of each label.
    radius : float
        Of a dot.
    bounds : float array, shape (4,)
        Left, bottom, right, top.
    obstacles : float array, shape (obstacles, 4)
        Boxes that no label may cover, such as a legend.
    segments : float array, shape (segments, 4), optional
        Lines x0, y0, x1, y1 that labels better not cover, such as error bars and thresholds; NaN rows are none.

    Returns
    -------
    Placement
        A label keeps half a radius (at least 1) from dots, obstacles and other labels.

    Raises
    ------
    ValueError
        If a number is not finite, or there are not as many sizes as dots.
    """
    points, extents = (np.asarray(a, float).reshape(-1, 2) for a in (dots, sizes))
    frame = np.asarray(bounds, float).reshape(4)
    blocks, lines = (np.asarray(() if a is None else a, float).reshape(-1, 4) for a in (obstacles, segments))
    if len(points) != len(extents):
        raise ValueError(f"{len(points)} dots but {len(extents)} sizes")
    given = {"dots": points, "sizes": extents, "radius": np.array(radius), "bounds": frame}
    if faults := [name for name, values in given.items() if not np.isfinite(values).all()]:
        raise ValueError(f"not all numbers are finite: {', '.join(faults)}")
    if not len(points):
        return Placement(np.empty((0, 4)), np.empty((0, 4)))
    scene = _Scene(points, extents, radius, max(radius / 2, 1.0), _Spans.between(blocks), _Spans.between(lines))
    for grid in (0, GRID):
        layout = _Layout(scene, frame, grid)
        picks, readable = layout.solve()
        if readable:
            break
    return Placement(layout.boxes.at(picks).ends(), layout.leaders.at(picks).ends())


def overlaps(placement: Placement, dots: ArrayLike, radius: float) -> tuple[int, int, int]:
    """Count what is hard to read: label on label, label on dot, label nearer to a foreign dot and without a leader.

    Parameters
    ----------
    placement : Placement
    dots : float array, shape (labels, 2)
        Centres, in the order of the labels.
    radius : float
        Of a dot.

    Returns
    -------
    tuple of int
        Pairs of labels that share area; pairs of a label and a dot that do; labels nearer to the centre of a foreign
        dot than to that of their own which have no leader.
    """
    points = np.asarray(dots, float).reshape(-1, 2)
    boxes = _Spans.between(placement.boxes)
    on_labels = np.triu(_boxes_meet(boxes.at(EACH), boxes), 1).sum()
    distance = _distances(boxes, points)
    astray = (distance < distance.diagonal()[:, None] - 1e-6).any(1) & np.isnan(placement.leaders[:, 0])
    return int(on_labels), int((distance < radius - 1e-6).sum()), int(astray.sum())
