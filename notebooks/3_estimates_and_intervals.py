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
# # 3 Estimates and intervals
#
# **The answers are simulated.** They are those of the reference study, `surveys/kstar-2023`; nothing here describes
# real stakeholders.
#
# **Estimand.** For each axis and issue: the mean rating that the whole of each group would give, averaged over the
# groups that the axis asks, each counting as the study file says (here alike). Groups are fixed; they are no sample of
# anything.
#
# **What is random.** Who of each group answered. The respondents of a group are taken as a random sample of it, drawn
# without regard to the other groups. Where the study file gives a group's population (employees, government) only the
# people who were not asked are uncertain.
#
# **What is not covered.** Who was asked and who answered, how the question was put, don't-knows (they are left out of
# the means). No interval here says anything about these.
#
# **The other ways.** Plain pandas on the export read anew; statsmodels `WLS` with HC1; the formulas of `docs/method.md`
# written down over respondents, where the program adds up moments of cells; own draws for the rank sets.
#
# **What is not checked.** Whether the intervals cover as they say (`docs/coverage.md` enumerates that); people in
# several groups, strata, clusters and design weights, which this study does not have (the tests hold those against R's
# `survey`); differences between groups; marginal rank sets.

# %%
import hashlib
import platform
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from matplotlib import pyplot as plt
from scipy import stats

import materiality

# %% tags=["parameters"]
STUDY = "../surveys/kstar-2023"
DRAWS = 10_000  # own draws for the rank sets

# %%
assessment = materiality.assess(STUDY)
study = assessment.study
settings = tomllib.loads((Path(STUDY) / "study.toml").read_text(encoding="utf-8"))
assert assessment.simulated and settings["simulated"], "this notebook is for the simulated reference study"
print(study.title)


def agree(what, program, here, allowed=0.0):
    """Print the largest difference, and stop where it is more than is allowed or a number is missing on one side."""
    program, here = np.asarray(program, float).ravel(), np.asarray(here, float).ravel()
    apart = np.where(np.isnan(program) & np.isnan(here), 0.0, np.abs(program - here))
    print(f"{what}: {len(here):,} numbers, largest difference {apart.max(initial=0):.1e}, allowed {allowed:.0e}")
    assert program.shape == here.shape and (apart <= allowed).all(), what


# %% [markdown]
# The export is read anew with pandas. Which rows are kept the ledger says; notebook 1 checks that.

# %%
export = settings["responses"][0]
raw = pd.read_csv(Path(STUDY) / export["file"], dtype=str, keep_default_na=False, encoding="utf-8-sig")
raw.index = pd.RangeIndex(2, len(raw) + 2, name="row")
ledger = materiality.dispositions(assessment).set_index("row").sort_index()
raw = raw[ledger["fate"].eq("kept")]
labels = {text.casefold(): point for text, point in settings["scale"]["labels"].items()}
labels |= {str(point): point for point in range(settings["scale"]["low"], settings["scale"]["high"] + 1)}
axes, issues = list(settings["axes"]), [issue["id"] for issue in settings["issues"]]
groups = [group["id"] for group in settings["groups"]]
known = {text.casefold(): g["id"] for g in settings["groups"] for text in (g["id"], g["label"], *g["answers"])}
group = raw[export["group"]].str.strip().str.casefold().map(known)
ratings = {}
for axis in axes:
    columns = [settings["axes"][axis]["column"].replace("{label}", one["label"]) for one in settings["issues"]]
    cells = raw[columns].apply(lambda column: column.str.strip().str.casefold().map(labels)).astype(float)
    ratings[axis] = cells.set_axis(issues, axis=1)

# %% [markdown]
# ## Scores
#
# Weights: ones, but for the employees, who are raked (notebook 2 checks their weights by three other ways; here they
# are taken as the program has them).

# %%
kept = materiality.ratings(assessment)
weight = kept.weights.set_index(kept.rows["row"]).sum(axis=1).reindex(raw.index)  # everybody is of one group here
omega = {axis: pd.Series(settings["axes"][axis].get("groups", dict.fromkeys(groups, 1)), dtype=float) for axis in axes}

means = {}
for axis in axes:
    rated = ratings[axis].notna()
    total = rated.mul(weight, axis=0).groupby(group).sum()
    means[axis] = ratings[axis].mul(weight, axis=0).groupby(group).sum() / total
scores = {
    axis: means[axis].reindex(omega[axis].index).mul(omega[axis], axis=0).sum() / omega[axis].sum() for axis in axes
}

