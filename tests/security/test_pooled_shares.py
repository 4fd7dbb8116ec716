"""t-1 members that put together all they hold of a victim; what they find is uniform: test_privacy_encryption.py."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest

from protocols.encryption.scheme import Lanes, PublicContext, Share
from protocols.encryption.sharing import FIELD, add_shares, candidates
from protocols.errors import MalformedError, RemoteError
from protocols.rounds.dealing import open_share
from tests.protocols.playbook import CELLS, EPOCH_KEYS, ROUND, SCHEMA, SCHEME, VIEW, Submitted, lanes_of, submit

VICTIM = submit(CELLS[0][0])
N, T = 4, 3


def attempt(members: tuple[int, ...], threshold: int) -> Lanes:
    """Opening the victim's ciphertext alone, with these members' shares of its key."""
    total = SCHEME.unpack(VICTIM.blobs)
    context = PublicContext(VIEW.round_beacon(ROUND), ROUND, 0)
    shares = {member: VICTIM.share(member) for member in members}
    return SCHEME.open(total, context, shares, threshold, 1, SCHEMA.layout).lanes


@pytest.mark.parametrize("members", combinations(range(1, N + 1), T))
def test_t_members_together_could_which_is_what_a_threshold_means(members: tuple[int, ...]) -> None:
    assert (attempt(members, T) == lanes_of(CELLS[0][0])).all()


@pytest.mark.parametrize("members", combinations(range(1, N + 1), T - 1))
def test_t_minus_1_cannot(members: tuple[int, ...]) -> None:
    for threshold in (T, T - 1):  # honestly, and as if two shares were enough
        with pytest.raises(RemoteError):
            attempt(members, threshold)


def test_not_even_with_a_guessed_third_share() -> None:
    """Every guess gives some key; that it is a small one, as it must be, happens to one in 10^12,000 guesses."""
    rng = np.random.default_rng(3)
    known = {member: VICTIM.share(member) for member in (1, 2)}
    for _ in range(50):
        guessed = {**known, 3: rng.integers(0, FIELD, 4096).astype(np.uint32)}
        assert list(candidates(guessed, T, bound=21)) == []


def test_a_members_key_opens_its_own_share_alone() -> None:
    """Else one member would count for several."""
    for member, sealed in enumerate(VICTIM.encrypted.dealt.sealed, 1):
        for other in set(EPOCH_KEYS) - {member}:
            with pytest.raises(MalformedError):
                open_share(VIEW, VICTIM.manifest, VICTIM.signed.signer, member, EPOCH_KEYS[other], sealed)


# -------------------------------------------------------------------------------- with all other peers in the cell


def at(points: Mapping[int, Share], where: int) -> Share:
    """The polynomial through these values, at a place; by Lagrange's formula modulo 65537."""
    total = np.zeros(4096, np.int64)
    for one, value in points.items():
        weight = 1
        for other in points:
            if other != one:
                weight = weight * (where - other) * pow(one - other, -1, FIELD) % FIELD
        total = (total + weight * value.astype(np.int64)) % FIELD
    return total.astype(np.uint32)


def shares_of(made: Submitted) -> dict[int, Share]:
    return {member: made.share(member) for member in range(1, N + 1)}


def plus(one: Share, other: Share, sign: int = 1) -> Share:
    return ((one.astype(np.int64) + sign * other.astype(np.int64)) % FIELD).astype(np.uint32)


def left_of_the_sum(honest: list[Submitted]) -> dict[int, Share]:
    """All members' released shares, less those of the contributors that pool: they know their own keys."""
    everybody = [submit(peer) for peer in CELLS[0]]
    pooling = [made for made in everybody if made.signed.signer not in {each.signed.signer for each in honest}]
    released = {member: add_shares([made.share(member) for made in everybody]) for member in range(1, N + 1)}
    for made in pooling:
        released = {member: plus(share, made.share(member), -1) for member, share in released.items()}
    return released


def test_who_has_nobody_honest_beside_it_is_read_by_all_others_together() -> None:
    """Which no encryption prevents: the sum less all other updates is its own."""
    left = left_of_the_sum([VICTIM])
    assert (at(left, 0) == at(shares_of(VICTIM), 0)).all()


@pytest.mark.parametrize("members", combinations(range(1, N + 1), T - 1))
def test_beside_one_honest_peer_all_that_is_pooled_fits_any_key_of_the_victim(members: tuple[int, ...]) -> None:
    """t - 1 members' shares of it, every released share, and the keys of all others: a decoy explains them as well."""
    friend, decoy = submit(CELLS[0][1]), submit(CELLS[0][2], seed=9)
    left = left_of_the_sum([VICTIM, friend])
    assert (at(left, 0) == plus(at(shares_of(VICTIM), 0), at(shares_of(friend), 0))).all(), "its sum with the friend"
    guess = at(shares_of(decoy), 0)
    victims = {0: guess, **{member: VICTIM.share(member) for member in members}}
    friends = {0: plus(at(left, 0), guess, -1), **{member: friend.share(member) for member in members}}
    for member in range(1, N + 1):
        assert (plus(at(victims, member), at(friends, member)) == left[member]).all()
        if member in members:
            assert (at(victims, member) == VICTIM.share(member)).all()
