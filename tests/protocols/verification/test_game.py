"""Dispute games played by the rules of the contract: honest sides win whatever the other does, in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.types import Address, Digest
from protocols.verification.game import (
    Answer,
    Commit,
    Drop,
    Game,
    Move,
    Outcome,
    Phase,
    Prove,
    Release,
    Reveal,
    Timeout,
    judge,
    loses,
    next_move,
)
from protocols.verification.trace import State, Trace, states
from tests.protocols.verification.test_trace import FIRST, LAST, header, rounds

DEFENDER, CHALLENGER, STRANGER = (Address(bytes([number]) * 20) for number in (1, 2, 3))
NOTHING = Digest(bytes(32))
HEADERS = [header(number) for number in range(4)]
TRACE = Trace(FIRST, LAST, HEADERS)
BEGUN = Game(
    *(1, Digest(b"k" * 32), 3, DEFENDER, CHALLENGER, Phase.COMMIT, Outcome.OPEN, 100, 0, False),
    *(0, 0, 0, NOTHING, NOTHING, NOTHING, NOTHING, False),
)
CLOCK = 100
Row = tuple[State, ...]


def narrowed(game: Game) -> Game:
    phase = Phase.PROVE if game.high - game.low == 1 else Phase.REVEAL
    return replace(game, phase=phase, ends_at=game.ends_at + CLOCK)


def played(game: Game, move: Move) -> Game:
    """What the contract makes of a move."""
    match move:
        case Commit(steps=steps, trace=trace):
            return narrowed(
                replace(game, steps=steps, high=steps, trace=trace, low_state=FIRST, high_state=TRACE.states[-1])
            )
        case Reveal(state=state):
            return replace(game, middle=state, phase=Phase.ANSWER, ends_at=game.ends_at + CLOCK)
        case Answer(agreed=True):
            return narrowed(replace(game, low=game.middle_step, low_state=game.middle))
        case Answer(agreed=False):
            return narrowed(replace(game, high=game.middle_step, high_state=game.middle))
    raise AssertionError(move)


def halve(mine: Callable[[Game], Move | None], theirs: Callable[[Game], Move | None]) -> Game:
    """Both sides' moves up to the last step, each in time."""
    game = BEGUN
    for _ in range(2 * 20 + 1):
        if game.phase is Phase.PROVE:
            return game
        move = (theirs if game.phase is Phase.ANSWER else mine)(game)
        assert move is not None, "an honest side always has a move"
        game = played(game, move)
    raise AssertionError("the game does not end")


def defends(trace: Trace) -> Callable[[Game], Move | None]:
    return lambda game: next_move(game, DEFENDER, game.ends_at, (), trace)


def opposes(row: Row) -> Callable[[Game], Move | None]:
    return lambda game: next_move(game, CHALLENGER, game.ends_at, row, None)


HONEST = states(FIRST, LAST, rounds(*[True] * 8), 8)


@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_an_honest_proposer_wins_against_any_answers(answers: list[bool]) -> None:
    said = iter(answers)
    left = halve(defends(TRACE), lambda _: Answer(next(said)))
    assert left.low_state == HONEST[left.low]
    assert judge(left, HONEST) == left.high_state


@pytest.mark.parametrize("step", range(8))
def test_an_honest_challenger_wins_wherever_the_proposal_is_false(step: int) -> None:
    """Each honest validator has found the same, and none states what the proposer needs."""
    verdicts: list[bool | None] = [True] * 8
    verdicts[step] = False
    row = states(FIRST, LAST, rounds(*verdicts), 8)
    left = halve(defends(TRACE), opposes(row))
    assert left.low == step
    found = judge(left, row)
    assert found is not None
    assert found != left.high_state


@given(st.lists(st.integers(0, 2**32), min_size=7, max_size=7), st.sets(st.integers(0, 7)))
def test_committing_to_junk_or_to_others_states_wins_nothing(junk: list[int], copied: set[int]) -> None:
    row = states(FIRST, LAST, None, 8)
    said = [row[i + 1] if i in copied else Digest(each.to_bytes(32, "big")) for i, each in enumerate(junk)]

    def lies(game: Game) -> Move:
        return Commit(8, NOTHING) if game.phase is Phase.COMMIT else Reveal(said[game.middle_step - 1] or NOTHING, ())

    left = halve(lies, opposes(row))
    assert judge(left, row) not in (None, left.high_state)


def test_who_has_not_recomputed_says_nothing_and_neither_of_a_false_beginning() -> None:
    left = halve(defends(TRACE), opposes(states(FIRST, LAST, rounds(*[True] * 5, False, True, True), 8)))
    assert judge(left, states(FIRST, LAST, rounds(*[True] * 4, None, True, True, True), 8)) is None
    assert judge(replace(left, low_state=Digest(b"x" * 32)), HONEST) is None
    assert judge(replace(left, phase=Phase.RESOLVED), HONEST) is None
    assert judge(left, ()) is None
    unknown = states(FIRST, LAST, rounds(*[None] * 8), 8)
    asked = replace(left, phase=Phase.ANSWER)
    assert next_move(asked, CHALLENGER, 0, unknown, None) is None


def test_moves_are_made_in_turn_and_in_time() -> None:
    assert next_move(BEGUN, STRANGER, 0, HONEST, TRACE) is None
    assert next_move(BEGUN, CHALLENGER, 0, HONEST, TRACE) is None
    assert next_move(BEGUN, DEFENDER, BEGUN.ends_at, (), TRACE) == Commit(8, TRACE.root)
    assert next_move(BEGUN, DEFENDER, 0, (), None) is None, "who does not know what it proposed cannot defend it"
    assert next_move(BEGUN, DEFENDER, BEGUN.ends_at + 1, (), TRACE) is None, "it has lost, and does not hurry"
    assert next_move(BEGUN, CHALLENGER, BEGUN.ends_at + 1, (), None) == Timeout()
    assert loses(BEGUN, DEFENDER)
    shown = played(played(BEGUN, Commit(8, TRACE.root)), Reveal(TRACE.states[4], ()))
    assert next_move(shown, DEFENDER, shown.ends_at + 1, (), TRACE) == Timeout()
    last = replace(shown, phase=Phase.PROVE, low=3, high=4)
    for side in (DEFENDER, CHALLENGER):
        assert next_move(last, side, last.ends_at, HONEST, TRACE) == Prove()
        assert next_move(last, side, last.ends_at + 1, HONEST, TRACE) == Timeout(), "nobody loses by silence here"
        assert next_move(replace(last, rejected=True), side, 0, HONEST, TRACE) == Drop()
    other = replace(played(BEGUN, Commit(8, NOTHING)), trace=NOTHING)
    assert next_move(other, DEFENDER, 0, (), TRACE) is None, "it committed to something else once"


def test_a_resolved_game_pays_once_it_is_due() -> None:
    over = replace(BEGUN, phase=Phase.RESOLVED, outcome=Outcome.REFUTED, pays_at=500)
    for side in (DEFENDER, CHALLENGER):
        assert next_move(over, side, 499, (), None) is None
        assert next_move(over, side, 500, (), None) == Release()
        assert next_move(replace(over, released=True), side, 500, (), None) is None
