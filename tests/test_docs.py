"""The guide names every key of the study file, and the changelog and README stand."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from materiality import study as words
from materiality.study import Section, Study, load_study


def sections() -> list[tuple[type[Section], str]]:
    found = [value for value in vars(words).values() if isinstance(value, type) and issubclass(value, Section)]
    return [(model, key) for model in found for key in model.model_fields]


GUIDE = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("model", "key"), sections(), ids=lambda value: getattr(value, "__name__", value))
def test_the_guide_names_every_key(model, key):
    assert re.search(rf"`{key}`|\[+{key}(\]|\.NAME)", GUIDE)


def test_every_choice_of_the_study_file_is_in_the_guide():
    enums = [v for v in vars(words).values() if isinstance(v, type) and issubclass(v, words.StrEnum)]
    missing = {
        choice.value
        for enum in enums
        if enum not in (words.StrEnum, words.Tool)
        for choice in enum
        if f'"{choice.value}"' not in GUIDE
    }
    assert missing == set()


def test_the_study_file_in_the_readme_is_valid(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.search(r"```toml\n(.*?)```", readme, re.DOTALL).group(1)
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert isinstance(load_study(tmp_path), Study)


def test_links_of_the_readme_and_the_guides_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
