"""Tips equal closed forms and scans in plain Python: up to a tip nothing changes, beyond it the side does."""

from __future__ import annotations

import math
import statistics
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from materiality.study import ThresholdRule, Top
from materiality.tiers import threshold
from materiality.tipping import above, left_out, threshold_tips, weight_tips, without_group

NAN = math.nan
ROUNDING = 1e-9
NEAR = 1e-6
STEP = 1 / 211
MIDPOINT = 3.0
ORDINAL = [ThresholdRule.MEDIAN, Top(1), Top(2)]
RULES = [3.2, *ThresholdRule, Top(2)]


def frozen(values):
    found = np.array(values, float)
    found.flags.writeable = False
    return found


def study(seed, *, groups=3, issues=5, missing=0.0, whole=False):
    """Simulated means and weights; `whole` means are whole numbers and tie often."""
    generator = np.random.default_rng(seed)
    shape = (groups, issues)
    means = generator.integers(1, 6, shape).astype(float) if whole else generator.uniform(1, 5, shape)
    means[generator.random(shape) < missing] = NAN
    return frozen(means), frozen(generator.integers(1, 6, groups) if whole else generator.uniform(0.2, 1, groups))


def tips(means, weights, rule, **options):
    return weight_tips(frozen(means), frozen(weights), rule, midpoint=MIDPOINT, **options)


def plain_scores(means, weights, g, share):
    """Scores at a share of group g, in plain Python; None where nobody rated."""
    others = math.fsum(w for h, w in enumerate(weights) if h != g)
    moved = [share if h == g else (1 - share) * w / others for h, w in enumerate(weights)]
    found = []
    for ratings in zip(*means, strict=True):
        pairs = [(w, m) for w, m in zip(moved, ratings, strict=True) if w > 0 and not math.isnan(m)]
        found.append(sum(w * m for w, m in pairs) / sum(w for w, _ in pairs) if pairs else None)
    return found


def plain_threshold(rule, scores):
    ordered = sorted(scores)
    match rule:
        case ThresholdRule.MEAN:
            return statistics.fmean(ordered)
        case ThresholdRule.MEDIAN:
            return statistics.median(ordered)
        case ThresholdRule.MIDPOINT:
            return MIDPOINT
        case ThresholdRule.LARGEST_GAP:
            best = (-1.0, ordered[0])
            for low, high in pairwise(ordered):
                if high - low > best[0] + ROUNDING:
                    best = (high - low, (low + high) / 2)
            return best[1]
        case Top(count):
            return (ordered[-count] + ordered[-count - 1]) / 2 if count < len(ordered) else ordered[0] - 2 * ROUNDING
    return rule


def plain_sides(means, weights, g, share, rule):
    """True above, False not, None without score."""
    scores = plain_scores(means, weights, g, share)
    known = [score for score in scores if score is not None]
    at = plain_threshold(rule, known) if known else NAN
    return [None if score is None else score > at + ROUNDING for score in scores]


def differs(side, now):
    return side is not None and now is not None and side != now