table = assessment.scores.set_index(["axis", "issue"])
for axis in axes:
    agree(f"scores on {axis}", table.loc[axis, "estimate"].reindex(issues), scores[axis].reindex(issues), 1e-9)
shown = assessment.group_scores[~assessment.group_scores["suppressed"].astype(bool)]
here = [means[a].loc[g, i] for a, g, i in zip(shown["axis"], shown["group"], shown["issue"], strict=True)]
agree("group means", shown["estimate"], here, 1e-9)

# %% [markdown]
# The truth is known, since the answers are simulated: the axis's mean of an issue, plus what each group differs by.
# About 95 % of the intervals should hold it. The scores of an axis are correlated, so it may well be some more or
# fewer; this is no proof, and a share below 80 % would still be alarming.

# %%
truth = settings["simulation"]
shift = pd.DataFrame(truth["shifts"]).reindex(index=issues, columns=groups).fillna(0.0)
true = pd.concat(
    {axis: pd.Series(truth["means"][axis]).reindex(issues) + shift[omega[axis].index].mean(axis=1) for axis in axes}
)
covered = (table["conf_low"] <= true) & (true <= table["conf_high"])
print(f"{covered.sum()} of {len(covered)} intervals hold the true score")
assert covered.mean() > 0.8

# %% [markdown]
# ## Standard errors
#
# By linearisation, respondent by respondent. Somebody of group g moves its mean by u = w (y − ȳ) / Σ w, and not at all
# by an answer that is no rating; he stays one of the n people of the group all the same. The variance of the mean is (1
# − n/N) · n/(n − 1) · Σ u². The employees are raked, so u/w is regressed on the dummies of the margins, and its
# residuals take its place: what the margins fix does not vary.

# %%
sizes = group.value_counts()
population = {one["id"]: one.get("population") for one in settings["groups"]}
unasked = pd.Series({g: 1 - sizes[g] / population[g] if population[g] else 1.0 for g in groups})
factor = unasked * sizes / (sizes - 1)
y = pd.concat(ratings, axis=1)  # a column per axis and issue
share = (
    pd.DataFrame({(axis, issue): omega[axis] / omega[axis].sum() for axis in axes for issue in issues})
    .reindex(groups)
    .fillna(0.0)
)

moved = {}  # by how much each respondent moves the mean of his group
for one in settings["groups"]:
    g = one["id"]
    inside = group.eq(g)
    w = weight[inside]
    u = y[inside].sub(pd.concat({axis: means[axis].loc[g] for axis in axes})).mul(w, axis=0)
    u = (u / y[inside].notna().mul(w, axis=0).sum()).fillna(0.0)
    if "margins" in one:
        assert sizes[g] >= 200, "smaller raked groups have another variance, see docs/method.md"
        dummies = pd.get_dummies(raw.loc[inside, list(one["margins"])].apply(lambda c: c.str.strip()), dtype=float)
        z = u.div(w, axis=0)
        fit = dummies.to_numpy() @ np.linalg.lstsq(dummies.to_numpy(), z.to_numpy(), rcond=None)[0]
        gain = 1 - ((z - fit) ** 2).sum() / (z**2).sum()
        print(f"{g}: the margins account for {gain.median():.0%} of the squares of u/w in the median issue")
        u = (z - fit).mul(w, axis=0)
        u -= u.mean()
    moved[g] = u

covariance = sum(
    factor[g]
    * (share.loc[g].to_numpy()[:, None] * share.loc[g].to_numpy() * (moved[g].T.to_numpy() @ moved[g].to_numpy()))
    for g in groups
)
error = pd.Series(np.sqrt(np.diag(covariance)), y.columns)
agree("standard errors", table["std_error"], error.reindex(table.index), 1e-9)
agree("joint covariance of all scores on both axes", assessment.estimates.covariance, covariance, 1e-12)

# %% [markdown]
# **statsmodels.** `WLS` of the ratings on a constant has HC1 = m/(m − p) Σ w²(y − ȳ)² / (Σ w)², with m raters and p =
# 1. The formula above counts the n people of the group, raters or not, and N. So HC1 times (m − 1)/m · n/(n − 1) · (1 −
# n/N) is the square of the standard error of an unraked group's mean. For the employees the regression on the margins
# comes first, and HC1 of that regression would count its p = 3 coefficients, m/(m − 3): the program, as R's `survey`,
# does not.

