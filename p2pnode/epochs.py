"""Which block an epoch follows from, and the view that it gives. Everybody computes the same from the same chain.

Epoch 0 follows from the block after the one in which the subnet was opened. Epoch e follows from the block after the
one in which a checkpoint of the second half of epoch e-1 first had its quorum; where none had within `epoch_timeout_s`
of epoch e-1's own block, from the first block behind that time. The block comes before the border: nobody waits.
"""

from __future__ import annotations

from functools import lru_cache

from p2pnode.chain.roles import active, verify_binding
from p2pnode.ports import Block, Chain, OperatorRecord, SubnetRecord
from protocols.params import Params
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.types import Address, PeerKey, Role

DRAWS_KEPT = 8
"""A view of hundreds of peers takes 50 kB and 10 ms: nodes of one process that came to the same roster share one."""


@lru_cache(maxsize=DRAWS_KEPT)
def _drawn(
    chain_id: int,
    subnet: int,
    epoch: int,
    block_hash: bytes,
    params: Params,
    roster: tuple[tuple[PeerKey, Role, Address], ...],
) -> EpochView:
    roles = [(peer, role) for peer, role, _ in roster]
    accounts = {peer: account for peer, _, account in roster}
    return draw_epoch(chain_id, subnet, epoch, block_hash, params, roles, accounts)


class Epochs:
    """Views of epochs, computed on demand."""

    def __init__(self, chain: Chain, subnet: SubnetRecord, params: Params) -> None:
        self._chain, self._subnet, self._params = chain, subnet, params
        self._beacons: dict[int, Block] = {}
        self._bound: dict[tuple[Address, PeerKey, bytes], bool] = {}

    async def view(self, epoch: int) -> EpochView | None:
        """The epoch's view, or None while the chain has not settled it.

        Raises:
            LocalError: too few operators are registered for a committee or a cell.
        """
        beacon = await self._beacon(epoch)
        if beacon is None:
            return None
        subnet = self._subnet
        bound = [
            record
            for record in await self._chain.operators()
            if active(record, beacon.number) and self._is_bound(record)
        ]
        # The chain lets a key be named twice; operators stand in the order of joining, and the first has it.
        first: dict[PeerKey, OperatorRecord] = {}
        for record in bound:
            first.setdefault(record.peer, record)
        roster = tuple((peer, record.roles, record.address) for peer, record in first.items())
        return _drawn(self._chain.chain_id, subnet.subnet_id, epoch, beacon.hash, self._params, roster)

    def _is_bound(self, record: OperatorRecord) -> bool:
        """Whether the stay's binding holds; checked once for all epochs."""
        stay = record.address, record.peer, record.peer_proof
        if stay not in self._bound:
            subnet = self._subnet
            self._bound[stay] = verify_binding(record, self._chain.chain_id, subnet.operators, subnet.subnet_id)
        return self._bound[stay]

    async def _beacon(self, epoch: int) -> Block | None:
        for earlier in range(max(self._beacons, default=-1) + 1, epoch):  # each follows from the one before
            if await self._settle(earlier) is None:
                return None
        return await self._settle(epoch)

    async def _settle(self, epoch: int) -> Block | None:
        if epoch in self._beacons:
            return self._beacons[epoch]
        number = await self._beacon_number(epoch)
        head = await self._chain.head()
        if number is None or number + self._params.confirmations > head.number:
            return None
        self._beacons[epoch] = await self._chain.block(number)
        return self._beacons[epoch]

    async def _beacon_number(self, epoch: int) -> int | None:
        if epoch == 0:
            opened = (await self._chain.subnet()).opened_block
            return opened + 1 if opened else None
        length = self._params.rounds_per_epoch
        first = (epoch - 1) * length + length // 2
        anchors = await self._chain.anchors(first)
        # What is only proposed may be anything; what two thirds of the validators' stake attested is certified.
        attested = (each.quorum_block for each in anchors if each.height < epoch * length and each.quorum_block)
        anchored = min(attested, default=None)
        timed_out = await self._timeout(epoch - 1, anchored)
        candidates = [number for number in (anchored, timed_out) if number is not None]
        return min(candidates) + 1 if candidates else None

    async def _timeout(self, epoch: int, anchored: int | None) -> int | None:
        """The last block within the epoch's time, if the chain has passed it (and no anchor stands before it)."""
        head = await self._chain.head()
        upper = head if anchored is None else await self._chain.block(anchored)
        begin = self._beacons.get(epoch)
        if begin is None or upper.timestamp < begin.timestamp + self._params.epoch_timeout_s:
            return None
        return await self._last_before(begin.number, upper.number, begin.timestamp + self._params.epoch_timeout_s)

    async def _last_before(self, low: int, high: int, time: int) -> int:
        """The last block in [low, high) with a timestamp before `time`, by bisection."""
        while high - low > 1:
            middle = (low + high) // 2
            if (await self._chain.block(middle)).timestamp < time:
                low = middle
            else:
                high = middle
        return low
