"""Where a peer's examples come from: its own CSV, Parquet or .npz file, checked against the task's schema."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from p2pnode.data.schema import DataSchema, Examples
from p2pnode.errors import DataError

READERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


def load_examples(path: Path, schema: DataSchema) -> Examples:
    """A peer's own data: `.csv` and `.parquet` by column names, `.npz` from its arrays `x` and `y`.

    Raises:
        DataError: the file is missing, unreadable, or does not fit the schema; names file, column and row.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return load_npz(path, schema, x="x", y="y")
    if suffix not in READERS:
        raise DataError(f"{path}: data files end in .csv, .parquet or .npz, not {suffix or 'nothing'!r}")
    _must_exist(path)
    try:
        frame = READERS[suffix](path)
    except (ValueError, OSError) as error:  # pandas' and Arrow's own errors are ValueErrors
        raise DataError(f"{path}: cannot be read as {suffix}: {error}") from error
    return schema.check_frame(frame, str(path))


def load_npz(path: Path, schema: DataSchema, *, x: str, y: str) -> Examples:
    """The examples in the arrays named `x` (rows, ...) and `y` (rows,) of an .npz file.

    Raises:
        DataError: as `load_examples`.
    """
    _must_exist(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return schema.check_arrays(_array(arrays, x), _array(arrays, y), str(path))
    except KeyError as error:
        raise DataError(f"{path}: holds no array {error}; needs {x!r} and {y!r}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as .npz: {error}") from error


def export_csv(path: Path, schema: DataSchema, examples: Examples) -> None:
    """Writes examples as the CSV file that `load_examples` reads back."""
    schema.frame(examples).to_csv(path, index=False)


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such data file; give the path of a .csv, .parquet or .npz file")


def _array(arrays: Any, name: str) -> npt.NDArray[Any]:
    if name not in arrays:
        raise KeyError(name)
    return np.asarray(arrays[name])
