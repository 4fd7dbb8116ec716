"""The estimate gives the standard's own table, and the hint leaves what the docstring says."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from protocols.encryption import expand
from protocols.security.lattice import (
    CLASSICAL,
    STANDARD_SIGMA,
    Limits,
    core_svp_bits,
    hint_sigma,
    primal_attack,
    primal_bits,
    standard_log2_q,
    table_bits,
)
from protocols.types import Secret


@pytest.mark.parametrize("degree", CLASSICAL)
@pytest.mark.parametrize("level", [128, 192, 256])
def test_the_estimate_gives_every_row_of_the_standards_table(degree: int, level: int) -> None:
    """Each limit is the largest log2 q whose estimate reaches the level (up to the table's rounding)."""

    def reaches(log2_q: int) -> bool:
        return primal_bits(degree, log2_q, STANDARD_SIGMA) >= level - 0.2

    limit = CLASSICAL[degree][level]
    assert reaches(limit)
    assert not reaches(limit + 1)


@pytest.mark.parametrize(("log2_q", "bits"), [(60.0, 256), (60.1, 192), (92.5, 128), (111.0, 128), (111.1, 0)])
def test_the_table_is_read_downwards(log2_q: float, bits: int) -> None:
    assert table_bits(CLASSICAL, 4096, log2_q, STANDARD_SIGMA) == bits


def test_what_is_not_in_the_table_has_no_bits() -> None:
    limits: Limits = {4096: {128: 111}}
    assert table_bits(limits, 512, 20, STANDARD_SIGMA) == 0


@pytest.mark.parametrize("sigma", [1.0, 2.29, 3.24, 8.0])
def test_a_deviation_is_worth_as_much_of_modulus_as_is_extrapolated(sigma: float) -> None:
    """Half the variance of secret and errors counts as one bit of modulus."""
    assert standard_log2_q(92, STANDARD_SIGMA / sqrt(2)) == pytest.approx(93)
    block = primal_attack(4096, 92, sigma)[0]
    assert primal_attack(4096, standard_log2_q(92, sigma), STANDARD_SIGMA)[0] == pytest.approx(block, abs=1)


def test_smaller_errors_and_larger_moduli_are_easier() -> None:
    kinds: list[Callable[[int, float, float], float]] = [primal_bits, core_svp_bits]
    for bits in kinds:
        assert bits(4096, 92, 3.24) > bits(4096, 92, 2.29) > bits(4096, 92, 0.5)
        assert bits(4096, 60, 3.24) > bits(4096, 92, 3.24) > bits(4096, 150, 3.24)


def test_without_a_second_honest_contributor_nothing_is_left() -> None:
    alone = hint_sigma(3.24, 1)
    assert alone == 0
    assert primal_bits(4096, 92, alone) == core_svp_bits(4096, 92, alone) == table_bits(CLASSICAL, 4096, 92, alone) == 0


@pytest.mark.parametrize("honest", [2, 3, 8])
def test_beside_the_sum_a_centred_binomial_keeps_its_share_of_variance_exactly(honest: int) -> None:
    """42 coins of 42 h, given how many fell heads: hypergeometric; averaged over the sums that occur."""
    coins = 2 * expand.SMALL_BOUND
    heads = np.arange(coins * honest + 1)
    with np.errstate(divide="ignore"):  # scipy computes the kurtosis as well
        left = stats.hypergeom(coins * honest, heads, coins).var()
    average = float((left * stats.binom(coins * honest, 0.5).pmf(heads)).sum())
    assert sqrt(average) == pytest.approx(hint_sigma(sqrt(expand.SMALL_BOUND / 2), honest), rel=1e-9)


def test_keys_as_drawn_keep_half_their_variance_beside_the_sum_of_two() -> None:
    mine, other = (np.concatenate([expand.key(Secret(bytes([n, i]) * 16)) for i in range(16)]) for n in (1, 2))
    left = mine - (mine + other) / 2
    assert left.std() == pytest.approx(hint_sigma(sqrt(expand.SMALL_BOUND / 2), 2), rel=0.02)
