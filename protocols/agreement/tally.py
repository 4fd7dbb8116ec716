"""The votes of one round as they come in: at most one of each member, view and phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from protocols.agreement.evidence import Evidence, evidence_of
from protocols.wire.envelope import Signed
from protocols.wire.messages import PRECOMMIT, PREVOTE, Vote

Place = tuple[int, int]
"""View and phase."""


def is_sound(vote: Vote) -> bool:
    """Whether an honest member could have written this: what justifies a prevote lies before it."""
    if vote.phase not in (PREVOTE, PRECOMMIT):
        return False
    if vote.justified is None:
        return True
    return vote.phase == PREVOTE and vote.sets is not None and vote.justified < vote.view


class Tally:
    """Counts votes by what they say, exactly: only equal votes make a certificate.

    Args:
        members: n, the committee's size.
        threshold: t.
    """

    def __init__(self, members: int, threshold: int) -> None:
        self._members, self._threshold = members, threshold
        self._cast: dict[Place, dict[int, Signed]] = {}
        self._backing: dict[Vote, dict[int, Signed]] = {}

    def add(self, member: int, signed: Signed) -> Evidence | None:
        """Counts a member's first vote of its place; says where it contradicts an earlier one of any place."""
        vote = signed.message
        assert isinstance(vote, Vote)
        evidence = next((found for each in self.of(member) if (found := evidence_of(each, signed))), None)
        if self._cast.setdefault((vote.view, vote.phase), {}).setdefault(member, signed) is signed:
            self._backing.setdefault(vote, {})[member] = signed
        return evidence

    def of(self, member: int) -> Iterator[Signed]:
        """All votes of a member."""
        return (cast[member] for cast in self._cast.values() if member in cast)

    def cast(self, view: int, phase: int) -> Mapping[int, Signed]:
        """Who has voted there."""
        return self._cast.get((view, phase), {})

    def for_(self, vote: Vote) -> Mapping[int, Signed]:
        """Who has cast this very vote."""
        return self._backing.get(vote, {})

    def certified(self, phase: int) -> list[Vote]:
        """Votes for a list that t members have cast."""
        return [
            vote
            for vote, backing in self._backing.items()
            if vote.phase == phase and vote.sets is not None and len(backing) >= self._threshold
        ]

    def is_complete(self, view: int, phase: int) -> bool:
        """Whether t members have voted there, for whatever."""
        return len(self.cast(view, phase)) >= self._threshold

    def is_hopeless(self, view: int, phase: int) -> bool:
        """Whether no list can reach t there any more, however those vote that are still silent."""
        silent = self._members - len(self.cast(view, phase))
        counts = [
            len(backing)
            for vote, backing in self._backing.items()
            if (vote.view, vote.phase) == (view, phase) and vote.sets is not None
        ]
        return silent + max(counts, default=0) < self._threshold
