"""Typed bindings of the contracts: they encode calls and decode results, events and errors, and send nothing.

Addresses and digests are plain bytes, amounts are in wei.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from contracts.abi import CONTRACTS, AbiError, Interface, decode_error, decode_event, interface, selector
from contracts.economy_events import ECONOMY_EVENTS, EconomyEvent
from contracts.economy_words import ECONOMY_WORDS
from contracts.terms import Economics, Parent, Terms, Windows

T = TypeVar("T")

MAX_UNFINAL: Final = 256
"""The contract's own bound of checkpoints above the newest final one."""
FINALISE_GAS: Final = 30_000
"""To make one checkpoint final, or to move the final header; measured at less than 25,000."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A call to be signed and sent; `to` empty deploys `data`.

    `extra_gas` is what it may need beyond the estimate if others' transactions come before it in the block.
    """

    to: bytes
    data: bytes
    value: int = 0
    extra_gas: int = 0


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """A question to a contract, and how to read its answer (`decode` raises `AbiError`)."""

    to: bytes
    data: bytes
    decode: Callable[[bytes], T]


# -- results: the contracts' structs, field by field -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subnet:
    founder: bytes
    operators: bytes
    anchor: bytes
    opened_block: int
    params: bytes
    task: bytes
    model: bytes
    schema: bytes


@dataclass(frozen=True, slots=True)
class Operator:
    account: bytes
    stake: int
    peer: bytes
    joined_block: int
    left_block: int
    roles: int
    peer_proof: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    header: bytes
    parent: bytes
    params_digest: bytes
    proposer: bytes
    height: int
    depth: int
    block_number: int
    attested_stake: int
    total_stake: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Standing:
    roles: int
    stake: int
    joined_block: int


# -- events ------------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Proposed:
    subnet_id: int
    height: int
    header: bytes
    parent: bytes
    params_digest: bytes
    proposer: bytes


@dataclass(frozen=True, slots=True)
class Attested:
    subnet_id: int
    height: int
    header: bytes
    validator: bytes
    stake: int


@dataclass(frozen=True, slots=True)
class Finalised:
    subnet_id: int
    height: int
    header: bytes


Event = (
    SubnetFounded | SubnetOpened | OperatorRegistered | OperatorLeft | Proposed | Attested | Finalised | EconomyEvent
)
EVENTS: Final[dict[str, Callable[..., Event]]] = {
    kind.__name__: kind
    for kind in (
        SubnetFounded,
        SubnetOpened,
        OperatorRegistered,
        OperatorLeft,
        Proposed,
        Attested,
        Finalised,
        *ECONOMY_EVENTS,
    )
}


def event(topics: Sequence[bytes], data: bytes) -> Event | None:
    """A log as one of the events above; None if it is none of them. Raises `AbiError`."""
    for name in CONTRACTS:
        entry = interface(name).events.get(topics[0] if topics else b"")
        if entry is not None and entry["name"] in EVENTS:
            return EVENTS[entry["name"]](*_in_order(entry["inputs"], decode_event(entry, topics, data)))
    return None


def _in_order(inputs: Sequence[Any], values: dict[str, Any]) -> list[Any]:
    return [values[field["name"]] for field in inputs]


# -- contracts ---------------------------------------------------------------------------------------------------------


class Contract:
    """A contract at an address; subclasses are named as its artifact."""

    def __init__(self, address: bytes) -> None:
        self.address = address
        self._interface: Interface = interface(type(self).__name__)

    def _send(self, function: str, *arguments: object, value: int = 0) -> Transaction:
        return Transaction(self.address, self._interface.call(function, *arguments), value)

    def _ask(self, read: Callable[..., T], function: str, *arguments: object) -> View[T]:
        def decode(data: bytes) -> T:
            return read(*self._interface.result(function, data))

        return View(self.address, self._interface.call(function, *arguments), decode)


def _int(value: int) -> int:
    return value


def _bytes(value: bytes) -> bytes:
    return value


