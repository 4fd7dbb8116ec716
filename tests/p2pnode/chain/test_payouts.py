"""Rewards posted by the node of a subnet's poster, and claimed by the command's own plan, on a real chain."""

from __future__ import annotations

import json

import pytest
import trio

from contracts.anvil import anvil
from contracts.dao import Pot
from p2pnode.chain.client import connect
from p2pnode.chain.plans import claim_rewards
from p2pnode.chain.wallet import Places, open_wallet
from p2pnode.paymaster import _plain
from protocols.errors import LocalError
from protocols.types import Address, Secret
from protocols.verification.scores import Share
from tests.contracts.economy_kit import DAO, Economy, address
from tests.contracts.test_whole_economy import FEE_PAID, Story


def test_what_a_poster_posts_is_what_people_claim(tmp_path):
    with anvil(chain_id=4711) as chain:
        economy = Economy(chain, tmp_path)
        story = Story(economy)
        story.found()
        economy.send(story.user, economy.token.approve(economy.royalties.address, FEE_PAID))
        economy.send(story.user, economy.royalties.pay(story.subnet, FEE_PAID))
        trio.run(the_rest, economy, story, tmp_path)


async def the_rest(economy, story, folder):
    url, where = economy.chain.url, economy.subnets.address
    rewards, number = economy.rewards.address, story.subnet
    stranger = await connect(url, where, number, Secret(bytes(story.user.key)), rewards=rewards)
    assert await stranger.pots() is None, "only the poster sees itself as one"
    await stranger.aclose()
    chain = await connect(url, where, number, Secret(bytes(story.poster.key)), rewards=rewards)
    funded = await chain.pots()
    pots = {Share.VERIFIER: Pot.VERIFIER, Share.COMPUTE: Pot.COMPUTE, Share.DATA: Pot.DATA}
    assert funded == {share: economy.ask(economy.rewards.balance_of(number, pot))[0] for share, pot in pots.items()}
    worker = story.operators[0]
    mine = {(Share.COMPUTE, Address(address(worker))): 500, (Share.DATA, Address(address(worker))): 300}
    totals = mine | {(Share.DATA, Address(b"o" * 20)): 7}
    claims = await chain.post_rewards(totals)
    assert await chain.post_rewards(totals) == claims, "the same is not posted twice"
    assert economy.ask(economy.rewards.root_count(number)) == 1
    for share, account in totals:
        assert economy.ask(economy.rewards.is_prepared(number, pots[share], account)), "whose first claim is cheap"
    assert not economy.ask(economy.rewards.is_prepared(number, Pot.VERIFIER, address(worker))), "it earned nothing so"
    economy.chain.travel(DAO.activation_s)
    file, places = folder / "proofs.json", Places(folder / "deployment.json")
    file.write_text(json.dumps([_plain(each) for each in claims]))
    async with open_wallet(url, Secret(bytes(worker.key)), places.chain_id, places.genesis) as wallet:
        steps = await claim_rewards(wallet, places, number, file)
        assert [step.words.split(" that you ")[1] for step in steps] == ["earned as compute", "earned as data"]
        for step in steps:
            await wallet.carry_out(step)
        with pytest.raises(LocalError, match="nothing is due"):
            await claim_rewards(wallet, places, number, file)
    assert economy.tokens(address(worker)) == 800
    await chain.aclose()
