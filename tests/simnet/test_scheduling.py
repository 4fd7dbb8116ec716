import trio

from simnet.scheduling import seeded_scheduling


async def _race(order: list[int]) -> None:
    async def step(name: int) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            order.append(name)

    async with trio.open_nursery() as nursery:
        for name in range(10):
            nursery.start_soon(step, name)


def _order(seed: int) -> list[int]:
    order: list[int] = []
    with seeded_scheduling(seed):
        trio.run(_race, order)
    return order


def test_same_seed_same_order_of_tasks() -> None:
    assert _order(1) == _order(1)


def test_seeds_differ_so_the_hook_is_what_orders() -> None:
    assert len({tuple(_order(seed)) for seed in range(5)}) > 1


def test_trio_is_left_as_it_was() -> None:
    import trio._core._run as trio_run

    before = trio_run._r.getstate()
    _order(1)
    assert trio_run._r.getstate() == before
