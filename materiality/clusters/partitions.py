"""Partitions of a few dozen points, fitted to thousands of data sets at once.

Every function takes data sets along the leading axes and treats each by itself. All are deterministic. Points that
coincide always fall together; where there are fewer distinct points than clusters, some of the k labels go unused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BLOCK = 512
"""Data sets handled at a time, so that they stay in the processor's cache."""
SLACK = 1e-12
"""Gains below this share of the total sum of squares are rounding."""
RIDGE = 1e-4
"""Added to the mixture's covariance on each axis, as a share of the mean variance of the axes."""
TOLERANCE = 1e-5
"""The mixture's iterations end where the log-likelihood gains less than this per point."""
ITERATIONS = 300
"""At most so many of the mixture's iterations."""
FEW = 10
"""The mixture's iterations before starts are compared, where time counts."""


def kmeans(points: ArrayLike, k: int, *, starts: ArrayLike | None = None) -> IntArray:
    """The partition with least sum of squared distances to the clusters' centres.

    From each start Lloyd's iterations run until no point lies nearer to another centre. Then the single move that
    lowers the sum most is made, counting that it shifts both centres, and so on in turn until nothing lowers it; an
    empty cluster is filled by such a move. It starts from Ward's partition and from cuts into equal parts along the
    sum, the difference and each of the coordinates, into rings and into slices; then each cluster of the best is
    dissolved in turn, another is split, and the moves start again. With `starts` it starts from these, from Ward's
    partition and from the first two cuts alone, which is quicker. The best end counts. The global least is not
    guaranteed: of shapeless clouds of 25 points in 3 clusters it is missed about once in a hundred.

    Parameters
    ----------
    points : float array, shape (…, n, d)
        Finite; axes on one scale.
    k : int
        Clusters, from 1 to n.
    starts : int array, shape (n,) or (…, n), optional
        A further start for every data set, say the partition of the data that these are drawn around.

    Returns
    -------
    int array, shape (…, n)
        Labels from 0 to k - 1, in no particular order; see `ordered_labels`.

    Raises
    ------
    ValueError
        If k is below 1 or above n, a coordinate is not finite, or `starts` does not fit.

    References
    ----------
    Lloyd (1982), Least squares quantization in PCM, IEEE Trans. Information Theory 28(2).
    Hartigan and Wong (1979), Algorithm AS 136: a k-means clustering algorithm, Applied Statistics 28(1).

    Examples
    --------
    >>> kmeans([[1.0, 1.0], [1.1, 1.0], [5.0, 4.0]], 2).tolist()
    [0, 0, 1]
    """
    points = _checked(points, k)
    return _over_blocks(points, _checked_starts(starts, points, k), lambda x, first: _kmeans(x, first, k))


def ward(points: ArrayLike, k: int) -> IntArray:
    """Ward's agglomeration: merge, again and again, the two clusters that add least to the sum of squares.

    Of pairs that tie, the first is merged.

    Parameters
    ----------
    points : float array, shape (…, n, d)
        Finite; axes on one scale.
    k : int
        Clusters, from 1 to n.

    Returns
    -------
    int array, shape (…, n)
        Labels from 0 to k - 1, in the order of each cluster's first point.

    Raises
    ------
    ValueError
        If k is below 1 or above n, or a coordinate is not finite.

    References
    ----------
    Ward (1963), Hierarchical grouping to optimize an objective function, J. American Statistical Association 58(301).
    Lance and Williams (1967), A general theory of classificatory sorting strategies, Computer Journal 9(4).

    Examples
    --------
    >>> ward([[1.0, 1.0], [5.0, 4.0], [1.1, 1.0]], 2).tolist()
    [0, 1, 0]
    """
    return _over_blocks(_checked(points, k), None, lambda x, first: _ward(x, k))


