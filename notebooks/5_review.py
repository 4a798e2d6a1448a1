# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Review of a study, by other ways than the program's
#
# `materiality review STUDY` runs this notebook on a study. It takes the answers that the program kept, works out the
# numbers of the report once more in other ways, and sets both side by side. A difference beyond rounding, or beyond
# what chance can do between two sets of draws, is a failure: it is shown, and the last cell ends with it.
#
# **What is estimated.** For each axis and issue, the mean rating that the *whole* of each stakeholder group would give,
# averaged over the groups by the axis's group weights. The groups and their weights are the study's choice and are not
# estimated.
#
# **What is random.** Who of each group answered: the respondents of a group count as a random sample of it (of its
# strata, or by clusters, where the study names such), drawn without regard to the other groups. Where the study gives a
# group's population, those who were not asked are all that is uncertain.
#
# **What is not covered.** Whether those who answered are like those who did not, and like those whom nobody asked; how
# the questions were put; what the issues' impacts are. Survey importance is evidence, not a verdict.
#
# **What this notebook does not check.** How the export was read, except that rows are counted anew in text files; the
# cleaning rules (`notebooks/1_reading_and_cleaning.py` does, for the reference study); group weights from judgements or
# populations; marginal rank sets; zones; clusters and segments; acceptability; most of the multiverse; agreement,
# leniency and centred scores. It starts from the answers and design weights as the program read them.
#
# Nothing here shows a single respondent, or a group that the study's privacy settings hide.

# %%
import csv
import hashlib
import io
import platform
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from IPython.display import Image, display
from matplotlib import pyplot as plt
from scipy import stats

import materiality

# %% tags=["parameters"]
STUDY = "../surveys/kstar-2023"  # a study.toml, or its folder
SEED = None  # instead of the study's
DRAWS = 10_000  # of the reviewer's own simulations

# %%
warnings.formatwarning = lambda message, category, *_, **__: f"{category.__name__}: {message}\n"
pd.set_option("display.max_rows", 200, "display.max_colwidth", None)

released = materiality.assess(STUDY, seed=SEED)  # what is published
closed = bool(released.sample.closed.any()) or released.study.privacy.profile == "publish"
# what is compared below tells nothing of its numbers but how far apart they are
assessment = materiality.assess(STUDY, seed=SEED, privacy="off") if closed else released
kept = materiality.ratings(assessment)  # respondent-level: stays in memory
study = assessment.study
axes, issues, groups = list(study.axes), [issue.id for issue in study.issues], [group.id for group in study.groups]
generator = np.random.default_rng([study.seed, 5])

print(study.title)
print(
    "SIMULATED ANSWERS: nothing here describes real stakeholders." if assessment.simulated else "Answers as exported."
)
print(f"{len(issues)} issues, {len(groups)} groups, axes {', '.join(axes)}; confidence {study.confidence:.0%}.")

# %% [markdown]
# Each comparison goes through `check`, which keeps it for the table at the end. `skipped` says where a second way does
# not apply to this study.

# %%
checks = []


def note(what, result, detail):
    checks.append({"check": what, "result": result, "detail": detail})
    print(f"{result}: {what}: {detail}")


def check(what, found, wanted, allowed):
    """Compare the program's numbers with the ones worked out here; a number missing on one side alone fails."""
    found, wanted = np.asarray(found, float).ravel(), np.asarray(wanted, float).ravel()
    apart = np.abs(found - wanted)
    apart[np.isnan(found) & np.isnan(wanted)] = 0.0
    largest = apart.max(initial=0.0)
    holds = found.shape == wanted.shape and bool((apart <= allowed).all())
    detail = f"{len(found):,} numbers, largest difference {largest:.1e}, allowed {allowed:.0e}"
    note(what, "holds" if holds else "FAILS", detail)


def holds(what, truth, detail):
    note(what, "holds" if truth else "FAILS", detail)


def skipped(what, why):
    note(what, "not checked", why)


