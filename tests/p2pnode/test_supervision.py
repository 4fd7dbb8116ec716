from itertools import pairwise

import trio
from trio.testing import MockClock

from p2pnode.errors import Unreachable
from p2pnode.supervision import BACK_OFF_MAX_S, Supervisor
from simnet.memory import VirtualClock
from tests.p2pnode.kit import Seen


async def test_what_a_task_dies_of_is_seen_and_the_others_live(autojump_clock: MockClock) -> None:
    seen, lived = Seen(), trio.Event()

    async def bug() -> None:
        raise ZeroDivisionError

    async def nobody_there() -> None:
        raise Unreachable("peer 12 is away")

    async def lives() -> None:
        await trio.sleep(1)
        lived.set()

    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, VirtualClock(), seen)
        supervisor.guard("bug", bug)
        supervisor.guard("call", nobody_there)
        supervisor.guard("other", lives)
    assert lived.is_set()
    (unexpected,) = seen.named("unexpected")
    assert (unexpected["task"], type(unexpected["error"])) == ("bug", ZeroDivisionError)
    assert seen.named("failed") == [{"task": "call", "reason": "peer 12 is away"}]


async def test_a_service_comes_back_soon_then_later(autojump_clock: MockClock) -> None:
    seen, starts = Seen(), []

    async def service() -> None:
        starts.append(trio.current_time())
        raise RuntimeError("again")

    async with trio.open_nursery() as nursery:
        Supervisor(nursery, VirtualClock(), seen).serve("service", service)
        await trio.sleep(200)
        nursery.cancel_scope.cancel()
    pauses = [later - sooner for sooner, later in pairwise(starts)]
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert max(pauses) == BACK_OFF_MAX_S
    assert len(seen.named("unexpected")) == len(starts)


async def test_a_service_that_ran_well_comes_back_soon(autojump_clock: MockClock) -> None:
    starts: list[float] = []

    async def service() -> None:
        starts.append(trio.current_time())
        if len(starts) % 4 == 0:
            await trio.sleep(100)
        raise RuntimeError("again")

    async with trio.open_nursery() as nursery:
        Supervisor(nursery, VirtualClock(), Seen()).serve("service", service)
        await trio.sleep(110)
        nursery.cancel_scope.cancel()
    assert starts[4] - starts[3] == 100.5


async def test_a_service_that_returns_is_started_again(autojump_clock: MockClock) -> None:
    starts: list[float] = []

    async def returns() -> None:
        starts.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        Supervisor(nursery, VirtualClock(), Seen()).serve("service", returns)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert len(starts) == 2
