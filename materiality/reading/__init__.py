"""Exports of survey tools, read block by block into responses."""

from materiality.reading.blocks import SIMULATED_MARK, Source, duplicated, open_exports, stratum_code
from materiality.reading.tables import open_table

__all__ = ["SIMULATED_MARK", "Source", "duplicated", "open_exports", "open_table", "stratum_code"]
