"""Each fault that was shown is asked after, and is not once it was named for what it is; what was not shown is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols.effects import Blame, Job
from protocols.encryption.packing import pack_share
from protocols.events import Event, JobDone, Received
from protocols.types import NO_DIGEST, Digest
from protocols.updates.chunks import update_root
from protocols.wire.messages import (
    PREVOTE,
    Aggregate,
    CellResult,
    Dispute,
    Header,
    HeaderVote,
    Message,
    Proposal,
    Release,
    SetList,
    Vote,
)
from simnet import events
from simnet.adversaries.stage import Conspiracy
from simnet.culprits import unnamed
from simnet.overseen import Answer
from simnet.witness import Witness
from tests.protocols.playbook import CELLS, COMMITTEE, PARAMS, PEERS, ROUND, VIEW, Peer, set_of, submit

LIAR, *HONEST = COMMITTEE
DEALER = next(peer for peer in CELLS[0] if peer.key not in VIEW.committee)
NAMES = {key: f"peer {number}" for number, key in enumerate(PEERS)}
SLOT, OTHER = VIEW.slot(ROUND), Digest(bytes([1]) * 32)
SHARES = [np.full(4096, number, np.uint32) for number in range(4)]


class World:
    """A witness to what one honest member was told."""

    def __init__(self) -> None:
        self.seen = Witness(NAMES, PARAMS, Conspiracy(0, frozenset({LIAR.key, DEALER.key})))
        self.seen.views[ROUND]["me"] = VIEW
        self.seen.parents[ROUND, "me"] = {NO_DIGEST}

    def told(self, machine: str, event: Event, *blames: Blame, state: str = "OPEN") -> "World":
        self.seen.answer(Answer("me", HONEST[0].key, ROUND, machine, state, event, blames))
        return self

    def missed(self) -> list[str]:
        return list(unnamed(self.seen))


def header(total: Digest) -> HeaderVote:
    cells = (CellResult(0, 4, NO_DIGEST, NO_DIGEST),)
    return HeaderVote(Header(SLOT, NO_DIGEST, NO_DIGEST, NO_DIGEST, total, cells, None))


def said(message: Message, by: Peer = LIAR) -> Received:
    return Received(by.sign(message))


MADE = [submit(peer) for peer in CELLS[0]]
LISTS = [SetList(SLOT, (set_of(0, made),)) for made in (MADE, MADE[1:])]
TWO: dict[str, tuple[str, list[Message], str]] = {
    "votes": ("Agreement", [Vote(SLOT, 0, PREVOTE, sets, None) for sets in (None, OTHER)], "votes twice in view 0"),
    "proposals": ("Agreement", [Proposal(0, sets, None) for sets in LISTS], "proposes twice in view 0"),
    "releases": (
        "Opening",
        [Release(SLOT, 0, cell_set, b"") for cell_set in (NO_DIGEST, OTHER)],
        "released cell 0 for two sets",
    ),
    "sums": (
        "Audit",
        [Aggregate(SLOT, 0, NO_DIGEST, (0,), (root,)) for root in (NO_DIGEST, OTHER)],
        "announced two sums of cell 0",
    ),
    "headers": ("Conclusion", [header(total) for total in (NO_DIGEST, OTHER)], "signs two headers for one height"),
}


@pytest.mark.parametrize("kind", TWO)
def test_two_where_one_is_allowed(kind: str) -> None:
    machine, (one, other), reason = TWO[kind]
    assert World().told(machine, said(one)).told(machine, said(one)).missed() == []
    assert len(World().told(machine, said(one), state="WAITING").told(machine, said(other), state="DONE").missed()) == 1
    assert World().told(machine, said(one, HONEST[1])).told(machine, said(other, HONEST[1])).missed() == []
    assert World().told(machine, said(one)).told("another", said(other)).missed() == []
    world = World().told(machine, said(one))
    assert len(world.told(machine, said(other), Blame(LIAR.key, "something else")).missed()) == 1
    assert world.told(machine, said(other), Blame(LIAR.key, reason)).missed() == []


def test_two_manifests() -> None:
    made, other = submit(DEALER), submit(DEALER, parent=OTHER)
    world = World().told("Custody", made.to(2)).told("Custody", other.to(2))
    assert len(world.missed()) == 1
    assert world.told("Opening", made.to(2), Blame(DEALER.key, "two manifests for one slot")).missed() == []


def test_a_bad_dealing_is_shown_to_whom_it_starves() -> None:
    made = submit(DEALER)
    for member, missed in ((2, 1), (3, 0)):
        world = World().told("Custody", made.to(2))
        world.seen.starved[update_root(made.manifest.chunk_roots)] = frozenset({member})
        assert len(world.missed()) == missed
    world.seen.starved[update_root(made.manifest.chunk_roots)] = frozenset({2})
    junk = replace(made.to(2).message, sealed=b"junk")
    assert World().told("Custody", said(junk, DEALER)).missed() == []
    assert world.told("Custody", made.to(2), Blame(DEALER.key, "dealt member 2 a share that is not")).missed() == []


def test_but_not_in_an_update_from_another_head_which_nobody_opens() -> None:
    made = submit(DEALER)
    world = World().told("Custody", made.to(2))
    world.seen.starved[update_root(made.manifest.chunk_roots)] = frozenset({2})
    assert len(world.missed()) == 1
    world.seen.parents[ROUND, "me"] = {OTHER}
    assert world.missed() == []
    world.seen.parents[ROUND, "me"].add(NO_DIGEST)
    assert len(world.missed()) == 1, "the member began the round again from the update's own head"


def test_nor_in_one_that_comes_when_the_member_has_released() -> None:
    made = submit(DEALER)
    for state, missed in (("OPEN", 1), ("RELEASED", 0)):
        world = World().told("Custody", made.to(2), state=state)
        world.seen.starved[update_root(made.manifest.chunk_roots)] = frozenset({2})
        assert len(world.missed()) == missed


def test_a_false_dispute() -> None:
    dispute = said(Dispute(SLOT, b"", b"", b""))
    world = World().told("Custody", dispute)
    assert world.missed() == []
    world.seen.ring.deeds.add(("false-dispute", LIAR.key, dispute.signed.digest))
    assert len(world.missed()) == 1
    assert world.told("Custody", dispute, Blame(LIAR.key, "disputes a share that is right")).missed() == []


def opened_with(*members: int) -> JobDone:
    arguments: tuple[Any, ...] = (None, None, None, None, {member: SHARES[member - 1] for member in members}, 3, 4)
    return JobDone(Job("open", len, arguments), None)


def test_a_wrong_share_is_shown_by_an_opening_with_enough_right_ones() -> None:
    for members, missed in (((1, 2, 3, 4), 1), ((2, 3, 4), 0), ((1, 2, 3), 0)):
        world = World()
        world.seen.ring.deeds.add(("wrong-share", LIAR.key, pack_share(SHARES[0])))
        assert len(world.told("Opening", opened_with(*members)).missed()) == missed
    blame = Blame(LIAR.key, "released a wrong share for cell 0")
    assert world.told("Opening", opened_with(1, 2, 3, 4), blame).missed() == []


def test_a_wrong_sum_is_shown_to_a_validator_that_has_added_the_cell() -> None:
    world = World().told("Audit", said(Aggregate(SLOT, 0, NO_DIGEST, (0,), (OTHER,))))
    world.seen.ring.deeds.add(("wrong-sum", LIAR.key, OTHER))
    assert world.missed() == []
    fields = {"height": ROUND, "cell": 0, "aggregator": HONEST[1].key.hex(), "chunk": None, "ok": True}
    world.seen.event(events.Event(0.0, "me", "verdict", fields))
    assert len(world.missed()) == 1
    blame = Blame(LIAR.key, "wrong sum of cell 0: chunk 0 is not the sum")
    assert world.told("Audit", said(Aggregate(SLOT, 0, NO_DIGEST, (0,), (OTHER,))), blame).missed() == []
