"""Against Google's dp-accounting 0.6.0 (RdpAccountant, its default orders, GaussianDpEvent composed), run once."""

from __future__ import annotations

from decimal import Context, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.privacy.accountant import EPSILON_MICRO_MAX, epsilon_micro, rounds_within

PUBLISHED = [
    (1.0, 1, 1e-5, 4.728507067217623),
    (2.0, 1, 1e-5, 2.165715659029443),
    (4.0, 10, 1e-5, 3.617099772983339),
    (4.0, 30, 1e-5, 6.813318185854952),
    (10.0, 1000, 1e-5, 19.05359753163139),
    (1.0, 100, 1e-6, 100.72147861104412),
    (0.5, 10, 1e-5, 48.80169282486775),
    (20.0, 1, 1e-8, 0.25899659009828707),
]

EXACT = [(1.0, 1, 1e-5, 4.37717810002493), (4.0, 30, 1e-5, 6.325715396495715), (2.0, 1, 1e-5, 1.993091407908809)]
"""The tight epsilon by dp-accounting's privacy loss distributions: a bound must not fall below it."""


@pytest.mark.parametrize(("noise", "rounds", "delta", "epsilon"), PUBLISHED)
def test_it_is_dp_accountings_epsilon(noise: float, rounds: int, delta: float, epsilon: float) -> None:
    assert epsilon <= epsilon_micro(noise, delta, rounds) / 1e6 < epsilon + 1e-6 + 1e-12


@pytest.mark.parametrize(("noise", "rounds", "delta", "epsilon"), EXACT)
def test_it_is_a_bound_of_the_tight_one_and_close(noise: float, rounds: int, delta: float, epsilon: float) -> None:
    assert epsilon <= epsilon_micro(noise, delta, rounds) / 1e6 <= 1.1 * epsilon


@given(st.floats(0.3, 100), st.integers(1, 500))
def test_more_rounds_cost_more_and_more_noise_less(noise: float, rounds: int) -> None:
    cost = epsilon_micro(noise, 1e-5, rounds)
    assert epsilon_micro(noise, 1e-5, rounds + 1) >= cost >= epsilon_micro(2 * noise, 1e-5, rounds)


def test_nothing_is_spent_before_the_first_round_and_too_much_is_bounded() -> None:
    assert epsilon_micro(1, 1e-5, 0) == 0
    assert epsilon_micro(1e-9, 1e-5, 10) == EPSILON_MICRO_MAX


def test_the_number_does_not_depend_on_the_threads_own_arithmetic() -> None:
    expected = epsilon_micro(3.5, 1e-6, 17)
    epsilon_micro.cache_clear()
    with localcontext(Context(prec=3)):
        assert epsilon_micro(3.5, 1e-6, 17) == expected


@given(st.floats(0.5, 20), st.floats(0.1, 30))
def test_a_budget_lasts_for_as_many_rounds_as_fit_into_it(noise: float, budget: float) -> None:
    micro = int(budget * 1e6)
    rounds = rounds_within(noise, 1e-5, micro, 1000)
    assert epsilon_micro(noise, 1e-5, rounds) <= micro
    assert rounds == 1000 or epsilon_micro(noise, 1e-5, rounds + 1) > micro
