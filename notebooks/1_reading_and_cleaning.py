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
# # 1 Reading and cleaning
#
# **The answers are simulated.** They are those of the reference study, `surveys/kstar-2023`; nothing here describes
# real stakeholders.
#
# **What is looked at.** Which rows of the export count, and what was read in each cell. Nothing is estimated yet, so
# nothing is random: every number has to agree exactly.
#
# **Assumptions.** A row is one respondent. The rules of `[cleaning]` in the study file say which rows are left out, and
# the first rule that drops a row owns it. Whoever is left out is taken to be missing by chance; no number can say
# whether that is so.
#
# **The other way.** The export is read anew with pandas, all cells as text, and each rule is written down once more in
# plain pandas, without the program.
#
# **What is not checked.** The readers of other formats and tools (the tests read real exports), and rules that this
# study does not need: previews, unknown groups, duplicates that differ.

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

# %%
assessment = materiality.assess(STUDY)
study = assessment.study
settings = tomllib.loads((Path(STUDY) / "study.toml").read_text(encoding="utf-8"))
assert assessment.simulated and settings["simulated"], "this notebook is for the simulated reference study"
print(study.title)


def agree(what, program, here, allowed=0.0):
    """Print both and stop where they differ by more than is allowed."""
    apart = np.abs(np.asarray(program, float) - np.asarray(here, float)).max(initial=0.0)
    print(f"{what}: largest difference {apart:.1e}, allowed {allowed:.0e}")
    assert apart <= allowed, what


# %% [markdown]
# ## The export, read anew
#
# Row numbers are those that a spreadsheet shows: the header is row 1.

# %%
export = settings["responses"][0]
raw = pd.read_csv(Path(STUDY) / export["file"], dtype=str, keep_default_na=False, encoding="utf-8-sig")
raw.index = pd.RangeIndex(2, len(raw) + 2, name="row")
labels = {text.casefold(): point for text, point in settings["scale"]["labels"].items()}
labels |= {str(point): point for point in range(settings["scale"]["low"], settings["scale"]["high"] + 1)}
special = {text.casefold(): kind for text, kind in settings["scale"]["special"].items()}
axes, issues = list(settings["axes"]), [issue["id"] for issue in settings["issues"]]
columns = {
    axis: [settings["axes"][axis]["column"].replace("{label}", issue["label"]) for issue in settings["issues"]]
    for axis in axes
}
questions = [column for axis in axes for column in columns[axis]]
answers = raw[questions].apply(lambda column: column.str.strip().str.casefold())
unread = set(answers.to_numpy().ravel()) - set(labels) - set(special) - {""}
print(
    f"{len(raw)} rows, {len(questions)} questions, {len(unread)} kinds of answer that the study file does not explain"
)
assert not unread

ratings = answers.apply(lambda column: column.map(labels)).astype(float)
kinds = answers.apply(lambda column: column.map(special))
words = {g["id"]: {g["id"], g["label"], *g["answers"]} for g in settings["groups"]}
known = {text.casefold(): gid for gid, texts in words.items() for text in texts}
group = raw[export["group"]].str.strip().str.casefold().map(known)
seconds = pd.to_numeric(raw[export["seconds"]], errors="coerce")

# %% [markdown]
# ## The rules, written down once more
#
# Answered is whatever is not blank, a "don't know" included. A group is asked the questions of the axes that list it.

# %%
rules = settings.get("cleaning", {})
asked_of = {
    gid: [column for axis in axes if gid in settings["axes"][axis].get("groups", words) for column in columns[axis]]
    for gid in words
}
answered = answers.ne("")
put = pd.DataFrame({gid: pd.Series(questions, questions).isin(asked_of[gid]) for gid in words}).T  # group × question
put_to = pd.DataFrame(put.reindex(group).fillna(True).to_numpy(bool), raw.index, questions)
share = (answered & put_to).sum(axis=1) / put_to.sum(axis=1)
marks = {
    "blank row": raw.apply(lambda column: column.str.strip()).eq("").all(axis=1),
    "no group": raw[export["group"]].str.strip().eq(""),
    "no rating": ratings.isna().all(axis=1),
    "too few answers": share < rules.get("min_share_answered", 0.5),
    "too fast": seconds < rules.get("seconds_per_answer", 2.0) * answered.sum(axis=1),
}
reason = pd.Series("", raw.index)
for name, marked in marks.items():
    reason[marked & reason.eq("")] = name
again = raw[export["respondent"]].where(reason.eq("")).dropna()
again = again[again.ne("")]
reason[again.index[again.duplicated()]] = "duplicate respondent"

# %% [markdown]
# Then single signs of careless answering, which flag a row, and two signs of different kinds, which drop it. Straight
# lines and long runs are looked for on each axis that asks the respondent; speed and rarity compare with everybody not
# dropped so far. Rarity is Mahalanobis's distance: for each row, the mean and covariance (over pairs of answers) of
# just the questions it rated, and Penny's beta law, the row being one of the sample.

