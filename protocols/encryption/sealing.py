"""Encrypting the shares of one dealing, each to one committee member and bound to its context: none moves or is copied.

A dealing has one ephemeral key, with a proof that its dealer knows it: a Schnorr signature over the dealing's context,
which is a proof of knowledge bound to it. One scalar serves the proof (Ed25519) and the sealing (X25519), which is safe
together (Degabriele, Lehmann, Paterson, Smart, Strefler, CT-RSA 2012, section 4: Schnorr beside ECIES).

Beside the exchange each share encapsulates a secret by ML-KEM-768 (FIPS 203): recorded today, it stays closed as long
as one of the two holds. From both, and all that they travelled by, the two parties derive an *opening*, 32 bytes that
belong to this share and context alone, and from it the key of the cipher and a commitment to it. So a sealed share
opens in one way only, whoever made it; and who shows an opening shows this one share to everybody, provably, and
nothing else. Wire form: encapsulation (1,088 bytes), commitment (32), ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.encryption import mlkem
from protocols.errors import LocalError, MalformedError
from protocols.types import Secret

KEY_BYTES: Final = 32
OPENING_BYTES: Final = 32
OVERHEAD_BYTES: Final = mlkem.CIPHERTEXT_BYTES + 32 + 16
"""What sealing adds to a plaintext."""

_EPOCH_KEY, _EPHEMERAL = b"2pm/seal/v2/epoch key", b"2pm/seal/v2/ephemeral key"
_PROOF, _ENCAPSULATION = b"2pm/seal/v2/proof\0", b"2pm/seal/v2/encapsulation"
_OPENING, _SHARE = b"2pm/seal/v2/opening", b"2pm/seal/v2/share"
_NONCE: Final = bytes(12)  # each key seals once: it depends on ephemeral key, recipient and context
_CURVE: Final = 2**255 - 19


def _derive(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


def _private_key(seed: Secret, info: bytes, length: int) -> bytes:
    if len(seed.reveal()) != KEY_BYTES:
        raise LocalError(f"a key seed has {KEY_BYTES} bytes, not {len(seed.reveal())}")
    return _derive(seed.reveal(), info, length)


class EpochKeyPair:
    """A committee member's key of one epoch, to which shares are sealed. Secret: shows nothing, cannot be pickled.

    Attributes:
        public: ML-KEM-768 (1,184 bytes), then X25519 (32).
    """

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        """Of the 64-byte seed of the one key and the private bytes of the other."""
        lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64])
        curve = X25519PrivateKey.from_private_bytes(private[64:])
        self._private: tuple[MLKEM768PrivateKey, X25519PrivateKey] | None = lattice, curve
        self.public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, seed: Secret) -> EpochKeyPair:
        """The key pair of a 32-byte random seed.

        Raises:
            LocalError: the seed has another length.
        """
        return cls(_private_key(seed, _EPOCH_KEY, 64 + KEY_BYTES))

    @property
    def erased(self) -> bool:
        """Whether it opens nothing any more."""
        return self._private is None

    def shared_secrets(self, encapsulation: bytes, public: bytes) -> bytes:
        """The secret in an encapsulation, and the one with an X25519 public key: 32 bytes each.

        Junk of the right length gives an unpredictable secret.

        Raises:
            LocalError: the key is erased.
            MalformedError: no encapsulation by its length, or the other key is not a usable point.
        """
        if self._private is None:
            raise LocalError("this epoch's share key is erased; its sealed shares cannot be opened any more")
        if len(encapsulation) != mlkem.CIPHERTEXT_BYTES:
            raise MalformedError(f"an encapsulation has {mlkem.CIPHERTEXT_BYTES} bytes, not {len(encapsulation)}")
        lattice, curve = self._private
        return lattice.decapsulate(encapsulation) + _exchange(curve, public)

    def erase(self) -> None:
        """Lets go of the private key; OpenSSL overwrites it. Copies of the seed may live until memory is reused."""
        self._private = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(public={self.public.hex()[:8]}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is secret and cannot be serialised")


class DealingKey:
    """A dealer's key for one dealing, made from 32 random bytes that serve this dealing only.

    Attributes:
        public: as an Ed25519 point.
        exchange: the same in X25519 form (`exchange_key`).

    Raises:
        LocalError: the seed has another length.
    """

    __slots__ = ("_curve", "_randomness", "_signing", "exchange", "public")

    def __init__(self, seed: Secret) -> None:
        private = _private_key(seed, _EPHEMERAL, KEY_BYTES)
        self._signing = Ed25519PrivateKey.from_private_bytes(private)
        scalar = hashlib.sha512(private).digest()[:KEY_BYTES]  # what Ed25519 makes of it (RFC 8032, section 5.1.5)
        self._curve = X25519PrivateKey.from_private_bytes(scalar)
        self._randomness = _private_key(seed, _ENCAPSULATION, KEY_BYTES)
        self.public = self._signing.public_key().public_bytes_raw()
        self.exchange = exchange_key(self.public)

    def prove(self, context: bytes) -> bytes:
        """64 bytes: who made them knows this key, and made them for this context."""
        return self._signing.sign(_PROOF + context)

    def encapsulate(self, recipient: bytes, context: bytes) -> tuple[bytes, bytes]:
        """The two secrets that the recipient will share, and the encapsulation of the first. Always the same.

        Raises:
            MalformedError: the member's key is not a usable one.
        """
        lattice, curve = recipient[: mlkem.PUBLIC_BYTES], recipient[mlkem.PUBLIC_BYTES :]
        exchanged = _exchange(self._curve, curve)
        randomness = _derive(self._randomness, _ENCAPSULATION + _hashes(recipient, context), KEY_BYTES)
        secret, encapsulation = mlkem.encapsulate(lattice, randomness)
        return secret + exchanged, encapsulation


def check_proof(public: bytes, proof: bytes, context: bytes) -> None:
    """Raises MalformedError unless the proof shows that its maker knows the dealing's key, for this very context."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(proof, _PROOF + context)
    except (InvalidSignature, ValueError) as error:
        raise MalformedError("the dealing's key comes without a proof that its dealer knows it") from error


