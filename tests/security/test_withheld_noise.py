"""Differential privacy where some members leave their noise out: the opened sum carries all that was promised."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, sqrt

import numpy as np
import pytest

from protocols.encryption.lanes import pack_values, unpack_sums
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import PublicContext
from protocols.encryption.sharing import add_shares
from protocols.params import Params
from protocols.privacy.noise import gaussian
from protocols.privacy.promise import Privacy
from protocols.types import Secret
from protocols.updates.clip import from_grid, to_grid
from protocols.updates.schema import TensorSpec, UpdateSchema

SIZE, MEMBERS = 16_384, 8
PARAMS = Params()
QUORUM = PARAMS.quorum(MEMBERS)
PRIVACY = Privacy(noise_multiplier=2.0, clip=1.0, delta=1e-5, budget=0.0, withheld=0.2)
WITHHELD = ceil(PRIVACY.withheld * MEMBERS)
NOISE = PRIVACY.largest_noise
SCHEMA = UpdateSchema((TensorSpec("w", (SIZE,), step=2.0**-8, tau=64.0, noise=NOISE),), PRIVACY)
VALUES = np.random.default_rng(5).normal(0, 0.1, (MEMBERS, SIZE))
PROMISED = PRIVACY.sigma
SLACK = 1 - 5 / sqrt(2 * SIZE)  # five deviations of an estimate from so many values

Deal = Callable[[], float]


def by_the_least_carriers() -> float:
    """Ours."""
    return PRIVACY.member_sigma(MEMBERS, QUORUM)


def by_all_members() -> float:
    """As if everybody came and added theirs."""
    return PRIVACY.sigma / sqrt(MEMBERS)


def by_the_quorum() -> float:
    """As if everybody who comes added theirs."""
    return PRIVACY.sigma / sqrt(QUORUM)


def update(member: int, deal: Deal) -> dict[str, np.ndarray]:
    """A member's integers; the first few leave their noise out."""
    drawn = deal() * gaussian(Secret(bytes([member]) * 32), "w", SIZE)
    return to_grid({"w": VALUES[member]}, SCHEMA, lambda _: 0 * drawn if member < WITHHELD else drawn)


def noise_of_the_sum(deal: Deal) -> float:
    """Deviation of the opened sum of the smallest set in which all that leave their noise out come."""
    sums = {"w": np.sum([update(member, deal)["w"] for member in range(QUORUM)], axis=0)}
    return float((from_grid(sums, SCHEMA)["w"] - VALUES[:QUORUM].sum(axis=0)).std())


@pytest.mark.parametrize("deal", [by_all_members, by_the_quorum])
def test_noise_dealt_to_all_is_less_than_promised_where_some_leave_theirs_out(deal: Deal) -> None:
    assert noise_of_the_sum(deal) < 0.9 * PROMISED


def test_noise_dealt_to_the_least_carriers_is_all_there() -> None:
    assert noise_of_the_sum(by_the_least_carriers) >= SLACK * PROMISED


def test_and_in_the_sum_that_is_opened_from_ciphertexts() -> None:
    scheme, context = OneTimeKeyScheme(), PublicContext(bytes(32), 3, 0)
    seeds = [Secret(bytes([100 + member]) * 32) for member in range(QUORUM)]
    lanes = [pack_values(update(member, by_the_least_carriers), SCHEMA) for member in range(QUORUM)]
    total = scheme.add([scheme.encrypt(each, seed, context) for each, seed in zip(lanes, seeds, strict=True)])
    dealt = [scheme.deal(seed, 5, 7) for seed in seeds]
    released = {member: add_shares(shares) for member, shares in enumerate(zip(*dealt, strict=True), 1)}
    opened = scheme.open(total, context, released, 5, QUORUM, SCHEMA.layout).lanes
    assert (opened == np.sum(lanes, axis=0)).all()  # exact: everybody gets the same parameters
    noise = from_grid(unpack_sums(opened, SCHEMA), SCHEMA)["w"] - VALUES[:QUORUM].sum(axis=0)
    assert noise.std() >= SLACK * PROMISED


def test_on_the_coarsest_grid_that_is_allowed_the_sum_is_a_gaussian_of_the_promised_width() -> None:
    """A share of four steps, in a sixteenth: rounding leaves no trace that a test of 65,536 values would find."""
    step = PRIVACY.sigma / 16
    schema = UpdateSchema((TensorSpec("w", (4 * SIZE,), step, tau=64.0, noise=NOISE),), PRIVACY)
    shares = [
        to_grid(
            {"w": np.full(4 * SIZE, 0.3 * step)},
            schema,
            lambda _, number=number: PRIVACY.sigma / 4 * gaussian(Secret(bytes([number]) * 32), "w", 4 * SIZE),
        )["w"]
        for number in range(16)
    ]
    total = np.sum(shares, axis=0)
    bins = np.arange(-40, 41) + 0.5
    seen = np.histogram(total, bins)[0]
    edges = (bins - 16 * 0.3) / (PRIVACY.sigma / step * sqrt(1 + 16 / 12 / 16**2))  # each rounding adds 1/12
    expected = np.diff([_normal(edge) for edge in edges]) * total.size
    assert ((seen - expected) ** 2 / expected).sum() < 80 + 5 * sqrt(2 * 80)


def _normal(value: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(value)
