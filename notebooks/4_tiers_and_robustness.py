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
# # 4 Tiers and robustness
#
# **The answers are simulated.** They are those of the reference study, `surveys/kstar-2023`; nothing here describes
# real stakeholders.
#
# **Estimand.** The tier of each issue: whether its *true* scores lie above both thresholds (1), above one (2) or above
# none (3). The thresholds are a choice (here 4.25 on both axes), the true scores those of notebook 3.
#
# **What is random.** The answers, as in notebook 3. A tier's confidence is the chance, given the answers, that the true
# scores fall in that tier, if true scores of an axis scatter around their mean (an empirical Bayes view: the highest
# score is partly the luckiest).
#
# **What is not random, but chosen.** Thresholds, the rule, group weights, which rows stay. Tips, leaving groups out and
# the multiverse show how far the result hangs on these. Shares of combinations are no probabilities.
#
# **The other ways.** Own draws by other generators; brute force over the weights; scores worked out again from the
# export, for other weights, other rows and other fillings.
#
# **What is not checked.** Whether confidences are right as often as they say (`docs/calibration.md`); clusters of
# issues and segments of respondents; the part of the multiverse that asks for certainty; central weights; agreement
# between groups.

# %%
import hashlib
import platform
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib import pyplot as plt
from scipy import stats

import materiality

# %% tags=["parameters"]
STUDY = "../surveys/kstar-2023"
DRAWS = 10_000  # own draws

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
# ## Scores from the export
#
# One function gives the scores for any ratings, weights of people and weights of groups; it serves the whole notebook.
# The employees are raked by it as well, so that rows may be left out. The covariance and the degrees of freedom are the
# program's; notebook 3 works them out again.

# %%
generator = np.random.default_rng([settings.get("seed", 0), 4])
omega = {axis: pd.Series(settings["axes"][axis].get("groups", dict.fromkeys(groups, 1)), dtype=float) for axis in axes}
x, up = study.x, study.y
line = settings["tiers"]["thresholds"]


def raked(rows):
    """Weights of some rows: ones, and each group with margins raked to them."""
    weight = pd.Series(1.0, rows)
    for one in settings["groups"]:
        inside = rows[group[rows].eq(one["id"])]
        for _ in range(200 if "margins" in one else 0):
            for column, margin in one["margins"].items():
                category = raw.loc[inside, column].str.strip()
                have = weight[inside].groupby(category).sum()
                weight[inside] *= category.map(pd.Series(margin) / sum(margin.values()) * len(inside) / have)
    return weight


def group_means(axis, weight, values=None):
    """Weighted means of the groups, of the ratings or of other values."""
    values = (ratings[axis] if values is None else values).loc[weight.index]
    return values.mul(weight, axis=0).groupby(group).sum() / values.notna().mul(weight, axis=0).groupby(group).sum()


def scores_of(means, lam):
    """Scores by group weights lam, over the groups that have a mean."""
    means = means.reindex(lam.index)
    return means.mul(lam, axis=0).sum() / means.notna().mul(lam, axis=0).sum()


weight = raked(raw.index)
means = {axis: group_means(axis, weight)[issues] for axis in axes}
scores = {axis: scores_of(means[axis], omega[axis]) for axis in axes}
table = assessment.scores.set_index(["axis", "issue"])
for axis in axes:
    agree(f"scores on {axis}", table.loc[axis, "estimate"].reindex(issues), scores[axis], 1e-8)

# %% [markdown]
# ## Tiers
#
# Above means above by more than rounding.

# %%
points = assessment.matrix.points.set_index("issue").loc[issues]
agree("thresholds", [assessment.matrix.x_threshold, assessment.matrix.y_threshold], [line[x], line[up]], 1e-12)
count = (scores[x] > line[x] + 1e-9).astype(int) + (scores[up] > line[up] + 1e-9).astype(int)
agree("tiers", points["tier"].astype(int), 3 - count)
agree("material by the rule (either)", points["material"].astype(int), count >= 1)

# %% [markdown]
# ## Their confidence
#
# Draws of both axes' scores: normal with the joint covariance, over the root of a chi-square by its degrees of freedom,
# one uniform number per draw setting all of them. Then drawn together: true scores lie nearer to each other than
# estimates, by the share of the scores' variance that is error (Morris 1983). Program and notebook have draws of their
# own, so that their shares differ by chance; more than five standard errors stop the notebook.

