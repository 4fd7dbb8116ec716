"""Two nodes of this implementation, as far as strangers see them, and a round that they know."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import trio

from p2pnode.directory import Directory
from p2pnode.exchange import BlobExchange
from p2pnode.node import protocol_prefix
from p2pnode.ports import SubnetRecord
from p2pnode.services import INFO, Info
from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from protocols.agreement.certificate import list_digest
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.ring import PRIMES
from protocols.presets import preset
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.types import NO_DIGEST, Address, PeerKey, Role, Secret
from protocols.updates.chunks import chunk_roots
from protocols.updates.gossip import PROOF, SUBNET, judge
from protocols.updates.pieces import blob_digest
from protocols.wire import messages as wire
from protocols.wire.codec import encode
from protocols.wire.envelope import Signed, Signer, open_envelope, signer
from simnet.memory import MemoryDisk

CHAIN_ID, SUBNET_ID, HEIGHT, CHUNKS = 31_337, 1, 0, 2
PARAMS: Final = preset("dev").with_(k_min=2, dropouts=1, committee=4, threshold=3)
TASK: Final = b"a task"
NOBODY: Final = Address(bytes(20))
REGISTRY: Final = Address(b"r" * 20)
PREFIX: Final = protocol_prefix(CHAIN_ID, SubnetRecord(SUBNET_ID, NOBODY, PARAMS.encode(), TASK, 1, NOBODY, NOBODY))
SEEDS: Final = {name: Secret(hashlib.sha256(name.encode()).digest()) for name in ("js", "a", "b", "c", *"1234")}
KEYS: Final[dict[str, tuple[PeerKey, Signer]]] = {name: signer(seed) for name, seed in SEEDS.items()}
ROSTER: Final = [(key, Role.COMPUTE if name.isdigit() else Role.DATA) for name, (key, _) in KEYS.items()]
JS: Final = KEYS["js"][0]
SCHEME: Final = OneTimeKeyScheme()


def drawn() -> tuple[bytes, EpochView]:
    """A block hash by which the JavaScript peer and "a" add the cell's only stripe, and the epoch that follows."""
    for number in range(1000):
        block = number.to_bytes(32, "big")
        view = draw_epoch(CHAIN_ID, SUBNET_ID, 0, block, PARAMS, ROSTER)
        if set(view.aggregators(HEIGHT, 0, 0)) == {JS, KEYS["a"][0]}:
            return block, view
    raise AssertionError("no such block")


BLOCK, VIEW = drawn()


@dataclass
class Round:
    """What the honest peers know of one round: manifests, chunks, the certified list, the sum."""

    blobs: dict[Any, bytes] = field(default_factory=dict)
    contributions: list[wire.Contribution] = field(default_factory=list)
    total: Any = 0

    def contribute(self, name: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        residues = np.stack([rng.integers(0, int(p), (CHUNKS, 4096), dtype=np.uint64) for p in PRIMES], axis=1)
        roots, (key, sign) = chunk_roots(residues), KEYS[name]
        manifest = sign(wire.Manifest(VIEW.slot(HEIGHT), 0, NO_DIGEST, roots, (), None))
        self.blobs |= dict(zip(roots, SCHEME.pack(residues), strict=True)) | {manifest.digest: manifest.encoded}
        self.contributions.append(wire.Contribution(key, manifest.digest))
        self.total = (self.total + residues) % np.array(PRIMES, np.uint64)[None, :, None]

    @property
    def sets(self) -> wire.SetList:
        ordered = tuple(sorted(self.contributions, key=lambda each: each.contributor))
        return wire.SetList(VIEW.slot(HEIGHT), (wire.CellSet(0, ordered),))

    def certificate(self) -> wire.ListCertificate:
        vote = wire.Vote(VIEW.slot(HEIGHT), 0, wire.PRECOMMIT, list_digest(self.sets), None)
        signers = dict(KEYS.values())
        votes = [
            wire.MemberSignature(number, signers[member](vote).signature)
            for number, member in enumerate(VIEW.committee, 1)
        ]
        return wire.ListCertificate(self.sets, 0, tuple(votes[: PARAMS.threshold]))

    def aggregate(self) -> wire.Aggregate:
        return wire.Aggregate(VIEW.slot(HEIGHT), 0, list_digest(self.sets), (0,), chunk_roots(self.total))


@dataclass
class Host:
    """A node of ours, as far as strangers see it."""

    transport: Libp2pTransport
    sign: Signer
    exchange: BlobExchange
    disk: MemoryDisk
    reports: Counter[tuple[str, PeerKey | None]]
    heard: list[tuple[str | None, Signed]] = field(default_factory=list)

    async def publish(self, topic: str, message: wire.Message) -> None:
        await self.transport.publish(topic, self.sign(message).encoded)

    def hold(self, blob: bytes) -> None:
        """Keeps a blob by its blob digest."""
        self.disk.put(((blob_digest(blob), blob),), durable=True)

    def heard_from(self, peer: PeerKey, topic: str | None) -> list[Signed]:
        return [signed for where, signed in self.heard if where == topic and signed.signer == peer]

    async def listen(self) -> None:
        while True:
            incoming = await self.transport.receive()
            self.heard.append((incoming.topic, open_envelope(incoming.payload)))


@asynccontextmanager
async def hosts(*names: str, blobs: dict[Any, bytes]) -> AsyncIterator[list[Host]]:
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        found = []
        for name in names:
            reports: Counter[tuple[str, PeerKey | None]] = Counter()
            opened = open_transport(SEEDS[name], "/ip4/127.0.0.1/tcp/0", PREFIX, Limits(), counting(reports))
            transport = await stack.enter_async_context(opened)
            disk = MemoryDisk()
            disk.put(tuple(blobs.items()) if not found else (), durable=True)
            host = Host(transport, KEYS[name][1], BlobExchange(transport, disk, ignored, ignored), disk, reports)
            directory = Directory(transport, host.sign, 1)
            for topic in (SUBNET, PROOF):
                await transport.subscribe(topic, partial(verdict, topic))
            transport.serve(INFO, info)
            nursery.start_soon(host.listen)
            if found:
                await directory.ask(await transport.dial(found[0].transport.addresses[0]))
            found.append(host)
        yield found
        nursery.cancel_scope.cancel()


def counting(reports: Counter[tuple[str, PeerKey | None]]) -> Callable[[str, PeerKey | None], None]:
    return lambda kind, culprit: reports.update([(kind, culprit)])


def ignored(_: object) -> None: ...


def verdict(topic: str, origin: PeerKey, payload: bytes) -> Any:
    return judge(topic, origin, payload, lambda epoch: VIEW if epoch == 0 else None)[0]


async def info(_asker: PeerKey, _request: bytes) -> bytes:
    return encode(Info(CHAIN_ID, REGISTRY, SUBNET_ID))


def what_the_chain_says() -> dict[str, object]:
    return {
        "chain_id": CHAIN_ID,
        "subnet": SUBNET_ID,
        "epoch": 0,
        "params": PARAMS.encode().hex(),
        "task": TASK.hex(),
        "block_hash": BLOCK.hex(),
        "roster": [[peer.hex(), int(roles)] for peer, roles in ROSTER],
    }


async def until(condition: Any) -> None:
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.02)