def check_by_scan(means, weights, rule, points, *, blind=0.0, groups=None):
    """Beyond each tip the side differs, before it does not, and no scanned share nearer to the present one differs.

    `blind` is the width of windows that may be missed; one narrower than NEAR always may.
    """
    tip = tips(means, weights, rule).tip
    means, weights = np.asarray(means).tolist(), np.asarray(weights).tolist()
    for g in range(len(weights)) if groups is None else groups:
        now_at = weights[g] / math.fsum(weights)

        def sides(share, g=g):
            return plain_sides(means, weights, g, share, rule)

        now = sides(now_at)
        scan = [k / (points - 1) for k in range(points)]
        scanned = [sides(share) for share in scan]
        for j, found in enumerate(tip[g].tolist()):
            if not math.isnan(found):
                beyond = math.copysign(NEAR, found - now_at)
                assert differs(sides(min(max(found + beyond, 0.0), 1.0))[j], now[j])
                if abs(found - now_at) > NEAR:
                    assert not differs(sides(found - beyond)[j], now[j])
            nearer = math.inf if math.isnan(found) else abs(found - now_at) - NEAR
            pairs = zip(scan, scanned, strict=True)
            changed = [differs(row[j], now[j]) and abs(share - now_at) < nearer for share, row in pairs]
            for is_changed, run in groupby(range(points), changed.__getitem__):
                if is_changed:
                    window = [scan[k] for k in run]
                    edges = [s for s in (window[0] - NEAR / 2, window[-1] + NEAR / 2) if 0 <= s <= 1]
                    point = len(window) == 1 and not any(differs(sides(s)[j], now[j]) for s in edges)
                    assert point or window[-1] - window[0] < blind


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_tip_of_a_fixed_threshold_solves_a_linear_equation(seed, missing):
    means, weights = study(seed, missing=missing)
    found = tips(means, weights, 3.2)
    present = weights / weights.sum()
    np.testing.assert_allclose(found.present, present)
    rated = np.isfinite(means)
    for (g, j), tip in np.ndenumerate(found.tip):
        others = [h for h in range(3) if h != g]
        share = present[others] / present[others].sum()
        rest, rest_rated = share @ np.where(rated, means, 0)[others, j], share @ rated[others, j]
        # s (m − c) + (1 − s) (A − c B) = 0
        own, others_excess = means[g, j] - 3.2, rest - 3.2 * rest_rated
        if rated[g, j] and rest_rated > 0 and own * others_excess < 0:
            assert tip == pytest.approx(others_excess / (others_excess - own), abs=NEAR)
        else:
            assert math.isnan(tip)


@pytest.mark.parametrize("seed", range(20))
def test_the_tip_of_the_mean_solves_a_linear_equation_where_all_rated(seed):
    means, weights = study(seed, groups=4, issues=6)
    found = tips(means, weights, ThresholdRule.MEAN).tip
    for g, row in enumerate(found):
        others = np.delete(weights, g) / np.delete(weights, g).sum()
        own, rest = means[g] - means[g].mean(), others @ np.delete(means, g, axis=0)
        rest = rest - rest.mean()
        expected = np.where(own * rest < 0, rest / (rest - own), NAN)
        np.testing.assert_allclose(row, expected, atol=NEAR)


@pytest.mark.parametrize("rule", ORDINAL)
@given(seed=st.integers(0, 10**6), missing=st.sampled_from([0.0, 0.2]), whole=st.booleans())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_scan_finds_no_nearer_tip_by_the_order_of_the_issues(rule, seed, missing, whole):
    check_by_scan(*study(seed, missing=missing, whole=whole), rule, 301)


@pytest.mark.parametrize(
    ("rule", "missing"),
    [(ThresholdRule.LARGEST_GAP, 0.0), (ThresholdRule.LARGEST_GAP, 0.2), (ThresholdRule.MEAN, 0.2), (3.2, 0.2)],
)
@given(seed=st.integers(0, 10**6), whole=st.booleans())
@example(seed=0, whole=True)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_scan_finds_no_nearer_tip_by_the_gap_nor_with_missing_ratings_wider_than_a_step(rule, missing, seed, whole):
    check_by_scan(*study(seed, missing=missing, whole=whole), rule, 301, blind=STEP if missing and rule != 3.2 else 0.0)


@pytest.mark.parametrize("rule", [ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP, Top(2)])
def test_a_dense_scan_finds_the_same_tips(rule):
    means, weights = study(7, issues=4)
    check_by_scan(means, weights, rule, 20_001, groups=[1])


@pytest.mark.parametrize("rule", [3.0, ThresholdRule.MEAN, ThresholdRule.LARGEST_GAP, *ORDINAL])
def test_between_now_and_the_tip_an_issue_stays_on_its_side(rule):
    means, weights = study(11, groups=5, issues=12)
    found = tips(means, weights, rule)
    generator = np.random.default_rng(1)
    assert np.isfinite(found.tip).any()
    for (g, j), tip in np.ndenumerate(found.tip):
        start = found.present[g]
        now = plain_sides(means.tolist(), weights.tolist(), g, start, rule)[j]
        ends = (0.0, 1.0) if math.isnan(tip) else sorted((tip, 2 * start - tip))
        for share in generator.uniform(max(ends[0], 0), min(ends[1], 1), 10):
            assert plain_sides(means.tolist(), weights.tolist(), g, share, rule)[j] == now


