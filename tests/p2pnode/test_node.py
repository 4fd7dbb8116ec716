"""Whole nodes in virtual time: what they survive, and that a crash makes none of them say two things."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

import simnet.world
from p2pnode.disputes import WORD
from p2pnode.epoch_watch import EpochWatch
from p2pnode.node import Node, NodeConfig
from p2pnode.share_keys import ShareKeys
from p2pnode.team import AnyMachine, RoundContext, default_machines
from p2pnode.verdicts import KIND as RECOMPUTED
from protocols.effects import Effects, Job, Journal
from protocols.encryption.scheme import Share
from protocols.encryption.sealing import EpochKeyPair
from protocols.errors import LocalError
from protocols.events import Trained
from protocols.hashing import tagged
from protocols.rounds.conclusion import Conclusion
from protocols.rounds.contribution import Contribution
from protocols.rounds.custody import Custody
from protocols.rounds.epoch import EpochView
from protocols.types import Address, Digest, PeerKey
from protocols.verification.game import Game
from protocols.verification.proofs import Stated
from protocols.wire.codec import decode
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import EpochKey, HeaderVote, Manifest, Proposal, Release, Submission, Vote
from simnet.events import Event
from simnet.history import History, history_of
from simnet.ledger import VirtualChain
from simnet.memory import MemoryDisk
from simnet.network import VirtualTransport
from simnet.scenario import Fault, make_scenario
from simnet.scheduling import seeded_scheduling
from simnet.world import World
from tests.p2pnode.test_disputes import Arena, a_game

SMALL = {"task": "breast_cancer", "peers": 6, "rounds": 3, "backend": "virtual", "validators": 1}
RULES = {
    "submit_s": 8,
    "agree_s": 8,
    "open_s": 8,
    "grace_s": 2,
    "k_min": 3,
    "dropouts": 1,
    "committee": 6,
    "threshold": 4,
}
"""One cell of six, of which one may be missing; all six are the committee, and any four of them enough."""


class Sabotaged(World):
    """A world in which a test may strike at any event, and whose messages it reads."""

    def __init__(self, **changes: Any) -> None:
        self.events: list[Event] = []
        self.at: list[tuple[str, str, int, Fault]] = []
        super().__init__(make_scenario(SMALL, {"params": RULES}, changes), self._hear)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        for strike in list(self.at):
            node, name, height, fault = strike
            if (event.node, event.name, event.fields.get("height")) == (node, name, height):
                self.at.remove(strike)
                self._strike(fault, (node,))

    def history(self) -> History:
        return history_of(self.events)

    def of(self, node: str, name: str) -> list[dict[str, Any]]:
        return [dict(event.fields) for event in self.events if (event.node, event.name) == (node, name)]

    def play(self) -> str:
        """Runs to the end; everybody must hold the same parameters, and finish."""
        with seeded_scheduling(1):
            trio.run(self.run, clock=trio.testing.MockClock(autojump_threshold=0))
        (digest,) = set(self.outcome.digests.values())
        assert set(self.outcome.digests) == set(self.members) - self._lost
        return digest


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[PeerKey, list[Signed]]:
    """Everything that anybody sends or gossips, by its sender."""
    spoken: dict[PeerKey, list[Signed]] = defaultdict(list)
    send, publish = VirtualTransport.send, VirtualTransport.publish

    async def hear_send(self: VirtualTransport, to: PeerKey, payload: bytes) -> None:
        spoken[self.peer].append(open_envelope(payload))
        await send(self, to, payload)

    async def hear_publish(self: VirtualTransport, topic: str, payload: bytes) -> None:
        spoken[self.peer].append(open_envelope(payload))
        await publish(self, topic, payload)

    monkeypatch.setattr(VirtualTransport, "send", hear_send)
    monkeypatch.setattr(VirtualTransport, "publish", hear_publish)
    return spoken


def slots_said(spoken: list[Signed]) -> dict[tuple[object, ...], set[Digest]]:
    """What a peer said of each slot in which it may say one thing only."""
    things: dict[tuple[object, ...], set[Digest]] = defaultdict(set)
    for signed in spoken:
        match signed.message:
            case Vote(slot=slot, view=view, phase=phase):
                things["vote", slot.height, view, phase].add(signed.digest)
            case Proposal(view=view, sets=sets):
                things["proposal", sets.slot.height, view].add(signed.digest)
            case HeaderVote(header=header):
                things["header", header.slot.height].add(signed.digest)
            case Release(slot=slot, cell=cell):
                things["release", slot.height, cell].add(signed.digest)
            case Submission(slot=slot, manifest=manifest):
                things["manifest", slot.height].add(open_envelope(manifest).digest)
            case EpochKey(epoch=epoch, sequence=sequence):
                things["epoch key", epoch, sequence].add(signed.digest)
    return things


def restart(seconds: float) -> Fault:
    return Fault(kind="restart", at_height=0, peers=("x",), seconds=seconds)


# ----------------------------------------------------------------------------------------------------------- crashes


class Killed(BaseException):
    """The operating system ended the process: nothing may catch it."""


class MortalDisk(MemoryDisk):
    """Its node dies at the first record of a kind (from a height on), before or after the record is durable."""

    def __init__(self, kind: str, height: int, durable: bool) -> None:
        super().__init__()
        self.kind, self.height, self.durable, self.deaths = kind, height, durable, 0

    def append(self, record: bytes) -> None:
        journal = decode(record, Journal, 1 << 24)
        dies = not self.deaths and journal.kind == self.kind and journal.height >= self.height
        if self.durable or not dies:
            super().append(record)
        if dies:
            self.deaths += 1
            raise Killed


class Mortal(Sabotaged):
    async def _live(self, name: str) -> None:
        try:
            await super()._live(name)
        except* Killed:
            self.network.detach(self.identities[name].peer)
            self._nodes.start_soon(self._mend, restart(1), (name,))


KINDS = ["manifest", "dealt", "proposal", "vote", "lock", "release", "header", "head", "epoch-key"]


@pytest.mark.parametrize("durable", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_record_of_its_journal_a_node_says_one_thing_only(
    said: dict[PeerKey, list[Signed]], kind: str, durable: bool
) -> None:
    world = Mortal()
    disk = world.disks["peer-03"] = MortalDisk(kind, 0 if kind == "epoch-key" else 1, durable)
    world.play()
    things = slots_said(said[world.identities["peer-03"].peer])
    assert {thing: len(versions) for thing, versions in things.items() if len(versions) > 1} == {}
    assert disk.deaths == 1
    assert len(world.of("peer-03", "joined")) == 2


def test_a_contributor_that_dies_after_submitting_sends_the_same_bytes_again(
    said: dict[PeerKey, list[Signed]],
) -> None:
    world = Sabotaged()
    world.at.append(("peer-03", "submitted", 1, restart(0.5)))
    world.play()
    first, again, *_ = [each for each in world.of("peer-03", "submitted") if each["height"] == 1]
    assert first == again
    manifests = {
        signed.message.manifest
        for signed in said[world.identities["peer-03"].peer]
        if isinstance(signed.message, Submission) and signed.message.slot.height == 1
    }
    assert len(manifests) == 1
    assert isinstance(open_envelope(manifests.pop()).message, Manifest)


def test_a_restarted_member_makes_a_new_key_with_a_higher_sequence(said: dict[PeerKey, list[Signed]]) -> None:
    world = Sabotaged()
    world.at.append(("peer-03", "round", 1, restart(1)))
    world.play()
    keys = [each.message for each in said[world.identities["peer-03"].peer] if isinstance(each.message, EpochKey)]
    assert [key.sequence for key in keys] == [1, 2]
    assert len({key.public for key in keys}) == 2


def test_with_an_epochs_last_round_its_keys_and_shares_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a node's memory afterwards opens none of the shares that were sealed to it."""
    pairs: list[tuple[int, EpochKeyPair]] = []
    shares: list[tuple[int, Share]] = []
    make, take = ShareKeys._make, Custody._open

    def made(self: ShareKeys, view: EpochView) -> None:
        make(self, view)
        pairs.append((view.epoch, self._own[view.epoch]))

    def taken(self: Custody, signed: Signed, sealed: bytes) -> Share:
        share = take(self, signed, sealed)
        assert share.any()
        shares.append((self._height, share))
        return share

    def closing(event: Event) -> None:
        hear(event)
        if event.name == "round" and event.fields["height"] == 7:  # everybody is past the border
            alive.append([epoch for epoch, pair in pairs if not pair.erased])

    monkeypatch.setattr(ShareKeys, "_make", made)
    monkeypatch.setattr(Custody, "_open", taken)
    world, alive = Sabotaged(rounds=8), []
    hear, world._sink = world._hear, closing
    world.play()
    assert {epoch for epoch, _ in pairs} == {0, 1}
    assert alive
    assert set(alive[0]) == {1}, "those of the closed epoch are erased, not those in use"
    assert all(pair.erased for _, pair in pairs), "and all at the end"
    assert {height for height, _ in shares} == set(range(8))
    assert not any(share.any() for _, share in shares)


