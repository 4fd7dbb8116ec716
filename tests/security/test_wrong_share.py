"""Members that release wrong summed shares: they are seen, found, and the sum is opened without them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from protocols.effects import Attest, Conclude, Effect, Effects, Send
from protocols.encryption.packing import pack_share, unpack_share
from protocols.encryption.sharing import FIELD
from protocols.types import NO_DIGEST, Digest
from protocols.updates.totals import add_cells
from protocols.wire.messages import Release
from tests.protocols.playbook import (
    CELLS,
    MEMBERS,
    PEERS,
    VALIDATOR,
    VIEW,
    Peer,
    Playbook,
    blamed,
    lanes_of,
    of,
    whole_round,
)

Change = Callable[[np.ndarray], np.ndarray]


def off_by_one(share: np.ndarray) -> np.ndarray:
    return np.where(np.arange(share.size) == 99, (share + 1) % FIELD, share)


def of_zeros(share: np.ndarray) -> np.ndarray:
    return np.zeros_like(share)


def random(share: np.ndarray) -> np.ndarray:
    return np.random.default_rng(4).integers(0, FIELD, share.size)


def doubled(share: np.ndarray) -> np.ndarray:
    return share * 2 % FIELD


def releasing(liar: Peer, change: Change) -> Callable[[Effect], Effects]:
    """The same lie to everybody, under its own good signature."""

    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Release):
            return [effect]
        told = effect.signed.message
        share = pack_share(change(unpack_share(told.share).astype(np.int64)).astype(np.uint32))
        return [Send(effect.to, liar.sign(Release(told.slot, told.cell, told.cell_set, share)))]

    return behaviour


def totals(play: Playbook, members: Iterable[Peer]) -> set[bytes]:
    return {each.certificate.header.total for peer in members for each in of(play.actors[peer.key].effects, Conclude)}


EXPECTED = add_cells((np.sum([lanes_of(peer) for peer in peers], axis=0), 4) for peers in CELLS)
HONEST = {Digest(hashlib.sha256(EXPECTED).digest())}


@pytest.mark.parametrize("change", [off_by_one, of_zeros, random, doubled])
@pytest.mark.parametrize("number", [1, 4])
def test_one_liar_is_found_and_the_same_sum_opened(number: int, change: Change) -> None:
    liar = PEERS[VIEW.committee[number - 1]]
    play = whole_round({liar.key: releasing(liar, change)})
    assert totals(play, MEMBERS) == HONEST
    assert len(of(play.actors[VALIDATOR.key].effects, Attest)) == 1
    accused = blamed(play.effects())
    assert accused in ({}, {liar.key: accused.get(liar.key, "")}), "never an honest one"
    found = [peer for peer in MEMBERS if liar.key in blamed(play.actors[peer.key].effects)]
    assert found or number == 4, "whose share came last was not needed"


def test_two_of_four_liars_stop_the_opening_but_never_make_a_wrong_one() -> None:
    """At most, two that shift their shares along one polynomial make the cells look spoiled, which counts nothing."""
    liars = {peer.key: releasing(peer, off_by_one) for peer in MEMBERS[:2]}
    play = whole_round(liars)
    assert totals(play, MEMBERS) <= {NO_DIGEST}
    assert {each.header.total for each in of(play.actors[VALIDATOR.key].effects, Attest)} <= {NO_DIGEST}
    assert set(blamed(play.effects())) <= set(liars)
