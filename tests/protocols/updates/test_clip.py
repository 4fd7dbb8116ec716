from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from protocols.encryption.lanes import pack_values
from protocols.errors import LocalError
from protocols.updates.clip import from_grid, off_grid, to_grid
from protocols.updates.schema import TensorSpec, UpdateSchema

SCHEMA = UpdateSchema((TensorSpec("w", (2, 3), 0.001, 2.0), TensorSpec("b", (), 0.25, 10.0)))
ZERO = {"w": np.zeros((2, 3)), "b": np.array(0.0)}


def test_values_are_rounded_half_to_even_on_each_tensors_grid() -> None:
    schema = UpdateSchema((TensorSpec("x", (6,), 0.5, 100.0),))
    got = to_grid({"x": np.array([0.25, 0.75, -0.25, -0.75, 1.26, 3.0])}, schema)["x"]
    assert got.tolist() == [0, 2, 0, -2, 3, 6]
    assert got.dtype == np.int64


def test_only_what_is_longer_than_tau_is_scaled() -> None:
    inside = to_grid({**ZERO, "w": np.full((2, 3), 0.8)}, SCHEMA)["w"]  # norm 1.96
    assert (inside == 800).all()
    outside = from_grid(to_grid({**ZERO, "w": np.full((2, 3), 100.0)}, SCHEMA), SCHEMA)["w"]
    assert np.linalg.norm(outside) == pytest.approx(2.0, abs=0.002)
    assert int(to_grid({**ZERO, "b": np.array(-1e300)}, SCHEMA)["b"]) == -40


@given(hnp.arrays(np.float64, (2, 3), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_whatever_is_finite_fits_its_lanes_afterwards(values: np.ndarray) -> None:
    grid = to_grid({**ZERO, "w": values}, SCHEMA)
    assert np.abs(grid["w"]).max() <= 2000
    assert pack_values(grid, SCHEMA).size == 7
    if np.abs(values).max() < 0.8:
        assert np.abs(from_grid(grid, SCHEMA)["w"] - values).max() <= 0.0005 + 1e-12


@pytest.mark.parametrize("limbs", [1, 2, 3])
def test_the_widest_tensors_fit_too(limbs: int) -> None:
    tau = np.nextafter(32_767.0 * sum(65_536**k for k in range(limbs)), 0)
    schema = UpdateSchema((TensorSpec("x", (2,), 1.0, float(tau), limbs),))
    for sign in (1, -1):
        grid = to_grid({"x": np.array([sign * 1e300, 0.0], dtype=np.float64)}, schema)
        assert abs(int(grid["x"][0])) == pytest.approx(tau)
        assert pack_values(grid, schema).size == 2 * limbs


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_by_name(poison: float) -> None:
    values = np.zeros((2, 3))
    values[1, 1] = poison
    with pytest.raises(LocalError, match="'w' holds a NaN"):
        to_grid({**ZERO, "w": values}, SCHEMA)


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        ({"w": np.zeros((2, 3))}, "not w"),
        ({**ZERO, "c": np.array(0.0)}, "not b, c, w"),
        ({**ZERO, "w": np.zeros((3, 2))}, r"real\[2, 3\], not float64\[3, 2\]"),
        ({**ZERO, "w": np.zeros((2, 3), dtype=complex)}, "complex"),
    ],
)
def test_tensors_outside_the_schema_are_refused(tensors: dict[str, np.ndarray], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        to_grid(tensors, SCHEMA)


def test_sums_come_back_in_real_units() -> None:
    sums = {"w": np.full((2, 3), -1500), "b": np.array(3)}
    got = from_grid(sums, SCHEMA)
    assert got["w"].tolist() == [[-1.5] * 3] * 2
    assert float(got["b"]) == 0.75


@given(hnp.arrays(np.float64, (2, 3), elements=st.floats(-1e3, 1e3)))
def test_what_the_grid_leaves_completes_the_clipped_tensor(values: np.ndarray) -> None:
    """With a coarse grid and a peak: rounding and the peak leave something, the norm's clipping does not."""
    schema = UpdateSchema((TensorSpec("w", (2, 3), 2.0**-3, 4.0, 1, 4, peak=0.875),))
    grid = to_grid({"w": values}, schema)
    assert np.abs(grid["w"]).max() <= 7
    left = off_grid({"w": values}, grid, schema)["w"]
    norm = float(np.linalg.norm(values))
    clipped = values if norm <= 4.0 else values * (4.0 / norm)
    assert left + from_grid(grid, schema)["w"] == pytest.approx(clipped, abs=1e-9)
    assert (np.abs(left)[np.abs(clipped) <= 0.875] <= 2.0**-4 + 1e-12).all()
