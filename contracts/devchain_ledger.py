"""The dev chain's ledger: py-evm blocks, sealed by whoever drives it. It has no clock, no network and no file.

The same genesis, transactions and timestamps in the same order give the same block hashes, which is what the restart
of the dev chain and the virtual world rest on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.exceptions import HeaderNotFound, PyEVMError, TransactionNotFound
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]  # rlp ships no types

GAS_LIMIT: Final = 30_000_000
TIP_WEI: Final = 10**9
FAUCET_WEI: Final = 10**30
MAX_PENDING: Final = 4096
MAX_SNAPSHOTS: Final = 64


class RefusedError(Exception):
    """A transaction or a question that the ledger does not accept; the text says why."""


class RevertedError(Exception):
    """A call failed in the EVM.

    Attributes:
        data: what the contract returned with the revert; empty if the EVM itself gave up.
    """

    def __init__(self, reason: str, data: bytes) -> None:
        super().__init__(reason)
        self.data = data


@dataclass(frozen=True, slots=True)
class Genesis:
    """What makes one dev chain differ from another. `timestamp` in Unix seconds."""

    chain_id: int
    timestamp: int
    faucet_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A message to be executed without a transaction; `to` empty creates a contract."""

    to: bytes
    data: bytes = b""
    value: int = 0
    sender: bytes = ZERO_ADDRESS
    gas: int = GAS_LIMIT


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in its block."""

    block: BlockAPI
    index: int
    transaction: SignedTransactionAPI


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to which the ledger can go back: the database's entries (values are shared), the head, what waits."""

    number: int
    entries: dict[bytes, bytes] = field(repr=False)
    pending: tuple[SignedTransactionAPI, ...]


