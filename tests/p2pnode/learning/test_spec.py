from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.learning.spec import MAX_SPEC_BYTES, TaskSpec, decode_spec
from protocols.errors import MalformedError
from protocols.types import Digest

NAMES = st.text("abcdefgh_", min_size=1, max_size=9)
VALUES = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
SPEC = TaskSpec("digits", Digest(bytes(32)), {"rate": 0.1, "epochs": 5})


@given(st.builds(TaskSpec, NAMES, st.binary(min_size=32, max_size=32), st.dictionaries(NAMES, VALUES, max_size=5)))
def test_round_trip(spec):
    assert decode_spec(spec.encode()) == spec


def test_the_order_of_options_does_not_matter():
    assert SPEC.encode() == TaskSpec("digits", Digest(bytes(32)), {"epochs": 5, "rate": 0.1}).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        ["digits", bytes(32)],
        ["digits", bytes(31), []],
        ["", bytes(32), []],
        ["di\ngits", bytes(32), []],
        ["digits", bytes(32), [["rate", None]]],
        ["digits", bytes(32), [["rate", True]]],
        ["digits", bytes(32), [["rate", 1], ["epochs", 1]]],
        ["digits", bytes(32), [["rate", 1], ["rate", 1]]],
        ["digits", bytes(32), [3]],
        ["digits", bytes(32), {"rate": 1}],
    ],
)
def test_anything_else_is_malformed(value):
    with pytest.raises(MalformedError, match="task"):
        decode_spec(msgpack.packb(value))


def test_it_is_bounded():
    with pytest.raises(MalformedError, match="limit"):
        decode_spec(bytes(MAX_SPEC_BYTES + 1))


@given(st.binary(max_size=60))
def test_noise_is_malformed(data):
    with pytest.raises(MalformedError):
        decode_spec(data)
