"""Typed bindings of the contracts: they encode calls and decode results, and send nothing.

Addresses and digests are plain bytes, amounts are in wei.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Generic, TypeVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from contracts.abi import Interface, interface
from contracts.terms import Economics, Parent, Terms, Windows

T = TypeVar("T")


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
    height: int
    header: bytes
    parent: bytes
    params_digest: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proposal stands in its proposer's rolling hash; see ICheckpointAnchor.sol."""

    proposer: bytes
    time: int
    block_number: int
    before: bytes
    later: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Record:
    parent: bytes
    proposer: bytes
    proposed_at: int
    proposed_block: int
    height: int
    depth: int
    disputes: int
    status: int


@dataclass(frozen=True, slots=True)
class Bond:
    amount: int
    left_at: int
    disputes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    table: bytes
    total: int
    taken_at: int
    block_number: int


@dataclass(frozen=True, slots=True)
class Tally:
    weight: int
    height: int
    opened_at: int
    quorum_at: int
    voted: int
    snapshot_id: int
    revealed_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    roles: int
    stake: int
    joined_block: int


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

    def set_disputes(self, disputes: bytes) -> Transaction:
        """Has subnets be founded only where stake outlasts these games and the sentence after them."""
        return self._send("setDisputes", disputes)

    def open(self, subnet_id: int) -> Transaction:
        return self._send("open", subnet_id)

    def disputes(self) -> View[bytes]:
        return self._ask(_bytes, "disputes")

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
    def deployment(
        subnets: bytes, attestation: bytes, bond_wei: int, challenge_seconds: int, authority: bytes
    ) -> Transaction:
        data = interface("CheckpointAnchor").deployment(subnets, attestation, bond_wei, challenge_seconds, authority)
        return Transaction(b"", data)

    def bond(self, subnet_id: int, amount: int) -> Transaction:
        return self._send("bond", subnet_id, value=amount)

    def unbond(self, subnet_id: int) -> Transaction:
        return self._send("unbond", subnet_id)

    def withdraw_bond(self, subnet_id: int) -> Transaction:
        return self._send("withdrawBond", subnet_id)

    def propose(self, subnet_id: int, checkpoint: Checkpoint) -> Transaction:
        return self._send("propose", subnet_id, *astuple(checkpoint))

    def open(self, subnet_id: int, checkpoint: Checkpoint, place: Place) -> Transaction:
        return self._send("open", subnet_id, astuple(checkpoint), astuple(place))

    def finalise(self, subnet_id: int, key: bytes) -> Transaction:
        return self._send("finalise", subnet_id, key)

    def record_of(self, subnet_id: int, key: bytes) -> View[Record]:
        return self._ask(lambda values: Record(*values), "recordOf", subnet_id, key)

    def bond_of(self, subnet_id: int, proposer: bytes) -> View[Bond]:
        return self._ask(lambda values: Bond(*values), "bondOf", subnet_id, proposer)

    def rolling_of(self, subnet_id: int, proposer: bytes) -> View[bytes]:
        return self._ask(_bytes, "rollingOf", subnet_id, proposer)

    def final_key(self, subnet_id: int) -> View[bytes]:
        return self._ask(_bytes, "finalKey", subnet_id)

    def attestation(self) -> View[bytes]:
        return self._ask(_bytes, "ATTESTATION")

    def bond_wei(self) -> View[int]:
        return self._ask(_int, "BOND_WEI")

    def challenge_seconds(self) -> View[int]:
        return self._ask(_int, "CHALLENGE_SECONDS")


class EcdsaQuorum(Contract):
    """See contracts/src/interfaces/IQuorumVerifier.sol."""

    @staticmethod
    def deployment() -> Transaction:
        return Transaction(b"", interface("EcdsaQuorum").deployment())


class Attestation(Contract):
    """See contracts/src/interfaces/IAttestation.sol."""

    @staticmethod
    def deployment(subnets: bytes, verifier: bytes, commit_seconds: int, snapshot_seconds: int) -> Transaction:
        data = interface("Attestation").deployment(subnets, verifier, commit_seconds, snapshot_seconds)
        return Transaction(b"", data)

    def snapshot(self, subnet_id: int, validators: Sequence[bytes]) -> Transaction:
        return self._send("snapshot", subnet_id, list(validators))

    def commit(self, subnet_id: int, height: int, commitment: bytes) -> Transaction:
        return self._send("commit", subnet_id, height, commitment)

    def reveal(
        self, subnet_id: int, epoch: int, height: int, key: bytes, table: Sequence[int], signers: int, proof: bytes
    ) -> Transaction:
        return self._send("reveal", subnet_id, epoch, height, key, list(table), signers, proof)

    def tally_of(self, subnet_id: int, key: bytes) -> View[Tally]:
        return self._ask(lambda values: Tally(*values), "tallyOf", subnet_id, key)

    def latest_snapshot(self, subnet_id: int) -> View[tuple[int, Snapshot]]:
        return self._ask(lambda number, values: (number, Snapshot(*values)), "latestSnapshot", subnet_id)

    def commitment_of(self, subnet_id: int, height: int, validator: bytes) -> View[tuple[bytes, int]]:
        """The commitment's first 26 bytes, and its time; zeros if there is none."""
        return self._ask(lambda commitment, time: (commitment, time), "commitmentOf", subnet_id, height, validator)

    def commit_seconds(self) -> View[int]:
        return self._ask(_int, "COMMIT_SECONDS")

    def snapshot_seconds(self) -> View[int]:
        return self._ask(_int, "SNAPSHOT_SECONDS")


def checkpoint_key(subnet_id: int, checkpoint: Checkpoint) -> bytes:
    """`ICheckpointAnchor.keyOf`: the hash of all there is to say of a checkpoint."""
    fields = subnet_id, *astuple(checkpoint)
    return keccak(encode(["uint256", "uint64", "bytes32", "bytes32", "bytes32"], fields))
