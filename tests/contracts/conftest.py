"""A world of contracts on a ledger in this process: no server, no clock, a block whenever the test wants one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from contracts.bindings import (
    Attestation,
    Checkpoint,
    CheckpointAnchor,
    EcdsaQuorum,
    OperatorRegistry,
    SubnetRegistry,
    Transaction,
    View,
    checkpoint_key,
)
from contracts.devchain_ledger import GAS_LIMIT, Call, Genesis, Ledger, RevertedError
from contracts.economy import Authority, LocalStakeSource, StakeVault
from contracts.errors import revert
from contracts.events import Event, event
from contracts.terms import Terms

T = TypeVar("T")

MIN_STAKE = 10**18
EXIT_DELAY = 5
BOND, COMMIT_S, CHALLENGE_S, SNAPSHOT_S = 10**16, 3, 6, 1000
DATA, COMPUTE, VALIDATOR = 1, 2, 4


class Refusal(Exception):
    """A contract refused; `name` is the custom error's."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"{name}: {words}")


@dataclass
class World:
    """One subnet (id 1, open) with its three contracts, and as many funded accounts as asked for."""

    ledger: Ledger = field(default_factory=lambda: Ledger(Genesis(4711, 1_700_000_000, b"\x01" * 32)))
    drawn: int = 0

    def __post_init__(self) -> None:
        self.founder = self.account()
        self.authority = self.deploy(Authority.deployment(address(self.founder)))
        self.vault = StakeVault(
            self.deploy(StakeVault.deployment(bytes(20), EXIT_DELAY, address(self.founder), self.authority))
        )
        vaults = [(self.vault.address, 10**18)]
        self.source = LocalStakeSource(self.deploy(LocalStakeSource.deployment(vaults, self.authority)))
        self.subnets = SubnetRegistry(self.deploy(SubnetRegistry.deployment(self.authority)))
        where, economy = self.subnets.address, (self.source.address, self.vault.address)
        self.operators = OperatorRegistry(self.deploy(OperatorRegistry.deployment(where, *economy, MIN_STAKE)))
        verifier = self.deploy(EcdsaQuorum.deployment())
        self.attestation = Attestation(self.deploy(Attestation.deployment(where, verifier, COMMIT_S, SNAPSHOT_S)))
        made = CheckpointAnchor.deployment(where, self.attestation.address, BOND, CHALLENGE_S, self.authority)
        self.anchor = CheckpointAnchor(self.deploy(made))
        self.send(self.founder, self.subnets.found(self.terms()))
        self.send(self.founder, self.subnets.open(1))

    def terms(self, params: bytes = b"params", task: bytes = b"task") -> Terms:
        return Terms(address(self.founder), self.operators.address, self.anchor.address, params, task)

    def account(self) -> LocalAccount:
        self.drawn += 1
        account: LocalAccount = Account.from_key(self.drawn.to_bytes(32, "big"))
        self.ledger.submit(self.ledger.drip(address(account), 10**24))
        self.mine()
        return account

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.ledger.seal(self.ledger.head.timestamp + 1)

    def ask(self, view: View[T]) -> T:
        return view.decode(self.ledger.call(Call(view.to, view.data)))

    def send(self, account: LocalAccount, transaction: Transaction) -> tuple[Event, ...]:
        """The events of a transaction in a block of its own; raises `Refusal`."""
        return self.send_together([(account, transaction)])[0]

    def send_together(self, several: list[tuple[LocalAccount, Transaction]]) -> list[tuple[Event, ...]]:
        """The events of transactions in one block; raises `Refusal` for one that would fail by itself."""
        for account, transaction in several:
            self.refusal_of(account, transaction)
        hashes = [self.ledger.submit(self.sign(account, transaction)) for account, transaction in several]
        self.mine()
        return [self.events(transaction_hash) for transaction_hash in hashes]

    def refusal_of(self, account: LocalAccount, transaction: Transaction) -> None:
        call = Call(transaction.to, transaction.data, transaction.value, address(account))
        try:
            self.ledger.call(call)
        except RevertedError as error:
            found = revert(error.data)
            raise Refusal(found.name, found.words) from error

    def sign(self, account: LocalAccount, transaction: Transaction) -> bytes:
        signed = account.sign_transaction(
            {
                "type": 2,
                "chainId": self.ledger.chain_id,
                "nonce": self.ledger.nonce(address(account), pending=True),
                "to": transaction.to,
                "data": transaction.data,
                "value": transaction.value,
                "gas": GAS_LIMIT // 4,
                "maxFeePerGas": 10**10,
                "maxPriorityFeePerGas": 1,
            }
        )
        return bytes(signed.raw_transaction)

    def events(self, transaction_hash: bytes) -> tuple[Event, ...]:
        mined = self.ledger.find(transaction_hash)
        assert mined is not None
        receipt = self.ledger.receipts(mined.block)[mined.index]
        assert receipt.state_root == b"\x01", "the transaction failed in its block"
        found = [event([topic.to_bytes(32, "big") for topic in log.topics], log.data) for log in receipt.logs]
        return tuple(one for one in found if one is not None)

    def register(self, roles: int, stake: int = MIN_STAKE, subnet_id: int = 1) -> LocalAccount:
        """A new operator."""
        account = self.account()
        self.send(
            account, self.operators.register(subnet_id, address(account).ljust(32, b"p"), bytes(64), roles, stake)
        )
        return account

    def propose(self, proposer: LocalAccount, checkpoint: Checkpoint) -> bytes:
        """Proposes, after putting down the bond if need be; the checkpoint's key."""
        if not self.ask(self.anchor.bond_of(1, address(proposer))).amount:
            self.send(proposer, self.anchor.bond(1, BOND))
        self.send(proposer, self.anchor.propose(1, checkpoint))
        return checkpoint_key(1, checkpoint)

    def gas_used(self, account: LocalAccount, transaction: Transaction) -> int:
        """What a transaction in a block of its own costs, all in all."""
        sent = self.ledger.submit(self.sign(account, transaction))
        self.mine()
        self.events(sent)
        mined = self.ledger.find(sent)
        assert mined is not None
        return int(self.ledger.receipts(mined.block)[mined.index].gas_used)

    def deploy(self, transaction: Transaction) -> bytes:
        raw = self.sign(self.founder, transaction)
        nonce = self.ledger.nonce(address(self.founder))
        self.ledger.submit(raw)
        self.mine()
        created: bytes = keccak(rlp.encode([address(self.founder), nonce]))[12:]
        assert self.ledger.code(created)
        return created


def address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def votes():
    """A validator's signature under its vote for a checkpoint: `votes(world, account, height, key)`."""
    return lambda world, account, height, key: signed(world, account, (4, 1, 0, height, 0, key))


def signed(world: World, account: LocalAccount, statement: tuple[int, int, int, int, int, bytes]) -> bytes:
    """A statement's EIP-712 signature by the library's own encoding, in the form of EIP-2098."""
    names = {"kind": "uint8", "subnetId": "uint256", "epoch": "uint64", "height": "uint64", "place": "uint64"}
    types = {"Statement": [{"name": name, "type": kind} for name, kind in [*names.items(), ("value", "bytes32")]]}
    domain = {"name": "2PM", "version": "1", "chainId": world.ledger.chain_id}
    domain["verifyingContract"] = f"0x{world.subnets.address.hex()}"
    message = dict(zip([*names, "value"], statement, strict=True))
    made = account.sign_typed_data(domain, types, message)
    return made.r.to_bytes(32, "big") + (made.s | (made.v - 27) << 255).to_bytes(32, "big")
