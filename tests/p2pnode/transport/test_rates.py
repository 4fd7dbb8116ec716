"""Token buckets."""

from __future__ import annotations

import trio

from p2pnode.transport.rates import Rates


async def test_a_burst_and_then_so_many_a_second(autojump_clock):
    rates = Rates(per_second=2, burst=3, keys=10)
    assert [rates.allows("a") for _ in range(5)] == [True, True, True, False, False]
    await trio.sleep(1)
    assert [rates.allows("a") for _ in range(3)] == [True, True, False]
    await trio.sleep(1000)
    assert [rates.allows("a") for _ in range(4)] == [True, True, True, False]


async def test_each_key_has_its_own_and_only_so_many_are_remembered(autojump_clock):
    rates = Rates(per_second=1, burst=1, keys=2)
    assert [rates.allows(key) for key in "aab"] == [True, False, True]
    assert rates.allows("c")  # a, unused for longest, is forgotten
    assert not rates.allows("b")
    assert rates.allows("a")
