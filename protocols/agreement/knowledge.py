"""What has been said in one round, as far as this node has heard it."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.agreement.acceptance import Held, lacking
from protocols.agreement.certificate import list_digest, signatures
from protocols.agreement.evidence import Evidence, evidence_of
from protocols.agreement.memory import Lock
from protocols.agreement.tally import Tally
from protocols.types import Digest
from protocols.wire.envelope import Signed
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    ListCertificate,
    PrevoteCertificate,
    Proposal,
    SetList,
    Slot,
    Vote,
)


class Knowledge:
    """Proposals, votes, and what follows from them. Whoever calls has checked that each was its signer's to say.

    Args:
        members, threshold: n and t.
        lock: with which this member begins again.

    Attributes:
        proposals: the first of each view.
        valid: the list that had t prevotes in the latest view, and these prevotes (validValue, validRound).
        missing: by member, the proposed manifests that it does not hold.
    """

    def __init__(self, slot: Slot, members: int, threshold: int, lock: Lock | None) -> None:
        self._slot, self._threshold = slot, threshold
        self.tally = Tally(members, threshold)
        self.proposals: dict[int, Signed] = {}
        self.missing: dict[int, frozenset[Digest]] = {}
        self.valid: tuple[SetList, PrevoteCertificate] | None = None
        self._lists: dict[Digest, SetList] = {}
        self._reached: dict[int, int] = {}
        if lock is not None:
            self.valid = (lock.sets, lock.prevotes)
            self._lists[list_digest(lock.sets)] = lock.sets

    def propose(self, signed: Signed) -> Evidence | None:
        """Takes a view's first proposal; says where another one contradicts it."""
        proposal = signed.message
        assert isinstance(proposal, Proposal)
        known = self.proposals.setdefault(proposal.view, signed)
        if known.digest != signed.digest:
            return evidence_of(known, signed)
        self._lists[list_digest(proposal.sets)] = proposal.sets
        if proposal.valid is not None:
            self._note_valid(proposal.sets, proposal.valid)
        self._look_for_valid()
        return None

    def vote(self, member: int, signed: Signed) -> Evidence | None:
        """Counts a vote; see `Tally.add`."""
        evidence = self.tally.add(member, signed)
        self._look_for_valid()
        return evidence

    def certificate(self) -> ListCertificate | None:
        """The list for which t members have precommitted in one view, if it is known."""
        for vote in self.tally.certified(PRECOMMIT):
            if vote.sets in self._lists:
                signed = signatures(self.tally.for_(vote), self._threshold)
                return ListCertificate(self._lists[vote.sets], vote.view, signed)
        return None

    def came_to(self, member: int, view: int) -> None:
        """A member speaks in a view."""
        self._reached[member] = max(view, self._reached.get(member, 0))

    def reached_by(self, members: int) -> int:
        """The highest view that so many members have reached."""
        reached = sorted(self._reached.values(), reverse=True)
        return reached[members - 1] if len(reached) >= members else 0

    def lacking(self, held: Held) -> list[Digest]:
        """Manifests in proposed lists that are not held."""
        return sorted(frozenset().union(*(lacking(sets, held) for sets in self._lists.values())))

    def said_in(self, views: Iterable[int]) -> list[Signed]:
        """Proposals and votes of some views, as they were signed."""
        said: list[Signed] = []
        for view in views:
            said += [self.proposals[view]] if view in self.proposals else []
            said += [*self.tally.cast(view, PREVOTE).values(), *self.tally.cast(view, PRECOMMIT).values()]
        return said

    def nearly_agreed(self) -> list[Signed]:
        """The proposal of what is valid and the prevotes for it, if they were heard here."""
        if self.valid is None or self.valid[1].view not in self.proposals:
            return []
        sets, prevotes = self.valid
        vote = Vote(self._slot, prevotes.view, PREVOTE, list_digest(sets), prevotes.justified)
        return [self.proposals[prevotes.view], *self.tally.for_(vote).values()]

    def _look_for_valid(self) -> None:
        for vote in self.tally.certified(PREVOTE):
            if vote.sets in self._lists:
                signed = signatures(self.tally.for_(vote), self._threshold)
                self._note_valid(self._lists[vote.sets], PrevoteCertificate(vote.view, vote.justified, signed))

    def _note_valid(self, sets: SetList, prevotes: PrevoteCertificate) -> None:
        if self.valid is None or self.valid[1].view < prevotes.view:
            self.valid = (sets, prevotes)
