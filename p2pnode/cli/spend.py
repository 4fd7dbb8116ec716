"""Before money moves: what will be done, what it costs, and a question."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import trio
import typer

from p2pnode.chain.wallet import Places, Step, Wallet, open_wallet, shown
from p2pnode.cli.options import unlocked
from p2pnode.cli.status import table
from p2pnode.errors import ChainError
from p2pnode.identity import Identity
from p2pnode.settings import NodeSettings
from protocols.errors import LocalError

AMOUNTS: Final = frozenset({"amount", "assets", "backed", "shares", "weight"})
"""Fields of events in the smallest unit, which people read in whole coins or tokens."""
Plan = Callable[[Wallet, Places], Awaitable[list[Step]]]
Question = Callable[[Wallet, Places], Awaitable[Any]]


def carry_out(settings: NodeSettings, deployment: Path, yes: bool, plan: Plan) -> None:
    """Shows the steps of a plan, asks, and carries them out one by one.

    Raises:
        LocalError: nobody is there to be asked and `yes` was not said.
        ChainError: the chain does not answer, or a contract refuses, in its words.
    """
    places, identity = Places(deployment), unlocked(settings)

    async def act() -> None:
        async with _wallet(settings, identity, places) as wallet:
            steps = await plan(wallet, places)
            await approve(wallet, steps, yes=yes)
            for number, step in enumerate(steps, 1):
                events = await wallet.carry_out(step)
                typer.echo(f"step {number} of {len(steps)} done{''.join(f'; {_told(event)}' for event in events)}")

    trio.run(act)


def show(settings: NodeSettings, deployment: Path, question: Question, *, as_json: bool = False) -> None:
    """Prints what a question finds: a table, or one for each of several; or all of it as JSON."""
    places, identity = Places(deployment), unlocked(settings)

    async def act() -> None:
        async with _wallet(settings, identity, places) as wallet:
            found = await question(wallet, places)
            tables = [found] if isinstance(found, dict) else found
            if as_json:
                typer.echo(json.dumps(found, indent=2))
            else:
                typer.echo("\n\n".join(table(one) for one in tables) or "none yet")

    trio.run(act)


def _wallet(settings: NodeSettings, identity: Identity, places: Places) -> AbstractAsyncContextManager[Wallet]:
    return open_wallet(settings.need("chain"), identity.operator_key, places.chain_id, places.genesis)


async def approve(wallet: Wallet, steps: list[Step], *, yes: bool) -> None:
    """Tells what will be done and what it costs, and asks; raises as `carry_out` does."""
    await _announce(wallet, steps)
    _confirm(yes)


async def _announce(wallet: Wallet, steps: list[Step]) -> None:
    held, values = await wallet.balance(), sum(step.transaction.value for step in steps)
    if held <= values:  # before gas is estimated: chains put this in words of their own
        words = "; ".join(step.words for step in steps)
        needs = f"{shown(values)} and gas" if values else "some for gas"
        raise ChainError(f"{words}: account 0x{wallet.address.hex()} holds {shown(held)} coins and needs {needs}")
    costs = await wallet.costs(steps)
    for number, (step, cost) in enumerate(zip(steps, costs, strict=True), 1):
        gas = f"{shown(cost)} coins" if cost is not None else "known after the step before"
        typer.echo(f"step {number} of {len(steps)}: {step.words}\n  gas at most: {gas}")
    known = sum(cost for cost in costs if cost is not None) + values
    rest = " and the gas that is not known yet" if None in costs else ""
    typer.echo(f"account 0x{wallet.address.hex()} holds {shown(held)} coins; this takes up to {shown(known)}{rest}")
    if held < known:
        raise ChainError(f"account 0x{wallet.address.hex()} holds {shown(held)} coins and needs {shown(known)}")


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise LocalError("nobody is there to be asked: say --yes to go ahead; nothing was done")
    if not typer.confirm("Go ahead?"):
        raise LocalError("nothing was done")


def _told(event: object) -> str:
    values = {name: getattr(event, name) for name in getattr(event, "__slots__", ())}
    told = (
        f"{name} {_value(name, value)}"
        for name, value in values.items()
        # Tuples were sent with it, as the terms of a subnet.
        if not isinstance(value, tuple) and value not in ("", b"")
    )
    return f"{type(event).__name__}({', '.join(told)})"


def _value(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return shown(value) if name in AMOUNTS and isinstance(value, int) else value