# %%
assert assessment.unreliable.empty, "scores that rest on the scale's ends are drawn otherwise, see docs/method.md"
order = [(axis, issue) for axis in axes for issue in issues]
values = np.array([scores[axis][issue] for axis, issue in order])
df = table["df"].reindex(order).to_numpy(float)
noise = generator.standard_normal((DRAWS, len(order))) @ np.linalg.cholesky(assessment.estimates.covariance).T
level = generator.uniform(size=(DRAWS, 1))
drawn = values + noise / np.sqrt(stats.chi2.ppf(level, df) / df)
likely = drawn.copy()
for axis in axes:
    here = [k for k, (name, _) in enumerate(order) if name == axis]
    k, block = len(here), assessment.estimates.covariance[np.ix_(here, here)]
    error = (np.trace(block) - block.sum() / k) / (k - 1)
    share = 1 - (k - 3) / (k - 1) * min(error / values[here].var(ddof=1), 1)
    print(f"{axis}: {1 - share:.1%} of the distances between scores is taken to be error")
    middle = drawn[:, here].mean(axis=1, keepdims=True)
    own = values[here] - values[here].mean()
    likely[:, here] = middle + share * own + np.sqrt(share) * (drawn[:, here] - middle - own)


def above(draws, axis):
    here = [k for k, (name, _) in enumerate(order) if name == axis]
    return draws[:, here] > line[axis] + 1e-9


def by_chance(what, program, here, program_draws=10_000, draws=DRAWS):
    """Compare shares of draws; stop where two differ by more than five standard errors."""
    program, here = np.asarray(program, float), np.asarray(here, float)
    pooled = (program * program_draws + here * draws + 1) / (program_draws + draws + 2)
    z = np.abs(program - here) / np.sqrt(pooled * (1 - pooled) * (1 / program_draws + 1 / draws))
    print(
        f"{what}: {z.size} shares, farthest apart by {np.abs(program - here).max():.3f}, {z.max():.1f} standard errors"
    )
    assert (z < 5).all(), what


tiers = 3 - above(likely, x).astype(int) - above(likely, up)
by_chance("tier confidence", points["tier_confidence"], (tiers == (3 - count).to_numpy()).mean(axis=0))
by_chance("chance of being material", points["p_material"], (tiers < 3).mean(axis=0))
by_chance(
    "chance of lying above each threshold",
    assessment.matrix.tiers.p_above,
    np.array([above(likely, axis).mean(axis=0) for axis in (x, up)]),
)
first = (3 - count).eq(1).to_numpy()
by_chance("tier 1 as a whole", assessment.matrix.tiers.same_set, ((tiers == 1) == first).all(axis=1).mean())

# %% [markdown]
# The truth is known here: how many of the placements with a high confidence are right? (No proof, with 25 issues; see
# `docs/calibration.md`.)

# %%
truth = settings["simulation"]
shift = pd.DataFrame(truth["shifts"]).reindex(index=issues, columns=groups).fillna(0.0)
true = {axis: pd.Series(truth["means"][axis]).reindex(issues) + shift[omega[axis].index].mean(axis=1) for axis in axes}
right = (3 - (true[x] > line[x]).astype(int) - (true[up] > line[up]).astype(int)).eq(points["tier"].astype(int))
sure = points["tier_confidence"] >= 0.9
print(f"of {sure.sum()} placements with 90 % or more, {(right & sure).sum()} are right")
print(f"of the other {(~sure).sum()}, {(right & ~sure).sum()}")
assert (right & sure).sum() >= 0.8 * sure.sum()
figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
axis.plot(points["p_material"], (tiers < 3).mean(axis=0), "o", markersize=4, color="0.2")
axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
axis.set(
    xlabel="chance of being material, the program", ylabel="own draws", title="Two sets of draws (simulated answers)"
)
plt.show()

# %% [markdown]
# **Zones.** Bands around all distances from the thresholds at once, sup-t. As with the rank sets of notebook 3, own
# draws five standard errors to either side of the quantile give bands that hold the program's between them.

