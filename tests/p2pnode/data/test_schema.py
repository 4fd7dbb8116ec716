from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from p2pnode.data.schema import DataSchema, Examples, category, integer, number
from p2pnode.errors import DataError

SCHEMA = DataSchema((number("age", 0, 120), integer("visits", 0, 9)), category("ill", "no", "yes"))
GOOD = {"age": [30.5, 41, 52], "visits": [1, 2, 3], "ill": ["no", "yes", "no"]}


def check(**columns: object) -> Examples:
    return SCHEMA.check_frame(pd.DataFrame({**GOOD, **columns}), "clinic.csv")


def test_good_rows_become_numbers_in_the_schemas_order():
    examples = check(extra=["a", "b", "c"], visits=["1", "2", "3"])
    assert examples.x.tolist() == [[30.5, 1], [41, 2], [52, 3]]
    assert examples.y.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"age": [30, None, 52]}, r"clinic\.csv: column 'age', data row 2: the value is empty or NaN"),
        ({"age": [30, 41, 121]}, r"column 'age', data row 3: the value is outside 0 to 120"),
        ({"age": [30, float("inf"), 52]}, "column 'age', data row 2: the value is outside"),
        ({"age": [30, "old", "older"]}, r"column 'age', data row 2 \(and 1 more\): the value is not a number"),
        ({"visits": [1, 2.5, 3]}, "column 'visits', data row 2: the value is not a whole number"),
        ({"ill": ["no", "yes", "maybe"]}, "column 'ill', data row 3: the value is none of no, yes"),
    ],
)
def test_a_wrong_cell_is_named(wrong, message):
    with pytest.raises(DataError, match=message):
        check(**wrong)


def test_an_error_does_not_tell_the_private_value():
    with pytest.raises(DataError) as caught:
        check(age=[30, "Mr Smith", 52])
    assert "Smith" not in str(caught.value)


def test_missing_columns_are_named():
    with pytest.raises(DataError, match=r"clinic\.csv: missing column 'visits', 'ill'; the task needs 3"):
        SCHEMA.check_frame(pd.DataFrame({"age": [1]}), "clinic.csv")


def test_a_table_without_rows_is_refused():
    with pytest.raises(DataError, match="no rows"):
        SCHEMA.check_frame(pd.DataFrame(GOOD).iloc[:0], "clinic.csv")


def test_a_table_and_its_examples_are_inverse():
    examples = check()
    assert SCHEMA.frame(examples).to_dict("list") == GOOD


PIXELS = DataSchema(tuple(integer(f"p{i}", 0, 255) for i in range(4)), integer("digit", 0, 9))


def test_arrays_keep_their_type():
    examples = PIXELS.check_arrays(np.zeros((3, 2, 2), np.uint8), np.arange(3), "a.npz")
    assert (examples.x.shape, examples.x.dtype) == ((3, 4), np.uint8)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 5)), np.zeros(3), "needs 4 features an example, has 5"),
        (np.zeros((3, 4)), np.zeros(2), "as many examples as labels"),
        (np.zeros((0, 4)), np.zeros(0), "at least one"),
        (np.array(3), np.zeros(2), "as many examples as labels"),
        (np.zeros((3, 4)), np.array(["a", "b", "c"]), "needs numbers"),
        (np.full((3, 4), 300), np.zeros(3), "column 'p0', data row 1 .* is outside 0 to 255"),
        (np.zeros((3, 4)), np.array([0, 1, 10]), "column 'digit', data row 3: the value is outside 0 to 9"),
    ],
)
def test_wrong_arrays_are_explained(x, y, message):
    with pytest.raises(DataError, match=message):
        PIXELS.check_arrays(x, y, "a.npz")