class SubnetRegistry(Contract):
    """See contracts/src/interfaces/ISubnetRegistry.sol."""

    @staticmethod
    def deployment(authority: bytes) -> Transaction:
        return Transaction(b"", interface("SubnetRegistry").deployment(authority))

    def found(self, terms: Terms) -> Transaction:
        return self._send("found", terms.encoded())

    def set_economics(self, subnet_id: int, economics: Economics) -> Transaction:
        return self._send("setEconomics", subnet_id, economics.encoded())

    def open(self, subnet_id: int) -> Transaction:
        return self._send("open", subnet_id)

    def subnet_count(self) -> View[int]:
        return self._ask(_int, "subnetCount")

    def subnet(self, subnet_id: int) -> View[Subnet]:
        return self._ask(lambda values: Subnet(*values), "subnet", subnet_id)

    def economics_of(self, subnet_id: int) -> View[Economics]:
        return self._ask(lambda values: Economics(*values), "economicsOf", subnet_id)

    def windows_of(self, subnet_id: int) -> View[Windows]:
        return self._ask(lambda values: Windows(*values), "windowsOf", subnet_id)

    def parents_of(self, subnet_id: int) -> View[tuple[Parent, ...]]:
        return self._ask(lambda found: tuple(Parent(*values) for values in found), "parentsOf", subnet_id)


class OperatorRegistry(Contract):
    """See contracts/src/interfaces/IOperatorRegistry.sol."""

    @staticmethod
    def deployment(subnets: bytes, source: bytes, vault: bytes, min_stake: int) -> Transaction:
        return Transaction(b"", interface("OperatorRegistry").deployment(subnets, source, vault, min_stake))

    def register(self, subnet_id: int, peer: bytes, peer_proof: bytes, roles: int, stake: int) -> Transaction:
        return self._send("register", subnet_id, peer, peer_proof, roles, value=stake)

    def deregister(self, subnet_id: int) -> Transaction:
        return self._send("deregister", subnet_id)

    def refresh(self, subnet_id: int, accounts: Sequence[bytes]) -> Transaction:
        return self._send("refresh", subnet_id, list(accounts))

    def operator_count(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "operatorCount", subnet_id)

    def operators(self, subnet_id: int, start: int, limit: int) -> View[tuple[Operator, ...]]:
        return self._ask(lambda page: tuple(Operator(*values) for values in page), "operators", subnet_id, start, limit)

    def standing(self, subnet_id: int, account: bytes) -> View[Standing]:
        return self._ask(Standing, "standing", subnet_id, account)

    def validator_stake(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "validatorStake", subnet_id)

    def validator_weight_at(self, subnet_id: int, account: bytes, block_number: int) -> View[int]:
        return self._ask(_int, "validatorWeightAt", subnet_id, account, block_number)

    def validator_weight_total_at(self, subnet_id: int, block_number: int) -> View[int]:
        return self._ask(_int, "validatorWeightTotalAt", subnet_id, block_number)

    def min_stake(self) -> View[int]:
        return self._ask(_int, "MIN_STAKE")

    def vault(self) -> View[bytes]:
        return self._ask(_bytes, "VAULT")

    def stake_source(self) -> View[bytes]:
        return self._ask(_bytes, "stakeSource")


class CheckpointAnchor(Contract):
    """See contracts/src/interfaces/ICheckpointAnchor.sol."""

    @staticmethod
    def deployment(subnets: bytes, operators: bytes) -> Transaction:
        return Transaction(b"", interface("CheckpointAnchor").deployment(subnets, operators))

    def propose(self, subnet_id: int, height: int, header: bytes, parent: bytes, params_digest: bytes) -> Transaction:
        return self._send("propose", subnet_id, height, header, parent, params_digest)

    def attest(self, subnet_id: int, height: int, header: bytes, *, unfinal: int = MAX_UNFINAL) -> Transaction:
        """`unfinal` checkpoints at most become final, should this attestation turn out to complete the quorum."""
        transaction = self._send("attest", subnet_id, height, header)
        return replace(transaction, extra_gas=FINALISE_GAS * (unfinal + 1))

    def checkpoint_count(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "checkpointCount", subnet_id)

    def checkpoints(self, subnet_id: int, start: int, limit: int) -> View[tuple[Checkpoint, ...]]:
        return self._ask(
            lambda page: tuple(Checkpoint(*values) for values in page), "checkpoints", subnet_id, start, limit
        )

    def final_header(self, subnet_id: int) -> View[bytes]:
        return self._ask(_bytes, "finalHeader", subnet_id)

    def attested_by(self, subnet_id: int, height: int, validator: bytes) -> View[bytes]:
        return self._ask(_bytes, "attestedBy", subnet_id, height, validator)


