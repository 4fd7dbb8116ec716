import signal
from pathlib import Path

import trio

from simnet.orders import Command
from simnet.pool import worker_pool


async def test_workers_end_with_their_pool(tmp_path: Path) -> None:
    """A worker that never gets its orders stops as soon as its input ends."""
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 2) as pool:
            assert len(pool) == 2
        codes = {await pool.exit_code(number) for number in range(2)}
    assert codes <= {0, -signal.SIGKILL}  # by force where the machine is so busy that it still imports


async def test_a_worker_that_fails_leaves_its_words_in_its_log(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 1) as pool:
            await pool.send(0, Command(do="mute"))  # not orders
            assert [line async for line in pool.lines(0)] == []
            assert await pool.exit_code(0) != 0
            await pool.send(0, Command(do="mute"))  # to the dead: no harm
    assert "Orders" in pool.log(0).read_text()
