from __future__ import annotations

import numpy as np
import pytest

from p2pnode.learning.optimizer import OuterSgd
from protocols.errors import LocalError

MODEL = {"w": np.array([1.0, 2.0], np.float32), "b": np.float32(0).reshape(())}
MEAN = {"w": np.array([0.5, -0.5]), "b": np.array(0.25)}


def test_plain_averaging_adds_the_mean():
    outer = OuterSgd()
    model, state = outer.step(MODEL, outer.init(MODEL), MEAN)
    assert model["w"].tolist() == [1.5, 1.5]
    assert (state, model["w"].dtype, model["b"].shape) == ({}, np.float32, ())


def test_momentum_carries_on():
    outer = OuterSgd(rate=0.5, momentum=0.5)
    model, state = outer.step(MODEL, outer.init(MODEL), MEAN)
    model, state = outer.step(model, state, MEAN)
    assert state["w"].tolist() == [0.75, -0.75]
    assert model["w"].tolist() == [1 + 0.25 + 0.375, 2 - 0.25 - 0.375]


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": float("nan")}, {"momentum": 1.0}, {"momentum": -0.1}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(LocalError, match="outer step"):
        OuterSgd(**wrong)