def gaussian_mixture(points: ArrayLike, k: int, *, starts: ArrayLike | None = None) -> IntArray:
    """Labels by the likeliest component of a normal mixture whose components share one covariance matrix.

    Fitted by EM from the partitions of `kmeans` on the points and on the points made uncorrelated with equal
    variances, from that of `ward`, and from cuts into equal parts along the axes and the principal axes; the end of
    highest likelihood counts. With `starts` it starts from these and from the partition of `kmeans` alone, and after
    `FEW` iterations only the likelier goes on, which is quicker.
    A few dozen points do not bear a matrix for each component. The covariance is kept from vanishing by a ridge,
    `RIDGE` times the mean variance of the axes. The global maximum is not guaranteed.

    Parameters
    ----------
    points : float array, shape (…, n, d)
        Finite.
    k : int
        Components, from 1 to n.
    starts : int array, shape (n,) or (…, n), optional
        A further start for every data set.

    Returns
    -------
    int array, shape (…, n)
        Labels from 0 to k - 1, in no particular order. A component that is nowhere the likeliest goes unused.

    Raises
    ------
    ValueError
        If k is below 1 or above n, a coordinate is not finite, or `starts` does not fit.

    References
    ----------
    Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm, J. Royal
    Statistical Society B 39(1).
    McLachlan and Peel (2000), Finite Mixture Models, section 3.

    Examples
    --------
    >>> gaussian_mixture([[1.0, 1.0], [1.1, 1.2], [5.0, 4.0], [5.1, 4.1]], 2).tolist()
    [0, 0, 1, 1]
    """
    points = _checked(points, k)
    return _over_blocks(points, _checked_starts(starts, points, k), lambda x, first: _mixture(x, first, k)[0])


def mixture_log_likelihood(points: ArrayLike, k: int) -> FloatArray:
    """Log-likelihood of the mixture that `gaussian_mixture` fits.

    With p = k - 1 + k d + d (d + 1) / 2 parameters, BIC = p ln n - 2 log L.

    Parameters
    ----------
    points : float array, shape (…, n, d)
        Finite.
    k : int
        Components, from 1 to n.

    Returns
    -------
    float array, shape (…)
        Natural logarithm of the density; infinite where all points coincide.

    Raises
    ------
    ValueError
        If k is below 1 or above n, or a coordinate is not finite.
    """
    points = _checked(points, k)
    flat = points.reshape(-1, *points.shape[-2:])
    found = np.empty(len(flat))
    for block in _blocks(len(flat)):
        found[block] = _mixture(flat[block] - flat[block].mean(axis=1, keepdims=True), None, k)[1]
    return found.reshape(points.shape[:-2])


def natural_breaks(values: ArrayLike, k: int) -> IntArray:
    """Fisher's exact partition of numbers into k classes with least sum of squares within ("Jenks breaks").

    Equal values always fall together. Of breaks that tie, those that leave the lowest classes smallest are taken.

    Parameters
    ----------
    values : float array, shape (…, n)
        Finite.
    k : int
        Classes, from 1 to n.

    Returns
    -------
    int array, shape (…, n)
        Classes from 0, the lowest values, upwards; fewer than k where there are fewer distinct values.

    Raises
    ------
    ValueError
        If k is below 1 or above n, or a value is not finite.

    References
    ----------
    Fisher (1958), On grouping for maximum homogeneity, J. American Statistical Association 53(284).
    Jenks (1977), Optimal data classification for choropleth maps, University of Kansas.

    Examples
    --------
    >>> natural_breaks([1.0, 5.0, 1.2, 3.0, 3.1], 3).tolist()
    [0, 2, 0, 1, 1]
    """
    values = np.asarray(values, float)
    if not values.ndim:
        raise ValueError("values must have shape (…, n), not ()")
    return _over_blocks(_checked(values[..., None], k), None, lambda x, first: _breaks(x[..., 0], k))


def ordered_labels(points: ArrayLike, labels: ArrayLike, k: int) -> IntArray:
    """Labels renumbered from the top right: 0 is the cluster whose centre has the largest sum of coordinates.

    Ties go by the first coordinate, then by the old number; unused labels come last.

    Parameters
    ----------
    points : float array, shape (…, n, d) or (…, n)
        Points, or numbers on one axis.
    labels : int array, shape (…, n)
        From 0 to k - 1.
    k : int

    Returns
    -------
    int array, shape (…, n)

    Raises
    ------
    ValueError
        If labels and points do not fit, or a label lies outside 0 to k - 1.

    Examples
    --------
    >>> ordered_labels([[1.0, 1.0], [5.0, 4.0], [1.1, 1.0]], [0, 1, 0], 2).tolist()
    [1, 0, 1]
    """
    labels, points = np.asarray(labels, np.int64), np.asarray(points, float)
    if points.ndim == labels.ndim:
        points = points[..., None]
    if points.shape[:-1] != labels.shape:
        raise ValueError(f"labels of shape {labels.shape} do not fit points of shape {points.shape}")
    if labels.size and not (labels.min() >= 0 and labels.max() < k):
        raise ValueError(f"labels must lie from 0 to {k - 1}")
    member = (labels[..., None, :] == np.arange(k)[:, None]).astype(float)
    size = member.sum(axis=-1)
    centre = (member @ points) / np.maximum(size, 1)[..., None]
    order = np.lexsort((-centre[..., 0], -centre.sum(axis=-1), size == 0), axis=-1)
    return np.take_along_axis(order.argsort(axis=-1), labels, axis=-1)


