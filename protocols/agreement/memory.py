"""What a member has signed in a round, from its journal on: after a crash it signs nothing else in the same place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from protocols.effects import Journal
from protocols.types import Digest, Height
from protocols.wire.codec import decode, encode
from protocols.wire.messages import ENVELOPE_MAX_BYTES, PrevoteCertificate, Proposal, SetList, Vote

VOTE: Final = "vote"
LOCK: Final = "lock"
PROPOSAL: Final = "proposal"


@dataclass(frozen=True, slots=True)
class Lock:
    """A precommit for a list, with the list and the prevotes behind it: whoever holds it can propose the list again."""

    vote: Vote
    sets: SetList
    prevotes: PrevoteCertificate

    @property
    def digest(self) -> Digest | None:
        """The list's digest."""
        return self.vote.sets


class Memory:
    """A member's signed votes, proposals and its lock.

    Args:
        journal: this height's records, oldest first.
    """

    def __init__(self, height: Height, journal: Iterable[Journal] = ()) -> None:
        self._height = height
        self.votes: dict[tuple[int, int], Vote] = {}
        self.proposals: dict[int, Proposal] = {}
        self.lock: Lock | None = None
        for record in journal:
            if record.height == height:
                self._recall(record)

    @property
    def view(self) -> int:
        """The newest view in which this member has signed anything; 0 if none."""
        return max([0, *(view for view, _ in self.votes), *self.proposals])

    def vote(self, vote: Vote) -> Journal:
        """What must be durable before this vote is sent. Asserts that it is the only one of its place."""
        assert self.votes.setdefault((vote.view, vote.phase), vote) == vote, "a member votes once in a view and phase"
        return Journal(VOTE, self._height, bytes([vote.view, vote.phase]), encode(vote))

    def precommit(self, lock: Lock) -> Journal:
        """The same for a precommit for a list; this is the member's lock from now on."""
        self.vote(lock.vote)
        self.lock = lock
        return Journal(LOCK, self._height, bytes([lock.vote.view, lock.vote.phase]), encode(lock))

    def propose(self, proposal: Proposal) -> Journal:
        """The same for a proposal."""
        assert self.proposals.setdefault(proposal.view, proposal) == proposal, "a member proposes once in a view"
        return Journal(PROPOSAL, self._height, bytes([proposal.view]), encode(proposal))

    def _recall(self, record: Journal) -> None:
        if record.kind == VOTE:
            self.vote(decode(record.payload, Vote, ENVELOPE_MAX_BYTES))
        elif record.kind == LOCK:
            self.precommit(decode(record.payload, Lock, ENVELOPE_MAX_BYTES))
        elif record.kind == PROPOSAL:
            self.propose(decode(record.payload, Proposal, ENVELOPE_MAX_BYTES))
