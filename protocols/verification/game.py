"""One peer's part in a dispute game: whatever the chain says of it, what this peer does next.

The game's whole state stands on the chain, and a peer's own row of states follows from what it has recomputed
(`trace.py`); so the next move is a function of both and of the time, and a peer that crashed in the middle
goes on by looking. A peer may be the proposer that is challenged, the challenger, or a validator who states what
the last step leads to.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.types import Address, Digest
from protocols.verification.trace import State, Trace


class Phase(enum.IntEnum):
    """Whose turn it is, and for what; the numbers are IDisputeGame.sol's."""

    NONE = 0
    COMMIT = 1
    REVEAL = 2
    ANSWER = 3
    PROVE = 4
    RESOLVED = 5


class Outcome(enum.IntEnum):
    """What became of a game."""

    OPEN = 0
    UPHELD = 1
    REFUTED = 2
    VOID = 3
    UNPROVEN = 4


@dataclass(frozen=True, slots=True)
class Game:
    """What the chain says of a game.

    Attributes:
        number: of the game.
        key: the disputed checkpoint's.
        ends_at: until when, in the chain's seconds, the mover may move; the last second counts.
        pays_at: from when on a resolved game pays.
        released: whether it has.
        low, high: the steps between which both sides' rows part, with the states there.
        middle: the state that was shown last.
        rejected: whether the checkpoint has lost another game meanwhile.
    """

    number: int
    key: Digest
    height: int
    defender: Address
    challenger: Address
    phase: Phase
    outcome: Outcome
    ends_at: int
    pays_at: int
    released: bool
    low: int
    high: int
    steps: int
    trace: Digest
    low_state: Digest
    high_state: Digest
    middle: Digest
    rejected: bool

    @property
    def middle_step(self) -> int:
        """The step whose state is to be shown, or was shown last."""
        return (self.low + self.high) // 2

    def has_part(self, account: Address) -> bool:
        """Whether an account is one of the two sides."""
        return account in (self.defender, self.challenger)


@dataclass(frozen=True, slots=True)
class Commit:
    """The defender commits to its row."""

    steps: int
    trace: Digest


@dataclass(frozen=True, slots=True)
class Reveal:
    """The defender shows the state in the middle."""

    state: Digest
    path: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The challenger says whether its own row has that state there."""

    agreed: bool


@dataclass(frozen=True, slots=True)
class Prove:
    """Have the last step decided, by what validators state of it."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """The mover's time is over."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The checkpoint has lost another game: there is nothing left to decide."""


@dataclass(frozen=True, slots=True)
class Release:
    """Both sides are paid what they are owed."""


Move = Commit | Reveal | Answer | Prove | Timeout | Drop | Release


def next_move(game: Game, me: Address, now: int, row: Sequence[State], trace: Trace | None) -> Move | None:
    """What a side does now; None: nothing, or nothing yet.

    Args:
        game: as the chain has it.
        me: the defender or the challenger.
        now: the chain's time.
        row: of this peer's states, once the defender has committed to a number of steps.
        trace: the defender's; None if this peer does not know the rounds that it proposed.
    """
    if not game.has_part(me):
        return None
    if game.phase is Phase.RESOLVED:
        return Release() if now >= game.pays_at and not game.released else None
    if game.rejected:
        return Drop()
    if now > game.ends_at:
        return None if loses(game, me) else Timeout()
    match game.phase:
        case Phase.COMMIT if me == game.defender and trace is not None:
            return Commit(trace.steps, trace.root)
        case Phase.REVEAL if me == game.defender and trace is not None and trace.root == game.trace:
            return Reveal(trace.states[game.middle_step], trace.proof(game.middle_step))
        case Phase.ANSWER if me == game.challenger:
            own = row[game.middle_step] if game.middle_step < len(row) else None
            return None if own is None else Answer(own == game.middle)
        case Phase.PROVE:
            return Prove()
    return None


def loses(game: Game, who: Address) -> bool:
    """Whether it is this side's silence by which the game ends; in the last phase it is nobody's."""
    mover = game.challenger if game.phase is Phase.ANSWER else game.defender
    return game.phase is not Phase.PROVE and who == mover


def judge(game: Game, row: Sequence[State]) -> Digest | None:
    """What the step that is left leads to, by this peer's own row; None where it cannot say.

    It says nothing of a step that begins with a state which is not its own: both sides may have agreed on a false one.
    """
    if game.phase is not Phase.PROVE or game.high >= len(row) or row[game.low] != game.low_state:
        return None
    return row[game.high]
