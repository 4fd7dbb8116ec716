"""What people do with stake, subnets, rewards and the DAO: the steps of each, in words and as transactions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any, TypeVar

from eth_utils.crypto import keccak

from contracts.bindings import SubnetRegistry
from contracts.dao import DMPToken, Pot, RewardDistributor, RoyaltyVault, SubnetGovernor, TwoPMToken, Vote
from contracts.economy import StakeVault
from contracts.terms import Economics, Parent, Terms, Windows
from p2pnode.chain.wallet import UNIT, Places, Step, Wallet, shown
from p2pnode.files import explained
from protocols.errors import LocalError

T = TypeVar("T")


def amount_of(text: str) -> int:
    """An amount of coins or tokens, as people write it, in the smallest unit; raises `LocalError`."""
    with localcontext(prec=100):  # exact for all that 256 bits hold
        try:
            value = Decimal(text) * UNIT
        except InvalidOperation as error:
            raise LocalError(f"{text!r} is no amount; write it like 1.5") from error
    if not value.is_finite() or value <= 0 or value != int(value):
        raise LocalError(f"{text!r} is no amount: it must be more than 0 and have at most 18 decimals")
    return int(value)


def hex_of(text: str, length: int, what: str) -> bytes:
    """Bytes that a person wrote in hex; raises `LocalError`."""
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != length:
        raise LocalError(f"{text!r} is no {what}: 0x and {2 * length} hex digits are needed")
    return value


# -- stake -------------------------------------------------------------------------------------------------------------


async def stake(wallet: Wallet, places: Places, operator: bytes, amount: int, *, token: bool) -> list[Step]:
    """Stakes with an operator, in $2PM or in the chain's coin."""
    who = "your operator" if operator == wallet.address else f"operator 0x{operator.hex()}"
    if operator != wallet.address and not await _has_stake(wallet, places, operator):
        who += ", with whom nobody has staked yet"
    if not token:
        deposit = StakeVault(places["vault"]).deposit(operator, wallet.address, amount, value=amount)
        return [Step(f"stake {shown(amount)} coins with {who}; they can be slashed with it", deposit)]
    vault = StakeVault(places["token_vault"])
    deposit = vault.deposit(operator, wallet.address, amount)
    allowed = await allow(wallet, places, vault.address, amount)
    return [*allowed, Step(f"stake {shown(amount)} $2PM with {who}; they can be slashed with it", deposit)]


async def leave_stake(wallet: Wallet, places: Places, operator: bytes, *, token: bool) -> list[Step]:
    """Asks all stake with an operator back, and takes what is due."""
    vault, now = StakeVault(places["token_vault" if token else "vault"]), await wallet.now()
    seconds = await wallet.ask(vault.epoch_seconds())
    steps, waiting = [], []
    for epoch in await wallet.ask(vault.exit_epochs(operator, wallet.address)):
        worth = await wallet.ask(vault.exit_of(operator, epoch, wallet.address))
        left = (epoch + 1) * seconds - now
        if worth and left > 0:
            waiting.append(f"{shown(worth)} that you asked back are due in {left} s")
        elif worth:
            words = f"take {shown(worth)} that you asked back and that is due"
            steps.append(Step(words, vault.claim(operator, epoch, wallet.address)))
    shares, worth = await wallet.ask(vault.stake_of(operator, wallet.address))
    if worth:
        words = f"ask {shown(worth)} back; it can be slashed until it is due, in {seconds} to {2 * seconds} s"
        steps.append(Step(words, vault.request_exit(operator, shares)))
    if not steps:
        raise LocalError("; ".join(waiting) or f"nothing of yours is staked with 0x{operator.hex()}, or due")
    return steps


async def _has_stake(wallet: Wallet, places: Places, operator: bytes) -> bool:
    vaults = (StakeVault(places[name]) for name in ("vault", "token_vault") if places.get(name) is not None)
    staked = [await wallet.ask(vault.staked(operator)) for vault in vaults]
    return any(staked)


# -- the DAO -----------------------------------------------------------------------------------------------------------


async def join_dao(wallet: Wallet, places: Places, amount: int) -> list[Step]:
    """Stakes $2PM into the treasury for votes."""
    dmp = DMPToken(places["dmp"])
    words = f"stake {shown(amount)} $2PM into the DAO's treasury for as many votes ($DMP, not transferable)"
    return [*await allow(wallet, places, dmp.address, amount), Step(words, dmp.stake(amount))]