def test_a_node_that_was_away_catches_up_by_the_newest_header_and_its_model() -> None:
    world = Sabotaged(rounds=7)
    world.at.append(("peer-03", "submitted", 1, restart(12)))
    digest = world.play()
    applied = [each["height"] for each in world.of("peer-03", "applied")]
    assert applied[0] == 0
    assert applied[-1] == 6
    assert len(applied) < 7  # it did not step through every round
    assert world.outcome.digests["peer-03"] == digest
    assert world.of("peer-03", "resumed")[0]["height"] == 1


def test_transactions_wait_for_as_many_blocks_as_the_subnet_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(VirtualChain, "confirm", lambda _, blocks: asked.append(blocks))
    Sabotaged(rounds=1, params={**RULES, "confirmations": 2}).play()
    assert asked == [2] * 7, "six peers and a validator"


def test_the_journals_end_is_where_a_node_goes_on() -> None:
    world = Sabotaged()
    digest = world.play()
    again = Sabotaged()
    again.disks = {name: disk.copy() for name, disk in world.disks.items()}
    assert again.play() == digest
    assert again.of("peer-00", "round") == []


# ------------------------------------------------------------------------------------------------------------ privacy


@pytest.mark.parametrize("whose", ["the task's", "the owners'"])
def test_a_peer_stops_at_its_privacy_budget_also_across_a_restart_and_serves_on(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two updates fit into the budget; what a node made before it died counts."""
    tasks, owners = (1.6, 9.0) if whose == "the task's" else (0.0, 1.6)
    monkeypatch.setattr(simnet.world, "NodeConfig", partial(NodeConfig, privacy_budget=owners))
    options = {"noise_multiplier": 4.0, "budget": tasks}
    world = Sabotaged(options=options, params={**RULES, "k_min": 4, "dropouts": 2})
    world.at.append(("peer-03", "submitted", 0, restart(1)))
    world.play()
    privacy = world.task.update_schema.privacy
    assert privacy is not None
    assert privacy.rounds_within(1.6) == 2
    for name in ("peer-00", "peer-03"):
        assert {each["height"] for each in world.of(name, "submitted")} == {0, 1}
        (told,) = world.of(name, "sat-out")
        assert told["height"] == 2
        assert "2 updates have cost epsilon 1.4" in str(told["reason"])
        costs = [each["epsilon"] for each in world.of(name, "applied")]
        assert costs == sorted(costs)
        assert 0 < costs[-1] <= 1.6
        assert costs[-1] == privacy.epsilon_micro(2) / 1e6
    assert world.of("peer-03", "abandoned")[-1]["height"] == 2  # nobody contributes any more; the node is still there


# ------------------------------------------------------------------------------------------------ what nobody foresaw


def with_machines(monkeypatch: pytest.MonkeyPatch, name: str, tamper: Callable[[AnyMachine, int], None]) -> None:
    """Has one node run tampered machines."""

    def machines(context: RoundContext) -> list[AnyMachine]:
        made = default_machines(context)
        for machine in made:
            tamper(machine, context.height)
        return made

    def a_node(config: NodeConfig, *arguments: Any) -> Node:
        return Node(config, *arguments[:5], machines if config.name == name else arguments[5])

    monkeypatch.setattr(simnet.world, "Node", a_node)


def explode(*_: object) -> list[Any]:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(("kind", "method"), [(Contribution, "trained"), (Conclusion, "stepped"), (Conclusion, "vote")])
def test_a_bug_in_a_machine_costs_one_round_at_most(
    monkeypatch: pytest.MonkeyPatch, kind: type[AnyMachine], method: str
) -> None:
    def tamper(machine: AnyMachine, height: int) -> None:
        if isinstance(machine, kind) and height == 1:
            setattr(machine, method, explode)

    with_machines(monkeypatch, "peer-03", tamper)
    world = Sabotaged()
    world.play()
    assert [record.height for record in world.history().applied] == [0, 1, 2]
    assert {each["task"] for each in world.of("peer-03", "unexpected")} == {kind.__name__}


def test_a_bug_in_a_job_costs_one_contribution(monkeypatch: pytest.MonkeyPatch) -> None:
    def tamper(machine: AnyMachine, height: int) -> None:
        if isinstance(machine, Contribution) and height == 1:
            train = machine.trained

            def trained(event: Trained, now: float) -> Effects:
                return [
                    replace(each, function=explode) if isinstance(each, Job) else each for each in train(event, now)
                ]

            machine.trained = trained  # type: ignore[method-assign]

    with_machines(monkeypatch, "peer-03", tamper)
    world = Sabotaged()
    world.play()
    assert [each["task"] for each in world.of("peer-03", "unexpected")] == ["encrypt"]
    assert [each["height"] for each in world.of("peer-03", "submitted")] == [0, 2]


def test_a_service_that_dies_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    run, deaths = EpochWatch.run, []

    async def mortal(self: EpochWatch) -> Any:
        if len(deaths) < 5:
            deaths.append(self)
            raise ZeroDivisionError("a bug")
        return await run(self)

    monkeypatch.setattr(EpochWatch, "run", mortal)
    world = Sabotaged()
    world.play()
    assert sum(event.name == "unexpected" for event in world.events) == 5


class Disputed(Arena):
    """The first checkpoint that is proposed is disputed, and of its first step, its sums, a validator is asked."""

    def __init__(self, chain: VirtualChain) -> None:
        super().__init__()
        self.chain, self.said = chain, set[Digest]()

    async def games(self) -> tuple[Game, ...]:
        records = await self.chain.anchors(0)
        if not records:
            return ()
        key, first = records[0].key, self.ends(records[0], records[0].params_digest)[0]
        return (a_game(key=key, low=0, high=1, low_state=first, ends_at=10**12),)

    async def validators(self, _: Digest) -> tuple[Address, ...]:
        return (self.chain.operator,)

    def state(self, game: Game, epoch: int, result: Digest) -> tuple[Stated, bytes]:
        self.said.add(result)
        return super().state(game, epoch, result)


def test_a_whole_validator_judges_the_steps_of_a_dispute_by_what_it_recomputed(monkeypatch: pytest.MonkeyPatch) -> None:
    arenas: dict[Address, Disputed] = {}

    def arena(self: VirtualChain) -> Disputed:
        return arenas.setdefault(self.operator, Disputed(self))

    monkeypatch.setattr(VirtualChain, "arena", property(arena))
    world = Sabotaged()
    world.play()
    assert [event for event in world.events if event.name in ("unexpected", "dispute-failed")] == []
    (judge,) = [each for each in arenas.values() if each.said]
    (result,) = judge.said
    first = judge.ends(trio.run(judge.chain.anchors, 0)[0], Digest(bytes(32)))[0]
    assert result != tagged("dispute-otherwise", first), "it found what was certified"
    kept = {name: [decode(each, Journal, 2**24) for each in disk.records()] for name, disk in world.disks.items()}
    verdicts = {
        name: sorted((each.height, each.slot[32:], each.payload) for each in records if each.kind == RECOMPUTED)
        for name, records in kept.items()
    }
    stepped = [(height, b"step", b"\1") for height in range(3)]
    both = sorted([*stepped, *((height, b"sums", b"\1") for height in range(3))])
    assert sorted(verdicts.values()) == sorted([both, *[stepped] * 6])
    assert [each.payload for records in kept.values() for each in records if each.kind == WORD] == [result]


def test_junk_from_a_stranger_changes_nothing() -> None:
    calm, world = Sabotaged(), Sabotaged()
    stranger = PeerKey(b"s" * 32)

    async def pester() -> None:
        transport = world.network.attach(stranger)
        for _ in range(20):
            for keys in world.identities.values():
                for payload in (b"", b"junk" * 100, bytes(60_000)):
                    await transport.send(keys.peer, payload)
                    await transport.publish("subnet", payload)
            await trio.sleep(0.5)

    hear = world._hear

    def heard(event: Event) -> None:
        hear(event)
        if (event.node, event.name) == ("peer-00", "epoch"):
            world._nodes.start_soon(pester)

    world._sink = heard
    assert world.play() == calm.play()
    refused = {fields["culprit"] for fields in world.of("peer-01", "refused")}
    assert refused == {stranger.hex()}
    assert not world.history().unexpected


def test_disks_do_not_fill() -> None:
    world = Sabotaged(rounds=6)
    world.play()
    for name, disk in world.disks.items():
        assert len(disk.digests()) < 60, name
    held = {name: set(disk.digests()) for name, disk in world.disks.items()}
    assert all(bytes.fromhex(digest) in held[name] for name, digest in world.outcome.digests.items())


def test_a_journal_whose_model_is_gone_is_refused() -> None:
    world = Sabotaged()
    digest = Digest(bytes.fromhex(world.play()))
    again = Sabotaged()
    again.disks = {name: disk.copy() for name, disk in world.disks.items()}
    again.disks["peer-03"].drop(digest)
    with pytest.raises(BaseExceptionGroup) as refused:
        again.play()
    (error,) = [each for each in _leaves(refused.value) if isinstance(each, LocalError)]
    assert "its bytes are gone" in str(error)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
