"""Certificates: t committee signatures over one statement, transferable to whoever knows the committee."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.errors import RemoteError
from protocols.hashing import tagged
from protocols.rounds.epoch import EpochView
from protocols.types import Digest
from protocols.wire.codec import encode
from protocols.wire.envelope import Signed, body_of, verify
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    MemberSignature,
    PrevoteCertificate,
    SetList,
    Slot,
    Vote,
)


def list_digest(sets: SetList) -> Digest:
    """How votes, aggregates and headers name the list of sets."""
    return tagged("set-list", encode(sets))


def signatures(votes: Mapping[int, Signed], threshold: int) -> tuple[MemberSignature, ...]:
    """The first t signatures by member index: everybody who holds the same votes makes the same certificate."""
    return tuple(MemberSignature(member, votes[member].signature) for member in sorted(votes)[:threshold])


def check_list(certificate: ListCertificate, view: EpochView) -> None:
    """Verifies the t precommits for a list.

    Raises:
        RemoteError: another slot, fewer than t members, or a signature that does not hold.
    """
    sets = certificate.sets
    vote = Vote(sets.slot, certificate.view, PRECOMMIT, list_digest(sets), None)
    _check(body_of(vote), sets.slot, certificate.votes, view)


def check_prevotes(certificate: PrevoteCertificate, sets: SetList, view: EpochView) -> None:
    """Verifies the t prevotes for a list.

    Raises:
        RemoteError: another slot, fewer than t members, or a signature that does not hold.
    """
    vote = Vote(sets.slot, certificate.view, PREVOTE, list_digest(sets), certificate.justified)
    _check(body_of(vote), sets.slot, certificate.votes, view)


def check_header(certificate: HeaderCertificate, view: EpochView) -> None:
    """Verifies the t signatures under a header.

    Raises:
        RemoteError: another slot, fewer than t members, or a signature that does not hold.
    """
    header = certificate.header
    _check(body_of(HeaderVote(header)), header.slot, certificate.votes, view)


def _check(body: bytes, slot: Slot, votes: tuple[MemberSignature, ...], view: EpochView) -> None:
    if slot.height not in view.heights or slot != view.slot(slot.height):
        raise RemoteError("the certificate belongs to another slot")
    members = [vote.member for vote in votes]
    if members != sorted(set(members)) or len(members) < view.params.threshold:
        raise RemoteError(f"a certificate needs {view.params.threshold} different members in order")
    for vote in votes:
        if not 1 <= vote.member <= len(view.committee):
            raise RemoteError(f"member {vote.member} is not in the committee")
        if not verify(body, view.committee[vote.member - 1], vote.signature):
            raise RemoteError(f"the signature of member {vote.member} does not hold")
