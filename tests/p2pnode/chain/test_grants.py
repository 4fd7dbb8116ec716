"""Shares granted by the node of a subnet's poster, and claimed by the command's own plan, on a real chain."""

from __future__ import annotations

import json

import pytest

from p2pnode.chain import royalties
from p2pnode.chain.client import connect
from p2pnode.errors import ChainError
from p2pnode.shares import _plain
from protocols.errors import LocalError
from protocols.types import Address, Secret
from protocols.verification.royalties import Grant
from tests.contracts.economy_kit import DAO, ONE, address


async def test_what_a_poster_grants_is_what_contributors_claim_with_its_dividends(dao_net, tmp_path):
    economy, places = dao_net.economy, dao_net.places
    backer, poster = dao_net.members
    one, other = (economy.person(f"contributor {number}") for number in range(2))
    url, where = economy.chain.url, places["subnets"]
    stranger = await connect(url, where, 2, Secret(bytes(backer.key)), royalties=places["royalties"])
    assert await stranger.shares_left() is None, "only the poster sees itself as one"
    await stranger.aclose()
    chain = await connect(url, where, 2, Secret(bytes(poster.key)), royalties=places["royalties"])
    assert await chain.shares_left() == 9 * 10**23, "a tenth is the backers'"
    first = Grant(0, tuple(sorted([(Address(address(one)), 6 * 10**22), (Address(address(other)), 4 * 10**22)])))
    second = Grant(1, ((Address(address(one)), 10**20),))
    await chain.post_grants([first], 0)
    claims = await chain.post_grants([first, second], 0)
    assert await chain.post_grants([first, second], 0) == claims, "nothing is posted twice"
    assert (await chain.grants_posted(), await chain.shares_left()) == (2, 9 * 10**23 - first.total - second.total)
    for books, reason in (([first], "2 roots of shares were posted"), ([first, first], "not the one in these books")):
        with pytest.raises(ChainError, match=reason):
            await chain.post_grants(books, 0)
    await chain.aclose()

    user = economy.person("payer", 100 * ONE)
    economy.send(user, economy.token.approve(places["royalties"], 100 * ONE))
    economy.send(user, economy.royalties.pay(2, 100 * ONE))
    file = tmp_path / "shares.json"
    file.write_text(json.dumps([_plain(each) for each in claims]))
    async with dao_net.wallet(one) as wallet:
        with pytest.raises(LocalError, match=r"nothing is due to .*; backers name their --draft"):
            await royalties.claim(wallet, places, 2, None, None)
        with pytest.raises(LocalError, match="became subnet 1, not subnet 2"):
            await royalties.claim(wallet, places, 2, dao_net.drafts[0], None)
        economy.chain.travel(DAO.activation_s)
        for step in await royalties.claim(wallet, places, 2, dao_net.drafts[1], file):
            assert step.words.startswith("claim ")
            assert "royalty shares that you contributed for" in step.words
            await wallet.carry_out(step)
        facts = await royalties.status(wallet, places, 2)
        assert (facts["your_shares"], facts["claimed"]) == ("60100", "60100")
        (dividend,) = await royalties.claim(wallet, places, 2, None, file)
        before = economy.tokens(wallet.address)
        await wallet.carry_out(dividend)
        # 30 of 100 are the holders', a tenth of them the parent's; 60,100 of 200,100 shares earn.
        assert economy.tokens(wallet.address) - before == 27 * ONE * 60_100 // 200_100
        with pytest.raises(LocalError, match="nothing is due"):
            await royalties.claim(wallet, places, 2, None, file)
    async with dao_net.wallet(backer) as wallet:
        (step,) = await royalties.claim(wallet, places, 2, dao_net.drafts[1], file)
        assert step.words.startswith("claim the backer's royalty shares of subnet 2 for 1000 of 1000 $DMP")
        await wallet.carry_out(step)
        assert (await royalties.status(wallet, places, 2))["your_shares"] == "100000"
        (dividend,) = await royalties.claim(wallet, places, 2, dao_net.drafts[1], None)
        await wallet.carry_out(dividend)
        for content in ("[1]", "{", '[{"account": "0x12"}]'):
            file.write_text(content)
            with pytest.raises(LocalError):
                await royalties.claim(wallet, places, 2, None, file)