@pytest.mark.parametrize("rule", [Top(1), ThresholdRule.MEDIAN])
def test_a_change_and_its_undoing_within_a_narrow_window_are_found(rule):
    """The second issue falls below the first at 0.5001, and the third rises above it at 0.5003."""
    found = tips([[3.0, 2.5001, 3.4997], [3.0, 3.5001, 2.4997]], [0.2, 0.8], rule).tip
    np.testing.assert_allclose(found[0], [0.5001, 0.5001, 0.5003], atol=1e-8)
    np.testing.assert_allclose(found[1], 1 - found[0], atol=1e-8)


def test_a_narrow_window_of_the_largest_gap_is_found():
    """The gap above the second issue is the largest until 0.501, that above the third from 0.5015 on."""
    found = tips([[0.0, 1.0, 1.501, 2.9995], [0.0, 1.0, 2.501, 2.9995]], [0.2, 0.8], ThresholdRule.LARGEST_GAP).tip
    np.testing.assert_allclose(found[0], [NAN, 0.501, 0.5015, NAN], atol=1e-8)
    np.testing.assert_allclose(found[1], 1 - found[0], atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_scale_of_the_weights_changes_nothing(rule, missing):
    means, weights = study(3, missing=missing)
    one, other = tips(means, weights, rule), tips(means, weights * 37, rule)
    np.testing.assert_allclose(one.tip, other.tip, atol=1e-9)
    np.testing.assert_allclose(one.present, other.present)
    np.testing.assert_allclose(left_out(means, weights), left_out(means, weights * 37))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_another_order_of_groups_and_issues_only_reorders(rule, missing):
    means, weights = study(5, groups=4, issues=8, missing=missing)
    generator = np.random.default_rng(2)
    groups, issues = generator.permutation(4), generator.permutation(8)
    one, other = tips(means, weights, rule), tips(means[groups][:, issues], weights[groups], rule)
    np.testing.assert_allclose(one.tip[groups][:, issues], other.tip, atol=1e-9)
    np.testing.assert_allclose(one.smallest().tip[issues], other.smallest().tip, atol=1e-9)
    np.testing.assert_array_equal(one.smallest().group[issues], np.append(groups, -1)[other.smallest().group])


def test_the_smallest_move_is_the_least_of_the_groups():
    means, weights = study(13, groups=4, issues=10)
    found = tips(means, weights, 3.2)
    least = found.smallest()
    for j in range(10):
        moves = [(abs(found.tip[g, j] - found.present[g]), g) for g in range(4) if np.isfinite(found.tip[g, j])]
        if moves:
            _, g = min(moves)
            assert [least.group[j], least.present[j], least.tip[j]] == [g, found.present[g], found.tip[g, j]]
        else:
            assert least.group[j] == -1
            assert np.isnan([least.present[j], least.tip[j]]).all()
    assert {-1} < set(least.group.tolist())


def test_of_equal_moves_the_first_group_and_the_higher_share_count():
    least = tips([[4.0], [2.0]], [1, 1], 3.5).smallest()
    assert (least.group.tolist(), least.present.tolist()) == ([0], [0.5])
    assert least.tip[0] == pytest.approx(0.75)
    # the first is the highest between 1/4, below which the third is, and 3/4, above which the second is
    np.testing.assert_allclose(tips([[3.0, 4.0, 0.0], [3.0, 0.0, 4.0]], [1, 1], Top(1)).tip[:, 0], 0.75, atol=1e-8)


def test_of_two_moves_that_differ_by_little_the_smaller_counts():
    """The first issue is the highest between two shares: the third is below the lower, the second above the higher."""
    generator = np.random.default_rng(43)
    for start, up in zip(generator.uniform(0.3, 0.7, 40), generator.uniform(0.05, 0.25, 40), strict=True):
        down = up * generator.choice([0.999, 1.001])
        low, high = start - down, start + up
        means = [[3, 4 - high, 2 + low], [3, 3 - high, 3 + low]]
        found = tips(means, [start, 1 - start], Top(1)).tip[0, 0]
        assert found == pytest.approx(high if up < down else low, abs=1e-8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("means", "weights"),
    [
        pytest.param([[2.0, 4.0, 3.5]], [1], id="one group"),
        pytest.param([[2.0, 4.0, 3.5], [5.0, 1.0, 3.0]], [1, 0], id="one group with weight"),
        pytest.param([[2.0, 4.0, 3.5], [NAN] * 3], [1, 1], id="one group that rated"),
        pytest.param([[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]], [1, 2], id="all issues equal and all groups agree"),
        pytest.param([[1.0, 4.0, 3.0], [1.0, 4.0, 3.0]], [1, 2], id="the groups agree"),
        pytest.param([[NAN] * 3, [NAN] * 3], [1, 2], id="no ratings"),
        pytest.param([[2.0, 4.0, 3.5], [5.0, 1.0, 3.0]], [0, 0], id="no weight"),
        pytest.param([[], []], [1, 2], id="no issue"),
        pytest.param(np.empty((0, 3)), [], id="no group"),
    ],
)
def test_where_nothing_can_move_nothing_tips(rule, means, weights):
    found = tips(means, weights, rule)
    assert np.isnan(found.tip).all()
    assert found.tip.shape == np.shape(means)
    assert (found.smallest().group == -1).all()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in (3.2, ThresholdRule.MIDPOINT)])
