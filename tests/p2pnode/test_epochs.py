"""When epochs begin: the same for everybody, whenever they look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

import p2pnode.epochs
from p2pnode.chain.roles import verify_binding
from p2pnode.epochs import Epochs
from p2pnode.node import sign_binding
from p2pnode.ports import AnchorRecord
from protocols.errors import LocalError
from protocols.params import Params
from protocols.rounds.epoch import EpochView
from protocols.types import NO_DIGEST, Digest, Role, Secret
from protocols.wire.envelope import signer
from simnet.ledger import VirtualChain
from tests.p2pnode.kit import FOUNDER, InMemory, in_memory
from tests.protocols.playbook import CONTRIBUTORS, MEMBERS, PARAMS, STRANGER, VALIDATOR, Peer

TIMEOUT_S = 40
SEEDS = {signer(seed)[0]: seed for seed in (Secret(number.to_bytes(32, "big")) for number in range(1, 15))}
RULES = PARAMS.with_(rounds_per_epoch=4, epoch_timeout_s=TIMEOUT_S)


@dataclass
class Scene:
    world: InMemory
    params: Params

    async def register(self, peer: Peer, roles: Role) -> None:
        """As its node does: with the peer key's word; a peer without a seed here brings a proof that is none."""
        chain, subnet = self.world.operator(peer), self.world.chain.subnet
        seed = SEEDS.get(peer.key)
        proof = bytes(64) if seed is None else sign_binding(seed, chain, subnet, peer.key)
        await chain.register(peer.key, proof, roles, 10)

    def looking(self) -> Epochs:
        """Somebody who begins to look now."""
        chain = self.world.operator(STRANGER)
        return Epochs(chain, self.world.chain.subnet, self.params)

    async def wait(self, epochs: Epochs, epoch: int, every_s: float = 0.5) -> EpochView:
        while (view := await epochs.view(epoch)) is None:
            await trio.sleep(every_s)
        return view

    async def propose(self, height: int) -> AnchorRecord:
        """Proposes some header."""
        digest, proposer = Digest(bytes([height + 1]) * 32), self.world.operator(MEMBERS[0])
        final = [one for one in await proposer.anchors(0) if one.finalised]
        parent = max(final, key=lambda one: one.height).key if final else NO_DIGEST
        await proposer.anchor(height, digest, parent, NO_DIGEST)
        return next(one for one in await proposer.anchors(0) if one.header_digest == digest)

    async def anchor(self, height: int) -> int:
        """Has some header anchored and attested; the block in which it has its quorum."""
        await self.world.operator(VALIDATOR).attest(await self.propose(height), 0)
        return self.world.chain.number


@asynccontextmanager
async def scene(params: Params = RULES, contributors: int = 8) -> AsyncIterator[Scene]:
    async with in_memory() as world:
        at = Scene(world, params)
        async with trio.open_nursery() as nursery:
            for peer in CONTRIBUTORS[:contributors]:
                nursery.start_soon(at.register, peer, Role.DATA)
            for peer in MEMBERS:
                nursery.start_soon(at.register, peer, Role.COMPUTE)
            nursery.start_soon(at.register, VALIDATOR, Role.VALIDATOR)
        yield at


async def opened(at: Scene) -> int:
    await VirtualChain(at.world.chain, FOUNDER).open()
    return at.world.chain.subnet.opened_block


async def test_nothing_begins_before_the_subnet_opens(autojump_clock: MockClock) -> None:
    async with scene() as at:
        epochs = at.looking()
        await trio.sleep(2 * TIMEOUT_S)
        assert await epochs.view(0) is None
        block = await opened(at)
        assert await epochs.view(0) is None  # the block after is still to come
        view = await at.wait(epochs, 0)
        assert at.world.chain.number == block + 1
        assert view.committee
        assert len(view.cells) == 2


async def test_an_epoch_follows_from_the_first_anchor_of_the_second_half(autojump_clock: MockClock) -> None:
    async with scene() as at:
        begun = await opened(at)
        early = at.looking()
        await at.anchor(0)
        await at.anchor(1)
        await trio.sleep(3)
        assert await early.view(1) is None
        block = await at.anchor(2)
        await at.anchor(3)
        view = await at.wait(early, 1)
        await trio.sleep(50)
        late = at.looking()
        assert await late.view(1) == view
        assert (await late.view(0)) == (await early.view(0))
        assert begun < block < begun + TIMEOUT_S


async def test_what_is_only_proposed_moves_no_border(autojump_clock: MockClock) -> None:
    """Any bonded operator may propose anything; an epoch's block must not be its choice."""
    async with scene() as at:
        await opened(at)
        early = at.looking()
        record = await at.propose(2)
        await trio.sleep(5)
        assert await early.view(1) is None
        await at.world.operator(VALIDATOR).attest(record, 0)
        view = await at.wait(early, 1)
        assert view.epoch == 1