def show(figure, alt):
    """A figure as a picture without a time stamp."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    plt.close(figure)
    display(Image(buffer.getvalue(), alt=alt))


# %% [markdown]
# ## 1 The rows
#
# Every row read has one line in the ledger, kept or excluded with a reason. The kept ones are those whose answers are
# used. In text files the rows are counted once more with Python's own `csv` reader.

# %%
ledger = materiality.dispositions(assessment)
fates = ledger.assign(what=ledger["reason"].where(ledger["fate"] == "excluded", "kept"))
display(fates.groupby(["file", "what"], sort=False).size().rename("rows").to_frame())

holds("one line per row", not ledger.duplicated(["file", "row"]).any(), f"{len(ledger):,} lines")
told = ledger["reason"].ne("").eq(ledger["fate"].eq("excluded")).all()
holds("excluded rows have a reason, kept rows none", told, f"{ledger['fate'].eq('excluded').sum():,} excluded")
used = pd.MultiIndex.from_frame(kept.rows[["file", "row"]])
lines = pd.MultiIndex.from_frame(ledger.loc[ledger["fate"] == "kept", ["file", "row"]])
holds("the kept rows are those used", used.sort_values().equals(lines.sort_values()), f"{len(used):,} rows")

for export, said in zip(assessment.gathered.exports, study.responses, strict=True):
    rows = ledger.loc[ledger["file"] == export.name, "row"]
    holds(f"rows of {export.name}", export.rows == len(rows), f"{export.rows:,} read, {len(rows):,} lines")
    if export.path.suffix.lower() not in {".csv", ".tsv", ".txt"} or said.issue:
        skipped(f"{export.name} counted anew", "not a text file with one row per respondent")
        continue
    try:
        text = export.path.read_bytes().decode(said.encoding or "utf-8-sig")
    except UnicodeDecodeError:
        skipped(f"{export.name} counted anew", "not in UTF-8, and the study names no encoding")
        continue
    delimiter = said.delimiter or max(",;\t", key=text.splitlines()[max(export.header_row - 1, 0)].count)
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    while records and not any(cell.strip() for cell in records[-1]) and len(records) > rows.max():
        records.pop()  # empty lines at the end of the file
    counted = len(records) - (int(rows.min()) - 1)
    holds(f"{export.name} counted anew", counted == export.rows, f"{counted:,} records below the header")

# %% [markdown]
# ## 2 The weights
#
# Raked weights: design weights multiplied in turn so that the weighted shares of each margin are those of the
# population, until nothing changes. The program rakes cells of respondents; here respondents are raked one by one. The
# weights keep the group's total of design weights.

# %%
rated = {axis: kept.by_axis[axis].notna().to_numpy() for axis in axes}
given = {axis: kept.by_axis[axis].to_numpy() for axis in axes}
design, weight = kept.design[groups].to_numpy(), kept.weights[groups].to_numpy()
member = design > 0


def raked(base, categories, margins):
    """Iterative proportional fitting of respondents' weights to one margin after the other."""
    fitted = base.copy()
    for _ in range(10_000):
        before = fitted.copy()
        for column, margin in margins.items():
            whole = sum(margin.values())
            for category, count in margin.items():
                here = (categories[column] == category).to_numpy()
                if here.any():
                    fitted[here] *= base.sum() * count / whole / fitted[here].sum()
        if np.abs(fitted - before).max() < 1e-13 * base.mean():
            break
    return fitted


own = design.copy()  # all groups are compared at once: how many people a small one has stays untold
margins_apart, unchecked = [], []
for g, group in enumerate(study.groups):
    inside = member[:, g]
    if group.id in kept.categories and inside.any():
        categories = kept.categories[group.id][inside].reset_index(drop=True)
        if categories.isna().any().any():
            unchecked.append(group.id)
            own[inside, g] = weight[inside, g]
            continue
        own[inside, g] = raked(design[inside, g], categories, group.margins)
        for column, margin in group.margins.items():
            shares = pd.Series(weight[inside, g]).groupby(categories[column].to_numpy()).sum() / weight[inside, g].sum()
            wanted = pd.Series(margin) / sum(margin.values())
            margins_apart.append((shares.reindex(wanted.index, fill_value=0.0) - wanted).abs().max())

if study.weighting.trim is not None:
    skipped("raked weights and margins", "the study trims weights; its margins are met as nearly as that allows")
else:
    level = np.array([own[member[:, g], g].mean() if member[:, g].any() else 1.0 for g in range(len(groups))])
    check("weights, raked anew", weight / level, own / level, 1e-7)
    if margins_apart:
        check("margins are met", margins_apart, np.zeros(len(margins_apart)), 1e-8)
if unchecked:
    skipped(f"raked weights of {', '.join(unchecked)}", "some respondents have no category of a margin")

shown = assessment.weighting.set_index("group")
kish = np.array(
    [weight[member[:, g], g].sum() ** 2 / max((weight[:, g] ** 2).sum(), 1e-300) for g in range(len(groups))]
)
visible = shown["n"].notna() & (shown["n"].fillna(0) > 0)
check("effective n (Kish)", shown.loc[visible, "n_effective"], kish[visible.to_numpy()], 1e-8)
display(released.weighting.set_index("group")[["n", "n_effective", "design_effect", "raked"]].round(2))

# %% [markdown]
# ## 3 The scores
#
# Group mean: Σ w y / Σ w over those of the group who rated. Score: the groups' means, averaged by the axis's weights
# over the groups that rated the issue at all.

# %%
y = np.hstack([given[axis] for axis in axes])  # a column per axis and issue
r = ~np.isnan(y)
asked = np.repeat(np.array(study.layout.group_weights), len(issues), axis=0).T  # groups × targets
total = weight.T @ r
with np.errstate(invalid="ignore"):
    means = np.where(total > 0, (weight.T @ np.where(r, y, 0.0)) / np.where(total > 0, total, 1.0), np.nan)
share = np.where(total > 0, asked, 0.0)
scored = share.sum(axis=0) > 0
share = np.divide(share, share.sum(axis=0), out=np.zeros_like(share), where=scored)
scores = np.where(scored, (share * np.nan_to_num(means)).sum(axis=0), np.nan)
raters = (r & (weight @ (share > 0) > 0)).sum(axis=0)

