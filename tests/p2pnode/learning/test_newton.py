from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnode.data.schema import Examples
from p2pnode.learning.newton import Newton, solve
from protocols.errors import LocalError


def squared(model, x, y):
    return (x @ model["coefficients"] - y) ** 2 / 2


METHOD = Newton(squared, tau=65536.0, max_move=20.0)
MODEL = {"coefficients": np.zeros(2)}


def rows(count: int) -> Examples:
    x = np.random.default_rng(count).normal(size=(count, 2))
    return Examples(x, x @ np.array([3.0, -1.0]))


@given(st.lists(st.lists(st.integers(-9, 9), min_size=4, max_size=4), min_size=3, max_size=3))
def test_solving_is_exact(system):
    matrix, right = [row[:3] for row in system], [row[3] for row in system]
    solution = solve(matrix, right)
    if solution is None:
        assert round(np.linalg.det(np.array(matrix))) == 0
    else:
        assert [sum(a * x for a, x in zip(row, solution, strict=True)) for row in matrix] == right


def test_a_zero_in_the_corner_is_no_obstacle():
    assert solve([[0, 1], [1, 0]], [2, 3]) == [Fraction(3), Fraction(2)]


def test_one_step_solves_least_squares():
    update = METHOD.local_update(MODEL, rows(9), 0)
    assert update["hessian"] == pytest.approx(rows(9).x.T @ rows(9).x)
    assert update["rows"] == 9
    model, state = METHOD.apply(MODEL, METHOD.initial_state(MODEL), update, 1)
    assert model["coefficients"] == pytest.approx([3.0, -1.0])
    assert METHOD.public_metrics(state) == {
        "public_log_likelihood": pytest.approx(-(rows(9).y ** 2).sum() / 2),
        "public_rows": 9.0,
    }


def test_a_singular_hessian_moves_nothing():
    model, _ = METHOD.apply(MODEL, {}, METHOD.local_update(MODEL, rows(1), 0) | {"hessian": np.zeros((2, 2))}, 1)
    assert model["coefficients"].tolist() == [0.0, 0.0]


def test_a_step_is_bounded_and_keeps_its_direction():
    sums = {"gradient": np.array([-1.0, 0.5]), "hessian": np.eye(2) * 1e-300, "loss": np.zeros(()), "rows": np.ones(())}
    model, _ = METHOD.apply(MODEL, {}, sums, 1)
    assert model["coefficients"].tolist() == [20.0, -10.0]


def test_at_the_optimum_nothing_moves():
    optimum = {"coefficients": np.array([3.0, -1.0])}
    sums = METHOD.local_update(optimum, rows(9), 0) | {"gradient": np.zeros(2)}
    assert METHOD.apply(optimum, {}, sums, 1)[0]["coefficients"].tolist() == [3.0, -1.0]


def test_statistics_beyond_tau_are_an_error_not_a_wrong_result():
    with pytest.raises(LocalError, match=r"the gradient of 9 rows has norm .* above the task's tau 0.5"):
        Newton(squared, tau=0.5, max_move=1.0).local_update(MODEL, rows(9), 0)
