"""A model's user pays, and is told before who gets what."""

import pytest

from p2pnode.chain import plans, royalties
from p2pnode.errors import ChainError
from protocols.errors import LocalError
from tests.contracts.economy_kit import ONE


async def test_a_user_pays_for_a_model(dao_net):
    economy, places = dao_net.economy, dao_net.places
    user = economy.person("user", 30 * ONE)
    async with dao_net.wallet(user) as wallet:
        allow, pay = await royalties.pay(wallet, places, 2, 20 * ONE)
        assert allow.words == f"let 0x{places['royalties'].hex()} take 20 $2PM"
        assert pay.words == (
            "pay 20 $2PM for the use of subnet 2's model: 14 to those who work for it, 6 to holders of its royalty"
            " shares, of which about 0.6 to those of its parents (subnet 1)"
        )
        before = economy.tokens(places["royalties"])
        for step in (allow, pay):
            await wallet.carry_out(step)
        assert economy.tokens(wallet.address) == 10 * ONE
        assert economy.tokens(places["royalties"]) - before == 6 * ONE
        (_, alone) = await royalties.pay(wallet, places, 1, 10 * ONE)
        assert alone.words.endswith("5 to holders of its royalty shares")
        with pytest.raises(LocalError, match=r"holds 10 \$2PM, less than 11"):
            await royalties.pay(wallet, places, 1, 11 * ONE)
        with pytest.raises(ChainError, match="there is no subnet 3"):
            await royalties.pay(wallet, places, 3, 1)
        facts = await plans.subnet_facts(wallet, places, 2)
        assert facts["parents"] == "subnet 1 (10 % of the holders' part)"
        assert (await plans.subnet_facts(wallet, places, 1))["parents"] is None
