"""The degree proof: every member can check it alone, and no dealing that lies on no polynomials passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption import expand
from protocols.encryption.degree import (
    COMBINATIONS,
    Challenge,
    Masks,
    check_degree,
    combine,
    draw_challenge,
    draw_masks,
    prove_degree,
    read_proof,
)
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import Share
from protocols.encryption.sharing import FIELD, weights_from_first
from protocols.errors import MalformedError
from protocols.types import Secret

SEED = Secret(bytes([5]) * 32)
CHALLENGE = draw_challenge(b"context", b"dealing", [b"a" * 32, b"b" * 32])


def dealt(threshold: int, members: int) -> tuple[list[Share], list[Masks]]:
    return OneTimeKeyScheme().deal(SEED, threshold, members), draw_masks(SEED, threshold, members)


def passes(proof: bytes, threshold: int, member: int, share: Share, masks: Masks, at: Challenge = CHALLENGE) -> bool:
    try:
        check_degree(at, proof, threshold, member, share, masks)
    except MalformedError:
        return False
    return True


@pytest.mark.parametrize(("threshold", "members"), [(1, 1), (3, 4), (5, 7), (11, 16), (16, 16)])
def test_every_member_of_an_honest_dealing_is_content(threshold: int, members: int) -> None:
    shares, masks = dealt(threshold, members)
    proof = prove_degree(CHALLENGE, shares, masks, threshold)
    assert all(passes(proof, threshold, i + 1, shares[i], masks[i]) for i in range(members))


def test_a_combination_is_what_the_protocol_says() -> None:
    shares, masks = dealt(3, 4)
    found = combine(CHALLENGE, shares, masks)
    left, right = (each.astype(int).tolist() for each in (CHALLENGE.left, CHALLENGE.right))
    for member in range(4):
        for c in (0, COMBINATIONS - 1):
            terms = (left[j // 64][c] * right[j % 64][c] * int(shares[member][j]) for j in range(4096))
            assert found[member, c] == (sum(terms) + int(masks[member][c])) % FIELD


def test_exact_at_the_extremes_of_the_field() -> None:
    largest = np.full(4096, FIELD - 1, np.uint32)
    weights = np.full((64, COMBINATIONS), FIELD - 1.0)
    found = combine(Challenge(weights, weights), [largest], [np.full(COMBINATIONS, FIELD - 1, np.uint32)])
    assert (found == ((FIELD - 1) ** 3 * 4096 + FIELD - 1) % FIELD).all()


@given(member=st.integers(1, 7), position=st.integers(0, 4095), by=st.integers(1, FIELD - 1))
@settings(max_examples=30)
def test_one_wrong_value_of_one_member_is_seen_by_it_and_by_no_other(member: int, position: int, by: int) -> None:
    shares, masks = dealt(5, 7)
    proof = prove_degree(CHALLENGE, shares, masks, 5)
    shares[member - 1][position] = (int(shares[member - 1][position]) + by) % FIELD
    content = [passes(proof, 5, i + 1, shares[i], masks[i]) for i in range(7)]
    assert content == [i + 1 != member for i in range(7)]


def test_a_wrong_mask_is_seen_too() -> None:
    shares, masks = dealt(5, 7)
    proof = prove_degree(CHALLENGE, shares, masks, 5)
    masks[6][3] = (masks[6][3] + 1) % FIELD
    assert not passes(proof, 5, 7, shares[6], masks[6])


def test_a_degree_too_high_leaves_somebody_discontented_whatever_is_published() -> None:
    """Among t + 1 members one at least: any t values lie on some polynomial, the next does not."""
    shares, masks = dealt(6, 7)
    for first in range(2):
        chosen = [*range(first, first + 6)]
        proof = prove_degree(CHALLENGE, shares, masks, 5)
        assert not all(passes(proof, 5, i + 1, shares[i], masks[i]) for i in chosen)


def test_the_challenge_follows_from_everything_that_was_dealt() -> None:
    one = draw_challenge(b"context", b"dealing", [b"a" * 32, b"b" * 32])
    assert (one.left == CHALLENGE.left).all()
    for other in (
        draw_challenge(b"Context", b"dealing", [b"a" * 32, b"b" * 32]),
        draw_challenge(b"context", b"Dealing", [b"a" * 32, b"b" * 32]),
        draw_challenge(b"context", b"dealing", [b"a" * 32, b"c" * 32]),
    ):
        assert (other.left != CHALLENGE.left).mean() > 0.99
        assert (other.right != CHALLENGE.right).mean() > 0.99


def test_the_proof_tells_nothing_of_the_key_without_the_masks() -> None:
    """For every key there are masks that give the same proof: it is masked by one uniform polynomial a combination."""
    shares, masks = dealt(5, 7)
    proof = read_proof(prove_degree(CHALLENGE, shares, masks, 5), 5)
    others = OneTimeKeyScheme().deal(Secret(bytes([6]) * 32), 5, 7)
    bare = combine(CHALLENGE, others[:5], [np.zeros(COMBINATIONS, np.uint32)] * 5)
    fitting = ((proof - bare) % FIELD).astype(np.uint32)
    assert (combine(CHALLENGE, others[:5], list(fitting)) == proof).all()
    assert len({tuple(row) for row in draw_masks(SEED, 5, 7)}) == 7


def through(values: dict[int, np.ndarray], point: int) -> np.ndarray:
    """The value at a point of the polynomial through these, modulo 65537."""
    total = np.zeros(len(values[0]), object)
    for x, value in values.items():
        others = [y for y in values if y != x]
        weight = math.prod(point - y for y in others) * pow(math.prod(x - y for y in others), -1, FIELD)
        total += weight * value.astype(object)
    return (total % FIELD).astype(np.uint32)


def test_nor_to_t_minus_1_members_with_their_shares_and_masks() -> None:
    """Every other key has a sharing and masks that give them just what they hold, and everybody the same proof."""
    shares, masks = dealt(5, 7)
    published = prove_degree(CHALLENGE, shares, masks, 5)
    other = expand.key(Secret(bytes([6]) * 32)) % FIELD
    known = {0: other, **{i: shares[i - 1] for i in range(1, 5)}}
    others_shares = [*shares[:4], *(through(known, i) for i in range(5, 8))]
    expected = np.stack([weights_from_first(5, i) @ read_proof(published, 5) for i in range(1, 8)]) % FIELD
    bare = combine(CHALLENGE, others_shares, [np.zeros(COMBINATIONS, np.uint32)] * 7)
    fitting = [row.astype(np.uint32) for row in (expected - bare) % FIELD]
    assert all((fitting[i] == masks[i]).all() for i in range(4)), "the same masks for those who pool"
    assert all(passes(published, 5, i + 1, others_shares[i], fitting[i]) for i in range(7))
    at_1_to_5 = {x: fitting[x] for x in range(5)}  # members 1..5, counted from 0: a shift keeps the degree
    assert all((through(at_1_to_5, x) == fitting[x]).all() for x in (5, 6)), "and masks of the right degree"


@pytest.mark.parametrize("proof", [b"", bytes(10), b"\xff" * 96, bytes(97)])
def test_a_malformed_proof_is_refused(proof: bytes) -> None:
    with pytest.raises(MalformedError):
        read_proof(proof, 5)
