"""kill -9 at every record of a journal: no second set, signature or seed, no certificate lost; the round goes on."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
import trio.testing

from p2pnode.node import Node
from p2pnode.team import AnyMachine, MachineFactory, RoundContext, default_machines
from protocols.agreement.machine import Agreement
from protocols.effects import Effects, Journal, Send
from protocols.encryption.scheme import Scheme, Share
from protocols.events import JobDone
from protocols.rounds.aggregate import seal_sum
from protocols.rounds.aggregation import Aggregation
from protocols.rounds.cells import indices
from protocols.rounds.contribution import Contribution
from protocols.types import Secret
from protocols.wire.messages import PREVOTE, ListCertificate, Proposal, Vote
from simnet.crashes import MOMENTS, Crash, CrashWorld, Moment, journal_of
from simnet.events import Event
from simnet.promises import certified, contradictions
from simnet.roster import Member
from simnet.scenario import Fault, make_scenario
from simnet.scheduling import seeded_scheduling

ROOT = Path(__file__).parents[2]
RULES = {
    **{"k_min": 3, "dropouts": 1, "committee": 4, "threshold": 3, "rounds_per_epoch": 2},
    **{"submit_s": 8, "agree_s": 8, "open_s": 8, "grace_s": 2},
}
"""One cell of four, all four in the committee: one may be away, as contributor, as member and as aggregator."""
SMALL = {"task": "spector", "peers": 4, "rounds": 3, "validators": 1, "backend": "virtual", "params": RULES}
LIAR = "peer-02"


class Run(CrashWorld):
    """A world with crashes, and perhaps one peer that is dishonest."""

    def __init__(
        self, crashes: Iterable[Crash] = (), liar: MachineFactory = default_machines, lies: bool = False, **changes: Any
    ) -> None:
        self.events: list[Event] = []
        self._liar = liar
        super().__init__(make_scenario(SMALL, changes), self.events.append, crashes, lies=lies)

    def _node(self, member: Member) -> Node:
        node = super()._node(member)
        if member.name == LIAR:
            node._machines = self._liar
        return node

    def play(self) -> Run:
        with seeded_scheduling(1):
            trio.run(self.run, clock=trio.testing.MockClock(autojump_threshold=0))
        return self

    def of(self, name: str, node: str | None = None) -> list[dict[str, Any]]:
        return [dict(event.fields) for event in self.events if event.name == name and node in (None, event.node)]

    def lies_told(self) -> dict[str, list[Any]]:
        """By peer's name: what it said two things of."""
        names = {self.identities[name].peer: name for name in self.members}
        return {names[peer]: places for peer, places in contradictions(self.said()).items()}


def check(world: Run, liars: Iterable[str] = ()) -> None:
    """What holds whoever was killed whenever."""
    told = {name: places for name, places in world.lies_told().items() if name not in set(liars)}
    assert told == {}, "an honest node said two things of one place"
    assert all(len(lists) == 1 for lists in certified(world.said()).values()), "two lists of one round were certified"
    attested = [(operator, height) for operator, height, _ in world.ledger.asked]
    assert len(set(world.ledger.asked)) == len(set(attested)), "two checkpoints of one height were attested"
    assert set(world.outcome.digests) == set(world.members)
    assert len(set(world.outcome.digests.values())) == 1, "not all ended with the same parameters"
    assert world.of("unexpected") == []
    for culprit in {blame["culprit"] for blame in world.of("refused") if blame["kind"] == "protocol"}:
        assert culprit in {world.identities[name].peer.hex() for name in liars}, "somebody honest was named"


# ------------------------------------------------------------------------------------------------ dishonest company


class VotesTwice(Agreement):
    """Says nil beside whatever it votes for."""

    def _tell_all(self, message: Vote | Proposal) -> Effects:
        effects = super()._tell_all(message)
        if not isinstance(message, Vote) or message.phase != PREVOTE or message.sets is None:
            return effects
        other = self._sign(replace(message, sets=None))
        return [*effects, *(Send(member, other) for member in self._view.committee)]


class DealsWrongly:
    """Deals the last member a share that lies on no polynomial."""

    def __init__(self, inner: Scheme) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:
        *shares, last = self._inner.deal(seed, threshold, members)
        changed: Share = (last + np.uint32(1)) % np.uint32(65_537)
        return [*shares, changed]


class AddsWrongly(Aggregation):
    """Adds one somewhere, and its operator answers for it."""

    def sealed(self, event: JobDone, now: float) -> Effects:
        summed, first = event.result, indices(event.job.subject, self._chunks).start
        delta = np.zeros_like(summed.residues)
        delta[0] = 1
        wrong = seal_sum(self._scheme, self._scheme.add([summed.residues, delta]), first)
        return super().sealed(replace(event, result=wrong), now)


def adding_wrongly(context: RoundContext) -> list[AnyMachine]:
    machines = default_machines(context)
    for machine in machines:
        if isinstance(machine, Aggregation):
            machine.__class__ = AddsWrongly
    return machines


