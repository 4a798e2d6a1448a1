"""Utilities of items from choices among them: full and partial rankings, and best–worst choices.

A choice picks one item of several; its probability is the softmax of the utilities of those to be had. A ranking is a
sequence of choices of the next best. Items and respondents are numbers from 0; names are unknown here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
MAX_STEPS = 100
"""Newton steps after which a fit is given up as not converged; some six are usual."""
MAX_HALVINGS = 40
TOLERANCE = 1e-9
"""A Newton step no longer than this, against 1 + the largest utility, is the last one; its square is what is left."""
ROUNDING = 1e-12
"""A log-likelihood that falls by less, against itself and the number of choices, has not fallen."""
FAULTS_SHOWN = 10


class SeparationError(ValueError):
    """The choices have no finite maximum of the likelihood.

    Attributes
    ----------
    winners : tuple of tuples of int
        Sets of items that won every comparison with an item outside the set.
    losers : tuple of tuples of int
        Sets of items that lost every such comparison.
    apart : tuple of tuples of int
        Sets of items that were never compared with an item outside the set.
    """

    def __init__(
        self,
        winners: Sequence[tuple[int, ...]],
        losers: Sequence[tuple[int, ...]],
        apart: Sequence[tuple[int, ...]],
    ) -> None:
        self.winners, self.losers, self.apart = tuple(winners), tuple(losers), tuple(apart)
        listed = {
            "won every comparison with the rest": self.winners,
            "lost every comparison with the rest": self.losers,
            "never compared with the rest": self.apart,
        }
        found = "; ".join(f"{what}: {' and '.join(map(_named, parts))}" for what, parts in listed.items() if parts)
        super().__init__(f"no finite utilities fit these choices best; {found}. Mend: leave those items out")


@dataclass(frozen=True)
class Choice:
    """Utilities fitted to choices.

    Attributes
    ----------
    utilities : float array, shape (items,)
        In log odds: how much likelier an item is chosen than the reference, which is 0.
    covariance : float array, shape (items, items)
        Of the utilities if the model holds and choices are independent: the inverse of the information. Weights
        count as numbers of choices, so it hangs on their scale. The reference has 0.
    robust_covariance : float array, shape (items, items)
        The sandwich with a respondent's choices taken together. It does not hang on the weights' scale, and is
        right for weighted samples. NaN, save for the reference, where fewer than two respondents chose.
    log_likelihood : float
        At the maximum; the weighted sum of the logarithms of the choices' probabilities.
    converged : bool
        Whether the maximum was found.
    """

    utilities: FloatArray
    covariance: FloatArray
    robust_covariance: FloatArray
    log_likelihood: float
    converged: bool


@dataclass(frozen=True)
class _Stage:
    """One choice of each of several respondents or tasks.

    Attributes
    ----------
    available : bool array, shape (choices, items)
    chosen : int array, shape (choices,)
    sign : float
        1 where the best was chosen, −1 where the worst.
    weight : float array, shape (choices,)
    respondent : int array, shape (choices,)
    """

    available: BoolArray
    chosen: IntArray
    sign: float
    weight: FloatArray
    respondent: IntArray


def plackett_luce(ranks: ArrayLike, weights: ArrayLike | None = None, *, reference: int = 0) -> Choice:
    """Utilities from full or partial rankings, by the Plackett–Luce model.

    The first rank is a choice among all items, the second among those that are left, and so on down to the last rank
    given. Fitted by Newton's method on the log-likelihood, which is concave.

    Parameters
    ----------
    ranks : float array, shape (respondents, items)
        Whole numbers, 1 the best; only their order counts. NaN where an item was not ranked: it lies below all ranked
        ones, in no order. A respondent who ranked nothing says nothing.
    weights : float array, shape (respondents,), optional
        Positive; 1 each if not given.
    reference : int
        The item whose utility is 0.

    Returns
    -------
    Choice
        The covariances are those of R's ``coxph`` with Breslow's ties, a stratum and cluster for each respondent:
        its ``naive.var`` and ``var``. With weights, R's log-likelihood is lower by Σ w log w, each respondent's term
        as often as they ranked an item.

    Raises
    ------
    ValueError
        If a rank is no whole number from 1, a respondent gives a rank twice, or shapes or weights do not fit.
    SeparationError
        If the likelihood has no finite maximum, because some items always won or lost, or were never compared.

    References
    ----------
    Plackett (1975), The analysis of permutations, Applied Statistics 24(2); Luce (1959), Individual choice behavior,
    Wiley; Hunter (2004), MM algorithms for generalized Bradley–Terry models, Annals of Statistics 32(1), and Ford
    (1957), Solution of a ranking problem from binary comparisons, American Mathematical Monthly 64(8), for when a
    maximum exists; Lin and Wei (1989), The robust inference for the Cox proportional hazards model, JASA 84(408).

    Examples
    --------
    Three of four rank the second item first: its log odds are log 3.

    >>> plackett_luce([[2, 1], [2, 1], [1, 2], [2, 1]]).utilities.round(4).tolist()
    [0.0, 1.0986]
    """
    ranks = np.asarray(ranks, float)
    if ranks.ndim != 2 or not ranks.shape[1]:
        raise ValueError(f"ranks have the shape (respondents, items), with an item at least; not {ranks.shape}")
    respondents, items = ranks.shape
    given = ~np.isnan(ranks)
    wrong = given & ~((ranks >= 1) & np.isfinite(ranks) & (ranks == np.round(ranks)))
    faults = [
        f"respondent {i}, item {j}: {ranks[i, j]:g} is no rank; ranks are whole numbers from 1"
        for i, j in np.argwhere(wrong)
    ]
    in_order = np.sort(ranks, axis=1)
    twice = in_order[:, 1:] == in_order[:, :-1]
    faults += [f"respondent {i} gives rank {in_order[i, j]:g} to two items" for i, j in np.argwhere(twice)]
    _refuse(faults)
    weight = _weights(weights, respondents)

    place = np.where(given, ranks, np.inf)
    order = np.argsort(place, axis=1, kind="stable")
    depth = given.sum(axis=1)
    stages = []
    # the last item standing is no choice
    for step in range(min(int(depth.max(initial=0)), items - 1)):
        who = np.flatnonzero(depth > step)
        chosen = order[who, step]
        available = place[who] >= place[who, chosen][:, None]
        stages.append(_Stage(available, chosen, 1.0, weight[who], who))
    return _fit(stages, items, respondents, reference)


def maxdiff(
    sets: ArrayLike,
    best: ArrayLike,
    worst: ArrayLike,
    items: int,
    respondent: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    reference: int = 0,
) -> Choice:
    """Utilities from best–worst choices (MaxDiff), by the sequential conditional logit.

    In each task the best is chosen among the items shown, then the worst among the rest, with the utilities' signs
    turned.

    Parameters
    ----------
    sets : int array, shape (tasks, size)
        The items shown in each task; −1 fills up the shorter ones. A task shows at least two.
    best, worst : int array, shape (tasks,)
        The two chosen, different items of the task's set. Leave out tasks without both answers.
    items : int
        How many items there are.
    respondent : array, shape (tasks,)
        Who answered: equal values are one respondent.
    weights : float array, shape (tasks,), optional
        The respondent's weight, positive; 1 each if not given.
    reference : int
        The item whose utility is 0.

    Returns
    -------
    Choice
        The covariances are those of R's ``clogit`` and, for the sandwich, of ``coxph`` clustered by respondent.

    Raises
    ------
    ValueError
        If an answer is not in its set, the best is also the worst, or numbers or shapes do not fit.
    SeparationError
        If the likelihood has no finite maximum, because some items always won or lost, or were never compared.

    References
    ----------
    Marley and Louviere (2005), Some probabilistic models of best, worst, and best–worst choices, J. Mathematical
    Psychology 49(6); Louviere, Flynn and Marley (2015), Best–worst scaling, Cambridge University Press.

    Examples
    --------
    >>> sets = [[0, 1, 2], [0, 1, 2], [0, 1, 2]]
    >>> found = maxdiff(sets, [0, 1, 2], [2, 0, 1], 3, [1, 2, 3])
    >>> found.utilities.round(6).tolist()
    [0.0, 0.0, 0.0]
    """
    shown, first, last = _tasks(sets, best, worst, items)
    who = np.asarray(respondent)
    if who.shape != first.shape:
        raise ValueError(f"{len(first)} tasks need a respondent each; shape {who.shape}")
    names, cluster = np.unique(who, return_inverse=True)
    weight = _weights(weights, len(first))
    rest = shown.copy()
    rest[np.arange(len(first)), first] = False
    stages = [_Stage(shown, first, 1.0, weight, cluster), _Stage(rest, last, -1.0, weight, cluster)]
    return _fit(stages, items, len(names), reference)


def best_worst_scores(
    sets: ArrayLike, best: ArrayLike, worst: ArrayLike, items: int, weights: ArrayLike | None = None
) -> FloatArray:
    """How often each item was best less how often worst, against how often it was shown.

    Parameters
    ----------
    sets, best, worst, items, weights
        As for `maxdiff`.

    Returns
    -------
    float array, shape (items,)
        From −1, always worst, to 1, always best; NaN for an item never shown.

    Raises
    ------
    ValueError
        As for `maxdiff`.

    References
    ----------
    Finn and Louviere (1992), Determining the appropriate response to evidence of public concern: the case of food
    safety, J. Public Policy and Marketing 11(2).

    Examples
    --------
    >>> best_worst_scores([[0, 1, 2], [0, 1, -1]], [0, 1], [2, 0], 3).tolist()
    [0.0, 0.5, -1.0]
    """
    shown, first, last = _tasks(sets, best, worst, items)
    weight = _weights(weights, len(first))
    times = weight @ shown
    wins = np.bincount(first, weight, items) - np.bincount(last, weight, items)
    return np.divide(wins, times, out=np.full(items, np.nan), where=times > 0)


def shares(utilities: ArrayLike, covariance: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Utilities as shares of first choices among all items, with their covariance by the delta method.

    They do not hang on which item is the reference.

    Parameters
    ----------
    utilities : float array, shape (items,)
        In log odds.
    covariance : float array, shape (items, items)
        Theirs: either of a `Choice`.

    Returns
    -------
    shares : float array, shape (items,)
        The softmax of the utilities, with sum 1.
    covariance : float array, shape (items, items)
        Its rows have sum 0.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Train (2009), Discrete choice methods with simulation, 2nd ed., Cambridge University Press, ch. 3.

    Examples
    --------
    >>> share, variance = shares([0.0, np.log(3.0)], [[0, 0], [0, 1 / 3 + 1]])
    >>> share.round(6).tolist(), float(variance[1, 1].round(6))
    ([0.25, 0.75], 0.046875)
    """
    utilities, covariance = np.asarray(utilities, float), np.asarray(covariance, float)
    if utilities.ndim != 1 or not utilities.size or covariance.shape != (utilities.size, utilities.size):
        raise ValueError(f"utilities of shape {utilities.shape} with a covariance of shape {covariance.shape}")
    odds = np.exp(utilities - utilities.max())
    share = odds / odds.sum()
    slope = np.diag(share) - np.outer(share, share)
    return share, slope @ covariance @ slope


