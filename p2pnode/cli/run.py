"""The commands that need the node itself; imported late, so that `p2pnode --help` need not wait for JAX and libp2p."""

from __future__ import annotations

from p2pnode.identity import Identity
from p2pnode.settings import NodeSettings


def run(settings: NodeSettings, identity: Identity) -> None:
    """Runs the node until Ctrl-C."""
    import trio

    from p2pnode.node import run_node

    trio.run(run_node, settings, identity)


def register(settings: NodeSettings, identity: Identity) -> None:
    """Registers the operator on the chain, with its stake and its peer."""
    import trio

    from p2pnode.node import register_operator

    trio.run(register_operator, settings, identity)


def show_operator(settings: NodeSettings, identity: Identity) -> None:
    """Prints what the chain knows of the operator."""
    import trio

    from p2pnode.node import show_operator

    trio.run(show_operator, settings, identity)
