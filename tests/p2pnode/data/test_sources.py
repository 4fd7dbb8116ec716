from __future__ import annotations

import numpy as np
import pytest

from p2pnode.data.schema import DataSchema, integer, number
from p2pnode.data.sources import export_csv, load_examples
from p2pnode.errors import DataError
from p2pnode.learning.task import load_task

SCHEMA = DataSchema((number("x", 0, 1),), integer("y", 0, 1))


@pytest.mark.parametrize("name", ["digits", "spector", "breast_cancer"])
def test_an_exported_share_teaches_the_same(tmp_path, name):
    task = load_task(name)
    share = task.dataset().train.take(np.arange(10))
    export_csv(tmp_path / "share.csv", task.schema, share)
    read = load_examples(tmp_path / "share.csv", task.schema)
    ours, theirs = (task.local_update(task.init(0), examples, 7) for examples in (share, read))
    assert {k: v.tobytes() for k, v in ours.items()} == {k: v.tobytes() for k, v in theirs.items()}


def test_parquet_and_npz_are_read_as_csv_is(tmp_path):
    examples = SCHEMA.check_arrays(np.array([[0.25], [0.5]]), np.array([0, 1]), "here")
    export_csv(tmp_path / "a.csv", SCHEMA, examples)
    SCHEMA.frame(examples).to_parquet(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", x=examples.x, y=examples.y)
    for name in ("a.csv", "a.parquet", "a.npz"):
        read = load_examples(tmp_path / name, SCHEMA)
        assert (read.x.tolist(), read.y.tolist()) == ([[0.25], [0.5]], [0, 1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "cannot be read as .csv"),
        ("header.csv", b"x,y\n", "no rows"),
        ("nan.csv", b"x,y\n0.5,1\n,0\n", "column 'x', data row 2: the value is empty or NaN"),
        ("column.csv", b"x,z\n0.5,1\n", "missing column 'y'"),
        ("ragged.csv", b"x,y\n1,1\n1,1,1,1\n", "cannot be read as .csv"),
        ("latin.csv", b"x,y\n\xff\xfe,1\n", "cannot be read as .csv"),
        ("noise.parquet", b"noise", "cannot be read as .parquet"),
        ("noise.npz", b"noise", "cannot be read as .npz"),
        ("noise.npz", b"PK\x03\x04noise", "cannot be read as .npz"),
        ("data.xlsx", b"", "end in .csv, .parquet or .npz, not '.xlsx'"),
    ],
)
def test_a_bad_file_is_named_and_explained(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_examples(tmp_path / name, SCHEMA)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    for name in ("gone.csv", "gone.parquet", "gone.npz"):
        with pytest.raises(DataError, match=f"{name}: no such data file"):
            load_examples(tmp_path / name, SCHEMA)


def test_an_archive_without_the_arrays_says_which(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 1)))
    with pytest.raises(DataError, match="holds no array 'y'; needs 'x' and 'y'"):
        load_examples(tmp_path / "a.npz", SCHEMA)


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        load_examples(tmp_path / "a.npz", SCHEMA)
