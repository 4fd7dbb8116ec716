"""What the transport costs: CPU milliseconds with many hosts in one process, over TCP on loopback.

    python benchmarks/transport.py --hosts 28 --json transport.json

CPU is that of both ends together (of all hosts for gossip). Streams are warm; the first message to a peer also pays for
opening its stream, which `first_message` shows.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey, Secret, Verdict

TOPIC = "benchmark"
MESSAGE_BYTES = (1_000, 9_000, 48_000)


@asynccontextmanager
async def run_hosts(count: int) -> AsyncIterator[list[Libp2pTransport]]:
    async with AsyncExitStack() as stack:
        hosts = []
        for number in range(count):
            seed = Secret(number.to_bytes(32, "big"))
            host = open_transport(seed, "/ip4/127.0.0.1/tcp/0", "benchmark", Limits(), report)
            hosts.append(await stack.enter_async_context(host))
        yield hosts


def report(kind: str, _culprit: PeerKey | None) -> None:
    raise RuntimeError(f"nothing should be reported here, but {kind} was")


class Meter:
    """CPU and wall time of a block, per unit."""

    def __init__(self, units: int) -> None:
        self._units = units

    def __enter__(self) -> Meter:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.result = {
            "cpu_ms": round(1e3 * (time.process_time() - self._cpu) / self._units, 4),
            "wall_ms": round(1e3 * (time.perf_counter() - self._wall) / self._units, 4),
            "count": self._units,
        }


async def connect_all(hosts: list[Libp2pTransport]) -> dict[str, float]:
    with Meter(len(hosts) * (len(hosts) - 1) // 2) as meter:
        async with trio.open_nursery() as nursery:
            for number, host in enumerate(hosts):
                nursery.start_soon(dial_each, host, hosts[number + 1 :])
    return meter.result


async def dial_each(host: Libp2pTransport, others: list[Libp2pTransport]) -> None:
    for other in others:
        await host.dial(other.addresses[0])


async def direct(hosts: list[Libp2pTransport], size: int, per_pair: int) -> dict[str, float]:
    """Every host sends to every other at once."""
    total = per_pair * len(hosts) * (len(hosts) - 1)
    with Meter(total) as meter:
        async with trio.open_nursery() as nursery:
            for host in hosts:
                nursery.start_soon(receive, host, total // len(hosts))
                nursery.start_soon(send_to_all, host, hosts, bytes(size), per_pair)
    return meter.result


async def send_to_all(host: Libp2pTransport, hosts: list[Libp2pTransport], payload: bytes, times: int) -> None:
    for _ in range(times):
        for other in hosts:
            if other is not host:
                await host.send(other.peer, payload)


async def receive(host: Libp2pTransport, count: int) -> None:
    for _ in range(count):
        await host.receive()


async def requests(hosts: list[Libp2pTransport], size: int, per_pair: int) -> dict[str, float]:
    async def answer(_asker: PeerKey, _request: bytes) -> bytes:
        return bytes(size)

    async def ask_all(host: Libp2pTransport) -> None:
        for _ in range(per_pair):
            for other in hosts:
                if other is not host:
                    await host.request(other.peer, "blob/1", bytes(40), max_bytes=size)

    for host in hosts:
        host.serve("blob/1", answer)
    with Meter(per_pair * len(hosts) * (len(hosts) - 1)) as meter:
        async with trio.open_nursery() as nursery:
            for host in hosts:
                nursery.start_soon(ask_all, host)
    return meter.result


async def gossip(hosts: list[Libp2pTransport], size: int, count: int) -> dict[str, float]:
    """Per message and host."""
    with Meter(count * len(hosts)) as meter:
        for number in range(count):
            publisher = random.Random(number).choice(hosts)
            await publisher.publish(TOPIC, number.to_bytes(4, "big") + bytes(size - 4))
            for host in hosts:
                if host is not publisher:
                    with trio.fail_after(10):
                        await host.receive()
    return meter.result


async def idle(hosts: list[Libp2pTransport], seconds: float) -> dict[str, float]:
    """Per host and second: heartbeats."""
    with Meter(round(len(hosts) * seconds)) as meter:
        await trio.sleep(seconds)
    return meter.result


async def measure(count: int) -> dict[str, dict[str, float]]:
    async with run_hosts(count) as hosts:
        results = {"connection": await connect_all(hosts)}
        for host in hosts:
            await host.subscribe(TOPIC, lambda _origin, _payload: Verdict.ACCEPT)
        await trio.sleep(2.5)  # two heartbeats: the mesh settles
        results["first_message"] = await direct(hosts, MESSAGE_BYTES[0], 1)
        for size in MESSAGE_BYTES:
            results[f"direct_{size}"] = await direct(hosts, size, max(2, 4000 // count**2))
        results["first_request"] = await requests(hosts, MESSAGE_BYTES[0], 1)
        for size in MESSAGE_BYTES:
            results[f"request_{size}"] = await requests(hosts, size, max(2, 4000 // count**2))
        for size in MESSAGE_BYTES[:2]:
            results[f"gossip_{size}"] = await gossip(hosts, size, 20)
        results["idle_second"] = await idle(hosts, 3.0)
        return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[8, 28])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {}
    for count in arguments.hosts:
        results[f"{count} hosts"] = trio.run(measure, count)
        for name, result in results[f"{count} hosts"].items():
            print(f"{count:3} hosts  {name:14} {result['cpu_ms']:9.3f} ms CPU  {result['wall_ms']:9.3f} ms wall")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
