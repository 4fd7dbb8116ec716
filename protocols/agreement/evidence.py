"""Evidence: two messages that no honest peer signs both, and that anybody can judge by the signatures alone.

The votes carry what is needed for that: a prevote names the view that justifies it, so a member that left its lock
behind has said so itself. (BFT Protocol Forensics, arXiv 2010.06785, section 5: with the lock's view inside the vote
two members' transcripts name f + 1 culprits of any fork.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from protocols.agreement.certificate import list_digest
from protocols.effects import Blame, Effects, Journal
from protocols.errors import MalformedError
from protocols.rounds.epoch import EpochView
from protocols.types import Height, PeerKey
from protocols.wire import codec
from protocols.wire.envelope import Signed, open_envelope, reassemble
from protocols.wire.messages import (
    ENVELOPE_MAX_BYTES,
    PRECOMMIT,
    PREVOTE,
    Aggregate,
    HeaderVote,
    ListCertificate,
    Manifest,
    MemberSignature,
    Proposal,
    Release,
    Vote,
    slot_of,
)

KIND: Final = "evidence"
EVIDENCE_MAX_BYTES: Final = 2 * ENVELOPE_MAX_BYTES + 1024
_Envelope = Annotated[bytes, codec.Size(1, ENVELOPE_MAX_BYTES + 256)]


@dataclass(frozen=True, slots=True)
class _Pair:
    first: _Envelope
    second: _Envelope


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two conflicting messages of one signer.

    Attributes:
        reason: what the signer did, for people.
    """

    first: Signed
    second: Signed
    reason: str

    @property
    def culprit(self) -> PeerKey:
        """Who signed both."""
        return self.first.signer

    def encode(self) -> bytes:
        """Canonical bytes, the same whichever message was seen first."""
        first, second = sorted((self.first.encoded, self.second.encoded))
        return codec.encode(_Pair(first, second))


def accusation(height: Height, evidence: Evidence) -> Effects:
    """Evidence that stays, and the culprit's name."""
    return [Journal(KIND, height, evidence.culprit, evidence.encode()), Blame(evidence.culprit, evidence.reason)]


def evidence_of(first: Signed, second: Signed) -> Evidence | None:
    """The fault that two signed messages prove, if they do."""
    if first.signer != second.signer or first.digest == second.digest:
        return None
    reason = _doubled(first, second) or _lock_broken(first, second) or _lock_broken(second, first)
    return Evidence(first, second, reason) if reason is not None else None


def decode_evidence(data: bytes) -> Evidence:
    """Evidence from outside, with its signatures verified. Whether the culprit had an office in that slot is to be
    looked up where it matters: `committee_root` in the messages names the committee.

    Raises:
        MalformedError: not two canonical signed messages, or they prove nothing.
        RemoteError: a signature does not hold.
    """
    pair = codec.decode(data, _Pair, EVIDENCE_MAX_BYTES)
    evidence = evidence_of(open_envelope(pair.first), open_envelope(pair.second))
    if evidence is None or evidence.encode() != data:
        raise MalformedError("these two messages prove no fault")
    return evidence


def double_votes(first: ListCertificate, second: ListCertificate, view: EpochView) -> list[Evidence]:
    """Against every member that signed two certificates for different lists in one view; both are verified."""
    votes = [{vote.member: _precommit(each, vote, view) for vote in each.votes} for each in (first, second)]
    both = sorted(votes[0].keys() & votes[1].keys())
    found = (evidence_of(votes[0][member], votes[1][member]) for member in both)
    return [evidence for evidence in found if evidence is not None]


def _precommit(certificate: ListCertificate, vote: MemberSignature, view: EpochView) -> Signed:
    sets = certificate.sets
    message = Vote(sets.slot, certificate.view, PRECOMMIT, list_digest(sets), None)
    return reassemble(message, view.committee[vote.member - 1], vote.signature)


def _doubled(first: Signed, second: Signed) -> str | None:
    """Two different messages where a peer signs one."""
    if slot_of(first.message) != slot_of(second.message):
        return None
    match first.message, second.message:
        case Vote(view=one, phase=phase), Vote(view=other, phase=same) if (one, phase) == (other, same):
            return f"votes twice in view {one}, phase {phase}"
        case Proposal(view=one), Proposal(view=other) if one == other:
            return f"proposes twice in view {one}"
        case Release(cell=cell, cell_set=one_set), Release(cell=same_cell, cell_set=other_set) if (
            cell == same_cell and one_set != other_set
        ):
            return f"released cell {cell} for two sets"
        case HeaderVote(), HeaderVote():
            return "signs two headers for one height"
        case Aggregate(cell=one), Aggregate(cell=other) if one == other:
            return f"announced two sums of cell {one}"
        case Manifest(), Manifest():
            return "two manifests for one slot"
    return None


def _lock_broken(first: Signed, second: Signed) -> str | None:
    """A precommit for a list, then a prevote for another that no later prevotes justify."""
    lock, vote = first.message, second.message
    if not isinstance(lock, Vote) or not isinstance(vote, Vote) or lock.slot != vote.slot:
        return None
    if (lock.phase, vote.phase) != (PRECOMMIT, PREVOTE) or lock.sets is None or vote.sets is None:
        return None
    justified = vote.justified is not None and vote.justified >= lock.view
    if vote.view <= lock.view or vote.sets == lock.sets or justified:
        return None
    return f"was locked in view {lock.view} and prevotes another list in view {vote.view}"
