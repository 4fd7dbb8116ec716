"""From settings to real ports: finding the subnet, funding, registering, leaving; on a real chain and real sockets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from p2pnode.errors import ChainError, SettingsError
from p2pnode.identity import new_identity
from p2pnode.learning.task import load_task
from p2pnode.ports import RequestHandler
from p2pnode.program import RealClock, _check_promise, leave_subnet, register_operator, show_operator
from p2pnode.services import INFO, Info
from p2pnode.settings import NodeSettings
from p2pnode.transport.host import open_transport
from p2pnode.transport.limits import Limits
from protocols.types import Address, PeerKey
from protocols.wire.codec import encode
from tests.p2pnode.kit import Founded, answering

LOOPBACK = "/ip4/127.0.0.1/tcp/0"


def settings_of(founded: Founded, folder: Path, **more: object) -> NodeSettings:
    place = {"registry": founded.registry, "subnet": founded.number}
    return NodeSettings(folder=folder, chain=founded.url, **{**place, **more})  # type: ignore[arg-type]  # by name


def asking(founded: Founded, folder: Path, *bootstrap: str) -> NodeSettings:
    """Settings that leave it to the bootstrap peers to say where the subnet is."""
    return NodeSettings(folder=folder, chain=founded.url, bootstrap=bootstrap)


@asynccontextmanager
async def bootstrap_peer(handler: RequestHandler) -> AsyncIterator[str]:
    def report(kind: str, culprit: PeerKey | None) -> None: ...

    async with open_transport(new_identity().peer_seed, LOOPBACK, "prefix", Limits(), report) as transport:
        transport.serve(INFO, handler)
        yield transport.addresses[0]


def info(founded: Founded, chain_id: int, number: int | None = None) -> RequestHandler:
    registry = Address(bytes.fromhex(founded.registry[2:]))
    return answering(encode(Info(chain_id, registry, founded.number if number is None else number)))


async def chain_id_of(founded: Founded) -> int:
    from p2pnode.chain.client import open_reader

    reader = await open_reader(founded.url, founded.contracts.subnets, founded.number)
    await reader.aclose()
    return reader.chain_id


async def test_an_operator_registers_once_and_leaves(founded: Founded, tmp_path: Path) -> None:
    settings, identity = settings_of(founded, tmp_path, roles="data"), new_identity()
    assert (await show_operator(settings, identity))["registered"] == "no"
    await register_operator(settings, identity)
    facts = await show_operator(settings, identity)
    assert (facts["registered"], facts["stake in coins"], facts["roles"]) == ("yes", "1", "data")
    assert facts["peer"] == identity.peer.hex()
    with pytest.raises(ChainError):
        await register_operator(settings, identity)
    await leave_subnet(settings, identity)
    assert (await show_operator(settings, identity))["registered"] == "left"
    with pytest.raises(ChainError):
        await leave_subnet(settings, identity)


async def test_the_first_bootstrap_peer_that_answers_says_where(founded: Founded, tmp_path: Path) -> None:
    chain_id = await chain_id_of(founded)
    async with (
        bootstrap_peer(answering(b"junk")) as junk,
        bootstrap_peer(info(founded, chain_id)) as good,
    ):
        settings = asking(founded, tmp_path, "nonsense", junk, good)
        assert (await show_operator(settings, new_identity()))["registered"] == "no"


async def test_where_none_says_it_all_reasons_are_given(founded: Founded, tmp_path: Path) -> None:
    async with bootstrap_peer(answering(b"junk")) as junk:
        with pytest.raises(SettingsError) as refused:
            await show_operator(asking(founded, tmp_path, "nonsense", junk), new_identity())
    assert "'nonsense'" in str(refused.value)
    assert str(refused.value).count(";") >= 1


async def test_a_bootstrap_peer_of_another_chain_is_found_out(founded: Founded, tmp_path: Path) -> None:
    async with bootstrap_peer(info(founded, 12345)) as address:
        with pytest.raises(ChainError, match="but chain 12345 is wanted"):
            await show_operator(asking(founded, tmp_path, address), new_identity())


async def test_a_subnet_that_a_bootstrap_peer_invents_is_found_out(founded: Founded, tmp_path: Path) -> None:
    async with bootstrap_peer(info(founded, await chain_id_of(founded), number=77)) as address:
        with pytest.raises(ChainError, match="there is no subnet 77"):
            await show_operator(asking(founded, tmp_path, address), new_identity())


async def test_an_operator_without_funds_gets_them_where_a_faucet_is_and_else_is_told(
    founded: Founded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, identity = settings_of(founded, tmp_path), new_identity()
    await register_operator(settings, identity)
    assert 0 < float(str((await show_operator(settings, identity))["coins"])) < 1

    async def no_faucet(*_: object) -> None:
        raise ChainError("the method dev_faucet does not exist")

    monkeypatch.setattr("p2pnode.program.request_faucet", no_faucet)
    poor = new_identity()
    with pytest.raises(ChainError, match=f"0x{poor.operator.hex()} holds 0 wei and needs"):
        await register_operator(settings, poor)
    assert (await show_operator(settings, poor))["coins"] == "0"  # asking costs nothing
    await leave_subnet(settings, identity)


def test_who_sets_a_privacy_budget_joins_no_subnet_without_a_promise() -> None:
    careful = NodeSettings(privacy_budget=8)
    with pytest.raises(SettingsError, match="promises no differential privacy"):
        _check_promise(careful, load_task("digits"))
    _check_promise(careful, load_task("digits", {"noise_multiplier": 4.0}))
    _check_promise(NodeSettings(), load_task("digits"))


async def test_the_real_clock_is_the_systems() -> None:
    clock = RealClock()
    assert abs(clock.now() - time.time()) < 5
    began = time.monotonic()
    await clock.sleep_until(clock.now() - 1000)
    await clock.sleep_until(clock.now() + 0.05)
    assert 0.04 < time.monotonic() - began < 5
