from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from protocols.errors import LocalError
from protocols.privacy.noise import LARGEST, gaussian
from protocols.types import Secret

SEED = Secret(bytes(range(32)))


def test_it_is_standard_normal() -> None:
    values = gaussian(SEED, "w", 200_000)
    assert stats.kstest(values, "norm").pvalue > 0.01
    assert values.std() == pytest.approx(1, abs=0.01)
    halves = np.corrcoef(values[:100_000], values[100_000:])[0, 1]
    assert abs(halves) < 0.02  # sine and cosine of one angle are independent


def test_no_value_exceeds_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zeros:
        def __init__(self, _: bytes) -> None: ...

        def digest(self, size: int) -> bytes:
            return bytes(size)  # the smallest uniform there is

    monkeypatch.setattr("hashlib.shake_256", Zeros)
    assert 9.4 < np.abs(gaussian(SEED, "w", 2)).max() <= LARGEST


def test_seeds_and_uses_have_their_own_streams() -> None:
    first = gaussian(SEED, "w", 5)
    assert (gaussian(SEED, "w", 5) == first).all()
    assert not (gaussian(SEED, "b", 5) == first).any()
    assert not (gaussian(Secret(bytes(32)), "w", 5) == first).any()
    assert [gaussian(SEED, "w", count).shape for count in (0, 1, 3)] == [(0,), (1,), (3,)]


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(LocalError, match="32 bytes, not 3"):
        gaussian(Secret(b"abc"), "w", 1)
