"""The ground of a real run: a chain, the contracts on it, and the founded subnet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from contracts import deploy, devchain
from contracts.devchain_state import DevChainError
from p2pnode.chain.client import found_subnet, open_subnet
from p2pnode.errors import ChainError
from p2pnode.files import explained, write_durably
from protocols.errors import LocalError
from protocols.types import Address, Secret


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the subnet stands; `registry` and `court` in hex."""

    chain: str
    registry: str
    subnet: int
    court: str = ""


@asynccontextmanager
async def running_chain(folder: Path, url: str | None) -> AsyncIterator[str]:
    """The URL of a chain: the given one, or an embedded one whose state is in `folder`, for as long as the block lasts.

    Raises:
        LocalError: the embedded chain does not start.
    """
    if url is not None:
        yield url
        return
    try:
        chain = await trio.to_thread.run_sync(devchain.start, folder / "chain.jsonl")
    except DevChainError as error:
        raise LocalError(f"the embedded chain does not start: {error}") from error
    try:
        yield chain.url
    finally:
        chain.stop()


def founder_key(seed: int) -> Secret:
    """The key of the run's founder, who also deploys the contracts."""
    return Secret(hashlib.sha256(f"simnet founder key {seed}".encode()).digest())


async def found(folder: Path, url: str, seed: int, params: bytes, task: bytes) -> Ground:
    """Deploys the contracts and founds the subnet, unless `folder` says that both stand already.

    Raises:
        ChainError: the chain does not answer or refuses.
        LocalError: what `folder` remembers is damaged.
    """
    file = folder / "subnet.json"
    if file.exists():
        try:
            with explained("read", file):
                known = json.loads(file.read_bytes())
            return Ground(url, str(known["registry"]), int(known["subnet"]), str(known.get("court", "")))
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{file} is damaged: {error!r}") from error
    key = founder_key(seed)
    try:
        made = await trio.to_thread.run_sync(
            deploy.deploy, url, key.reveal(), folder / "deployment.json", abandon_on_cancel=True
        )
    except deploy.DeployError as error:
        raise ChainError(str(error)) from error
    registry = Address(made.subnets)
    subnet = await found_subnet(url, registry, key, params, task, Address(made.operators), Address(made.anchor))
    known = {"registry": registry.hex(), "subnet": subnet, "court": made.court.hex()}
    write_durably(file, json.dumps(known).encode(), replace=True)
    return Ground(url, registry.hex(), subnet, made.court.hex())


async def open_for_all(ground: Ground, seed: int) -> None:
    """The founder opens the subnet: its first epoch follows.

    Raises:
        ChainError: the chain does not answer or refuses.
    """
    await open_subnet(ground.chain, Address(bytes.fromhex(ground.registry)), ground.subnet, founder_key(seed))
