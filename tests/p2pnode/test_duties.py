"""Anchoring and attesting on a chain that may be late, away, or lied to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock

from p2pnode.duties import HEADERS_MAX, PARENT_PATIENCE_S, PATIENCE_S, Duties
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord
from protocols.checkpoints.machine import header_digest
from protocols.effects import Anchor
from protocols.params import Params
from protocols.types import NO_DIGEST, Digest, Role
from protocols.wire.messages import CellResult, Header
from simnet.ledger import VirtualChain
from simnet.memory import VirtualClock
from tests.p2pnode.kit import FOUNDER, InMemory, Seen, in_memory, settled
from tests.protocols.playbook import COMMITTEE, VALIDATOR, VIEW, Peer
from tests.protocols.playbook import PARAMS as RULES

PARAMS, OTHERS = Digest(b"parameters".ljust(32)), Digest(b"other parameters".ljust(32))
CELLS = (CellResult(0, 3, NO_DIGEST, NO_DIGEST),)


def header(height: int, parent: Header | None = None) -> Header:
    below = NO_DIGEST if parent is None else header_digest(parent)
    return Header(
        VIEW.slot(height), below, PARAMS, NO_DIGEST, NO_DIGEST, (CellResult(0, 3, NO_DIGEST, NO_DIGEST),), None
    )


FIRST = header(0)
SECOND = header(1, FIRST)
THIRD = header(2, SECOND)


class Moody(VirtualChain):
    """A chain that can be away."""

    away = False
    attempts = 0

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        self.attempts += 1
        if self.away:
            raise ChainError("no chain answers")
        return await super().anchors(from_height)


@dataclass
class Scene:
    world: InMemory
    seen: Seen
    params: Params

    def duties(self, peer: Peer) -> tuple[Duties, Moody]:
        chain = Moody(self.world.chain, self.world.operator(peer).operator)
        return Duties(chain, VirtualClock(), self.seen, self.params), chain

    def start(self, duties: Duties, *headers: Header, delay_s: float = 0) -> None:
        for each in headers:
            self.world.nursery.start_soon(duties.anchor, Anchor(each, delay_s))

    @property
    def standing(self) -> list[int]:
        return sorted(anchor.record.height for anchor in self.world.chain.anchors.values())


@asynccontextmanager
async def scene(anchor_every: int = 1) -> AsyncIterator[Scene]:
    """An open subnet with two members of the committee and one validator."""
    async with in_memory() as world:
        for peer, role in ((COMMITTEE[0], Role.COMPUTE), (COMMITTEE[1], Role.COMPUTE), (VALIDATOR, Role.VALIDATOR)):
            await world.operator(peer).register(peer.key, b"proof", role, 10)
        await VirtualChain(world.chain, FOUNDER).open()
        yield Scene(world, Seen(), RULES.with_(anchor_every=anchor_every))


async def test_children_wait_for_their_parents(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(COMMITTEE[0])
        at.start(duties, THIRD, SECOND)
        await settled(5)
        assert at.standing == []
        at.start(duties, FIRST)
        await settled(5)
        assert at.standing == [0, 1, 2]
        assert sorted(each["height"] for each in at.seen.named("anchored")) == [0, 1, 2]
        assert duties.open == 0


async def test_who_comes_second_finds_it_done(autojump_clock: MockClock) -> None:
    async with scene() as at:
        first, second = at.duties(COMMITTEE[0])[0], at.duties(COMMITTEE[1])[0]
        at.start(first, FIRST)
        at.start(second, FIRST, delay_s=4)
        await settled(10)
        assert at.seen.events == [("anchored", {"height": 0})]


async def test_the_second_stands_in_for_a_silent_first(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(COMMITTEE[1])
        at.start(duties, FIRST, delay_s=4)
        await trio.sleep(3)
        assert at.standing == []
        await settled(5)
        assert at.standing == [0]


async def test_a_parent_that_its_own_committee_lost_is_made_up_for(autojump_clock: MockClock) -> None:
    """Else no checkpoint would ever stand again."""
    async with scene() as at:
        duties, _ = at.duties(COMMITTEE[0])
        duties.remember(FIRST)
        duties.remember(SECOND)
        at.start(duties, THIRD)
        await trio.sleep(PARENT_PATIENCE_S - 2)
        assert at.standing == []
        await settled(10)
        assert at.standing == [0, 1, 2]


async def test_a_parent_that_nobody_knows_is_reported(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(COMMITTEE[0])
        at.start(duties, THIRD)
        await settled(PATIENCE_S + 10)
        assert at.seen.events == [("anchor-failed", {"height": 2, "reason": "its parent is not on the chain"})]
        assert duties.open == 0


async def test_a_chain_that_is_away_for_a_while_costs_nothing(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, chain = at.duties(COMMITTEE[0])
        validating, other = at.duties(VALIDATOR)
        chain.away = other.away = True
        at.start(duties, FIRST)
        at.world.nursery.start_soon(validating.attest, FIRST)
        await settled(60)
        assert at.seen.events == []
        assert chain.attempts < 20
        chain.away = other.away = False
        await settled(20)
        assert at.seen.events == [("anchored", {"height": 0}), ("attested", {"height": 0})]


async def test_a_refusal_is_reported_with_the_chains_words(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(VALIDATOR)  # not registered for this
        at.start(duties, FIRST)
        await settled(PATIENCE_S + 20)
        (failed,) = at.seen.named("anchor-failed")
        assert "cannot propose a checkpoint" in failed["reason"]


async def test_a_validator_attests_once_it_is_proposed_and_once_only(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(VALIDATOR)
        at.world.nursery.start_soon(duties.attest, FIRST)
        await settled(3)
        assert at.seen.events == []
        at.start(at.duties(COMMITTEE[0])[0], FIRST)
        await settled(5)
        assert [one.record.finalised for one in at.world.chain.anchors.values()] == [True]
        await duties.attest(FIRST)
        assert at.seen.names == ["anchored", "attested"]


async def test_what_is_never_proposed_is_reported(autojump_clock: MockClock) -> None:
    async with scene() as at:
        duties, _ = at.duties(VALIDATOR)
        await duties.attest(FIRST)
        assert at.seen.events == [("attest-failed", {"height": 0, "reason": "nobody proposed it on the chain"})]


@pytest.mark.parametrize(("height", "params"), [(1, PARAMS), (0, OTHERS)])
async def test_a_header_proposed_as_what_it_is_not_gets_no_attestation(
    autojump_clock: MockClock, height: int, params: Digest
) -> None:
    """The chain believes its proposer: parameters that it names beside the right header's digest may be others."""
    async with scene() as at:
        await at.world.operator(COMMITTEE[0]).anchor(height, header_digest(FIRST), NO_DIGEST, params)
        duties, _ = at.duties(VALIDATOR)
        await duties.attest(FIRST)
        (refused,) = at.seen.named("anchor-refused")
        assert f"operator 0x{COMMITTEE[0].key[:20].hex()}" in refused["reason"]
        assert at.seen.named("attested") == []
        assert [one.attested_stake for one in at.world.chain.anchors.values()] == [0]


