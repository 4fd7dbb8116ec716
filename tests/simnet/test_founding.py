from pathlib import Path

import pytest
import trio

from p2pnode.chain.client import open_reader
from p2pnode.errors import ChainError
from protocols.errors import LocalError
from protocols.types import Address
from simnet.founding import found, open_for_all, running_chain


async def test_a_subnet_is_founded_once_and_found_again(tmp_path: Path) -> None:
    with trio.fail_after(100):
        async with running_chain(tmp_path, None) as url:
            ground = await found(tmp_path, url, 1, b"params", b"task")
            assert await found(tmp_path, url, 1, b"params", b"task") == ground
            reader = await open_reader(url, Address(bytes.fromhex(ground.registry)), ground.subnet)
            assert not (await reader.subnet()).opened_block
            await open_for_all(ground, 1)
            reader.expire()
            subnet = await reader.subnet()
            await reader.aclose()
    assert (subnet.params, subnet.task) == (b"params", b"task")
    assert subnet.opened_block


async def test_a_dead_chain_is_named(tmp_path: Path) -> None:
    async with running_chain(tmp_path, "http://127.0.0.1:9") as url:
        with pytest.raises(ChainError, match="no chain answers at http"):
            await found(tmp_path, url, 1, b"params", b"task")


async def test_a_damaged_memory_is_named(tmp_path: Path) -> None:
    (tmp_path / "subnet.json").write_text("{}")
    with pytest.raises(LocalError, match=r"subnet\.json is damaged"):
        await found(tmp_path, "http://127.0.0.1:9", 1, b"params", b"task")
