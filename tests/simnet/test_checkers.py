"""Every checker is silent about what is right and speaks of what is wrong."""

from dataclasses import replace
from typing import Any

import numpy as np

from protocols.agreement.certificate import list_digest
from protocols.encryption.packing import pack_share
from protocols.events import Received
from protocols.rounds.release import set_digest
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellResult,
    CellSet,
    Header,
    HeaderVote,
    Message,
    Proposal,
    Release,
    SetList,
    Vote,
)
from simnet.adversaries.stage import Conspiracy
from simnet.checkers import check
from simnet.events import Event
from simnet.overseen import Answer
from simnet.witness import Witness
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    PARAMS,
    PEERS,
    ROUND,
    VIEW,
    Peer,
    lanes_of,
    set_of,
    submit,
)

LIAR, *HONEST = COMMITTEE  # 3 of 4: with the liar two honest members suffice
NAMES = {key: f"peer {number}" for number, key in enumerate(PEERS)}
MADE = [submit(peer) for peer in CELLS[0]]
ALL, FEWER = set_of(0, MADE), set_of(0, MADE[1:])
SLOT = VIEW.slot(ROUND)


class World:
    """A witness to a round in which a proposal was made."""

    def __init__(self, *sets: CellSet) -> None:
        ring = Conspiracy(0, frozenset({LIAR.key}))
        self.seen = Witness(NAMES, PARAMS, ring)
        self.seen.views[ROUND]["peer"] = VIEW
        for each in sets or (ALL, FEWER):
            self.say(LIAR, Proposal(0, SetList(SLOT, (each,)), None))
        for made in MADE:
            self.say(PEERS[made.signed.signer], made.to(1).message)
            self.seen.job(
                "", (None, VIEW, ROUND, 0, b"", lanes_of(PEERS[made.signed.signer]), _Seed(made)), made.encrypted
            )

    def say(self, peer: Peer, *messages: Message) -> "World":
        for message in messages:
            self.seen.message(peer.sign(message).encoded)
        return self

    def tell(self, node: str, name: str, at: float = 0.0, **fields: Any) -> "World":
        self.seen.event(Event(at, node, name, fields))
        return self

    def broken(self) -> set[str]:
        return {violation.rule for violation in check(self.seen)}


class _Seed:
    def __init__(self, of: Any) -> None:
        self._of = of

    def reveal(self) -> bytes:
        return bytes(self._of.signed.digest)


def precommit(cell_set: CellSet, view: int = 0) -> Vote:
    return Vote(SLOT, view, PRECOMMIT, list_digest(SetList(SLOT, (cell_set,))), None)


def release(cell_set: CellSet) -> Release:
    return Release(SLOT, 0, set_digest(cell_set), pack_share(np.zeros(4096, np.uint32)))


def header(total: Digest, counted: int = 4) -> HeaderVote:
    cells = (CellResult(0, counted, NO_DIGEST, NO_DIGEST),)
    return HeaderVote(Header(SLOT, NO_DIGEST, NO_DIGEST, list_digest(SetList(SLOT, (ALL,))), total, cells, None))


def true_total() -> Digest:
    import hashlib

    lanes = sum(lanes_of(PEERS[made.signed.signer]) for made in MADE)
    return Digest(hashlib.sha256((4).to_bytes(4, "big") + lanes.astype("<i4").tobytes()).digest())


def test_an_honest_round_breaks_nothing() -> None:
    world = World()
    for peer in HONEST:
        world.say(peer, precommit(ALL), release(ALL), header(true_total()))
    world.tell("peer 1", "round", height=2).tell("peer 1", "applied", 60.0, height=2, params_digest="00")
    assert world.broken() == set()


def test_two_models() -> None:
    world = World().tell("peer 1", "applied", height=2, params_digest="00")
    assert world.tell("peer 2", "applied", height=2, params_digest="01").broken() == {"one model"}


