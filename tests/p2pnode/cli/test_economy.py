"""Commands that move money, as people use them: what they say, what they ask, and what they refuse."""

import json
import re
import sys

import pytest
import trio

from contracts.dao import Pot, RewardDistributor, Rules, TwoPMToken
from contracts.deploy import deploy
from contracts.deploy_dao import Dao
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from contracts.reward_tree import RewardTree, reward_leaf
from p2pnode.chain.client import request_faucet
from p2pnode.chain.wallet import Places, Step, open_wallet
from p2pnode.cli import main as cli
from p2pnode.identity import new_identity, save_identity
from p2pnode.learning.task import load_task
from protocols.types import Secret

DEPLOYER = Secret(b"\x41" * 32)
ONE = 10**18
DAO = Dao(lock_s=100, activation_s=0, rules=Rules(voting_delay=60, voting_period=600, backing_needed=5 * ONE))
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with keys, funds, a deployment file and a chain."""
    folder, identity = tmp_path_factory.mktemp("home"), new_identity()
    with devchain(folder / "chain.jsonl", block_seconds=0.1) as chain:
        deploy(chain.url, DEPLOYER.reveal(), folder / "deployment.json", Economics(exit_delay_s=600), DAO)
        save_identity(folder, identity, Secret(PASSPHRASE.encode()), scrypt_n=16)

        async def fund():
            places = Places(folder / "deployment.json")
            await request_faucet(chain.url, identity.operator, 10 * 10**18)
            async with open_wallet(chain.url, DEPLOYER, places.chain_id) as rich:
                token = TwoPMToken(places["token"])
                await rich.carry_out(Step("", token.transfer(identity.operator, 100 * 10**18)))

        trio.run(fund)
        yield folder, chain, identity


@pytest.fixture
def p2pnode(home, monkeypatch, capsys):
    """Runs a command; its exit status and all that it said."""
    folder, chain, _ = home
    where = ["--folder", str(folder), "--chain", chain.url, "--deployment", str(folder / "deployment.json")]
    monkeypatch.setenv("P2PNODE_PASSPHRASE", PASSPHRASE)

    def call(*words):
        # What a node does with its subnet asks the chain for the contracts.
        last = where[:-2] if words[1] in ("register", "join", "status") and words[0] != "dao" else where
        monkeypatch.setattr(sys, "argv", ["p2pnode", *words, *last])
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
        (("rewards", "claim", "9"), "there is no subnet 9"),
        (("rewards", "show", "9"), "there is no subnet 9"),
        (("operator", "exit", "--operator", "0x" + "44" * 20), "nothing of yours is staked with"),
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


def done(p2pnode, *words):
    """What a command says that must succeed, once it was seen to ask."""
    code, asked = p2pnode(*words)
    assert (code, "say --yes to go ahead; nothing was done" in asked) == (1, True), asked
    assert "gas at most: 0.0" in asked
    code, said = p2pnode(*words, "--yes")
    assert code == 0, said
    return said


def refused(p2pnode, *words):
    code, said = p2pnode(*words, "--yes")
    assert code == 1, said
    return said


def test_a_subnet_is_founded_joined_and_paid_by_commands_alone(p2pnode, home):
    folder, chain, identity = home
    terms = folder / "terms.json"
    draft = {"params": "7031", "economics": {"reward_bps": 7000}, "salt": "0x" + "01" * 32}
    terms.write_text(json.dumps({**draft, "task": load_task("spector").spec.encode().hex()}))
    done(p2pnode, "dao", "stake", "20")
    draft = re.search("as (0x[0-9a-f]{64})", done(p2pnode, "subnet", "propose", str(terms)))[1]
    assert f"the very same draft {draft} stands already" in refused(p2pnode, "subnet", "propose", str(terms))
    assert "is backed with 0 $DMP, and a vote needs 5" in refused(p2pnode, "subnet", "advance", str(terms))
    assert "of the token and needs 500" in refused(p2pnode, "subnet", "back", draft, "500")
    assert "SubnetBacked(" in done(p2pnode, "subnet", "back", draft, "5")
    proposal = re.search(r"proposal_id (\d+)", done(p2pnode, "subnet", "advance", str(terms)))[1]
    assert "is pending" in refused(p2pnode, "subnet", "vote", proposal, "for")
    chain.travel(70)
    assert "for, against or abstain" in refused(p2pnode, "subnet", "vote", proposal, "perhaps")
    assert "VoteCast(" in done(p2pnode, "subnet", "vote", proposal, "for")
    assert "has voted already" in refused(p2pnode, "subnet", "vote", proposal, "against")
    chain.travel(610)
    assert "put it into the timelock" in done(p2pnode, "subnet", "advance", str(terms))
    assert "its delay is not over" in refused(p2pnode, "subnet", "advance", str(terms))
    chain.travel(110)
    assert "SubnetFounded(subnet_id 1" in done(p2pnode, "subnet", "advance", str(terms))
    assert "open subnet 1 for good" in done(p2pnode, "subnet", "advance", str(terms))
    assert "is founded and open" in refused(p2pnode, "subnet", "advance", str(terms))
    assert "since block" in p2pnode("subnet", "list")[1]
    assert "computing power : data = 7 : 3" in p2pnode("subnet", "show", "1")[1]
    assert "parents          -" in p2pnode("subnet", "show", "1")[1]
    _join(p2pnode, folder)
    _earn(p2pnode, folder, chain, identity)
    _use(p2pnode, draft, folder)
    _commit_to_data(p2pnode, folder, identity)
    _leave_the_dao(p2pnode, chain)


def _join(p2pnode, folder):
    where = "--registry", f"0x{Places(folder / 'deployment.json')['subnets'].hex()}", "--subnet", "1"
    assert "registered  no" in p2pnode("operator", "status", *where)[1]
    assert "and stake 1 coins" in done(p2pnode, "subnet", "join", *where, "--roles", "data,compute")
    again = refused(p2pnode, "operator", "register", *where, "--roles", "data,compute")
    assert "is registered in subnet 1 already" in again
    assert "stake in coins  1" in p2pnode("operator", "status", *where)[1]
    other = "0x" + "33" * 20
    assert "with whom nobody has staked yet" in done(p2pnode, "operator", "delegate", other, "1")
    assert "nobody has staked" not in done(p2pnode, "operator", "delegate", other, "1")
    done(p2pnode, "operator", "exit", "--operator", other)
    assert "2 that you asked back are due in" in refused(p2pnode, "operator", "exit", "--operator", other)


def _earn(p2pnode, folder, chain, identity):
    places, me = Places(folder / "deployment.json"), identity.operator
    rewards, earned = RewardDistributor(places["rewards"]), {Pot.COMPUTE: 3 * ONE, Pot.DATA: 1000 * ONE}
    leaves = [reward_leaf(places.chain_id, rewards.address, 1, pot, me, due) for pot, due in earned.items()]
    tree = RewardTree(leaves)

    async def fund_and_post():
        async with open_wallet(chain.url, DEPLOYER, places.chain_id) as rich:
            await rich.carry_out(Step("", TwoPMToken(places["token"]).approve(rewards.address, 100 * ONE)))
            await rich.carry_out(Step("", rewards.fund(1, 100 * ONE)))
        async with open_wallet(chain.url, identity.operator_key, places.chain_id) as poster:
            await poster.carry_out(Step("", rewards.post_root(1, tree.root)))

    trio.run(fund_and_post)
    for position, (pot, cumulative) in enumerate(earned.items()):
        proof = [f"0x{node.hex()}" for node in tree.proof(position)]
        claim = {"account": f"0x{me.hex()}", "pot": pot.name.lower(), "index": 0, "proof": proof}
        (folder / f"{pot.name}.json").write_text(json.dumps([{**claim, "cumulative": cumulative}]))
        (folder / f"false {pot.name}.json").write_text(json.dumps([{**claim, "cumulative": cumulative + 1}]))
    assert "59.5 of 59.5 $2PM left" in p2pnode("rewards", "show", "1")[1]
    false = refused(p2pnode, "rewards", "claim", "1", "--proofs", str(folder / "false COMPUTE.json"))
    assert "the proof does not lead to root 0 of subnet 1" in false
    claim = "rewards", "claim", "1", "--proofs"
    assert "claim 3 $2PM that you earned as compute" in done(p2pnode, *claim, str(folder / "COMPUTE.json"))
    assert "nothing is due to" in refused(p2pnode, *claim, str(folder / "COMPUTE.json"))
    too_much = refused(p2pnode, *claim, str(folder / "DATA.json"))
    assert "1000 $2PM are due from pot 3 of subnet 1, and it has 25.5" in too_much
    assert "paid to you as compute   3\n" in p2pnode("rewards", "show", "1")[1]


def _use(p2pnode, draft, folder):
    assert "has no royalty shares" not in done(p2pnode, "subnet", "pay", "1", "2")
    assert "there is no subnet 3" in refused(p2pnode, "subnet", "pay", "3", "2")
    assert "$2PM, less than 200" in refused(p2pnode, "subnet", "pay", "1", "200")
    assert "is no amount" in refused(p2pnode, "subnet", "pay", "1", "much")
    assert json.loads(p2pnode("royalty", "show", "1", "--json")[1])["your_shares"] == "0"
    assert "backers name their --draft" in refused(p2pnode, "royalty", "claim", "1")
    assert "is no draft" in refused(p2pnode, "royalty", "claim", "1", "--draft", "0x12")
    assert "there is no subnet 4" in refused(p2pnode, "royalty", "claim", "4")
    wrong = folder / "false shares.json"
    wrong.write_text("{}")
    assert "is no list of proofs" in refused(p2pnode, "royalty", "claim", "1", "--proofs", str(wrong))
    claimed = done(p2pnode, "royalty", "claim", "1", "--draft", draft)
    assert "claim the backer's royalty shares of subnet 1 for 5 of 5 $DMP" in claimed
    assert "dividends due to you $2PM  0.6" in p2pnode("royalty", "show", "1")[1]
    assert "claim 0.6 $2PM of dividends" in done(p2pnode, "royalty", "claim", "1")


def _commit_to_data(p2pnode, folder, identity):
    file, rows = folder / "mine.csv", ["GPA,TUCE,PSI,GRADE", "3.1,21,0,0", "3.5,25,1,1"]
    file.write_text("\n".join(rows))
    mine, me = ("--data", str(file)), f"0x{identity.operator.hex()}"
    assert "DatasetCommitted(subnet_id 1, id 1" in done(p2pnode, "dataset", "commit", "1", *mine)
    (row,) = json.loads(p2pnode("dataset", "list", "1", "--json")[1])
    assert (row["provider"], row["rows"], row["replaced_by"]) == (me, 2, None)
    assert "file        the same" in p2pnode("dataset", "check", "1", "1", *mine)[1]
    file.write_text("\n".join([*rows, "2.8,19,0,1"]))
    assert (
        "the file is not what commitment 1 of subnet 1 was made of" in p2pnode("dataset", "check", "1", "1", *mine)[1]
    )
    assert "in place of commitment 1" in done(p2pnode, "dataset", "commit", "1", *mine, "--supersedes", "1")
    assert "has been superseded by 2" in refused(p2pnode, "dataset", "commit", "1", *mine, "--supersedes", "1")
    assert "there is no subnet 5" in refused(p2pnode, "dataset", "commit", "5", *mine)
    assert "no such data file" in refused(p2pnode, "dataset", "commit", "1", "--data", "nowhere.csv")
    wanted = refused(p2pnode, "dataset", "commit", "1", *mine, "--signer", "0x" + "44" * 20)
    said = re.search(r"`p2pnode (dataset vouch 1 .*)`", wanted)[1].split()
    told = json.loads(p2pnode(*said, "--json")[1])
    assert (told["provider"], told["signer"], told["rows"]) == (me, me, 3)
    other = refused(
        p2pnode, "dataset", "commit", "1", *mine, "--signer", "0x44" + me[4:], "--signature", told["signature"]
    )
    assert "did not sign just this" in other


def _leave_the_dao(p2pnode, chain):
    assert "$DMP, less than 1000" in refused(p2pnode, "dao", "unstake", "1000")
    assert "you have asked nothing back" in refused(p2pnode, "dao", "withdraw")
    assert "and their votes at once" in done(p2pnode, "dao", "unstake", "3.5")
    assert "3.5 that you asked back are due in" in refused(p2pnode, "dao", "withdraw")
    assert "asked back, not due yet    3.5" in p2pnode("dao", "status")[1]
    chain.travel(DAO.exit_s)
    assert json.loads(p2pnode("dao", "status", "--json")[1])["asked back and due"] == "3.5"
    assert "take 3.5 $2PM that you asked back" in done(p2pnode, "dao", "withdraw")


def test_another_chain_is_refused_before_anything_is_signed(p2pnode, home):
    file = home[0] / "deployment.json"
    kept = file.read_text()
    file.write_text(json.dumps({**json.loads(kept), "chain_id": 5}))
    assert "but the contracts stand on chain 5" in refused(p2pnode, "operator", "stake", "1")
    file.write_text(kept)
