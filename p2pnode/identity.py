"""Who a node is: its libp2p key and its operator's key, on disk only under a passphrase.

The operator key is an Ethereum keystore. The peer key's 32-byte Ed25519 seed is sealed by ChaCha20-Poly1305 under a key
that scrypt (RFC 7914) makes of the passphrase; the public key beside it is authenticated with it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from p2pnode.chain.keystore import SCRYPT_N, open_operator_key, operator_address, seal_operator_key
from p2pnode.files import explained, make_folder, write_durably
from protocols.errors import LocalError
from protocols.types import Address, PeerKey, Secret

_SCRYPT_N_MAX: Final = 2**20
_NONCE: Final = bytes(12)
"""Constant, since each sealing has a fresh salt and hence a key of its own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's two secret keys.

    Attributes:
        peer_seed: the 32-byte Ed25519 seed of the libp2p identity.
        operator_key: the 32-byte secp256k1 private key of the operator's account.
    """

    peer_seed: Secret
    operator_key: Secret

    @property
    def peer(self) -> PeerKey:
        """The peer's public key."""
        return peer_key(self.peer_seed)

    @property
    def operator(self) -> Address:
        """The operator's account."""
        return operator_address(self.operator_key)


def peer_key(seed: Secret) -> PeerKey:
    """The Ed25519 public key of a 32-byte seed."""
    return PeerKey(Ed25519PrivateKey.from_private_bytes(seed.reveal()).public_key().public_bytes_raw())


def new_identity() -> Identity:
    """Fresh keys from the operating system's randomness."""
    # All 32-byte strings are Ed25519 seeds, and all but one in 2^127 are keys of secp256k1.
    return Identity(Secret(secrets.token_bytes(32)), Secret(secrets.token_bytes(32)))


def keys_folder(folder: Path) -> Path:
    """Where a node's keys are: what an operator must back up."""
    return folder / "keys"


def save_identity(folder: Path, identity: Identity, passphrase: Secret, *, scrypt_n: int = SCRYPT_N) -> None:
    """Writes both keys, encrypted, mode 0600, never over others.

    Raises:
        LocalError: keys are there already, or the disk refuses.
    """
    keys = keys_folder(folder)
    peer_file, operator_file = _files(folder)
    if peer_file.exists() or operator_file.exists():
        raise LocalError(
            f"{keys} holds the keys of a node already, and keys are never overwritten: choose another folder"
        )
    make_folder(keys)
    write_durably(operator_file, seal_operator_key(identity.operator_key, passphrase, scrypt_n=scrypt_n), replace=False)
    write_durably(peer_file, seal_seed(identity.peer_seed, passphrase, scrypt_n=scrypt_n), replace=False)


def load_identity(folder: Path, passphrase: Secret) -> Identity:
    """The keys of the node in `folder`.

    Raises:
        LocalError: there are none, the passphrase is wrong, or a file is damaged; names the file.
    """
    peer_file, operator_file = _files(folder)
    if not peer_file.exists() and not operator_file.exists():
        raise LocalError(f"no node lives in {folder}: `p2pnode init --folder {folder}` creates its keys")
    return Identity(
        peer_seed=_opened(peer_file, open_seed, passphrase),
        operator_key=_opened(operator_file, open_operator_key, passphrase),
    )


def seal_seed(seed: Secret, passphrase: Secret, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """The peer's seed as an encrypted JSON file."""
    salt, peer = secrets.token_bytes(32), peer_key(seed)
    key = _derive(passphrase, salt, scrypt_n)
    sealed = ChaCha20Poly1305(key).encrypt(_NONCE, seed.reveal(), peer)
    fields = {"version": 1, "peer": peer.hex(), "scrypt_n": scrypt_n, "salt": salt.hex(), "sealed": sealed.hex()}
    return json.dumps(fields, indent=2).encode()


def open_seed(data: bytes, passphrase: Secret) -> Secret:
    """Inverse of `seal_seed`.

    Raises:
        LocalError: the wrong passphrase, or not such a file.
    """
    try:
        fields = json.loads(data)
        if fields["version"] != 1:
            raise LocalError(f"version {fields['version']!r} of the peer key's file is unknown: use a newer p2pnode")
        peer, salt, sealed = (bytes.fromhex(fields[name]) for name in ("peer", "salt", "sealed"))
        scrypt_n = fields["scrypt_n"]
        if not isinstance(scrypt_n, int) or not 2 <= scrypt_n <= _SCRYPT_N_MAX:
            raise LocalError(f"the peer key's file asks for scrypt with n = {scrypt_n!r}, at most 2^20 is allowed")
        return Secret(ChaCha20Poly1305(_derive(passphrase, salt, scrypt_n)).decrypt(_NONCE, sealed, peer))
    except InvalidTag as error:
        raise LocalError("the passphrase does not open the peer key") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(f"the peer key's file is damaged: {error!r}") from error


def _files(folder: Path) -> tuple[Path, Path]:
    return keys_folder(folder) / "peer.json", keys_folder(folder) / "operator.json"


def _opened(file: Path, opener: Callable[[bytes, Secret], Secret], passphrase: Secret) -> Secret:
    with explained("read the key", file):
        data = file.read_bytes()
    try:
        return opener(data, passphrase)
    except LocalError as error:
        raise LocalError(f"{error} ({file})") from error


def _derive(passphrase: Secret, salt: bytes, scrypt_n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=scrypt_n, r=8, p=1).derive(passphrase.reveal())
