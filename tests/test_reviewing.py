"""The kept rows as frames, and the review: what it holds, where it lies, and that each of its checks can fail."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import HEADER, ROOT, ROWS, SKIP_NOTHING, STUDY, shared, write_study

import materiality
from materiality import MaterialityError, reviewing
from materiality.cli import main
from materiality.reporting.tables import write_dispositions

SOURCE = ROOT / "notebooks" / "5_review.py"
JUPYTER = all(find_spec(name) for name in reviewing.MODULES)
needs_jupyter = pytest.mark.skipif(not JUPYTER and not SKIP_NOTHING, reason="the extra `notebooks` is not installed")


def invoke(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def reviewed(study, spoil="", draws=2_000):
    """The checks of the review's script, by name, run in this process; `spoil` is done to the program's results."""
    text = SOURCE.read_text(encoding="utf-8")
    text = re.sub(r"^STUDY = .*$", lambda _: f"STUDY = {str(study)!r}", text, count=1, flags=re.MULTILINE)
    text = text.replace("DRAWS = 10_000", f"DRAWS = {draws}").replace("# %% [markdown]\n# ## 1 The rows", spoil)
    text = text.replace("from IPython.display import Image, display", "Image = display = lambda *_, **__: None")
    text = text.replace(
        "from matplotlib import pyplot as plt", "import matplotlib.pyplot as plt\nplt.switch_backend('agg')"
    )
    text = text.replace("warnings.formatwarning = ", "_ = ").replace("pd.set_option(", "dict.fromkeys((")
    text = text.replace('"display.max_colwidth", None)', '"display.max_colwidth", None))')
    found: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(AssertionError):
        exec(compile(text, str(SOURCE), "exec"), found)
    return {one["check"]: one["result"] for one in found["checks"]}


def made(folder, n, *, header="", multi=False, skip=0.05, lacking=(), toml="", seed=1):
    """A study of four groups and two axes with drawn answers; `n` respondents per group."""
    generator = np.random.default_rng(seed)
    rows = []
    for group, people in zip("abcd", n, strict=True):
        for _ in range(people):
            groups = group
            if multi and generator.random() < 0.3:
                groups += f";{generator.choice([other for other in 'abcd' if other != group])}"
            level = generator.normal(3.6, 0.5)
            ratings = np.clip(np.round(generator.normal(level + 0.15 * np.tile(np.arange(5), 2), 0.9)), 1, 5)
            cells = [
                "" if generator.random() < skip or (group, k % 5) in lacking else int(v) for k, v in enumerate(ratings)
            ]
            sex, weight = generator.choice(["f", "m"]), round(generator.uniform(0.5, 2), 2)
            rows.append(
                [len(rows), groups, sex, weight, generator.integers(1, 9), generator.choice(["n", "s"]), *cells]
            )
    folder.mkdir()
    with (folder / "r.csv").open("w", encoding="utf-8", newline="") as file:
        head = ["id", "group", "sex", "w", "team", "site", *(f"p{k}" for k in range(5)), *(f"q{k}" for k in range(5))]
        csv.writer(file).writerows([head, *rows])
    issues = "".join(f'[[issues]]\nid = "i{k}"\n' for k in range(5))
    axes = ""
    for name, groups in (("p", "{ a = 2, b = 1, c = 1 }"), ("q", "{ b = 1, d = 3 }")):
        columns = ", ".join(f'i{k} = "{name}{k}"' for k in range(5))
        axes += f"[axes.{name}]\ncolumns = {{ {columns} }}\ngroups = {groups}\n"
    given = re.findall(r"id = \"([abcd])\"", toml)
    groups = "".join(f'[[groups]]\nid = "{group}"\n' for group in "abcd" if group not in given)
    (folder / "study.toml").write_text(
        'title = "Made"\n[scale]\nlow = 1\nhigh = 5\n'
        f'[[responses]]\nfile = "r.csv"\nrespondent = "id"\ngroup = "group"\n{header}\n'
        f'{toml}\n{groups}{issues}{axes}[matrix]\nx = "q"\ny = "p"\n'
        '[cleaning]\nno_rating = "off"\ntoo_few_answers = "off"\n',
        encoding="utf-8",
    )
    return folder


RAKED = '[[groups]]\nid = "a"\n[groups.margins.sex]\nf = 60\nm = 40\n'


# the rows


def test_the_ratings_are_those_of_the_export(small_study):
    kept = materiality.ratings(materiality.assess(small_study))
    assert kept.rows[["file", "row", "design_weight", "flags"]].to_numpy().tolist() == [
        ["responses.csv", row, 1.0, ""] for row in range(2, 7)
    ]
    assert kept.by_axis["people"].to_numpy().tolist() == [[float(v) for v in line.split(",")[2:5]] for line in ROWS]
    assert kept.by_axis["business"].columns.tolist() == ["climate", "safety", "ethics"]
    assert kept.weights.to_numpy().tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]


def test_ratings_give_raked_weights_and_categories(tmp_path):
    kept = materiality.ratings(
        materiality.assess(made(tmp_path / "s", (30, 12, 9, 9), header='weight = "w"', toml=RAKED))
    )
    sex = pd.read_csv(tmp_path / "s" / "r.csv")["sex"]
    inside = kept.design["a"] > 0
    assert kept.categories["a"]["sex"][inside].tolist() == sex[:30].tolist()
    assert kept.categories["a"]["sex"][~inside].isna().all()
    shares = kept.weights["a"][inside].groupby(sex[:30]).sum() / kept.weights["a"].sum()
    assert shares.to_dict() == pytest.approx({"f": 0.6, "m": 0.4})
    assert kept.weights["a"].sum() == pytest.approx(kept.rows["design_weight"][inside].sum())
    assert kept.weights["b"].tolist() == kept.design["b"].tolist()


def test_dispositions_are_the_lines_of_the_table(tmp_path):
    study = write_study(tmp_path / "s", rows=(*ROWS, "6,,1,1,1,1,1,1", ",,,,,,,", "7,Staff,3,3,3,3,3,3"))
    assessment = materiality.assess(study)
    write_dispositions(assessment, tmp_path / "dispositions.csv")
    written = pd.read_csv(tmp_path / "dispositions.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(materiality.dispositions(assessment), written, check_dtype=False)
    assert written["fate"].value_counts().to_dict() == {"kept": 6, "excluded": 2}


# what the review checks


@pytest.mark.parametrize(
    ("n", "options"),
    [
        pytest.param((30, 12, 7, 3), {}, id="a hidden group"),
        pytest.param((12, 8, 6, 1), {}, id="a group of one"),
        pytest.param((12, 8, 6, 5), {"lacking": {("c", 1), ("c", 3)}}, id="issues that a group did not rate"),
        pytest.param(
            (30, 20, 15, 9),
            {
                "multi": True,
                "header": 'group_separator = ";"\nweight = "w"',
                "toml": '[[groups]]\nid = "a"\npopulation = 80\n',
            },
            id="people in several groups, design weights, a population",
        ),
        pytest.param((40, 25, 15, 9), {"header": 'weight = "w"', "toml": RAKED}, id="a small raked group"),
        pytest.param((240, 25, 15, 9), {"header": 'weight = "w"', "toml": RAKED}, id="a large raked group"),
        pytest.param((40, 30, 25, 20), {"header": 'cluster = "team"'}, id="clusters"),
        pytest.param((40, 30, 25, 20), {"header": 'stratum = "site"'}, id="strata"),
        pytest.param(
            (30, 20, 15, 15),
            {"toml": '[tiers]\nmethod = "kmeans"\nclusters = 2\n[tiers.thresholds]\np = "top 2"\nq = "largest_gap"\n'},
            id="clusters of issues",
        ),
    ],
)
def test_the_review_holds_for_every_kind_of_study(n, options, tmp_path):
    checks = reviewed(made(tmp_path / "s", n, **options))
    assert len(checks) > 20
    assert [name for name, result in checks.items() if result == "FAILS"] == []


@pytest.mark.parametrize("name", ["haibei", "spack-2020"])
def test_the_review_holds_for_real_studies(name):
    checks = reviewed(shared("studies", name))
    assert [name for name, result in checks.items() if result != "holds"] == []


SPOILT = """
a = assessment
a.gathered.exports[0].fates.clear()
kept.rows.loc[0, "row"] = 99
kept.weights.iloc[:5, 0] *= 1.01
a.weighting["n_effective"] += 0.001
for table, column, by in (
    (a.scores, "estimate", 1e-6), (a.scores, "n", 1), (a.group_scores, "estimate", 1e-6), (a.scores, "std_error", 1e-6),
    (a.scores, "df", 0.01), (a.group_scores, "std_error", 1e-6), (a.scores, "conf_low", 1e-4),
    (a.scores, "conf_high", 1e-4), (a.scores, "rank", 1), (a.scores, "rank_low", -9),
    (a.matrix.points, "tier", 1), (a.tips, "tip", 0.01),
    (a.without_group, "without", 1e-4), (a.without_group, "tier_without", 1),
):
    table[column] = table[column] + by
