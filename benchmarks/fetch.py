"""A big blob by digest, beside the same bytes through a raw stream: speed, memory, and what dishonest holders cost.

    python benchmarks/fetch.py --mib 64 --json fetch.json

Each host is a process of its own, over TCP on loopback. `raw`: one Noise + yamux stream of the same hosts, written as
fast as it is read. `fetch`: the blob in pieces, every one hashed and written to the disk; `four`: from four holders,
one of which lies in every piece and one of which is killed when a quarter has come. `memory_mib` is what the process
that fetches has grown at its peak; `cpu_seconds` what it and the holders that lived
took together, which depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import statistics
import tempfile
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import trio

from p2pnode.disk import FolderDisk
from p2pnode.pieces import PieceFetcher, PieceServer
from p2pnode.services import PIECE, PieceRequest
from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from protocols.types import Digest, PeerKey, Secret
from protocols.updates.pieces import blob_digest
from protocols.wire.codec import decode

MIB = 1 << 20
LIMITS = Limits(requests_per_second=1e6, requests_burst=1e6)
RAW = "/2pm/bench/raw/1"
WRITE = 60_000


def blob_of(mib: int) -> bytes:
    return hashlib.shake_256(b"blob").digest(mib * MIB)


def open_host(name: str) -> Any:
    seed = Secret(hashlib.sha256(name.encode()).digest())
    return open_transport(seed, "/ip4/127.0.0.1/tcp/0", "bench", LIMITS, lambda _kind, _peer: None)


def holder(name: str, mib: int, lies: bool, folder: str, pipe: Connection) -> None:
    """A process that has the blob, and streams it raw as well."""

    async def run() -> None:
        blob = blob_of(mib)
        digest = blob_digest(blob)
        with FolderDisk(Path(folder) / name, 4 * mib * MIB) as disk:
            disk.put(((digest, blob),), durable=False)
            async with open_host(name) as transport:
                PieceServer(transport, disk, lambda _: None, print)
                if lies:
                    transport.serve(PIECE, lie)
                transport._host.set_stream_handler(RAW, partial(stream_raw, blob=blob))
                del blob
                pipe.send((transport.addresses[0], digest))
                await trio.sleep_forever()

    trio.run(run)


async def lie(_asker: PeerKey, request: bytes) -> bytes:
    decode(request, PieceRequest, 64)
    return bytes(1 << 18)


async def stream_raw(stream: Any, blob: bytes) -> None:
    for start in range(0, len(blob), WRITE):
        await stream.muxed_stream.write(blob[start : start + WRITE])
    await stream.close()


async def read_raw(transport: Libp2pTransport, peer: PeerKey, size: int) -> float:
    stream = await transport._dialer.open_stream(peer, RAW)
    began, have = time.perf_counter(), 0
    while have < size:
        have += len(await stream.muxed_stream.read())
    return time.perf_counter() - began


def cpu_seconds(pid: int | None) -> float:
    """Of all threads of a process since it began; 0 of one that is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def fetch(
    transport: Libp2pTransport, folder: Path, digest: Digest, holders: list[PeerKey], mib: int, victim: int | None
) -> dict[str, Any]:
    accused: set[str] = set()
    with FolderDisk(folder, 4 * mib * MIB) as disk:
        fetcher = PieceFetcher(transport, disk, lambda who, _why: accused.add(who.hex()[:8]))
        served = kill_after(fetcher, victim, mib * 4 // 4)
        before, began = peak_kib(), time.perf_counter()
        assert await fetcher.fetch_to_disk(digest, holders, 1 << 30)
        took = time.perf_counter() - began
        memory = (peak_kib() - before) / 1024
    return {"seconds": took, "memory_mib": memory, "accused": len(accused), "pieces": served[0]}


def kill_after(fetcher: PieceFetcher, victim: int | None, pieces: int) -> list[int]:
    """Counts pieces, and kills a holder's process after so many."""
    served, take = [0], fetcher.piece

    async def counting(*arguments: Any) -> bytes:
        served[0] += 1
        if victim is not None and served[0] == pieces:
            os.kill(victim, signal.SIGKILL)
        return await take(*arguments)

    fetcher.piece = counting  # type: ignore[method-assign]
    return served


def asker(
    kind: str, holders: list[tuple[str, bytes]], victim: int | None, mib: int, folder: str, pipe: Connection
) -> None:
    """A process that reads raw, or fetches."""

    async def run() -> None:
        async with open_host(kind) as transport:
            peers = [await transport.dial(address) for address, _ in holders]
            before = time.process_time()
            if kind == "raw":
                result: Any = {"seconds": await read_raw(transport, peers[0], mib * MIB)}
            else:
                digest = Digest(holders[0][1])
                result = await fetch(transport, Path(folder) / kind, digest, peers, mib, victim)
            pipe.send(result | {"cpu_seconds": time.process_time() - before})

    trio.run(run)


def measure(mib: int, kind: str) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    count = 4 if kind == "four" else 1
    with tempfile.TemporaryDirectory() as folder:
        processes, told = [], []
        for number in range(count):
            here, there = context.Pipe()
            lies = kind == "four" and number == 0
            process = context.Process(target=holder, args=(f"h{number}", mib, lies, folder, there), daemon=True)
            process.start()
            processes.append(process)
            told.append(here)
        holders = [pipe.recv() for pipe in told]
        here, there = context.Pipe()
        victim = processes[1].pid if kind == "four" else None
        asking = context.Process(target=asker, args=(kind, holders, victim, mib, folder, there), daemon=True)
        before = [cpu_seconds(process.pid) for process in processes]
        asking.start()
        result: dict[str, Any] = here.recv()
        after = [cpu_seconds(process.pid) for process in processes]
        result["cpu_seconds"] += sum(max(0.0, now - then) for now, then in zip(after, before, strict=True))
        for process in (asking, *processes):
            process.kill()
            process.join()
    return result | {"mib_per_s": mib / result["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {"raw": [], "fetch": [], "four": []}
    for _ in range(arguments.times):
        for kind, found in runs.items():
            found.append(measure(arguments.mib, kind))
            print(kind, json.dumps(found[-1]), flush=True)
    speed = {kind: statistics.median(run["mib_per_s"] for run in found) for kind, found in runs.items()}
    ratios = {kind: speed[kind] / speed["raw"] for kind in ("fetch", "four")}
    cpu = {kind: statistics.median(run["cpu_seconds"] for run in found) for kind, found in runs.items()}
    costs = {kind: cpu[kind] / cpu["raw"] for kind in ("fetch", "four")}
    print("of the raw stream's speed:", json.dumps(ratios), "its CPU time:", json.dumps(costs))
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"mib": arguments.mib, "runs": runs, "ratios": ratios, "cpu_ratios": costs}, indent=2)
        )


if __name__ == "__main__":
    main()
