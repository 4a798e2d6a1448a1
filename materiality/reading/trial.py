"""A trial reading in a process of its own: a damaged file that ends its reader ends that process, and not the program.

The libraries that read files of SPSS and Stata and older workbooks are written in C and Rust. Over a spoilt file they
may crash, or ask for more memory than there is, and no `except` sees that. So the file is read once elsewhere first.
This file is also the script of that process: it imports nothing of the package, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

MEMORY = 4 << 30
MEMORY_PER_BYTE = 64
"""A trial may use this much memory, and so much more for each byte of the file."""
SECONDS, SECONDS_PER_MEGABYTE = 60, 10
TOO_MUCH_MEMORY = 3
CELLS_AT_ONCE = 1 << 21


def survives(path: Path, *, sheet: str = "") -> bool:
    """Whether a file can be read to its end, or is refused by its library, without ending the process that reads it.

    Parameters
    ----------
    path : Path
        A file of SPSS or Stata, or a workbook.
    sheet : str
        Of a workbook: the sheet to read; every sheet where it is empty.
    """
    if not sys.executable:
        return True
    size = path.stat().st_size
    limits = str(MEMORY + MEMORY_PER_BYTE * size)
    try:
        ended = subprocess.run(
            [sys.executable, "-P", __file__, str(path.resolve()), limits, sheet],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS + SECONDS_PER_MEGABYTE * (size >> 20),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def _limit(memory: int) -> None:
    """Let this process fail rather than take the machine's memory, and leave no core file; where the system can."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _read(path: str, sheet: str) -> None:
    ending = path.rpartition(".")[2].lower()
    if ending in {"xlsx", "xlsm", "xlsb", "xls", "ods"}:
        from python_calamine import CalamineWorkbook

        workbook = CalamineWorkbook.from_path(path)
        for name in [sheet] if sheet else workbook.sheet_names:
            workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        return
    import pyreadstat

    options: dict[str, Any] = {"disable_datetime_conversion": True, "output_format": "dict"}
    if ending == "por":
        pyreadstat.read_por(path, **options)
        return
    read: Any = pyreadstat.read_dta if ending == "dta" else pyreadstat.read_sav
    options["user_missing"] = True
    columns = len(read(path, metadataonly=True, **options)[1].column_names)
    size = max(1, CELLS_AT_ONCE // max(1, columns))
    for data, _ in pyreadstat.read_file_in_chunks(read, path, chunksize=size, **options):
        if not data or len(next(iter(data.values()))) < size:
            return


def _main() -> None:
    path, memory, sheet = sys.argv[1:]
    _limit(int(memory))
    try:
        _read(path, sheet)
    except MemoryError:
        sys.exit(TOO_MUCH_MEMORY)
    except BaseException:  # told by whoever reads the file next
        pass


if __name__ == "__main__":
    _main()