a.estimates.covariance[0, 1] += 1e-6
a.matrix.points["material"] = ~a.matrix.points["material"]
a.matrix.points["tier_confidence"] = 0.5 * a.matrix.points["tier_confidence"]
a.matrix.points["p_material"] = 1 - a.matrix.points["p_material"]
object.__setattr__(a.matrix, "x_threshold", a.matrix.x_threshold + 1e-3)
a.multiverse.choices["material"] = ""
a.unreliable.loc[99] = ["p", "i0", 3]
if closed:
    released.scores["estimate"] = released.scores["estimate"] + 0.2
"""


def test_each_check_of_the_review_can_fail(tmp_path):
    study = made(tmp_path / "s", (30, 12, 9, 9), header='weight = "w"', toml=RAKED)
    sound, spoilt = reviewed(study), reviewed(study, SPOILT)
    assert set(sound.values()) == {"holds"}
    never = {name for name, result in spoilt.items() if result == "holds"}
    # of these the program's own lines would have to be spoilt, which the reader's tests do
    assert never <= {
        "one line per row",
        "excluded rows have a reason, kept rows none",
        "rows of r.csv",
        "r.csv counted anew",
    }


# where it lies


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run of a small study with strange names, reviewed."""
    if not JUPYTER and not SKIP_NOTHING:
        pytest.skip("the extra `notebooks` is not installed")
    base = tmp_path_factory.mktemp("review")
    text = STUDY.replace("A small study", "A <b>small</b> study & $x_1$").replace(
        'label = "Ethics"', 'label = "Ethics <script>alert(1)</script>"'
    )
    study = write_study(base / "study", study=text, header=HEADER.replace("Ethics", "Ethics <script>alert(1)</script>"))
    materiality.run(study, out=base / "out", figures="main")
    before = {path: path.read_bytes() for path in (base / "out").rglob("*") if path.is_file()}
    done = invoke("review", study, "--out", base / "out")
    return study, base / "out", before, done