def exchange_key(public: bytes) -> bytes:
    """The X25519 form of a dealing's key: u = (1 + y) / (1 - y) (RFC 7748, section 4.1), the same for -P.

    Raises:
        MalformedError: not 32 bytes, or the neutral point.
    """
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    if len(public) != KEY_BYTES or (1 - y) % _CURVE == 0:
        raise MalformedError("a dealing's key is not a usable point")
    return ((1 + y) * pow(1 - y, -1, _CURVE) % _CURVE).to_bytes(KEY_BYTES, "little")


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise MalformedError("a share-encryption key is not a usable X25519 public key") from error


def is_usable(public: bytes) -> bool:
    """Whether shares can be sealed to a member's key: no curve point that gives everybody the same secret."""
    try:
        MLKEM768PublicKey.from_public_bytes(public[: mlkem.PUBLIC_BYTES])
        any_key = X25519PrivateKey.from_private_bytes(bytes(KEY_BYTES))  # shows a point of small order
        _exchange(any_key, public[mlkem.PUBLIC_BYTES :])
    except (MalformedError, ValueError):
        return False
    return True


def _hashes(*parts: bytes) -> bytes:
    return b"".join(hashlib.sha256(part).digest() for part in parts)


def _opening(secrets: bytes, ephemeral: bytes, encapsulation: bytes, recipient: bytes, context: bytes) -> bytes:
    """Depends on all public keys, the encapsulation and the context: shown, it tells of no other share."""
    return _derive(secrets, _OPENING + ephemeral + _hashes(encapsulation, recipient, context), OPENING_BYTES)


def _keys(opening: bytes, context: bytes) -> tuple[bytes, bytes]:
    """The cipher's key and the commitment to it."""
    derived = _derive(opening, _SHARE + _hashes(context), 2 * KEY_BYTES)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    """Encapsulation, commitment, ciphertext with tag."""
    start, end = mlkem.CIPHERTEXT_BYTES, mlkem.CIPHERTEXT_BYTES + KEY_BYTES
    return sealed[:start], sealed[start:end], sealed[end:]


def seal(dealing: DealingKey, recipient: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Encrypts to the recipient; it opens only under the very same context.

    The same arguments give the same bytes. One key seals one plaintext only to each recipient and context.

    Args:
        recipient: a member's public key that `is_usable`.

    Raises:
        MalformedError: the recipient's key is not a usable point.
    """
    secrets, encapsulation = dealing.encapsulate(recipient, context)
    key, commitment = _keys(_opening(secrets, dealing.exchange, encapsulation, recipient, context), context)
    return encapsulation + commitment + ChaCha20Poly1305(key).encrypt(_NONCE, plaintext, context)


def find_opening(pair: EpochKeyPair, dealing: bytes, sealed: bytes, context: bytes) -> bytes:
    """The opening of what was sealed to this pair by the dealing with this public key, under this context.

    Whoever sealed it computed this opening too: so to show it is never to decrypt for somebody who could not.

    Raises:
        MalformedError: sealed to another key, under another context, or damaged.
        LocalError: the key is erased.
    """
    ephemeral, encapsulation = exchange_key(dealing), _split(sealed)[0]
    secrets = pair.shared_secrets(encapsulation, ephemeral)
    opening = _opening(secrets, ephemeral, encapsulation, pair.public, context)
    if not fits(opening, sealed, context):
        raise MalformedError("a sealed share is for another member or another context, or is damaged")
    return opening


def fits(opening: bytes, sealed: bytes, context: bytes) -> bool:
    """Whether this is the one opening of these bytes."""
    return len(sealed) >= OVERHEAD_BYTES and hmac.compare_digest(_keys(opening, context)[1], _split(sealed)[1])


def unseal(opening: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plaintext, given the opening that fits: the same for everybody.

    Raises:
        MalformedError: what was sealed is no ciphertext under its own key.
    """
    try:
        return ChaCha20Poly1305(_keys(opening, context)[0]).decrypt(_NONCE, _split(sealed)[2], context)
    except InvalidTag as error:
        raise MalformedError("a sealed share is damaged") from error
