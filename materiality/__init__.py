"""From a stakeholder survey's export to a materiality matrix that stands up to an auditor.

The public face: `run`, `check`, `simulate` and `review` do what the command line does; `assess` gives every result as a
value; `draw_matrix` and eleven more draw it; `ratings` and `dispositions` are the rows behind it; `load_study` reads a
study file; `MaterialityError` carries the faults of an input.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

HOMES = {
    "run": "commands",
    "check": "commands",
    "simulate": "commands",
    "inspect": "commands",
    "init": "commands",
    "review": "commands",
    "assess": "assessment",
    "Assessment": "assessment",
    "draw_answers": "figures",
    "draw_clusters": "figures",
    "draw_co_assignment": "figures",
    "draw_gaps": "figures",
    "draw_groups": "figures",
    "draw_matrix": "figures",
    "draw_matrix_by_group": "figures",
    "draw_multiverse": "figures",
    "draw_rank_acceptability": "figures",
    "draw_ranks": "figures",
    "draw_rows": "figures",
    "draw_weights": "figures",
    "ratings": "reviewing",
    "dispositions": "reviewing",
    "load_study": "study",
    "Study": "study",
    "MaterialityError": "errors",
    "Fault": "errors",
}
__all__ = sorted(HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import materiality` is instant."""
    if name in HOMES:
        return getattr(import_module(f"materiality.{HOMES[name]}"), name)
    raise AttributeError(f"module 'materiality' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
