"""A founded subnet on a running dev chain, for the tests of the node's programs; one for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from contracts.deploy import deploy
from contracts.devchain import devchain
from p2pnode.chain.client import found_subnet
from p2pnode.learning.task import load_task
from protocols.presets import preset
from protocols.types import Secret
from tests.p2pnode.kit import Founded

FOUNDER = Secret(b"\x06" * 32)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Founded]:
    folder = tmp_path_factory.mktemp("founded")
    params, task = preset("dev").encode(), load_task("spector").spec.encode()
    with devchain(folder / "chain.jsonl", block_seconds=0.1) as chain:
        made = deploy(chain.url, FOUNDER.reveal(), folder / "deployment.json")

        async def found() -> int:
            return await found_subnet(chain.url, made.subnets, FOUNDER, params, task, made.operators, made.anchor)

        yield Founded(chain.url, made, trio.run(found))
