"""Commands that move money, as people use them: what they say, what they ask, and what they refuse."""

import sys

import pytest
import trio

from contracts.dao import TwoPMToken
from contracts.deploy import deploy
from contracts.deploy_dao import Dao
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from p2pnode.chain.client import request_faucet
from p2pnode.chain.wallet import Places, Step, open_wallet
from p2pnode.cli import main as cli
from p2pnode.identity import new_identity, save_identity
from protocols.types import Secret

DEPLOYER = Secret(b"\x41" * 32)
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with keys, funds, a deployment file and a chain."""
    folder, identity = tmp_path_factory.mktemp("home"), new_identity()
    with devchain(folder / "chain.jsonl", block_seconds=0.1) as chain:
        deploy(chain.url, DEPLOYER.reveal(), folder / "deployment.json", Economics(exit_delay_s=600), Dao())
        save_identity(folder, identity, Secret(PASSPHRASE.encode()), scrypt_n=16)

        async def fund():
            places = Places(folder / "deployment.json")
            await request_faucet(chain.url, identity.operator, 10 * 10**18)
            async with open_wallet(chain.url, DEPLOYER, places.chain_id) as rich:
                token = TwoPMToken(places["token"])
                await rich.carry_out(Step("", token.transfer(identity.operator, 100 * 10**18)))

        trio.run(fund)
        yield folder, chain.url, identity


@pytest.fixture
def p2pnode(home, monkeypatch, capsys):
    """Runs a command; its exit status and all that it said."""
    folder, url, _ = home
    where = ["--folder", str(folder), "--chain", url, "--deployment", str(folder / "deployment.json")]
    monkeypatch.setenv("P2PNODE_PASSPHRASE", PASSPHRASE)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["p2pnode", *words, *where])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return call


def test_a_spend_is_announced_with_its_cost_and_needs_a_yes(p2pnode):
    code, said = p2pnode("operator", "stake", "1.5")
    assert code == 1
    assert "step 1 of 1: stake 1.5 coins with your operator" in said
    assert "gas at most: 0.0" in said
    assert "holds 10 coins; this takes up to 1.5" in said
    assert "say --yes to go ahead; nothing was done" in said
    code, said = p2pnode("operator", "stake", "1.5", "--yes")
    assert (code, "step 1 of 1 done; Deposited(" in said) == (0, True)
    code, said = p2pnode("operator", "exit", "--yes")
    assert (code, "ask 1.5 back" in said, "ExitRequested(" in said) == (0, True, True)


def test_what_cannot_be_is_told_in_words(p2pnode):
    for words, told in (
        (("operator", "stake", "1000"), "coins and needs 1000 and gas"),
        (("operator", "delegate", "0x12", "1"), "is no address"),
        (("dao", "stake", "101"), "holds 100 $2PM, less than 101"),
        (("subnet", "show", "7"), "there is no subnet 7"),
        (("subnet", "vote", "5", "for"), "there is no proposal 5"),
        (("subnet", "back", "0x" + "11" * 32, "1"), "there is no draft"),
        (("rewards", "claim", "1"), "nothing is due"),
    ):
        code, said = p2pnode(*words, *(["--yes"] if words[1] != "show" else []))
        assert code == 1, (words, said)
        assert any(part.replace(".*", "") in said for part in told.split("|")), (words, said)


def test_the_dao_is_joined_and_shown(p2pnode):
    code, said = p2pnode("dao", "stake", "40", "--yes")
    assert code == 0, said
    assert "step 1 of 2: let 0x" in said
    assert "known after the step before" in said
    code, said = p2pnode("dao", "status")
    assert code == 0, said
    assert "votes (own and delegated)  40" in said
    code, said = p2pnode("subnet", "list")
    assert (code, said.strip()) == (0, "none yet")