def voting_twice(context: RoundContext) -> list[AnyMachine]:
    first, *others = default_machines(context)
    assert isinstance(first, Agreement)
    first.__class__ = VotesTwice
    return [first, *others]


def dealing_wrongly(context: RoundContext) -> list[AnyMachine]:
    machines = default_machines(context)
    for machine in machines:
        if isinstance(machine, Contribution):
            machine._scheme = DealsWrongly(context.scheme)  # type: ignore[assignment]  # a double
    return machines


# ------------------------------------------------------------------------------------------------------- all kinds


@dataclass(frozen=True)
class Where:
    """How a kind of record comes about: in which company, and at which height."""

    height: int = 1
    liar: MachineFactory = default_machines
    faults: tuple[Fault, ...] = ()


SILENCE = Fault(kind="silent", at_height=1, peers=("peer-02", "peer-03"), seconds=30)
PLACES = {
    "place": Where(0),
    "epoch-key": Where(2),  # that of a second epoch
    "manifest": Where(),
    "dealt": Where(),
    "proposal": Where(),
    "vote": Where(),
    "lock": Where(),
    "release": Where(),
    "spent": Where(),
    "header": Where(),
    "head": Where(),
    "abandoned": Where(faults=(SILENCE,)),
    "evidence": Where(liar=voting_twice),
    "dispute": Where(liar=dealing_wrongly),
    "offence": Where(liar=adding_wrongly),
}
ELSEWHERE = {
    "recomputed": "tests/p2pnode/test_verdicts.py::"
    "test_the_first_verdict_on_a_part_stands_and_comes_back_from_the_journal",
    "step-statement": "tests/p2pnode/test_disputes.py::"
    "test_it_keeps_its_word_also_if_it_finds_something_else_in_another_life",
    "contradiction": "tests/protocols/verification/test_contradiction.py::"
    "test_an_accusation_is_journalled_first_and_found_in_the_journal_again",
}
"""Records of disputes and statements, which the virtual ledger has not got: tests of what a restart makes of them."""


def kinds_in(module: str) -> set[str]:
    """The kinds of records that a module's source makes."""
    tree = ast.parse((ROOT / module).read_text())
    found = importlib.import_module(module.removesuffix(".py").replace("/", "."))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Journal"]
    return {eval(ast.unparse(call.args[0]), vars(found)) for call in calls if len(call.args) == len(fields(Journal))}


def test_every_kind_of_record_that_the_code_writes_is_killed_at() -> None:
    sources = [file for package in ("protocols", "p2pnode") for file in (ROOT / package).rglob("*.py")]
    modules = [file.relative_to(ROOT).as_posix() for file in sources if "Journal(" in file.read_text()]
    assert set().union(*map(kinds_in, modules)) == {*PLACES, *ELSEWHERE}
    for file, name in (place.split("::") for place in ELSEWHERE.values()):
        assert f"def {name}(" in (ROOT / file).read_text()


@dataclass(frozen=True)
class Calm:
    """A run in which nobody dies.

    Attributes:
        wrote: kinds and heights of the records of each honest node.
        sent: who sent anything; a validator that has nobody to accuse is silent.
    """

    wrote: Mapping[str, frozenset[tuple[str, int]]]
    sent: frozenset[str]


@cache
def calm(liar: MachineFactory, faults: tuple[Fault, ...]) -> Calm:
    world, liars = Run(liar=liar, faults=faults).play(), [LIAR] if liar is not default_machines else []
    check(world, liars)
    return Calm({name: written(world, name) for name in world.members if name not in liars}, frozenset(world.senders))


def written(world: CrashWorld, name: str) -> frozenset[tuple[str, int]]:
    return frozenset((record.kind, int(record.height)) for record in journal_of(world.disks[name]))


def writers(kind: str, moment: Moment) -> list[str]:
    """Honest nodes that write such a record there, and at whom the moment can come."""
    where = PLACES[kind]
    world = calm(where.liar, where.faults)
    wrote = [name for name, records in world.wrote.items() if (kind, where.height) in records]
    return wrote if moment != "leaving" else [name for name in wrote if name in world.sent]


def killed(kind: str, node: str, moment: Moment, power_cut: bool = False) -> Run:
    where = PLACES[kind]
    crash = Crash(node, kind, where.height, moment, power_cut=power_cut)
    world = Run([crash], where.liar, faults=where.faults).play()
    assert world.died == [crash], "it never came to this record"
    check(world, [LIAR] if where.liar is not default_machines else [])
    return world


