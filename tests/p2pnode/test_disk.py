import errno
import os
from pathlib import Path

import pytest

from p2pnode.disk import BEHIND_BYTES, FolderDisk
from p2pnode.ports import Disk
from protocols.errors import LocalError
from protocols.types import Digest

NAME = Digest(bytes(range(32)))
OTHER = Digest(bytes(range(32, 64)))


async def test_records_and_blobs_are_there_again_after_a_restart(tmp_path):
    with FolderDisk(tmp_path / "node", 1000) as disk:
        port: Disk = disk
        port.append(b"record")
        port.put(((NAME, b"blob"),), durable=True)
        await port.commit()
    with FolderDisk(tmp_path / "node", 1000) as disk:
        assert disk.records() == (b"record",)
        assert disk.get(NAME) == b"blob"
        disk.drop(NAME)
        assert disk.get(NAME) is None


async def test_one_flush_serves_all_that_came_together_and_blobs_come_first(tmp_path, monkeypatch):
    flushed: list[str] = []
    fsync = os.fsync
    with FolderDisk(tmp_path, 1000) as disk:
        monkeypatch.setattr(
            os, "fsync", lambda file: (flushed.append(Path(f"/proc/self/fd/{file}").readlink().name), fsync(file))
        )
        disk.append(b"one")
        disk.append(b"two")
        disk.put(((NAME, b"blob"),), durable=True)
        assert disk.records() == ()
        await disk.commit()
        await disk.commit()
        assert (disk.records(), flushed) == ((b"one", b"two"), [NAME.hex(), "blobs", "journal"])


async def test_what_the_disk_refused_is_committed_later(tmp_path, monkeypatch):
    with FolderDisk(tmp_path, 1000) as disk:
        disk.append(b"one")
        disk.put(((NAME, b"blob"),), durable=True)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", refuse)
            with pytest.raises(LocalError, match="No space left on device"):
                await disk.commit()
        assert disk.records() == ()
        disk.append(b"two")
        await disk.commit()
        assert disk.records() == (b"one", b"two")


async def test_large_blobs_are_written_off_the_loop_and_are_here_meanwhile(tmp_path, monkeypatch):
    large = bytes(BEHIND_BYTES + 1)
    with FolderDisk(tmp_path, 8 * BEHIND_BYTES) as disk:
        disk.append(b"tells of it")
        disk.put(((NAME, large), (OTHER, b"with it")), durable=True)
        assert list((tmp_path / "blobs").iterdir()) == []
        assert (disk.get(NAME), disk.get(OTHER), set(disk.digests())) == (large, b"with it", {NAME, OTHER})
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", refuse)
            with pytest.raises(LocalError, match="No space left on device"):
                await disk.commit()
        assert (disk.get(NAME), disk.records()) == (large, ())
        await disk.commit()
        assert (disk.get(NAME), disk.records()) == (large, (b"tells of it",))
        disk.drop(OTHER)
    with FolderDisk(tmp_path, 8 * BEHIND_BYTES) as disk:
        assert (disk.get(NAME), disk.records()) == (large, (b"tells of it",))
        disk.drop(NAME)


async def test_what_others_have_too_waits_for_the_next_commit_as_long_as_it_is_little(tmp_path):
    third = Digest(bytes(32))
    with FolderDisk(tmp_path, 8 * BEHIND_BYTES) as disk:
        disk.put(((NAME, b"a manifest"),), durable=False)
        disk.put(((OTHER, bytes(BEHIND_BYTES)),), durable=False)
        assert [file.name for file in (tmp_path / "blobs").iterdir()] == [OTHER.hex()]
        disk.put(((third, b"mine"),), durable=True)
        await disk.commit()
        assert len(list((tmp_path / "blobs").iterdir())) == 2
        assert [disk.get(name) for name in (NAME, OTHER, third)] == [b"a manifest", bytes(BEHIND_BYTES), b"mine"]


async def test_what_is_dropped_while_it_is_written_and_comes_again_is_there_once(tmp_path, monkeypatch):
    with FolderDisk(tmp_path, 1000) as disk:
        disk.put(((NAME, b"blob"),), durable=True)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", lambda _: (disk.drop(NAME), disk.put(((NAME, b"blob"),), durable=True)))
            await disk.commit()
        await disk.commit()
        assert disk.get(NAME) == b"blob"
        disk.drop(NAME)
        assert list((tmp_path / "blobs").iterdir()) == []


async def test_what_is_dropped_before_it_is_written_leaves_nothing(tmp_path):
    with FolderDisk(tmp_path, 8 * BEHIND_BYTES) as disk:
        disk.put(((NAME, bytes(BEHIND_BYTES)), (OTHER, b"more")), durable=True)
        disk.drop(NAME)
        assert (disk.get(NAME), disk.get(OTHER)) == (None, b"more")
        await disk.commit()
        assert (disk.get(NAME), disk.get(OTHER)) == (None, b"more")
        disk.drop(OTHER)
        assert list((tmp_path / "blobs").iterdir()) == []


async def test_promised_blobs_count_against_the_budget(tmp_path):
    with FolderDisk(tmp_path, 3 * BEHIND_BYTES) as disk:
        disk.put(((NAME, bytes(2 * BEHIND_BYTES)),), durable=True)
        with pytest.raises(LocalError, match="raise blob_budget_mib"):
            disk.put(((OTHER, bytes(2 * BEHIND_BYTES)),), durable=True)


def refuse(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_one_folder_serves_one_node(tmp_path):
    with FolderDisk(tmp_path, 1000), pytest.raises(LocalError, match="another node is running in"):
        FolderDisk(tmp_path, 1000)
    FolderDisk(tmp_path, 1000).close()


def test_a_failed_opening_lets_go_of_the_journal(tmp_path):
    (tmp_path / "blobs").write_bytes(b"not a folder")
    with pytest.raises(LocalError, match="blobs"):
        FolderDisk(tmp_path, 1000)
    (tmp_path / "blobs").unlink()
    FolderDisk(tmp_path, 1000).close()