# %%
both = [k for axis in (x, up) for k, (name, _) in enumerate(order) if name == axis]
distance = values[both] - np.repeat([line[x], line[up]], len(issues))
deviation = drawn[:, both] - values[both]
spread = np.sqrt((deviation**2).mean(axis=0))
largest = np.abs(deviation / spread).max(axis=1)
confidence = settings.get("confidence", 0.95)
slack = 5 * np.sqrt(confidence * (1 - confidence) * (1 / DRAWS + 1 / 10_000))
words = {}
for name, level_here in (("narrow", confidence - slack), ("broad", confidence + slack)):
    reach = np.quantile(largest, level_here) * spread
    surely, possibly = ((distance + sign * reach > 1e-9).reshape(2, -1).sum(axis=0) for sign in (-1, 1))
    words[name] = np.where(surely >= 1, "material", np.where(possibly >= 1, "borderline", "not material"))
zone = np.array([str(z) for z in assessment.matrix.tiers.zone])
good = (zone == words["narrow"]) | (zone == words["broad"])
print(f"zones: {good.sum()} of {len(good)} are those of the narrow or the broad bands")
print(f"these differ for {(words['narrow'] != words['broad']).sum()}")
assert good.all()

# %% [markdown]
# ## Tipping points by brute force
#
# One group's share s of an axis moves between 0 and 1, the others keeping their proportions. A ten millionth beyond the
# tip that the program names the issue stands on the other side; a ten millionth before it it does not; and on a grid of
# 1,001 shares no nearer one tips it. Where the program names no tip, none on the grid does.

# %%
tips = assessment.tips
grid = np.linspace(0, 1, 1001)
tried = named = 0
for axis in (x, up):
    lam = omega[axis] / omega[axis].sum()

    def sides(g, shares, axis=axis, lam=lam):
        others, alone, s = scores_of(means[axis], lam.drop(g)), means[axis].loc[g], np.asarray(shares)[:, None]
        return s * alone.to_numpy() + (1 - s) * others.to_numpy() > line[axis] + 1e-9

    here = tips[(tips["axis"] == axis) & (tips["group"] != "")]
    for g, rows in here.groupby("group", sort=False):
        now, over = sides(g, [lam[g]])[0], sides(g, grid)
        agree(f"present share of {g} on {axis}", rows["present"], np.repeat(lam[g], len(rows)), 1e-12)
        for i, tip in enumerate(rows.set_index("issue")["tip"].reindex(issues)):
            tried += 1
            turned = np.abs(grid[over[:, i] != now[i]] - lam[g])
            if np.isnan(tip):
                assert not len(turned), (axis, g, issues[i])
                continue
            named += 1
            nearer, farther = np.clip(tip + np.sign(tip - lam[g]) * np.array([-1e-7, 1e-7]), 0, 1)
            assert sides(g, [farther])[0, i] != now[i] and sides(g, [nearer])[0, i] == now[i], (axis, g, issues[i])
            assert not (turned < abs(tip - lam[g]) - 1e-7).any(), (axis, g, issues[i])
print(f"{tried} pairs of issue and group tried, {named} have a tip, all as the program says")
own = tips[tips["group"] == ""].set_index(["axis", "issue"])
agree("tipping thresholds (the scores)", own["tip"], [scores[axis][issue] for axis, issue in own.index], 1e-8)
agree(
    "how far the threshold would have to move",
    own["change"],
    [scores[axis][issue] - line[axis] for axis, issue in own.index],
    1e-8,
)

# %% [markdown]
# ## Without each group

# %%
without = assessment.without_group
changes = {}
for g, lines in without.groupby("group", sort=False):
    left = {axis: scores_of(means[axis], omega[axis].drop(g, errors="ignore")) for axis in (x, up)}
    rows = lines.set_index(["axis", "issue"])
    here = [left[axis][issue] for axis, issue in rows.index]
    agree(f"scores without {g}", rows["without"], here, 1e-8)
    tier = 3 - (left[x] > line[x] + 1e-9).astype(int) - (left[up] > line[up] + 1e-9).astype(int)
    agree(f"tiers without {g}", rows["tier_without"].astype(int), [tier[issue] for _, issue in rows.index])
    changes[g] = {
        "largest change of a score": rows["difference"].abs().max(),
        "issues in another tier": (tier != 3 - count).sum(),
    }
display(pd.DataFrame(changes).T.round(3))

# %% [markdown]
# ## Missing answers
#
# All answers that are no rating set to the lowest point, then to the highest (Manski's bounds).