async def unstake(wallet: Wallet, places: Places, amount: int) -> list[Step]:
    """Gives votes up for the $2PM that was staked for them, which waits for the DAO's exit delay."""
    dmp = DMPToken(places["dmp"])
    held = await wallet.ask(dmp.balance_of(wallet.address))
    if held < amount:
        raise LocalError(
            f"account 0x{wallet.address.hex()} holds {shown(held)} $DMP, less than {shown(amount)}; what backed a"
            " subnet is burned and cannot be asked back"
        )
    delay = await wallet.ask(dmp.exit_delay())
    given = f"{shown(amount)} of your {shown(held)} $DMP, and their votes at once"
    words = f"give up {given}, for as many $2PM, due in {delay} s"
    return [Step(words, dmp.request_exit(amount))]


async def leave_dao(wallet: Wallet, places: Places) -> list[Step]:
    """Takes all $2PM that was asked back of the DAO and is due; raises `LocalError` if there is none."""
    dmp, now = DMPToken(places["dmp"]), await wallet.now()
    steps, waiting = [], []
    exits = await wallet.ask(dmp.exits(wallet.address))
    for index, leaving in enumerate(exits):
        if leaving.claimable_at > now:
            waiting.append(f"{shown(leaving.amount)} that you asked back are due in {leaving.claimable_at - now} s")
        elif leaving.claimable_at:
            words = f"take {shown(leaving.amount)} $2PM that you asked back and that are due"
            steps.append(Step(words, dmp.claim_exit(index)))
    if not steps:
        raise LocalError("; ".join(waiting) or "you have asked nothing back of the DAO: `p2pnode dao unstake` does")
    return steps


async def delegate_votes(wallet: Wallet, places: Places, to: bytes) -> list[Step]:
    """Lets another account vote with one's votes; they stay one's own."""
    votes = await wallet.ask(DMPToken(places["dmp"]).balance_of(wallet.address))
    return [Step(f"let 0x{to.hex()} vote with your {shown(votes)} votes", DMPToken(places["dmp"]).delegate(to))]


async def dao_status(wallet: Wallet, places: Places) -> dict[str, object]:
    """What the DAO is and what this account is in it, for people."""
    dmp = DMPToken(places["dmp"])
    mine, own = wallet.address, TwoPMToken(places["token"])
    unpaid = [one for one in await wallet.ask(dmp.exits(mine)) if one.claimable_at]
    now = await wallet.now()
    due = sum(one.amount for one in unpaid if one.claimable_at <= now)
    votes_by = await wallet.ask(dmp.delegate_of(mine))
    return {
        "account": f"0x{mine.hex()}",
        "coins": shown(await wallet.balance()),
        "$2PM": shown(await wallet.ask(own.balance_of(mine))),
        "$DMP": shown(await wallet.ask(dmp.balance_of(mine))),
        "votes (own and delegated)": shown(await wallet.ask(dmp.votes_of(mine))),
        "your votes are cast by": f"0x{votes_by.hex()}" if any(votes_by) else "nobody yet",
        "asked back, not due yet": shown(sum(one.amount for one in unpaid) - due),
        "asked back and due": shown(due),
        "$DMP of all": shown(await wallet.ask(dmp.total_supply())),
        "staked by all": shown(await wallet.ask(dmp.staked())),
        "leaving": shown(await wallet.ask(dmp.queued())),
        "burned for subnets": shown(await wallet.ask(dmp.burned())),
    }


# -- subnets -----------------------------------------------------------------------------------------------------------


