"""Encrypting one share to one committee member, bound to its context, so that nobody can move or copy it.

X25519 with an ephemeral key (one a dealing), HKDF-SHA256, ChaCha20-Poly1305. HKDF also gives a commitment to the key,
so that a sealed share opens to one plaintext only, whoever made it. Wire form: ephemeral public key (32 bytes),
commitment (32), ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.errors import LocalError, MalformedError
from protocols.types import Secret

KEY_BYTES: Final = 32
OVERHEAD_BYTES: Final = 32 + 32 + 16
"""What sealing adds to a plaintext."""

_EPOCH_KEY, _EPHEMERAL, _SEAL = b"2pm/seal/v1/epoch key", b"2pm/seal/v1/ephemeral key", b"2pm/seal/v1/share"
_NONCE: Final = bytes(12)  # each key seals once: it depends on ephemeral key, recipient and context


def _derive(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


def _private_key(seed: Secret, info: bytes) -> bytes:
    if len(seed.reveal()) != KEY_BYTES:
        raise LocalError(f"a key seed has {KEY_BYTES} bytes, not {len(seed.reveal())}")
    return _derive(seed.reveal(), info, KEY_BYTES)


class EpochKeyPair:
    """A committee member's key of one epoch, to which shares are sealed. Secret: shows nothing, cannot be pickled."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        self._private = bytearray(private)
        self.public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()

    @classmethod
    def generate(cls, seed: Secret) -> EpochKeyPair:
        """The key pair of a 32-byte random seed.

        Raises:
            LocalError: the seed has another length.
        """
        return cls(_private_key(seed, _EPOCH_KEY))

    def shared_secret(self, public: bytes) -> bytes:
        """The Diffie-Hellman secret with another public key.

        Raises:
            LocalError: the key is erased.
            MalformedError: the other key is not a usable point.
        """
        if not self._private:
            raise LocalError("this epoch's share key is erased; its sealed shares cannot be opened any more")
        return _exchange(bytes(self._private), public)

    def erase(self) -> None:
        """Overwrites the private key; copies made inside the interpreter may live until their memory is reused."""
        self._private[:] = bytes(len(self._private))
        self._private.clear()

    def __repr__(self) -> str:
        return f"EpochKeyPair(public={self.public.hex()[:8]}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("EpochKeyPair is secret and cannot be serialised")


def _exchange(private: bytes, public: bytes) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise MalformedError("a share-encryption key is not a usable X25519 public key") from error


def is_usable(public: bytes) -> bool:
    """Whether shares can be sealed to this key: not a point that gives everybody the same secret."""
    try:
        _exchange(bytes(KEY_BYTES), public)  # any private key shows a point of small order
    except MalformedError:
        return False
    return True


def _keys(shared: bytes, ephemeral: bytes, recipient: bytes, context: bytes) -> tuple[bytes, bytes]:
    """The sealing key and the commitment to it; both depend on both public keys and the context."""
    derived = _derive(shared, _SEAL + ephemeral + recipient + hashlib.sha256(context).digest(), 2 * KEY_BYTES)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def seal(ephemeral_seed: Secret, recipient_public: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Encrypts to the recipient; it opens only under the very same context.

    The same arguments give the same bytes. One seed seals one plaintext only to each recipient and context.

    Raises:
        LocalError: the seed is not 32 bytes.
        MalformedError: the recipient's key is not a usable point.
    """
    private = _private_key(ephemeral_seed, _EPHEMERAL)
    ephemeral = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    key, commitment = _keys(_exchange(private, recipient_public), ephemeral, recipient_public, context)
    return ephemeral + commitment + ChaCha20Poly1305(key).encrypt(_NONCE, plaintext, context)


def unseal(key: EpochKeyPair, sealed: bytes, context: bytes) -> bytes:
    """The plaintext that was sealed to this key under this context.

    Raises:
        MalformedError: sealed to another key, under another context, or damaged.
        LocalError: the key is erased.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise MalformedError(f"a sealed share has at least {OVERHEAD_BYTES} bytes, not {len(sealed)}")
    ephemeral, commitment, ciphertext = sealed[:32], sealed[32:64], sealed[64:]
    opening, expected = _keys(key.shared_secret(ephemeral), ephemeral, key.public, context)
    if not hmac.compare_digest(commitment, expected):
        raise MalformedError("a sealed share is for another member or another context, or is damaged")
    try:
        return ChaCha20Poly1305(opening).decrypt(_NONCE, ciphertext, context)
    except InvalidTag as error:
        raise MalformedError("a sealed share is damaged") from error
