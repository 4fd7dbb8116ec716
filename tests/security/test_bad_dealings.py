"""Dealers whose shares lie on no polynomial: without the degree check they harm the honest, with it they are named."""

from __future__ import annotations

import hashlib
import math
from itertools import combinations

import numpy as np
import pytest

from protocols.effects import Conclude
from protocols.encryption.degree import Challenge, check_degree, combine, draw_challenge
from protocols.encryption.sharing import FIELD, weights_from_first
from protocols.errors import MalformedError
from protocols.rounds import dealing
from protocols.types import PeerKey
from protocols.updates.totals import add_cells
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    MEMBERS,
    VIEW,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    lanes_of,
    of,
    offline,
    whole_round,
)
from tests.security.workshop import N, T, craft, honest_parts, starve, submitting

DEALER = CELLS[0][1]
STARVED = COMMITTEE[1]


def totals(play: Playbook) -> set[bytes]:
    return {effect.certificate.header.total for effect in of(play.effects(), Conclude)}


def total_without(*absent: Peer) -> bytes:
    present = [[peer for peer in peers if peer not in absent] for peers in CELLS]
    sums = add_cells((np.sum([lanes_of(peer) for peer in peers], axis=0), len(peers)) for peers in present)
    return hashlib.sha256(sums).digest()


def round_with(dealer: Behaviour, *silent: PeerKey) -> Playbook:
    return whole_round({DEALER.key: dealer, **dict.fromkeys(silent, offline)})


# ------------------------------------------------------------------------------------------- one member starved


def starving(member: int) -> Behaviour:
    return submitting(starve(DEALER, member))


def test_unchecked_a_wrong_share_makes_its_honest_holder_look_like_a_liar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "check_degree", lambda *_: None)
    play = round_with(starving(2))
    accused = blamed(play.effects())
    assert "released a wrong share" in accused[STARVED.key]
    assert DEALER.key not in accused


@pytest.mark.parametrize("member", range(1, N + 1))
def test_checked_the_dealer_is_named_by_everybody_and_its_dealing_left_out(member: int) -> None:
    play = round_with(starving(member))
    for each in MEMBERS:
        assert set(blamed(play.actors[each.key].effects)) == {DEALER.key}
    assert set(blamed(play.effects())) == {DEALER.key}
    assert totals(play) == {total_without(DEALER)}


# ------------------------------------------------------------------------- a degree too high, with f members silent


def value_at(point: int, values: dict[int, np.ndarray]) -> np.ndarray:
    """Of the polynomial through these values, by Lagrange's formula in plain integers."""
    total = np.zeros(len(next(iter(values.values()))), object)
    for x, value in values.items():
        others = [y for y in values if y != x]
        weight = math.prod(point - y for y in others) * pow(math.prod(x - y for y in others), -1, FIELD)
        total += weight * value.astype(object)
    return total % FIELD


def lie_on_a_polynomial(answers: dict[int, np.ndarray]) -> bool:
    """The check by answers: whether those of the members that spoke lie on one polynomial of degree t - 1."""
    first = dict(list(answers.items())[:T])
    return all((value_at(member, first) == answer).all() for member, answer in answers.items())


@pytest.mark.parametrize("silent", range(1, N + 1))
def test_by_answers_alone_f_silent_members_let_any_dealing_pass(silent: int) -> None:
    shares, masks = honest_parts(DEALER, threshold=T + 1)
    challenge = draw_challenge(b"a beacon", b"of a later block", [])
    answers = dict(zip(range(1, N + 1), combine(challenge, shares, masks), strict=True))
    assert not lie_on_a_polynomial(answers)
    del answers[silent]
    assert lie_on_a_polynomial(answers), "any t values do"
    chosen = [{x: shares[x - 1] for x in group} for group in combinations(range(1, N + 1), T)]
    keys = {tuple(value_at(0, group).tolist()) for group in chosen}
    assert len(keys) == len(chosen), "and yet every t of the shares give another key"