# %%
wls, program = [], []
for _, line in shown.iterrows():
    g = line["group"]
    if "margins" in next(one for one in settings["groups"] if one["id"] == g):
        continue
    values = ratings[line["axis"]].loc[group.eq(g), line["issue"]].dropna()
    fit = sm.WLS(values, np.ones(len(values)), weights=weight[values.index]).fit(cov_type="HC1")
    m = len(values)
    wls.append(np.sqrt(fit.cov_params().iloc[0, 0] * (m - 1) / m * factor[g]))
    program.append(line["std_error"])
agree("standard errors of unraked groups against WLS with HC1", program, wls, 1e-9)

# the residuals of the raked group, by WLS as well: z on the dummies, weighted by the design weights (all 1)
issue = issues[0]
z = moved["employees"][(axes[0], issue)]
inside = group.eq("employees")
margins = next(one["margins"] for one in settings["groups"] if one["id"] == "employees")
dummies = sm.add_constant(
    pd.get_dummies(raw.loc[inside, list(margins)].apply(lambda c: c.str.strip()), drop_first=True, dtype=float)
)
plain = ratings[axes[0]].loc[inside, issue].sub(means[axes[0]].loc["employees", issue]).fillna(0.0)
plain /= ratings[axes[0]].loc[inside, issue].notna().mul(weight[inside]).sum()
residuals = sm.WLS(plain, dummies, weights=np.ones(inside.sum())).fit().resid * weight[inside]
agree("raked residuals of one issue against WLS", z, residuals - residuals.mean(), 1e-12)

# %% [markdown]
# **What raking and the population do to a standard error**: the same with given weights, and without the finite
# population correction.

# %%
given = {}
for axis in axes:
    u = ratings[axis][inside].sub(means[axis].loc["employees"]).mul(weight[inside], axis=0)
    u = (u / ratings[axis][inside].notna().mul(weight[inside], axis=0).sum()).fillna(0.0)
    given[axis] = np.sqrt(factor["employees"] * (u**2).sum())
employees = shown[shown["group"].eq("employees")].set_index(["axis", "issue"])["std_error"]
ratio = employees / pd.concat(given).reindex(employees.index)
print(f"employees: raked standard errors are {ratio.min():.2f} to {ratio.max():.2f} times those with given weights")
print("(1 − n/N) of the groups with a known population:", unasked[unasked < 1].round(3).to_dict())

# %% [markdown]
# ## Degrees of freedom
#
# Satterthwaite: (Σ V)² / Σ V²/(m − 1), V a group's part of the score's variance and m its raters; at least 1, and at
# most all raters of the score less one.

# %%
part = pd.DataFrame({g: factor[g] * share.loc[g] ** 2 * (moved[g] ** 2).sum() for g in groups}).T
raters = y.notna().groupby(group).sum().reindex(groups)
entering = (raters * (share > 0)).sum()
df = part.sum() ** 2 / (part**2 / (raters - 1)).sum()
df = df.clip(lower=1).clip(upper=entering - 1)
agree("degrees of freedom", table["df"], df.reindex(table.index), 1e-6)
agree("respondents behind each score", table["n"], entering.reindex(table.index))

# %% [markdown]
# ## Intervals
#
# Ratings pile up at the top, and small groups may show no spread at all: Student's t is too short there. The interval
# used asks how far a group's mean would move had half a respondent more answered at an end of the scale. On the scale
# from 0 to 1, with a half answer at 0 beside n answers with mean p and variance s², the mean has under the Bayesian
# bootstrap
#
#     m = n p / (n + ½),   S = (n s² + n ½/(n + ½) p²) / (n + ½),   variance S / (n + ½ + 1)
#
# and the lower end is the 2.5 % point of the beta distribution with these moments. The upper end is the same seen from
# the other side. First these moments, by simulation: Dirichlet weights on the answers of one group and on the half
# answer.

# %%
confidence = settings.get("confidence", 0.95)
low, high = settings["scale"]["low"], settings["scale"]["high"]
span, normal = high - low, stats.norm.ppf(0.5 + confidence / 2)
generator = np.random.default_rng([settings.get("seed", 0), 3])

