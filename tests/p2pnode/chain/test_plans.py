"""What people do with stake, subnets and the DAO, step by step on a dev chain."""

import contextlib
import json

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from contracts.dao import Rules, SubnetGovernor, TwoPMToken, Vote
from contracts.deploy import deploy
from contracts.deploy_dao import Dao
from contracts.deploy_terms import Economics
from contracts.devchain import devchain
from p2pnode.chain import plans
from p2pnode.chain.client import request_faucet
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.wallet import Places, Step, open_wallet
from protocols.errors import LocalError
from protocols.types import Secret

DEPLOYER, MEMBER = Secret(b"\x51" * 32), Secret(b"\x52" * 32)
ONE = 10**18
RULES = Rules(voting_delay=1, voting_period=60, backing_needed=5 * ONE, backing_period=10**6)
DAO = Dao(lock_s=2, exit_s=2, activation_s=0, rules=RULES)


@given(st.integers(1, 10**30))
def test_amounts_are_read_as_they_are_shown(amount):
    assert plans.amount_of(plans.shown(amount)) == amount


@pytest.mark.parametrize("text", ["0", "-1", "one", "1e-19", "nan", "inf", ""])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(LocalError, match="is no amount"):
        plans.amount_of(text)


@pytest.mark.parametrize("text", ["0x12", "zz" * 20, "0x" + "11" * 21])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(LocalError, match="is no address"):
        plans.hex_of(text, 20, "address")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dao")
    with devchain(folder / "chain.jsonl", block_seconds=0.05) as running:
        deploy(running.url, DEPLOYER.reveal(), folder / "deployment.json", Economics(exit_delay_s=60), DAO)
        yield running.url, Places(folder / "deployment.json")


async def do(wallet, steps):
    for step in steps:
        await wallet.carry_out(step)
    return [step.words for step in steps]


async def until(wallet, governor, proposal, state):
    with trio.fail_after(60):
        while await wallet.ask(governor.state(proposal)) != state:
            await trio.sleep(0.1)


async def test_from_a_member_s_stake_to_a_founded_subnet(chain, tmp_path):
    url, places = chain
    token = TwoPMToken(places["token"])
    async with open_wallet(url, DEPLOYER, places.chain_id) as rich:
        await rich.carry_out(Step("", token.transfer(operator_address(MEMBER), 100 * ONE)))
    await request_faucet(url, operator_address(MEMBER), 10 * ONE)
    async with open_wallet(url, MEMBER, places.chain_id) as wallet:
        words = await do(wallet, await plans.join_dao(wallet, places, 50 * ONE))
        assert [word.split()[0] for word in words] == ["let", "stake"]
        assert len(await do(wallet, await plans.delegate_votes(wallet, places, wallet.address))) == 1
        status = await plans.dao_status(wallet, places)
        assert (status["$DMP"], status["$2PM"], status["votes (own and delegated)"]) == ("50", "50", "50")

        file = tmp_path / "terms.json"
        file.write_text(json.dumps({"params": "7031", "economics": {"reward_bps": 0}}))
        salt, terms = plans.terms_of(file, places, wallet.address)
        governor = SubnetGovernor(places["governor"])
        (announced,) = await do(wallet, await plans.propose(wallet, places, file))
        draft = await wallet.ask(governor.draft_id_of(salt, terms))
        assert draft.hex() in announced
        await do(wallet, await plans.back(wallet, places, draft, 5 * ONE))
        await do(wallet, await plans.advance(wallet, places, file))
        proposal = (await wallet.ask(governor.draft(draft))).proposal_id
        await until(wallet, governor, proposal, "active")
        with pytest.raises(LocalError, match="is active: there is nothing to do"):
            await plans.advance(wallet, places, file)
        await do(wallet, await plans.vote(wallet, places, proposal, Vote.FOR))
        await until(wallet, governor, proposal, "succeeded")
        await do(wallet, await plans.advance(wallet, places, file))
        await trio.sleep(0.3)
        await do(wallet, await plans.advance(wallet, places, file))
        (row,) = await plans.subnet_rows(wallet, places)
        assert row["open"] == "not yet"
        (words,) = await do(wallet, await plans.advance(wallet, places, file))
        assert words == "open subnet 1 for good: its first epoch follows from the block"
        with pytest.raises(LocalError, match="subnet 1 is founded and open"):
            await plans.advance(wallet, places, file)
        facts = await plans.subnet_facts(wallet, places, 1)
        assert "7 : 3" in str(facts["rewards"])
        shown = await plans.rewards_status(wallet, places, 1)
        assert shown["dividends due"] == "0"
        with pytest.raises(LocalError, match="nothing is due"):
            await plans.claim_rewards(wallet, places, 1, None)


