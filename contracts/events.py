"""The contracts' events as dataclasses, and how a log becomes one.

Addresses and digests are plain bytes, amounts are in wei.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from contracts.abi import CONTRACTS, decode_event, interface
from contracts.economy_events import ECONOMY_EVENTS, EconomyEvent
from contracts.justice_events import JUSTICE_EVENTS, JusticeEvent

# -- subnets and operators ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubnetFounded:
    subnet_id: int
    founder: bytes
    operators: bytes
    anchor: bytes


@dataclass(frozen=True, slots=True)
class SubnetOpened:
    subnet_id: int
    opened_block: int


@dataclass(frozen=True, slots=True)
class OperatorRegistered:
    subnet_id: int
    account: bytes
    peer: bytes
    roles: int
    stake: int


@dataclass(frozen=True, slots=True)
class OperatorLeft:
    subnet_id: int
    account: bytes
    left_block: int


# -- checkpoints -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bonded:
    subnet_id: int
    proposer: bytes
    rolling: bytes


@dataclass(frozen=True, slots=True)
class Unbonded:
    subnet_id: int
    proposer: bytes


@dataclass(frozen=True, slots=True)
class BondReturned:
    subnet_id: int
    proposer: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class BondForfeited:
    subnet_id: int
    proposer: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Proposed:
    subnet_id: int
    height: int
    header: bytes
    parent: bytes
    params_digest: bytes
    proposer: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    subnet_id: int
    height: int
    key: bytes
    proposer: bytes


@dataclass(frozen=True, slots=True)
class Held:
    subnet_id: int
    key: bytes
    disputes: int


@dataclass(frozen=True, slots=True)
class Settled:
    subnet_id: int
    key: bytes
    upheld: bool


@dataclass(frozen=True, slots=True)
class Finalised:
    subnet_id: int
    height: int
    key: bytes


# -- attestation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    subnet_id: int
    snapshot_id: int
    block_number: int
    table: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VotingBegan:
    subnet_id: int
    height: int
    key: bytes
    snapshot_id: int


@dataclass(frozen=True, slots=True)
class Committed:
    subnet_id: int
    height: int
    validator: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Revealed:
    subnet_id: int
    height: int
    key: bytes
    signers: int
    weight: int


@dataclass(frozen=True, slots=True)
class QuorumReached:
    subnet_id: int
    height: int
    key: bytes


# -- all of them -------------------------------------------------------------------------------------------------------

Event = (
    BondForfeited
    | BondReturned
    | Bonded
    | Committed
    | Finalised
    | Held
    | Opened
    | OperatorLeft
    | OperatorRegistered
    | Proposed
    | QuorumReached
    | Revealed
    | Settled
    | SnapshotTaken
    | SubnetFounded
    | SubnetOpened
    | Unbonded
    | VotingBegan
    | EconomyEvent
    | JusticeEvent
)
"""Those that nodes read; the contracts have more."""
EVENTS: Final[dict[str, Callable[..., Event]]] = {
    kind.__name__: kind
    for kind in (
        BondForfeited,
        BondReturned,
        Bonded,
        Committed,
        Finalised,
        Held,
        Opened,
        OperatorLeft,
        OperatorRegistered,
        Proposed,
        QuorumReached,
        Revealed,
        Settled,
        SnapshotTaken,
        *ECONOMY_EVENTS,
        *JUSTICE_EVENTS,
        SubnetFounded,
        SubnetOpened,
        Unbonded,
        VotingBegan,
    )
}


def event(topics: Sequence[bytes], data: bytes) -> Event | None:
    """A log as one of the events above; None if it is none of them. Raises `AbiError`."""
    entry = _entries().get(topics[0]) if topics else None
    if entry is None:
        return None
    values = decode_event(entry, topics, data)
    return EVENTS[entry["name"]](*(values[field["name"]] for field in entry["inputs"]))


@functools.cache
def _entries() -> dict[bytes, Any]:
    """The ABI entries of the events above, by topic; others may have the name, but not the fields."""
    found = (item for name in CONTRACTS for item in interface(name).events.items())
    sizes = {name: len(fields(kind)) for name, kind in EVENTS.items()}  # type: ignore[arg-type]  # they are dataclasses
    return {topic: entry for topic, entry in found if sizes.get(entry["name"]) == len(entry["inputs"])}
