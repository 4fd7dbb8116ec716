"""Signed messages: msgpack [body, signer, signature], body = msgpack [tag, fields], Ed25519 over domain and body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.errors import MalformedError, RemoteError
from protocols.types import Digest, PeerKey, Secret
from protocols.wire import codec
from protocols.wire.messages import ENVELOPE_MAX_BYTES, TAGS, Message

CACHED_MAX_BYTES: Final = 32_768
REMEMBERED: Final = 512
DOMAIN: Final = b"2pm/message/1\x00"
_TAG_OF: Final = {kind: tag for tag, kind in TAGS.items()}


@dataclass(frozen=True, slots=True)
class Signed:
    """A message with the signature that makes its signer answerable for it.

    Attributes:
        encoded: the envelope as it travels.
        digest: SHA-256 of the body; how others refer to this message (it does not depend on the signature's bytes).
    """

    message: Message
    signer: PeerKey
    signature: bytes = field(repr=False)
    encoded: bytes = field(repr=False)
    digest: Digest


Signer = Callable[[Message], Signed]
"""Signs with this node's peer key. Deterministic (Ed25519), so a machine may call it."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    body: Annotated[bytes, codec.Size(1, ENVELOPE_MAX_BYTES)]
    signer: PeerKey
    signature: codec.Bytes64


def body_of(message: Message) -> bytes:
    """The bytes that are signed (behind the domain) and digested."""
    return codec.encode((_TAG_OF[type(message)], message))


def digest_of(message: Message) -> Digest:
    """How a message is named by others: SHA-256 of its body."""
    return Digest(hashlib.sha256(body_of(message)).digest())


def signer(secret: Secret) -> tuple[PeerKey, Signer]:
    """The public key of a 32-byte Ed25519 seed, and the function that signs with it."""
    private = Ed25519PrivateKey.from_private_bytes(secret.reveal())
    public = PeerKey(private.public_key().public_bytes_raw())

    def sign(message: Message) -> Signed:
        body = body_of(message)
        return _signed(message, body, public, private.sign(DOMAIN + body))

    return public, sign


def open_envelope(data: bytes, max_bytes: int = ENVELOPE_MAX_BYTES) -> Signed:
    """Decodes and verifies an envelope from outside.

    Raises:
        MalformedError: not a canonical envelope of a known message.
        RemoteError: the signature does not hold (nobody is to blame: anyone can write a name).
    """
    if len(data) > max_bytes:
        raise MalformedError(f"message of {len(data)} bytes, at most {max_bytes} allowed")
    return _opened.get()(data) if len(data) <= CACHED_MAX_BYTES else _open(data)


def _open(data: bytes) -> Signed:
    envelope = codec.decode(data, _Envelope, ENVELOPE_MAX_BYTES + 256)
    message = decode_body(envelope.body)
    if not verify(envelope.body, envelope.signer, envelope.signature):
        raise RemoteError(f"{type(message).__name__}: the signature does not hold")
    return _signed(message, envelope.body, envelope.signer, envelope.signature)


_opened_here = lru_cache(maxsize=REMEMBERED)(_open)
_opened = ContextVar("opened", default=_opened_here)
"""A message comes several times (gossip's check and delivery, a manifest for each machine): one check serves them."""


def remember_apart(messages: int) -> None:
    """The calling task, and those it starts, from now on remember so many opened messages of their own.

    Peers that share a process must not share their checks: else what a peer costs is less than it costs.
    """
    _opened.set(lru_cache(maxsize=messages)(_open))


def decode_body(body: bytes) -> Message:
    """The message in a body.

    Raises:
        MalformedError: unknown tag or a field out of bounds.
    """
    plain = codec.unpack(body, ENVELOPE_MAX_BYTES)
    if type(plain) is not list or len(plain) != 2 or type(plain[0]) is not int or plain[0] not in TAGS:
        raise MalformedError("a body needs a known tag and a message")
    message: Message = codec.build(plain[1], TAGS[plain[0]])
    if body_of(message) != body:
        raise MalformedError(f"{type(message).__name__}: not in canonical encoding")
    return message


def verify(body: bytes, signer_key: PeerKey, signature: bytes) -> bool:
    """Whether the Ed25519 signature over the domain and the body holds."""
    try:
        Ed25519PublicKey.from_public_bytes(signer_key).verify(signature, DOMAIN + body)
    except (InvalidSignature, ValueError):
        return False
    return True


def reassemble(message: Message, by: PeerKey, signature: bytes) -> Signed:
    """The signed message that a certificate's signature was taken from; the signature is not checked again."""
    return _signed(message, body_of(message), by, signature)


def _signed(message: Message, body: bytes, by: PeerKey, signature: bytes) -> Signed:
    encoded = codec.encode(_Envelope(body, by, signature))
    return Signed(message, by, signature, encoded, Digest(hashlib.sha256(body).digest()))
