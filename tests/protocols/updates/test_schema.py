from __future__ import annotations

import pytest

from protocols.encryption.layout import Layout, Section, uniform
from protocols.errors import LocalError
from protocols.updates.schema import TensorSpec, UpdateSchema


def test_a_bound_must_fit_the_signed_digits_of_its_limbs() -> None:
    assert TensorSpec("x", (2,), 1.0, 32_767.0).bound == 32_767
    assert TensorSpec("x", (2,), 1.0, 32_767.0 * 65_537, 2).bound == 2_147_450_879
    for tau, limbs in ((32_768.0, 1), (2.0**31 - 1, 2)):
        with pytest.raises(LocalError, match="more limbs"):
            TensorSpec("x", (2,), 1.0, tau, limbs)


@pytest.mark.parametrize(
    ("step", "tau"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (float("nan"), 1.0), (1.0, float("inf"))]
)
def test_steps_and_norms_are_finite_and_positive(step: float, tau: float) -> None:
    with pytest.raises(LocalError, match="finite and above zero"):
        TensorSpec("x", (2,), step, tau)


def test_an_update_counts_its_lanes_and_names_its_tensors_once() -> None:
    schema = UpdateSchema((TensorSpec("w", (2, 3), 0.1, 1.0, 2), TensorSpec("b", (), 0.1, 1.0)))
    assert schema.limbs == 13
    assert schema.layout == uniform(13)
    with pytest.raises(LocalError, match="unique"):
        UpdateSchema((TensorSpec("w", (), 0.1, 1.0), TensorSpec("w", (), 0.1, 1.0)))
    with pytest.raises(LocalError, match="at least one tensor"):
        UpdateSchema(())


def test_tensors_of_equal_width_that_follow_one_another_share_a_section() -> None:
    tensors = [("a", (5,), 16), ("b", (3,), 16), ("c", (2, 2), 8), ("none", (0,), 4), ("d", (), 8), ("e", (9,), 16)]
    schema = UpdateSchema(tuple(TensorSpec(name, shape, 1.0, 5.0, 1, bits) for name, shape, bits in tensors))
    assert schema.layout == Layout((Section(8), Section(5, 8), Section(9)))
    assert schema.layout.lanes == schema.limbs


def test_narrow_values_need_a_coarser_grid() -> None:
    assert TensorSpec("x", (2,), 1.0, 127.0, 1, 8).bound == 127
    assert TensorSpec("x", (2,), 1.0, 127.0 * 257, 2, 8).limb_bound == 32_639
    for tau, limbs, bits in ((128.0, 1, 8), (32_640.0, 2, 8)):
        with pytest.raises(LocalError, match="larger step"):
            TensorSpec("x", (2,), 1.0, tau, limbs, bits)
    with pytest.raises(LocalError, match="2 to 16 bits"):
        TensorSpec("x", (2,), 1.0, 1.0, 1, 17)


def test_a_peak_bounds_each_value_below_the_norm() -> None:
    assert TensorSpec("x", (2,), 0.01, 4.0, 1, 8, peak=1.0).bound == 100
    assert TensorSpec("x", (2,), 1.0, 5.0, 1, 8, peak=99.0).bound == 5
    with pytest.raises(LocalError, match="need integers up to 200"):
        TensorSpec("x", (2,), 0.01, 4.0, 1, 8, peak=2.0)
    for peak in (0.0, -1.0, float("nan")):
        with pytest.raises(LocalError, match="peak must be above zero"):
            TensorSpec("x", (2,), 1.0, 5.0, 1, 16, peak=peak)