# -- errors ------------------------------------------------------------------------------------------------------------

WORDS: Final[dict[str, str]] = {
    "AlreadyAttested": "validator {validator} has attested header {header} at height {height} already",
    "AlreadyOpen": "subnet {subnetId} was opened in block {openedBlock} already",
    "AlreadyProposed": "checkpoint {header} stands already, at height {height}",
    "AlreadyRegistered": "{account} is registered in subnet {subnetId} already; leave it first to change peer or roles",
    "BadLength": "params of {paramsBytes} and task of {taskBytes} bytes: neither over {limitBytes}, params not empty",
    "BadPeer": "peer {peer} with a proof of {proofBytes} bytes: a peer is not zero and its proof has 64 bytes",
    "BadRoles": "roles {roles}: a sum of 1 (data), 2 (compute), 4 (validator) is needed",
    "BelowFinal": "height {height} of subnet {subnetId} is settled: {finalHeight} is final",
    "ConflictsWithFinal": "checkpoint {header} of subnet {subnetId} does not build on the final one, {finalHeader}",
    "FinalityLags": "{limit} checkpoints of subnet {subnetId} wait above final height {finalHeight}; attest first",
    "JoinedTooLate": "validator {account} joined subnet {subnetId} at block {joinedBlock}, not before {proposedBlock}",
    "NotAContract": "there is no contract at {account}",
    "NotAboveParent": "height {height} is not above its parent's, {parentHeight}",
    "NotComputing": "{account} is no computing operator of subnet {subnetId}; only those propose checkpoints",
    "NotFounder": "{caller} did not found subnet {subnetId}; only its founder may do this",
    "NotRegistered": "{account} is not registered in subnet {subnetId}",
    "NotThisRegistry": "subnet {subnetId} keeps its operators in another registry, {named}",
    "NotValidating": "{account} is no validator of subnet {subnetId}; only those attest",
    "SubnetClosed": "subnet {subnetId} is not open yet",
    "UnknownCheckpoint": "nobody proposed checkpoint {header} at height {height} in subnet {subnetId}",
    "UnknownParent": "parent {parent} is no checkpoint of subnet {subnetId} that the next one can build on",
    "UnknownSubnet": "there is no subnet {subnetId}",
    "ZeroHeader": "a checkpoint's header cannot be zero",
    **ECONOMY_WORDS,
}
"""What each custom error of the contracts says to people."""


@dataclass(frozen=True, slots=True)
class Revert:
    """Why a contract refused.

    Attributes:
        name: the custom error's, "Error" for a message, "Panic" for a failed assertion, "" where there is no reason.
        words: for people.
    """

    name: str
    words: str


def revert(data: bytes) -> Revert:
    """Reads the data of a revert; whatever they are, there are words for them."""
    for name in CONTRACTS:
        entry = interface(name).errors.get(data[:4])
        if entry is not None:
            return _custom(entry, data)
    if not data:
        return Revert("", "the contract refused without a reason, or no such contract stands at this address")
    try:
        return _builtin(data)
    except AbiError:
        return Revert("", f"the contract refused with unknown data 0x{data[:36].hex()}")


def _custom(entry: Any, data: bytes) -> Revert:
    try:
        values = decode_error(entry, data)
    except AbiError as error:
        return Revert(entry["name"], str(error))
    shown = {key: f"0x{value.hex()}" if isinstance(value, bytes) else value for key, value in values.items()}
    return Revert(entry["name"], WORDS[entry["name"]].format(**shown))


def _builtin(data: bytes) -> Revert:
    for name, kind in (("Error", "string"), ("Panic", "uint256")):
        entry = {"type": "error", "name": name, "inputs": [{"name": "reason", "type": kind}]}
        if selector(entry) == data[:4]:
            return Revert(name, f"{name}: {decode_error(entry, data)['reason']}")
    raise AbiError("not one of Solidity's own errors")