def _checked(points: ArrayLike, k: int) -> FloatArray:
    points = np.asarray(points, float)
    if points.ndim < 2:
        raise ValueError(f"points must have shape (…, n, d), not {points.shape}")
    if not 1 <= k <= points.shape[-2]:
        raise ValueError(f"k must lie between 1 and the {points.shape[-2]} points, not at {k}")
    if not np.isfinite(points).all():
        raise ValueError("every coordinate must be finite; leave out the points without")
    return points


def _checked_starts(starts: ArrayLike | None, points: FloatArray, k: int) -> IntArray | None:
    if starts is None:
        return None
    labels = np.asarray(starts, np.int64)
    if labels.shape not in (points.shape[-2:-1], points.shape[:-1]):
        raise ValueError(f"starts must have shape {points.shape[-2:-1]} or {points.shape[:-1]}, not {labels.shape}")
    if labels.size and not (labels.min() >= 0 and labels.max() < k):
        raise ValueError(f"starts must be labels from 0 to {k - 1}")
    return np.broadcast_to(labels, points.shape[:-1])


def _over_blocks(
    points: FloatArray, starts: IntArray | None, fit: Callable[[FloatArray, IntArray | None], IntArray]
) -> IntArray:
    """Fit block by block, with each data set centred; points that coincide get the label of the first of them."""
    n = points.shape[-2]
    flat = points.reshape(-1, n, points.shape[-1])
    labels = np.empty(flat.shape[:2], np.int64)
    first = None if starts is None else starts.reshape(-1, n)
    for block in _blocks(len(flat)):
        x = flat[block] - flat[block].mean(axis=1, keepdims=True)
        labels[block] = _together(flat[block], fit(x, None if first is None else first[block]))
    return labels.reshape(points.shape[:-1])


def _blocks(length: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, length, BLOCK))


def _together(points: FloatArray, labels: IntArray) -> IntArray:
    ordered = np.sort(points[..., 0], axis=-1)
    shared = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=-1))
    if not shared.size:
        return labels
    some = points[shared]
    first = (some[:, :, None] == some[:, None]).all(axis=-1).argmax(axis=-1)
    labels = labels.copy()
    labels[shared] = np.take_along_axis(labels[shared], first, axis=-1)
    return labels


def _kmeans(points: FloatArray, first: IntArray | None, k: int) -> IntArray:
    # The data sets go last: whole rows of them are then handled at once.
    x = np.ascontiguousarray(points.transpose(2, 1, 0))
    sorts = [points.sum(axis=-1), points @ (-1.0) ** np.arange(points.shape[-1])]
    if first is None:
        angle = np.arctan2(points[..., -1], points[..., 0])
        slices = [(angle + turn) % (2 * np.pi) for turn in (0, np.pi / k)]
        sorts += [*np.moveaxis(points, -1, 0), np.linalg.norm(points, axis=-1), *slices]
    starts = [_cuts(values, k) for values in sorts]
    best, least = _descend(x, _ward(points, k).T, k)
    for start in starts if first is None else [first, *starts]:
        best, least = _better(x, start.T, best, least, k)
    if first is None and k > 1:
        for gone in range(k):
            best, least = _better(x, _resplit(x, best, gone, k), best, least, k)
    return best.T


