from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import pytest

from protocols.agreement.certificate import list_digest
from protocols.agreement.machine import (
    Agreement,
)
from protocols.effects import Effects, Send, Tell
from protocols.told import Certified, Ready
from protocols.types import Digest
from protocols.wire.messages import (
    Contribution,
    ListCertificate,
    Message,
    Proposal,
    SetList,
    Status,
    Vote,
)
from tests.protocols.agreement.scene import (
    ALL,
    BY_RANK,
    HELD,
    READY,
    SMALLER,
    SMALLEST,
    held_of,
)
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    CONTRIBUTORS,
    ROUND,
    VIEW,
    Actor,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    of,
    offline,
    sent,
)


def committee(behaviours: Mapping[Peer, Behaviour] | None = None, held: Mapping[Peer, Ready] | None = None) -> Playbook:
    """All members and a contributor; every member holds everything from the beginning, unless told otherwise."""
    peers = (*COMMITTEE, CONTRIBUTORS[0])
    actors = [Actor(peer, [Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet")]) for peer in peers]
    play = Playbook(actors)
    for actor in actors:
        actor.behaviour = (behaviours or {}).get(actor.peer, actor.behaviour)
        if actor.peer in COMMITTEE:
            play.post(actor, (held or {}).get(actor.peer, READY), at=1.0)
    return play.run()


def certified_by(play: Playbook) -> dict[Peer, SetList]:
    return {
        actor.peer: tell.event.certificate.sets
        for actor in play.actors.values()
        for tell in of(actor.effects, Tell)
        if isinstance(tell.event, Certified)
    }


def everybody(sets: SetList, *but: Peer) -> dict[Peer, SetList]:
    return {peer: sets for peer in (*COMMITTEE, CONTRIBUTORS[0]) if peer not in but}


@pytest.mark.parametrize("silent", [(), *itertools.combinations(BY_RANK, 1)])
def test_all_agree_on_one_list_whoever_is_silent(silent: tuple[Peer, ...]) -> None:
    play = committee(dict.fromkeys(silent, offline))
    assert certified_by(play) == everybody(ALL, *silent)
    assert blamed(play.effects()) == {}
    assert len(sent(play.effects(), ListCertificate)) == 1


def test_without_faults_there_is_one_view_and_nobody_waits_for_a_timer() -> None:
    play = committee()
    assert len(sent(play.effects(), Proposal)) == 4
    assert len(sent(play.effects(), Vote)) == 2 * 4 * 4
    assert {vote.view for vote in sent(play.effects(), Vote)} == {0}
    assert sent(play.effects(), Status) == []


def test_with_t_minus_1_members_nothing_is_certified() -> None:
    play = committee(dict.fromkeys(BY_RANK[2:], offline))
    assert sent(play.effects(), Vote)
    assert certified_by(play) == {}


def test_a_contribution_that_was_shown_to_half_of_the_members_does_not_stop_the_round() -> None:
    """Each of the two manifests is held by two members, so no list with either can have three votes."""
    first, second = (Contribution(CELLS[0][0].key, Digest(name.ljust(32))) for name in (b"first", b"second"))
    halves = {
        peer: Ready({0: held_of(SMALLER)[0] | {each}, 1: HELD[1]}, final=True)
        for peer, each in zip(BY_RANK, (first, first, second, second), strict=True)
    }
    play = committee(held=halves)
    assert certified_by(play) == everybody(SMALLER)
    assert blamed(play.effects()) == {}


def two_faced(sets: SetList) -> Behaviour:
    """Shows half of the members another list, and votes for whatever each wants to hear."""

    def behave(effect: object) -> Effects:
        if not isinstance(effect, Send) or effect.to not in (BY_RANK[0].key, BY_RANK[1].key):
            return [effect]  # type: ignore[list-item]
        message: Message = effect.signed.message
        if isinstance(message, Proposal):
            message = dataclasses.replace(message, sets=sets)
        elif isinstance(message, Vote) and message.sets is not None:
            message = dataclasses.replace(message, sets=list_digest(sets))
        liar = next(peer for peer in BY_RANK if peer.key == effect.signed.signer)
        return [Send(effect.to, liar.sign(message))]

    return behave


@pytest.mark.parametrize("liar", BY_RANK)
@pytest.mark.parametrize("other", [SMALLER, SMALLEST])
def test_a_liar_neither_divides_the_others_nor_stops_them(liar: Peer, other: SetList) -> None:
    play = committee({liar: two_faced(other)})
    agreed = {peer: sets for peer, sets in certified_by(play).items() if peer != liar}
    assert set(agreed) == set(everybody(ALL, liar))
    assert len({list_digest(sets) for sets in agreed.values()}) == 1
    assert set(blamed(play.effects())) <= {liar.key}
