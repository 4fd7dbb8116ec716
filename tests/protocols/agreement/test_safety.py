"""No two lists, whatever happens: arbitrary runs with liars and kills, and planted bugs that must be found."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import evidence_of
from protocols.agreement.knowledge import Knowledge
from protocols.agreement.machine import Agreement, State
from protocols.effects import Effect, Effects, Journal, Send, Tell
from protocols.events import Started
from protocols.rounds.epoch import EpochView
from protocols.told import Certified, Ready
from protocols.wire.messages import PRECOMMIT, PREVOTE, PrevoteCertificate, Proposal, SetList, Vote
from tests.protocols.agreement.arena import Arena, Member, a_committee, everything, some_lists
from tests.protocols.playbook import COMMITTEE, ROUND, VIEW, Actor, Peer, Playbook, honest, of

READY = Ready(everything(VIEW), final=True)
FOUR = a_committee(4, 3)
SEVEN = a_committee(7, 5)
RAISED = a_committee(7, 6)
STEPS = 400


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), liar=st.sampled_from([(), (0,), (1,), (2,), (3,)]))
def test_one_liar_of_four_never_divides_the_others(seed: int, liar: tuple[int, ...]) -> None:
    arena = Arena(FOUR, liar, seed).walk(STEPS)
    assert len(arena.certifiable()) <= 1
    assert arena.faults_of_honest() == [], "nobody could accuse an honest member, killed or not"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), liars=st.sets(st.integers(0, 6), max_size=4))
def test_neither_do_two_of_seven_nor_four_under_the_raised_threshold(seed: int, liars: set[int]) -> None:
    arena = Arena(SEVEN if len(liars) <= 2 else RAISED, liars, seed).walk(STEPS)
    assert len(arena.certifiable()) <= 1
    assert arena.faults_of_honest() == []


# --------------------------------------------------------------------------------------------- beyond the bound


def divide(view: EpochView, liars: Iterable[int]) -> Arena:
    """The first proposer and its friends show one list to half of the honest members, another to the rest."""
    arena = Arena(view, liars, due=some_lists(view)[1], kills=0.0)
    members = list(arena.honest.values())
    for number, member in enumerate(members):
        sets = arena.lists[number % 2]
        arena.show(member, arena.liars[0], Proposal(0, sets, None))
    for phase in (PREVOTE, PRECOMMIT):
        for number, member in enumerate(members):
            vote = Vote(view.slot(ROUND), 0, phase, list_digest(arena.lists[number % 2]), None)
            for liar in arena.liars:
                arena.show(member, liar, vote)
        for half in (0, 1):
            deliver(arena, members[half::2])
    return arena


def deliver(arena: Arena, members: list[Member]) -> None:
    """What these members have sent reaches them; what others have sent does not, for now."""
    known = {member.peer.key for member in members}
    for member in members:
        mail, member.inbox = member.inbox, []
        for signed in [each for each in mail if each.signer in known]:
            arena.receive(member, signed)


def test_f_plus_1_liars_divide_the_others_which_is_beyond_the_bound() -> None:
    arena = divide(SEVEN, (0, 1, 2))
    assert set(arena.certified.values()) == {list_digest(sets) for sets in arena.lists[:2]}


def test_but_not_under_the_raised_threshold() -> None:
    arena = divide(RAISED, (0, 1, 2))
    assert arena.certified == {}
    assert len(arena.certifiable()) == 0


def test_who_divides_is_named_by_its_own_signatures() -> None:
    """f + 1 culprits of any fork: whoever sees both sides' votes has the evidence."""
    arena = divide(SEVEN, (0, 1, 2))
    found = {each.culprit for each in arena.faults_of(peer.key for peer in arena.liars)}
    assert found == {peer.key for peer in arena.liars}
    assert arena.faults_of_honest() == []


# ------------------------------------------------------------------------------------------------- planted bugs


class DropsTheLock(Agreement):
    """Forgets what it precommitted as soon as it has."""

    def _lock(self, sets: SetList, prevotes: PrevoteCertificate) -> Effects:
        effects = super()._lock(sets, prevotes)
        self._memory.lock = self._known.valid = None
        return effects


class DropsTheJournal(Agreement):
    """Comes back from a crash with an empty mind."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments[:5])


class DropsTheLockInACrash(Agreement):
    """Remembers its votes, but not that it was locked."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._memory.lock = self._known.valid = None


class AcceptsLess(Agreement):
    """Is content with t - 1."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        members, threshold = len(self._view.committee), self._view.params.threshold
        self._known = Knowledge(self._slot, members, threshold - 1, self._memory.lock)


def goes_wrong(kind: type[Agreement], seed: int) -> bool:
    arena = Arena(FOUR, [seed % 4], seed, kind).walk(STEPS)
    return len(arena.certifiable()) > 1 or bool(arena.faults_of_honest())


@pytest.mark.parametrize("kind", [DropsTheLock, DropsTheJournal, DropsTheLockInACrash, AcceptsLess])
def test_a_planted_bug_is_found_by_arbitrary_runs(kind: type[Agreement]) -> None:
    assert any(goes_wrong(kind, seed) for seed in range(300))


# -------------------------------------------------------------------------------------- killed at every effect


class Mortal:
    """A member's behaviour that performs so many effects and then nothing more, until it is begun again."""

    def __init__(self, effects: int) -> None:
        self.left = effects

    def __call__(self, effect: Effect) -> Effects:
        self.left -= 1
        return [effect] if self.left >= 0 else []


def with_a_kill(rank: int, after: int) -> tuple[Playbook, bool]:
    """A round of four in which the member of this rank is killed after so many effects, and comes back 3 s later."""
    peers = [next(each for each in COMMITTEE if VIEW.proposer_rank(ROUND, index_of(each)) == r) for r in range(4)]
    actors = [Actor(peer, [begin(peer)]) for peer in peers]
    victim, mortal = actors[rank], Mortal(after)
    victim.behaviour = mortal
    play = Playbook(actors)
    for actor in actors:
        play.post(actor, READY, at=1.0)
    play.run(seconds=1.5)
    killed = mortal.left < 0
    if killed:
        victim.machines[0].state = State.VOID  # should a timer of its past life still fire
        victim.machines, victim.behaviour = [begin(victim.peer, victim.journal)], honest
        play.post(victim, Started(), at=4.0)
        play.post(victim, READY, at=4.0)
    play.resume()
    return play, killed


def index_of(peer: Peer) -> int:
    return VIEW.committee.index(peer.key) + 1


def begin(peer: Peer, journal: Iterable[Journal] = ()) -> Agreement:
    return Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet", tuple(journal))


@pytest.mark.parametrize("rank", [0, 1])
def test_killed_after_any_effect_a_member_comes_back_says_the_same_and_all_agree(rank: int) -> None:
    for after in itertools.count():
        play, killed = with_a_kill(rank, after)
        if not killed:
            break
        lists = [
            tell.event.certificate.sets
            for actor in play.actors.values()
            for tell in of(actor.effects, Tell)
            if isinstance(tell.event, Certified)
        ]
        assert len(lists) >= 4, f"after {after} effects"
        assert len({list_digest(sets) for sets in lists}) == 1
        for actor in play.actors.values():
            said = [each.signed for each in of(actor.effects, Send) if each.signed.signer == actor.peer.key]
            assert [found for pair in itertools.combinations(said, 2) if (found := evidence_of(*pair))] == []
    assert after > 10