def _named(part: tuple[int, ...]) -> str:
    return f"item{'s' if len(part) > 1 else ''} {', '.join(map(str, part))}"


def _refuse(faults: list[str]) -> None:
    if faults:
        more = len(faults) - FAULTS_SHOWN
        raise ValueError("; ".join(faults[:FAULTS_SHOWN]) + (f"; and {more} more" if more > 0 else ""))


def _weights(weights: ArrayLike | None, n: int) -> FloatArray:
    """Weights as floats, 1 each if there are none; else a ValueError."""
    if weights is None:
        return np.ones(n)
    found = np.asarray(weights, float)
    if found.shape != (n,):
        raise ValueError(f"{n} weights are needed; shape {found.shape}")
    _refuse(
        [
            f"weight {i} is {found[i]:g}; weights are positive"
            for i in np.flatnonzero(~((found > 0) & np.isfinite(found)))
        ]
    )
    return found


def _whole(name: str, values: ArrayLike, ndim: int) -> IntArray:
    found = np.asarray(values)
    if found.ndim != ndim or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be whole numbers with {ndim} axes; shape {found.shape}, kind {found.dtype}")
    return found.astype(np.intp)


def _tasks(sets: ArrayLike, best: ArrayLike, worst: ArrayLike, items: int) -> tuple[BoolArray, IntArray, IntArray]:
    """Which items each task shows, (tasks, items), the best and the worst; or a ValueError telling every fault."""
    if items < 1:
        raise ValueError(f"at least one item is needed, not {items}")
    sets, best, worst = _whole("sets", sets, 2), _whole("best", best, 1), _whole("worst", worst, 1)
    tasks = len(sets)
    if not len(best) == len(worst) == tasks:
        raise ValueError(f"{tasks} sets with {len(best)} best and {len(worst)} worst choices")
    outside = (sets < -1) | (sets >= items)
    faults = [f"task {i} shows {sets[i, j]}, which is no item of {items}" for i, j in np.argwhere(outside)]
    filled = (sets >= 0) & ~outside
    times = np.zeros((tasks, items), np.intp)
    row, column = np.nonzero(filled)
    np.add.at(times, (row, sets[row, column]), 1)
    faults += [f"task {i} shows item {j} more than once" for i, j in np.argwhere(times > 1)]
    faults += [f"task {i} shows fewer than two items" for i in np.flatnonzero((sets != -1).sum(axis=1) < 2)]
    for name, chosen in (("best", best), ("worst", worst)):
        inside = (sets == chosen[:, None]).any(axis=1) & (chosen >= 0)
        faults += [f"task {i} does not show its {name}, {chosen[i]}" for i in np.flatnonzero(~inside)]
    faults += [f"task {i} has item {best[i]} as best and worst" for i in np.flatnonzero(best == worst)]
    _refuse(faults)
    return times > 0, best, worst