table = assessment.scores
check("scores", table["estimate"], scores, 1e-9)
check("respondents behind each score", table["n"], raters, 0)


def of_groups(values):
    """Numbers by group and target, in the order of the program's table of group scores."""
    place = pd.MultiIndex.from_product([groups, axes, issues], names=["group", "axis", "issue"])
    wanted = pd.MultiIndex.from_frame(assessment.group_scores[["group", "axis", "issue"]])
    return pd.Series(values.ravel(), place).reindex(wanted).to_numpy()


clear = ~assessment.group_scores["suppressed"].to_numpy(bool)
check("group means that are shown", assessment.group_scores["estimate"][clear], of_groups(means)[clear], 1e-9)

# %% [markdown]
# ## 4 Standard errors and the joint covariance
#
# By linearisation (`docs/method.md`): respondent *i* moves the mean of group *g* by u = w (y − ȳ) / Σ w, nothing where
# no rating was given. The variance of a mean is (1 − n/N) · n/(n − 1) · Σ u² over the n people of the group, N being
# its population where the study gives one. Of a raked group with 200 people or more, u/w is first regressed on the
# margins' dummies and its residuals stand in for it; of a smaller one n/(n − p) replaces n/(n − 1), p being the rank of
# the dummies. Clusters count as one person. Somebody in several groups counts in each, and the parts are added before
# squaring.
#
# A second opinion on group means comes from statsmodels: `WLS` on a constant with the HC1 covariance. HC1 multiplies by
# m/(m − p), with m the *raters* and p = 1 coefficient, where the formula above has n/(n − 1) with n the group's
# *people*, raters or not. Both factors are divided out and put right before comparing. It knows neither raking nor
# clusters.

# %%
clustered = bool((kept.rows["cluster"] != 0).any())
stratified = bool((kept.rows["stratum"] != 0).any())
unit = np.where(kept.rows["cluster"] != 0, kept.rows["cluster"].astype(str), "row " + kept.rows.index.astype(str))
unit = pd.factorize(unit)[0]
units = unit.max() + 1


def over_units(values):
    """Sums over each sampled unit: a cluster, or a respondent by himself."""
    if units == len(values):
        out = np.empty_like(values)
        out[unit] = values
        return out
    return pd.DataFrame(values).groupby(unit).sum().to_numpy()


moved = np.zeros((len(groups), units, y.shape[1]))  # by how much each unit moves each group's mean
factor, unasked, df_group = np.zeros(len(groups)), np.ones(len(groups)), np.zeros((len(groups), y.shape[1]))
fitted = np.zeros(len(groups), bool)
for g, group in enumerate(study.groups):
    inside = member[:, g]
    here = np.unique(unit[inside])
    n = len(here)
    if not n:
        continue
    u = np.where(r, weight[:, [g]] * (np.nan_to_num(y) - np.nan_to_num(means[g])), 0.0)
    u = u / np.where(total[g] > 0, total[g], 1.0)
    correction = 1.0
    if group.id in kept.categories:
        dummies = pd.get_dummies(kept.categories[group.id][inside], dtype=float).to_numpy()
        if n >= 200:
            fitted[g] = True
            root = np.sqrt(design[inside, g])[:, None]
            z = u[inside] / weight[inside, g][:, None]
            beta = np.linalg.lstsq(root * dummies, root * z, rcond=None)[0]
            u[inside] = weight[inside, g][:, None] * (z - dummies @ beta)
        else:
            rank = np.linalg.matrix_rank(dummies)
            correction = (n - 1) / max(n - rank, 1)
    if study.weighting.finite_population and group.population:
        unasked[g] = max(1 - inside.sum() / group.population, 0.0)
    factor[g] = unasked[g] * n / (n - 1) * correction if n > 1 else 0.0
    moved[g] = over_units(u)
    if fitted[g]:
        moved[g, here] -= moved[g, here].mean(axis=0)
    seen = over_units((r & inside[:, None]).astype(float)) > 0
    df_group[g] = np.maximum(seen.sum(axis=0) - 1, 0) / correction

parts = np.sqrt(factor)[:, None, None] * share[:, None, :] * moved  # each group's part of each score
whole = parts.sum(axis=0)
covariance = whole.T @ whole
nothing = np.diag(covariance) < 1e-24
covariance[nothing], covariance[:, nothing] = 0.0, 0.0
lent = np.zeros(len(scores))  # variance lent to groups with one rater: pooled over the score's groups
lonely = (share > 0) & (df_group == 0) & (unasked > 0)[:, None]
if lonely.any():
    n_rated = member.T.astype(float) @ r
    square = np.stack(
        [
            (weight[:, [g]] ** 2 * r * (np.nan_to_num(y) - np.nan_to_num(means[g])) ** 2).sum(axis=0)
            for g in range(len(groups))
        ]
    )
    spread = square / np.maximum((weight.T**2) @ r, 1e-300) * n_rated / np.maximum(n_rated - 1, 1)
    free = np.where(share > 0, np.maximum(n_rated - 1, 0), 0)
    pooled = np.divide(
        (free * spread).sum(axis=0), free.sum(axis=0), out=np.full(len(scores), np.nan), where=free.sum(axis=0) > 0
    )
    lent = np.where(lonely.any(axis=0), (share**2 * lonely * unasked[:, None]).sum(axis=0) * pooled, 0.0)

