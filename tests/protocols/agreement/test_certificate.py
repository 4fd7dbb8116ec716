from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.agreement.certificate import check_header, check_list, list_digest, signatures
from protocols.errors import RemoteError
from protocols.types import NO_DIGEST, Digest, Height
from protocols.wire.messages import (
    PRECOMMIT,
    CellResult,
    CellSet,
    Contribution,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    MemberSignature,
    SetList,
    Slot,
    Vote,
)
from tests.protocols.playbook import CELLS, COMMITTEE, ROUND, STRANGER, VIEW, Peer, a_view

SET = CellSet(0, tuple(sorted((Contribution(peer.key, NO_DIGEST) for peer in CELLS[0]), key=lambda c: c.contributor)))
SETS = SetList(VIEW.slot(ROUND), (SET,))
HEADER = Header(
    VIEW.slot(ROUND),
    NO_DIGEST,
    NO_DIGEST,
    list_digest(SETS),
    NO_DIGEST,
    (CellResult(0, 4, NO_DIGEST, NO_DIGEST),),
    None,
)


def votes(sets: SetList, signers: Sequence[tuple[int, Peer]]) -> tuple[MemberSignature, ...]:
    """Signatures over a list, each under a member's number."""
    vote = Vote(sets.slot, 0, PRECOMMIT, list_digest(sets), None)
    return tuple(MemberSignature(member, peer.sign(vote).signature) for member, peer in signers)


def of_members(*members: int) -> list[tuple[int, Peer]]:
    return [(member, COMMITTEE[member - 1]) for member in members]


@pytest.mark.parametrize("members", [(1, 2, 3), (1, 2, 4), (2, 3, 4), (1, 2, 3, 4)])
def test_any_t_members_certify(members: tuple[int, ...]) -> None:
    check_list(ListCertificate(SETS, 0, votes(SETS, of_members(*members))), VIEW)
    signed = {member: COMMITTEE[member - 1].sign(HeaderVote(HEADER)) for member in members}
    check_header(HeaderCertificate(HEADER, signatures(signed, 3)), VIEW)


@pytest.mark.parametrize(
    ("signers", "complaint"),
    [
        (of_members(1, 2), "needs 3 different members in order"),
        (of_members(1, 2, 2), "needs 3 different members in order"),
        (of_members(2, 1, 3), "needs 3 different members in order"),
        ([*of_members(1, 2), (3, COMMITTEE[1])], "signature of member 3 does not hold"),
        ([*of_members(1, 2), (3, STRANGER)], "signature of member 3 does not hold"),
        ([*of_members(1, 2), (5, STRANGER)], "member 5 is not in the committee"),
        ([(0, STRANGER), *of_members(1, 2)], "member 0 is not in the committee"),
        ([*of_members(1, 2, 3), (4, STRANGER)], "signature of member 4 does not hold"),
    ],
    ids=["t-1", "twice", "order", "wrong member", "stranger", "5 of 4", "member 0", "one too many"],
)
def test_nothing_less_certifies(signers: list[tuple[int, Peer]], complaint: str) -> None:
    with pytest.raises(RemoteError, match=complaint):
        check_list(ListCertificate(SETS, 0, votes(SETS, signers)), VIEW)


ELSEWHERE = [
    dataclasses.replace(VIEW.slot(ROUND), chain_id=1),
    dataclasses.replace(VIEW.slot(ROUND), subnet=2),
    dataclasses.replace(VIEW.slot(ROUND), epoch=1),
    dataclasses.replace(VIEW.slot(ROUND), committee_root=NO_DIGEST),
    dataclasses.replace(VIEW.slot(ROUND), height=Height(VIEW.heights[-1] + 1)),
    a_view(epoch=1).slot(ROUND),
]


@pytest.mark.parametrize("slot", ELSEWHERE)
def test_signatures_for_another_slot_certify_nothing_here(slot: Slot) -> None:
    sets = dataclasses.replace(SETS, slot=slot)
    with pytest.raises(RemoteError, match="another slot"):
        check_list(ListCertificate(sets, 0, votes(sets, of_members(1, 2, 3))), VIEW)
    header = dataclasses.replace(HEADER, slot=slot)
    signed = {member: COMMITTEE[member - 1].sign(HeaderVote(header)) for member in (1, 2, 3)}
    with pytest.raises(RemoteError, match="another slot"):
        check_header(HeaderCertificate(header, signatures(signed, 3)), VIEW)


def test_signatures_do_not_move_to_another_list_round_or_header() -> None:
    smaller = dataclasses.replace(SETS, cells=(CellSet(0, SET.contributions[1:]),))
    later = dataclasses.replace(SETS, slot=VIEW.slot(ROUND + 1))
    for other in (smaller, later):
        with pytest.raises(RemoteError, match="signature of member 1 does not hold"):
            check_list(ListCertificate(other, 0, votes(SETS, of_members(1, 2, 3))), VIEW)
    signed = {member: COMMITTEE[member - 1].sign(HeaderVote(HEADER)) for member in (1, 2, 3)}
    forged = dataclasses.replace(HEADER, params_digest=Digest(b"p" * 32))
    with pytest.raises(RemoteError, match="signature of member 1 does not hold"):
        check_header(HeaderCertificate(forged, signatures(signed, 3)), VIEW)


@given(st.permutations([1, 2, 3, 4]))
def test_the_same_votes_make_the_same_certificate_in_whatever_order_they_came(order: list[int]) -> None:
    signed = {member: COMMITTEE[member - 1].sign(HeaderVote(HEADER)) for member in order}
    assert [each.member for each in signatures(signed, 3)] == [1, 2, 3]
