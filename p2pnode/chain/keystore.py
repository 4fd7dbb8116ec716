"""The operator's secp256k1 key in an encrypted Ethereum keystore (Web3 Secret Storage, version 3)."""

from __future__ import annotations

import json
from typing import Final

from eth_account import Account

from protocols.errors import LocalError
from protocols.types import Address, Secret

SCRYPT_N: Final = 2**18
"""Cost of one guess at the passphrase: about a second and 256 MiB."""


def operator_address(key: Secret) -> Address:
    """The account that a 32-byte private key controls.

    Raises:
        ValueError: not a private key of secp256k1.
    """
    return Address(bytes.fromhex(Account.from_key(key.reveal()).address[2:]))


def seal_operator_key(key: Secret, passphrase: Secret, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """The key as a keystore file that other Ethereum wallets open, too; the passphrase is UTF-8."""
    sealed = Account.encrypt(key.reveal(), passphrase.reveal().decode(), kdf="scrypt", iterations=scrypt_n)
    return json.dumps(sealed, indent=2).encode()


def open_operator_key(data: bytes, passphrase: Secret) -> Secret:
    """Inverse of `seal_operator_key`.

    Raises:
        LocalError: the wrong passphrase, or not a keystore.
    """
    try:
        keystore = json.loads(data)
        return Secret(bytes(Account.decrypt(keystore, passphrase.reveal().decode())))
    except ValueError as error:
        if str(error) == "MAC mismatch":
            raise LocalError("the passphrase does not open the operator key") from error
        raise LocalError(f"the operator key's file is no Ethereum keystore: {error}") from error
    except (KeyError, TypeError, NotImplementedError) as error:
        raise LocalError(f"the operator key's file is no Ethereum keystore: {error!r}") from error