def test_issues_that_move_together_never_tip_by_a_threshold_that_moves_with_them(rule):
    assert np.isnan(tips([[4.0, 4.0, 4.0], [2.0, 2.0, 2.0], [1.1, 1.1, 1.1]], [1, 2, 3], rule).tip).all()


@pytest.mark.parametrize("own", [[1.0, 2.0, 3.0, 4.0], [1.1, 2.2, 3.3, 4.4], [0.1, 0.4, 0.7, 1.0]])
def test_gaps_that_stay_equal_but_for_rounding_never_tip_an_issue(own):
    assert np.isnan(
        tips([own, [x / 3 for x in own], [x + 1 for x in own]], [1, 1, 1], ThresholdRule.LARGEST_GAP).tip
    ).all()


def test_an_issue_without_score_never_tips_and_moves_no_threshold():
    means, weights = study(17)
    with_unscored = np.insert(means, 2, NAN, axis=1)
    for rule in RULES:
        found = tips(with_unscored, weights, rule).tip
        assert np.isnan(found[:, 2]).all()
        np.testing.assert_array_equal(np.delete(found, 2, axis=1), tips(means, weights, rule).tip)


@pytest.mark.parametrize("rule", RULES)
def test_a_group_without_weight_is_not_on_the_axis(rule):
    means, weights = study(19)
    found = tips(np.insert(means, 1, [5.0, 1.0, NAN, 4.0, 2.0], axis=0), np.insert(weights, 1, 0.0), rule)
    assert np.isnan(found.tip[1]).all()
    assert found.present[1] == 0
    np.testing.assert_allclose(np.delete(found.tip, 1, axis=0), tips(means, weights, rule).tip, atol=1e-9)


def test_only_candidates_move():
    means, weights = study(23)
    for rule in RULES:
        found = tips(means, weights, rule, candidates=[True, False, True])
        assert np.isnan(found.tip[1]).all()
        np.testing.assert_array_equal(found.tip[[0, 2]], tips(means, weights, rule).tip[[0, 2]])


def test_an_end_at_which_an_issue_meets_its_threshold_is_its_tip():
    found = tips([[3.0, 4.0], [4.0, 3.0]], [1, 1], 3.0).tip
    np.testing.assert_allclose(found, [[1, 0], [0, 1]], atol=1e-8)


def test_where_an_issue_loses_its_score_the_others_tip_at_that_end_by_its_absence():
    """The first group alone rated the third issue; without it the mean falls from 3.67 to 2.5."""
    means = [[2.0, 3.0, 6.0], [2.0, 3.0, NAN]]
    found = tips(means, [1, 1], ThresholdRule.MEAN).tip
    np.testing.assert_array_equal(found, [[NAN, 0.0, NAN], [NAN, 1.0, NAN]])


def test_an_issue_at_its_threshold_tips_at_once():
    found = tips([[4.0, 1.0], [2.0, 1.0]], [1, 1], 3.0).tip
    np.testing.assert_allclose(found[:, 0], 0.5, atol=1e-8)
    assert found[0, 0] > 0.5 > found[1, 0]