if stratified:
    skipped(
        "standard errors, covariance, df, intervals",
        "the study has strata within groups; take its replicate weights for a second opinion",
    )
else:
    error = np.sqrt(np.diag(covariance) + lent)
    check("standard errors of the scores", table["std_error"], np.where(scored, error, np.nan), 1e-9)
    theirs = assessment.estimates.covariance.copy()
    ours = covariance + np.diag(lent)
    both = np.ix_(scored, scored)
    check("joint covariance of all scores, both axes", theirs[both], ours[both], 1e-12)
    own = np.einsum("gut,ut->gt", parts, whole)
    own[:, nothing] = 0.0
    usable = np.where(df_group > 0, own, 0.0)
    below = (np.divide(usable**2, df_group, out=np.zeros_like(own), where=df_group > 0)).sum(axis=0)
    df = np.divide(usable.sum(axis=0) ** 2, below, out=np.full(len(scores), np.nan), where=below > 0)
    df = np.minimum(np.maximum(df, 1.0), np.maximum(raters - 1, 0))
    check("degrees of freedom (Satterthwaite)", table["df"], df, 1e-6)

# %%
by_wls = np.full(means.shape, np.nan)
for g in range(len(groups)):
    inside = member[:, g]
    if fitted[g] or clustered or stratified or inside.sum() < 2:
        continue
    for t in np.flatnonzero((r & inside[:, None]).sum(axis=0) > 1):
        at = inside & r[:, t]
        fit = sm.WLS(y[at, t], np.ones(at.sum()), weights=weight[at, g]).fit(cov_type="HC1")
        m = at.sum()
        by_wls[g, t] = np.sqrt(fit.cov_params()[0, 0] * (m - 1) / m * factor[g])
alike = clear & np.isfinite(of_groups(by_wls))
if alike.any():
    found = assessment.group_scores["std_error"].to_numpy(float, na_value=np.nan)
    check("standard errors of group means against WLS with HC1", found[alike], of_groups(by_wls)[alike], 1e-9)
left_out = [groups[g] for g in np.flatnonzero(fitted)]
if left_out or clustered or stratified:
    why = f"raked with regression: {', '.join(left_out)}" if left_out else "clusters or strata"
    skipped("WLS for some groups", f"it does not apply ({why})")

# %% [markdown]
# ## 5 Intervals
#
# A group's interval asks how far its mean would move had each end of the scale been given by half a respondent more
# (Gaffke's bound with a matched beta distribution, half an answer). A score's interval adds the squares of the groups'
# half lengths, and moves its middle as far as one group's lopsidedness still counts among the others.

# %%
normal = stats.norm.ppf(0.5 + study.confidence / 2)
low, high = study.scale.low, study.scale.high
span = high - low


def lower_end(p, size, spread, c=0.5):
    """The lower end of a group's interval on the scale from 0 to 1, an answer of weight c at 0 having joined."""
    middle = size * p / (size + c)
    variance = (size * spread + size * c / (size + c) * p**2) / (size + c) / (size + c + 1)
    if variance <= 1e-14:
        return middle
    strength = middle * (1 - middle) / variance - 1
    return stats.beta.ppf((1 - study.confidence) / 2, middle * strength, (1 - middle) * strength)


def group_interval(g, t):
    """Reach down and up, own variance, and what the half answer and the answers add to it; in shares of the scale."""
    p = (means[g, t] - low) / span
    alone = df_group[g, t] == 0
    own = 0.0 if alone else factor[g] * (moved[g][:, t] ** 2).sum() / span**2
    own = 0.0 if own < 1e-24 else own
    n = (
        1.0
        if alone
        else min(
            weight[member[:, g] & r[:, t], g].sum() ** 2 / (weight[member[:, g] & r[:, t], g] ** 2).sum(),
            df_group[g, t] + 1,
        )
    )
    sampled = own / unasked[g] if unasked[g] > 0 else 0.0
    size = min(n, 1 + p * (1 - p) / sampled) if sampled > 0 and n > 1 else n
    spread = min(sampled * max(size - 1, 0.0), p * (1 - p))
    down = np.sqrt(unasked[g]) * (p - min(lower_end(p, size, spread), p))
    up = np.sqrt(unasked[g]) * (max(1 - lower_end(1 - p, size, spread), p) - p)
    beyond = (size + 0.5) * (size + 1.5)
    imagined = unasked[g] * size * 0.5 / (size + 0.5) * max(p, 1 - p) ** 2 / beyond
    free = max(down, up) ** 2 if alone else normal**2 * own
    return down, up, own, imagined, unasked[g] * size * spread / beyond, max(free - ((down + up) / 2) ** 2, 0.0)


