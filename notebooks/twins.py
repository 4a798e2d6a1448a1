"""Write the `.ipynb` twins of the scripts beside this file, and the template that `materiality review` runs.

    python notebooks/twins.py

Needs jupytext. Cells are numbered instead of named at random, so that the same scripts give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import jupytext

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "materiality" / "review.ipynb"


def twin(script: Path) -> str:
    """The notebook that a percent script stands for, without outputs."""
    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02}"
    notebook.metadata = {"kernelspec": dict(notebook.metadata["kernelspec"])}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def written() -> dict[Path, str]:
    """What should stand in each file."""
    twins = {script.with_suffix(".ipynb"): twin(script) for script in sorted(HERE.glob("[0-9]_*.py"))}
    return {**twins, TEMPLATE: twins[HERE / "5_review.ipynb"]}


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8", newline="\n")