def test_two_lists_or_headers_of_which_liars_could_make_certificates() -> None:
    world = World().say(HONEST[0], precommit(ALL)).say(HONEST[1], precommit(ALL), precommit(FEWER, 1))
    assert world.broken() == set()
    assert world.say(HONEST[2], precommit(FEWER, 1)).broken() == {"one list"}
    world = World().say(HONEST[0], header(true_total())).say(HONEST[1], header(true_total()))
    assert "one header" not in world.broken()
    world.say(HONEST[0], header(NO_DIGEST)).say(HONEST[1], header(NO_DIGEST))
    assert {"one header", "no evidence against the honest"} <= world.broken()


def test_two_votes_of_an_honest_member() -> None:
    votes = [Vote(SLOT, 0, PREVOTE, sets, None) for sets in (None, NO_DIGEST)]
    assert World().say(HONEST[0], *votes).broken() == {"no evidence against the honest"}
    assert World().say(LIAR, *votes).broken() == set()


def test_two_sets() -> None:
    world = World().say(HONEST[0], release(ALL)).say(HONEST[1], release(ALL)).say(HONEST[2], release(FEWER))
    assert world.broken() == set()
    assert {"one set", "an update in one sum"} <= world.say(HONEST[1], release(FEWER)).broken()


def test_sets_that_are_too_small_or_strange() -> None:
    small = set_of(0, MADE[:2])
    strange = CellSet(0, (*FEWER.contributions, replace(MADE[0].contribution, contributor=CELLS[1][0].key)))
    twice = CellSet(0, (*FEWER.contributions, FEWER.contributions[0]))
    for wrong in (small, strange, twice, replace(ALL, cell=7)):
        assert "big enough sets" in World(wrong).say(HONEST[0], replace(release(wrong), cell=wrong.cell)).broken()
    assert "big enough sets" in World(ALL).say(HONEST[0], release(FEWER)).broken(), "nobody proposed it"


def test_an_honest_peer_that_is_named_or_excluded() -> None:
    for name, fields in (("refused", {"culprit": HONEST[0].key.hex()}), ("excluded", {"peers": [HONEST[0].key.hex()]})):
        assert World().tell("peer 1", name, reason="", **fields).broken() == {"nobody honest is named"}
    assert World().tell("peer 1", "refused", culprit=LIAR.key.hex(), reason="").broken() == set()


def test_a_seed_that_serves_twice() -> None:
    world = World()
    for lanes in (np.zeros(6, np.int64), np.ones(6, np.int64)):
        world.seen.job("peer 1", (None, VIEW, ROUND, 0, b"", lanes, _Seed(MADE[0])), MADE[0].encrypted)
    assert world.broken() == {"an update in one sum"}


def test_a_round_that_does_not_end_and_a_machine_that_fails() -> None:
    late = World().tell("peer 1", "round", height=2).tell("peer 1", "abandoned", 100.0, height=2, reason="")
    assert late.broken() == {"rounds end"}
    assert World().tell("peer 1", "unexpected", task="x", error="y").broken() == {"rounds end"}


def test_a_false_total_and_a_sum_that_cannot_be_opened() -> None:
    assert World().say(HONEST[0], header(Digest(bytes([1]) * 32))).broken() == {"true sums"}
    assert World().say(LIAR, header(Digest(bytes([1]) * 32))).broken() == set()
    world = World().say(HONEST[0], header(true_total()))
    world.seen.truths[next(iter(world.seen.truths))] = None
    assert world.broken() == {"true sums"}


def test_a_culprit_that_nobody_names() -> None:
    world = World()
    for sets in (None, NO_DIGEST):
        told = Received(LIAR.sign(Vote(SLOT, 0, PREVOTE, sets, None)))
        world.seen.answer(Answer("peer 1", HONEST[0].key, ROUND, "Agreement", "OPEN", told, ()))
    assert world.broken() == {"culprits are named"}
