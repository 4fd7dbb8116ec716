"""Commitments to data: put on the chain, vouched for, replaced, listed, and compared with the file again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from contracts.dao import DatasetRegistry
from p2pnode.chain import datasets
from p2pnode.data.commitment import Commitment, commitment
from p2pnode.data.schema import Examples
from p2pnode.errors import ChainError
from protocols.errors import LocalError
from protocols.types import Address, Digest
from tests.p2pnode.chain.conftest import SCHEMA, SPEC

ROWS = Examples(np.array([[30.0], [41.5], [62.0]]), np.array([0, 1, 1]))


def wallet_of(dao_net, name):
    return dao_net.wallet(dao_net.economy.person(name))


async def carry_out(wallet, steps):
    (step,) = steps
    await wallet.carry_out(step)
    return step.words


async def test_a_provider_commits_replaces_and_checks(dao_net):
    places = dao_net.places
    async with wallet_of(dao_net, "provider") as wallet:
        made = commitment(ROWS, SCHEMA, wallet.secret("data"), 2)
        assert await datasets.rows(wallet, places, 2) == []
        words = await carry_out(wallet, await datasets.commit(wallet, places, 2, made))
        assert words.startswith(
            f"commit to 3 rows of data of schema 0x{made.schema.hex()} in subnet 2, vouched for by you"
        )
        assert "no value" in words
        assert (await datasets.check(wallet, places, 2, 1, made))["file"] == "the same"
        newer = commitment(ROWS.take(np.array([0, 2])), SCHEMA, wallet.secret("data"), 2)
        with pytest.raises(
            LocalError, match="the file is not what commitment 1 of subnet 2 was made of: that has 3 ro"
        ):
            await datasets.check(wallet, places, 2, 1, newer)
        words = await carry_out(wallet, await datasets.commit(wallet, places, 2, newer, supersedes=1))
        assert "in place of commitment 1" in words
        first, second = await datasets.rows(wallet, places, 2)
        assert (first["rows"], first["replaced_by"], first["in_place_of"]) == (3, 2, None)
        assert (second["rows"], second["replaced_by"], second["in_place_of"]) == (2, None, 1)
        assert second["vouched_for_by"] == "the provider"
        with pytest.raises(ChainError, match="commitment 1 of subnet 2 has been superseded by 2 already"):
            await wallet.costs(await datasets.commit(wallet, places, 2, made, supersedes=1))
    async with wallet_of(dao_net, "stranger") as other:
        assert await datasets.rows(other, places, 2, mine=True) == []
        assert len(await datasets.rows(other, places, 2)) == 2
        with pytest.raises(LocalError, match="only its owner's key finds the salts"):
            await datasets.check(other, places, 2, 2, newer)
        with pytest.raises(ChainError, match="commitment 2 of subnet 2 belongs to"):
            await other.costs(await datasets.commit(other, places, 2, made, supersedes=2))


async def test_another_vouches_for_just_this_data(dao_net):
    places = dao_net.places
    async with wallet_of(dao_net, "clinic") as provider, wallet_of(dao_net, "auditor") as auditor:
        made = commitment(ROWS, SCHEMA, provider.secret("data"), 1)
        with pytest.raises(LocalError, match=rf"has to sign first, by `p2pnode dataset vouch 1 .*{made.root.hex()}"):
            await datasets.commit(provider, places, 1, made, signer=auditor.address)
        said = datasets.Provenance(Address(provider.address), 1, made, 0)
        registry = DatasetRegistry(places["datasets"])
        by_contract = registry.provenance_digest(provider.address, 1, made.schema, made.root, made.rows, 0)
        assert said.digest(places.chain_id, places["datasets"]) == await provider.ask(by_contract)
        told = await datasets.vouch(auditor, places, said)
        assert json.loads(json.dumps(told)) == told
        signature = bytes.fromhex(str(told["signature"])[2:])
        for wrong in (replace(made, rows=4), Commitment(made.schema, Digest(b"r" * 32), made.rows)):
            with pytest.raises(LocalError, match="did not sign just this"):
                await datasets.commit(provider, places, 1, wrong, signer=auditor.address, signature=signature)
        with pytest.raises(LocalError, match="a signature has 65 bytes, not 64"):
            await datasets.commit(provider, places, 1, made, signer=auditor.address, signature=signature[:64])
        with pytest.raises(LocalError, match="that is no signature"):
            await datasets.commit(provider, places, 1, made, signer=auditor.address, signature=b"\xff" * 65)
        steps = await datasets.commit(provider, places, 1, made, signer=auditor.address, signature=signature)
        assert f"vouched for by 0x{auditor.address.hex()}" in await carry_out(provider, steps)
        (row,) = await datasets.rows(provider, places, 1)
        assert row["vouched_for_by"] == f"0x{auditor.address.hex()}"


async def test_what_cannot_be_committed_is_told_before_it_costs_anything(dao_net):
    places = dao_net.places
    async with wallet_of(dao_net, "careless") as wallet:
        made = commitment(ROWS, SCHEMA, wallet.secret("data"), 2)
        with pytest.raises(LocalError, match="subnet 2 wants data of schema"):
            await datasets.commit(wallet, places, 2, replace(made, schema=Digest(b"x" * 32)))
        with pytest.raises(LocalError, match="subnet 1 names no task"):
            await datasets.task_of(wallet, places, 1)
        assert await datasets.task_of(wallet, places, 2) == SPEC
        for question in (datasets.task_of(wallet, places, 9), datasets.rows(wallet, places, 9)):
            with pytest.raises(ChainError, match="there is no subnet 9"):
                await question
