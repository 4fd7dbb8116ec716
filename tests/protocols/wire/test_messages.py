from __future__ import annotations

import msgpack
import pytest

from protocols.errors import MalformedError
from protocols.types import NO_DIGEST, Digest
from protocols.wire import messages
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import body_of, decode_body
from tests.protocols.playbook import CELLS, VIEW, submit

SLOT = VIEW.slot(2)
MANIFEST = submit(CELLS[0][0]).signed
CELL_SET = messages.CellSet(0, (messages.Contribution(CELLS[0][0].key, MANIFEST.digest),))
SETS = messages.SetList(SLOT, (CELL_SET,))
SIGNATURES = (messages.MemberSignature(1, bytes(64)),)
RESULT = messages.CellResult(0, 3, NO_DIGEST, NO_DIGEST)
HEADER = messages.Header(SLOT, NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, (RESULT,), None)
DEALING = messages.Dealing(bytes(32), bytes(64), bytes(512))
EVERY: list[messages.Message] = [
    messages.AddressRecord(7, ("/ip4/127.0.0.1/tcp/4001",)),
    messages.EpochKey(31337, 1, 0, VIEW.committee_root, 1, bytes(messages.EPOCH_KEY_BYTES)),
    MANIFEST.message,
    messages.Submission(SLOT, MANIFEST.encoded, b"sealed"),
    messages.Receipt(SLOT, MANIFEST.digest, 1),
    messages.Availability(SLOT, 0, (MANIFEST.digest,)),
    messages.Proposal(0, SETS, None),
    messages.Vote(SLOT, 0, 1, NO_DIGEST, None),
    messages.ListCertificate(SETS, 0, SIGNATURES),
    messages.Aggregate(SLOT, 0, NO_DIGEST, (0,), (NO_DIGEST,)),
    messages.Release(SLOT, 0, NO_DIGEST, b"share"),
    messages.HeaderVote(HEADER),
    messages.HeaderCertificate(HEADER, SIGNATURES),
    messages.Status(SLOT, 3, (NO_DIGEST,)),
    messages.Dispute(SLOT, MANIFEST.encoded, b"sealed", bytes(32)),
]


def test_the_table_of_tags_is_complete() -> None:
    assert [type(message) for message in EVERY] == [messages.TAGS[tag] for tag in range(1, len(messages.TAGS) + 1)]


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_every_message_comes_back(message: messages.Message) -> None:
    assert decode_body(body_of(message)) == message


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_every_message_but_two_knows_its_slot(message: messages.Message) -> None:
    of_no_round = isinstance(message, messages.AddressRecord | messages.EpochKey)
    assert messages.slot_of(message) == (None if of_no_round else SLOT)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (messages.Availability(SLOT, 0, (NO_DIGEST,) * 17), "Availability.manifests: length 17"),
        (messages.Submission(SLOT, b"m", bytes(16_385)), "Submission.sealed: length 16385"),
        (messages.Submission(SLOT, b"", b""), "Submission.manifest: length 0"),
        (messages.Aggregate(SLOT, 0, NO_DIGEST, (0,), ()), "Aggregate.chunk_roots: length 0"),
        (messages.Aggregate(SLOT, 0, NO_DIGEST, (0,), (NO_DIGEST,) * 4097), "Aggregate.chunk_roots: length 4097"),
        (messages.Release(SLOT, 2**16, NO_DIGEST, b""), "Release.cell: 65536"),
        (messages.Vote(SLOT, 0, 1, Digest(bytes(20)), None), "Vote.sets: length 20"),
        (messages.SetList(SLOT, ()), "SetList.cells: length 0"),
        (messages.SetList(SLOT, (messages.CellSet(0, ()),)), r"SetList.cells\[0\].contributions: length 0"),
        (messages.ListCertificate(SETS, 0, ()), "ListCertificate.votes: length 0"),
        (messages.AddressRecord(0, ("",)), r"AddressRecord.addresses\[0\]: length 0"),
        (messages.AddressRecord(0, ("x" * 257,)), r"AddressRecord.addresses\[0\]: length 257"),
    ],
)
def test_the_bounds_hold(message: object, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        decode(encode(message), type(message), messages.ENVELOPE_MAX_BYTES)


def test_the_largest_messages_fit_their_envelopes() -> None:
    """A whole model of 4,096 ciphertexts, 16 members; and a list of all cells that may be."""
    manifest = messages.Manifest(SLOT, 0, NO_DIGEST, (NO_DIGEST,) * 4096, (NO_DIGEST,) * 16, DEALING)
    assert len(msgpack.packb(body_of(manifest))) + 256 < messages.ENVELOPE_MAX_BYTES // 2
    aggregate = messages.Aggregate(SLOT, 0, NO_DIGEST, (0,), (NO_DIGEST,) * 1900)
    assert len(body_of(aggregate)) + 256 < messages.GOSSIP_MAX_BYTES