def score_interval(t):
    """Lower end, upper end, standard deviation for draws, and whether the scale's ends outweigh the answers."""
    inside = np.flatnonzero(share[:, t] > 0)
    of = share[inside, t]
    down, up, own, imagined, seen, cut = np.array([group_interval(g, t) for g in inside]).T
    parts = of**2 * (imagined + seen)
    leading = parts / parts.sum() if parts.sum() > 0 else np.zeros(len(inside))
    apart, joint = (of**2 * own).sum(), covariance[t, t] / span**2
    linked = np.sqrt(max(joint / apart, 1.0)) if apart > 0 and joint > 0 else 1.0
    length = np.sqrt((of**2 * (((down + up) / 2) ** 2 + (1 - leading) * cut)).sum()) * linked
    lean = (leading * of * (up - down) / 2).sum()
    least = linked * np.sqrt(min(((of * down) ** 2).sum(), ((of * up) ** 2).sum()))
    start = (scores[t] - low) / span - min(max(length - lean, least), (of * down).sum())
    end = (scores[t] - low) / span + min(max(length + lean, least), (of * up).sum())
    rests = (leading * of**2 * imagined).sum() > (of**2 * seen).sum()
    return low + span * max(start, 0.0), low + span * min(end, 1.0), span * length / normal, float(rests)


