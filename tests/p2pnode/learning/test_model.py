from __future__ import annotations

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from p2pnode.learning.model import load_model, model_bytes, model_digest
from protocols.errors import MalformedError

ARRAYS = st.sampled_from([np.float32, np.float64, np.int64]).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, max_side=4))
)
TENSORS = st.dictionaries(st.text(min_size=1, max_size=8), ARRAYS, max_size=4)
ROW = ["a", "<f4", [2], bytes(8)]


@given(TENSORS, TENSORS)
def test_round_trip_to_the_last_bit(params, state):
    data = model_bytes(params, state)
    read_params, read_state = load_model(data)
    assert model_bytes(read_params, read_state) == data
    assert {name: tensor.shape for name, tensor in read_params.items()} == {k: v.shape for k, v in params.items()}
    assert all(np.array_equal(read_state[name], state[name], equal_nan=True) for name in state)


def test_order_layout_and_byte_order_do_not_matter():
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    one = {"a": matrix, "b": np.zeros(1)}
    other = {"b": np.zeros(1), "a": np.asfortranarray(matrix.astype(">f4"))}
    assert model_digest(one, {}) == model_digest(other, {})
    assert model_digest(one, {}) != model_digest({}, one)


def test_a_loaded_model_can_be_changed():
    params, _ = load_model(model_bytes({"a": np.zeros(2, np.float32)}, {}))
    params["a"][0] = 1
    assert params["a"].tolist() == [1, 0]


@pytest.mark.parametrize(
    "value",
    [
        3,
        [1, []],
        [2, [], []],
        [True, [], []],
        [1, {}, []],
        [1, [["a", "<f4", [2]]], []],
        [1, [["a", "<f4", [3], bytes(8)]], []],
        [1, [["a", "<f4", [-2], bytes(8)]], []],
        [1, [["a", "<f4", [1 << 40, 0], b""]], []],
        [1, [["a", "<f4", [1] * 9, bytes(4)]], []],
        [1, [["a", ">f4", [2], bytes(8)]], []],
        [1, [["a", "O", [1], bytes(8)]], []],
        [1, [["a", ["<f4"], [2], bytes(8)]], []],
        [1, [[b"a", "<f4", [2], bytes(8)]], []],
        [1, [["a" * 200, "<f4", [2], bytes(8)]], []],
        [1, [ROW, ROW], []],
        [1, [["b", *ROW[1:]], ROW], []],
        [1, [ROW] * 1025, []],
    ],
)
def test_anything_else_is_malformed(value):
    with pytest.raises(MalformedError, match="model"):
        load_model(msgpack.packb(value))


@given(st.binary(max_size=40))
def test_noise_is_malformed(data):
    with pytest.raises(MalformedError):
        load_model(data)


def test_trailing_bytes_are_malformed():
    with pytest.raises(MalformedError):
        load_model(model_bytes({}, {}) + b"\0")
