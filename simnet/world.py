"""The virtual world: the production node, many times, in one thread, in virtual time, from one seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import trio
import trio.testing

from p2pnode.learning.task import Task, load_task
from p2pnode.node import Node, NodeConfig
from p2pnode.ports import Ports
from p2pnode.team import AnyMachine, RoundContext, default_machines
from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError
from protocols.types import Address, Digest, PeerKey
from simnet.adversaries.cast import Cast
from simnet.adversaries.stage import Veil
from simnet.events import Event, Sink
from simnet.faults import Director, Gate
from simnet.ledger import Ledger, VirtualChain
from simnet.memory import MemoryDisk, SharedResults, VirtualClock, WatchedWorkers, seeded_entropy
from simnet.network import Link, VirtualNetwork
from simnet.outcome import Outcome
from simnet.overseen import Overseen
from simnet.roster import Member, deal_data, identity, roster
from simnet.scenario import Fault, Scenario
from simnet.scheduling import seeded_scheduling
from simnet.watch import AnchorWatch
from simnet.witness import Witness

SLACK_S: Final = 600
"""Virtual seconds beyond twice the rounds' deadlines, after which a world counts as stuck."""


class World:
    """One virtual run. `disks`, `network` and `ledger` may be looked at (and tampered with) by tests.

    Args:
        scheme: takes the place of the parameters' own in every node (`simnet.dummy`).
        watched: whether everything that happens is kept for the checkers, in `witness`.
    """

    def __init__(
        self,
        scenario: Scenario,
        sink: Sink,
        task: Task | None = None,
        *,
        scheme: Scheme | None = None,
        watched: bool = False,
    ) -> None:
        self.scenario, self._sink = scenario, sink
        self.task = task or load_task(scenario.task, scenario.options)
        self.members = {member.name: member for member in roster(scenario)}
        self.identities = {name: identity(scenario.seed, name) for name in self.members}
        self.disks = {name: MemoryDisk() for name in self.members}
        self.gates: dict[str, Gate] = {}
        self.network = VirtualNetwork(scenario.seed, Link())
        self._founder = Address(hashlib.sha256(f"simnet founder {scenario.seed}".encode()).digest()[:20])
        self._params = scenario.protocol()
        spec = self.task.spec.encode()
        self.ledger = Ledger(scenario.seed, self._founder, self._params.encode(), spec)
        self._chain = VirtualChain(self.ledger, self._founder)
        self.outcome = Outcome()
        self._data = deal_data(scenario, self.task)
        self._lives: dict[str, trio.CancelScope] = {}
        self._lost: set[str] = set()
        by_key = {self.identities[name].peer.hex(): name for name in self.members}
        plans: dict[PeerKey, list[str]] = {}
        for adversary in scenario.adversaries:
            for name in adversary.names():
                plans.setdefault(self.identities[name].peer, []).append(adversary.kind)
        self.cast, self._scheme, self._results = Cast(scenario.seed, plans), scheme, SharedResults()
        names = {self.identities[name].peer: name for name in self.members}
        self.witness = Witness(names, self._params, self.cast.ring, self._reach()) if watched else None
        self.network.tap = self.witness.message if self.witness is not None else None
        self._director = Director(scenario.all_faults, by_key, self._params.rounds_per_epoch, self._strike)

    def _reach(self) -> int:
        return max(tensor.bound for tensor in self.task.update_schema.tensors)

    async def run(self) -> Outcome:
        """Founds the subnet, starts everybody, waits until all that live have finished.

        Raises:
            LocalError: the world is stuck.
        """
        rounds_s = self.scenario.rounds * (self._params.submit_s + self._params.agree_s + self._params.open_s)
        limit_s = 2 * rounds_s + SLACK_S
        watch = AnchorWatch(self._chain, self._tell)
        with trio.move_on_after(limit_s) as scope:
            async with trio.open_nursery() as background:
                background.start_soon(self.network.run)
                background.start_soon(watch.run)
                async with trio.open_nursery() as self._nodes:
                    for name in self.members:
                        self._nodes.start_soon(self._live, name)
                    await self._open()
                    while self._awaited():
                        await trio.sleep(1)
                    self._nodes.cancel_scope.cancel()
                await watch.look()
                background.cancel_scope.cancel()
        if scope.cancelled_caught:
            waiting = sorted(self._awaited())
            raise LocalError(f"stuck: after {limit_s} virtual seconds {', '.join(waiting)} had not finished")
        return self.outcome

    def _awaited(self) -> set[str]:
        """Who is still to finish; nobody waits for dishonest peers."""
        liars = {name for name in self.members if self.identities[name].peer in self.cast.ring.peers}
        return set(self.members) - set(self.outcome.digests) - self._lost - liars

    async def _open(self) -> None:
        while len(self.ledger.operators) < len(self.members):
            await trio.sleep(1)
        await self._chain.open()

    async def _live(self, name: str) -> None:
        with trio.CancelScope() as self._lives[name]:
            node = self._node(self.members[name])
            digest = await node.run()
            self.outcome.digests[name] = digest
            self.outcome.model = self.outcome.model or self.disks[name].get(Digest(bytes.fromhex(digest))) or b""

    def _node(self, member: Member) -> Node:
        keys = self.identities[member.name]
        dishonest = keys.peer in self.cast.ring.peers
        self.gates[member.name] = gate = (Veil if dishonest else Gate)(self.network.attach(keys.peer))
        ports = Ports(
            clock=VirtualClock(),
            entropy=seeded_entropy(self.scenario.seed, f"{member.name} {trio.current_time()}"),
            transport=gate,
            chain=VirtualChain(self.ledger, keys.operator, keys.operator_key),
            disk=self.disks[member.name],
            workers=WatchedWorkers(self._results, partial(self._worked, member.name)),
            folder=Path(member.name),
        )
        config = NodeConfig(member.roles, member.stake, member.name, held_out=member.held_out)
        data = None if member.share is None else self._data[member.share]

        def observe(name: str, fields: Mapping[str, object]) -> None:
            self._tell(member.name, name, fields)

        return Node(config, ports, keys, self.task, data, observe, partial(self._machines, member.name, gate))

    def _machines(self, name: str, gate: Gate, context: RoundContext) -> list[AnyMachine]:
        """A node's machines of one round: dishonest, where the scenario says so."""
        if self._scheme is not None:
            context = replace(context, scheme=self._scheme)
        if self.witness is not None:
            self.witness.began(name, context)
        if isinstance(gate, Veil):
            return self.cast.machines(context, gate)
        machines, seen = default_machines(context), self.witness
        if seen is None:
            return machines
        return [Overseen(each, name, context.me, context.height, seen.answer) for each in machines]

    def _worked(self, name: str, arguments: tuple[object, ...], result: object) -> None:
        if self.witness is not None:
            self.witness.job(name, arguments, result)

    def _tell(self, node: str, name: str, fields: Mapping[str, object]) -> None:
        event = Event(trio.current_time(), node, name, fields)
        if self.witness is not None:
            self.witness.event(event)
        self._sink(event)
        self._director.hear(event)

    def _strike(self, fault: Fault, names: tuple[str, ...]) -> None:
        self._tell("simnet", "fault", {"kind": fault.kind, "peers": names})
        keys = [self.identities[name].peer for name in names]
        match fault.kind:
            case "vanish" | "restart":
                for name, key in zip(names, keys, strict=True):
                    self._lives[name].cancel()
                    self.network.detach(key)
                    self.disks[name] = self.disks[name].crash()
            case "silent":
                for name in names:
                    self.gates[name].mute = True
            case "cut":
                for key in keys:
                    for other in self.identities.values():
                        self.network.cut(key, other.peer)
            case "lose":
                self.network.lose(fault.probability)
        if fault.for_ever:
            self._lost.update(names)
        else:
            self._nodes.start_soon(self._mend, fault, names)

    async def _mend(self, fault: Fault, names: tuple[str, ...]) -> None:
        await trio.sleep(fault.seconds)
        match fault.kind:
            case "restart":
                for name in names:
                    self._nodes.start_soon(self._live, name)
            case "silent":
                for name in names:
                    self.gates[name].mute = False
            case _:
                self.network.heal()
        self._tell("simnet", "mended", {"kind": fault.kind, "peers": names})


def run_virtual(scenario: Scenario, sink: Sink, task: Task | None = None) -> Outcome:
    """One whole virtual run; the same scenario gives the same events, byte for byte.

    Raises:
        LocalError: the scenario does not fit the task's data, or the world is stuck.
    """
    return run_world(World(scenario, sink, task))


def run_world(world: World) -> Outcome:
    """Runs a world of one's own making. Raises as `run_virtual`."""
    with seeded_scheduling(world.scenario.seed):
        return trio.run(world.run, clock=trio.testing.MockClock(autojump_threshold=0))
