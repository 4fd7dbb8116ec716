"""The real run: an embedded chain, worker processes full of nodes, and this process that watches over them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Final

import trio

from p2pnode.chain.client import open_reader
from p2pnode.chain.reader import ChainReader
from p2pnode.learning.task import Task
from protocols.errors import LocalError
from protocols.types import Address, Digest
from simnet.events import Event, Sink, parse_event
from simnet.faults import Director
from simnet.folder import RunFolder
from simnet.founding import Ground, found, open_for_all, running_chain
from simnet.history import History
from simnet.orders import Command, Order, Orders
from simnet.outcome import Outcome
from simnet.pool import Engine
from simnet.roster import identity, roster
from simnet.scenario import Fault
from simnet.usage import used
from simnet.watch import AnchorWatch

LINGER_S: Final = 2.0
"""For nodes outside of our processes, that may be a step behind."""
FINALITY_S: Final = 20.0
POLL_S: Final = 0.25
REGISTERED_POLL_MAX_S: Final = 5.0
"""Each look at hundreds of operators costs the dev chain half a second."""


class Cluster:
    """One real run, new or resumed.

    Args:
        pool: the worker processes; they are started here.
        began: Unix seconds of the run's time 0; when it is resumed, as if it had never paused.
        past: what happened before, if the run is resumed.
        sink: told of every event.
        say: told what a person should know.
    """

    def __init__(
        self, run: RunFolder, pool: Engine, began: float, past: History, sink: Sink, say: Callable[[str], None]
    ) -> None:
        self._run, self._pool, self._began, self._sink, self._say = run, pool, began, sink, say
        scenario = self._scenario = run.scenario
        self._params = scenario.protocol()
        names = [member.name for member in roster(scenario)]
        self._home = {name: place % len(pool) for place, name in enumerate(names)}
        self._addresses: dict[str, str] = {}
        self._joined: set[str] = set()
        self._lost: set[str] = set()
        self._failure: str | None = None
        self._outcome = Outcome()
        by_key = {identity(scenario.seed, name).peer.hex(): name for name in names}
        self._down: dict[int, Fault] = {}  # workers that were killed
        self._lives: Counter[int] = Counter()  # of each worker: how often it was started anew
        self._ground: Ground | None = None
        faults = sorted(scenario.all_faults, key=lambda fault: fault.at_height)[len(past.faults) :]
        self._director = Director(faults, by_key, self._params.rounds_per_epoch, self._strike)

    async def run(self, task: Task) -> Outcome:
        """Founds the subnet, conducts the workers, waits until all nodes that live have finished.

        Raises:
            LocalError: a worker failed; says why, or where its log is.
            ChainError: the chain does not answer or refuses.
        """
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(running_chain(self._run.path, self._scenario.chain))
            spec = task.spec.encode()
            ground = await found(self._run.path, url, self._scenario.seed, self._params.encode(), spec)
            reader = await open_reader(url, Address(bytes.fromhex(ground.registry)), ground.subnet)
            await self._pool.start()
            stack.push_async_callback(reader.aclose)
            async with trio.open_nursery() as self._nursery:
                for number in range(len(self._pool)):
                    self._nursery.start_soon(self._listen, number)
                await self._conduct(ground, reader)
                self._nursery.cancel_scope.cancel()
            await self._pool.stop()  # before the chain, and so that the disks are free
            self._outcome.model = await self._read_model()
        return self._outcome

    async def _conduct(self, ground: Ground, reader: ChainReader) -> None:
        self._ground = ground
        for number in range(len(self._pool)):
            await self._pool.send(number, self._orders(number, ground))
        await self._until(lambda: len(self._addresses) == len(self._home))
        first, *others = self._home
        bootstrap = self._addresses[first]
        await self._order("start", (first,), bootstrap)
        await self._until(lambda: bool(self._joined))
        self._say(f"bootstrap  {bootstrap}\nchain      {ground.chain}")
        await self._order("start", tuple(others), bootstrap)
        await self._open_when_registered(ground, reader)
        watch = AnchorWatch(reader, self._tell)
        self._nursery.start_soon(watch.run)
        await self._until(lambda: not (set(self._home) - set(self._outcome.digests) - self._lost))
        with trio.move_on_after(FINALITY_S):
            await trio.sleep(LINGER_S)
            await self._until(lambda: watch.all_final)
        self._tell("simnet", "resources", used())

    async def _open_when_registered(self, ground: Ground, reader: ChainReader) -> None:
        expected = {identity(self._scenario.seed, name).peer for name in self._home}
        pause = POLL_S
        while not expected <= {record.peer for record in await reader.operators()}:
            await trio.sleep(pause)
            pause = min(1.5 * pause, REGISTERED_POLL_MAX_S)
        if not (await reader.subnet()).opened_block:
            await open_for_all(ground, self._scenario.seed)

    def _orders(self, number: int, ground: Ground) -> Orders:
        return Orders(
            worker=f"worker-{number}",
            scenario=self._scenario,
            members=self._members(number),
            host=self._pool.host(number),
            folder=self._run.path,
            began=self._began,
            chain=ground.chain,
            registry=ground.registry,
            court=ground.court,
            subnet=ground.subnet,
        )

    def _members(self, number: int) -> tuple[str, ...]:
        return tuple(name for name, home in self._home.items() if home == number)

    async def _listen(self, number: int) -> None:
        async with aclosing(self._pool.lines(number)) as lines:
            async for line in lines:
                self._hear(parse_event(line))
        code, log = await self._pool.exit_code(number), self._pool.log(number)
        if number in self._down:
            return self._nursery.start_soon(self._replace, number, self._down[number])
        raise LocalError(self._failure or f"worker {number} ended by itself with exit code {code}; its log is {log}")

    def _hear(self, event: Event) -> None:
        match event.name:
            case "listening":
                self._addresses[event.node] = event.fields["address"]
            case "failed":
                self._failure = event.fields["reason"]
            case _:
                self._sink(event)
                self._director.hear(event)
        if event.name == "joined":
            self._joined.add(event.node)
        if event.name == "finished":
            self._outcome.digests[event.node] = event.fields["params_digest"]

    def _tell(self, node: str, name: str, fields: Mapping[str, object]) -> None:
        self._hear(Event(time.time() - self._began, node, name, fields))

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await trio.sleep(POLL_S)

    def _strike(self, fault: Fault, names: tuple[str, ...]) -> None:
        if fault.kind == "kill":
            self._kill(fault, names)
            return
        self._tell("simnet", "fault", {"kind": fault.kind, "peers": names})
        self._nursery.start_soon(self._order, "mute" if fault.kind == "silent" else "kill", names)
        if fault.for_ever:
            self._lost.update(names)
        else:
            self._nursery.start_soon(self._mend, fault, names)

    def _kill(self, fault: Fault, names: tuple[str, ...]) -> None:
        """Kills the processes of these nodes, those that live."""
        homes = sorted({self._home[name] for name in names} - self._down.keys())
        victims = [name for home in homes for name in self._members(home)]
        self._tell("simnet", "fault", {"kind": fault.kind, "peers": victims})
        if fault.for_ever:
            self._lost.update(victims)
        for number in homes:
            self._down[number] = fault
            for name in self._members(number):
                self._addresses.pop(name, None)
            self._pool.kill(number)

    async def _replace(self, number: int, fault: Fault) -> None:
        """Starts a killed worker anew, which brings its nodes back from their disks."""
        if fault.for_ever:
            return
        assert self._ground is not None
        names = self._members(number)
        await trio.sleep(fault.seconds)
        await self._pool.restart(number)
        del self._down[number]
        self._lives[number] += 1
        life = self._lives[number]
        self._nursery.start_soon(self._listen, number)
        await self._pool.send(number, self._orders(number, self._ground))
        await self._until(lambda: self._is_over(number, life) or self._can_start(names))
        if self._is_over(number, life):
            return  # killed again before its nodes listened: whoever brings it back the next time starts them
        bootstrap = next(address for name, address in self._addresses.items() if name not in names)
        await self._order("start", names, bootstrap)
        self._tell("simnet", "mended", {"kind": fault.kind, "peers": names})

    def _can_start(self, names: tuple[str, ...]) -> bool:
        """Whether these nodes listen, and another one to which they can turn."""
        return set(names) <= set(self._addresses) and len(self._addresses) > len(names)

    def _is_over(self, number: int, life: int) -> bool:
        return number in self._down or self._lives[number] != life

    async def _mend(self, fault: Fault, names: tuple[str, ...]) -> None:
        await trio.sleep(fault.seconds)
        await self._order("unmute" if fault.kind == "silent" else "revive", names)
        self._tell("simnet", "mended", {"kind": fault.kind, "peers": names})

    async def _order(self, do: Order, names: tuple[str, ...], bootstrap: str = "") -> None:
        for number in range(len(self._pool)):
            if here := tuple(name for name in names if self._home[name] == number):
                await self._pool.send(number, Command(do=do, peers=here, bootstrap=bootstrap))

    async def _read_model(self) -> bytes:
        """The final model's bytes, from the disk of a node that finished."""
        for name, digest in self._outcome.digests.items():
            folder = self._run.node(name)
            if blob := await self._pool.blob(self._home[name], folder, Digest(bytes.fromhex(digest))):
                return blob
        return b""