def test_the_one_share_at_which_three_scores_are_equal_is_no_tip():
    """At one half all three are 3; the first is the second highest before and after."""
    found = tips([[3.0, 4.0, 2.0], [3.0, 2.0, 4.0]], [1, 3], Top(2)).tip
    assert math.isnan(found[0, 0])
    np.testing.assert_allclose(found[0, 1:], 0.5, atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
def test_moving_the_threshold_past_its_tip_changes_the_side(rule):
    scores = np.array([4.2, 3.2, 3.0, NAN, 1.5, 3.9, 3.2])
    found = threshold_tips(frozen(scores), rule, midpoint=MIDPOINT)
    assert found.threshold == threshold(rule, scores[np.isfinite(scores)], MIDPOINT)
    np.testing.assert_array_equal(found.tip, scores)
    now = above([scores], rule, midpoint=MIDPOINT)[0]
    np.testing.assert_array_equal(found.change > 0, now == 1)
    for j in np.flatnonzero(np.isfinite(scores)):
        for past, same in ((found.change[j] + 1e-6, now[j] == 0), (found.change[j] - 1e-6, now[j] == 1)):
            assert (scores[j] > found.threshold + past + ROUNDING) == (now[j] == 1 if same else now[j] == 0)


def test_no_scores_have_no_threshold():
    found = threshold_tips([NAN, NAN], ThresholdRule.MEAN, midpoint=MIDPOINT)
    assert math.isnan(found.threshold)
    assert np.isnan([found.tip, found.change]).all()


@pytest.mark.parametrize("rule", RULES)
def test_sides_equal_plain_python_whatever_is_missing(rule):
    generator = np.random.default_rng(31)
    scores = generator.uniform(1, 5, (60, 6))
    scores[generator.random(scores.shape) < 0.4] = NAN
    scores[0] = NAN
    found = above(frozen(scores), rule, midpoint=MIDPOINT)
    for row, sides in zip(scores.tolist(), found, strict=True):
        known = [x for x in row if not math.isnan(x)]
        expected = [NAN if math.isnan(x) else float(x > plain_threshold(rule, known) + ROUNDING) for x in row]
        np.testing.assert_array_equal(sides, expected)


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_scores_without_a_group_equal_plain_python(missing):
    means, weights = study(37, groups=4, missing=missing)
    found = left_out(means, weights)
    for g in range(4):
        expected = [NAN if x is None else x for x in plain_scores(means.tolist(), weights.tolist(), g, 0.0)]
        np.testing.assert_allclose(found[g], expected, atol=1e-12)
        np.testing.assert_array_equal(without_group(means, weights, g), found[g])


def test_without_the_only_group_no_score_is_left():
    assert np.isnan(left_out([[3.0, 4.0]], [2.0])).all()
    np.testing.assert_array_equal(left_out([[3.0, 4.0], [1.0, 1.0]], [2.0, 0.0]), [[NAN, NAN], [3.0, 4.0]])


@pytest.mark.parametrize("rule", RULES)
def test_a_change_by_leaving_a_group_out_has_a_tip_on_the_way(rule):
    means, weights = study(41, groups=4, issues=12, missing=0.2)
    found = tips(means, weights, rule)
    now = above([left_out(np.vstack([means, means[:1]]), np.append(weights, 0))[-1]], rule, midpoint=MIDPOINT)
    changed = above(left_out(means, weights), rule, midpoint=MIDPOINT) != now
    changed &= np.isfinite(left_out(means, weights)) & np.isfinite(now)
    start = found.present[:, None]
    assert (np.abs(found.tip - start) <= start + 1e-12)[changed].all()


@pytest.mark.parametrize(
    ("means", "weights", "message"),
    [
        ([[3.0]], [-1.0], "a weight is negative or not finite"),
        ([[3.0]], [NAN], "a weight is negative or not finite"),
        ([[3.0]], [math.inf], "a weight is negative or not finite"),
        (
            [[3.0]],
            [1.0, 1.0],
            r"means need the shape \(groups, issues\) and weights \(groups,\), got \(1, 1\) and \(2,\)",
        ),
        ([3.0], [1.0], r"means need the shape \(groups, issues\) and weights \(groups,\), got \(1,\) and \(1,\)"),
    ],
)
def test_weights_that_fit_nothing_are_refused(means, weights, message):
    for call in (lambda: weight_tips(means, weights, 3.0, midpoint=3.0), lambda: left_out(means, weights)):
        with pytest.raises(ValueError, match=f"^{message}$"):
            call()