def _better(x: FloatArray, start: IntArray, best: IntArray, least: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    labels, loss = _descend(x, start, k)
    lower = loss < least * (1 - SLACK)
    return np.where(lower, labels, best), np.where(lower, loss, least)


def _resplit(x: FloatArray, labels: IntArray, gone: int, k: int) -> IntArray:
    """One cluster dissolved into its neighbours, and the widest of the others split across its main axis."""
    distance = _distances(x, labels, k)[-1]
    distance[gone] = np.inf
    labels, _ = _smallest(distance)
    member, _, distance = _distances(x, labels, k)
    inside = labels == (member * distance).sum(axis=1).argmax(axis=0)
    out = np.where(inside, x - (x * inside).sum(axis=1, keepdims=True) / np.maximum(inside.sum(axis=0), 1), 0.0)
    main = np.linalg.eigh(np.einsum("dns,ens->sde", out, out))[1][..., -1]
    return np.where(np.einsum("dns,sd->ns", out, main) > 0, gone, labels)


def _cuts(values: FloatArray, k: int) -> IntArray:
    """Labels (data sets, n) that cut the sorted values into k parts of equal number."""
    labels = np.empty(values.shape, np.int64)
    n = values.shape[-1]
    np.put_along_axis(labels, values.argsort(axis=-1, kind="stable"), (np.arange(n) * k // n)[None], axis=-1)
    return labels


def _descend(x: FloatArray, labels: IntArray, k: int) -> tuple[IntArray, FloatArray]:
    """The partition (n, data sets) and its sum of squares where moves from `labels` end; x is (d, n, data sets)."""
    labels = np.array(labels, order="C")
    final, loss = labels.copy(), np.zeros(x.shape[-1])
    active = np.arange(x.shape[-1])
    slack = SLACK * (x**2).sum(axis=(0, 1))
    while active.size:
        member, size, distance = _distances(x, labels, k)
        own = (distance * member).sum(axis=0)
        target, nearest = _smallest(distance if size.all() else np.where(size[:, None] > 0, distance, np.inf))
        nearer = nearest < own - slack
        stuck = np.flatnonzero(~nearer.any(axis=0))
        labels = np.where(nearer, target, labels)
        if not stuck.size:
            continue
        size, member = size[:, None, stuck], member[..., stuck]
        entering = np.where(member > 0, np.inf, distance[..., stuck] * (size / (size + 1)))
        leaving = own[:, stuck] * (1 + (member / np.maximum(size - 1, 1)).sum(axis=0))
        target, nearest = _smallest(entering)
        gain = leaving - nearest
        point, column = gain.argmax(axis=0), np.arange(stuck.size)
        moves = gain[point, column] > slack[stuck]
        labels[point[moves], stuck[moves]] = target[point, column][moves]
        ended = stuck[~moves]
        if ended.size:
            final[:, active[ended]] = labels[:, ended]
            loss[active[ended]] = own[:, ended].sum(axis=0)
            going = np.ones(active.size, np.bool_)
            going[ended] = False
            active, x, labels, slack = active[going], x[..., going], labels[:, going], slack[going]
    return final, loss


def _distances(x: FloatArray, labels: IntArray, k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Membership (k, n, data sets), sizes (k, data sets), and squared distances to the centres as membership."""
    member = _members(labels, k)
    size = member.sum(axis=1)
    distance = np.zeros(member.shape)
    for axis in x:
        centre = np.einsum("kns,ns->ks", member, axis) / np.maximum(size, 1)
        distance += (axis - centre[:, None]) ** 2
    return member, size, distance


def _smallest(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Along the first axis, the place of the first smallest value and the value."""
    least, place = values[0], np.zeros(values.shape[1:], np.int64)
    for index, row in enumerate(values[1:], start=1):
        smaller = row < least
        place[smaller] = index
        least = np.minimum(row, least)
    return place, least


def _ward(points: FloatArray, k: int) -> IntArray:
    sets, n, _ = points.shape
    each = np.arange(sets)
    distance = sum((axis[:, :, None] - axis[:, None]) ** 2 for axis in np.moveaxis(points, -1, 0))
    distance[:, np.arange(n), np.arange(n)] = np.inf
    size = np.ones((sets, n))
    labels = np.tile(np.arange(n), (sets, 1))
    for _ in range(n - k):
        kept, gone = np.divmod(distance.reshape(sets, -1).argmin(axis=-1), n)
        ours, theirs = size[each, kept, None], size[each, gone, None]
        apart = distance[each, kept, gone][:, None]
        merged = (ours + size) * distance[each, kept] + (theirs + size) * distance[each, gone] - size * apart
        merged /= ours + theirs + size
        merged[each, kept] = np.inf
        distance[each, kept] = distance[each, :, kept] = merged
        distance[each, gone] = distance[each, :, gone] = np.inf
        size[each, kept] += size[each, gone]
        labels = np.where(labels == gone[:, None], kept[:, None], labels)
    heads = labels == np.arange(n)
    return np.take_along_axis(heads.cumsum(axis=-1) - 1, labels, axis=-1)


def _mixture(points: FloatArray, first: IntArray | None, k: int) -> tuple[IntArray, FloatArray]:
    x = np.ascontiguousarray(points.transpose(2, 1, 0))
    starts = [_kmeans(points, first, k)]
    if first is None:
        white = _whitened(points)
        sorts = [*np.moveaxis(points, -1, 0), *np.moveaxis(white, -1, 0)]
        starts += [_kmeans(white, None, k), _ward(points, k), *(_cuts(values, k) for values in sorts)]
    else:
        starts.append(first)
    posterior, likelihood = np.zeros((k, *x.shape[1:])), np.full(len(points), -np.inf)
    for start in starts:
        end, reached = _em(x, _members(start.T, k), ITERATIONS if first is None else FEW)
        better = reached > likelihood
        posterior, likelihood = np.where(better, end, posterior), np.where(better, reached, likelihood)
    if first is not None:
        posterior, likelihood = _em(x, posterior, ITERATIONS)
    return posterior.argmax(axis=0).T, likelihood


def _whitened(points: FloatArray) -> FloatArray:
    """Centred points made uncorrelated, with variances of one on all axes that vary."""
    left, length, _ = np.linalg.svd(points, full_matrices=False)
    return left * (length > SLACK * length[:, :1])[:, None]


def _members(labels: IntArray, k: int) -> FloatArray:
    return (labels == np.arange(k)[:, None, None]).astype(float)


def _em(x: FloatArray, posterior: FloatArray, iterations: int) -> tuple[FloatArray, FloatArray]:
    """Posteriors (k, n, data sets) and log-likelihood where EM ends; x is (d, n, data sets) and centred."""
    d, n, sets = x.shape
    final, highest = posterior.copy(), np.full(sets, np.inf)
    spread = np.einsum("dns,ens->sde", x, x) / n
    variance = np.trace(spread, axis1=1, axis2=2) / d
    active = np.flatnonzero(variance > 0)
    ridge = RIDGE * variance[active, None, None] * np.eye(d)
    x, posterior, spread = x[..., active], posterior[..., active], spread[active]
    before = np.full(active.size, -np.inf)
    for step in range(iterations):
        if not active.size:
            break
        weight = posterior.sum(axis=1) / n
        centre = np.stack([np.einsum("kns,ns->ks", posterior, axis) for axis in x]) / (n * np.maximum(weight, 1e-300))
        between = np.einsum("ks,dks,eks->sde", weight, centre, centre)
        precision = np.linalg.inv(spread + ridge - between)
        slope = np.einsum("sde,eks->dks", precision, centre)
        with np.errstate(divide="ignore"):
            constant = np.log(weight) - 0.5 * (slope * centre).sum(axis=0)
        joint = np.repeat(constant[:, None], n, axis=1)
        for axis, along in zip(x, slope, strict=True):
            joint += axis * along[:, None]
        top = joint.max(axis=0)
        posterior = np.exp(joint - top)
        density = posterior.sum(axis=0)
        posterior /= density
        own = n * np.einsum("sde,sde->s", precision, spread)
        _, volume = np.linalg.slogdet(precision)
        now = (top + np.log(density)).sum(axis=0) - 0.5 * own + 0.5 * n * (volume - d * np.log(2 * np.pi))
        ended = (np.abs(now - before) < TOLERANCE * n) | (step == iterations - 1)
        before = now
        if ended.any():
            final[..., active[ended]] = posterior[..., ended]
            highest[active[ended]] = now[ended]
            going = ~ended
            active, x, posterior = active[going], x[..., going], posterior[..., going]
            spread, ridge, before = spread[going], ridge[going], now[going]
    return final, highest


def _breaks(values: FloatArray, k: int) -> IntArray:
    order = values.argsort(axis=-1, kind="stable")
    x = np.ascontiguousarray(np.take_along_axis(values, order, axis=-1).T)
    n, sets = x.shape
    within = np.full((n, n, sets), np.inf)
    for start in range(n):
        fresh = x[start] > x[start - 1] if start else np.ones(sets, np.bool_)
        mean, squares = np.zeros(sets), np.where(fresh, 0.0, np.inf)
        for end in range(start, n):
            step = x[end] - mean
            mean = mean + step / (end - start + 1)
            squares = squares + step * (x[end] - mean)
            within[end, start] = squares
    least = within[:, 0]
    position, classes = np.arange(n)[:, None], np.zeros((n, sets), np.int64)
    begins = np.zeros((k, n, sets), np.int64)
    for parts in range(1, k):
        now = least.copy()
        begins[parts] = position + 1  # an empty class
        for end in range(1, n):
            place, smallest = _smallest(least[:end] + within[end, 1 : end + 1])
            better = smallest < least[end]
            now[end][better] = smallest[better]
            begins[parts, end][better] = place[better] + 1
        least = now
    last = np.full(sets, n - 1)
    for parts in range(k - 1, 0, -1):
        begin = begins[parts, last, np.arange(sets)]
        classes += position >= begin
        last = begin - 1
    labels = np.empty((sets, n), np.int64)
    np.put_along_axis(labels, order, classes.T, axis=-1)
    return labels
