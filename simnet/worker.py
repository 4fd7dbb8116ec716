"""One worker process of a real run: several nodes in one trio loop, with real sockets, chain and disk.

    python -m simnet.worker        (started by simnet/pool.py)

Its first line of input is its `Orders`, each further one a `Command`; when its input ends, it stops. Its output is
events.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Final

import numpy as np
import numpy.typing as npt
import trio

from p2pnode.chain.client import EvmChain, open_reader, request_faucet
from p2pnode.chain.reader import ChainReader
from p2pnode.data.schema import Examples
from p2pnode.disk import FolderDisk
from p2pnode.learner import Learner
from p2pnode.learning.task import Task, load_task
from p2pnode.logs import configure_logging
from p2pnode.node import Node, NodeConfig, protocol_prefix
from p2pnode.ports import Ports
from p2pnode.program import GAS_RESERVE_WEI, RealClock
from p2pnode.transport.host import open_transport
from p2pnode.transport.limits import Limits
from p2pnode.workers import ThreadWorkers
from protocols.errors import TwoPMError
from protocols.types import Address, PeerKey
from protocols.updates.schema import TensorSpec
from protocols.updates.totals import total_of
from protocols.wire.envelope import remember_apart
from simnet.accounts import NODE, Accounts, Billing
from simnet.events import Event
from simnet.faults import Gate
from simnet.lines import lines_of
from simnet.orders import BLOB_BUDGET_BYTES, Command, Orders
from simnet.roster import Member, deal_data, identity, roster
from simnet.trouble import causes
from simnet.usage import collect_rarely, used
from simnet.watch import Tell

RESOURCES_EVERY_S: Final = 5.0
FAUCETS_AT_ONCE: Final = 8
REMEMBERED: Final = 32
"""Messages that a node keeps opened: as many as one message takes to come round again."""
LINGER_S: Final = 1.0
"""Short, since a worker keeps its transports and disks open until the whole run is over."""


class Crew:
    """The nodes of one worker."""

    def __init__(self, orders: Orders, reader: ChainReader, tell: Tell) -> None:
        self._orders, self._reader, self._tell = orders, reader, tell
        scenario = orders.scenario
        self._task = load_task(scenario.task, scenario.options)
        self._data = deal_data(scenario, self._task)
        self._members = {member.name: member for member in roster(scenario) if member.name in orders.members}
        self._workers = ThreadWorkers(max(1, (os.cpu_count() or 1) // scenario.processes))
        self._accounts = Accounts() if scenario.accounts else None
        self._limits = limits_for(orders.host)
        self._bootstrap = ""
        self._started = {name: trio.Event() for name in self._members}
        self._lives: dict[str, trio.CancelScope] = {}
        self._gates: dict[str, Gate] = {}

    async def run(self, commands: AsyncIterator[str]) -> None:
        """Brings everybody to life, obeys until the commands end."""
        await self._workers.run(warm_up, self._task, max(self._data, key=len))
        if self._accounts is not None:
            trio.lowlevel.add_instrument(self._accounts)
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._account)
            for member in self._members.values():
                self._nursery.start_soon(self._live, member)
            async for line in commands:
                self._obey(Command.model_validate_json(line))
            self._nursery.cancel_scope.cancel()

    def _obey(self, command: Command) -> None:
        for name in command.peers:
            match command.do:
                case "start":
                    self._bootstrap = command.bootstrap
                    self._started[name].set()
                case "kill":
                    self._lives[name].cancel()
                case "revive":
                    self._nursery.start_soon(self._live, self._members[name])
                case "mute" | "unmute":
                    self._gates[name].mute = command.do == "mute"

    async def _live(self, member: Member) -> None:
        """One life of a node: until it is killed, or the whole run is over."""
        remember_apart(REMEMBERED)
        NODE.set(member.name)
        keys = identity(self._orders.scenario.seed, member.name)
        court = Address(bytes.fromhex(self._orders.court)) if self._orders.court else None
        chain = EvmChain(self._reader, keys.operator_key, court)
        prefix = protocol_prefix(chain.chain_id, await chain.subnet())
        folder = self._orders.folder / "nodes" / member.name
        observe = partial(self._tell, member.name)
        first = member.share == 0 and member.name not in self._lives
        listen = f"/ip4/{self._orders.host}/tcp/{self._orders.scenario.port if first else 0}"

        def report(kind: str, culprit: PeerKey | None) -> None:
            observe("refused", {"kind": kind, "culprit": culprit.hex() if culprit else None})

        with trio.CancelScope() as self._lives[member.name], FolderDisk(folder, BLOB_BUDGET_BYTES) as disk:
            async with open_transport(keys.peer_seed, listen, prefix, self._limits, report, folder) as transport:
                gate = self._gates[member.name] = Gate(transport)
                observe("listening", {"address": transport.addresses[0]})
                await self._started[member.name].wait()
                workers = Billing(self._workers, self._accounts) if self._accounts is not None else self._workers
                ports = Ports(RealClock(), _fresh_secret, gate, chain, disk, workers, folder)
                bootstrap = () if transport.addresses[0] == self._bootstrap else (self._bootstrap,)
                config = NodeConfig(
                    member.roles,
                    member.stake,
                    member.name,
                    member.held_out,
                    Address(bytes.fromhex(self._orders.registry)),
                    bootstrap,
                    LINGER_S,
                )
                data = None if member.share is None else self._data[member.share]
                await Node(config, ports, keys, self._task, data, observe).run()
                await trio.sleep_forever()

    async def _account(self) -> None:
        while True:
            self._tell(self._orders.worker, "resources", used())
            if self._accounts is not None:
                self._tell(self._orders.worker, "cpu", {"seconds": self._accounts.seconds()})
            await trio.sleep(RESOURCES_EVERY_S)


def warm_up(task: Task, examples: Examples) -> None:
    """Compiles what all nodes of a process share, the local update and the outer step, before their rounds are timed.

    So the first sample of `resources` is of a process that lacks nothing but its nodes.
    """
    learner = Learner(task, 0, PeerKey(bytes(32)), examples)
    noise = None if learner.schema.privacy is None else _no_noise
    lanes = learner.train(learner.model, 0, noise)
    learner.step(learner.model, total_of(lanes, 1)[0])


def _no_noise(tensor: TensorSpec) -> npt.NDArray[np.float64]:
    return np.zeros(tensor.shape)


def limits_for(host: str) -> Limits:
    """On an address that other machines reach, many peers share it too: it gets the places that loopback has."""
    limits = Limits()
    if ip_address(host).is_loopback:
        return limits
    return replace(
        limits,
        connections_per_address=limits.connections_per_local_address,
        handshakes_per_address=limits.handshakes_in_progress,
    )


def _fresh_secret() -> bytes:
    return secrets.token_bytes(32)


async def fund(orders: Orders, reader: ChainReader) -> None:
    """Sees to it that every member's operator can pay its stake and its gas, by the dev chain's faucet.

    Raises:
        ChainError: an operator lacks funds, and the chain has no faucet.
    """
    limiter = trio.CapacityLimiter(FAUCETS_AT_ONCE)
    registered = {record.address for record in await reader.operators()}

    async def one(member: Member) -> None:
        async with limiter:
            chain = EvmChain(reader, identity(orders.scenario.seed, member.name).operator_key)
            wanted = GAS_RESERVE_WEI + (0 if chain.operator in registered else member.stake)
            missing = wanted - await chain.balance()
            if missing > 0 and chain.operator not in registered:
                await request_faucet(orders.chain, chain.operator, missing)

    async with trio.open_nursery() as nursery:
        for member in roster(orders.scenario):
            if member.name in orders.members:
                nursery.start_soon(one, member)


async def work(write: Tell, orders: Orders, commands: AsyncIterator[str]) -> None:
    """Runs a worker's nodes until its commands end."""
    reader = await open_reader(orders.chain, Address(bytes.fromhex(orders.registry)), orders.subnet)
    try:
        await fund(orders, reader)
        crew = Crew(orders, reader, write)
        collect_rarely()
        await crew.run(commands)
    finally:
        with trio.CancelScope(shield=True):
            await reader.aclose()


def main() -> int:
    """The process; returns its exit code."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed goes to the log, not between the events
    configure_logging("warning", "console", sys.stderr)

    async def run() -> None:
        async with aclosing(lines_of(trio.lowlevel.FdStream(os.dup(0)))) as commands:
            first = await anext(commands, None)
            if first is None:
                return  # the launcher thought better of it
            orders = Orders.model_validate_json(first)

            def tell(node: str, name: str, fields: Mapping[str, object]) -> None:
                if isinstance(error := fields.get("error"), BaseException):
                    traceback.print_exception(error)  # into the log
                try:
                    output.write(Event(time.time() - orders.began, node, name, fields).line() + "\n")
                    output.flush()
                except BrokenPipeError:
                    os._exit(1)  # the launcher was killed: so be it for us, every disk is ready for that

            try:
                await work(tell, orders, commands)
            except (TwoPMError, BaseExceptionGroup) as error:
                if not all(isinstance(cause, TwoPMError) for cause in causes(error)):
                    raise
                tell(orders.worker, "failed", {"reason": "; ".join(dict.fromkeys(map(str, causes(error))))})

    trio.run(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
