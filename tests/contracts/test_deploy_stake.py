"""A deployment whose stake is EigenLayer's: what stands in EigenLayer's place answers every call with one number."""

import json

import pytest
from web3 import HTTPProvider, Web3

from contracts.abi import function_selector
from contracts.bindings import OperatorRegistry, SubnetRegistry
from contracts.deploy import DeployError, deploy, main
from contracts.deploy_dao import Dao
from contracts.deploy_justice import SOURCE_SLASHER
from contracts.deploy_stake import EigenLayer, read_eigenlayer
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from contracts.economy import Authority, EigenLayerStakeSource

KEY = b"\x05" * 32
BLOCKS = 50_400
DOUBLE = bytes.fromhex("6861c4e05f5260205ff35f5260096017f3")
"""Makes a contract that answers 50,400 (0xc4e0) to whatever it is asked."""
STRATEGIES = ((b"\x0b" * 20, 5 * 10**17), (b"\x0a" * 20, 10**18))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with devchain(tmp_path_factory.mktemp("chain") / "chain.jsonl", block_seconds=0) as running:
        yield running


@pytest.fixture(scope="module")
def w3(chain):
    return Web3(HTTPProvider(chain.url))


@pytest.fixture(scope="module")
def double(chain, w3):
    deployer = w3.eth.account.from_key(b"\x06" * 32)
    chain.fund(bytes.fromhex(deployer.address[2:]), 10**20)
    call = {
        "from": deployer.address,
        "data": DOUBLE,
        "nonce": 0,
        "gas": 200_000,
        "gasPrice": 10**10,
        "chainId": w3.eth.chain_id,
    }
    sent = w3.eth.send_raw_transaction(deployer.sign_transaction(call).raw_transaction)
    return bytes.fromhex(w3.eth.wait_for_transaction_receipt(sent, timeout=30)["contractAddress"][2:])


@pytest.fixture
def ask(w3):
    def answer(view):
        call = {"to": Web3.to_checksum_address(view.to), "data": Web3.to_hex(view.data)}
        return view.decode(bytes(w3.eth.call(call)))

    return answer


@pytest.mark.parametrize("dao", [None, Dao()], ids=["alone", "dao"])
def test_stake_is_eigenlayers_and_subnets_outlast_disputes(chain, double, ask, tmp_path, dao):
    out = tmp_path / "deployment.json"
    eigenlayer = EigenLayer(double, double, STRATEGIES, 12, "https://2pm.example/avs.json")
    made = deploy(chain.url, KEY, out, Economics(), dao, eigenlayer=eigenlayer)
    source, known = EigenLayerStakeSource(made.source), json.loads(out.read_text())
    assert ask(source.exit_delay()) == 12 * BLOCKS
    assert ask(source.strategies()) == tuple(sorted(STRATEGIES))
    assert made.vault == bytes(20)
    assert not known.keys() & {"vault", "token_vault"}
    assert ask(OperatorRegistry(made.operators).stake_source()) == made.source
    powers = Authority(made.authority)
    slash = function_selector("EigenLayerStakeSource", "slash")
    assert ask(powers.role_of(made.source, slash)) == SOURCE_SLASHER
    assert ask(SubnetRegistry(made.subnets).disputes()) == bytes.fromhex(known["disputes"])
    written = out.read_bytes()
    assert deploy(chain.url, KEY, out, Economics(), dao, eigenlayer=eigenlayer) == made
    assert out.read_bytes() == written


def test_delays_too_short_are_refused_where_strangers_have_money(chain, double, tmp_path, monkeypatch):
    monkeypatch.setattr("contracts.deploy.DEV_CLIENTS", ("another/",))
    eigenlayer = EigenLayer(double, double, STRATEGIES, block_s=1)
    with pytest.raises(DeployError, match=f"exit_delay_s is {BLOCKS} s: a dispute and its sentence take up to"):
        deploy(chain.url, KEY, tmp_path / "deployment.json", eigenlayer=eigenlayer)


def test_where_nothing_stands_it_says_so(chain, tmp_path):
    eigenlayer = EigenLayer(b"\x77" * 20, b"\x77" * 20, STRATEGIES)
    with pytest.raises(DeployError, match="does the contract stand there"):
        deploy(chain.url, KEY, tmp_path / "deployment.json", eigenlayer=eigenlayer)


GOOD = {
    "allocation_manager": f"0x{'01' * 20}",
    "delegation_manager": "02" * 20,
    "strategies": {f"0x{'03' * 20}": 10**18},
}


def test_a_file_says_where_eigenlayer_stands(tmp_path):
    path = tmp_path / "eigenlayer.json"
    path.write_text(json.dumps(GOOD))
    assert read_eigenlayer(path) == EigenLayer(b"\1" * 20, b"\2" * 20, ((b"\3" * 20, 10**18),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"allocation_manager": "0x01"}, "is no address"),
        ({"strategies": {}}, "1 to 32 are needed"),
        ({"strategies": {f"0x{'03' * 20}": 0}}, "is no positive number"),
        ({"strategies": {"03" * 20: 1, f"0x{'03' * 20}": 1}}, "each once"),
        ({"strategies": [1]}, "does not describe"),
        ({"block_s": True}, "is no positive number"),
        ({"other": 1}, "unknown other"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, capsys, monkeypatch, change, message):
    path = tmp_path / "eigenlayer.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(ValueError, match=message):
        read_eigenlayer(path)
    monkeypatch.setenv("TWOPM_DEPLOYER_KEY", KEY.hex())
    arguments = ["--url", "http://127.0.0.1:1", "--out", str(tmp_path / "out.json"), "--eigenlayer", str(path)]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
