"""The checkers of random worlds bite: with any one rule of the protocol taken away, they find that something is wrong.

Each bug is planted in honest peers, beside dishonest ones that make use of it, in one world that is known to bring them
together; the same world without the bug breaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pytest

from protocols.agreement import machine as agreement
from protocols.agreement.memory import Memory
from protocols.checkpoints.machine import Ledger
from protocols.effects import Journal, SetTimer, Step
from protocols.encryption import one_time_key
from protocols.hashing import tagged
from protocols.rounds import conclusion, dealing, dispute, opening
from protocols.rounds.contribution import Contribution
from protocols.rounds.epoch import EpochView
from protocols.rounds.release import ReleaseRule, set_digest
from protocols.rounds.seen import SeenDealings
from protocols.rounds.summing import Announced
from protocols.types import Secret
from protocols.wire.messages import CellSet
from simnet.adversaries import cast
from simnet.adversaries.members import WrongShares
from simnet.adversaries.stage import Scene
from simnet.dummy import DummyScheme
from simnet.scenario import data_peer, make_scenario
from simnet.trial import DEADLINES, SHAPES, judged
from simnet.world import World

MEMBER, OTHER = 1, 5
"""A dishonest committee member, and a dishonest contributor outside the committee."""
Plant = Callable[[pytest.MonkeyPatch], None]


class RandomShares(WrongShares):
    """Releases a wholly random share, each time."""

    kind = "random-shares"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._how = "random"


@pytest.fixture(autouse=True)
def _certain_liars(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a random adversary does now and then, somebody here does always."""
    monkeypatch.setattr(cast, "KINDS", {**cast.KINDS, RandomShares.kind: RandomShares})


def broken(adversaries: Mapping[int, Sequence[str]], seed: int, rounds: int = 2, **options: Any) -> set[str]:
    """The rules that a world of eight, four of them members, breaks with these dishonest peers."""
    shape = SHAPES[0]
    scenario = make_scenario(
        {
            "task": "simnet.tiny",
            "options": options,
            "peers": shape["peers"],
            "rounds": rounds,
            "seed": seed,
            "backend": "virtual",
            "validators": 0,
            "compute": shape["committee"],
            "params": {**{name: value for name, value in shape.items() if name != "peers"}, **DEADLINES},
            "adversaries": [
                {"kind": kind, "peers": [data_peer(number)]} for number, kinds in adversaries.items() for kind in kinds
            ],
        }
    )
    verdict = judged(World(scenario, lambda _: None, scheme=DummyScheme(), watched=True))
    return {violation.rule for violation in verdict.violations}


# ------------------------------------------------------------------------------------------------------ the bugs


def one_seed_for_all(patch: pytest.MonkeyPatch) -> None:
    made = Contribution.__init__

    def forgetful(self: Any, *arguments: Any, **more: Any) -> None:
        made(self, *arguments, **more)
        self._seed = Secret(tagged("one", self._me))

    patch.setattr(Contribution, "__init__", forgetful)


def sets_of_two(patch: pytest.MonkeyPatch) -> None:
    """k_min and m - d mean nothing to anybody, and a proposer takes whom it likes."""
    patch.setattr(EpochView, "cell_quorum", lambda self, cell: 2)
    patch.setattr(agreement, "leaves_out", lambda *_: False)
    patch.setattr(ReleaseRule, "permit", lambda self, height, found: Journal("release", height, b"", b""))
    full = agreement.fullest_list

    def short(*arguments: Any) -> Any:
        sets = full(*arguments)
        return sets and replace(sets, cells=tuple(CellSet(each.cell, each.contributions[:2]) for each in sets.cells))

    patch.setattr(agreement, "fullest_list", short)


def unproven_keys(patch: pytest.MonkeyPatch) -> None:
    """The first t shares are taken for right, whatever comes out: no bound of keys, noise or sums is looked at."""

    def first(shares: Mapping[int, Any], threshold: int, bound: int) -> Any:
        chosen = {member: shares[member] for member in sorted(shares)[:threshold]}
        key, wrong = next(iter(found(chosen, threshold, 2**31)))
        return [(np.clip(key, -bound, bound), wrong)]

    found = one_time_key.sharing.candidates
    patch.setattr(one_time_key.sharing, "candidates", first)
    decrypt = DummyScheme._decrypt
    patch.setattr(DummyScheme, "_decrypt", lambda *arguments: (decrypt(*arguments)[0], 0))
    any_sum_counts(patch)


def unchecked_shares(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dealing, "check_degree", lambda *_: None)


def copies_welcome(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SeenDealings, "take", lambda *_: None)


def digests_not_compared(patch: pytest.MonkeyPatch) -> None:
    """A peer that applies a header believes whoever serves it the total."""
    patch.setattr(Ledger, "total", lambda self, event, now: [Step(self.head.header, event.blobs[0])])

    def stepped(self: Any, event: Any, now: float) -> Any:
        header = replace(self._wanted.header, params_digest=event.params_digest)
        self._wanted = replace(self._wanted, header=header)
        return self._applied(None, now)

    patch.setattr(Ledger, "stepped", stepped)


def first_aggregator_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Announced, "agreed", lambda self, stripe: next(iter(self._roots[stripe].values()), None))


def accusers_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dispute, "_false", lambda *_: None)


