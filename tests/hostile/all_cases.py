"""All hostile cases."""

from __future__ import annotations

import cases_cells  # noqa: F401
import cases_studies  # noqa: F401
import cases_text  # noqa: F401
import cases_workbooks  # noqa: F401
from make import CASES

__all__ = ["CASES"]
