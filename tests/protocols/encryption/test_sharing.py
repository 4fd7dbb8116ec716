from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption.sharing import FIELD, add_shares, candidates, deal
from protocols.errors import LocalError, MalformedError

RNG = np.random.default_rng(3)


def secret() -> np.ndarray:
    return RNG.integers(-336, 337, 4096)


def polynomials(threshold: int) -> np.ndarray:
    return RNG.integers(0, FIELD, (threshold - 1, 4096))


def numbered(shares: list[np.ndarray]) -> dict[int, np.ndarray]:
    return dict(enumerate(shares, 1))


def test_shares_are_values_of_the_polynomials() -> None:
    key, coefficients = secret(), polynomials(3)
    for x, share in enumerate(deal(key, coefficients, 5), 1):
        exact = [(int(k) + x * int(a) + x * x * int(b)) % FIELD for k, a, b in zip(key, *coefficients, strict=True)]
        assert share.tolist() == exact


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, 16), min_size=11, max_size=16))
def test_any_threshold_of_them_give_the_secret(members: set[int]) -> None:
    key = secret()
    dealt = numbered(deal(key, polynomials(11), 16))
    found, wrong = next(candidates({member: dealt[member] for member in members}, 11, 336))
    assert (found == key).all()
    assert wrong == ()


def test_sums_of_shares_are_shares_of_the_sum() -> None:
    keys = [RNG.integers(-21, 22, 4096) for _ in range(16)]
    dealt = [deal(key, polynomials(5), 7) for key in keys]
    summed = numbered([add_shares(column) for column in zip(*dealt, strict=True)])
    assert (next(candidates(summed, 5, 336))[0] == sum(keys)).all()


@pytest.mark.parametrize("liars", [(1,), (7,), (2, 5)])
def test_liars_are_named_up_to_all_that_are_redundant(liars: tuple[int, ...]) -> None:
    key = secret()
    shares = numbered(deal(key, polynomials(5), 7))
    for column, liar in enumerate(liars):
        shares[liar] = shares[liar].copy()
        shares[liar][100 + column] = (shares[liar][100 + column] + 1) % FIELD  # each lies in one coefficient only
    assert any((found == key).all() and wrong == liars for found, wrong in candidates(shares, 5, 336))


def test_liars_that_lie_consistently_do_not_hide_the_secret() -> None:
    """Two liars of seven shift the secret by a polynomial that four honest members cannot see."""
    key = secret()
    shares = numbered(deal(key, polynomials(5), 7))
    for liar in (6, 7):
        shift = np.prod([liar - honest for honest in (1, 2, 3, 4)])
        shares[liar] = ((shares[liar] + shift) % FIELD).astype(np.uint32)
    explained = list(candidates(shares, 5, 336))
    assert explained[0][1] == (5,)  # fewest misfits first: it looks as though the honest fifth were the liar
    assert any((found == key).all() and wrong == (6, 7) for found, wrong in explained)


def test_random_shares_explain_nothing() -> None:
    shares = {member: RNG.integers(0, FIELD, 4096).astype(np.uint32) for member in range(1, 8)}
    assert list(candidates(shares, 5, 336)) == []


def test_impossible_committees_are_refused() -> None:
    with pytest.raises(LocalError, match="threshold 5"):
        deal(secret(), polynomials(5), 4)
    with pytest.raises(LocalError, match="17 members"):
        deal(secret(), polynomials(5), 17)


@pytest.mark.parametrize(
    "share",
    [
        np.zeros(4096, dtype=np.int64),
        np.zeros(4095, dtype=np.uint32),
        np.full(4096, FIELD, dtype=np.uint32),
    ],
)
def test_malformed_shares_are_not_added(share: np.ndarray) -> None:
    with pytest.raises(MalformedError, match="below 65537"):
        add_shares([share])
    with pytest.raises(LocalError, match="no shares"):
        add_shares([])