def test_a_review_is_written_beside_the_report(written):
    _, out, _, done = written
    assert (done.exit_code, done.output) == (
        0,
        f"Written: {out / 'review' / 'review.html'}\nAll checks of the review hold.\n",
    )
    assert {path.name for path in (out / "review").iterdir()} == {"review.html", "review.ipynb"}


def test_a_review_leaves_the_run_as_it_was_and_is_named_in_its_manifest(written):
    _, out, before, _ = written
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == {"manifest.json"}
    manifest = json.loads((out / "manifest.json").read_text())
    entries = {entry.pop("path"): entry for entry in manifest.pop("outputs")}
    earlier = json.loads(before[out / "manifest.json"])
    assert {key: value for key, value in earlier.items() if key != "outputs"} == manifest
    assert set(entries) == {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {
        "manifest.json"
    }
    for path, entry in entries.items():
        content = (out / path).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_review_gives_the_same_bytes_again_and_again(written, tmp_path):
    study, out, _, _ = written
    found = materiality.review(study, out=tmp_path / "again")
    assert found.failed == ()
    for path in found.folder.iterdir():
        assert path.read_bytes() == (out / "review" / path.name).read_bytes()


def test_a_run_of_something_else_replaces_the_review_and_says_so(written, tmp_path):
    study, out, _, _ = written
    shutil.copytree(out, tmp_path / "out")
    done = invoke("run", study, "--seed", 5, "--figures", "main", "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert done.output.endswith("The review of the earlier run went with it; `materiality review` makes a new one.\n")
    assert not (tmp_path / "out" / "review").exists()


def test_a_review_beside_other_results_is_refused(written):
    study, out, _, _ = written
    with pytest.raises(MaterialityError) as told:
        materiality.review(study, out=out, seed=7)
    assert str(told.value) == (
        f"{out}: the folder holds results of other answers, another study file, version, library or seed; a review "
        "beside them would speak of what is not there.\n"
        "  Mend: do `materiality run` again with the same options, or choose another folder with --out."
    )


def test_a_folder_of_somebody_else_is_refused(small_study, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MaterialityError, match="no run of materiality wrote it"):
        materiality.review(small_study, out=tmp_path)


def test_without_jupyter_the_extra_is_named(small_study, tmp_path, monkeypatch):
    monkeypatch.setattr(reviewing, "MODULES", ("nbformat", "no_such_module"))
    done = invoke("review", small_study, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stderr == (
        "a review is a notebook, and these packages that run one are not installed: no_such_module.\n"
        '  Mend: pip install "materiality[notebooks]"\n'
    )
    assert not (tmp_path / "out").exists()


def failing():
    """A notebook two of whose cells fail."""
    sources = ("STUDY = ''", "1 / 0", "print(STUDY)\nassert False, 'scores: <2> apart\\nranks: 1 wrong'")
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{k}",
            "metadata": {} if k else {"tags": ["parameters"]},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for k, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@needs_jupyter
def test_a_review_with_a_failure_is_written_and_ends_with_one(small_study, tmp_path, monkeypatch):
    (tmp_path / "failing.ipynb").write_text(failing())
    monkeypatch.setattr(reviewing, "TEMPLATE", tmp_path / "failing.ipynb")
    done = invoke("review", small_study, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "review" / "review.html").read_text(encoding="utf-8")
    assert done.exit_code == 1
    assert done.stdout == f"Written: {tmp_path / 'out' / 'review' / 'review.html'}\n"
    assert done.stderr == (
        "Failed: cell 3 ended with ZeroDivisionError: division by zero\n"
        "Failed: scores: <2> apart\nFailed: ranks: 1 wrong\n"
    )
    assert "scores: &lt;2&gt; apart" in page and "These checks failed" in page
    assert str(tmp_path) not in page and "most recent call last" not in page


# the page


class Loads(HTMLParser):
    """What a page would load, and the elements that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]


def test_the_page_loads_nothing_and_runs_nothing(written):
    text = (written[1] / "review" / "review.html").read_text(encoding="utf-8")
    page = Loads(text)
    assert all(value.startswith(("data:", "#")) for value in page.loads)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text


def test_names_stay_text(written):
    text = (written[1] / "review" / "review.html").read_text(encoding="utf-8")
    assert "A &lt;b&gt;small&lt;/b&gt; study &amp; $x_1$" in text
    assert "<b>small" not in text and "alert(1)</script>" not in text


def test_nothing_of_the_machine_is_in_a_review(written):
    study, out, _, _ = written
    for path in (out / "review").iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(study.parent) not in text and str(ROOT) not in text


def test_the_page_opens_in_a_browser_without_a_complaint(written, open_page):
    page = open_page((written[1] / "review" / "review.html").as_uri())
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 360, "height": 800})
    narrow = page.evaluate("document.documentElement.scrollWidth")
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
    assert page.faults == []
    assert (wide, narrow, broken) == (1280, 360, 0)
