from pathlib import Path

import trio

from p2pnode.transport.limits import Limits
from simnet.events import parse_event
from simnet.orders import Orders
from simnet.pool import worker_pool
from simnet.scenario import make_scenario
from simnet.worker import limits_for


async def test_what_goes_wrong_in_a_worker_is_told_in_a_sentence(tmp_path: Path) -> None:
    scenario = make_scenario({"task": "breast_cancer", "peers": 8, "rounds": 1})
    orders = Orders(
        worker="worker-0",
        scenario=scenario,
        members=("peer-00",),
        folder=tmp_path,
        began=0.0,
        chain="http://127.0.0.1:9",
        registry="00" * 20,
        subnet=1,
    )
    with trio.fail_after(60):
        async with worker_pool(tmp_path / "logs", 1) as pool:
            await pool.start()
            await pool.send(0, orders)
            (event,) = [parse_event(line) async for line in pool.lines(0)]
            assert await pool.exit_code(0) == 0
    assert (event.node, event.name) == ("worker-0", "failed")
    assert "no chain answers at http://127.0.0.1:9" in event.fields["reason"]


def test_an_address_that_machines_share_has_room_for_many_peers() -> None:
    assert limits_for("127.0.0.1") == Limits()
    assert limits_for("10.0.0.7").connections_per_address == Limits().connections_per_local_address
