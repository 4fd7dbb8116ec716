"""A checkpoint's computation as a row of states, of which a dispute finds one step (contracts/src/DisputeGame.sol).

What is certified in a round takes two steps: its sums (the cells' ciphertexts added, opened, and their total), and
the outer step from the parameters before by this total. Both are exact and the same on any machine (training is not,
and is no part of it). A state is a hash of all that came before; so whoever agrees on a state agrees on all steps up
to it. Each peer has its own row, by what it has recomputed itself: what is otherwise than the header says leads
to a state of which no step leads back, and what it has not recomputed leads to none, of which it says nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.hashing import tagged
from protocols.merkle import path, root
from protocols.types import Digest
from protocols.wire.codec import encode
from protocols.wire.messages import Header

STEPS_A_ROUND: Final = 2
State = Digest | None
"""None: this peer has not recomputed what leads there."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A certified round, as this peer knows it: True as its header says, False otherwise, None: not recomputed.

    Attributes:
        sums: the cells' sums and their total.
        step: the parameters after the outer step.
    """

    header: Header
    sums: bool | None
    step: bool | None


def states(first: Digest, last: Digest, rounds: Sequence[Recomputed] | None, steps: int) -> tuple[State, ...]:
    """A peer's own row, of `steps` + 1 states.

    Args:
        first: with which the computation of the disputed checkpoint begins.
        last: with which a computation ends that leads to the parameters of the last of the rounds.
        rounds: above the parent, the oldest first; None: what is disputed is not the certified checkpoint.
        steps: as the proposer committed to them. A row of another length is not this computation.
    """
    if rounds is None or len(rounds) * STEPS_A_ROUND != steps:
        return _otherwise(first, steps)
    found: list[State] = [first]
    for number, each in enumerate(rounds, 1):
        final = last if number == len(rounds) else None
        for verdict, right in (
            (each.sums, tagged("dispute-sums", first, number, encode(each.header))),
            (each.step, final or tagged("dispute-step", first, number, encode(each.header))),
        ):
            if verdict is None:
                return (*found, *[None] * (steps + 1 - len(found)))
            if not verdict:
                assert found[-1] is not None
                return (*found[:-1], *_otherwise(found[-1], steps + 1 - len(found)))
            found.append(right)
    return tuple(found)


def _otherwise(before: Digest, steps: int) -> tuple[Digest, ...]:
    found = [before]
    for _ in range(steps):
        found.append(tagged("dispute-otherwise", found[-1]))
    return tuple(found)


class Trace:
    """What a proposer commits to: its states between the first and the last; at least two steps.

    Attributes:
        states: all of them.
        root: over those between.
    """

    def __init__(self, first: Digest, last: Digest, headers: Sequence[Header]) -> None:
        rounds = [Recomputed(header, sums=True, step=True) for header in headers]
        found = states(first, last, rounds, len(rounds) * STEPS_A_ROUND)
        self.states = tuple(each for each in found if each is not None)
        self._leaves = [_leaf(step, self.states[step]) for step in range(1, len(self.states) - 1)]
        self.root = root(self._leaves)

    @property
    def steps(self) -> int:
        """How many lead from the first state to the last."""
        return len(self.states) - 1

    def proof(self, step: int) -> tuple[Digest, ...]:
        """The siblings of the state after so many steps; raises `LocalError` for one that is not between."""
        return path(self._leaves, step - 1)


def _leaf(step: int, state: Digest) -> Digest:
    """As DisputeGame.sol has it."""
    return Digest(hashlib.sha256(b"\0" + step.to_bytes(4, "big") + state).digest())
