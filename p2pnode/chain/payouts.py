"""A subnet's rewards on the chain, as its poster sees them: what came in, and the root by which it is claimed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from contracts.bindings import SubnetRegistry, Transaction
from contracts.dao import ROOT_BYTES, Pot, RewardDistributor
from contracts.reward_tree import RewardTree, reward_leaf
from p2pnode.chain.reader import ChainReader
from p2pnode.ports import Claim
from protocols.types import Address
from protocols.verification.scores import Share

PREPARED: Final = 32
"""With one root at most so many accounts, those that earned most first: each costs the poster 24,000 gas."""
POTS: Final = {Share.VERIFIER: Pot.VERIFIER, Share.COMPUTE: Pot.COMPUTE, Share.DATA: Pot.DATA}


class Payouts:
    """Of one subnet, for one operator."""

    def __init__(
        self,
        reader: ChainReader,
        send: Callable[[Transaction], Awaitable[None]],
        operator: Address,
        rewards: Address,
    ) -> None:
        self._reader, self._send, self._operator = reader, send, operator
        self._rewards = RewardDistributor(rewards)

    async def pots(self) -> Mapping[Share, int] | None:
        """What ever came into each pot; None unless the subnet's founders named this operator as who posts."""
        subnet_id = self._reader.subnet_id
        economics = await self._reader.ask(SubnetRegistry(self._reader.registry).economics_of(subnet_id))
        if economics.poster != self._operator:
            return None
        found = {}
        for share, pot in POTS.items():
            found[share], _ = await self._reader.ask(self._rewards.balance_of(subnet_id, pot))
        return found

    async def post(self, totals: Mapping[tuple[Share, Address], int]) -> tuple[Claim, ...]:
        """Posts what everybody has earned in all, unless the newest root says just that; how each claims it."""
        subnet_id, where = self._reader.subnet_id, self._rewards.address
        earned = list(totals.items())
        leaves = [
            reward_leaf(self._reader.chain_id, where, subnet_id, POTS[share], account, amount)
            for (share, account), amount in earned
        ]
        tree = RewardTree(leaves)
        count = await self._reader.ask(self._rewards.root_count(subnet_id))
        index = count - 1
        kept = tree.root[:ROOT_BYTES]
        if not count or await self._reader.ask(self._rewards.root_of(subnet_id, index)) != kept:
            await self._prepare(totals)
            await self._send(self._rewards.post_root(subnet_id, tree.root))
            index = count
        return tuple(
            Claim(account, POTS[share].name.lower(), amount, index, tuple(tree.proof(position)))
            for position, ((share, account), amount) in enumerate(earned)
        )

    async def _prepare(self, totals: Mapping[tuple[Share, Address], int]) -> None:
        """Makes the first claims of who earned for the first time as cheap as later ones (decision 0028)."""
        subnet_id = self._reader.subnet_id
        new: dict[Pot, list[bytes]] = {}
        left = PREPARED
        for share, account in sorted(totals, key=lambda one: (-totals[one], one[0].value, one[1])):
            pot = POTS[share]
            if left and not await self._reader.ask(self._rewards.is_prepared(subnet_id, pot, account)):
                new.setdefault(pot, []).append(account)
                left -= 1
        for pot, accounts in new.items():
            await self._send(self._rewards.prepare(subnet_id, pot, accounts))
