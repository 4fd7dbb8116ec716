"""A node as a process of its own: from settings and keys to real ports, and the commands around it."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from p2pnode.chain.client import EvmChain, connect, request_faucet
from p2pnode.chain.wallet import Places, Step, Wallet, shown
from p2pnode.data.schema import Examples
from p2pnode.data.sources import load_examples
from p2pnode.disk import FolderDisk
from p2pnode.errors import ChainError, SettingsError
from p2pnode.identity import Identity
from p2pnode.learning.device import describe_device
from p2pnode.learning.spec import decode_spec
from p2pnode.learning.task import Task, load_spec
from p2pnode.node import Node, NodeConfig, protocol_prefix, sign_binding
from p2pnode.peer_cache import read_peers
from p2pnode.ports import Ports
from p2pnode.services import INFO, Info
from p2pnode.settings import NodeSettings
from p2pnode.supervision import Supervisor
from p2pnode.telemetry import Telemetry
from p2pnode.transport.discovery.finder import Finders
from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from p2pnode.workers import ThreadWorkers
from protocols.errors import TwoPMError
from protocols.params import Params, decode_params
from protocols.presets import require_startable
from protocols.types import Address, PeerKey, Role
from protocols.wire.codec import decode

GAS_RESERVE_WEI: Final = 10**17
"""What an operator should hold beside its stake: enough for thousands of attestations on a test chain."""

KEPT_ASKED: Final = 8
"""Addresses of an earlier life that are asked which subnet this is, where no bootstrap peer says it."""

Approve = Callable[[Wallet, list[Step]], Awaitable[None]]
"""Asks a person whether these steps shall be taken, and raises if not."""

_log = structlog.get_logger(__name__)


class RealClock:
    """The `Clock` port on the system's clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    async def sleep_until(self, when: float) -> None:
        """Returns at `when`, or at once if that is past."""
        await trio.sleep(max(0.0, when - time.time()))


@dataclass(frozen=True, slots=True)
class Place:
    """A subnet, as the bootstrap peer or the settings name it."""

    registry: Address
    subnet: int
    chain_id: int | None


async def run_node(settings: NodeSettings, identity: Identity) -> None:
    """Joins the subnet, takes part until its run is over or Ctrl-C, and says what came of it.

    Raises:
        TwoPMError: a setting, the chain, the bootstrap peers, the data or the disk are not as they must be.
    """
    settings.need("chain")
    telemetry = Telemetry()
    with (
        FolderDisk(settings.folder, settings.blob_budget_bytes) as disk,
        telemetry.served(settings.metrics_port, settings.folder) as url,
    ):

        def report(kind: str, culprit: PeerKey | None) -> None:
            telemetry.refused(kind, culprit, "by the transport")

        def observe(name: str, fields: Mapping[str, object]) -> None:
            telemetry.peers(len(transport.connected()))
            telemetry.observe(name, fields)

        folder = settings.folder
        async with open_transport(
            identity.peer_seed, settings.listen, None, Limits(), report, folder, settings.announce
        ) as transport:
            place = await _find(settings, transport)
            async with _chain(settings, identity, place) as chain:
                task, examples = await _prepare(settings, chain)
                await _fund(settings, chain)
                subnet = await chain.subnet()
                prefix = protocol_prefix(chain.chain_id, subnet)
                transport.use_prefix(prefix)
                finders = _finders(settings, transport, prefix)
                telemetry.told(
                    peer=identity.peer.hex(), address=transport.addresses[0], metrics=url, task=task.spec.name
                )
                _log.info("starting", address=transport.addresses[0], metrics=url, device=describe_device())
                config = NodeConfig(
                    settings.role,
                    settings.stake_wei,
                    registry=place.registry,
                    bootstrap=settings.bootstrap,
                    held_out=examples is not None,
                    privacy_budget=settings.privacy_budget or 0.0,
                    keep_peers=settings.keep_peers,
                    challenge=settings.challenge,
                )
                workers = ThreadWorkers(settings.worker_threads)
                ports = Ports(
                    RealClock(), lambda: secrets.token_bytes(32), transport, chain, disk, workers, folder, finders
                )
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(telemetry.watch_loop)
                    running = Supervisor(nursery, RealClock(), observe)
                    for name, run in finders.tasks.items():
                        running.serve(name, run)
                    digest = await Node(config, ports, identity, task, examples, observe).run()
                    nursery.cancel_scope.cancel()
                _log.info("run complete", params_digest=digest)


