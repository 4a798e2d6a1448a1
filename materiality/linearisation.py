"""Taylor linearisation: the joint covariance of linear combinations of group means, as algebra on moments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.moments import Sums
from materiality.samples import Sample

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """Who was sampled with whom.

    Attributes
    ----------
    stratum : int array, shape (cells, groups)
        The sample that a cell's respondents are of, as members of a group; -1 where they are none.
    group : int array, shape (strata,)
        The group that the sample is of; -1 where groups are domains of it.
    units : int array, shape (strata,)
        Sampled units: clusters, and respondents by themselves.
    population : float array, shape (strata,)
        NaN for none.
    people : int array, shape (strata,)
        Respondents.
    """

    stratum: IntArray
    group: IntArray
    units: IntArray
    population: FloatArray
    people: IntArray

    def asked(self, sample: Sample) -> FloatArray:
        """Share of each group's people who were asked; NaN where that is unknown."""
        own = [self.group == g for g in range(len(sample.n))]
        return np.array([self.people[k].sum() / self.population[k].sum() if k.any() else np.nan for k in own])


def design_of(sample: Sample, population: FloatArray | None = None, strata: IntArray | None = None) -> Design:
    """The samples that a study's groups are, or are domains of; parameters as for `estimates.estimate`."""
    cells = list(sample.moments.cells)
    people = np.array([sums.n for sums in sample.moments.cells.values()], np.int64)
    stratum = np.full(sample.members.shape, -1, np.int64)
    keys = {} if strata is None else {(-1, int(value)): k for k, value in enumerate(np.unique(strata))}
    for k, g in np.argwhere(sample.members):
        key = (int(g), cells[k].stratum) if strata is None else (-1, int(strata[k]))
        stratum[k, g] = keys.setdefault(key, len(keys))
    units, asked = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
    known = np.full(len(keys), np.nan)
    for number in range(len(keys)):
        inside = np.flatnonzero((stratum == number).any(axis=1))
        asked[number] = people[inside].sum()
        alone = [k for k in inside if not cells[k].cluster]
        units[number] = people[alone].sum() + len({cells[k].cluster for k in inside} - {0})
        if population is not None and len(inside):
            group = int(np.flatnonzero(stratum[inside[0]] == number)[0])
            whole = population[number] if strata is not None else population[..., group]
            known[number] = whole[inside[0]] if whole.ndim else whole
    return Design(stratum, np.array([g for g, _ in keys], np.int64), units, known, asked)


@dataclass(frozen=True)
class Spread:
    """The variances of targets, and where they come from.

    Attributes
    ----------
    covariance : float array, shape (targets, targets)
        Squared points.
    shares : float array, shape (parts, targets)
        Each sample's part of each variance, group by group; what two parts share is halved to each.
    df : float array, shape (parts, targets)
        Degrees of freedom of each part.
    units : int array, shape (parts, targets)
        Sampled units of each part in which somebody rated: clusters, and respondents by themselves.
    group : int array, shape (parts,)
        Whose part it is.
    """

    covariance: FloatArray
    shares: FloatArray
    df: FloatArray
    units: IntArray
    group: IntArray


def linearise(
    sample: Sample, questions: IntArray, weights: FloatArray, design: Design, *, cautious_below: int
) -> Spread:
    """The joint covariance of linear combinations of group means; method and parameters as for `estimates.estimate`."""
    return _Linearisation(sample, questions, weights, design, cautious_below).spread()


