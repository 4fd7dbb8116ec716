"""A committee of four in a round of which everybody holds everything, and what its members may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocols.agreement.certificate import list_digest, signatures
from protocols.agreement.machine import (
    Agreement,
    State,
)
from protocols.effects import Effects, Journal
from protocols.events import Received, Started
from protocols.told import Ready
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellSet,
    Contribution,
    PrevoteCertificate,
    Proposal,
    SetList,
    Vote,
)
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    ROUND,
    VIEW,
    Peer,
    received,
    sent,
)

HELD = {cell: frozenset(Contribution(peer.key, NO_DIGEST) for peer in peers) for cell, peers in enumerate(CELLS)}
BY_RANK = sorted(COMMITTEE, key=lambda peer: VIEW.proposer_rank(ROUND, VIEW.committee.index(peer.key) + 1))
SLOT = VIEW.slot(ROUND)


def a_list(*left_out: Peer) -> SetList:
    """All contributions but of some contributors."""
    absent = {peer.key for peer in left_out}
    held = [sorted(each, key=lambda one: one.contributor) for each in HELD.values()]
    sets = [tuple(one for one in each if one.contributor not in absent) for each in held]
    return SetList(SLOT, tuple(CellSet(cell, each) for cell, each in enumerate(sets)))


ALL = a_list()
SMALLER = a_list(CELLS[0][0])
SMALLEST = a_list(CELLS[0][0], CELLS[1][0])
READY = Ready(HELD, final=True)
VOTER = BY_RANK[3]


def held_of(sets: SetList) -> dict[int, frozenset[Contribution]]:
    return {each.cell: frozenset(each.contributions) for each in sets.cells}


def agreement(peer: Peer = VOTER, journal: Iterable[Journal] = ()) -> Agreement:
    machine = Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet", journal)
    machine.handle(Started(), 0)
    return machine


def begun(peer: Peer = VOTER, due: SetList = ALL, held: Mapping[int, frozenset[Contribution]] = HELD) -> Agreement:
    """A member whose first view has begun with some contributions due; what it holds may be more by now."""
    machine = agreement(peer)
    machine.handle(Ready(held_of(due), final=True), 0)
    machine.handle(Ready(held, final=True), 0)
    return machine


def digest_of(sets: SetList | None) -> Digest | None:
    return None if sets is None else list_digest(sets)


def a_vote(phase: int, sets: SetList | None, view: int = 0, justified: int | None = None) -> Vote:
    return Vote(SLOT, view, phase, digest_of(sets), justified)


def proposes(view: int, sets: SetList = ALL, valid: PrevoteCertificate | None = None) -> Received:
    return received(BY_RANK[view % 4], Proposal(view, sets, valid))


def prevotes(peer: Peer, sets: SetList | None = ALL, view: int = 0, justified: int | None = None) -> Received:
    return received(peer, a_vote(PREVOTE, sets, view, justified))


def precommits(peer: Peer, sets: SetList | None = ALL, view: int = 0) -> Received:
    return received(peer, a_vote(PRECOMMIT, sets, view))


def ends(machine: Agreement, view: int = 0) -> Effects:
    """All precommit nil: the next view begins at once."""
    return hears(machine, *(precommits(peer, None, view) for peer in COMMITTEE))


def polka(sets: SetList, view: int, ranks: Iterable[int] = (0, 1, 2)) -> PrevoteCertificate:
    """t prevotes."""
    vote = a_vote(PREVOTE, sets, view)
    signed = {VIEW.committee.index(BY_RANK[rank].key) + 1: BY_RANK[rank].sign(vote) for rank in ranks}
    return PrevoteCertificate(view, None, signatures(signed, 3))


def voted(effects: Effects) -> list[Vote]:
    """Votes among the effects, each of which must go to every member."""
    cast = sent(effects, Vote)
    assert all(cast.count(each) == 4 for each in cast)
    return cast[::4]


def hears(machine: Agreement, *events: Received, now: float = 0.0) -> Effects:
    return [effect for event in events for effect in machine.handle(event, now)]


def locked(view: int = 0, sets: SetList = ALL) -> Agreement:
    """A member that has precommitted in a view, which then ended without a certificate."""
    machine = begun()
    for number in range(view):
        ends(machine, number)
    hears(machine, proposes(view, sets), *(prevotes(peer, sets, view) for peer in BY_RANK[:3]))
    assert machine.state is State.PRECOMMITTED
    ends(machine, view)
    assert machine.state is State.PROPOSING
    return machine
