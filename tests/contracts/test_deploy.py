import json

import pytest
from eth_account import Account

from contracts.anvil import anvil
from contracts.deploy import DeployError, _Deployer, deploy
from contracts.deploy_dao import Dao
from contracts.deploy_terms import LIVE, Economics
from contracts.devchain import devchain
from contracts.economy import StakeVault

KEY = b"\x05" * 32
ME = bytes.fromhex(Account.from_key(KEY).address[2:])


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def chain(request, tmp_path_factory):
    state = tmp_path_factory.mktemp("chain") / "chain.jsonl"
    with anvil() if request.param == "anvil" else devchain(state, block_seconds=0) as running:
        running.fund(ME, 10**20)
        yield running


class Stopped(Exception):
    """The run was broken off."""


def test_a_second_run_finds_what_the_first_one_built(chain, tmp_path):
    out = tmp_path / "deployment.json"
    first = deploy(chain.url, KEY, out, Economics(min_stake_wei=5, exit_delay_s=6))
    assert len({first.authority, first.vault, first.source, first.subnets, first.operators, first.anchor}) == 6
    written = out.read_bytes()
    assert deploy(chain.url, KEY, out) == first
    assert out.read_bytes() == written


def test_where_strangers_have_money_unsafe_terms_are_refused(chain, tmp_path, monkeypatch):
    monkeypatch.setattr("contracts.deploy.DEV_CLIENTS", ("another/",))
    out = tmp_path / "deployment.json"
    with pytest.raises(DeployError, match=r"games.payout_s is 60 s: the DAO needs 435600 s"):
        deploy(chain.url, KEY, out, Economics(), Dao())
    with pytest.raises(DeployError, match=r"exit_delay_s is 600 s: a dispute and its sentence take up to"):
        deploy(chain.url, KEY, out, changes={"exit_delay_s": 600})
    assert not out.exists(), "nothing was sent"
    made = deploy(chain.url, KEY, out)
    epochs = StakeVault(made.vault).epoch_seconds()
    call = {"to": f"0x{epochs.to.hex()}", "data": f"0x{epochs.data.hex()}"}
    assert int(chain.ask("eth_call", call, "latest"), 16) == LIVE.exit_delay_s


def test_a_broken_off_run_is_continued(chain, tmp_path):
    out = tmp_path / "deployment.json"
    first = deploy(chain.url, KEY, out)
    known = json.loads(out.read_text())
    del known["anchor"]
    out.write_text(json.dumps(known))
    second = deploy(chain.url, KEY, out)
    assert (second.subnets, second.operators) == (first.subnets, first.operators)
    assert second.anchor != first.anchor


def test_a_run_that_breaks_off_anywhere_is_continued_and_nothing_is_made_twice(chain, tmp_path, monkeypatch):
    """Every few steps of a deployment with the DAO the process ends: before the chain has the step, or after."""
    out, sent, broken = tmp_path / "deployment.json", [], 0
    broadcast = _Deployer._broadcast

    def breaking(self, raw):
        sent.append(raw)
        if len(sent) % 5 == 0:
            raise Stopped
        found = broadcast(self, raw)
        if len(sent) % 5 == 3:
            raise Stopped
        return found

    def count():
        return int(chain.ask("eth_getTransactionCount", f"0x{ME.hex()}", "latest"), 16)

    monkeypatch.setattr(_Deployer, "_broadcast", breaking)
    before, made = count(), None
    while made is None:
        try:
            made = deploy(chain.url, KEY, out, Economics(), Dao())
        except Stopped:
            broken += 1
    known = json.loads(out.read_text())
    assert broken > 10
    assert count() - before == len(known) - 2, "one transaction for each step in the file (but chain and genesis)"
    assert deploy(chain.url, KEY, out, Economics(), Dao()) == made
    assert count() - before == len(known) - 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain_id": 1}, "belongs to chain 1"),
        ({"subnets": "11" * 20}, "no contract stands there"),
        (None, "is no deployment file"),
    ],
)
def test_a_wrong_file_has_a_name(chain, tmp_path, change, words):
    out = tmp_path / "deployment.json"
    deploy(chain.url, KEY, out)
    out.write_text(json.dumps(json.loads(out.read_text()) | change) if change else "[]")
    with pytest.raises(DeployError, match=words):
        deploy(chain.url, KEY, out)


def test_a_dead_url_has_a_name(tmp_path):
    with pytest.raises(DeployError, match=r"no chain answers at http://127\.0\.0\.1:1;"):
        deploy("http://127.0.0.1:1", KEY, tmp_path / "out.json")