def votes_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What was signed is not remembered: a member votes for a list, and then for nil."""
    patch.setattr(Memory, "vote", lambda self, vote: Journal("vote", self._height, b"", b""))
    cast = agreement.Agreement._cast

    def twice(self: Any, phase: int, sets: Any, justified: Any = None) -> Any:
        return [*cast(self, phase, sets, justified), *cast(self, phase, None)]

    patch.setattr(agreement.Agreement, "_cast", twice)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    begin = Ledger._next
    patch.setattr(
        Ledger,
        "_next",
        lambda self, now: [
            replace(each, at=each.at + 500) if isinstance(each, SetTimer) and each.name == "round" else each
            for each in begin(self, now)
        ],
    )


def any_sum_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(opening, "check_sum", lambda *_: None)


def spent_updates_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Contribution, "certified", lambda *_: [])


def all_of_a_spoiled_set_excluded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("protocols.rounds.suspects.convicted", lambda sets: frozenset().union(*sets))


def headers_unread(patch: pytest.MonkeyPatch) -> None:
    """A member signs a header whose total is not its own."""
    total = conclusion.total_of
    patch.setattr(conclusion, "total_of", lambda lanes, contributors: total(lanes + 1, contributors))


def released_early(patch: pytest.MonkeyPatch, forgetful: bool) -> None:
    """Members release for whatever they prevote for; what holds them back is the release rule alone."""
    from protocols.effects import Tell
    from protocols.rounds.custody import Custody, State
    from protocols.told import Certified
    from protocols.wire.messages import ListCertificate

    cast = agreement.Agreement._try_prevote

    def early(self: Any) -> Any:
        effects = cast(self)
        proposal = self._known.proposals.get(self._number)
        if not effects or proposal is None:
            return effects
        sets = proposal.message.sets
        fewer = [replace(each, contributions=each.contributions[1:]) for each in sets.cells]
        lists = [sets, replace(sets, cells=tuple(fewer))]
        return [*effects, *(Tell(Certified(ListCertificate(each, 0, ()))) for each in lists)]

    patch.setattr(agreement.Agreement, "_try_prevote", early)
    patch.setattr(Custody, "TABLE", {**Custody.TABLE, (State.RELEASED, Certified): "release"})
    patch.setattr(Custody, "erase", lambda self: None)
    if forgetful:
        permit = lambda self, height, found: Journal("release", height, b"", set_digest(found))  # noqa: E731
        patch.setattr(ReleaseRule, "permit", permit)


@dataclass(frozen=True)
class Bug:
    """A planted bug, who exploits it, and a rule that is then seen broken."""

    plant: Plant
    rule: str
    adversaries: Mapping[int, Sequence[str]]
    rounds: int = 2
    repeats: int = 0
    seed: int = 0

    def world(self) -> set[str]:
        return broken(self.adversaries, self.seed, self.rounds, repeats=self.repeats)


BUGS: Final = {
    "a seed serves twice": Bug(one_seed_for_all, "an update in one sum", {}),
    "sets may be small": Bug(sets_of_two, "big enough sets", {}),
    "summed keys need no proof": Bug(unproven_keys, "true sums", {MEMBER: ["random-shares"]}),
    "shares are not checked": Bug(unchecked_shares, "nobody honest is named", {OTHER: ["starve-a-member"]}),
    "copies are welcome": Bug(copies_welcome, "big enough sets", {OTHER: ["copied-dealing"]}, 3, seed=1),
    "digests are not compared": Bug(digests_not_compared, "one model", {MEMBER: ["serve-some"]}),
    "one aggregator is believed": Bug(first_aggregator_believed, "true sums", {OTHER: ["wrong-sum"]}, rounds=4, seed=3),
    "accusers are believed": Bug(accusers_believed, "nobody honest is named", {MEMBER: ["lying-disputes"]}),
    "votes are forgotten": Bug(votes_forgotten, "no evidence against the honest", {}),
    "rounds have no deadline": Bug(no_deadline, "rounds end", {number: ["silent"] for number in (MEMBER, OTHER, 4, 6)}),
    "any sum counts": Bug(any_sum_counts, "true sums", {OTHER: ["overflow"]}),
    "spent updates are forgotten": Bug(
        spent_updates_forgotten, "an update in one sum", {MEMBER: ["two-manifests", "adaptive-shares"]}, 3, 1
    ),
    "suspicion convicts": Bug(all_of_a_spoiled_set_excluded, "nobody honest is named", {OTHER: ["misfit-key"]}),
    "totals are not true": Bug(headers_unread, "true sums", {}),
    "the release rule forgets": Bug(lambda patch: released_early(patch, forgetful=True), "one set", {}),
}
QUICK: Final = (
    "sets may be small",
    "summed keys need no proof",
    "shares are not checked",
    "digests are not compared",
    "one aggregator is believed",
    "votes are forgotten",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in BUGS]
)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = BUGS[name]
    bug.plant(monkeypatch)
    assert bug.rule in bug.world()


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_without_the_bug_the_same_adversaries_break_nothing(name: str) -> None:
    assert BUGS[name].world() == set()


@pytest.mark.slow
def test_the_release_rule_alone_stands_against_two_certified_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug of "the release rule forgets" but with the rule as it is."""
    released_early(monkeypatch, forgetful=False)
    assert "one set" not in broken({}, 0)
