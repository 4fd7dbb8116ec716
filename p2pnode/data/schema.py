"""What a task's data looks like: named columns with types and ranges, and the check that rows fit them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from p2pnode.errors import DataError

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


class Kind(enum.Enum):
    """How a column's values are read."""

    NUMBER = "number"
    INTEGER = "integer"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as it stands in the file's header.
        kind: NUMBER and INTEGER lie in low..high (both included); CATEGORY is one of `categories`, by its index.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    categories: tuple[str, ...] = ()

    def read(self, cells: pd.Series[Any], source: str) -> Numbers:
        """The column's cells as checked numbers (rows,); errors name `source`, column and row.

        Raises:
            DataError: a cell is empty, of the wrong type or out of range.
        """
        self._refuse(cells.isna().to_numpy(), "is empty or NaN", source)
        if self.kind is Kind.CATEGORY:
            codes = cells.astype(str).map({name: code for code, name in enumerate(self.categories)})
            self._refuse(codes.isna().to_numpy(), f"is none of {', '.join(self.categories)}", source)
            return np.asarray(codes, np.float64)
        numbers = pd.to_numeric(cells, errors="coerce")
        self._refuse(numbers.isna().to_numpy(), "is not a number", source)
        return self.check(np.asarray(numbers, np.float64), source)

    def check(self, values: Numbers, source: str) -> Numbers:
        """The same numbers (rows,), if this column, which is no category, may hold them.

        Raises:
            DataError: one is NaN or out of range.
        """
        self._refuse(np.isnan(values), "is empty or NaN", source)
        if self.kind is Kind.INTEGER:
            self._refuse(values != np.floor(values), "is not a whole number", source)
        outside = (values < self.low) | (values > self.high)
        self._refuse(outside, f"is outside {self.low:g} to {self.high:g}", source)
        return values

    def write(self, values: Array) -> Array:
        """Inverse of `read`: what a file holds for these numbers."""
        if self.kind is Kind.CATEGORY:
            return np.array(self.categories)[values.astype(np.int64)]
        return values.astype(np.int64) if self.kind is Kind.INTEGER else values

    def _refuse(self, wrong: npt.NDArray[np.bool_], why: str, source: str) -> None:
        """The error names the place and not the value: the rows are private, and logs are passed around."""
        rows = np.flatnonzero(wrong)
        if rows.size:
            more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
            raise DataError(f"{source}: column {self.name!r}, data row {rows[0] + 1}{more}: the value {why}")


def number(name: str, low: float, high: float) -> Column:
    """A column of numbers in low..high."""
    return Column(name, Kind.NUMBER, low, high)


def integer(name: str, low: int, high: int) -> Column:
    """A column of whole numbers in low..high."""
    return Column(name, Kind.INTEGER, low, high)


def category(name: str, *categories: str) -> Column:
    """A column of names, read as the index of each in `categories`."""
    return Column(name, Kind.CATEGORY, categories=categories)


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows that a model learns from or is judged by: x (rows, features) and y (rows,), in the file's own units."""

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.y.shape != self.x.shape[:1]:
            raise DataError(f"examples need x (rows, features) and y (rows,), not {self.x.shape} and {self.y.shape}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: npt.NDArray[np.int64]) -> Examples:
        """The examples at these indices, in this order."""
        return Examples(self.x[rows], self.y[rows])


@dataclass(frozen=True, slots=True)
class Dataset:
    """A task's built-in data: what peers are trained on in simulations, and what the model is judged by."""

    train: Examples
    held_out: Examples


@dataclass(frozen=True, slots=True)
class DataSchema:
    """The columns that a task's data must have; files may have others, which are not read."""

    features: tuple[Column, ...]
    label: Column

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features in order, then the label."""
        return (*self.features, self.label)

    def check_frame(self, frame: pd.DataFrame, source: str) -> Examples:
        """A table's rows as examples, x in float64.

        Raises:
            DataError: naming `source`, and column and row where one is at fault.
        """
        missing = [column.name for column in self.columns if column.name not in frame.columns]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise DataError(
                f"{source}: missing column {', '.join(map(repr, missing[:3]))}{more}; "
                f"the task needs {len(self.columns)} columns, the file has {len(frame.columns)}"
            )
        if frame.empty:
            raise DataError(f"{source}: there are no rows under the header")
        features = [column.read(frame[column.name], source) for column in self.features]
        return Examples(np.stack(features, axis=1), self.label.read(frame[self.label.name], source))

    def check_arrays(self, x: Array, y: Array, source: str) -> Examples:
        """Arrays as examples: x (rows, ...) is flattened to one column a feature and keeps its type.

        Raises:
            DataError: naming `source`, and column and row where one is at fault.
        """
        if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or len(y) == 0:
            raise DataError(f"{source}: needs as many examples as labels, at least one; has {x.shape} and {y.shape}")
        x = x.reshape(len(x), -1)
        if x.shape[1] != len(self.features):
            raise DataError(f"{source}: needs {len(self.features)} features an example, has {x.shape[1]}")
        if x.dtype.kind not in "uif" or y.dtype.kind not in "uif":
            raise DataError(f"{source}: needs numbers, has {x.dtype} and {y.dtype}")
        for column, cells in zip(self.columns, [*x.T, y], strict=True):
            if column.kind is Kind.CATEGORY:
                column.read(pd.Series(cells), source)
            else:
                column.check(np.asarray(cells, np.float64), source)
        return Examples(x, y)

    def frame(self, examples: Examples) -> pd.DataFrame:
        """Inverse of `check_frame`: the table that a file of these examples holds."""
        values = [*examples.x.T, examples.y]
        return pd.DataFrame(
            {column.name: column.write(cells) for column, cells in zip(self.columns, values, strict=True)}
        )