def _finders(settings: NodeSettings, transport: Libp2pTransport, prefix: str) -> Finders:
    """The ways to find peers that the settings allow."""
    return Finders(
        transport,
        prefix,
        Limits(),
        transport.conduct.report,
        mdns=settings.mdns,
        dht=settings.dht,
        observe=settings.observe_address,
        relays=settings.relays,
        relay=settings.relay,
    )


async def register_operator(settings: NodeSettings, identity: Identity, approve: Approve | None = None) -> None:
    """Registers the operator with its stake, roles and peer, and says so; asks first if there is whom to ask.

    Raises:
        TwoPMError: as `run_node`; also an operator that is registered already.
    """
    async with _at_subnet(settings, identity) as chain:
        await _fund(settings, chain)
        subnet = await chain.subnet()
        proof = sign_binding(identity.peer_seed, chain, subnet, identity.peer)
        steps = [await chain.joining(identity.peer, proof, settings.role, settings.stake_wei)]
        await _approved(chain, steps, approve)
        _log.info(
            "registered", operator=f"0x{identity.operator.hex()}", roles=str(settings.role), stake=settings.stake_wei
        )


async def leave_subnet(settings: NodeSettings, identity: Identity, approve: Approve | None = None) -> None:
    """Takes the operator out of the subnet from the next epoch on; its stake follows after the exit delay.

    Raises:
        TwoPMError: as `run_node`; also an operator that is not registered.
    """
    async with _at_subnet(settings, identity) as chain:
        await _approved(chain, await chain.leaving(), approve)
        _log.info("left", operator=f"0x{identity.operator.hex()}")


async def withdraw_stake(settings: NodeSettings, identity: Identity, approve: Approve | None = None) -> None:
    """Takes back the stake of an operator that has left, once the registry's exit delay is over.

    Raises:
        TwoPMError: as `run_node`; also a stake that is still bound.
    """
    async with _at_subnet(settings, identity) as chain:
        before, steps = await chain.balance(), await chain.withdrawing()
        if not steps:
            who = f"0x{identity.operator.hex()}"
            raise ChainError(f"operator {who} has no stake to take: `p2pnode operator leave` asks it back")
        await _approved(chain, steps, approve)
        _log.info("withdrawn", operator=f"0x{identity.operator.hex()}", gained_wei=await chain.balance() - before)


async def _approved(chain: EvmChain, steps: list[Step], approve: Approve | None) -> None:
    if approve is not None:
        await approve(chain.wallet, steps)
    await chain.carry_out(steps)


async def show_operator(settings: NodeSettings, identity: Identity) -> dict[str, object]:
    """What the chain knows of the operator, for people.

    Raises:
        TwoPMError: as `run_node`.
    """
    async with _at_subnet(settings, identity) as chain:
        found = [record for record in await chain.operators() if record.address == chain.operator]
        facts: dict[str, object] = {"operator": f"0x{chain.operator.hex()}", "coins": shown(await chain.balance())}
        if not found:
            return {**facts, "registered": "no"}
        record = found[-1]
        standing = "left" if record.left_block else "yes"
        return {
            **facts,
            "registered": standing,
            "stake in coins": shown(record.stake),
            "roles": ", ".join(role.name.lower() for role in Role if role & record.roles and role.name),
            "peer": record.peer.hex(),
            "since_block": record.joined_block,
        }


@asynccontextmanager
async def _at_subnet(settings: NodeSettings, identity: Identity) -> AsyncIterator[EvmChain]:
    """The chain, wherever the bootstrap peer or the settings say that the subnet is."""
    settings.need("chain")

    def report(kind: str, culprit: PeerKey | None) -> None:
        _log.warning("refused", kind=kind, culprit=culprit)

    if settings.registry_address is not None and settings.subnet is not None:
        place = Place(settings.registry_address, settings.subnet, None)
    else:
        listen = "/ip4/127.0.0.1/tcp/0"
        async with open_transport(identity.peer_seed, listen, None, Limits(), report) as transport:
            place = await _find(settings, transport)
    async with _chain(settings, identity, place) as chain:
        yield chain


