"""Signs, sends and awaits transactions of one account."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import trio

from contracts.bindings import Transaction
from contracts.errors import revert
from contracts.events import Event, event
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.provider import ChainUnreachableError, HttpxProvider, RpcError, blob, quantity
from p2pnode.chain.roles import account_of
from p2pnode.errors import ChainError
from protocols.types import Secret

RECEIPT_TIMEOUT_S: Final = 180.0
POLL_S: Final = 0.3
RESEND_S: Final = 10.0
BUMP_S: Final = 30.0
"""After so long without a receipt, while blocks come, a transaction pays more."""
BUMP: Final = 1.25
"""By how much it pays more at least; nodes take no replacement that pays less than 1.1 times as much."""
FEE_MAX_WEI: Final = 10**12
"""What a unit of gas may cost at most after raises: 1,000 gwei."""
KEPT: Final = 256
"""So many of the newest transactions are sent again if a reorg takes them back."""
OWED_BLOCKS: Final = 8
"""After so many blocks without them, they pay more."""
NONCE_ATTEMPTS: Final = 3
GAS_MARGIN: Final = 1.2
"""Estimates are of the state before the block; small changes by others' transactions fit in here."""
TRANSFER_GAS: Final = 21_000


class RefusedError(ChainError):
    """A contract refused a call.

    Attributes:
        name: the contract's custom error, or empty.
    """

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"the contract refused: {words}")
        self.name = name


def refusal(error: RpcError) -> ChainError:
    """The error that people read: the contract's reason, if it gave one; otherwise the chain's own words."""
    if error.data is None:
        return error
    found = revert(error.data)
    return RefusedError(found.name, found.words)


class _Prices(NamedTuple):
    """Of a call: gas; tip and base fee in wei per gas; the block after which this is so."""

    gas: int
    tip: int
    base: int
    block: int


@dataclass
class _Sent:
    """A transaction under way or mined; `versions` are the signed ones by hash, all with its nonce, dearest last."""

    nonce: int
    fields: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> str:
        return next(reversed(self.versions.values()))


