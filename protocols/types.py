"""The nouns that every package shares. Plain bytes and ints with names, so that they travel and compare cheaply."""

from __future__ import annotations

import enum
from typing import NewType, NoReturn

PeerKey = NewType("PeerKey", bytes)
"""A peer's libp2p identity: its 32-byte Ed25519 public key."""

Digest = NewType("Digest", bytes)
"""32 bytes of SHA-256: of a blob, or a Merkle root."""

Address = NewType("Address", bytes)
"""An operator: a 20-byte EVM account."""

Height = NewType("Height", int)
"""The number of a round since the subnet opened; epoch = height // rounds_per_epoch."""

NO_DIGEST = Digest(bytes(32))


class Role(enum.IntFlag):
    """What an operator's peer does in a subnet (a bit mask on the chain)."""

    DATA = 1  # contributes updates from private data, aggregates its cell
    COMPUTE = 2  # may be drawn into the committee
    VALIDATOR = 4  # recomputes sums and attests on the chain


class Verdict(enum.Enum):
    """What a gossip validator says of a message (the names of the libp2p specification)."""

    ACCEPT = "accept"
    IGNORE = "ignore"  # not propagated, nobody's fault
    REJECT = "reject"  # not propagated, and the sender's score falls


class Secret:
    """Bytes that must not leave: its repr shows nothing, and it can be neither pickled nor encoded."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves; the only way to them, so that every use can be found by name."""
        return self._value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self._value)} secret bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is secret and cannot be serialised")


def short(value: bytes) -> str:
    """The first eight hex digits, for people to read in logs."""
    return value.hex()[:8]
