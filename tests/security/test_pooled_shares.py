"""t-1 members that put together all they hold of a victim; what they find is uniform: test_privacy_encryption.py."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from protocols.encryption.scheme import Lanes, PublicContext
from protocols.encryption.sharing import FIELD, candidates
from protocols.errors import MalformedError, RemoteError
from protocols.rounds.dealing import open_share
from tests.protocols.playbook import CELLS, EPOCH_KEYS, ROUND, SCHEMA, SCHEME, VIEW, lanes_of, submit

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