def resumed_in_the_same_round(world: Run, crash: Crash) -> None:
    """It goes on where it died, and nobody's round is lost but where the test itself silences members."""
    begun = [event for event in world.events if event.name == "round" and event.node == crash.node]
    faults = [event for event in world.events if event.name == "fault" and event.fields["kind"] == "restart"]
    died = next(event.at for event in faults if crash.node in event.fields["peers"])
    again = next(event.fields["height"] for event in begun if event.at > died)
    done = {"head": 1, "abandoned": 1}.get(crash.kind, 0) * (crash.moment in ("after", "leaving"))
    applied = {each["height"] for each in world.of("applied")}
    assert again in {crash.height, crash.height + 1}
    assert again >= crash.height + done, "it went back behind what it had on the disk"
    if crash.kind != "abandoned":
        assert applied == {0, 1, 2}, "a round was lost though one of four may be away"
    if crash.kind == "manifest":
        peer = world.identities[crash.node].peer.hex()
        mine = [each for each in world.of("opened") if each["height"] == crash.height and peer in each["contributors"]]
        assert mine, "its update did not get into the round in which it died"


@pytest.mark.parametrize(("kind", "moment"), [(kind, MOMENTS[place % 4]) for place, kind in enumerate(PLACES)])
def test_killed_at_a_record_a_node_says_one_thing_and_goes_on_in_the_same_round(kind: str, moment: Moment) -> None:
    node = writers(kind, moment)[0]
    world = killed(kind, node, moment)
    resumed_in_the_same_round(world, world.died[0])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", PLACES)
def test_so_does_every_node_at_every_moment(kind: str, moment: Moment) -> None:
    """The power fails, too, where a record is durable and nothing else need be."""
    for node in writers(kind, moment):
        world = killed(kind, node, moment, power_cut=moment == "after")
        resumed_in_the_same_round(world, world.died[0])


# --------------------------------------------------------------------------------------------- a disk that promises


@pytest.mark.parametrize("kind", ["manifest", "epoch-key"])
def test_on_a_disk_that_says_it_has_written_what_it_has_not_a_node_says_two_things(kind: str) -> None:
    """So that the tests above bite: the journal is all that keeps a node from it."""
    (node, *_) = writers(kind, "leaving")
    world = Run([Crash(node, kind, PLACES[kind].height, "leaving")], lies=True).play()
    assert {place[0] for place in world.lies_told()[node]} == {kind.replace("-", " ")}


# ------------------------------------------------------------------------------------------------- several at once

FIVE = {"peers": 5, "params": {**RULES, "k_min": 2, "dropouts": 2, "committee": 5, "threshold": 3}}
"""Two of five may be away."""


@pytest.mark.parametrize("kind", ["proposal", "lock", "release"])
def test_as_many_as_may_be_away_die_in_one_round_and_it_is_finished_all_the_same(kind: str) -> None:
    several_die(kind, "after")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "kind", [kind for kind in PLACES if kind not in ("place", "abandoned", "evidence", "dispute", "offence")]
)
def test_so_they_do_at_any_record(kind: str, moment: Moment) -> None:
    several_die(kind, moment)


@cache
def calm_five() -> Run:
    return Run(**FIVE).play()


def several_die(kind: str, moment: Moment) -> None:
    height = PLACES[kind].height
    calm_world = calm_five()
    wrote = [name for name in calm_world.members if (kind, height) in written(calm_world, name)]
    rest = [name for name in calm_world.members if name not in wrote and name.startswith("peer")]
    one = Crash(wrote[0], kind, height, moment)
    other = Crash(wrote[1], kind, height, moment) if len(wrote) > 1 else Crash(rest[0], "vote", height, moment)
    world = Run([one, other], **FIVE).play()
    assert set(world.died) == {one, other}
    check(world)
    assert {each["height"] for each in world.of("applied")} == {0, 1, 2}


def test_when_all_die_behind_their_votes_the_certificate_comes_back_and_their_shares_do_not() -> None:
    """What cannot be resumed: the keys to which shares were sealed are gone with memory (docs/decisions/0006), and with
    more than n - t of them the round. What was agreed is the same, and whoever it names counts its update as opened.
    """
    names = [f"peer-0{number}" for number in range(4)]
    world = Run([Crash(name, "lock", 1, "leaving") for name in names]).play()
    assert len(world.died) == 4
    check(world)
    lists = [each.message for each in world.said() if isinstance(each.message, ListCertificate)]
    assert [each for each in lists if each.sets.slot.height == 1], "the round's list is certified after all"
    assert {each["height"] for each in world.of("applied")} == {0}
    assert {each["height"] for each in world.of("abandoned")} == {1, 2}
    assert all(("spent", 1) in written(world, name) for name in names)
    sat_out = [event.node for event in world.events if event.name == "sat-out"]
    assert sorted(sat_out) == names, "this task trains alike each time: the same update goes into no second sum"


def test_when_the_power_fails_for_everybody_the_model_is_still_there() -> None:
    everybody = [f"peer-0{number}" for number in range(4)] + ["validator-0"]
    world = Run([Crash(name, "head", 1, "after", power_cut=True) for name in everybody]).play()
    assert len(world.died) == 5
    check(world)
    assert {each["height"] for each in world.of("applied")} == {0, 1, 2}
    assert {each["height"] for each in world.of("resumed")} == {2}
