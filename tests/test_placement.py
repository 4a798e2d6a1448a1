"""Labels are readable by a brute-force geometry of our own, whatever the clump."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materiality.placement import FloatArray, Placement, overlaps, place_labels

RADIUS = 5.0
BOUNDS = (80.0, 60.0, 980.0, 760.0)
LEGEND = (90.0, 70.0, 240.0, 170.0)
CORNER_LEGEND = (800.0, 60.0, 980.0, 200.0)
# as wide and high as names of issues are in 8 pt at 100 dpi, wrapped at 22 characters
ESG_SIZES = [
    (133, 13), (125, 26), (104, 13), (101, 13), (105, 26), (116, 26), (60, 13), (114, 26), (102, 26), (123, 13),
    (112, 26), (109, 26), (121, 38), (120, 26), (105, 26), (122, 26), (116, 26), (88, 13), (128, 13), (98, 13),
    (76, 13), (113, 26), (131, 26), (68, 26), (80, 13), (81, 13), (144, 26), (135, 13), (97, 13), (95, 13),
    (130, 13), (117, 13), (123, 13), (78, 13), (115, 13), (116, 26), (84, 26), (131, 13), (105, 38), (120, 26),
]  # fmt: skip


def distance_to_box(box: FloatArray, x: float, y: float) -> float:
    left, bottom, right, top = box
    return math.hypot(max(left - x, 0.0, x - right), max(bottom - y, 0.0, y - top))


def share_area(a: FloatArray, b: FloatArray) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > 1e-6 and min(a[3], b[3]) - max(a[1], b[1]) > 1e-6


def counted(placement: Placement, dots: FloatArray) -> tuple[int, int, int]:
    boxes, leaders = placement.boxes, placement.leaders
    on_labels = sum(share_area(a, b) for a, b in combinations(boxes, 2))
    on_dots = sum(distance_to_box(box, x, y) < RADIUS - 1e-6 for box in boxes for x, y in dots)
    astray = 0
    for i, box in enumerate(boxes):
        own = distance_to_box(box, *dots[i])
        nearer = any(distance_to_box(box, x, y) < own - 1e-6 for x, y in dots)
        astray += nearer and math.isnan(leaders[i][0])
    return on_labels, on_dots, astray


def within(box: FloatArray, bounds: tuple[float, ...]) -> bool:
    left, bottom, right, top = bounds
    return bool(box[0] >= left - 1e-6 and box[1] >= bottom - 1e-6 and box[2] <= right + 1e-6 and box[3] <= top + 1e-6)


def clump(seed: int, labels: int = 40) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    left, bottom, right, top = BOUNDS
    share = 1 - random.beta(2, 8, (labels, 2))
    dots = np.array([left, bottom]) + share * [right - left, top - bottom]
    sizes = np.array(ESG_SIZES, float)[random.permutation(len(ESG_SIZES))[:labels]]
    return dots, sizes


def error_bars(dots: FloatArray) -> FloatArray:
    """As a matrix draws them, with its two thresholds."""
    x, y = dots.T
    bars = [(x - 12, y, x + 12, y), (x, y - 9, x, y + 9)]
    return np.vstack([*(np.column_stack(bar) for bar in bars), (80, 480, 980, 480), (620, 60, 620, 760)])


@pytest.mark.parametrize("seed", range(8))
def test_every_label_of_a_clump_can_be_read(seed):
    dots, sizes = clump(seed)
    placed = place_labels(
        dots, sizes, radius=RADIUS, bounds=BOUNDS, obstacles=[LEGEND, CORNER_LEGEND], segments=error_bars(dots)
    )
    assert counted(placed, dots) == (0, 0, 0)
    assert overlaps(placed, dots, RADIUS) == (0, 0, 0)
    assert all(within(box, BOUNDS) for box in placed.boxes)
    assert not any(share_area(box, np.array(legend)) for box in placed.boxes for legend in (LEGEND, CORNER_LEGEND))
    np.testing.assert_allclose(placed.boxes[:, 2:] - placed.boxes[:, :2], sizes)
    for box, leader, (x, y) in zip(placed.boxes, placed.leaders, dots, strict=True):
        gap = distance_to_box(box, x, y) - RADIUS
        if np.isnan(leader).all():
            assert gap <= RADIUS + 1e-6
        else:
            assert math.dist(leader[:2], (x, y)) == pytest.approx(RADIUS)
            assert distance_to_box(box, *leader[2:]) == pytest.approx(0, abs=1e-6)
            assert math.dist(leader[:2], leader[2:]) == pytest.approx(gap)


def test_bad_placements_are_counted_as_brute_force_counts_them():
    random = np.random.default_rng(5)
    dots, sizes = clump(5)
    corners = dots + random.uniform(-40, 40, dots.shape)
    leaders = np.where(random.random((40, 1)) < 0.5, np.nan, np.ones((40, 4)))
    placed = Placement(np.hstack([corners, corners + sizes]), leaders)
    assert overlaps(placed, dots, RADIUS) == counted(placed, dots)
    assert min(counted(placed, dots)) > 0


def test_a_lone_dot_has_its_label_on_its_right_and_no_leader():
    placed = place_labels([(400, 300)], [(100, 14)], radius=RADIUS, bounds=BOUNDS)
    left, bottom, _, top = placed.boxes[0]
    assert RADIUS < left - 400 < 2 * RADIUS
    assert (bottom + top) / 2 == pytest.approx(300)
    assert np.isnan(placed.leaders).all()


def test_a_lone_dot_with_error_bars_has_its_label_clear_of_them():
    dot = np.array([(400.0, 300.0)])
    placed = place_labels(dot, [(100, 14)], radius=RADIUS, bounds=BOUNDS, segments=error_bars(dot))
    left, bottom, _, _ = placed.boxes[0]
    assert left > 400
    assert bottom > 300
    assert np.isnan(placed.leaders).all()


def test_missing_error_bars_are_no_hindrance():
    given = {"radius": RADIUS, "bounds": BOUNDS}
    bare = place_labels([(400, 300)], [(100, 14)], **given)
    np.testing.assert_equal(place_labels([(400, 300)], [(100, 14)], segments=[[np.nan] * 4], **given).boxes, bare.boxes)


def test_no_dots_have_no_labels():
    placed = place_labels(np.empty((0, 2)), np.empty((0, 2)), radius=RADIUS, bounds=BOUNDS)
    assert placed.boxes.shape == placed.leaders.shape == (0, 4)
    assert overlaps(placed, np.empty((0, 2)), RADIUS) == (0, 0, 0)


@pytest.mark.parametrize("labels", [2, 5, 12])
@pytest.mark.parametrize("dot", [(400.0, 300.0), (980.0, 760.0), (80.0, 60.0)], ids=["middle", "top right", "low left"])
def test_labels_of_coincident_dots_can_be_read(labels, dot):
    dots = np.array([dot] * labels)
    placed = place_labels(dots, ESG_SIZES[:labels], radius=RADIUS, bounds=BOUNDS)
    assert counted(placed, dots) == overlaps(placed, dots, RADIUS) == (0, 0, 0)
    assert all(within(box, BOUNDS) for box in placed.boxes)


def test_forty_dots_within_a_finger_of_the_corner_have_readable_labels():
    random = np.random.default_rng(2)
    dots = np.array([980.0, 760.0]) - random.uniform(0, 40, (40, 2))
    placed = place_labels(dots, ESG_SIZES, radius=RADIUS, bounds=BOUNDS)
    assert counted(placed, dots) == (0, 0, 0)
    assert all(within(box, BOUNDS) for box in placed.boxes)


def test_the_same_input_gives_the_same_places():
    dots, sizes = clump(3)
    first, second = (place_labels(dots, sizes, radius=RADIUS, bounds=BOUNDS) for _ in range(2))
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.leaders, second.leaders)


def test_free_room_far_away_is_found():
    dots = np.array([(900.0, 700.0)])
    wall = (300.0, 60.0, 980.0, 760.0)
    placed = place_labels(dots, [(200, 30)], radius=RADIUS, bounds=BOUNDS, obstacles=[wall])
    assert not share_area(placed.boxes[0], np.array(wall))
    assert within(placed.boxes[0], BOUNDS)
    assert placed.leaders[0, 2] == pytest.approx(placed.boxes[0, 2])


def test_a_label_larger_than_the_bounds_starts_at_their_lower_left():
    placed = place_labels([(400, 300)], [(2000, 900)], radius=RADIUS, bounds=BOUNDS)
    np.testing.assert_allclose(placed.boxes, [[80, 60, 2080, 960]])
    assert overlaps(placed, [(400, 300)], RADIUS) == (0, 1, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"dots": [(1, np.nan)]}, "not all numbers are finite: dots", id="a dot is NaN"),
        pytest.param(
            {"sizes": [(np.inf, 1)], "radius": np.nan}, "not all numbers are finite: sizes, radius", id="all faults"
        ),
        pytest.param({"sizes": [(9, 9), (9, 9)]}, "1 dots but 2 sizes", id="one size too many"),
    ],
)
def test_what_is_no_picture_is_refused(change, message):
    given = {"dots": [(400, 300)], "sizes": [(100, 14)], "radius": RADIUS, "bounds": BOUNDS} | change
    with pytest.raises(ValueError, match=f"^{message}$"):
        place_labels(given.pop("dots"), given.pop("sizes"), **given)


labelled_dots = st.lists(
    st.tuples(st.floats(80, 980), st.floats(60, 760), st.floats(20, 170), st.floats(8, 40)), min_size=1, max_size=25
).filter(lambda rows: sum(width * height for *_, width, height in rows) < 0.15 * 900 * 700)


@settings(max_examples=40, deadline=None)
@given(labelled_dots)
def test_nothing_overlaps_where_labels_fill_less_than_a_seventh(rows):
    dots, sizes = np.array(rows)[:, :2], np.array(rows)[:, 2:]
    placed = place_labels(dots, sizes, radius=RADIUS, bounds=BOUNDS)
    assert counted(placed, dots) == overlaps(placed, dots, RADIUS) == (0, 0, 0)
    assert all(within(box, BOUNDS) for box in placed.boxes)
