from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from protocols.encryption import expand
from protocols.encryption.ring import PRIMES
from protocols.encryption.scheme import PublicContext
from protocols.errors import LocalError
from protocols.types import Secret

SEED = Secret(bytes(range(32)))
CONTEXT = PublicContext(bytes(32), 5, 2)


def test_keys_and_errors_are_centred_binomial() -> None:
    sample = np.concatenate([expand.error(SEED, CONTEXT, index) for index in range(64)])
    assert np.abs(sample).max() <= 21
    assert abs(sample.mean()) < 0.03  # the mean of 262,144 has a deviation of 0.0063
    assert sample.var() == pytest.approx(10.5, rel=0.02)
    assert np.abs(expand.key(SEED)).max() <= 21


def test_every_use_has_its_own_stream() -> None:
    later = PublicContext(CONTEXT.beacon, 6, 2)
    other_cell = PublicContext(CONTEXT.beacon, 5, 3)
    other_beacon = PublicContext(bytes([1]) * 32, 5, 2)
    drawn = [expand.key(SEED), expand.key(Secret(bytes(32)))]
    drawn += [expand.error(SEED, context, 0) for context in (CONTEXT, later, other_cell, other_beacon)]
    drawn += [expand.error(SEED, CONTEXT, 1)]
    for a, b in combinations(drawn, 2):
        assert (a == b).mean() < 0.2  # independent draws agree in 8.7 % of their coefficients


def test_sharing_polynomials_are_uniform_and_depend_on_the_threshold() -> None:
    three, four = expand.sharing(SEED, 3), expand.sharing(SEED, 4)
    assert three.shape == (2, 4096)
    assert four.min() >= 0
    assert four.max() <= 65_536
    assert (three == four[:2]).mean() < 0.01
    assert expand.sharing(SEED, 16).mean() == pytest.approx(32_768, rel=0.01)


def test_public_polynomials_are_uniform_read_only_and_cached() -> None:
    a = expand.public_polynomial(CONTEXT, 0)
    assert a is expand.public_polynomial(PublicContext(bytes(32), 5, 2), 0)
    assert not a.flags.writeable
    for row, prime in zip(a, PRIMES, strict=True):
        assert row.max() < prime
        assert row.astype(np.float64).mean() == pytest.approx(prime / 2, rel=0.05)
    assert (a == expand.public_polynomial(CONTEXT, 1)).sum() == 0
    assert expand.public_polynomial.cache_info().maxsize == expand.POLYNOMIALS_CACHED


def test_rejection_keeps_only_what_is_below_the_limit_and_draws_more_when_short() -> None:
    values = expand._uniform(b"label", 5000, "<u4", 0xFF, 3)  # keeps three of 256 words
    assert values.size == 5000
    assert set(values.tolist()) == {0, 1, 2}
    assert (expand._uniform(b"label", 100, "<u4", 0xFF, 3) == values[:100]).all()


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(LocalError, match="32 bytes"):
        expand.key(Secret(b"short"))