def _require_finite_maximum(stages: list[_Stage], items: int) -> None:
    """Every item must have won against every other, through a chain of others at least (Ford 1957, Hunter 2004)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    won = np.zeros((items, items), bool)
    for stage in stages:
        for item in range(items):
            over = stage.available[stage.chosen == item].any(axis=0)
            if stage.sign > 0:
                won[item] |= over
            else:
                won[:, item] |= over
    np.fill_diagonal(won, False)
    count, label = connected_components(csr_array(won), directed=True, connection="strong")
    if count == 1:
        return
    winner, loser = np.nonzero(won)
    across = label[winner] != label[loser]
    wins = np.isin(np.arange(count), label[winner[across]])
    losses = np.isin(np.arange(count), label[loser[across]])
    parts = [tuple(np.flatnonzero(label == part).tolist()) for part in range(count)]

    def those(which: BoolArray) -> list[tuple[int, ...]]:
        return sorted(part for part, is_one in zip(parts, which, strict=True) if is_one)

    raise SeparationError(those(wins & ~losses), those(losses & ~wins), those(~wins & ~losses))


def _odds(utilities: FloatArray, stage: _Stage) -> tuple[FloatArray, float, FloatArray]:
    """The items' odds, the logarithm they are scaled by, and the sum of those available, (choices,)."""
    signed = stage.sign * utilities
    largest = float(signed.max())
    odds: FloatArray = np.exp(signed - largest)
    return odds, largest, stage.available.astype(float) @ odds