class Ledger:
    """An EVM chain of one branch, and the transactions that wait for its next block."""

    def __init__(self, genesis: Genesis) -> None:
        self.chain_id = genesis.chain_id
        self._faucet = Account.from_key(genesis.faucet_key)
        self._entries = MemoryDB()
        self._chain = _new_chain(genesis, bytes.fromhex(self._faucet.address[2:]), self._entries)
        self._pending: list[SignedTransactionAPI] = []
        self._snapshots: list[Snapshot] = []
        self._snapshots_taken = 0

    @property
    def head(self) -> BlockHeaderAPI:
        return self._chain.get_canonical_head()

    # -- writing -------------------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Takes a signed transaction for the next block; submitting the same one again is harmless.

        One that waits is replaced by another with its nonce that pays a tenth more.

        Returns:
            The transaction's hash, 32 bytes.

        Raises:
            RefusedError: malformed, for another chain, not payable, nonce used up or taken, or too many are waiting.
        """
        transaction = self._decode(raw)
        if any(waiting.hash == transaction.hash for waiting in self._pending):
            return transaction.hash
        for problem in self._problems(transaction):
            raise RefusedError(problem)
        self._pending = [one for one in self._pending if not _same_place(one, transaction)]
        self._pending.append(transaction)
        return transaction.hash

    def drip(self, to: bytes, amount: int) -> bytes:
        """A signed transaction by which the faucet pays `amount` wei; the caller submits it like any other."""
        signed = self._faucet.sign_transaction(
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": self.nonce(bytes.fromhex(self._faucet.address[2:]), pending=True),
                "to": to,
                "value": amount,
                "gas": 100_000,
                "maxFeePerGas": 2 * self.head_base_fee + TIP_WEI,
                "maxPriorityFeePerGas": TIP_WEI,
            }
        )
        return bytes(signed.raw_transaction)

    def seal(self, timestamp: int) -> BlockHeaderAPI:
        """Makes the next block of what waits and can be executed; what never can be is dropped.

        Raises:
            ValueError: `timestamp` is not after the head's.
        """
        if timestamp <= self.head.timestamp:
            raise ValueError(f"a block at {timestamp} cannot follow one at {self.head.timestamp}")
        header = self._chain.header.copy(timestamp=timestamp, mix_hash=keccak(self._chain.header.parent_hash))
        vm = self._chain.get_vm(header)
        done: list[SignedTransactionAPI] = []
        receipts: list[ReceiptAPI] = []
        for transaction in self._executable(lambda sender: vm.state.get_nonce(sender)):
            if header.gas_used + transaction.gas > header.gas_limit:
                continue
            try:
                receipt, _ = vm.apply_transaction(header, transaction)
            except ValidationError:
                self._pending.remove(transaction)
                continue
            self._pending.remove(transaction)
            header = vm.add_receipt_to_header(header, receipt)
            done.append(transaction)
            receipts.append(receipt)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, tuple(done), tuple(receipts))
        block = vm.mine_block(filled).block
        self._chain.persist_block(block)
        self._chain.header = self._chain.create_header_from_parent(block.header)
        return block.header

    def snapshot(self) -> int:
        """Notes the present state; returns its number, from 1. The oldest is forgotten when there are too many."""
        self._snapshots_taken += 1
        noted = Snapshot(self._snapshots_taken, dict(self._entries.kv_store), tuple(self._pending))
        self._snapshots = [*self._snapshots[1 - MAX_SNAPSHOTS :], noted]
        return noted.number

    def revert(self, number: int) -> bool:
        """Goes back to a noted state and forgets it with all later ones; whether there was such a one."""
        for position, noted in enumerate(self._snapshots):
            if noted.number == number:
                self._entries.kv_store = noted.entries
                self._chain.header = self._chain.create_header_from_parent(self.head)
                self._pending = list(noted.pending)
                del self._snapshots[position:]
                return True
        return False

    def _executable(self, nonce_of: Callable[[Address], int]) -> Iterator[SignedTransactionAPI]:
        """What waits, in the order of arrival but each sender's in the order of its nonces."""
        progress = True
        while progress:
            progress = False
            for transaction in tuple(self._pending):
                nonce = nonce_of(transaction.sender)
                if transaction.nonce == nonce:
                    yield transaction
                    progress = progress or nonce_of(transaction.sender) > nonce
                elif transaction.nonce < nonce:
                    self._pending.remove(transaction)

    def _decode(self, raw: bytes) -> SignedTransactionAPI:
        try:
            transaction = self._chain.get_vm().get_transaction_builder().decode(raw)
            transaction.check_signature_validity()
            _ = transaction.sender
        except (RLPException, ValidationError, PyEVMError, BadSignature, ValueError, IndexError) as error:
            raise RefusedError(f"not a signed transaction: {error}") from error
        return transaction

    def _problems(self, transaction: SignedTransactionAPI) -> Iterator[str]:
        state = self._chain.get_vm().state
        nonce = state.get_nonce(transaction.sender)
        cost = transaction.value + transaction.gas * transaction.max_fee_per_gas
        if transaction.chain_id != self.chain_id:
            yield f"signed for chain {transaction.chain_id}, but this is chain {self.chain_id}"
        if transaction.nonce < nonce:
            yield f"nonce too low: {transaction.nonce}, the account is at {nonce}"
        if any(_same_place(waiting, transaction) and not _dearer(transaction, waiting) for waiting in self._pending):
            yield f"nonce {transaction.nonce} is taken by a transaction that waits; pay a tenth more to replace it"
        if transaction.gas > GAS_LIMIT or transaction.intrinsic_gas > transaction.gas:
            yield f"gas {transaction.gas} must be {transaction.intrinsic_gas} to {GAS_LIMIT}"
        if cost > state.get_balance(transaction.sender):
            yield f"insufficient funds: {cost} wei needed, {state.get_balance(transaction.sender)} there"
        if len(self._pending) >= MAX_PENDING:
            yield f"{MAX_PENDING} transactions wait already"

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def head_base_fee(self) -> int:
        """Of the next block, in wei per gas."""
        fee = self._chain.header.base_fee_per_gas
        assert fee is not None, "every fork since London has a base fee"
        return fee

    def header(self, number: int) -> BlockHeaderAPI | None:
        try:
            return self._chain.get_canonical_block_header_by_number(BlockNumber(number))
        except HeaderNotFound:
            return None

    def block(self, number: int) -> BlockAPI | None:
        return None if self.header(number) is None else self._chain.get_canonical_block_by_number(BlockNumber(number))

    def block_by_hash(self, block_hash: bytes) -> BlockAPI | None:
        try:
            return self._chain.get_block_by_hash(Hash32(block_hash))
        except HeaderNotFound:
            return None

    def find(self, transaction_hash: bytes) -> Mined | None:
        try:
            number, index = self._chain.get_canonical_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        block = self._chain.get_canonical_block_by_number(number)
        return Mined(block, index, block.transactions[index])

    def receipts(self, block: BlockAPI) -> tuple[ReceiptAPI, ...]:
        return tuple(block.get_receipts(self._chain.chaindb))

    def nonce(self, account: bytes, *, pending: bool = False, at: BlockHeaderAPI | None = None) -> int:
        """The account's next nonce; with `pending`, after what waits."""
        nonce = self._chain.get_vm(at or self.head).state.get_nonce(Address(account))
        waiting = Counter(transaction.nonce for transaction in self._pending if transaction.sender == account)
        while pending and waiting[nonce]:
            nonce += 1
        return nonce

    def balance(self, account: bytes, at: BlockHeaderAPI | None = None) -> int:
        return self._chain.get_vm(at or self.head).state.get_balance(Address(account))

    def code(self, account: bytes, at: BlockHeaderAPI | None = None) -> bytes:
        return self._chain.get_vm(at or self.head).state.get_code(Address(account))

    def call(self, call: Call, at: BlockHeaderAPI | None = None) -> bytes:
        """Executes on the state after block `at` (the head) and forgets the effects.

        Raises:
            RevertedError: with the contract's data.
            RefusedError: the sender cannot pay the value.
        """
        return bytes(self._execute(call, at).output)

    def estimate_gas(self, call: Call) -> int:
        """Enough gas for the call: what it uses, a quarter for what refunds give back only afterwards, and EIP-7623's
        floor for data.
        """
        used = call.gas - self._execute(call, None).get_gas_remaining()
        zeros = call.data.count(0)
        floor = 21_000 + 10 * (zeros + 4 * (len(call.data) - zeros))
        return min(max(used + used // 4, floor), GAS_LIMIT)

    def _execute(self, call: Call, at: BlockHeaderAPI | None) -> ComputationAPI:
        vm = self._chain.get_vm(at or self.head)
        balance = vm.state.get_balance(Address(call.sender))
        if call.value > balance:
            raise RefusedError(f"insufficient funds: {call.value} wei needed, {balance} there")
        with vm.in_costless_state() as state:
            # py-evm would take the machine's clock: a call runs in the next block, at its earliest time.
            state.execution_context._timestamp = (at or self.head).timestamp + 1  # type: ignore[attr-defined]  # no setter
            unsigned = vm.create_unsigned_transaction(
                nonce=state.get_nonce(Address(call.sender)),
                gas_price=0,
                gas=min(call.gas, GAS_LIMIT),
                to=Address(call.to),
                value=call.value,
                data=call.data,
            )
            try:
                computation = state.apply_transaction(SpoofTransaction(unsigned, from_=call.sender))  # type: ignore[arg-type]  # it poses as a signed one
            except ValidationError as error:
                raise RefusedError(str(error)) from error
        if computation.is_error:
            data = computation.output if isinstance(computation.output, bytes) else b""
            raise RevertedError(type(computation.error).__name__, data)
        return computation


def _same_place(one: SignedTransactionAPI, other: SignedTransactionAPI) -> bool:
    return bool((one.sender, one.nonce) == (other.sender, other.nonce))


def _dearer(one: SignedTransactionAPI, other: SignedTransactionAPI) -> bool:
    fees = ("max_fee_per_gas", "max_priority_fee_per_gas")
    return all(10 * getattr(one, fee) >= 11 * getattr(other, fee) for fee in fees)


def _new_chain(genesis: Genesis, faucet: bytes, entries: MemoryDB) -> MiningChain:
    class DevChain(MiningChain):
        chain_id = genesis.chain_id
        vm_configuration = ((BlockNumber(0), PragueVM),)

        def create_header_from_parent(self, parent_header: BlockHeaderAPI, **fields: object) -> BlockHeaderAPI:
            """Keeps the gas limit, which py-evm would let drift."""
            return super().create_header_from_parent(parent_header, **fields, gas_limit=parent_header.gas_limit)  # type: ignore[arg-type]  # header fields are untyped in py-evm

    header = {
        "coinbase": ZERO_ADDRESS,
        "difficulty": POST_MERGE_DIFFICULTY,
        "extra_data": b"",
        "gas_limit": GAS_LIMIT,
        "mix_hash": POST_MERGE_MIX_HASH,
        "nonce": POST_MERGE_NONCE,
        "receipt_root": BLANK_ROOT_HASH,
        "timestamp": genesis.timestamp,
        "transaction_root": BLANK_ROOT_HASH,
    }
    rich = {"balance": FAUCET_WEI, "nonce": 0, "code": b"", "storage": {}}
    return DevChain.from_genesis(AtomicDB(entries), header, {Address(faucet): rich})  # type: ignore[return-value, arg-type, dict-item]  # declared as the base class and as narrower dicts
