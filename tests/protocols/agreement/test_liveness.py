"""With messages that arrive in time, every round ends for all honest members, whatever f liars do."""

from __future__ import annotations

import dataclasses
import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.agreement.certificate import list_digest
from protocols.agreement.machine import Agreement
from protocols.effects import Effect, Effects, Send, Tell
from protocols.told import Certified, Ready
from protocols.types import Digest
from protocols.wire.messages import Message, Proposal, Vote
from tests.protocols.agreement.arena import WHO, a_committee, everything, some_lists
from tests.protocols.playbook import ROUND, Actor, Behaviour, Peer, Playbook, blamed, of, offline

SEVEN = a_committee(7, 5)
BY_RANK = sorted(SEVEN.committee, key=lambda key: SEVEN.proposer_rank(ROUND, SEVEN.committee.index(key) + 1))
LISTS = some_lists(SEVEN)
READY = Ready(everything(SEVEN), final=True)
DUE_S = float(SEVEN.params.agree_s + SEVEN.params.open_s)


def erratic(liar: Peer, seed: int) -> Behaviour:
    """Sends each member something else, or nothing."""
    random = Random(seed)  # a test's choices

    def twisted(message: Message) -> Message:
        sets = random.choice([None, *LISTS])
        if isinstance(message, Vote) and (message.justified is None or sets is not None):
            return dataclasses.replace(message, sets=None if sets is None else list_digest(sets))
        if isinstance(message, Proposal) and sets is not None:
            return dataclasses.replace(message, sets=sets)
        return message

    def behave(effect: Effect) -> Effects:
        if not isinstance(effect, Send) or effect.signed.signer != liar.key or random.random() < 0.3:
            return [effect]
        return [Send(effect.to, liar.sign(twisted(effect.signed.message)))] if random.random() < 0.7 else []

    return behave


def a_round(behaviours: dict[int, Behaviour]) -> tuple[set[Digest], Playbook]:
    """What the honest certify by the round's deadline; all of them must."""
    actors = [Actor(WHO[key], [Agreement(SEVEN, ROUND, key, WHO[key].sign, "subnet")]) for key in BY_RANK]
    play = Playbook(actors)
    for rank, actor in enumerate(actors):
        actor.behaviour = behaviours.get(rank, actor.behaviour)
        play.post(actor, READY, at=1.0)
    play.run(seconds=1.0 + DUE_S)
    honest = [actor for rank, actor in enumerate(actors) if rank not in behaviours]
    told = [[each.event for each in of(actor.effects, Tell)] for actor in honest]
    certified = [[event for event in events if isinstance(event, Certified)] for events in told]
    assert all(certified), "everybody gets there"
    return {list_digest(events[0].certificate.sets) for events in certified}, play


@pytest.mark.parametrize("silent", itertools.combinations(range(3), 2))
def test_f_silent_proposers_cost_a_few_seconds(silent: tuple[int, int]) -> None:
    lists, play = a_round(dict.fromkeys(silent, offline))
    assert lists == {list_digest(LISTS[0])}
    assert blamed(play.effects()) == {}


@settings(max_examples=25, deadline=None)
@given(liars=st.sets(st.integers(0, 6), max_size=2), seed=st.integers(0, 2**32))
def test_f_erratic_members_stop_nothing_and_nobody_else_is_blamed(liars: set[int], seed: int) -> None:
    lists, play = a_round({rank: erratic(WHO[BY_RANK[rank]], seed + rank) for rank in liars})
    assert len(lists) == 1
    assert set(blamed(play.effects())) <= {BY_RANK[rank] for rank in liars}