@pytest.mark.parametrize("silent", range(1, N))
def test_with_the_polynomials_published_it_does_not_matter_who_is_silent(silent: int) -> None:
    """The dealer can content any t members; whoever else speaks finds it out, alone."""
    shares, masks = honest_parts(DEALER, threshold=T + 1)
    play = round_with(submitting(craft(DEALER, shares, masks)), VIEW.committee[silent - 1])
    assert set(blamed(play.effects())) == {DEALER.key}
    assert totals(play) in (set(), {total_without(DEALER)}), "with the silent one's help it may be too late to vote"


def test_if_all_that_are_left_are_content_their_shares_are_those_of_some_key() -> None:
    """Of another key than the ciphertext's, which any contributor can share: its cell does not open and counts nothing,
    and nobody honest is named.
    """
    shares, masks = honest_parts(DEALER, threshold=T + 1)
    play = round_with(submitting(craft(DEALER, shares, masks)), VIEW.committee[N - 1])
    assert blamed(play.effects()) == {}
    (cell,) = (peers for peers in CELLS if DEALER in peers)
    assert totals(play) == {total_without(*cell)}


# ----------------------------------------------------------------------------------------- made after the beacon


def blind_spot(challenge: Challenge) -> np.ndarray:
    """A change of a share that no combination sees: ten values, nine linear equations modulo 65537."""
    left, right = challenge.left.astype(int).tolist(), challenge.right.astype(int).tolist()
    rows = [[left[0][c] * right[j][c] % FIELD for j in range(10)] for c in range(9)]
    for pivot in range(9):
        swap = next(row for row in range(pivot, 9) if rows[row][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        inverse = pow(rows[pivot][pivot], -1, FIELD)
        rows[pivot] = [value * inverse % FIELD for value in rows[pivot]]
        for row in range(9):
            if row != pivot:
                factor = rows[row][pivot]
                rows[row] = [(a - factor * b) % FIELD for a, b in zip(rows[row], rows[pivot], strict=True)]
    change = np.zeros(4096, np.uint32)
    change[:10] = [*((-rows[c][9]) % FIELD for c in range(9)), 1]
    return change


BEACON = draw_challenge(b"the round's beacon", b"", [])


def test_a_dealing_made_after_the_beacon_passes_the_beacons_check() -> None:
    shares, masks = honest_parts(DEALER)
    wrong = ((shares[1] + blind_spot(BEACON)) % FIELD).astype(np.uint32)
    proof = craft(DEALER, shares, masks, beacon=BEACON).manifest.dealing
    assert proof is not None
    check_degree(BEACON, proof.degree, T, 2, wrong, masks[1])
    assert (wrong != shares[1]).any()
    expected = weights_from_first(T, 2) @ combine(BEACON, shares[:T], masks[:T]) % FIELD
    assert (combine(BEACON, [wrong], [masks[1]])[0] == expected).all()


def test_a_challenge_that_follows_from_the_dealing_cannot_be_known_before_it() -> None:
    """Whatever challenge the dealer prepares for, the finished dealing has another."""
    shares, masks = honest_parts(DEALER)
    prepared = BEACON
    for _ in range(3):
        wrong = [shares[0], ((shares[1] + blind_spot(prepared)) % FIELD).astype(np.uint32), *shares[2:]]
        made = craft(DEALER, wrong, masks, published=shares)
        with pytest.raises(MalformedError, match="does not lie on its dealing's polynomials"):
            dealing.open_share(VIEW, made.manifest, DEALER.key, 2, EPOCH_KEYS[2], made.encrypted.dealt.sealed[1])
        context = VIEW.dealing_context(2, 0, DEALER.key, dealing.marks(made.manifest)[1])
        assert made.manifest.dealing is not None
        prepared = draw_challenge(context, made.manifest.dealing.public, made.manifest.shares)


def test_it_is_found_out_in_the_round_and_named() -> None:
    shares, masks = honest_parts(DEALER)
    wrong = [shares[0], ((shares[1] + blind_spot(BEACON)) % FIELD).astype(np.uint32), *shares[2:]]
    play = round_with(submitting(craft(DEALER, wrong, masks, published=shares)))
    assert set(blamed(play.effects())) == {DEALER.key}
    assert totals(play) == {total_without(DEALER)}