class Sender:
    """One account's transactions, with a nonce each. Use one for each account: it holds the lock.

    Args:
        provider: the chain.
        chain_id: signed with each transaction.
        key: the account's.
        confirmations: so many blocks must stand above a transaction's before it counts.
    """

    def __init__(self, provider: HttpxProvider, chain_id: int, key: Secret, *, confirmations: int = 0) -> None:
        self.address = operator_address(key)
        self.confirmations = confirmations
        self._provider = provider
        self._chain_id = chain_id
        self.account = account_of(key)
        self._lock = trio.Lock()
        self._nonce: int | None = None
        self._kept: deque[_Sent] = deque(maxlen=KEPT)
        self._owed = self._owed_below = 0

    async def send(self, transaction: Transaction) -> tuple[Event, ...]:
        """Sends and waits until it is mined; many may be under way at once.

        Returns:
            The events that it caused.

        Raises:
            RefusedError: a contract refused, with its reason.
            ChainError: no funds, no answer, or not mined in time.
        """
        call = self._call(transaction)
        now = await self._prices(call)
        fields = {
            "type": 2,
            "chainId": self._chain_id,
            "to": transaction.to,
            "data": transaction.data,
            "value": transaction.value,
            "gas": now.gas + transaction.extra_gas,
            "maxFeePerGas": 2 * now.base + now.tip,
            "maxPriorityFeePerGas": now.tip,
        }
        receipt = await self._receipt(await self._submit(fields), now.block)
        if quantity(receipt.get("status")) != 1:
            await self._explain(call, receipt)
        logs = receipt.get("logs") or []
        events = (event([blob(topic) for topic in log["topics"]], blob(log["data"])) for log in logs)
        return tuple(found for found in events if found is not None)

    async def send_again(self) -> None:
        """After a reorg: sends again, as they were, what it took back; the same transaction counts once, ever.

        Raises:
            ChainError: the chain does not answer.
        """
        self._owed, self._owed_below = 1, max((each.nonce for each in self._kept), default=-1) + 1
        await self.settle()

    async def settle(self) -> None:
        """With each new block until all that a reorg took back has its place again; nothing to do as a rule.

        Raises:
            ChainError: the chain does not answer.
        """
        if not self._owed:
            return
        async with self._lock:
            counted = await self._counted()
            if not await self._refill(counted, self._owed_below):
                self._owed = 0
            elif self._owed % OWED_BLOCKS == 0:
                await self._pay_more(counted)
            self._owed += bool(self._owed)

    async def quote(self, transaction: Transaction) -> int:
        """What a transaction may cost in gas at most, in wei, at the present base fee.

        Raises:
            RefusedError: a contract would refuse it, with its reason.
        """
        now = await self._prices(self._call(transaction))
        return (now.gas + transaction.extra_gas) * (now.base + now.tip)

    def _call(self, transaction: Transaction) -> dict[str, Any]:
        return {
            "from": self.account.address,
            "to": f"0x{transaction.to.hex()}",
            "data": f"0x{transaction.data.hex()}",
            "value": hex(transaction.value),
        }

    async def _prices(self, call: Mapping[str, Any]) -> _Prices:
        """What the call takes now; fails here, for nothing, if the call would."""
        try:
            gas, tip, head = await self._provider.ask_all(
                [
                    ("eth_estimateGas", (call,)),
                    ("eth_maxPriorityFeePerGas", ()),
                    ("eth_getBlockByNumber", ("latest", False)),
                ]
            )
        except RpcError as error:
            raise refusal(error) from error
        base, block = quantity(head.get("baseFeePerGas", "0x0")), quantity(head.get("number"))
        return _Prices(math.ceil(quantity(gas) * GAS_MARGIN), quantity(tip), base, block)

    async def _submit(self, fields: dict[str, Any]) -> _Sent:
        """Signs with the next nonce and sends; a nonce that somebody else with this key has used is fetched anew."""
        async with self._lock:
            for attempt in range(NONCE_ATTEMPTS):
                sent = _Sent(await self._next_nonce(), fields)
                self._sign(sent)
                try:
                    await self._provider.ask("eth_sendRawTransaction", sent.raw)
                except RpcError as error:
                    self._nonce = None
                    if "nonce" not in error.reason.lower() or attempt == NONCE_ATTEMPTS - 1:
                        raise refusal(error) from error
                except BaseException:
                    self._nonce = None  # whether it arrived is unknown: ask the chain next time
                    raise
                else:
                    self._nonce = sent.nonce + 1
                    self._kept.append(sent)
                    return sent
        raise AssertionError("the last attempt returns or raises")

    def _sign(self, sent: _Sent) -> None:
        signed = self.account.sign_transaction({**sent.fields, "nonce": sent.nonce})
        sent.versions[f"0x{signed.hash.hex()}"] = f"0x{signed.raw_transaction.hex()}"

    async def _next_nonce(self) -> int:
        """After all that the chain knows of, and after all that was sent here: a reorg may make the chain forget."""
        if self._nonce is None:
            found = await self._provider.ask("eth_getTransactionCount", self.account.address, "pending")
            self._nonce = max(quantity(found), max((each.nonce for each in self._kept), default=-1) + 1)
        return self._nonce

    async def _counted(self) -> int:
        """How many transactions of the account were mined."""
        return quantity(await self._provider.ask("eth_getTransactionCount", self.account.address, "latest"))

    async def _refill(self, counted: int, below: int) -> bool:
        """Sends again what was sent before and has no place on the chain; whether there was any."""
        lost = [each for each in self._kept if counted <= each.nonce < below]
        for each in lost:
            await self._resend(each)
        return bool(lost)

    async def _receipt(self, sent: _Sent, head: int) -> Mapping[str, Any]:
        """Polls, resending now and then (a chain that restarts may forget what it had not mined), and paying more."""
        resend_at, bump_at = (trio.current_time() + after for after in (RESEND_S, BUMP_S))
        with trio.move_on_after(RECEIPT_TIMEOUT_S):
            while True:
                await trio.sleep(POLL_S)
                try:
                    found = await self._mined(sent)
                    if found is None and trio.current_time() > resend_at:
                        resend_at = trio.current_time() + RESEND_S
                        await self._refill(await self._counted(), sent.nonce + 1)
                    if found is None and trio.current_time() > bump_at:
                        bump_at = trio.current_time() + BUMP_S
                        head = await self._bump(sent, head)
                    if found is not None and await self._stands(found):
                        return found
                except ChainUnreachableError:
                    continue  # it may come back until the time is over
        self._nonce = None
        raise ChainError(
            f"transaction {next(reversed(sent.versions))} was not mined within {RECEIPT_TIMEOUT_S:.0f} s for"
            f" {sent.fields['maxFeePerGas'] / 1e9:g} gwei of gas; is the chain at {self._provider.url} making blocks?"
        )

    async def _mined(self, sent: _Sent) -> Mapping[str, Any] | None:
        """The receipt of whichever version was mined."""
        for transaction_hash in reversed(sent.versions):
            found = await self._provider.ask("eth_getTransactionReceipt", transaction_hash)
            if isinstance(found, dict):
                return found
        return None

    async def _stands(self, receipt: Mapping[str, Any]) -> bool:
        """Whether enough blocks are above it; the receipt is asked for anew each time, so a reorg cannot hide."""
        if not self.confirmations:
            return True
        head = quantity(await self._provider.ask("eth_blockNumber"))
        return head >= quantity(receipt.get("blockNumber")) + self.confirmations

    async def _bump(self, sent: _Sent, before: int) -> int:
        """Replaces what holds a transaction up by what pays more, if blocks came without; the newest block's number."""
        head = quantity(await self._provider.ask("eth_blockNumber"))
        counted = await self._counted()
        if head != before and counted <= sent.nonce:
            await self._pay_more(counted)
        return head

    async def _pay_more(self, counted: int) -> None:
        """Replaces the account's next transaction by one that pays more.

        If it was sent by an earlier run of this node it is replaced by nothing: whoever wanted it has ended, and will
        want it again.
        """
        found = await self._provider.ask("eth_getBlockByNumber", "latest", False)
        stuck = next((each for each in self._kept if each.nonce == counted), None)
        if stuck is None:
            newest = self._kept[-1].fields
            nothing = {"to": self.account.address, "data": b"", "value": 0, "gas": TRANSFER_GAS}
            stuck = _Sent(counted, newest | nothing)
        await self._resend(self._dearer(stuck, quantity(found.get("baseFeePerGas", "0x0"))))

    def _dearer(self, sent: _Sent, base: int) -> _Sent:
        """Adds a version that pays more, up to a limit."""
        tip = math.ceil(sent.fields["maxPriorityFeePerGas"] * BUMP) + 1
        fee = max(math.ceil(sent.fields["maxFeePerGas"] * BUMP) + 1, 2 * base + tip)
        if fee <= FEE_MAX_WEI or not sent.versions:
            sent.fields = sent.fields | {"maxFeePerGas": min(fee, FEE_MAX_WEI), "maxPriorityFeePerGas": tip}
            self._sign(sent)
        return sent

    async def _resend(self, sent: _Sent) -> None:
        try:
            await self._provider.ask("eth_sendRawTransaction", sent.raw)
        except RpcError:
            return  # the chain knows it or will never take it: the receipt or the deadline tells

    async def _explain(self, call: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
        """Asks why a mined transaction failed by calling again on the state that it met."""
        try:
            await self._provider.ask("eth_call", call, receipt.get("blockNumber"))
        except RpcError as error:
            raise refusal(error) from error
        raise ChainError(f"transaction {receipt.get('transactionHash')} failed, most likely for want of gas")