def terms_of(file: Path, places: Places, founder: bytes) -> tuple[bytes, Terms]:
    """The salt and the terms of a draft, from a JSON file; what is left out has its default.

    Fields: params, task (hex), model, schema, salt (hex, 32 bytes), windows, economics, parents (contracts/terms.py).

    Raises:
        LocalError: the file cannot be read or says something else.
    """
    with explained("read", file):
        content = file.read_bytes()
    try:
        said: Mapping[str, Any] = json.loads(content)
        economics = dict(said.get("economics", {}))
        poster = hex_of(str(economics.pop("poster", f"0x{founder.hex()}")), 20, "address")
        terms = Terms(
            hex_of(str(said.get("founder", f"0x{founder.hex()}")), 20, "address"),
            places["operators"],
            places["anchor"],
            bytes.fromhex(said["params"]),
            bytes.fromhex(said.get("task", "")),
            hex_of(said.get("model", "00" * 32), 32, "digest"),
            hex_of(said.get("schema", "00" * 32), 32, "digest"),
            Windows(**said.get("windows", {})),
            Economics(poster=poster, **economics),
            tuple(Parent(**parent) for parent in said.get("parents", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalError(f"{file} is no draft of a subnet: {error!r}") from error
    return hex_of(str(said.get("salt", "00" * 32)), 32, "salt"), terms


async def propose(wallet: Wallet, places: Places, file: Path) -> list[Step]:
    """Drafts a subnet."""
    salt, terms = terms_of(file, places, wallet.address)
    governor = SubnetGovernor(places["governor"])
    draft = await wallet.ask(governor.draft_id_of(salt, terms))
    needed = shown(await wallet.ask(governor.backing_needed()))
    words = f"draft the subnet of {file} as 0x{draft.hex()}; its vote needs {needed} $DMP of backing"
    return [Step(words, governor.propose_subnet(salt, terms))]


async def back(wallet: Wallet, places: Places, draft: bytes, amount: int) -> list[Step]:
    """Burns $DMP for a draft."""
    governor = SubnetGovernor(places["governor"])
    known = await wallet.ask(governor.draft(draft))
    words = (
        f"BURN {shown(amount)} of your $DMP for draft 0x{draft.hex()}, which has {shown(known.backed)}; they are gone"
        " even if the vote is lost, and bring royalty shares if it is won"
    )
    return [Step(words, governor.back(draft, amount))]


async def vote(wallet: Wallet, places: Places, proposal: int, choice: Vote) -> list[Step]:
    """Votes on a proposal."""
    governor = SubnetGovernor(places["governor"])
    state = await wallet.ask(governor.state(proposal))
    words = f"vote {choice.name.lower()} on proposal {proposal} ({state}); a vote cannot be changed"
    return [Step(words, governor.cast_vote(proposal, choice))]


async def advance(wallet: Wallet, places: Places, file: Path) -> list[Step]:
    """The next step of a drafted subnet, whichever it is: to the vote, into the timelock, founded, opened."""
    salt, terms = terms_of(file, places, wallet.address)
    governor = SubnetGovernor(places["governor"])
    draft = await wallet.ask(governor.draft(await wallet.ask(governor.draft_id_of(salt, terms))))
    if draft.subnet_id:
        return [await _opening(wallet, places, draft.subnet_id)]
    if not draft.proposal_id:
        return [Step("put the draft to the vote", governor.submit(salt, terms))]
    action = await wallet.ask(governor.action_of(salt, terms))
    state, words = await wallet.ask(governor.state(draft.proposal_id)), keccak(text=action.description)
    if state == "succeeded":
        return [Step("the vote is won: put it into the timelock", governor.queue(action, words))]
    if state == "queued":
        return [Step("found the subnet", governor.execute(action, words))]
    raise LocalError(f"proposal {draft.proposal_id} is {state}: there is nothing to do for it now")


async def _opening(wallet: Wallet, places: Places, number: int) -> Step:
    """Its founder opens a founded subnet; raises `LocalError` for others, and if it is open."""
    registry = SubnetRegistry(places["subnets"])
    found = await wallet.ask(registry.subnet(number))
    if found.opened_block:
        raise LocalError(f"subnet {number} is founded and open: there is nothing more to do")
    if found.founder != wallet.address:
        raise LocalError(f"subnet {number} is founded; its founder 0x{found.founder.hex()} opens it")
    return Step(f"open subnet {number} for good: its first epoch follows from the block", registry.open(number))


async def subnet_rows(wallet: Wallet, places: Places) -> list[dict[str, object]]:
    """All subnets, for people."""
    registry = SubnetRegistry(places["subnets"])
    rows = []
    for number in range(1, await wallet.ask(registry.subnet_count()) + 1):
        found = await wallet.ask(registry.subnet(number))
        opened = f"since block {found.opened_block}" if found.opened_block else "not yet"
        rows.append({"subnet": number, "founder": f"0x{found.founder.hex()}", "open": opened})
    return rows


async def subnet_facts(wallet: Wallet, places: Places, number: int) -> dict[str, object]:
    """One subnet, for people."""
    registry = SubnetRegistry(places["subnets"])
    found = await wallet.ask(registry.subnet(number))
    money = await wallet.ask(registry.economics_of(number))
    windows = await wallet.ask(registry.windows_of(number))
    parents = await wallet.ask(registry.parents_of(number))
    rest = 10_000 - money.verifier_bps - money.dao_bps
    return {
        "subnet": number,
        "founder": f"0x{found.founder.hex()}",
        "opened_in_block": found.opened_block or None,
        "operators": f"0x{found.operators.hex()}",
        "anchor": f"0x{found.anchor.hex()}",
        "model": found.model.hex(),
        "schema": found.schema.hex(),
        "rewards": f"verifiers {money.verifier_bps / 100:g} %, DAO {money.dao_bps / 100:g} %, the other"
        f" {rest / 100:g} % computing power : data = {money.compute_parts} : {money.data_parts}",
        "fees": f"{money.reward_bps / 100:g} % to the rewards, the rest to holders of royalty shares",
        "parents": ", ".join(f"subnet {one.subnet_id} ({one.bps / 100:g} % of the holders' part)" for one in parents)
        or None,
        "windows_s": f"anchor {windows.anchor_seconds}, challenge {windows.challenge_seconds}, "
        f"resolution {windows.resolution_seconds}",
    }


# -- rewards -----------------------------------------------------------------------------------------------------------


async def rewards_status(wallet: Wallet, places: Places, subnet: int) -> dict[str, object]:
    """What this account was paid and may claim of royalties, and what the subnet's pots hold."""
    rewards, royalties = RewardDistributor(places["rewards"]), RoyaltyVault(places["royalties"])
    await wallet.ask(SubnetRegistry(places["subnets"]).subnet(subnet))  # or it says that there is none
    facts: dict[str, object] = {"account": f"0x{wallet.address.hex()}"}
    for pot in Pot:
        funded, claimed = await wallet.ask(rewards.balance_of(subnet, pot))
        facts[f"pot of {pot.name.lower()}"] = f"{shown(funded - claimed)} of {shown(funded)} $2PM left"
        if pot is not Pot.DAO:
            mine = await wallet.ask(rewards.claimed_of(subnet, pot, wallet.address))
            facts[f"paid to you as {pot.name.lower()}"] = shown(mine)
    facts["royalty shares"] = shown(await wallet.ask(royalties.balance_of(wallet.address, subnet)))
    facts["dividends due"] = shown(await wallet.ask(royalties.dividend_of(subnet, wallet.address)))
    return facts


async def claim_rewards(wallet: Wallet, places: Places, subnet: int, file: Path | None) -> list[Step]:
    """Claims dividends, and the rewards that a file of proofs shows.

    The file is JSON, as the subnet's poster publishes it: a list of {account, pot, cumulative, index, proof}.

    Raises:
        LocalError: the file cannot be read, or nothing is due.
    """
    rewards, royalties = RewardDistributor(places["rewards"]), RoyaltyVault(places["royalties"])
    await wallet.ask(SubnetRegistry(places["subnets"]).subnet(subnet))  # or it says that there is none
    steps = []
    for (pot, cumulative), index, proof in [] if file is None else read_proofs(file, wallet.address, _reward):
        before = await wallet.ask(rewards.claimed_of(subnet, pot, wallet.address))
        if cumulative > before:
            words = f"claim {shown(cumulative - before)} $2PM that you earned as {pot.name.lower()}"
            steps.append(Step(words, rewards.claim(subnet, pot, wallet.address, cumulative, index, proof)))
    due = await wallet.ask(royalties.dividend_of(subnet, wallet.address))
    if due:
        steps.append(Step(f"claim {shown(due)} $2PM of dividends", royalties.claim(subnet, wallet.address)))
    if not steps:
        raise LocalError(f"nothing is due to 0x{wallet.address.hex()} in subnet {subnet}")
    return steps


def read_proofs(file: Path, account: bytes, read: Callable[[Mapping[str, Any]], T]) -> list[tuple[T, int, list[bytes]]]:
    """What a poster's file (paymaster.py, shares.py) holds for an account: what `read` makes of each claim, the root's
    index, and the proof's nodes.

    Raises:
        LocalError: the file cannot be read, or is none of a poster's.
    """
    with explained("read", file):
        content = file.read_bytes()
    try:
        said = json.loads(content)
        if not isinstance(said, list):
            raise TypeError("it is no list")
        mine = [one for one in said if hex_of(str(one["account"]), 20, "address") == account]
        return [
            (read(one), int(one["index"]), [hex_of(str(node), 32, "hash") for node in one["proof"]]) for one in mine
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(f"{file} is no list of proofs: {error!r}") from error


def _reward(claim: Mapping[str, Any]) -> tuple[Pot, int]:
    return Pot[str(claim["pot"]).upper()], int(claim["cumulative"])


async def allow(wallet: Wallet, places: Places, spender: bytes, amount: int) -> list[Step]:
    """The approval that a transfer of $2PM needs, unless there is one; raises `LocalError` if there is too little."""
    token = TwoPMToken(places["token"])
    held = await wallet.ask(token.balance_of(wallet.address))
    if held < amount:
        raise LocalError(f"account 0x{wallet.address.hex()} holds {shown(held)} $2PM, less than {shown(amount)}")
    if await wallet.ask(token.allowance(wallet.address, spender)) >= amount:
        return []
    return [Step(f"let 0x{spender.hex()} take {shown(amount)} $2PM", token.approve(spender, amount))]
