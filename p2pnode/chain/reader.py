"""Reads one subnet's state for all nodes of a process: one poll of the head serves them all.

State is read again only if a new block's logs bloom names one of the subnet's contracts: all their changes emit events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import trio
from eth_bloom.bloom import BloomFilter

from contracts.abi import AbiError
from contracts.bindings import Checkpoint, CheckpointAnchor, Operator, OperatorRegistry, SubnetRegistry, View
from p2pnode.chain.provider import HttpxProvider, RpcError, blob, quantity
from p2pnode.chain.sender import refusal
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Block, OperatorRecord, SubnetRecord
from protocols.types import Address, Digest, PeerKey, Role

T = TypeVar("T")
U = TypeVar("U")

HEAD_AGE_S: Final = 0.25
"""How old a head may be that is given without asking again; a quarter of the dev chain's block time."""
PAGE: Final = 200
SETTLED_BLOCKS: Final = 64
"""Checkpoints that were settled so many blocks ago are not read again: two epochs of Ethereum, past any reorg."""
MAX_CACHED_BLOCKS: Final = 4096


class ChainReader:
    """The chain as seen by one process, for one subnet. `connect` makes it.

    Attributes:
        chain_id: of the chain that answered first; another one at the same URL later is an error.
        base_fee: of the head, in wei per gas.
    """

    def __init__(self, provider: HttpxProvider, registry: Address, subnet_id: int) -> None:
        self.provider = provider
        self.registry = registry
        self.subnet_id = subnet_id
        self.chain_id = 0
        self.base_fee = 0
        self._genesis = b""
        self._lock = trio.Lock()
        self._head: Block | None = None
        self._asked_at = -math.inf
        self._blocks: dict[int, Block] = {}
        self._stale = True
        self._subnet: SubnetRecord | None = None
        self._operators: tuple[OperatorRecord, ...] = ()
        self._settled: list[AnchorRecord] = []
        self._unsettled: list[AnchorRecord] = []

    async def connect(self, chain_id: int | None = None) -> None:
        """Reads chain id, genesis and subnet; raises `ChainError` if the chain is another or lacks the subnet."""
        self.chain_id, self._genesis = await self._identity()
        if chain_id not in (None, self.chain_id):
            raise ChainError(f"chain {self.chain_id} answers at {self.provider.url}, but chain {chain_id} is wanted")
        await self.subnet()

    async def _identity(self) -> tuple[int, bytes]:
        questions = [("eth_chainId", ()), ("eth_getBlockByNumber", ("0x0", False))]
        number, genesis = await self.provider.ask_all(questions)
        return quantity(number), _block(genesis).hash

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.provider.aclose()

    def expire(self) -> None:
        """Makes the next question ask for the head, however young the known one is."""
        self._asked_at = -math.inf

    # -- blocks --------------------------------------------------------------------------------------------------------

    async def head(self) -> Block:
        """The newest block, at most `HEAD_AGE_S` old."""
        async with self._lock:
            return await self._advance()

    async def block(self, number: int) -> Block:
        """A block by number; raises `ChainError` if the chain has none yet."""
        if number not in self._blocks:
            found = await self.provider.ask("eth_getBlockByNumber", hex(number), False)
            if found is None:
                raise ChainError(f"there is no block {number} yet")
            self._remember(_block(found))
        return self._blocks[number]

    def _remember(self, block: Block) -> None:
        self._blocks[block.number] = block
        while len(self._blocks) > MAX_CACHED_BLOCKS:
            self._blocks.pop(next(iter(self._blocks)))

    async def _advance(self) -> Block:
        if self._head is not None and trio.current_time() - self._asked_at < HEAD_AGE_S:
            return self._head
        found = await self.provider.ask("eth_getBlockByNumber", "latest", False)
        head, before = _block(found), self._head
        if head != before:
            await self._check_branch(head, blob(found.get("parentHash")), before)
            self._stale = self._stale or before is None or head.number != before.number + 1 or self._touched(found)
            self._head = head
            self._remember(head)
            self.base_fee = quantity(found.get("baseFeePerGas", "0x0"))
        self._asked_at = trio.current_time()
        return head

    async def _check_branch(self, head: Block, parent: bytes, before: Block | None) -> None:
        """Forgets everything that a reorg may have changed; refuses another chain behind the same URL."""
        known = self._blocks.get(head.number - 1)
        if before is None or (known is not None and known.hash == parent):
            return
        if head.number > before.number + 1:
            again = await self.provider.ask("eth_getBlockByNumber", hex(before.number), False)
            if again is not None and _block(again).hash == before.hash:
                return
        if await self._identity() != (self.chain_id, self._genesis):
            raise ChainError(f"another chain answers at {self.provider.url} than before: was it started anew?")
        self._blocks.clear()
        self._settled.clear()
        self._stale = True

    def _touched(self, block: Mapping[str, Any]) -> bool:
        bloom = BloomFilter(int.from_bytes(blob(block.get("logsBloom")), "big"))
        named = (self.registry, self._subnet.operators, self._subnet.anchor) if self._subnet else (self.registry,)
        return any(bytes(address) in bloom for address in named)

    # -- state ---------------------------------------------------------------------------------------------------------

    async def subnet(self) -> SubnetRecord:
        """The subnet as the registry names it."""
        await self._refresh()
        assert self._subnet is not None
        return self._subnet

    async def operators(self) -> tuple[OperatorRecord, ...]:
        """All stays that were ever recorded, in the order of joining."""
        await self._refresh()
        return self._operators

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        """All checkpoints at or above a height, in the order of their proposals."""
        await self._refresh()
        return tuple(record for record in (*self._settled, *self._unsettled) if record.height >= from_height)

    async def ask(self, view: View[T]) -> T:
        """A contract's answer, not cached; raises `ChainError` with the contract's words."""
        return _decoded(view, (await self._call_all([view]))[0])

    async def _refresh(self) -> None:
        async with self._lock:
            head = await self._advance()
            if not self._stale:
                return
            if self._subnet is None or not self._subnet.opened_block:
                self._subnet = await self._read_subnet()
            await self._read_records(self._subnet, head.number)
            self._stale = False

    async def _read_subnet(self) -> SubnetRecord:
        found = await self.ask(SubnetRegistry(self.registry).subnet(self.subnet_id))
        return SubnetRecord(
            subnet_id=self.subnet_id,
            founder=Address(found.founder),
            params=found.params,
            task=found.task,
            opened_block=found.opened_block,
            operators=Address(found.operators),
            anchor=Address(found.anchor),
        )

    async def _read_records(self, subnet: SubnetRecord, head: int) -> None:
        """Operators and checkpoints in one round trip a page; both lists only ever grow."""
        registry, anchor = OperatorRegistry(subnet.operators), CheckpointAnchor(subnet.anchor)
        operators: list[Operator] = []
        checkpoints: list[Checkpoint] = []
        more = True
        while more:
            first = len(self._settled) + len(checkpoints)
            some, others = await self._ask_pair(
                registry.operators(self.subnet_id, len(operators), PAGE),
                anchor.checkpoints(self.subnet_id, first, PAGE),
            )
            operators += some
            checkpoints += others
            more = max(len(some), len(others)) == PAGE
        self._operators = tuple(_operator(one) for one in operators)
        self._settle([_anchor(one) for one in checkpoints], head)

    def _settle(self, unsettled: list[AnchorRecord], head: int) -> None:
        """Puts aside what can no longer change: final, or passed over by a final one, and old."""
        final = max((one.height for one in unsettled if one.finalised), default=-1)
        while unsettled and unsettled[0].height <= final and unsettled[0].block_number + SETTLED_BLOCKS <= head:
            self._settled.append(unsettled.pop(0))
        self._unsettled = unsettled

    async def _ask_pair(self, one: View[T], other: View[U]) -> tuple[T, U]:
        answers = await self._call_all([one, other])
        return _decoded(one, answers[0]), _decoded(other, answers[1])

    async def _call_all(self, views: Sequence[View[Any]]) -> list[Any]:
        calls = [({"to": f"0x{view.to.hex()}", "data": f"0x{view.data.hex()}"}, "latest") for view in views]
        try:
            return await self.provider.ask_all([("eth_call", call) for call in calls])
        except RpcError as error:
            raise refusal(error) from error


def _decoded(view: View[T], answer: Any) -> T:
    try:
        return view.decode(blob(answer))
    except AbiError as error:
        raise ChainError(f"at 0x{view.to.hex()} stands no contract of 2PM, or an older one: {error}") from error


def _block(found: Any) -> Block:
    if not isinstance(found, dict):
        raise ChainError("the chain sent no block where one was asked for")
    return Block(quantity(found.get("number")), blob(found.get("hash")), quantity(found.get("timestamp")))


def _operator(found: Operator) -> OperatorRecord:
    return OperatorRecord(
        address=Address(found.account),
        peer=PeerKey(found.peer),
        peer_proof=found.peer_proof,
        roles=Role(found.roles),
        stake=found.stake,
        joined_block=found.joined_block,
        left_block=found.left_block,
    )


def _anchor(found: Checkpoint) -> AnchorRecord:
    return AnchorRecord(
        height=found.height,
        header_digest=Digest(found.header),
        parent_digest=Digest(found.parent),
        params_digest=Digest(found.params_digest),
        proposer=Address(found.proposer),
        block_number=found.block_number,
        attested_stake=found.attested_stake,
        finalised=found.is_final,
    )