class _Linearisation:
    """u_itg of every respondent i, target t and group g, as what multiplies w r y, w r, w and 1."""

    def __init__(
        self, sample: Sample, questions: IntArray, weights: FloatArray, design: Design, cautious_below: int
    ) -> None:
        self.sample, self.design = sample, design
        self.rated, self.rating = questions, questions + sample.moments.questions
        weight = sample.weights[:, questions]
        self.per = np.divide(weights.T, weight, out=np.zeros(weight.shape), where=weight > 0)
        self.centred = np.nan_to_num(sample.means[:, questions] - sample.moments.midpoint)
        self.cells = list(sample.moments.cells.items())
        self.residual, self.correction = self._calibrated(cautious_below)
        self.fitted = self._fitted()
        places = [(int(design.stratum[k, g]), int(g)) for k, g in np.argwhere(sample.members)]
        self.part = {place: n for n, place in enumerate(sorted(set(places)))}
        self.alone = np.array([np.count_nonzero(design.group == g) == 1 for g in design.group], np.bool_)
        self.root = np.sqrt(self._factors())
        self.mean = self._means()

    def _calibrated(self, cautious_below: int) -> tuple[list[bool], FloatArray]:
        """Which groups' u are residuals, and (n − 1)/(n − p) of those that are cautious instead."""
        residual, correction = [], np.ones(len(self.sample.calibrations))
        for g, calibration in enumerate(self.sample.calibrations):
            inside = [self.cells[k] for k in np.flatnonzero(self.sample.members[:, g])]
            clusters = {cell.cluster for cell, _ in inside} - {0}
            units = sum(sums.n for cell, sums in inside if not cell.cluster) + len(clusters)
            residual.append(calibration is not None and units >= cautious_below)
            if calibration is not None and not residual[g] and units > 1:
                correction[g] = (units - 1) / max(units - calibration.basis.shape[1], 1)
        return residual, correction

    def _fitted(self) -> FloatArray:
        """What the margins' dummies fit of u/w in each cell of a raked group, shape (cells, groups, targets)."""
        fitted = np.zeros((*self.sample.members.shape, len(self.rated)))
        for g, calibration in enumerate(self.sample.calibrations):
            if calibration is not None and self.residual[g]:
                first = np.asarray([self.cells[k][1].first for k in calibration.cells])
                first = first * calibration.start[:, None]
                z = self.per[g] * (first[:, self.rating] - self.centred[g] * first[:, self.rated])
                fitted[calibration.cells, g] = calibration.basis @ (calibration.basis.T @ z)
        return fitted

    def _factors(self) -> FloatArray:
        """(1 − n/N) n/(n − 1) of each sample; 1 − n/N for one unit beside other strata, 0 for one that is a group."""
        design = self.design
        n = design.units.astype(float)
        factor = np.divide(n, n - 1, out=np.where(self.alone, 0.0, 1.0), where=n > 1)
        factor *= np.where(design.group < 0, 1.0, self.correction[design.group])
        unasked = np.where(np.isnan(design.population), 1.0, 1 - design.people / design.population)
        return np.asarray(factor * np.clip(unasked, 0.0, None))

    def _means(self) -> FloatArray:
        """Each sample's mean of u, shape (strata, targets); zero where u adds up to none by itself."""
        design = self.design
        total = np.zeros((len(design.units), len(self.rated)))
        centred = self.alone & (design.group >= 0)
        for k, g in np.argwhere(self.sample.members):
            here = design.stratum[k, g]
            total[here] += self._total(k, np.array([g]), np.ones(1))[0]
            centred[here] &= not self.residual[g]
        still = centred | (design.units < 2)
        return np.where(still[:, None], 0.0, total / np.maximum(design.units, 1)[:, None])

    def _parts(self, k: int, groups: IntArray, roots: FloatArray) -> _Parts:
        """u of a cell's respondents in some groups, times roots; without means."""
        scale = (roots * self.sample.factors[k, groups])[:, None]
        per = scale * self.per[groups]
        return _Parts(per, per * self.centred[groups], scale * self.fitted[k, groups], np.zeros(per.shape))

    def _total(self, k: int, groups: IntArray, roots: FloatArray) -> FloatArray:
        """The sum of that over the cell, shape (groups, targets)."""
        sums, parts = self.cells[k][1], self._parts(k, groups, roots)
        return parts.y * sums.first[self.rating] - parts.r * sums.first[self.rated] - parts.w * sums.weight

    def spread(self) -> Spread:
        """The covariance, its parts and their degrees of freedom."""
        targets = len(self.rated)
        covariance = np.zeros((targets, targets))
        shares = np.zeros((len(self.part), targets))
        uncancelled = np.zeros(targets)
        alone: dict[tuple[int, int], list[int]] = {}
        for k, (cell, sums) in enumerate(self.cells):
            if not cell.cluster and len(cell.groups) == 1:
                g = cell.groups[0]
                alone.setdefault((int(self.design.stratum[k, g]), g), []).append(k)
            elif not cell.cluster:
                self._add_respondents(k, sums, covariance, shares, uncancelled)
        for place, cells in alone.items():
            self._add_members(place, np.array(cells), covariance, shares, uncancelled)
        for value, parts, size in self._clusters():
            covariance += np.outer(value, value)
            uncancelled += size**2
            for part, own in parts.items():
                shares[part] += own * value
        covariance = (covariance + covariance.T) / 2
        still = np.diag(covariance) <= 1e-13 * uncancelled
        covariance[still, :] = 0.0
        covariance[:, still] = 0.0
        units, group = self._units(), np.array([g for _, g in self.part], np.int64)
        df = np.maximum(units - 1, 0) / self.correction[group][:, None]
        return Spread(covariance, np.where(still, 0.0, shares), df, units, group)

    def _add_members(
        self,
        place: tuple[int, int],
        cells: IntArray,
        covariance: FloatArray,
        shares: FloatArray,
        uncancelled: FloatArray,
    ) -> None:
        """Add the squares and products of those who are of one group and sample alone, all their cells at once.

        As `_add_respondents`; with the factors of the cells taken into sums over them, what is left to do hangs on
        the number of targets, and no longer on that of cells.
        """
        stratum, g = place
        live = np.flatnonzero((self.per[g] != 0) | (self.mean[stratum] != 0))
        if not len(live) or not self.root[stratum]:
            return
        rated, rating = self.rated[live], self.rating[live]
        y, r = self.per[g][live], self.per[g][live] * self.centred[g][live]
        sums = [self.cells[k][1] for k in cells]
        factor = self.root[stratum] * self.sample.factors[cells, g]
        second = np.tensordot(factor**2, np.asarray([one.second for one in sums]), axes=1)
        cross = r[:, None] * second[np.ix_(rated, rating)] * y
        found = y[:, None] * second[np.ix_(rating, rating)] * y - cross - cross.T
        found += r[:, None] * second[np.ix_(rated, rated)] * r
        fitted = factor[:, None] * self.fitted[cells, g][:, live]
        mean = self.root[stratum] * self.mean[stratum][live]
        if fitted.any() or mean.any():
            each = np.asarray([one.second[rating, rated] for one in sums])
            itself = np.asarray([np.diag(one.second)[rated] for one in sums])
            first = factor @ np.asarray([one.first for one in sums])
            weight, squares = (np.array([getattr(one, name) for one in sums]) for name in ("weight", "weight_squares"))
            with_fitted = (factor[:, None] * (y * each - r * itself)).T @ fitted
            with_mean = np.outer(y * first[rating] - r * first[rated] - weight @ fitted, mean)
            found -= with_fitted + with_fitted.T + with_mean + with_mean.T
            found += fitted.T @ (squares[:, None] * fitted) + sum(one.n for one in sums) * np.outer(mean, mean)
        covariance[np.ix_(live, live)] += found
        shares[self.part[place], live] += np.diag(found)
        diagonal = second[rating, rating], second[rated, rating], second[rated, rated]
        uncancelled[live] += y**2 * diagonal[0] + 2 * np.abs(y * r * diagonal[1]) + r**2 * diagonal[2]

    def _add_respondents(
        self, k: int, sums: Sums, covariance: FloatArray, shares: FloatArray, uncancelled: FloatArray
    ) -> None:
        """Add a cell's squares and products, of respondents who were sampled one by one."""
        groups = np.flatnonzero(self.sample.members[k])
        if not len(groups):
            return
        strata = self.design.stratum[k, groups]
        parts = self._parts(k, groups, self.root[strata])
        first = [list(strata).index(stratum) == n for n, stratum in enumerate(strata)]
        parts.one[first] = (self.root[:, None] * self.mean)[strata[first]]  # once, whatever the groups in a sample
        live = np.flatnonzero((parts.y != 0).any(axis=0) | (parts.w != 0).any(axis=0) | (parts.one != 0).any(axis=0))
        if not len(live):
            return
        parts, rated, rating = parts.take(live), self.rated[live], self.rating[live]
        whole = parts.added()
        covariance[np.ix_(live, live)] += _products(sums, rated, rating, whole)
        uncancelled[live] += _diagonal(sums, rated, rating, whole, whole, signed=False)
        for n, (stratum, group) in enumerate(zip(strata, groups, strict=True)):
            own = _diagonal(sums, rated, rating, parts.of(n), whole)
            shares[self.part[int(stratum), int(group)], live] += own

    def _clusters(self) -> Iterator[tuple[FloatArray, dict[int, FloatArray], FloatArray]]:
        """Each cluster's u, added up over its respondents, what of it each part gives, and what had to cancel."""
        found: dict[int, dict[int, FloatArray]] = {}
        sizes: dict[int, FloatArray] = {}
        strata_of: dict[int, set[int]] = {}
        for k, (cell, sums) in enumerate(self.cells):
            groups = np.flatnonzero(self.sample.members[k])
            if not cell.cluster or not len(groups):
                continue
            strata = self.design.stratum[k, groups]
            parts = found.setdefault(cell.cluster, {})
            pieces = self._parts(k, groups, self.root[strata])
            size = np.abs(pieces.y * sums.first[self.rating]) + np.abs(pieces.r * sums.first[self.rated])
            sizes[cell.cluster] = sizes.get(cell.cluster, 0.0) + size.sum(axis=0)
            for stratum, group, value in zip(strata, groups, self._total(k, groups, self.root[strata]), strict=True):
                part = self.part[int(stratum), int(group)]
                if int(stratum) not in strata_of.setdefault(cell.cluster, set()):
                    strata_of[cell.cluster].add(int(stratum))
                    parts[part] = parts.get(part, 0.0) - self.root[stratum] * self.mean[stratum]
                parts[part] = parts.get(part, 0.0) + value
        for cluster, parts in found.items():
            yield np.sum(list(parts.values()), axis=0), parts, sizes[cluster]

    def _units(self) -> IntArray:
        """Units of each part in which somebody rated, target by target."""
        units = np.zeros((len(self.part), len(self.rated)), np.int64)
        clusters: dict[tuple[int, int], NDArray[np.bool_]] = {}
        for k, g in np.argwhere(self.sample.members):
            cell, sums = self.cells[k]
            part = self.part[int(self.design.stratum[k, g]), int(g)]
            rated = sums.rated[self.rated]
            if cell.cluster:
                clusters[part, cell.cluster] = clusters.get((part, cell.cluster), np.False_) | (rated > 0)
            else:
                units[part] += rated
        for (part, _), rated in clusters.items():
            units[part] += rated
        return units