async def test_a_member_leaves_the_dao_in_parts(chain):
    url, places = chain
    key = Secret(b"\x54" * 32)
    async with open_wallet(url, DEPLOYER, places.chain_id) as rich:
        await rich.carry_out(Step("", TwoPMToken(places["token"]).transfer(operator_address(key), 9 * ONE)))
    await request_faucet(url, operator_address(key), 10 * ONE)
    async with open_wallet(url, key, places.chain_id) as wallet:
        with pytest.raises(LocalError, match="you have asked nothing back of the DAO"):
            await plans.leave_dao(wallet, places)
        await do(wallet, await plans.join_dao(wallet, places, 9 * ONE))
        with pytest.raises(LocalError, match="holds 9 \\$DMP, less than 10; what backed a subnet is burned"):
            await plans.unstake(wallet, places, 10 * ONE)
        (words,) = await do(wallet, await plans.unstake(wallet, places, 4 * ONE))
        assert words == "give up 4 of your 9 $DMP, and their votes at once, for as many $2PM, due in 2 s"
        end = await wallet.now() + DAO.exit_s
        with trio.fail_after(60):
            while await wallet.now() < end:
                await trio.sleep(0.1)
        await do(wallet, await plans.unstake(wallet, places, 3 * ONE))
        status = await plans.dao_status(wallet, places)
        assert (status["$DMP"], status["votes (own and delegated)"]) == ("2", "2")
        assert plans.amount_of(status["asked back and due"]) >= 4 * ONE
        words = await do(wallet, await plans.leave_dao(wallet, places))
        assert words[0] == "take 4 $2PM that you asked back and that are due"
        with trio.fail_after(60):
            while (await plans.dao_status(wallet, places))["$2PM"] != "7":
                with contextlib.suppress(LocalError):
                    await do(wallet, await plans.leave_dao(wallet, places))
                await trio.sleep(0.1)
        with pytest.raises(LocalError, match="you have asked nothing back"):
            await plans.leave_dao(wallet, places)


async def test_stake_in_both_assets_comes_and_goes(chain):
    url, places = chain
    key = Secret(b"\x53" * 32)
    async with open_wallet(url, DEPLOYER, places.chain_id) as rich:
        await rich.carry_out(Step("", TwoPMToken(places["token"]).transfer(operator_address(key), 10 * ONE)))
    await request_faucet(url, operator_address(key), 10 * ONE)
    async with open_wallet(url, key, places.chain_id) as wallet:
        for token in (False, True):
            await do(wallet, await plans.stake(wallet, places, wallet.address, 2 * ONE, token=token))
            (asked,) = await do(wallet, await plans.leave_stake(wallet, places, wallet.address, token=token))
            assert asked.startswith("ask 2 back")
            with pytest.raises(LocalError, match="2 that you asked back are due in"):
                await plans.leave_stake(wallet, places, wallet.address, token=token)
        end = await wallet.now() + 120
        with trio.fail_after(60):
            while await wallet.now() < end:
                await trio.sleep(0.2)
        for token in (False, True):
            (taken,) = await do(wallet, await plans.leave_stake(wallet, places, wallet.address, token=token))
            assert taken.startswith("take 2 that")


def test_a_file_that_is_no_draft_is_refused(chain, tmp_path):
    file = tmp_path / "terms.json"
    for content in ("[]", "{}", '{"params": 5}', '{"params": "00", "windows": {"x": 1}}', "{"):
        file.write_text(content)
        with pytest.raises(LocalError, match="is no draft"):
            plans.terms_of(file, chain[1], bytes(20))


def test_proofs_are_read_for_one_account(tmp_path):
    file = tmp_path / "proofs.json"
    mine = {"account": "0x" + "11" * 20, "pot": "data", "cumulative": 5, "index": 0, "proof": ["22" * 32]}
    file.write_text(json.dumps([mine, {**mine, "account": "0x" + "33" * 20}]))
    (((pot, cumulative), index, proof),) = plans.read_proofs(file, b"\x11" * 20, plans._reward)
    assert (pot.name, cumulative, index, proof) == ("DATA", 5, 0, [b"\x22" * 32])
    for wrong in ({"pot": "luck"}, {"account": 5}, {"proof": [7]}, {"proof": None}, {"index": "first"}):
        file.write_text(json.dumps([{**mine, **wrong}]))
        with pytest.raises(LocalError, match=r"is no list of proofs|is no address|is no hash"):
            plans.read_proofs(file, b"\x11" * 20, plans._reward)
