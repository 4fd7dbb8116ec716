"""The commands that need the node itself; imported late, so that `p2pnode --help` need not wait for JAX and libp2p."""

from __future__ import annotations

import signal
from functools import partial

import structlog

from p2pnode.identity import Identity
from p2pnode.settings import NodeSettings

_log = structlog.get_logger(__name__)


def run(settings: NodeSettings, identity: Identity) -> None:
    """Runs the node until its run is over, Ctrl-C or SIGTERM."""
    _log.info("loading")
    import trio

    from p2pnode.program import run_node

    async def until_stopped() -> None:
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # trio's own handler: both end in good order
        await run_node(settings, identity)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored, in the background
    try:
        trio.run(until_stopped)
    except* KeyboardInterrupt:
        _log.info("stopped")
        raise


def register(settings: NodeSettings, identity: Identity, *, yes: bool) -> None:
    """Registers the operator on the chain, with its stake and its peer."""
    import trio

    from p2pnode.cli.spend import approve
    from p2pnode.program import register_operator

    trio.run(register_operator, settings, identity, partial(approve, yes=yes))


def show_operator(settings: NodeSettings, identity: Identity) -> None:
    """Prints what the chain knows of the operator."""
    import trio
    import typer

    from p2pnode.cli.status import table
    from p2pnode.program import show_operator

    typer.echo(table(trio.run(show_operator, settings, identity)))


def withdraw(settings: NodeSettings, identity: Identity, *, yes: bool) -> None:
    """Takes back the stake."""
    import trio

    from p2pnode.cli.spend import approve
    from p2pnode.program import withdraw_stake

    trio.run(withdraw_stake, settings, identity, partial(approve, yes=yes))


def leave(settings: NodeSettings, identity: Identity, *, yes: bool) -> None:
    """Takes the operator out of the subnet."""
    import trio

    from p2pnode.cli.spend import approve
    from p2pnode.program import leave_subnet

    trio.run(leave_subnet, settings, identity, partial(approve, yes=yes))
