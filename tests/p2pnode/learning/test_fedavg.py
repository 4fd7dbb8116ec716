from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.learning.fedavg import FedAvg, Grid, grid_step
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.optimizer import OuterSgd
from protocols.errors import LocalError
from protocols.updates.schema import TensorSpec

METHOD = FedAvg(LocalSgd(lambda model, x, y: y, epochs=1, batch=1, rate=1.0), OuterSgd(), tau=4.0)


@given(st.floats(1e-6, 1e6), st.integers(1, 3))
def test_the_grid_is_the_finest_power_of_two_that_fits(tau, limbs):
    step = grid_step(tau, limbs)
    assert np.frexp(step)[0] == 0.5
    spec = TensorSpec("t", (1,), step, tau, limbs)
    assert step == 2.0**-60 or spec.bound * 2 > spec.limb_bound


def test_every_parameter_travels():
    schema = METHOD.update_schema({"w": np.zeros((2, 3)), "b": np.zeros(())})
    assert [(spec.name, spec.shape, spec.tau) for spec in schema.tensors] == [("b", (), 4.0), ("w", (2, 3), 4.0)]


def test_the_mean_is_taken_over_the_contributors():
    model, _ = METHOD.apply({"w": np.ones(1, np.float32)}, {}, {"w": np.array([6.0])}, 4)
    assert model["w"] == pytest.approx([2.5])


def test_a_coarse_grid_spends_its_few_bits_below_the_peak():
    method = FedAvg(METHOD.local, OuterSgd(), 4.0, Grid(value_bits=8, peak=0.5, feedback=True))
    (spec,) = method.update_schema({"w": np.zeros(5)}).tensors
    assert (spec.value_bits, spec.step, spec.bound) == (8, 2.0**-7, 64)
    assert method.feedback
    assert not METHOD.feedback
    assert METHOD.update_schema({"w": np.zeros(5)}).tensors[0].value_bits == 16
    for peak in (-1.0, float("inf"), float("nan")):
        with pytest.raises(LocalError, match="peak"):
            Grid(peak=peak)
