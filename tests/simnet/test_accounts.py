from __future__ import annotations

import time

import trio

from p2pnode.workers import ThreadWorkers
from simnet.accounts import NODE, Accounts, Billing


def burn(seconds: float) -> float:
    """Uses so much CPU time of its thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return seconds


async def test_steps_and_jobs_are_billed_to_the_node_that_started_them() -> None:
    accounts = Accounts()
    workers = Billing(ThreadWorkers(2), accounts)

    async def node(name: str, steps: int, job_s: float) -> None:
        NODE.set(name)
        async with trio.open_nursery() as nursery:
            for _ in range(steps):
                nursery.start_soon(step)
            assert await workers.run(burn, job_s) == job_s

    async def step() -> None:
        await trio.lowlevel.checkpoint()
        burn(0.01)

    trio.lowlevel.add_instrument(accounts)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node, "member", 6, 0.05)
        nursery.start_soon(node, "data", 1, 0.0)
    trio.lowlevel.remove_instrument(accounts)
    seconds = accounts.seconds()
    assert seconds["member"] >= 0.11
    assert 0.01 <= seconds["data"] < seconds["member"] - 0.09
