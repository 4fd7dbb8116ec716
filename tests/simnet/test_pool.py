import os
import signal
from pathlib import Path

import trio
import trio.testing

from simnet.orders import Command
from simnet.pool import worker_pool
from simnet.usage import used


async def test_workers_end_with_their_pool(tmp_path: Path) -> None:
    """A worker that never gets its orders stops as soon as its input ends."""
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 2) as pool:
            assert len(pool) == 2
            await pool.start()
        codes = {await pool.exit_code(number) for number in range(2)}
    assert codes <= {0, -signal.SIGKILL}  # by force where the machine is so busy that it still imports


async def test_a_worker_that_fails_leaves_its_words_in_its_log(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 1) as pool:
            await pool.start()
            await pool.send(0, Command(do="mute"))  # not orders
            assert [line async for line in pool.lines(0)] == []
            assert await pool.exit_code(0) != 0
            await pool.send(0, Command(do="mute"))  # to the dead: no harm
    assert "Orders" in pool.log(0).read_text()


async def test_two_may_speak_to_a_worker_that_does_not_read_yet(tmp_path: Path) -> None:
    """What the first says fills the pipe; the second waits for its turn."""
    long = Command(do="mute", peers=("somebody",) * 20_000)
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 1) as pool, trio.open_nursery() as nursery:
            await pool.start()
            pid = pool._workers[0].process.pid
            assert pid
            os.kill(pid, signal.SIGSTOP)
            for _ in range(2):
                nursery.start_soon(pool.send, 0, long)
            await trio.testing.wait_all_tasks_blocked()
            pool.kill(0)


async def test_a_killed_worker_is_replaced_and_leaves_nothing_open(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 1) as pool:
            await pool.start()
            before = used()["open_files"]
            for _ in range(3):
                pool.kill(0)
                assert [line async for line in pool.lines(0)] == []
                assert await pool.exit_code(0) == -signal.SIGKILL
                await pool.restart(0)
            assert used()["open_files"] == before
            await pool.send(0, Command(do="mute"))
            assert await pool.exit_code(0) == 1  # the new one reads what it is sent, and refuses it
