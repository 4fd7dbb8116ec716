"""How a node joins its subnet, and when it refuses to, before anything is staked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from p2pnode.errors import ChainError, Unreachable
from p2pnode.learning.task import load_task
from p2pnode.node import Node, NodeConfig, protocol_prefix, sign_binding
from p2pnode.ports import Ports, SubnetRecord
from protocols.errors import LocalError
from protocols.presets import preset
from protocols.types import Address, PeerKey, Role
from simnet.ledger import Ledger, VirtualChain
from simnet.memory import InlineWorkers, MemoryDisk, VirtualClock, seeded_entropy
from simnet.network import VirtualNetwork
from simnet.roster import identity
from tests.p2pnode.kit import Seen


def a_node(ledger: Ledger, network: VirtualNetwork, disk: MemoryDisk | None = None, **config: Any) -> tuple[Node, Seen]:
    keys, seen = identity(1, "somebody"), Seen()
    chain = VirtualChain(ledger, keys.operator)
    ports = Ports(
        VirtualClock(),
        seeded_entropy(1, "x"),
        network.attach(keys.peer),
        chain,
        disk or MemoryDisk(),
        InlineWorkers(),
        Path("here"),
    )
    settings = {"roles": Role.COMPUTE, "stake": 10, **config}
    return Node(NodeConfig(**settings), ports, keys, load_task("breast_cancer"), None, seen), seen


@pytest.fixture
def ledger() -> Ledger:
    task = load_task("breast_cancer")
    return Ledger(1, Address(bytes(20)), preset("dev").encode(), task.spec.encode())


async def refusal(node: Node, kind: type[Exception]) -> str:
    """The one sentence with which a node refuses to start."""
    with pytest.raises(BaseExceptionGroup) as refused:
        await node.run()
    (error,) = refused.value.exceptions
    assert isinstance(error, kind)
    return str(error)


async def test_another_nodes_operator_is_refused(autojump_clock: MockClock, ledger: Ledger) -> None:
    keys = identity(1, "somebody")
    await VirtualChain(ledger, keys.operator).register(PeerKey(b"p" * 32), b"", Role.COMPUTE, 10)
    node, _ = a_node(ledger, VirtualNetwork(1))
    assert "is registered with another peer (70707070)" in await refusal(node, ChainError)


async def test_other_roles_than_registered_are_refused(autojump_clock: MockClock, ledger: Ledger) -> None:
    keys = identity(1, "somebody")
    await VirtualChain(ledger, keys.operator).register(keys.peer, b"", Role.DATA | Role.COMPUTE, 10)
    node, _ = a_node(ledger, VirtualNetwork(1), roles=Role.VALIDATOR)
    assert "is registered for data, compute, not for validator" in await refusal(node, ChainError)


async def test_a_bootstrap_that_does_not_answer_is_refused(autojump_clock: MockClock, ledger: Ledger) -> None:
    node, _ = a_node(ledger, VirtualNetwork(1), bootstrap=("/memory/" + "ab" * 32,))
    assert "no bootstrap peer answers" in await refusal(node, Unreachable)


async def test_a_journal_that_cannot_be_read_is_refused_before_anything_is_staked(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    disk = MemoryDisk()
    disk.append(b"something else")
    node, _ = a_node(ledger, VirtualNetwork(1), disk)
    assert "was written by another version" in await refusal(node, LocalError)
    assert ledger.operators == []


def test_peers_under_other_rules_never_meet(ledger: Ledger) -> None:
    subnet: SubnetRecord = ledger.subnet
    others = [
        (1, subnet),
        (2, subnet),
        (1, replace(subnet, subnet_id=2)),
        (1, replace(subnet, params=preset("dev").with_(k_min=4).encode())),
        (1, replace(subnet, task=b"another task")),
    ]
    assert len({protocol_prefix(chain, record) for chain, record in others}) == len(others)
    assert protocol_prefix(1, subnet) == protocol_prefix(1, replace(subnet, opened_block=7))


def test_a_binding_names_chain_subnet_and_operator(ledger: Ledger) -> None:
    keys, subnet = identity(1, "somebody"), ledger.subnet
    chain = VirtualChain(ledger, keys.operator)
    other = VirtualChain(ledger, Address(b"o" * 20))
    proofs = {
        sign_binding(keys.peer_seed, chain, subnet, keys.peer),
        sign_binding(keys.peer_seed, other, subnet, keys.peer),
        sign_binding(keys.peer_seed, chain, replace(subnet, subnet_id=2), keys.peer),
    }
    assert len(proofs) == 3
    assert {len(proof) for proof in proofs} == {64}
