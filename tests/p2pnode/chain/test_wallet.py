"""Wallets ask, quote and spend; deployment files that are none have a name."""

import json
from dataclasses import replace

import pytest
from eth_account import Account

from contracts.bindings import SubnetRegistry
from contracts.economy import StakeVault
from p2pnode.chain.client import request_faucet
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.wallet import Places, Step, open_wallet
from p2pnode.errors import ChainError
from protocols.errors import LocalError
from protocols.types import Secret

KEY = Secret(b"\x61" * 32)


async def test_a_wallet_quotes_asks_and_spends(net):
    await request_faucet(net.url, operator_address(KEY), 10**18)
    async with open_wallet(net.url, KEY, net.contracts.chain_id) as wallet:
        vault, me = StakeVault(net.contracts.vault), wallet.address
        step = Step("stake", vault.deposit(me, me, 10**15, value=10**15))
        too_much = Step("too much", vault.request_exit(me, 10**30))
        first, second = await wallet.costs([step, too_much])
        assert 0 < first < 10**16
        assert second is None
        before = await wallet.balance()
        (event,) = await wallet.carry_out(step)
        assert (event.operator, event.assets) == (me, 10**15)
        assert 10**15 < before - await wallet.balance() <= 10**15 + first
        assert await wallet.ask(vault.staked(me)) == 10**15
        assert await wallet.now() > 0
        with pytest.raises(ChainError, match=r"owns \d+ shares, fewer than"):
            await wallet.costs([too_much])
        with pytest.raises(ChainError, match="there is no subnet 99999"):
            await wallet.ask(SubnetRegistry(net.contracts.subnets).subnet(99999))
        with pytest.raises(ChainError, match="no such contract"):
            await wallet.ask(replace(vault.staked(me), to=b"\x07" * 20))


async def test_a_wallet_signs_and_has_secrets_for_purposes(net):
    async with open_wallet(net.url, KEY, net.contracts.chain_id) as wallet:
        signature = wallet.sign(b"d" * 32)
        vrs = signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        assert bytes.fromhex(Account._recover_hash(b"d" * 32, vrs=vrs)[2:]) == wallet.address
        secrets = [wallet.secret(purpose).reveal() for purpose in ("one", "one", "two")]
        assert secrets[0] == secrets[1] != secrets[2]
        assert KEY.reveal() not in secrets


async def test_another_chain_is_refused(net):
    with pytest.raises(ChainError, match="but the contracts stand on chain 1"):
        async with open_wallet(net.url, KEY, 1):
            pass
    with pytest.raises(ChainError, match="than the one on which the contracts stand: was it started anew"):
        async with open_wallet(net.url, KEY, net.contracts.chain_id, b"g" * 32):
            pass
    async with open_wallet(net.url, KEY, net.contracts.chain_id, net.contracts.genesis) as wallet:
        assert wallet.address == operator_address(KEY)


def test_deployment_files(tmp_path):
    file = tmp_path / "deployment.json"
    with pytest.raises(LocalError):
        Places(file)
    for content in ("[]", "{", '{"chain_id": "x"}'):
        file.write_text(content)
        with pytest.raises(LocalError, match="is no deployment file"):
            Places(file)
    file.write_text(json.dumps({"chain_id": 7, "vault": "11" * 20}))
    places = Places(file)
    assert (places.chain_id, places.genesis, places["vault"]) == (7, b"", b"\x11" * 20)
    assert (places.get("vault"), places.get("governor")) == (b"\x11" * 20, None)
    with pytest.raises(LocalError, match="names no governor"):
        places["governor"]
