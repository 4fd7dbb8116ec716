from __future__ import annotations

import dataclasses

import pytest

from protocols.agreement.evidence import decode_evidence, evidence_of
from protocols.errors import MalformedError, RemoteError
from protocols.types import NO_DIGEST, Digest
from protocols.wire.codec import encode
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellResult,
    CellSet,
    Contribution,
    Header,
    HeaderVote,
    Manifest,
    Message,
    Proposal,
    Receipt,
    Release,
    SetList,
    Status,
    Vote,
)
from tests.protocols.playbook import CELLS, COMMITTEE, ROUND, STRANGER, VIEW

SLOT = VIEW.slot(ROUND)
ONE, OTHER = Digest(b"one list".ljust(32)), Digest(b"another".ljust(32))
LISTS = [SetList(SLOT, (CellSet(0, (Contribution(CELLS[0][0].key, each),)),)) for each in (ONE, OTHER)]
HEADER = Header(SLOT, NO_DIGEST, ONE, ONE, ONE, (CellResult(0, 3, ONE, ONE),), None)
MANIFEST = Manifest(SLOT, 0, NO_DIGEST, (ONE,), (), None)


def prevote(sets: Digest | None, view: int, justified: int | None = None) -> Vote:
    return Vote(SLOT, view, PREVOTE, sets, justified)


def precommit(sets: Digest | None, view: int) -> Vote:
    return Vote(SLOT, view, PRECOMMIT, sets, None)


GUILTY: list[tuple[Message, Message]] = [
    (prevote(ONE, 0), prevote(OTHER, 0)),
    (prevote(ONE, 4), prevote(None, 4)),
    (prevote(ONE, 4, 2), prevote(ONE, 4)),
    (precommit(ONE, 1), precommit(None, 1)),
    (precommit(ONE, 1), prevote(OTHER, 2)),
    (precommit(ONE, 1), prevote(OTHER, 7)),
    (precommit(ONE, 1), prevote(OTHER, 7, 0)),
    (Proposal(0, LISTS[0], None), Proposal(0, LISTS[1], None)),
    (Release(SLOT, 0, ONE, b""), Release(SLOT, 0, OTHER, b"")),
    (HeaderVote(HEADER), HeaderVote(dataclasses.replace(HEADER, params_digest=OTHER))),
    (MANIFEST, dataclasses.replace(MANIFEST, chunk_roots=(OTHER,))),
]
INNOCENT: list[tuple[Message, Message]] = [
    (prevote(ONE, 0), prevote(ONE, 0)),
    (prevote(ONE, 0), prevote(OTHER, 1)),
    (prevote(ONE, 0), precommit(None, 0)),
    (precommit(ONE, 1), prevote(ONE, 2)),
    (precommit(ONE, 1), prevote(None, 2)),
    (precommit(ONE, 1), prevote(OTHER, 1)),  # it was outvoted in this view
    (precommit(ONE, 1), prevote(OTHER, 0)),
    (precommit(ONE, 1), prevote(OTHER, 3, 1)),
    (precommit(ONE, 1), prevote(OTHER, 3, 2)),
    (precommit(ONE, 1), precommit(OTHER, 2)),  # its prevote in between says why
    (precommit(None, 1), prevote(OTHER, 2)),
    (prevote(ONE, 0), dataclasses.replace(prevote(OTHER, 0), slot=VIEW.slot(ROUND + 1))),
    (Proposal(0, LISTS[0], None), Proposal(1, LISTS[1], None)),
    (Release(SLOT, 0, ONE, b"share"), Release(SLOT, 0, ONE, b"other share")),
    (Release(SLOT, 0, ONE, b""), Release(SLOT, 1, OTHER, b"")),
    (HeaderVote(HEADER), HeaderVote(dataclasses.replace(HEADER, slot=VIEW.slot(ROUND + 1)))),
    (Status(SLOT, 0, ()), Status(SLOT, 1, ())),
    (Receipt(SLOT, ONE, 1), Receipt(SLOT, OTHER, 1)),
]


@pytest.mark.parametrize(("first", "second"), GUILTY)
def test_two_such_messages_convict_their_signer_before_anybody(first: Message, second: Message) -> None:
    one, other = COMMITTEE[0].sign(first), COMMITTEE[0].sign(second)
    for evidence in (evidence_of(one, other), evidence_of(other, one)):
        assert evidence is not None
        again = decode_evidence(evidence.encode())
        assert again.culprit == COMMITTEE[0].key
        assert again.reason == evidence.reason
    assert evidence_of(one, COMMITTEE[1].sign(second)) is None, "two signers are no fault"


@pytest.mark.parametrize(("first", "second"), INNOCENT)
def test_such_messages_do_not(first: Message, second: Message) -> None:
    one, other = COMMITTEE[0].sign(first), COMMITTEE[0].sign(second)
    assert evidence_of(one, other) is None
    assert evidence_of(other, one) is None


def pair(first: bytes, second: bytes) -> bytes:
    """As `Evidence.encode` writes it, whatever it holds."""
    made = evidence_of(COMMITTEE[0].sign(prevote(ONE, 0)), COMMITTEE[0].sign(prevote(None, 0)))
    assert made is not None
    head = made.encode()[:1]
    return head + b"".join(encode((blob,))[1:] for blob in (first, second))


def test_evidence_cannot_be_made_up() -> None:
    one, other = (COMMITTEE[0].sign(prevote(sets, 0)) for sets in (ONE, OTHER))
    first, second = sorted((one.encoded, other.encoded))
    assert decode_evidence(pair(first, second)).culprit == COMMITTEE[0].key
    foreign = STRANGER.sign(prevote(OTHER, 0)).encoded
    forged = foreign.replace(STRANGER.key, COMMITTEE[0].key)
    for wrong in (pair(second, first), pair(first, first), pair(*sorted((first, foreign))), b"", b"junk"):
        with pytest.raises(MalformedError):
            decode_evidence(wrong)
    with pytest.raises(RemoteError, match="does not hold"):
        decode_evidence(pair(*sorted((one.encoded, forged))))
