"""What a model's users pay, and how the holders of its royalty shares are paid."""

from __future__ import annotations

from typing import Final

from contracts.bindings import SubnetRegistry
from contracts.dao import RoyaltyVault
from p2pnode.chain.plans import allow
from p2pnode.chain.wallet import Places, Step, Wallet, shown
from protocols.errors import LocalError

ALL_BPS: Final = 10_000


async def pay(wallet: Wallet, places: Places, subnet: int, amount: int) -> list[Step]:
    """Pays a fee in $2PM for the use of a subnet's model.

    Raises:
        LocalError: the subnet takes no fees, or the account holds less.
    """
    registry, royalties = SubnetRegistry(places["subnets"]), RoyaltyVault(places["royalties"])
    economics = await wallet.ask(registry.economics_of(subnet))
    parents = await wallet.ask(registry.parents_of(subnet))
    if not await wallet.ask(royalties.balance_of(royalties.address, subnet)) + await wallet.ask(
        royalties.given(subnet)
    ):
        raise LocalError(f"subnet {subnet} takes no fees: it has no royalty shares, which only the DAO's subnets have")
    to_rewards = amount * economics.reward_bps // ALL_BPS
    rest, share = amount - to_rewards, sum(one.bps for one in parents)
    words = (
        f"pay {shown(amount)} $2PM for the use of subnet {subnet}'s model: {shown(to_rewards)} to those who work for"
        f" it, {shown(rest)} to holders of its royalty shares"
    )
    if parents:
        names = ", ".join(f"subnet {one.subnet_id}" for one in parents)
        words += f", of which about {shown(rest * share // ALL_BPS)} to those of its parents ({names})"
    return [*await allow(wallet, places, royalties.address, amount), Step(words, royalties.pay(subnet, amount))]
