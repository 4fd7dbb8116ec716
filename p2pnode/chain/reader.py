"""Reads one subnet's state for all nodes of a process: one poll of the head serves them all.

Operators and checkpoints are read again, each when asked for, only if a new block's logs bloom names their contract:
all their changes emit events.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import trio
from eth_bloom.bloom import BloomFilter

from contracts.abi import AbiError
from contracts.bindings import CheckpointAnchor, Operator, OperatorRegistry, SubnetRegistry, View
from contracts.events import OperatorRegistered, event
from p2pnode.chain.checkpoints import CheckpointLog
from p2pnode.chain.provider import HttpxProvider, RpcError, blob, quantity
from p2pnode.chain.sender import refusal
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Block, OperatorRecord, SubnetRecord
from protocols.types import Address, PeerKey, Role

T = TypeVar("T")

HEAD_AGE_S: Final = 0.25
"""How old a head may be that is given without asking again; a quarter of the dev chain's block time."""
PAGE: Final = 200
LOG_BLOCKS: Final = 2000
"""So many blocks' logs are asked for at once."""
MISSED_BLOCKS: Final = 16
"""So many blocks that came between two polls are looked at one by one; after more, everything is read again."""
MAX_CACHED_BLOCKS: Final = 4096


class ChainReader:
    """The chain as seen by one process, for one subnet. `connect` makes it.

    Attributes:
        chain_id: of the chain that answered first; another one at the same URL later is an error.
        base_fee: of the head, in wei per gas.
        reorgs: how often what had been read was rolled back.
        on_reorg: what is to be done then, before anybody reads on; it must not ask this reader.
        on_head: the same with each new head.
    """

    def __init__(self, provider: HttpxProvider, registry: Address, subnet_id: int) -> None:
        self.provider = provider
        self.registry = registry
        self.subnet_id = subnet_id
        self.chain_id = 0
        self.base_fee = 0
        self.reorgs = 0
        self.on_reorg: list[Callable[[], Awaitable[None]]] = []
        self.on_head: list[Callable[[], Awaitable[None]]] = []
        self._genesis = b""
        self._lock = trio.Lock()
        self._head: Block | None = None
        self._asked_at = -math.inf
        self._blocks: dict[int, Block] = {}
        self._operators_stale = self._logs_stale = True
        self._subnet_at = -1
        self._subnet: SubnetRecord | None = None
        self._operators: tuple[OperatorRecord, ...] = ()
        self._operators_at = -1  # the block up to which they are known
        self._attestation: Address | None = None
        self._log = CheckpointLog(subnet_id)
        self._scanned = 0

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
            await self._look_at(found, head.number, before)
            for look in self.on_head:
                await look()
            self._head = head
            self._remember(head)
            self.base_fee = quantity(found.get("baseFeePerGas", "0x0"))
        self._asked_at = trio.current_time()
        return head

    async def _check_branch(self, head: Block, parent: bytes, before: Block | None) -> None:
        """Forgets everything that a reorg may have changed; refuses another chain behind the same URL."""
        if before is None or (head.number == before.number + 1 and parent == before.hash):
            return
        if head.number > before.number + 1:
            again = await self.provider.ask("eth_getBlockByNumber", hex(before.number), False)
            if again is not None and _block(again).hash == before.hash:
                return
        if await self._identity() != (self.chain_id, self._genesis):
            raise ChainError(f"another chain answers at {self.provider.url} than before: was it started anew?")
        self._blocks.clear()
        self._log, self._scanned = CheckpointLog(self.subnet_id), 0
        self._subnet, self._subnet_at, self._attestation = None, -1, None
        self._operators_at = -1
        self._operators_stale = self._logs_stale = True
        self.reorgs += 1
        for send_again in self.on_reorg:
            await send_again()

    async def _look_at(self, newest: Mapping[str, Any], number: int, before: Block | None) -> None:
        """Which of what we know may have changed in the blocks since the last look."""
        if before is None or not before.number < number <= before.number + MISSED_BLOCKS:
            self._operators_stale = self._logs_stale = True
            return
        missed = [("eth_getBlockByNumber", (hex(each), False)) for each in range(before.number + 1, number)]
        for block in [newest, *(await self.provider.ask_all(missed) if missed else ())]:
            bloom = BloomFilter(int.from_bytes(blob((block or {}).get("logsBloom")), "big"))
            subnet = self._subnet
            registries = (self.registry, subnet.operators) if subnet else (self.registry,)
            votes = (subnet.anchor, self._attestation or subnet.anchor) if subnet else ()
            self._operators_stale |= any(bytes(address) in bloom for address in registries)
            self._logs_stale |= any(bytes(address) in bloom for address in (*registries, *votes))

    # -- state ---------------------------------------------------------------------------------------------------------

    async def subnet(self) -> SubnetRecord:
        """The subnet as the registry names it."""
        async with self._lock:
            return await self._know_subnet(await self._advance())

    async def operators(self) -> tuple[OperatorRecord, ...]:
        """All stays that were ever recorded, in the order of joining."""
        async with self._lock:
            head = await self._advance()
            subnet = await self._know_subnet(head)
            if self._operators_stale:
                await self._read_operators(subnet, head.number)
                self._operators_stale = False
            return self._operators

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        """All checkpoints at or above a height, in the order of their proposals."""
        records = (await self.checkpoints()).records.values()
        return tuple(record for record in records if record.height >= from_height)

    async def checkpoints(self) -> CheckpointLog:
        """All that the logs say of checkpoints; it changes as blocks come."""
        async with self._lock:
            head = await self._advance()
            subnet = await self._know_subnet(head)
            if self._logs_stale:
                await self._read_logs(subnet, head.number)
                self._logs_stale = False
            return self._log

    async def attestation(self) -> Address:
        """Where the validators vote."""
        if self._attestation is None:
            anchor = CheckpointAnchor((await self.subnet()).anchor)
            self._attestation = Address(await self.ask(anchor.attestation()))
        return self._attestation

    async def ask(self, view: View[T]) -> T:
        """A contract's answer, not cached; raises `ChainError` with the contract's words."""
        return _decoded(view, (await self._call_all([view]))[0])

    async def _know_subnet(self, head: Block) -> SubnetRecord:
        """Read in each block until it is opened: nothing of it changes then."""
        if self._subnet is None or (not self._subnet.opened_block and self._subnet_at != head.number):
            self._subnet, self._subnet_at = await self._read_subnet(), head.number
        return self._subnet

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

    async def _read_operators(self, subnet: SubnetRecord, head: int) -> None:
        """All pages of a list that only ever grows; where nothing but new stays came, the new ones."""
        registry = OperatorRegistry(subnet.operators)
        known = list(self._operators) if await self._only_joined(subnet, head) else []
        while True:
            page = await self.ask(registry.operators(self.subnet_id, len(known), PAGE))
            known += map(_operator, page)
            if len(page) < PAGE:
                break
        self._operators, self._operators_at = tuple(known), head

    async def _only_joined(self, subnet: SubnetRecord, head: int) -> bool:
        """Whether the known stays are as they were, by what the registry has said since."""
        if self._operators_at < 0 or head - self._operators_at > LOG_BLOCKS:
            return False
        if head == self._operators_at:
            return True
        said = await self._logs((subnet.operators,), self._operators_at + 1, head)
        found = [event([blob(topic) for topic in log["topics"]], blob(log["data"])) for log in said]
        return all(isinstance(each, OperatorRegistered) for each in found)

    async def _read_logs(self, subnet: SubnetRecord, head: int) -> None:
        """Checkpoints from the logs of the blocks since the last look; nothing happens before the subnet opens."""
        if not subnet.opened_block:
            return
        if self._attestation is None:
            self._attestation = Address(await self.ask(CheckpointAnchor(subnet.anchor).attestation()))
        first = max(self._scanned + 1, subnet.opened_block)
        while first <= head:
            last = min(first + LOG_BLOCKS - 1, head)
            for found in await self._logs((subnet.anchor, self._attestation), first, last):
                topics = [blob(topic) for topic in found["topics"]]
                said = event(topics, blob(found["data"]))
                if said is not None:
                    self._log.apply(said, await self.block(quantity(found["blockNumber"])))
            self._scanned, first = last, last + 1

    async def _logs(self, contracts: Sequence[Address], first: int, last: int) -> list[Any]:
        """This subnet's logs; its number is the first topic of each."""
        wanted = {
            "address": [f"0x{one.hex()}" for one in contracts],
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [None, f"0x{self.subnet_id:064x}"],
        }
        found = await self.provider.ask("eth_getLogs", wanted)
        return found if isinstance(found, list) else []

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