# %%
bounds = assessment.bounds.set_index(["axis", "issue"])
ends = {"lowest": settings["scale"]["low"], "highest": settings["scale"]["high"]}
filled = {
    (axis, name): scores_of(group_means(axis, weight, ratings[axis].fillna(end)), omega[axis])[issues]
    for axis in axes
    for name, end in ends.items()
}
for name in ends:
    agree(f"bounds, all {name}", bounds[name], [filled[axis, name][issue] for axis, issue in bounds.index], 1e-8)

# %% [markdown]
# ## Part of the multiverse
#
# Every combination that asks for no certainty, worked out from the rows: flagged rows kept or left out (the employees
# raked anew), ratings as given or less each person's mean on the axis, missing answers left out or filled; three group
# weightings, five thresholds, two rules.

# %%
choices = assessment.multiverse.choices
plain = choices[choices["certainty"].eq("none")]
flagged = ledger.loc[raw.index, "flags"].ne("")
rows_of = {"kept": raw.index, "left out": raw.index[~flagged]}
weight_of = {name: raked(rows) for name, rows in rows_of.items()}
cache = {}


def world(axis, choice):
    """Scores on an axis under a combination of choices about data and group weights."""
    key = axis, choice["flagged"], choice["ratings"], choice["missing"], choice["weights"]
    if key not in cache:
        w, values = weight_of[choice["flagged"]], ratings[axis]
        if choice["ratings"] == "centred":
            values = values.sub(values.mean(axis=1), axis=0)
        if choice["missing"] in ends:
            values = values.fillna(ends[choice["missing"]])
        lam = omega[axis]
        if choice["weights"] == "equal":
            lam = lam * 0 + 1
        elif choice["weights"] == "respondents":
            lam = group[w.index].value_counts().reindex(lam.index).astype(float)
        cache[key] = scores_of(group_means(axis, w, values), lam)[issues]
    return cache[key]


def threshold(name, axis, score):
    """The threshold by its name in the program's table."""
    if name == "largest gap":
        ordered = np.sort(score)
        k = int(np.flatnonzero(np.diff(ordered) >= np.diff(ordered).max() - 1e-9)[0])
        return (ordered[k] + ordered[k + 1]) / 2
    return {
        "study": line[axis],
        "mean": score.mean(),
        "median": score.median(),
        "midpoint": (settings["scale"]["low"] + settings["scale"]["high"]) / 2,
    }[name]


differ = 0
for _, choice in plain.iterrows():
    over = sum(
        (world(axis, choice) > threshold(choice["threshold"], axis, world(axis, choice)) + 1e-9).astype(int)
        for axis in (x, up)
    )
    material = over >= (2 if choice["rule"] == "both" else 1)
    differ += " ".join(np.array(issues)[material.to_numpy()]) != choice["material"]
print(f"{len(plain)} of {len(choices)} combinations worked out again, {differ} differ")
assert len(plain) and not differ
shares = np.array([[issue in row.split() for issue in issues] for row in plain["material"]]).mean(axis=0)
told = assessment.multiverse.shares.query("choice == 'certainty' and option == 'none'").set_index("issue")["share"]
agree("share of these combinations that call an issue material", told.reindex(issues), shares, 1e-12)

# %% [markdown]
# ## Uncertain group weights
#
# Any weights at all: uniform on all ways to part the whole among the groups of an axis, the answers as they are. Shares
# of own draws against the program's 5,000.

# %%
lot = {
    axis: generator.dirichlet(np.ones(len(omega[axis])), DRAWS) @ means[axis].reindex(omega[axis].index).to_numpy()
    for axis in (x, up)
}
over = {axis: lot[axis] > line[axis] + 1e-9 for axis in (x, up)}
accepted = assessment.acceptability.tiers.query("uncertain == 'any weights'").set_index("issue").loc[issues]
for name, axis in (("above_x", x), ("above_y", up)):
    by_chance(f"{name}, any weights", accepted[name], over[axis].mean(axis=0), program_draws=5_000)
by_chance("tier 1, any weights", accepted["tier_1"], (over[x] & over[up]).mean(axis=0), program_draws=5_000)

# %% [markdown]
# ## Versions and inputs

# %%
for name in ("materiality", "numpy", "scipy", "pandas"):
    print(name, version(name))
print("Python", platform.python_version())
for path in (Path(STUDY) / "study.toml", Path(STUDY) / export["file"]):
    print(f"{path.name}: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
