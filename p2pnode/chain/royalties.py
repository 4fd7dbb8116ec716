"""What a model's users pay, and how backers and contributors come by their royalty shares and dividends."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from contracts.bindings import SubnetRegistry
from contracts.dao import RoyaltyVault, SubnetGovernor
from p2pnode.chain.plans import allow, read_proofs
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
    if not await _minted(wallet, royalties, subnet):
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


async def status(wallet: Wallet, places: Places, subnet: int) -> dict[str, object]:
    """A subnet's royalty shares, and this account's, for people."""
    royalties = RoyaltyVault(places["royalties"])
    await wallet.ask(SubnetRegistry(places["subnets"]).subnet(subnet))  # or it says that there is none
    minted = await _minted(wallet, royalties, subnet)
    granted = await wallet.ask(royalties.granted(subnet))
    mine = await wallet.ask(royalties.balance_of(wallet.address, subnet))
    return {
        "account": f"0x{wallet.address.hex()}",
        "your_shares": shown(mine),
        "of_all_that_earn": f"{100 * mine / granted:.4g} %" if granted else "none earn yet",
        "dividends_due_to_you_$2PM": shown(await wallet.ask(royalties.dividend_of(subnet, wallet.address))),
        "shares": shown(minted),
        "earn": shown(granted),
        "claimed": shown(await wallet.ask(royalties.given(subnet))),
        "reserved_for_backers": shown(await wallet.ask(royalties.reserved_of(subnet))),
        "not_granted_yet": shown(minted - granted),
        "fees_to_be_divided_$2PM": shown(await wallet.ask(royalties.waiting(subnet))),
    }


async def claim(wallet: Wallet, places: Places, subnet: int, draft: bytes | None, file: Path | None) -> list[Step]:
    """Claims a backer's shares of its draft, the shares that a file of proofs shows, and dividends.

    The file is JSON, as the subnet's poster publishes it: a list of {account, shares, index, proof}.

    Raises:
        LocalError: the file cannot be read, the draft became another subnet, or nothing is due.
    """
    royalties, me = RoyaltyVault(places["royalties"]), wallet.address
    await wallet.ask(SubnetRegistry(places["subnets"]).subnet(subnet))  # or it says that there is none
    steps = [] if draft is None else await _backing(wallet, places, subnet, draft)
    for shares, index, proof in [] if file is None else read_proofs(file, me, lambda claim: int(claim["shares"])):
        if not await wallet.ask(royalties.was_given(subnet, index, me)):
            words = f"claim {shown(shares)} royalty shares that you contributed for, with what they have earned since"
            steps.append(Step(words, royalties.claim_shares(subnet, me, shares, index, proof)))
    due, mine = await wallet.ask(royalties.dividend_of(subnet, me)), await wallet.ask(royalties.balance_of(me, subnet))
    waiting = await wallet.ask(royalties.waiting(subnet)) if mine else 0
    if due or waiting:
        words = f"claim {shown(due)} $2PM of dividends"
        words += f", and your part of {shown(waiting)} that wait to be divided" if waiting else ""
        steps.append(Step(words, royalties.claim(subnet, me)))
    if not steps:
        raise LocalError(
            f"nothing is due to 0x{me.hex()} in subnet {subnet}; backers name their --draft, contributors the --proofs"
            " that the subnet's poster published"
        )
    return steps


async def _backing(wallet: Wallet, places: Places, subnet: int, draft: bytes) -> list[Step]:
    governor, me = SubnetGovernor(places["governor"]), wallet.address
    known = await wallet.ask(governor.draft(draft))
    if known.subnet_id != subnet:
        became = f"became subnet {known.subnet_id}" if known.subnet_id else "is no subnet yet"
        raise LocalError(f"draft 0x{draft.hex()} {became}, not subnet {subnet}")
    burned = await wallet.ask(governor.backing_of(draft, me))
    if not burned:
        return []
    part = f"{shown(burned)} of {shown(known.backed)} $DMP that were burned for it"
    words = f"claim the backer's royalty shares of subnet {subnet} for {part}, with what they have earned since"
    return [Step(words, governor.claim_backer_shares(draft, me))]


async def _minted(wallet: Wallet, royalties: RoyaltyVault, subnet: int) -> int:
    """All shares of a subnet, those in the vault and those of holders; 0 if it has none."""
    held = await wallet.ask(royalties.balance_of(royalties.address, subnet))
    return held + await wallet.ask(royalties.given(subnet))
