"""Imports run one way, and help is had without the heavy libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "materiality"
FLOORS = (
    {"disclosure", "errors", "stats", "placement", "wording"},
    {"agreement", "careless", "choice", "clusters", "intervals", "judgements", "raking", "segments"},
    {"study"},
    {"responses", "simulation"},
    {"reading", "cleaning", "moments", "spooling"},
    {"weights"},
    {"inspection", "gathering"},
    {"drafting"},
    {"samples", "replicates"},
    {"linearisation"},
    {"estimates"},
    {"ranks", "tiers"},
    {"acceptability", "clustering", "tipping"},
    {"matrix", "nonresponse", "style"},
    {"protection"},
    {"groups"},
    {"multiverse", "robustness", "sensitivity"},
    {"segmentation"},
    {"decisions", "notices"},
    {"assessment"},
    {"figures"},
    {"reporting"},
    {"reviewing", "tracing", "verification"},
    {"commands"},
    {"cli"},
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}


def module_of(path: Path) -> str:
    """The module, or the folder with a module's face, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports, also late ones; imports for type checking alone do not count."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "materiality":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("materiality.")}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or not path.stem.startswith("__"))


def test_every_module_has_its_floor():
    assert {module_of(path) for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_floors_below_its_own(path):
    here = module_of(path)
    upward = {name for name in imported(path) if name != here and FLOOR[name] >= FLOOR[here]}
    assert not upward


@pytest.mark.parametrize("module", ["materiality", "materiality.cli"])
def test_neither_the_package_nor_help_loads_the_heavy_libraries(module):
    heavy = "{'pandas', 'numpy', 'scipy', 'matplotlib', 'seaborn', 'pydantic', 'rich', 'sklearn', 'statsmodels'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import materiality

    for name in materiality.__all__:
        assert getattr(materiality, name).__doc__