# %%
kept = reason.eq("")
flags = pd.DataFrame(False, raw.index, ["straight-lined", "long run", "relatively fast", "rare answers"])
for axis in axes:
    asks = group.isin(list(settings["axes"][axis].get("groups", words)))
    longest, given = pd.Series(0, raw.index), ratings[columns[axis]].notna().sum(axis=1)
    for row, line in ratings.loc[kept & asks, columns[axis]].iterrows():
        values = line.dropna().to_numpy()
        longest[row] = max(map(len, np.split(values, np.flatnonzero(np.diff(values)) + 1)))
    flags["straight-lined"] |= (given >= 3) & (longest == given)
    share_of = rules.get("long_run_share", 0.8) * given
    flags["long run"] |= (longest >= rules.get("long_run_length", 8)) & (longest >= share_of) & (longest > 0)
pace = seconds / answered.sum(axis=1)
flags["relatively fast"] = kept & (pace[kept].median() / pace > rules.get("times_as_fast", 2.0))

sample = ratings[kept]
mean, covariance = sample.mean(), sample.cov().to_numpy()
together = sample.notna().astype(int).T.to_numpy() @ sample.notna().astype(int).to_numpy()
chance = []
for line in (sample - mean).to_numpy():
    own = np.isfinite(line)
    squared = line[own] @ np.linalg.solve(covariance[np.ix_(own, own)], line[own])
    n, d = together[np.ix_(own, own)].min(), own.sum()
    chance.append(stats.beta.sf(min(squared * n / (n - 1) ** 2, 1), d / 2, (n - d - 1) / 2) if n >= 5 * d else 1.0)
flags["rare answers"] = pd.Series(chance, sample.index).reindex(raw.index) < rules.get("rare_below", 0.001)

kinds_of_sign = [flags["straight-lined"] | flags["long run"], flags["relatively fast"], flags["rare answers"]]
reason[kept & (sum(sign.astype(int) for sign in kinds_of_sign) >= 2)] = "careless"

# %% [markdown]
# ## Both accounts side by side

# %%
ledger = materiality.dispositions(assessment).set_index("row")
both = (
    pd.DataFrame(
        {
            "program": ledger["reason"].replace("", "kept").value_counts(),
            "here": reason.replace("", "kept").value_counts(),
        }
    )
    .fillna(0)
    .astype(int)
)
display(both)
agree("rows read", len(ledger), len(raw))
agree("rows kept", ledger["fate"].eq("kept").sum(), reason.eq("").sum())
differ = ledger["reason"].reindex(raw.index).ne(reason)
print(f"rows whose fate differs: {differ.sum()}")
assert not differ.any()
for name in flags:
    here = flags.loc[reason.eq(""), name]
    there = ledger.loc[ledger["fate"] == "kept", "flags"].str.split("; ").map(lambda found, name=name: name in found)
    print(f"kept and flagged as {name}: {there.sum()}, here {here.sum()}")
    assert there.sort_index().eq(here).all()

# %%
flow = both.loc[
    ["kept", *(name for name in [*marks, "duplicate respondent", "careless"] if name in both.index)], "program"
]
figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
axis.barh(flow.index[1:], flow[1:], color="0.45")
axis.invert_yaxis()
axis.set(xlabel="rows", title=f"Rows left out, of {len(raw)} read (simulated answers)")
plt.show()

# %% [markdown]
# ## The cells
#
# Each rating that the program used against the one read here, respondent by respondent (in memory; only the count of
# differences is shown), and the answers that are no rating, by axis.

# %%
used = materiality.ratings(assessment)
at = used.rows["row"].to_numpy()
for axis in axes:
    here = ratings.loc[at, columns[axis]].to_numpy()
    there = used.by_axis[axis][issues].to_numpy()
    differ = ~((here == there) | (np.isnan(here) & np.isnan(there)))
    print(f"{axis}: {here.size:,} cells of kept rows, {np.isfinite(here).sum():,} ratings, {differ.sum()} differ")
    assert not differ.any()
membership = pd.get_dummies(group.loc[at]).reindex(columns=list(words)).fillna(False).to_numpy(bool)
assert (membership == (used.weights[list(words)].to_numpy() > 0)).all(), "groups"

shown = assessment.group_scores[~assessment.group_scores["suppressed"].astype(bool)]
for kind in ("dont_know", "not_applicable", "blank"):
    of = answers.eq("") if kind == "blank" else kinds.eq(kind)
    by_group = of.loc[at].groupby(group.loc[at]).sum()
    column = dict(zip(((axis, issue) for axis in axes for issue in issues), questions, strict=True))
    lines = zip(shown["axis"], shown["group"], shown["issue"], strict=True)
    here = [by_group.loc[gid, column[axis, issue]] for axis, gid, issue in lines]
    agree(f"answers that are {kind}, by group, issue and axis", shown[kind].astype(int), here)
points = ratings.loc[at].stack().value_counts().sort_index()
print("share of ratings at each point:", (points / points.sum()).round(3).to_dict())

# %% [markdown]
# The ceiling shows: more than half of the ratings are 4 or 5. Intervals have to reckon with it (notebook 3).
#
# ## Versions and inputs

# %%
for name in ("materiality", "numpy", "scipy", "pandas"):
    print(name, version(name))
print("Python", platform.python_version())
for path in (Path(STUDY) / "study.toml", Path(STUDY) / export["file"]):
    print(f"{path.name}: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
