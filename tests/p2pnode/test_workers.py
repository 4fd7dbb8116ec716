import threading

import pytest
import trio

from p2pnode.ports import Workers
from p2pnode.workers import ThreadWorkers


async def test_functions_run_off_the_event_loop():
    workers: Workers = ThreadWorkers(1)
    assert await workers.run(threading.get_ident) != threading.get_ident()
    assert await workers.run(divmod, 7, 3) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        await workers.run(divmod, 7, 0)


async def test_no_more_threads_than_allowed():
    workers, running, most = ThreadWorkers(2), [], []
    both = threading.Barrier(2, timeout=10)

    def job():
        running.append(1)
        most.append(len(running))
        both.wait()  # passes only if two run at once
        running.pop()

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(workers.run, job)
    assert max(most) == 2


async def test_a_cancelled_call_returns_at_once():
    release = threading.Event()
    with trio.move_on_after(0.05) as scope:
        await ThreadWorkers(1).run(release.wait, 60)
    assert scope.cancelled_caught
    release.set()
