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
# # 2 Weights
#
# **The answers are simulated.** They are those of the reference study, `surveys/kstar-2023`; nothing here describes
# real stakeholders.
#
# **Estimand.** The mean rating that all members of a group would give. Weights are there so that a sample which holds
# too many of some people still stands for the whole group.
#
# **Assumptions.** The head counts that the study file gives are right. Within each category of the margins those who
# answered are like those who did not; raking mends the categories, and nothing that goes beyond them. Margins are met
# one by one: their combinations (women in R&D) stay as the sample has them, in the sense that no interaction enters the
# weights.
#
# **What is random.** The sample. The population's margins are taken as known.
#
# **The other ways.** Iterative proportional fitting of single respondents; the condition that any raking solution must
# meet, by regression; the solution of the dual problem with a general optimiser.
#
# **What is not checked.** Whether the margins are the right ones to rake to, trimming, and strata's populations, which
# this study does not use.

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
from scipy import optimize

import materiality

# %% tags=["parameters"]
STUDY = "../surveys/kstar-2023"

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
# ## Raking anew
#
# The only raked group is the employees. Everybody else counts the same within the group.

# %%
weights = pd.Series(1.0, raw.index)
for one in settings["groups"]:
    if "margins" not in one:
        continue
    inside = raw.index[group.eq(one["id"])]
    base = weights[inside].sum()
    turn = 0
    while turn < 1000:
        turn += 1
        before = weights[inside].copy()
        for column, margin in one["margins"].items():
            have = weights[inside].groupby(raw.loc[inside, column].str.strip()).sum()
            want = pd.Series(margin, dtype=float) / sum(margin.values()) * base
            weights[inside] *= raw.loc[inside, column].str.strip().map(want / have)
        if (weights[inside] - before).abs().max() < 1e-13:
            break
    print(f"{one['id']}: {len(inside)} respondents, settled after {turn} turns")

kept = materiality.ratings(assessment)
program = kept.weights.set_index(kept.rows["row"]).sum(axis=1).sort_index()  # everybody is of one group here
agree("weights, respondent by respondent", program, weights.sort_index(), 1e-8)

# %% [markdown]
# **Margins.** The weighted shares of each category against the head counts.

# %%
table = assessment.margins.copy()
recounted = []
for _, line in table.iterrows():
    inside = group.eq(line["group"])
    category = raw.loc[inside, line["column"]].str.strip()
    recounted.append(
        (
            category.eq(line["category"]).mean(),
            program[inside[inside].index][category.eq(line["category"])].sum() / program[inside[inside].index].sum(),
        )
    )
before, after = np.array(recounted).T
margin = {one["id"]: one.get("margins", {}) for one in settings["groups"]}
wanted = [
    margin[g][c][k] / sum(margin[g][c].values())
    for g, c, k in zip(table["group"], table["column"], table["category"], strict=True)
]
agree("shares wanted", table["wanted"], wanted, 1e-12)
agree("shares before weighting", table["before"], before, 1e-12)
agree("shares after weighting", table["after"], after, 1e-9)
agree("margins met", after, wanted, 1e-9)
display(table.round(3))

# %% [markdown]
# **Is it the raking solution?** Among all weights that meet the margins, raking takes those nearest to the design
# weights (in Kullback and Leibler's distance), and these are the only ones whose logarithm is a sum of effects of the
# categories. So a regression of log w on the dummies must fit without any residual. A second solver minimises the
# convex dual problem with scipy.

# %%
inside = group.eq("employees")
dummies = pd.get_dummies(
    raw.loc[inside, list(margin["employees"])].apply(lambda column: column.str.strip()), dtype=float
)
log_weight = np.log(program[inside[inside].index])
residual = log_weight - dummies.to_numpy() @ np.linalg.lstsq(dummies.to_numpy(), log_weight, rcond=None)[0]
agree("residuals of log w on the margins", residual, np.zeros(len(residual)), 1e-8)

target = (
    np.concatenate(
        [
            np.array(
                [
                    margin["employees"][c][k]
                    for k in [name.removeprefix(f"{c}_") for name in dummies.filter(like=f"{c}_").columns]
                ],
                float,
            )
            / sum(margin["employees"][c].values())
            for c in margin["employees"]
        ]
    )
    * inside.sum()
)
dual = optimize.minimize(
    lambda b: np.exp(dummies.to_numpy() @ b).sum() - target @ b,
    np.zeros(dummies.shape[1]),
    jac=lambda b: dummies.to_numpy().T @ np.exp(dummies.to_numpy() @ b) - target,
    method="BFGS",
    options={"gtol": 1e-9},
)
agree("weights by the dual problem", program[inside[inside].index], np.exp(dummies.to_numpy() @ dual.x), 1e-6)

# %% [markdown]
# ## What weighting costs
#
# Kish: weights that differ make n respondents count as (Σ w)² / Σ w². The design effect is n over that.

# %%
shown = assessment.weighting.set_index("group")
shown = shown[shown["n"].notna()]
kish = weights.groupby(group).agg(lambda w: w.sum() ** 2 / (w**2).sum()).reindex(shown.index)
size = group.value_counts().reindex(shown.index)
agree("respondents", shown["n"].astype(int), size)
agree("effective n", shown["n_effective"], kish, 1e-8)
agree("design effect", shown["design_effect"], size / kish, 1e-10)
display(shown.round(2))

# %%
cells = assessment.weights.set_index(["group", "cell"])
cells = cells[cells["n"].notna() & cells.index.get_level_values("cell").str.contains(":")]
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
for k, (_, line) in enumerate(cells.iterrows()):
    axis.plot([line["share_before"], line["share_after"]], [k, k], color="0.7")
    axis.plot(line["share_before"], k, "o", color="0.55", label="before" if not k else None)
    axis.plot(line["share_after"], k, "o", color="0.1", label="after" if not k else None)
axis.set(
    yticks=range(len(cells)),
    yticklabels=[name for _, name in cells.index],
    xlabel="share of the employees",
    xlim=(0, None),
    title="Employees before and after weighting (simulated answers)",
)
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What weighting gains, and whether it matters
#
# The answers are simulated, so the truth is in the study file: each axis's mean of an issue plus the group's shift.
# Women and R&D staff were made to answer higher and to answer more often, so employees' means without weights lie too
# high. With weights the mean error over the 25 issues has to come nearer to zero. That is a check of the whole chain,
# not only of the arithmetic.

# %%
truth = settings["simulation"]
shift = pd.Series(truth["shifts"]["employees"]).reindex(issues).fillna(0.0)
for axis in axes:
    mine = ratings[axis][inside]
    w = weights[inside]
    rated = mine.notna()
    plain = mine.mean()
    weighted = mine.mul(w, axis=0).sum() / rated.mul(w, axis=0).sum()
    line = assessment.group_scores.query("axis == @axis and group == 'employees'").set_index("issue")["estimate"]
    agree(f"employees' means on {axis}", line.reindex(issues), weighted, 1e-9)
    actual = pd.Series(truth["means"][axis]).reindex(issues) + shift
    without, with_weights = (plain - actual).mean(), (weighted - actual).mean()
    print(f"  mean error on {axis}: {without:+.3f} without weights, {with_weights:+.3f} with")
    assert abs(with_weights) < abs(without)

# %% [markdown]
# ## Versions and inputs

# %%
for name in ("materiality", "numpy", "scipy", "pandas"):
    print(name, version(name))
print("Python", platform.python_version())
for path in (Path(STUDY) / "study.toml", Path(STUDY) / export["file"]):
    print(f"{path.name}: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
