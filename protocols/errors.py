"""Errors say whose fault they are: ours (`LocalError`) or another peer's (`RemoteError`, with the culprits)."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.types import PeerKey


class TwoPMError(Exception):
    """Base of every error that 2PM raises on purpose; its text says what was wrong, with what, and what to do."""


class LocalError(TwoPMError):
    """This node, its settings, its data or its disk is at fault."""


class RemoteError(TwoPMError):
    """Other peers are at fault.

    Attributes:
        culprits: the Ed25519 public keys of the peers to blame; empty where blame cannot be proven.
    """

    def __init__(self, message: str, culprits: Iterable[PeerKey] = ()) -> None:
        super().__init__(message)
        self.culprits = frozenset(culprits)


class MalformedError(RemoteError):
    """Bytes from outside are not what the protocol allows: wrong type, length, range, or not canonical."""


class TransitionError(LocalError):
    """A machine was handed an event that its table does not allow in its present state."""