values = (ratings[axes[0]].loc[group.eq("customers"), issue].dropna().to_numpy() - low) / span
n, p, s2 = len(values), values.mean(), values.var()
draws = generator.dirichlet(np.append(np.ones(n), 0.5), 40_000) @ np.append(values, 0.0)
m = n * p / (n + 0.5)
variance = (n * s2 + n * 0.5 / (n + 0.5) * p**2) / (n + 0.5) / (n + 1.5)
print(f"mean {m:.5f}, simulated {draws.mean():.5f}")
print(f"standard deviation {np.sqrt(variance):.5f}, simulated {draws.std():.5f}")
assert abs(draws.mean() - m) < 5 * draws.std() / 200
assert abs(draws.std() / np.sqrt(variance) - 1) < 5 / np.sqrt(2 * 40_000) * 1.5
a, b = m * (m * (1 - m) / variance - 1), (1 - m) * (m * (1 - m) / variance - 1)
by_beta, by_draws = stats.beta.ppf(0.025, a, b), np.quantile(draws, 0.025)
print(f"2.5 % point: of the beta distribution {by_beta:.5f}, of the draws {by_draws:.5f}")
assert abs(by_beta - by_draws) < 0.1 * np.sqrt(variance)

# %% [markdown]
# Then all scores. n is Kish's effective n, at most the raters; s² is what the Taylor variance implies. A score's
# interval adds the squares of its groups' half lengths; its middle moves by each group's lopsidedness times that
# group's share a of the variance; where the scale cuts a group short, the normal reach stands in, as far as other
# groups enter (1 − a).

# %%
kish = {
    axis: ratings[axis].notna().mul(weight, axis=0).groupby(group).sum() ** 2
    / ratings[axis].notna().mul(weight**2, axis=0).groupby(group).sum()
    for axis in axes
}


def lower_end(p, size, spread):
    middle = size * p / (size + 0.5)
    variance = (size * spread + size * 0.5 / (size + 0.5) * p**2) / (size + 0.5) / (size + 1.5)
    if variance <= 1e-14:
        return middle
    strength = middle * (1 - middle) / variance - 1
    return stats.beta.ppf((1 - confidence) / 2, middle * strength, (1 - middle) * strength)


def of_group(g, axis, issue):
    """Reach down and up, own variance, what the half answer adds, what the answers add, what the scale cuts off."""
    p = (means[axis].loc[g, issue] - low) / span
    own = factor[g] * (moved[g][(axis, issue)] ** 2).sum() / span**2
    sampled = own / unasked[g]
    n = min(kish[axis].loc[g, issue], raters.loc[g, (axis, issue)])
    size = min(n, 1 + p * (1 - p) / sampled) if sampled > 0 else n
    spread = min(sampled * (size - 1), p * (1 - p))
    root = np.sqrt(unasked[g])
    down, up = root * (p - lower_end(p, size, spread)), root * (1 - lower_end(1 - p, size, spread) - p)
    beyond = (size + 0.5) * (size + 1.5)
    imagined = unasked[g] * size * 0.5 / (size + 0.5) * max(p, 1 - p) ** 2 / beyond
    return (
        down,
        up,
        own,
        imagined,
        unasked[g] * size * spread / beyond,
        max(normal**2 * own - ((down + up) / 2) ** 2, 0),
    )


def of_score(axis, issue):
    inside = omega[axis].index
    of = (omega[axis] / omega[axis].sum()).to_numpy()
    down, up, _, imagined, seen, cut = np.array([of_group(g, axis, issue) for g in inside]).T
    leading = of**2 * (imagined + seen) / (of**2 * (imagined + seen)).sum()
    length = np.sqrt((of**2 * (((down + up) / 2) ** 2 + (1 - leading) * cut)).sum())
    lean = (leading * of * (up - down) / 2).sum()
    least = np.sqrt(min(((of * down) ** 2).sum(), ((of * up) ** 2).sum()))
    centre = (scores[axis][issue] - low) / span
    start = centre - min(max(length - lean, least), (of * down).sum())
    end = centre + min(max(length + lean, least), (of * up).sum())
    return low + span * start, low + span * end, span * length / normal


interval = pd.DataFrame([of_score(axis, issue) for axis, issue in table.index], table.index, ["low", "high", "width"])
agree("lower ends", table["conf_low"], interval["low"], 1e-7)
agree("upper ends", table["conf_high"], interval["high"], 1e-7)

# %%
t = stats.t.ppf(0.5 + confidence / 2, table["df"].astype(float)) * table["std_error"]
longer = (table["conf_high"] - table["conf_low"]) / (2 * t)
print(f"intervals are {longer.min():.2f} to {longer.max():.2f} times as long as Student's t")
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, marker in zip(axes, "os", strict=True):
    axis.plot(table.loc[name, "estimate"], longer[name], marker, markersize=4, label=name)
