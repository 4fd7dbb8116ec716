"""A subnet's royalty shares as its poster grants them to contributors: a root for each epoch, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from contracts.bindings import SubnetRegistry, Transaction
from contracts.dao import ROOT_BYTES, RoyaltyVault
from contracts.reward_tree import RewardTree, share_leaf
from p2pnode.chain.reader import ChainReader
from p2pnode.errors import ChainError
from p2pnode.ports import ShareClaim
from protocols.types import Address
from protocols.verification.royalties import Grant


class Grants:
    """Of one subnet, for one operator."""

    def __init__(
        self,
        reader: ChainReader,
        send: Callable[[Transaction], Awaitable[None]],
        operator: Address,
        royalties: Address,
    ) -> None:
        self._reader, self._send, self._operator = reader, send, operator
        self._vault = RoyaltyVault(royalties)

    async def left(self) -> int | None:
        """Shares that nobody was granted yet; None unless this operator posts for a subnet that has shares."""
        subnet_id = self._reader.subnet_id
        economics = await self._reader.ask(SubnetRegistry(self._reader.registry).economics_of(subnet_id))
        if economics.poster != self._operator:
            return None
        held = await self._reader.ask(self._vault.balance_of(self._vault.address, subnet_id))
        given = await self._reader.ask(self._vault.given(subnet_id))
        granted = await self._reader.ask(self._vault.granted(subnet_id))
        return held + given - granted if held + given else None

    async def count(self) -> int:
        """How many roots were posted."""
        return await self._reader.ask(self._vault.root_count(self._reader.subnet_id))

    async def post(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        """Posts those of an operator's grants that the chain has not; how each share is claimed.

        Args:
            grants: all of these books, of which the first has root `base`.

        Raises:
            ChainError: the chain has roots that are not of these books, or the contract refuses.
        """
        subnet_id, trees = self._reader.subnet_id, [self._tree(each) for each in grants]
        posted = await self.count()
        if posted > base + len(trees):
            raise ChainError(f"{posted} roots of shares were posted, and these books know of {base + len(trees)}")
        if posted > base:
            newest = await self._reader.ask(self._vault.root_of(subnet_id, posted - 1))
            if newest != trees[posted - base - 1].root[:ROOT_BYTES]:
                raise ChainError(f"root {posted - 1} of shares is not the one in these books")
        for grant, tree in zip(grants[posted - base :], trees[posted - base :], strict=True):
            await self._send(self._vault.grant(subnet_id, tree.root, grant.total))
        return tuple(
            ShareClaim(account, shares, base + index, tuple(tree.proof(position)))
            for index, (grant, tree) in enumerate(zip(grants, trees, strict=True))
            for position, (account, shares) in enumerate(grant.shares)
        )

    def _tree(self, grant: Grant) -> RewardTree:
        chain_id, where, subnet_id = self._reader.chain_id, self._vault.address, self._reader.subnet_id
        return RewardTree([share_leaf(chain_id, where, subnet_id, account, shares) for account, shares in grant.shares])