async def test_without_anchors_epochs_pass_by_time_alike_for_all(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await opened(at)
        watching = at.looking()
        views = [await at.wait(watching, epoch) for epoch in range(4)]
        elapsed = trio.current_time()
        assert 3 * TIMEOUT_S < elapsed < 3 * TIMEOUT_S + 20
        await trio.sleep(137)
        late = at.looking()
        assert await late.view(3) == views[3]  # without having asked for those before
        assert [await late.view(epoch) for epoch in range(4)] == views
        rarely = at.looking()
        assert [await at.wait(rarely, epoch, every_s=17) for epoch in range(4)] == views


async def test_an_anchor_after_the_timeout_changes_nothing(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await opened(at)
        watching = at.looking()
        await at.wait(watching, 0)
        view = await at.wait(watching, 1)
        await at.anchor(2)
        await trio.sleep(5)
        assert await at.looking().view(1) == view


async def test_an_anchor_before_the_timeout_counts_for_those_who_look_later(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await opened(at)
        watching = at.looking()
        await trio.sleep(10)
        await at.anchor(2)
        view = await at.wait(watching, 1)
        await trio.sleep(10 * TIMEOUT_S)
        assert await at.looking().view(1) == view


async def test_a_mixture_of_anchors_and_timeouts_is_one_history(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await opened(at)
        watching = at.looking()
        await trio.sleep(7)
        await at.anchor(2)
        views = [await at.wait(watching, epoch) for epoch in (0, 1, 2)]  # epoch 2 by time
        await at.anchor(11)
        views.append(await at.wait(watching, 3))
        await trio.sleep(500)
        late = at.looking()
        assert [await late.view(epoch) for epoch in (3, 0, 2, 1)] == [views[3], views[0], views[2], views[1]]


async def test_confirmations_are_waited_for(autojump_clock: MockClock) -> None:
    async with scene(RULES.with_(confirmations=5)) as at:
        block = await opened(at)
        epochs = at.looking()
        await at.wait(epochs, 0)
        assert at.world.chain.number == block + 1 + 5


async def test_who_joins_later_takes_part_from_the_next_epoch_on(autojump_clock: MockClock) -> None:
    async with scene(contributors=7) as at:
        await opened(at)
        await trio.sleep(2)
        await at.register(CONTRIBUTORS[7], Role.DATA)
        epochs = at.looking()
        first, second = await at.wait(epochs, 0), await at.wait(epochs, 1)
        assert first.cell_of(CONTRIBUTORS[7].key) is None
        assert second.cell_of(CONTRIBUTORS[7].key) is not None


async def test_who_left_and_who_did_not_prove_its_peer_is_left_out(autojump_clock: MockClock) -> None:
    async with scene(contributors=7) as at:
        await at.register(STRANGER, Role.DATA)
        await opened(at)
        await at.world.operator(CONTRIBUTORS[0]).leave()
        epochs = at.looking()
        first, second = await at.wait(epochs, 0), await at.wait(epochs, 1)
        assert first.cell_of(STRANGER.key) is second.cell_of(STRANGER.key) is None
        assert first.cell_of(CONTRIBUTORS[0].key) is None  # it left in the very block that the epoch follows from
        assert second.cell_of(CONTRIBUTORS[0].key) is None


async def test_claiming_a_key_first_does_not_block_its_owner(autojump_clock: MockClock) -> None:
    async with scene(contributors=7) as at:
        victim = CONTRIBUTORS[7]
        await at.world.operator(STRANGER).register(victim.key, bytes(64), Role.COMPUTE, 10)
        await at.register(victim, Role.DATA)
        await opened(at)
        view = await at.wait(at.looking(), 0)
        assert view.cell_of(victim.key) is not None
        assert [peer for peer in view.committee if peer == victim.key] == []


async def test_a_key_that_bound_itself_twice_counts_for_the_first(autojump_clock: MockClock) -> None:
    async with scene(contributors=7) as at:
        twice = CONTRIBUTORS[7]
        for operator, roles in ((twice, Role.DATA), (STRANGER, Role.COMPUTE)):
            chain = at.world.operator(operator)
            proof = sign_binding(SEEDS[twice.key], chain, at.world.chain.subnet, twice.key)
            await chain.register(twice.key, proof, roles, 10)
        await opened(at)
        view = await at.wait(at.looking(), 0)
        assert view.cell_of(twice.key) is not None
        assert twice.key not in view.committee


async def test_too_few_operators_are_an_error_with_its_reason(autojump_clock: MockClock) -> None:
    async with scene(contributors=2) as at:
        await opened(at)
        await trio.sleep(3)
        with pytest.raises(LocalError, match="2 are registered"):
            await at.looking().view(0)


async def test_a_binding_is_checked_once_for_all_epochs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[object] = []
    monkeypatch.setattr(
        p2pnode.epochs, "verify_binding", lambda record, *_: checked.append(record) or verify_binding(record, *_)
    )
    async with scene() as at:
        await opened(at)
        epochs = at.looking()
        await at.wait(epochs, 0)
        once = len(checked)
        await at.anchor(2)
        await at.wait(epochs, 1)
        assert once == len(checked) == 8 + len(MEMBERS) + 1