axis.axhline(1, color="0.6", linewidth=0.8)
axis.set(xlabel="score", ylabel="length over that of t", title="Intervals against Student's t (simulated answers)")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Ranks
#
# The rank of an issue is one more than the number of issues that score higher, by a double loop. The program's
# simultaneous sets hold the ranks that no significant difference rules out: stepdown over all ordered pairs, the
# critical value being a quantile of the largest studentised difference in draws of the joint distribution, as wide as
# the intervals. Own draws give a slightly different quantile. So sets are made with a quantile five of its standard
# errors lower, and again five higher: the program's have to lie between.

# %%
scale = interval["width"].to_numpy() / error.reindex(table.index).to_numpy()
place = [y.columns.get_loc(key) for key in table.index]
wide = covariance[np.ix_(place, place)] * np.outer(scale, scale)
slack = 5 * np.sqrt(confidence * (1 - confidence) * (1 / DRAWS + 1 / 10_000))


def rank_sets(values, sigma, level, noise):
    k = len(values)
    pairs = [(i, j) for i in range(k) for j in range(k) if i != j]
    spread = {(i, j): np.sqrt(sigma[i, i] + sigma[j, j] - 2 * sigma[i, j]) for i, j in pairs}
    left = set(pairs)
    while left:
        largest = np.zeros(len(noise))
        for i, j in left:
            np.maximum(largest, (noise[:, i] - noise[:, j]) / spread[i, j], out=largest)
        critical = np.quantile(largest, min(level, 1.0))
        out = {(i, j) for i, j in left if (values[i] - values[j]) / spread[i, j] > critical}
        if not out:
            break
        left -= out
    above = set(pairs) - left
    best = [1 + sum((j, i) in above for j in range(k)) for i in range(k)]
    return np.array(best), np.array([k - sum((i, j) in above for j in range(k)) for i in range(k)])


mixes = {axis: np.eye(2 * len(issues))[k * len(issues) : (k + 1) * len(issues)] for k, axis in enumerate(axes)}
mixes["combined"] = sum(mixes[axis] for axis in axes) / 2
ranks = assessment.ranks.set_index(["axis", "issue"])
stacked = np.concatenate([scores[axis].reindex(issues) for axis in axes])
for name, mix in mixes.items():
    values, sigma = mix @ stacked, mix @ wide @ mix.T
    rank = [1 + sum(other > value + 1e-9 for other in values) for value in values]
    agree(f"ranks, {name}", ranks.loc[name, "rank"].astype(int), rank)
    noise = generator.multivariate_normal(np.zeros(len(values)), sigma, DRAWS, method="cholesky")
    narrow = rank_sets(values, sigma, confidence - slack, noise)
    broad = rank_sets(values, sigma, confidence + slack, noise)
    best, worst = ranks.loc[name, "low"].to_numpy(int), ranks.loc[name, "high"].to_numpy(int)
    good = (broad[0] <= best) & (best <= narrow[0]) & (narrow[1] <= worst) & (worst <= broad[1])
    exact = ((narrow[0] == broad[0]) & (narrow[1] == broad[1])).sum()
    print(f"  rank sets, {name}: {good.sum()} of {len(good)} lie between; for {exact} narrow and broad are the same")
    assert good.all()

# %% [markdown]
# The joint regions of the matrix rest on the correlation of an issue's two scores, which comes from people who answer
# on both axes.

# %%
joint = assessment.joint.set_index("issue")
x, up = study.x, study.y
position = {key: k for k, key in enumerate(table.index)}
correlation = [
    wide[position[x, i], position[up, i]]
    / np.sqrt(wide[position[x, i], position[x, i]] * wide[position[up, i], position[up, i]])
    for i in issues
]
agree("correlations of the two scores", joint["correlation"].reindex(issues), correlation, 1e-9)
both_axes = group.isin(omega[x].index) & group.isin(omega[up].index)
agree("respondents asked on both axes", joint["shared"], np.repeat(both_axes.sum(), len(issues)))
ellipse = []
for i in issues:
    at = [position[x, i], position[up, i]]
    reach = 2 * stats.f.ppf(confidence, 2, df.reindex(table.index).iloc[at].min())
    ellipse.append(np.sqrt(reach * np.linalg.eigvalsh(wide[np.ix_(at, at)])))
agree("half axes of the joint regions", joint.loc[issues, ["semi_minor", "semi_major"]], ellipse, 1e-7)

# %% [markdown]
# ## Versions and inputs

# %%
for name in ("materiality", "numpy", "scipy", "pandas", "statsmodels"):
    print(name, version(name))
print("Python", platform.python_version())
for path in (Path(STUDY) / "study.toml", Path(STUDY) / export["file"]):
    print(f"{path.name}: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
