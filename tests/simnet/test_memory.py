from trio.testing import MockClock

from protocols.types import Digest
from protocols.updates.pieces import table_of
from simnet.memory import GENESIS, InlineWorkers, MemoryDisk, VirtualClock, seeded_entropy


async def test_clock_leaps_when_everybody_waits(autojump_clock: MockClock) -> None:
    clock = VirtualClock()
    start = clock.now()
    await clock.sleep_until(start + 86_400)
    assert clock.now() == start + 86_400
    assert start >= GENESIS


def test_entropy_repeats_by_seed_and_name_only() -> None:
    def draw(seed: int, name: str) -> list[bytes]:
        source = seeded_entropy(seed, name)
        return [source() for _ in range(3)]

    assert draw(1, "a") == draw(1, "a")
    values = {*draw(1, "a"), *draw(1, "b"), *draw(2, "a")}
    assert len(values) == 9
    assert {len(value) for value in values} == {32}


def test_disk_outlives_its_node_and_its_copies_part() -> None:
    disk = MemoryDisk()
    disk.append(b"one")
    disk.put(((Digest(b"d" * 32), b"blob"),), durable=True)
    other = disk.copy()
    other.append(b"two")
    other.drop(Digest(b"d" * 32))
    assert disk.records() == (b"one",)
    assert other.records() == (b"one", b"two")
    assert (disk.get(Digest(b"d" * 32)), other.get(Digest(b"d" * 32))) == (b"blob", None)


async def test_jobs_run_in_place() -> None:
    assert await InlineWorkers().run(divmod, 7, 2) == (3, 1)


async def test_what_has_come_of_a_blob_outlives_a_crash_but_no_power_cut() -> None:
    disk, name = MemoryDisk(), Digest(b"d" * 32)
    disk.incoming(name, 4).write(0, b"bl")
    assert not disk.crash(power_cut=True).incoming(name, 4).resumed
    assert not disk.copy().incoming(name, 5).resumed
    after = disk.crash().incoming(name, 4)
    assert (after.resumed, after.read(0, 4)) == (True, b"bl\0\0")
    incoming = disk.incoming(name, 4)
    incoming.write(2, b"ob")
    incoming.finish(table_of(b"blob"))
    assert (disk.get(name), disk.size(name), disk.crash(power_cut=True).get(name)) == (b"blob", 4, None)
