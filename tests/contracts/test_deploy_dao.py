"""The DAO, deployed over JSON-RPC as a person would."""

import json

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3

from contracts.abi import function_selector
from contracts.bindings import CheckpointAnchor
from contracts.dao import Rules, Timelock
from contracts.deploy import deploy
from contracts.deploy_dao import Dao
from contracts.deploy_justice import DISPUTES
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from contracts.economy import ADMIN_ROLE, Authority, LocalStakeSource, StakeVault

KEY = b"\x05" * 32
ME = bytes.fromhex(Account.from_key(KEY).address[2:])
GUARDIAN = b"\x09" * 20
NAMES = ("timelock", "token", "token_vault", "dmp", "rewards", "royalties", "datasets", "governor")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with devchain(tmp_path_factory.mktemp("chain") / "chain.jsonl", block_seconds=0.1) as running:
        yield running


def test_the_dao_is_founded_once_and_holds_all_powers(chain, tmp_path):
    def ask(view):
        call = {"to": Web3.to_checksum_address(view.to), "data": Web3.to_hex(view.data)}
        return view.decode(bytes(Web3(HTTPProvider(chain.url)).eth.call(call)))

    out, dao = tmp_path / "deployment.json", Dao(guardian=GUARDIAN, rules=Rules(voting_delay=1, voting_period=2))
    made = deploy(chain.url, KEY, out, Economics(exit_delay_s=30), dao)
    written = out.read_bytes()
    assert deploy(chain.url, KEY, out, Economics(exit_delay_s=30), dao) == made
    assert out.read_bytes() == written

    known = {name: bytes.fromhex(json.loads(written)[name]) for name in NAMES}
    powers, lock = Authority(made.authority), Timelock(known["timelock"])
    assert ask(powers.has_role(ADMIN_ROLE, lock.address))
    assert not ask(powers.has_role(ADMIN_ROLE, ME))
    assert not ask(lock.has_role(bytes(32), ME))
    assert ask(powers.has_role(2, known["governor"]))
    assert ask(powers.has_role(3, GUARDIAN))
    vaults = ask(LocalStakeSource(made.source).vaults())
    assert vaults == ((made.vault, 10**18), (known["token_vault"], dao.token_weight))
    assert ask(StakeVault(known["token_vault"]).asset()) == known["token"]
    votes = CheckpointAnchor(bytes.fromhex(json.loads(written)["anchor_bn254"]))
    assert ask(votes.attestation()) != ask(CheckpointAnchor(made.anchor).attestation())
    assert ask(powers.role_of(votes.address, function_selector("CheckpointAnchor", "settle"))) == DISPUTES