@dataclass(frozen=True)
class _Parts:
    """What multiplies w r y, −w r, −w and −1 in u, by group (or whole) and target."""

    y: FloatArray
    r: FloatArray
    w: FloatArray
    one: FloatArray

    def take(self, targets: IntArray) -> _Parts:
        return _Parts(self.y[:, targets], self.r[:, targets], self.w[:, targets], self.one[:, targets])

    def added(self) -> _Parts:
        return _Parts(self.y.sum(axis=0), self.r.sum(axis=0), self.w.sum(axis=0), self.one.sum(axis=0))

    def of(self, n: int) -> _Parts:
        return _Parts(self.y[n], self.r[n], self.w[n], self.one[n])


def _products(sums: Sums, rated: IntArray, rating: IntArray, u: _Parts) -> FloatArray:
    """Σ u uᵀ over a cell's respondents, from its cross-products."""
    second, first = sums.second, sums.first
    ry = u.r[:, None] * second[np.ix_(rated, rating)] * u.y[None, :]
    found = (
        u.y[:, None] * second[np.ix_(rating, rating)] * u.y[None, :]
        - ry
        - ry.T
        + u.r[:, None] * second[np.ix_(rated, rated)] * u.r[None, :]
    )
    if u.w.any() or u.one.any():
        with_w = u.y * second[rating, rated] - u.r * second[rated, rated]
        with_one = u.y * first[rating] - u.r * first[rated]
        for other, cross in ((u.w, with_w), (u.one, with_one)):
            found -= np.outer(cross, other) + np.outer(other, cross)
        found += sums.weight_squares * np.outer(u.w, u.w) + sums.n * np.outer(u.one, u.one)
        found += sums.weight * (np.outer(u.w, u.one) + np.outer(u.one, u.w))
    return found


def _diagonal(
    sums: Sums, rated: IntArray, rating: IntArray, u: _Parts, v: _Parts, *, signed: bool = True
) -> FloatArray:
    """Σ u v over a cell's respondents, target by target; without signs, what has to cancel for it to be small."""
    second, first = sums.second, sums.first
    yy, yr, rr = second[rating, rating], second[rating, rated], second[rated, rated]
    sign = -1.0 if signed else 1.0
    shape = (lambda a: a) if signed else np.abs
    found = shape(u.y * v.y * yy) + sign * shape((u.y * v.r + u.r * v.y) * yr) + shape(u.r * v.r * rr)
    if u.w.any() or u.one.any() or v.w.any() or v.one.any():
        for other, (uo, vo) in (((yr, rr), (u.w, v.w)), ((first[rating], first[rated]), (u.one, v.one))):
            found = found + sign * shape((u.y * vo + uo * v.y) * other[0] - (u.r * vo + uo * v.r) * other[1])
        found = found + shape(u.w * v.w * sums.weight_squares) + shape(u.one * v.one * sums.n)
        found = found + shape((u.w * v.one + u.one * v.w) * sums.weight)
    return np.asarray(found)
