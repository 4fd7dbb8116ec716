"""The events of courts, slashing and dispute games: addresses and digests are plain bytes, amounts in wei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Challenged:
    game: int
    subnet_id: int
    key: bytes
    challenger: bytes


@dataclass(frozen=True, slots=True)
class TraceCommitted:
    game: int
    steps: int
    trace: bytes


@dataclass(frozen=True, slots=True)
class StateRevealed:
    game: int
    step: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    game: int
    step: int
    agreed: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    game: int
    outcome: int
    proven: bool
    forfeited: int


@dataclass(frozen=True, slots=True)
class Annulled:
    game: int


@dataclass(frozen=True, slots=True)
class Released:
    game: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class VerifierSet:
    subnet_id: int
    verifier: bytes


@dataclass(frozen=True, slots=True)
class KeyRegistered:
    """A validator's key for aggregated votes; `key` in G1, `twin` in G2, as words."""

    account: bytes
    key: tuple[int, int]
    twin: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Gathered:
    table: bytes


@dataclass(frozen=True, slots=True)
class BadDealing:
    offence: bytes
    subnet_id: int
    operator: bytes
    member: int


JusticeEvent = (
    Challenged
    | TraceCommitted
    | StateRevealed
    | Answered
    | Resolved
    | Annulled
    | Released
    | Withdrawn
    | VerifierSet
    | KeyRegistered
    | Gathered
    | BadDealing
)
JUSTICE_EVENTS: Final = (
    Challenged,
    TraceCommitted,
    StateRevealed,
    Answered,
    Resolved,
    Annulled,
    Released,
    Withdrawn,
    VerifierSet,
    KeyRegistered,
    Gathered,
    BadDealing,
)
