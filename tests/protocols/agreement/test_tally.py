from __future__ import annotations

import pytest

from protocols.agreement.tally import Tally, is_sound
from protocols.types import Digest
from protocols.wire.messages import PRECOMMIT, PREVOTE, Vote
from tests.protocols.playbook import COMMITTEE, ROUND, VIEW

ONE, OTHER = Digest(b"one".ljust(32)), Digest(b"other".ljust(32))


def vote(sets: Digest | None, phase: int = PREVOTE, view: int = 0, justified: int | None = None) -> Vote:
    return Vote(VIEW.slot(ROUND), view, phase, sets, justified)


def tally(*cast: Vote) -> Tally:
    """Members 1, 2, ... of four vote so; t is 3."""
    counted = Tally(4, 3)
    for member, each in enumerate(cast, start=1):
        assert counted.add(member, COMMITTEE[member - 1].sign(each)) is None
    return counted


def test_t_equal_votes_for_a_list_certify_it_in_their_phase() -> None:
    counted = tally(vote(ONE), vote(ONE), vote(ONE))
    assert counted.certified(PREVOTE) == [vote(ONE)]
    assert counted.certified(PRECOMMIT) == []
    assert set(counted.for_(vote(ONE))) == {1, 2, 3}


@pytest.mark.parametrize("odd", [vote(OTHER), vote(None), vote(ONE, view=1), vote(ONE, PRECOMMIT), vote(ONE, view=0)])
def test_others_do_not_count_with_them(odd: Vote) -> None:
    assert bool(tally(vote(ONE), vote(ONE), odd).certified(PREVOTE)) == (odd == vote(ONE))
    assert tally(vote(ONE, view=3, justified=1), vote(ONE, view=3), vote(ONE, view=3, justified=2)).certified(1) == []


def test_nil_is_no_list() -> None:
    counted = tally(vote(None), vote(None), vote(None))
    assert counted.certified(PREVOTE) == []
    assert counted.is_complete(0, PREVOTE)


def test_a_members_second_vote_is_evidence_and_does_not_count() -> None:
    counted = tally(vote(ONE), vote(ONE))
    evidence = counted.add(1, COMMITTEE[0].sign(vote(OTHER)))
    assert evidence is not None
    assert evidence.culprit == COMMITTEE[0].key
    assert counted.for_(vote(OTHER)) == {}
    assert counted.add(2, COMMITTEE[1].sign(vote(ONE))) is None, "the same again"
    assert len(counted.cast(0, PREVOTE)) == 2


@pytest.mark.parametrize(
    ("cast", "hopeless"),
    [
        ([], False),
        ([ONE], False),
        ([None], False),
        ([None, None], True),
        ([ONE, OTHER], False),
        ([ONE, OTHER, None], True),
        ([ONE, ONE, None], False),
        ([ONE, ONE, OTHER], False),
        ([ONE, ONE, OTHER, None], True),
        ([ONE, ONE, ONE, None], False),
    ],
)
def test_a_place_is_hopeless_when_the_silent_could_not_help_any_more(cast: list[Digest | None], hopeless: bool) -> None:
    assert tally(*map(vote, cast)).is_hopeless(0, PREVOTE) == hopeless


@pytest.mark.parametrize(
    ("said", "sound"),
    [
        (vote(ONE), True),
        (vote(None, PRECOMMIT), True),
        (vote(ONE, view=2, justified=1), True),
        (vote(ONE, view=2, justified=2), False),
        (vote(None, view=2, justified=1), False),
        (vote(ONE, PRECOMMIT, 2, 1), False),
        (vote(ONE, 0), False),
        (vote(ONE, 3), False),
    ],
)
def test_what_a_member_may_write(said: Vote, sound: bool) -> None:
    assert is_sound(said) == sound
