"""Attempts to read one update, or to spoil a sum unseen, with all that a dishonest participant holds. All must fail."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption import expand, message, sharing
from protocols.encryption.layout import uniform
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import PublicContext, Share
from protocols.encryption.sharing import FIELD, add_shares
from protocols.errors import RemoteError
from protocols.types import Secret

SCHEME = OneTimeKeyScheme()
CONTEXT = PublicContext(bytes([4]) * 32, 3, 0)
THRESHOLD, MEMBERS = 5, 7
SEEDS = [Secret(bytes([10 + number]) * 32) for number in range(5)]
LAYOUT = uniform(16_384)
UPDATES = np.random.default_rng(10).integers(-(2**15), 2**15, (5, 16_384))
CIPHERTEXTS = [SCHEME.encrypt(lanes, seed, CONTEXT) for lanes, seed in zip(UPDATES, SEEDS, strict=True)]
TOTAL = SCHEME.add(CIPHERTEXTS)
DEALT = [SCHEME.deal(seed, THRESHOLD, MEMBERS) for seed in SEEDS]
RELEASED: dict[int, Share] = {member: add_shares(shares) for member, shares in enumerate(zip(*DEALT, strict=True), 1)}
KEY = np.sum([expand.key(seed) for seed in SEEDS], axis=0)


def residual_noise(key: np.ndarray) -> int:
    spread = SCHEME.ring.forward(SCHEME.ring.reduce(key))
    mask = SCHEME.ring.product(expand.public_polynomial(CONTEXT, 0), spread)
    return message.decode(SCHEME.ring, SCHEME.ring.inverse(SCHEME.ring.subtract(TOTAL[0], mask))[None])[1]


def test_fewer_shares_than_the_threshold_are_refused() -> None:
    few = {member: RELEASED[member] for member in range(1, THRESHOLD)}
    with pytest.raises(RemoteError, match="4 members released"):
        SCHEME.open(TOTAL, CONTEXT, few, THRESHOLD, 5, LAYOUT)


def test_fewer_shares_than_the_threshold_say_nothing_about_the_key() -> None:
    """With t-1 shares every key is as likely as before: the missing share that explains it always exists.

    And what interpolation makes of them is uniform: it meets the true coefficients one time in 65,537.
    """
    few = {member: RELEASED[member] for member in range(1, THRESHOLD)}
    wild = np.random.default_rng(11).integers(-100, 101, 4096)
    weights = sharing._lagrange([0, *few, MEMBERS], THRESHOLD)  # row 1 takes a key and four shares to the last member
    known = np.vstack([wild % FIELD, *few.values()]).astype(np.int64)
    explained = {**few, MEMBERS: sharing._product(weights, known)[1].astype(np.uint32)}
    assert (next(sharing.candidates(explained, THRESHOLD, 105))[0] == wild).all()

    guess = sharing._product(sharing._lagrange([*few], THRESHOLD - 1), np.stack([*few.values()]).astype(np.int64))[0]
    assert (guess == KEY % FIELD).sum() <= 3  # 4,096 guesses of chance 1 in 65,537
    small = (guess <= 105) | (guess >= FIELD - 105)
    assert small.sum() <= 40  # 13 are expected of uniform values
    assert np.histogram(guess, 16, (0, FIELD))[0] == pytest.approx(256, abs=100)  # six deviations


def test_a_share_is_uniform_whatever_the_key() -> None:
    for share in DEALT[0]:
        assert np.histogram(share, 16, (0, FIELD))[0] == pytest.approx(256, abs=100)


def test_a_ciphertext_looks_uniform_and_hides_even_an_update_of_zeros() -> None:
    zeros = SCHEME.encrypt(np.zeros(16_384, dtype=np.int64), SEEDS[0], CONTEXT)[0]
    for form in (zeros, SCHEME.ring.inverse(zeros)):
        for row in form:
            assert np.histogram(row, 16, (0, 2**46))[0] == pytest.approx(256, abs=100)


def test_the_key_of_the_sum_does_not_open_a_single_update() -> None:
    for alone in CIPHERTEXTS:
        with pytest.raises(RemoteError):
            SCHEME.open(alone, CONTEXT, RELEASED, THRESHOLD, 5, LAYOUT)
    with pytest.raises(RemoteError):
        SCHEME.open(SCHEME.add(CIPHERTEXTS[1:]), CONTEXT, RELEASED, THRESHOLD, 5, LAYOUT)  # a set smaller by one


def test_a_key_off_by_one_in_one_coefficient_is_refuted() -> None:
    assert residual_noise(KEY) <= 21 * 5
    for coefficient in (0, 4095):
        for by in (1, -1):
            nearly = KEY.copy()
            nearly[coefficient] += by
            assert residual_noise(nearly) > 21 * 5


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(1, MEMBERS), min_size=1, max_size=2), st.integers(0, 4095), st.integers(1, FIELD - 1))
def test_wrong_summed_shares_are_seen_found_and_left_out(liars: set[int], coefficient: int, by: int) -> None:
    released = dict(RELEASED)
    for liar in liars:
        released[liar] = released[liar].copy()
        released[liar][coefficient] = (int(released[liar][coefficient]) + by) % FIELD
    opened = SCHEME.open(TOTAL, CONTEXT, released, THRESHOLD, 5, LAYOUT)
    assert (opened.lanes == UPDATES.sum(axis=0)).all()
    assert set(opened.wrong) <= liars  # two that collude may blur who lied, but never blame the honest
    assert opened.wrong or len(liars) > 1


def test_resending_repeats_the_bytes_and_another_round_shares_nothing() -> None:
    """Equal errors in two contexts would cancel: (c0 - c0') / (a - a') would be the key."""
    assert (SCHEME.encrypt(UPDATES[0], SEEDS[0], CONTEXT) == CIPHERTEXTS[0]).all()
    later = PublicContext(CONTEXT.beacon, 4, 0)
    difference = SCHEME.ring.subtract(CIPHERTEXTS[0], SCHEME.encrypt(UPDATES[0], SEEDS[0], later))[0]
    gap = SCHEME.ring.subtract(expand.public_polynomial(CONTEXT, 0), expand.public_polynomial(later, 0))
    key = SCHEME.ring.forward(SCHEME.ring.reduce(expand.key(SEEDS[0])))
    assert (difference != SCHEME.ring.product(gap, key)).mean() > 0.99


def test_seeds_do_not_leave_by_accident() -> None:
    assert SEEDS[0].reveal().hex()[:8] not in repr(SEEDS[0])
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(SEEDS[0])