async def _find(settings: NodeSettings, transport: Libp2pTransport) -> Place:
    """Which subnet: the settings' word, else that of the first known peer that answers (verified on the chain)."""
    if settings.registry_address is not None and settings.subnet is not None:
        return Place(settings.registry_address, settings.subnet, None)
    reasons = []
    kept = [route for peer in read_peers(settings.folder) for route in peer.routes] if settings.keep_peers else []
    for address in (*settings.bootstrap, *kept[:KEPT_ASKED]) or settings.need("bootstrap"):
        try:
            peer = await transport.dial(address)
            answer = await transport.request(peer, INFO, b"", max_bytes=1024)
            info = decode(answer, Info, 1024)
        except TwoPMError as error:
            reasons.append(str(error))
            continue
        _log.info("subnet", registry=f"0x{info.registry.hex()}", subnet=info.subnet, chain_id=info.chain_id)
        return Place(info.registry, info.subnet, info.chain_id)
    raise SettingsError("no bootstrap peer says which subnet it serves: " + "; ".join(reasons))


@asynccontextmanager
async def _chain(settings: NodeSettings, identity: Identity, place: Place) -> AsyncIterator[EvmChain]:
    known = Places(settings.deployment) if settings.deployment is not None else None
    chain = await connect(
        settings.need("chain"),
        place.registry,
        place.subnet,
        identity.operator_key,
        chain_id=place.chain_id if known is None else known.chain_id,
        court=None if known is None else known["court"],
        rewards=None if known is None else known.get("rewards"),
        disputes=None if known is None else known.get("disputes"),
        royalties=None if known is None else known.get("royalties"),
    )
    try:
        yield chain
    finally:
        with trio.CancelScope(shield=True):
            await chain.aclose()


async def _fund(settings: NodeSettings, chain: EvmChain) -> None:
    """Asks a dev chain's faucet where the operator could not pay its stake; on any other chain says what is missing."""
    registered = any(record.address == chain.operator for record in await chain.operators())
    balance = await chain.balance()
    wanted = GAS_RESERVE_WEI + (0 if registered else settings.stake_wei)
    if balance >= wanted:
        return
    try:
        await request_faucet(settings.need("chain"), chain.operator, wanted - balance)
    except ChainError as error:
        raise ChainError(
            f"operator 0x{chain.operator.hex()} holds {balance} wei and needs {wanted} (stake and gas); "
            f"send it the rest. ({error})"
        ) from error


def _check_privacy(settings: NodeSettings, params: Params) -> None:
    """What a founder chose must be what this data's owner accepts.

    Raises:
        SettingsError: the subnet encrypts nothing, or opens sums of too few.
    """
    if params.scheme == "plaintext" and not settings.allow_plaintext:
        raise SettingsError(
            "this subnet encrypts nothing: every peer could read your updates; "
            "--allow-plaintext true joins all the same"
        )
    if params.k_min < settings.k_min_least:
        raise SettingsError(
            f"this subnet opens sums of {params.k_min} updates, and you accept {settings.k_min_least} or more; "
            f"--k-min-least {params.k_min} joins all the same"
        )


def _check_promise(settings: NodeSettings, task: Task) -> None:
    """Raises SettingsError if this data's owner wants differential privacy, and the subnet promises none."""
    if settings.privacy_budget is not None and task.update_schema.privacy is None:
        raise SettingsError(
            "this subnet promises no differential privacy, but you set a privacy_budget: without it you can join"
        )


async def _prepare(settings: NodeSettings, chain: EvmChain) -> tuple[Task, Examples | None]:
    """The subnet's task, and this node's data for it."""
    subnet = await chain.subnet()
    params = require_startable(decode_params(subnet.params))
    if settings.role & Role.DATA:
        _check_privacy(settings, params)
    spec = decode_spec(subnet.task)
    task = await trio.to_thread.run_sync(load_spec, spec, settings.task)
    if not settings.role & Role.DATA:
        return task, None
    _check_promise(settings, task)
    return task, await trio.to_thread.run_sync(load_examples, settings.need("data"), task.schema)
