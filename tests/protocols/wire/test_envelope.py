from __future__ import annotations

import contextvars
import hashlib

import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import MalformedError, RemoteError
from protocols.types import Digest
from protocols.wire import envelope
from protocols.wire.messages import Header, HeaderVote, Message, Receipt, Vote
from tests.protocols.playbook import CONTRIBUTORS, VIEW

ALICE, BOB = CONTRIBUTORS[:2]
VOTE = Vote(VIEW.slot(3), 0, 1, Digest(bytes(range(32))), None)
SIGNED = ALICE.sign(VOTE)


def test_an_envelope_comes_back_with_its_signer_and_digest() -> None:
    opened = envelope.open_envelope(SIGNED.encoded)
    assert opened == SIGNED
    assert (opened.message, opened.signer) == (VOTE, ALICE.key)
    assert opened.digest == envelope.digest_of(VOTE) == hashlib.sha256(envelope.body_of(VOTE)).digest()


def test_the_signature_covers_a_domain_and_the_body() -> None:
    body = msgpack.packb([8, [[31337, 1, 0, VIEW.committee_root, 3], 0, 1, bytes(range(32)), None]])
    assert envelope.body_of(VOTE) == body
    Ed25519PublicKey.from_public_bytes(ALICE.key).verify(SIGNED.signature, b"2pm/message/1\x00" + body)
    assert SIGNED.encoded == msgpack.packb([body, ALICE.key, SIGNED.signature])


def test_signing_again_gives_the_same_bytes() -> None:
    assert ALICE.sign(VOTE) == SIGNED
    assert BOB.sign(VOTE).digest == SIGNED.digest
    assert BOB.sign(VOTE).signature != SIGNED.signature


@given(st.integers(0, len(SIGNED.encoded) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(position: int, change: int) -> None:
    data = bytearray(SIGNED.encoded)
    data[position] ^= change
    with pytest.raises(RemoteError):
        envelope.open_envelope(bytes(data))


@given(st.integers(0, len(SIGNED.encoded) - 1))
def test_nor_cut_off(length: int) -> None:
    with pytest.raises(MalformedError):
        envelope.open_envelope(SIGNED.encoded[:length])


@given(st.binary(max_size=400))
def test_any_bytes_as_a_body_are_refused_or_canonical(body: bytes) -> None:
    try:
        message = envelope.decode_body(body)
    except MalformedError:
        return
    assert envelope.body_of(message) == body


def test_a_signature_under_another_name_is_refused_and_nobody_blamed() -> None:
    forged = msgpack.packb([envelope.body_of(VOTE), BOB.key, SIGNED.signature])
    with pytest.raises(RemoteError, match="Vote: the signature does not hold") as caught:
        envelope.open_envelope(forged)
    assert caught.value.culprits == frozenset()
    nobody = msgpack.packb([envelope.body_of(VOTE), b"\xff" * 32, SIGNED.signature])
    with pytest.raises(RemoteError, match="does not hold"):
        envelope.open_envelope(nobody)


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        msgpack.packb([99, []]),
        msgpack.packb([True, []]),
        msgpack.packb([8]),
        msgpack.packb([5, [[31337, 1, 0, VIEW.committee_root, 3], bytes(32)]]),
        envelope.body_of(VOTE).replace(b"\x92\x08", b"\x92\xcc\x08"),
    ],
)
def test_a_body_needs_a_known_tag_and_its_fields_in_canonical_form(body: bytes) -> None:
    with pytest.raises(MalformedError):
        envelope.decode_body(body)


def test_the_length_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(MalformedError, match="at most 100 allowed"):
        envelope.open_envelope(SIGNED.encoded, 100)
    with pytest.raises(MalformedError, match="at most 524288"):
        envelope.open_envelope(bytes(2**20))


def test_what_was_accepted_before_is_bounded_and_checked_all_the_same() -> None:
    """Envelopes are remembered, so that a repeated message costs no second verification."""
    envelope.open_envelope(SIGNED.encoded)
    with pytest.raises(MalformedError, match="at most 10 allowed"):
        envelope.open_envelope(SIGNED.encoded, 10)
    with pytest.raises(RemoteError):
        envelope.open_envelope(SIGNED.encoded[:-1] + bytes([SIGNED.encoded[-1] ^ 1]))


def test_statements_of_different_kinds_never_share_a_body() -> None:
    slot, zero = VIEW.slot(3), Digest(bytes(32))
    statements: list[Message] = [
        Vote(slot, 0, 1, zero, None),
        Receipt(slot, zero, 1),
        HeaderVote(Header(slot, zero, zero, zero, zero, (), None)),
    ]
    assert len({envelope.digest_of(message) for message in statements}) == 3


def test_peers_that_share_a_process_do_not_share_their_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    monkeypatch.setattr(envelope, "verify", lambda body, *_: checked.append(body) or True)
    signed = ALICE.sign(Vote(VIEW.slot(3), 0, 1, Digest(b"apart".ljust(32)), None))

    def open_twice() -> None:
        envelope.remember_apart(messages=4)
        assert envelope.open_envelope(signed.encoded) == envelope.open_envelope(signed.encoded) == signed

    for _ in range(2):
        contextvars.copy_context().run(open_twice)
    assert len(checked) == 2