async def test_a_squatter_stops_neither_anchor_nor_attestation(autojump_clock: MockClock) -> None:
    """A checkpoint known by its header alone could be proposed first with other parameters, and never become final."""
    async with scene() as at:
        await at.world.operator(COMMITTEE[1]).anchor(0, header_digest(FIRST), NO_DIGEST, OTHERS)
        at.start(at.duties(COMMITTEE[0])[0], FIRST)
        await at.duties(VALIDATOR)[0].attest(FIRST)
        records = await at.world.operator(VALIDATOR).anchors(0)
        assert [(one.params_digest, one.finalised) for one in records] == [(OTHERS, False), (PARAMS, True)]


async def test_a_child_of_a_squatters_checkpoint_gets_no_attestation(autojump_clock: MockClock) -> None:
    async with scene() as at:
        squatter = at.world.operator(COMMITTEE[1])
        await squatter.anchor(0, header_digest(FIRST), NO_DIGEST, OTHERS)
        (wrong,) = await squatter.anchors(0)
        await squatter.anchor(1, header_digest(SECOND), wrong.key, PARAMS)
        duties, _ = at.duties(VALIDATOR)
        duties.remember(FIRST)
        await duties.attest(SECOND)
        assert at.seen.named("attested") == []


async def test_only_every_a_th_header_is_anchored_and_builds_on_the_one_before(autojump_clock: MockClock) -> None:
    async with scene(anchor_every=3) as at:
        member, validator = at.duties(COMMITTEE[0])[0], at.duties(VALIDATOR)[0]
        headers = [header(0)]
        for height in (1, 2, 3, 5, 6, 8):  # rounds 4 and 7 failed
            headers.append(header(height, headers[-1]))
        for each in headers:
            member.remember(each)
            at.world.nursery.start_soon(validator.attest, each)
        at.start(member, *(each for each in headers if each.slot.height in (2, 5, 8)))
        await settled(30)
        records = await at.world.operator(VALIDATOR).anchors(0)
        assert [(one.height, one.finalised) for one in records] == [(2, True), (5, True), (8, True)]
        assert [one.parent_key for one in records] == [NO_DIGEST, records[0].key, records[1].key]
        assert sorted(each["height"] for each in at.seen.named("attested")) == [2, 5, 8]


async def test_who_came_late_builds_on_what_is_final(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.start(at.duties(COMMITTEE[0])[0], FIRST)
        await at.duties(VALIDATOR)[0].attest(FIRST)
        late, _ = at.duties(COMMITTEE[1])
        at.start(late, SECOND)
        await settled(5)
        assert at.standing == [0, 1]


def test_only_so_many_headers_are_remembered() -> None:
    duties = Duties(VirtualChain(None, FOUNDER), VirtualClock(), Seen(), RULES)  # type: ignore[arg-type]  # not used
    for height in range(2 * HEADERS_MAX):
        duties.remember(header(height))
    assert len(duties._headers) == HEADERS_MAX


async def test_the_rounds_that_a_checkpoint_closes_are_told_from_forged_and_unknown_ones(
    autojump_clock: MockClock,
) -> None:
    async with scene(anchor_every=2) as world:
        duties, chain = world.duties(COMMITTEE[0])
        for each in (FIRST, SECOND):
            duties.remember(each)
        await chain.anchor(1, header_digest(SECOND), NO_DIGEST, PARAMS)
        (standing,) = records = await chain.anchors(0)
        assert duties.lineage(standing, records) == (FIRST, SECOND)
        for forged in (
            replace(standing, header_digest=OTHERS),
            replace(standing, parent_key=OTHERS),
            replace(standing, height=3),
        ):
            assert duties.lineage(forged, records) == ()
        assert duties.lineage(replace(standing, header_digest=OTHERS, height=9), records) is None
        fourth = header(3, THIRD)
        for each in (THIRD, fourth):
            duties.remember(each)
        above = replace(standing, height=3, header_digest=header_digest(fourth), parent_key=standing.key)
        assert duties.lineage(above, records) == (THIRD, fourth)
        late, _ = world.duties(VALIDATOR)
        late.remember(fourth)
        assert late.lineage(above, records) is None, "who came late cannot tell what it builds on"
