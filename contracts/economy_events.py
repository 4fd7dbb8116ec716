"""The events of the economy's contracts: addresses and digests are plain bytes, amounts in the smallest unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.dao_events import DAO_EVENTS, DaoEvent


@dataclass(frozen=True, slots=True)
class EconomicsSet:
    subnet_id: int
    economics: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class DisputesSet:
    disputes: bytes


@dataclass(frozen=True, slots=True)
class StakeRefreshed:
    subnet_id: int
    account: bytes
    stake: int


@dataclass(frozen=True, slots=True)
class Deposited:
    operator: bytes
    owner: bytes
    payer: bytes
    assets: int
    shares: int


@dataclass(frozen=True, slots=True)
class ExitRequested:
    operator: bytes
    owner: bytes
    epoch: int
    shares: int
    assets: int


@dataclass(frozen=True, slots=True)
class ExitClaimed:
    operator: bytes
    owner: bytes
    epoch: int
    to: bytes
    assets: int


@dataclass(frozen=True, slots=True)
class Slashed:
    operator: bytes
    when: int
    share: int
    assets: int


@dataclass(frozen=True, slots=True)
class Swept:
    treasury: bytes
    assets: int


@dataclass(frozen=True, slots=True)
class StakeSlashed:
    offence: bytes
    operator: bytes
    when: int
    share: int
    amount: int


@dataclass(frozen=True, slots=True)
class VaultSet:
    vault: bytes
    weight: int


EconomyEvent = (
    EconomicsSet
    | DisputesSet
    | StakeRefreshed
    | Deposited
    | ExitRequested
    | ExitClaimed
    | Slashed
    | Swept
    | StakeSlashed
    | VaultSet
    | DaoEvent
)
ECONOMY_EVENTS: Final = (
    EconomicsSet,
    DisputesSet,
    StakeRefreshed,
    Deposited,
    ExitRequested,
    ExitClaimed,
    Slashed,
    Swept,
    StakeSlashed,
    VaultSet,
    *DAO_EVENTS,
)