simple = not (clustered or stratified)
if simple:
    interval = np.full((4, len(scores)), np.nan)
    interval[:, scored] = np.array([score_interval(t) for t in np.flatnonzero(scored)]).T
    check("lower ends of the scores' intervals", table["conf_low"], interval[0], 1e-7)
    check("upper ends of the scores' intervals", table["conf_high"], interval[1], 1e-7)
    marked = set(zip(assessment.unreliable["axis"], assessment.unreliable["issue"], strict=True))
    wanted = {(axes[t // len(issues)], issues[t % len(issues)]) for t in np.flatnonzero(interval[3] == 1)}
    holds("scores marked as unreliable", marked == wanted, f"{len(marked)} marked, {len(wanted)} found here")
    width = interval[2]
else:
    skipped("intervals", "with clusters or strata they rest on a jackknife or on strata's populations")
    width = assessment.estimates.std_dev

# %% [markdown]
# How the intervals compare with textbook t intervals: on average they should be somewhat longer, and longer towards the
# middle of the scale where ratings pile up at an end.

# %%
t_half = stats.t.ppf(0.5 + study.confidence / 2, table["df"].to_numpy(float)) * table["std_error"].to_numpy(float)
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
for k in range(len(axes)):
    here = slice(k * len(issues), (k + 1) * len(issues))
    axis.scatter(
        table["estimate"][here],
        ((table["conf_high"] - table["conf_low"])[here]) / (2 * t_half[here]),
        s=14,
        marker="os^Dv"[k % 5],
        label=f"axis {k + 1}",
    )
axis.axhline(1, color="0.5", linewidth=0.8)
axis.set(
    xlabel="score",
    ylabel="length over that of t",
    title="Intervals against Student's t" + (" (simulated answers)" if assessment.simulated else ""),
)
axis.legend(frameon=False)
if closed:
    plt.close(figure)
else:
    show(figure, "Length of each interval over that of Student's t, by score")

# %% [markdown]
# ## 6 Ranks
#
# An issue's rank is one more than the number of issues with higher scores, counted in a double loop. A simultaneous
# rank set holds the ranks that no significant difference rules out; the critical value is a quantile of the largest
# studentised difference, found here in the reviewer's own draws. Two sets of draws give slightly different quantiles.
# So the sets are worked out with a quantile five standard errors lower, and again with one five higher: the program's
# set has to lie between the narrow and the wide one. The draws are as wide as the intervals (`docs/method.md`).

# %%
table_variance = np.nan_to_num(np.diag(assessment.estimates.covariance))
variance = np.nan_to_num(np.diag(covariance) + lent) if simple else table_variance
base = covariance + np.diag(np.nan_to_num(lent)) if simple else np.nan_to_num(assessment.estimates.covariance)
slack = 5 * np.sqrt(study.confidence * (1 - study.confidence) * (1 / DRAWS + 1 / 10_000))


def as_wide_as(widths):
    """The covariance with other standard deviations and the same correlations; what showed no spread stands alone."""
    scale = np.divide(widths, np.sqrt(variance), out=np.zeros(len(variance)), where=variance > 0)
    matrix = base * np.outer(scale, scale)
    alone = (variance <= 0) & scored
    matrix[alone, alone] = widths[alone] ** 2
    return matrix


def rank_sets(values, sigma, levels):
    """Best and worst rank of each issue for each level, by stepdown over all ordered pairs."""
    k = len(values)
    noise = generator.multivariate_normal(np.zeros(k), sigma, DRAWS, method="eigh").T
    apart = np.add.outer(np.diag(sigma), np.diag(sigma)) - 2 * sigma
    told = apart > 1e-12 * np.add.outer(np.diag(sigma), np.diag(sigma))
    spread = np.sqrt(np.where(told, apart, 1.0))
    lead = np.where(told, np.subtract.outer(values, values) / spread, 0.0)
    found = []
    for level in levels:
        left = told.copy()
        while left.any():
            largest = np.zeros(DRAWS)
            for j in range(k):
                for i in np.flatnonzero(left[j]):
                    np.maximum(largest, (noise[j] - noise[i]) / spread[j, i], out=largest)
            ruled_out = left & (lead > np.quantile(largest, min(level, 1.0)))
            if not ruled_out.any():
                break
            left &= ~ruled_out
        above = told & ~left
        found.append((1 + above.sum(axis=0), k - above.sum(axis=1)))
    return found


wide = as_wide_as(np.where(scored, width, 0.0))
for k, name in enumerate(axes):
    at = k * len(issues) + np.flatnonzero(scored[k * len(issues) : (k + 1) * len(issues)])
    if len(at) < 2:
        continue
    rank = [1 + sum(other > value + 1e-9 for other in scores[at]) for value in scores[at]]
    check(f"ranks on {name}", table["rank"][at], rank, 0)
    narrow, broad = rank_sets(scores[at], wide[np.ix_(at, at)], [study.confidence - slack, study.confidence + slack])
    best, worst = table["rank_low"][at].to_numpy(int), table["rank_high"][at].to_numpy(int)
    between = (broad[0] <= best) & (best <= narrow[0]) & (narrow[1] <= worst) & (worst <= broad[1])
    exact = ((narrow[0] == broad[0]) & (narrow[1] == broad[1])).mean()
    holds(
        f"rank sets on {name}",
        between.all(),
        f"{between.sum()} of {len(at)} between the two; for {exact:.0%} both are the same",
    )

# %% [markdown]
# ## 7 Thresholds, tiers and their confidence
#
# Tier 1 lies above both thresholds, tier 2 above one. The confidence of a tier is the share of draws of the *true*
# scores in which the issue falls in it: Student's t around the scores, drawn together towards the mean of the axis by
# the share of their variance that is error (Morris 1983). The reviewer's draws are others than the program's. The two
# shares may differ by chance; more than five standard errors of such a difference fail.

# %%
x_axis, y_axis = axes.index(study.x), axes.index(study.y)
at = [axis * len(issues) + np.arange(len(issues)) for axis in (x_axis, y_axis)]
rules = [study.threshold(name) for name in (study.x, study.y)]


def threshold(rule, values):
    """The threshold that a rule of the study sets for these scores."""
    values = np.sort(values[np.isfinite(values)])
    if isinstance(rule, float | int):
        return float(rule)
    if hasattr(rule, "count") and not isinstance(rule, str):
        return values[0] - 2e-9 if rule.count >= len(values) else (values[-rule.count] + values[-rule.count - 1]) / 2
    if rule == "mean":
        return values.mean()
    if rule == "median":
        return np.median(values)
    if rule == "midpoint":
        return study.scale.midpoint
    gaps = np.diff(values)
    widest = int(np.flatnonzero(gaps >= gaps.max() - 1e-9)[0]) if len(gaps) else 0
    return (values[widest] + values[min(widest + 1, len(values) - 1)]) / 2


points = assessment.matrix.points
found = [threshold(rule, scores[here]) for rule, here in zip(rules, at, strict=True)]
check("thresholds", [assessment.matrix.x_threshold, assessment.matrix.y_threshold], found, 1e-9)
known = np.isfinite(scores[at[0]]) & np.isfinite(scores[at[1]])
count = sum((scores[here] > line + 1e-9).astype(int) for here, line in zip(at, found, strict=True))
enough = 2 if study.tiers.rule == "both" else 1
check("material issues", points["material"][known].astype(float), (count >= enough)[known], 0)
by_thresholds = study.tiers.method == "thresholds"
if by_thresholds:
    check("tiers", points["tier"][known].astype(float), (3 - count)[known], 0)
else:
    skipped("tiers", "they are clusters of issues; what is material the thresholds say")

# %%
rests = interval[3] == 1 if simple else assessment.estimates.unreliable
unseen = rests | ~(variance > 0)
drawn_width = np.where(unseen, width, np.sqrt(variance))
narrow_cov = as_wide_as(np.where(scored, drawn_width, 0.0))
freedom = np.where(unseen, np.nan, df if simple else table["df"].to_numpy(float))
likely = np.full((DRAWS, len(scores)), np.nan)
noise = generator.multivariate_normal(np.zeros(scored.sum()), narrow_cov[np.ix_(scored, scored)], DRAWS, method="eigh")
level = generator.uniform(size=DRAWS)
for column, t in enumerate(np.flatnonzero(scored)):
    if np.isfinite(freedom[t]):
        noise[:, column] /= np.sqrt(stats.chi2.ppf(level, freedom[t]) / freedom[t])
likely[:, scored] = noise
for here in at:
    use = here[scored[here]]
    k, values = len(use), scores[use]
    block = narrow_cov[np.ix_(use, use)]
    error_part = (np.trace(block) - block.sum() / k) / (k - 1) if k > 1 else 0.0
    keep = (
        1 - (k - 3) / (k - 1) * min(error_part / values.var(ddof=1), 1.0)
        if k > 3 and values.var(ddof=1) > 1e-18
        else 1.0
    )
    middle = likely[:, use].mean(axis=1, keepdims=True)
    likely[:, use] = (
        values.mean() + middle + keep * (values - values.mean()) + np.sqrt(keep) * (likely[:, use] - middle)
    )
lines = np.array(
    [[threshold(rule, likely[d, here]) for rule, here in zip(rules, at, strict=True)] for d in range(DRAWS)]
)
above = sum((likely[:, here] > lines[:, [k]] + 1e-9).astype(int) for k, here in enumerate(at))


def within_chance(what, stated, counted):
    """Compare two shares of draws, the program's 10,000 and ours; more than five standard errors apart fails."""
    stated, counted = np.asarray(stated, float), np.asarray(counted, float)
    use = np.isfinite(stated) & known
    pooled = (stated * 10_000 + counted * DRAWS + 1) / (10_000 + DRAWS + 2)
    z = np.abs(stated - counted) / np.sqrt(pooled * (1 - pooled) * (1 / 10_000 + 1 / DRAWS))
    apart, errors = np.abs(stated - counted)[use].max(initial=0), z[use].max(initial=0)
    told = f"{use.sum()} shares, farthest apart by {apart:.3f}, {errors:.1f} standard errors"
    holds(what, bool((z[use] < 5).all()), told)


if by_thresholds:
    within_chance("tier confidence", points["tier_confidence"], ((3 - above) == (3 - count)).mean(axis=0))
within_chance("chance of being material", points["p_material"], (above >= enough).mean(axis=0))
show(materiality.draw_matrix(released), "The materiality matrix")

# %% [markdown]
# ## 8 What would tip an issue
#
# By brute force: a ten millionth beyond the share that the program names, the issue stands on the other side of its
# threshold; a ten millionth before it it does not; and on a grid of 400 shares none that is nearer does. Where the
# program names none, none on the grid does. Groups that are hidden are not in the program's table, and not looked at.

# %%
grid = np.linspace(0, 1, 401)
wrong, compared = [], 0
for name, rule, here in zip((study.x, study.y), rules, at, strict=True):
    lam = np.array(study.layout.group_weights)[axes.index(name)]
    lam = lam / lam.sum()

    def sides(g, shares, lam=lam, rule=rule, here=here):
        """Whether each issue lies above its threshold at each share of group g: 1, 0, or NaN without a score."""
        others = np.where(np.arange(len(lam)) == g, 0.0, lam) / max(1 - lam[g], 1e-300)
        result = []
        for s in shares:
            mix = (1 - s) * others + s * (np.arange(len(lam)) == g)
            mix = np.where(np.isfinite(means[:, here]), mix[:, None], 0.0)
            whole = mix.sum(axis=0)
            value = np.where(
                whole > 0, (mix * np.nan_to_num(means[:, here])).sum(axis=0) / np.where(whole > 0, whole, 1), np.nan
            )
            result.append(np.where(np.isfinite(value), value > threshold(rule, value) + 1e-9, np.nan))
        return np.array(result)

    table_of_tips = assessment.tips[(assessment.tips["axis"] == name) & (assessment.tips["group"] != "")]
    for gid, rows in table_of_tips.groupby("group", sort=False):
        g = groups.index(gid)
        if lam[g] >= 1 - 1e-9:
            continue
        tips = rows["tip"].to_numpy(float)
        now, over = sides(g, [lam[g]])[0], sides(g, grid)
        for i in np.flatnonzero(np.isfinite(now)):
            compared += 1
            changed = grid[np.isfinite(over[:, i]) & (over[:, i] != now[i])]
            reach = np.inf if np.isnan(tips[i]) else abs(tips[i] - lam[g])
            good = not (np.abs(changed - lam[g]) < reach - 1e-7).any()
            if np.isfinite(reach):
                nearer, farther = np.clip(tips[i] + np.sign(tips[i] - lam[g]) * np.array([-1e-7, 1e-7]), 0, 1)
                before, after = sides(g, [nearer, farther])[:, i]
                good &= after != now[i] and (reach < 1e-7 or before == now[i] or bool(np.isnan(before)))
            wrong += [] if good else [(name, gid, issues[i])]
holds("tipping weights", not wrong, f"{compared} tried, {len(wrong)} wrong")
own = assessment.tips[assessment.tips["group"] == ""]
check("tipping thresholds are the scores", own["tip"], np.concatenate([scores[here] for here in at]), 1e-9)

# %% [markdown]
# ## 9 Without each group, and some of the multiverse
#
# Each group is left out in turn and the others' weights grow in proportion. Of the combinations of choices those are
# worked out again that keep the flagged rows, take the ratings as given, leave missing answers out and ask for no
# certainty; the others are not checked here.

# %%
given_weights = np.array(study.layout.group_weights)


def scores_by(lam, here):
    """Scores on an axis by any group weights."""
    mix = np.where(np.isfinite(means[:, here]), np.asarray(lam, float)[:, None], 0.0)
    whole = mix.sum(axis=0)
    return np.where(
        whole > 0, (mix * np.nan_to_num(means[:, here])).sum(axis=0) / np.where(whole > 0, whole, 1), np.nan
    )


table_without = assessment.without_group
compared = []
for g, gid in enumerate(groups):
    rows = table_without[table_without["group"] == gid]
    if rows.empty:
        continue
    value = [
        scores_by(np.where(np.arange(len(groups)) == g, 0.0, given_weights[k]), here)
        for k, here in zip((x_axis, y_axis), at, strict=True)
    ]
    side = [
        np.where(np.isfinite(v), v > threshold(rule, v) + 1e-9, np.nan) if np.isfinite(v).any() else v
        for v, rule in zip(value, rules, strict=True)
    ]
    tier = 3 - side[0] - side[1]
    visible = rows["without"].notna().to_numpy()
    compared.append(
        (
            np.abs(rows["without"].to_numpy(float) - np.concatenate(value))[visible].max(initial=0.0),
            (
                np.nan_to_num(rows["tier_without"].to_numpy(float, na_value=np.nan)) != np.nan_to_num(np.tile(tier, 2))
            ).sum(),
        )
    )
check("scores without each group", [one for one, _ in compared], np.zeros(len(compared)), 1e-9)
check("tiers without each group", [other for _, other in compared], np.zeros(len(compared)), 0)

choices = assessment.multiverse.choices
plain = choices[
    (choices["certainty"] == "none")
    & (choices["flagged"] == "kept")
    & (choices["ratings"] == "as given")
    & (choices["missing"] == "left out")
]
people = member.sum(axis=0)
wrong = 0
for _, choice in plain.iterrows():
    over = np.zeros(len(issues))
    for k, here, rule in zip((x_axis, y_axis), at, rules, strict=True):
        asks = given_weights[k] > 0
        lam = {"study": given_weights[k], "equal": asks.astype(float), "respondents": asks * people}[choice["weights"]]
        value = np.where(known, scores_by(lam, here), np.nan)
        over += (
            value
            > threshold(rule if choice["threshold"] == "study" else choice["threshold"].replace(" ", "_"), value) + 1e-9
        )
    material = known & (over >= (2 if choice["rule"] == "both" else 1))
    wrong += " ".join(np.array(issues)[material]) != choice["material"]
holds("part of the multiverse", wrong == 0, f"{len(plain)} of {len(choices)} combinations worked out, {wrong} differ")

# %% [markdown]
# ## 10 What to bear in mind
#
# The program's own warnings, how much of each score's weight no rating stands behind, and how much one group matters.

# %%
for warning in released.warnings:
    print("-", warning)
missing = released.bounds.groupby("axis", sort=False)["missing"].agg(["mean", "max"])
display(missing.rename(columns={"mean": "mean share missing", "max": "largest share missing"}).round(3))
swing = (
    released.without_group.dropna(subset="difference")
    .groupby(["group", "axis"], sort=False)["difference"]
    .agg(lambda d: d.abs().max())
)
display(swing.rename("largest change without the group").round(3).to_frame())

# %% [markdown]
# ## 11 What the privacy settings change
#
# Where something is hidden, all of the above was worked out from the answers as they are, and nothing was shown of it.
# The published scores are these, where nothing is hidden: to half a tenth, since means of few people enter as they are
# told, with one decimal.

# %%
if closed:
    published, whole = released.scores["estimate"].to_numpy(float), assessment.scores["estimate"].to_numpy(float)
    questions = np.array(study.layout.question_of).ravel()
    asked = np.repeat(np.array(study.layout.group_weights) > 0, len(issues), axis=0)
    same = ~(asked & released.sample.hidden[:, questions].T).any(axis=1)
    shared = len(set(questions)) < len(questions)  # the first score of a question sets what stands in
    if shared:
        skipped("published scores", "two axes ask the same question")
    else:
        both = np.isfinite(published[same]) | np.isfinite(whole[same])
        apart = np.abs(published[same] - whole[same])[both]
        holds("published scores are the scores, rounded", bool((apart < 0.0501).all()), f"{both.sum()} scores")
    if not same.all():
        skipped("published scores that hidden groups enter", "they are rounded, and kept off the ends of the scale")

# %% [markdown]
# ## Result
#
# Versions, the hashes of the inputs, and every check.

# %%
for name in ("materiality", "numpy", "scipy", "pandas", "statsmodels"):
    print(name, version(name))
print("Python", platform.python_version())
inputs = [assessment.study_file, *(export.path for export in assessment.gathered.exports)]
for path in inputs:
    print(f"{Path(path).name}: SHA-256 {hashlib.sha256(Path(path).read_bytes()).hexdigest()}")
print(f"seed {study.seed}; {DRAWS:,} draws of the reviewer's own")
display(pd.DataFrame(checks))

# %%
failed = [f"{one['check']}: {one['detail']}" for one in checks if one["result"] == "FAILS"]
assert not failed, "\n".join(failed)
passed = sum(one["result"] == "holds" for one in checks)
print(f"All {passed} checks hold; {len(checks) - passed} do not apply to this study.")
