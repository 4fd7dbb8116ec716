"""A running dev chain with the contracts, and operators on it; one chain for the whole session, a subnet a test."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account.signers.local import LocalAccount

from contracts.deploy import Deployment, deploy
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from contracts.terms import Economics as Shares
from contracts.terms import Parent, Terms
from p2pnode.chain.client import EvmChain, found_subnet, open_reader, open_subnet, request_faucet
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.roles import binding_message
from p2pnode.chain.wallet import Places, Wallet, open_wallet
from p2pnode.data.commitment import schema_digest
from p2pnode.data.schema import DataSchema, integer, number
from p2pnode.learning.spec import TaskSpec
from protocols.types import Digest, PeerKey, Role, Secret
from tests.contracts.economy_kit import ONE, address
from tests.contracts.economy_kit import Economy as FullEconomy

STAKE = 10**18
FOUNDER = Secret(b"\x05" * 32)
NONE = Digest(bytes(32))


def digest(what: object) -> Digest:
    return Digest(hashlib.sha256(str(what).encode()).digest())


@dataclass
class Net:
    """A deployed dev chain."""

    url: str
    contracts: Deployment

    async def subnet(self, *, opened: bool = True) -> ChainReader:
        where = self.contracts
        found = await found_subnet(self.url, where.subnets, FOUNDER, b"params", b"task", where.operators, where.anchor)
        if opened:
            await open_subnet(self.url, where.subnets, found, FOUNDER)
        return await open_reader(self.url, where.subnets, found)

    async def account(self, reader: ChainReader) -> EvmChain:
        chain = EvmChain(reader, Secret(os.urandom(32)))
        await request_faucet(self.url, chain.operator, 10 * STAKE)
        return chain

    async def operator(self, reader: ChainReader, roles: Role) -> EvmChain:
        chain = await self.account(reader)
        peer, proof = self.bind(chain)
        await chain.register(peer, proof, roles, STAKE)
        return chain

    def bind(self, chain: EvmChain) -> tuple[PeerKey, bytes]:
        key = Ed25519PrivateKey.generate()
        peer = PeerKey(key.public_key().public_bytes_raw())
        registry, subnet_id = self.contracts.operators, chain.reader.subnet_id
        return peer, key.sign(binding_message(chain.chain_id, registry, subnet_id, chain.operator, peer))

    async def operators(self, reader: ChainReader, *roles: Role) -> list[EvmChain]:
        """New operators, all registered in about one block."""
        found: dict[int, EvmChain] = {}

        async def join(index: int, role: Role) -> None:
            found[index] = await self.operator(reader, role)

        async with trio.open_nursery() as nursery:
            for index, role in enumerate(roles):
                nursery.start_soon(join, index, role)
        return [found[index] for index in range(len(roles))]


SCHEMA = DataSchema(features=(number("age", 0, 120),), label=integer("ill", 0, 1))
SPEC = TaskSpec("mine", Digest(b"s" * 32), {"rate": 0.5})


@dataclass
class DaoNet:
    """A whole economy on a dev chain that mines with each transaction. Its members' subnets are open:

    1 names no task; 2 builds on 1, which gets a tenth, and wants data of `SCHEMA` for the task `SPEC`.
    """

    economy: FullEconomy
    places: Places
    drafts: list[bytes]
    members: list[LocalAccount]

    def wallet(self, account: LocalAccount) -> AbstractAsyncContextManager[Wallet]:
        return open_wallet(self.economy.chain.url, Secret(bytes(account.key)), self.places.chain_id)


@pytest.fixture(scope="session")
def dao_net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("economy")
    with devchain(folder / "chain.jsonl", block_seconds=0) as chain:
        economy = FullEconomy(chain, folder)
        first, second = members = [economy.member(f"member {number}", 3000 * ONE) for number in range(2)]
        plain = Terms(address(first), economy.operators.address, economy.anchor.address, b"params", b"")
        one, _ = economy.found(plain, {first: 600 * ONE, second: 400 * ONE})
        money = Shares(reward_bps=7000, poster=address(second))
        child = replace(
            plain, task=SPEC.encode(), schema=schema_digest(SCHEMA), economics=money, parents=(Parent(1, 1000),)
        )
        two, _ = economy.found(child, {first: 1000 * ONE})
        yield DaoNet(economy, Places(folder / "deployment.json"), [one, two], members)


@pytest.fixture(scope="session")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devchain")
    with devchain(folder / "chain.jsonl", block_seconds=0.1) as chain:
        contracts = deploy(
            chain.url,
            FOUNDER.reveal(),
            folder / "deployment.json",
            Economics(exit_delay_s=30, commit_s=2, challenge_s=3),
        )
        yield Net(chain.url, contracts)