def _log_likelihood(utilities: FloatArray, stages: list[_Stage]) -> float:
    total = 0.0
    for stage in stages:
        _, largest, sums = _odds(utilities, stage)
        if not sums.all():
            return -np.inf
        total += float(stage.weight @ (stage.sign * utilities[stage.chosen] - largest - np.log(sums)))
    return total


def _derivatives(utilities: FloatArray, stages: list[_Stage]) -> tuple[FloatArray, FloatArray]:
    """The gradient, (items,), of the log-likelihood, and the information, (items, items).

    Both are summed over pairs of different items, never as 1 less a probability near 1, whose digits would be lost.
    """
    items = utilities.size
    gradient, information = np.zeros(items), np.zeros((items, items))
    for stage in stages:
        odds, _, sums = _odds(utilities, stage)
        available = stage.available.astype(float)
        lost = np.zeros((items, items))
        for item in range(items):
            own = stage.chosen == item
            lost[item] = (stage.weight[own] / sums[own]) @ available[own] * odds
        np.fill_diagonal(lost, 0)
        gradient += stage.sign * (lost.sum(axis=1) - lost.sum(axis=0))
        available *= (np.sqrt(stage.weight) / sums)[:, None]
        information -= odds[:, None] * (available.T @ available) * odds
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(axis=1))
    return gradient, information


def _scores(utilities: FloatArray, stages: list[_Stage], respondents: int) -> FloatArray:
    """The gradient that each respondent contributes, (respondents, items)."""
    scores = np.zeros((respondents, utilities.size))
    for stage in stages:
        odds, _, sums = _odds(utilities, stage)
        choices = np.arange(len(sums))
        residual = stage.available * (-stage.sign * stage.weight / sums)[:, None] * odds
        residual[choices, stage.chosen] = 0
        residual[choices, stage.chosen] = -residual.sum(axis=1)
        np.add.at(scores, stage.respondent, residual)
    return scores


def _fit(stages: list[_Stage], items: int, respondents: int, reference: int) -> Choice:
    """Maximum likelihood by Newton's method, a step halved until the log-likelihood does not fall."""
    if not 0 <= reference < items:
        raise ValueError(f"the reference {reference} is no item of {items}")
    _require_finite_maximum(stages, items)
    free = np.flatnonzero(np.arange(items) != reference)
    utilities = np.zeros(items)
    reached = _log_likelihood(utilities, stages)
    choices = sum(float(stage.weight.sum()) for stage in stages)
    converged = not free.size
    for _ in range(MAX_STEPS):
        if converged:
            break
        gradient, information = _derivatives(utilities, stages)
        step = np.zeros(items)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
        converged = bool(np.abs(step).max() <= TOLERANCE * (1 + np.abs(utilities).max()))
        for _ in range(MAX_HALVINGS):
            moved = _log_likelihood(utilities + step, stages)
            if moved >= reached - ROUNDING * (choices - reached):
                break
            step /= 2
        else:
            break
        utilities, reached = utilities + step, moved

    _, information = _derivatives(utilities, stages)
    covariance, robust = np.zeros((items, items)), np.zeros((items, items))
    inverse = np.linalg.inv(information[np.ix_(free, free)])
    influence = _scores(utilities, stages, respondents)[:, free] @ inverse
    covariance[np.ix_(free, free)] = (inverse + inverse.T) / 2
    chose = len(np.unique(np.concatenate([stage.respondent for stage in stages]))) if stages else 0
    robust[np.ix_(free, free)] = influence.T @ influence if chose > 1 else np.nan
    return Choice(utilities, covariance, robust, reached, converged)
