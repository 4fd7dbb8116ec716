from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.encryption.lanes import check_sum, lanes_digest, pack_values, unpack_sums
from protocols.errors import LocalError, RemoteError
from protocols.updates.schema import TensorSpec, UpdateSchema

BOUNDS = {limbs: 32_767 * sum(65_536**k for k in range(limbs)) for limbs in (1, 2, 3)}


def schema_of(limbs: int, bound: int, shape: tuple[int, ...] = (3,)) -> UpdateSchema:
    return UpdateSchema((TensorSpec("x", shape, 1.0, float(bound), limbs),))


@pytest.mark.parametrize("bits", [16, 8, 4])
@pytest.mark.parametrize("limbs", [1, 2, 3])
def test_sums_are_exact_up_to_the_very_bound(limbs: int, bits: int) -> None:
    half = 2 ** (bits - 1)
    bound = (half - 1) * sum(2 ** (bits * limb) for limb in range(limbs))
    schema = UpdateSchema((TensorSpec("x", (3,), 1.0, float(bound), limbs, bits),))
    extremes = st.one_of(st.integers(-bound, bound), st.sampled_from([-bound, -1, 0, half - 1, bound]))

    @given(st.lists(st.lists(extremes, min_size=3, max_size=3), min_size=1, max_size=16))
    def check(contributions: list[list[int]]) -> None:
        lanes = [pack_values({"x": np.array(values)}, schema) for values in contributions]
        assert all(np.abs(lane).max() <= half for lane in lanes)
        got = unpack_sums(np.sum(lanes, axis=0), schema)["x"]
        assert got.tolist() == [sum(column) for column in zip(*contributions, strict=True)]

    check()


def test_sums_over_a_whole_subnet_never_wrap() -> None:
    bound, contributors = BOUNDS[3], 512 * 16
    schema = schema_of(3, bound)
    for sign in (1, -1):
        lanes = contributors * pack_values({"x": np.array([sign * bound, 0, 5])}, schema)
        assert unpack_sums(lanes, schema)["x"].tolist() == [contributors * sign * bound, 0, 5 * contributors]


def test_more_limbs_are_refused() -> None:
    with pytest.raises(LocalError, match="limbs must be 1 to 3, not 4"):
        schema_of(4, 1)


def test_the_order_of_lanes_is_tensor_then_digit_then_value() -> None:
    schema = UpdateSchema((TensorSpec("w", (2, 2), 1.0, 70_000.0, 2), TensorSpec("b", (), 1.0, 9.0)))
    values = {"b": np.array(-9), "w": np.array([[65_536, 2], [-1, 32_768]])}
    lanes = pack_values(values, schema)
    assert lanes.tolist() == [0, 2, -1, -32_768, 1, 0, 0, 1, -9]
    got = unpack_sums(lanes, schema)
    assert got["w"].tolist() == values["w"].tolist()
    assert got["b"].shape == ()
    assert int(got["b"]) == -9


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "not none"),
        ({"y": np.zeros(3, dtype=np.int64)}, "not y"),
        ({"x": np.zeros(4, dtype=np.int64)}, r"int64\[4\]"),
        ({"x": np.zeros(3)}, "float64"),
        ({"x": np.array([0, 101, 0])}, "bound of 100"),
        ({"x": np.array([0, -(2**63), 0])}, "bound of 100"),
    ],
)
def test_values_outside_the_schema_are_refused(values: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        pack_values(values, schema_of(1, 100))


def test_another_number_of_lanes_is_refused() -> None:
    with pytest.raises(LocalError, match="fills 6 lanes"):
        unpack_sums(np.zeros(5, dtype=np.int64), schema_of(2, 100))


def test_a_sum_beyond_what_contributors_reach_is_refused() -> None:
    schema = schema_of(1, 100)
    check_sum({"x": np.array([-500, 500, 0])}, schema, 5)
    for outside in (501, -501, -(2**63)):
        with pytest.raises(RemoteError, match="exceeds 500"):
            check_sum({"x": np.array([0, outside, 0])}, schema, 5)


def test_the_digest_is_that_of_the_integers_whatever_holds_them() -> None:
    lanes = np.array([1, -2, 3])
    digest = hashlib.sha256(b"".join(value.to_bytes(8, "little", signed=True) for value in (1, -2, 3))).digest()
    assert lanes_digest(lanes) == lanes_digest(lanes.astype(">i8")) == lanes_digest(np.repeat(lanes, 2)[::2]) == digest
